//! Bytes in, epochs out.

use super::{
    cycle::SAME_MS,
    epoch::Epoch,
    field::TimeOfDay,
    frame::{Counters, Framer, Sentence},
    live::Live,
};
use crate::calendar::Date;

/// Bytes looked at in one go; a sentence has at least eight.
const PORTION: usize = 4096;

/// Merges a receiver's sentences into epochs.
///
/// No sentence says that an epoch is complete. It is told when the next one begins, or when the caller says that the
/// line is silent ([`Epochs::silence`]; at 1 Hz a receiver is silent for about 0.8 s). What it contains by then follows
/// the end of the receiver's cycle, which is learned; an epoch whose end was lost is not told, but after a silence.
/// What comes with an old stamp after a silence gives the same epoch again, with more in it.
#[derive(Debug)]
pub struct Epochs {
    framer: Framer,
    live: Live,
    /// Told by the receiver, not yet to the caller; grows until the next one begins.
    pending: Option<Pending>,
    /// The time of the last epoch that was told after a silence, which may go on.
    ended: Option<TimeOfDay>,
    /// After a silence satellites belong to the epoch to come.
    is_resting: bool,
    /// The last time in a sentence since the silence.
    time: Option<TimeOfDay>,
    /// A sentence said whether there is a fix, and nothing was told since.
    is_open: bool,
}

#[derive(Debug)]
struct Pending {
    epoch: Epoch,
    /// The sentence that began it.
    address: String,
    /// A sentence that ought to have a time had none.
    is_timeless: bool,
}

impl Epochs {
    /// `floor`: a date that lies in the past for certain, such as that of the build. Receivers whose week counter
    /// rolled over print dates 1024 weeks back: dates before the floor are moved forward and marked.
    pub fn new(floor: Date) -> Self {
        Self {
            framer: Framer::default(),
            live: Live::new(floor),
            pending: None,
            ended: None,
            is_resting: false,
            time: None,
            is_open: false,
        }
    }

    /// Takes in bytes in any portions; returns the epochs that they completed.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Epoch> {
        let mut epochs = Vec::new();
        // In portions of which the framer holds every sentence, however much comes at once.
        for portion in bytes.chunks(PORTION) {
            self.framer.feed(portion);
            while let Some(sentence) = self.framer.next() {
                epochs.extend(self.take(&sentence));
            }
        }
        epochs
    }

    /// Takes in one sentence; returns the epoch that it shows to be complete.
    pub fn take(&mut self, sentence: &Sentence) -> Option<Epoch> {
        let told = self.live.take(sentence);
        self.is_open |= told.is_mode;
        self.time = told.time.or(self.time);
        self.is_resting &= !told.is_timed;
        let mut completed = None;
        if let Some(epoch) = told.epoch.filter(|_| !self.is_resting) {
            completed = self.grow(epoch, sentence.address());
            if let Some(pending) = &mut self.pending {
                pending.is_timeless |= told.is_timed && told.time.is_none();
            }
        }
        if let (Some(shown), Some(pending)) = (told.n_used_shown, &mut self.pending) {
            pending.epoch.n_used_shown = Some(shown);
        }
        completed
    }

    /// The line was silent for 150 ms or more: returns the epoch at hand when a fix or its absence was told; where two
    /// are at hand (the end of one was lost just now), the newer one.
    pub fn silence(&mut self) -> Option<Epoch> {
        self.is_resting = true;
        let mut completed = None;
        if self.is_open {
            let epoch = self.live.epoch();
            completed = self.grow(epoch, "");
        }
        let epoch = self.finish().or(completed)?;
        self.ended = self.time.take();
        Some(epoch)
    }

    /// Nothing more comes: returns the epoch at hand if the receiver was done with it.
    pub fn finish(&mut self) -> Option<Epoch> {
        let mut epoch = self.pending.take()?.epoch;
        self.live.complete(&mut epoch);
        Some(epoch)
    }

    /// What the framer dropped.
    pub fn counters(&self) -> Counters {
        self.framer.counters()
    }

    /// The receiver said more of the epoch at hand, or the first of another one; returns the one that is complete then.
    fn grow(&mut self, mut epoch: Epoch, address: &str) -> Option<Epoch> {
        self.is_open = false;
        match &mut self.pending {
            Some(pending) if is_same(pending, &epoch, address) => {
                epoch.refines_previous = pending.epoch.refines_previous;
                epoch.n_used_shown = pending.epoch.n_used_shown;
                if epoch.time_of_day_ms.is_none() {
                    epoch.time_of_day_ms = pending.epoch.time_of_day_ms;
                    epoch.date = pending.epoch.date;
                    epoch.is_date_corrected = pending.epoch.is_date_corrected;
                }
                epoch.satellites = pending.epoch.satellites.take();
                self.live.complete(&mut epoch);
                pending.epoch = epoch;
                None
            }
            _ => {
                let completed = self.pending.take().map(|pending| pending.epoch);
                let mut epoch = self.refine(epoch);
                self.live.complete(&mut epoch);
                self.pending = Some(Pending {
                    epoch,
                    address: address.to_owned(),
                    is_timeless: false,
                });
                completed
            }
        }
    }

    /// Marks an epoch that was told before.
    fn refine(&mut self, epoch: Epoch) -> Epoch {
        let times = self.ended.take().zip(self.time);
        Epoch {
            refines_previous: times.is_some_and(|(then, now)| now.abs_diff(then) < SAME_MS),
            ..epoch
        }
    }
}

/// Whether both are of one instant. Without a time the next one begins with the sentence that began the last one.
fn is_same(pending: &Pending, epoch: &Epoch, address: &str) -> bool {
    match (pending.epoch.time_of_day_ms, epoch.time_of_day_ms) {
        (Some(then), Some(now)) => now.abs_diff(then) < SAME_MS,
        (None, Some(_)) => !pending.is_timeless,
        (_, None) => pending.address != address,
    }
}
