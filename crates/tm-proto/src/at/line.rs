//! Cuts the byte stream of an AT port into lines, with a bound.

/// Longest line kept. `AT+COPS=?` prints every operator on one line, about 60 bytes each, and an SMS in
/// PDU mode is at most 352 digits; 4 KiB holds both with room.
pub(super) const MAX_LINE: usize = 4096;

/// Collects bytes until a line ends.
#[derive(Debug, Default)]
pub(super) struct Lines {
    buffer: Vec<u8>,
    /// The present line is already too long: what comes until its end is thrown away.
    skipping: bool,
}

/// What one byte completed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing yet.
    More,
    /// A line that is not blank, without the line end and without noise in front.
    Line(String),
    /// A line longer than [`MAX_LINE`] ended and was dropped.
    Overflow,
}

impl Lines {
    pub(super) fn push(&mut self, byte: u8) -> Step {
        if byte == b'\r' || byte == b'\n' {
            let line = std::mem::take(&mut self.buffer);
            if std::mem::take(&mut self.skipping) {
                return Step::Overflow;
            }
            return clean(&line).map_or(Step::More, Step::Line);
        }
        if self.skipping {
            return Step::More;
        }
        if self.buffer.len() == MAX_LINE {
            self.skipping = true;
            self.buffer = Vec::new();
            return Step::More;
        }
        self.buffer.push(byte);
        Step::More
    }

    /// Whether the unfinished line is the prompt `> `, which no line end follows; noise may stand before it.
    pub(super) fn at_prompt(&self) -> bool {
        let noise = self.buffer.strip_suffix(b"> ");
        noise.is_some_and(|noise| !noise.iter().any(u8::is_ascii_graphic))
    }

    /// Forgets the unfinished line.
    pub(super) fn clear(&mut self) {
        self.buffer.clear();
        self.skipping = false;
    }
}

/// Bytes that no AT answer begins with are line noise: they are cut off so that the answer behind them is found.
fn clean(line: &[u8]) -> Option<String> {
    let start = line.iter().position(u8::is_ascii_graphic)?;
    let text = String::from_utf8_lossy(line.get(start..)?);
    let text = text.trim_end_matches(|c: char| c.is_whitespace() || c.is_control());
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Vec<Step> {
        let mut lines = Lines::default();
        bytes
            .iter()
            .map(|byte| lines.push(*byte))
            .filter(|step| *step != Step::More)
            .collect()
    }

    #[test]
    fn blank_lines_and_noise_vanish() {
        assert_eq!(lines(b"\r\n \r\n\x00\r\r\n"), []);
        assert_eq!(lines(b"\xff\x00\x80OK \r\n"), [Step::Line("OK".to_owned())]);
        assert_eq!(lines(b"a\xffb\r"), [Step::Line("a\u{fffd}b".to_owned())]);
    }

    #[test]
    fn a_line_too_long_is_dropped_and_the_next_one_kept() {
        let mut bytes = vec![b'x'; MAX_LINE + 1];
        bytes.extend(b"\r\nOK\r\n");
        assert_eq!(lines(&bytes), [Step::Overflow, Step::Line("OK".to_owned())]);
        let mut bytes = vec![b'x'; MAX_LINE];
        bytes.push(b'\r');
        assert!(matches!(lines(&bytes).as_slice(), [Step::Line(line)] if line.len() == MAX_LINE));
    }
}
