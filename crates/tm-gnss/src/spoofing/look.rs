//! One fix as evidence, and what two of them say about each other.

use serde::{Deserialize, Serialize};
use tm_proto::nmea0183::{Epoch, Position};
use tm_types::{BootId, Satellite, SpoofingSuspicion, Stamp};

use crate::movement::{distance_m, error_m};
use crate::witness::Witness;

/// Faster than this nothing moves that carries a cabinet: the speed of an airliner.
const SPEED_MPS: f64 = 300.0;
/// Sentences of a receiver that was held up come together.
const HELD_UP_S: f64 = 2.0;
/// A receiver errs by more than so many of its own standard deviations once in hundreds of epochs.
const SIGMAS: f64 = 3.0;
/// How much the receiver's time may move against the monotonic clock: sentences come 50 to 400 ms late, and
/// now and then a second.
const TIME_MS: i64 = 1_500;
/// What a Pi's quartz is off at most: 100 ppm.
const QUARTZ: i64 = 10_000;
/// 18 leap seconds since 2017, of which a receiver without an almanac may know none, and a little.
const LEAPS_MS: i64 = 19_000;
/// A receiver that counts weeks modulo 1024 is off by whole periods.
const ROLLOVER_MS: i64 = 1024 * 7 * 86_400_000;
/// Fewer satellites than this say nothing about the whole sky.
const MIN_SATELLITES: usize = 6;
/// Levels of a true sky differ by tens of dB between horizon and zenith.
const UNIFORM_DB: u8 = 1;
/// Satellites rise and set in hours; half a minute later nearly all are the same.
const SAME_SKY_MS: u64 = 60_000;
/// A cabinet that stands is within this of where it stood, beside the receiver's error.
const STANDS_M: f64 = 200.0;
/// Slower than this it stands.
const STANDS_MPS: f64 = 1.0;

/// One fix, with the clocks and the sky it came with.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Look {
    pub(super) boot: BootId,
    pub(super) mono_ms: u64,
    latitude_e7: i32,
    longitude_e7: i32,
    error_m: f64,
    speed_mps: f64,
    /// What UTC is ahead of the monotonic clock; nothing before the date was told.
    pub(super) offset_ms: Option<i64>,
    /// Satellites heard, and how well, in dBHz.
    #[serde(skip)]
    heard: Vec<(String, u16, u8)>,
}

impl Look {
    /// An epoch that began to arrive at `stamp`, and the satellites in view; nothing without a position.
    pub(crate) fn of(epoch: &Epoch, stamp: &Stamp, satellites: &[Satellite]) -> Option<Self> {
        let position = epoch.position?;
        let mono_ms = i64::try_from(stamp.mono_ms).ok()?;
        let heard = satellites.iter();
        let heard = heard.filter_map(|s| Some((s.system.clone(), s.id, s.cn0_dbhz?)));
        Some(Self {
            boot: stamp.boot,
            mono_ms: stamp.mono_ms,
            latitude_e7: position.latitude_e7,
            longitude_e7: position.longitude_e7,
            error_m: error_m(epoch),
            speed_mps: epoch.speed_mps.unwrap_or_default(),
            offset_ms: epoch.unix_ms().map(|utc| utc - mono_ms),
            heard: heard.collect(),
        })
    }

    /// The receiver's time.
    pub(super) fn utc_ms(&self) -> Option<i64> {
        self.offset_ms?.checked_add_unsigned(self.mono_ms)
    }

    /// What its time is off, when that is more than the witness may err by and more than leap seconds that are not known
    /// yet; whole rollovers do not count.
    pub(super) fn disagreement_ms(&self, witness: &Witness, may_leap: bool) -> Option<i64> {
        let off_ms = modulo_rollover(self.utc_ms()?.saturating_sub(witness.utc_ms));
        let is_leap = may_leap && off_ms.abs() <= LEAPS_MS;
        (off_ms.abs() > witness.within_ms && !is_leap).then_some(off_ms)
    }

    /// Whether the witness tells the same time.
    pub(super) fn agrees_with(&self, witness: &Witness) -> bool {
        let off_ms = self.utc_ms().map(|utc| utc.saturating_sub(witness.utc_ms));
        off_ms.is_some_and(|off| off.saturating_abs() <= witness.within_ms)
    }

    /// The same place at another time, or at one that nobody knows.
    pub(super) fn at(&self, mono_ms: u64, utc_ms: Option<i64>) -> Self {
        Self {
            mono_ms,
            offset_ms: utc_ms.and_then(|utc_ms| utc_ms.checked_sub_unsigned(mono_ms)),
            ..self.clone()
        }
    }

    fn position(&self) -> Position {
        Position {
            latitude_e7: self.latitude_e7,
            longitude_e7: self.longitude_e7,
        }
    }

    fn elapsed_ms(&self, earlier: &Self) -> u64 {
        self.mono_ms.saturating_sub(earlier.mono_ms)
    }

    /// Every satellite as strong as every other: one transmitter plays them all.
    fn is_uniform(&self) -> bool {
        let levels = || self.heard.iter().map(|(.., level)| *level);
        let (Some(least), Some(most)) = (levels().min(), levels().max()) else {
            return false;
        };
        self.heard.len() >= MIN_SATELLITES && most - least <= UNIFORM_DB
    }

    fn n_shared(&self, other: &Self) -> usize {
        let is_in = |id: u16, system: &str| {
            let mut all = other.heard.iter();
            all.any(|(other_system, other_id, _)| *other_id == id && other_system == system)
        };
        let shared = self
            .heard
            .iter()
            .filter(|(system, id, _)| is_in(*id, system));
        shared.count()
    }
}

/// What changed between two fixes as no true sky lets it.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(super) struct Jumps {
    distance_m: Option<f64>,
    time_ms: Option<i64>,
    satellites: Option<u32>,
}

impl Jumps {
    pub(super) fn between(trusted: &Look, look: &Look, may_leap: bool) -> Self {
        let distance = distance_m(trusted.position(), look.position());
        let off_ms = off_ms(trusted, look);
        let is_leap = |off: i64| may_leap && off.abs() <= LEAPS_MS;
        Self {
            distance_m: (!is_reachable(trusted, look)).then_some(distance),
            time_ms: off_ms.filter(|off| off.abs() > drift_ms(trusted, look) && !is_leap(*off)),
            satellites: changed(trusted, look),
        }
    }

    pub(super) fn of_time(off_ms: i64) -> Self {
        Self {
            time_ms: Some(off_ms),
            ..Self::default()
        }
    }

    pub(super) fn n(&self) -> usize {
        [
            self.distance_m.is_some(),
            self.time_ms.is_some(),
            self.satellites.is_some(),
        ]
        .into_iter()
        .filter(|has_jumped| *has_jumped)
        .count()
    }

    pub(super) fn told(&self, trusted: &Look, stamp: &Stamp) -> SpoofingSuspicion {
        SpoofingSuspicion {
            since: *stamp,
            distance_m: self.distance_m.map(f64::round),
            time_ms: self.time_ms,
            satellites: self.satellites,
            witness: None,
            trusted_latitude_deg: trusted.position().latitude_deg(),
            trusted_longitude_deg: trusted.position().longitude_deg(),
        }
    }
}

/// Whether the way between two fixes can be gone in the time between them.
fn is_reachable(earlier: &Look, look: &Look) -> bool {
    let distance = distance_m(earlier.position(), look.position());
    distance <= (elapsed_s(earlier, look) + HELD_UP_S) * SPEED_MPS + errors_m(earlier, look)
}

/// How much the receiver's time moved against the monotonic clock; whole rollovers do not count.
fn off_ms(earlier: &Look, look: &Look) -> Option<i64> {
    let off = look.offset_ms?.saturating_sub(earlier.offset_ms?);
    Some(modulo_rollover(off))
}

fn modulo_rollover(ms: i64) -> i64 {
    let half = ROLLOVER_MS / 2;
    ms.saturating_add(half).rem_euclid(ROLLOVER_MS) - half
}

fn drift_ms(earlier: &Look, look: &Look) -> i64 {
    let elapsed_ms = i64::try_from(look.elapsed_ms(earlier)).unwrap_or(i64::MAX);
    TIME_MS.saturating_add(elapsed_ms / QUARTZ)
}

/// Whether the receiver's time went on as the monotonic clock did.
pub(super) fn is_same_time(earlier: &Look, look: &Look) -> bool {
    off_ms(earlier, look).is_some_and(|off| off.abs() <= drift_ms(earlier, look))
}

/// How many satellites changed at once: their levels became one, or others took their places.
fn changed(trusted: &Look, look: &Look) -> Option<u32> {
    let n_heard = look.heard.len();
    let n_changed = if look.is_uniform() && !trusted.is_uniform() {
        n_heard
    } else {
        let is_recent = look.elapsed_ms(trusted) <= SAME_SKY_MS;
        let is_enough = trusted.heard.len().min(n_heard) >= MIN_SATELLITES;
        let n_shared = look.n_shared(trusted);
        if !is_recent || !is_enough || n_shared * 5 > n_heard {
            return None;
        }
        n_heard - n_shared
    };
    u32::try_from(n_changed).ok()
}

/// Whether the sky has the levels of a true one, or of the receiver that prints one level for all.
pub(super) fn is_honest(trusted: &Look, look: &Look) -> bool {
    !look.is_uniform() || trusted.is_uniform()
}

/// Whether a fix follows from the one before it.
pub(super) fn is_continuous(last: &Look, look: &Look) -> bool {
    is_reachable(last, look) && is_same_time(last, look)
}

/// Whether the cabinet may be here, going on as it did when it was trusted.
///
/// Not by what is possible at all: after some minutes at 300 m/s every place is. A place that is nearer to the
/// false one than to the true one, `jumped_m` away, is none of ours.
pub(super) fn is_near(trusted: &Look, look: &Look, jumped_m: Option<f64>) -> bool {
    let speed_mps = Some(trusted.speed_mps).filter(|speed| *speed >= STANDS_MPS);
    let way_m = speed_mps.unwrap_or_default() * 1.5 * elapsed_s(trusted, look);
    let reach_m = STANDS_M + errors_m(trusted, look) + way_m;
    let reach_m = jumped_m.map_or(reach_m, |jumped| reach_m.min(jumped / 2.0));
    distance_m(trusted.position(), look.position()) <= reach_m
}

fn errors_m(one: &Look, other: &Look) -> f64 {
    SIGMAS * (one.error_m + other.error_m)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of centuries are exact"
)]
fn elapsed_s(earlier: &Look, look: &Look) -> f64 {
    look.elapsed_ms(earlier) as f64 / 1000.0
}
