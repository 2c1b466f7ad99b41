//! An amount of money as operators write it.

/// The amount with a decimal point and without separators: `1 234,50` is `1234.50`. Nothing for other words.
///
/// Where points and commas both occur, the last one is the decimal sign; one that occurs twice is none.
pub(super) fn read(text: &str) -> Option<String> {
    let (sign, text) = match text.trim().strip_prefix(['-', '−']) {
        Some(rest) => ("-", rest),
        None => ("", text.trim()),
    };
    // Enough for any currency, and for the spaces within.
    if text.len() > 40 {
        return None;
    }
    let is_separator = |c: char| c.is_whitespace() || matches!(c, '\'' | '’');
    let mark = text.rfind(['.', ',']).filter(|at| {
        let mark = text[*at..].chars().next();
        text.matches(['.', ','])
            .filter(|m| m.chars().next() == mark)
            .count()
            == 1
    });
    let (whole, decimals) = match mark {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let whole: String = whole
        .chars()
        .filter(|c| !is_separator(*c) && !matches!(c, '.' | ','))
        .collect();
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !are_digits(&whole) {
        return None;
    }
    match decimals {
        Some(decimals) if are_digits(decimals) => Some(format!("{sign}{whole}.{decimals}")),
        Some(_) => None,
        None => Some(format!("{sign}{whole}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_points_and_spaces() {
        let cases = [
            ("12.50", Some("12.50")),
            ("12,50", Some("12.50")),
            (" 1 234,5 ", Some("1234.5")),
            ("1\u{a0}234\u{202f}567.00", Some("1234567.00")),
            ("1'234.50", Some("1234.50")),
            ("1,234.50", Some("1234.50")),
            ("1.234,50", Some("1234.50")),
            ("1.234.567", Some("1234567")),
            ("-3,00", Some("-3.00")),
            ("0", Some("0")),
            ("12.", None),
            (",50", None),
            ("12.50 UAH", None),
            ("", None),
            ("-", None),
            ("١٢", None),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text).as_deref(), expected, "{text:?}");
        }
        assert_eq!(read(&"1".repeat(41)), None);
    }
}
