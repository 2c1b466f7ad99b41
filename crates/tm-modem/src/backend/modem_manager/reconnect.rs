//! The data connection down and up again: by NetworkManager where it has it, else by ModemManager itself.

use std::time::Duration;

use tm_types::{Cause, code};
use tokio::time::sleep;
use zbus::zvariant::{ObjectPath, OwnedObjectPath};

use super::actions::Target;
use super::failure::{Failure, within};
use super::manager::{Service, owner_of};
use super::properties::Read;
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
/// How often NetworkManager's connection is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(500);

/// `NM_ACTIVE_CONNECTION_STATE_ACTIVATED` and `_DEACTIVATED`.
const ACTIVATED: u32 = 2;
const DEACTIVATED: u32 = 4;

/// Down and up; done when it stands again.
pub(super) async fn reconnect(target: &Target) -> Result<Outcome, Cause> {
    let explain = |failure: Failure| failure.cause(&target.port);
    // While nobody can say whether there is a NetworkManager, nothing of what may be its own is taken down.
    let owner = owner_of(&target.connection, NAME).await;
    let owner = owner.map_err(|error| explain(error.into()))?;
    if let Some(owner) = owner {
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
    let mut unread = None;
    for path in within(CALL_TIME, manager.get_devices()).await? {
        let device = match network_manager.properties(&path, DEVICE).await {
            Ok(device) => device,
            // It may be the one: what is its own is not taken down for that.
            Err(failure @ Failure::Timeout(_)) => {
                unread = Some(failure);
                continue;
            }
            // Devices come and go between the list and the look at each.
            Err(_) => continue,
        };
        if is_device(&device, wanted) && device.flag("Managed") != Some(false) {
            return Ok(Some(path));
        }
    }
    unread.map_or(Ok(None), Err)
}

/// The same profile again; without one, the profile that NetworkManager thinks best.
///
/// A new activation takes the old one down by itself. Deactivation would forbid the profile to come up without being
/// asked for (`NM_DEVICE_STATE_REASON_USER_REQUESTED`), and so it would stay should nothing follow.
async fn again(network_manager: &Service, device: &OwnedObjectPath) -> Result<Outcome, Failure> {
    let root = ObjectPath::try_from(ROOT).map_err(zbus::Error::from)?;
    let nothing = ObjectPath::try_from("/").map_err(zbus::Error::from)?;
    let manager: NetworkManagerProxy<'_> = network_manager.proxy(&root).await?;
    let path = async |object: &OwnedObjectPath, interface, name| {
        let properties = network_manager.properties(object, interface).await;
        properties.ok().and_then(|properties| properties.path(name))
    };
    let profile = match path(device, DEVICE, "ActiveConnection").await {
        Some(active) => path(&active, ACTIVE, "Connection").await,
        None => None,
    };
    let profile = profile.map_or(nothing.clone(), OwnedObjectPath::into_inner);
    let activating = manager.activate_connection(&profile, device, &nothing);
    let made = within(CALL_TIME, activating).await?;
    // The deadline is that of the whole action.
    loop {
        let active = network_manager.properties(&made, ACTIVE).await;
        match active.map(|active| active.word("State")) {
            Ok(Some(ACTIVATED)) => return Ok(Outcome::Done),
            // An activation that has failed does not stay on the bus for long.
            Ok(Some(DEACTIVATED)) | Err(Failure::Gone | Failure::Refused(_)) => {
                let why = "NetworkManager cannot activate the connection";
                return Err(Failure::Refused(why.to_owned()));
            }
            _ => sleep(LOOK).await,
        }
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
