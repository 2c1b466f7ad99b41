//! Which rules a channel has: those of its name, else those of the longest beginning of it.

use std::collections::HashMap;

use tm_types::PointName;

use super::Rules;

/// Rules by the name of a channel, and by how names begin.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Book {
    named: HashMap<PointName, Rules>,
    /// The longest beginning first, each once.
    prefixed: Vec<(String, Rules)>,
}

impl Book {
    /// Rules the channel of this name; false when it had rules already, which stay.
    pub(crate) fn rule(&mut self, name: PointName, rules: Rules) -> bool {
        let is_new = !self.named.contains_key(&name);
        if is_new {
            self.named.insert(name, rules);
        }
        is_new
    }

    /// Rules every other channel whose name begins so; false when such had rules already, which stay.
    pub(crate) fn rule_prefix(&mut self, prefix: &str, rules: Rules) -> bool {
        if self.prefixed.iter().any(|(other, _)| other == prefix) {
            return false;
        }
        let longer = |(other, _): &(String, Rules)| other.len() >= prefix.len();
        let place = self.prefixed.partition_point(longer);
        self.prefixed.insert(place, (prefix.to_owned(), rules));
        true
    }

    /// The rules of a channel, if it has any.
    pub(crate) fn of(&self, name: &PointName) -> Option<&Rules> {
        let by_prefix = || {
            let mut prefixed = self.prefixed.iter();
            prefixed.find(|(prefix, _)| name.as_str().starts_with(prefix))
        };
        self.named
            .get(name)
            .or_else(|| by_prefix().map(|(_, rules)| rules))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_goes_before_the_longest_beginning() {
        let max = |max: f64| Rules {
            max: Some(max),
            ..Rules::default()
        };
        let mut book = Book::default();
        assert!(book.rule_prefix("28-", max(1.0)));
        assert!(book.rule_prefix("28-0316", max(2.0)));
        assert!(!book.rule_prefix("28-", max(9.0)), "the first one stays");
        let name = |text: &str| PointName::new(text).unwrap();
        assert!(book.rule(name("28-0316/temperature"), max(3.0)));
        assert!(!book.rule(name("28-0316/temperature"), max(9.0)));
        for (text, expected) in [
            ("28-0316/temperature", Some(3.0)),
            ("28-0316/humidity", Some(2.0)),
            ("28-0417/temperature", Some(1.0)),
            ("cpu-temperature", None),
        ] {
            let got = book.of(&name(text)).and_then(|rules| rules.max);
            assert_eq!(got, expected, "{text}");
        }
    }
}
