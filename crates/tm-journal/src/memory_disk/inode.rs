//! A file of the disk in memory: what reads see, what is durable, and what lies between.

use std::collections::BTreeMap;

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

#[derive(Debug, Clone, Default)]
pub(super) struct Inode {
    pub(super) bytes: Vec<u8>,
    pub(super) durable: Vec<u8>,
    /// Versions of a sector since it was last durable, the newest last.
    pub(super) dirty: BTreeMap<usize, Dirty>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Dirty {
    pub(super) versions: Vec<Vec<u8>>,
    /// A sync failed since the last write: no later sync helps.
    pub(super) is_limbo: bool,
}

impl Inode {
    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes[offset..end].copy_from_slice(bytes);
        for sector in offset / SECTOR..end.div_ceil(SECTOR) {
            let version =
                self.bytes[sector * SECTOR..((sector + 1) * SECTOR).min(self.bytes.len())].to_vec();
            let dirty = self.dirty.entry(sector).or_default();
            dirty.is_limbo = false;
            dirty.versions.push(version);
        }
    }

    pub(super) fn sync(&mut self) {
        self.durable.resize(self.bytes.len(), 0);
        for (sector, dirty) in std::mem::take(&mut self.dirty) {
            if dirty.is_limbo {
                self.dirty.insert(sector, dirty);
            } else if let Some(newest) = dirty.versions.last() {
                put(&mut self.durable, sector, newest);
            }
        }
    }
}

pub(super) fn put(bytes: &mut [u8], sector: usize, version: &[u8]) {
    let start = sector * SECTOR;
    let end = (start + version.len()).min(bytes.len());
    if start < end {
        bytes[start..end].copy_from_slice(&version[..end - start]);
    }
}
