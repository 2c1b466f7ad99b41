//! The batch as its user sees it: keys, refusals, reuse.

#![expect(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

use tm_columns::cabinet::Cabinet;
use tm_columns::{
    Batch, Encoder, Header, POINTS_MAX, PushError, RECORDS_MAX, ReadingRef, SeriesKey, SourceKey,
    ValueRef, decode,
};
use tm_types::{BootId, Clock, Kind, PointName, Poll, Source, Stamp, Timestamp, Unit, Value};

const STAMP: Stamp = Stamp {
    time: Timestamp::EPOCH,
    mono_ms: 0,
    boot: BootId(1),
    clock: Clock::None,
    err_ms: None,
};

fn one_series(batch: &mut Batch, source: &str) -> (SourceKey, SeriesKey) {
    let source = batch.source(&Source::new(source).unwrap());
    let name = PointName::new("a").unwrap();
    let series = batch.series(source, &name, Kind::Gauge, &Unit::NONE, None);
    (source, series)
}

fn payload(batch: &Batch) -> Vec<u8> {
    let mut payload = Vec::new();
    Encoder::new().encode(&Header::default(), batch, &mut payload);
    payload
}

#[test]
fn a_refused_record_leaves_no_trace() {
    let mut batch = Batch::new();
    let (x, x_a) = one_series(&mut batch, "x");
    let (y, y_a) = one_series(&mut batch, "y");
    let text = || ReadingRef::Good(ValueRef::Text("some text"));
    batch.push(5, x, None, STAMP, [(x_a, text())]).unwrap();
    let before = payload(&batch);
    let pushed = batch.push(7, x, None, STAMP, [(x_a, text())]);
    let (expected, got) = (6, 7);
    assert_eq!(pushed, Err(PushError::NotContiguous { expected, got }));
    let pushed = batch.push(6, y, None, STAMP, [(y_a, text()), (x_a, text())]);
    assert_eq!(pushed, Err(PushError::WrongSource));
    let endless = std::iter::repeat((x_a, text()));
    let pushed = batch.push(6, x, None, STAMP, endless);
    assert_eq!(pushed, Err(PushError::TooLarge));
    assert_eq!(payload(&batch), before);
    assert_eq!((batch.records(), batch.points()), (1, 1));
    batch.push(6, y, None, STAMP, [(y_a, text())]).unwrap();
    assert_eq!(batch.next_seq(), Some(7));
}

#[test]
fn a_full_batch_can_still_be_decoded() {
    let mut batch = Batch::new();
    let (source, series) = one_series(&mut batch, "x");
    let long = "\u{1}".repeat(64);
    let values = [
        ValueRef::Text(&long),
        ValueRef::Bool(true),
        ValueRef::Number(tm_types::Number::Float(-f64::MIN_POSITIVE)),
    ];
    for n in [1, 3000] {
        batch.clear();
        let mut seq = 0;
        loop {
            let points = values.iter().cycle().skip(seq % 3).take(n);
            let points = points.map(|value| (series, ReadingRef::Good(*value)));
            match batch.push(seq as u64, source, None, STAMP, points) {
                Ok(()) => seq += 1,
                Err(error) => {
                    assert_eq!(error, PushError::Full);
                    break;
                }
            }
        }
        assert!(batch.records() <= RECORDS_MAX && batch.points() <= POINTS_MAX);
        assert!(seq > 0);
        let decoded = decode(&payload(&batch)).unwrap();
        assert_eq!(decoded.records.len(), batch.records());
    }
}

#[test]
fn a_batch_and_its_keys_are_used_again() {
    let rows: Vec<(Source, Poll)> = Cabinet::new(9, true).take(252).collect();
    let mut kept = Batch::new();
    let mut encoder = Encoder::new();
    for rows in [
        &rows[100..],
        &rows[..50],
        &rows[50..],
        &rows[..1],
        &rows[..0],
    ] {
        let mut fresh = Batch::new();
        kept.clear();
        for (seq, (source, poll)) in (0..).zip(rows) {
            kept.push_poll(seq, source, poll).unwrap();
            fresh.push_poll(seq, source, poll).unwrap();
        }
        let mut payload = Vec::new();
        encoder.encode(&Header::default(), &kept, &mut payload);
        assert_eq!(payload, self::payload(&fresh));
    }
    assert_eq!(kept.known_series(), 24);
}

#[test]
fn the_same_name_with_another_unit_is_another_series() {
    let mut batch = Batch::new();
    let (source, first) = one_series(&mut batch, "x");
    let name = PointName::new("a").unwrap();
    let unit = Unit::new("V").unwrap();
    let keys = [
        batch.series(source, &name, Kind::Gauge, &Unit::NONE, None),
        batch.series(source, &name, Kind::Gauge, &Unit::NONE, Some(99)),
        batch.series(source, &name, Kind::Gauge, &unit, None),
        batch.series(source, &name, Kind::State, &Unit::NONE, None),
        batch.series(source, &name, Kind::Gauge, &Unit::NONE, Some(0)),
    ];
    assert_eq!(keys[..2], [first, first]);
    for (i, key) in keys.iter().enumerate().skip(2) {
        assert!(!keys[..i].contains(key));
    }
    let value = Value::from(3);
    let points = keys.map(|key| (key, ReadingRef::Good(ValueRef::from(&value))));
    batch.push(0, source, None, STAMP, points).unwrap();
    let decoded = decode(&payload(&batch)).unwrap();
    assert_eq!(decoded.records[0].poll.points.len(), 5);
}
