//! The order of precedence, one fact at a time.

use super::Standing::{Faulty, Healthy, MayPass, Unknown};
use super::*;

const MINUTE: Duration = Duration::from_mins(1);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Registered, with a connection, NetworkManager content, and nothing said about the internet.
fn connected() -> Evidence {
    Evidence {
        presence: ModemPresence::Present,
        is_on_usb: Some(true),
        sim: SimStatus::Ready,
        is_radio_on: Some(true),
        registration: RegistrationStatus::Home,
        operator: Some("vodafone UA".to_owned()),
        hears_cell: Some(true),
        has_context: Some(true),
        network_manager: Some(NetworkManager {
            device: DeviceState::Activated,
            state_reason: None,
            connectivity: Connectivity::Unknown,
            is_primary: Some(true),
        }),
        ..Evidence::default()
    }
}

fn searching() -> Evidence {
    Evidence {
        registration: RegistrationStatus::Searching,
        has_context: Some(false),
        ..connected()
    }
}

fn absent(code: Code) -> Evidence {
    Evidence {
        presence: ModemPresence::Absent,
        trouble: Some(code.with("port", "1-1.3").and("reason", "unknown")),
        ..Evidence::default()
    }
}

fn with(mut evidence: Evidence, change: impl FnOnce(&mut Evidence)) -> Evidence {
    change(&mut evidence);
    evidence
}

fn failing(code: Code) -> Evidence {
    with(connected(), |e| {
        e.uplink = Uplink::Failing(code.with("broker", "cloud:8883").and("error", "no"));
    })
}

fn probed(code: Code) -> Evidence {
    with(connected(), |e| e.probe = Some(code.plain()))
}

fn first(evidence: &Evidence) -> Diagnosis {
    Watch::default().diagnose(evidence, MINUTE)
}

/// The same evidence, looked at every 10 s for so long.
fn after(evidence: &Evidence, time: Duration) -> Diagnosis {
    let mut watch = Watch::default();
    let mut now = MINUTE;
    loop {
        let diagnosis = watch.diagnose(evidence, now);
        if now >= MINUTE + time {
            return diagnosis;
        }
        now += seconds(10);
    }
}

type Case = (&'static str, Evidence, Code, Standing, Stage);

fn check(cases: Vec<Case>) {
    for (case, evidence, code, standing, stage) in cases {
        let got = first(&evidence);
        assert_eq!(
            (got.cause.code.as_str(), got.standing, got.stage),
            (code.as_str(), standing, stage),
            "{case}: {got:?}"
        );
    }
}

#[test]
fn a_modem_that_is_not_there() {
    check(vec![
        (
            "nothing",
            Evidence::default(),
            code::MODEM_NOT_CONFIGURED,
            Unknown,
            Stage::Gone,
        ),
        (
            "not on USB",
            absent(code::MODEM_ABSENT),
            code::MODEM_ABSENT,
            Faulty,
            Stage::Gone,
        ),
        (
            "on USB and not found",
            with(absent(code::MODEM_ABSENT), |e| e.is_on_usb = Some(true)),
            code::MODEM_MUTE,
            Faulty,
            Stage::Mute,
        ),
        (
            "mute",
            with(absent(code::MODEM_MUTE), |e| {
                e.presence = ModemPresence::Mute;
            }),
            code::MODEM_MUTE,
            Faulty,
            Stage::Mute,
        ),
        (
            "composition",
            absent(code::MODEM_WRONG_COMPOSITION),
            code::MODEM_WRONG_COMPOSITION,
            Faulty,
            Stage::Gone,
        ),
        (
            "held",
            absent(code::MODEM_PORT_HELD),
            code::MODEM_PORT_HELD,
            Faulty,
            Stage::Gone,
        ),
        (
            "unusable",
            absent(code::MODEM_PORT_UNUSABLE),
            code::MODEM_PORT_UNUSABLE,
            Faulty,
            Stage::Gone,
        ),
        (
            "no manager",
            absent(code::MODEM_MANAGER_ABSENT),
            code::MODEM_MANAGER_ABSENT,
            Faulty,
            Stage::Gone,
        ),
        (
            "given up",
            absent(code::MODEM_MANAGER_FAILED),
            code::MODEM_MANAGER_FAILED,
            Faulty,
            Stage::Gone,
        ),
        (
            "given up without a card",
            with(absent(code::MODEM_MANAGER_FAILED), |e| {
                e.trouble = Some(code::MODEM_MANAGER_FAILED.with("reason", "sim-missing"));
            }),
            code::MODEM_SIM_ABSENT,
            Faulty,
            Stage::Gone,
        ),
    ]);
}

#[test]
fn a_card_that_cannot_be_used() {
    check(vec![
        (
            "card busy",
            with(connected(), |e| e.sim = SimStatus::Busy),
            code::MODEM_STARTING,
            MayPass,
            Stage::Present,
        ),
        (
            "no card",
            with(connected(), |e| e.sim = SimStatus::Absent),
            code::MODEM_SIM_ABSENT,
            Faulty,
            Stage::Present,
        ),
        (
            "no card, and none expected",
            with(connected(), |e| {
                (e.sim, e.is_card_expected) = (SimStatus::Absent, false);
            }),
            code::MODEM_SIM_ABSENT,
            Unknown,
            Stage::Present,
        ),
        (
            "PIN",
            with(connected(), |e| e.sim = SimStatus::PinRequired),
            code::MODEM_SIM_PIN_REQUIRED,
            Faulty,
            Stage::Present,
        ),
        (
            "PIN withheld",
            with(connected(), |e| {
                (e.sim, e.is_pin_withheld) = (SimStatus::PinRequired, true);
            }),
            code::MODEM_SIM_PIN_WITHHELD,
            Faulty,
            Stage::Present,
        ),
        (
            "PUK",
            with(connected(), |e| e.sim = SimStatus::PukRequired),
            code::MODEM_SIM_PUK_REQUIRED,
            Faulty,
            Stage::Present,
        ),
        (
            "card fails",
            with(connected(), |e| e.sim = SimStatus::Failure),
            code::MODEM_SIM_FAILURE,
            Faulty,
            Stage::Present,
        ),
    ]);
}

#[test]
fn a_network_that_does_not_take_the_modem() {
    check(vec![
        (
            "radio off",
            with(searching(), |e| e.is_radio_on = Some(false)),
            code::MODEM_FLIGHT_MODE,
            Faulty,
            Stage::Card,
        ),
        (
            "denied",
            with(searching(), |e| e.registration = RegistrationStatus::Denied),
            code::MODEM_DENIED,
            Faulty,
            Stage::Card,
        ),
        (
            "emergency only",
            with(searching(), |e| {
                e.registration = RegistrationStatus::EmergencyOnly;
            }),
            code::MODEM_EMERGENCY_ONLY,
            Faulty,
            Stage::Card,
        ),
        (
            "searching",
            searching(),
            code::MODEM_SEARCHING,
            MayPass,
            Stage::Card,
        ),
        (
            "idle",
            with(searching(), |e| e.registration = RegistrationStatus::Idle),
            code::MODEM_NOT_REGISTERED,
            MayPass,
            Stage::Card,
        ),
        (
            "mains away",
            with(searching(), |e| e.has_mains = Some(false)),
            code::MODEM_AREA_OUTAGE,
            Faulty,
            Stage::Card,
        ),
    ]);
}

#[test]
fn a_registered_modem_without_a_way_to_data() {
    check(vec![
        (
            "limit",
            with(connected(), |e| {
                e.data_limit = Some(code::MODEM_DATA_LIMIT.plain());
            }),
            code::MODEM_DATA_LIMIT,
            Faulty,
            Stage::Context,
        ),
        (
            "wrong access point, by the contexts",
            with(connected(), |e| {
                (e.has_context, e.network_manager) = (None, None);
                e.data_trouble = Some(code::MODEM_WRONG_APN.plain());
            }),
            code::MODEM_WRONG_APN,
            Faulty,
            Stage::Registered,
        ),
        (
            "wrong access point, by NetworkManager",
            with(connected(), |e| {
                e.has_context = Some(false);
                e.network_manager = Some(NetworkManager {
                    device: DeviceState::Failed,
                    state_reason: Some(29),
                    connectivity: Connectivity::None,
                    is_primary: None,
                });
            }),
            code::MODEM_WRONG_APN,
            Faulty,
            Stage::Registered,
        ),
        (
            "no context",
            with(connected(), |e| {
                (e.has_context, e.network_manager) = (Some(false), None);
            }),
            code::MODEM_NO_DATA_CONTEXT,
            Faulty,
            Stage::Registered,
        ),
        (
            "no route",
            with(connected(), |e| {
                e.network_manager.as_mut().unwrap().device = DeviceState::Disconnected;
            }),
            code::LINK_NO_ROUTE,
            Faulty,
            Stage::Context,
        ),
        (
            "on its way",
            with(connected(), |e| {
                e.network_manager.as_mut().unwrap().device = DeviceState::Connecting;
            }),
            code::LINK_NO_ROUTE,
            MayPass,
            Stage::Context,
        ),
    ]);
}

#[test]
fn a_network_that_is_not_the_internet() {
    check(vec![
        (
            "portal, by NetworkManager",
            with(connected(), |e| {
                e.network_manager.as_mut().unwrap().connectivity = Connectivity::Portal;
            }),
            code::LINK_CAPTIVE_PORTAL,
            Faulty,
            Stage::Context,
        ),
        (
            "portal",
            probed(code::LINK_CAPTIVE_PORTAL),
            code::LINK_CAPTIVE_PORTAL,
            Faulty,
            Stage::Context,
        ),
        (
            "dead names",
            probed(code::LINK_DNS_DEAD),
            code::LINK_DNS_DEAD,
            Faulty,
            Stage::Context,
        ),
        (
            "false names",
            probed(code::LINK_DNS_HIJACKED),
            code::LINK_DNS_HIJACKED,
            Faulty,
            Stage::Context,
        ),
        (
            "intercepted",
            probed(code::LINK_TLS_INTERCEPTED),
            code::LINK_TLS_INTERCEPTED,
            Faulty,
            Stage::Context,
        ),
        (
            "blocked",
            probed(code::LINK_PORT_BLOCKED),
            code::LINK_PORT_BLOCKED,
            Faulty,
            Stage::Context,
        ),
    ]);
}

#[test]
fn a_cloud_that_does_not_answer() {
    check(vec![
        (
            "cloud away",
            probed(code::LINK_CLOUD_UNREACHABLE),
            code::LINK_CLOUD_UNREACHABLE,
            Faulty,
            Stage::Context,
        ),
        (
            "names, by the uplink",
            failing(code::UPLINK_DNS_FAILED),
            code::LINK_DNS_DEAD,
            Faulty,
            Stage::Context,
        ),
        (
            "cloud refuses",
            failing(code::UPLINK_REFUSED),
            code::LINK_CLOUD_REFUSES,
            Faulty,
            Stage::Context,
        ),
        (
            "cloud refuses the password",
            failing(code::UPLINK_AUTH_REFUSED),
            code::LINK_CLOUD_REFUSES,
            Faulty,
            Stage::Context,
        ),
        (
            "intercepted, by the uplink",
            failing(code::UPLINK_TLS_INTERCEPTED),
            code::LINK_TLS_INTERCEPTED,
            Faulty,
            Stage::Context,
        ),
        (
            "clock",
            failing(code::UPLINK_TLS_CLOCK_SUSPECT),
            code::LINK_CLOCK_SUSPECT,
            Faulty,
            Stage::Context,
        ),
        (
            "encryption",
            failing(code::UPLINK_TLS_FAILED),
            code::UPLINK_TLS_FAILED,
            Faulty,
            Stage::Context,
        ),
        (
            "stalled, by the uplink",
            failing(code::UPLINK_STALLED),
            code::LINK_STALLED,
            Faulty,
            Stage::Context,
        ),
        (
            "unreachable, and nothing known",
            failing(code::UPLINK_UNREACHABLE),
            code::UPLINK_UNREACHABLE,
            Faulty,
            Stage::Context,
        ),
        (
            "unreachable, while the probe passes",
            with(failing(code::UPLINK_UNREACHABLE), |e| {
                e.probe = Some(code::LINK_OPEN.plain());
            }),
            code::LINK_CLOUD_UNREACHABLE,
            Faulty,
            Stage::Context,
        ),
        (
            "a wrong address is no fault of the link",
            failing(code::UPLINK_BAD_URL),
            code::MODEM_REGISTERED,
            Unknown,
            Stage::Context,
        ),
    ]);
}

#[test]
fn nothing_wrong_and_a_module_in_need() {
    check(vec![
        (
            "nothing wrong",
            connected(),
            code::MODEM_REGISTERED,
            Unknown,
            Stage::Context,
        ),
        (
            "roaming",
            with(connected(), |e| {
                e.registration = RegistrationStatus::Roaming;
            }),
            code::MODEM_ROAMING,
            Unknown,
            Stage::Context,
        ),
        (
            "open, by the probe",
            probed(code::LINK_OPEN),
            code::LINK_OPEN,
            Healthy,
            Stage::Open,
        ),
        (
            "open, by NetworkManager",
            with(connected(), |e| {
                e.network_manager.as_mut().unwrap().connectivity = Connectivity::Full;
            }),
            code::LINK_OPEN,
            Healthy,
            Stage::Open,
        ),
        (
            "too hot",
            with(connected(), |e| e.temperature_cel = Some(86)),
            code::MODEM_OVER_TEMPERATURE,
            Faulty,
            Stage::Context,
        ),
        (
            "warm is not hot",
            with(connected(), |e| e.temperature_cel = Some(80)),
            code::MODEM_REGISTERED,
            Unknown,
            Stage::Context,
        ),
        (
            "supply too low",
            with(connected(), |e| e.supply_v = Some(3.2)),
            code::MODEM_UNDER_VOLTAGE,
            Faulty,
            Stage::Context,
        ),
        (
            "a nonsense supply",
            with(connected(), |e| e.supply_v = Some(0.013)),
            code::MODEM_REGISTERED,
            Unknown,
            Stage::Context,
        ),
    ]);
}

fn acked(evidence: Evidence, age: Duration) -> Evidence {
    with(evidence, |e| {
        e.uplink = Uplink::Connected {
            last_ack: Some(Duration::from_hours(1).saturating_sub(age)),
            has_backlog: true,
        };
    })
}

#[test]
fn an_acknowledgement_over_the_modem_beats_everything() {
    let hour = Duration::from_hours(1);
    let troubles = [
        with(connected(), |e| e.temperature_cel = Some(90)),
        with(connected(), |e| e.supply_v = Some(3.0)),
        with(connected(), |e| {
            e.data_trouble = Some(code::MODEM_WRONG_APN.plain());
        }),
        with(connected(), |e| e.presence = ModemPresence::Mute),
        with(connected(), |e| e.probe = Some(code::LINK_DNS_DEAD.plain())),
        with(connected(), |e| e.has_mains = Some(false)),
        with(connected(), |e| {
            e.data_limit = Some(code::MODEM_DATA_LIMIT.plain());
        }),
        with(searching(), |e| e.hears_cell = Some(false)),
    ];
    for trouble in troubles {
        let fresh = acked(trouble.clone(), seconds(180));
        let got = Watch::default().diagnose(&fresh, hour);
        assert!(got.cause.is(code::LINK_OPEN), "{trouble:?}");
        assert_eq!(got.standing, Standing::Healthy);
        let old = acked(trouble, seconds(181));
        let got = Watch::default().diagnose(&old, hour);
        assert!(!got.cause.is(code::LINK_OPEN), "{old:?}");
    }
}

#[test]
fn an_acknowledgement_by_another_way_says_nothing_about_the_modem_but_spares_the_machine() {
    let elsewhere = with(searching(), |e| {
        e.network_manager.as_mut().unwrap().is_primary = Some(false);
    });
    let got = Watch::default().diagnose(&acked(elsewhere, seconds(5)), Duration::from_hours(1));
    assert!(got.cause.is(code::MODEM_SEARCHING), "{got:?}");
    assert!(got.has_other_way);
    let gone = with(absent(code::MODEM_ABSENT), |e| e.is_on_usb = Some(false));
    let got = Watch::default().diagnose(&acked(gone, seconds(5)), Duration::from_hours(1));
    assert!(got.cause.is(code::MODEM_ABSENT), "{got:?}");
    assert!(got.has_other_way);
}

#[test]
fn a_probe_counts_only_while_it_went_over_the_modem() {
    let dead = probed(code::LINK_DNS_DEAD);
    let cases = [
        ("primary", Some(Some(true)), None, true),
        ("another is primary", Some(Some(false)), None, false),
        ("none is primary", Some(None), None, false),
        ("no NetworkManager, nothing else", None, None, true),
        (
            "no NetworkManager, but counters",
            None,
            Some(Bytes { rx: 1, tx: 1 }),
            false,
        ),
    ];
    for (case, primary, bytes, counts) in cases {
        let evidence = with(dead.clone(), |e| {
            e.bytes = bytes;
            match primary {
                Some(is_primary) => e.network_manager.as_mut().unwrap().is_primary = is_primary,
                None => e.network_manager = None,
            }
        });
        assert_eq!(
            first(&evidence).cause.is(code::LINK_DNS_DEAD),
            counts,
            "{case}"
        );
    }
}

#[test]
fn a_silence_while_something_was_sent_is_a_stall() {
    let look = |counts: &[(u64, u64)], uplink: Uplink| {
        let mut watch = Watch::default();
        let mut last = None;
        for (index, (rx, tx)) in counts.iter().enumerate() {
            let evidence = with(connected(), |e| {
                e.bytes = Some(Bytes { rx: *rx, tx: *tx });
                e.uplink = uplink.clone();
            });
            let now = MINUTE + seconds(30) * u32::try_from(index).unwrap();
            last = Some(watch.diagnose(&evidence, now));
        }
        last.unwrap().cause.is(code::LINK_STALLED)
    };
    let unreachable = || Uplink::Failing(code::UPLINK_UNREACHABLE.with("broker", "b"));
    let idle = || Uplink::Connected {
        last_ack: None,
        has_backlog: false,
    };
    let silent = [(9, 100), (9, 200), (9, 400), (9, 600), (9, 800)];
    assert!(look(&silent, unreachable()));
    assert!(!look(&silent[..4], unreachable()), "60 s are too short");
    assert!(
        !look(&silent, Uplink::Silent),
        "an idle interface has its own noise"
    );
    assert!(!look(
        &[(9, 0), (9, 2000), (9, 4000), (9, 6000), (9, 8000)],
        idle()
    ));
    assert!(look(
        &[(9, 0), (9, 2000), (9, 4000), (9, 6000), (9, 8000)],
        Uplink::Silent
    ));
    assert!(!look(
        &[(9, 100), (9, 200), (9, 400), (10, 600), (10, 800)],
        unreachable()
    ));
    let new_bearer = [(9, 100), (9, 300), (9, 500), (0, 10), (0, 90), (0, 200)];
    assert!(
        !look(&new_bearer, unreachable()),
        "a new connection has its own silence"
    );
}

#[test]
fn no_cell_is_an_outage_only_where_there_was_one_and_for_a_while() {
    let deaf = with(searching(), |e| e.hears_cell = Some(false));
    assert!(first(&deaf).cause.is(code::MODEM_SEARCHING));
    assert!(
        after(&deaf, Duration::from_hours(1))
            .cause
            .is(code::MODEM_SEARCHING),
        "an antenna that was never there is no outage"
    );
    let once = with(deaf, |e| e.was_registered = true);
    assert!(after(&once, seconds(50)).cause.is(code::MODEM_SEARCHING));
    let outage = after(&once, seconds(60));
    assert!(outage.cause.is(code::MODEM_AREA_OUTAGE));
    assert!(!outage.is_mains_away);
    let denied = with(once, |e| e.registration = RegistrationStatus::Denied);
    assert!(after(&denied, seconds(120)).cause.is(code::MODEM_DENIED));
}

#[test]
fn a_contact_that_says_away_for_half_a_day_is_broken() {
    let dark = with(searching(), |e| e.has_mains = Some(false));
    let long = after(&dark, Duration::from_hours(11));
    assert!(long.cause.is(code::MODEM_AREA_OUTAGE) && long.is_mains_away);
    let longer = after(&dark, Duration::from_hours(12));
    assert!(longer.cause.is(code::MODEM_SEARCHING) && !longer.is_mains_away);
}

#[test]
fn a_network_on_its_batteries_without_data_is_part_of_the_outage() {
    for evidence in [
        failing(code::UPLINK_STALLED),
        probed(code::LINK_STALLED),
        with(connected(), |e| {
            (e.has_context, e.network_manager) = (Some(false), None);
        }),
    ] {
        let dark = with(evidence, |e| e.has_mains = Some(false));
        assert!(first(&dark).cause.is(code::MODEM_AREA_OUTAGE), "{dark:?}");
    }
    let wrong = with(connected(), |e| {
        (e.has_context, e.has_mains) = (None, Some(false));
        e.data_trouble = Some(code::MODEM_WRONG_APN.plain());
    });
    assert!(first(&wrong).cause.is(code::MODEM_WRONG_APN));
}

#[test]
fn a_module_that_went_down_hot_or_hungry_is_remembered_for_a_while() {
    let gone = with(absent(code::MODEM_ABSENT), |e| e.is_on_usb = Some(false));
    let cases = [
        (
            with(connected(), |e| e.temperature_cel = Some(85)),
            code::MODEM_OVER_TEMPERATURE,
        ),
        (
            with(connected(), |e| e.supply_v = Some(3.1)),
            code::MODEM_UNDER_VOLTAGE,
        ),
    ];
    for (before, code) in cases {
        let mut watch = Watch::default();
        watch.diagnose(&before, MINUTE);
        assert!(watch.diagnose(&gone, MINUTE * 2).cause.is(code));
        assert!(
            watch
                .diagnose(&gone, MINUTE * 16)
                .cause
                .is(code::MODEM_ABSENT)
        );
    }
}

#[test]
fn a_module_that_comes_and_goes_lacks_supply() {
    let gone = with(absent(code::MODEM_ABSENT), |e| e.is_on_usb = Some(false));
    let mute = with(absent(code::MODEM_MUTE), |e| {
        (e.presence, e.is_on_usb) = (ModemPresence::Mute, Some(true));
    });
    let look = |gap: Duration| {
        let mut watch = Watch::default();
        let mut now = MINUTE;
        for _ in 0..4 {
            watch.diagnose(&gone, now);
            assert!(watch.diagnose(&mute, now).cause.is(code::MODEM_MUTE));
            now += gap;
        }
        watch.diagnose(&gone, now);
        let last = watch.diagnose(&mute, now);
        let later = watch.diagnose(&gone, now + MINUTE * 11);
        assert!(later.cause.is(code::MODEM_ABSENT), "it has an end");
        last.cause.is(code::MODEM_UNDER_VOLTAGE) && last.evidence.contains("5 times")
    };
    assert!(look(MINUTE));
    assert!(!look(MINUTE * 4), "resets come and go as well");
}

#[test]
fn a_limited_check_of_networkmanager_is_a_stall_unless_something_came_back() {
    let limited = with(connected(), |e| {
        e.network_manager.as_mut().unwrap().connectivity = Connectivity::Limited;
    });
    assert!(first(&limited).cause.is(code::LINK_STALLED));
    let mut watch = Watch::default();
    for rx in [10, 20] {
        let alive = with(limited.clone(), |e| e.bytes = Some(Bytes { rx, tx: rx }));
        assert!(!watch.diagnose(&alive, MINUTE).cause.is(code::LINK_STALLED));
    }
    let none = with(limited, |e| {
        e.network_manager.as_mut().unwrap().connectivity = Connectivity::None;
    });
    assert!(first(&none).cause.is(code::LINK_NO_ROUTE));
}

/// Any evidence gives a code of the lists, each of which comes out, and a short printable text.
#[test]
#[expect(clippy::too_many_lines, reason = "one roll for each fact")]
fn whatever_is_told_has_one_known_reason() {
    let mut state = 7_u64;
    let mut roll = move |sides: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % sides
    };
    let sims = [
        SimStatus::Unknown,
        SimStatus::Absent,
        SimStatus::Busy,
        SimStatus::PinRequired,
        SimStatus::PukRequired,
        SimStatus::Failure,
        SimStatus::Ready,
        SimStatus::Ready,
        SimStatus::Ready,
        SimStatus::Ready,
    ];
    let registrations = [
        RegistrationStatus::Unknown,
        RegistrationStatus::Idle,
        RegistrationStatus::Searching,
        RegistrationStatus::Denied,
        RegistrationStatus::Home,
        RegistrationStatus::Home,
        RegistrationStatus::Roaming,
        RegistrationStatus::EmergencyOnly,
    ];
    let presences = [
        ModemPresence::NotConfigured,
        ModemPresence::Absent,
        ModemPresence::Mute,
        ModemPresence::Present,
        ModemPresence::Present,
        ModemPresence::Present,
    ];
    let mut seen = std::collections::BTreeSet::new();
    let mut watch = Watch::default();
    for round in 0_u64..60_000 {
        if round % 8 == 0 {
            watch = Watch::default();
        }
        let mut maybe = |sides: u64| match roll(3) {
            0 => None,
            1 => Some(false),
            _ => Some(roll(sides) == 0),
        };
        let (a, b, c, d) = (maybe(2), maybe(9), maybe(2), maybe(3));
        let pick = |roll: &mut dyn FnMut(u64) -> u64| {
            code::ALL[usize::try_from(roll(code::ALL.len() as u64)).unwrap()]
        };
        let any = pick(&mut roll)
            .with("port", "p")
            .and("broker", "b")
            .and("error", "e")
            .and("url", "u");
        let fault = FAULTS[usize::try_from(roll(FAULTS.len() as u64)).unwrap()];
        let evidence = Evidence {
            presence: presences[usize::try_from(roll(6)).unwrap()],
            trouble: (roll(3) == 0).then(|| any.clone()),
            is_on_usb: a,
            sim: sims[usize::try_from(roll(10)).unwrap()],
            is_card_expected: roll(2) == 0,
            is_pin_withheld: roll(2) == 0,
            pin_tries: None,
            is_radio_on: b.map(|off| !off),
            registration: registrations[usize::try_from(roll(8)).unwrap()],
            operator: None,
            reject_cause: Some("\u{7}".repeat(300)),
            hears_cell: c,
            was_registered: roll(2) == 0,
            data_trouble: (roll(6) == 0).then(|| code::MODEM_NO_DATA_CONTEXT.with("operator", "o")),
            has_context: d.map(|down| !down),
            bytes: (roll(3) == 0).then(|| Bytes {
                rx: roll(3),
                tx: round * 1000,
            }),
            network_manager: (roll(2) == 0).then(|| NetworkManager {
                device: DeviceState::of_number(u32::try_from(roll(13) * 10).unwrap()),
                state_reason: Some(u32::try_from(roll(40)).unwrap()),
                connectivity: Connectivity::of_number(u32::try_from(roll(6)).unwrap()),
                is_primary: Some(roll(2) == 0),
            }),
            uplink: match roll(4) {
                0 => Uplink::Silent,
                1 => Uplink::Connecting,
                2 => Uplink::Connected {
                    last_ack: Some(Duration::from_secs(roll(100_000))),
                    has_backlog: roll(2) == 0,
                },
                _ => Uplink::Failing(any),
            },
            probe: (roll(3) == 0).then(|| fault.with("url", "u")),
            temperature_cel: Some(i32::try_from(roll(84)).unwrap()),
            supply_v: Some(3.3 + 0.1 * f64::from(u32::try_from(roll(40)).unwrap())),
            has_mains: (roll(4) == 0).then_some(roll(2) == 0),
            data_limit: (roll(20) == 0).then(|| code::MODEM_DATA_LIMIT.plain()),
        };
        let now = seconds(round * 7 + roll(7));
        let got = watch.diagnose(&evidence, now);
        let list = if got.standing.is_quiet() {
            QUIET
        } else {
            FAULTS
        };
        assert!(list.iter().any(|code| got.cause.is(*code)), "{got:?}");
        assert!(got.evidence.len() < 500, "{}", got.evidence);
        assert!(!got.evidence.contains('\u{7}'));
        seen.insert(got.cause.code.clone());
    }
    for code in FAULTS.iter().chain(QUIET) {
        assert!(seen.contains(code.as_str()), "{code} never comes out");
    }
}
