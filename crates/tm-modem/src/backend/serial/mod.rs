//! By way of AT on a serial port: one dialogue, no other owner of the port.

mod answers;
mod ask;
pub(crate) mod core;
mod dialogue;

use std::collections::VecDeque;
use std::sync::Arc;

use tm_service::Clock;
use tm_service::port::{Link, Opener};
use tokio::time::{Instant, sleep_until};

use self::core::{Core, Effect, Event};
use super::{Now, Report};
use crate::config::Config;

pub(crate) use self::ask::Ask;

/// A modem on a serial port.
pub(crate) struct Serial {
    link: Link,
    core: Core,
    clock: Clock,
    /// What is still to be done.
    effects: VecDeque<Effect>,
}

impl Serial {
    /// The modem on the configured port; nothing is opened yet.
    pub(crate) fn new(config: Config, ports: Arc<dyn Opener>, clock: Clock) -> Self {
        Self {
            link: Link::new(config.port.clone(), ports),
            core: Core::new(config, Instant::now()),
            clock,
            effects: VecDeque::new(),
        }
    }

    /// The next word of the modem. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Report {
        loop {
            while let Some(effect) = self.effects.pop_front() {
                match effect {
                    Effect::Report(report) => return report,
                    Effect::Reopen => self.link.reopen(),
                    Effect::Write(bytes) => self.link.send(&bytes),
                }
            }
            let deadline = self.core.deadline();
            let event = tokio::select! {
                event = self.link.next() => Event::Port(event),
                () = at(deadline) => Event::Due,
            };
            let now = Now {
                instant: Instant::now(),
                stamp: self.clock.stamp(),
            };
            self.effects.extend(self.core.on(event, now));
        }
    }
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
