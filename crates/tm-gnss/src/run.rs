//! Waits for the world and does what the tracker decides.

use std::convert::Infallible;
use std::sync::Arc;

use anyhow::Error;
use tm_proto::nmea0183::Epoch;
use tm_service::Host;
use tm_service::bus::{Bus, BusEvent, BusOptions};
use tm_service::port::{Opener, Ports};
use tm_types::topic::{self, Class};
use tm_types::{HealthStatus, Timestamp, code};
use tokio::time::{Instant, sleep_until};

use crate::chrony::Chrony;
use crate::config::{Config, SourceSetting};
use crate::gpsd::Server;
use crate::rtc::Rtc;
use crate::source::Source;
use crate::tracker::{Effect, Event, Now, Tracker};

/// The file that remembers whether a source was ever heard.
const SEEN: &str = "seen";
/// The file that keeps a suspicion of spoofing over a restart.
const SUSPICION: &str = "suspicion";
/// The file that keeps what is known of the place.
const PLACE: &str = "place";

/// Runs the GNSS service on this machine's ports until it is dropped.
pub async fn run(config: Config, host: Host) -> Result<Infallible, Error> {
    run_with(config, host, Arc::new(Ports::default())).await
}

/// As [`run`], with other ports: those of a simulator, or streams in memory.
pub async fn run_with(
    config: Config,
    host: Host,
    ports: Arc<dyn Opener>,
) -> Result<Infallible, Error> {
    let mut subscriptions = vec![topic::CLOCK_ALL.to_owned()];
    if matches!(config.source, SourceSetting::Auto | SourceSetting::Bus) {
        subscriptions.push(topic::NMEA_ALL.to_owned());
    }
    let mut source = Source::new(&config.source, ports, config.gpsd_listen.is_some());
    let mut bus = host.bus.open(BusOptions {
        subscriptions,
        ..BusOptions::default()
    });
    bus.health(HealthStatus::Up, vec![code::SERVICE_STARTING.plain()]);
    let seen = host.store.load(SEEN).unwrap_or_default();
    let suspicion = host.store.load(SUSPICION).flatten();
    let mut clients = Clients {
        gpsd: config
            .gpsd_listen
            .as_ref()
            .map(|listen| Server::start(listen.0)),
        chrony: config
            .chrony_sock
            .as_ref()
            .map(|path| Chrony::new(path.into())),
    };
    let place = host.store.load(PLACE).unwrap_or_default();
    let mut rtc = Rtc::new();
    let mut tracker = Tracker::new(config, seen, suspicion, place, Instant::now());
    loop {
        let event = tokio::select! {
            event = source.next() => Event::Port(event),
            () = at_deadline(tracker.deadline()) => Event::Due,
            unix_s = rtc.next() => Event::Rtc(unix_s),
            event = bus.next() => match told(event) {
                Some(event) => {
                    if matches!(event, Event::Relayed { .. }) {
                        source.on_relayed();
                    }
                    event
                }
                None => continue,
            },
        };
        let now = Now {
            instant: Instant::now(),
            stamp: host.clock.stamp(),
        };
        for effect in tracker.on(event, now) {
            perform(effect, &mut source, &mut clients, &bus, &host);
        }
    }
}

/// Who is shown epochs beside the bus.
struct Clients {
    gpsd: Option<Server>,
    chrony: Option<Chrony>,
}

impl Clients {
    fn show(&self, source: Option<&str>, epoch: &Epoch, is_trusted: bool, now: Timestamp) {
        if let Some(gpsd) = &self.gpsd {
            gpsd.report(|picture| picture.take(source, epoch, is_trusted, now));
        }
    }
}

/// Sentences of a relay, or the time; the bus tells other things that do not matter here.
fn told(event: BusEvent) -> Option<Event> {
    let BusEvent::Message(message) = event else {
        return None;
    };
    match topic::classify(&message.topic)? {
        Class::Nmea(source) => Some(Event::Relayed {
            source: source.to_owned(),
            bytes: message.payload.to_vec(),
        }),
        Class::Clock(_) => match serde_json::from_slice(&message.payload) {
            Ok(anchor) => Some(Event::Anchor(anchor)),
            Err(error) => {
                tracing::debug!(topic = %message.topic, %error, "no time anchor");
                None
            }
        },
        _ => None,
    }
}

async fn at_deadline(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn perform(effect: Effect, source: &mut Source, clients: &mut Clients, bus: &Bus, host: &Host) {
    match effect {
        Effect::Reopen => source.reopen(),
        Effect::State(state) => bus.state(&*state),
        Effect::Points(stamp, points) => bus.data(stamp, points),
        Effect::Health(status, reasons) => bus.health(status, reasons),
        Effect::Anchor(anchor) => bus.anchor(&host.instance.source(), &anchor),
        Effect::Event(stamp, severity, cause) => bus.event_at(stamp, severity, cause),
        Effect::Sentences(bytes) => {
            if let Some(gpsd) = &clients.gpsd {
                gpsd.sentences(&bytes);
            }
        }
        Effect::Show {
            source,
            epoch,
            is_trusted,
        } => {
            clients.show(
                source.as_deref(),
                &epoch,
                is_trusted,
                host.clock.stamp().time,
            );
        }
        Effect::Compare(sample) => {
            if let Some(chrony) = &mut clients.chrony {
                chrony.send(sample);
            }
        }
        Effect::Remember(seen) => host.store.save(SEEN, &seen),
        Effect::RememberPlace(place) => host.store.save(PLACE, &place),
        Effect::RememberSuspicion(suspicion) => host.store.save(SUSPICION, &suspicion),
    }
}
