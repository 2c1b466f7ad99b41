//! Files that may block, behind a deadline: a sensor bus that hangs costs one thread, not the service.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use thiserror::Error;
use tm_types::Reason;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// The longest text a sysfs or procfs file of ours has; `/proc/stat` is cut to this.
pub(crate) const FILE_MAX: usize = 4096;
/// The most entries of a directory that are looked at.
const ENTRIES_MAX: usize = 256;

/// Why a file gave nothing.
#[derive(Debug, Error)]
pub(crate) enum Fault {
    /// The read did not return in time, or an earlier one still has not.
    #[error("no answer within the deadline")]
    TimedOut,
    /// More than [`FILE_MAX`] bytes, or not UTF-8.
    #[error("not a short text")]
    NotText,
    /// The kernel said no.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Fault {
    /// The reason a reading carries because of this.
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::TimedOut => Reason::Timeout,
            Self::NotText => Reason::BadReply,
            Self::Io(error) if is_gone(error) => Reason::NotPresent,
            Self::Io(error) if error.kind() == ErrorKind::PermissionDenied => Reason::Refused,
            Self::Io(_) => Reason::DeviceError,
        }
    }

    /// Whether the file, or the device behind it, is not there.
    pub(crate) fn is_absence(&self) -> bool {
        matches!(self, Self::Io(error) if is_gone(error))
    }
}

/// `ENOENT`; `ENODEV` and `ENXIO` once the device is pulled while its file is still open.
fn is_gone(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let gone = [Errno::NOENT, Errno::NODEV, Errno::NXIO];
    gone.iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Directory listings and short reads need little; the buffers are on the heap.
const STACK: usize = 256 * 1024;

/// Runs blocking jobs with a deadline, at most one at a time for each key.
///
/// A job that misses its deadline keeps its thread until the kernel lets go; until then the same
/// key is answered with [`Fault::TimedOut`] at once, so that threads do not pile up.
///
/// Threads of our own, not `spawn_blocking`: the end of a runtime waits for those, and a sensor bus
/// that hangs must not keep the service from stopping (seen: SIGTERM with a read that never returned).
#[derive(Debug, Default)]
pub(crate) struct Blocking {
    stuck: HashMap<PathBuf, JoinHandle<()>>,
}

impl Blocking {
    /// Runs `job`, which touches `key`, and waits for it no longer than `deadline`.
    pub(crate) async fn run<T: Send + 'static>(
        &mut self,
        key: &Path,
        deadline: Duration,
        job: impl FnOnce() -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        self.stuck.retain(|_, thread| !thread.is_finished());
        if self.stuck.contains_key(key) {
            return Err(Fault::TimedOut);
        }
        let (sender, answer) = oneshot::channel();
        let builder = thread::Builder::new().name("file".to_owned());
        let thread = builder.stack_size(STACK).spawn(move || {
            // Nobody waits any more when the deadline has passed.
            let _ = sender.send(job());
        })?;
        match timeout(deadline, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_panicked)) => Err(Fault::Io(io::Error::other("the read panicked"))),
            Err(_elapsed) => {
                self.stuck.insert(key.to_owned(), thread);
                Err(Fault::TimedOut)
            }
        }
    }

    /// The text of a short file.
    pub(crate) async fn read(&mut self, path: &Path, deadline: Duration) -> Result<String, Fault> {
        let file = path.to_owned();
        self.run(path, deadline, move || read_short(&file)).await
    }

    /// The names in a directory, sorted; at most 256 of them.
    pub(crate) async fn list(
        &mut self,
        path: &Path,
        deadline: Duration,
    ) -> Result<Vec<String>, Fault> {
        let directory = path.to_owned();
        self.run(path, deadline, move || names(&directory)).await
    }
}

/// The text of a file of at most [`FILE_MAX`] bytes.
pub(crate) fn read_short(path: &Path) -> Result<String, Fault> {
    let bytes = read_start(path, FILE_MAX + 1)?;
    if bytes.len() > FILE_MAX {
        return Err(Fault::NotText);
    }
    String::from_utf8(bytes).map_err(|_| Fault::NotText)
}

/// The first `limit` bytes of a file.
pub(crate) fn read_start(path: &Path, limit: usize) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The names in a directory, sorted.
pub(crate) fn names(directory: &Path) -> Result<Vec<String>, Fault> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)?.take(ENTRIES_MAX) {
        if let Ok(name) = entry?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    const SOON: Duration = Duration::from_millis(100);
    const LATER: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn what_a_file_can_be() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("good"), "48686\n").unwrap();
        fs::write(path("full"), vec![b'1'; FILE_MAX]).unwrap();
        fs::write(path("huge"), vec![b'1'; FILE_MAX + 1]).unwrap();
        fs::write(path("binary"), [0xff, 0x00, 0xfe]).unwrap();
        fs::create_dir(path("directory")).unwrap();

        let cases = [
            ("good", Ok(6)),
            ("full", Ok(FILE_MAX)),
            ("huge", Err(Reason::BadReply)),
            ("binary", Err(Reason::BadReply)),
            ("directory", Err(Reason::DeviceError)),
            ("nothing", Err(Reason::NotPresent)),
        ];
        let mut blocking = Blocking::default();
        for (name, expected) in cases {
            let read = blocking.read(&path(name), LATER).await;
            assert_eq!(
                read.map(|text| text.len()).map_err(|f| f.reason()),
                expected,
                "{name}"
            );
        }
    }

    #[tokio::test]
    async fn a_file_that_blocks_costs_one_thread_and_recovers() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("temp");
        mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();

        let mut blocking = Blocking::default();
        let first = blocking.read(&fifo, SOON).await.unwrap_err();
        assert_eq!(first.reason(), Reason::Timeout);
        // The second does not start another read: it is refused without waiting at all.
        let again = timeout(SOON / 2, blocking.read(&fifo, LATER)).await;
        assert_eq!(
            again.expect("answered at once").unwrap_err().reason(),
            Reason::Timeout
        );

        // Writing releases the reader; then the file is read again.
        drop(fs::OpenOptions::new().write(true).open(&fifo).unwrap());
        let deadline = tokio::time::Instant::now() + LATER;
        while blocking.stuck.values().any(|task| !task.is_finished()) {
            assert!(tokio::time::Instant::now() < deadline, "still stuck");
            tokio::task::yield_now().await;
        }
        fs::remove_file(&fifo).unwrap();
        fs::write(&fifo, "1").unwrap();
        assert_eq!(blocking.read(&fifo, LATER).await.unwrap(), "1");
    }
}
