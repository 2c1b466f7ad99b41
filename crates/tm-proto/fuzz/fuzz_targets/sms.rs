//! Messages and service codes: any PDU, any words, any text to send.
//!
//! Held: nothing panics; what is written is read as it was, whatever the text; parts never lose their bound.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use tm_proto::{
    sim7600::{Urc, Ussd},
    sms::{self, Assembler, Incoming, SubmitError},
};

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02X}")).collect()
}

/// What a service centre makes of a message of ours: the sender and a time instead of receiver and validity.
fn relayed(submit: &sms::Submit) -> String {
    let pdu = &submit.pdu_hex;
    assert_eq!(pdu.len(), 2 + submit.tpdu_length * 2);
    let first = u8::from_str_radix(&pdu[2..4], 16).unwrap();
    let n_digits = usize::from_str_radix(&pdu[6..8], 16).unwrap();
    let end = 6 + 4 + n_digits.div_ceil(2) * 2;
    let (address, coding, data) = (&pdu[6..end], &pdu[end..end + 4], &pdu[end + 6..]);
    // Behind the length: what a network takes at most (TS 23.040, 9.2.3.16).
    assert!(data.len() / 2 - 1 <= 140, "{pdu}");
    format!(
        "00{:02X}{address}{coding}62115212000080{data}",
        first & 0x40
    )
}

fn there_and_back(to: &str, text: &str, reference: u8) {
    let messages = match sms::submit(to, text, reference & 1 == 1, reference) {
        Ok(messages) => messages,
        Err(SubmitError::TooLong { n_parts }) => return assert!(n_parts > sms::MAX_PARTS),
        Err(SubmitError::Address) => return,
    };
    assert!((1..=sms::MAX_PARTS).contains(&messages.len()));
    let mut assembler = Assembler::new(1);
    let mut read = Vec::new();
    for message in messages.iter().rev() {
        assert_eq!(sms::decode(&message.pdu_hex), Ok(Incoming::Other));
        let Ok(Incoming::Deliver(part)) = sms::decode(&relayed(message)) else {
            panic!("{}", message.pdu_hex)
        };
        read.extend(assembler.push(part, (), Duration::ZERO));
    }
    assert_eq!(read.len(), 1);
    assert_eq!(read[0].text, text);
}

fuzz_target!(|data: &[u8]| {
    let [choice, rest @ ..] = data else {
        return;
    };
    let text = String::from_utf8_lossy(rest);
    match choice % 5 {
        0 => there_and_back("+380501112233", &text, *choice),
        1 => there_and_back(&text, "x", *choice),
        2 => {
            for words in [text.to_string(), hex(rest)] {
                for scheme in [15, 17, 72, 148] {
                    let line = format!("+CUSD: 0,\"{words}\",{scheme}");
                    if let Some(ussd) = Ussd::parse(&line) {
                        // A PDU's or line's length bounds its text: three octets for each of 8/7 characters.
                        assert!(ussd.text.is_none_or(|text| text.len() <= words.len() * 4));
                    }
                }
            }
            Urc::parse(&text);
            let _ = sms::decode(&text);
        }
        // PDUs of a stream, each behind its length: parts of all orders.
        3 => {
            let mut assembler = Assembler::new(3);
            let mut rest = rest;
            let mut now = Duration::ZERO;
            let mut count = 0_usize;
            let mut taken = 0_usize;
            while let [length, tail @ ..] = rest {
                let (pdu, tail) = tail.split_at(usize::from(*length).min(tail.len()));
                rest = tail;
                now += Duration::from_secs(1);
                // One sender and time, so that parts meet.
                let pdu = format!("004004812143{}", hex(pdu));
                if let Ok(Incoming::Deliver(part)) = sms::decode(&pdu) {
                    count += 1;
                    for whole in assembler.push(part, count, now) {
                        taken += whole.parts.len();
                    }
                }
                assert!(assembler.n_open() <= 3);
            }
            for given_up in assembler.take_incomplete(now, Duration::ZERO) {
                assert!(!given_up.missing.is_empty());
                taken += given_up.parts.len();
            }
            assert_eq!(assembler.n_open(), 0);
            // Copies beyond the bound are forgotten; nothing is told twice.
            assert!(taken <= count);
        }
        _ => {
            let _ = sms::decode(&hex(rest));
            if let Ok(Incoming::Deliver(part)) = sms::decode(&format!("00{}", hex(rest))) {
                assert!(
                    part.part
                        .is_none_or(|part| (1..=part.total).contains(&part.number))
                );
                assert!(part.text.len() <= rest.len() * 4);
            }
        }
    }
});
