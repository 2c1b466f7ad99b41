//! Whether the modem is there, and if not, why not.

use std::time::Duration;

use tm_types::{Cause, ModemPresence, code};
use tokio::time::Instant;

use super::failure::Failure;
use super::round::Reading;
use crate::backend::Presence;
use crate::usb::UsbModem;

/// From enumeration to ModemManager's object: opening QMI alone may take 95 s with this family.
pub(super) const PATIENCE: Duration = Duration::from_mins(2);
/// The composition that has the ports ModemManager needs.
const COMPOSITION: &str = "9001";

/// There is no bus, or nobody on it.
pub(super) fn no_manager(error: &str, is_on_usb: Option<bool>) -> Presence {
    Presence {
        presence: ModemPresence::Absent,
        trouble: Some(code::MODEM_MANAGER_ABSENT.with("error", error)),
        port: None,
        is_on_usb,
    }
}

/// How long a device has been on USB without becoming a modem.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    since: Option<Instant>,
    /// That it has become none was told.
    is_told: bool,
    /// Something was told already: silence would leave that standing.
    was_there: bool,
    /// The last reading failed.
    has_failed: bool,
}

impl Waiting {
    /// Waits for a modem; `was_there`: something else was told before.
    pub(super) fn new(was_there: bool) -> Self {
        Self {
            was_there,
            ..Self::default()
        }
    }

    /// When to look again although nothing was heard.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let since = self.since.filter(|_| !self.is_told)?;
        Some(since + PATIENCE)
    }

    /// What a reading says; nothing while that is not clear yet.
    pub(super) fn judge(&mut self, reading: &Reading, now: Instant) -> Option<Presence> {
        let usb = reading.usb.as_deref();
        let is_on_usb = usb.map(|modems| !modems.is_empty());
        let absent = |trouble| Presence {
            presence: ModemPresence::Absent,
            trouble: Some(trouble),
            port: None,
            is_on_usb,
        };
        let snapshot = match &reading.snapshot {
            Ok(Some(snapshot)) => snapshot,
            Ok(None) => {
                self.has_failed = false;
                return self.without(usb, now).map(absent);
            }
            Err(failure) => {
                // What is not told yet is waited for from the start.
                self.since = self.since.filter(|_| self.is_told);
                return self.failed(failure).map(absent);
            }
        };
        *self = Self::new(true);
        let port = snapshot.object.port();
        match snapshot.failed_reason() {
            // The modem works; its card is the matter, and the state says so.
            None | Some("sim-missing" | "sim-error" | "esim-without-profiles") => Some(Presence {
                presence: ModemPresence::Present,
                trouble: None,
                port,
                is_on_usb,
            }),
            Some(reason) => Some(Presence {
                port,
                ..absent(code::MODEM_MANAGER_FAILED.with("reason", reason))
            }),
        }
    }

    /// The modem's object has just vanished.
    pub(super) fn on_vanished(&mut self, port: &str) -> Presence {
        *self = Self::new(true);
        Presence {
            presence: ModemPresence::Absent,
            trouble: Some(code::MODEM_ABSENT.with("port", port)),
            port: None,
            is_on_usb: None,
        }
    }

    /// One slow answer says nothing yet.
    fn failed(&mut self, failure: &Failure) -> Option<Cause> {
        let reason = match failure {
            // Its end is heard as well.
            Failure::Gone => return None,
            Failure::Timeout(time) => format!("it did not answer within {} s", time.as_secs()),
            Failure::Forbidden(reason)
            | Failure::Unsupported(reason)
            | Failure::Refused(reason) => reason.clone(),
        };
        let had_failed = std::mem::replace(&mut self.has_failed, true);
        had_failed.then(|| code::MODEM_MANAGER_FAILED.with("reason", reason))
    }

    fn without(&mut self, usb: Option<&[UsbModem]>, now: Instant) -> Option<Cause> {
        let Some(device) = usb.and_then(<[UsbModem]>::first) else {
            (self.since, self.is_told) = (None, false);
            return Some(code::MODEM_ABSENT.with("port", "USB"));
        };
        let since = *self.since.get_or_insert(now);
        if now < since + PATIENCE {
            // It is being looked at; once it was there its absence is no secret.
            return self
                .was_there
                .then(|| code::MODEM_ABSENT.with("port", &device.socket));
        }
        self.is_told = true;
        Some(if device.product == COMPOSITION {
            let reason = format!(
                "it has made no modem of {} at {}",
                device.composition(),
                device.socket
            );
            code::MODEM_MANAGER_FAILED.with("reason", reason)
        } else {
            code::MODEM_WRONG_COMPOSITION
                .with("found", device.composition())
                .and("expected", format!("1e0e:{COMPOSITION}"))
                .and("pid", COMPOSITION)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::backend::modem_manager::raw::Permission;

    fn without(usb: Option<&[(&str, &str)]>) -> Reading {
        let modem = |(socket, product): &(&str, &str)| UsbModem {
            socket: (*socket).to_owned(),
            product: (*product).to_owned(),
            directory: PathBuf::new(),
            network: None,
        };
        Reading {
            full: None,
            permission: Permission::Untried,
            snapshot: Ok(None),
            levels: None,
            network_time: None,
            usb: usb.map(|modems| modems.iter().map(modem).collect()),
            nmea_port: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_device_that_becomes_no_modem_is_told_after_a_while() {
        let mut waiting = Waiting::default();
        let judge = |waiting: &mut Waiting, reading: &Reading| {
            let presence = waiting.judge(reading, Instant::now())?;
            Some((presence.trouble.unwrap().code, presence.is_on_usb))
        };
        let absent = |is_on_usb| Some(("modem.absent".to_owned(), is_on_usb));
        assert_eq!(judge(&mut waiting, &without(None)), absent(None));
        assert_eq!(
            judge(&mut waiting, &without(Some(&[]))),
            absent(Some(false))
        );
        let right = without(Some(&[("1-1.3", "9001")]));
        let wrong = without(Some(&[("1-1.3", "9011")]));
        assert_eq!(judge(&mut waiting, &right), None, "still being looked at");
        tokio::time::advance(PATIENCE).await;
        let failed = Some(("modem.manager_failed".to_owned(), Some(true)));
        assert_eq!(judge(&mut waiting, &right), failed);
        let composition = Some(("modem.wrong_composition".to_owned(), Some(true)));
        assert_eq!(judge(&mut waiting, &wrong), composition);
        waiting.on_vanished("1-1.3");
        assert_eq!(judge(&mut waiting, &right), absent(Some(true)));
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_second_failure_in_a_row_is_told() {
        let slow = || Reading {
            snapshot: Err(Failure::Timeout(Duration::from_secs(5))),
            ..without(Some(&[("1-1.3", "9001")]))
        };
        let mut waiting = Waiting::default();
        let judge = |waiting: &mut Waiting, reading: &Reading| {
            let presence = waiting.judge(reading, Instant::now())?;
            Some(presence.trouble.unwrap().code)
        };
        assert_eq!(judge(&mut waiting, &slow()), None);
        let right = without(Some(&[("1-1.3", "9001")]));
        assert_eq!(judge(&mut waiting, &right), None, "still being looked at");
        assert!(waiting.deadline().is_some());
        assert_eq!(judge(&mut waiting, &slow()), None, "not in a row");
        assert_eq!(
            waiting.deadline(),
            None,
            "nothing is due that no reading can answer"
        );
        let failed = Some("modem.manager_failed".to_owned());
        assert_eq!(judge(&mut waiting, &slow()), failed);
    }
}
