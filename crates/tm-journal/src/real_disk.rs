//! The disk as the kernel gives it: one directory, held by a lock file.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use crate::disk::Disk;

/// The file whose lock says that the directory is in use; it stays behind, empty.
const LOCK_NAME: &str = "lock";
/// Zeros are written in pieces of this size.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
/// The share of the free space that a journal takes by default (design §6).
const QUOTA_PERCENT: u64 = 15;
/// The most that a journal takes by default (design §6).
const QUOTA_MAX_BYTES: u64 = 2 << 30;

/// A directory on a real file system; one process at a time.
#[derive(Debug)]
pub struct RealDisk {
    directory: PathBuf,
    /// Holds the lock until it is closed; the kernel lets go of it when the process dies.
    _lock: File,
}

impl RealDisk {
    /// Takes the directory, made if it is missing.
    ///
    /// Fails with [`io::ErrorKind::WouldBlock`] when another journal holds it, and with the
    /// kernel's error when it cannot be made or written to.
    pub fn open(directory: impl Into<PathBuf>) -> io::Result<Self> {
        let directory = directory.into();
        std::fs::create_dir_all(&directory)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(directory.join(LOCK_NAME))?;
        rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self {
            directory,
            _lock: lock,
        })
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

/// Bytes that an ordinary process may still write on the file system that holds `path`.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(path)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// The quota to take when none is configured: 15 % of what is free, at most 2 GiB.
///
/// Count what the journal itself already holds as free, or the quota shrinks with every start.
pub fn default_quota_bytes(free_bytes: u64) -> u64 {
    (free_bytes / 100 * QUOTA_PERCENT).min(QUOTA_MAX_BYTES)
}

impl Disk for RealDisk {
    type File = File;

    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.directory)? {
            let entry = entry?;
            // A name that is no text cannot be one of ours.
            if let Ok(name) = entry.file_name().into_string() {
                files.push((name, entry.metadata()?.len()));
            }
        }
        Ok(files)
    }

    fn create(&self, name: &str, length: u64) -> io::Result<File> {
        let path = self.directory.join(name);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)?;
        let mut left = length;
        while left > 0 {
            let piece = left.min(ZEROS.len() as u64);
            file.write_all(&ZEROS[..usize::try_from(piece).unwrap_or(ZEROS.len())])?;
            left -= piece;
        }
        Ok(file)
    }

    fn open(&self, name: &str) -> io::Result<File> {
        let path = self.directory.join(name);
        let both = OpenOptions::new().read(true).write(true).open(&path);
        // On a read-only file system the backlog can still be sent.
        both.or_else(|_| File::open(&path))
    }

    fn write_at(&self, file: &File, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        retry(|| file.write_at(bytes, offset))
    }

    fn read_at(&self, file: &File, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        retry(|| file.read_at(bytes, offset))
    }

    fn sync_data(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.directory.join(name))
    }

    fn sync_dir(&self) -> io::Result<()> {
        File::open(&self.directory)?.sync_all()
    }
}

/// Asks again when a signal came in between.
fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_open_is_told_so() {
        let directory = tempfile::tempdir().unwrap();
        let first = RealDisk::open(directory.path()).unwrap();
        let second = RealDisk::open(directory.path()).unwrap_err();
        assert_eq!(second.kind(), io::ErrorKind::WouldBlock);
        drop(first);
        assert!(RealDisk::open(directory.path()).is_ok());
    }

    #[test]
    fn files_are_what_was_written() {
        let directory = tempfile::tempdir().unwrap();
        let disk = RealDisk::open(directory.path().join("deep/er")).unwrap();
        let file = disk.create("a", 100_000).unwrap();
        assert!(disk.create("a", 1).is_err());
        assert_eq!(disk.write_at(&file, 70_000, b"abc").unwrap(), 3);
        disk.sync_data(&file).unwrap();
        disk.sync_dir().unwrap();
        let mut bytes = [9; 5];
        let again = disk.open("a").unwrap();
        assert_eq!(disk.read_at(&again, 69_999, &mut bytes).unwrap(), 5);
        assert_eq!(&bytes, b"\0abc\0");
        assert!(disk.list().unwrap().contains(&("a".to_owned(), 100_000)));
        disk.remove("a").unwrap();
        assert!(disk.open("a").is_err());
        assert!(free_bytes(disk.directory()).unwrap() > 0);
        assert_eq!(default_quota_bytes(1000), 150);
        assert_eq!(default_quota_bytes(1 << 40), 2 << 30);
    }
}
