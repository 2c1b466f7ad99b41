//! Why the network refused: a way to data (3GPP TS 24.008, 10.5.6.6; TS 24.301, 9.9.4.4), or the card as such
//! (TS 24.008, 10.5.3.6; TS 24.301, 9.9.3.9).

use crate::at::Reply;

/// A refusal that names the access point or the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalCause {
    /// Cause 27: missing or unknown access point.
    UnknownAccessPoint,
    /// Cause 33: the contract does not cover it.
    NotSubscribed,
}

impl RefusalCause {
    /// Reads the answer to `AT+CEER`: the reason of the last refusal in words, which firmwares choose freely.
    ///
    /// A number alone says nothing: 27 is another thing for a telephone call.
    pub fn from_reply(reply: &Reply) -> Option<Self> {
        let lines = reply.ok().ok()?;
        let text = lines
            .iter()
            .rev()
            .find_map(|line| line.strip_prefix("+CEER:"))?;
        Self::from_text(text)
    }

    fn from_text(text: &str) -> Option<Self> {
        let text = text.to_ascii_uppercase();
        let words: Vec<&str> = text
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty())
            .collect();
        let has = |wanted: &str| words.contains(&wanted);
        let follow = |wanted: &[&str]| words.windows(wanted.len()).any(|part| part == wanted);
        let is_of_session = ["SM", "ESM", "PDP", "PDN"].iter().any(|word| has(word));
        let is_numbered = |number: &str| {
            (is_of_session && has(number))
                || has(&format!("SM{number}"))
                || has(&format!("ESM{number}"))
        };
        let names_access_point = has("APN") || follow(&["ACCESS", "POINT"]);
        if (has("UNKNOWN") && names_access_point) || is_numbered("27") {
            Some(Self::UnknownAccessPoint)
        } else if follow(&["NOT", "SUBSCRIBED"]) || is_numbered("33") {
            Some(Self::NotSubscribed)
        } else {
            None
        }
    }
}

/// Reads the answer to `AT+CEER`: the module's own words for the last refusal; absent where it has none.
pub fn last_error(lines: &[String]) -> Option<String> {
    let text = lines
        .iter()
        .rev()
        .find_map(|line| line.strip_prefix("+CEER:"))?
        .trim()
        .trim_matches('"')
        .trim();
    let says_nothing = ["", "0", "NO CAUSE INFORMATION AVAILABLE"]
        .iter()
        .any(|nothing| text.eq_ignore_ascii_case(nothing));
    (!says_nothing).then(|| text.to_owned())
}

/// The words for a number that a network refuses registration with, such as the fifth field of `+CEREG` on siblings
/// and ModemManager's; nothing for a reserved one.
pub fn registration_refusal(cause: u8) -> Option<&'static str> {
    Some(match cause {
        2 => "the subscriber is unknown",
        3 => "illegal card",
        5 => "the equipment's identity is not accepted",
        6 => "illegal equipment",
        7 => "data services not allowed",
        8 => "neither calls nor data allowed",
        9 => "the identity cannot be derived by the network",
        10 => "implicitly detached",
        11 => "network not allowed",
        12 => "area not allowed",
        13 => "roaming not allowed in this area",
        14 => "data services not allowed in this network",
        15 => "no suitable cells in this area",
        16 => "the switching centre cannot be reached",
        17 => "network failure",
        18 => "calls not available",
        19 => "the session was refused",
        20 => "authentication failure",
        21 => "synchronisation failure",
        22 => "congestion",
        25 => "not authorised for this closed group",
        35 => "the requested service is not authorised here",
        40 => "no bearer is active",
        42 => "severe network failure",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_modules_words() {
        for (line, expected) in [
            (
                "+CEER: ESM cause: Missing or unknown APN",
                Some("ESM cause: Missing or unknown APN"),
            ),
            (
                "+CEER: \"SM_CAUSE_UNKNOWN_APN\"",
                Some("SM_CAUSE_UNKNOWN_APN"),
            ),
            ("+CEER: No cause information available", None),
            ("+CEER:", None),
            ("+CEERX: 1", None),
        ] {
            let lines = [line.to_owned()];
            assert_eq!(last_error(&lines).as_deref(), expected, "{line}");
        }
        assert_eq!(registration_refusal(11), Some("network not allowed"));
        assert_eq!(registration_refusal(1), None);
    }

    #[test]
    fn words_of_many_firmwares() {
        use RefusalCause::{NotSubscribed, UnknownAccessPoint};
        let table = [
            (
                " ESM cause: Missing or unknown APN",
                Some(UnknownAccessPoint),
            ),
            (" \"Missing or unknown APN\"", Some(UnknownAccessPoint)),
            (" SM_CAUSE_UNKNOWN_APN", Some(UnknownAccessPoint)),
            (" Unknown access point name", Some(UnknownAccessPoint)),
            // u-blox writes so, with 34.
            (
                " Deactivate Cause: SM27 (Missing or unknown APN)",
                Some(UnknownAccessPoint),
            ),
            (" ESM #27", Some(UnknownAccessPoint)),
            (" PDP reject, cause 33", Some(NotSubscribed)),
            (
                " Requested service option not subscribed",
                Some(NotSubscribed),
            ),
            (" No cause information available", None),
            (" 27", None),
            (" 0,0,5,27,destination out of order", None),
            (" \"0 Unknown\"", None),
            (" EMM_CAUSE_ESM_FAILURE", None),
            (" ESM cause 26 (insufficient resources)", None),
            ("", None),
            (" \u{fffd}", None),
        ];
        for (text, expected) in table {
            assert_eq!(RefusalCause::from_text(text), expected, "{text:?}");
        }
    }
}
