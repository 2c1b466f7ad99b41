//! The field's failures: how each shows, what heals it, and what must never be done about it.

/// How a failure shows in the evidence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Show {
    /// Only a slow start.
    SlowStart,
    Gone,
    Mute,
    ManagerFailed,
    ManagerAbsent,
    Composition,
    SimMissing,
    SimBusy,
    Puk,
    Pin,
    Flight,
    Denied,
    Emergency,
    /// No cell is heard, and no contact tells of the mains.
    Deaf,
    /// No cell is heard, and the contact says that the mains are away.
    Dark,
    Searching,
    Idle,
    NoContext,
    WrongApn,
    Limit,
    NoRoute,
    Portal,
    Hijacked,
    Intercepted,
    Blocked,
    Refused,
    CloudAway,
    Clock,
    Stalled,
    Dns,
    Hot,
    /// Enumerates every 30 s, and shows its supply.
    BrownOut,
    /// The same without a word on the supply.
    Flapping,
}

/// A failure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    pub(super) name: &'static str,
    pub(super) show: Show,
    /// The rungs that heal it.
    pub(super) heals: &'static [u8],
    /// Passes by itself, or by a person, after so many minutes (least, most).
    pub(super) passes: Option<(u64, u64)>,
    /// After it has passed, the modem still shows it until one of these.
    pub(super) sticks: &'static [u8],
    /// The highest rung that may be taken against it.
    pub(super) highest: u8,
    /// The most steps of rung 3 and above against it.
    pub(super) resets: usize,
    /// Calls of these rungs fail while it lasts.
    pub(super) fails: &'static [u8],
    /// How long the recovery may take from when it can be healed, minutes.
    pub(super) within_min: u64,
}

const ANY: usize = usize::MAX;
const NONE: &[u8] = &[];

const fn fault(name: &'static str, show: Show, heals: &'static [u8], within_min: u64) -> Fault {
    Fault {
        name,
        show,
        heals,
        passes: None,
        sticks: NONE,
        highest: 6,
        resets: ANY,
        fails: NONE,
        within_min,
    }
}

const fn person(
    name: &'static str,
    show: Show,
    passes: (u64, u64),
    highest: u8,
    resets: usize,
) -> Fault {
    Fault {
        name,
        show,
        heals: NONE,
        passes: Some(passes),
        sticks: NONE,
        highest,
        resets,
        fails: NONE,
        within_min: 15,
    }
}

/// Every failure, most of them rows of the field table.
pub(super) const FAULTS: &[Fault] = &[
    person("QMI opens after 110 s", Show::SlowStart, (4, 4), 0, 0),
    fault(
        "card missed at a fast start",
        Show::SimMissing,
        &[3, 4, 5],
        30,
    ),
    fault("card stays busy", Show::SimBusy, &[3, 4, 5], 30),
    fault(
        "refusal sticks (CGREG 0,3), radio cycle helps",
        Show::Denied,
        &[2, 3, 4, 5],
        30,
    ),
    Fault {
        highest: 3,
        resets: 1,
        ..fault("refusal sticks, reset helps", Show::Denied, &[3, 4, 5], 30)
    },
    Fault {
        highest: 3,
        resets: 1,
        ..fault(
            "deaf module (NO SERVICE), radio cycle helps",
            Show::Deaf,
            &[2, 3, 4, 5],
            90,
        )
    },
    Fault {
        highest: 3,
        resets: 1,
        ..fault("deaf module, reset helps", Show::Deaf, &[3, 4, 5], 150)
    },
    fault(
        "operator choice left behind (COPS=2)",
        Show::Idle,
        &[2, 3, 5],
        30,
    ),
    fault(
        "search sticks, radio cycle helps",
        Show::Searching,
        &[2, 3, 5],
        30,
    ),
    fault(
        "search sticks, reset helps",
        Show::Searching,
        &[3, 4, 5],
        60,
    ),
    fault("search sticks, power helps", Show::Searching, &[5], 120),
    fault("flight mode left behind", Show::Flight, &[2, 3, 5], 30),
    fault(
        "stalled bearer, reconnect helps",
        Show::Stalled,
        &[1, 2, 3, 5],
        15,
    ),
    fault(
        "stalled bearer, radio cycle helps",
        Show::Stalled,
        &[2, 3, 5],
        30,
    ),
    fault("stalled bearer, reset helps", Show::Stalled, &[3, 5], 45),
    fault("no connection for data", Show::NoContext, &[1, 2, 3], 30),
    fault("host has no route", Show::NoRoute, &[1, 4], 30),
    fault("name servers dead", Show::Dns, &[1, 2], 30),
    fault(
        "AT port mute, the sibling takes a reset",
        Show::Mute,
        &[3, 4, 5],
        45,
    ),
    Fault {
        fails: &[3],
        ..fault(
            "mute on every port, USB rebind helps",
            Show::Mute,
            &[4, 5],
            60,
        )
    },
    Fault {
        fails: &[3],
        ..fault("mute on every port, power helps", Show::Mute, &[5], 90)
    },
    Fault {
        fails: &[3],
        ..fault(
            "ModemManager dropped the modem",
            Show::ManagerFailed,
            &[4, 5],
            45,
        )
    },
    fault("switched off by its power key", Show::Gone, &[5], 30),
    fault("gone from USB, the host must reboot", Show::Gone, &[6], 180),
    fault(
        "ModemManager is not running",
        Show::ManagerAbsent,
        &[6],
        180,
    ),
    person(
        "brown-out loop, supply not told",
        Show::Flapping,
        (60, 300),
        0,
        0,
    ),
    person("brown-out loop", Show::BrownOut, (60, 300), 0, 0),
    person("over-temperature", Show::Hot, (30, 240), 0, 0),
    person("area outage, contact says so", Show::Dark, (20, 480), 0, 0),
    person("area outage, nobody says so", Show::Deaf, (20, 360), 3, 1),
    Fault {
        sticks: &[2, 3, 5],
        within_min: 200,
        ..person("area outage, deaf afterwards", Show::Deaf, (120, 360), 3, 1)
    },
    person("wrong access point", Show::WrongApn, (60, 600), 1, 0),
    person("refused by the operator", Show::Denied, (60, 600), 3, 1),
    Fault {
        sticks: &[2, 3, 5],
        within_min: 480,
        ..person(
            "refused, and it sticks after payment",
            Show::Denied,
            (60, 300),
            3,
            1,
        )
    },
    person("emergency calls only", Show::Emergency, (60, 300), 3, 1),
    person("PUK asked for", Show::Puk, (60, 600), 0, 0),
    person("PIN asked for", Show::Pin, (60, 600), 0, 0),
    person("unpaid: portal", Show::Portal, (60, 600), 1, 0),
    person("data limit used up", Show::Limit, (60, 600), 0, 0),
    person("name server lies", Show::Hijacked, (60, 300), 1, 0),
    person("encryption intercepted", Show::Intercepted, (60, 300), 0, 0),
    person("port blocked", Show::Blocked, (60, 300), 0, 0),
    person("cloud refuses", Show::Refused, (60, 600), 0, 0),
    person("cloud away", Show::CloudAway, (10, 600), 0, 0),
    person("clock wrong", Show::Clock, (10, 120), 0, 0),
    person("wrong USB composition", Show::Composition, (60, 600), 0, 0),
];
