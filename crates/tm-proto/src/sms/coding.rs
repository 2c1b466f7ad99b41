//! The data coding scheme (3GPP TS 23.038, 4).

/// How the user data is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// GSM 7 bit default.
    Gsm7,
    /// Octets for an application.
    Data,
    /// UTF-16, high octet first.
    Ucs2,
}

/// What the scheme says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Coding {
    pub(super) alphabet: Alphabet,
    pub(super) is_compressed: bool,
    pub(super) class: Option<u8>,
    pub(super) is_waiting_notice: bool,
}

impl Coding {
    pub(super) fn of(scheme: u8) -> Self {
        let class = scheme & 0b11;
        let plain = Self {
            alphabet: Alphabet::Gsm7,
            is_compressed: false,
            class: None,
            is_waiting_notice: false,
        };
        match scheme >> 4 {
            // General data coding, and the same marked for automatic deletion.
            0b0000..=0b0111 => Self {
                alphabet: match scheme >> 2 & 0b11 {
                    0b01 => Alphabet::Data,
                    0b10 => Alphabet::Ucs2,
                    // 11 is reserved, and reserved is read as the default alphabet.
                    _ => Alphabet::Gsm7,
                },
                is_compressed: scheme & 0x20 != 0,
                class: (scheme & 0x10 != 0).then_some(class),
                is_waiting_notice: false,
            },
            // Message waiting: to be discarded, to be stored, to be stored with UCS2 text.
            0b1100 | 0b1101 => Self {
                is_waiting_notice: true,
                ..plain
            },
            0b1110 => Self {
                alphabet: Alphabet::Ucs2,
                is_waiting_notice: true,
                ..plain
            },
            0b1111 => Self {
                alphabet: if scheme & 0b100 == 0 {
                    Alphabet::Gsm7
                } else {
                    Alphabet::Data
                },
                class: Some(class),
                ..plain
            },
            // Reserved groups.
            _ => plain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups() {
        use Alphabet::{Data, Gsm7, Ucs2};
        // Scheme, alphabet, compressed, class, waiting.
        for (scheme, alphabet, is_compressed, class, is_waiting_notice) in [
            (0x00, Gsm7, false, None, false),
            (0x04, Data, false, None, false),
            (0x08, Ucs2, false, None, false),
            (0x0c, Gsm7, false, None, false),
            (0x10, Gsm7, false, Some(0), false),
            (0x18, Ucs2, false, Some(0), false),
            (0x28, Ucs2, true, None, false),
            (0x48, Ucs2, false, None, false),
            (0x84, Gsm7, false, None, false),
            (0xc8, Gsm7, false, None, true),
            (0xd0, Gsm7, false, None, true),
            (0xe8, Ucs2, false, None, true),
            (0xf1, Gsm7, false, Some(1), false),
            (0xf6, Data, false, Some(2), false),
        ] {
            let expected = Coding {
                alphabet,
                is_compressed,
                class,
                is_waiting_notice,
            };
            assert_eq!(Coding::of(scheme), expected, "{scheme:#04x}");
        }
    }
}
