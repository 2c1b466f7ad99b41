//! The power of the machine goes and comes back.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;
use tm_sim::broker::Broker;
use tm_sim::gate::GateMode;

use super::services::{NAMES, Services};
use super::{Demo, http};

impl Demo {
    /// Stops every service as a power cut of the machine would: not a word more gets out, and what is written from
    /// now on is not on the disk when the power comes back.
    ///
    /// # Errors
    /// When the files of that moment cannot be kept.
    pub async fn cut_power(&mut self) -> Result<()> {
        self.bus_gate.set_mode(GateMode::Refuse);
        self.bus_gate.cut();
        self.cloud_gate.cut();
        let data = self.world.data.clone();
        let services = self.services.take();
        let flash = tokio::task::spawn_blocking(move || {
            let flash = Flash::keep(&data, &NAMES);
            drop(services);
            flash
        });
        self.flash = Some(flash.await??);
        Ok(())
    }

    /// Starts the machine anew, after [`Self::cut_power`]: with the files of that moment, a local broker that has
    /// forgotten everything, and a clock that is behind where it can be.
    ///
    /// # Errors
    /// When the files cannot be put back, or a service cannot be started.
    pub async fn power_back(&mut self) -> Result<()> {
        let Some(flash) = self.flash.take() else {
            return Ok(());
        };
        let broker = tokio::task::spawn_blocking(move || {
            flash.restore(&NAMES)?;
            Broker::start().context("start the local broker anew")
        });
        let broker = broker.await??;
        self.bus_gate.set_target(broker.address());
        self.bus_gate.set_mode(GateMode::Forward);
        self.bus = broker.url();
        if let Some(clock) = &mut self.clock {
            clock.reboot();
        }
        let listener = http::bind(self.page.port()).await?;
        self.page = listener.local_addr()?;
        self.services = Some(Services::start(&self.world, listener.into_std()?)?);
        Ok(())
    }
}

/// The services' files at one instant; whatever is written later is not in them.
#[derive(Debug)]
pub(super) struct Flash {
    data: PathBuf,
    kept: TempDir,
}

impl Flash {
    /// Copies the directories of these names below `data`.
    pub(super) fn keep(data: &Path, names: &[&str]) -> Result<Self> {
        let kept = tempfile::tempdir().context("make a temporary directory")?;
        for name in names {
            copy(&data.join(name), &kept.path().join(name))
                .with_context(|| format!("copy the files of {name}"))?;
        }
        Ok(Self {
            data: data.to_owned(),
            kept,
        })
    }

    /// Puts them back as they were.
    pub(super) fn restore(self, names: &[&str]) -> Result<()> {
        for name in names {
            let place = self.data.join(name);
            fs::remove_dir_all(&place)
                .and_then(|()| copy(&self.kept.path().join(name), &place))
                .with_context(|| format!("put the files of {name} back"))?;
        }
        Ok(())
    }
}

/// Copies a file or a tree. A file that is gone meanwhile was a temporary one.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let is_there = |outcome: io::Result<()>| match outcome {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    };
    if !from.is_dir() {
        return is_there(fs::copy(from, to).map(drop));
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        copy(&from.join(&name), &to.join(&name))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_after_the_cut_is_gone() {
        let data = tempfile::tempdir().unwrap();
        let path = |name: &str| data.path().join(name);
        fs::create_dir_all(path("uplink/journal")).unwrap();
        fs::create_dir_all(path("hardware")).unwrap();
        fs::write(path("uplink/journal/1"), "before").unwrap();
        let flash = Flash::keep(data.path(), &["uplink"]).unwrap();
        fs::write(path("uplink/journal/1"), "after").unwrap();
        fs::write(path("uplink/journal/2"), "after").unwrap();
        fs::write(path("hardware/link"), "after").unwrap();
        flash.restore(&["uplink"]).unwrap();
        assert_eq!(
            fs::read_to_string(path("uplink/journal/1")).unwrap(),
            "before"
        );
        assert!(!path("uplink/journal/2").exists());
        assert!(path("hardware/link").exists(), "not of the machine");
    }
}
