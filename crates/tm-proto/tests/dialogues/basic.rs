//! Start, identity, registration and cells.

use tm_proto::{
    at::Failure,
    sim7600::{
        self, AccessTechnology, NetworkClock, OperatorMode, RadioPower, RegistrationStatus,
        ServingCell, SimState, Urc,
    },
};

use crate::player::{PLAIN, play, replies, transcript};

#[test]
fn boot_to_lte() {
    let replies = replies(transcript!("boot_to_lte"));
    assert_eq!(SimState::from_reply(&replies[1]), Some(SimState::Ready));
    assert_eq!(
        sim7600::registration(&replies[2].lines).unwrap().status,
        RegistrationStatus::Searching
    );
    assert_eq!(
        sim7600::signal_quality(&replies[3].lines).unwrap().rssi_dbm,
        None
    );
    let signal = sim7600::signal_quality(&replies[4].lines).unwrap();
    assert_eq!((signal.rssi_dbm, signal.bit_error_class), (Some(-59), None));
    assert!(
        sim7600::registration(&replies[5].lines)
            .unwrap()
            .status
            .is_registered()
    );
    let cells = sim7600::serving_cells(&replies[6].lines).unwrap();
    let [ServingCell::Lte(cell)] = cells.as_slice() else {
        panic!("{cells:?}")
    };
    assert_eq!(
        (cell.plmn.as_str(), cell.tracking_area, cell.cell_id),
        ("460-11", Some(0x775c), Some(117_004_595))
    );
    assert_eq!(
        (cell.physical_cell_id, cell.band, cell.earfcn),
        (Some(399), Some(3), Some(1650))
    );
    assert_eq!((cell.downlink_mhz, cell.is_limited), (Some(20.0), false));
    let levels = cell.levels;
    assert_eq!((levels.rsrp_dbm, levels.rsrq_db), (Some(-89.2), Some(-9.8)));
    assert_eq!((levels.rssi_dbm, levels.sinr_db), (Some(-59.1), Some(12.0)));
    let urcs = play(transcript!("boot_to_lte"), PLAIN).1;
    assert_eq!(
        urcs.iter().map(|line| Urc::parse(line)).collect::<Vec<_>>(),
        [Urc::Started]
    );
}

#[test]
fn sim_busy_then_ready() {
    let replies = replies(transcript!("sim_busy"));
    assert_eq!(SimState::from_reply(&replies[0]), Some(SimState::Busy));
    assert!(replies[0].ok().unwrap_err().is_busy());
    assert_eq!(SimState::from_reply(&replies[1]), Some(SimState::Ready));
    let identity = sim7600::identity(&replies[2].lines).unwrap();
    assert_eq!(identity.model.as_deref(), Some("SIMCOM_SIM7600G-H"));
    assert_eq!(identity.revision.as_deref(), Some("SIM7600G_V2.0.2"));
    assert_eq!(identity.imei, None, "crossed out in the source");
    let contexts = sim7600::pdp_contexts(&replies[3].lines);
    assert_eq!(contexts.len(), 3);
    assert_eq!(
        (contexts[1].id, contexts[1].access_point.as_deref()),
        (2, Some("ims"))
    );
    assert_eq!(contexts[0].access_point, None);
}

#[test]
fn registered_with_boot_lines_in_front() {
    let replies = replies(transcript!("registered"));
    assert_eq!(
        sim7600::signal_quality(&replies[0].lines).unwrap().rssi_dbm,
        Some(-51)
    );
    let operator = sim7600::operator(&replies[2].lines).unwrap();
    assert_eq!(
        (operator.name.as_deref(), operator.access),
        (Some("Mint"), Some(AccessTechnology::Lte))
    );
    assert_eq!(replies[3].outcome, Err(Failure::Error));
    let urcs = play(transcript!("registered"), PLAIN).1;
    let message = Urc::Message {
        storage: "SM".to_owned(),
        index: Some(4),
    };
    let expected = [
        Urc::Sim(SimState::Ready),
        Urc::MessagesReady,
        Urc::PhonebookReady,
        message,
    ];
    assert_eq!(
        urcs.iter().map(|line| Urc::parse(line)).collect::<Vec<_>>(),
        expected
    );
}

#[test]
fn identity_and_a_clock_never_set() {
    let replies = replies(transcript!("identity"));
    assert_eq!(replies[0].lines, ["SIMCOM_SIM7600G-H"]);
    assert_eq!(
        sim7600::firmware_revision(&replies[2].lines).as_deref(),
        Some("LE20B03SIM7600M22")
    );
    assert_eq!(
        sim7600::equipment_identity(&replies[3].lines).as_deref(),
        Some("863636050000001")
    );
    assert_eq!(
        sim7600::subscriber_identity(&replies[4].lines).as_deref(),
        Some("655070210000001")
    );
    assert_eq!(sim7600::network_clock(&replies[5].lines), Some(None));
    assert_eq!(
        sim7600::operator(&replies[6].lines).unwrap().mode,
        OperatorMode::Manual
    );
    let addresses = sim7600::pdp_addresses(&replies[7].lines);
    assert_eq!(
        (addresses[0].id, addresses[0].addresses.as_slice()),
        (6, &["10.29.127.164".parse().unwrap()][..])
    );
    assert!(addresses[1].addresses.is_empty(), "not connected");
    assert_eq!(
        sim7600::radio_power(&replies[8].lines),
        Some(RadioPower::Full)
    );
}

#[test]
fn deregistered_by_a_command() {
    let replies = replies(transcript!("deregistered"));
    let operator = sim7600::operator(&replies[0].lines).unwrap();
    assert_eq!(
        (operator.mode, operator.name),
        (OperatorMode::Deregistered, None)
    );
    let cells = sim7600::serving_cells(&replies[1].lines).unwrap();
    assert_eq!(
        cells,
        [ServingCell::NoService {
            operation_mode: "Online".to_owned()
        }]
    );
}

#[test]
fn two_cells_and_none_while_reselecting() {
    let replies = replies(transcript!("reselection"));
    let registration = sim7600::registration(&replies[0].lines).unwrap();
    assert_eq!(
        (registration.area_code, registration.cell_id),
        (Some(0x4d07), Some(0xbf2_e917))
    );
    assert_eq!(registration.access, Some(AccessTechnology::Lte));
    assert_eq!(
        sim7600::registration(&replies[1].lines).unwrap().cell_id,
        Some(0xbf2_e917)
    );
    assert_eq!(
        sim7600::operator(&replies[2].lines)
            .unwrap()
            .plmn
            .as_deref(),
        Some("25020")
    );
    let cells = sim7600::serving_cells(&replies[3].lines).unwrap();
    let [ServingCell::Wcdma(wcdma), ServingCell::Lte(lte)] = cells.as_slice() else {
        panic!("{cells:?}")
    };
    assert_eq!(
        (wcdma.rscp_dbm, wcdma.ecio_db, wcdma.rssi_dbm),
        (Some(-69.0), Some(-4.0), Some(-46.0))
    );
    assert_eq!(
        (lte.levels.rsrp_dbm, lte.downlink_mhz),
        (Some(-90.0), Some(10.0))
    );
    assert_eq!(
        sim7600::serving_cells(&replies[4].lines).unwrap(),
        [],
        "no reading now"
    );
}

#[test]
fn examples_of_the_manual() {
    let replies = replies(transcript!("manual"));
    let cells = sim7600::serving_cells(&replies[0].lines).unwrap();
    let [ServingCell::Gsm(gsm)] = cells.as_slice() else {
        panic!("{cells:?}")
    };
    assert_eq!(
        (gsm.rssi_dbm, gsm.location_area, gsm.band.as_str()),
        (Some(-64.0), Some(0x182d), "27 EGSM 900")
    );
    let cells = sim7600::serving_cells(&replies[1].lines).unwrap();
    assert!(
        matches!(cells.as_slice(), [ServingCell::Wcdma(cell)] if cell.location_area == Some(0xa809))
    );
    let cells = sim7600::serving_cells(&replies[2].lines).unwrap();
    assert_eq!(
        cells,
        [ServingCell::NoService {
            operation_mode: "Online".to_owned()
        }]
    );
    assert_eq!(
        sim7600::access_technology(&replies[3].lines),
        Some(Some(AccessTechnology::Gprs))
    );
    assert_eq!(
        sim7600::registration(&replies[4].lines).unwrap().status,
        RegistrationStatus::Unknown
    );
    let tries = sim7600::pin_tries(&replies[5].lines).unwrap();
    assert_eq!(
        (tries.pin, tries.puk, tries.pin2, tries.puk2),
        (3, 10, 0, 10)
    );
    assert_eq!(
        sim7600::network_clock(&replies[6].lines),
        Some(None),
        "2008 is before this family"
    );
    assert_eq!(sim7600::supply_voltage_v(&replies[7].lines), Some(3.591));
    assert_eq!(sim7600::temperature_celsius(&replies[8].lines), Some(29.0));
    assert!(
        sim7600::pdp_addresses(&replies[9].lines)[0]
            .addresses
            .is_empty()
    );
}

#[test]
fn gnss_engine_on_and_off() {
    let replies = replies(transcript!("engine_on"));
    let engine = sim7600::gnss_engine(&replies[0].lines).unwrap();
    assert_eq!((engine.is_on, engine.mode), (true, Some(1)));
    assert_eq!(replies[1].outcome, Err(Failure::Error));
    assert_eq!(sim7600::temperature_celsius(&replies[2].lines), None);
    assert_eq!(sim7600::temperature_celsius(&replies[3].lines), Some(17.0));
}

#[test]
fn unsolicited_lines_inside_answers() {
    let replies = replies(transcript!("interleaved"));
    assert_eq!(sim7600::pdp_contexts(&replies[0].lines).len(), 2);
    assert_eq!(replies[0].lines.len(), 2);
    assert_eq!(replies[1].lines, ["+CREG: 0,1"]);
    assert_eq!(
        SimState::from_reply(&replies[3]),
        Some(SimState::NotInserted)
    );
    assert_eq!(
        sim7600::iccid(&replies[4].lines).as_deref(),
        Some("8938001000000000001")
    );
    let clock = sim7600::network_clock(&replies[5].lines).unwrap().unwrap();
    // 2026-11-22 19:10:00 at UTC+2.
    assert_eq!(
        clock,
        NetworkClock {
            unix_s: 1_795_367_400,
            offset_quarters: 8
        }
    );
    let urcs = play(transcript!("interleaved"), PLAIN).1;
    assert!(urcs.iter().any(|line| Urc::parse(line) == Urc::GnssStopped));
    assert_eq!(urcs.len(), 4);
}
