//! The loop: what is heard, what the supervisor answers, and the time go in; state, alarms and the
//! outcome of reboots come out.

use std::convert::Infallible;
use std::time::Duration;

use anyhow::Context;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use serde::Deserialize;
use tm_service::Host;
use tm_service::bus::{Bus, BusEvent, BusMessage, BusOptions, Request};
use tm_service::session::{Incoming, Session, SessionEvent};
use tm_types::{
    AgentState, Alarm, Cause, Health, HealthStatus, Instance, OperationId, Poll, Source,
    Supervisor, code, topic,
};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{debug, info, warn};

use crate::alarms::{Alarms, Change};
use crate::contacts::{self, Contacts};
use crate::reboot::RebootLog;
use crate::rollup::Rollup;
use crate::supervisor::{self, Trouble};
use crate::{Config, SupervisorAccess};

/// How often silence is looked for; periods are 30 s.
const TICK: Duration = Duration::from_secs(5);
/// From an accepted reboot to the end of this process: services stop within 10 s each, the
/// supervisor and the host after them.
const REBOOT_TIME: Duration = Duration::from_mins(5);
/// The store's file with the reboots.
const REBOOT_FILE: &str = "reboots";
/// The operation this service executes.
const REBOOT: &str = "reboot";

/// Runs the agent until it is dropped.
pub async fn run(config: Config, host: Host) -> Result<Infallible, anyhow::Error> {
    let bus = host.bus.open(BusOptions {
        subscriptions: vec![topic::HEALTH_ALL.to_owned(), topic::ALARM_ALL.to_owned()],
        persistent: false,
        operations: &[REBOOT],
        follow_results: false,
    });
    let mut agent = Agent::new(config, host, bus);
    let mut ingest = agent.ingest();
    agent.tell();
    let mut jobs: FuturesUnordered<BoxFuture<'static, Done>> = FuturesUnordered::new();
    jobs.extend(agent.ask_supervisor(Duration::ZERO));
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let wait = agent.wait();
        let event = tokio::select! {
            event = agent.bus.next() => Event::Bus(event),
            Some(done) = jobs.next() => Event::Done(done),
            message = next_message(&mut ingest) => Event::Data(message),
            () = pause(wait) => Event::Tick,
            _ = tick.tick() => Event::Tick,
        };
        if let (Event::Data(message), Some(ingest)) = (&event, &ingest)
            && let Some(receipt) = message.receipt
        {
            ingest.acknowledge(receipt);
        }
        let next = agent.on(event).await?;
        jobs.extend(next);
    }
}

/// The next message of the connection that measurements come by; never, where there is none.
async fn next_message(ingest: &mut Option<Session>) -> Incoming {
    let Some(session) = ingest else {
        return std::future::pending().await;
    };
    loop {
        if let SessionEvent::Message(message) = session.next().await {
            return message;
        }
    }
}

/// Waits so long; for ever without a time.
async fn pause(wait: Option<Duration>) {
    match wait {
        Some(wait) => sleep(wait).await,
        None => std::future::pending().await,
    }
}

/// Everything that wakes the agent.
enum Event {
    Bus(BusEvent),
    /// A poll of a source that has contacts.
    Data(Incoming),
    Done(Done),
    Tick,
}

/// What a job came to.
enum Done {
    /// The supervisor was asked about the device.
    Device(Result<Supervisor, Trouble>),
    /// The supervisor was asked for a reboot.
    Reboot(OperationId, Result<(), Trouble>),
    /// The machine should be gone by now.
    StillHere(OperationId),
}

/// What `reboot` is asked with.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
struct RebootArgs {
    /// Whether update locks are overridden.
    force: bool,
}

struct Agent {
    config: Config,
    host: Host,
    bus: Bus,
    rollup: Rollup,
    alarms: Alarms,
    contacts: Contacts,
    /// Since when the bus is connected, by the monotonic clock.
    connected: Option<Duration>,
    supervisor: Option<Supervisor>,
    supervisor_trouble: Option<Cause>,
    told: Option<AgentState>,
}

impl Agent {
    fn new(config: Config, host: Host, bus: Bus) -> Self {
        Self {
            supervisor: config.supervisor.as_ref().map(|_| Supervisor::default()),
            rollup: Rollup::new(host.clock.boot()),
            contacts: Contacts::new(&config.agent.contacts),
            config,
            host,
            bus,
            alarms: Alarms::default(),
            connected: None,
            supervisor_trouble: None,
            told: None,
        }
    }

    /// A connection of its own for who must not miss an opening; none where no contact is named.
    fn ingest(&self) -> Option<Session> {
        let sources = self.contacts.sources();
        let filters: Vec<String> = sources.iter().map(topic::data).collect();
        let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
        (!filters.is_empty()).then(|| self.host.bus.ingest(&filters))
    }

    /// How long until a contact's alarm changes by itself.
    fn wait(&self) -> Option<Duration> {
        self.connected?;
        let due = self.contacts.due()?;
        Some(due.saturating_sub(self.host.clock.mono()))
    }

    /// Takes an event in; gives a job to be done besides.
    async fn on(&mut self, event: Event) -> anyhow::Result<Option<BoxFuture<'static, Done>>> {
        let mut job = None;
        match event {
            Event::Bus(BusEvent::Up { .. }) => self.connected = Some(self.host.clock.mono()),
            Event::Bus(BusEvent::Down(_)) => self.connected = None,
            Event::Bus(BusEvent::Message(message)) => self.on_message(&message),
            Event::Data(message) => self.on_data(&message),
            Event::Bus(BusEvent::Command(request)) => job = self.on_reboot(request).await?,
            Event::Bus(BusEvent::Operation(_)) | Event::Tick => {}
            Event::Done(Done::Device(answer)) => {
                self.on_device(answer);
                let period = Duration::from_secs(self.config.agent.supervisor_period_s.into());
                job = self.ask_supervisor(period);
            }
            Event::Done(Done::Reboot(id, answer)) => job = self.on_reboot_answer(id, answer),
            Event::Done(Done::StillHere(id)) => {
                let minutes = REBOOT_TIME.as_secs() / 60;
                let detail = format!("the machine was not restarted within {minutes} min");
                self.bus
                    .fail(&id, &code::OPERATION_FAILED.with("detail", detail));
            }
        }
        self.decide_alarms();
        self.tell();
        Ok(job)
    }

    fn on_message(&mut self, message: &BusMessage) {
        match topic::classify(&message.topic) {
            Some(topic::Class::Health(service)) => {
                let Ok(service) = Instance::new(service) else {
                    return;
                };
                let health = if message.payload.is_empty() {
                    None
                } else {
                    match serde_json::from_slice::<Health>(&message.payload) {
                        Ok(health) => Some(health),
                        Err(error) => {
                            debug!(%service, %error, "health not understood");
                            return;
                        }
                    }
                };
                let now = self.host.clock.mono();
                self.rollup.hear(service, health, now);
            }
            // What we publish ourselves comes back without the retained mark.
            Some(topic::Class::Alarm(_)) if message.retained => {
                if let Ok(alarm) = serde_json::from_slice::<Alarm>(&message.payload) {
                    if alarm.id.starts_with(contacts::PREFIX) {
                        self.contacts.adopt(alarm);
                    } else {
                        self.alarms.adopt(alarm);
                    }
                }
            }
            _ => {}
        }
    }

    /// A poll that cannot be read is the uplink's to report.
    fn on_data(&mut self, message: &Incoming) {
        let now = self.host.clock.stamp();
        let source = match topic::classify(&message.topic) {
            Some(topic::Class::Data(source)) if !message.retain => Source::new(source),
            _ => return,
        };
        if let (Ok(source), Ok(poll)) = (source, Poll::from_json(&message.payload, &now)) {
            self.contacts.hear(&source, &poll, &now);
        }
    }

    /// Without a bus nothing is heard, and nothing can be concluded.
    fn decide_alarms(&mut self) {
        let Some(connected) = self.connected else {
            return;
        };
        let stamp = self.host.clock.stamp();
        let now = Duration::from_millis(stamp.mono_ms);
        let own = &self.host.instance;
        let of_services = self
            .alarms
            .decide(&self.rollup, own, now, connected, stamp.time);
        for change in of_services.into_iter().chain(self.contacts.decide(now)) {
            match change {
                Change::Raise(alarm) => {
                    warn!(alarm = %alarm.id, code = %alarm.code, "alarm raised");
                    self.bus.alarm(&alarm);
                }
                Change::Clear(id) => {
                    info!(alarm = %id, "alarm cleared");
                    self.bus.clear_alarm(&id);
                }
            }
        }
    }

    /// Publishes state and health where they changed.
    fn tell(&mut self) {
        let state = AgentState {
            device: self.host.device.clone(),
            services: self.rollup.services(self.host.clock.mono()),
            supervisor: self.supervisor.clone(),
        };
        if self.told.as_ref() != Some(&state) {
            self.bus.state(&state);
            self.told = Some(state);
        }
        match &self.supervisor_trouble {
            None => self.bus.health(HealthStatus::Up, Vec::new()),
            Some(cause) => self.bus.health(HealthStatus::Degraded, vec![cause.clone()]),
        }
    }

    /// The job of asking the supervisor after a pause; none where there is no supervisor.
    fn ask_supervisor(&self, pause: Duration) -> Option<BoxFuture<'static, Done>> {
        let access: SupervisorAccess = self.config.supervisor.clone()?;
        Some(Box::pin(async move {
            sleep(pause).await;
            Done::Device(supervisor::device(&access).await)
        }))
    }

    fn on_device(&mut self, answer: Result<Supervisor, Trouble>) {
        match answer {
            Ok(device) => {
                if self.supervisor_trouble.take().is_some() {
                    info!("supervisor answers");
                }
                self.supervisor = Some(device);
            }
            Err(trouble) => {
                let cause = trouble.cause();
                if self
                    .supervisor_trouble
                    .as_ref()
                    .is_none_or(|last| last.code != cause.code)
                {
                    warn!(error = %trouble, "supervisor fails");
                }
                self.supervisor_trouble = Some(cause);
            }
        }
    }

    /// Checks and notes a reboot before it is asked for.
    async fn on_reboot(
        &mut self,
        request: Request,
    ) -> anyhow::Result<Option<BoxFuture<'static, Done>>> {
        let args = match &request.args {
            serde_json::Value::Null => Ok(RebootArgs::default()),
            args => RebootArgs::deserialize(args),
        };
        let access = self.config.supervisor.clone();
        let stamp = self.host.clock.stamp();
        let mut log: RebootLog = self.host.store.load(REBOOT_FILE).unwrap_or_default();
        let n_reboots = log.within_a_day(&stamp);
        let limit = usize::try_from(self.config.agent.reboots_per_day).unwrap_or(usize::MAX);
        let refusal = match (&args, &access) {
            (Err(error), _) => Some(code::OPERATION_BAD_ARGUMENTS.with("detail", error)),
            (_, None) => Some(code::AGENT_NOT_ON_BALENA.plain()),
            _ if n_reboots >= limit => Some(code::AGENT_REBOOT_LIMIT.with("count", n_reboots)),
            _ => None,
        };
        let (Ok(args), Some(access), None) = (args, access, &refusal) else {
            let cause = refusal.unwrap_or_else(|| code::AGENT_NOT_ON_BALENA.plain());
            info!(code = %cause.code, issuer = %request.issuer, "reboot refused");
            self.bus.fail(&request.id, &cause);
            return Ok(None);
        };
        log.note(stamp);
        // A reboot that cannot be counted is not made: the limit is what breaks a reboot loop.
        if let Err(error) = self.save_reboots(log).await? {
            let cause = code::STORE_UNWRITABLE
                .with("file", REBOOT_FILE)
                .and("error", error);
            self.bus.fail(&request.id, &cause);
            return Ok(None);
        }
        info!(issuer = %request.issuer, force = args.force, "reboot asked of the supervisor");
        // Still running after the next boot, it counts as done.
        self.bus.progress(&request.id, None);
        Ok(Some(Box::pin(async move {
            let answer = supervisor::reboot(&access, args.force).await;
            Done::Reboot(request.id, answer)
        })))
    }

    fn on_reboot_answer(
        &mut self,
        id: OperationId,
        answer: Result<(), Trouble>,
    ) -> Option<BoxFuture<'static, Done>> {
        let Err(trouble) = answer else {
            return Some(Box::pin(async move {
                sleep(REBOOT_TIME).await;
                Done::StillHere(id)
            }));
        };
        warn!(error = %trouble, "reboot failed");
        if trouble.is_refusal() {
            let mut log: RebootLog = self.host.store.load(REBOOT_FILE).unwrap_or_default();
            log.take_back();
            self.host.store.save(REBOOT_FILE, &log);
        }
        self.bus.fail(&id, &trouble.cause());
        None
    }

    async fn save_reboots(&self, log: RebootLog) -> anyhow::Result<std::io::Result<()>> {
        let store = self.host.store.clone();
        tokio::task::spawn_blocking(move || store.save_now(REBOOT_FILE, &log))
            .await
            .context("write the list of reboots")
    }
}
