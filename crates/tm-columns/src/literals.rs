//! Columns of anything else: one value, a list, or runs.

use std::io::Write;

/// Appends the column; at least one item.
///
/// One value repeated is that value; else `{"runs":[value,count,…]}` or `{"list":[…]}`.
pub(crate) fn write<T: PartialEq>(
    out: &mut Vec<u8>,
    items: impl Iterator<Item = T> + Clone,
    mut one: impl FnMut(&mut Vec<u8>, &T),
) {
    let (n, changes) = count(items.clone());
    if changes == 0 {
        if let Some(item) = items.clone().next() {
            one(out, &item);
        }
        return;
    }
    // A run costs its value and its count, a list the value alone.
    if (changes + 1) * 2 < n {
        runs(out, items, one);
    } else {
        list(out, items, one);
    }
}

/// Appends `{"list":[…]}`.
pub(crate) fn list<T>(
    out: &mut Vec<u8>,
    items: impl Iterator<Item = T>,
    mut one: impl FnMut(&mut Vec<u8>, &T),
) {
    out.extend_from_slice(b"{\"list\":[");
    for (i, item) in items.enumerate() {
        if i > 0 {
            out.push(b',');
        }
        one(out, &item);
    }
    out.extend_from_slice(b"]}");
}

/// Appends a text as a JSON string.
pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("a Vec takes every text");
}

fn count<T: PartialEq>(items: impl Iterator<Item = T>) -> (usize, usize) {
    let (mut n, mut changes, mut last) = (0, 0, None);
    for item in items {
        n += 1;
        if last.as_ref().is_some_and(|last| *last != item) {
            changes += 1;
        }
        last = Some(item);
    }
    (n, changes)
}

fn runs<T: PartialEq>(
    out: &mut Vec<u8>,
    items: impl Iterator<Item = T>,
    mut one: impl FnMut(&mut Vec<u8>, &T),
) {
    out.extend_from_slice(b"{\"runs\":[");
    let mut items = items.peekable();
    while let Some(item) = items.next() {
        let mut length = 1;
        while items.next_if(|next| *next == item).is_some() {
            length += 1;
        }
        one(out, &item);
        let comma = if items.peek().is_some() { "," } else { "" };
        write!(out, ",{length}{comma}").expect("a Vec takes everything");
    }
    out.extend_from_slice(b"]}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(items: &[&str], expected: &str) {
        let mut out = Vec::new();
        write(&mut out, items.iter(), |out, item| string(out, item));
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn forms() {
        check(&["ntp"], r#""ntp""#);
        check(&["ntp", "ntp"], r#""ntp""#);
        check(&["a", "b", "a"], r#"{"list":["a","b","a"]}"#);
        check(&["a", "a", "a", "b", "b"], r#"{"runs":["a",3,"b",2]}"#);
        check(&["\"", "é"], r#"{"list":["\"","é"]}"#);
    }
}
