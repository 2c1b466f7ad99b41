//! Waits for the world and does what the manager decides.

use std::convert::Infallible;
use std::sync::Arc;

use anyhow::Error;
use tm_service::Host;
use tm_service::bus::{Bus, BusOptions};
use tm_service::port::{Link, Opener, Ports};
use tm_types::{HealthStatus, code};
use tokio::time::{Instant, sleep_until};

use crate::backend::serial::Serial;
use crate::config::Config;
use crate::manager::{Effect, Event, Manager, Now};

/// The file that remembers whether a modem was ever there.
const SEEN: &str = "seen";
/// The file that remembers what the modem's port shows of its way to data.
const SIGHT: &str = "sight";

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
    let mut bus = host.bus.open(BusOptions::default());
    bus.health(HealthStatus::Up, vec![code::SERVICE_STARTING.plain()]);
    let seen = host.store.load(SEEN).unwrap_or_default();
    let sight = host.store.load(SIGHT).unwrap_or_default();
    let mut backend = Serial::new(config.clone(), ports.clone(), host.clock.clone());
    let mut nmea = config
        .nmea_relay
        .then(|| Link::new(config.nmea_port.clone(), ports));
    let mut manager = Manager::new(config, seen, sight);
    loop {
        let event = tokio::select! {
            report = backend.next() => Event::Backend(report),
            Some(event) = next(nmea.as_mut()) => Event::Nmea(event),
            () = at_deadline(manager.deadline()) => Event::Due,
            // The bus sends nothing here; waiting for it keeps the connection and the heartbeat going.
            _ = bus.next() => continue,
        };
        let now = Now {
            instant: Instant::now(),
            stamp: host.clock.stamp(),
        };
        for effect in manager.on(event, now) {
            perform(effect, &bus, &host);
        }
    }
}

async fn next(link: Option<&mut Link>) -> Option<tm_service::port::PortEvent> {
    Some(link?.next().await)
}

async fn at_deadline(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn perform(effect: Effect, bus: &Bus, host: &Host) {
    let source = host.instance.source();
    match effect {
        Effect::State(state) => bus.state(&*state),
        Effect::Points(stamp, points) => bus.data(stamp, points),
        Effect::Health(status, reasons) => bus.health(status, reasons),
        Effect::Anchor(anchor) => bus.anchor(&source, &anchor),
        Effect::Sentences(sentences) => bus.nmea(&source, sentences),
        Effect::Remember(seen) => host.store.save(SEEN, &seen),
        Effect::RememberSight(sight) => host.store.save(SIGHT, &sight),
    }
}
