//! Which way is gone: the configured one, or the one that is there.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tm_service::Clock;
use tm_service::port::Opener;
use tm_types::{Cause, code};
use tokio::time::{Instant, sleep_until};

use super::held::NotHeld;
use super::modem_manager::{ModemManager, Settings, SystemBus, is_running};
use super::serial::Serial;
use super::{Action, Report, Ticket};
use crate::config::{BackendChoice, Config};

/// How long ModemManager may be missing before a port is opened: at boot it starts a few seconds after the
/// containers, and a port opened too early disturbs it while it probes.
const MANAGER_PATIENCE: Duration = Duration::from_secs(20);

/// The name of the way by AT on a port.
pub(crate) const SERIAL: &str = "serial";
/// The name of the way by ModemManager.
pub(crate) const MODEM_MANAGER: &str = "modemmanager";

/// The way to the modem.
pub(crate) struct Backend {
    /// Nothing under `serial`, and where there is no system bus.
    manager: Option<ModemManager>,
    /// Nothing under `modemmanager`, and while ModemManager is there.
    serial: Option<Serial>,
    /// What a serial way is made from, under `auto`.
    spare: Option<(Config, Arc<dyn Opener>, Clock)>,
    /// When the port is opened unless ModemManager shows up.
    give_up: Option<Instant>,
    bus: Option<SystemBus>,
    /// What was asked for and has not ended, and by which way.
    open: BTreeMap<Ticket, &'static str>,
    /// Ends that no way tells any more.
    ended: VecDeque<Report>,
}

impl Backend {
    /// The way of this configuration; nothing is opened yet.
    pub(crate) fn new(
        config: &Config,
        imei: Option<&str>,
        ports: &Arc<dyn Opener>,
        clock: &Clock,
    ) -> Self {
        let bus = config.dbus.as_deref().map(SystemBus::new);
        let ports: Arc<dyn Opener> = match &bus {
            Some(bus) => Arc::new(NotHeld::new(Arc::clone(ports), bus.clone())),
            None => Arc::clone(ports),
        };
        let serial = || Serial::new(config.clone(), Arc::clone(&ports), clock.clone());
        let manager = |bus: &SystemBus| {
            let settings = Settings::new(config, imei.map(str::to_owned));
            ModemManager::new(bus.clone(), settings, clock.clone())
        };
        match (config.backend, &bus) {
            (BackendChoice::Serial, _) | (BackendChoice::Auto, None) => Self {
                manager: None,
                serial: Some(serial()),
                spare: None,
                give_up: None,
                bus,
                open: BTreeMap::new(),
                ended: VecDeque::new(),
            },
            (BackendChoice::ModemManager, None) => {
                // Without an address the usual place of a host is tried, so that the reason is told.
                let bus = SystemBus::new(super::modem_manager::SYSTEM_BUS);
                Self {
                    manager: Some(manager(&bus)),
                    serial: None,
                    spare: None,
                    give_up: None,
                    bus: Some(bus),
                    open: BTreeMap::new(),
                    ended: VecDeque::new(),
                }
            }
            (choice, Some(found)) => {
                let is_auto = choice == BackendChoice::Auto;
                Self {
                    manager: Some(manager(found)),
                    serial: None,
                    spare: is_auto.then(|| (config.clone(), Arc::clone(&ports), clock.clone())),
                    give_up: is_auto.then(|| Instant::now() + MANAGER_PATIENCE),
                    bus,
                    open: BTreeMap::new(),
                    ended: VecDeque::new(),
                }
            }
        }
    }

    /// The name of the way that is gone now.
    pub(crate) fn name(&self) -> &'static str {
        if self.serial.is_some() {
            SERIAL
        } else {
            MODEM_MANAGER
        }
    }

    /// The system bus, where there is one.
    pub(crate) fn bus(&self) -> Option<&SystemBus> {
        self.bus.as_ref()
    }

    /// The next word. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Report {
        loop {
            if let Some(report) = self.ended.pop_front() {
                return report;
            }
            let (report, is_by_serial) = tokio::select! {
                report = next_of_manager(self.manager.as_mut()) => (report, false),
                report = next_of_serial(self.serial.as_mut()) => (report, true),
                () = at(self.give_up) => {
                    self.on_patience_over().await;
                    continue;
                }
            };
            if let Report::Done(ticket, _) = &report {
                // Whoever tells it: it ends once.
                if self.open.remove(ticket).is_some() {
                    return report;
                }
                continue;
            }
            if is_by_serial {
                return report;
            }
            let Report::Presence(presence) = &report else {
                if self.serial.is_none() {
                    return report;
                }
                continue;
            };
            let trouble = presence.trouble.as_ref();
            let missing = trouble.filter(|trouble| trouble.is(code::MODEM_MANAGER_ABSENT));
            if let Some(trouble) = missing {
                // A bus that ends takes along whatever was under way.
                self.end_all(MODEM_MANAGER, trouble);
            }
            if self.spare.is_none() {
                return report;
            }
            if missing.is_none() {
                // It came late, or came back: two readers on one port steal each other's answers.
                if self.serial.take().is_some() {
                    tracing::info!("ModemManager is there: the port is left to it");
                    self.end_all(SERIAL, &code::MODEM_STARTING.plain());
                }
                self.give_up = None;
                return report;
            }
            if self.serial.is_none() && self.give_up.is_none() {
                self.give_up = Some(Instant::now() + MANAGER_PATIENCE);
            }
        }
    }

    /// This way is gone, and nothing that was asked of it is told by it any more.
    fn end_all(&mut self, way: &str, why: &Cause) {
        let gone = self.open.extract_if(.., |_, by| *by == way);
        let ends = gone.map(|(ticket, _)| Report::Done(ticket, Err(why.clone())));
        self.ended.extend(ends);
    }

    /// A ModemManager that runs and has no modem yet is opening its ports, which takes up to 95 s over QMI.
    async fn on_patience_over(&mut self) {
        let is_there = match &self.bus {
            Some(bus) => is_running(bus).await,
            None => false,
        };
        if is_there {
            self.give_up = Some(Instant::now() + MANAGER_PATIENCE);
        } else {
            self.open_port();
        }
    }

    fn open_port(&mut self) {
        self.give_up = None;
        if let Some((config, ports, clock)) = &self.spare {
            tracing::info!("no ModemManager: the modem is looked for on its own port");
            let serial = Serial::new(config.clone(), Arc::clone(ports), clock.clone());
            self.serial = Some(serial);
        }
    }

    /// Asks for something; it ends with one [`Report::Done`].
    pub(crate) fn ask(&mut self, ticket: Ticket, action: Action) {
        self.open.insert(ticket, self.name());
        if let Some(serial) = &mut self.serial {
            serial.ask(ticket, action);
        } else if let Some(manager) = &mut self.manager {
            manager.ask(ticket, action);
        }
    }
}

async fn next_of_manager(manager: Option<&mut ModemManager>) -> Report {
    match manager {
        Some(manager) => manager.next().await,
        None => std::future::pending().await,
    }
}

async fn next_of_serial(serial: Option<&mut Serial>) -> Report {
    match serial {
        Some(serial) => serial.next().await,
        None => std::future::pending().await,
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use tm_service::config::{self, Settings as _};
    use tm_service::port::Ports;
    use tokio::time::timeout;

    use super::*;

    /// Under `auto`, with a bus that is not there.
    fn backend() -> Backend {
        let environment = config::Environment::default()
            .with("TM_MODEM_BACKEND", "auto")
            .with("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus");
        let mut report = config::Report::default();
        let config = Config::load("TM_MODEM_", &environment, &mut report);
        assert!(report.findings().is_empty(), "{:?}", report.findings());
        let ports: Arc<dyn Opener> = Arc::new(Ports::default());
        Backend::new(&config, None, &ports, &Clock::system())
    }

    async fn end(backend: &mut Backend) -> Option<(Ticket, bool)> {
        let next = async {
            loop {
                if let Report::Done(ticket, result) = backend.next().await {
                    return (ticket, result.is_ok());
                }
            }
        };
        timeout(Duration::from_secs(5), next).await.ok()
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_asked_ends_once_when_its_way_is_gone() {
        for (way, code) in [
            (SERIAL, code::MODEM_STARTING),
            (MODEM_MANAGER, code::MODEM_MANAGER_ABSENT),
        ] {
            let mut backend = backend();
            // Asked, and under way where nobody hears of its end.
            backend.open.insert(Ticket(1), way);
            backend.end_all(way, &code.plain());
            assert_eq!(end(&mut backend).await, Some((Ticket(1), false)), "{way}");
            assert_eq!(end(&mut backend).await, None, "{way}: once");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_bus_that_is_not_there_ends_what_was_asked() {
        let mut backend = backend();
        backend.open.insert(Ticket(7), MODEM_MANAGER);
        assert_eq!(end(&mut backend).await, Some((Ticket(7), false)));
    }
}
