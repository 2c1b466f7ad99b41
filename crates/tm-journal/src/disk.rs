//! The seam between the journal and the disk: eight calls, so that a disk in memory can stand in.

use std::io;

/// One directory of files, as the journal needs it.
///
/// Nothing written is durable before [`Disk::sync_data`] returned `Ok`, no created or removed name before [`Disk::sync_dir`] did.
/// After a failed sync nothing is known about what was written before it.
pub trait Disk {
    /// An open file; dropping it closes it.
    type File;

    /// Names and lengths in bytes of the files in the directory, in any order.
    fn list(&self) -> io::Result<Vec<(String, u64)>>;

    /// Makes a new file of `length` zero bytes that are really written, so that later writes allocate nothing.
    ///
    /// Fails when the name exists. Durable only after [`Disk::sync_data`] and [`Disk::sync_dir`].
    fn create(&self, name: &str, length: u64) -> io::Result<Self::File>;

    /// Opens a file for reading, and for writing where that is possible.
    fn open(&self, name: &str) -> io::Result<Self::File>;

    /// Writes at `offset`; returns how many bytes were taken, which may be fewer.
    fn write_at(&self, file: &Self::File, offset: u64, bytes: &[u8]) -> io::Result<usize>;

    /// Reads at `offset`; returns how many bytes came, 0 at the end of the file.
    fn read_at(&self, file: &Self::File, offset: u64, bytes: &mut [u8]) -> io::Result<usize>;

    /// Makes the file's bytes durable, and its length (`fdatasync`).
    fn sync_data(&self, file: &Self::File) -> io::Result<()>;

    /// Removes a name; files still open stay readable.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes created and removed names durable (`fsync` of the directory).
    fn sync_dir(&self) -> io::Result<()>;
}

/// Writes all of `bytes`, however the disk divides them.
pub(crate) fn write_all<D: Disk>(
    disk: &D,
    file: &D::File,
    mut offset: u64,
    mut bytes: &[u8],
) -> io::Result<()> {
    while !bytes.is_empty() {
        match disk.write_at(file, offset, bytes)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            taken => {
                offset += taken as u64;
                bytes = bytes.get(taken..).ok_or(io::ErrorKind::InvalidData)?;
            }
        }
    }
    Ok(())
}

/// Reads until `bytes` is full or the file ends; returns how many bytes came.
pub(crate) fn read_full<D: Disk>(
    disk: &D,
    file: &D::File,
    offset: u64,
    bytes: &mut [u8],
) -> io::Result<usize> {
    let mut done = 0;
    while done < bytes.len() {
        match disk.read_at(file, offset + done as u64, &mut bytes[done..])? {
            0 => break,
            came => done += came,
        }
    }
    Ok(done)
}

/// The disk of a machine that has none at the moment: empty, and every change fails.
///
/// A journal on it is in its bad-disk mode from the start; try to open the real one from time to time.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoDisk;

impl NoDisk {
    fn absent<T>() -> io::Result<T> {
        Err(io::Error::new(
            io::ErrorKind::ReadOnlyFilesystem,
            "there is no disk to write to",
        ))
    }
}

impl Disk for NoDisk {
    type File = ();

    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        Ok(Vec::new())
    }

    fn create(&self, _name: &str, _length: u64) -> io::Result<()> {
        Self::absent()
    }

    fn open(&self, _name: &str) -> io::Result<()> {
        Self::absent()
    }

    fn write_at(&self, _file: &(), _offset: u64, _bytes: &[u8]) -> io::Result<usize> {
        Self::absent()
    }

    fn read_at(&self, _file: &(), _offset: u64, _bytes: &mut [u8]) -> io::Result<usize> {
        Self::absent()
    }

    fn sync_data(&self, _file: &()) -> io::Result<()> {
        Self::absent()
    }

    fn remove(&self, _name: &str) -> io::Result<()> {
        Self::absent()
    }

    fn sync_dir(&self) -> io::Result<()> {
        Self::absent()
    }
}
