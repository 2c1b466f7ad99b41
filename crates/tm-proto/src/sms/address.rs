//! Numbers and names (3GPP TS 23.040, 9.1.2.5): length in semi-octets, type, digits two in an octet or septets.

use super::{alphabet, octets::Octets, septets};

/// Bits 6 to 4 of the type: a name in the default alphabet.
const ALPHANUMERIC: u8 = 0b101;
/// Bits 6 to 4 of the type: a number that begins with the country.
const INTERNATIONAL: u8 = 0b001;
/// An international number of the telephone plan.
const TYPE_INTERNATIONAL: u8 = 0x91;
/// Any other number: as it would be dialled, also a short one.
const TYPE_UNKNOWN: u8 = 0x81;
/// A name.
const TYPE_ALPHANUMERIC: u8 = 0xd0;
/// An address has at most 12 octets, two of them length and type (9.1.2.5).
const MAX_DIGITS: usize = 20;
/// So many septets fit into its ten octets.
const MAX_NAME: usize = 11;

/// What stands for the semi-octets 0 to 14; 15 is the filler.
const DIGITS: [char; 15] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'a', 'b', 'c',
];

/// A receiver as it goes into a PDU; nothing for what is no address.
///
/// Digits with `+` are international, digits without are sent as dialled, anything else of up to 11 characters of
/// the default alphabet is a name. Blanks, hyphens, dots and brackets in a number are left out.
pub(super) fn encode(address: &str) -> Option<Vec<u8>> {
    let number: String = address
        .chars()
        .filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')'))
        .collect();
    let (digits, kind) = number
        .strip_prefix('+')
        .map_or((number.as_str(), TYPE_UNKNOWN), |digits| {
            (digits, TYPE_INTERNATIONAL)
        });
    if digits
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'*' | b'#'))
    {
        return self::digits(digits, kind);
    }
    name(address.trim())
}

fn digits(digits: &str, kind: u8) -> Option<Vec<u8>> {
    if digits.is_empty() || digits.len() > MAX_DIGITS {
        return None;
    }
    let nibbles: Vec<u8> = digits
        .chars()
        .map(|c| DIGITS.iter().position(|known| *known == c))
        .map(|at| at.and_then(|at| u8::try_from(at).ok()))
        .collect::<Option<_>>()?;
    let mut octets = vec![u8::try_from(nibbles.len()).ok()?, kind];
    octets.extend(nibbles.chunks(2).map(|pair| match pair {
        [first, second] => second << 4 | first,
        [first] => 0xf0 | first,
        _ => 0xff,
    }));
    Some(octets)
}

fn name(name: &str) -> Option<Vec<u8>> {
    let mut septets = Vec::new();
    for c in name.chars() {
        septets.extend(alphabet::encode(c)?);
    }
    if septets.is_empty() || septets.len() > MAX_NAME || name.starts_with('+') {
        return None;
    }
    // The length counts semi-octets that hold something.
    let n_nibbles = (septets.len() * 7).div_ceil(4);
    let mut octets = vec![u8::try_from(n_nibbles).ok()?, TYPE_ALPHANUMERIC];
    octets.extend(septets::pack(&septets, 0));
    Some(octets)
}

/// Reads an address: `+380…`, `4444` or `Kyivstar`; nothing when the octets end before it does.
pub(super) fn decode(octets: &mut Octets<'_>) -> Option<String> {
    let n_nibbles = usize::from(octets.one()?);
    let kind = octets.one()? >> 4 & 0b111;
    let value = octets.take(n_nibbles.div_ceil(2))?;
    if kind == ALPHANUMERIC {
        let mut septets = septets::unpack(value, 0, n_nibbles * 4 / 7)?;
        // Some senders count whole octets, which makes seven spare bits look like an eighth character.
        if septets.len().is_multiple_of(8) && septets.last() == Some(&0) {
            septets.pop();
        }
        return Some(alphabet::decode(&septets).trim_end().to_owned());
    }
    let nibbles = value.iter().flat_map(|octet| [octet & 0x0f, octet >> 4]);
    let digits: String = nibbles
        .take(n_nibbles)
        .filter_map(|nibble| DIGITS.get(usize::from(nibble)))
        .collect();
    Some(if kind == INTERNATIONAL {
        format!("+{digits}")
    } else {
        digits
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for (address, read) in [
            ("+380501112233", "+380501112233"),
            ("+38 (050) 111-22-33", "+380501112233"),
            ("4444", "4444"),
            ("111", "111"),
            ("*100#", "*100#"),
            ("0501112233", "0501112233"),
            ("Kyivstar", "Kyivstar"),
            ("Vodafone UA", "Vodafone UA"),
            ("1234567890abc", "1234567890abc"),
        ] {
            let Some(octets) = encode(address) else {
                assert_eq!(address, "1234567890abc", "too long for a name");
                continue;
            };
            let mut octets = Octets(&octets);
            assert_eq!(decode(&mut octets).as_deref(), Some(read));
            assert!(octets.0.is_empty(), "{address}");
        }
    }

    #[test]
    fn known_octets() {
        let mut name = vec![14, 0xd0];
        name.extend(septets::pack(b"Lifecel", 0));
        assert_eq!(decode(&mut Octets(&name)).as_deref(), Some("Lifecel"));
        assert_eq!(encode("+4670"), Some(vec![4, 0x91, 0x64, 0x07]));
        assert_eq!(encode("123"), Some(vec![3, 0x81, 0x21, 0xf3]));
    }

    #[test]
    fn what_is_no_address() {
        for address in [
            "",
            "+",
            " ",
            "+380501112233445566778",
            "+38050x",
            "Київстар",
            "a name too long",
        ] {
            assert_eq!(encode(address), None, "{address}");
        }
    }
}
