//! The modem's USB device in sysfs: whether it is plugged in, and in which composition.

use std::fs;
use std::path::{Path, PathBuf};

/// SIMCom's USB vendor.
const VENDOR: &str = "1e0e";

/// A modem's USB device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct UsbModem {
    /// The socket it is in: `1-1.3`.
    pub(crate) socket: String,
    /// Its product id, four hexadecimal digits: which interfaces it shows.
    pub(crate) product: String,
    /// Its directory in sysfs.
    pub(crate) directory: PathBuf,
}

impl UsbModem {
    /// Vendor and product, `1e0e:9001`.
    pub(crate) fn composition(&self) -> String {
        format!("{VENDOR}:{}", self.product)
    }
}

/// The modem in the lowest socket; an error where sysfs does not tell.
pub(crate) fn find(sys: &Path) -> std::io::Result<Option<UsbModem>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(sys.join("bus/usb/devices"))? {
        let Ok(entry) = entry else { continue };
        let directory = entry.path();
        if word(&directory, "idVendor").as_deref() != Some(VENDOR) {
            continue;
        }
        if let (Some(product), Ok(socket)) = (
            word(&directory, "idProduct"),
            entry.file_name().into_string(),
        ) {
            found.push(UsbModem {
                socket,
                product,
                directory,
            });
        }
    }
    found.sort_by(|a, b| a.socket.cmp(&b.socket));
    Ok(found.into_iter().next())
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
        assert!(find(sys.path()).is_err(), "no sysfs");
        let plug = |socket: &str, vendor: &str, product: &str| {
            let directory = sys.path().join("bus/usb/devices").join(socket);
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join("idVendor"), format!("{vendor}\n")).unwrap();
            fs::write(directory.join("idProduct"), format!("{product}\n")).unwrap();
        };
        plug("1-1.2", "0403", "6001");
        plug("1-1.9", "1e0e", "garbage");
        assert_eq!(find(sys.path()).unwrap(), None);
        plug("1-1.4", "1e0e", "9011");
        plug("1-1.3", "1e0e", "9001");
        let modem = find(sys.path()).unwrap().unwrap();
        assert_eq!(
            (modem.socket.as_str(), modem.composition().as_str()),
            ("1-1.3", "1e0e:9001")
        );
    }
}
