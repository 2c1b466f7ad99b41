//! How long ago something was that was stamped before, maybe in another boot.

use tm_types::Stamp;

/// Milliseconds that have passed since `then`; nothing when it was in another boot and not both wall clocks are
/// trusted.
///
/// Within a boot the monotonic clock knows; across boots this boot's time has passed in any case.
pub(crate) fn ms_since(then: &Stamp, now: &Stamp) -> Option<u64> {
    if then.boot == now.boot {
        return Some(now.mono_ms.saturating_sub(then.mono_ms));
    }
    let by_wall = u64::try_from(now.time.ms_since(then.time)).unwrap_or(0);
    (then.clock.is_trusted() && now.clock.is_trusted()).then(|| by_wall.max(now.mono_ms))
}

/// The same; what has passed at least where nobody knows.
pub(crate) fn ms_since_at_least(then: &Stamp, now: &Stamp) -> u64 {
    ms_since(then, now).unwrap_or(now.mono_ms)
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
            (stamp(1, 9_000, 0, Clock::None), Some(4_000)),
            (stamp(1, 0, 0, Clock::None), Some(0)),
            (stamp(2, 3_000, 9_000_000, Clock::Restored), None),
            (stamp(2, 3_000, 9_000_000, Clock::Ntp), Some(8_000_000)),
            (stamp(2, 3_000, 500_000, Clock::Ntp), Some(3_000)),
        ];
        for (now, expected) in cases {
            assert_eq!(ms_since(&then, &now), expected, "{now:?}");
            let least = expected.unwrap_or(3_000);
            assert_eq!(ms_since_at_least(&then, &now), least);
        }
    }
}
