//! Calm lines of at most a hundred columns: when, what kind, what.

use std::io::Write;

use anyhow::{Context, Result};
use tm_service::Clock;

/// The widest line.
const WIDTH: usize = 100;
/// Where the text of a line of the timeline begins: behind `14:03:20  happens   `.
const TEXT_AT: usize = 20;

/// Prints the lines of a story.
pub(super) struct Lines<'a> {
    out: &'a mut dyn Write,
    is_coloured: bool,
}

impl<'a> Lines<'a> {
    pub(super) fn new(out: &'a mut dyn Write, is_coloured: bool) -> Self {
        Self { out, is_coloured }
    }

    /// Something at this moment.
    pub(super) fn now(&mut self, kind: &str, text: &str) -> Result<()> {
        let time = Clock::system().stamp().time.to_string();
        // 2026-11-22T10:15:30.250Z
        let clock = time.get(11..19).unwrap_or("");
        self.print(&format!("{clock}  {kind:<8}"), TEXT_AT, text)
    }

    /// A line of the summary, `name` before it.
    pub(super) fn item(&mut self, name: &str, text: &str) -> Result<()> {
        self.print(&format!("  {name:<10}"), 14, text)
    }

    /// A paragraph.
    pub(super) fn text(&mut self, text: &str) -> Result<()> {
        self.print("", 0, text)
    }

    /// A level as a word, in its colour where there are colours.
    pub(super) fn level(&self, level: &str) -> String {
        let word = format!("{level:<5}");
        let colour = match level {
            "ok" => 32,
            "amber" => 33,
            "red" => 31,
            _ => 90,
        };
        if self.is_coloured {
            format!("\x1b[{colour}m{word}\x1b[0m")
        } else {
            word
        }
    }

    fn print(&mut self, head: &str, indent: usize, text: &str) -> Result<()> {
        let mut lines = String::new();
        for (n, line) in wrapped(text, WIDTH - indent).into_iter().enumerate() {
            let head = if n == 0 { head } else { "" };
            let line = format!("{head:<indent$}{line}");
            lines.push_str(line.trim_end());
            lines.push('\n');
        }
        self.out
            .write_all(lines.as_bytes())
            .and_then(|()| self.out.flush())
            .context("print")
    }
}

/// The text in lines of at most `width` visible characters; a longer word stands alone.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ') {
        let length = visible(word);
        if used > 0 && used + 1 + length > width {
            lines.push(String::new());
            used = 0;
        }
        let line = lines.last_mut().expect("there is always one");
        // Two spaces in a row divide columns, and stay.
        if used > 0 || (word.is_empty() && !line.is_empty()) {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += length;
    }
    lines
}

/// Characters that take a place: all but colours.
fn visible(word: &str) -> usize {
    let mut count = 0;
    let mut is_colour = false;
    for character in word.chars() {
        match character {
            '\x1b' => is_colour = true,
            'm' if is_colour => is_colour = false,
            _ if !is_colour => count += 1,
            _ => {}
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(is_coloured: bool, print: impl FnOnce(&mut Lines<'_>)) -> String {
        let mut out = Vec::new();
        print(&mut Lines::new(&mut out, is_coloured));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn long_lines_are_wrapped_under_their_text() {
        let text = printed(false, |lines| {
            lines.now("says", &"word ".repeat(40)).unwrap();
        });
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines[0][8..].starts_with("  says      word word"), "{text}");
        let (indent, second) = lines[1].split_at(TEXT_AT);
        assert!(
            indent.trim().is_empty() && second.starts_with("word"),
            "{text}"
        );
        assert!(lines.iter().all(|line| line.len() <= WIDTH), "{text}");
    }

    #[test]
    fn a_word_that_is_too_long_is_not_cut() {
        assert_eq!(wrapped("a bbbbbb c", 4), ["a", "bbbbbb", "c"]);
        assert_eq!(wrapped("", 4), [""]);
        assert_eq!(wrapped("red    x", 20), ["red    x"]);
    }

    #[test]
    fn colours_only_where_they_are_wanted() {
        for is_coloured in [false, true] {
            let text = printed(is_coloured, |lines| {
                let level = lines.level("red");
                lines.text(&level).unwrap();
            });
            assert_eq!(text.contains('\x1b'), is_coloured, "{text:?}");
        }
        assert_eq!(visible("\x1b[31mred\x1b[0m"), 3);
    }
}
