//! Finds the tty of a USB interface through sysfs.
//!
//! `<sys>/class/tty/ttyUSB2/device` leads to `…/1-1.3/1-1.3:1.2/ttyUSB2` (usb-serial) or to
//! `…/1-1.3/1-1.3:1.2` (CDC-ACM): the directory with `bInterfaceNumber` is the interface, its
//! parent the device with `idVendor` and `idProduct`, named by its place on the bus.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Absence, PortUrl};

/// A tty that belongs to a USB interface.
struct UsbTty {
    name: String,
    path: String,
    vendor: u16,
    product: u16,
    interface: u8,
}

/// The name of the tty (`ttyUSB2`) that a USB URL stands for.
///
/// Two devices of one kind: the one in the lower socket. Name the socket to have the other.
pub(super) fn find(url: &PortUrl, sys: &Path) -> Result<String, Absence> {
    let mut ttys = list(sys);
    match url {
        PortUrl::Usb {
            vendor,
            product,
            interface,
        } => {
            ttys.retain(|tty| tty.vendor == *vendor && tty.product == *product);
            let is_wanted = |tty: &UsbTty| tty.interface == *interface;
            let found = ttys.into_iter().find(is_wanted).map(|tty| tty.name);
            found.ok_or_else(|| explain_product(sys, *vendor, *product))
        }
        PortUrl::UsbPath { path, interface } => {
            let is_wanted = |tty: &UsbTty| {
                tty.path == *path && interface.is_none_or(|number| number == tty.interface)
            };
            let found = ttys.into_iter().find(is_wanted).map(|tty| tty.name);
            found.ok_or_else(|| {
                if sys.join("bus/usb/devices").join(path).exists() {
                    Absence::Interface
                } else {
                    Absence::Socket(path.clone())
                }
            })
        }
        PortUrl::Device { path, .. } => Err(Absence::Node(path.clone())),
        PortUrl::Tcp { host, .. } => Err(Absence::Node(host.into())),
    }
}

/// Every tty of a USB device, by socket and interface.
fn list(sys: &Path) -> Vec<UsbTty> {
    let Ok(entries) = fs::read_dir(sys.join("class/tty")) else {
        return Vec::new();
    };
    let mut ttys: Vec<UsbTty> = entries
        .filter_map(|entry| describe(&entry.ok()?.path()))
        .collect();
    ttys.sort_by(|a, b| (&a.path, a.interface).cmp(&(&b.path, b.interface)));
    ttys
}

fn describe(entry: &Path) -> Option<UsbTty> {
    let device = fs::canonicalize(entry.join("device")).ok()?;
    let interface = device
        .ancestors()
        .take(2)
        .find(|dir| dir.join("bInterfaceNumber").exists())?;
    let usb_device = interface.parent()?;
    Some(UsbTty {
        name: entry.file_name()?.to_str()?.to_owned(),
        path: usb_device.file_name()?.to_str()?.to_owned(),
        vendor: hex(&usb_device.join("idVendor"))?,
        product: hex(&usb_device.join("idProduct"))?,
        interface: u8::try_from(hex(&interface.join("bInterfaceNumber"))?).ok()?,
    })
}

/// Says whether the device is missing, in another mode, or without a driver.
fn explain_product(sys: &Path, vendor: u16, product: u16) -> Absence {
    let entries = fs::read_dir(sys.join("bus/usb/devices"));
    let devices: Vec<PathBuf> = entries
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    let of_vendor = devices
        .iter()
        .filter(|dir| hex(&dir.join("idVendor")) == Some(vendor));
    let products: Vec<u16> = of_vendor
        .filter_map(|dir| hex(&dir.join("idProduct")))
        .collect();
    if products.contains(&product) {
        Absence::Interface
    } else if let Some(found) = products.first() {
        Absence::OtherProduct {
            vendor,
            product,
            found: *found,
        }
    } else {
        Absence::Device { vendor, product }
    }
}

fn hex(file: &Path) -> Option<u16> {
    u16::from_str_radix(fs::read_to_string(file).ok()?.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A device in `socket` with ttys `(interface, tty)`; usb-serial unless the tty is a ttyACM.
    fn plug(sys: &Path, socket: &str, vendor: &str, product: &str, ttys: &[(&str, &str)]) {
        let device = sys.join("devices/platform/usb1/1-1").join(socket);
        fs::create_dir_all(&device).unwrap();
        fs::write(device.join("idVendor"), format!("{vendor}\n")).unwrap();
        fs::write(device.join("idProduct"), format!("{product}\n")).unwrap();
        fs::create_dir_all(sys.join("bus/usb/devices")).unwrap();
        symlink(&device, sys.join("bus/usb/devices").join(socket)).unwrap();
        for (interface, tty) in ttys {
            let directory =
                device.join(format!("{socket}:1.{}", interface.trim_start_matches('0')));
            let port = if tty.starts_with("ttyACM") {
                directory.clone()
            } else {
                directory.join(tty)
            };
            let class = port.join("tty").join(tty);
            fs::create_dir_all(&class).unwrap();
            fs::write(directory.join("bInterfaceNumber"), format!("{interface}\n")).unwrap();
            symlink(&port, class.join("device")).unwrap();
            fs::create_dir_all(sys.join("class/tty")).unwrap();
            symlink(&class, sys.join("class/tty").join(tty)).unwrap();
        }
    }

    fn check(sys: &Path, url: &str, expected: Result<&str, &str>) {
        let found = find(&url.parse().unwrap(), sys).map_err(|absence| absence.to_string());
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{url}");
    }

    #[test]
    fn interfaces_count_not_the_numbers_of_nodes() {
        let sys = tempfile::tempdir().unwrap();
        let sys = sys.path();
        // Numbers as after a reset beside an FTDI adapter: not in the order of interfaces.
        plug(
            sys,
            "1-1.3",
            "1e0e",
            "9001",
            &[("01", "ttyUSB3"), ("02", "ttyUSB0"), ("03", "ttyUSB4")],
        );
        plug(sys, "1-1.2", "0403", "6001", &[("00", "ttyUSB1")]);
        plug(sys, "1-1.4", "1546", "01a8", &[("00", "ttyACM0")]);
        check(sys, "usb:1e0e:9001:02", Ok("ttyUSB0"));
        check(sys, "usb:1e0e:9001:01", Ok("ttyUSB3"));
        check(sys, "usb:1546:01a8:00", Ok("ttyACM0"));
        check(sys, "usb-path:1-1.2", Ok("ttyUSB1"));
        check(sys, "usb-path:1-1.3", Ok("ttyUSB3"));
        check(sys, "usb-path:1-1.3:03", Ok("ttyUSB4"));
        check(
            sys,
            "usb:1e0e:9001:05",
            Err("the USB device has no serial port on that interface"),
        );
        check(
            sys,
            "usb-path:1-1.3:05",
            Err("the USB device has no serial port on that interface"),
        );
        check(sys, "usb-path:1-1.9", Err("no USB device in socket 1-1.9"));
        check(
            sys,
            "usb:1e0e:9011:04",
            Err("the USB device is 1e0e:9001, not 1e0e:9011"),
        );
        check(sys, "usb:10c4:ea60:00", Err("no USB device 10c4:ea60"));
    }

    #[test]
    fn of_two_modems_the_one_in_the_lower_socket() {
        let sys = tempfile::tempdir().unwrap();
        plug(sys.path(), "1-1.4", "1e0e", "9001", &[("02", "ttyUSB2")]);
        plug(sys.path(), "1-1.1", "1e0e", "9001", &[("02", "ttyUSB7")]);
        check(sys.path(), "usb:1e0e:9001:02", Ok("ttyUSB7"));
        check(sys.path(), "usb-path:1-1.4:02", Ok("ttyUSB2"));
    }

    #[test]
    fn no_sysfs_is_no_device() {
        check(
            Path::new("/nonexistent"),
            "usb:1e0e:9001:02",
            Err("no USB device 1e0e:9001"),
        );
    }
}
