//! A recording, at the pace of its own times.

use std::collections::VecDeque;
use std::future::pending;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tm_proto::nmea0183::{Framer, Message};
use tm_service::port::{Absence, OpenError, PortEvent};
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;
use tokio::time::{Instant, sleep_until};

/// The most that is read of a file: about a day of a receiver's output.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// A recording may have gaps; this is how much of one is waited for.
const MAX_GAP: Duration = Duration::from_secs(10);
/// The pace where the times do not tell one: backwards, or after a gap.
const USUAL_GAP: Duration = Duration::from_secs(1);
/// Before a file that is not there is looked for again.
const RETRY: Duration = Duration::from_secs(10);

/// A recording that is played once.
pub(crate) struct Recording {
    path: PathBuf,
    bursts: Option<VecDeque<Burst>>,
    next: Instant,
}

/// What belongs to one time, and how long after the burst before it comes.
#[derive(Debug, PartialEq)]
struct Burst {
    after: Duration,
    bytes: Vec<u8>,
}

impl Recording {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            bursts: None,
            next: Instant::now(),
        }
    }

    /// Opened, then its bytes; nothing happens any more at its end.
    pub(super) async fn next(&mut self) -> PortEvent {
        sleep_until(self.next).await;
        let Some(bursts) = &mut self.bursts else {
            return match read(&self.path).await {
                Ok(bytes) => {
                    self.bursts = Some(cut(&bytes));
                    PortEvent::Opened(format!("file:{}", self.path.display()))
                }
                Err(error) => {
                    self.next = Instant::now() + RETRY;
                    PortEvent::Failed(failure(&error, &self.path))
                }
            };
        };
        let Some(burst) = bursts.pop_front() else {
            return pending().await;
        };
        let gap = bursts.front().map_or(Duration::ZERO, |next| next.after);
        self.next = Instant::now() + gap;
        PortEvent::Bytes(burst.bytes)
    }
}

async fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path).await?;
    file.take(MAX_BYTES).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

fn failure(error: &io::Error, path: &Path) -> OpenError {
    match error.kind() {
        io::ErrorKind::NotFound => Absence::Node(path.to_owned()).into(),
        io::ErrorKind::PermissionDenied => OpenError::Denied,
        _ => OpenError::Other(error.to_string()),
    }
}

/// Cuts before each line whose time differs from the one before.
fn cut(bytes: &[u8]) -> VecDeque<Burst> {
    let mut bursts = VecDeque::new();
    let mut burst = Burst {
        after: Duration::ZERO,
        bytes: Vec::new(),
    };
    let mut framer = Framer::default();
    let mut before = None;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        framer.feed(line);
        let mut time = None;
        while let Some(sentence) = framer.next() {
            time = Message::parse(&sentence)
                .and_then(|message| message.time())
                .or(time);
        }
        if let (Some(now), Some(then)) = (time, before)
            && now != then
        {
            let gap = now
                .checked_sub(then)
                .map(|ms| Duration::from_millis(ms.into()));
            let after = gap.filter(|gap| *gap <= MAX_GAP).unwrap_or(USUAL_GAP);
            let bytes = Vec::new();
            bursts.push_back(std::mem::replace(&mut burst, Burst { after, bytes }));
        }
        before = time.or(before);
        burst.bytes.extend(line);
    }
    bursts.push_back(burst);
    bursts
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use tm_proto::nmea0183::checksum;

    use super::*;

    fn log() -> Vec<u8> {
        let bodies = [
            "GPZDA,235959.00,31,12,2026,,",
            "GPGSV,1,1,01,12,40,100,34,1",
            "GPZDA,000001.50,01,01,2027,,",
            "GPZDA,000002.00,01,01,2027,,",
            "GPZDA,000002.00,01,01,2027,,",
            "GPZDA,010000.00,01,01,2027,,",
        ];
        let line = |body: &&str| format!("${body}*{:02X}\r\n", checksum(body.as_bytes()));
        let lines: String = bodies.iter().map(line).collect();
        format!("# a comment\n{lines}").into_bytes()
    }

    #[tokio::test(start_paused = true)]
    async fn the_pace_is_that_of_the_times() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&log()).unwrap();
        let mut recording = Recording::new(file.path().to_owned());
        let name = format!("file:{}", file.path().display());
        assert_eq!(recording.next().await, PortEvent::Opened(name));
        let started = Instant::now();
        let mut played = Vec::new();
        for (lines, ms) in [(3, 0), (1, 1000), (2, 1500), (1, 2500)] {
            let PortEvent::Bytes(bytes) = recording.next().await else {
                panic!("{played:?}")
            };
            let n_lines = bytes.split_inclusive(|byte| *byte == b'\n').count();
            assert_eq!(n_lines, lines);
            let elapsed = started.elapsed().as_millis();
            assert!((ms..ms + 10).contains(&elapsed), "{elapsed}");
            played.extend(bytes);
        }
        assert_eq!(played, log());
        let end = tokio::time::timeout(Duration::from_hours(1), recording.next());
        assert!(end.await.is_err(), "the end is silent");
    }

    #[tokio::test(start_paused = true)]
    async fn a_missing_file_is_looked_for_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut recording = Recording::new(path.clone());
        let absent = PortEvent::Failed(Absence::Node(path.clone()).into());
        assert_eq!(recording.next().await, absent);
        std::fs::write(&path, log()).unwrap();
        assert!(matches!(recording.next().await, PortEvent::Opened(_)));
    }
}
