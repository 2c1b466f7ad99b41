//! Where the machine keeps its numbers: the files below the roots of `/proc` and `/sys`.

use std::path::{Path, PathBuf};

use tm_types::Reason;

use super::storage;
use crate::blocking::{self, Fault};

/// The most thermal zones that are read; a Pi has one, servers have dozens.
const ZONES_MAX: usize = 16;

/// The texts of `/proc`, or why one is not there.
pub(super) struct ProcTexts {
    pub(super) loadavg: Result<String, Reason>,
    pub(super) uptime: Result<String, Reason>,
    pub(super) meminfo: Result<String, Reason>,
    pub(super) stat: Result<String, Reason>,
}

impl ProcTexts {
    pub(super) fn read(root: &Path) -> Self {
        // Of /proc/stat the first line counts; the whole is longer than any bound on big machines.
        let start = |file: &str| {
            let bytes = blocking::read_start(&root.join(file), blocking::FILE_MAX);
            bytes
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                .map_err(|fault| fault.reason())
        };
        Self {
            loadavg: start("loadavg"),
            uptime: start("uptime"),
            meminfo: start("meminfo"),
            stat: start("stat"),
        }
    }

    pub(super) fn missing(reason: Reason) -> Self {
        Self {
            loadavg: Err(reason),
            uptime: Err(reason),
            meminfo: Err(reason),
            stat: Err(reason),
        }
    }
}

/// Directory and type of every thermal zone, by number.
pub(super) fn zone_types(root: &Path) -> Result<Vec<(String, String)>, Fault> {
    let mut zones: Vec<(u32, String)> = blocking::names(root)?
        .into_iter()
        .filter_map(|name| Some((name.strip_prefix("thermal_zone")?.parse().ok()?, name)))
        .collect();
    zones.sort_unstable();
    zones.truncate(ZONES_MAX);
    let typed = zones.into_iter().map(|(_, zone)| {
        let zone_type = blocking::read_short(&root.join(&zone).join("type"));
        (zone, zone_type.unwrap_or_default())
    });
    Ok(typed.collect())
}

/// The `in0_lcrit_alarm` of the first chip called `rpi_volt`, with its text.
pub(super) fn voltage_alarm(root: &Path) -> Result<Option<(PathBuf, String)>, Fault> {
    for chip in blocking::names(root)? {
        let chip = root.join(chip);
        let is_ours =
            blocking::read_short(&chip.join("name")).is_ok_and(|name| name.trim() == "rpi_volt");
        if is_ours {
            let file = chip.join("in0_lcrit_alarm");
            return blocking::read_short(&file).map(|text| Some((file, text)));
        }
    }
    Ok(None)
}

/// The registers of one soldered flash, where they can be read.
pub(super) struct Registers {
    /// The block device: `mmcblk0`.
    pub(super) card: String,
    pub(super) life_time: Option<Result<String, Reason>>,
    pub(super) pre_eol_info: Option<Result<String, Reason>>,
}

/// The registers of every card below `/sys/block`; one that has none is left out.
pub(super) fn registers(root: &Path) -> Result<Vec<Registers>, Fault> {
    let cards = blocking::names(root)?;
    let cards = cards.into_iter().filter(|name| storage::is_card(name));
    let read = cards.map(|card| {
        let register = |name: &str| {
            let text = blocking::read_short(&root.join(&card).join("device").join(name));
            match text {
                Err(fault) if fault.is_absence() => None,
                text => Some(text.map_err(|fault| fault.reason())),
            }
        };
        Registers {
            life_time: register("life_time"),
            pre_eol_info: register("pre_eol_info"),
            card,
        }
    });
    Ok(read.collect())
}
