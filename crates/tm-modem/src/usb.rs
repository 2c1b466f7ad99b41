//! The modem's USB device in sysfs: whether it is plugged in, in which composition, and what its network
//! interface has counted.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// SIMCom's USB vendor, as sysfs writes it.
pub(crate) const VENDOR: &str = "1e0e";

/// What a look at the USB bus found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum UsbLook {
    /// sysfs does not tell.
    Unknown,
    /// No modem's device.
    Absent,
    /// A modem's device.
    Present(UsbModem),
}

impl UsbLook {
    /// The device, if it was found.
    pub(crate) fn modem(&self) -> Option<&UsbModem> {
        match self {
            Self::Present(modem) => Some(modem),
            Self::Unknown | Self::Absent => None,
        }
    }

    /// Whether the device is there; nothing where sysfs does not tell.
    pub(crate) fn is_present(&self) -> Option<bool> {
        match self {
            Self::Unknown => None,
            Self::Absent => Some(false),
            Self::Present(_) => Some(true),
        }
    }
}

/// Looks at the bus for the modem in the lowest socket; blocks for a millisecond.
pub(crate) fn look(sys: &Path) -> UsbLook {
    let Ok(modems) = modems(sys) else {
        return UsbLook::Unknown;
    };
    let Some(modem) = modems.into_iter().next() else {
        return UsbLook::Absent;
    };
    UsbLook::Present(UsbModem {
        network: network(sys, &modem.directory),
        ..modem
    })
}

/// A modem's USB device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct UsbModem {
    /// The socket it is in: `1-1.3`.
    pub(crate) socket: String,
    /// Its product id, four hexadecimal digits: which interfaces it shows.
    pub(crate) product: String,
    /// Its directory in sysfs.
    pub(crate) directory: PathBuf,
    /// Its network interface and what went through it, where this service sees the host's network; only in a
    /// [`look`].
    pub(crate) network: Option<Network>,
}

/// A modem's network interface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Network {
    /// Its name, such as `wwan0`.
    pub(crate) interface: String,
    /// Bytes received since it exists.
    pub(crate) rx_bytes: u64,
    /// Bytes sent since it exists.
    pub(crate) tx_bytes: u64,
}

impl UsbModem {
    /// Vendor and product, `1e0e:9001`.
    pub(crate) fn composition(&self) -> String {
        format!("{VENDOR}:{}", self.product)
    }
}

/// Every modem's directory, by socket; an error where sysfs does not tell.
pub(crate) fn directories(sys: &Path) -> io::Result<Vec<PathBuf>> {
    let mut directories: Vec<PathBuf> = fs::read_dir(sys.join("bus/usb/devices"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|directory| word(directory, "idVendor").as_deref() == Some(VENDOR))
        .collect();
    directories.sort();
    Ok(directories)
}

/// Every modem whose composition is told, by socket, without its network; an error where sysfs does not tell.
pub(crate) fn modems(sys: &Path) -> io::Result<Vec<UsbModem>> {
    let modems = directories(sys)?.into_iter().filter_map(|directory| {
        Some(UsbModem {
            socket: directory.file_name()?.to_str()?.to_owned(),
            product: word(&directory, "idProduct")?,
            directory,
            network: None,
        })
    });
    Ok(modems.collect())
}

/// The interface below one of the device's USB interfaces: `1-1.3:1.5/net/wwan0`.
fn network(sys: &Path, directory: &Path) -> Option<Network> {
    let entries = fs::read_dir(directory).ok()?;
    let names = entries.flatten().filter_map(|entry| {
        let net = fs::read_dir(entry.path().join("net")).ok()?;
        net.flatten().next()?.file_name().into_string().ok()
    });
    let interface = names.min()?;
    let statistics = sys.join("class/net").join(&interface).join("statistics");
    let count = |file: &str| {
        let text = fs::read_to_string(statistics.join(file)).ok()?;
        text.trim().parse().ok()
    };
    Some(Network {
        rx_bytes: count("rx_bytes")?,
        tx_bytes: count("tx_bytes")?,
        interface,
    })
}

/// Four hexadecimal digits of an attribute.
fn word(directory: &Path, attribute: &str) -> Option<String> {
    let text = fs::read_to_string(directory.join(attribute)).ok()?;
    let text = text.trim();
    let is_word = text.len() == 4 && text.bytes().all(|b| b.is_ascii_hexdigit());
    is_word.then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_modem_in_the_lowest_socket() {
        let sys = tempfile::tempdir().unwrap();
        assert_eq!(look(sys.path()), UsbLook::Unknown, "no sysfs");
        let plug = |socket: &str, vendor: &str, product: &str| {
            let directory = sys.path().join("bus/usb/devices").join(socket);
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join("idVendor"), format!("{vendor}\n")).unwrap();
            fs::write(directory.join("idProduct"), format!("{product}\n")).unwrap();
        };
        plug("1-1.2", "0403", "6001");
        plug("1-1.9", "1e0e", "garbage");
        assert_eq!(look(sys.path()), UsbLook::Absent);
        plug("1-1.4", "1e0e", "9011");
        plug("1-1.3", "1e0e", "9001");
        let modem = look(sys.path()).modem().unwrap().clone();
        assert_eq!(
            (modem.socket.as_str(), modem.composition().as_str()),
            ("1-1.3", "1e0e:9001")
        );
        // In a container the network of the host is out of sight.
        fs::create_dir_all(modem.directory.join("1-1.3:1.5/net/wwan0")).unwrap();
        assert_eq!(look(sys.path()).modem().unwrap().network, None);
        let statistics = sys.path().join("class/net/wwan0/statistics");
        fs::create_dir_all(&statistics).unwrap();
        fs::write(statistics.join("rx_bytes"), "1200\n").unwrap();
        fs::write(statistics.join("tx_bytes"), "300\n").unwrap();
        let network = look(sys.path()).modem().unwrap().network.clone().unwrap();
        assert_eq!(
            (
                network.interface.as_str(),
                network.rx_bytes,
                network.tx_bytes
            ),
            ("wwan0", 1200, 300)
        );
    }
}
