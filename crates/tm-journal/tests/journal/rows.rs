//! Rows are exact in every bit, small, and survive hostile names.

use crate::common::{plain, small, source};
use proptest::prelude::*;
use tm_journal::{Cursor, Dictionary, Journal, MemoryDisk, Row};
use tm_types::{
    BootId, Clock, Decimal, Kind, Number, Point, Poll, Reading, Reason, RunId, Sequence, Source,
    Stamp, Text, Timestamp, Unit, Value,
};

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::from),
        (-999_999_999_999_999_i64..=999_999_999_999_999, 0_u8..=15)
            .prop_map(|(units, scale)| Value::decimal(units, scale).unwrap()),
        any::<u64>()
            .prop_map(f64::from_bits)
            .prop_filter("finite", |float| float.is_finite())
            .prop_map(|float| Value::of_f64(float).unwrap()),
        // A float may also stand where a decimal could.
        Just(Value::Number(Number::Float(21.5))),
        Just(Value::Number(Number::Float(-0.0))),
        Just(Value::Number(Number::Decimal(Decimal::integer(i64::MIN)))),
        any::<bool>().prop_map(Value::Bool),
        "\\PC{0,64}"
            .prop_filter_map("a text", |text| Text::new(&text).ok())
            .prop_map(Value::Text),
    ]
}

fn reading() -> impl Strategy<Value = Reading> {
    let reason = (0..Reason::ALL.len()).prop_map(|index| Reason::ALL[index]);
    (value(), reason, 0..6).prop_map(|(value, reason, form)| match form {
        0 => Reading::Uncertain(value, reason),
        1 => Reading::Bad(value, reason),
        2 => Reading::Missing(reason),
        _ => Reading::Good(value),
    })
}

fn point() -> impl Strategy<Value = Point> {
    let kind = prop_oneof![Just(Kind::Gauge), Just(Kind::Counter), Just(Kind::State)];
    let unit = prop_oneof!["[!-~]{0,16}", Just("Cel".to_owned())];
    (
        "[a-c]{1,2}(/[a-z0-9-]{1,20})?",
        kind,
        unit,
        reading(),
        prop::option::of(any::<u8>()),
    )
        .prop_map(|(name, kind, unit, reading, scale)| Point {
            name: name.parse().unwrap(),
            kind,
            unit: Unit::new(&unit).unwrap(),
            reading,
            scale,
        })
}

fn poll() -> impl Strategy<Value = Poll> {
    let sequence = prop::option::of(
        (0_u32..3, any::<u64>()).prop_map(|(run, n)| Sequence { run: RunId(run), n }),
    );
    let clock = (0..Clock::ALL.len()).prop_map(|index| Clock::ALL[index]);
    let stamp = (
        any::<i64>(),
        any::<u64>(),
        0_u32..3,
        clock,
        prop::option::of(any::<u32>()),
    )
        .prop_map(|(time, mono_ms, boot, clock, err_ms)| Stamp {
            time: Timestamp::of_unix_ms(time),
            mono_ms,
            boot: BootId(boot),
            clock,
            err_ms,
        });
    (sequence, stamp, prop::collection::vec(point(), 0..12)).prop_map(
        |(sequence, stamp, points)| Poll {
            sequence,
            stamp,
            points,
        },
    )
}

proptest! {
    #[test]
    fn what_goes_in_comes_out(polls in prop::collection::vec((0_u8..3, poll()), 1..20), chunk in 1_usize..8) {
        let disk = MemoryDisk::new();
        let (mut journal, _) = Journal::open(disk.clone(), small()).unwrap();
        let sources = ["gnss", "modem", "a-foreign-one"].map(|name| Source::new(name).unwrap());
        for part in polls.chunks(chunk) {
            for (source, poll) in part {
                journal.append_row(&sources[usize::from(*source)], poll).unwrap();
            }
            journal.commit(&plain(&Cursor::default())).unwrap();
        }
        for journal in [journal, Journal::open(disk.copy(), small()).unwrap().0] {
            let mut reader = journal.reader(0);
            let mut expected = polls.iter();
            while journal.read(&mut reader).unwrap() {
                for record in reader.records() {
                    let (source, poll) = expected.next().unwrap();
                    let row = record.row().unwrap();
                    prop_assert_eq!(&row.source, &sources[usize::from(*source)]);
                    prop_assert_eq!(&row.to_poll().unwrap(), poll);
                    prop_assert_eq!(usize::from(record.points), poll.points.len());
                }
            }
            prop_assert!(expected.next().is_none());
        }
    }

    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Some(row) = Row::decode(&bytes, &Dictionary::default()) {
            let _ = row.to_poll();
        }
        // Through a dictionary that knows names, so that the points are reached as well.
        let disk = MemoryDisk::new();
        let (mut journal, _) = Journal::open(disk, small()).unwrap();
        journal.append_row(&source(), &crate::common::poll(0, 3)).unwrap();
        journal.commit(&plain(&Cursor::default())).unwrap();
        let mut reader = journal.reader(0);
        journal.read(&mut reader).unwrap();
        let mut payload = vec![1];
        payload.extend(&bytes);
        if let Some(row) = Row::decode(&payload, reader.dictionary()) {
            prop_assert!(row.points().count() <= bytes.len());
        }
    }
}

#[test]
fn a_point_takes_a_few_bytes() {
    let (mut journal, _) = Journal::open(MemoryDisk::new(), small()).unwrap();
    for n in 0..100 {
        journal
            .append_row(&source(), &crate::common::poll(n, 10))
            .unwrap();
    }
    let per_point = journal.buffered_bytes() / 1000;
    assert!((3..=6).contains(&per_point), "{per_point}");
}

#[test]
fn more_names_than_a_dictionary_takes_are_no_error() {
    let disk = MemoryDisk::new();
    let (mut journal, _) = Journal::open(disk.clone(), small()).unwrap();
    let polls: Vec<Poll> = (0..2000_u64)
        .map(|n| {
            let mut poll = crate::common::poll(n, 4);
            for (index, point) in poll.points.iter_mut().enumerate() {
                point.name = format!("hostile-{n}-{index}").parse().unwrap();
            }
            poll.sequence = Some(Sequence {
                run: RunId(u32::try_from(n).unwrap()),
                n,
            });
            poll
        })
        .collect();
    for part in polls.chunks(20) {
        for poll in part {
            journal.append_row(&source(), poll).unwrap();
        }
        journal.commit(&plain(&Cursor::default())).unwrap();
    }
    let (_, recovered) = Journal::open(disk.copy(), small()).unwrap();
    let first = recovered.cursor.low();
    let mut expected = polls[usize::try_from(first).unwrap()..].iter();
    let mut reader = journal.reader(first);
    let mut inline = 0;
    while journal.read(&mut reader).unwrap() {
        for record in reader.records() {
            let row = record.row().unwrap();
            inline += row
                .points()
                .filter(|point| point.as_ref().unwrap().id.is_none())
                .count();
            assert_eq!(&row.to_poll().unwrap(), expected.next().unwrap());
        }
    }
    assert!(expected.next().is_none());
    assert!(
        inline > 0 && inline < 8000,
        "some names stood in the rows, and fresh dictionaries began: {inline}"
    );
}
