//! The service without a bus: the manager, its port, and what it wants done.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tm_service::config::{Environment, Report, Settings};
use tm_service::port::{Absence, Link, OpenError, Opened, Opener, Opening, PortUrl};
use tm_types::{BootId, Clock, Device, HealthStatus, Modem, Reading, Stamp, Timestamp};
use tokio::io::duplex;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::module::Module;
use crate::backend::serial::core::{self as serial, Core};
use crate::config::Config;
use crate::manager::{Effect, Event, Kept, Manager, Now};
use crate::situation::Seen;

/// What is behind the port at the moment: a module, or why it cannot be opened.
type Behind = Arc<Mutex<Result<Module, OpenError>>>;

/// Opens a port to whatever is behind it.
struct Socket {
    behind: Behind,
    asked: mpsc::UnboundedSender<String>,
    /// Kept to pull the plug.
    players: Arc<Mutex<Vec<tokio::task::AbortHandle>>>,
}

impl Opener for Socket {
    fn begin(&self, url: &PortUrl) -> Opening {
        let opened = self.behind.lock().unwrap().clone().map(|module| {
            let (near, far) = duplex(65_536);
            let player = tokio::spawn(module.play(far, self.asked.clone()));
            self.players.lock().unwrap().push(player.abort_handle());
            Opened {
                port: Box::new(near),
                name: url.to_string(),
            }
        });
        Box::pin(async move { opened })
    }
}

/// The service without a bus.
pub(super) struct Bench {
    behind: Behind,
    players: Arc<Mutex<Vec<tokio::task::AbortHandle>>>,
    asked: mpsc::UnboundedReceiver<String>,
    link: Link,
    core: Core,
    pub(super) manager: Manager,
    started: Instant,
    pub(super) effects: Vec<Effect>,
}

/// Now, so long after the start.
pub(super) fn stamped(instant: Instant, elapsed: Duration) -> Now {
    let mono_ms = 50_000 + u64::try_from(elapsed.as_millis()).unwrap();
    // 1970: the machine's own wall clock must not matter.
    let stamp = Stamp {
        time: Timestamp::EPOCH,
        mono_ms,
        boot: BootId(7),
        clock: Clock::None,
        err_ms: None,
    };
    Now { instant, stamp }
}

/// No modem on USB.
pub(super) fn absent() -> OpenError {
    Absence::Device {
        vendor: 0x1e0e,
        product: 0x9001,
    }
    .into()
}

/// The configuration that these variables give.
pub(super) fn config(variables: &[(&str, &str)]) -> Config {
    let mut environment = Environment::default();
    for (name, value) in variables {
        environment = environment.with(name, value);
    }
    let mut report = Report::default();
    let config = Config::load("TM_MODEM_", &environment, &mut report);
    assert!(report.findings().is_empty(), "{:?}", report.findings());
    config
}

impl Bench {
    pub(super) fn new(
        behind: Result<Module, OpenError>,
        seen: Seen,
        variables: &[(&str, &str)],
    ) -> Self {
        let behind = Arc::new(Mutex::new(behind));
        let players = Arc::default();
        let (sender, asked) = mpsc::unbounded_channel();
        let socket = Socket {
            behind: Arc::clone(&behind),
            asked: sender,
            players: Arc::clone(&players),
        };
        let config = config(variables);
        let started = Instant::now();
        let now = stamped(started, Duration::ZERO);
        let kept = Kept {
            seen,
            ..Kept::default()
        };
        Self {
            behind,
            players,
            asked,
            link: Link::new(config.port.clone(), Arc::new(socket)),
            core: Core::new(config.clone(), started),
            manager: Manager::new(config, &Device::default(), kept, now),
            started,
            effects: Vec::new(),
        }
    }

    fn now(&self) -> Now {
        stamped(Instant::now(), self.started.elapsed())
    }

    /// Runs for a time.
    pub(super) async fn run(&mut self, time: Duration) {
        let end = Instant::now() + time;
        let _ = timeout(time, async {
            loop {
                self.turn().await;
            }
        })
        .await;
        tokio::time::sleep_until(end).await;
    }

    async fn turn(&mut self) {
        let manager = self.manager.deadline(self.now());
        let deadline = self
            .core
            .deadline()
            .map_or(manager, |core| core.min(manager));
        let deadline = Some(deadline);
        let event = tokio::select! {
            event = self.link.next() => serial::Event::Port(event),
            () = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            } => serial::Event::Due,
        };
        let now = self.now();
        for effect in self.core.on(event, now) {
            match effect {
                serial::Effect::Write(bytes) => self.link.send(&bytes),
                serial::Effect::Reopen => self.link.reopen(),
                serial::Effect::Report(report) => {
                    let effects = self.manager.on(Event::Backend(report), now);
                    self.effects.extend(effects);
                }
            }
        }
        self.effects.extend(self.manager.on(Event::Due, now));
    }

    pub(super) fn put(&self, behind: Result<Module, OpenError>) {
        *self.behind.lock().unwrap() = behind;
    }

    /// The module behind the port.
    pub(super) fn module(&self) -> Module {
        self.behind
            .lock()
            .unwrap()
            .clone()
            .expect("a module is there")
    }

    /// Ends the connection that is open, as a pulled plug does.
    pub(super) fn cut(&self) {
        self.players
            .lock()
            .unwrap()
            .drain(..)
            .for_each(|player| player.abort());
    }

    pub(super) fn state(&self) -> Modem {
        let state = self.effects.iter().rev().find_map(|effect| match effect {
            Effect::State(state) => Some(state.modems[0].clone()),
            _ => None,
        });
        state.expect("a state was published")
    }

    pub(super) fn health(&self) -> (HealthStatus, Option<String>) {
        let health = self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Health(status, reasons) => {
                Some((*status, reasons.first().map(|r| r.code.clone())))
            }
            _ => None,
        });
        health.expect("health was reported")
    }

    pub(super) fn causes(&self) -> Vec<String> {
        let states = self.effects.iter().filter_map(|effect| match effect {
            Effect::State(state) => Some(state.modems[0].cause.code.clone()),
            _ => None,
        });
        let mut causes: Vec<String> = states.collect();
        causes.dedup();
        causes
    }

    pub(super) fn polls(&self) -> Vec<(u64, BTreeMap<String, Reading>)> {
        let polls = self.effects.iter().filter_map(|effect| match effect {
            Effect::Points(stamp, points) => {
                let points = points
                    .iter()
                    .map(|p| (p.name.to_string(), p.reading.clone()));
                Some((stamp.mono_ms, points.collect()))
            }
            _ => None,
        });
        polls.collect()
    }

    pub(super) fn n(&self, wanted: impl Fn(&Effect) -> bool) -> usize {
        self.effects.iter().filter(|effect| wanted(effect)).count()
    }

    pub(super) fn asked(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.asked.try_recv().ok()).collect()
    }
}
