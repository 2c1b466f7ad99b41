//! Text to messages: SMS-SUBMIT (3GPP TS 23.040, 9.2.2.2), in parts where it is longer than one.

use super::{address, alphabet, header::Part, octets, septets};

/// Most messages that one text is sent as.
pub const MAX_PARTS: usize = 10;

/// Septets of a message, and of a part behind its header of six octets and one fill bit (9.2.3.24.1).
const SEPTETS: Room = Room {
    alone: 160,
    part: 153,
};
/// UTF-16 units of a message, and of a part behind its header of six octets.
const UNITS: Room = Room {
    alone: 70,
    part: 67,
};
/// How long the service centre tries: `(169 - 166)` days (9.2.3.12.1). An alarm older than that alarms nobody.
const VALIDITY: u8 = 169;

/// SMS-SUBMIT with a relative validity period (9.2.3.1 and 9.2.3.3).
const FIRST_OCTET: u8 = 0x11;
/// Ask for a status report (9.2.3.5).
const WANTS_REPORT: u8 = 0x20;
/// A user data header is there (9.2.3.23).
const HAS_HEADER: u8 = 0x40;

struct Room {
    alone: usize,
    part: usize,
}

/// One message to send.
#[derive(Clone, PartialEq, Eq)]
pub struct Submit {
    /// What to write at the prompt, before Ctrl-Z: the service centre left to the SIM, and the unit, hexadecimal.
    pub pdu_hex: String,
    /// The octets of the unit without the service centre: the number for `AT+CMGS=`.
    pub tpdu_length: usize,
}

impl std::fmt::Debug for Submit {
    /// Without the text: a message is nobody's business in a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Submit({} octets)", self.tpdu_length)
    }
}

/// Why a text is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The receiver is neither a number of up to 20 digits nor a name of up to 11 characters.
    #[error("the receiver is no number")]
    Address,
    /// The text needs more than [`MAX_PARTS`] messages.
    #[error("the text needs {n_parts} messages and at most {MAX_PARTS} are sent")]
    TooLong {
        /// How many it needs.
        n_parts: usize,
    },
}

/// The messages that say `text` to `to`, in order.
///
/// The GSM alphabet is used when it has every character, UTF-16 otherwise. No pair of an escape and its character and
/// no surrogate pair is cut. `reference` numbers the texts of one sender: count it up with every text, so that the
/// receiver does not join parts of two. With `wants_report` every message is reported on, each under the reference
/// that `+CMGS` gives it.
pub fn submit(
    to: &str,
    text: &str,
    wants_report: bool,
    reference: u8,
) -> Result<Vec<Submit>, SubmitError> {
    let address = address::encode(to).ok_or(SubmitError::Address)?;
    let flags = if wants_report { WANTS_REPORT } else { 0 };
    let bodies = bodies(text);
    if bodies.len() > MAX_PARTS {
        return Err(SubmitError::TooLong {
            n_parts: bodies.len(),
        });
    }
    let total = u8::try_from(bodies.len()).unwrap_or(1);
    let messages = bodies.iter().zip(1_u8..).map(|(body, number)| {
        let part = (total > 1).then_some(Part {
            reference: reference.into(),
            total,
            number,
        });
        body.message(&address, flags, part)
    });
    Ok(messages.collect())
}

/// What one message carries.
enum Body {
    Septets(Vec<u8>),
    Units(Vec<u16>),
}

impl Body {
    fn message(&self, address: &[u8], flags: u8, part: Option<Part>) -> Submit {
        let header: Vec<u8> = part.map_or_else(Vec::new, |part| part.header().to_vec());
        let header_flag = if part.is_some() { HAS_HEADER } else { 0 };
        let (scheme, length, data) = match self {
            Self::Septets(text) => {
                // The length counts septets, the header and its fill bits among them.
                let n_header = (header.len() * 8).div_ceil(7);
                let fill = n_header * 7 - header.len() * 8;
                (0x00, n_header + text.len(), septets::pack(text, fill))
            }
            Self::Units(text) => {
                let data: Vec<u8> = text.iter().flat_map(|unit| unit.to_be_bytes()).collect();
                (0x08, header.len() + data.len(), data)
            }
        };
        // Message reference 0: the module counts itself.
        let mut unit = vec![FIRST_OCTET | flags | header_flag, 0x00];
        unit.extend(address);
        unit.extend([0x00, scheme, VALIDITY, u8::try_from(length).unwrap_or(0)]);
        unit.extend(header);
        unit.extend(data);
        Submit {
            pdu_hex: format!("00{}", octets::to_hex(&unit)),
            tpdu_length: unit.len(),
        }
    }
}

fn bodies(text: &str) -> Vec<Body> {
    let septets: Option<Vec<&[u8]>> = text.chars().map(alphabet::encode).collect();
    if let Some(characters) = septets {
        return split(characters.into_iter(), &SEPTETS)
            .into_iter()
            .map(Body::Septets)
            .collect();
    }
    let characters: Vec<Vec<u16>> = text
        .chars()
        .map(|c| c.encode_utf16(&mut [0; 2]).to_vec())
        .collect();
    split(characters.iter().map(Vec::as_slice), &UNITS)
        .into_iter()
        .map(Body::Units)
        .collect()
}

/// Fills messages with whole characters: one if all fit, else parts.
fn split<'a, T: Copy + 'a>(
    characters: impl Iterator<Item = &'a [T]> + Clone,
    room: &Room,
) -> Vec<Vec<T>> {
    let total: usize = characters.clone().map(<[T]>::len).sum();
    let room = if total <= room.alone {
        room.alone
    } else {
        room.part
    };
    let mut bodies = vec![Vec::new()];
    for character in characters {
        match bodies.last_mut() {
            Some(body) if body.len() + character.len() <= room => body.extend(character),
            _ => bodies.push(character.to_vec()),
        }
    }
    bodies
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(text: &str) -> Vec<usize> {
        let messages = submit("+380501112233", text, false, 7).unwrap();
        messages.iter().map(|message| message.tpdu_length).collect()
    }

    #[test]
    fn one_known_message() {
        let [message] = &submit("+46708251358", "hellohello", true, 0).unwrap()[..] else {
            panic!("one message")
        };
        assert_eq!(
            message.pdu_hex,
            "0031000B916407281553F80000A90AE8329BFD4697D9EC37"
        );
        assert_eq!(message.tpdu_length, 23);
        assert_eq!(format!("{message:?}"), "Submit(23 octets)");
    }

    #[test]
    fn lengths_at_the_borders() {
        // 14 octets stand before the user data.
        for (text, expected) in [
            (String::new(), vec![14]),
            ("a".repeat(160), vec![154]),
            ("a".repeat(161), vec![154, 14 + 6 + 8]),
            ("a".repeat(306), vec![154, 154]),
            ("€".repeat(80), vec![154]),
            ("ї".repeat(70), vec![154]),
            ("ї".repeat(71), vec![154, 14 + 6 + 8]),
            ("ї".repeat(134), vec![154, 154]),
        ] {
            assert_eq!(lengths(&text), expected, "{text}");
        }
    }

    #[test]
    fn pairs_stay_together() {
        // The 153rd septet would be the escape, the 67th unit the first half of the emoji.
        let text = format!("{}€{}", "a".repeat(152), "a".repeat(8));
        // 152 septets with a header take 140 octets less the one that 153 would begin.
        assert_eq!(lengths(&text), [14 + 6 + 134, 14 + 6 + 9]);
        let text = format!("{}😀{}", "ї".repeat(66), "ї".repeat(10));
        assert_eq!(lengths(&text), [14 + 6 + 132, 14 + 6 + 24]);
    }

    #[test]
    fn what_is_not_sent() {
        let error = |to: &str, text: &str| submit(to, text, false, 0).unwrap_err();
        assert_eq!(error("", "x"), SubmitError::Address);
        let eleven = SubmitError::TooLong { n_parts: 11 };
        assert_eq!(error("1", &"a".repeat(1531)), eleven);
        assert_eq!(error("1", &"ї".repeat(671)), eleven);
        assert_eq!(submit("1", &"a".repeat(1530), false, 0).unwrap().len(), 10);
        assert_eq!(submit("1", &"ї".repeat(670), false, 0).unwrap().len(), 10);
    }
}
