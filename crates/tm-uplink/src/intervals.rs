//! How often the points of a series go out at least: `gnss/*=60; sensors/cpu-temperature=300`.

use std::str::FromStr;

/// The longest interval: a day.
const SECONDS_MAX: u32 = 86_400;

/// Intervals by patterns over `source/series`; the first one that fits counts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Intervals(Vec<Rule>);

#[derive(Clone, PartialEq, Eq, Debug)]
struct Rule {
    pattern: String,
    seconds: u32,
}

impl Intervals {
    /// The interval of a series in milliseconds; nothing where all its points go out.
    pub(crate) fn of(&self, source: &str, name: &str) -> Option<u64> {
        let series = [source, "/", name].concat();
        let mut rules = self.0.iter();
        let rule = rules.find(|rule| fits(rule.pattern.as_bytes(), series.as_bytes()))?;
        Some(u64::from(rule.seconds) * 1000)
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for Intervals {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let rules = text.split(';').map(str::trim);
        rules
            .filter(|rule| !rule.is_empty())
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl FromStr for Rule {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (pattern, seconds) = text.split_once('=').ok_or(())?;
        let (pattern, seconds) = (pattern.trim(), seconds.trim());
        let is_pattern = pattern.contains(['/', '*']) && !pattern.contains(char::is_whitespace);
        let seconds = seconds.parse().map_err(|_| ())?;
        let is_rule = is_pattern && (1..=SECONDS_MAX).contains(&seconds);
        let pattern = pattern.to_owned();
        is_rule.then_some(Self { pattern, seconds }).ok_or(())
    }
}

/// Whether a text fits a pattern in which `*` stands for any characters, or none.
fn fits(mut pattern: &[u8], mut text: &[u8]) -> bool {
    // Where to go on when the last star has to take one character more.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern.split_first(), text.split_first()) {
            (Some((b'*', rest)), _) => {
                retry = Some((rest, text));
                pattern = rest;
            }
            (Some((one, rest)), Some((other, further))) if one == other => {
                (pattern, text) = (rest, further);
            }
            (None, None) => return true,
            _ => {
                let Some((after_star, [_, further @ ..])) = retry else {
                    return false;
                };
                retry = Some((after_star, further));
                (pattern, text) = (after_star, further);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_pattern_that_fits_counts() {
        let intervals: Intervals = "gnss/*=60; sensors/cpu-temperature = 300;*/*/rsrp=10;;*=7"
            .parse()
            .unwrap();
        for (source, name, seconds) in [
            ("gnss", "altitude", 60),
            ("gnss", "sky/used", 60),
            ("sensors", "cpu-temperature", 300),
            ("sensors", "cpu-temperature-2", 7),
            ("modem", "a/rsrp", 10),
            ("modem", "a/b/rsrp", 10),
            ("modem", "rsrp", 7),
        ] {
            let interval = intervals.of(source, name);
            assert_eq!(interval, Some(seconds * 1000), "{source}/{name}");
        }
        let some: Intervals = "gnss/*=60".parse().unwrap();
        assert_eq!(some.of("gnssx", "altitude"), None);
        assert!("".parse::<Intervals>().unwrap().is_empty());
    }

    #[test]
    fn what_is_no_interval_is_refused() {
        for text in [
            "gnss/*",
            "gnss/*=",
            "gnss/*=0",
            "gnss/*=86401",
            "gnss/*=60s",
            "gnss/*=60, sensors/*=60",
            "=60",
            "gnss=60",
            "gnss /x=60",
        ] {
            assert_eq!(text.parse::<Intervals>(), Err(()), "{text}");
        }
    }

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*b", "ab", true),
            ("a*b", "aabab", true),
            ("a*b", "aba", false),
            ("*a*b*c", "xaybzcc", true),
            ("**a", "bba", true),
            ("a", "ab", false),
            ("ab", "a", false),
        ] {
            assert_eq!(
                fits(pattern.as_bytes(), text.as_bytes()),
                expected,
                "{pattern} {text}"
            );
        }
    }
}
