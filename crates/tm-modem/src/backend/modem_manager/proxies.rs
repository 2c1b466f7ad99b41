//! The methods of ModemManager and of the bus that are called, as their introspection has them.
//!
//! Properties are read as whole maps, so that one that an older ModemManager lacks is simply not in it.

use std::collections::HashMap;

use zbus::zvariant::{ObjectPath, OwnedObjectPath, OwnedValue, Value};

use super::properties::{Objects, Properties};

#[zbus::proxy(interface = "org.freedesktop.DBus.ObjectManager")]
pub(crate) trait ObjectManager {
    fn get_managed_objects(&self) -> zbus::Result<Objects>;
}

#[zbus::proxy(interface = "org.freedesktop.DBus.Properties")]
pub(crate) trait PropertyReader {
    fn get_all(&self, interface: &str) -> zbus::Result<Properties>;
}

#[zbus::proxy(interface = "org.freedesktop.ModemManager1.Modem")]
pub(crate) trait Modem {
    fn enable(&self, enable: bool) -> zbus::Result<()>;
    fn reset(&self) -> zbus::Result<()>;
    fn set_power_state(&self, state: u32) -> zbus::Result<()>;
    fn command(&self, command: &str, timeout_s: u32) -> zbus::Result<String>;
}

#[zbus::proxy(interface = "org.freedesktop.ModemManager1.Modem.Modem3gpp")]
pub(crate) trait Modem3gpp {
    fn register(&self, operator: &str) -> zbus::Result<()>;
}

#[zbus::proxy(interface = "org.freedesktop.ModemManager1.Modem.Modem3gpp.Ussd")]
pub(crate) trait Ussd {
    fn initiate(&self, code: &str) -> zbus::Result<String>;
    fn cancel(&self) -> zbus::Result<()>;
}

#[zbus::proxy(interface = "org.freedesktop.ModemManager1.Modem.Signal")]
pub(crate) trait Signal {
    fn setup(&self, period_s: u32) -> zbus::Result<()>;
}

#[zbus::proxy(interface = "org.freedesktop.ModemManager1.Modem.Location")]
pub(crate) trait Location {
    fn setup(&self, sources: u32, signals: bool) -> zbus::Result<()>;
    fn set_gps_refresh_rate(&self, period_s: u32) -> zbus::Result<()>;
    fn get_location(&self) -> zbus::Result<HashMap<u32, OwnedValue>>;
}

#[zbus::proxy(interface = "org.freedesktop.ModemManager1.Modem.Time")]
pub(crate) trait Time {
    fn get_network_time(&self) -> zbus::Result<String>;
}

#[zbus::proxy(interface = "org.freedesktop.ModemManager1.Modem.Messaging")]
pub(crate) trait Messaging {
    fn list(&self) -> zbus::Result<Vec<OwnedObjectPath>>;
    fn create(&self, properties: HashMap<&str, Value<'_>>) -> zbus::Result<OwnedObjectPath>;
    fn delete(&self, path: &ObjectPath<'_>) -> zbus::Result<()>;
}

#[zbus::proxy(interface = "org.freedesktop.ModemManager1.Sms")]
pub(crate) trait Sms {
    fn send(&self) -> zbus::Result<()>;
}

#[zbus::proxy(interface = "org.freedesktop.ModemManager1.Sim")]
pub(crate) trait Sim {
    fn send_pin(&self, pin: &str) -> zbus::Result<()>;
}

#[zbus::proxy(interface = "org.freedesktop.ModemManager1.Bearer")]
pub(crate) trait Bearer {
    fn connect(&self) -> zbus::Result<()>;
    fn disconnect(&self) -> zbus::Result<()>;
}

#[zbus::proxy(interface = "org.freedesktop.NetworkManager")]
pub(crate) trait NetworkManager {
    fn get_devices(&self) -> zbus::Result<Vec<OwnedObjectPath>>;
    fn activate_connection(
        &self,
        connection: &ObjectPath<'_>,
        device: &ObjectPath<'_>,
        specific: &ObjectPath<'_>,
    ) -> zbus::Result<OwnedObjectPath>;
}
