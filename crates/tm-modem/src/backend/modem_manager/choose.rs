//! Which of the modems is ours, and what it is called. Never by the number of its object, which grows with every
//! reset.

use zbus::zvariant::OwnedObjectPath;

use super::manager::MODEM;
use super::properties::{Interfaces, Objects, Properties, Read};

/// The interfaces of a modem.
pub(super) const MODEM_3GPP: &str = "org.freedesktop.ModemManager1.Modem.Modem3gpp";

/// One modem: its object now, and everything that is told of it.
#[derive(Debug)]
pub(super) struct ModemObject {
    pub(super) path: OwnedObjectPath,
    interfaces: Interfaces,
}

impl ModemObject {
    #[cfg(test)]
    pub(super) fn new(path: OwnedObjectPath, interfaces: Interfaces) -> Self {
        Self { path, interfaces }
    }

    /// The properties of the interface every modem has.
    pub(super) fn modem(&self) -> Option<&Properties> {
        self.interfaces.get(MODEM)
    }

    /// The properties of an interface that it may have.
    pub(super) fn interface(&self, name: &str) -> Option<&Properties> {
        self.interfaces.get(name)
    }

    /// Serial number of the radio.
    pub(super) fn imei(&self) -> Option<String> {
        imei(&self.interfaces)
    }

    /// Whether it is of SIMCom.
    pub(super) fn is_simtech(&self) -> bool {
        is_simtech(self.modem())
    }

    /// Where it is: the socket of its USB device (`1-1.3`), else what ModemManager calls the device.
    pub(super) fn port(&self) -> Option<String> {
        let device = self.modem().text("Device")?;
        Some(socket(&device).unwrap_or(&device).to_owned())
    }

    /// The socket of its USB device.
    pub(super) fn usb_socket(&self) -> Option<String> {
        let device = self.modem().text("Device")?;
        socket(&device).map(str::to_owned)
    }
}

/// The modem with this serial number; else a SIM7600; else the one whose device comes first.
///
/// Of several the one that was ours stays it while it is there, so that a second one changes nothing. With
/// `only_simtech` there is no other but a SIM7600 or the known one.
pub(super) fn choose(
    objects: Objects,
    known_imei: Option<&str>,
    only_simtech: bool,
) -> Option<ModemObject> {
    let rank = |interfaces: &Interfaces| {
        let modem = interfaces.get(MODEM);
        let is_known = known_imei.is_some() && imei(interfaces).as_deref() == known_imei;
        let device = modem.text("Device").unwrap_or_default();
        (!is_known, !is_simtech(modem), device)
    };
    let is_candidate = |interfaces: &Interfaces| {
        let (is_unknown, is_foreign, _) = rank(interfaces);
        !(only_simtech && is_unknown && is_foreign)
    };
    let (path, interfaces) = objects
        .into_iter()
        .filter(|(_, interfaces)| is_candidate(interfaces))
        .min_by_key(|(path, interfaces)| (rank(interfaces), path.as_str().to_owned()))?;
    Some(ModemObject { path, interfaces })
}

fn imei(interfaces: &Interfaces) -> Option<String> {
    let told = interfaces.get(MODEM).text("EquipmentIdentifier");
    told.or_else(|| interfaces.get(MODEM_3GPP).text("Imei"))
}

/// The maker's word is not asked: in QMI mode it is Qualcomm's.
fn is_simtech(modem: Option<&Properties>) -> bool {
    let has = |name: &str, word: &str| {
        let text = modem.text(name).unwrap_or_default();
        text.to_ascii_lowercase().contains(word)
    };
    has("Plugin", "simtech") || has("Model", "sim7600") || has("Revision", "sim7600")
}

/// `/sys/devices/…/usb1/1-1/1-1.3` is socket `1-1.3`; other buses have other names.
fn socket(device: &str) -> Option<&str> {
    let name = device.rsplit('/').next()?;
    let (bus, ports) = name.split_once('-')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    (is_number(bus) && ports.split('.').all(is_number)).then_some(name)
}

#[cfg(test)]
mod tests {
    use zbus::zvariant::Value;

    use super::*;
    use crate::backend::modem_manager::properties::properties;

    const USB: &str = "/sys/devices/platform/scb/fd500000.pcie/usb1/1-1/1-1.";

    fn modem(n: u32, imei: &str, plugin: &str, device: &str) -> (OwnedObjectPath, Interfaces) {
        let modem = properties([
            ("EquipmentIdentifier", Value::from(imei)),
            ("Plugin", Value::from(plugin)),
            ("Device", Value::from(device)),
        ]);
        let path = format!("/org/freedesktop/ModemManager1/Modem/{n}");
        let path = OwnedObjectPath::try_from(path).unwrap();
        (path, Interfaces::from([(MODEM.to_owned(), modem)]))
    }

    fn check(known: Option<&str>, expected: &str, modems: &[(u32, &str, &str, &str)]) {
        let object = |(n, imei, plugin, socket): &(u32, &str, &str, &str)| {
            modem(*n, imei, plugin, &format!("{USB}{socket}"))
        };
        let objects: Objects = modems.iter().map(object).collect();
        let chosen = choose(objects, known, false).and_then(|object| object.imei());
        assert_eq!(chosen.as_deref().unwrap_or_default(), expected, "{known:?}");
    }

    #[test]
    fn a_stranger_is_not_taken_for_ours_while_ours_is_away() {
        let (quectel, simtech) = (
            modem(0, "1", "quectel", &format!("{USB}1")),
            modem(1, "2", "simtech", &format!("{USB}2")),
        );
        let imei = |known, modems: Vec<_>| {
            let chosen = choose(modems.into_iter().collect(), known, true);
            chosen.and_then(|object| object.imei())
        };
        let other = || modem(0, "1", "quectel", &format!("{USB}1"));
        assert_eq!(imei(None, vec![other()]), None);
        assert_eq!(imei(Some("9"), vec![other()]), None);
        assert_eq!(imei(Some("1"), vec![other()]).as_deref(), Some("1"));
        let both = imei(Some("9"), vec![quectel, simtech]);
        assert_eq!(both.as_deref(), Some("2"));
    }

    #[test]
    fn the_one_that_was_ours_then_a_sim7600_then_the_lowest_socket() {
        let (quectel, first, second) = (
            (0, "1", "quectel", "1"),
            (5, "2", "simtech", "4"),
            (3, "3", "simtech", "3"),
        );
        check(None, "", &[]);
        check(None, "1", &[quectel]);
        check(None, "2", &[quectel, first]);
        check(None, "3", &[quectel, first, second]);
        check(Some("2"), "2", &[quectel, first, second]);
        check(Some("1"), "1", &[quectel, first, second]);
        check(Some("9"), "3", &[quectel, first, second]);
    }

    #[test]
    fn where_it_is() {
        for (device, port, usb) in [
            ("/sys/devices/x/usb1/1-1/1-1.3", "1-1.3", Some("1-1.3")),
            ("/sys/devices/pci0/usb2/2-1", "2-1", Some("2-1")),
            ("sim7600", "sim7600", None),
            ("/sys/devices/pci-bridge", "/sys/devices/pci-bridge", None),
        ] {
            let (path, interfaces) = modem(0, "1", "simtech", device);
            let object = ModemObject::new(path, interfaces);
            assert_eq!(object.port().as_deref(), Some(port));
            assert_eq!(object.usb_socket().as_deref(), usb);
        }
    }
}
