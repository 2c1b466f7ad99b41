//! The modem on USB: whether it is there, in which composition, and which ports it has.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tm_types::code;

use super::{Check, Machine, own};
use crate::config::Expected;

/// SIMCom's vendor number.
const SIMCOM: &str = "1e0e";
/// The composition with a port per purpose; the default of the module (SIM7500_SIM7600 AT Command Manual V2.00, 19.2.14).
const WANTED: &str = "9001";
/// Compositions with NMEA, AT and a network interface of QMI or MBIM as well (AT manual V1.12, 4.23).
const ALSO_GOOD: [&str; 5] = ["9000", "9002", "9003", "9006", "9007"];
/// CP2102 and CH340: the bridges behind the HAT's other socket, "USB UART".
const BRIDGES: [(&str, &str); 2] = [("10c4", "ea60"), ("1a86", "7523")];
/// Interfaces of composition 9001: NMEA and AT (77-mm-simtech-port-types.rules of ModemManager), QMI.
const NMEA: &str = "01";
const AT: &str = "02";
const QMI: &str = "05";

pub(super) fn checks(machine: &Machine) -> [Check; 2] {
    let skipped = |usb| [usb, Check::skipped("ports", own("skipped_no_modem"))];
    let devices = devices(&machine.sys);
    let modem = devices.iter().find(|device| device.vendor == SIMCOM);
    let expected = machine.environment.get("TM_MODEM_EXPECTED");
    let expected: Expected = expected
        .and_then(|text| text.parse().ok())
        .unwrap_or_default();
    let Some(modem) = modem else {
        let bridge = devices.iter().find(|device| {
            let id = (device.vendor.as_str(), device.product.as_str());
            BRIDGES.contains(&id)
        });
        return skipped(match bridge {
            _ if expected == Expected::No => {
                Check::skipped("usb", code::MODEM_NOT_CONFIGURED.plain())
            }
            Some(bridge) => {
                let cause = own("usb_uart_socket").and("id", bridge.id());
                Check::fail("usb", cause)
            }
            None if devices.is_empty() && expected == Expected::Auto => {
                Check::skipped("usb", own("skipped_no_usb"))
            }
            None => Check::fail("usb", code::MODEM_ABSENT.with("port", "USB")),
        });
    };
    let is_good = modem.product == WANTED || ALSO_GOOD.contains(&modem.product.as_str());
    if !is_good {
        let cause = code::MODEM_WRONG_COMPOSITION
            .with("found", modem.id())
            .and("expected", format!("{SIMCOM}:{WANTED}"))
            .and("pid", WANTED);
        return skipped(Check::fail("usb", cause));
    }
    let usb = Check::ok("usb", own("usb_modem").and("id", modem.id()));
    [usb, ports(modem)]
}

fn ports(modem: &Device) -> Check {
    let ports = modem.ports();
    let list: Vec<String> = ports
        .iter()
        .map(|(interface, node)| format!("{interface} {node}"))
        .collect();
    let found = if list.is_empty() {
        "-".to_owned()
    } else {
        list.join(", ")
    };
    let has = |interface| ports.contains_key(interface);
    let cause = |name| own(name).and("ports", &found);
    if modem.product != WANTED {
        return Check::warn("ports", cause("ports_other_layout"));
    }
    match (has(NMEA) && has(AT), has(QMI)) {
        (true, true) => Check::ok("ports", cause("ports_there")),
        (true, false) => Check::warn("ports", cause("ports_no_network")),
        (false, _) => Check::fail("ports", cause("ports_missing")),
    }
}

struct Device {
    vendor: String,
    product: String,
    directory: PathBuf,
}

impl Device {
    fn id(&self) -> String {
        format!("{}:{}", self.vendor, self.product)
    }

    /// Interface number and the node it has: a tty, or the control node of a network interface.
    fn ports(&self) -> BTreeMap<String, String> {
        let interfaces = names(&self.directory).into_iter().filter_map(|name| {
            let directory = self.directory.join(&name);
            let number = short(&directory.join("bInterfaceNumber"))?;
            Some((number, node(&directory)?))
        });
        interfaces.collect()
    }
}

/// `ttyUSB2` stands below the interface, `ttyACM0` below `tty`, `cdc-wdm0` below `usbmisc`.
fn node(interface: &Path) -> Option<String> {
    let below = |name: &str| names(&interface.join(name)).into_iter().next();
    let serial = names(interface)
        .into_iter()
        .find(|name| name.starts_with("ttyUSB"));
    serial.or_else(|| below("tty")).or_else(|| below("usbmisc"))
}

fn devices(sys: &Path) -> Vec<Device> {
    let root = sys.join("bus/usb/devices");
    names(&root)
        .into_iter()
        .filter_map(|name| {
            let directory = root.join(name);
            Some(Device {
                vendor: short(&directory.join("idVendor"))?,
                product: short(&directory.join("idProduct"))?,
                directory,
            })
        })
        .collect()
}

/// The entries of a directory, sorted; none when it cannot be read.
pub(super) fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// The text of a file of `/sys`, which has at most a page.
pub(super) fn short(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim().chars().take(64).collect())
}
