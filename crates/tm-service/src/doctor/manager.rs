//! The host's D-Bus, by which the modem service reaches ModemManager.

use std::time::Duration;

use tm_types::code;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::{Check, Machine, own};

/// A socket of this machine answers at once, or never.
const PATIENCE: Duration = Duration::from_secs(2);

/// Only whether the bus is open to us: what ModemManager says there, the modem service tells.
pub(super) async fn check(machine: &Machine) -> Check {
    let Some(address) = machine.environment.get("DBUS_SYSTEM_BUS_ADDRESS") else {
        return Check::skipped("manager", own("skipped_no_dbus"));
    };
    let path = address.split(';').find_map(|one| {
        let keys = one.trim().strip_prefix("unix:")?;
        keys.split(',').find_map(|key| key.strip_prefix("path="))
    });
    let absent =
        |error: String| Check::fail("manager", code::MODEM_MANAGER_ABSENT.with("error", error));
    let Some(path) = path else {
        return absent("DBUS_SYSTEM_BUS_ADDRESS has no unix:path=".to_owned());
    };
    match timeout(PATIENCE, UnixStream::connect(path)).await {
        Ok(Ok(_)) => Check::ok("manager", own("dbus_open")),
        Ok(Err(error)) => absent(format!("{path}: {error}")),
        Err(_) => absent(format!("{path}: no answer")),
    }
}
