//! A file with secrets in it: readable by its owner only, never overwritten by accident.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// Writes a new file; with `force` it takes the place of another.
pub(super) fn write(path: &Path, text: &str, force: bool) -> Result<()> {
    if !force {
        return match create(path, text) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                bail!("it is there already; --force overwrites it")
            }
            other => Ok(other?),
        };
    }
    let name = path.file_name().context("it has no file name")?;
    let mut beside = name.to_owned();
    beside.push(".new");
    let beside = path.with_file_name(beside);
    // One that an earlier, interrupted run left.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    create(&beside, text)?;
    Ok(fs::rename(&beside, path)?)
}

fn create(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
