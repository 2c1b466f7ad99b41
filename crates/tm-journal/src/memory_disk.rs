//! A disk in memory that fails on request and knows every state a power cut could leave behind.
//!
//! What it takes as law: 512-byte sectors are written whole or not at all, in any order, at any time between the write and
//! the end of the next successful sync, each of several versions of a sector being possible; a file's length and
//! a directory's names become durable only by their syncs; after a failed sync, data may be lost for good although reads
//! still show them and a later sync succeeds.

mod inode;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::disk::Disk;
use inode::{Inode, put};

/// The calls that change something, and reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    /// [`Disk::create`]
    Create,
    /// [`Disk::open`]
    Open,
    /// [`Disk::write_at`]
    Write,
    /// [`Disk::read_at`]
    Read,
    /// [`Disk::sync_data`]
    Sync,
    /// [`Disk::list`]
    List,
    /// [`Disk::remove`]
    Remove,
    /// [`Disk::sync_dir`]
    SyncDir,
}

/// How a call fails, until told otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// With this error number; a write has then written its first half all the same.
    Error(i32),
    /// A write takes at most so many bytes.
    Short(usize),
}

impl Fault {
    /// No space left on the device.
    pub const FULL: Self = Self::Error(28);
    /// The file system is read-only.
    pub const READ_ONLY: Self = Self::Error(30);
    /// Input/output error.
    pub const BROKEN: Self = Self::Error(5);
}

/// A call that changed something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Which.
    pub call: Call,
    /// On which file; empty for the directory.
    pub name: String,
    /// Bytes created or written.
    pub bytes: u64,
}

/// The disk. Clones are handles to the same one.
#[derive(Debug, Clone, Default)]
pub struct MemoryDisk(Arc<Mutex<Inner>>);

/// An open file of a [`MemoryDisk`].
#[derive(Debug, Clone)]
pub struct MemoryFile {
    inode: usize,
    name: String,
}

#[derive(Debug, Default)]
struct Inner {
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    /// Changes of names since the last sync of the directory: `None` removes.
    pending: Vec<(String, Option<usize>)>,
    operations: Vec<Operation>,
    faults: HashMap<Call, Fault>,
    supply: Arc<Supply>,
    lies_about_syncs: bool,
}

/// What one or several disks get their power from.
#[derive(Debug)]
struct Supply {
    /// Changing calls that it served.
    used: AtomicUsize,
    /// With so many it fails.
    until: AtomicUsize,
}

impl Default for Supply {
    fn default() -> Self {
        Self {
            used: AtomicUsize::new(0),
            until: AtomicUsize::new(usize::MAX),
        }
    }
}

impl MemoryDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another empty disk on the same supply: a power cut takes both in the same moment.
    #[must_use]
    pub fn beside(&self) -> Self {
        let supply = Arc::clone(&self.inner().supply);
        Self(Arc::new(Mutex::new(Inner {
            supply,
            ..Inner::default()
        })))
    }

    /// Lets a call fail from now on, or work again.
    pub fn set_fault(&self, call: Call, fault: Option<Fault>) {
        let mut inner = self.inner();
        match fault {
            Some(fault) => inner.faults.insert(call, fault),
            None => inner.faults.remove(&call),
        };
    }

    /// The power fails after `operations` changing calls in all, those of the disks [beside](Self::beside) it
    /// included: every later one fails and changes nothing.
    pub fn cut_power_after(&self, operations: usize) {
        self.inner()
            .supply
            .until
            .store(operations, Ordering::Relaxed);
    }

    /// Whether the power is still there.
    pub fn is_powered(&self) -> bool {
        self.inner().is_powered()
    }

    /// Lets every sync succeed without doing anything, as some cards do.
    pub fn lie_about_syncs(&self) {
        self.inner().lies_about_syncs = true;
    }

    /// The changing calls so far.
    pub fn operations(&self) -> Vec<Operation> {
        self.inner().operations.clone()
    }

    /// How many changing calls there were so far.
    pub fn n_operations(&self) -> usize {
        self.inner().operations.len()
    }

    /// A file's bytes as reads see them; empty when there is none.
    pub fn contents(&self, name: &str) -> Vec<u8> {
        let inner = self.inner();
        inner
            .names
            .get(name)
            .map(|inode| inner.inodes[*inode].bytes.clone())
            .unwrap_or_default()
    }

    /// Puts a file in place, durably, past all faults: for damage.
    pub fn put_contents(&self, name: &str, bytes: &[u8]) {
        let mut inner = self.inner();
        let number = inner.inodes.len();
        inner.inodes.push(Inode {
            bytes: bytes.to_vec(),
            durable: bytes.to_vec(),
            dirty: BTreeMap::new(),
        });
        inner.names.insert(name.to_owned(), number);
        inner.durable_names.insert(name.to_owned(), number);
    }

    /// Takes a file away, durably, past all faults.
    pub fn delete(&self, name: &str) {
        let mut inner = self.inner();
        inner.names.remove(name);
        inner.durable_names.remove(name);
    }

    /// An independent disk with the same files, all durable, and no faults.
    #[must_use]
    pub fn copy(&self) -> Self {
        let copy = Self::new();
        let inner = self.inner();
        for (name, inode) in &inner.names {
            copy.put_contents(name, &inner.inodes[*inode].bytes);
        }
        copy
    }

    /// Disks as a power cut at this moment could leave them.
    ///
    /// Every unsynced sector, length and name is a choice. Where all combinations are at most `most`, they are all
    /// there; otherwise none kept, all kept, each alone kept, each alone lost, and random ones up to `most`.
    pub fn power_cut_images(&self, seed: u64, most: usize) -> Vec<Self> {
        let inner = self.inner();
        let options = inner.options();
        let mut picks: Vec<Vec<usize>> = Vec::new();
        let all: usize = options
            .iter()
            .try_fold(1_usize, |product, options| product.checked_mul(*options))
            .unwrap_or(usize::MAX);
        if all <= most {
            for index in 0..all {
                let mut rest = index;
                picks.push(
                    options
                        .iter()
                        .map(|options| (rest % options, rest /= options).0)
                        .collect(),
                );
            }
        } else {
            let none = vec![0; options.len()];
            let newest: Vec<usize> = options.iter().map(|options| options - 1).collect();
            for index in 0..options.len() {
                for (base, other) in [(&none, &newest), (&newest, &none)] {
                    let mut pick = base.clone();
                    pick[index] = other[index];
                    picks.push(pick);
                }
            }
            let mut random = fastrand::Rng::with_seed(seed);
            random.shuffle(&mut picks);
            picks.truncate(most);
            picks.extend([none, newest]);
            picks.resize_with(picks.len().max(most), || {
                options
                    .iter()
                    .map(|options| random.usize(..*options))
                    .collect()
            });
        }
        picks.iter().map(|pick| inner.image(pick)).collect()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// How many ways each undecided thing can turn out: first names, then lengths, then sectors.
    fn options(&self) -> Vec<usize> {
        let names = self.pending.iter().map(|_| 2);
        // A length that is not durable: the old one, half way, the new one.
        let lengths = self
            .inodes
            .iter()
            .filter(|inode| inode.bytes.len() != inode.durable.len())
            .map(|_| 3);
        let sectors = self
            .inodes
            .iter()
            .flat_map(|inode| inode.dirty.values())
            .map(|dirty| dirty.versions.len() + 1);
        names.chain(lengths).chain(sectors).collect()
    }

    fn image(&self, pick: &[usize]) -> MemoryDisk {
        let mut pick = pick.iter().copied();
        let mut names = self.durable_names.clone();
        for (name, change) in &self.pending {
            if pick.next() == Some(1) {
                match change {
                    Some(inode) => names.insert(name.clone(), *inode),
                    None => names.remove(name),
                };
            }
        }
        let mut files: Vec<Vec<u8>> = Vec::new();
        for inode in &self.inodes {
            let mut bytes = inode.durable.clone();
            let (old, new) = (inode.durable.len(), inode.bytes.len());
            if old != new {
                let length = [old, usize::midpoint(old, new), new][pick.next().unwrap_or(0)];
                bytes.resize(length, 0);
            }
            files.push(bytes);
        }
        for (inode, bytes) in self.inodes.iter().zip(&mut files) {
            for (sector, dirty) in &inode.dirty {
                if let Some(version) = pick.next().unwrap_or(0).checked_sub(1) {
                    put(bytes, *sector, &dirty.versions[version]);
                }
            }
        }
        let image = MemoryDisk::new();
        for (name, inode) in names {
            image.put_contents(&name, &files[inode]);
        }
        image
    }

    /// Records a changing call, unless the power is gone or a fault is set.
    fn begin(&mut self, call: Call, name: &str, bytes: u64) -> io::Result<()> {
        if !self.is_powered() {
            return Err(io::Error::other("the power is gone"));
        }
        self.supply.used.fetch_add(1, Ordering::Relaxed);
        self.operations.push(Operation {
            call,
            name: name.to_owned(),
            bytes,
        });
        self.check(call)
    }

    fn is_powered(&self) -> bool {
        let Supply { used, until } = &*self.supply;
        used.load(Ordering::Relaxed) < until.load(Ordering::Relaxed)
    }

    fn check(&self, call: Call) -> io::Result<()> {
        match self.faults.get(&call) {
            Some(Fault::Error(number)) => Err(io::Error::from_raw_os_error(*number)),
            _ => Ok(()),
        }
    }
}

impl Disk for MemoryDisk {
    type File = MemoryFile;

    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        let inner = self.inner();
        inner.check(Call::List)?;
        Ok(inner
            .names
            .iter()
            .map(|(name, inode)| (name.clone(), inner.inodes[*inode].bytes.len() as u64))
            .collect())
    }

    fn create(&self, name: &str, length: u64) -> io::Result<MemoryFile> {
        let mut inner = self.inner();
        inner.begin(Call::Create, name, length)?;
        if inner.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let number = inner.inodes.len();
        let bytes = vec![0; usize::try_from(length).map_err(|_| io::ErrorKind::StorageFull)?];
        inner.inodes.push(Inode {
            bytes,
            ..Inode::default()
        });
        inner.names.insert(name.to_owned(), number);
        inner.pending.push((name.to_owned(), Some(number)));
        Ok(MemoryFile {
            inode: number,
            name: name.to_owned(),
        })
    }

    fn open(&self, name: &str) -> io::Result<MemoryFile> {
        let inner = self.inner();
        inner.check(Call::Open)?;
        let inode = *inner.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(MemoryFile {
            inode,
            name: name.to_owned(),
        })
    }

    fn write_at(&self, file: &MemoryFile, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        let mut inner = self.inner();
        let is_powered = inner.is_powered();
        let started = inner.begin(Call::Write, &file.name, bytes.len() as u64);
        let taken = match inner.faults.get(&Call::Write) {
            Some(Fault::Error(_)) => bytes.len() / 2,
            Some(Fault::Short(most)) => bytes.len().min(*most),
            None => bytes.len(),
        };
        let offset = usize::try_from(offset).map_err(|_| io::ErrorKind::StorageFull)?;
        if is_powered {
            inner.inodes[file.inode].write(offset, &bytes[..taken]);
        }
        started.map(|()| taken)
    }

    fn read_at(&self, file: &MemoryFile, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        let inner = self.inner();
        inner.check(Call::Read)?;
        let all = &inner.inodes[file.inode].bytes;
        let rest = usize::try_from(offset)
            .ok()
            .and_then(|offset| all.get(offset..))
            .unwrap_or(&[]);
        let length = rest.len().min(bytes.len());
        bytes[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn sync_data(&self, file: &MemoryFile) -> io::Result<()> {
        let mut inner = self.inner();
        if !inner.is_powered() {
            return Err(io::Error::other("the power is gone"));
        }
        let started = inner.begin(Call::Sync, &file.name, 0);
        let lies = inner.lies_about_syncs;
        let inode = &mut inner.inodes[file.inode];
        match started {
            Ok(()) if !lies => inode.sync(),
            Ok(()) => {}
            Err(_) => inode
                .dirty
                .values_mut()
                .for_each(|dirty| dirty.is_limbo = true),
        }
        started
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut inner = self.inner();
        inner.begin(Call::Remove, name, 0)?;
        inner.names.remove(name).ok_or(io::ErrorKind::NotFound)?;
        inner.pending.push((name.to_owned(), None));
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut inner = self.inner();
        inner.begin(Call::SyncDir, "", 0)?;
        if !inner.lies_about_syncs {
            inner.durable_names = inner.names.clone();
            inner.pending.clear();
        }
        Ok(())
    }
}
