//! A command line and what its answer may look like.

use std::fmt;

/// Longest command line (SIM7500_SIM7600 AT Command Manual V3.00, 1.4.4).
const MAX_COMMAND: usize = 559;

/// A command line without its `<CR>`, together with the lines that count as its answer.
///
/// The module mixes unsolicited lines into answers, so a line is an answer only if its prefix is one that this
/// command is answered with; lines without a prefix are answers only of the few commands that print such.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    text: String,
    prefixes: Vec<String>,
    bare_lines: bool,
    /// `&V`: every line is a list of settings, also those that begin with the name of one.
    lists_settings: bool,
    prompts: bool,
}

/// Why a text is no command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// It does not begin with `AT`.
    #[error("a command begins with AT")]
    NoAttention,
    /// It contains something other than printable ASCII: a line end would be a second command.
    #[error("a command is printable ASCII")]
    NotPrintable,
    /// It is longer than the module reads.
    #[error("a command has at most {MAX_COMMAND} characters")]
    TooLong,
}

impl Command {
    /// Checks the text and derives what answers it.
    pub fn new(text: &str) -> Result<Self, CommandError> {
        if text.len() > MAX_COMMAND {
            return Err(CommandError::TooLong);
        }
        if !text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
            return Err(CommandError::NotPrintable);
        }
        if !text
            .get(..2)
            .is_some_and(|start| start.eq_ignore_ascii_case("AT"))
        {
            return Err(CommandError::NoAttention);
        }
        Ok(Self::derive(text))
    }

    /// A command written in the source; the text is known to be good.
    pub(crate) fn fixed(text: &'static str) -> Self {
        Self::derive(text)
    }

    /// A command made of a fixed text and numbers or checked characters: it is good and short.
    pub(crate) fn built(text: &str) -> Self {
        Self::derive(text)
    }

    /// The command line as it is sent, without `<CR>`. May hold a PIN or password: never log it, log [`fmt::Display`].
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Also takes lines that begin with `prefix` (such as `+ICCID`) as answers.
    #[must_use]
    pub fn answered_by(mut self, prefix: &str) -> Self {
        self.prefixes.push(prefix.to_owned());
        self
    }

    /// Whether the module asks for a payload with `> ` (`AT+CMGS`, `AT+CMGW`).
    pub fn prompts(&self) -> bool {
        self.prompts
    }

    /// Whether `line` is part of this command's answer.
    pub(super) fn is_answer(&self, line: &str) -> bool {
        if self.lists_settings && line.contains(';') {
            return true;
        }
        let Some((prefix, rest)) = split_prefix(line) else {
            return self.bare_lines && !is_bare_urc(line);
        };
        if self
            .prefixes
            .iter()
            .any(|own| own.eq_ignore_ascii_case(prefix))
        {
            return !looks_unsolicited(prefix, rest);
        }
        false
    }

    /// Whether `line` is the echo of this command; noise may stand before it.
    pub(super) fn is_echo(&self, line: &str) -> bool {
        line.len() >= self.text.len()
            && line
                .get(line.len() - self.text.len()..)
                .is_some_and(|end| end.eq_ignore_ascii_case(&self.text))
    }

    /// Whether a call's end is the final result of this command.
    pub(super) fn is_call(&self) -> bool {
        matches!(
            self.text.as_bytes().get(2),
            Some(b'D' | b'A' | b'O' | b'd' | b'a' | b'o')
        )
    }

    fn derive(text: &str) -> Self {
        let mut command = Self {
            text: text.to_owned(),
            prefixes: Vec::new(),
            bare_lines: false,
            lists_settings: false,
            prompts: false,
        };
        for segment in text.get(2..).unwrap_or_default().split(';') {
            command.expect_segment(segment.trim());
        }
        command
    }

    fn expect_segment(&mut self, segment: &str) {
        let name_end = segment.find(['=', '?']).unwrap_or(segment.len());
        let (name, form) = segment.split_at(name_end);
        let name = name.trim().to_ascii_uppercase();
        let sets = form.starts_with('=') && !form.starts_with("=?");
        match name.as_str() {
            "I" | "+SIMCOMATI" => {
                self.bare_lines = true;
                self.prefixes.push("+GCAP".to_owned());
            }
            "+CGMI" | "+CGMM" | "+CGSN" | "+CIMI" | "+GMI" | "+GMM" | "+GSN" => {
                self.bare_lines = true;
            }
            "&V" => {
                self.bare_lines = true;
                self.lists_settings = true;
            }
            "+CICCID" => self.prefixes.push("+ICCID".to_owned()),
            "+CMGS" | "+CMGW" => {
                self.prompts = true;
                self.prefixes.push(name);
            }
            // Message texts stand on lines of their own. CGMR is prefixed on this family and bare on others
            // (seen on LE20B04SIM7600G22: `+CGMR: …`).
            "+CMGL" | "+CMGR" | "+CGMR" => {
                self.bare_lines = true;
                self.prefixes.push(name);
            }
            _ if sets && !ANSWERING_SETS.contains(&name.as_str()) => {}
            _ if name.starts_with(['+', '^', '*', '$']) => self.prefixes.push(name),
            _ => {}
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let upper = self.text.to_ascii_uppercase();
        let secret = SECRET_SETS
            .iter()
            .filter_map(|name| upper.find(name).map(|at| at + name.len()))
            .min();
        match secret.and_then(|end| self.text.get(..end)) {
            Some(public) => write!(f, "{public}***"),
            None => f.write_str(&self.text),
        }
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command({self})")
    }
}

/// Commands that are answered with lines although they set or name something.
const ANSWERING_SETS: &[&str] = &[
    "+CGPADDR",
    "+CGCONTRDP",
    "+CRSM",
    "+CSIM",
    "+CPMS",
    "+CLCK",
    "+CDNSGIP",
    "+CUSBPIDSWITCH",
    "+CCHO",
];

/// Everything behind these is a secret.
const SECRET_SETS: &[&str] = &[
    "+CPIN=", "+CPWD=", "+CLCK=", "+CGAUTH=", "+CPIN2=",
    // A code may be a voucher's, or hold a password.
    "+CUSD=1,",
];

/// Unsolicited lines without a prefix (manual V3.00, 1.4, 19.2 and 7; seen in boot and voice logs).
const BARE_URCS: &[&str] = &[
    "RDY",
    "SMS DONE",
    "PB DONE",
    "START",
    "RING",
    "NO CARRIER",
    "VOICE CALL",
    "MISSED_CALL",
    "UNDER-VOLTAGE",
    "OVER-VOLTAGE",
    "Autobaud",
    "NORMAL POWER DOWN",
    "RECV FROM",
];

fn is_bare_urc(line: &str) -> bool {
    BARE_URCS.iter().any(|urc| line.starts_with(urc))
}

/// `+CSQ: 21,99` to (`+CSQ`, `21,99`); nothing for a line without such a prefix.
fn split_prefix(line: &str) -> Option<(&str, &str)> {
    if !line.starts_with(['+', '^', '*', '$']) {
        return None;
    }
    let (prefix, rest) = line.split_once(':').unwrap_or((line, ""));
    Some((prefix, rest.trim()))
}

/// Lines with the prefix of a running question that are no answer to it.
///
/// The answer to `AT+CREG?` is `n,stat` or `n,stat,lac,ci[,act]`; the unsolicited line lacks the `n`, so it has one or
/// three fields, or something that is no state in second place.
fn looks_unsolicited(prefix: &str, rest: &str) -> bool {
    let fields: Vec<&str> = rest.split(',').map(str::trim).collect();
    match prefix.to_ascii_uppercase().as_str() {
        _ if rest.starts_with('(') => false,
        "+CREG" | "+CGREG" | "+CEREG" => {
            let state = fields
                .get(1)
                .is_some_and(|f| f.len() <= 2 && f.bytes().all(|b| b.is_ascii_digit()));
            !state || fields.len() == 3
        }
        "+CNSMOD" | "+CGPS" => fields.len() == 1,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(command: &str, line: &str, is_answer: bool) {
        assert_eq!(
            Command::new(command).unwrap().is_answer(line),
            is_answer,
            "{command} / {line}"
        );
    }

    #[test]
    fn only_matching_lines_are_answers() {
        check("AT+CSQ", "+CSQ: 21,99", true);
        check("at+csq", "+CSQ: 21,99", true);
        check("AT+CSQ", "+CMTI: \"SM\",7", false);
        check("AT+CSQ", "RDY", false);
        check("AT+CICCID", "+ICCID: 8938", true);
        check("AT+CGSN", "860000000000001", true);
        check("AT+CGSN", "RDY", false);
        check("AT+CGSN", "+CREG: 1", false);
        check("ATI", "Model: SIMCOM_SIM7600G-H", true);
        check("ATI", "+GCAP: +CGSM", true);
        check("ATI", "PB DONE", false);
        check("AT+CGMR;+ICCID", "+ICCID: 8938", true);
        check("AT+CGPS=0", "+CGPS: 0", false);
        check("AT+CGPS?", "+CGPS: 0", false);
        check("AT+CGPS?", "+CGPS: 1,1", true);
        check("AT+CGPADDR=1", "+CGPADDR: 1,10.0.0.1", true);
        check("AT+CUSD=1,\"*101#\",15", "+CUSD: 0,\"x\",15", false);
    }

    #[test]
    fn registration_answers_are_told_from_unsolicited_ones() {
        for (line, is_answer) in [
            ("+CEREG: 0,1", true),
            ("+CEREG: 2,1,4D07,BF2E917,7", true),
            ("+CEREG: 2,1,\"4D07\",\"BF2E917\",7", true),
            ("+CEREG: (0-2)", true),
            ("+CEREG: 1", false),
            ("+CEREG: 1,\"4D07\",\"BF2E917\"", false),
            ("+CEREG: 1,4D07,BF2E917", false),
            ("+CEREG: 1,\"4D07\",\"BF2E917\",7", false),
            ("+CREG: 0,1", false),
        ] {
            check("AT+CEREG?", line, is_answer);
        }
    }

    #[test]
    fn bad_texts_are_refused() {
        for (text, error) in [
            ("", CommandError::NoAttention),
            ("+CSQ", CommandError::NoAttention),
            ("AT\rAT+CFUN=0", CommandError::NotPrintable),
            ("AT+X=\u{201d}", CommandError::NotPrintable),
        ] {
            assert_eq!(Command::new(text), Err(error), "{text}");
        }
        assert_eq!(
            Command::new(&format!("AT{}", "X".repeat(558))),
            Err(CommandError::TooLong)
        );
    }

    #[test]
    fn a_pin_is_never_shown() {
        for (text, shown) in [
            ("AT+CPIN=1234", "AT+CPIN=***"),
            ("at+cpin=\"0042\"", "at+cpin=***"),
            ("AT+CGAUTH=1,1,\"secret\",\"user\"", "AT+CGAUTH=***"),
            ("AT+CSQ;+CPIN=0042", "AT+CSQ;+CPIN=***"),
            ("AT+CPIN?", "AT+CPIN?"),
        ] {
            let command = Command::new(text).unwrap();
            assert_eq!(command.to_string(), shown);
            assert!(!format!("{command:?}").contains("42"));
        }
    }
}
