//! The stories themselves.

use super::{Chapter, Expect, Scenario};

/// Every story.
pub(super) const ALL: &[Scenario] = &[NO_HAT, WRONG_APN, CLOUD_DOWN, DOOR, BLACKOUT, SPOOFING];

const WELL: Expect = Expect::Sentence {
    level: "ok",
    code: "status.ok",
    because: "",
};

const BEGIN: Chapter = Chapter {
    at_s: 0,
    events: &[],
    says: "the cabinet is started",
    expects: &[WELL],
};

const NO_HAT: Scenario = Scenario {
    name: "no-hat",
    title: "there is no modem at all",
    about: "The cabinet is delivered without its modem board. Nobody asked for one, so nothing is \
            wrong: the sentence is grey and says what is not configured, no alarm is raised, and \
            what the sensors measure goes to the cloud all the same.",
    variables: &[
        ("TM_MODEM_PORT", "usb:1e0e:9001:02"),
        ("TM_MODEM_NMEA_PORT", "usb:1e0e:9001:01"),
    ],
    lasts_s: 25,
    chapters: &[
        Chapter {
            at_s: 0,
            events: &["unplug"],
            says: "the cabinet is started; no modem is connected to it",
            expects: &[
                Expect::Sentence {
                    level: "grey",
                    code: "status.parts_not_configured",
                    because: "modem.not_configured",
                },
                Expect::Sentence {
                    level: "grey",
                    code: "status.parts_not_configured",
                    because: "gnss.not_configured",
                },
            ],
        },
        Chapter {
            at_s: 15,
            events: &[],
            says: "a while has passed; the sentence is still the same",
            expects: &[Expect::Sentence {
                level: "grey",
                code: "status.parts_not_configured",
                because: "modem.not_configured",
            }],
        },
    ],
    alarms: &[],
};

const CLOUD_DOWN: Scenario = Scenario {
    name: "cloud-down",
    title: "the cloud is away for half a minute",
    about: "The cloud broker refuses every connection for half a minute. Measurements go into the \
            journal on disk and wait, the sentence says so. When the cloud is back the uplink \
            notices at its next attempt (the pauses grow to a minute), sends what waited beside \
            what is new, and nothing is missing.",
    variables: &[],
    lasts_s: 50,
    chapters: &[
        BEGIN,
        Chapter {
            at_s: 10,
            events: &["link-refuse", "link-cut"],
            says: "the cloud broker closes its connections and takes no new ones",
            expects: &[
                Expect::Sentence {
                    level: "amber",
                    code: "status.degraded",
                    because: "uplink.unreachable",
                },
                Expect::Waiting(10),
                Expect::Journal(10),
            ],
        },
        Chapter {
            at_s: 40,
            events: &["link-normal"],
            says: "the cloud broker takes connections again",
            expects: &[WELL, Expect::CaughtUp, Expect::Drained],
        },
    ],
    alarms: &[],
};

const DOOR: Scenario = Scenario {
    name: "door",
    title: "somebody opens the cabinet's door",
    about: "The door's contact is an input of the energy meter, which is read every second. An open \
            door is an alarm: it goes to the cloud at once, ahead of the batch that carries the \
            reading it rests on. When the door is closed again the alarm is over.",
    variables: &[],
    lasts_s: 35,
    chapters: &[
        BEGIN,
        Chapter {
            at_s: 10,
            events: &["door-open"],
            says: "the door is opened",
            expects: &[
                Expect::Raised("contact.door_open"),
                Expect::Sentence {
                    level: "amber",
                    code: "status.alarm",
                    because: "contact.door_open",
                },
                Expect::CaughtUp,
            ],
        },
        Chapter {
            at_s: 25,
            events: &["door-closed"],
            says: "the door is closed",
            expects: &[Expect::Cleared("contact.door_open"), WELL],
        },
    ],
    alarms: &["contact.door_open"],
};

const BLACKOUT: Scenario = Scenario {
    name: "blackout",
    title: "the whole area goes dark",
    about: "The mains fail. The cabinet runs on its reserve and says so. Then the mobile cells of \
            the area go dark, measurements wait in the journal, and at last the reserve is empty: \
            power is cut in the middle of everything. What is on disk at that instant is all that \
            is left. When the power comes back the clock is an hour behind; satellites tell the \
            time long before the network returns, and what was stamped wrongly arrives with its \
            right time.",
    variables: &[],
    lasts_s: 75,
    chapters: &[
        BEGIN,
        Chapter {
            at_s: 10,
            events: &["mains-lost"],
            says: "the mains fail; the cabinet runs on its reserve",
            expects: &[
                Expect::Raised("contact.mains_lost"),
                Expect::Sentence {
                    level: "red",
                    code: "status.alarm",
                    because: "contact.mains_lost",
                },
            ],
        },
        Chapter {
            at_s: 18,
            events: &["searching", "link-refuse", "link-cut"],
            says: "the cells of the area go dark: the modem finds no network, the cloud is out of reach",
            expects: &[
                Expect::Sentence {
                    level: "red",
                    code: "status.alarm",
                    because: "uplink.unreachable",
                },
                Expect::Waiting(10),
            ],
        },
        Chapter {
            at_s: 32,
            events: &["power-cut"],
            says: "the reserve is empty: everything stops",
            expects: &[Expect::Darkness],
        },
        Chapter {
            at_s: 38,
            events: &["power-back", "searching"],
            says: "power is back, the mains are not: a generator. The clock is an hour behind",
            expects: &[
                Expect::Sentence {
                    level: "red",
                    code: "status.alarm",
                    because: "contact.mains_lost",
                },
                Expect::Sentence {
                    level: "red",
                    code: "status.alarm",
                    because: "uplink.unreachable",
                },
                Expect::Waiting(10),
            ],
        },
        Chapter {
            at_s: 55,
            events: &["normal", "link-normal"],
            says: "the cells are back: the modem finds its network, the cloud is in reach",
            expects: &[Expect::Raised("contact.mains_lost"), Expect::CaughtUp],
        },
        Chapter {
            at_s: 65,
            events: &["mains-back"],
            says: "the mains are back",
            expects: &[Expect::Cleared("contact.mains_lost"), WELL],
        },
    ],
    alarms: &["contact.mains_lost"],
};

const WRONG_APN: Scenario = Scenario {
    name: "wrong-apn",
    title: "somebody mistypes the access point",
    about: "The access point (APN) in the modem's profile is mistyped. The modem stays registered, \
            its signal is good, and yet no data flow: nothing is closed, everything just hangs. After \
            three readings the sentence names the access point and those that are known to work. \
            Measurements wait, and go out when the access point is corrected.",
    variables: &[],
    lasts_s: 50,
    chapters: &[
        BEGIN,
        Chapter {
            at_s: 10,
            events: &["wrong-apn", "link-stall"],
            says: "the access point is mistyped: the modem stays registered, and no data flow",
            expects: &[
                Expect::Sentence {
                    level: "amber",
                    code: "status.degraded",
                    because: "modem.wrong_apn",
                },
                Expect::Waiting(10),
            ],
        },
        Chapter {
            at_s: 35,
            events: &["apn-normal", "link-normal"],
            says: "the access point is corrected, and data flow again",
            expects: &[WELL],
        },
    ],
    alarms: &[],
};

const SPOOFING: Scenario = Scenario {
    name: "spoofing",
    title: "the satellites are forged",
    about: "A stronger sky than the true one appears: another place, another time, every satellite \
            equally loud. The position is doubted and says so, its time sets no clock, the event goes to \
            the cloud at once, and everything else is measured as ever. When the true sky is back \
            it must agree for a minute with what was trusted before.",
    variables: &[],
    lasts_s: 110,
    chapters: &[
        Chapter {
            expects: &[WELL, Expect::Position],
            ..BEGIN
        },
        Chapter {
            at_s: 10,
            events: &["spoofing"],
            says: "a false sky outshines the true one",
            expects: &[
                Expect::Told("gnss.spoofing_suspected"),
                Expect::Sentence {
                    level: "amber",
                    code: "status.degraded",
                    because: "gnss.spoofing_suspected",
                },
                Expect::CaughtUp,
            ],
        },
        Chapter {
            at_s: 40,
            events: &["spoofing-over"],
            says: "the true sky is back",
            expects: &[Expect::Told("gnss.spoofing_over"), WELL],
        },
    ],
    alarms: &[],
};
