//! What others are shown of each epoch, where somebody is configured to look.

use tm_proto::nmea0183::Epoch;
use tm_types::Stamp;

use super::{Effect, Tracker};
use crate::chrony::Sample;

impl Tracker {
    /// Sentences came from the source that is followed.
    pub(super) fn pass_on(&mut self, bytes: &[u8]) {
        if self.config.gpsd_listen.is_some() {
            self.effects.push(Effect::Sentences(bytes.to_vec()));
        }
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
