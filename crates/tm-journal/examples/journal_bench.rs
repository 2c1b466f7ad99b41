//! Measures a journal on the disk under a directory: `journal_bench [DIRECTORY] [SECONDS]`.
//!
//! The stream is the standard load of a cabinet: ten sensors and a fix every second, a modem report every ten.
#![expect(clippy::print_stdout, reason = "a table is what it is for")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tm_journal::{AppendError, Commit, Config, Cursor, Disk, Journal, RealDisk};
use tm_types::{
    BootId, Clock, Kind, Point, Poll, Reading, RunId, Sequence, Source, Stamp, Timestamp, Unit,
    Value,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Name, unit, scale, start, largest step.
const SENSORS: [(&str, &str, u8, i64, i64); 10] = [
    ("temp-intake", "Cel", 2, 2200, 3),
    ("temp-exhaust", "Cel", 2, 3100, 4),
    ("temp-psu", "Cel", 1, 440, 1),
    ("humidity", "%RH", 1, 470, 1),
    ("pressure", "hPa", 2, 101_320, 3),
    ("mains", "V", 1, 2304, 3),
    ("dc-voltage", "V", 3, 48_012, 3),
    ("dc-current", "A", 3, 1534, 20),
    ("vibration", "m/s2", 3, 21, 3),
    ("door", "/", 0, 0, 0),
];
const FIX: [(&str, &str, u8, i64, i64); 7] = [
    ("latitude", "lat", 7, 489_226_336, 8),
    ("longitude", "lon", 7, 247_103_188, 11),
    ("altitude", "m", 1, 2440, 2),
    ("speed", "m/s", 3, 30, 20),
    ("course", "deg", 1, 0, 0),
    ("hdop", "/", 2, 63, 1),
    ("satellites", "/", 0, 17, 1),
];
const MODEM: [(&str, &str, u8, i64, i64); 7] = [
    ("rsrp", "dBm", 0, -97, 1),
    ("rsrq", "dB", 0, -11, 1),
    ("sinr", "dB", 0, 9, 1),
    ("rssi", "dBm", 0, -68, 1),
    ("cell", "/", 0, 0x01a2_b301, 0),
    ("band", "/", 0, 20, 0),
    ("tac", "/", 0, 2041, 0),
];

/// One publisher of the cabinet.
struct Publisher {
    source: Source,
    poll: Poll,
    units: Vec<i64>,
    series: &'static [(&'static str, &'static str, u8, i64, i64)],
    late_ms: i64,
}

impl Publisher {
    fn new(
        source: &str,
        series: &'static [(&'static str, &'static str, u8, i64, i64)],
        late_ms: i64,
    ) -> Result<Self> {
        let stamp = Stamp {
            time: Timestamp::of_unix_ms(0),
            mono_ms: 0,
            boot: BootId(0x5f1c_20aa),
            clock: Clock::Ntp,
            err_ms: Some(12),
        };
        let mut points = Vec::new();
        for (name, unit, scale, start, _) in series {
            points.push(Point {
                name: name.parse()?,
                kind: Kind::Gauge,
                unit: Unit::new(unit)?,
                reading: Reading::Good(Value::decimal(*start, *scale)?),
                scale: Some(*scale),
            });
        }
        let poll = Poll {
            sequence: Some(Sequence {
                run: RunId(0x00c0_ffee),
                n: 0,
            }),
            stamp,
            points,
        };
        let units = series.iter().map(|series| series.3).collect();
        Ok(Self {
            source: Source::new(source)?,
            poll,
            units,
            series,
            late_ms,
        })
    }

    fn poll_at(&mut self, second: u64, random: &mut fastrand::Rng) -> Result<()> {
        let ms = 1000 * second;
        self.poll.stamp.time =
            Timestamp::of_unix_ms(1_790_000_000_000 + ms.cast_signed() + self.late_ms);
        self.poll.stamp.mono_ms = 86_400_000 + ms;
        if let Some(sequence) = &mut self.poll.sequence {
            sequence.n += 1;
        }
        for ((point, units), (_, _, scale, _, step)) in self
            .poll
            .points
            .iter_mut()
            .zip(&mut self.units)
            .zip(self.series)
        {
            *units += random.i64(-step..=*step);
            point.reading = Reading::Good(Value::decimal(*units, *scale)?);
        }
        Ok(())
    }
}

struct Cabinet {
    publishers: [Publisher; 3],
    second: u64,
    random: fastrand::Rng,
}

impl Cabinet {
    fn new() -> Result<Self> {
        let publishers = [
            Publisher::new("sensors", &SENSORS, 3)?,
            Publisher::new("gnss", &FIX, 400)?,
            Publisher::new("modem", &MODEM, 700)?,
        ];
        Ok(Self {
            publishers,
            second: 0,
            random: fastrand::Rng::with_seed(42),
        })
    }

    /// Appends one second; returns its points.
    fn append<D: Disk>(&mut self, journal: &mut Journal<D>) -> Result<u64> {
        self.second += 1;
        let mut points = 0;
        for (index, publisher) in self.publishers.iter_mut().enumerate() {
            if index == 2 && !self.second.is_multiple_of(10) {
                continue;
            }
            publisher.poll_at(self.second, &mut self.random)?;
            journal.append_row(&publisher.source, &publisher.poll)?;
            points += publisher.poll.points.len() as u64;
        }
        Ok(points)
    }
}

fn commit<D: Disk>(journal: &mut Journal<D>, write_cursor: bool) -> Result<()> {
    let cursor = Cursor::default();
    let state = [7; 200];
    journal.commit(&Commit {
        cursor: &cursor,
        write_cursor,
        in_flight: &[],
        app_state: &state,
    })?;
    Ok(())
}

fn open(directory: &Path, quota_bytes: u64) -> Result<Journal<RealDisk>> {
    Ok(Journal::open(RealDisk::open(directory)?, Config::with_quota(quota_bytes))?.0)
}

/// Bytes this process has made the kernel write: counted when memory becomes dirty, in whole folios,
/// which on newer kernels are larger than what is written in the end.
fn process_bytes() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/self/io")?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("write_bytes: "))
        .ok_or("no write_bytes in /proc/self/io")?;
    Ok(line.parse()?)
}

/// Bytes written to the block device that holds `path`, by everybody.
fn device_bytes(path: &Path) -> Option<(String, u64)> {
    use std::os::unix::fs::MetadataExt;
    let number = std::fs::metadata(path).ok()?.dev();
    // The layout of dev_t as glibc and musl have it.
    let (major, minor) = (
        (number >> 8) & 0xfff,
        (number & 0xff) | ((number >> 12) & 0xfff00),
    );
    let device = format!("/sys/dev/block/{major}:{minor}");
    let stat = std::fs::read_to_string(format!("{device}/stat")).ok()?;
    let sectors: u64 = stat.split_whitespace().nth(6)?.parse().ok()?;
    let name = std::fs::read_link(&device)
        .ok()?
        .file_name()?
        .to_string_lossy()
        .into_owned();
    Some((name, sectors * 512))
}

fn row(what: &str, figure: &str) {
    println!("{what:<58} {figure:>22}");
}

/// Real-time commits of the standard load, one a second.
fn small_commits(directory: &Path, seconds: u64) -> Result<()> {
    let mut journal = open(directory, 1 << 30)?;
    let mut cabinet = Cabinet::new()?;
    // The segments of the first minutes are small and grow: not what a day looks like.
    while journal.disk_bytes() < 8 << 20 {
        while journal.buffered_bytes() < 100_000 {
            cabinet.append(&mut journal)?;
        }
        commit(&mut journal, false)?;
    }
    rustix::fs::sync();
    std::thread::sleep(Duration::from_secs(6));
    let (process, device) = (process_bytes()?, device_bytes(directory));
    let (mut encoded, mut points, mut longest) = (0, 0, Duration::ZERO);
    let start = Instant::now();
    for second in 1..=seconds {
        points += cabinet.append(&mut journal)?;
        encoded += journal.buffered_bytes();
        let begun = Instant::now();
        commit(&mut journal, second % 10 == 0)?;
        longest = longest.max(begun.elapsed());
        std::thread::sleep(Duration::from_secs(second).saturating_sub(start.elapsed()));
    }
    std::thread::sleep(Duration::from_secs(6));
    let per_commit = |bytes: u64| format!("{:.2} KiB", bytes as f64 / seconds as f64 / 1024.0);
    println!("-- {seconds} commits, one a second, the cursor in every tenth");
    row(
        "record bytes a point, heads included",
        &format!("{:.2} B", encoded as f64 / points as f64),
    );
    row(
        "a commit makes dirty, /proc/self/io write_bytes (folios)",
        &per_commit(process_bytes()? - process),
    );
    if let (Some((name, before)), Some((_, after))) = (device, device_bytes(directory)) {
        row(
            &format!("a commit writes, /sys/block/{name}/stat (everybody's)"),
            &per_commit(after - before),
        );
    }
    // A segment's bytes are written once more, as zeros, when it is made: as many as its commits take.
    let zeros = encoded as f64 / seconds as f64 + 36.0;
    row(
        "a new segment's zeros, shared out over its commits",
        &format!("{zeros:.0} B"),
    );
    row("longest commit", &format!("{longest:.1?}"));
    Ok(())
}

/// As fast as it goes: the rule's 256 KiB a commit.
fn fill(directory: &Path, bytes: u64) -> Result<()> {
    let mut journal = open(directory, 4 << 30)?;
    let mut cabinet = Cabinet::new()?;
    let (mut points, mut commits) = (0, 0);
    let mut encoding = Duration::ZERO;
    let start = Instant::now();
    while journal.disk_bytes() < bytes {
        let begun = Instant::now();
        while journal.buffered_bytes() < 256 * 1024 {
            points += cabinet.append(&mut journal)?;
        }
        encoding += begun.elapsed();
        commit(&mut journal, commits % 10 == 0)?;
        commits += 1;
    }
    let all = start.elapsed();
    println!("-- {} MiB in commits of 256 KiB", bytes >> 20);
    row(
        "appended and durable",
        &format!("{:.2} M points/s", points as f64 / all.as_secs_f64() / 1e6),
    );
    row(
        "the part of making up and encoding the polls",
        &format!(
            "{:.2} M points/s",
            points as f64 / encoding.as_secs_f64() / 1e6
        ),
    );
    row(
        "a commit of 256 KiB, segments included",
        &format!("{:.1?}", all.saturating_sub(encoding) / commits),
    );
    Ok(())
}

fn forget_cache(directory: &Path) -> Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let file = std::fs::File::open(entry?.path())?;
        file.sync_all()?;
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
    }
    Ok(())
}

fn recover_and_drain(directory: &Path) -> Result<()> {
    forget_cache(directory)?;
    let start = Instant::now();
    let journal = open(directory, 4 << 30)?;
    let cold = start.elapsed();
    let (bytes, segments) = (journal.disk_bytes(), journal.segments());
    drop(journal);
    let start = Instant::now();
    let journal = open(directory, 4 << 30)?;
    let warm = start.elapsed();
    println!("-- opening {} MiB in {segments} segments", bytes >> 20);
    row(
        "recovery, page cache dropped / warm",
        &format!("{cold:.1?} / {warm:.1?}"),
    );
    let pending = journal.pending(&Cursor::default());
    let mut reader = journal.reader(0);
    let (mut records, mut points, mut sum) = (0_u64, 0_u64, 0_i64);
    let start = Instant::now();
    while journal.read(&mut reader)? {
        for record in reader.records() {
            let row = record.row().ok_or("a row that cannot be read")?;
            for point in row.points() {
                let point = point.ok_or("a point that cannot be read")?;
                if let Reading::Good(Value::Number(number)) = point.reading {
                    sum = sum.wrapping_add(number.to_f64().to_bits().cast_signed());
                }
                points += 1;
            }
            records += 1;
        }
    }
    let all = start.elapsed();
    row(
        "read and decoded, every point",
        &format!("{:.2} M points/s", points as f64 / all.as_secs_f64() / 1e6),
    );
    row("records, points", &format!("{records}, {points}"));
    if (records, points) != (pending.records, pending.points) {
        return Err(format!("the headers say {pending:?} (checksum {sum})").into());
    }
    Ok(())
}

/// One message, one commit: what the disk can do.
fn single_commits(directory: &Path) -> Result<()> {
    let mut journal = open(directory, 1 << 30)?;
    let mut cabinet = Cabinet::new()?;
    let start = Instant::now();
    let mut commits = 0;
    while start.elapsed() < Duration::from_secs(3) {
        cabinet.append(&mut journal).or_else(|error| {
            match error.downcast_ref::<AppendError>() {
                Some(AppendError::Full { .. }) => Ok(0),
                _ => Err(error),
            }
        })?;
        commit(&mut journal, false)?;
        commits += 1;
    }
    println!("-- commits as fast as the disk takes them");
    row(
        "commits",
        &format!(
            "{:.0} /s",
            f64::from(commits) / start.elapsed().as_secs_f64()
        ),
    );
    Ok(())
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let base = arguments
        .next()
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let seconds = arguments.next().map_or(Ok(20), |text| text.parse())?;
    let directory = base.join(format!("journal-bench-{}", std::process::id()));
    let result = single_commits(&directory.join("single"))
        .and_then(|()| fill(&directory.join("large"), 1 << 30))
        .and_then(|()| recover_and_drain(&directory.join("large")))
        .and_then(|()| small_commits(&directory.join("small"), seconds));
    std::fs::remove_dir_all(&directory)?;
    result
}
