//! Messages of others, messages of ours, and parts in any order.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::Duration;

use proptest::prelude::*;
use tm_proto::sms::{
    self, Assembler, DecodeError, Deliver, DeliveryStatus, Incoming, Part, SubmitError,
};

fn deliver(pdu: &str) -> Deliver {
    match sms::decode(pdu) {
        Ok(Incoming::Deliver(deliver)) => deliver,
        other => panic!("{pdu} gave {other:?}"),
    }
}

/// What a service centre makes of a message of ours: the sender and a time instead of receiver and validity.
fn relayed(submit: &sms::Submit) -> String {
    let pdu = &submit.pdu_hex;
    assert_eq!(pdu.len(), 2 + submit.tpdu_length * 2);
    let first = u8::from_str_radix(&pdu[2..4], 16).unwrap();
    let n_digits = usize::from_str_radix(&pdu[6..8], 16).unwrap();
    let address_end = 6 + 4 + n_digits.div_ceil(2) * 2;
    let address = &pdu[6..address_end];
    let coding = &pdu[address_end..address_end + 4];
    let data = &pdu[address_end + 6..];
    format!(
        "00{:02X}{address}{coding}62115212000080{data}",
        first & 0x40
    )
}

#[test]
fn messages_of_others() {
    // PDU, sender, text, time.
    let table = [
        // The example of many textbooks: service centre +27381000015, 1999-03-29 15:16:59 UTC+2.
        (
            "07917283010010F5040BC87238880900F10000993092516195800AE8329BFD4697D9EC37",
            "27838890001",
            "hellohello",
            Some(922_713_419),
        ),
        // A name as sender, UCS2, UTC+2.
        (
            "0004\
             0ED0\
             CB7CDA3EA787E5\
             00086211521200008008041F044004380432",
            "Kyivstar",
            "Прив",
            Some(1_795_633_200),
        ),
    ];
    for (pdu, from, text, sent_unix_s) in table {
        let read = deliver(pdu);
        assert_eq!((read.text.as_str(), read.sent_unix_s), (text, sent_unix_s));
        assert_eq!(read.from, from);
        assert_eq!((read.part, read.is_binary), (None, false));
    }
}

#[test]
fn what_the_coding_says() {
    let with = |coding: &str, data: &str| format!("000404812143{coding}62115212000080{data}");
    // Protocol and data coding, length and user data; text, class, binary, waiting, silent.
    for (coding, data, text, class, is_binary, is_waiting, is_silent) in [
        ("0004", "03616263", "abc", None, true, false, false),
        ("0004", "030102FF", "0102FF", None, true, false, false),
        ("00F5", "03616263", "abc", Some(1), true, false, false),
        ("0018", "020416", "Ж", Some(0), false, false, false),
        ("0010", "0161", "a", Some(0), false, false, false),
        ("00C8", "0161", "a", None, false, true, false),
        ("00E8", "020416", "Ж", None, false, true, false),
        ("4000", "00", "", None, false, false, true),
        // An odd octet behind the last unit, a lone surrogate.
        ("0008", "03041604", "Ж", None, false, false, false),
        ("0008", "02D83D", "\u{fffd}", None, false, false, false),
    ] {
        let read = deliver(&with(coding, data));
        assert_eq!(
            (read.text.as_str(), read.class, read.is_binary),
            (text, class, is_binary),
            "{coding} {data}"
        );
        assert_eq!(
            (read.is_waiting_notice, read.is_silent),
            (is_waiting, is_silent),
            "{coding} {data}"
        );
        assert_eq!(read.from, "1234");
    }
}

#[test]
fn what_cannot_be_read() {
    use DecodeError::{Compressed, Header, NotHex, TooLong, Truncated};
    let good = "000404812143000062115212000080";
    for (pdu, error) in [
        (String::new(), Truncated("service centre")),
        ("0".to_owned(), NotHex),
        ("zz".to_owned(), NotHex),
        ("00".repeat(513), TooLong),
        ("07".to_owned(), Truncated("service centre")),
        ("00".to_owned(), Truncated("first octet")),
        ("0004".to_owned(), Truncated("sender")),
        ("0004FF81".to_owned(), Truncated("sender")),
        (good.to_owned(), Truncated("length")),
        (format!("{good}05E8"), Truncated("user data")),
        ("00040481214300206211521200008000".to_owned(), Compressed),
        ("00440481214300006211521200008000".to_owned(), Header),
        ("004404812143000062115212000080020500".to_owned(), Header),
        ("0006".to_owned(), Truncated("status report")),
    ] {
        assert_eq!(sms::decode(&pdu), Err(error), "{pdu}");
    }
    let ours = sms::submit("1", "x", false, 0).unwrap();
    assert_eq!(sms::decode(&ours[0].pdu_hex), Ok(Incoming::Other));
}

#[test]
fn the_networks_word_on_a_message() {
    // Reference 46, +380501112233, taken 21:00:00 and delivered 21:00:07 at UTC+2.
    let report = |status: &str| {
        format!("00062E0C91835010112233 62115212000080 62115212007080 {status}").replace(' ', "")
    };
    for (status, expected) in [
        ("00", DeliveryStatus::Delivered),
        ("30", DeliveryStatus::Trying(0x30)),
        ("46", DeliveryStatus::Failed(0x46)),
        // Optional parameters behind it.
        ("00FF0000", DeliveryStatus::Delivered),
    ] {
        let pdu = report(status);
        let Ok(Incoming::StatusReport(read)) = sms::decode(&pdu) else {
            panic!("{pdu}")
        };
        assert_eq!((read.reference, read.status), (46, expected));
        assert_eq!(read.recipient, "+380501112233");
        assert_eq!(read.accepted_unix_s, Some(1_795_633_200));
        assert_eq!(read.discharged_unix_s, Some(1_795_633_207));
        assert!(!format!("{read:?}").contains("38050"));
    }
}

#[test]
fn parts_in_any_order_with_copies() {
    let text: String = "Відчинено двері шафи 12. ".repeat(8);
    let messages = sms::submit("+380501112233", &text, true, 7).unwrap();
    assert_eq!(messages.len(), 3);
    let parts: Vec<Deliver> = messages.iter().map(|m| deliver(&relayed(m))).collect();
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]] {
        let mut assembler = Assembler::new(4);
        let mut finished = Vec::new();
        for (count, index) in order.iter().enumerate() {
            // Each is listed twice; the same place is the same place, a copy is another one.
            for place in [index + 10, index + 10, index + 20] {
                if count < 2 || place < 20 {
                    let part = parts[*index].clone();
                    finished.extend(assembler.push(part, place, Duration::ZERO));
                }
                if !finished.is_empty() {
                    break;
                }
            }
        }
        let [whole] = finished.as_slice() else {
            panic!("{finished:?}")
        };
        assert_eq!(whole.text, text);
        assert_eq!(whole.from, "+380501112233");
        assert_eq!(whole.missing, []);
        assert_eq!(whole.parts.len(), 5, "{order:?}");
        assert_eq!(assembler.n_open(), 0);
        assert!(!format!("{whole:?}").contains("шафи"));
    }
}

#[test]
fn texts_that_stay_incomplete() {
    let seconds = Duration::from_secs;
    let part = |reference, text: &str, number: usize| {
        let messages = sms::submit("111", text, false, reference).unwrap();
        deliver(&relayed(&messages[number]))
    };
    let text = "a".repeat(200);
    let mut assembler = Assembler::new(2);
    assert_eq!(assembler.push(part(1, &text, 1), 1, seconds(10)), []);
    assert_eq!(assembler.push(part(2, &text, 0), 2, seconds(20)), []);
    assert_eq!(assembler.take_incomplete(seconds(60), seconds(60)), []);
    // A third one drives out the oldest.
    let given_up = assembler.push(part(3, &text, 0), 3, seconds(30));
    assert_eq!(given_up.len(), 1);
    assert_eq!(
        (given_up[0].text.as_str(), given_up[0].parts.as_slice()),
        ("a".repeat(47).as_str(), &[1][..])
    );
    assert_eq!(given_up[0].missing, [1]);
    // The reference has come round: the same place in another text.
    let given_up = assembler.push(part(2, &"b".repeat(200), 0), 4, seconds(40));
    assert_eq!(
        (given_up[0].parts.as_slice(), assembler.n_open()),
        (&[2][..], 2)
    );
    let late = assembler.take_incomplete(seconds(90), seconds(60));
    assert_eq!(late.len(), 1);
    assert_eq!(
        (late[0].parts.as_slice(), late[0].missing.as_slice()),
        (&[3][..], &[2][..])
    );
    // Going on with what is left still works.
    let whole = assembler.push(part(2, &"b".repeat(200), 1), 5, seconds(95));
    assert_eq!(
        (whole[0].text.len(), whole[0].parts.as_slice()),
        (200, &[4, 5][..])
    );
}

#[test]
fn a_pair_cut_by_another_sender_is_joined() {
    // UCS2, an emoji cut between two parts; then the escape and its follower.
    let part = |coding: &str, data: &str, number: u8| {
        format!("00440481214300{coding}62115212000080{data}")
            .replace("NN", &format!("{number:02X}"))
    };
    let mut assembler = Assembler::new(1);
    let first = deliver(&part("08", "0A0500030702NN0416D83D", 1));
    assert_eq!(
        first.part,
        Some(Part {
            reference: 7,
            total: 2,
            number: 1
        })
    );
    assert_eq!(assembler.push(first, (), Duration::ZERO), []);
    let second = deliver(&part("08", "080500030702NNDE00", 2));
    assert_eq!(assembler.push(second, (), Duration::ZERO)[0].text, "Ж😀");
    // Seven septets of header, then 0x1B in bits 1 to 7, and 0x65.
    let first = deliver(&part("00", "080500030702NN36", 1));
    assembler.push(first, (), Duration::ZERO);
    let second = deliver(&part("00", "080500030702NNCA", 2));
    assert_eq!(assembler.push(second, (), Duration::ZERO)[0].text, "€");
}

fn any_text() -> impl Strategy<Value = String> {
    let gsm = proptest::sample::select(
        "@£$Δ \n\rÄ¿àabcXYZ019€[]{}~^|\\"
            .chars()
            .collect::<Vec<_>>(),
    );
    let ukrainian = proptest::sample::select(
        "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя’ 😀🏠№—"
            .chars()
            .collect::<Vec<_>>(),
    );
    prop_oneof![
        proptest::collection::vec(gsm, 0..1600).prop_map(String::from_iter),
        proptest::collection::vec(ukrainian, 0..700).prop_map(String::from_iter),
        proptest::collection::vec(any::<char>(), 0..300).prop_map(String::from_iter),
    ]
}

proptest! {
    #[test]
    fn what_was_written_is_read(text in any_text(), reference in any::<u8>(), wants_report in any::<bool>()) {
        match sms::submit("+380501112233", &text, wants_report, reference) {
            Err(SubmitError::TooLong { n_parts }) => prop_assert!(n_parts > 10),
            Err(error) => prop_assert!(false, "{error}"),
            Ok(messages) => {
                let mut assembler = Assembler::new(1);
                let mut finished = Vec::new();
                for message in messages.iter().rev() {
                    prop_assert!(message.tpdu_length <= 14 + 140);
                    let read = deliver(&relayed(message));
                    let is_whole = !read.text.contains('\u{fffd}') || text.contains('\u{fffd}');
                    prop_assert!(is_whole, "a pair was cut");
                    finished.extend(assembler.push(read, (), Duration::ZERO));
                }
                prop_assert_eq!(finished.len(), 1);
                prop_assert_eq!(&finished[0].text, &text);
            }
        }
    }

    #[test]
    fn nothing_panics(hex in "([0-9a-fA-F]{2}){0,200}", text in "\\PC{0,40}") {
        let _ = sms::decode(&hex);
        let _ = sms::decode(&format!("00{hex}"));
        let _ = sms::decode(&format!("0040{hex}"));
        let _ = sms::decode(&text);
        let _ = sms::submit(&text, &text, true, 0);
    }
}
