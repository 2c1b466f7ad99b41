//! How long ago something was that was stamped before, maybe in another boot.

use tm_types::Stamp;

/// Milliseconds that have passed since `then` at least.
///
/// Within a boot the monotonic clock knows. Across boots this boot's time has passed in any case, and more where
/// both wall clocks are trusted and say so.
pub(crate) fn ms_since_at_least(then: &Stamp, now: &Stamp) -> u64 {
    if then.boot == now.boot {
        return now.mono_ms.saturating_sub(then.mono_ms);
    }
    if !(then.clock.is_trusted() && now.clock.is_trusted()) {
        return now.mono_ms;
    }
    let by_wall = now.time.ms_since(then.time);
    u64::try_from(by_wall).unwrap_or(0).max(now.mono_ms)
}

#[cfg(test)]
mod tests {
    use tm_types::{BootId, Clock, Timestamp};

    use super::*;

    #[test]
    fn within_a_boot_by_the_monotonic_clock_else_by_what_is_sure() {
        let stamp = |boot, mono_ms, time, clock| Stamp {
            time: Timestamp::of_unix_ms(time),
            mono_ms,
            boot: BootId(boot),
            clock,
            err_ms: None,
        };
        let then = stamp(1, 5_000, 1_000_000, Clock::Ntp);
        let cases = [
            (stamp(1, 9_000, 0, Clock::None), 4_000),
            (stamp(1, 0, 0, Clock::None), 0),
            (stamp(2, 3_000, 9_000_000, Clock::Restored), 3_000),
            (stamp(2, 3_000, 9_000_000, Clock::Ntp), 8_000_000),
            (stamp(2, 3_000, 500_000, Clock::Ntp), 3_000),
        ];
        for (now, expected) in cases {
            assert_eq!(ms_since_at_least(&then, &now), expected, "{now:?}");
        }
    }
}
