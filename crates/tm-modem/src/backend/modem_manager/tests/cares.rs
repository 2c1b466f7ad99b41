//! What is set up, and what is left alone.

use std::path::Path;

use tm_service::config::Setting;
use zbus::zvariant::{ObjectPath, Value};

use super::*;
use crate::backend::modem_manager::choose::ModemObject;
use crate::backend::modem_manager::manager::MODEM;
use crate::backend::modem_manager::properties::{Interfaces, properties};
use crate::config::Pin;

const SIM: &str = "/org/freedesktop/ModemManager1/SIM/0";

fn snapshot(state: i32, lock: u32, tries: u32, rate: u32) -> Snapshot {
    let sim = ObjectPath::from_static_str_unchecked(SIM);
    let modem = properties([
        ("State", Value::from(state)),
        ("UnlockRequired", Value::from(lock)),
        (
            "UnlockRetries",
            Value::from(std::collections::HashMap::from([(2u32, tries)])),
        ),
        ("Sim", Value::from(sim)),
    ]);
    let signal = properties([("Rate", Value::from(rate))]);
    let interfaces = Interfaces::from([(MODEM.to_owned(), modem), (SIGNAL.to_owned(), signal)]);
    let path = OwnedObjectPath::try_from("/org/freedesktop/ModemManager1/Modem/4").unwrap();
    Snapshot {
        object: ModemObject::new(path, interfaces),
        sim: None,
        bearers: Vec::new(),
        place: None,
        usb: None,
    }
}

fn settings(pin: Option<&str>) -> Settings {
    let mut settings = crate::backend::modem_manager::tests::settings(Path::new("/nonexistent"));
    settings.pin = pin.and_then(Pin::parse);
    settings
}

fn wants(cared: &mut Cared, snapshot: &Snapshot, settings: &Settings) -> Vec<Want> {
    cared.wants(
        snapshot,
        settings,
        (Permission::Refused, None),
        Instant::now(),
    )
}

#[tokio::test(start_paused = true)]
async fn a_pin_is_spent_once_and_only_with_all_tries_left() {
    let with = settings(Some("1234"));
    let pin = Want::Pin(SIM.try_into().unwrap());
    let asks = |tries| snapshot(2, LOCK_PIN, tries, 5);
    let mut cared = Cared::default();
    assert!(
        wants(&mut cared, &asks(3), &settings(None)).is_empty(),
        "none is configured"
    );
    assert_eq!(
        wants(&mut cared, &asks(3), &with),
        std::slice::from_ref(&pin)
    );
    let mut generous = Cared::default();
    assert_eq!(
        wants(&mut generous, &asks(10), &with),
        std::slice::from_ref(&pin)
    );
    for tries in [2, 1, 0] {
        let mut cared = Cared::default();
        assert!(wants(&mut cared, &asks(tries), &with).is_empty(), "{tries}");
        assert!(cared.is_pin_withheld);
    }
    cared.on_done(
        vec![(pin, Err(Failure::Refused("wrong".to_owned())))],
        Instant::now(),
    );
    tokio::time::advance(Duration::from_hours(24)).await;
    assert!(wants(&mut cared, &asks(3), &with).is_empty() && cared.is_pin_withheld);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_show_is_tried_again_after_a_rest() {
    let settings = settings(None);
    let mut cared = Cared::default();
    let off = snapshot(STATE_DISABLED, 1, 3, 30);
    let expected = [Want::Enable { is_ours: false }, Want::Signal(5)];
    let first = wants(&mut cared, &off, &settings);
    assert_eq!(first, expected);
    let refused = || Err(Failure::Refused("not now".to_owned()));
    let results = vec![(first[0].clone(), Ok(())), (first[1].clone(), refused())];
    cared.on_done(results, Instant::now());
    assert!(wants(&mut cared, &off, &settings).is_empty());
    tokio::time::advance(AFTER_SUCCESS).await;
    assert_eq!(wants(&mut cared, &off, &settings), expected[..1]);
    tokio::time::advance(AFTER_REFUSAL).await;
    assert_eq!(wants(&mut cared, &off, &settings), expected);
    // Once it is on and its signal is read, nothing is missing.
    assert!(wants(&mut cared, &snapshot(8, 1, 3, 5), &settings).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_radio_that_an_action_left_off_is_switched_on_whoever_else_is_there() {
    let settings = settings(None);
    let mut cared = Cared {
        is_ours_to_enable: true,
        ..Cared::default()
    };
    let off = snapshot(STATE_DISABLED, 1, 3, 5);
    assert_eq!(
        wants(&mut cared, &off, &settings),
        [Want::Enable { is_ours: true }]
    );
    assert!(wants(&mut cared, &snapshot(STATE_ENABLED, 1, 3, 5), &settings).is_empty());
    assert_eq!(
        wants(&mut cared, &off, &settings),
        [Want::Enable { is_ours: false }]
    );
}
