//! What only time shows: kept from one look at the evidence to the next.

use std::collections::VecDeque;
use std::time::Duration;

use tm_types::ModemPresence;

use super::{Bytes, Diagnosis, Evidence, reason};

/// What a fact that stands for a while must not be interrupted by: a reading that once was not taken.
const REMEMBERED: Duration = Duration::from_mins(15);
/// Hotter than the module's normal range (SIM7600 hardware design 3.2.2).
const HOT_CEL: i32 = 80;
/// Below the module's range of supply (hardware design 3.1).
const LOW_V: f64 = 3.4;
/// Some boards show nonsense such as 0.013 V instead of their supply (data/transcripts, 05).
const PLAUSIBLE_V: f64 = 2.5;

/// So often within [`LOOP`] a module appears on USB only when its supply gives way under each start: a step of ours
/// causes two at most.
pub(super) const APPEARANCES: usize = 5;
/// See [`APPEARANCES`].
const LOOP: Duration = Duration::from_mins(10);

/// The history of the evidence.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Watch {
    last: Option<Bytes>,
    /// What was sent, and since when, without anything having come back.
    unanswered: Option<(Duration, u64)>,
    no_cell_since: Option<Duration>,
    mains_away_since: Option<Duration>,
    limited_since: Option<Duration>,
    was_registered: bool,
    hot: Option<(Duration, i32)>,
    low: Option<(Duration, f64)>,
    was_on_usb: Option<bool>,
    /// When it appeared on USB, the latest few times.
    appeared: VecDeque<Duration>,
}

impl Watch {
    /// Takes a look: the one cause, by the evidence and what was seen before. `now` is monotonic.
    pub(crate) fn diagnose(&mut self, evidence: &Evidence, now: Duration) -> Diagnosis {
        self.note(evidence, now);
        reason::diagnose(evidence, self, now)
    }

    fn note(&mut self, evidence: &Evidence, now: Duration) {
        self.note_bytes(evidence.bytes, now);
        hold(
            &mut self.no_cell_since,
            evidence.hears_cell == Some(false),
            now,
        );
        hold(
            &mut self.mains_away_since,
            evidence.has_mains == Some(false),
            now,
        );
        let is_limited = evidence.network_manager.is_some_and(|manager| {
            matches!(
                manager.connectivity,
                super::Connectivity::Limited | super::Connectivity::None
            )
        });
        hold(&mut self.limited_since, is_limited, now);
        self.note_usb(evidence, now);
        self.was_registered |= evidence.was_registered || evidence.is_registered();
        match evidence.temperature_cel {
            Some(temperature) if temperature > HOT_CEL => self.hot = Some((now, temperature)),
            Some(_) => self.hot = None,
            None => {}
        }
        match evidence.supply_v {
            Some(supply) if (PLAUSIBLE_V..LOW_V).contains(&supply) => {
                self.low = Some((now, supply));
            }
            Some(supply) if supply >= LOW_V => self.low = None,
            _ => {}
        }
    }

    fn note_usb(&mut self, evidence: &Evidence, now: Duration) {
        let is_seen = matches!(
            evidence.presence,
            ModemPresence::Mute | ModemPresence::Present
        );
        let is_on_usb = evidence.is_on_usb.unwrap_or(is_seen);
        if is_on_usb && self.was_on_usb == Some(false) {
            self.appeared.push_back(now);
            if self.appeared.len() > APPEARANCES {
                self.appeared.pop_front();
            }
        }
        self.was_on_usb = Some(is_on_usb);
    }

    /// Whether the module comes and goes, as one does whose supply gives way.
    pub(super) fn comes_and_goes(&self, now: Duration) -> bool {
        let first = self.appeared.front();
        self.appeared.len() == APPEARANCES
            && first.is_some_and(|first| now.saturating_sub(*first) < LOOP)
    }

    fn note_bytes(&mut self, bytes: Option<Bytes>, now: Duration) {
        let Some(bytes) = bytes else {
            (self.last, self.unanswered) = (None, None);
            return;
        };
        let Some(last) = self.last.replace(bytes) else {
            return;
        };
        // Counters begin anew with a bearer: what was unanswered before was another connection's.
        let is_new_bearer = bytes.tx < last.tx || bytes.rx < last.rx;
        if is_new_bearer || bytes.rx > last.rx {
            self.unanswered = None;
        } else if bytes.tx > last.tx {
            let sent = bytes.tx - last.tx;
            let (since, before) = self.unanswered.unwrap_or((now, 0));
            self.unanswered = Some((since, before.saturating_add(sent)));
        }
    }

    /// For how long nothing has come back although at least so many bytes were sent.
    pub(super) fn unanswered_for(&self, least: u64, now: Duration) -> Option<Duration> {
        let (since, sent) = self.unanswered?;
        (sent >= least).then(|| now.saturating_sub(since))
    }

    /// Whether something came back since the last silence, as far as counters tell.
    pub(super) fn is_answered(&self) -> Option<bool> {
        self.last.map(|_| self.unanswered.is_none())
    }

    pub(super) fn no_cell_for(&self, now: Duration) -> Option<Duration> {
        self.no_cell_since.map(|since| now.saturating_sub(since))
    }

    pub(super) fn mains_away_for(&self, now: Duration) -> Option<Duration> {
        self.mains_away_since.map(|since| now.saturating_sub(since))
    }

    pub(super) fn limited_for(&self, now: Duration) -> Option<Duration> {
        self.limited_since.map(|since| now.saturating_sub(since))
    }

    pub(super) fn was_registered(&self) -> bool {
        self.was_registered
    }

    /// The temperature that is too high, also of a module that has switched itself off since.
    pub(super) fn too_hot(&self, now: Duration) -> Option<i32> {
        let (at, temperature) = self.hot?;
        (now.saturating_sub(at) < REMEMBERED).then_some(temperature)
    }

    /// The supply that is too low, also of a module that went down with it.
    pub(super) fn too_low(&self, now: Duration) -> Option<f64> {
        let (at, supply) = self.low?;
        (now.saturating_sub(at) < REMEMBERED).then_some(supply)
    }
}

fn hold(since: &mut Option<Duration>, is_so: bool, now: Duration) {
    if is_so {
        since.get_or_insert(now);
    } else {
        *since = None;
    }
}
