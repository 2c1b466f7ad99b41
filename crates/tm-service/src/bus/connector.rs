use std::sync::Arc;
use std::time::Duration;

use tm_types::{Cause, Code, Health, HealthStatus, Instance, code, topic};

use super::handle::Bus;
use super::shared::Shared;
use super::{BusOptions, task};
use crate::config::{BusSettings, Secret};
use crate::session::{Address, Options, Qos, Session, Will};
use crate::{Clock, Progress, Store};

/// The largest message on the bus, in bytes: `message_size_limit` of our Mosquitto.
pub(super) const MESSAGE_LIMIT: usize = 128 * 1024;
/// The largest packet we take: a foreign broker may allow more than ours.
const MAX_PACKET: usize = 256 * 1024;
/// How long the end of a bus that was dropped may take.
const CLOSE_DEADLINE: Duration = Duration::from_secs(5);

/// What a connector is made from.
#[derive(Clone, Debug)]
pub struct ConnectorOptions {
    /// The instance: client ids, topics, own source.
    pub instance: Instance,
    /// `mqtt://host:port`.
    pub address: String,
    /// User and password.
    pub credentials: Option<(String, Secret)>,
    /// Outbox sizes and waits.
    pub settings: BusSettings,
    /// Stamps events and health, ages the outbox.
    pub clock: Clock,
    /// Keeps the operations.
    pub store: Store,
    /// Told in health.
    pub version: &'static str,
    /// What was wrong at the start: degrades health.
    pub notices: Vec<Cause>,
    /// Marked by the bus, and asked before each heartbeat.
    pub progress: Progress,
}

/// Opens the bus; keeps the outbox, the run and its numbers from one opening to the next.
#[derive(Clone, Debug)]
pub struct BusConnector {
    shared: Arc<Shared>,
}

impl BusConnector {
    /// A connector; nothing happens until the bus is opened.
    pub fn new(options: ConnectorOptions) -> Self {
        Self {
            shared: Arc::new(Shared::new(options)),
        }
    }

    /// Opens the bus. Never fails and never waits: connecting goes on behind it.
    ///
    /// One bus per host at a time: a second one waits for the end of the first. Must be called
    /// within a tokio runtime.
    pub fn open(&self, options: BusOptions) -> Bus {
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let mut last = self.shared.last_task();
        let task = task::run(self.shared.clone(), options, stopped, last.take());
        *last = Some(tokio::spawn(task));
        drop(last);
        Bus::new(self.shared.clone(), stop)
    }

    /// Waits until the bus that was dropped last has said good-bye.
    pub async fn closed(&self) {
        let task = self.shared.last_task().take();
        if let Some(task) = task {
            let _ = tokio::time::timeout(CLOSE_DEADLINE, task).await;
        }
    }

    /// A session of its own for who must not miss anything: client `tm-<instance>-in`, persistent,
    /// acknowledged by the owner. It never publishes: the bus does that on its own connection.
    pub fn ingest(&self, filters: &[&str]) -> Session {
        let mut options = self.session_options("-in");
        options.clean_session = false;
        options.manual_acks = true;
        options.subscriptions = filters
            .iter()
            .map(|filter| ((*filter).to_owned(), Qos::AtLeastOnce))
            .collect();
        Session::open(options)
    }

    /// Options of a session at this broker under the client id `tm-<instance><suffix>`.
    ///
    /// A malformed address gives one that is never reached; health says which it is.
    pub fn session_options(&self, suffix: &str) -> Options {
        let own = &self.shared.options;
        let address = own.address.parse().unwrap_or_else(|error| {
            tracing::error!(%error, "the address of the local broker is malformed");
            Address {
                host: own.address.clone(),
                port: 1883,
                tls: false,
            }
        });
        let mut options = Options::new(format!("tm-{}{suffix}", own.instance), address);
        options.credentials.clone_from(&own.credentials);
        options.credentials_file = Some((&own.settings.credentials_file).into());
        options.max_packet = MAX_PACKET;
        options
    }

    /// The message the broker publishes when the connection of this instance breaks.
    pub(super) fn will(own: &ConnectorOptions) -> Will {
        Will {
            topic: topic::health(&own.instance),
            payload: super::outbox::json(&Self::down(own, code::SERVICE_CONNECTION_LOST)),
            qos: Qos::AtLeastOnce,
            retain: true,
        }
    }

    /// The health of a service that is no more.
    pub(super) fn down(own: &ConnectorOptions, reason: Code) -> Health {
        let stamp = own.clock.stamp();
        Health {
            status: HealthStatus::Down,
            reasons: vec![reason.plain()],
            version: own.version.to_owned(),
            boot: stamp.boot,
            mono_ms: stamp.mono_ms,
            period_s: own.settings.health_period_s,
        }
    }

    pub(super) fn of_shared(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}
