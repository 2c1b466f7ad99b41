//! What must hold whatever is told: deadlines pass, operations end, and old words are no evidence.

use super::*;

/// A manager that was told nothing, or that a modem answers on the port.
fn manager(variables: &[(&str, &str)], is_present: bool) -> (Manager, Instant) {
    let started = Instant::now();
    let now = stamped(started, Duration::ZERO);
    let mut manager = Manager::new(config(variables), &Device::default(), Kept::default(), now);
    if is_present {
        let presence = crate::backend::Presence {
            presence: ModemPresence::Present,
            trouble: None,
            port: None,
            is_on_usb: None,
        };
        manager.on(
            Event::Backend(crate::backend::Report::Presence(presence)),
            now,
        );
    }
    (manager, started)
}

fn ask(manager: &mut Manager, id: &str, op: &str, args: &str, now: Now) -> Vec<Effect> {
    let request = tm_service::bus::Request {
        id: tm_types::OperationId::new(id).unwrap(),
        op: op.to_owned(),
        args: serde_json::from_str(args).unwrap(),
        issuer: "api".to_owned(),
    };
    manager.on(Event::Command(request), now)
}

fn ended(effects: &[Effect]) -> Vec<(String, Option<String>)> {
    let end = |effect: &Effect| match effect {
        Effect::Finish(id, end) => {
            let code = end.as_ref().err().map(|cause| cause.code.clone());
            Some((id.to_string(), code))
        }
        _ => None,
    };
    effects.iter().filter_map(end).collect()
}

#[tokio::test(start_paused = true)]
async fn no_deadline_stays_in_the_past() {
    let cases: [(&[(&str, &str)], bool); 3] = [
        // No way to the modem has said a word for an hour: a bus that accepts and is silent.
        (&[], false),
        (&[("TM_MODEM_RECOVERY", "false")], true),
        (&[("TM_MODEM_RECOVERY", "false")], false),
    ];
    for (variables, is_present) in cases {
        let (mut manager, started) = manager(variables, is_present);
        let at = |elapsed| stamped(Instant::now(), elapsed);
        let effects = ask(
            &mut manager,
            "a",
            "hands-off",
            r#"{"minutes": 30}"#,
            at(Duration::ZERO),
        );
        assert_eq!(ended(&effects), [("a".to_owned(), None)]);
        let mut turns = 0;
        while started.elapsed() < MINUTE * 60 {
            tokio::time::sleep_until(manager.deadline(at(started.elapsed()))).await;
            manager.on(Event::Due, at(started.elapsed()));
            turns += 1;
            assert!(turns < 1000, "{variables:?} {is_present}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_operation_for_a_step_ends() {
    let (mut manager, started) = manager(&[], true);
    let now = stamped(started, Duration::ZERO);
    assert_eq!(ended(&ask(&mut manager, "first", "reset", "{}", now)), []);
    // One more would be forgotten by the ladder, which keeps one in mind.
    let busy = ask(&mut manager, "other", "recover", r#"{"rung": 1}"#, now);
    let code = Some("modem.busy".to_owned());
    assert_eq!(ended(&busy), [("other".to_owned(), code)]);
    let same = ask(&mut manager, "same", "reset", "{}", now);
    assert!(ended(&same).is_empty() && !same.iter().any(|e| matches!(e, Effect::SaveThen(..))));
    // Nobody ever says what became of it.
    tokio::time::advance(MINUTE * 7).await;
    let late = stamped(Instant::now(), MINUTE * 7);
    let effects = manager.on(Event::Usb(UsbLook::Unknown), late);
    let code = || Some("modem.timeout".to_owned());
    let expected = [("first".to_owned(), code()), ("same".to_owned(), code())];
    assert_eq!(ended(&effects), expected);
}

#[tokio::test(start_paused = true)]
async fn without_the_watchdog_a_step_that_was_asked_for_does_not_heal_for_ever() {
    let (mut manager, started) = manager(&[("TM_MODEM_RECOVERY", "false")], true);
    let now = stamped(started, Duration::ZERO);
    ask(&mut manager, "a", "reset", "{}", now);
    assert!(!manager.care.is_healing(now));
}

/// The uplink's state, which tells of a failure of this cause.
fn failed_uplink(code: &str) -> Event {
    let state = serde_json::json!({
        "link": "failed", "cause": {"code": code, "args": {"seconds": "900"}},
        "broker": "cloud.example:8883", "since": null, "ack_age_ms": null,
        "journal": {"records_pending": 5, "points_pending": 5, "bytes_on_disk": 1, "quota_bytes": 2,
            "oldest": null, "records_dropped": 0, "records_damaged": 0},
        "messages_received": 1, "duplicates_dropped": 0, "lost_on_bus": 0,
        "messages_unreadable": 0, "batches_acked": 1, "bytes_acked": 1
    });
    heard("tm/v1/state/uplink", &state)
}

fn heard(topic: &str, payload: &serde_json::Value) -> Event {
    Event::Bus(tm_service::bus::BusMessage {
        topic: topic.to_owned(),
        payload: payload.to_string().into(),
        retained: true,
    })
}

#[tokio::test(start_paused = true)]
async fn what_an_uplink_said_before_its_end_is_no_evidence() {
    // The boot of these tests is 7.
    let cases = [
        ("up", "00000007", true),
        ("degraded", "00000007", true),
        ("down", "00000007", false),
        ("up", "00000008", false),
    ];
    for (status, boot, expected) in cases {
        let (mut manager, started) = manager(&[], true);
        let now = stamped(started, Duration::ZERO);
        assert!(manager.topics().contains(&"tm/v1/health/uplink".to_owned()));
        manager.on(failed_uplink("uplink.stalled"), now);
        assert!(manager.surroundings.uplink().is_some());
        let health = serde_json::json!({
            "status": status, "reasons": [], "version": "1", "boot": boot, "mono_ms": 1, "period_s": 30
        });
        manager.on(heard("tm/v1/health/uplink", &health), now);
        assert_eq!(
            manager.surroundings.uplink().is_some(),
            expected,
            "{status} {boot}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_uplink_that_fails_by_ethernet_takes_no_step() {
    use crate::diagnosis::{Connectivity, DeviceState, NetworkManager};
    for (is_primary, expected) in [(Some(false), false), (Some(true), true)] {
        let mut bench = Bench::new(Ok(Module::registered()), NOTHING, &[]);
        bench.run(MINUTE).await;
        let word = NetworkManager {
            device: DeviceState::Activated,
            state_reason: None,
            connectivity: Connectivity::Unknown,
            is_primary,
        };
        let manager = &mut bench.manager;
        let mut is_stalled = false;
        for minute in 1..=6 {
            // What an idle interface sends of its own accord, and nobody answers.
            tokio::time::advance(MINUTE).await;
            let now = stamped(Instant::now(), MINUTE * (minute + 1));
            let usb = crate::usb::UsbModem {
                socket: "1-1.3".to_owned(),
                product: "9001".to_owned(),
                directory: "/sys".into(),
                network: Some(crate::usb::Network {
                    interface: "wwan0".to_owned(),
                    rx_bytes: 1000,
                    tx_bytes: 100 * u64::from(minute),
                }),
            };
            manager.on(Event::Usb(UsbLook::Present(usb)), now);
            manager.on(Event::Network(Some(word)), now);
            manager.on(failed_uplink("uplink.stalled"), now);
            let diagnosis = manager.care.diagnosis.as_ref();
            is_stalled |= diagnosis.is_some_and(|d| d.cause.is(code::LINK_STALLED));
        }
        assert_eq!(is_stalled, expected, "{is_primary:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn sentences_alone_describe_nothing_anew() {
    let mut bench = Bench::new(Ok(Module::registered()), NOTHING, &[]);
    bench.run(MINUTE).await;
    let told = bench.manager.state_at;
    // Only goes on, so it would be told now if the state were described.
    bench.manager.told_time = Some(Timestamp::EPOCH);
    let now = stamped(Instant::now() + MINUTE * 11, MINUTE * 12);
    bench
        .manager
        .on(Event::Nmea(PortEvent::Bytes(b"$GPTXT\r\n".to_vec())), now);
    assert_eq!(bench.manager.state_at, told);
}
