//! A pseudo-terminal behind a stable link.

use std::{
    ffi::OsStr,
    fs, io,
    os::{fd::OwnedFd, unix::ffi::OsStrExt as _},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{OptionalActions, tcgetattr, tcsetattr},
};

/// The module's side of a serial port. The link disappears with it.
#[derive(Debug)]
pub(super) struct Pty {
    master: OwnedFd,
    link: PathBuf,
}

/// What the module's side sees.
#[derive(Debug)]
pub(super) enum Probe {
    /// Nobody has the port open.
    Closed,
    /// Somebody has, and wrote this (nothing, perhaps).
    Open(Vec<u8>),
}

impl Pty {
    /// Makes one in raw mode and points `link` at it.
    pub(super) fn open(link: &Path) -> io::Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&master, true)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let name = ptsname(&master, Vec::new())?;
        // Opened and closed once: only then does the master see that nobody has it open.
        let port = rustix::fs::open(
            &name,
            OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        let mut attributes = tcgetattr(&port)?;
        attributes.make_raw();
        tcsetattr(&port, OptionalActions::Now, &attributes)?;
        drop(port);
        let target = Path::new(OsStr::from_bytes(name.to_bytes()));
        let fresh = link.with_extension("new");
        let _ = fs::remove_file(&fresh);
        std::os::unix::fs::symlink(target, &fresh)?;
        fs::rename(&fresh, link)?;
        Ok(Self {
            master,
            link: link.to_owned(),
        })
    }

    /// Looks without waiting.
    pub(super) fn probe(&self) -> Probe {
        let mut buffer = [0; 1024];
        match rustix::io::read(&self.master, &mut buffer) {
            Ok(0) => Probe::Closed,
            Ok(n) => Probe::Open(buffer[..n].to_vec()),
            Err(Errno::AGAIN | Errno::INTR) => Probe::Open(Vec::new()),
            // EIO: the other side is closed.
            Err(_) => Probe::Closed,
        }
    }

    /// Writes what fits; a client that does not read loses the rest.
    pub(super) fn write(&self, mut bytes: &[u8]) {
        while let Ok(n) = rustix::io::write(&self.master, bytes) {
            bytes = &bytes[n..];
            if bytes.is_empty() {
                return;
            }
        }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.link);
    }
}
