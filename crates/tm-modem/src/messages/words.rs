//! The commands, in the words of three languages.

use tm_types::text::Language;

/// What may be asked for by text message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Command {
    /// How the cabinet is.
    Status,
    /// Where it is.
    Position,
    /// Restart the module.
    ResetModem,
    /// Restart the machine.
    Reboot,
}

/// The first of a command and a language is its name in an answer. `статус` is a word of two languages; this
/// product's home speaks the first.
const WORDS: [(Command, Language, &[&str]); 12] = [
    (Command::Status, Language::En, &["status"]),
    (Command::Status, Language::Uk, &["стан", "статус"]),
    (Command::Status, Language::Ru, &["состояние"]),
    (Command::Position, Language::En, &["position", "location"]),
    (
        Command::Position,
        Language::Uk,
        &["позиція", "координати", "місце"],
    ),
    (
        Command::Position,
        Language::Ru,
        &["позиция", "координаты", "место"],
    ),
    (Command::ResetModem, Language::En, &["reset modem"]),
    (
        Command::ResetModem,
        Language::Uk,
        &["скинути модем", "перезапустити модем"],
    ),
    (
        Command::ResetModem,
        Language::Ru,
        &["сбросить модем", "перезапустить модем"],
    ),
    (Command::Reboot, Language::En, &["reboot"]),
    (
        Command::Reboot,
        Language::Uk,
        &["перезавантажити", "перезавантаження"],
    ),
    (
        Command::Reboot,
        Language::Ru,
        &["перезагрузить", "перезагрузка"],
    ),
];

impl Command {
    /// Reads a command in any language, in capitals or not, however it is spaced and whether or not a full stop
    /// was typed behind it.
    pub(super) fn read(text: &str) -> Option<(Self, Language)> {
        // Longer than any command: not worth lowering.
        if text.len() > 200 {
            return None;
        }
        let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
        let text = words.join(" ");
        let text = text.trim_end_matches(['.', '!']).trim_end();
        WORDS
            .iter()
            .find(|(.., words)| words.contains(&text))
            .map(|(command, language, _)| (*command, *language))
    }

    /// Its name in that language.
    pub(super) fn name(self, language: Language) -> &'static str {
        WORDS
            .iter()
            .find(|(command, of, _)| (*command, *of) == (self, language))
            .and_then(|(.., words)| words.first().copied())
            .unwrap_or("?")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_people_type_them() {
        let cases = [
            ("status", Some((Command::Status, Language::En))),
            (
                " Reset   MODEM. ",
                Some((Command::ResetModem, Language::En)),
            ),
            ("СТАН!", Some((Command::Status, Language::Uk))),
            ("координаты", Some((Command::Position, Language::Ru))),
            ("Перезавантажити", Some((Command::Reboot, Language::Uk))),
            ("reset", None),
            ("reboot now", None),
            ("", None),
            ("...", None),
        ];
        for (text, expected) in cases {
            assert_eq!(Command::read(text), expected, "{text:?}");
        }
        assert_eq!(Command::read(&"status ".repeat(10_000)), None);
    }

    #[test]
    fn every_command_has_a_name_that_reads_as_itself_in_every_language() {
        for (command, language, words) in WORDS {
            assert_eq!(command.name(language), words[0]);
            for word in words {
                assert_eq!(Command::read(word), Some((command, language)), "{word}");
            }
        }
    }
}
