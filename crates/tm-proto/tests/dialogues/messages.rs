//! Messages, service codes, calls.

use tm_proto::{
    at::Failure,
    sim7600::{self, Urc, Ussd, UssdStatus},
    sms::{self, DeliveryStatus, Incoming},
};

use crate::player::{replies, transcript, urcs};

fn other(line: &str) -> Urc {
    Urc::Other(line.to_owned())
}

#[test]
fn a_message_is_written_at_the_prompt() {
    let replies = replies(transcript!("prompt"));
    assert_eq!(sim7600::message_reference(&replies[0].lines), Some(46));
    assert!(matches!(
        &replies[1].outcome,
        Err(Failure::Cms { code: Some(331), text }) if text == "no network service"
    ));
    assert_eq!(sim7600::message_reference(&replies[2].lines), Some(47));
    let seen = urcs(transcript!("prompt"));
    let [Urc::DeliveryReport { pdu }] = seen.as_slice() else {
        panic!("{seen:?}")
    };
    let Ok(Incoming::StatusReport(report)) = sms::decode(pdu) else {
        panic!("{pdu}")
    };
    assert_eq!(
        (report.reference, report.status, report.recipient.as_str()),
        (47, DeliveryStatus::Delivered, "+46708251358")
    );
}

#[test]
fn service_codes() {
    let replies = replies(transcript!("service_codes"));
    assert_eq!(replies[2].outcome.as_ref().unwrap_err().cme(), Some(31));
    let ussd = |status, text: Option<&str>| {
        Urc::Ussd(Ussd {
            status,
            text: text.map(str::to_owned),
        })
    };
    assert_eq!(
        urcs(transcript!("service_codes")),
        [
            ussd(UssdStatus::Done, Some("Баланс")),
            ussd(UssdStatus::Ended, None),
            ussd(UssdStatus::Menu, Some("1. Balans\n2. Tarif")),
        ]
    );
}

#[test]
fn text_mode_and_a_call() {
    let replies = replies(transcript!("messages_and_calls"));
    assert_eq!(
        sim7600::signal_quality(&replies[0].lines).unwrap().rssi_dbm,
        Some(-81)
    );
    assert_eq!(replies[2].lines.len(), 6, "three headers and three texts");
    assert_eq!(
        sim7600::stored_messages(&replies[2].lines),
        [],
        "text mode is not PDU mode"
    );
    assert!(replies[3].ok().is_ok() && replies[4].ok().is_ok());
    let stored = Urc::Message {
        storage: "SM".to_owned(),
        index: Some(2),
    };
    assert_eq!(
        urcs(transcript!("messages_and_calls")),
        [
            stored,
            other("VOICE CALL: BEGIN"),
            other("+RXDTMF: 1"),
            other("VOICE CALL: END: 000352"),
            other("NO CARRIER"),
            other("MISSED_CALL: 08:48AM +27830000000"),
        ]
    );
}

#[test]
fn lines_about_calls() {
    replies(transcript!("calls"));
    assert_eq!(
        urcs(transcript!("calls")),
        [
            other("VOICE CALL: BEGIN"),
            other("VOICE CALL: END: 000041"),
            other("MISSED_CALL: 11:01AM 07712345678"),
            other("+CRING: VOICE"),
            other("+RXDTMF: 8"),
            other("^CIEV: 1,0"),
            other("+CLCC: 1,1,0,0,0,\"123456789\",161"),
        ]
    );
}
