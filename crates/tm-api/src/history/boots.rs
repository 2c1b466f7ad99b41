//! Boots of the machine, and the true times learnt for them.

use tm_types::{Anchor, BootId, Timestamp};

/// Boots that are told apart. A machine has one while this process lives; the rest is for
/// publishers on other machines, and for those that invent boots.
const BOOTS_MAX: u8 = 200;

/// The boots heard of, each with the most exact anchor.
#[derive(Debug, Default)]
pub(super) struct Boots(Vec<(BootId, Option<Anchor>)>);

impl Boots {
    /// The number that points keep; all boots beyond [`BOOTS_MAX`] share one.
    pub(super) fn number(&mut self, boot: BootId) -> u8 {
        let known = self.0.iter().position(|(known, _)| *known == boot);
        let number = known.unwrap_or(self.0.len());
        let number = u8::try_from(number).map_or(BOOTS_MAX, |number| number.min(BOOTS_MAX));
        if known.is_none() && number < BOOTS_MAX {
            self.0.push((boot, None));
        }
        number
    }

    /// Learns the true time of a boot, unless a more exact one is known.
    pub(super) fn learn(&mut self, anchor: Anchor) {
        let number = self.number(anchor.boot);
        let Some((_, known)) = self.0.get_mut(usize::from(number)) else {
            return;
        };
        if known.is_none_or(|known| anchor.err_ms <= known.err_ms) {
            *known = Some(anchor);
        }
    }

    /// Whether the true time of that boot is known.
    pub(super) fn knows(&self, number: u8) -> bool {
        self.0
            .get(usize::from(number))
            .is_some_and(|(_, anchor)| anchor.is_some())
    }

    /// The true time of a moment in a boot; absent without an anchor, and for shared numbers.
    pub(super) fn true_time(&self, number: u8, mono_ms: u64) -> Option<Timestamp> {
        let (_, anchor) = self.0.get(usize::from(number))?;
        let anchor = anchor.as_ref()?;
        let since = i128::from(mono_ms) - i128::from(anchor.mono_ms);
        Some(anchor.utc.plus_ms(i64::try_from(since).unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anchor(boot: u32, err_ms: u32) -> Anchor {
        Anchor {
            boot: BootId(boot),
            mono_ms: 10_000,
            utc: Timestamp::of_unix_ms(1_790_000_000_000 + i64::from(err_ms)),
            source: tm_types::Clock::Gnss,
            err_ms,
        }
    }

    #[test]
    fn the_first_two_hundred_are_told_apart_and_the_rest_is_bounded() {
        let mut boots = Boots::default();
        let numbers: Vec<u8> = (0..1000).map(|boot| boots.number(BootId(boot))).collect();
        assert!(numbers[..200].iter().copied().eq(0..200));
        assert!(numbers[200..].iter().all(|number| *number == BOOTS_MAX));
        for boot in [0, 199, 200, 999] {
            assert_eq!(boots.number(BootId(boot)), numbers[boot as usize]);
        }
    }

    #[test]
    fn an_anchor_corrects_its_own_boot_only() {
        let mut boots = Boots::default();
        for boot in 0..300 {
            boots.number(BootId(boot));
        }
        boots.learn(anchor(199, 200));
        boots.learn(anchor(250, 0));
        let expected = Timestamp::of_unix_ms(1_789_999_995_200);
        assert_eq!(boots.true_time(199, 5_000), Some(expected));
        for other in [0, 198, BOOTS_MAX] {
            assert_eq!(boots.true_time(other, 5_000), None);
        }
        // A worse anchor does not replace a better one.
        boots.learn(anchor(199, 5_000));
        assert_eq!(boots.true_time(199, 5_000), Some(expected));
    }
}
