//! What each line of a keyfile does on a cabinet, for a person. No secret is repeated.

use std::fmt::Write;

use anyhow::Result;

use super::judge::{Verdict, judge};
use super::keyfile::{Keyfile, Line};

/// Names that are shown without their values.
const SECRETS: [&str; 3] = ["password", "pin", "username"];

/// What each line of a keyfile does: one line of text each, and what to do at the end.
///
/// # Errors
/// When the text cannot be made.
pub(super) fn explain(keyfile: &Keyfile) -> Result<String> {
    let mut text = String::new();
    let mut faults = 0;
    for line in &keyfile.lines {
        let Some((key, value)) = &line.setting else {
            writeln!(text, "{:>4}  [{}]", line.number, line.group)?;
            continue;
        };
        let (verdict, sentence) = if is_in_force(keyfile, line) {
            judge(keyfile, &line.group, key, value)
        } else {
            (Verdict::Harmless, "repeated below; the last one counts")
        };
        faults += usize::from(verdict == Verdict::Fault);
        let shown = match value.as_str() {
            "" => "",
            _ if SECRETS.contains(&key.as_str()) => "…",
            value => value,
        };
        let setting = format!("{key}={shown}");
        writeln!(
            text,
            "{:>4}  {setting:<28}  {verdict:<8}  {sentence}",
            line.number
        )?;
    }
    for (group, key, advice) in [
        (
            "gsm",
            "home-only",
            "gsm.home-only is not there: foreign networks are used too, at their price; the recommended profile says home-only=true unless --roaming is given",
        ),
        (
            "ipv4",
            "route-metric",
            "ipv4.route-metric is not there: the recommended profile says 700, so that a cable or Wi-Fi is preferred whenever one is connected",
        ),
    ] {
        if keyfile.get(group, key).is_none() {
            writeln!(text, "      {advice}.")?;
        }
    }
    if faults > 0 {
        let (lines, verb) = if faults == 1 {
            ("line", "keeps")
        } else {
            ("lines", "keep")
        };
        writeln!(
            text,
            "      {faults} {lines} marked FAULT {verb} this connection from coming up; use the recommended profile."
        )?;
    }
    Ok(text)
}

fn is_in_force(keyfile: &Keyfile, line: &Line) -> bool {
    let setting = line.setting.as_ref();
    setting.is_some_and(|(key, _)| {
        keyfile
            .get(&line.group, key)
            .is_some_and(|(number, _)| number == line.number)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_repeated() {
        let text = "[gsm]\npin=1357\nusername=somebody\npassword=hush-hush\npassword=hush-again";
        let told = explain(&Keyfile::parse(text.as_bytes()).unwrap()).unwrap();
        for secret in ["1357", "somebody", "hush"] {
            assert!(!told.contains(secret), "{told}");
        }
        assert!(told.contains("   4  password=…"), "{told}");
        assert!(told.contains("the last one counts"), "{told}");
    }
}
