//! A clock that runs as time does and that a story can turn.

use std::time::Duration;

use tm_service::{Clock, ManualClock};
use tm_types::{BootId, Clock as Quality};
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval};

/// How finely it runs.
const TICK: Duration = Duration::from_millis(10);
/// How far behind it is when the power comes back: without a battery a machine goes on from a time that it once wrote
/// to a file.
const BEHIND: Duration = Duration::from_hours(1);

/// The clock of a machine that can lose its power.
#[derive(Debug)]
pub(super) struct TurnableClock {
    clock: Clock,
    hand: ManualClock,
    is_behind: bool,
    running: JoinHandle<()>,
}

impl TurnableClock {
    /// Starts at the machine's own time, as if that were set by NTP.
    pub(super) fn start() -> Self {
        let (clock, hand) = Clock::manual(Clock::system().stamp());
        hand.set_quality(Quality::Ntp, Some(10));
        let moved = hand.clone();
        let running = tokio::spawn(async move {
            let (mut ticks, mut last) = (interval(TICK), Instant::now());
            loop {
                let now = ticks.tick().await;
                moved.advance(now - last);
                last = now;
            }
        });
        Self {
            clock,
            hand,
            is_behind: false,
            running,
        }
    }

    pub(super) fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// The machine starts anew without a battery behind its clock: another boot, an old time.
    pub(super) fn reboot(&mut self) {
        let BootId(boot) = self.clock.boot();
        self.hand.reboot(BootId(boot.wrapping_add(1)));
        self.hand.set_quality(Quality::Restored, None);
        if !std::mem::replace(&mut self.is_behind, true) {
            self.hand.step_wall(-behind_ms());
        }
    }

    /// NTP answers: the clock is right again.
    pub(super) fn set_right(&mut self) {
        if std::mem::replace(&mut self.is_behind, false) {
            self.hand.step_wall(behind_ms());
            self.hand.set_quality(Quality::Ntp, Some(10));
        }
    }
}

impl Drop for TurnableClock {
    fn drop(&mut self) {
        self.running.abort();
    }
}

fn behind_ms() -> i64 {
    i64::try_from(BEHIND.as_millis()).expect("an hour")
}
