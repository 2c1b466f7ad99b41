//! From property maps to knowledge. The maps are those of ModemManager 1.20.4 with a SIM7600 profile (run), the
//! values of QMI and of newer versions are after its introspection.

use std::collections::HashMap;

use zbus::zvariant::ObjectPath;

use super::*;
use crate::backend::modem_manager::manager::MODEM;
use crate::backend::modem_manager::properties::{Interfaces, properties};

type Dict<'a> = HashMap<&'a str, Value<'a>>;

/// A registered modem with a usable card, then what is `changed` in its interfaces.
fn snapshot(changed: &[(&str, &str, Value<'static>)]) -> Snapshot {
    let sim: ObjectPath<'_> = "/org/freedesktop/ModemManager1/SIM/0".try_into().unwrap();
    let modem = properties([
        ("State", Value::from(8i32)),
        ("EquipmentIdentifier", Value::from("860000000000001")),
        ("Manufacturer", Value::from("QUALCOMM INCORPORATED")),
        ("Model", Value::from("SIMCOM_SIM7600G-H")),
        ("Revision", Value::from("LE20B04SIM7600G22")),
        ("Device", Value::from("/sys/devices/usb1/1-1/1-1.3")),
        ("PowerState", Value::from(3u32)),
        ("AccessTechnologies", Value::from(1u32 << 14)),
        ("UnlockRequired", Value::from(1u32)),
        (
            "UnlockRetries",
            Value::from(HashMap::from([(2u32, 3u32), (4, 10)])),
        ),
        ("CurrentBands", Value::from(vec![33u32, 37])),
        ("Sim", Value::from(sim)),
    ]);
    let network = properties([
        ("RegistrationState", Value::from(1u32)),
        ("OperatorCode", Value::from("25501")),
        ("OperatorName", Value::from("vodafone UA")),
    ]);
    let lte = Dict::from([("rsrp", Value::from(-89.0)), ("rsrq", Value::from(-10.0))]);
    let signal = properties([("Rate", Value::from(60u32)), ("Lte", Value::from(lte))]);
    let mut interfaces = Interfaces::from([
        (MODEM.to_owned(), modem),
        (MODEM_3GPP.to_owned(), network),
        (SIGNAL.to_owned(), signal),
    ]);
    for (interface, name, value) in changed {
        let properties = interfaces.entry((*interface).to_owned()).or_default();
        properties.insert((*name).to_owned(), value.try_to_owned().unwrap());
    }
    let path = OwnedObjectPath::try_from("/org/freedesktop/ModemManager1/Modem/4").unwrap();
    Snapshot {
        object: ModemObject::new(path, interfaces),
        sim: Some(Card {
            path: OwnedObjectPath::try_from("/org/freedesktop/ModemManager1/SIM/0").unwrap(),
            lock: 1,
            properties: std::sync::Arc::new(properties([
                ("SimIdentifier", Value::from("8938001000000000001F")),
                ("Imsi", Value::from("255010000000001")),
            ])),
        }),
        bearers: Vec::new(),
        place: Some("255,01,FFFE,153E20B,8502".to_owned()),
        usb: Some("1e0e:9001".to_owned()),
    }
}

fn known(changed: &[(&str, &str, Value<'static>)]) -> Knowledge {
    snapshot(changed).knowledge(&RawLevels::default())
}

#[test]
fn a_registered_modem() {
    let known = known(&[]);
    assert_eq!(known.identity.model.as_deref(), Some("SIM7600G-H"));
    assert_eq!(known.identity.usb.as_deref(), Some("1e0e:9001"));
    assert_eq!(known.sim.status, SimStatus::Ready);
    assert_eq!(known.sim.iccid.as_deref(), Some("8938001000000000001"));
    assert_eq!(
        (known.sim.pin_tries, known.sim.puk_tries),
        (Some(3), Some(10))
    );
    assert!(known.is_in_service());
    let registration = &known.registration;
    assert_eq!(registration.plmn.as_deref(), Some("255-01"));
    assert_eq!(registration.technology.as_deref(), Some("lte"));
    assert_eq!(
        (known.levels.rsrp, known.levels.rsrq),
        (Ok(-89.0), Ok(-10.0))
    );
    assert_eq!(known.levels.sinr, Err(Reason::WarmingUp));
    let cell = known.cell.unwrap();
    assert_eq!(
        (cell.id, cell.enb, cell.area_code),
        (22_274_571, Some(87010), Some(0x8502))
    );
    assert_eq!(
        (known.radio_on, known.attached, known.bearer),
        (Some(true), None, None)
    );
}

#[test]
fn an_interface_or_property_that_is_not_there_is_no_error() {
    let mut bare = snapshot(&[]);
    let path = bare.object.path.clone();
    bare.object = ModemObject::new(path, Interfaces::new());
    (bare.sim, bare.place) = (None, Some("nonsense".to_owned()));
    let known = bare.knowledge(&RawLevels::default());
    assert_eq!(known.sim.status, SimStatus::Unknown);
    assert_eq!(known.registration, Registration::default());
    assert_eq!(known.levels.rsrp, Err(Reason::NotPresent));
    assert_eq!(
        (known.cell, known.radio_on, known.given_up),
        (None, None, None)
    );
}

#[test]
fn what_the_card_says() {
    let check = |changed: &[(&str, &str, Value<'static>)], status, given_up: Option<&str>| {
        let known = known(changed);
        assert_eq!(known.sim.status, status, "{changed:?}");
        assert_eq!(known.given_up.as_deref(), given_up, "{changed:?}");
    };
    let lock = |lock: u32| (MODEM, "UnlockRequired", Value::from(lock));
    check(&[lock(2)], SimStatus::PinRequired, None);
    check(&[lock(4)], SimStatus::PukRequired, None);
    check(&[lock(3)], SimStatus::Ready, None);
    check(&[lock(0)], SimStatus::Unknown, None);
    check(&[lock(6)], SimStatus::Failure, None);
    let failed = |reason: u32| {
        let state = (MODEM, "State", Value::from(STATE_FAILED));
        [
            state,
            (MODEM, "StateFailedReason", Value::from(reason)),
            lock(0),
        ]
    };
    check(&failed(2), SimStatus::Absent, Some("sim-missing"));
    check(&failed(3), SimStatus::Failure, Some("sim-error"));
    check(&failed(4), SimStatus::Unknown, Some("unknown-capabilities"));
    check(&failed(77), SimStatus::Unknown, Some("unknown"));
}

#[test]
fn how_it_stands_with_the_network() {
    use RegistrationStatus as Status;
    for (state, expected) in [
        (0u32, Status::Idle),
        (1, Status::Home),
        (2, Status::Searching),
        (3, Status::Denied),
        (4, Status::Unknown),
        (5, Status::Roaming),
        (6, Status::EmergencyOnly),
        (8, Status::EmergencyOnly),
        (10, Status::Roaming),
        (99, Status::Unknown),
    ] {
        let state = (MODEM_3GPP, "RegistrationState", Value::from(state));
        assert_eq!(known(&[state]).registration.status, expected);
    }
    let refused = Dict::from([("error", Value::from(11u32))]);
    let refused = known(&[(MODEM_3GPP, "NetworkRejection", Value::from(refused))]);
    assert_eq!(refused.registration.reject_cause.as_deref(), Some("11"));
    let low = known(&[
        (MODEM, "PowerState", Value::from(2u32)),
        (MODEM_3GPP, "PacketServiceState", Value::from(2u32)),
    ]);
    assert_eq!((low.radio_on, low.attached), (Some(false), Some(false)));
    for (bits, expected) in [
        (0, None),
        (1 << 1 | 1 << 4, Some("gsm")),
        (1 << 5 | 1 << 8, Some("umts")),
        (1 << 14, Some("lte")),
        (1 << 14 | 1 << 15, Some("lte")),
        (1 << 15, Some("nr")),
    ] {
        assert_eq!(technology(bits), expected, "{bits:b}");
    }
}

#[test]
fn where_it_is() {
    let check = |place: &str, expected| {
        let found = cell(place).map(|cell| (cell.id, cell.area_code));
        assert_eq!(found, expected, "{place}");
    };
    check("255,01,FFFE,153E20B,8502", Some((22_274_571, Some(0x8502))));
    check("255,01,8502,153E20B,0", Some((22_274_571, Some(0x8502))));
    check("255,01,4D07,2BAF", Some((0x2BAF, Some(0x4D07))));
    check("255,01,0,0,0", None);
    check("255,01", None);
    check("255,01,x,y,z", None);
    let band = known(&[(MODEM, "CurrentBands", Value::from(vec![33u32]))])
        .cell
        .unwrap()
        .band;
    assert_eq!(band.as_deref(), Some("EUTRAN-BAND3"));
    assert_eq!(known(&[]).cell.unwrap().band, None, "one of several");
}

#[test]
fn the_modules_own_words_come_first() {
    let line =
        "+CPSI: LTE,Online,255-01,0x8502,22274571,143,EUTRAN-BAND3,1650,5,5,-98,-892,-591,12";
    let raw = RawLevels {
        cells: Some(Ok(
            tm_proto::sim7600::serving_cells(&[line.to_owned()]).unwrap()
        )),
        temperature: Some(Ok(29.0)),
        supply: Some(Err(Reason::Refused)),
    };
    let known = snapshot(&[]).knowledge(&raw);
    assert_eq!(
        (known.levels.rsrp, known.levels.sinr),
        (Ok(-89.2), Ok(12.0))
    );
    assert_eq!(
        (known.levels.rssi, known.levels.temperature),
        (Ok(-59), Ok(29.0))
    );
    assert_eq!(known.levels.supply, Err(Reason::Refused));
    assert_eq!(known.cell.unwrap().pci, Some(143));
    assert_eq!(known.registration.status, RegistrationStatus::Home);
    // A module that says nothing leaves what ModemManager says.
    let mute = RawLevels {
        cells: Some(Err(Reason::Timeout)),
        ..raw
    };
    let known = snapshot(&[]).knowledge(&mute);
    assert_eq!(
        (known.levels.rsrp, known.cell.map(|cell| cell.pci)),
        (Ok(-89.0), Some(None))
    );
}

#[test]
fn the_connection_for_data() {
    let bearer = |number: u32, is_connected: bool| {
        let path = format!("/org/freedesktop/ModemManager1/Bearer/{number}");
        let stats = Dict::from([
            ("rx-bytes", Value::from(1_000_000u64)),
            ("tx-bytes", Value::from(2_000u64)),
            ("duration", Value::from(30u32)),
        ]);
        let profile = Dict::from([("apn", Value::from("staticip"))]);
        let config = Dict::from([("address", Value::from("10.64.12.34"))]);
        let error = (
            "org.freedesktop.ModemManager1.Error.Core.Failed",
            "no carrier",
        );
        let bearer = properties([
            ("Connected", Value::from(is_connected)),
            (
                "Interface",
                Value::from(if is_connected { "wwan0" } else { "" }),
            ),
            ("Stats", Value::from(stats)),
            ("Properties", Value::from(profile)),
            ("Ip4Config", Value::from(config)),
            (
                "ConnectionError",
                Value::from(if is_connected { ("", "") } else { error }),
            ),
        ]);
        (OwnedObjectPath::try_from(path).unwrap(), bearer)
    };
    let mut snapshot = snapshot(&[]);
    snapshot.bearers = vec![bearer(1, false), bearer(2, true), bearer(3, false)];
    let stands = snapshot.knowledge(&RawLevels::default()).bearer.unwrap();
    assert!(stands.is_connected && stands.id.ends_with("/2"));
    assert_eq!(
        (stands.interface.as_deref(), stands.apn.as_deref()),
        (Some("wwan0"), Some("staticip"))
    );
    assert_eq!(stands.address.as_deref(), Some("10.64.12.34"));
    assert_eq!(
        (stands.rx_bytes, stands.tx_bytes),
        (Some(1_000_000), Some(2_000))
    );
    assert_eq!((stands.duration_s, stands.error), (Some(30), None));
    snapshot.bearers.truncate(1);
    let failed = snapshot.knowledge(&RawLevels::default()).bearer.unwrap();
    assert_eq!(failed.error.as_deref(), Some("no carrier"));
}
