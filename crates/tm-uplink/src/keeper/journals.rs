//! The two journals: where they lie, how much they take, and what was found in them.

use std::io;
use std::path::{Path, PathBuf};

use tm_journal::{
    Config, Disk, Journal, NoDisk, RealDisk, Recovered, default_quota_bytes, free_bytes,
};
use tm_types::{Cause, code};

/// The urgent journal's part of the quota: events are few, and must not be pushed out by measurements.
const URGENT_SHARE: u64 = 16;
/// The least that a quota can be: four small segments for each journal.
const QUOTA_MIN_BYTES: u64 = 1 << 20;

/// Both journals, open.
pub(crate) struct Journals<D: Disk> {
    pub(crate) urgent: (Journal<D>, Recovered),
    pub(crate) data: (Journal<D>, Recovered),
    pub(crate) quota_bytes: u64,
}

/// What can be opened at the moment.
pub(crate) enum Opened {
    /// The directories.
    Disk(Journals<RealDisk>),
    /// Nothing: records are kept in memory, and not acknowledged before the cloud has them.
    Nothing(Journals<NoDisk>, Cause),
}

/// Another process holds the journals: two must not write them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("open the journals: another process holds them")]
pub(crate) struct OpenFailed;

impl Opened {
    /// Opens the journals below `directory` under a quota in bytes, or the usual one.
    pub(crate) fn open(directory: &Path, quota_bytes: Option<u64>) -> Result<Self, OpenFailed> {
        match open_disks(directory) {
            Ok((urgent, data)) => {
                let quota = quota_bytes.unwrap_or_else(|| usual_quota(directory));
                match Journals::open(urgent, data, quota) {
                    Ok(journals) => Ok(Self::Disk(journals)),
                    Err(error) => Ok(Self::nothing(&error)),
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(OpenFailed),
            Err(error) => Ok(Self::nothing(&error)),
        }
    }

    fn nothing(error: &io::Error) -> Self {
        let journals =
            Journals::open(NoDisk, NoDisk, QUOTA_MIN_BYTES).expect("nothing can be listed");
        Self::Nothing(journals, cause_of(error))
    }
}

impl<D: Disk> Journals<D> {
    /// Opens the journals on two disks.
    pub(crate) fn open(urgent: D, data: D, quota_bytes: u64) -> io::Result<Self> {
        let quota_bytes = quota_bytes.max(QUOTA_MIN_BYTES);
        let share = (quota_bytes / URGENT_SHARE).max(QUOTA_MIN_BYTES / 2);
        let open =
            |disk, quota| Journal::open(disk, Config::with_quota(quota)).map_err(|error| error.0);
        Ok(Self {
            urgent: open(urgent, share)?,
            data: open(data, quota_bytes - share)?,
            quota_bytes,
        })
    }
}

/// Why nothing can be written.
pub(super) fn cause_of(error: &io::Error) -> Cause {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            code::JOURNAL_DISK_FULL.plain()
        }
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            code::JOURNAL_READ_ONLY.plain()
        }
        _ => code::JOURNAL_DISK_FAILING.with("error", error),
    }
}

fn open_disks(directory: &Path) -> io::Result<(RealDisk, RealDisk)> {
    let open = |name: &str| RealDisk::open(directory.join(name));
    Ok((open("urgent")?, open("data")?))
}

/// 15 % of what is free, with what the journals already hold counted as free.
fn usual_quota(directory: &Path) -> u64 {
    let held: u64 = ["urgent", "data"]
        .iter()
        .map(|name| bytes_in(&directory.join(name)))
        .sum();
    let free = free_bytes(directory).unwrap_or(0);
    default_quota_bytes(free.saturating_add(held))
}

fn bytes_in(directory: &PathBuf) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return 0;
    };
    entries
        .filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len()))
        .sum()
}
