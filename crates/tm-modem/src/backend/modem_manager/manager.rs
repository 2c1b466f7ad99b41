//! ModemManager as one instance that runs: who owns the name, and how its objects are reached.

use std::time::Duration;

use zbus::Connection;
use zbus::names::OwnedUniqueName;
use zbus::proxy::{Builder, CacheProperties, Defaults};
use zbus::zvariant::ObjectPath;
use zbus::{Proxy, zvariant};

use super::bus::SystemBus;
use super::failure::{Failure, within};
use super::properties::{Interfaces, Objects, Properties};
use super::proxies::{ObjectManagerProxy, PropertyReaderProxy};

/// The name on the bus.
pub(super) const NAME: &str = "org.freedesktop.ModemManager1";
/// The object that lists the modems.
pub(super) const ROOT: &str = "/org/freedesktop/ModemManager1";
/// The interface that makes an object a modem.
pub(super) const MODEM: &str = "org.freedesktop.ModemManager1.Modem";

/// `MM_MODEM_PORT_TYPE_GPS`.
const PORT_TYPE_GPS: u32 = 5;

/// Properties are in ModemManager's memory.
const READ_TIME: Duration = Duration::from_secs(5);

/// One run of a service. Calls go to its unique name: they never start another, and fail when it is gone.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    connection: Connection,
    owner: OwnedUniqueName,
}

impl Service {
    pub(crate) fn new(connection: Connection, owner: OwnedUniqueName) -> Self {
        Self { connection, owner }
    }

    /// Its unique name on the bus.
    pub(super) fn owner(&self) -> &str {
        self.owner.as_str()
    }

    /// An interface of one of its objects.
    pub(crate) async fn proxy<T>(&self, path: &ObjectPath<'_>) -> zbus::Result<T>
    where
        T: From<Proxy<'static>> + Defaults,
        Builder<'static, T>: Sized,
    {
        Builder::<'static, T>::new(&self.connection)
            .destination(self.owner.clone())?
            .path(path.to_owned())?
            .cache_properties(CacheProperties::No)
            .build()
            .await
    }

    /// Every modem with every property.
    pub(super) async fn modems(&self) -> Result<Objects, Failure> {
        let root = ObjectPath::from_static_str(ROOT).map_err(zvariant_failure)?;
        let proxy: ObjectManagerProxy<'_> = self.proxy(&root).await?;
        let mut objects = within(READ_TIME, proxy.get_managed_objects()).await?;
        objects.retain(|_, interfaces| interfaces.contains_key(MODEM));
        Ok(objects)
    }

    /// Every property of one interface.
    pub(crate) async fn properties(
        &self,
        path: &ObjectPath<'_>,
        interface: &str,
    ) -> Result<Properties, Failure> {
        let proxy: PropertyReaderProxy<'_> = self.proxy(path).await?;
        within(READ_TIME, proxy.get_all(interface)).await
    }
}

/// Whether ModemManager runs on that bus.
pub(crate) async fn is_running(bus: &SystemBus) -> bool {
    running(bus).await.is_some()
}

async fn running(bus: &SystemBus) -> Option<Service> {
    let connection = bus.connection().await.ok()?;
    let owner = owner_of(&connection, NAME).await.ok()??;
    Some(Service::new(connection, owner))
}

/// Whether ModemManager holds this tty; without a name, whether it holds any. One that runs and does not say what it
/// holds may hold it.
pub(crate) async fn holds(bus: &SystemBus, tty: Option<&str>) -> bool {
    let Some(service) = running(bus).await else {
        return false;
    };
    let Ok(modems) = service.modems().await else {
        return true;
    };
    let of_modem = |interfaces: &Interfaces| {
        let modem = interfaces.get(MODEM);
        modem.map(held_by).unwrap_or_default()
    };
    let mut held = modems.values().flat_map(of_modem);
    held.any(|name| tty.is_none_or(|tty| tty == name))
}

/// The ports of one modem but those that are ignored and those that only carry GNSS sentences, which are opened
/// only while those are asked for (ModemManager, `mm-shared-simtech.c`).
fn held_by(modem: &Properties) -> Vec<String> {
    let ports = |name: &str| -> Vec<(String, u32)> {
        let value = modem.get(name).and_then(|value| value.try_clone().ok());
        value
            .and_then(|value| value.try_into().ok())
            .unwrap_or_default()
    };
    let ignored = ports("IgnoredPorts");
    let held = ports("Ports").into_iter().filter(|(name, kind)| {
        *kind != PORT_TYPE_GPS && !ignored.iter().any(|(other, _)| other == name)
    });
    held.map(|(name, _)| name).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
fn zvariant_failure(error: zvariant::Error) -> Failure {
    Failure::Refused(error.to_string())
}

/// Who owns a name on the bus now; nobody is started for asking.
pub(crate) async fn owner_of(
    connection: &Connection,
    name: &'static str,
) -> zbus::Result<Option<OwnedUniqueName>> {
    let dbus = zbus::fdo::DBusProxy::new(connection).await?;
    let asking = async {
        match dbus.get_name_owner(name.try_into()?).await {
            Ok(owner) => Ok(Some(owner)),
            Err(zbus::fdo::Error::NameHasNoOwner(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    };
    tokio::time::timeout(READ_TIME, asking)
        .await
        .unwrap_or_else(|_| {
            Err(zbus::Error::Failure(
                "the system bus does not answer".to_owned(),
            ))
        })
}

#[cfg(test)]
mod tests {
    use zbus::zvariant::Value;

    use super::*;
    use crate::backend::modem_manager::properties;

    #[test]
    fn held_are_the_ports_that_are_read_all_the_time() {
        fn ports<'a>(ports: &[(&'a str, u32)]) -> Value<'a> {
            Value::from(ports.to_vec())
        }
        let modem = properties([
            (
                "Ports",
                ports(&[
                    ("ttyUSB1", 5),
                    ("ttyUSB2", 3),
                    ("ttyUSB3", 3),
                    ("cdc-wdm0", 6),
                ]),
            ),
            ("IgnoredPorts", ports(&[("ttyUSB3", 3)])),
        ]);
        assert_eq!(held_by(&modem), ["ttyUSB2", "cdc-wdm0"]);
        // An older ModemManager has no list of ignored ones; nonsense holds nothing.
        let old = properties([("Ports", ports(&[("ttyUSB2", 3)]))]);
        assert_eq!(held_by(&old), ["ttyUSB2"]);
        let nonsense = properties([("Ports", Value::from(7_u32))]);
        assert!(held_by(&nonsense).is_empty());
    }
}
