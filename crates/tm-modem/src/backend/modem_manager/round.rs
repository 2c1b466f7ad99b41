//! One reading of everything, on its own so that nothing waits for it.

use std::sync::Arc;
use std::time::Duration;

use tm_types::Stamp;
use tokio::task::spawn_blocking;
use zbus::zvariant::{OwnedObjectPath, Value};

use super::choose::{ModemObject, choose};
use super::failure::{Failure, within};
use super::gnss::{self, LOCATION, PLACE_3GPP};
use super::manager::Service;
use super::nmea_port::{Roots, readable_nmea_port};
use super::properties::{Properties, Read};
use super::proxies::{LocationProxy, ModemProxy, TimeProxy};
use super::raw::{self, Levels, Permission};
use super::snapshot::{STATE_ENABLED, STATE_REGISTERED, Snapshot};
use super::{Settings, messages};
use crate::usb::{self, UsbModem};

pub(super) const BEARER: &str = "org.freedesktop.ModemManager1.Bearer";
const SIM: &str = "org.freedesktop.ModemManager1.Sim";
const TIME: &str = "org.freedesktop.ModemManager1.Modem.Time";

const CALL_TIME: Duration = Duration::from_secs(10);
/// One connection for data, and perhaps those of earlier attempts.
const BEARERS_MAX: usize = 4;

/// What is read, and how.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) service: Service,
    pub(super) settings: Arc<Settings>,
    pub(super) known_imei: Option<String>,
    /// The known one is of SIMCom.
    pub(super) is_simtech: bool,
    pub(super) permission: Permission,
    /// When it began, if everything is read.
    pub(super) full: Option<Stamp>,
    /// The network's time is to be read as well.
    pub(super) asks_time: bool,
    /// The card as it was last read.
    pub(super) card: Option<Card>,
}

/// A card as it was read.
#[derive(Clone, Debug)]
pub(super) struct Card {
    pub(super) path: OwnedObjectPath,
    /// What it asked for then (MMModemLock).
    pub(super) lock: u32,
    pub(super) properties: Arc<Properties>,
}

/// What was read.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) full: Option<Stamp>,
    pub(super) permission: Permission,
    /// The modem, nothing where there is none, or why the list could not be read.
    pub(super) snapshot: Result<Option<Box<Snapshot>>, Failure>,
    /// The module's own answers, after a reading of everything.
    pub(super) levels: Option<Levels>,
    /// The network's time, seconds since 1970.
    pub(super) network_time: Option<i64>,
    /// SIMCom devices on USB; nothing where that is not told.
    pub(super) usb: Option<Vec<UsbModem>>,
    /// The NMEA port that can be read from here.
    pub(super) nmea_port: Option<std::path::PathBuf>,
}

/// Reads the modem, its card, its connections, and with a full round also what only the module knows.
pub(super) async fn read(wanted: Wanted) -> Reading {
    let mut reading = Reading {
        full: wanted.full,
        permission: wanted.permission,
        snapshot: Ok(None),
        levels: None,
        network_time: None,
        usb: None,
        nmea_port: None,
    };
    let roots = wanted.settings.roots.clone();
    reading.usb = spawn_blocking(move || usb::modems(&roots.sys))
        .await
        .ok()
        .and_then(Result::ok);
    let objects = match wanted.service.modems().await {
        Ok(objects) => objects,
        Err(failure) => {
            reading.snapshot = Err(failure);
            return reading;
        }
    };
    let is_on_usb = reading.usb.as_ref().is_some_and(|usb| !usb.is_empty());
    let known = wanted.known_imei.as_deref();
    // Ours may be off the bus or still without an object: a stranger is not taken for it meanwhile, or for good.
    let only_simtech = is_on_usb || (known.is_some() && wanted.is_simtech);
    let Some(object) = choose(objects, known, only_simtech) else {
        return reading;
    };
    if wanted.settings.nmea_relay {
        reading.nmea_port = nmea_port(&wanted.settings.roots, &object).await;
    }
    // A card says something else once it is unlocked; anything else of it shows in the next round of everything.
    let card = wanted.card.filter(|_| wanted.full.is_none());
    let usb = reading.usb.as_deref();
    let snapshot = snapshot(&wanted.service, object, card, usb).await;
    if wanted.full.is_some() && snapshot.state() >= STATE_ENABLED {
        let path = &snapshot.object.path;
        if let Ok(modem) = wanted.service.proxy::<ModemProxy<'_>>(path).await {
            reading.levels = Some(raw::read(&modem, &mut reading.permission).await);
        }
    }
    // Before it is registered the module tells the time that it kept.
    if wanted.full.is_some() && wanted.asks_time && snapshot.state() >= STATE_REGISTERED {
        reading.network_time = network_time(&wanted.service, &snapshot.object).await;
    }
    reading.snapshot = Ok(Some(Box::new(snapshot)));
    reading
}

async fn nmea_port(roots: &Roots, object: &ModemObject) -> Option<std::path::PathBuf> {
    let (roots, socket) = (roots.clone(), object.usb_socket()?);
    let looking = spawn_blocking(move || readable_nmea_port(&roots, &socket));
    looking.await.ok().flatten()
}

/// What cannot be read is not known; what matters shows again in the next round.
async fn snapshot(
    service: &Service,
    object: ModemObject,
    card: Option<Card>,
    usb: Option<&[UsbModem]>,
) -> Snapshot {
    let sim = card_of(service, &object, card).await;
    let mut bearers: Vec<(OwnedObjectPath, Properties)> = Vec::new();
    for path in object
        .modem()
        .paths("Bearers")
        .into_iter()
        .take(BEARERS_MAX)
    {
        if let Ok(bearer) = service.properties(&path, BEARER).await {
            bearers.push((path, bearer));
        }
    }
    let is_placed = object
        .interface(LOCATION)
        .word("Enabled")
        .unwrap_or_default()
        & PLACE_3GPP
        != 0;
    let place = if is_placed {
        place(service, &object).await
    } else {
        None
    };
    let socket = object.usb_socket();
    let usb = usb.into_iter().flatten();
    let usb = usb.filter(|modem| Some(&modem.socket) == socket.as_ref());
    let usb = usb.map(UsbModem::composition).next();
    Snapshot {
        object,
        sim,
        bearers,
        place,
        usb,
    }
}

/// The card; `former` if it is still that.
async fn card_of(service: &Service, object: &ModemObject, former: Option<Card>) -> Option<Card> {
    let path = object.modem().path("Sim")?;
    let lock = object.modem().word("UnlockRequired").unwrap_or_default();
    let is_same = |card: &Card| card.path == path && card.lock == lock;
    if let Some(card) = former.filter(is_same) {
        return Some(card);
    }
    let properties = service.properties(&path, SIM).await.ok()?;
    Some(Card {
        path,
        lock,
        properties: Arc::new(properties),
    })
}

/// The property is empty unless somebody wants signals; the method always tells.
async fn place(service: &Service, object: &ModemObject) -> Option<String> {
    let location: LocationProxy<'_> = service.proxy(&object.path).await.ok()?;
    let mut places = within(CALL_TIME, location.get_location()).await.ok()?;
    match Value::from(places.remove(&PLACE_3GPP)?) {
        Value::Str(text) => Some(text.as_str().to_owned()),
        _ => None,
    }
}

async fn network_time(service: &Service, object: &ModemObject) -> Option<i64> {
    object.interface(TIME)?;
    let time: TimeProxy<'_> = service.proxy(&object.path).await.ok()?;
    let text = within(CALL_TIME, time.get_network_time()).await.ok()?;
    let instant = messages::instant(&text)?;
    Some(instant.unix_ms().div_euclid(1000))
}

impl Reading {
    /// The satellite receiver, for the state.
    pub(super) fn gnss(&self) -> Option<tm_types::GnssEngine> {
        let snapshot = self.snapshot.as_ref().ok()?.as_ref()?;
        gnss::describe(snapshot.object.interface(LOCATION), self.nmea_port.as_ref())
    }
}
