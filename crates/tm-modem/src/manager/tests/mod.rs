//! Stories of the field, with time paused.

mod alone;
mod bench;
mod duties;
mod field;
mod module;

use std::time::Duration;

use proptest::prelude::*;
use tm_service::port::{OpenError, PortEvent};
use tm_types::{BootId, Clock, Reading, Reason, RegistrationStatus, Timestamp};

use self::bench::{Bench, absent, config, stamped};
use self::module::Module;
use super::*;
use crate::backend::serial::core::{self as serial, Core};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const NOTHING: Seen = Seen {
    modem: false,
    sim: false,
    registered: false,
    context: false,
};
const EVERYTHING: Seen = Seen {
    modem: true,
    sim: true,
    registered: true,
    context: false,
};

#[tokio::test(start_paused = true)]
async fn a_registered_modem_is_told_once_and_polled_every_minute() {
    let mut bench = Bench::new(Ok(Module::registered()), NOTHING, &[]);
    bench.run(SECOND * 299).await;
    let modem = bench.state();
    assert_eq!(modem.presence, ModemPresence::Present);
    assert_eq!(
        modem.cause,
        code::MODEM_REGISTERED.with("operator", "Vodafone UA")
    );
    assert_eq!(modem.identity.model.as_deref(), Some("SIM7600G-H"));
    assert_eq!(modem.sim.iccid.as_deref(), Some("8938003991234567890"));
    assert_eq!(modem.registration.status, RegistrationStatus::Home);
    assert_eq!(modem.signal.rsrp_dbm, Some(-89.2));
    assert_eq!(modem.cell.unwrap().enb, Some(87_010));
    assert_eq!(
        (modem.temperature_cel, modem.supply_v),
        (Some(29), Some(3.891))
    );
    assert_eq!(bench.health(), (HealthStatus::Up, None));
    assert_eq!(
        bench.n(|e| matches!(e, Effect::State(_))),
        1,
        "nothing changed"
    );
    assert_eq!(bench.n(|e| matches!(e, Effect::Health(..))), 1);
    assert_eq!(bench.n(|e| *e == Effect::Remember(EVERYTHING)), 1);
    let polls = bench.polls();
    assert_eq!(
        polls.iter().map(|(at, _)| at / 1000).collect::<Vec<_>>(),
        [50, 110, 170, 230, 290]
    );
    assert_eq!(
        polls[4].1["1/rsrp"],
        Reading::Good(tm_types::Value::decimal(-892, 1).unwrap())
    );
    let asked = bench.asked();
    assert_eq!(
        asked
            .iter()
            .filter(|command| *command == "AT+CGPS=1")
            .count(),
        5,
        "it says it is off"
    );
    assert_eq!(
        asked.iter().filter(|command| *command == "AT+CIMI").count(),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn bytes_one_by_one_and_garbage_between_answers_change_nothing() {
    let mut module = Module::registered();
    module.byte_ms = 1;
    module.noise = b"\r\n\x00\xff\xfe noise\r\n+CMTI: \"SM\",1\r\n\r\n".to_vec();
    let mut bench = Bench::new(Ok(module), NOTHING, &[]);
    bench.run(MINUTE).await;
    assert_eq!(bench.state().cause.code, "modem.registered");
    assert_eq!(bench.state().signal.rsrp_dbm, Some(-89.2));
    assert_eq!(bench.polls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_endless_line_is_a_mute_modem() {
    let mut module = Module::registered();
    module.is_babbling = true;
    let mut bench = Bench::new(Ok(module), NOTHING, &[]);
    bench.run(MINUTE).await;
    assert_eq!(bench.state().presence, ModemPresence::Mute);
    assert_eq!(
        bench.health(),
        (HealthStatus::Degraded, Some("modem.mute".to_owned()))
    );
    assert_eq!(bench.n(|e| matches!(e, Effect::State(_))), 1, "said once");
}

#[tokio::test(start_paused = true)]
async fn a_modem_that_falls_silent_is_mute_and_returns() {
    let mut bench = Bench::new(Ok(Module::registered()), NOTHING, &[]);
    bench.run(SECOND * 10).await;
    bench.module().fall_silent();
    bench.run(SECOND * 80).await;
    assert_eq!(bench.state().presence, ModemPresence::Mute);
    let last = bench.polls().pop().unwrap().1;
    assert_eq!(last["1/rsrp"], Reading::Missing(Reason::Timeout));
    bench.put(Ok(Module::registered()));
    bench.run(SECOND * 30).await;
    assert_eq!(
        bench.causes(),
        ["modem.registered", "modem.mute", "modem.registered"]
    );
    assert_eq!(bench.health(), (HealthStatus::Up, None));
}

#[tokio::test(start_paused = true)]
async fn a_missing_modem_is_grey_until_it_was_seen_or_is_expected() {
    let cases = [
        (
            NOTHING,
            "auto",
            absent(),
            "modem.not_configured",
            HealthStatus::Up,
        ),
        (
            EVERYTHING,
            "auto",
            absent(),
            "modem.absent",
            HealthStatus::Degraded,
        ),
        (
            NOTHING,
            "true",
            absent(),
            "modem.absent",
            HealthStatus::Degraded,
        ),
        (
            EVERYTHING,
            "false",
            absent(),
            "modem.not_configured",
            HealthStatus::Up,
        ),
        (
            NOTHING,
            "auto",
            OpenError::Busy,
            "modem.port_unusable",
            HealthStatus::Degraded,
        ),
        (
            NOTHING,
            "false",
            OpenError::Denied,
            "modem.not_configured",
            HealthStatus::Up,
        ),
    ];
    for (seen, expected, error, code, status) in cases {
        let mut bench = Bench::new(Err(error), seen, &[("TM_MODEM_EXPECTED", expected)]);
        // The recovery begins after a minute.
        bench.run(SECOND * 50).await;
        assert_eq!(bench.causes(), [code], "{seen:?} {expected}");
        assert_eq!(bench.health(), (status, Some(code.to_owned())));
        assert!(bench.polls().is_empty());
        assert_eq!(
            bench.n(|e| matches!(e, Effect::State(_))),
            1,
            "a steady state is silent"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_modem_that_is_unplugged_is_gone_and_comes_back() {
    let mut bench = Bench::new(Err(absent()), NOTHING, &[]);
    bench.run(MINUTE).await;
    bench.put(Ok(Module::registered()));
    bench.run(MINUTE).await;
    bench.put(Err(absent()));
    bench.cut();
    bench.run(MINUTE).await;
    assert_eq!(
        bench.health(),
        (HealthStatus::Degraded, Some("modem.absent".to_owned()))
    );
    let gone = bench.state();
    assert_eq!((gone.port, gone.signal.rsrp_dbm), (None, None));
    assert_eq!(
        gone.identity.model.as_deref(),
        Some("SIM7600G-H"),
        "which one is gone"
    );
    assert_eq!(
        bench.polls().pop().unwrap().1["1/rsrp"],
        Reading::Missing(Reason::NotPresent)
    );
    bench.put(Ok(Module::registered()));
    bench.run(MINUTE).await;
    let expected = [
        "modem.not_configured",
        "modem.registered",
        "modem.absent",
        "modem.registered",
    ];
    assert_eq!(bench.causes(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_reset_of_a_moment_changes_no_state() {
    let mut bench = Bench::new(Ok(Module::registered()), NOTHING, &[]);
    bench.run(SECOND * 10).await;
    bench.cut();
    bench.run(SECOND * 10).await;
    assert_eq!(bench.n(|e| matches!(e, Effect::State(_))), 1);
    assert_eq!(bench.polls().len(), 2, "but everything is read anew");
}

#[tokio::test(start_paused = true)]
async fn without_a_sim_the_sentence_is_grey_until_one_was_there() {
    for (seen, status) in [
        (NOTHING, HealthStatus::Up),
        (EVERYTHING, HealthStatus::Degraded),
    ] {
        let module = Module::registered()
            .with("AT+CPIN?", "+CME ERROR: SIM not inserted")
            .with("AT+CEREG?", "+CEREG: 1,0\n\nOK")
            .with("AT+COPS?", "+COPS: 0\n\nOK")
            .with("AT+CSQ", "+CSQ: 99,99\n\nOK")
            .with("AT+CPSI?", "+CPSI: NO SERVICE,Online\n\nOK");
        let mut bench = Bench::new(Ok(module), seen, &[]);
        bench.run(MINUTE * 5).await;
        assert_eq!(bench.causes(), ["modem.sim_absent"]);
        assert_eq!(
            bench.health(),
            (status, Some("modem.sim_absent".to_owned()))
        );
        assert_eq!(
            bench.polls()[0].1["1/rsrp"],
            Reading::Missing(Reason::NotPresent)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn searching_is_patient_then_degraded_then_found() {
    let searching = Module::registered()
        .with("AT+CEREG?", "+CEREG: 1,2\n\nOK")
        .with("AT+COPS?", "+COPS: 0\n\nOK")
        .with("AT+CPSI?", "+CPSI: NO SERVICE,Online\n\nOK");
    let mut bench = Bench::new(Ok(searching), EVERYTHING, &[]);
    bench.run(SECOND * 175).await;
    assert_eq!(bench.state().cause.code, "modem.searching");
    assert_eq!(bench.health(), (HealthStatus::Up, None));
    bench.run(SECOND * 20).await;
    assert_eq!(
        bench.health(),
        (HealthStatus::Degraded, Some("modem.searching".to_owned()))
    );
    bench.put(Ok(Module::registered()));
    bench.cut();
    bench.run(SECOND * 5).await;
    assert_eq!(bench.health(), (HealthStatus::Up, None));
    assert_eq!(bench.causes(), ["modem.searching", "modem.registered"]);
}

/// The one question about attachment, contexts and addresses.
const CONTEXTS: &str = "AT+CGATT?;+CGDCONT?;+CGACT?;+CGPADDR";

fn contexts(apn: &str, active: u8, address: &str) -> String {
    format!(
        "+CGATT: 1\n+CGDCONT: 1,\"IP\",\"{apn}\",\"0.0.0.0\",0,0,0,0\n+CGACT: 1,{active}\n\
         +CGPADDR: 1,{address}\n\nOK"
    )
}

#[tokio::test(start_paused = true)]
async fn a_wrong_access_point_is_told_after_three_polls_and_forgotten_after_one() {
    let module = Module::registered().with(CONTEXTS, &contexts("staticip", 1, "10.64.12.34"));
    let mut bench = Bench::new(Ok(module), NOTHING, &[("TM_MODEM_POLL_S", "5")]);
    bench.run(SECOND).await;
    let data = bench.state().data.unwrap();
    assert_eq!(
        (data.attached, data.active, data.apn.as_deref()),
        (Some(true), Some(true), Some("staticip"))
    );
    assert_eq!(bench.n(|e| matches!(e, Effect::RememberSight(_))), 1);
    assert!(!bench.asked().contains(&"AT+CEER".to_owned()));
    bench
        .module()
        .set(CONTEXTS, &contexts("statikip", 0, "0.0.0.0"));
    bench
        .module()
        .set("AT+CEER", "+CEER: No cause information available\n\nOK");
    bench.run(SECOND * 13).await;
    let modem = bench.state();
    assert!(modem.cause.is(code::MODEM_REGISTERED), "{:?}", modem.cause);
    assert_eq!(
        modem.data.unwrap().active,
        Some(false),
        "the state says so at once"
    );
    bench.run(SECOND * 4).await;
    assert_eq!(
        bench.state().cause,
        code::MODEM_WRONG_APN
            .with("operator", "Vodafone UA")
            .and("apn", "statikip")
            .and("known", "internet, staticip")
    );
    assert_eq!(
        bench.health(),
        (HealthStatus::Degraded, Some("modem.wrong_apn".to_owned()))
    );
    bench.run(MINUTE).await;
    assert_eq!(bench.n(|e| matches!(e, Effect::Health(..))), 2, "told once");
    bench
        .module()
        .set(CONTEXTS, &contexts("staticip", 1, "10.64.12.34"));
    bench.run(SECOND * 5).await;
    assert_eq!(bench.health(), (HealthStatus::Up, None));
    assert_eq!(
        bench.causes(),
        ["modem.registered", "modem.wrong_apn", "modem.registered"]
    );
    assert_eq!(bench.n(|e| matches!(e, Effect::RememberSight(_))), 1);
}

#[tokio::test(start_paused = true)]
async fn a_modem_that_does_not_tell_of_contexts_is_no_trouble() {
    for answer in [
        "ERROR",
        "+CGATT: 1\n\n+CME ERROR: operation not supported",
        "OK",
        "",
    ] {
        // After a silence the dialogue finds its place by these.
        let module = Module::registered()
            .with(CONTEXTS, answer)
            .with("AT+CMEE?", "+CMEE: 2\n\nOK")
            .with("AT+CFUN?", "+CFUN: 1\n\nOK")
            .with("AT+CSCS?", "+CSCS: \"IRA\"\n\nOK")
            .with("AT+IFC?", "+IFC: 0,0\n\nOK");
        let mut bench = Bench::new(Ok(module), EVERYTHING, &[("TM_MODEM_POLL_S", "30")]);
        bench.run(MINUTE * 5).await;
        assert_eq!(bench.causes(), ["modem.registered"], "{answer:?}");
        assert_eq!(bench.health(), (HealthStatus::Up, None));
    }
}

#[tokio::test(start_paused = true)]
async fn a_pin_is_sent_once_and_only_while_three_tries_remain() {
    let locked = || Module::registered().with("AT+CPIN?", "+CPIN: SIM PIN\n\nOK");
    let refused = || locked().with("AT+CPIN=0042", "+CME ERROR: incorrect password");
    let pin: &[(&str, &str)] = &[("TM_MODEM_PIN", "0042")];
    let cases = [
        (locked(), &[][..], 0, "modem.sim_pin_required"),
        (refused(), pin, 1, "modem.sim_pin_withheld"),
        (
            locked().with("AT+SPIC", "+SPIC: 2,10,3,10\n\nOK"),
            pin,
            0,
            "modem.sim_pin_withheld",
        ),
        (
            locked().with("AT+SPIC", "ERROR"),
            pin,
            0,
            "modem.sim_pin_withheld",
        ),
        (Module::registered(), pin, 0, "modem.registered"),
    ];
    for (module, variables, n_sent, code) in cases {
        let mut bench = Bench::new(Ok(module), EVERYTHING, variables);
        bench.run(MINUTE * 10).await;
        let n = bench
            .asked()
            .iter()
            .filter(|command| *command == "AT+CPIN=0042")
            .count();
        assert_eq!((n, bench.state().cause.code.as_str()), (n_sent, code));
    }
}

#[tokio::test(start_paused = true)]
async fn the_networks_time_is_told_when_it_agrees_with_itself() {
    let anchors = |bench: &Bench| bench.n(|effect| matches!(effect, Effect::Anchor(_)));
    let mut bench = Bench::new(Ok(Module::registered()), NOTHING, &[]);
    bench.run(MINUTE * 10).await;
    assert_eq!(anchors(&bench), 0, "a clock that stands still is no clock");

    let mut module = Module::registered();
    module.clock_since = Some(Instant::now());
    let mut bench = Bench::new(Ok(module.clone()), NOTHING, &[]);
    bench.run(MINUTE * 70).await;
    assert_eq!(anchors(&bench), 2, "the second reading, and an hour later");
    let anchor = bench.effects.iter().find_map(|effect| match effect {
        Effect::Anchor(anchor) => Some(*anchor),
        _ => None,
    });
    let anchor = anchor.unwrap();
    assert_eq!(anchor.utc.to_string(), "2026-11-23T08:01:00.500Z");
    assert_eq!((anchor.mono_ms, anchor.boot), (110_000, BootId(7)));

    let searching = module.with("AT+CEREG?", "+CEREG: 1,2\n\nOK");
    let mut bench = Bench::new(Ok(searching), NOTHING, &[]);
    bench.run(MINUTE * 10).await;
    assert_eq!(anchors(&bench), 0, "nobody who could have told it");
}

#[tokio::test(start_paused = true)]
async fn what_the_module_says_by_itself_counts_at_once() {
    let mut bench = Bench::new(Ok(Module::registered()), NOTHING, &[]);
    bench.run(SECOND * 10).await;
    let module = bench.module();
    module.set("AT+CEREG?", "+CEREG: 1,5\n\nOK");
    module.say("+CEREG: 5");
    bench.run(SECOND).await;
    assert_eq!(bench.state().cause.code, "modem.roaming");
    module.set("AT+CPIN?", "+CME ERROR: SIM not inserted");
    module.say("+SIMCARD: NOT AVAILABLE");
    bench.run(Duration::from_millis(50)).await;
    assert_eq!(bench.state().cause.code, "modem.sim_absent");
    module.set("AT+CBC", "+CBC: 3.380V\n\nOK");
    module.say("UNDER-VOLTAGE WARNNING");
    bench.run(Duration::from_millis(50)).await;
    assert_eq!(bench.state().supply_v, Some(3.38));
    assert_eq!(
        bench.polls().len(),
        1,
        "what changes between two polls is state, not measurement"
    );
}

#[tokio::test(start_paused = true)]
async fn a_talkative_module_is_not_asked_without_end() {
    let mut bench = Bench::new(Ok(Module::registered()), NOTHING, &[]);
    bench.run(SECOND * 5).await;
    bench.asked();
    let module = bench.module();
    for _ in 0..100 {
        module.say("+CGEV: NW DETACH");
        bench.run(Duration::from_millis(100)).await;
    }
    let n = bench
        .asked()
        .iter()
        .filter(|command| *command == "AT+CEREG?")
        .count();
    assert!((4..=6).contains(&n), "{n} questions in 10 s");
}

#[tokio::test(start_paused = true)]
async fn a_restart_begins_anew() {
    let mut bench = Bench::new(Ok(Module::registered()), NOTHING, &[]);
    bench.run(SECOND * 5).await;
    bench.asked();
    let module = bench.module();
    module.set("AT+CPIN?", "+CME ERROR: SIM busy");
    module.say("RDY");
    bench.run(SECOND * 2).await;
    assert!(bench.asked().contains(&"ATE0".to_owned()));
    assert_eq!(bench.state().cause.code, "modem.starting");
    module.set("AT+CPIN?", "+CPIN: READY\n\nOK");
    module.say("+CPIN: READY");
    bench.run(SECOND * 3).await;
    assert_eq!(bench.state().cause.code, "modem.registered");
    assert_eq!(bench.health(), (HealthStatus::Up, None));
}

#[test]
fn bytes_of_a_closed_port_are_nobodys() {
    let now = Instant::now();
    let mut core = Core::new(Config::default(), now);
    let stamp = Stamp {
        time: Timestamp::EPOCH,
        mono_ms: 0,
        boot: BootId(7),
        clock: Clock::None,
        err_ms: None,
    };
    let now = Now {
        instant: now,
        stamp,
    };
    core.on(
        serial::Event::Port(PortEvent::Lost("unplugged".to_owned())),
        now,
    );
    let bytes = PortEvent::Bytes(b"\r\nRDY\r\n".to_vec());
    assert!(core.on(serial::Event::Port(bytes), now).is_empty());
}

/// Bytes as a port may deliver them: noise, halves of answers, whole ones.
fn portion() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "\r\nOK\r\n",
        "\r\nERROR\r\n",
        "\r\nRDY\r\n",
        "+CPIN: ",
        "SIM PIN\r\n",
        "READY\r\n",
        "+CEREG: 1,",
        "5\r\n",
        "+CME ERROR: ",
        "10\r\n",
        "+CPSI: LTE,Online,",
        "255-01,0x",
        "+CCLK: \"26/11/23,",
        "10:00:00+08\"\r\n",
        "> ",
        "UNDER-VOLTAGE WARNNING\r\n",
        "+CMEE: 2\r\n",
        "+SPIC: 3,10,3,10\r\n",
    ]);
    prop_oneof![
        4 => known.prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..300),
    ]
}

proptest! {
    #[test]
    fn whatever_a_port_delivers_is_borne(
        portions in prop::collection::vec((portion(), 0u64..4_000), 0..120),
    ) {
        let start = Instant::now();
        let config = config(&[("TM_MODEM_PIN", "0042")]);
        let mut core = Core::new(config.clone(), start);
        let beginning = stamped(start, Duration::ZERO);
        let mut manager = Manager::new(config, &Device::default(), Kept::default(), beginning);
        let mut elapsed = Duration::ZERO;
        let mut on = |event, elapsed: Duration| {
            let mono_ms = u64::try_from(elapsed.as_millis()).unwrap();
            let stamp =
                Stamp { time: Timestamp::EPOCH, mono_ms, boot: BootId(7), clock: Clock::None, err_ms: None };
            let mut is_open = true;
            let now = Now { instant: start + elapsed, stamp };
            for effect in core.on(event, now) {
                match effect {
                    serial::Effect::Reopen => is_open = false,
                    serial::Effect::Write(_) => {}
                    serial::Effect::Report(report) => drop(manager.on(Event::Backend(report), now)),
                }
            }
            (is_open, core.deadline().is_some_and(|deadline| deadline <= start + elapsed))
        };
        on(serial::Event::Port(PortEvent::Opened("port".to_owned())), elapsed);
        for (bytes, ms) in portions {
            elapsed += Duration::from_millis(ms);
            for event in [serial::Event::Due, serial::Event::Port(PortEvent::Bytes(bytes))] {
                let (is_open, is_spinning) = on(event, elapsed);
                prop_assert!(!is_spinning || !on(serial::Event::Due, elapsed).1, "it would spin");
                if !is_open {
                    on(serial::Event::Port(PortEvent::Opened("port".to_owned())), elapsed);
                }
            }
        }
    }
}
