//! Chips that a driver of the kernel measures: BME280, SHT3x, ADS1115, INA219, MCP342x and what else there is.
//!
//! The kernel shows them below `/sys/bus/iio/devices` and `/sys/class/hwmon`. They are found anew with every poll,
//! so that they come and go without a restart; one that was seen and is gone stays, as absent.

mod channel;
mod exact;
mod find;
mod hwmon;
mod identity;
mod iio;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tm_types::{Point, PointName, Reading, Reason, SeriesId, Source};

use crate::blocking::{self, Blocking, Fault};
use crate::report::{Deadband, Measured};
use channel::{Channel, Files, Texts};
use find::Chip;

/// Listing is memory of the kernel's; the labels of a chip may be behind its bus.
const FIND_DEADLINE: Duration = Duration::from_secs(2);
/// One conversion: 18 bits of an MCP3424 take 267 ms (data sheet DS22088, "Electrical characteristics"),
/// one of an ADS1115 at 8 samples a second 125 ms; the driver of either waits for it and retries.
const CHANNEL_DEADLINE: Duration = Duration::from_secs(2);

/// The chips of the machine.
#[derive(Debug)]
pub(crate) struct Chips {
    sys: PathBuf,
    source: Source,
    temperature_band: Deadband,
    deadline: Duration,
    blocking: Blocking,
    /// Every chip ever seen.
    seen: BTreeMap<String, Chip>,
}

impl Chips {
    /// `sys` is the root of sysfs, `source` publishes.
    pub(crate) fn new(sys: &Path, source: Source, temperature_band: Deadband) -> Self {
        Self {
            sys: sys.to_owned(),
            source,
            temperature_band,
            deadline: CHANNEL_DEADLINE,
            blocking: Blocking::default(),
            seen: BTreeMap::new(),
        }
    }

    /// Looks which chips are there; gives all that are or were with their tree, absent ones with the reason.
    pub(crate) async fn look(&mut self) -> Vec<(String, &'static str, Result<(), Reason>)> {
        let sys = self.sys.clone();
        let job = move || find::chips(&sys);
        let found = self.blocking.run(&self.sys, FIND_DEADLINE, job).await;
        let found = found.map_err(|fault: Fault| fault.reason());
        if let Ok(found) = &found {
            self.seen.extend(found.clone());
        }
        let state = |id: &String| match &found {
            Ok(found) if found.contains_key(id) => Ok(()),
            Ok(_) => Err(Reason::NotPresent),
            Err(reason) => Err(*reason),
        };
        let told = self.seen.iter();
        told.map(|(id, chip)| (id.clone(), chip.tree, state(id)))
            .collect()
    }

    /// Reads every channel of a chip of the last [`look`](Self::look).
    pub(crate) async fn read(&mut self, id: &str) -> Vec<Measured> {
        let Some(chip) = self.seen.get(id).cloned() else {
            return Vec::new();
        };
        let mut points = Vec::with_capacity(chip.channels.len());
        // A bus that hangs or a chip that was pulled fails alike for every channel: one wait is enough.
        let mut lost = None;
        for channel in &chip.channels {
            let reading = match lost {
                Some(reason) => Reading::Missing(reason),
                None => match self.texts(&chip.directory, channel).await {
                    Ok(texts) => channel.reading(&chip.driver, &texts),
                    Err(reason) => {
                        lost = matches!(reason, Reason::Timeout | Reason::NotPresent)
                            .then_some(reason);
                        Reading::Missing(reason)
                    }
                },
            };
            points.extend(self.measured(id, channel, reading));
        }
        points
    }

    /// What is told of a chip that could not be read at all.
    pub(crate) fn missing(&self, id: &str, reason: Reason) -> Vec<Measured> {
        let channels = self.seen.get(id).map_or(&[][..], |chip| &chip.channels);
        let measured = |channel| self.measured(id, channel, Reading::Missing(reason));
        channels.iter().filter_map(measured).collect()
    }

    /// `None` when the name would be longer than a series may be: only under an instance with a very long name.
    fn measured(&self, id: &str, channel: &Channel, reading: Reading) -> Option<Measured> {
        let name = PointName::new(&format!("{id}/{}", channel.name)).ok()?;
        SeriesId::of(&self.source, &name).ok()?;
        let quantity = channel.quantity;
        Some(Measured {
            point: Point::gauge(name, quantity.unit(), reading).with_scale(quantity.places()),
            deadband: quantity.deadband(self.temperature_band),
        })
    }

    /// One channel's files, within one deadline.
    async fn texts(&mut self, directory: &Path, channel: &Channel) -> Result<Texts, Reason> {
        let in_directory = |file: &String| directory.join(file);
        let (number, scale, offset) = match &channel.files {
            Files::Processed(file) => (file, None, None),
            Files::Raw { raw, scale, offset } => (raw, Some(scale), offset.as_ref()),
        };
        let number = in_directory(number);
        let scale = scale.map(in_directory);
        let offset = offset.map(in_directory);
        let fault = channel.fault.as_ref().map(in_directory);
        let key = number.clone();
        let job = move || {
            let read = |file: PathBuf| blocking::read_short(&file);
            Ok(Texts {
                fault: fault.map(read).transpose()?,
                number: read(number)?,
                scale: scale.map(read).transpose()?,
                offset: offset.map(read).transpose()?,
            })
        };
        let texts = self.blocking.run(&key, self.deadline, job).await;
        texts.map_err(|fault| fault.reason())
    }
}

#[cfg(test)]
mod tests;
