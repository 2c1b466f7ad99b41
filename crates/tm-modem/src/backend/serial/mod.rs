//! By way of AT on a serial port: one dialogue, no other owner of the port.

mod answers;
mod ask;
pub(crate) mod core;
mod dialogue;
mod errand;
mod layout;
mod messages;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use tm_service::Clock;
use tm_service::port::{Link, Opener};
use tokio::time::{Instant, sleep_until};

use self::core::{Core, Effect, Event};
use super::{Action, Now, Report, Ticket};
use crate::config::Config;

pub(crate) use self::ask::Ask;
pub(crate) use self::layout::Layouts;

/// A modem on a serial port.
pub(crate) struct Serial {
    link: Link,
    layouts: Arc<Layouts>,
    core: Core,
    clock: Clock,
    /// What is still to be done.
    effects: VecDeque<Effect>,
}

impl Serial {
    /// The modem on the configured port; nothing is opened yet.
    pub(crate) fn new(config: Config, ports: Arc<dyn Opener>, clock: Clock) -> Self {
        let layouts = Arc::new(Layouts::new(ports));
        Self {
            link: Link::new(config.port.clone(), layouts.clone()),
            layouts,
            core: Core::new(config, Instant::now()),
            clock,
            effects: VecDeque::new(),
        }
    }

    /// Asks something of the modem; it ends with one [`Report::Done`].
    pub(crate) fn ask(&mut self, ticket: Ticket, action: Action) {
        let now = self.now();
        self.effects
            .extend(self.core.on(Event::Ask(ticket, action), now));
    }

    fn now(&self) -> Now {
        Now {
            instant: Instant::now(),
            stamp: self.clock.stamp(),
        }
    }

    /// The next word of the modem. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Report {
        loop {
            while let Some(effect) = self.effects.pop_front() {
                match effect {
                    Effect::Report(report) => return report,
                    Effect::Reopen => {
                        self.layouts.change_port();
                        self.link.reopen();
                    }
                    Effect::Write(bytes) => self.link.send(&bytes),
                }
            }
            let deadline = self.core.deadline();
            let event = tokio::select! {
                event = self.link.next() => Event::Port(event),
                () = at(deadline) => Event::Due,
            };
            let now = self.now();
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
