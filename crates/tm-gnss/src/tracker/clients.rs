//! What others are shown of each epoch, where somebody is configured to look.

use tm_proto::nmea0183::{Epoch, Framer};
use tm_types::Stamp;

use super::{Effect, Tracker};
use crate::chrony::Sample;

/// Bytes looked at in one go, of which the framer holds every sentence.
const PORTION: usize = 4096;

impl Tracker {
    /// Bytes came from the source that is followed: its whole sentences are passed on, unless they are suspected.
    pub(super) fn pass_on(&mut self, bytes: &[u8]) {
        if self.config.gpsd_listen.is_none() {
            return;
        }
        let mut lines = Vec::new();
        for portion in bytes.chunks(PORTION) {
            self.framer.feed(portion);
            while let Some(sentence) = self.framer.next() {
                lines.extend_from_slice(sentence.to_line().as_bytes());
                lines.extend_from_slice(b"\r\n");
            }
        }
        if !lines.is_empty() && self.watch.suspicion().is_none() {
            self.effects.push(Effect::Sentences(lines));
        }
    }

    /// Another source: what is left of the one before is no part of its sentences.
    pub(super) fn pass_on_anew(&mut self) {
        self.framer = Framer::default();
    }

    /// An epoch was taken in.
    pub(super) fn show(&mut self, epoch: &Epoch, began: Stamp) {
        let is_trusted = self.watch.suspicion().is_none();
        if self.config.gpsd_listen.is_some() {
            self.effects.push(Effect::Show {
                source: self.source.clone(),
                epoch: Box::new(epoch.clone()),
                is_trusted,
            });
        }
        let is_compared = self.config.chrony_sock.is_some() && is_trusted;
        let utc = self
            .time
            .utc(&began)
            .filter(|_| is_compared && !epoch.refines_previous);
        self.effects.extend(utc.map(|utc| {
            Effect::Compare(Sample {
                system: began.time,
                utc,
            })
        }));
    }

    /// There is no source any more.
    pub(super) fn show_nothing(&mut self) {
        if self.config.gpsd_listen.is_some() {
            self.effects.push(Effect::Show {
                source: None,
                epoch: Box::default(),
                is_trusted: true,
            });
        }
    }
}
