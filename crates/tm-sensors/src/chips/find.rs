//! Which chips there are: the two trees of the kernel, listed.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use super::channel::Channel;
use super::{hwmon, identity, iio};
use crate::blocking::{self, Fault};

/// The most chips that are looked at.
const CHIPS_MAX: usize = 32;
/// The most channels of one chip.
const CHANNELS_MAX: usize = 32;
/// Chips that others of our drivers measure (`under-voltage`, 1-Wire), or that only repeat an IIO device.
const OTHERS: [&str; 3] = ["rpi_volt", "w1_slave_temp", "iio_hwmon"];

/// A chip with something to measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chip {
    /// `iio` or `hwmon`.
    pub(super) tree: &'static str,
    /// The driver's name, as the kernel writes it.
    pub(super) driver: String,
    /// Where its files are now.
    pub(super) directory: PathBuf,
    pub(super) channels: Vec<Channel>,
}

/// Every chip below the root of sysfs, by name. A chip that both trees show is taken from IIO.
///
/// Not having one of the trees is no fault: it means no such chips.
pub(super) fn chips(sys: &Path) -> Result<BTreeMap<String, Chip>, Fault> {
    let mut found: BTreeMap<String, Chip> = BTreeMap::new();
    let mut devices: Vec<PathBuf> = Vec::new();
    for (tree, root, prefix) in [
        ("iio", "bus/iio/devices", "iio:device"),
        ("hwmon", "class/hwmon", "hwmon"),
    ] {
        let root = sys.join(root);
        let entries = match blocking::names(&root) {
            Err(fault) if fault.is_absence() => continue,
            entries => entries?,
        };
        for entry in entries.iter().filter(|entry| entry.starts_with(prefix)) {
            // One that vanishes meanwhile, or cannot be read, is not there.
            let looked = match tree {
                "iio" => iio_device(&root.join(entry)),
                _ => hwmon_chip(&root.join(entry)),
            };
            let Some((device, name, chip)) = looked else {
                continue;
            };
            if chip.channels.is_empty() || devices.contains(&device) || found.len() >= CHIPS_MAX {
                continue;
            }
            if tree == "iio" {
                // Only the other tree is compared: one device may have two of IIO.
                devices.push(device);
            }
            found.entry(name).or_insert(chip);
        }
    }
    Ok(found)
}

/// The device behind it, its name, and what it measures.
fn iio_device(directory: &Path) -> Option<(PathBuf, String, Chip)> {
    // `/sys/devices/…/i2c-1/1-0076/iio:device0`: the parent is the device on its bus.
    let device = fs::canonicalize(directory).ok()?.parent()?.to_owned();
    let address = device.file_name()?.to_str()?.to_owned();
    let mut driver = text(&directory.join("name"))?;
    if driver == address {
        // Some drivers (`mcp3422` of older kernels) give the address for a name; the bus knows better.
        driver = text(&device.join("name"))?;
    }
    let files = blocking::names(directory).ok()?;
    Some(chip(
        "iio",
        &device,
        driver,
        directory,
        iio::channels(&files),
    ))
}

fn hwmon_chip(directory: &Path) -> Option<(PathBuf, String, Chip)> {
    // Without a device it is virtual; that of a thermal zone is measured as a zone.
    let device = fs::canonicalize(directory.join("device")).ok()?;
    if device
        .components()
        .any(|part| part.as_os_str() == "thermal")
    {
        return None;
    }
    let driver = text(&directory.join("name"))?;
    if OTHERS.contains(&driver.as_str()) {
        return None;
    }
    let files = blocking::names(directory).ok()?;
    let labels: HashMap<String, String> = files
        .iter()
        .filter(|file| file.ends_with("_label"))
        .filter_map(|file| Some((file.clone(), text(&directory.join(file))?)))
        .collect();
    let channels = hwmon::channels(&files, &labels);
    Some(chip("hwmon", &device, driver, directory, channels))
}

fn chip(
    tree: &'static str,
    device: &Path,
    driver: String,
    directory: &Path,
    mut channels: Vec<Channel>,
) -> (PathBuf, String, Chip) {
    channels.truncate(CHANNELS_MAX);
    let address = device.file_name().and_then(|name| name.to_str());
    let name = identity::name(&driver, address.unwrap_or_default());
    let chip = Chip {
        tree,
        driver,
        directory: directory.to_owned(),
        channels,
    };
    (device.to_owned(), name, chip)
}

fn text(file: &Path) -> Option<String> {
    Some(blocking::read_short(file).ok()?.trim().to_owned())
}
