//! The host's clock: wall time with its quality, monotonic time, boot id; tests step it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tm_types::{BootId, Clock as Quality, Stamp, Timestamp};

use crate::adjtimex;

/// Where the kernel keeps the id of this boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// A clock; cheap to clone, all clones show the same time.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System(SystemClock),
    Manual(Arc<Mutex<Stamp>>),
}

impl Clock {
    /// The clock of this machine.
    ///
    /// Where the kernel tells no boot id, one is drawn: times of two processes then do not compare.
    pub fn system() -> Self {
        let boot = std::fs::read_to_string(BOOT_ID)
            .ok()
            .and_then(|text| text.get(..8)?.parse().ok());
        let boot = boot.unwrap_or_else(|| BootId(fastrand::u32(..)));
        Self(Source::System(SystemClock {
            boot,
            zero_ms: Arc::new(AtomicI64::new(i64::MIN)),
        }))
    }

    /// A clock that only its [`ManualClock`] moves.
    pub fn manual(start: Stamp) -> (Self, ManualClock) {
        let state = Arc::new(Mutex::new(start));
        (Self(Source::Manual(state.clone())), ManualClock(state))
    }

    /// Now, by all clocks.
    pub fn stamp(&self) -> Stamp {
        match &self.0 {
            Source::System(system) => system.stamp(),
            Source::Manual(state) => *lock(state),
        }
    }

    /// Time since boot, suspended time included.
    pub fn mono(&self) -> Duration {
        match &self.0 {
            Source::System(_) => boot_time(),
            Source::Manual(state) => Duration::from_millis(lock(state).mono_ms),
        }
    }

    /// This boot.
    pub fn boot(&self) -> BootId {
        match &self.0 {
            Source::System(system) => system.boot,
            Source::Manual(state) => lock(state).boot,
        }
    }
}

/// How far wall and monotonic time may drift apart before the held difference is taken anew, ms.
const HELD_WITHIN_MS: u64 = 2;

/// The kernel's clocks.
#[derive(Clone, Debug)]
struct SystemClock {
    boot: BootId,
    /// Wall time at monotonic zero, held so that stamps of one stretch share it to the millisecond:
    /// two reads, each cut to a millisecond, would flicker by one, and every flicker costs bytes.
    zero_ms: Arc<AtomicI64>,
}

impl SystemClock {
    fn stamp(&self) -> Stamp {
        let (clock, err_ms) = adjtimex::quality();
        let mono_ms = millis(boot_time());
        let mono = i64::try_from(mono_ms).unwrap_or(i64::MAX);
        let time = hold(&self.zero_ms, system_time().unix_ms(), mono);
        Stamp {
            time: Timestamp::of_unix_ms(time),
            mono_ms,
            boot: self.boot,
            clock,
            err_ms,
        }
    }
}

/// The wall time at `mono`, by the held difference where that is still right.
fn hold(zero_ms: &AtomicI64, wall: i64, mono: i64) -> i64 {
    let (held, now) = (zero_ms.load(Ordering::Relaxed), wall.saturating_sub(mono));
    if held.abs_diff(now) <= HELD_WITHIN_MS {
        return held.saturating_add(mono);
    }
    zero_ms.store(now, Ordering::Relaxed);
    wall
}

/// Moves a manual [`Clock`].
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<Stamp>>);

impl ManualClock {
    /// Lets time pass on both clocks.
    pub fn advance(&self, time: Duration) {
        let mut stamp = lock(&self.0);
        let ms = millis(time);
        stamp.mono_ms = stamp.mono_ms.saturating_add(ms);
        stamp.time = stamp.time.plus_ms(i64::try_from(ms).unwrap_or(i64::MAX));
    }

    /// Steps the wall clock alone, as a late NTP answer or a wrong RTC does.
    pub fn step_wall(&self, ms: i64) {
        let mut stamp = lock(&self.0);
        stamp.time = stamp.time.plus_ms(ms);
    }

    /// Sets what the wall clock is said to be set by.
    pub fn set_quality(&self, clock: Quality, err_ms: Option<u32>) {
        let mut stamp = lock(&self.0);
        (stamp.clock, stamp.err_ms) = (clock, err_ms);
    }

    /// Another boot: the monotonic clock starts again at zero.
    pub fn reboot(&self, boot: BootId) {
        let mut stamp = lock(&self.0);
        (stamp.boot, stamp.mono_ms) = (boot, 0);
    }
}

fn lock(state: &Mutex<Stamp>) -> MutexGuard<'_, Stamp> {
    state.lock().expect("nobody panics while holding a stamp")
}

fn system_time() -> Timestamp {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    Timestamp::of_unix_ms(now.tv_sec.saturating_mul(1000) + now.tv_nsec / 1_000_000)
}

fn boot_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or(0))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_goes_where_it_is_sent() {
        let start = Stamp {
            time: Timestamp::of_unix_ms(1_790_000_000_000),
            mono_ms: 5_000,
            boot: BootId(1),
            clock: Quality::Restored,
            err_ms: None,
        };
        let (clock, hand) = Clock::manual(start);
        hand.advance(Duration::from_secs(2));
        hand.step_wall(-1_000);
        assert_eq!(clock.mono(), Duration::from_secs(7));
        assert_eq!(clock.stamp().time.ms_since(start.time), 1_000);
        hand.set_quality(Quality::Ntp, Some(3));
        hand.reboot(BootId(2));
        assert_eq!((clock.boot(), clock.mono()), (BootId(2), Duration::ZERO));
        assert_eq!(clock.stamp().clock, Quality::Ntp);
    }

    #[test]
    fn a_flicker_is_held_and_a_step_is_followed() {
        let zero = AtomicI64::new(i64::MIN);
        let cases = [
            (1000, 10, 1000),
            (1011, 20, 1010),
            (1018, 30, 1020),
            (1033, 40, 1033),
            (5000, 50, 5000),
            (4060, 60, 4060),
        ];
        for (wall, mono, expected) in cases {
            assert_eq!(hold(&zero, wall, mono), expected, "{wall} {mono}");
        }
    }

    #[test]
    fn the_system_clock_runs() {
        let clock = Clock::system();
        let (first, second) = (clock.stamp(), clock.stamp());
        assert!(first.time.unix_ms() > 1_700_000_000_000);
        assert!(first.mono_ms > 0 && second.mono_ms >= first.mono_ms);
        assert_eq!(first.boot, clock.boot());
    }
}
