//! The module's own connection, restarts, settings, compositions, alarms and errors.

use std::fmt::Write as _;

use tm_proto::{
    at::{Channel, Command, CommandError, Failure, Output},
    sim7600::{self, RegistrationStatus, SimState, SupplyAlarm, Urc},
};

use crate::player::{PLAIN, play, replies, transcript, urcs};

fn other(line: &str) -> Urc {
    Urc::Other(line.to_owned())
}

#[test]
fn the_modules_own_connection() {
    let replies = replies(transcript!("internal_stack"));
    assert_eq!(replies[1].lines, ["+CNMP: 2"]);
    assert_eq!(replies[3].lines, ["+IPADDR: 10.4.20.106"]);
    assert!(sim7600::serving_cells(&replies[4].lines).is_some_and(|cells| cells.len() == 1));
    assert_eq!(sim7600::packet_attachment(&replies[5].lines), Some(true));
    assert_eq!(
        sim7600::pdp_activity(&replies[6].lines),
        [(1, true), (2, true), (3, false), (4, false)]
    );
    assert_eq!(replies[8].lines, ["+CDNSGIP: 0,10"]);
    assert_eq!(replies[8].outcome, Err(Failure::Error));
    assert_eq!(
        urcs(transcript!("internal_stack")),
        [other("+NETOPEN: 0"), other("+CPING: 3,0,0,0,0,0,0")]
    );
}

#[test]
fn levels_of_errors() {
    let replies = replies(transcript!("errors"));
    assert_eq!(replies[0].outcome, Err(Failure::Error));
    assert_eq!(replies[1].lines, ["+CMEE: 2"]);
    assert_eq!(replies[4].lines, ["+CMEE: 1"]);
    // What was typed there had typographic quotes.
    assert_eq!(
        Command::new("AT+CPIN=\u{201d}1234\u{201d}").unwrap_err(),
        CommandError::NotPrintable
    );
}

#[test]
fn the_first_bytes_after_the_start() {
    let mut bytes = Vec::new();
    for line in transcript!("boot_bytes").lines().skip(1) {
        for at in (0..line.len()).step_by(2) {
            bytes.push(u8::from_str_radix(&line[at..at + 2], 16).unwrap());
        }
    }
    for portion in [1, 3, bytes.len()] {
        let mut channel = Channel::default();
        for part in bytes.chunks(portion) {
            channel.feed(part);
        }
        let seen: Vec<Output> = std::iter::from_fn(|| channel.next()).collect();
        let urc = |line: &str| Output::Urc(line.to_owned());
        assert_eq!(seen, [urc("RDY"), urc("+CPIN: READY")]);
        channel.feed(b"E\r\n");
        assert_eq!(channel.next(), Some(urc("SMS DONE")));
    }
}

#[test]
fn many_commands_in_one_line() {
    let replies = replies(transcript!("combined_line"));
    assert_eq!(SimState::from_reply(&replies[0]), Some(SimState::Ready));
    // The newer of two.
    let signal = sim7600::signal_quality(&replies[0].lines).unwrap();
    assert_eq!(signal.rssi_dbm, Some(-73));
    assert_eq!(replies[0].lines.len(), 3);
    assert_eq!(
        sim7600::firmware_revision(&replies[1].lines[..1]).as_deref(),
        Some("LE20B03SIM7600M21-A")
    );
    assert_eq!(
        sim7600::iccid(&replies[1].lines).as_deref(),
        Some("89012609711000000001")
    );
}

#[test]
fn a_restart() {
    let replies = replies(transcript!("restart"));
    assert!(replies[0].ok().is_ok());
    assert_eq!(replies[1].lines, ["+CSMS: 0,1,1,1"]);
    // What the family's stores are; the answer to the question is none to `AT+CPMS?`.
    assert_eq!(replies[2].lines.len(), 1);
    assert_eq!(sim7600::message_stores(&replies[2].lines), None);
    assert_eq!(replies[4].lines, ["+CMGD: (),(0-4)"]);
    assert_eq!(
        sim7600::pdp_activity(&replies[7].lines),
        [(1, true), (2, true), (3, false)]
    );
    assert_eq!(
        urcs(transcript!("restart")),
        [
            other("+CIPEVENT: NETWORK CLOSED UNEXPECTEDLY"),
            other("+CMQTTCONNLOST: 0,3"),
            other("+CMQTTNONET"),
            Urc::Started,
            Urc::Sim(SimState::Ready),
            Urc::MessagesReady,
            Urc::PhonebookReady,
        ]
    );
}

#[test]
fn all_settings() {
    let replies = replies(transcript!("settings"));
    assert_eq!(urcs(transcript!("settings")), []);
    let text = replies[0]
        .lines
        .iter()
        .fold(String::new(), |mut text, line| {
            let _ = write!(text, "{line} ");
            text
        });
    for setting in [
        "+CMEE: 2;",
        "+IPR: 115200;",
        "+CNMI: 2,1,0,0,0;",
        "+CPMS: \"SM\",\"SM\",\"SM\";",
        "+CTZU: 0;",
    ] {
        assert!(text.contains(setting), "{setting}");
    }
}

#[test]
fn contexts_and_the_service_centre() {
    let replies = replies(transcript!("cell_c"));
    assert_eq!(replies[0].lines, [""; 0]);
    let active: Vec<u8> = sim7600::pdp_activity(&replies[1].lines)
        .into_iter()
        .filter_map(|(id, active)| active.then_some(id))
        .collect();
    assert_eq!(active, [6]);
    let addresses = sim7600::pdp_addresses(&replies[2].lines);
    assert_eq!((addresses[0].id, addresses[0].addresses.len()), (6, 1));
    assert_eq!(replies[3].lines, ["+CGCLASS: \"A\""]);
    assert_eq!(
        sim7600::service_centre(&replies[4].lines).as_deref(),
        Some("+27841000000")
    );
    assert_eq!(replies[5].outcome, Err(Failure::Error));
}

#[test]
fn compositions_and_identity() {
    let replies = replies(transcript!("composition"));
    assert_eq!(sim7600::usb_composition(&replies[0].lines), Some(0x9001));
    assert_eq!(sim7600::usb_composition(&replies[1].lines), None);
    assert_eq!(replies[2].outcome, Err(Failure::Error));
    let identity = sim7600::identity(&replies[3].lines).unwrap();
    assert_eq!(identity.model.as_deref(), Some("SIMCOM_SIM7600G-H"));
    assert_eq!(identity.revision.as_deref(), Some("LE20B04SIM7600G22"));
    assert_eq!(identity.imei, None, "crossed out in the source");
}

#[test]
fn denied_and_without_service() {
    let replies = replies(transcript!("no_service"));
    assert_eq!(
        sim7600::registration(&replies[0].lines).unwrap().status,
        RegistrationStatus::Denied
    );
    assert_eq!(SimState::from_reply(&replies[3]), Some(SimState::Ready));
    assert_eq!(
        sim7600::subscriber_identity(&replies[4].lines),
        None,
        "cut off in the source"
    );
    assert_eq!(
        sim7600::signal_quality(&replies[5].lines).unwrap().rssi_dbm,
        None
    );
    assert_eq!(replies[7].outcome, Err(Failure::Error));
    let full = Urc::Message {
        storage: String::new(),
        index: None,
    };
    assert_eq!(urcs(transcript!("no_service")), [full]);
}

#[test]
fn a_card_pulled_out_and_a_sinking_supply() {
    replies(transcript!("alarms"));
    let seen = urcs(transcript!("alarms"));
    assert_eq!(seen.len(), 7);
    assert_eq!(seen[0], Urc::Sim(SimState::NotInserted));
    assert_eq!(seen[1], Urc::Sim(SimState::Failed));
    assert_eq!(seen[2], Urc::PacketDomain("NW DETACH".to_owned()));
    assert!(matches!(seen[3], Urc::Registration(r) if r.status == RegistrationStatus::Idle));
    assert_eq!(
        seen[5],
        Urc::Temperature {
            is_cold: true,
            shuts_down: false
        }
    );
    assert_eq!(
        seen[6],
        Urc::Supply(SupplyAlarm {
            is_under: true,
            shuts_down: false
        })
    );
}

#[test]
fn more_examples_of_the_manual() {
    let replies = replies(transcript!("manual_network"));
    assert_eq!(replies[0].lines.len(), 1);
    assert_eq!(
        sim7600::operator(&replies[0].lines),
        None,
        "a list of operators is not the present one"
    );
    assert_eq!(replies[1].lines, ["+CVALARM: 1,3400,4300"]);
    let fix = sim7600::gnss_position(&replies[2].lines).unwrap().unwrap();
    assert_eq!(
        (fix.position.latitude_e7, fix.position.longitude_e7),
        (312_223_881, 1_213_539_011)
    );
    assert_eq!(fix.course_deg, Some(0.0));
    let fix = sim7600::gnss_position(&replies[3].lines).unwrap().unwrap();
    assert_eq!((fix.course_deg, fix.hdop), (Some(255.0), Some(0.8)));
    assert_eq!(sim7600::gnss_position(&replies[4].lines), Some(None));
    assert_eq!(replies[5].lines, ["+CGPSXD: 0"]);
    let seen = play(transcript!("manual_network"), PLAIN).1;
    let seen: Vec<Urc> = seen.iter().map(|line| Urc::parse(line)).collect();
    let supply = |is_under, shuts_down| {
        Urc::Supply(SupplyAlarm {
            is_under,
            shuts_down,
        })
    };
    let temperature = |is_cold, shuts_down| Urc::Temperature {
        is_cold,
        shuts_down,
    };
    assert_eq!(
        seen,
        [
            Urc::TimeZone {
                offset_quarters: 32
            },
            supply(true, false),
            supply(false, false),
            supply(true, true),
            supply(false, true),
            temperature(true, false),
            temperature(false, true),
            Urc::GnssStopped,
            other("+CAGPSINFO:3122256517,12135328531,135,15052009,012749.0"),
            other("+CPING: 1,119.75.217.56,64,410,255"),
            other("+CPING: 3,4,4,0,346,444,386"),
        ]
    );
}
