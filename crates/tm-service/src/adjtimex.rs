//! What the kernel says of its wall clock: the only unsafe line of the services.

use tm_types::Clock;

/// Microseconds of error beyond which the kernel's discipline says nothing any more.
///
/// `NTP_PHASE_LIMIT` of the kernel (include/linux/timex.h): 16 s, where `STA_UNSYNC` is set again.
const MAXERROR_LIMIT_US: i64 = 16_000_000;

/// Quality of the wall clock, and how far it may be off in milliseconds.
pub(crate) fn quality() -> (Clock, Option<u32>) {
    let Some((status, maxerror_us)) = read() else {
        return (Clock::Restored, None);
    };
    if status & libc::STA_UNSYNC != 0 || maxerror_us >= MAXERROR_LIMIT_US {
        return (Clock::Restored, None);
    }
    let err_ms = maxerror_us.saturating_add(999).div_euclid(1000);
    (Clock::Ntp, u32::try_from(err_ms).ok().map(rounded_up))
}

/// The next of 1, 2, 5, 10, 20, 50…: the kernel's bound grows every second between two answers of
/// NTP, and a bound that differs in every stamp costs bytes and says no more.
fn rounded_up(err_ms: u32) -> u32 {
    let mut decade: u32 = 1;
    loop {
        for step in [1, 2, 5] {
            match decade.checked_mul(step) {
                Some(bound) if bound < err_ms => {}
                Some(bound) => return bound,
                None => return u32::MAX,
            }
        }
        decade = decade.saturating_mul(10);
    }
}

/// The kernel's status bits and maximal error, read without changing anything.
#[expect(
    unsafe_code,
    reason = "adjtimex has no safe wrapper in the crates we use; with modes = 0 it only reads"
)]
fn read() -> Option<(i32, i64)> {
    let mut timex = std::mem::MaybeUninit::<libc::timex>::zeroed();
    // SAFETY: all-zero bytes are a valid `timex` of plain integers, and the pointer is to our own.
    let (state, timex) = unsafe {
        let state = libc::adjtimex(timex.as_mut_ptr());
        (state, timex.assume_init())
    };
    #[expect(
        clippy::useless_conversion,
        reason = "the field is 32 bits wide on 32-bit machines"
    )]
    (state >= 0).then_some((timex.status, i64::from(timex.maxerror)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_rounded_up() {
        for (err_ms, bound) in [
            (0, 1),
            (1, 1),
            (3, 5),
            (10, 10),
            (11, 20),
            (16_000, 20_000),
            (u32::MAX, u32::MAX),
        ] {
            assert_eq!(rounded_up(err_ms), bound, "{err_ms}");
        }
    }

    #[test]
    fn the_kernel_answers() {
        let (clock, err_ms) = quality();
        assert_eq!(
            clock == Clock::Ntp,
            err_ms.is_some(),
            "{clock:?} {err_ms:?}"
        );
    }
}
