//! Hears the signals and keeps what they mean, so that no burst of them can fill anything.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use futures_util::StreamExt;
use futures_util::stream::select_all;
use tokio::sync::Notify;
use zbus::names::OwnedUniqueName;
use zbus::zvariant::{OwnedObjectPath, Value};
use zbus::{Connection, MatchRule, Message, MessageStream};

use super::manager::{MODEM, NAME, ROOT};
use super::messages::SMS;
use super::round::BEARER;
use super::snapshot::SIGNAL;

/// The bit of NMEA sentences in `Location` (MMModemLocationSource, `MM_MODEM_LOCATION_SOURCE_GPS_NMEA`).
pub(super) const GPS_NMEA: u32 = 1 << 2;
const LOCATION: &str = "org.freedesktop.ModemManager1.Modem.Location";
/// Fifty satellites of five systems are about 3 KiB.
const LOCATION_MAX: usize = 16 * 1024;
/// Signals are noted as they come; the bus keeps those that come faster.
const QUEUE: usize = 16;
/// The first property's name stands within so many bytes of the interface's.
const LOOKED_AT: usize = 64;
/// An object that vanishes is remembered until it is looked at; a bus that goes mad is not followed.
const REMOVED_MAX: usize = 32;

/// Who owns ModemManager's name from now on; nothing: nobody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Owner(pub(super) Option<OwnedUniqueName>);

/// A word of the satellite receiver as it came: of some fifteen in a second only the last is read.
#[derive(Clone, Debug)]
pub(super) struct Published(Message);

impl Published {
    /// The sentences that ModemManager keeps; nothing where they cannot be read.
    pub(super) fn sentences(&self) -> Option<String> {
        let body = self.0.body();
        let (_, changed, _): (&str, HashMap<&str, Value<'_>>, Vec<&str>) =
            body.deserialize().ok()?;
        sentences(changed.get("Location")?)
    }
}

#[cfg(test)]
impl Published {
    /// What ModemManager publishes when it keeps these sentences.
    pub(super) fn of(text: &str) -> Self {
        let places = HashMap::from([(GPS_NMEA, Value::from(text))]);
        let changed = HashMap::from([("Location", Value::from(places))]);
        let signal = Message::signal("/m", "org.freedesktop.DBus.Properties", "PropertiesChanged");
        let message = signal.and_then(|m| m.build(&(LOCATION, changed, Vec::<&str>::new())));
        Self(message.expect("well-formed"))
    }
}

/// Whether a change of properties tells of sentences, by its first bytes: the interface, and a property of it.
fn is_location(body: &[u8]) -> bool {
    // A string is its length in four bytes, its text and a zero (D-Bus specification, "Marshaling").
    let Some(rest) = body
        .get(4..)
        .and_then(|text| text.strip_prefix(LOCATION.as_bytes()))
    else {
        return false;
    };
    let start = rest.get(..LOOKED_AT.min(rest.len())).unwrap_or_default();
    rest.first() == Some(&0) && start.windows(9).any(|name| name == b"Location\0")
}

/// What was heard since it was last looked at.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// ModemManager came, went, or was replaced.
    pub(super) owner: Option<Owner>,
    /// Some object or property is another one.
    pub(super) is_changed: bool,
    /// A text message came or is complete.
    pub(super) is_messaging: bool,
    /// Modems that are gone.
    pub(super) removed: Vec<OwnedObjectPath>,
    /// The newest sentences of the satellite receiver, not read yet.
    pub(super) published: Option<Published>,
}

/// Where the signals leave what they mean.
#[derive(Debug, Default)]
pub(super) struct Notices {
    heard: Mutex<Heard>,
    notify: Notify,
}

impl Notices {
    /// Waits until something was heard. Cancel-safe.
    pub(super) async fn wait(&self) {
        self.notify.notified().await;
    }

    /// Takes what was heard.
    pub(super) fn take(&self) -> Heard {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().expect("nobody panics while noting")
    }
}

/// What is listened to. Made before anything is read, so that no change falls between.
pub(super) struct Ears {
    streams: Vec<MessageStream>,
}

impl Ears {
    pub(super) async fn open(connection: &Connection) -> zbus::Result<Self> {
        let signal = || MatchRule::builder().msg_type(zbus::message::Type::Signal);
        let owner = signal()
            .sender("org.freedesktop.DBus")?
            .interface("org.freedesktop.DBus")?
            .member("NameOwnerChanged")?
            .add_arg(NAME)?
            .build();
        let objects = signal().sender(NAME)?.path_namespace(ROOT)?.build();
        Ok(Self {
            streams: vec![
                MessageStream::for_match_rule(owner, connection, Some(8)).await?,
                MessageStream::for_match_rule(objects, connection, Some(QUEUE)).await?,
            ],
        })
    }

    /// Notes everything until the bus ends.
    pub(super) async fn listen(self, notices: &Notices) {
        let mut signals = select_all(self.streams);
        while let Some(Ok(message)) = signals.next().await {
            let is_news = note(&message, &mut notices.lock()).unwrap_or(false);
            if is_news {
                notices.notify.notify_one();
            }
        }
    }
}

/// Whether the signal says something to act on.
fn note(message: &Message, heard: &mut Heard) -> Option<bool> {
    let header = message.header();
    let path = header.path()?;
    match header.member()?.as_str() {
        "NameOwnerChanged" => {
            let (_, _, new): (String, String, String) = message.body().deserialize().ok()?;
            heard.owner = Some(Owner(new.try_into().ok()));
        }
        "InterfacesRemoved" => {
            let body = message.body();
            let (path, interfaces): (OwnedObjectPath, Vec<&str>) = body.deserialize().ok()?;
            // A modem that is unlocked or disabled loses interfaces and stays.
            if interfaces.contains(&MODEM) && heard.removed.len() < REMOVED_MAX {
                heard.removed.push(path);
            }
            heard.is_changed = true;
        }
        "InterfacesAdded" => heard.is_changed = true,
        "PropertiesChanged" if path.starts_with(SMS) => heard.is_messaging = true,
        // Sentences come every second; they alone are no reason to read everything again.
        "PropertiesChanged" if is_location(message.body().data()) => {
            heard.published = Some(Published(message.clone()));
        }
        "PropertiesChanged" => {
            let body = message.body();
            let (interface, changed, invalidated): (&str, HashMap<&str, Value<'_>>, Vec<&str>) =
                body.deserialize().ok()?;
            let mut names = changed.keys().chain(&invalidated);
            if is_measured(interface, &mut names) {
                return None;
            }
            heard.is_changed = true;
        }
        // Of Messaging; the second argument tells whether it was received.
        "Added" => heard.is_messaging = true,
        _ => return None,
    }
    Some(true)
}

/// Whether only what is measured all the time has changed: the next round of everything reads it.
fn is_measured<'a>(interface: &str, names: &mut impl Iterator<Item = &'a &'a str>) -> bool {
    match interface {
        LOCATION | SIGNAL => true,
        BEARER => names.all(|name| *name == "Stats"),
        MODEM => names.all(|name| *name == "SignalQuality"),
        _ => false,
    }
}

fn sentences(location: &Value<'_>) -> Option<String> {
    let Value::Dict(places) = location else {
        return None;
    };
    let text = places.get::<u32, Value<'_>>(&GPS_NMEA).ok()??;
    let text: &str = text.downcast_ref().ok()?;
    (text.len() <= LOCATION_MAX).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use zbus::zvariant::ObjectPath;

    use super::*;

    const PATH: &str = "/org/freedesktop/ModemManager1/Modem/7";

    fn check<B>(path: &str, interface: &str, member: &str, body: &B, is_news: bool) -> Heard
    where
        B: serde::Serialize + zbus::zvariant::DynamicType,
    {
        let message = Message::signal(path, interface, member).unwrap();
        let message = message.build(body).unwrap();
        let mut heard = Heard::default();
        let noted = note(&message, &mut heard).unwrap_or(false);
        assert_eq!(noted, is_news, "{path} {member}");
        heard
    }

    #[test]
    fn what_signals_mean() {
        let dbus = "org.freedesktop.DBus";
        let owner = |new: &str| {
            let body = (NAME, ":1.4", new);
            check(
                "/org/freedesktop/DBus",
                dbus,
                "NameOwnerChanged",
                &body,
                true,
            )
            .owner
        };
        assert_eq!(owner(":1.9").unwrap().0.unwrap().as_str(), ":1.9");
        assert_eq!(owner(""), Some(Owner(None)));
        let path = ObjectPath::try_from(PATH).unwrap();
        let manager = "org.freedesktop.DBus.ObjectManager";
        let gone = (path.clone(), vec![MODEM]);
        let heard = check(ROOT, manager, "InterfacesRemoved", &gone, true);
        assert_eq!(heard.removed[0].as_str(), PATH);
        let less = (path, vec!["org.freedesktop.ModemManager1.Modem.Signal"]);
        let heard = check(ROOT, manager, "InterfacesRemoved", &less, true);
        assert!(heard.removed.is_empty() && heard.is_changed);
        let properties = "org.freedesktop.DBus.Properties";
        let changed = |path: &str, interface: &str, values: HashMap<&str, Value<'_>>, is_news| {
            let body = (interface, values, Vec::<&str>::new());
            check(path, properties, "PropertiesChanged", &body, is_news)
        };
        let state = HashMap::from([("State", Value::from(8i32))]);
        assert!(changed(PATH, "org.freedesktop.ModemManager1.Modem", state, true).is_changed);
        let places = HashMap::from([(GPS_NMEA, Value::from("$GPGGA,1\r\n"))]);
        let location = HashMap::from([("Location", Value::from(places))]);
        let heard = changed(PATH, LOCATION, location, true);
        let sentences = heard.published.unwrap().sentences();
        assert_eq!(sentences.as_deref(), Some("$GPGGA,1\r\n"));
        assert!(!heard.is_changed, "sentences alone change nothing else");
        changed(
            PATH,
            LOCATION,
            HashMap::from([("Enabled", Value::from(5u32))]),
            false,
        );
        for (interface, name, is_news) in [
            (SIGNAL, "Lte", false),
            (BEARER, "Stats", false),
            (BEARER, "Connected", true),
            (MODEM, "SignalQuality", false),
            (MODEM, "AccessTechnologies", true),
        ] {
            let values = HashMap::from([(name, Value::from(1u32))]);
            changed(PATH, interface, values, is_news);
        }
        let both = HashMap::from([
            ("SignalQuality", Value::from(1u32)),
            ("State", Value::from(1i32)),
        ]);
        changed(PATH, MODEM, both, true);
        let received = HashMap::from([("State", Value::from(3u32))]);
        let sms = "org.freedesktop.ModemManager1.Sms";
        assert!(changed(&format!("{SMS}2"), sms, received, true).is_messaging);
        // What cannot be read is nothing.
        check(PATH, properties, "PropertiesChanged", &"nonsense", false);
        check(ROOT, manager, "InterfacesRemoved", &7u32, false);
    }
}
