//! Sentences for codes, in English, Ukrainian and Russian: `text/{en,uk,ru}.toml`.

use std::collections::HashMap;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::Cause;

/// A language of the pages and sentences.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Ukrainian.
    Uk,
    /// Russian.
    Ru,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 3] = [Self::En, Self::Uk, Self::Ru];

    /// The first of our languages in an `Accept-Language` header, English if there is none.
    ///
    /// Browsers list by preference, so order stands for the weights.
    pub fn of_accept_language(header: &str) -> Self {
        let mut tags = header
            .split(',')
            .map(|tag| tag.trim().split([';', '-']).next().unwrap_or(""));
        tags.find_map(|tag| match tag {
            "en" => Some(Self::En),
            "uk" => Some(Self::Uk),
            "ru" => Some(Self::Ru),
            _ => None,
        })
        .unwrap_or_default()
    }

    fn table(self) -> &'static HashMap<String, HashMap<String, String>> {
        static TABLES: [OnceLock<HashMap<String, HashMap<String, String>>>; 3] =
            [const { OnceLock::new() }; 3];
        let (cell, file) = match self {
            Self::En => (&TABLES[0], include_str!("text/en.toml")),
            Self::Uk => (&TABLES[1], include_str!("text/uk.toml")),
            Self::Ru => (&TABLES[2], include_str!("text/ru.toml")),
        };
        cell.get_or_init(|| toml::from_str(file).expect("our own tables are read by a test"))
    }
}

/// The sentence for a cause; the bare code where a newer service sent one we have no text for.
pub fn sentence(language: Language, cause: &Cause) -> String {
    let template = cause
        .code
        .split_once('.')
        .and_then(|(group, name)| language.table().get(group)?.get(name));
    match template {
        Some(template) => fill(template, cause),
        None => cause.code.clone(),
    }
}

/// Puts the arguments of `cause` into each `{name}` of `template`; one that is missing shows as `?`.
pub fn fill(template: &str, cause: &Cause) -> String {
    let mut out = String::with_capacity(template.len() + 16);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((name, tail)) = after.split_once('}') else {
            break;
        };
        out.push_str(cause.args.get(name).map_or("?", String::as_str));
        rest = tail;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::code;

    fn arguments(template: &str) -> BTreeSet<&str> {
        template
            .split('{')
            .skip(1)
            .filter_map(|part| part.split_once('}'))
            .map(|(n, _)| n)
            .collect()
    }

    #[test]
    fn every_code_has_a_sentence_in_every_language() {
        let known: BTreeSet<&str> = code::ALL.iter().map(|code| code.as_str()).collect();
        let english = Language::En.table();
        for language in Language::ALL {
            let table = language.table();
            let listed: BTreeSet<String> = table
                .iter()
                .flat_map(|(group, names)| names.keys().map(move |name| format!("{group}.{name}")))
                .collect();
            let listed_refs: BTreeSet<&str> = listed.iter().map(String::as_str).collect();
            assert_eq!(listed_refs, known, "{language:?}");
            for (group, names) in table {
                for (name, template) in names {
                    let expected = arguments(&english[group][name]);
                    assert_eq!(arguments(template), expected, "{language:?} {group}.{name}");
                }
            }
        }
    }

    #[test]
    fn sentences_are_filled() {
        let cause = code::CONFIG_UNKNOWN_VARIABLE
            .with("name", "TM_MODEM_PROT")
            .and("nearest", "TM_MODEM_PORT");
        let text = sentence(Language::En, &cause);
        assert!(
            text.contains("TM_MODEM_PROT") && text.contains("TM_MODEM_PORT"),
            "{text}"
        );
        let future = Cause {
            code: "modem.eaten_by_goat".into(),
            args: std::collections::BTreeMap::new(),
        };
        assert_eq!(sentence(Language::Uk, &future), "modem.eaten_by_goat");
        assert!(sentence(Language::En, &code::CONFIG_UNKNOWN_VARIABLE.plain()).contains('?'));
    }

    #[test]
    fn the_browser_chooses() {
        for (header, expected) in [
            ("uk-UA,uk;q=0.9,en;q=0.8", Language::Uk),
            ("de-DE,ru;q=0.7", Language::Ru),
            ("fr", Language::En),
            ("", Language::En),
        ] {
            assert_eq!(Language::of_accept_language(header), expected, "{header}");
        }
    }
}
