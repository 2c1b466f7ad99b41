//! What the watch over the sky leads to.

use tm_proto::nmea0183::Epoch;
use tm_types::{Severity, Stamp, code};

use super::{Effect, Tracker};
use crate::spoofing::{Look, Suspicion, Turn};

impl Tracker {
    /// A suspicion that begins or ends is an event, is kept, and is worth measurements.
    pub(super) fn watch_sky(&mut self, epoch: &Epoch, began: Stamp) {
        let Some(look) = Look::of(epoch, &began, &self.satellites) else {
            return;
        };
        let witnesses = self.witnesses.at(&began);
        let (severity, cause) = match self.watch.on_fix(look, &began, &witnesses) {
            Turn::None => return,
            Turn::Suspected => {
                let suspicion = self.watch.suspicion();
                let cause = suspicion
                    .map_or_else(|| code::GNSS_SPOOFING_SUSPECTED.plain(), Suspicion::cause);
                tracing::warn!(args = ?cause.args, "the satellites cannot be believed");
                (Severity::Warning, cause)
            }
            Turn::Over => {
                tracing::info!("satellites are trusted again");
                (Severity::Info, code::GNSS_SPOOFING_OVER.plain())
            }
        };
        self.is_changed = true;
        self.effects.push(Effect::Event(began, severity, cause));
        let suspicion = self.watch.suspicion().cloned().map(Box::new);
        self.effects.push(Effect::RememberSuspicion(suspicion));
    }
}
