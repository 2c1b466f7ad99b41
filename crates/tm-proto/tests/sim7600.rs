//! Single answers and unsolicited lines, one case a line.

use tm_proto::sim7600::{
    self, CellLevels, ServingCell, SimState, SupplyAlarm, Urc, Ussd, UssdStatus,
};

fn lines(line: &str) -> Vec<String> {
    vec![line.to_owned()]
}

#[test]
fn the_scale_of_lte_levels_is_seen_from_the_rsrp() {
    // RSRQ, RSRP, RSSI, RSSNR as printed; dBm and dB.
    let table = [
        // SIM7600NA LE20B01, published test data.
        (
            "-125,-987,-663,10",
            (Some(-98.7), Some(-12.5), Some(-66.3), Some(10.0)),
        ),
        // The same in whole units, as SIM70xx print.
        (
            "-12,-98,-66,10",
            (Some(-98.0), Some(-12.0), Some(-66.0), Some(10.0)),
        ),
        // A7670: indices of 3GPP TS 36.133.
        (
            "12,36,42,5",
            (Some(-105.0), Some(-14.0), Some(-69.0), Some(5.0)),
        ),
        // An implausible level is absent and the others stay.
        ("-999,-987,-663,99", (Some(-98.7), None, Some(-66.3), None)),
    ];
    for (printed, (rsrp_dbm, rsrq_db, rssi_dbm, sinr_db)) in table {
        let line = format!(
            "+CPSI: LTE,Online,310-260,0x2D18,50896642,236,EUTRAN-BAND4,2300,5,5,{printed}"
        );
        let cells = sim7600::serving_cells(&lines(&line)).unwrap();
        let [ServingCell::Lte(cell)] = cells.as_slice() else {
            panic!("{line}")
        };
        assert_eq!(
            cell.levels,
            CellLevels {
                rsrp_dbm,
                rsrq_db,
                rssi_dbm,
                sinr_db
            },
            "{line}"
        );
    }
}

#[test]
fn limited_service_is_told() {
    let line = "+CPSI: LTE-LIMITED,Online,460-01,0x18DB,8718111,313,EUTRAN-BAND3,1650,5,5,-147,-958,-612,30";
    let cells = sim7600::serving_cells(&lines(line)).unwrap();
    assert!(matches!(cells.as_slice(), [ServingCell::Lte(cell)] if cell.is_limited));
}

#[test]
fn transitional_lines_are_no_reading() {
    for tail in [
        "0,EUTRAN-BAND0,4294967295,0,0,0,0,0,0",
        "0,EUTRAN-BAND0,+4294967295,0,0,-98,-892,-591,12",
        "0,EUTRAN-BAND3,1650,5,5,0,0,0,0",
        "0,EUTRAN-BAND3,1650,5,5,-0,0.0,00,0",
    ] {
        let line = format!("+CPSI: LTE,Online,250-20,0x4D07,200468789,{tail}");
        assert_eq!(
            sim7600::serving_cells(&lines(&line)),
            Some(vec![]),
            "{line}"
        );
    }
    // A channel that no band has.
    let line = "+CPSI: LTE,Online,250-20,0x4D07,1,0,EUTRAN-BAND3,4294967294,5,5,-98,-892,-591,12";
    let cells = sim7600::serving_cells(&lines(line)).unwrap();
    assert!(matches!(cells.as_slice(), [ServingCell::Lte(cell)] if cell.earfcn.is_none()));
}

#[test]
fn unreadable_answers_are_nothing() {
    for line in [
        "",
        "+CPSI:",
        "+CPSI: LTE,Online",
        "+CPSI: LTE,Online,310260,0x2D18,1,1,EUTRAN-BAND4,2300,5,5,-125,-987,-663,10",
        "+CPSI: 5G,Online",
        "+CPSI: LTE,Online,310-260,0x2D18,1,1,EUTRAN-BAND4,2300,5,5,-125,-10,-663,10",
        "+CSQ: 32,99",
        "+CSQ: x",
        "+CSQ: 15",
        "+CREG: 0,77",
        "+CREG: 1",
        "+COPS: 9",
        "+CBC: 0.013V",
        "+CBC: NaN",
        "+CPMUTEMP: 999",
        "+CNSMOD: 0,9",
        "+CCLK: \"26/13/22,19:10:00+08\"",
        "+CCLK: \"26/11/22\"",
        "+CGPS: 7",
        "+SPIC: 3,10",
        "+ICCID: 12ab",
    ] {
        let lines = lines(line);
        assert_eq!(sim7600::serving_cells(&lines), None, "{line}");
        assert_eq!(sim7600::signal_quality(&lines), None, "{line}");
        assert_eq!(sim7600::registration(&lines), None, "{line}");
        assert_eq!(sim7600::operator(&lines), None, "{line}");
        assert_eq!(sim7600::supply_voltage_v(&lines), None, "{line}");
        assert_eq!(sim7600::temperature_celsius(&lines), None, "{line}");
        assert_eq!(sim7600::access_technology(&lines), None, "{line}");
        assert_eq!(sim7600::network_clock(&lines), None, "{line}");
        assert_eq!(sim7600::gnss_engine(&lines), None, "{line}");
        assert_eq!(sim7600::pin_tries(&lines), None, "{line}");
        assert_eq!(sim7600::iccid(&lines), None, "{line}");
    }
}

#[test]
fn received_power() {
    for (line, rssi_dbm) in [
        ("+CSQ: 0,0", Some(-113)),
        ("+CSQ: 31,99", Some(-51)),
        ("+CSQ: 99,99", None),
        ("+CSQ: 116,99", Some(-100)),
    ] {
        assert_eq!(
            sim7600::signal_quality(&lines(line)).unwrap().rssi_dbm,
            rssi_dbm,
            "{line}"
        );
    }
}

#[test]
fn unsolicited_lines() {
    for (line, expected) in [
        ("RDY", Urc::Started),
        ("+CPIN: SIM PIN", Urc::Sim(SimState::PinRequired)),
        ("+CPIN: SIM PUK", Urc::Sim(SimState::PukRequired)),
        ("+CPIN: SIM FAILURE", Urc::Sim(SimState::Failed)),
        ("+SIMCARD: NOT AVAILABLE", Urc::Sim(SimState::NotInserted)),
        (
            "+CMTE:-1",
            Urc::Temperature {
                is_cold: true,
                shuts_down: false,
            },
        ),
        (
            "+CMTE:2",
            Urc::Temperature {
                is_cold: false,
                shuts_down: true,
            },
        ),
        (
            "UNDER-VOLTAGE WARNNING",
            Urc::Supply(SupplyAlarm {
                is_under: true,
                shuts_down: false,
            }),
        ),
        (
            "OVER-VOLTAGE WARNNING POWER DOWN",
            Urc::Supply(SupplyAlarm {
                is_under: false,
                shuts_down: true,
            }),
        ),
        (
            "+CMTI: ,-1",
            Urc::Message {
                storage: String::new(),
                index: None,
            },
        ),
        (
            "+CMTI: \"SM\",-1",
            Urc::Message {
                storage: "SM".to_owned(),
                index: None,
            },
        ),
        (
            "+CDSI: \"SR\",3",
            Urc::DeliveryReportStored {
                storage: "SR".to_owned(),
                index: Some(3),
            },
        ),
        (
            "+CDS: 2\n00AABB",
            Urc::DeliveryReport {
                pdu: "00AABB".to_owned(),
            },
        ),
        (
            "+CMT: ,2\n00AABB",
            Urc::UnstoredMessage {
                pdu: "00AABB".to_owned(),
            },
        ),
        // Mutilated on the line.
        ("+CDS: 3\n00AABB", Urc::Other("+CDS: 3\n00AABB".to_owned())),
        ("+CDS: 2", Urc::Other("+CDS: 2".to_owned())),
        (
            "+CUSD: 0,\"04110430\",72",
            Urc::Ussd(Ussd {
                status: UssdStatus::Done,
                text: Some("Ба".to_owned()),
            }),
        ),
        ("+CUSD: 9", Urc::Other("+CUSD: 9".to_owned())),
        (
            "+CGEV: NW DETACH",
            Urc::PacketDomain("NW DETACH".to_owned()),
        ),
        (
            "+CTZV: 32,08/12/09,17:00:00,1",
            Urc::TimeZone {
                offset_quarters: 32,
            },
        ),
        ("+CNSMOD: 0", Urc::Access(None)),
        ("+CGPS: 0", Urc::GnssStopped),
        ("+CMTE:9", Urc::Other("+CMTE:9".to_owned())),
        (
            "VOICE CALL: BEGIN",
            Urc::Other("VOICE CALL: BEGIN".to_owned()),
        ),
    ] {
        assert_eq!(Urc::parse(line), expected, "{line}");
    }
}

#[test]
fn no_message_is_shown_in_a_log() {
    for (line, shown) in [
        ("RDY", "Started"),
        ("+CDS: 2\n00AABB", "DeliveryReport"),
        ("+CMT: ,2\n00AABB", "UnstoredMessage"),
        ("+CMT: ,3\n00AABB", "Other(\"+CMT\")"),
        ("+CUSD: 0,\"Balans 5\",15", "Ussd { status: Done, .. }"),
        (
            "MISSED_CALL: 08:48AM +380501112233",
            "Other(\"MISSED_CALL\")",
        ),
        (
            "0791447758100650000491AABBCC",
            "Other(\"0791447758100650\")",
        ),
        (
            "+CMTI: \"SM\",7",
            "Message { storage: \"SM\", index: Some(7) }",
        ),
    ] {
        assert_eq!(format!("{:?}", Urc::parse(line)), shown);
    }
}

#[test]
fn contexts_their_activity_and_addresses() {
    // SIM7600G-H, two published dialogues and the manual's own example.
    let text = "+CGATT: 1\n\
        +CGDCONT: 1,\"IPV4V6\",\"fast.t-mobile.com\",\"0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0\",0,0,0,0\n\
        +CGDCONT: 2,\"IPV4V6\",\"ims\",\"0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0\",0,0,0,0\n\
        +CGDCONT: 3,\"IPV4V6\",\"sos\",\"0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0\",0,0,0,1\n\
        +CGDCONT: 4,\"IPV4V6\",\"tmus\",\"0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0\",0,0,0,0\n\
        +CGACT: 1,1\n+CGACT: 2,1\n+CGACT: 3,0\n+CGACT: 4,0\n\
        +CGPADDR: 1,2.41.148.4\n+CGPADDR: 2,0.0.0.0,0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0\n\
        +CGPADDR: 3,\"0.0.0.0\"";
    let lines: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
    assert_eq!(sim7600::packet_attachment(&lines), Some(true));
    assert_eq!(
        sim7600::pdp_activity(&lines),
        [(1, true), (2, true), (3, false), (4, false)]
    );
    let contexts = sim7600::pdp_contexts(&lines);
    let data: Vec<u8> = contexts
        .iter()
        .filter(|context| context.is_for_data())
        .map(|context| context.id)
        .collect();
    assert_eq!(data, [1, 4]);
    assert!(contexts[2].is_for_emergency);
    let addresses = sim7600::pdp_addresses(&lines);
    assert_eq!(
        addresses
            .iter()
            .map(|a| a.addresses.len())
            .collect::<Vec<_>>(),
        [1, 0, 0]
    );
    for line in [
        "",
        "+CGATT:",
        "+CGATT: 2",
        "+CGATT: x",
        "+CGACT: 1",
        "+CGACT: 1,2",
        "+CGACT: 300,1",
    ] {
        assert_eq!(
            sim7600::packet_attachment(&self::lines(line)),
            None,
            "{line}"
        );
        assert_eq!(sim7600::pdp_activity(&self::lines(line)), [], "{line}");
    }
}
