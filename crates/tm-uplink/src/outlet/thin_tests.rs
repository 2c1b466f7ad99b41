//! Which points go out, by hand and at random, from a journal to what arrives.

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use tm_journal::{Commit, Config, Cursor, Journal, MemoryDisk};
use tm_types::{
    BootId, Clock, Kind, Point, PointName, Poll, Reading, Reason, Source, Timestamp, Unit,
};

use super::*;

const PAYLOADS: [Payload; 4] = [
    Payload::Columns,
    Payload::Json,
    Payload::Series,
    Payload::Sparkplug,
];

/// A journal of one series, and who reads it.
struct Bench {
    journal: Journal<MemoryDisk>,
    outlets: Outlets<<MemoryDisk as Disk>::File>,
    terms: Terms,
    kind: Kind,
}

impl Bench {
    fn new(kind: Kind, intervals: &str, payload: Payload) -> Self {
        let config = Config::with_quota(64 << 20);
        let journal = Journal::open(MemoryDisk::new(), config).unwrap().0;
        let outlets = Outlets::new([journal.reader(0), journal.reader(0), journal.reader(0)]);
        let terms = Terms {
            has_dictionary: false,
            device: "test".into(),
            topic_names_device: true,
            payload,
            is_ring: false,
            thinning: Thinning {
                intervals: intervals.parse().unwrap(),
                is_sparse: false,
            },
        };
        Self {
            journal,
            outlets,
            terms,
            kind,
        }
    }

    /// One poll of the source `tank`, on flash.
    fn append(&mut self, mono_ms: u64, readings: &[(&str, Reading)]) {
        let points = readings.iter().map(|(name, reading)| Point {
            name: PointName::new(name).unwrap(),
            kind: self.kind,
            unit: Unit::NONE,
            reading: reading.clone(),
            scale: None,
        });
        let poll = Poll {
            sequence: None,
            stamp: stamp(mono_ms),
            points: points.collect(),
        };
        let source = Source::new("tank").unwrap();
        self.journal.append_row(&source, &poll).unwrap();
        self.journal
            .commit(&Commit {
                cursor: &Cursor::at(0),
                write_cursor: false,
                in_flight: &[],
                app_state: &[],
            })
            .unwrap();
    }

    /// What arrives of these records: number, name, value.
    fn arrives(&mut self, records: Range<u64>) -> (Vec<(u64, String, Json)>, u64) {
        let (mut arrived, mut thinned) = (Vec::new(), 0);
        let mut at = records.start;
        while at < records.end {
            let request = Request {
                connection: 1,
                part: Part::Live,
                records: at..records.end,
            };
            let present = Present {
                terms: &self.terms,
                anchors: &Anchors::default(),
                now: stamp(1 << 40),
            };
            let outcome = self.outlets.prepare(&self.journal, &request, present);
            thinned += outcome.thinned;
            assert!(outcome.prepared.covered.end > at, "it goes on");
            at = outcome.prepared.covered.end;
            for message in outcome.prepared.messages {
                arrived.extend(points(&message.payload));
            }
        }
        (arrived, thinned)
    }
}

fn stamp(mono_ms: u64) -> Stamp {
    Stamp {
        time: Timestamp::FLOOR.plus_ms(i64::try_from(mono_ms).unwrap()),
        mono_ms,
        boot: BootId(1),
        clock: Clock::Ntp,
        err_ms: None,
    }
}

/// Number, name and value or reason of every point.
fn points(body: &Body) -> Vec<(u64, String, Json)> {
    let json = |bytes: &[u8]| serde_json::from_slice::<Json>(bytes).unwrap();
    let mut points = Vec::new();
    let mut take = |seq: u64, point: &Json| {
        let name = point["name"].as_str().unwrap().to_owned();
        let value = match point["reason"].as_str() {
            Some(reason) => json!(reason),
            None => point["value"].clone(),
        };
        points.push((seq, name, value));
    };
    let lines = match body {
        Body::Whole(payload) if payload.starts_with(b"{") => vec![json(payload)],
        Body::Whole(payload) => {
            let batch = tm_columns::decode(payload).unwrap();
            let records = batch.records.iter();
            records.map(|record| json(&batch.line(record))).collect()
        }
        Body::Parts(parts) => {
            for line in parts.iter().map(|part| json(&part.payload)) {
                take(line["seq"].as_u64().unwrap(), &line);
            }
            Vec::new()
        }
        Body::Polls(polls) => {
            for polled in polls {
                for point in &polled.poll.points {
                    take(polled.seq, &serde_json::to_value(point).unwrap());
                }
            }
            Vec::new()
        }
    };
    for line in lines {
        for point in line["points"].as_array().unwrap() {
            take(line["seq"].as_u64().unwrap(), point);
        }
    }
    points
}

/// A reading as the tables write it: a number, a truth value, a text, `!` for none, `?` for a doubtful one.
fn reading(text: &str) -> Reading {
    let value = |text: &str| match text.parse::<i64>() {
        Ok(number) => number.into(),
        Err(_) if text == "true" => true.into(),
        Err(_) => tm_types::Value::text(text).unwrap(),
    };
    match text.strip_prefix('?') {
        Some(doubtful) => Reading::Uncertain(value(doubtful), Reason::Rate),
        None if text == "!" => Reading::Missing(Reason::Timeout),
        None => Reading::Good(value(text)),
    }
}

/// One reading a second from 0 on, with windows of ten seconds; `*` marks those that arrive.
fn check(kind: Kind, table: &str) {
    for payload in PAYLOADS {
        let mut bench = Bench::new(kind, "tank/level=10", payload);
        let words: Vec<&str> = table.split_whitespace().collect();
        for (second, word) in (0..).zip(&words) {
            let level = reading(word.trim_end_matches('*'));
            bench.append(second * 1000, &[("level", level)]);
        }
        let (arrived, thinned) = bench.arrives(0..words.len() as u64);
        let arrived: Vec<usize> = arrived
            .iter()
            .map(|(seq, ..)| usize::try_from(*seq).unwrap())
            .collect();
        let marked = words.iter().enumerate();
        let marked = marked.filter(|(_, word)| word.ends_with('*'));
        let marked: Vec<usize> = marked.map(|(at, _)| at).collect();
        assert_eq!(arrived, marked, "{table}");
        let left_out = words.len() - marked.len();
        assert_eq!(thinned, left_out as u64, "{table}");
    }
}

#[test]
fn of_a_gauge_the_smallest_the_largest_and_the_last_of_each_window_arrive() {
    check(Kind::Gauge, "5 3* 4 9* 9 8 4 4 5 6* 7* 6* 7 7 7*");
    check(Kind::Gauge, "5* 5 5 5 5 5 5 5 5 5* 5* 5 5*");
    check(Kind::Gauge, "1*");
    check(Kind::Gauge, "1* 2 3 4 5 6 7 8 9 10* 11* 12*");
}

#[test]
fn every_change_of_quality_arrives_where_it_happened() {
    check(Kind::Gauge, "5 3* 4 9* !* ! ! 4* 5 6* !* ! 7* 7 7*");
    check(Kind::Gauge, "5* ?5* ?6 ?4* ?7* 5* 5 4* 6*");
}

#[test]
fn of_a_counter_the_last_arrives_and_what_it_had_reached_before_it_fell() {
    check(Kind::Counter, "1 2 3 4 5 6 7 8 9 10* 11 12 13*");
    check(Kind::Counter, "7 8 9* 0* 1 2 3*");
}

#[test]
fn conditions_and_words_arrive_once_a_window_and_when_they_change() {
    for kind in [Kind::State, Kind::Gauge] {
        check(kind, "a* a a b* b b a* a a a a* a b* true* true");
    }
    check(Kind::State, "1* 1 1 2* 2 1* 1 1 1 1 1* 1 1");
}

#[test]
fn only_what_has_an_interval_is_thinned_and_a_poll_may_lose_some_points() {
    for payload in PAYLOADS {
        let mut bench = Bench::new(Kind::Gauge, "tank/t*=10", payload);
        for second in 0..5 {
            let number = i64::try_from(second).unwrap();
            let readings = [("level", number.into()), ("temp", number.into())];
            bench.append(second * 1000, &readings);
        }
        let (arrived, thinned) = bench.arrives(0..5);
        let of = |name: &str| {
            let points = arrived.iter().filter(|(_, other, _)| other == name);
            points.map(|(seq, ..)| *seq).collect::<Vec<_>>()
        };
        assert_eq!(of("level"), [0, 1, 2, 3, 4]);
        assert_eq!(of("temp"), [0, 4]);
        assert_eq!(thinned, 3);
    }
}

#[test]
fn while_a_budget_does_not_last_all_gauges_are_thinned_to_ten_minutes() {
    for (kind, n_arrived) in [(Kind::Gauge, 4), (Kind::Counter, 20)] {
        let mut bench = Bench::new(kind, "", Payload::Columns);
        for minute in 0..20 {
            let number = i64::try_from(minute).unwrap();
            bench.append(minute * 60_000, &[("level", number.into())]);
        }
        assert_eq!(bench.arrives(0..20).0.len(), 20);
        bench.terms.thinning.is_sparse = true;
        assert_eq!(bench.arrives(0..20).0.len(), n_arrived, "{kind:?}");
    }
}

/// Backlog of an hour, far more than one batch.
#[test]
fn a_long_stretch_is_cut_into_batches_and_each_keeps_its_extremes() {
    for payload in PAYLOADS {
        let mut bench = Bench::new(Kind::Gauge, "*=600", payload);
        let n: u64 = 30_000;
        for at in 0..n {
            let number = i64::try_from(at).unwrap();
            bench.append(at * 120, &[("level", number.into())]);
        }
        let (arrived, thinned) = bench.arrives(0..n);
        assert_eq!(arrived.len() as u64 + thinned, n);
        assert!(arrived.len() < 100, "{} points", arrived.len());
        for window in 0..6 {
            let seqs = window * 5000..(window + 1) * 5000;
            let of_window = arrived.iter().filter(|(seq, ..)| seqs.contains(seq));
            let of_window: Vec<u64> = of_window.map(|(seq, ..)| *seq).collect();
            assert!(of_window.contains(&seqs.start) && of_window.contains(&(seqs.end - 1)));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// A first part arrived in an earlier batch, whose acknowledgement was lost; its records are dropped when they
    /// come again. Of every window the extremes and the last reading have arrived all the same.
    #[test]
    fn two_copies_together_have_the_extremes_of_every_window(
        polls in prop::collection::vec((0u64..4000, -5i64..5, prop::bool::weighted(0.15)), 1..60),
        cut in 0usize..60,
        payload in prop::sample::select(PAYLOADS.to_vec()),
    ) {
        let mut bench = Bench::new(Kind::Gauge, "tank/*=10", payload);
        let mut mono_ms = 0;
        let mut all = Vec::new();
        for (gap_ms, number, is_missing) in polls {
            mono_ms += gap_ms;
            let level = if is_missing { Reading::Missing(Reason::Timeout) } else { number.into() };
            bench.append(mono_ms, &[("level", level)]);
            all.push((mono_ms / 10_000, if is_missing { None } else { Some(number) }));
        }
        let (n, cut) = (all.len() as u64, cut.min(all.len()) as u64);
        let early = bench.arrives(0..cut).0;
        let late = bench.arrives(0..n).0;
        let arrived: Vec<usize> = early
            .iter()
            .chain(late.iter().filter(|(seq, ..)| *seq >= cut))
            .map(|(seq, _, value)| {
                let at = usize::try_from(*seq).unwrap();
                assert_eq!(value.as_i64(), all[at].1, "as it was measured");
                at
            })
            .collect();
        for (at, (window, number)) in all.iter().enumerate() {
            let is_last = all.get(at + 1).is_none_or(|(next, _)| next != window);
            let has_changed = at > 0 && all[at - 1].1.is_some() != number.is_some();
            if has_changed || is_last && number.is_some() {
                prop_assert!(arrived.contains(&at), "{at} of {all:?}: {arrived:?}");
            }
            let Some(number) = number else { continue };
            let of_window = || arrived.iter().map(|at| all[*at]).filter(|(other, _)| other == window);
            let numbers = || of_window().filter_map(|(_, number)| number);
            prop_assert!(numbers().min().is_some_and(|least| least <= *number));
            prop_assert!(numbers().max().is_some_and(|most| most >= *number));
        }
    }
}
