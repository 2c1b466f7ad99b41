//! The service between a simulated receiver and a broker, and somebody who listens on the bus.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tm_gnss::Config;
use tm_service::bus::{Bus, BusEvent, BusOptions};
use tm_service::config::{Environment, Report, Settings};
use tm_service::{Clock, Host};
use tm_sim::broker::Broker;
use tm_sim::sim7600::{Sim7600, Sim7600Config};
use tokio::time::timeout;

/// How long anything may take on a busy machine.
const DEADLINE: Duration = Duration::from_secs(40);

pub(crate) struct Bench {
    pub(crate) receiver: Sim7600,
    pub(crate) directory: TempDir,
    pub(crate) bus: Bus,
    broker: String,
    newest: HashMap<String, Value>,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let receiver = Sim7600::start(Sim7600Config {
            boot_time: Duration::from_millis(200),
            outage: Duration::from_millis(600),
            time_to_fix: Duration::ZERO,
            ..Sim7600Config::default()
        });
        let directory = tempfile::tempdir().unwrap();
        let broker = Broker::start().unwrap().url();
        let subscriptions =
            ["state", "health", "data", "clock", "event"].map(|class| format!("tm/v1/{class}/+"));
        let mut bus = host("modem", &directory.path().join("modem"), &broker)
            .bus
            .open(BusOptions {
                subscriptions: subscriptions.to_vec(),
                ..BusOptions::default()
            });
        let up = async { while !matches!(bus.next().await, BusEvent::Up { .. }) {} };
        timeout(DEADLINE, up).await.expect("the broker is there");
        Self {
            receiver,
            directory,
            bus,
            broker,
            newest: HashMap::new(),
        }
    }

    pub(crate) fn start(&mut self, variables: &[(&str, &str)]) {
        let mut environment = Environment::default();
        for (name, value) in variables {
            environment = environment.with(name, value);
        }
        let mut report = Report::default();
        let config = Config::load("TM_GNSS_", &environment, &mut report);
        assert!(report.findings().is_empty(), "{:?}", report.findings());
        let host = host("gnss", &self.directory.path().join("gnss"), &self.broker);
        tokio::spawn(async move {
            let Err(error) = tm_gnss::run(config, host).await;
            panic!("the service ended: {error:#}");
        });
    }

    /// Waits until the newest message on `topic` is as wanted.
    pub(crate) async fn wait(&mut self, topic: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let waiting = async {
            loop {
                if let Some(value) = self.newest.get(topic).filter(|value| wanted(value)) {
                    return value.clone();
                }
                if let BusEvent::Message(message) = self.bus.next().await {
                    let value = serde_json::from_slice(&message.payload).unwrap_or_default();
                    self.newest.insert(message.topic, value);
                }
            }
        };
        let found = timeout(DEADLINE, waiting).await.ok();
        found.unwrap_or_else(|| panic!("nothing wanted on {topic}: {:?}", self.newest.get(topic)))
    }

    /// Waits for a state with this cause.
    pub(crate) async fn cause(&mut self, code: &str) -> Value {
        self.wait("tm/v1/state/gnss", |state| state["cause"]["code"] == code)
            .await
    }
}

fn host(instance: &str, directory: &Path, broker: &str) -> Host {
    Host::for_test(instance, directory, broker, Clock::system()).unwrap()
}
