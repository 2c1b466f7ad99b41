//! The data connection down and up again: by NetworkManager where it has it, else by ModemManager itself.

use std::time::Duration;

use tm_types::{Cause, code};
use tokio::time::sleep;
use zbus::zvariant::{ObjectPath, OwnedObjectPath};

use super::actions::Target;
use super::failure::{Failure, within};
use super::manager::{Service, owner_of};
use super::properties::{Properties, Read};
use super::proxies::{BearerProxy, NetworkManagerProxy};
use crate::backend::Outcome;
use crate::network_manager::{ACTIVE, DEVICE, NAME, ROOT, is_device};

/// What names a modem to NetworkManager.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Device {
    /// ModemManager's object.
    pub(crate) object: Option<String>,
    /// ModemManager's `Device`: the path in sysfs.
    pub(crate) udi: Option<String>,
    /// Its control port, such as `cdc-wdm0`.
    pub(crate) control_port: Option<String>,
    /// Its network interface, such as `wwan0`.
    pub(crate) interface: Option<String>,
}

const CALL_TIME: Duration = Duration::from_secs(10);
/// A bearer's connection is given up by ModemManager itself after 180 s at most; the ladder waits less.
const CONNECT_TIME: Duration = Duration::from_secs(90);
const DISCONNECT_TIME: Duration = Duration::from_secs(30);
/// How often NetworkManager's device is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(500);

/// `NM_DEVICE_STATE_DISCONNECTED`, `_ACTIVATED` and `_FAILED`.
const DISCONNECTED: u32 = 30;
const ACTIVATED: u32 = 100;
const FAILED: u32 = 120;

/// Down and up; done when it stands again.
pub(super) async fn reconnect(target: &Target) -> Result<Outcome, Cause> {
    let explain = |failure: Failure| failure.cause(&target.port);
    let owner = owner_of(&target.connection, NAME).await;
    if let Ok(Some(owner)) = owner {
        let network_manager = Service::new(target.connection.clone(), owner);
        if let Some(device) = find(&network_manager, &target.device)
            .await
            .map_err(explain)?
        {
            return again(&network_manager, &device).await.map_err(explain);
        }
    }
    bearer(target).await
}

/// NetworkManager's device for the modem, unless it leaves it alone.
async fn find(
    network_manager: &Service,
    wanted: &Device,
) -> Result<Option<OwnedObjectPath>, Failure> {
    let root = ObjectPath::try_from(ROOT).map_err(zbus::Error::from)?;
    let manager: NetworkManagerProxy<'_> = network_manager.proxy(&root).await?;
    for path in within(CALL_TIME, manager.get_devices()).await? {
        let device = network_manager.properties(&path, DEVICE).await?;
        if is_device(&device, wanted) && device.flag("Managed") != Some(false) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// The same profile again; without one, the profile that NetworkManager thinks best.
async fn again(network_manager: &Service, device: &OwnedObjectPath) -> Result<Outcome, Failure> {
    let root = ObjectPath::try_from(ROOT).map_err(zbus::Error::from)?;
    let nothing = ObjectPath::try_from("/").map_err(zbus::Error::from)?;
    let manager: NetworkManagerProxy<'_> = network_manager.proxy(&root).await?;
    let look = || network_manager.properties(device, DEVICE);
    let active = look().await?.path("ActiveConnection");
    let profile = match &active {
        Some(active) => network_manager
            .properties(active, ACTIVE)
            .await?
            .path("Connection"),
        None => None,
    };
    if let Some(active) = &active {
        within(CALL_TIME, manager.deactivate_connection(active)).await?;
        wait(&look, |state| state <= DISCONNECTED).await?;
    }
    let profile = profile.map_or(nothing.clone(), OwnedObjectPath::into_inner);
    within(
        CALL_TIME,
        manager.activate_connection(&profile, device, &nothing),
    )
    .await?;
    match wait(&look, |state| state >= ACTIVATED).await? {
        FAILED => Err(Failure::Refused(
            "NetworkManager cannot activate the connection".to_owned(),
        )),
        _ => Ok(Outcome::Done),
    }
}

/// Waits for a state of the device. The deadline is that of the whole action.
async fn wait<F>(look: impl Fn() -> F, is_there: impl Fn(u32) -> bool) -> Result<u32, Failure>
where
    F: Future<Output = Result<Properties, Failure>>,
{
    loop {
        let state = look().await?.word("State").unwrap_or_default();
        if is_there(state) {
            return Ok(state);
        }
        sleep(LOOK).await;
    }
}

/// A bearer keeps its properties: connecting it again is connecting the same.
async fn bearer(target: &Target) -> Result<Outcome, Cause> {
    let explain = |failure: Failure| failure.cause(&target.port);
    let modem = target
        .service
        .properties(&target.path, super::manager::MODEM)
        .await;
    let mut found = None;
    for path in modem.map_err(explain)?.paths("Bearers") {
        let bearer = target.service.properties(&path, super::round::BEARER).await;
        let is_connected = bearer.map_err(explain)?.flag("Connected") == Some(true);
        if is_connected || found.is_none() {
            found = Some((path, is_connected));
        }
    }
    let Some((path, is_connected)) = found else {
        let cause = code::MODEM_UNSUPPORTED.with("backend", "ModemManager");
        return Err(cause.and("detail", "there is no connection to make again"));
    };
    let making = async {
        let bearer: BearerProxy<'_> = target.service.proxy(&path).await?;
        if is_connected {
            within(DISCONNECT_TIME, bearer.disconnect()).await?;
        }
        within(CONNECT_TIME, bearer.connect()).await
    };
    making.await.map(|()| Outcome::Done).map_err(explain)
}
