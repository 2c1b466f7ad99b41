//! One byte that tells what a point of the ring is.

use tm_types::{Clock, Quality};

/// How the eight bytes of a value are to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    Missing,
    Number,
    Bool,
    Text,
}

const FORMS: [Form; 4] = [Form::Missing, Form::Number, Form::Bool, Form::Text];
const QUALITIES: [Quality; 3] = [Quality::Good, Quality::Uncertain, Quality::Bad];

/// Form in bits 0 and 1, quality in 2 and 3, clock in 4 to 6.
pub(super) fn flags(form: Form, quality: Quality, clock: Clock) -> u8 {
    let quality: u8 = match quality {
        Quality::Good => 0,
        Quality::Uncertain => 1,
        Quality::Bad => 2,
    };
    let clock = Clock::ALL
        .iter()
        .position(|known| *known == clock)
        .unwrap_or(7);
    form as u8 | quality << 2 | u8::try_from(clock).unwrap_or(7) << 4
}

/// What `flags` put together.
pub(super) fn parts(flags: u8) -> (Form, Quality, Clock) {
    let quality = QUALITIES
        .get(usize::from(flags >> 2 & 3))
        .copied()
        .unwrap_or(Quality::Bad);
    (
        FORMS[usize::from(flags & 3)],
        quality,
        Clock::ALL[usize::from(flags >> 4 & 7)],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_comes_back() {
        for form in FORMS {
            for quality in QUALITIES {
                for clock in Clock::ALL {
                    assert_eq!(parts(flags(form, quality, clock)), (form, quality, clock));
                }
            }
        }
        // A quality that is never written is read from the safe side.
        assert_eq!(parts(0b1100).1, Quality::Bad);
    }
}
