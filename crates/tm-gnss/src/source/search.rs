//! Looks for a receiver while no relay is heard on the bus.

use std::sync::Arc;
use std::time::Duration;

use tm_service::port::{Opener, PortEvent};
use tokio::time::{Instant, sleep_until};

use super::Receiver;

/// How long a relay is waited for first: it sends once a second.
const GRACE: Duration = Duration::from_secs(3);
/// Between two rounds; what is plugged in later is found within this time.
const PAUSE: Duration = Duration::from_secs(30);

/// A gpsd beside this service, then one on this machine, which may be this service itself.
const GPSDS: [&str; 2] = ["tcp://gpsd:2947", "tcp://localhost:2947"];
/// Receivers with a USB device of their own (numbers as in gpsd's `gpsd.rules`), which is never an adapter for
/// something else: u-blox 4 to 9, and a MediaTek.
const RECEIVERS: [&str; 7] = [
    "usb:1546:01a9:00",
    "usb:1546:01a8:00",
    "usb:1546:01a7:00",
    "usb:1546:01a6:00",
    "usb:1546:01a5:00",
    "usb:1546:01a4:00",
    "usb:0e8d:3329:00",
];

/// Tries one place after the other, until one sends.
pub(crate) struct Search {
    gpsds: &'static [&'static str],
    ports: Arc<dyn Opener>,
    /// The place that is tried next, or is open.
    at: usize,
    receiver: Option<Receiver>,
    /// What is open has sent something.
    has_spoken: bool,
    not_before: Instant,
}

impl Search {
    /// `is_serving`: this service is a gpsd itself, and does not ask itself.
    pub(super) fn new(ports: Arc<dyn Opener>, is_serving: bool) -> Self {
        Self {
            gpsds: &GPSDS[..if is_serving { 1 } else { 2 }],
            ports,
            at: 0,
            receiver: None,
            has_spoken: false,
            not_before: Instant::now() + GRACE,
        }
    }

    pub(super) async fn next(&mut self) -> PortEvent {
        loop {
            let Some(receiver) = &mut self.receiver else {
                sleep_until(self.not_before).await;
                self.receiver = self.begin();
                continue;
            };
            match receiver.next().await {
                // Nothing there is no failure: nobody asked for just that.
                PortEvent::Failed(_) => self.give_up(),
                PortEvent::Lost(why) => {
                    self.give_up();
                    return PortEvent::Lost(why);
                }
                PortEvent::Bytes(bytes) => {
                    self.has_spoken = true;
                    return PortEvent::Bytes(bytes);
                }
                event @ PortEvent::Opened(_) => return event,
            }
        }
    }

    /// The place at hand is not there or silent: the next one, or all of them again after one that had sent.
    pub(super) fn give_up(&mut self) {
        if self.receiver.take().is_none() {
            return;
        }
        self.at += 1;
        if std::mem::take(&mut self.has_spoken) {
            self.at = 0;
            self.not_before = Instant::now() + GRACE;
        } else if self.at == self.gpsds.len() + RECEIVERS.len() {
            self.at = 0;
            self.not_before = Instant::now() + PAUSE;
        }
    }

    /// A relay has precedence over what is not yet found.
    pub(super) fn on_relayed(&mut self) {
        if !self.has_spoken {
            self.receiver = None;
            self.at = 0;
            self.not_before = Instant::now() + PAUSE;
        }
    }

    fn begin(&self) -> Option<Receiver> {
        let ports = self.ports.clone();
        if let Some(gpsd) = self.gpsds.get(self.at) {
            return Some(Receiver::gpsd(gpsd.parse().ok()?, ports));
        }
        let receiver = RECEIVERS.get(self.at.checked_sub(self.gpsds.len())?)?;
        Some(Receiver::port(receiver.parse().ok()?, ports))
    }
}
