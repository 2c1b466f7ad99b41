//! Waits for the world and does what the manager decides.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Error;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tm_service::bus::{Bus, BusEvent, BusOptions};
use tm_service::port::{Link, Opener, Ports};
use tm_service::probe::{self, Targets};
use tm_service::session::Address;
use tm_service::{Host, Store};
use tm_types::{Cause, Clock, HealthStatus, Instance, code, topic};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::actuator::power_key::PowerKey;
use crate::actuator::usb::Usb;
use crate::backend::Report;
use crate::backend::chosen::Backend;
use crate::backend::modem_manager::Device;
use crate::backend::serial::Layouts;
use crate::config::Config;
use crate::ladder::{self, Call, Rung};
use crate::manager::{Asking, Effect, Event, File, Kept, Manager, Now, Probe, RECOVERY};
use crate::messages::Executor;
use crate::network_manager::NetworkManager;
use crate::operations::OPERATIONS;
use crate::usb::{self, UsbLook};

/// The file that remembers whether a modem was ever there.
const SEEN: &str = "seen";
/// The file that remembers what the modem's port shows of its way to data.
const SIGHT: &str = "sight";
/// How often the USB bus is looked at: the ladder waits for minutes.
const USB_PERIOD: Duration = Duration::from_secs(15);

/// Runs the modem service on this machine's ports until it is dropped.
pub async fn run(config: Config, host: Host) -> Result<Infallible, Error> {
    run_with(config, host, Arc::new(Ports::default())).await
}

/// As [`run`], with other ports: those of a simulator, or streams in memory.
pub async fn run_with(
    config: Config,
    host: Host,
    ports: Arc<dyn Opener>,
) -> Result<Infallible, Error> {
    let kept = load(&host.store);
    let now = now(&host);
    let mut backend = Backend::new(&config, kept.imei.as_deref(), &ports, &host.clock);
    let mut network = backend.bus().cloned().map(NetworkManager::new);
    let mut nmea = config.nmea_relay.then(|| {
        let ports = Arc::new(Layouts::new(ports));
        Link::new(config.nmea_port.clone(), ports)
    });
    let usb = Usb::new(PathBuf::from(&config.sysfs_root));
    let mut service = Service {
        manager: Manager::new(config.clone(), &host.device, kept, now),
        power_key: Arc::new(PowerKey::new(&config, usb.clone())),
        usb,
        jobs: FuturesUnordered::new(),
        is_looking: false,
        host,
    };
    let mut bus = service.host.bus.open(BusOptions {
        subscriptions: service.manager.topics(),
        operations: OPERATIONS,
        follow_results: true,
        ..BusOptions::default()
    });
    bus.health(HealthStatus::Up, vec![code::SERVICE_STARTING.plain()]);
    let restoring = service.usb.clone();
    service.jobs.push(Box::pin(async move {
        if let Err(cause) = restoring.restore().await {
            tracing::warn!(?cause, "modem is not put back on the bus");
        }
        None
    }));
    let mut look = interval(USB_PERIOD);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let deadline = service.manager.deadline(self::now(&service.host));
        let event = tokio::select! {
            report = backend.next() => Event::Backend(report),
            Some(event) = next_nmea(nmea.as_mut()) => Event::Nmea(event),
            event = bus.next() => match event {
                BusEvent::Message(message) => Event::Bus(message),
                BusEvent::Command(request) => Event::Command(request),
                BusEvent::Operation(operation) => Event::Operation(operation),
                BusEvent::Down(_) => Event::BusDown,
                BusEvent::Up { .. } => continue,
            },
            evidence = next_network(network.as_mut()) => Event::Network(evidence.word()),
            Some(event) = service.jobs.next(), if !service.jobs.is_empty() => match event {
                Some(event) => event,
                None => continue,
            },
            _ = look.tick() => {
                service.look_at_usb(&config);
                continue;
            }
            () = sleep_until(deadline) => Event::Due,
        };
        service.manager.use_backend(backend.name());
        service.on(event, &bus, &mut backend).await;
        if let Some(network) = &network {
            network.follow(service.device());
        }
    }
}

/// What the loop works with.
struct Service {
    host: Host,
    manager: Manager,
    usb: Usb,
    power_key: Arc<PowerKey>,
    jobs: FuturesUnordered<BoxFuture<'static, Option<Event>>>,
    /// A look at USB is under way: a sysfs that hangs must not pile up threads.
    is_looking: bool,
}

impl Service {
    async fn on(&mut self, event: Event, bus: &Bus, backend: &mut Backend) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            if matches!(event, Event::Usb(_)) {
                self.is_looking = false;
            }
            let effects = self.manager.on(event, now(&self.host));
            self.perform(effects, bus, backend, &mut events).await;
        }
    }

    /// Does what was decided, in order; what follows at once goes to `events`.
    async fn perform(
        &mut self,
        effects: Vec<Effect>,
        bus: &Bus,
        backend: &mut Backend,
        events: &mut Vec<Event>,
    ) {
        let mut effects = std::collections::VecDeque::from(effects);
        while let Some(effect) = effects.pop_front() {
            let Effect::SaveThen(file, bytes, then) = effect else {
                self.perform_one(effect, bus, backend);
                continue;
            };
            match save_now(self.host.store.clone(), file, bytes).await {
                Ok(()) => then
                    .into_iter()
                    .rev()
                    .for_each(|effect| effects.push_front(effect)),
                Err(cause) => {
                    for effect in undone(then, &cause, events) {
                        self.perform_one(effect, bus, backend);
                    }
                }
            }
        }
    }

    fn perform_one(&mut self, effect: Effect, bus: &Bus, backend: &mut Backend) {
        let source = self.host.instance.source();
        match effect {
            Effect::State(state) => bus.state(&*state),
            Effect::Private(private) => {
                let json = serde_json::to_vec(&*private).expect("our own types become JSON");
                bus.publish_retained(topic::private(&self.host.instance), json.into());
            }
            Effect::Points(stamp, points) => bus.data(stamp, points),
            Effect::Health(status, reasons) => bus.health(status, reasons),
            Effect::Anchor(anchor) => bus.anchor(&source, &anchor),
            Effect::Sentences(sentences) => bus.nmea(&source, sentences),
            Effect::Remember(seen) => self.host.store.save(SEEN, &seen),
            Effect::RememberSight(sight) => self.host.store.save(SIGHT, &sight),
            Effect::Save(file, bytes) => self.host.store.save_bytes(file.name(), bytes),
            Effect::SaveThen(..) => unreachable!("taken apart by the caller"),
            Effect::Ask(ticket, action) => backend.ask(ticket, action),
            Effect::Step(rung) => self.step(rung),
            Effect::Probe(probe) => self.probe(probe),
            Effect::Event(severity, cause) => bus.event(severity, cause),
            Effect::Request(asking) => {
                let executor = match asking.executor {
                    Executor::Own => self.host.instance.clone(),
                    Executor::Agent => Instance::new("agent").expect("a well-formed name"),
                };
                bus.request_with_id(
                    asking.id,
                    &executor,
                    asking.op,
                    asking.args,
                    asking.ttl,
                    asking.issuer,
                );
            }
            Effect::Finish(id, Ok(result)) => bus.succeed(&id, result),
            Effect::Finish(id, Err(cause)) => bus.fail(&id, &cause),
        }
    }

    /// A step that the host takes.
    fn step(&self, rung: Rung) {
        let (usb, power_key) = (self.usb.clone(), Arc::clone(&self.power_key));
        self.jobs.push(Box::pin(async move {
            let available = match rung {
                Rung::PowerKey => power_key.availability().await,
                _ => usb.availability().await,
            };
            if let Err(reason) = available {
                return Some(Event::Stepped(rung, Call::Unavailable(reason)));
            }
            let taken = match rung {
                Rung::PowerKey => power_key.cycle().await,
                _ => usb.rebind().await,
            };
            let call = taken.map_or_else(Call::Failed, |()| Call::Taken);
            Some(Event::Stepped(rung, call))
        }));
    }

    fn probe(&self, probe: Probe) {
        let clock = self.host.clock.stamp().clock;
        self.jobs.push(Box::pin(async move {
            let Ok(mut address) = probe.broker.parse::<Address>() else {
                return Some(Event::Probed(None));
            };
            // The uplink does not tell; these are the ports of encrypted MQTT.
            address.tls = matches!(address.port, 8883 | 443);
            let mut targets = Targets::new(address);
            targets.clock_suspect =
                matches!(clock, Clock::Restored | Clock::None | Clock::Estimated);
            let findings = probe::run(&targets).await;
            Some(Event::Probed(Some(probe::verdict(&findings))))
        }));
    }

    fn look_at_usb(&mut self, config: &Config) {
        if std::mem::replace(&mut self.is_looking, true) {
            return;
        }
        let sys = PathBuf::from(&config.sysfs_root);
        self.jobs.push(Box::pin(async move {
            let look = tokio::task::spawn_blocking(move || usb::look(&sys)).await;
            Some(Event::Usb(look.unwrap_or(UsbLook::Unknown)))
        }));
    }

    /// What NetworkManager may know the modem by.
    fn device(&self) -> Device {
        self.manager.device()
    }
}

/// What was to follow a file that could not be written is not done; whoever waits for it hears so, by an event or
/// by one of the effects that are given back.
fn undone(then: Vec<Effect>, cause: &Cause, events: &mut Vec<Event>) -> Vec<Effect> {
    let mut told = Vec::new();
    for effect in then {
        match effect {
            // A step that cannot be counted is not taken: the caps are what breaks a loop of resets.
            Effect::Step(rung) => {
                events.push(Event::Stepped(rung, Call::Failed(cause.clone())));
            }
            Effect::Request(Asking {
                op: "reboot",
                issuer: RECOVERY,
                ..
            }) => {
                events.push(Event::Stepped(Rung::Reboot, Call::Failed(cause.clone())));
            }
            Effect::Ask(ticket, _) => {
                let done = Report::Done(ticket, Err(cause.clone()));
                events.push(Event::Backend(done));
            }
            Effect::Finish(id, _) => told.push(Effect::Finish(id, Err(cause.clone()))),
            Effect::SaveThen(_, _, then) => told.extend(undone(then, cause, events)),
            _ => {}
        }
    }
    told
}

/// Writes and waits for the disk; that may take seconds on a worn card.
async fn save_now(store: Store, file: File, bytes: Vec<u8>) -> Result<(), Cause> {
    let written =
        tokio::task::spawn_blocking(move || store.save_bytes_now(file.name(), bytes)).await;
    let error = match written {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    tracing::warn!(file = file.name(), %error, "file cannot be written");
    Err(code::STORE_UNWRITABLE
        .with("file", file.name())
        .and("error", error))
}

fn now(host: &Host) -> Now {
    Now {
        instant: Instant::now(),
        stamp: host.clock.stamp(),
    }
}

fn load(store: &Store) -> Kept {
    let recovery = store.load_bytes(File::Recovery.name());
    Kept {
        seen: store.load(SEEN).unwrap_or_default(),
        sight: store.load(SIGHT).unwrap_or_default(),
        recovery: recovery.map_or_else(ladder::Memory::default, |bytes| {
            ladder::Memory::read(&bytes)
        }),
        usage: store.load(File::Usage.name()).unwrap_or_default(),
        messages: store.load(File::Messages.name()).unwrap_or_default(),
        balance: store.load(File::Balance.name()).unwrap_or_default(),
        imei: store.load(File::Imei.name()).flatten(),
    }
}

async fn next_nmea(link: Option<&mut Link>) -> Option<tm_service::port::PortEvent> {
    Some(link?.next().await)
}

async fn next_network(
    network: Option<&mut NetworkManager>,
) -> crate::network_manager::NetworkEvidence {
    match network {
        Some(network) => network.next().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use tm_types::OperationId;

    use super::*;
    use crate::backend::{Action, Ticket};

    #[test]
    fn what_waits_behind_an_unwritable_file_ends() {
        let cause = code::STORE_UNWRITABLE.plain();
        let id = || OperationId::new("op").unwrap();
        let asking = |issuer| {
            Effect::Request(Asking {
                id: id(),
                executor: Executor::Agent,
                op: "reboot",
                args: serde_json::Value::Null,
                ttl: Duration::ZERO,
                issuer,
            })
        };
        let then = vec![
            Effect::Ask(Ticket(1), Action::Reset),
            Effect::Step(Rung::UsbRebind),
            asking(RECOVERY),
            // One that a text message asks for is no step of ours.
            asking("sms"),
            Effect::SaveThen(
                File::Messages,
                Vec::new(),
                vec![
                    Effect::Ask(Ticket(2), Action::Reset),
                    Effect::Finish(id(), Ok(serde_json::Value::Null)),
                ],
            ),
        ];
        let mut events = Vec::new();
        let told = undone(then, &cause, &mut events);
        assert_eq!(told, [Effect::Finish(id(), Err(cause.clone()))]);
        let failed = Call::Failed(cause.clone());
        assert!(
            matches!(
                &events[..],
                [
                    Event::Backend(Report::Done(Ticket(1), Err(_))),
                    Event::Stepped(Rung::UsbRebind, first),
                    Event::Stepped(Rung::Reboot, second),
                    Event::Backend(Report::Done(Ticket(2), Err(_))),
                ] if *first == failed && *second == failed
            ),
            "{events:?}"
        );
    }
}
