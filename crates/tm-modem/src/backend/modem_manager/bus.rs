//! The system bus: one connection for everything on it, made again when it is gone.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::timeout;
use zbus::Connection;
use zbus::connection::Builder;

/// Where a host keeps its system bus; a container says otherwise in `DBUS_SYSTEM_BUS_ADDRESS`.
pub(crate) const SYSTEM_BUS: &str = "unix:path=/run/dbus/system_bus_socket";

/// A socket of this machine answers at once or never.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// A way to the bus, cheap to clone: all clones share one connection.
#[derive(Clone, Debug)]
pub(crate) struct SystemBus {
    address: Arc<str>,
    connection: Arc<Mutex<Option<Connection>>>,
}

impl SystemBus {
    /// The bus at this D-Bus address; nothing is opened yet.
    pub(crate) fn new(address: &str) -> Self {
        Self {
            address: address.into(),
            connection: Arc::new(Mutex::new(None)),
        }
    }

    /// The connection, or in words why there is none.
    pub(crate) async fn connection(&self) -> Result<Connection, String> {
        let mut shared = self.connection.lock().await;
        if let Some(connection) = shared.as_ref()
            && !connection.is_closed()
        {
            return Ok(connection.clone());
        }
        *shared = None;
        let opening = async { Builder::address(&*self.address)?.build().await };
        let connection = match timeout(CONNECT_TIME, opening).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_) => return Err("the system bus does not answer".to_owned()),
        };
        *shared = Some(connection.clone());
        Ok(connection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_bus_is_said_in_words() {
        for address in ["unix:path=/nonexistent/bus", "nonsense", ""] {
            let bus = SystemBus::new(address);
            assert!(!bus.connection().await.unwrap_err().is_empty(), "{address}");
        }
    }
}
