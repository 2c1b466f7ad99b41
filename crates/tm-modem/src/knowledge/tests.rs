//! Answers of the manual and of transcripts, folded in one by one.

use tm_proto::at::{Channel, Output};

use super::*;

/// Puts a question to a module that answers `text`.
fn answer(knowledge: &mut Knowledge, ask: Ask, text: &str) {
    let mut channel = Channel::default();
    channel.start(ask.command(None).unwrap()).unwrap();
    channel.feed(text.replace('\n', "\r\n").as_bytes());
    while let Some(output) = channel.next() {
        if let Output::Reply(reply) = output {
            knowledge.on_reply(ask, &reply);
            return;
        }
    }
    panic!("{text} is no answer to {ask:?}");
}

#[test]
fn an_lte_cell_is_folded_in() {
    let mut known = Knowledge::new();
    answer(
        &mut known,
        Ask::ServingCell,
        "\n+CPSI: LTE,Online,255-01,0x8502,22274571,143,EUTRAN-BAND3,1650,5,5,-98,-892,-591,12\n\nOK\n",
    );
    answer(&mut known, Ask::SignalQuality, "\n+CSQ: 27,99\n\nOK\n");
    answer(&mut known, Ask::RegistrationLte, "\n+CEREG: 0,1\n\nOK\n");
    answer(
        &mut known,
        Ask::Operator,
        "\n+COPS: 0,0,\"Vodafone UA\",7\n\nOK\n",
    );
    answer(&mut known, Ask::Temperature, "\n+CPMUTEMP: -7\n\nOK\n");
    answer(&mut known, Ask::Supply, "\n+CBC: 3.891V\n\nOK\n");
    assert_eq!(
        known.levels,
        Levels {
            rssi: Ok(-59),
            rsrp: Ok(-89.2),
            rsrq: Ok(-9.8),
            sinr: Ok(12.0),
            temperature: Ok(-7.0),
            supply: Ok(3.891),
            cell: Ok(22_274_571),
        }
    );
    assert_eq!(
        known.registration,
        Registration {
            status: RegistrationStatus::Home,
            operator: Some("Vodafone UA".to_owned()),
            plmn: Some("255-01".to_owned()),
            technology: Some("lte".to_owned()),
            reject_cause: None,
        }
    );
    let cell = known.cell.unwrap();
    assert_eq!(
        (cell.enb, cell.pci, cell.band.as_deref()),
        (Some(87_010), Some(143), Some("EUTRAN-BAND3"))
    );
}

#[test]
fn what_is_missing_says_why() {
    let mut known = Knowledge::new();
    let cases = [
        ("\n+CPSI: NO SERVICE,Online\n\nOK\n", Reason::NotPresent),
        (
            "\n+CPSI: GSM,Online,460-00,0x182d,12401,27 EGSM 900,-64,2110,42-42\n\nOK\n",
            Reason::NotPresent,
        ),
        ("\n+CPSI: LTE,Online,250-20\n\nOK\n", Reason::BadReply),
        ("\nERROR\n", Reason::Refused),
    ];
    for (text, why) in cases {
        answer(&mut known, Ask::ServingCell, text);
        assert_eq!(known.levels.rsrp, Err(why), "{text}");
    }
    answer(&mut known, Ask::SignalQuality, "\n+CSQ: 99,99\n\nOK\n");
    assert_eq!(known.levels.rssi, Err(Reason::NotPresent));
    answer(&mut known, Ask::Supply, "\n+CBC: 0.013V\n\nOK\n");
    assert_eq!(known.levels.supply, Err(Reason::BadReply));
    known.on_timeout(Ask::Supply);
    assert_eq!(known.levels.supply, Err(Reason::Timeout));
}

#[test]
fn registration_is_judged_by_lte_then_by_the_packet_domain() {
    let cases = [
        ("1", None, RegistrationStatus::Home),
        ("5", Some("0"), RegistrationStatus::Roaming),
        ("0", Some("1"), RegistrationStatus::Home),
        ("2", Some("0"), RegistrationStatus::Searching),
        ("2", Some("3"), RegistrationStatus::Denied),
        ("0", Some("0"), RegistrationStatus::Idle),
        ("4", Some("4"), RegistrationStatus::Unknown),
        ("6", Some("0"), RegistrationStatus::EmergencyOnly),
    ];
    for (lte, packet, expected) in cases {
        let mut known = Knowledge::new();
        answer(
            &mut known,
            Ask::RegistrationLte,
            &format!("\n+CEREG: 0,{lte}\n\nOK\n"),
        );
        if let Some(packet) = packet {
            answer(
                &mut known,
                Ask::RegistrationPs,
                &format!("\n+CGREG: 0,{packet}\n\nOK\n"),
            );
        }
        assert_eq!(known.registration.status, expected, "{lte} {packet:?}");
    }
}

#[test]
fn a_camped_cell_without_rights_is_for_emergencies() {
    let mut known = Knowledge::new();
    answer(&mut known, Ask::RegistrationLte, "\n+CEREG: 0,2\n\nOK\n");
    answer(
        &mut known,
        Ask::ServingCell,
        "\n+CPSI: LTE-LIMITED,Online,255-01,0x8502,22274571,143,EUTRAN-BAND3,1650,5,5,-98,-892,-591,12\n\nOK\n",
    );
    assert_eq!(known.registration.status, RegistrationStatus::EmergencyOnly);
    answer(
        &mut known,
        Ask::ServingCell,
        "\n+CPSI: NO SERVICE,Online\n\nOK\n",
    );
    assert_eq!(known.registration.status, RegistrationStatus::Searching);
}

#[test]
fn a_card_that_is_pulled_takes_its_numbers_along() {
    let mut known = Knowledge::new();
    answer(&mut known, Ask::Sim, "\n+CPIN: READY\n\nOK\n");
    answer(
        &mut known,
        Ask::Iccid,
        "\n+ICCID: 8938003991234567890F\n\nOK\n",
    );
    answer(&mut known, Ask::Imsi, "\n255011234567890\n\nOK\n");
    assert_eq!(known.sim.iccid.as_deref(), Some("8938003991234567890"));
    assert_eq!(known.sim.imsi.as_deref(), Some("255011234567890"));
    answer(&mut known, Ask::Sim, "\n+CME ERROR: SIM not inserted\n");
    assert_eq!(
        known.sim,
        Sim {
            status: SimStatus::Absent,
            ..Sim::default()
        }
    );
}

#[test]
fn the_firmware_is_the_revision() {
    let mut known = Knowledge::new();
    answer(
        &mut known,
        Ask::Identity,
        "\nManufacturer: SIMCOM INCORPORATED\nModel: SIMCOM_SIM7600G-H\nRevision: SIM7600G_V2.0.2\n\
         IMEI: 860000000000001\n+GCAP: +CGSM\n\nOK\n",
    );
    answer(
        &mut known,
        Ask::Revision,
        "\n+CGMR: LE20B04SIM7600G22\n\nOK\n",
    );
    let identity = known.identity;
    assert_eq!(identity.model.as_deref(), Some("SIM7600G-H"));
    assert_eq!(identity.revision.as_deref(), Some("LE20B04SIM7600G22"));
    assert_eq!(identity.imei.as_deref(), Some("860000000000001"));
}
