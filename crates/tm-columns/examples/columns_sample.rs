//! Writes payloads (`NAME.json.gz`), the dictionaries that some lean on (`NAME.dictionary.gz`) and what this decoder
//! makes of them (`NAME.jsonl`).
//!
//! `cargo run -p tm-columns --example columns_sample -- DIRECTORY`; the stage `columns-decoder`
//! of the continuous integration compares the lines with those of `docs/columns_decode.py`.

use std::fs;
use std::path::Path;

use anyhow::Context;
use fastrand::Rng;
use tm_columns::cabinet::Cabinet;
use tm_columns::{Batch, Encoder, Header, Vocabulary, decode, encode};
use tm_types::{
    BootId, Clock, Decimal, Kind, Number, Point, PointName, Poll, Quality, Reading, Reason, RunId,
    Sequence, Source, Stamp, Timestamp, Unit, Value,
};

type Row = (u64, Source, Poll);

fn main() -> anyhow::Result<()> {
    let directory = std::env::args().nth(1).context("name a directory")?;
    let directory = Path::new(&directory);
    fs::create_dir_all(directory)?;
    write(directory, "empty", 0, &[])?;
    for (name, moving) in [("still", false), ("moving", true)] {
        let rows = number(1_000_000, Cabinet::new(42, moving).take(126).collect());
        write(directory, name, 0, &rows)?;
    }
    for seed in 0..40 {
        let mut random = Rng::with_seed(seed);
        let polls = (0..random.usize(1..60))
            .map(|i| odd(&mut random, i))
            .collect();
        let rows = number((1 << 53) - 20 + seed, polls);
        write(directory, &format!("odd-{seed:02}"), seed, &rows)?;
    }
    Ok(())
}

fn number(first: u64, polls: Vec<(Source, Poll)>) -> Vec<Row> {
    (first..)
        .zip(polls)
        .map(|(seq, (source, poll))| (seq, source, poll))
        .collect()
}

fn write(directory: &Path, name: &str, seed: u64, rows: &[Row]) -> anyhow::Result<()> {
    let header = Header {
        device: (!seed.is_multiple_of(2)).then(|| "шафа 7".to_owned()),
        class: "data".to_owned(),
        stream: "7-9f31c2d4".to_owned(),
    };
    let payload = encode(&header, rows)?;
    let decoded = decode(&payload)?;
    let mut lines = Vec::new();
    for record in &decoded.records {
        lines.extend_from_slice(&decoded.line(record));
        lines.push(b'\n');
    }
    let file = |name: &str, ending| directory.join(format!("{name}.{ending}"));
    fs::write(file(name, "json.gz"), payload)?;
    fs::write(file(name, "jsonl"), &lines)?;
    // The same, leaning on a dictionary of its first half.
    let (mut encoder, mut vocabulary, mut batch) =
        (Encoder::new(), Vocabulary::default(), Batch::new());
    let half = rows.len() / 2;
    for (i, (seq, source, poll)) in rows.iter().enumerate() {
        if i == half {
            encoder.learn(&batch, &mut vocabulary);
        }
        batch.push_poll(*seq, source, poll)?;
    }
    let (mut announcement, mut payload) = (Vec::new(), Vec::new());
    let dictionary = encoder.announce(&vocabulary, &header, batch.first_seq(), &mut announcement);
    encoder.encode_with(&dictionary, &header, &batch, &mut payload);
    let name = format!("{name}-leaning");
    fs::write(file(&name, "dictionary.gz"), announcement)?;
    fs::write(file(&name, "json.gz"), payload)?;
    fs::write(file(&name, "jsonl"), &lines)?;
    Ok(())
}

/// A poll with anything in it that the vocabulary allows.
fn odd(random: &mut Rng, i: usize) -> (Source, Poll) {
    let source = pick(random, &["modem", "gnss", "third-party"]);
    let years = [0, 0, 0, 10, -10, 7000, -1500][random.usize(..7)];
    let elapsed_ms = i64::try_from(i).unwrap_or(0) * 1000 + random.i64(-2..=2);
    let stamp = Stamp {
        time: Timestamp::of_unix_ms(1_790_000_000_000 + elapsed_ms + years * 31_556_952_000),
        mono_ms: [elapsed_ms.unsigned_abs(), u64::MAX - 7][usize::from(random.u8(..9) == 0)],
        boot: BootId([0x00c0_ffee, 1][usize::from(random.u8(..5) == 0)]),
        clock: Clock::ALL[random.usize(..3) * random.usize(..4)],
        err_ms: [Some(12), Some(random.u32(..)), None][random.usize(..3)],
    };
    let sequence = (random.u8(..5) > 0).then(|| Sequence {
        run: RunId(random.u32(..2)),
        n: [i as u64, random.u64(..)][usize::from(random.u8(..9) == 0)],
    });
    let points = (0..random.usize(..5)).map(|_| point(random)).collect();
    let source = Source::new(source).expect("a name");
    let poll = Poll {
        sequence,
        stamp,
        points,
    };
    (source, poll)
}

fn point(random: &mut Rng) -> Point {
    let name = pick(random, &["a", "b", "1/rsrp", "c", "d"]);
    let value = match name {
        "a" | "1/rsrp" => Value::decimal(random.i64(-300..300), random.u8(..3)).ok(),
        "b" => Some(i64::from(random.i32(..)).into()),
        "c" => Some(random.bool().into()),
        _ => anything(random),
    };
    let why = Reason::ALL[random.usize(..Reason::ALL.len())];
    let quality = [Quality::Good, Quality::Uncertain, Quality::Bad];
    let quality = quality[random.usize(..3) * random.usize(..2)];
    let value = value.filter(|_| random.u8(..9) > 0);
    Point {
        name: PointName::new(name).expect("a name"),
        kind: [Kind::Gauge, Kind::Counter, Kind::State][random.usize(..4) / 2],
        unit: Unit::new(pick(random, &["", "V", "%RH", "\"\\"])).expect("a unit"),
        reading: Reading::of_parts(value, quality, Some(why)),
        scale: [None, Some(0), Some(2), Some(15)][random.usize(..4)],
    }
}

fn anything(random: &mut Rng) -> Option<Value> {
    match random.u8(..5) {
        0 => Value::of_f64(f64::from_bits(random.u64(..))).ok(),
        1 => Some(Value::Number(Number::Decimal(Decimal::integer(
            random.i64(..),
        )))),
        2 => Value::text(pick(random, &["", "двері", "\"\\\u{1}", "扉😀", "1.5"])).ok(),
        3 => Value::of_f64([-0.0, 1e15, 1e300, 5e-324, 0.1 + 0.2][random.usize(..5)]).ok(),
        _ => Value::decimal(
            random.i64(-999_999_999_999_999..=999_999_999_999_999),
            random.u8(..=15),
        )
        .ok(),
    }
}

fn pick<'a>(random: &mut Rng, texts: &[&'a str]) -> &'a str {
    texts[random.usize(..texts.len())]
}
