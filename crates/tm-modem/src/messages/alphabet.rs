//! What fits into one message: 160 septets of the GSM alphabet, or 70 units of UCS-2.

/// The GSM 7 bit default alphabet without its control characters (3GPP TS 23.038, 6.2.1).
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡\
                     ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// Its extension: an escape and another septet each (6.2.1.1).
const EXTENSION: &str = "^{}\\[~]|€";

/// An alphabet of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Alphabet {
    /// Seven bits.
    Gsm,
    /// Sixteen bits.
    Ucs2,
}

impl Alphabet {
    /// How much one message holds.
    pub(super) fn room(self) -> usize {
        match self {
            Self::Gsm => 160,
            Self::Ucs2 => 70,
        }
    }

    /// How much of it a text takes, once [`clean`](Self::clean).
    pub(super) fn size(self, text: &str) -> usize {
        text.chars().map(|c| self.size_of(c)).sum()
    }

    fn size_of(self, character: char) -> usize {
        match self {
            Self::Gsm if EXTENSION.contains(character) => 2,
            Self::Gsm => 1,
            Self::Ucs2 => character.len_utf16(),
        }
    }

    /// The text with `?` for what the alphabet cannot say.
    pub(super) fn clean(self, text: &str) -> String {
        if self == Self::Ucs2 {
            return text.to_owned();
        }
        let text = text.replace('…', "...").replace(['–', '—'], "-");
        let has = |c: &char| BASIC.contains(*c) || EXTENSION.contains(*c);
        text.replace(" °C", " C")
            .chars()
            .map(|c| if has(&c) { c } else { '?' })
            .collect()
    }

    /// The text, clean, cut to `room` with dots where it was longer.
    pub(super) fn cut(self, text: &str, room: usize) -> String {
        let text = self.clean(text);
        if self.size(&text) <= room {
            return text;
        }
        let dots = match self {
            Self::Gsm => "...",
            Self::Ucs2 => "…",
        };
        let mut left = room.saturating_sub(self.size(dots));
        let head: String = text
            .chars()
            .take_while(|c| {
                let size = self.size_of(*c);
                let fits = size <= left;
                left = left.saturating_sub(size);
                fits
            })
            .collect();
        format!("{}{dots}", head.trim_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_and_clean_to_one_message() {
        let cases = [
            (Alphabet::Gsm, "Up 3 d", 160, "Up 3 d"),
            (Alphabet::Gsm, "Київ-1 is 40 °C…", 160, "????-1 is 40 C..."),
            (Alphabet::Gsm, "abcdefgh", 8, "abcdefgh"),
            (Alphabet::Gsm, "abcde ghi", 8, "abcde..."),
            (Alphabet::Gsm, "{}{}{}", 8, "{}..."),
            (Alphabet::Ucs2, "Київ має звʼязок", 9, "Київ має…"),
            (Alphabet::Ucs2, "😀😀😀", 4, "😀…"),
            (Alphabet::Gsm, "long", 0, "..."),
        ];
        for (alphabet, text, room, expected) in cases {
            let cut = alphabet.cut(text, room);
            assert_eq!(cut, expected);
            assert!(alphabet.size(&cut) <= room.max(3));
        }
    }

    #[test]
    fn the_alphabet_has_as_many_characters_as_the_standard() {
        // 128 less the escape and, of the others, none.
        assert_eq!((BASIC.chars().count(), EXTENSION.chars().count()), (127, 9));
    }
}
