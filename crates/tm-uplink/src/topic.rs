//! Cloud topics: a template over device, site and class.

use std::fmt;
use std::str::FromStr;

use tm_types::Device;

/// Longest topic that MQTT can carry (MQTT 3.1.1, section 4.7.3).
const TOPIC_MAX: usize = 65_535;
/// What a template may name.
const PLACES: [&str; 3] = ["{device}", "{site}", "{class}"];

/// A topic with places for `{device}`, `{site}` and `{class}`; the class is one of
/// `data`, `state`, `event`, `alarm`, `res` and `health`, and down to the device `cmd` and `cfg`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopicTemplate(String);

/// Why a text is not a topic template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadTemplate {
    /// Empty, too long, or with `+`, `#` or a control character.
    #[error("a topic has 1 to 65535 bytes without +, # and control characters")]
    Topic,
    /// A place that is not known, or a brace without its other half.
    #[error("the places of a topic are {{device}}, {{site}} and {{class}}")]
    Place,
    /// Without `{class}` consumers could not tell measurements from events.
    #[error("a topic needs the place {{class}}")]
    NoClass,
}

impl FromStr for TopicTemplate {
    type Err = BadTemplate;

    fn from_str(text: &str) -> Result<Self, BadTemplate> {
        let is_forbidden = |c: char| matches!(c, '+' | '#') || c.is_control();
        if text.is_empty() || text.len() > TOPIC_MAX || text.contains(is_forbidden) {
            return Err(BadTemplate::Topic);
        }
        let literal = PLACES
            .iter()
            .fold(text.to_owned(), |text, place| text.replace(place, ""));
        if literal.contains(['{', '}']) {
            return Err(BadTemplate::Place);
        }
        if !text.contains("{class}") {
            return Err(BadTemplate::NoClass);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for TopicTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TopicTemplate {
    /// The topic of a class. A device without a site code stands under its id.
    ///
    /// Characters of id and site that a topic level cannot hold become `-`.
    pub fn topic(&self, device: &Device, class: &str) -> String {
        let site = device.site.as_deref().unwrap_or(&device.id);
        self.0
            .replace("{device}", &level(&device.id))
            .replace("{site}", &level(site))
            .replace("{class}", class)
    }

    /// Whether every topic tells the device's id, so that messages need not.
    pub(crate) fn names_device(&self, device: &Device) -> bool {
        self.0.contains("{device}") || device.site.is_none() && self.0.contains("{site}")
    }
}

fn level(text: &str) -> String {
    let replaced = |c: char| {
        if matches!(c, '+' | '#' | '/' | '{' | '}') || c.is_control() {
            '-'
        } else {
            c
        }
    };
    text.chars().map(replaced).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(site: Option<&str>) -> Device {
        Device {
            id: "a1b2".into(),
            site: site.map(Into::into),
            ..Device::default()
        }
    }

    #[test]
    fn places_are_filled() {
        let cases = [
            ("tm/{site}/{class}", Some("kyiv-07"), "tm/kyiv-07/data"),
            ("tm/{site}/{class}", None, "tm/a1b2/data"),
            ("{class}/{device}", Some("x"), "data/a1b2"),
            ("tm/{site}/{class}", Some("a/b+#"), "tm/a-b--/data"),
        ];
        for (template, site, expected) in cases {
            let template: TopicTemplate = template.parse().unwrap();
            assert_eq!(template.topic(&device(site), "data"), expected);
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let cases = [
            ("", BadTemplate::Topic),
            ("tm/#/{class}", BadTemplate::Topic),
            ("tm/{site}", BadTemplate::NoClass),
            ("tm/{sight}/{class}", BadTemplate::Place),
            ("tm/{site/{class}", BadTemplate::Place),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<TopicTemplate>(), Err(expected), "{text}");
        }
    }
}
