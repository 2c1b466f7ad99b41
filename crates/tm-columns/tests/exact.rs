//! What goes in comes out, bit for bit, whatever it is.

#![expect(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

use proptest::prelude::*;
use tm_columns::{Header, cabinet::Cabinet, decode, encode};
use tm_types::{
    BootId, Clock, Decimal, Kind, Number, Point, PointName, Poll, Quality, Reading, Reason, RunId,
    Sequence, Source, Stamp, Text, Timestamp, Unit, Value,
};

type Row = (u64, Source, Poll);

fn check(header: &Header, rows: &[Row]) {
    let decoded = decode(&encode(header, rows).unwrap()).unwrap();
    assert_eq!(decoded.header, *header);
    assert_eq!(decoded.first_seq, rows.first().map_or(0, |(seq, ..)| *seq));
    let records: Vec<Row> = decoded
        .records
        .into_iter()
        .map(|record| (record.seq, record.source, record.poll))
        .collect();
    assert_eq!(records, rows);
}

fn header() -> Header {
    Header {
        device: None,
        class: "data".into(),
        stream: "7-9f31c2d4".into(),
    }
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => (-500i64..500, 0u8..4).prop_map(|(units, scale)| Value::decimal(units, scale).unwrap()),
        1 => (-999_999_999_999_999i64..=999_999_999_999_999, 0u8..=15)
            .prop_map(|(units, scale)| Value::decimal(units, scale).unwrap()),
        1 => any::<i64>().prop_map(|units| Value::Number(Number::Decimal(Decimal::integer(units)))),
        1 => any::<u64>()
            .prop_filter_map("finite", |bits| Value::of_f64(f64::from_bits(bits)).ok()),
        1 => prop::sample::select(vec![-0.0, 1e15, 1e300, 5e-324, 0.1 + 0.2, 1e-7])
            .prop_map(|value| Value::of_f64(value).unwrap()),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => number(),
        1 => any::<bool>().prop_map(Value::Bool),
        1 => "\\PC{0,12}".prop_filter_map("text", |text| Text::new(&text).ok().map(Value::Text)),
        1 => prop::sample::select(vec!["", "ok", "двері \"відчинено\"", "\u{0}\\\u{7f}", "扉は開", "null", "1.5", "😀"])
            .prop_map(|text| Value::text(text).unwrap()),
    ]
}

fn reading(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Reading> {
    let reason = prop::sample::select(Reason::ALL.to_vec());
    let quality = prop_oneof![
        12 => Just(Quality::Good),
        1 => Just(Quality::Uncertain),
        1 => Just(Quality::Bad),
    ];
    (prop::option::weighted(0.9, value), quality, reason)
        .prop_map(|(value, quality, why)| Reading::of_parts(value, quality, Some(why)))
}

/// Few series, so that columns grow; also the same name with another kind, unit or scale.
fn point() -> impl Strategy<Value = Point> {
    let name = prop::sample::select(vec![
        "a",
        "b",
        "dc-voltage",
        "1/rsrp",
        "a-long-name-of-more-than-24-letters",
    ]);
    let unit = prop::sample::select(vec!["", "", "V", "%RH", "\"\\"]);
    let kind = prop::sample::select(vec![Kind::Gauge, Kind::Gauge, Kind::Counter, Kind::State]);
    let scale = prop::sample::select(vec![None, Some(0), Some(3), Some(15)]);
    (name, unit, kind, scale, reading(value())).prop_map(|(name, unit, kind, scale, reading)| {
        Point {
            name: PointName::new(name).unwrap(),
            kind,
            unit: Unit::new(unit).unwrap(),
            reading,
            scale,
        }
    })
}

fn stamp() -> impl Strategy<Value = Stamp> {
    const TEN_YEARS_MS: i64 = 315_569_520_000;
    let time = prop_oneof![
        6 => (0i64..600_000).prop_map(|ms| 1_790_000_000_000 + ms),
        1 => (-1i64..=1).prop_map(|step| 1_790_000_000_000 + step * TEN_YEARS_MS),
        1 => any::<i64>(),
    ];
    let mono = prop_oneof![6 => 0u64..1_000_000, 1 => any::<u64>()];
    let boot = prop::sample::select(vec![0x00c0_ffeeu32, 0x1234_5678, u32::MAX]);
    let clock = prop::sample::select(Clock::ALL.to_vec());
    (time, mono, boot, clock, prop::option::of(any::<u32>())).prop_map(
        |(time, mono_ms, boot, clock, err_ms)| Stamp {
            time: Timestamp::of_unix_ms(time),
            mono_ms,
            boot: BootId(boot),
            clock,
            err_ms,
        },
    )
}

fn poll() -> impl Strategy<Value = Poll> {
    let run = prop::sample::select(vec![1u32, 0xffff_0000]);
    let n = prop_oneof![4 => 0u64..100, 1 => any::<u64>()];
    let sequence = prop::option::weighted(0.8, (run, n))
        .prop_map(|s| s.map(|(run, n)| Sequence { run: RunId(run), n }));
    (sequence, stamp(), prop::collection::vec(point(), 0..6)).prop_map(
        |(sequence, stamp, points)| Poll {
            sequence,
            stamp,
            points,
        },
    )
}

fn rows(first: u64, polls: Vec<(&str, Poll)>) -> Vec<Row> {
    (first..)
        .zip(polls)
        .map(|(seq, (source, poll))| (seq, Source::new(source).unwrap(), poll))
        .collect()
}

/// A source as ours are: regular but for some steps, its points mostly the same.
fn regular() -> impl Strategy<Value = Vec<Poll>> {
    let series = prop::collection::vec((point(), number(), -3i64..=3), 1..5);
    let jitter = prop::collection::vec((-3i64..=3, 0usize..20), 1..80);
    (series, jitter, stamp(), any::<u32>(), any::<u32>()).prop_map(
        |(series, jitter, first, run, n)| {
            let mut polls = Vec::new();
            for (i, (late, without)) in (0..).zip(jitter) {
                let ms = i * 1000 + late;
                let mut points = Vec::new();
                for (place, (point, base, slope)) in series.iter().enumerate() {
                    let mut point = point.clone();
                    if let Value::Number(Number::Decimal(decimal)) = base {
                        let units = decimal.units().saturating_add(slope * i + late);
                        let value = Value::decimal(units, decimal.scale());
                        point.reading = value.map_or(point.reading, Reading::Good);
                    }
                    if place != without {
                        points.push(point);
                    }
                }
                let n = u64::from(n) + i.cast_unsigned();
                polls.push(Poll {
                    sequence: Some(Sequence { run: RunId(run), n }),
                    stamp: Stamp {
                        time: first.time.plus_ms(ms),
                        mono_ms: first.mono_ms.saturating_add_signed(ms),
                        ..first
                    },
                    points,
                });
            }
            polls
        },
    )
}

proptest! {
    #[test]
    fn anything(
        polls in prop::collection::vec((prop::sample::select(vec!["modem", "gnss", "x"]), poll()), 0..40),
        device in prop::option::of("\\PC{0,20}"),
        first in prop_oneof![0u64..1000, any::<u64>().prop_map(|seq| seq.saturating_sub(100))],
    ) {
        check(&Header { device, ..header() }, &rows(first, polls));
    }

    #[test]
    fn one_series_of_anything(values in prop::collection::vec(reading(value()), 1..60), stamp in stamp()) {
        let polls = values.into_iter().map(|reading| {
            let point = Point::gauge(PointName::new("a").unwrap(), Unit::NONE, reading);
            ("modem", Poll { sequence: None, stamp, points: vec![point] })
        });
        check(&header(), &rows(1, polls.collect()));
    }

    #[test]
    fn regular_sources(one in regular(), two in regular(), merge in prop::collection::vec(any::<bool>(), 0..160)) {
        let (mut one, mut two) = (one.into_iter(), two.into_iter());
        let mut polls = Vec::new();
        for first in merge {
            let (name, poll) = if first { ("one", one.next()) } else { ("two", two.next()) };
            polls.extend(poll.map(|poll| (name, poll)));
        }
        check(&header(), &rows(7, polls));
    }
}

#[test]
fn the_standard_load() {
    for moving in [false, true] {
        let rows: Vec<Row> = (1000..)
            .zip(Cabinet::new(7, moving).take(5000))
            .map(|(seq, (source, poll))| (seq, source, poll))
            .collect();
        check(&header(), &rows);
    }
}

#[test]
fn nothing_at_all() {
    check(&header(), &[]);
}

#[test]
fn the_clock_stepped_by_ten_years_and_back() {
    let mut polls: Vec<_> = Cabinet::new(3, false).take(60).collect();
    for (i, (_, poll)) in polls.iter_mut().enumerate() {
        let years = [0, 10, -10, 0][i / 15];
        poll.stamp.time = poll.stamp.time.plus_ms(years * 31_556_952_000);
        if i >= 45 {
            poll.stamp.boot = BootId(1);
            poll.stamp.mono_ms = 1000 + i as u64;
            poll.stamp.clock = Clock::Restored;
        }
    }
    let rows: Vec<Row> = (0..).zip(polls).map(|(seq, (s, p))| (seq, s, p)).collect();
    check(&header(), &rows);
}
