//! The format: GLib's key files, as NetworkManager reads them.
//!
//! `[group]`, `key=value`, `#` comments; the last of repeated keys counts. A value loses the white
//! space before it, and `\s \n \t \r \\` in it stand for the characters that could not be written.

use std::fmt::Write;

use thiserror::Error;

/// A key file in the order of its lines.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Keyfile {
    /// Group headings and settings.
    pub(super) lines: Vec<Line>,
}

/// A line that says something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Line {
    /// Counted from 1.
    pub(super) number: usize,
    /// The group it opens or stands in.
    pub(super) group: String,
    /// Key and value; a group's heading has none.
    pub(super) setting: Option<(String, String)>,
}

/// Why a text is no key file. The text itself is not told: a secret may stand in it.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("line {line}: {fault}")]
pub(super) struct KeyfileError {
    /// Counted from 1.
    pub(super) line: usize,
    /// What is wrong with it.
    pub(super) fault: Fault,
}

/// What is wrong with a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub(super) enum Fault {
    /// Windows editors write it.
    #[error("the file begins with a byte order mark; save it as UTF-8 without one")]
    ByteOrderMark,
    /// Neither UTF-8 nor text.
    #[error("it is not UTF-8 text")]
    NotText,
    /// Neither `[group]`, `key=value` nor `# comment`.
    #[error("it is neither [group], key=value nor # comment")]
    NoLine,
    /// A semicolon is a comment elsewhere, not here.
    #[error("a comment begins with #, not with ;")]
    Semicolon,
    /// `[` without `]`, or nothing between them.
    #[error("the group's name is not closed by ], or empty")]
    Group,
    /// A setting before the first group.
    #[error("a setting stands before the first [group]")]
    Homeless,
    /// Nothing before the equals sign.
    #[error("the name before = is missing")]
    NoKey,
    /// GLib cannot read this value.
    #[error("a backslash is followed by something other than s, n, t, r or another backslash")]
    Escape,
    /// A control character within a value.
    #[error("it has a control character in it")]
    Control,
}

impl Keyfile {
    /// Reads a key file.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, KeyfileError> {
        if bytes.starts_with(b"\xef\xbb\xbf") {
            return Err(Fault::ByteOrderMark.at(1));
        }
        let mut keyfile = Self::default();
        let mut group = None;
        for (index, bytes) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let number = index + 1;
            let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
            let text = std::str::from_utf8(bytes).map_err(|_| Fault::NotText.at(number))?;
            let text = text.trim_start_matches([' ', '\t']);
            let setting = if text.trim_end().is_empty() || text.starts_with('#') {
                continue;
            } else if text.chars().any(|c| c.is_control() && c != '\t') {
                return Err(Fault::Control.at(number));
            } else if let Some(rest) = text.strip_prefix('[') {
                group = Some(group_name(rest).ok_or(Fault::Group.at(number))?);
                None
            } else if text.starts_with(';') {
                return Err(Fault::Semicolon.at(number));
            } else {
                Some(key_and_value(text).map_err(|fault| fault.at(number))?)
            };
            let group = group.clone().ok_or(Fault::Homeless.at(number))?;
            keyfile.lines.push(Line {
                number,
                group,
                setting,
            });
        }
        Ok(keyfile)
    }

    /// The value in force, and its line.
    pub(super) fn get(&self, group: &str, key: &str) -> Option<(usize, &str)> {
        let mut settings = self.lines.iter().rev().filter(|line| line.group == group);
        settings.find_map(|line| match &line.setting {
            Some((name, value)) if name == key => Some((line.number, value.as_str())),
            _ => None,
        })
    }
}

impl Fault {
    fn at(self, line: usize) -> KeyfileError {
        KeyfileError { line, fault: self }
    }
}

fn group_name(rest: &str) -> Option<String> {
    let name = rest.trim_end().strip_suffix(']')?;
    (!name.is_empty() && !name.contains(['[', ']'])).then(|| name.to_owned())
}

fn key_and_value(text: &str) -> Result<(String, String), Fault> {
    let (key, value) = text.split_once('=').ok_or(Fault::NoLine)?;
    let key = key.trim_end();
    if key.is_empty() {
        return Err(Fault::NoKey);
    }
    Ok((
        key.to_owned(),
        unescape(value.trim_start_matches([' ', '\t']))?,
    ))
}

fn unescape(text: &str) -> Result<String, Fault> {
    let mut value = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        value.push(match c {
            '\\' => match characters.next() {
                Some('s') => ' ',
                Some('n') => '\n',
                Some('t') => '\t',
                Some('r') => '\r',
                Some('\\') => '\\',
                _ => return Err(Fault::Escape),
            },
            usual => usual,
        });
    }
    Ok(value)
}

/// Adds `key=value` so that GLib reads the same value again.
pub(super) fn add(text: &mut String, key: &str, value: &str) {
    let inner = value.trim_matches(' ');
    let before = value.len() - value.trim_start_matches(' ').len();
    // A value of nothing but spaces has no inner part and is all "before".
    let after = value.len() - before - inner.len();
    let inner = inner
        .replace('\\', r"\\")
        .replace('\n', r"\n")
        .replace('\t', r"\t")
        .replace('\r', r"\r");
    let (before, after) = (r"\s".repeat(before), r"\s".repeat(after));
    writeln!(text, "{key}={before}{inner}{after}").expect("a String takes everything");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive() {
        for value in [
            "staticip",
            "0042",
            " led by a space",
            "followed by two  ",
            "   ",
            "",
            r"back\slash\",
            r"\s is no space",
            "a;b#c=d [e]",
            "tab\tnewline\nreturn\r",
            "пароль",
        ] {
            let mut text = "[gsm]\n".to_owned();
            add(&mut text, "password", value);
            assert_eq!(text.lines().count(), 2, "{value:?} became {text:?}");
            let keyfile = Keyfile::parse(text.as_bytes()).unwrap();
            assert_eq!(keyfile.get("gsm", "password"), Some((2, value)), "{text:?}");
        }
    }

    #[test]
    fn what_glib_overlooks_is_overlooked() {
        let text =
            "  # a comment\r\n\r\n\t[gsm]  \r\n apn =  a \r\n[ipv4]\nmethod=auto\n[gsm]\napn=b";
        let keyfile = Keyfile::parse(text.as_bytes()).unwrap();
        assert_eq!(keyfile.lines.len(), 6);
        assert_eq!(keyfile.get("gsm", "apn"), Some((8, "b")));
        assert_eq!(keyfile.get("ipv4", "method"), Some((6, "auto")));
        assert_eq!(keyfile.get("ipv4", "apn"), None);
        let first = keyfile.lines[1].setting.clone();
        assert_eq!(first, Some(("apn".to_owned(), "a ".to_owned())));
    }

    #[test]
    fn garbage_is_told_with_its_line() {
        for (text, line, fault) in [
            (&b"\xef\xbb\xbf[gsm]"[..], 1, Fault::ByteOrderMark),
            (b"[gsm]\napn=\xff", 2, Fault::NotText),
            (b"garbage", 1, Fault::NoLine),
            (b"\n\n[gsm]\nsecret 1234", 4, Fault::NoLine),
            (b"; a comment", 1, Fault::Semicolon),
            (b"[gsm", 1, Fault::Group),
            (b"[]", 1, Fault::Group),
            (b"[gsm] x", 1, Fault::Group),
            (b"apn=a", 1, Fault::Homeless),
            (b"[gsm]\n=a", 2, Fault::NoKey),
            (b"[gsm]\npassword=a\\", 2, Fault::Escape),
            (b"[gsm]\npassword=a\\;b", 2, Fault::Escape),
            (b"[gsm]\napn=a\0b", 2, Fault::Control),
            (b"PK\x03\x04\n", 1, Fault::Control),
        ] {
            let error = Keyfile::parse(text).unwrap_err();
            assert_eq!(error, fault.at(line), "{text:?}");
            assert!(!error.to_string().contains("1234"));
        }
    }
}
