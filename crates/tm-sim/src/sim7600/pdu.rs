//! Text messages as octets (3GPP TS 23.040, 9.2), from the side of network and card. Written for the simulator alone.

use std::time::SystemTime;

use super::gsm7;

/// Octets of text in a message that is whole, and septets (23.040, 9.2.3.16).
const WHOLE: usize = 140;
const WHOLE_SEPTETS: usize = 160;
/// The same for a part, whose header takes six octets.
const PART_UNITS: usize = 67;
const PART_SEPTETS: usize = 153;

/// The service centre's address: 7 octets, international, +380500000000.
const CENTRE: [u8; 8] = [0x07, 0x91, 0x83, 0x50, 0x00, 0x00, 0x00, 0x00];

/// A message as the module is given it to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Submit {
    pub(super) to: String,
    /// Length, type and digits, as they are repeated in a report.
    address: Vec<u8>,
    pub(super) text: String,
    pub(super) wants_report: bool,
    /// Reference, number of parts, this part from 1.
    pub(super) part: Option<(u16, u8, u8)>,
}

impl Submit {
    /// A text of the text mode, in one part and without a report.
    pub(super) fn plain(to: &str, text: &str) -> Self {
        Self {
            to: to.to_owned(),
            address: sender(to),
            text: text.to_owned(),
            wants_report: false,
            part: None,
        }
    }
}

/// The length stated in `AT+CMGS` is that without the service centre; nothing when it is another, or the octets make no
/// sense.
pub(super) fn submit(octets: &[u8], stated: usize) -> Option<Submit> {
    let centre = usize::from(*octets.first()?);
    let mut rest = octets.get(1 + centre..)?;
    if rest.len() != stated {
        return None;
    }
    let mut take = |n: usize| {
        let (taken, left) = rest.split_at_checked(n)?;
        rest = left;
        Some(taken)
    };
    let &[flags, _reference] = take(2)? else {
        return None;
    };
    // SMS-SUBMIT.
    if flags & 0b11 != 0b01 {
        return None;
    }
    let &[n_digits, kind] = take(2)? else {
        return None;
    };
    let digits = take(usize::from(n_digits).div_ceil(2))?;
    let address = [&[n_digits, kind], digits].concat();
    let to = number(usize::from(n_digits), kind, digits)?;
    let &[_protocol, coding] = take(2)? else {
        return None;
    };
    take(match flags >> 3 & 0b11 {
        0b00 => 0,
        0b10 => 1,
        _ => 7,
    })?;
    let length = usize::from(*take(1)?.first()?);
    let (text, part) = user_data(rest, length, coding, flags & 0x40 != 0)?;
    Some(Submit {
        to,
        address,
        text,
        wants_report: flags & 0x20 != 0,
        part,
    })
}

type Part = Option<(u16, u8, u8)>;

fn user_data(octets: &[u8], length: usize, coding: u8, has_header: bool) -> Option<(String, Part)> {
    let header = if has_header {
        1 + usize::from(*octets.first()?)
    } else {
        0
    };
    let part = concatenation(octets.get(1..header.max(1))?);
    // General data coding (23.038, 4); message waiting and the like are not sent by anybody here.
    match coding & 0x0C {
        0x00 => {
            if octets.len() != (length * 7).div_ceil(8) {
                return None;
            }
            let skipped = (header * 8).div_ceil(7);
            let fill = skipped * 7 - header * 8;
            let n_septets = length.checked_sub(skipped)?;
            let septets = gsm7::unpack(octets.get(header..)?, fill, n_septets);
            Some((gsm7::text(&septets), part))
        }
        0x08 if octets.len() == length => {
            let text = octets.get(header..)?;
            let units: Vec<u16> = text
                .chunks(2)
                .map(|pair| u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]))
                .collect();
            Some((String::from_utf16_lossy(&units), part))
        }
        _ => None,
    }
}

/// Of the elements of a header, the one about parts (23.040, 9.2.3.24.1 and .8).
fn concatenation(mut elements: &[u8]) -> Part {
    while let [kind, length, rest @ ..] = elements {
        let (value, rest) = rest.split_at_checked(usize::from(*length))?;
        match (*kind, value) {
            (0x00, [reference, total, part]) => {
                return Some((u16::from(*reference), *total, *part));
            }
            (0x08, [high, low, total, part]) => {
                return Some((u16::from_be_bytes([*high, *low]), *total, *part));
            }
            _ => elements = rest,
        }
    }
    None
}

fn number(n_digits: usize, kind: u8, digits: &[u8]) -> Option<String> {
    let nibbles = digits.iter().flat_map(|octet| [octet & 0x0F, octet >> 4]);
    let text: Option<String> = nibbles
        .take(n_digits)
        .map(|nibble| char::from_digit(nibble.into(), 10).filter(|_| nibble < 10))
        .collect();
    let plus = if kind & 0x70 == 0x10 { "+" } else { "" };
    Some(format!("{plus}{}", text?))
}

/// A received text as it lies on the card: one octet string for each part.
pub(super) fn deliver(from: &str, text: &str, at: SystemTime, reference: u8) -> Vec<Vec<u8>> {
    let whole = units(text);
    let (coding, is_septets) = match whole {
        Units::Septets(_) => (0x00, true),
        Units::Ucs2(_) => (0x08, false),
    };
    let parts = match whole {
        Units::Septets(characters) => split(characters, WHOLE_SEPTETS, PART_SEPTETS),
        Units::Ucs2(characters) => split(characters, WHOLE / 2, PART_UNITS),
    };
    let total = u8::try_from(parts.len()).unwrap_or(u8::MAX);
    let encode = |(index, part): (usize, Vec<u16>)| {
        let header: &[u8] = if total > 1 {
            let number = u8::try_from(index + 1).unwrap_or(u8::MAX);
            &[5, 0, 3, reference, total, number]
        } else {
            &[]
        };
        let mut octets = CENTRE.to_vec();
        // SMS-DELIVER, no more messages; a header where there are parts.
        octets.push(if total > 1 { 0x44 } else { 0x04 });
        octets.extend(sender(from));
        octets.extend([0x00, coding]);
        octets.extend(timestamp(at));
        if is_septets {
            let septets: Vec<u8> = part
                .iter()
                .filter_map(|unit| u8::try_from(*unit).ok())
                .collect();
            let skipped = (header.len() * 8).div_ceil(7);
            octets.push(u8::try_from(skipped + septets.len()).unwrap_or(u8::MAX));
            octets.extend(header);
            octets.extend(gsm7::pack(&septets, skipped * 7 - header.len() * 8));
        } else {
            octets.push(u8::try_from(header.len() + part.len() * 2).unwrap_or(u8::MAX));
            octets.extend(header);
            octets.extend(part.iter().flat_map(|unit| unit.to_be_bytes()));
        }
        octets
    };
    parts.into_iter().enumerate().map(encode).collect()
}

enum Units {
    Septets(Vec<Vec<u16>>),
    Ucs2(Vec<Vec<u16>>),
}

/// The units of each character; a character is never divided between parts.
fn units(text: &str) -> Units {
    let septets: Option<Vec<Vec<u16>>> = text
        .chars()
        .map(|c| Some(gsm7::septets(c)?.into_iter().map(u16::from).collect()))
        .collect();
    septets.map_or_else(
        || {
            let encode = |c: char| c.encode_utf16(&mut [0; 2]).to_vec();
            Units::Ucs2(text.chars().map(encode).collect())
        },
        Units::Septets,
    )
}

fn split(characters: Vec<Vec<u16>>, whole: usize, part: usize) -> Vec<Vec<u16>> {
    let n_units: usize = characters.iter().map(Vec::len).sum();
    let room = if n_units <= whole { whole } else { part };
    let mut parts = vec![Vec::new()];
    for character in characters {
        match parts.last_mut() {
            Some(last) if last.len() + character.len() <= room => last.extend(character),
            _ => parts.push(character),
        }
    }
    parts
}

/// The network's word on a sent message (23.040, 9.2.2.3); `status` 0 is "received by the receiver" (9.2.3.15).
pub(super) fn status_report(sent: &Submit, reference: u8, at: SystemTime, status: u8) -> Vec<u8> {
    let mut octets = CENTRE.to_vec();
    octets.extend([0x06, reference]);
    octets.extend(&sent.address);
    octets.extend(timestamp(at));
    octets.extend(timestamp(at));
    octets.push(status);
    octets
}

/// A number, or a name in septets (23.040, 9.1.2.5).
fn sender(from: &str) -> Vec<u8> {
    let digits = from.strip_prefix('+').unwrap_or(from);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let kind = if from.starts_with('+') { 0x91 } else { 0x81 };
        let mut octets = vec![u8::try_from(digits.len()).unwrap_or(u8::MAX), kind];
        let digits: Vec<u8> = digits.bytes().map(|digit| digit - b'0').collect();
        octets.extend(
            digits
                .chunks(2)
                .map(|pair| pair.get(1).unwrap_or(&0x0F) << 4 | pair[0]),
        );
        return octets;
    }
    let septets: Vec<u8> = from
        .chars()
        .filter_map(gsm7::septets)
        .flatten()
        .take(11)
        .collect();
    let packed = gsm7::pack(&septets, 0);
    // In half octets that are used.
    let n_nibbles = (septets.len() * 7).div_ceil(4);
    let mut octets = vec![u8::try_from(n_nibbles).unwrap_or(u8::MAX), 0xD0];
    octets.extend(packed);
    octets
}

/// Two digits to an octet, the units in the high half (23.040, 9.2.3.11): local time, two hours ahead of UTC.
fn timestamp(at: SystemTime) -> Vec<u8> {
    let time = jiff::Timestamp::try_from(at).unwrap_or_default();
    let local = time.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(2)));
    let text = local.strftime("%y%m%d%H%M%S").to_string() + "08";
    let digits: Vec<u8> = text.bytes().map(|digit| digit.wrapping_sub(b'0')).collect();
    digits
        .chunks_exact(2)
        .map(|pair| pair[1] << 4 | pair[0])
        .collect()
}

/// Upper-case, as the module prints it.
pub(super) fn hex(octets: &[u8]) -> String {
    use std::fmt::Write as _;
    octets.iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02X}");
        text
    })
}

/// What a client typed; nothing when it is not hexadecimal.
pub(super) fn octets(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(
        digits
            .chunks_exact(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn noon() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_hours(498_732)
    }

    #[test]
    fn a_submit_of_the_textbooks() {
        // "hellohello" to +46708251358: the example of 23.040 texts and of dreamfabric's PDU page.
        let octets = octets("0011000B916407281553F80000AA0AE8329BFD4697D9EC37").unwrap();
        let sent = submit(&octets, octets.len() - 1).unwrap();
        assert_eq!(
            (sent.to.as_str(), sent.text.as_str()),
            ("+46708251358", "hellohello")
        );
        assert_eq!((sent.wants_report, sent.part), (false, None));
        assert_eq!(submit(&octets, octets.len()), None, "another length");
        for n in 0..octets.len() {
            assert_eq!(
                submit(&octets[..n], n.saturating_sub(1)),
                None,
                "{n} octets"
            );
        }
    }

    #[test]
    fn a_deliver_of_the_textbooks() {
        let parts = deliver("+380501234567", "hellohello", noon(), 7);
        // 2026-11-23 14:00:00 +02:00.
        let expected = "0791835000000000040C918350103254760000621132410000800AE8329BFD4697D9EC37";
        assert_eq!(
            parts.iter().map(|part| hex(part)).collect::<Vec<_>>(),
            [expected]
        );
        // Eleven characters of a name are 77 bits: 20 half octets.
        assert_eq!(sender("Vodafone UA")[..2], [20, 0xD0]);
        assert_eq!(sender("1500"), [4, 0x81, 0x51, 0x00]);
    }

    #[test]
    fn long_texts_have_parts_that_never_divide_a_character() {
        for (text, n_parts) in [
            ("a".repeat(160), 1),
            ("a".repeat(161), 2),
            // An escaped one does not fit into the place 153.
            (format!("{}€{}", "a".repeat(152), "a".repeat(20)), 2),
            ("ж".repeat(70), 1),
            ("ж".repeat(71), 2),
            (format!("{}🚪{}", "ж".repeat(66), "ж".repeat(65)), 2),
        ] {
            let parts = deliver("+1", &text, noon(), 7);
            assert_eq!(parts.len(), n_parts, "{text}");
            assert!(
                parts.iter().all(|part| part.len() <= 8 + 14 + 140),
                "{text}"
            );
        }
    }
}
