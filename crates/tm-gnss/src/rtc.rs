//! The machine's own clock chip, where there is one: read through sysfs, without a device node.

use std::path::PathBuf;
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Interval, MissedTickBehavior, interval};

/// Seconds since 1970, UTC. The kernel refuses it when the chip says that it stood still.
const FILE: &str = "/sys/class/rtc/rtc0/since_epoch";
/// Between two readings the monotonic clock goes on.
const PERIOD: Duration = Duration::from_mins(10);

/// Reads it from time to time.
#[derive(Debug)]
pub(crate) struct Rtc {
    file: PathBuf,
    due: Interval,
    reading: Option<JoinHandle<Option<i64>>>,
}

impl Rtc {
    pub(crate) fn new() -> Self {
        Self::at(FILE.into())
    }

    fn at(file: PathBuf) -> Self {
        let mut due = interval(PERIOD);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            file,
            due,
            reading: None,
        }
    }

    /// The next reading, when it is due; nothing where there is no such chip, or it knows no time. Goes on where it
    /// was when it is dropped.
    pub(crate) async fn next(&mut self) -> Option<i64> {
        if self.reading.is_none() {
            self.due.tick().await;
        }
        // The chip is on a bus that may hang: that costs a thread, not the service.
        let file = &self.file;
        let reading = self.reading.get_or_insert_with(|| {
            let file = file.clone();
            spawn_blocking(move || std::fs::read_to_string(file).ok()?.trim().parse().ok())
        });
        let read = reading.await;
        self.reading = None;
        read.ok()?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_number_is_a_time_and_anything_else_none() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("since_epoch");
        for (text, expected) in [
            ("1795420800\n", Some(1_795_420_800)),
            ("", None),
            ("soon\n", None),
        ] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(Rtc::at(file.clone()).next().await, expected, "{text:?}");
        }
        std::fs::remove_file(&file).unwrap();
        assert_eq!(Rtc::at(file).next().await, None);
    }
}
