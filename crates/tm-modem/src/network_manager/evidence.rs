//! What the properties of NetworkManager and of one of its devices say.

use crate::backend::modem_manager::{Device, Properties, Read};
use crate::diagnosis::{self, Connectivity, DeviceState};

/// `NM_DEVICE_TYPE_MODEM`.
const MODEM: u32 = 8;

/// What NetworkManager knows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct NetworkEvidence {
    /// Whether it is on the bus; without it nothing else is told.
    pub(crate) is_running: bool,
    /// The modem's device; nothing where it has none.
    pub(crate) device: Option<DeviceEvidence>,
    /// What the host's way to the internet is: `gsm`, `802-3-ethernet`, `802-11-wireless`; nothing without one.
    pub(crate) primary_type: Option<String>,
}

impl NetworkEvidence {
    /// For the diagnosis; nothing where NetworkManager is not there.
    pub(crate) fn word(&self) -> Option<diagnosis::NetworkManager> {
        let device = self.device.as_ref();
        // Without a device the modem cannot be the way to the internet, if there is one.
        let is_primary = device.map_or_else(
            || self.primary_type.as_ref().map(|_| false),
            |device| self.primary_type.as_ref().map(|_| device.is_primary),
        );
        self.is_running.then(|| diagnosis::NetworkManager {
            device: device.map_or(DeviceState::Unknown, |device| {
                DeviceState::of_number(device.state)
            }),
            state_reason: device.map(|device| device.state_reason),
            connectivity: device.map_or(Connectivity::Unknown, |device| device.ip4_connectivity),
            is_primary,
        })
    }
}

/// What NetworkManager knows of one device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct DeviceEvidence {
    /// Its network interface, such as `wwan0`.
    pub(crate) interface: Option<String>,
    /// NMDeviceState: 10 unmanaged, 20 unavailable, 30 disconnected, 40 to 90 being set up, 100 activated, 120 failed.
    pub(crate) state: u32,
    /// NMDeviceStateReason.
    pub(crate) state_reason: u32,
    /// How far IPv4 gets by way of it; NetworkManager asks its own server, where one is configured.
    pub(crate) ip4_connectivity: Connectivity,
    /// Whether the host's way to the internet goes by it.
    pub(crate) is_primary: bool,
}

/// Whether a device of NetworkManager is that modem.
pub(crate) fn is_device(device: &Properties, wanted: &Device) -> bool {
    let is = |name: &str, wanted: &Option<String>| {
        wanted.is_some() && device.text(name).as_ref() == wanted.as_ref()
    };
    // Of a modem NetworkManager's `Udi` is ModemManager's object or its `Device`, as versions differ.
    device.word("DeviceType").is_none_or(|kind| kind == MODEM)
        && (is("Udi", &wanted.object)
            || is("Udi", &wanted.udi)
            || is("Interface", &wanted.control_port)
            || is("IpInterface", &wanted.interface))
}

/// Reads the properties of NetworkManager itself and of the modem's device.
pub(super) fn evidence(manager: &Properties, device: Option<&Properties>) -> NetworkEvidence {
    let primary = manager.path("PrimaryConnection");
    let device = device.map(|device| {
        let reason = device.value("StateReason").and_then(|reason| match reason {
            zbus::zvariant::Value::Structure(fields) => {
                fields.fields().get(1)?.downcast_ref::<u32>().ok()
            }
            _ => None,
        });
        DeviceEvidence {
            interface: device
                .text("IpInterface")
                .or_else(|| device.text("Interface")),
            state: device.word("State").unwrap_or_default(),
            state_reason: reason.unwrap_or_default(),
            // Before NetworkManager 1.16 devices do not tell.
            ip4_connectivity: device
                .word("Ip4Connectivity")
                .map_or(Connectivity::Unknown, Connectivity::of_number),
            is_primary: primary.is_some() && device.path("ActiveConnection") == primary,
        }
    });
    NetworkEvidence {
        is_running: true,
        device,
        primary_type: manager.text("PrimaryConnectionType"),
    }
}

#[cfg(test)]
mod tests {
    use zbus::zvariant::{ObjectPath, Value};

    use super::*;
    use crate::backend::modem_manager::properties;

    fn path(text: &'static str) -> Value<'static> {
        ObjectPath::from_static_str_unchecked(text).into()
    }

    fn modem(active: &'static str) -> Properties {
        properties([
            ("Udi", Value::from("/org/freedesktop/ModemManager1/Modem/3")),
            ("Interface", Value::from("cdc-wdm0")),
            ("IpInterface", Value::from("wwan0")),
            ("DeviceType", Value::from(MODEM)),
            ("State", Value::from(100u32)),
            ("StateReason", Value::from((100u32, 42u32))),
            ("Ip4Connectivity", Value::from(4u32)),
            ("ActiveConnection", path(active)),
        ])
    }

    #[test]
    fn the_device_is_known_by_any_of_its_names() {
        let some = |text: &str| Some(text.to_owned());
        let none = Device::default();
        let cases = [
            (
                Device {
                    object: some("/org/freedesktop/ModemManager1/Modem/3"),
                    ..none.clone()
                },
                true,
            ),
            (
                Device {
                    control_port: some("cdc-wdm0"),
                    ..none.clone()
                },
                true,
            ),
            (
                Device {
                    interface: some("wwan0"),
                    ..none.clone()
                },
                true,
            ),
            (
                Device {
                    object: some("/org/freedesktop/ModemManager1/Modem/4"),
                    interface: some("wwan1"),
                    ..none.clone()
                },
                false,
            ),
            (none, false),
        ];
        for (wanted, expected) in cases {
            assert_eq!(is_device(&modem("/a/1"), &wanted), expected, "{wanted:?}");
        }
    }

    #[test]
    fn whether_the_hosts_way_is_the_modem() {
        let manager = properties([
            ("PrimaryConnection", path("/a/1")),
            ("PrimaryConnectionType", Value::from("gsm")),
        ]);
        let told = evidence(&manager, Some(&modem("/a/1")));
        assert_eq!(told.primary_type.as_deref(), Some("gsm"));
        let device = told.device.unwrap();
        assert_eq!(
            (device.is_primary, device.state, device.state_reason),
            (true, 100, 42)
        );
        assert_eq!(device.ip4_connectivity, Connectivity::Full);
        assert!(
            !evidence(&manager, Some(&modem("/a/2")))
                .device
                .unwrap()
                .is_primary
        );
        let nowhere = properties([("PrimaryConnection", path("/"))]);
        let told = evidence(&nowhere, Some(&modem("/")));
        assert!(!told.device.unwrap().is_primary && told.primary_type.is_none());
    }
}
