//! What the server sends: that the subscriptions stand, the host's state, commands.

use tm_types::Stamp;

use super::{EdgeNode, Phase};
use crate::command;
use crate::config::later;
use crate::event::{Effect, Next};
use crate::host::Heard;

impl EdgeNode {
    pub(super) fn connected(&mut self, now: &Stamp, out: &mut Vec<Effect>) {
        if self.phase != Phase::Connecting {
            return;
        }
        self.phase = Phase::Waiting {
            since_ms: now.mono_ms,
        };
        match &self.host {
            None => self.birth(now, out),
            Some(host) if host.is_online() => self.birth(now, out),
            Some(host) if host.is_offline() => self.host_is_away(now, out),
            Some(_) => {}
        }
    }

    pub(super) fn message(
        &mut self,
        topic: &str,
        payload: &[u8],
        now: &Stamp,
        out: &mut Vec<Effect>,
    ) {
        if *topic == *self.topics.command {
            match command::read(payload) {
                Ok(command) => {
                    self.counts.commands_ignored += command.ignored;
                    if command.is_rebirth {
                        self.rebirth(now, out);
                    }
                }
                Err(_) => self.counts.commands_unreadable += 1,
            }
            return;
        }
        match &mut self.host {
            Some(host) if *topic == *host.topic => match host.hear(payload) {
                Heard::Online if matches!(self.phase, Phase::Waiting { .. }) => {
                    self.birth(now, out);
                }
                Heard::Online => {}
                Heard::Offline => self.host_is_away(now, out),
                Heard::Stale => self.counts.states_stale += 1,
                Heard::Unreadable => self.counts.states_unreadable += 1,
            },
            _ => self.counts.strangers += 1,
        }
    }

    /// A born node dies and starts over; one that waits stays where it is, if there is no other server.
    fn host_is_away(&mut self, now: &Stamp, out: &mut Vec<Effect>) {
        let has_others = self.config.servers > 1;
        match self.phase {
            Phase::Born { .. } if !has_others => self.leave(Next::SameServer, now, out),
            Phase::Born { .. } | Phase::Waiting { .. } if has_others => {
                self.leave(Next::OtherServer, now, out);
            }
            _ => {}
        }
    }

    fn rebirth(&mut self, now: &Stamp, out: &mut Vec<Effect>) {
        let Phase::Born { at_ms } = self.phase else {
            return;
        };
        self.counts.rebirths_asked += 1;
        self.is_rebirth_due = true;
        if now.mono_ms >= later(at_ms, self.config.rebirth_pause) {
            self.birth(now, out);
        }
    }
}
