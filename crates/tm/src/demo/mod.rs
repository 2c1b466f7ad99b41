//! `tm demo`: every service in one process, an embedded broker, simulated hardware, a cloud side.
//!
//! The services are the real ones, configured by variables as in a container. Between them and the
//! brokers stand gates, so that a story can cut the way. `--scenario` plays one and tells it.

mod arguments;
mod clock;
mod cloud;
mod hardware;
mod http;
mod power;
mod progress;
mod scenario;
mod services;
mod story;

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use tm_service::Clock;
use tm_service::config::Environment;
use tm_sim::broker::Broker;
use tm_sim::gate::{Gate, GateHandle, GateMode};
use tm_sim::script::Event;
use tracing::info;

use crate::world::World;
use clock::TurnableClock;
use services::Services;

pub use arguments::Arguments;
pub use cloud::{Arrival, Cloud, PollId, Received, Urgent};
pub use hardware::Hardware;
pub use scenario::{Chapter, Expect, Scenario};
pub use story::{AlarmTold, EventTold, Missing, Outcome, Sentence, Summary, Telling, play};

/// A running demo. Dropping it stops every service.
#[derive(Debug)]
pub struct Demo {
    /// Where the page and the API are.
    pub page: SocketAddr,
    /// The local broker's URL.
    pub bus: String,
    /// The cloud broker's URL.
    pub cloud_url: String,
    /// The way from the services to the local broker.
    pub bus_gate: GateHandle,
    /// The way from the uplink to the cloud broker.
    pub cloud_gate: GateHandle,
    /// What the cloud side received.
    pub cloud: Cloud,
    /// The simulated hardware.
    pub hardware: Hardware,
    /// None while the power is away.
    services: Option<Services>,
    /// What the files were when the power went.
    flash: Option<power::Flash>,
    world: World,
    clock: Option<TurnableClock>,
    _gates: (Gate, Gate),
    _folder: Option<TempDir>,
}

/// Runs the demo until Ctrl-C, or to the end of its story.
///
/// # Errors
/// When it cannot be started, or its story did not go as it should and `--exit` is given.
pub fn main(arguments: Arguments) -> Result<()> {
    if arguments.scenario.as_deref() == Some("list") {
        return progress::list_scenarios();
    }
    let scenario = arguments.scenario()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let (ready_file, is_ending) = (arguments.ready_file.clone(), arguments.exit);
        let hurry = arguments.hurry;
        let mut demo = Demo::start(arguments).await?;
        progress::greet(&demo)?;
        if let Some(file) = ready_file {
            let addresses = serde_json::json!({
                "page": format!("http://localhost:{}/", demo.page.port()),
                "bus": demo.bus,
                "cloud": demo.cloud_url,
            });
            std::fs::write(&file, addresses.to_string())
                .with_context(|| format!("write {}", file.display()))?;
        }
        let telling = async {
            if let Some(scenario) = scenario {
                let unmet = progress::play(&mut demo, scenario, hurry).await?;
                if is_ending {
                    return match unmet.as_slice() {
                        [] => Ok(()),
                        unmet => bail!("the story did not hold: {}", unmet.join("; ")),
                    };
                }
            }
            progress::tell(&demo).await
        };
        tokio::select! {
            outcome = telling => outcome,
            interrupted = tokio::signal::ctrl_c() => interrupted.context("wait for Ctrl-C"),
        }
    })
}

impl Demo {
    /// Starts brokers, gates, hardware and every service.
    ///
    /// # Errors
    /// When a port or directory cannot be had, or a variable is wrong: the demo is strict.
    pub async fn start(arguments: Arguments) -> Result<Self> {
        let needs_clock = arguments.scenario()?.is_some_and(Scenario::cuts_power);
        let turnable = needs_clock.then(TurnableClock::start);
        let clock = turnable
            .as_ref()
            .map_or_else(Clock::system, TurnableClock::clock);
        let demo = Self::start_by(clock, arguments).await?;
        Ok(Self {
            clock: turnable,
            ..demo
        })
    }

    /// The same by another clock than the machine's: for stories of clocks that step.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_by(clock: Clock, arguments: Arguments) -> Result<Self> {
        let listener = http::bind(arguments.port).await?;
        let page = listener.local_addr()?;
        let (bus, cloud_broker) = tokio::task::spawn_blocking(|| {
            Ok::<_, std::io::Error>((Broker::start()?, Broker::start()?))
        })
        .await?
        .context("start the embedded brokers")?;
        let gates = (
            Gate::open(bus.address())?,
            Gate::open(cloud_broker.address())?,
        );
        let cloud = Cloud::subscribe(&cloud_broker.url()).await?;

        let (folder, data) = if let Some(data) = arguments.data.clone() {
            (None, data)
        } else {
            let folder = tempfile::tempdir().context("make a temporary directory")?;
            let data = folder.path().to_owned();
            (Some(folder), data)
        };
        let mut hardware =
            Hardware::start(&data.join("hardware"), arguments.seed, gates.1.handle()).await?;
        if let Some(script) = &arguments.script {
            hardware.play(script)?;
        }

        let mut environment = Environment::default();
        for (name, value) in hardware.variables().into_iter().chain([
            ("TM_BUS_URL", format!("mqtt://{}", gates.0.address())),
            ("TM_DEVICE_ID", "demo-cabinet".into()),
            ("TM_DEVICE_SITE", "DEMO-1".into()),
            ("TM_DEVICE_NAME", "Cabinet of the demo".into()),
            ("TM_UPLINK_URL", format!("mqtt://{}", gates.1.address())),
            ("TM_UPLINK_BATCH_S", "5".into()),
        ]) {
            environment = environment.with(name, &value);
        }
        let of_story = arguments
            .scenario()?
            .map_or(&[][..], |scenario| scenario.variables);
        for (name, value) in of_story {
            environment = environment.with(name, value);
        }
        for variable in &arguments.variables {
            let (name, value) = variable
                .split_once('=')
                .with_context(|| format!("read {variable}: it is not NAME=VALUE"))?;
            environment = environment.with(name, value);
        }
        let world = World {
            environment,
            data,
            clock,
        };
        let services = Services::start(&world, listener.into_std()?)?;
        info!(%page, "the demo runs");
        Ok(Self {
            page,
            bus: bus.url(),
            cloud_url: cloud_broker.url(),
            bus_gate: gates.0.handle(),
            cloud_gate: gates.1.handle(),
            cloud,
            hardware,
            services: Some(services),
            flash: None,
            world,
            clock: None,
            _gates: gates,
            _folder: folder,
        })
    }

    /// Makes something happen to the hardware or to the way to the cloud.
    ///
    /// When the way is free again, NTP sets a clock that was behind.
    pub fn act(&mut self, event: Event) {
        self.hardware.stage().act(event);
        if let (Event::Link(GateMode::Forward), Some(clock)) = (event, &mut self.clock) {
            clock.set_right();
        }
    }

    /// Stops the uplink as a power cut of its container would, and starts it again.
    ///
    /// # Errors
    /// When its thread cannot be made.
    pub fn restart_uplink(&mut self) -> Result<()> {
        match &mut self.services {
            Some(services) => services.restart_uplink(),
            None => Ok(()),
        }
    }

    /// Whether the threads of all services turn.
    pub fn is_alive(&self) -> bool {
        self.services.as_ref().is_some_and(Services::are_alive)
    }
}
