//! What the Raspberry Pi's firmware says of its supply and its speed.

/// The flags of `get_throttled`, as the kernel's file shows them: `50005`.
///
/// ```text
/// bit  0 under-voltage   1 frequency capped   2 throttled   3 soft temperature limit: now
/// bit 16                17                   18             19: since boot
/// ```
/// Raspberry Pi documentation, "vcgencmd", `get_throttled`. The kernel clears bit 16 every 2 s
/// (`raspberrypi-hwmon.c`), so that of the supply only "now" is to be had here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Throttled(u32);

/// Capped, throttled, or at the soft limit: slower than it could be, for whatever reason.
const SLOWED: u32 = 0b1110;
/// From a flag for now to its twin for the time since boot.
const SINCE_BOOT: u32 = 16;

impl Throttled {
    /// From the text of `soc:firmware/get_throttled`: hexadecimal, without `0x`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let digits = text.strip_prefix("0x").unwrap_or(text);
        // `from_str_radix` takes a sign.
        let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex.then(|| u32::from_str_radix(digits, 16).ok().map(Self))?
    }

    /// The supply is too low, or was within the last 2 s.
    pub(super) fn is_under_voltage(self) -> bool {
        self.0 & (1 | 1 << SINCE_BOOT) != 0
    }

    /// The processor is slowed down now.
    pub(super) fn is_slowed(self) -> bool {
        self.0 & SLOWED != 0
    }

    /// It is or was, since boot.
    pub(super) fn was_slowed(self) -> bool {
        self.0 & (SLOWED | SLOWED << SINCE_BOOT) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_the_firmware() {
        // (text, (under-voltage, slowed, slowed since boot))
        let cases = [
            ("0\n", Some((false, false, false))),
            ("50005\n", Some((true, true, true))),
            ("0x50000", Some((true, false, true))),
            ("40000\n", Some((false, false, true))),
            ("1", Some((true, false, false))),
            ("2", Some((false, true, true))),
            ("8", Some((false, true, true))),
            ("80008\n", Some((false, true, true))),
            ("10000", Some((true, false, false))),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("throttled=0x0", None),
            ("123456789", None),
        ];
        for (text, expected) in cases {
            let got = Throttled::parse(text)
                .map(|it| (it.is_under_voltage(), it.is_slowed(), it.was_slowed()));
            assert_eq!(got, expected, "{text:?}");
        }
    }
}
