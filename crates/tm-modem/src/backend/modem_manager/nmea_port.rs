//! Whether the NMEA port of the modem may be read from here.

use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// The interface of the NMEA port in composition 9001 (ModemManager, 77-mm-simtech-port-types.rules).
const NMEA_INTERFACE: &str = "01";

/// Where sysfs and the device nodes are.
#[derive(Clone, Debug)]
pub(crate) struct Roots {
    /// Usually `/sys`.
    pub(crate) sys: PathBuf,
    /// Usually `/dev`.
    pub(crate) dev: PathBuf,
}

impl Default for Roots {
    fn default() -> Self {
        Self {
            sys: "/sys".into(),
            dev: "/dev".into(),
        }
    }
}

/// The node of the NMEA port of the modem in this socket, if it can be opened from here.
///
/// The attempt is the only sure answer: in a container without the device the node is missing or may not be
/// opened. Somebody's exclusive use is no obstacle: the only one who may have it is our own relay.
pub(super) fn readable_nmea_port(roots: &Roots, socket: &str) -> Option<PathBuf> {
    let device = roots.sys.join("bus/usb/devices").join(socket);
    let interfaces = fs::read_dir(&device).ok()?;
    let interface = interfaces
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|dir| word(&dir.join("bInterfaceNumber")).as_deref() == Some(NMEA_INTERFACE))?;
    let names = fs::read_dir(interface).ok()?;
    let name = names
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .find(|name| name.starts_with("ttyUSB"))?;
    let node = roots.dev.join(name);
    let flags = OFlags::NOCTTY | OFlags::NONBLOCK;
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(i32::try_from(flags.bits()).ok()?)
        .open(&node);
    let is_usable = match opened {
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::ResourceBusy,
    };
    is_usable.then_some(node)
}

fn word(path: &Path) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_found_by_its_interface() {
        let root = tempfile::tempdir().unwrap();
        let roots = Roots {
            sys: root.path().join("sys"),
            dev: root.path().join("dev"),
        };
        let devices = roots.sys.join("bus/usb/devices");
        fs::create_dir_all(devices.join("1-1.3")).unwrap();
        assert_eq!(readable_nmea_port(&roots, "1-1.3"), None);
        let interface = devices.join("1-1.3/1-1.3:1.1");
        fs::create_dir_all(interface.join("ttyUSB1")).unwrap();
        fs::write(interface.join("bInterfaceNumber"), "01\n").unwrap();
        assert_eq!(readable_nmea_port(&roots, "1-1.3"), None, "no node");
        fs::create_dir_all(&roots.dev).unwrap();
        fs::write(roots.dev.join("ttyUSB1"), "").unwrap();
        assert_eq!(
            readable_nmea_port(&roots, "1-1.3"),
            Some(roots.dev.join("ttyUSB1"))
        );
    }
}
