//! What happens beside the answer to a command, at once or later by itself.

use std::time::Duration;

use tokio::time::Instant;

use super::{pdu::Submit, ports::Line, world::World};

/// What the module must do beside answering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    Restart,
    PowerOff,
    /// A line that comes after the answer.
    Urc(String),
    /// The end of a command that took its time: lines and final result.
    Answer(Line, Vec<String>, String),
}

/// What happens later by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Later {
    /// This.
    Do(Effect),
    /// The network takes a message that was given to the module.
    Send(Line, Box<Submit>),
    /// Its report.
    Report(Vec<u8>),
    /// The network tries again to deliver what it holds.
    Deliver,
}

impl World {
    /// Puts something on the agenda.
    pub(super) fn later(&mut self, after: Duration, what: Later) {
        let at = Instant::now() + after;
        let place = self.agenda.partition_point(|(known, _)| *known <= at);
        self.agenda.insert(place, (at, what));
    }

    /// The command that takes its time on this port was given up.
    pub(super) fn withdraw(&mut self, port: Line) {
        let is_its =
            |later: &Later| matches!(later, Later::Do(Effect::Answer(line, ..)) if *line == port);
        self.agenda.retain(|(_, later)| !is_its(later));
    }

    /// When the next thing is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.agenda.first().map(|(at, _)| *at)
    }

    /// What is due now, once.
    pub(super) fn due(&mut self) -> Option<Later> {
        let is_due = self.next_due().is_some_and(|at| at <= Instant::now());
        is_due.then(|| self.agenda.remove(0).1)
    }
}
