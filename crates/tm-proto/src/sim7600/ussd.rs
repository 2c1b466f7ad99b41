//! The network's answers to service codes: `+CUSD: <m>[,"<str>"[,<dcs>]]` (manual, 4.2.6; 3GPP TS 27.007, 7.15).
//!
//! What `<str>` is depends on firmware, `<dcs>` and `AT+CSCS`: text as it is read, UTF-16 in hexadecimal digits, or
//! packed septets in hexadecimal digits. The rules, in this order:
//!
//! 1. No hexadecimal digits in pairs, or fewer than four: it is text.
//! 2. `<dcs>` says UCS2 (72; 17 with a language before it): it is UTF-16.
//! 3. Every four digits are a Latin, Cyrillic or typographic character: it is UTF-16 all the same (`AT+CSCS="UCS2"`).
//!    Digits alone are read so only where every character would be ASCII.
//! 4. It has letters among its digits, and the septets are all printable: it is packed septets.
//! 5. Else it is text, such as a number.
//!
//! UNVERIFIED on a SIM7600: no real dialogue was found.

use super::fields;
use crate::sms::{alphabet, from_hex, septets};

/// Fewer digits than this are text: no answer of a network is so short.
const MIN_PACKED_DIGITS: usize = 8;

/// An answer to a service code, or a word of the network's own.
#[derive(Clone, PartialEq, Eq)]
pub struct Ussd {
    /// What follows from it.
    pub status: UssdStatus,
    /// The network's words, where it says some.
    pub text: Option<String>,
}

impl std::fmt::Debug for Ussd {
    /// Without the text: balances and codes are nobody's business in a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ussd")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// What follows from an answer (`<m>`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UssdStatus {
    /// 0: the session is over.
    Done,
    /// 1: the network waits for a choice; `AT+CUSD=2` ends the session.
    Menu,
    /// 2: the network ended the session.
    Ended,
    /// 3: another client of the module has answered.
    AnsweredElsewhere,
    /// 4: the network or the card does not know it.
    NotSupported,
    /// 5: the network did not answer in time.
    Timeout,
}

impl UssdStatus {
    fn from_code(code: &str) -> Option<Self> {
        Some(match code {
            "0" => Self::Done,
            "1" => Self::Menu,
            "2" => Self::Ended,
            "3" => Self::AnsweredElsewhere,
            "4" => Self::NotSupported,
            "5" => Self::Timeout,
            _ => return None,
        })
    }
}

impl Ussd {
    /// Reads a `+CUSD: …` line, which may be several lines of text joined by line feeds.
    pub fn parse(line: &str) -> Option<Self> {
        let rest = line.strip_prefix("+CUSD:")?.trim();
        let (code, rest) = rest.split_once(',').unwrap_or((rest, ""));
        let status = UssdStatus::from_code(code.trim())?;
        let (printed, scheme) = words(rest.trim());
        let text = Some(text(printed, scheme)).filter(|text| !text.is_empty());
        Some(Self { status, text })
    }
}

/// The words and the scheme behind them. Quotes inside the words are not escaped, so the last one ends them.
fn words(rest: &str) -> (&str, Option<u8>) {
    let Some(open) = rest.strip_prefix('"') else {
        // Seen on siblings: no quotes at all.
        let fields = fields::split(rest);
        let scheme = fields.get(1).and_then(|field| field.parse().ok());
        return (rest.split(',').next().unwrap_or_default(), scheme);
    };
    let Some((words, behind)) = open.rsplit_once('"') else {
        return (open, None);
    };
    let scheme = behind.trim().trim_start_matches(',').trim();
    (words, scheme.parse().ok())
}

/// What the printed words say.
fn text(printed: &str, scheme: Option<u8>) -> String {
    let plain = || printed.trim().to_owned();
    let Some(octets) = from_hex(printed).filter(|octets| octets.len() >= 2) else {
        return plain();
    };
    let has_letters = printed.bytes().any(|byte| byte.is_ascii_alphabetic());
    if let Some(text) = scheme.filter(|scheme| is_ucs2(*scheme)).and_then(|scheme| {
        let octets = without_language(&octets, scheme);
        utf16(octets)
    }) {
        return text.trim().to_owned();
    }
    let expected = if has_letters { is_expected } else { is_ascii };
    if let Some(text) = utf16(&octets).filter(|text| text.chars().all(expected)) {
        return text.trim().to_owned();
    }
    if has_letters && printed.len() >= MIN_PACKED_DIGITS {
        let packed = unpacked(&octets);
        if packed
            .chars()
            .all(|c| !c.is_control() || matches!(c, '\n' | '\r'))
        {
            return packed.trim().to_owned();
        }
    }
    plain()
}

/// UCS2 by the coding scheme of broadcasts and service codes (3GPP TS 23.038, 5): 0x11 behind a language, groups
/// 01xx and 1001 by their alphabet bits.
fn is_ucs2(scheme: u8) -> bool {
    scheme == 0x11 || (matches!(scheme >> 4, 0b0100..=0b0111 | 0b1001) && scheme & 0b1100 == 0b1000)
}

/// With scheme 0x11 two septets in two octets name the language first, such as `uk`.
fn without_language(octets: &[u8], scheme: u8) -> &[u8] {
    let names_language = scheme == 0x11
        && octets
            .get(..2)
            .and_then(|language| septets::unpack(language, 0, 2))
            .is_some_and(|language| language.iter().all(u8::is_ascii_lowercase));
    octets
        .get(if names_language { 2 } else { 0 }..)
        .unwrap_or_default()
}

fn utf16(octets: &[u8]) -> Option<String> {
    let (units, rest) = octets.as_chunks::<2>();
    let units: Vec<u16> = units.iter().map(|unit| u16::from_be_bytes(*unit)).collect();
    (rest.is_empty() && !units.is_empty()).then(|| String::from_utf16_lossy(&units))
}

/// Packed septets without a count: seven spare bits hold a carriage return rather than a commercial at
/// (3GPP TS 23.038, 6.1.2.3.1).
fn unpacked(octets: &[u8]) -> String {
    let count = octets.len() * 8 / 7;
    let mut septets = septets::unpack(octets, 0, count).unwrap_or_default();
    if count.is_multiple_of(8) && matches!(septets.last(), Some(b'\r' | 0)) {
        septets.pop();
    }
    alphabet::decode(&septets)
}

fn is_ascii(c: char) -> bool {
    matches!(c, ' '..='~' | '\n' | '\r')
}

/// Latin, Cyrillic, punctuation, currencies and the numero sign.
fn is_expected(c: char) -> bool {
    is_ascii(c)
        || matches!(c, '\u{a0}'..='\u{17f}' | '\u{400}'..='\u{4ff}' | '\u{2010}'..='\u{203a}' | '\u{20a0}'..='\u{20bf}' | '\u{2116}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, status: UssdStatus, text: Option<&str>) {
        let read = Ussd::parse(line).unwrap();
        assert_eq!(
            (read.status, read.text.as_deref()),
            (status, text),
            "{line}"
        );
    }

    #[test]
    fn the_words_in_every_writing() {
        use UssdStatus::{AnsweredElsewhere, Done, Ended, Menu, NotSupported, Timeout};
        check("+CUSD: 2", Ended, None);
        check("+CUSD: 3", AnsweredElsewhere, None);
        check("+CUSD: 4", NotSupported, None);
        check("+CUSD: 5", Timeout, None);
        check("+CUSD:0,\"\",15", Done, None);
        check(
            "+CUSD: 0,\"Balans 12.50 UAH\",15",
            Done,
            Some("Balans 12.50 UAH"),
        );
        check(
            "+CUSD: 0,\"Tariff \"Super\", 5\",15",
            Done,
            Some("Tariff \"Super\", 5"),
        );
        check(
            "+CUSD: 1,\"1. Balans\n2. Tarif\",15",
            Menu,
            Some("1. Balans\n2. Tarif"),
        );
        check("+CUSD: 1,\"open end", Menu, Some("open end"));
        check("+CUSD: 0,04110430,72", Done, Some("Ба"));
        check(
            "+CUSD: 0,\"04110430043B0430043D0441\",72",
            Done,
            Some("Баланс"),
        );
        // "uk" in septets, then UTF-16.
        check("+CUSD: 0,\"F53504110430\",17", Done, Some("Ба"));
        // AT+CSCS="UCS2" prints everything so.
        check("+CUSD: 0,\"04110430043B\",15", Done, Some("Бал"));
        check("+CUSD: 0,\"00310032\",15", Done, Some("12"));
        // Packed septets: "hellohello", and "Balance" with a carriage return in its spare bits.
        check(
            "+CUSD: 0,\"E8329BFD4697D9EC37\",15",
            Done,
            Some("hellohello"),
        );
        check("+CUSD: 0,\"C2303BEC1E971B\",15", Done, Some("Balance"));
        // Numbers, words of a few such letters, and scheme 72 with words.
        check("+CUSD: 0,\"380501112233\",15", Done, Some("380501112233"));
        check("+CUSD: 0,\"12345678\",15", Done, Some("12345678"));
        check("+CUSD: 0,\"FACE\",15", Done, Some("FACE"));
        check("+CUSD: 0,\"Balans\",72", Done, Some("Balans"));
    }

    #[test]
    fn what_is_no_answer() {
        for line in ["", "+CUSD:", "+CUSD: 7", "+CUSD: x,\"a\",15", "+CUSDX: 0"] {
            assert_eq!(Ussd::parse(line), None, "{line}");
        }
    }
}
