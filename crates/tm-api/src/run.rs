//! The service: one task folds the bus into the world, the other one answers.

use std::convert::Infallible;
use std::time::Duration;

use anyhow::Context as _;
use tm_service::Host;
use tm_service::bus::{Bus, BusEvent, BusOptions};
use tm_service::config::Secret;
use tm_types::{HealthStatus, topic};
use tokio::net::TcpListener;
use tracing::{debug, info};

use crate::app::{App, Ask, Shared};
use crate::config::Config;
use crate::token::Tokens;
use crate::world::World;
use crate::{routes, server};

/// Binds the configured address and serves until it fails.
///
/// # Errors
/// When the address is malformed, taken, or not permitted.
pub async fn run(config: Config, host: Host) -> anyhow::Result<Infallible> {
    let listener = TcpListener::bind(&*config.listen)
        .await
        .with_context(|| format!("listen on {} (TM_API_LISTEN)", config.listen))?;
    run_on(listener, config, host).await
}

/// Serves on a socket that the caller has bound; `config.listen` is not looked at.
///
/// # Errors
/// Never returns but by being dropped.
pub async fn run_on(
    listener: TcpListener,
    config: Config,
    host: Host,
) -> anyhow::Result<Infallible> {
    let bus = host.bus.open(BusOptions {
        subscriptions: [
            topic::STATE_ALL,
            topic::HEALTH_ALL,
            topic::EVENT_ALL,
            topic::ALARM_ALL,
            topic::DATA_ALL,
            topic::SENSOR_BLOCKS_ALL,
            topic::CLOCK_ALL,
            topic::PRIVATE_ALL,
            topic::CONFIG_ALL,
        ]
        .map(Into::into)
        .into(),
        // History and alarms must not miss what happens while the API is away.
        persistent: true,
        operations: &[],
        follow_results: true,
    });
    let app = App::new(
        host.clock.clone(),
        host.device.clone(),
        host.version,
        ask(&bus),
        tokens(&config, &host.device.id),
        config.reads_need_token,
    );
    bus.health(HealthStatus::Up, Vec::new());
    if let Ok(address) = listener.local_addr() {
        info!(%address, allow_from = %config.allow_from, "the API listens");
    }
    let router = routes::router(app.clone());
    // Two things truly wait at once: the bus and the clients. Both die with this future.
    tokio::select! {
        never = server::serve(listener, config.allow_from, router) => match never {},
        never = follow(bus, app) => match never {},
    }
}

fn tokens(config: &Config, device: &str) -> Tokens {
    let text = |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.expose().to_owned());
    let (token, seed) = (text(&config.token), text(&config.token_seed));
    Tokens::new(token.as_deref(), seed.as_deref(), device)
}

fn ask(bus: &Bus) -> Ask {
    let bus = bus.handle();
    Box::new(move |id, service, op, args, ttl: Duration| match id {
        None => bus.request(service, op, args, ttl, "api"),
        Some(id) => {
            bus.request_with_id(id.clone(), service, op, args, ttl, "api");
            id
        }
    })
}

async fn follow(mut bus: Bus, app: Shared) -> Infallible {
    loop {
        match bus.next().await {
            BusEvent::Up { session_present } => {
                debug!(session_present, "the bus is up");
                app.write(World::on_up);
            }
            BusEvent::Down(cause) => {
                debug!(code = %cause.code, "the bus is down");
                let now = app.now();
                app.write(|world| world.on_down(cause, &now));
            }
            BusEvent::Message(message) => {
                let now = app.now();
                let taken = app.write(|world| {
                    world.on_message(&message.topic, &message.payload, message.retained, &now)
                });
                if let Err(error) = taken {
                    debug!(topic = %message.topic, %error, "a message could not be read");
                }
            }
            BusEvent::Operation(operation) => app.write(|world| world.on_operation(operation)),
            // No operation is offered, so none comes.
            BusEvent::Command(_) => {}
        }
    }
}
