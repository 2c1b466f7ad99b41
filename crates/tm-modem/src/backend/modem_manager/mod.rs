//! The modem by way of the host's ModemManager, over D-Bus.
//!
//! ModemManager holds the ports; this backend reads its objects, hears its signals, and asks it to do what is
//! asked of us. One connection to the system bus serves for everything; what waits, waits in one task. Whatever
//! goes (the bus, ModemManager, the modem's object) is waited for and found again, by serial number.

mod actions;
mod bus;
mod care;
mod choose;
mod failure;
mod gnss;
mod manager;
mod messages;
mod nmea_port;
mod presence;
mod properties;
mod proxies;
mod raw;
mod reconnect;
mod round;
mod run;
mod serve;
mod session;
mod snapshot;
#[cfg(test)]
mod tests;
mod watch;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tm_service::Clock;
use tm_types::code;
use tokio::sync::mpsc;

use super::{Action, Report, Ticket};
use crate::config::{Config, Pin as SimPin};

pub(crate) use bus::{SYSTEM_BUS, SystemBus};
pub(crate) use failure::Failure;
pub(crate) use manager::{Service, holds, is_running, owner_of};
pub(crate) use nmea_port::Roots;
#[cfg(test)]
pub(crate) use properties::properties;
pub(crate) use properties::{Properties, Read};
pub(crate) use reconnect::Device;

/// Reports that wait to be taken; the one who takes them makes room.
const REPORTS: usize = 16;
/// Actions that wait for their turn.
const ACTIONS: usize = 8;

/// What of the configuration concerns this backend.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Between two readings of everything.
    pub(crate) poll: Duration,
    /// PIN of the SIM.
    pub(crate) pin: Option<SimPin>,
    /// Whether the satellite receiver is to be switched on.
    pub(crate) nmea_relay: bool,
    /// Supply of the active antenna, mV; 0 leaves it as it is.
    pub(crate) gnss_antenna_mv: u32,
    /// Serial number of the modem that was ours before.
    pub(crate) known_imei: Option<String>,
    /// Where sysfs and the device nodes are.
    pub(crate) roots: Roots,
}

impl Settings {
    /// Of the configuration, with the modem that is remembered.
    pub(crate) fn new(config: &Config, known_imei: Option<String>) -> Self {
        Self {
            poll: Duration::from_secs(config.poll_s.into()),
            pin: config.pin.clone(),
            nmea_relay: config.nmea_relay,
            gnss_antenna_mv: config.gnss_antenna_mv,
            known_imei,
            roots: Roots {
                sys: config.sysfs_root.clone().into(),
                ..Roots::default()
            },
        }
    }

    fn period_s(&self) -> u32 {
        u32::try_from(self.poll.as_secs()).unwrap_or(u32::MAX)
    }
}

/// The backend. Does something only while [`next`](Self::next) is awaited.
pub(crate) struct ModemManager {
    worker: Pin<Box<dyn Future<Output = Infallible> + Send>>,
    reports: mpsc::Receiver<Report>,
    actions: mpsc::Sender<(Ticket, Action)>,
    refused: VecDeque<Report>,
}

impl ModemManager {
    /// A backend that has heard nothing yet.
    pub(crate) fn new(bus: SystemBus, settings: Settings, clock: Clock) -> Self {
        let (reporting, reports) = mpsc::channel(REPORTS);
        let (actions, asked) = mpsc::channel(ACTIONS);
        let worker = session::Worker::new(Arc::new(settings), clock, reporting, asked);
        Self {
            worker: Box::pin(worker.run(bus)),
            reports,
            actions,
            refused: VecDeque::new(),
        }
    }

    /// The next thing to tell. Cancel-safe: what is under way goes on with the next call.
    pub(crate) async fn next(&mut self) -> Report {
        if let Some(report) = self.refused.pop_front() {
            return report;
        }
        tokio::select! {
            biased;
            Some(report) = self.reports.recv() => report,
            never = &mut self.worker => match never {},
        }
    }

    /// Asks for something; it ends with one [`Report::Done`].
    pub(crate) fn ask(&mut self, ticket: Ticket, action: Action) {
        if let Err(refused) = self.actions.try_send((ticket, action)) {
            let (ticket, _) = refused.into_inner();
            let busy = code::MODEM_BUSY.with("what", "other requests");
            self.refused.push_back(Report::Done(ticket, Err(busy)));
        }
    }
}
