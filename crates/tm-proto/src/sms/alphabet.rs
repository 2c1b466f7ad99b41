//! The GSM 7 bit default alphabet and its extension table (3GPP TS 23.038, 6.2.1 and 6.2.1.1).

/// Announces a character of the extension table.
const ESCAPE: u8 = 0x1b;

/// The default alphabet; 0x1B is the escape and stands here as the space that it is shown as.
const BASIC: [char; 128] = [
    '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å', //
    'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', ' ', 'Æ', 'æ', 'ß', 'É', //
    ' ', '!', '"', '#', '¤', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/', //
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?', //
    '¡', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', //
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§', //
    '¿', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', //
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à', //
];

const EXTENSION: [(u8, char); 10] = [
    (0x0a, '\u{c}'),
    (0x14, '^'),
    (0x28, '{'),
    (0x29, '}'),
    (0x2f, '\\'),
    (0x3c, '['),
    (0x3d, '~'),
    (0x3e, ']'),
    (0x40, '|'),
    (0x65, '€'),
];

/// The septets of one character: one, or the escape and one; nothing when the alphabet does not have it.
pub(crate) fn encode(c: char) -> Option<&'static [u8]> {
    // Slices of one table of all septets cost no allocation.
    const SINGLE: [u8; 128] = {
        let mut table = [0; 128];
        let mut at = 0;
        while at < 128 {
            #[expect(clippy::cast_possible_truncation, reason = "below 128")]
            {
                table[at] = at as u8;
            }
            at += 1;
        }
        table
    };
    const PAIRS: [[u8; 2]; 10] = {
        let mut table = [[ESCAPE, 0]; 10];
        let mut at = 0;
        while at < 10 {
            table[at][1] = EXTENSION[at].0;
            at += 1;
        }
        table
    };
    if let Some(at) = EXTENSION.iter().position(|(_, known)| *known == c) {
        return PAIRS.get(at).map(<[u8; 2]>::as_slice);
    }
    // The space is found at its own place, behind that of the escape.
    let at = if c == ' ' {
        0x20
    } else {
        BASIC.iter().position(|known| *known == c)?
    };
    SINGLE.get(at..=at)
}

/// The text of septets.
///
/// A septet that the extension table does not have is shown as the default alphabet has it, and an escape without
/// a follower as a space (TS 23.038, 6.2.1.1).
pub(crate) fn decode(septets: &[u8]) -> String {
    let basic = |septet: u8| {
        BASIC
            .get(usize::from(septet & 0x7f))
            .copied()
            .unwrap_or(' ')
    };
    let mut text = String::with_capacity(septets.len());
    let mut septets = septets.iter().copied();
    while let Some(septet) = septets.next() {
        if septet != ESCAPE {
            text.push(basic(septet));
            continue;
        }
        let Some(second) = septets.next() else {
            text.push(' ');
            break;
        };
        let extended = EXTENSION.iter().find(|(known, _)| *known == second);
        text.push(extended.map_or_else(|| basic(second), |(_, c)| *c));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_there_and_back() {
        for septet in (0..128_u8).filter(|septet| *septet != ESCAPE) {
            let text = decode(&[septet]);
            let c = text.chars().next().unwrap();
            assert_eq!(encode(c), Some(&[septet][..]), "{c}");
        }
        for (septet, c) in EXTENSION {
            assert_eq!(encode(c), Some(&[ESCAPE, septet][..]), "{c}");
            assert_eq!(decode(&[ESCAPE, septet]), c.to_string());
        }
        for c in ['`', '\t', 'і', 'ç', '😀', '\0', '\u{1b}'] {
            assert_eq!(encode(c), None, "{c:?}");
        }
    }

    #[test]
    fn escapes_to_nowhere() {
        assert_eq!(decode(&[ESCAPE]), " ");
        assert_eq!(decode(&[ESCAPE, ESCAPE, b'a']), " a");
        assert_eq!(decode(&[ESCAPE, b'a']), "a");
    }
}
