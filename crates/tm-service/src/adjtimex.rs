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
    (Clock::Ntp, u32::try_from(maxerror_us.div_euclid(1000)).ok())
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
    fn the_kernel_answers() {
        let (clock, err_ms) = quality();
        assert_eq!(
            clock == Clock::Ntp,
            err_ms.is_some(),
            "{clock:?} {err_ms:?}"
        );
    }
}
