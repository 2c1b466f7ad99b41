//! Unsolicited lines that go on in the next line: a PDU behind its header, words in quotes with line ends in them.
//!
//! ```text
//! +CDS: 25<CR><LF>07914477…<CR><LF>                     the report itself (3GPP TS 27.005, 3.4.1)
//! +CUSD: 1,"1. Balans<CR><LF>2. Tarif",15<CR><LF>       a menu
//! ```

/// Most lines of one answer to a service code; a network sends at most 182 characters.
const MAX_LINES: usize = 32;
/// Most bytes of one answer: so many characters in hexadecimal digits are 728.
const MAX_LENGTH: usize = 2048;

/// Prefixes of header lines that a PDU follows.
const PDU_HEADERS: [&str; 2] = ["+CDS:", "+CMT:"];

/// An unsolicited line that is not finished.
#[derive(Debug)]
pub(super) struct Unfinished {
    text: String,
    n_lines: usize,
}

/// What a further line makes of it.
#[derive(Debug)]
pub(super) enum Joined {
    /// It goes on.
    More(Unfinished),
    /// The line finished it.
    Whole(String),
    /// The line is another one: both for themselves.
    Foreign(String),
}

impl Unfinished {
    /// Takes `line` when more must follow; gives it back when it is whole.
    pub(super) fn begin(line: String) -> Result<Self, String> {
        let goes_on = is_pdu_header(&line) || is_open_words(&line);
        if goes_on {
            Ok(Self {
                text: line,
                n_lines: 1,
            })
        } else {
            Err(line)
        }
    }

    /// Looks at the next line; `ends_answer` when it is a final result.
    pub(super) fn go_on(mut self, line: &str, ends_answer: bool) -> Joined {
        let wants_pdu = is_pdu_header(&self.text);
        let is_foreign = if wants_pdu {
            !line.len().is_multiple_of(2) || !line.bytes().all(|byte| byte.is_ascii_hexdigit())
        } else {
            ends_answer
                || begins_another(line)
                || self.n_lines >= MAX_LINES
                || self.text.len() + line.len() > MAX_LENGTH
        };
        if is_foreign {
            return Joined::Foreign(self.text);
        }
        self.text.push('\n');
        self.text.push_str(line);
        self.n_lines += 1;
        if wants_pdu || !is_open_words(&self.text) {
            Joined::Whole(self.text)
        } else {
            Joined::More(self)
        }
    }
}

/// `+CDS: 25` or `+CMT: ,25`: in PDU mode the last field is a length, and nothing else follows.
fn is_pdu_header(text: &str) -> bool {
    let is_header = PDU_HEADERS.iter().any(|prefix| text.starts_with(prefix));
    let length = text.rsplit([',', ':']).next().unwrap_or_default().trim();
    is_header && !text.contains('\n') && length.parse::<u16>().is_ok()
}

/// A line that no menu has: the closing quote was lost on the line.
fn begins_another(line: &str) -> bool {
    let is_prefixed = line
        .strip_prefix('+')
        .and_then(|rest| rest.split_once(':'))
        .is_some_and(|(name, _)| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase())
        });
    is_prefixed || matches!(line, "RDY" | "SMS DONE" | "PB DONE")
}

/// `+CUSD: 1,"…` without the closing quote, which may have `,<dcs>` behind it.
fn is_open_words(text: &str) -> bool {
    let Some(words) = text
        .strip_prefix("+CUSD:")
        .and_then(|rest| rest.split_once(','))
        .and_then(|(_, words)| words.trim_start().strip_prefix('"'))
    else {
        return false;
    };
    let before_scheme = words
        .trim_end()
        .trim_end_matches(|c: char| c.is_ascii_digit())
        .trim_end();
    // Without a scheme the last quote may belong to the words: then the closing one is yet to come.
    let n_quotes = words.matches('"').count();
    let is_closed = (words.trim_end().ends_with('"') && n_quotes % 2 == 1)
        || before_scheme
            .strip_suffix(',')
            .is_some_and(|words| words.trim_end().ends_with('"'));
    !is_closed
}
