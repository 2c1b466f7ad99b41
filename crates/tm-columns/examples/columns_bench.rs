//! Bytes per measurement and points per second of the codec on the standard load.
//!
//! `cargo run --release -p tm-columns --example columns_bench`

use std::hint::black_box;
use std::io::Write;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use tm_columns::cabinet::{Cabinet, measurements};
use tm_columns::{
    Batch, Dictionary, Encoder, Header, ReadingRef, SeriesKey, SourceKey, Vocabulary, decode,
    encode,
};
use tm_types::{Poll, Source};

/// TCP/IP, TLS, MQTT and PUBACK around one batch on a warm connection: an estimate.
const AROUND_BATCH: f64 = 234.0;

type Row = (u64, Source, Poll);

fn main() -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let header = Header {
        device: None,
        class: "data".into(),
        stream: "7-9f31c2d4".into(),
    };
    writeln!(
        out,
        "bytes per measurement, 600 s of the standard load, mean of seeds 1 to 10"
    )?;
    for (name, moving, period, jitter) in [
        ("still, 60 s batches", false, 60, false),
        ("moving, 60 s batches", true, 60, false),
        ("still, 10 s batches", false, 10, false),
        ("moving, 10 s batches", true, 10, false),
        (
            "still, 60 s batches, polls 0 to 5 ms late, clocks 1 ms apart",
            false,
            60,
            true,
        ),
    ] {
        let (mut alone, mut leaning, mut plain, mut batches, mut measured) = (0, 0, 0, 0, 0);
        for seed in 1..=10 {
            let rows = load(seed, moving, jitter, 1260);
            measured += rows
                .iter()
                .map(|(_, s, p)| measurements(s, p))
                .sum::<usize>();
            let mut connection = Connection::default();
            for batch in rows.chunks(period * 21 / 10) {
                alone += encode(&header, batch)?.len();
                leaning += connection.encode(&header, batch)?;
                plain += plain_rows(batch)?;
                batches += 1;
            }
        }
        let measured = f64::from(u32::try_from(measured)?);
        let (alone, leaning, plain) = (
            f64::from(u32::try_from(alone)?),
            f64::from(u32::try_from(leaning)?),
            f64::from(u32::try_from(plain)?),
        );
        let around = f64::from(batches) * AROUND_BATCH;
        writeln!(
            out,
            "{name}: {:.3} over a dictionary, announcement included ({:.0} B a batch), {:.2} with TCP/IP, TLS and MQTT (estimate); {:.3} alone ({:.0} B a batch); {:.2} plain JSON rows + gzip",
            leaning / measured,
            leaning / f64::from(batches),
            (leaning + around) / measured,
            alone / measured,
            alone / f64::from(batches),
            plain / measured,
        )?;
    }
    writeln!(out, "points per second on one core, gzip included")?;
    for n in [126, 1260, 12_600] {
        let rows = load(1, true, false, n);
        speed(&mut out, &header, &rows)?;
    }
    Ok(())
}

/// Batches as the uplink sends them on one connection.
#[derive(Default)]
struct Connection {
    encoder: Encoder,
    vocabulary: Vocabulary,
    dictionary: Option<Dictionary>,
}

impl Connection {
    /// The bytes of a batch, and of the dictionary before the first one.
    fn encode(&mut self, header: &Header, rows: &[Row]) -> anyhow::Result<usize> {
        let mut batch = Batch::new();
        for (seq, source, poll) in rows {
            batch.push_poll(*seq, source, poll)?;
        }
        let Self {
            encoder,
            vocabulary,
            dictionary,
        } = self;
        encoder.learn(&batch, vocabulary);
        let (mut announcement, mut payload) = (Vec::new(), Vec::new());
        let dictionary = dictionary.get_or_insert_with(|| {
            encoder.announce(vocabulary, header, batch.first_seq(), &mut announcement)
        });
        encoder.encode_with(dictionary, header, &batch, &mut payload);
        Ok(announcement.len() + payload.len())
    }
}

fn load(seed: u64, moving: bool, jitter: bool, n: usize) -> Vec<Row> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut rows = Vec::with_capacity(n);
    for (seq, (source, mut poll)) in (1_000_000..).zip(Cabinet::new(seed, moving).take(n)) {
        if jitter {
            let late_ms = random.u8(..=5);
            poll.stamp.time = poll.stamp.time.plus_ms(late_ms.into());
            poll.stamp.mono_ms += u64::from(late_ms) + u64::from(random.bool());
        }
        rows.push((seq, source, poll));
    }
    rows
}

/// What one JSON object per poll would come to under the same gzip.
fn plain_rows(rows: &[Row]) -> anyhow::Result<usize> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    for (_, _, poll) in rows {
        gzip.write_all(&poll.to_json())?;
        gzip.write_all(b"\n")?;
    }
    Ok(gzip.finish()?.len())
}

fn speed(out: &mut impl Write, header: &Header, rows: &[Row]) -> anyhow::Result<()> {
    let points: usize = rows.iter().map(|(_, _, poll)| poll.points.len()).sum();
    let mut batch = Batch::new();
    let keys = keys(&mut batch, rows);
    let mut encoder = Encoder::new();
    let mut payload = Vec::new();
    fill(&mut batch, rows, &keys)?;
    encoder.encode(header, &batch, &mut payload);
    let pushing = time(|| fill(&mut batch, rows, &keys))?;
    let json = time(|| {
        black_box(encoder.json(header, &batch));
        Ok(())
    })?;
    let encoding = time(|| {
        fill(&mut batch, rows, &keys)?;
        payload.clear();
        encoder.encode(header, &batch, &mut payload);
        Ok(())
    })?;
    let decoding = time(|| {
        black_box(decode(&payload)?);
        Ok(())
    })?;
    let rate = |each: Duration| {
        f64::from(u32::try_from(points).unwrap_or(u32::MAX)) / each.as_secs_f64() / 1e6
    };
    writeln!(
        out,
        "{} polls, {points} points, {} B: encode {:.2} M/s (rows to columns alone {:.1}, columns to JSON alone {:.1}), decode {:.2} M/s",
        rows.len(),
        payload.len(),
        rate(encoding),
        rate(pushing),
        rate(json),
        rate(decoding),
    )?;
    Ok(())
}

/// The keys of every row, as a caller with its own dictionary keeps them.
fn keys(batch: &mut Batch, rows: &[Row]) -> Vec<(SourceKey, Vec<SeriesKey>)> {
    let mut keys = Vec::new();
    for (_, source, poll) in rows {
        let source = batch.source(source);
        let series = poll
            .points
            .iter()
            .map(|point| batch.series(source, &point.name, point.kind, &point.unit, point.scale));
        keys.push((source, series.collect()));
    }
    keys
}

fn fill(
    batch: &mut Batch,
    rows: &[Row],
    keys: &[(SourceKey, Vec<SeriesKey>)],
) -> anyhow::Result<()> {
    batch.clear();
    for ((seq, _, poll), (source, series)) in rows.iter().zip(keys) {
        let readings = poll
            .points
            .iter()
            .map(|point| ReadingRef::from(&point.reading));
        let points = series.iter().copied().zip(readings);
        batch.push(*seq, *source, poll.sequence, poll.stamp, points)?;
    }
    Ok(())
}

/// The mean time of one call, over half a second.
fn time(mut work: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<Duration> {
    work()?;
    let (start, mut calls) = (Instant::now(), 0);
    while start.elapsed() < Duration::from_millis(500) {
        work()?;
        calls += 1;
    }
    Ok(start.elapsed() / calls)
}
