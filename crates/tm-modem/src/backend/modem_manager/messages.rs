//! Text messages: ModemManager keeps them as objects, whole or still in parts.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp as Instant;
use tm_types::{Cause, Timestamp, code};
use zbus::zvariant::{ObjectPath, OwnedObjectPath, Value};

use super::failure::{Failure, within};
use super::manager::Service;
use super::properties::{Properties, Read};
use super::proxies::{MessagingProxy, SmsProxy};
use crate::backend::{MessageHandle, Outcome, Received, Report};

/// What paths of text messages begin with.
pub(super) const SMS: &str = "/org/freedesktop/ModemManager1/SMS/";
pub(super) const MESSAGING: &str = "org.freedesktop.ModemManager1.Modem.Messaging";
const MESSAGE: &str = "org.freedesktop.ModemManager1.Sms";

/// `MM_SMS_STATE_RECEIVED`.
const RECEIVED: u32 = 3;
/// `MM_SMS_PDU_TYPE_STATUS_REPORT`.
const STATUS_REPORT: u32 = 3;

const CALL_TIME: Duration = Duration::from_secs(10);
/// A card has 10 to 50 places, the module 23 (`+CPMS`); more is read the next time.
const READ_MAX: usize = 100;

/// What the store holds that was not told yet.
pub(super) struct Listing {
    /// For the manager.
    pub(super) reports: Vec<Report>,
    /// Every message that is there, told or not.
    pub(super) paths: Vec<OwnedObjectPath>,
    /// Those that were told now.
    pub(super) told: Vec<OwnedObjectPath>,
}

/// Reads every message that was not told before.
pub(super) async fn list(
    service: &Service,
    modem: &ObjectPath<'_>,
    known: &[OwnedObjectPath],
) -> Result<Listing, Failure> {
    let messaging: MessagingProxy<'_> = service.proxy(modem).await?;
    let paths = within(CALL_TIME, messaging.list()).await?;
    let mut listing = Listing {
        reports: Vec::new(),
        told: Vec::new(),
        paths: Vec::new(),
    };
    let is_new = |path: &&OwnedObjectPath| !known.contains(path);
    for path in paths.iter().filter(is_new).take(READ_MAX) {
        // Gone again already: nothing to tell.
        let Ok(message) = service.properties(path, MESSAGE).await else {
            continue;
        };
        let report = report(&message, path, service.owner());
        if is_delivery_report(&message) {
            // It has said what it had to say, if anything, and only takes up a place.
            let deleted = within(CALL_TIME, messaging.delete(path)).await;
            if let Err(error) = deleted {
                tracing::debug!(?error, "delivery report not deleted");
            }
        }
        let Some(report) = report else {
            continue;
        };
        listing.reports.push(report);
        listing.told.push(path.clone());
    }
    listing.paths = paths;
    Ok(listing)
}

/// The network's word on a message that was sent from here, whole.
fn is_delivery_report(message: &Properties) -> bool {
    let word = |name| message.word(name);
    word("State") == Some(RECEIVED) && word("PduType") == Some(STATUS_REPORT)
}

/// What a message says; nothing while parts of it are missing, and for those that were sent from here.
fn report(message: &Properties, path: &ObjectPath<'_>, owner: &str) -> Option<Report> {
    if message.word("State") != Some(RECEIVED) {
        return None;
    }
    if is_delivery_report(message) {
        let reference = u8::try_from(message.word("MessageReference")?).ok()?;
        return match delivery(message.word("DeliveryState")?) {
            Delivery::Arrived => Some(Report::Delivery {
                reference,
                failure: None,
            }),
            Delivery::Failed(why) => Some(Report::Delivery {
                reference,
                failure: Some(why),
            }),
            Delivery::Undecided => None,
        };
    }
    Some(Report::Message(Received {
        handle: handle(path, owner),
        from: message.text("Number").unwrap_or_default(),
        text: message.text("Text").unwrap_or_default(),
        sent_at: message.text("Timestamp").and_then(|text| instant(&text)),
        is_incomplete: false,
    }))
}

/// What became of a message.
enum Delivery {
    Arrived,
    /// Still being tried.
    Undecided,
    /// In words.
    Failed(String),
}

/// MMSmsDeliveryState has the values of 3GPP TS 23.040, 9.2.3.15.
fn delivery(state: u32) -> Delivery {
    let why = match state {
        0x00..=0x02 => return Delivery::Arrived,
        0x20..=0x25 | 0x100 => return Delivery::Undecided,
        0x40 | 0x60 => "remote procedure error",
        0x41 | 0x61 => "incompatible destination",
        0x42 | 0x62 => "connection rejected",
        0x43 | 0x63 => "not obtainable",
        0x45 | 0x65 => "no interworking available",
        0x46 => "validity period expired",
        0x47 => "deleted by the sender",
        0x48 => "deleted by the service centre",
        0x49 => "does not exist",
        state => return Delivery::Failed(format!("status {state}")),
    };
    Delivery::Failed(why.to_owned())
}

/// ISO 8601 with an offset, as `2026-11-22T19:10:00+02`.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    let instant: Instant = text.parse().ok()?;
    Some(Timestamp::of_unix_ms(instant.as_millisecond()))
}

/// With the owner's name: another run of ModemManager gives the same numbers to other messages.
fn handle(path: &ObjectPath<'_>, owner: &str) -> MessageHandle {
    MessageHandle(vec![path.as_str().to_owned(), owner.to_owned()])
}

/// Sends a message and asks for a delivery report, if one is wanted.
pub(super) async fn send(
    service: &Service,
    modem: &ObjectPath<'_>,
    (to, text, wants_report): (&str, &str, bool),
) -> Result<Outcome, Failure> {
    let messaging: MessagingProxy<'_> = service.proxy(modem).await?;
    let properties = HashMap::from([
        ("number", Value::from(to)),
        ("text", Value::from(text)),
        ("delivery-report-request", Value::from(wants_report)),
    ]);
    let path = within(CALL_TIME, messaging.create(properties)).await?;
    let message: SmsProxy<'_> = service.proxy(&path).await?;
    // The whole action has its deadline.
    let sent = message.send().await.map_err(Failure::from);
    let reference = match sent {
        Ok(()) => {
            let message = service.properties(&path, MESSAGE).await.unwrap_or_default();
            message.word("MessageReference")
        }
        Err(_) => None,
    };
    // A draft, sent or not, takes up memory of ModemManager's for ever.
    let deleted = within(CALL_TIME, messaging.delete(&path)).await;
    if let Err(error) = deleted {
        tracing::debug!(?error, "sent message not deleted");
    }
    sent?;
    let reference = reference.and_then(|reference| u8::try_from(reference).ok());
    Ok(Outcome::Sent(reference.into_iter().collect()))
}

/// Deletes a message. One that is gone already is as good as deleted.
pub(super) async fn delete(
    service: &Service,
    modem: &ObjectPath<'_>,
    MessageHandle(places): &MessageHandle,
    port: &str,
) -> Result<Outcome, Cause> {
    let foreign = || code::MODEM_REFUSED.with("detail", "the message has another place by now");
    let [path, owner] = places.as_slice() else {
        return Err(foreign());
    };
    if owner != service.owner() {
        return Err(foreign());
    }
    let deleting = async {
        let path = ObjectPath::try_from(path.as_str()).map_err(zbus::Error::from)?;
        let messaging: MessagingProxy<'_> = service.proxy(modem).await?;
        within(CALL_TIME, messaging.delete(&path)).await
    };
    match deleting.await {
        Err(Failure::Refused(detail)) if !detail.contains("No SMS found") => {
            Err(Failure::Refused(detail).cause(port))
        }
        Ok(()) | Err(Failure::Refused(_)) => Ok(Outcome::Done),
        Err(failure) => Err(failure.cause(port)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::modem_manager::properties::properties;

    fn told(entries: [(&str, Value<'_>); 6]) -> Option<Report> {
        let path = ObjectPath::try_from(format!("{SMS}4")).unwrap();
        report(&properties(entries), &path, ":1.7")
    }

    fn message(state: u32, kind: u32, delivery: u32) -> Option<Report> {
        told([
            ("State", Value::from(state)),
            ("PduType", Value::from(kind)),
            ("DeliveryState", Value::from(delivery)),
            ("MessageReference", Value::from(17u32)),
            ("Number", Value::from("+380501112233")),
            ("Text", Value::from("hello")),
        ])
    }

    #[test]
    fn only_whole_messages_and_decided_reports_are_told() {
        let Some(Report::Message(received)) = message(RECEIVED, 1, 0) else {
            panic!("a received message is told");
        };
        assert_eq!(
            (received.from.as_str(), received.text.as_str()),
            ("+380501112233", "hello")
        );
        assert_eq!(received.handle.0, [format!("{SMS}4"), ":1.7".to_owned()]);
        // Unknown, stored, receiving, sending, sent.
        for state in [0, 1, 2, 4, 5] {
            assert!(message(state, 1, 0).is_none(), "{state}");
        }
        let delivery = |state| match message(RECEIVED, STATUS_REPORT, state) {
            Some(Report::Delivery {
                reference: 17,
                failure,
            }) => Some(failure),
            None => None,
            other => panic!("{other:?}"),
        };
        assert_eq!(delivery(0), Some(None));
        assert_eq!(delivery(0x20), None);
        assert_eq!(
            delivery(0x46),
            Some(Some("validity period expired".to_owned()))
        );
    }

    #[test]
    fn times_have_an_offset() {
        for (text, expected) in [
            ("2026-11-22T19:10:00+02", Some(1_795_367_400_000)),
            ("2026-11-22T19:10:00+02:00", Some(1_795_367_400_000)),
            ("2026-11-22T17:10:00Z", Some(1_795_367_400_000)),
            ("2026-11-22T17:10:00", None),
            ("", None),
        ] {
            assert_eq!(instant(text).map(Timestamp::unix_ms), expected, "{text}");
        }
    }
}
