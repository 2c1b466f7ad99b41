//! The default alphabet of text messages (3GPP TS 23.038, 6.2.1) and its packing, written for the simulator alone.

/// Place in the alphabet to character; place 27 is the escape to the extension.
const ALPHABET: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\u{1b}ÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";

const ESCAPE: u8 = 0x1B;

/// Characters behind the escape (6.2.1.1).
const EXTENSION: [(u8, char); 10] = [
    (0x0A, '\u{c}'),
    (0x14, '^'),
    (0x28, '{'),
    (0x29, '}'),
    (0x2F, '\\'),
    (0x3C, '['),
    (0x3D, '~'),
    (0x3E, ']'),
    (0x40, '|'),
    (0x65, '€'),
];

/// The septets of one character; nothing when the alphabet lacks it.
pub(super) fn septets(character: char) -> Option<Vec<u8>> {
    if character != '\u{1b}' {
        let place = ALPHABET.chars().position(|known| known == character);
        if let Some(place) = place.and_then(|place| u8::try_from(place).ok()) {
            return Some(vec![place]);
        }
    }
    let known = EXTENSION.iter().find(|(_, known)| *known == character)?;
    Some(vec![ESCAPE, known.0])
}

/// The text of septets; what has no meaning is a space (6.2.1.1).
pub(super) fn text(septets: &[u8]) -> String {
    let mut text = String::new();
    let mut septets = septets.iter();
    while let Some(septet) = septets.next() {
        if *septet == ESCAPE {
            let Some(next) = septets.next() else { break };
            let known = EXTENSION.iter().find(|(code, _)| code == next);
            text.push(known.map_or(' ', |(_, character)| *character));
        } else {
            text.push(ALPHABET.chars().nth(usize::from(*septet)).unwrap_or(' '));
        }
    }
    text
}

/// Eight septets in seven octets, the low bits first, after `fill` bits of nothing.
pub(super) fn pack(septets: &[u8], fill: usize) -> Vec<u8> {
    let n_bits = fill + septets.len() * 7;
    let mut octets = vec![0; n_bits.div_ceil(8)];
    for (index, septet) in septets.iter().enumerate() {
        for bit in 0..7 {
            if septet >> bit & 1 == 1 {
                let at = fill + index * 7 + bit;
                octets[at / 8] |= 1 << (at % 8);
            }
        }
    }
    octets
}

/// The other way round; as many septets as asked for, or as there are.
pub(super) fn unpack(octets: &[u8], fill: usize, n_septets: usize) -> Vec<u8> {
    let bit = |at: usize| octets.get(at / 8).map(|octet| octet >> (at % 8) & 1);
    let mut septets = Vec::new();
    for index in 0..n_septets {
        let mut septet = 0;
        for place in 0..7 {
            let Some(bit) = bit(fill + index * 7 + place) else {
                return septets;
            };
            septet |= bit << place;
        }
        septets.push(septet);
    }
    septets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_has_its_places() {
        assert_eq!(ALPHABET.chars().count(), 128);
        for (character, place) in [('@', 0), ('_', 0x11), (' ', 0x20), ('A', 0x41), ('à', 0x7F)] {
            assert_eq!(septets(character), Some(vec![place]), "{character}");
        }
        assert_eq!(septets('€'), Some(vec![ESCAPE, 0x65]));
        assert_eq!(septets('Ж'), None);
    }

    #[test]
    fn packed_as_the_world_packs() {
        // "hellohello", the example of every text about packing.
        let septets: Vec<u8> = "hellohello".bytes().collect();
        let octets = [0xE8, 0x32, 0x9B, 0xFD, 0x46, 0x97, 0xD9, 0xEC, 0x37];
        assert_eq!(pack(&septets, 0), octets);
        assert_eq!(text(&unpack(&octets, 0, 10)), "hellohello");
        assert_eq!(unpack(&pack(&septets, 1), 1, 10), septets);
    }
}
