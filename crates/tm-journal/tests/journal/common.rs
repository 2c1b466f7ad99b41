//! What the tests of the journal share: polls, and a journal with its rules, driven as the uplink drives them.

use tm_journal::{Commit, Config, Cursor, Disk, Journal, Reader};
use tm_types::{
    BootId, Clock, Kind, Point, Poll, Reading, RunId, Sequence, Source, Stamp, Timestamp, Unit,
    Value,
};

/// Small segments, so that a short run sees many.
pub(crate) fn small() -> Config {
    Config {
        quota_bytes: 400 * 1024,
        segment_bytes: 32 * 1024,
        memory_bytes: 64 * 1024,
    }
}

pub(crate) fn source() -> Source {
    Source::new("sensors").unwrap()
}

/// Poll `n` with `points` decimals that tell it apart from every other.
pub(crate) fn poll(n: u64, points: usize) -> Poll {
    let stamp = Stamp {
        time: Timestamp::of_unix_ms(1_790_000_000_000 + 1000 * n.cast_signed()),
        mono_ms: 5_000 + 1000 * n,
        boot: BootId(0x00c0_ffee),
        clock: Clock::Ntp,
        err_ms: Some(12),
    };
    let point = |index: usize| Point {
        name: format!("temp-{index}").parse().unwrap(),
        kind: Kind::Gauge,
        unit: Unit::new("Cel").unwrap(),
        reading: Reading::Good(
            Value::decimal(n.cast_signed() * 100 + i64::try_from(index).unwrap(), 2).unwrap(),
        ),
        scale: Some(2),
    };
    Poll {
        sequence: Some(Sequence { run: RunId(7), n }),
        stamp,
        points: (0..points).map(point).collect(),
    }
}

/// A commit that knows nothing but the cursor.
pub(crate) fn plain(cursor: &Cursor) -> Commit<'_> {
    Commit {
        cursor,
        write_cursor: false,
        in_flight: &[],
        app_state: &[],
    }
}

/// Every record that can be read from `from` on: number, stream, and the poll's own number.
pub(crate) fn read_all<D: Disk>(journal: &Journal<D>, from: u64) -> Vec<(u64, String, u64)> {
    let mut reader: Reader<D::File> = journal.reader(from);
    let mut all = Vec::new();
    while journal.read(&mut reader).unwrap() {
        for record in reader.records() {
            let row = record.row().expect("a row whose definitions are there");
            let n = row.sequence.unwrap().n;
            let points = row.points().count();
            assert_eq!(
                row.to_poll().unwrap(),
                poll(n, points),
                "record {} is what was appended",
                record.seq
            );
            assert_eq!(usize::from(record.points), points);
            all.push((record.seq, reader.stream().to_string(), n));
        }
    }
    all
}
