//! Small files that survive a power cut: whole or the previous one, never half.
//!
//! File = `TMS1`, payload length (u32), CRC-32C (u32), payload; integers little-endian.
//! Written as `<name>.new`, synced, the old one kept as `<name>.old`, renamed, directory synced.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use rustix::fs::Access;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tm_types::{Cause, code};

/// First bytes of every file: our mark and the version of the frame.
const MAGIC: [u8; 4] = *b"TMS1";
/// Magic, length, CRC.
const HEADER: usize = 12;
/// Between two writes of one file, unless asked for at once: flash wears.
const WRITE_INTERVAL: Duration = Duration::from_mins(1);

/// After a write that did not succeed, however long the interval: it wears nothing, and trouble shall not outlive its cause.
const RETRY_INTERVAL: Duration = Duration::from_secs(10);

/// A directory of small files; clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    directory: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    files: HashMap<String, Slot>,
    notices: Vec<Cause>,
    /// Why a file could not be written the last time it was tried.
    failed: BTreeMap<String, String>,
}

#[derive(Debug)]
struct Slot {
    /// Between two writes.
    interval: Duration,
    written: Option<Instant>,
    /// The last write did not succeed.
    has_failed: bool,
    waiting: Option<Vec<u8>>,
}

impl Store {
    /// Opens the directory, making it where it does not exist.
    pub fn open(directory: impl Into<PathBuf>) -> io::Result<Self> {
        let directory = directory.into();
        fs::create_dir_all(&directory)?;
        Ok(Self::at(directory))
    }

    /// The same where the directory may be read-only or missing for now.
    ///
    /// What cannot be written is kept in memory and tried again; [`trouble`](Self::trouble) tells.
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        let directory = directory.into();
        // Tried again with every file; until then `trouble` tells.
        let _ = fs::create_dir_all(&directory);
        Self {
            inner: Arc::new(Inner {
                directory,
                state: Mutex::default(),
            }),
        }
    }

    /// The directory, for those who keep more than small files in it.
    pub fn directory(&self) -> &Path {
        &self.inner.directory
    }

    /// The newest readable value; `None` when there is none, or none that reads as `T`.
    pub fn load<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        self.newest(name, |payload| serde_json::from_slice(payload).ok())
    }

    /// The newest readable bytes.
    pub fn load_bytes(&self, name: &str) -> Option<Vec<u8>> {
        self.newest(name, |payload| Some(payload.to_vec()))
    }

    /// Keeps a value; it reaches the disk now, or once a minute has passed since the last time.
    ///
    /// What waits is written by [`write_due`](Self::write_due), [`flush`](Self::flush), or when the
    /// last clone of the store goes.
    pub fn save<T: Serialize>(&self, name: &str, value: &T) {
        self.save_bytes(name, encode(value));
    }

    /// As [`save`](Self::save), for bytes.
    pub fn save_bytes(&self, name: &str, payload: Vec<u8>) {
        self.save_within(name, WRITE_INTERVAL, payload);
    }

    /// As [`save`](Self::save), with another wait than a minute: for what changes all the time and may be lost.
    pub fn save_every<T: Serialize>(&self, name: &str, interval: Duration, value: &T) {
        self.save_within(name, interval, encode(value));
    }

    fn save_within(&self, name: &str, interval: Duration, payload: Vec<u8>) {
        let mut state = self.state();
        let slot = state.files.entry(name.to_owned()).or_default();
        slot.interval = interval;
        slot.waiting = Some(payload);
        if slot.is_due() {
            self.write_waiting(&mut state, name);
        }
    }

    /// Writes a value and returns once it is on the disk. Blocks for as long as the disk takes.
    pub fn save_now<T: Serialize>(&self, name: &str, value: &T) -> io::Result<()> {
        self.save_bytes_now(name, encode(value))
    }

    /// As [`save_now`](Self::save_now), for bytes.
    pub fn save_bytes_now(&self, name: &str, payload: Vec<u8>) -> io::Result<()> {
        let mut state = self.state();
        state.files.entry(name.to_owned()).or_default().waiting = Some(payload);
        self.write(&mut state, name)
    }

    /// Writes what has waited for its minute.
    pub fn write_due(&self) {
        self.write_where(Slot::is_due);
    }

    /// Writes everything that waits.
    pub fn flush(&self) {
        self.write_where(|_| true);
    }

    /// Why nothing is kept at the moment: the directory cannot be written to, or a file could not be
    /// the last time. Passes by itself.
    pub fn trouble(&self) -> Option<Cause> {
        let state = self.state();
        if let Some((name, error)) = state.failed.first_key_value() {
            let cause = code::STORE_UNWRITABLE.with("file", name);
            return Some(cause.and("error", error));
        }
        let directory = self.directory();
        let error = rustix::fs::access(directory, Access::WRITE_OK | Access::EXEC_OK).err()?;
        let cause = code::STORE_UNWRITABLE.with("file", directory.display());
        Some(cause.and("error", io::Error::from(error)))
    }

    /// What went wrong since the last call: files set aside.
    pub fn take_notices(&self) -> Vec<Cause> {
        std::mem::take(&mut self.state().notices)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().expect("nobody panics in the store")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.inner.directory.join(name)
    }

    fn newest<T>(&self, name: &str, read: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
        let mut state = self.state();
        if let Some(slot) = state.files.get(name)
            && let Some(waiting) = &slot.waiting
        {
            return read(waiting);
        }
        // `.new` holds the value when power failed between the two renames.
        for (suffix, is_newest) in [("", true), (".new", false), (".old", false)] {
            let path = self.path(&format!("{name}{suffix}"));
            let Ok(content) = fs::read(&path) else {
                continue;
            };
            if let Some(value) = payload_of(&content).and_then(&read) {
                return Some(value);
            }
            if is_newest {
                tracing::warn!(file = name, "file of the store is unreadable");
                let _ = fs::rename(&path, self.path(&format!("{name}.damaged")));
                state
                    .notices
                    .push(code::STORE_UNREADABLE.with("file", name));
            }
        }
        None
    }

    fn write_where(&self, wanted: impl Fn(&Slot) -> bool) {
        let mut state = self.state();
        let names: Vec<String> = state
            .files
            .iter()
            .filter(|(_, slot)| slot.waiting.is_some() && wanted(slot))
            .map(|(name, _)| name.clone())
            .collect();
        for name in names {
            self.write_waiting(&mut state, &name);
        }
    }

    /// Writes a file whose owner does not wait for the outcome: [`trouble`](Self::trouble) has it.
    fn write_waiting(&self, state: &mut State, name: &str) {
        let is_news = !state.failed.contains_key(name);
        if let Err(error) = self.write(state, name)
            && is_news
        {
            tracing::warn!(file = name, %error, "file of the store cannot be written");
        }
    }

    fn write(&self, state: &mut State, name: &str) -> io::Result<()> {
        let slot = state.files.entry(name.to_owned()).or_default();
        slot.written = Some(Instant::now());
        let Some(payload) = &slot.waiting else {
            return Ok(());
        };
        let written = fs::create_dir_all(self.directory())
            .and_then(|()| replace(&self.path(name), &frame(payload)?));
        slot.has_failed = written.is_err();
        match &written {
            Ok(()) => {
                slot.waiting = None;
                state.failed.remove(name);
            }
            Err(error) => {
                state.failed.insert(name.to_owned(), error.to_string());
            }
        }
        written
    }
}

impl Default for Slot {
    fn default() -> Self {
        Self {
            interval: WRITE_INTERVAL,
            written: None,
            has_failed: false,
            waiting: None,
        }
    }
}

impl Slot {
    fn is_due(&self) -> bool {
        let interval = if self.has_failed {
            self.interval.min(RETRY_INTERVAL)
        } else {
            self.interval
        };
        self.written
            .is_none_or(|written| written.elapsed() >= interval)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let state = std::mem::take(self.state.get_mut().expect("nobody panics in the store"));
        for (name, slot) in state.files {
            let Some(payload) = slot.waiting else {
                continue;
            };
            let written =
                frame(&payload).and_then(|file| replace(&self.directory.join(&name), &file));
            if let Err(error) = written {
                tracing::warn!(file = name, %error, "file of the store cannot be written");
            }
        }
    }
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("a value of the store has string keys and finite numbers")
}

fn frame(payload: &[u8]) -> io::Result<Vec<u8>> {
    let length = u32::try_from(payload.len())
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a file beyond 4 GiB"))?;
    let mut file = Vec::with_capacity(HEADER + payload.len());
    file.extend_from_slice(&MAGIC);
    file.extend_from_slice(&length.to_le_bytes());
    file.extend_from_slice(&crc32c::crc32c(payload).to_le_bytes());
    file.extend_from_slice(payload);
    Ok(file)
}

fn payload_of(file: &[u8]) -> Option<&[u8]> {
    let rest = file.strip_prefix(&MAGIC)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (crc, payload) = rest.split_first_chunk::<4>()?;
    let whole = u32::from_le_bytes(*length) as usize == payload.len()
        && u32::from_le_bytes(*crc) == crc32c::crc32c(payload);
    whole.then_some(payload)
}

/// Puts a file in the place of another such that a power cut leaves one of the two whole.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let with_suffix = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let new = with_suffix(".new");
    let mut file = File::create(&new)?;
    file.write_all(content)?;
    file.sync_all()?;
    match fs::rename(path, with_suffix(".old")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::rename(&new, path)?;
    match path.parent() {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bench {
        directory: tempfile::TempDir,
    }

    impl Bench {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            Self { directory }
        }

        /// A store as a new process sees it.
        fn store(&self) -> Store {
            Store::open(self.directory.path()).unwrap()
        }

        fn path(&self, name: &str) -> PathBuf {
            self.directory.path().join(name)
        }
    }

    #[test]
    fn values_survive_the_process() {
        let bench = Bench::new();
        assert_eq!(bench.store().load::<u32>("n"), None);
        bench.store().save_now("n", &1).unwrap();
        bench.store().save_now("n", &2).unwrap();
        assert_eq!(bench.store().load("n"), Some(2));
        bench.store().save_bytes_now("b", vec![0, 255]).unwrap();
        assert_eq!(bench.store().load_bytes("b"), Some(vec![0, 255]));
    }

    #[test]
    fn a_power_cut_at_any_byte_leaves_the_new_or_the_old() {
        let bench = Bench::new();
        let whole = frame(b"\"new\"").unwrap();
        for length in 0..=whole.len() {
            // Cut while `.new` is written, between the two renames, and a torn file in place.
            for torn in ["n.new", "n"] {
                let store = bench.store();
                store.save_now("n", &"older").unwrap();
                store.save_now("n", &"old").unwrap();
                drop(store);
                fs::write(bench.path(torn), &whole[..length]).unwrap();
                let expected = match torn {
                    "n" if length == whole.len() => "new",
                    "n" => "older",
                    _ => "old",
                };
                let loaded: Option<String> = bench.store().load("n");
                assert_eq!(loaded.as_deref(), Some(expected), "{torn} cut at {length}");
                for name in ["n", "n.new", "n.old", "n.damaged"] {
                    let _ = fs::remove_file(bench.path(name));
                }
            }
        }
    }

    #[test]
    fn between_the_renames_the_new_file_counts() {
        let bench = Bench::new();
        bench.store().save_now("n", &1).unwrap();
        fs::rename(bench.path("n"), bench.path("n.old")).unwrap();
        fs::write(bench.path("n.new"), frame(b"2").unwrap()).unwrap();
        assert_eq!(bench.store().load("n"), Some(2));
        fs::write(bench.path("n.new"), b"TMS1").unwrap();
        assert_eq!(bench.store().load("n"), Some(1));
    }

    #[test]
    fn a_flipped_bit_anywhere_is_found_and_the_file_set_aside() {
        let bench = Bench::new();
        let whole = frame(b"12345").unwrap();
        for bit in 0..whole.len() * 8 {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            fs::write(bench.path("n"), &damaged).unwrap();
            let store = bench.store();
            assert_eq!(store.load::<u32>("n"), None, "bit {bit}");
            let notices = store.take_notices();
            assert_eq!(notices, [code::STORE_UNREADABLE.with("file", "n")]);
            assert!(bench.path("n.damaged").exists());
        }
    }

    #[test]
    fn a_file_is_written_at_most_once_a_minute_unless_asked() {
        let bench = Bench::new();
        let store = bench.store();
        store.save("n", &1);
        assert_eq!(bench.store().load("n"), Some(1), "the first at once");
        store.save("n", &2);
        store.write_due();
        assert_eq!(store.load("n"), Some(2), "the owner sees the newest");
        assert_eq!(bench.store().load("n"), Some(1), "the disk waits");
        store.save("m", &9);
        assert_eq!(bench.store().load("m"), Some(9), "each file has its minute");
        store.flush();
        assert_eq!(bench.store().load("n"), Some(2));
        store.save("n", &3);
        store.save_now("n", &4).unwrap();
        assert_eq!(bench.store().load("n"), Some(4));
        store.save("n", &5);
        drop(store);
        assert_eq!(bench.store().load("n"), Some(5), "and at the end");
    }

    #[test]
    fn what_may_be_lost_is_written_as_often_as_its_owner_says() {
        let bench = Bench::new();
        let store = bench.store();
        for (n, interval_s, on_disk) in [(1, 600, 1), (2, 600, 1), (3, 0, 3), (4, 600, 3)] {
            store.save_every("n", Duration::from_secs(interval_s), &n);
            store.write_due();
            assert_eq!(store.load("n"), Some(n));
            assert_eq!(bench.store().load("n"), Some(on_disk), "{n}");
        }
        drop(store);
        assert_eq!(bench.store().load("n"), Some(4));
    }

    #[test]
    fn a_failed_write_is_tried_again_soon_however_long_the_interval() {
        for (has_failed, seconds, is_due) in [
            (false, 599, false),
            (false, 600, true),
            (true, 9, false),
            (true, 10, true),
        ] {
            let slot = Slot {
                interval: Duration::from_mins(10),
                written: Instant::now().checked_sub(Duration::from_secs(seconds)),
                has_failed,
                waiting: None,
            };
            assert_eq!(slot.is_due(), is_due, "{has_failed} {seconds}");
        }
    }

    #[test]
    fn what_cannot_be_written_is_said_and_kept() {
        let bench = Bench::new();
        let directory = bench.path("volume");
        // A file in the place of the directory stands for a disk that takes nothing.
        fs::write(&directory, "").unwrap();
        let store = Store::at(&directory);
        let trouble = store.trouble().unwrap();
        assert!(trouble.is(code::STORE_UNWRITABLE));
        assert_eq!(trouble.args["file"], directory.display().to_string());
        store.save("n", &1);
        assert_eq!(store.trouble().unwrap().args["file"], "n");
        assert!(store.save_now("n", &2).is_err());
        assert_eq!(store.load("n"), Some(2));
        fs::remove_file(&directory).unwrap();
        store.flush();
        assert_eq!(store.trouble(), None);
        assert_eq!(Store::at(&directory).load("n"), Some(2));
    }
}
