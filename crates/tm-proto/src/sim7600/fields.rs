//! Fields of an answer line: commas outside quotes, quotes removed.

/// The fields behind `prefix:` in `line`; nothing when the line begins otherwise.
pub(super) fn after<'a>(line: &'a str, prefix: &str) -> Option<Vec<&'a str>> {
    let rest = line.strip_prefix(prefix)?.strip_prefix(':')?;
    Some(split(rest.trim()))
}

/// The fields of the last line with this prefix. With an unsolicited line of the same look in front of the answer,
/// the last one is the answer, and it is the newer one in any case.
pub(super) fn last<'a>(lines: &'a [String], prefix: &str) -> Option<Vec<&'a str>> {
    lines.iter().rev().find_map(|line| after(line, prefix))
}

/// Splits at commas outside quotes; blanks around a field and its quotes are removed.
pub(super) fn split(text: &str) -> Vec<&str> {
    let mut quoted = false;
    text.split(move |c: char| {
        if c == '"' {
            quoted = !quoted;
        }
        c == ',' && !quoted
    })
    .map(|field| field.trim().trim_matches('"'))
    .collect()
}

/// A hexadecimal field, with or without `0x` (the manual prints `0x`, `0X` and neither).
pub(super) fn hex(field: &str) -> Option<u32> {
    let digits = field
        .strip_prefix("0x")
        .or_else(|| field.strip_prefix("0X"))
        .unwrap_or(field);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain
        .then(|| u32::from_str_radix(digits, 16).ok())
        .flatten()
}

/// A decimal number field; nothing for NaN, infinities and exponents.
pub(super) fn decimal(field: &str) -> Option<f64> {
    let plain = field
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+'));
    plain.then(|| field.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_quotes_are_text() {
        let table: [(&str, &[&str]); 4] = [
            (r#"1,"IP","a,b",0"#, &["1", "IP", "a,b", "0"]),
            ("", &[""]),
            (r#" 1 , "x" "#, &["1", "x"]),
            (r#""open, end"#, &["open, end"]),
        ];
        for (text, fields) in table {
            assert_eq!(split(text), fields, "{text}");
        }
    }

    #[test]
    fn numbers_are_plain() {
        assert_eq!(hex("0X775c"), Some(0x775c));
        for text in ["", "0x", "+5", "xyz", "123456789"] {
            assert_eq!(hex(text), None, "{text}");
        }
        for text in ["", "NaN", "inf", "1e3", "-", "1.2.3"] {
            assert_eq!(decimal(text), None, "{text}");
        }
        assert_eq!(decimal("-0.5"), Some(-0.5));
    }
}
