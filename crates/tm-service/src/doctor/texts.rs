//! The doctor's own words in three languages: `texts/{en,uk,ru}.toml`.

use std::collections::HashMap;
use std::sync::OnceLock;

use tm_types::Cause;
use tm_types::text::{Language, fill, sentence as sentence_of_code};

type Table = HashMap<String, HashMap<String, String>>;

fn table(language: Language) -> &'static Table {
    static TABLES: [OnceLock<Table>; 3] = [const { OnceLock::new() }; 3];
    let (cell, file) = match language {
        Language::En => (&TABLES[0], include_str!("texts/en.toml")),
        Language::Uk => (&TABLES[1], include_str!("texts/uk.toml")),
        Language::Ru => (&TABLES[2], include_str!("texts/ru.toml")),
    };
    cell.get_or_init(|| toml::from_str(file).expect("our own tables are read by a test"))
}

fn find(language: Language, group: &str, key: &str) -> Option<&'static str> {
    table(language).get(group)?.get(key).map(String::as_str)
}

/// A word: a check's name, or a status.
pub(super) fn word(language: Language, key: &str) -> &str {
    find(language, "word", key).unwrap_or(key)
}

/// The sentence of a cause, of the doctor's or of anybody's.
pub(super) fn sentence(language: Language, cause: &Cause) -> String {
    let own = cause.code.strip_prefix("doctor.");
    match own.and_then(|name| find(language, "doctor", name)) {
        Some(template) => fill(template, cause),
        None => sentence_of_code(language, cause),
    }
}

/// What to do about it, where there is more to say than the sentence does.
pub(super) fn remedy(language: Language, cause: &Cause) -> Option<&'static str> {
    find(language, "remedy", &cause.code)
}

/// The language of a tag such as `uk` or `uk_UA.UTF-8`.
pub(super) fn language(tag: &str) -> Option<Language> {
    match tag.split(['_', '-', '.']).next()? {
        "en" => Some(Language::En),
        "uk" => Some(Language::Uk),
        "ru" => Some(Language::Ru),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use tm_types::code;

    use super::*;
    use crate::doctor::CHECKS;

    fn arguments(template: &str) -> BTreeSet<&str> {
        let parts = template.split('{').skip(1);
        parts
            .filter_map(|part| part.split_once('}'))
            .map(|it| it.0)
            .collect()
    }

    fn entries(language: Language) -> BTreeMap<(&'static str, &'static str), &'static str> {
        let groups = table(language).iter();
        groups
            .flat_map(|(group, texts)| {
                let texts = texts.iter();
                texts.map(move |(key, text)| ((group.as_str(), key.as_str()), text.as_str()))
            })
            .collect()
    }

    #[test]
    fn every_language_has_every_text_with_the_same_arguments() {
        let english = entries(Language::En);
        for language in Language::ALL {
            let own = entries(language);
            let keys = |entries: &BTreeMap<_, _>| entries.keys().copied().collect::<Vec<_>>();
            assert_eq!(keys(&own), keys(&english), "{language:?}");
            for (key, text) in own {
                assert_eq!(
                    arguments(text),
                    arguments(english[&key]),
                    "{language:?} {key:?}"
                );
            }
        }
    }

    #[test]
    fn checks_statuses_and_the_causes_in_the_code_have_words() {
        for name in CHECKS {
            assert!(find(Language::En, "word", name).is_some(), "{name}");
        }
        // Every `own("…")` in the doctor's files, and nothing that no file names.
        let sources = [
            include_str!("bus.rs"),
            include_str!("clock.rs"),
            include_str!("configuration.rs"),
            include_str!("disk.rs"),
            include_str!("manager.rs"),
            include_str!("modem.rs"),
            include_str!("network.rs"),
            include_str!("power.rs"),
            include_str!("serial.rs"),
            include_str!("usb.rs"),
        ]
        .concat();
        for (group, key) in entries(Language::En).keys() {
            match *group {
                "doctor" => assert!(sources.contains(&format!("\"{key}\"")), "{key} is unused"),
                "remedy" => {
                    let own = key.strip_prefix("doctor.");
                    let is_known = match own {
                        Some(name) => find(Language::En, "doctor", name).is_some(),
                        None => code::ALL.iter().any(|code| code.as_str() == *key),
                    };
                    assert!(is_known, "{key} is no code");
                }
                _ => {}
            }
        }
        for part in sources.split("own(\"").skip(1) {
            let name = part.split('"').next().unwrap_or_default();
            assert!(
                find(Language::En, "doctor", name).is_some(),
                "{name} has no text"
            );
        }
    }

    #[test]
    fn tags_are_read() {
        for (tag, expected) in [
            ("uk_UA.UTF-8", Some(Language::Uk)),
            ("ru", Some(Language::Ru)),
            ("en-GB", Some(Language::En)),
            ("C.UTF-8", None),
            ("", None),
        ] {
            assert_eq!(language(tag), expected, "{tag}");
        }
    }
}
