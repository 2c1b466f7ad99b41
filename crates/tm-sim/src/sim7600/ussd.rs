//! Service codes and the network's answers.

use std::{collections::HashMap, fmt::Write as _};

/// What the network answers to a service code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UssdAnswer {
    /// `<m>` of `+CUSD`; absent for a network that never answers.
    mode: Option<u8>,
    text: Option<String>,
    is_ucs2: bool,
}

impl UssdAnswer {
    fn new(mode: Option<u8>, text: Option<&str>, is_ucs2: bool) -> Self {
        Self {
            mode,
            text: text.map(str::to_owned),
            is_ucs2,
        }
    }

    /// A text in the alphabet of the module, and the end.
    pub fn text(text: &str) -> Self {
        Self::new(Some(0), Some(text), false)
    }

    /// A text in UCS2, which the module prints in hexadecimal, and the end.
    pub fn ucs2(text: &str) -> Self {
        Self::new(Some(0), Some(text), true)
    }

    /// A text that wants an answer; the answer `1` to `*111#` is looked up as `*111#/1`.
    pub fn menu(text: &str) -> Self {
        Self::new(Some(1), Some(text), !text.is_ascii())
    }

    /// The network ends the session.
    pub fn ended() -> Self {
        Self::new(Some(2), None, false)
    }

    /// The network does not know the code.
    pub fn unsupported() -> Self {
        Self::new(Some(4), None, false)
    }

    /// The network gives up.
    pub fn timeout() -> Self {
        Self::new(Some(5), None, false)
    }

    /// The network never says anything.
    pub fn silent() -> Self {
        Self::new(None, None, false)
    }

    /// `<m>`, and the words; no mode when the network never answers.
    pub(crate) fn parts(&self) -> (Option<u8>, &str) {
        (self.mode, self.text.as_deref().unwrap_or_default())
    }

    fn line(&self) -> Option<String> {
        let mut line = format!("+CUSD: {}", self.mode?);
        if let Some(text) = &self.text {
            let (text, coding) = if self.is_ucs2 {
                (ucs2(text), 72)
            } else {
                (text.clone(), 15)
            };
            let _ = write!(line, ",\"{text}\",{coding}");
        }
        Some(line)
    }
}

fn ucs2(text: &str) -> String {
    text.encode_utf16().fold(String::new(), |mut text, unit| {
        let _ = write!(text, "{unit:04X}");
        text
    })
}

/// The operator's side.
#[derive(Debug)]
pub(crate) struct Ussd {
    answers: HashMap<String, UssdAnswer>,
    /// The codes and answers of a menu that waits.
    session: Option<String>,
}

impl Default for Ussd {
    fn default() -> Self {
        let answers = [
            (
                "*101#",
                UssdAnswer::ucs2("Баланс 152,40 грн. Діє до 31.12.2026"),
            ),
            ("*100#", UssdAnswer::text("Balance 152.40 UAH")),
            ("*111#", UssdAnswer::menu("1. Balance\n2. Data left")),
            ("*111#/1", UssdAnswer::text("Balance 152.40 UAH")),
            ("*111#/2", UssdAnswer::text("Data left 812 MB")),
            ("*102#", UssdAnswer::ended()),
            ("*103#", UssdAnswer::timeout()),
            ("*104#", UssdAnswer::silent()),
        ];
        Self {
            answers: answers
                .map(|(code, answer)| (code.to_owned(), answer))
                .into(),
            session: None,
        }
    }
}

impl Ussd {
    pub(crate) fn set(&mut self, code: String, answer: UssdAnswer) {
        self.answers.insert(code, answer);
    }

    pub(crate) fn cancel(&mut self) {
        self.session = None;
    }

    /// The line that the module will print.
    pub(super) fn ask(&mut self, code: &str) -> Option<String> {
        self.answer(code).line()
    }

    /// The network's answer to a code, or to the menu that waits.
    pub(crate) fn answer(&mut self, code: &str) -> UssdAnswer {
        let code = match self.session.take() {
            Some(session) => format!("{session}/{code}"),
            None => code.to_owned(),
        };
        let answer = self.answers.get(&code).cloned();
        let answer = answer.unwrap_or_else(UssdAnswer::unsupported);
        if answer.mode == Some(1) {
            self.session = Some(code);
        }
        answer
    }
}
