//! The disk below the data directory.

use std::io;
use std::path::Path;

use rustix::fs::{Access, StatVfsMountFlags};
use tm_types::code;

use super::{Check, Machine, own};

/// The uplink's journal stops below this much.
const FULL_MIB: u64 = 16;
/// Below it updates of the containers may fail.
const LOW_MIB: u64 = 500;

/// How full a disk is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Disk {
    /// What an ordinary user may still write, MiB.
    pub free_mib: u64,
    /// Whether it can only be read.
    pub is_read_only: bool,
}

impl Disk {
    fn of(directory: &Path) -> io::Result<Self> {
        let stat = rustix::fs::statvfs(directory)?;
        Ok(Self {
            free_mib: stat.f_bavail.saturating_mul(stat.f_frsize) >> 20,
            is_read_only: stat.f_flag.contains(StatVfsMountFlags::RDONLY),
        })
    }
}

pub(super) fn check(machine: &Machine) -> Check {
    let directory = &machine.data;
    let unwritable = |error: io::Error| {
        let cause = code::STORE_UNWRITABLE.with("file", directory.display());
        Check::fail("disk", cause.and("error", error))
    };
    let asked = machine.disk.map_or_else(|| Disk::of(directory), Ok);
    let disk = match asked {
        Ok(disk) => disk,
        Err(error) => return unwritable(error),
    };
    if disk.is_read_only {
        return Check::fail("disk", code::JOURNAL_READ_ONLY.plain());
    }
    if let Err(error) = rustix::fs::access(directory, Access::WRITE_OK | Access::EXEC_OK) {
        return unwritable(error.into());
    }
    let told = |name| own(name).and("free", disk.free_mib);
    match disk.free_mib {
        0..FULL_MIB => Check::fail("disk", code::JOURNAL_DISK_FULL.plain()),
        FULL_MIB..LOW_MIB => Check::warn("disk", told("disk_low")),
        _ => Check::ok("disk", told("disk_well")),
    }
}
