//! The service between a simulated module and a broker, and somebody who listens on the bus.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tm_modem::Config;
use tm_service::bus::{Bus, BusEvent, BusOptions};
use tm_service::config::{Environment, Report, Settings};
use tm_service::{Clock, Host};
use tm_sim::broker::Broker;
use tm_sim::sim7600::{Sim7600, Sim7600Config};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long anything may take on a busy machine.
const DEADLINE: Duration = Duration::from_secs(40);

pub(crate) struct Bench {
    pub(crate) module: Sim7600,
    pub(crate) directory: TempDir,
    broker: String,
    listener: Bus,
    /// The newest message of each topic.
    newest: HashMap<String, Value>,
    service: Option<JoinHandle<()>>,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let module = Sim7600::start(Sim7600Config {
            boot_time: Duration::from_millis(400),
            outage: Duration::from_millis(600),
            time_to_fix: Duration::ZERO,
            gnss_autostart: false,
            ..Sim7600Config::default()
        });
        let directory = tempfile::tempdir().unwrap();
        let broker = Broker::start().unwrap().url();
        let mut listener = host("listener", &directory.path().join("listener"), &broker)
            .bus
            .open(BusOptions {
                subscriptions: vec!["tm/v1/#".to_owned()],
                ..BusOptions::default()
            });
        let up = async { while !matches!(listener.next().await, BusEvent::Up { .. }) {} };
        timeout(DEADLINE, up).await.expect("the broker is there");
        Self {
            module,
            directory,
            broker,
            listener,
            newest: HashMap::new(),
            service: None,
        }
    }

    /// Starts the service with these variables, in a store that outlives it.
    pub(crate) fn start(&mut self, variables: &[(&str, &str)]) {
        let mut environment = Environment::default();
        for (name, value) in variables {
            environment = environment.with(name, value);
        }
        let mut report = Report::default();
        let config = Config::load("TM_MODEM_", &environment, &mut report);
        assert!(report.findings().is_empty(), "{:?}", report.findings());
        let host = host("modem", &self.directory.path().join("modem"), &self.broker);
        self.service = Some(tokio::spawn(async move {
            let Err(error) = tm_modem::run(config, host).await;
            panic!("the service ended: {error:#}");
        }));
    }

    pub(crate) async fn stop(&mut self) {
        if let Some(service) = self.service.take() {
            service.abort();
            let _ = service.await;
        }
    }

    /// Waits until the newest message on `topic` is as wanted.
    pub(crate) async fn wait(&mut self, topic: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let waiting = async {
            loop {
                if let Some(value) = self.newest.get(topic).filter(|value| wanted(value)) {
                    return value.clone();
                }
                if let BusEvent::Message(message) = self.listener.next().await {
                    let text = || Value::from(String::from_utf8_lossy(&message.payload));
                    let value = serde_json::from_slice(&message.payload).unwrap_or_else(|_| text());
                    self.newest.insert(message.topic, value);
                }
            }
        };
        let found = timeout(DEADLINE, waiting).await.ok();
        found.unwrap_or_else(|| panic!("nothing wanted on {topic}: {:?}", self.newest.get(topic)))
    }

    /// Waits for a message on `topic` that comes from now on.
    pub(crate) async fn wait_anew(
        &mut self,
        topic: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        self.newest.remove(topic);
        self.wait(topic, wanted).await
    }

    /// Waits for a state with this cause; gives the modem.
    pub(crate) async fn cause(&mut self, code: &str) -> Value {
        let is_it = |state: &Value| state["modems"][0]["cause"]["code"] == code;
        self.wait("tm/v1/state/modem", is_it).await["modems"][0].clone()
    }
}

fn host(instance: &str, directory: &Path, broker: &str) -> Host {
    Host::for_test(instance, directory, broker, Clock::system()).unwrap()
}

/// The point of that name in a message of measurements.
pub(crate) fn point<'a>(data: &'a Value, name: &str) -> &'a Value {
    let points = data["points"].as_array().into_iter().flatten();
    points
        .into_iter()
        .find(|point| point["name"] == name)
        .unwrap_or(&Value::Null)
}
