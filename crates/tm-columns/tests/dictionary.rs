//! Payloads that lean on a dictionary: the same records for fewer bytes, or a clear error.

#![expect(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

use proptest::prelude::*;
use tm_columns::cabinet::Cabinet;
use tm_columns::{
    Batch, DICTIONARY_MAX, Dictionaries, Encoder, Error, Header, Vocabulary, decode, decode_json,
};
use tm_types::{Point, PointName, Poll, Source, Unit};

fn header() -> Header {
    Header {
        device: None,
        class: "data".into(),
        stream: "7-9f31c2d4".into(),
    }
}

fn batch(seed: u64, first_seq: u64, skip: usize) -> Batch {
    let mut batch = Batch::new();
    let polls = Cabinet::new(seed, false).skip(skip).take(126);
    for (seq, (source, poll)) in (first_seq..).zip(polls) {
        batch.push_poll(seq, &source, &poll).unwrap();
    }
    batch
}

/// A batch of one poll with these series.
fn small(source: &str, names: &[&str]) -> Batch {
    let (_, like) = Cabinet::new(1, false).next().unwrap();
    let points = names
        .iter()
        .map(|name| Point::gauge(PointName::new(name).unwrap(), Unit::known("V"), 1))
        .collect();
    let mut batch = Batch::new();
    let poll = Poll { points, ..like };
    batch
        .push_poll(0, &Source::new(source).unwrap(), &poll)
        .unwrap();
    batch
}

#[test]
fn the_same_records_come_out_of_fewer_bytes() {
    let (mut encoder, mut vocabulary) = (Encoder::new(), Vocabulary::default());
    assert!(encoder.learn(&batch(1, 0, 0), &mut vocabulary));
    let (mut announcement, mut alone, mut leaning) = (Vec::new(), Vec::new(), Vec::new());
    let dictionary = encoder.announce(&vocabulary, &header(), 126, &mut announcement);
    let second = batch(1, 126, 126);
    assert!(!encoder.learn(&second, &mut vocabulary));
    encoder.encode(&header(), &second, &mut alone);
    encoder.encode_with(&dictionary, &header(), &second, &mut leaning);
    assert!(
        leaning.len() * 100 < alone.len() * 70,
        "{} of {} bytes",
        leaning.len(),
        alone.len()
    );

    let mut reader = Dictionaries::default();
    assert!(
        matches!(reader.decode(&leaning), Err(Error::Dictionary(number)) if number == dictionary.number())
    );
    let announced = reader.decode(&announcement).unwrap();
    assert_eq!((announced.first_seq, announced.records.len()), (126, 0));
    assert_eq!(reader.decode(&leaning).unwrap(), decode(&alone).unwrap());
    assert_eq!(reader.decode(&alone).unwrap(), decode(&alone).unwrap());
    assert!(decode(&leaning).is_err());
}

#[test]
fn an_announcement_is_a_batch_without_records() {
    let (mut encoder, mut vocabulary) = (Encoder::new(), Vocabulary::default());
    encoder.learn(&small("tank", &["level", "flow"]), &mut vocabulary);
    let mut payload = Vec::new();
    let dictionary = encoder.announce(&vocabulary, &header(), 9, &mut payload);
    let json = Dictionaries::default().unpack(&payload).unwrap();
    assert_eq!(json, dictionary.text());
    let start = r#"{"v":1,"dictionary":[{"source":"tank","polls":1,"run":"#;
    let end = r#""names":"level flow","units":"V V","kinds":"gg","scales":"--","values":[]}],"class":"data","stream":"7-9f31c2d4","seq":9,"n":0,"sources":[]}"#;
    let text = str::from_utf8(&json).unwrap();
    assert!(text.starts_with(start) && text.ends_with(end), "{text}");
    assert!(decode_json(&json).unwrap().records.is_empty());
    // Nothing learnt is sound too.
    let mut payload = Vec::new();
    encoder.announce(&Vocabulary::default(), &header(), 0, &mut payload);
    assert!(decode(&payload).unwrap().records.is_empty());
}

#[test]
fn only_new_names_are_news() {
    let (mut encoder, mut vocabulary) = (Encoder::new(), Vocabulary::default());
    for (source, names, is_new) in [
        ("a", &["x", "y"][..], true),
        ("a", &["y"], false),
        ("a", &["x", "y"], false),
        ("b", &["y"], true),
        ("a", &["x", "xy"], true),
        ("a", &["x"], false),
    ] {
        let found = encoder.learn(&small(source, names), &mut vocabulary);
        assert_eq!(found, is_new, "{source} {names:?}");
    }
}

#[test]
fn a_dictionary_stays_small() {
    let (mut encoder, mut vocabulary) = (Encoder::new(), Vocabulary::default());
    for i in 0..500 {
        let source = format!("source-{i}");
        assert!(encoder.learn(&small(&source, &["level"]), &mut vocabulary));
    }
    let dictionary = encoder.announce(&vocabulary, &header(), 0, &mut Vec::new());
    let text = str::from_utf8(dictionary.text()).unwrap();
    assert!(text.len() < DICTIONARY_MAX + 200, "{} bytes", text.len());
    assert!(text.contains("source-499") && !text.contains("source-0\""));
    // A source that is too large for any dictionary is no news for ever.
    let names: Vec<String> = (0..2000).map(|i| format!("series-{i:04}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert!(!encoder.learn(&small("huge", &names), &mut vocabulary));
}

proptest! {
    #[test]
    fn whatever_is_damaged_is_an_error_or_the_same(at in any::<usize>(), bit in 0_u8..8) {
        let (mut encoder, mut vocabulary) = (Encoder::new(), Vocabulary::default());
        encoder.learn(&batch(1, 0, 0), &mut vocabulary);
        let (mut announcement, mut payload) = (Vec::new(), Vec::new());
        let dictionary = encoder.announce(&vocabulary, &header(), 126, &mut announcement);
        encoder.encode_with(&dictionary, &header(), &batch(1, 126, 126), &mut payload);
        let mut reader = Dictionaries::default();
        reader.decode(&announcement).unwrap();
        let sound = reader.decode(&payload).unwrap();
        let at = at % payload.len();
        payload[at] ^= 1 << bit;
        if let Ok(decoded) = reader.decode(&payload) {
            prop_assert_eq!(decoded, sound);
        }
    }
}
