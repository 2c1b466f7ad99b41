//! What is answered: one message, whatever there is to say.
//!
//! English goes out in the GSM alphabet (160 characters), Ukrainian and Russian in UCS-2 (70). What does not fit is
//! cut by rule: the last facts are left out before the sentence has less than twenty characters.

use serde::{Deserialize, Serialize};
use tm_types::text::{self, Language};
use tm_types::{Cause, Operation, OperationStatus};

use super::alphabet::Alphabet;
use super::words::Command;

/// A sentence is not cut below this while there are facts to leave out.
const SENTENCE_MIN: usize = 20;
/// The most that a site's name takes of a message.
const SITE_MAX: usize = 20;

/// What the cabinet can say of itself at the moment.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Info {
    /// The site's code, else the device's name.
    pub(crate) site: String,
    /// The modem's situation.
    pub(crate) cause: Cause,
    /// The operator's name.
    pub(crate) operator: Option<String>,
    /// Reference signal received power, dBm.
    pub(crate) rsrp_dbm: Option<f64>,
    /// Whether the cloud is connected; nothing when no uplink was heard.
    pub(crate) is_uplink_connected: Option<bool>,
    /// Alarms that are active; nothing when no agent was heard.
    pub(crate) n_alarms: Option<usize>,
    /// Since the machine's start, s.
    pub(crate) uptime_s: u64,
    /// Where it is; nothing without a position.
    pub(crate) position: Option<Position>,
}

/// A position.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Position {
    /// Degrees, WGS 84, north positive.
    pub(crate) latitude_deg: f64,
    /// Degrees, WGS 84, east positive.
    pub(crate) longitude_deg: f64,
    /// How far it may be off, m.
    pub(crate) accuracy_m: Option<f64>,
    /// How old it is, s.
    pub(crate) age_s: u64,
}

/// How an asked-for operation ended, as far as an answer tells.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum End {
    Done,
    Failed(String),
    /// Nobody said.
    Unknown,
}

impl End {
    /// How an operation ended; nothing while it has not.
    pub(super) fn of(operation: &Operation) -> Option<Self> {
        match operation.status {
            OperationStatus::Accepted | OperationStatus::Running => None,
            OperationStatus::Succeeded => Some(Self::Done),
            OperationStatus::Failed | OperationStatus::Expired => {
                let problem = operation.problem.as_ref();
                Some(Self::Failed(
                    problem.map_or_else(String::new, |problem| problem.detail.clone()),
                ))
            }
        }
    }
}

/// The words of a language.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Voice(pub(super) Language);

impl Voice {
    fn alphabet(self) -> Alphabet {
        match self.0 {
            Language::En => Alphabet::Gsm,
            Language::Uk | Language::Ru => Alphabet::Ucs2,
        }
    }

    fn say(self, en: &'static str, uk: &'static str, ru: &'static str) -> &'static str {
        match self.0 {
            Language::En => en,
            Language::Uk => uk,
            Language::Ru => ru,
        }
    }

    /// The site, a sentence of which `least` characters are to be seen, and as many facts as fit.
    fn compose(self, info: &Info, sentence: &str, least: usize, mut facts: Vec<String>) -> String {
        let alphabet = self.alphabet();
        let site = alphabet.cut(&info.site, SITE_MAX);
        let head = if site.is_empty() {
            site
        } else {
            format!("{site}: ")
        };
        let sentence = alphabet.clean(sentence);
        loop {
            let mut tail = String::new();
            for fact in &facts {
                tail.extend([" ", fact, "."]);
            }
            let tail = alphabet.clean(&tail);
            let room =
                (alphabet.room() - alphabet.size(&head)).saturating_sub(alphabet.size(&tail));
            let is_enough = room >= alphabet.size(&sentence).min(least);
            if is_enough || facts.pop().is_none() {
                return format!("{head}{}{tail}", alphabet.cut(&sentence, room));
            }
        }
    }

    /// How the cabinet is.
    pub(super) fn status(self, info: &Info) -> String {
        let sentence = text::sentence(self.0, &info.cause);
        let mut facts = Vec::new();
        facts.extend(info.is_uplink_connected.map(|is_connected| {
            let fact = if is_connected {
                self.say("Cloud ok", "Хмара є", "Облако есть")
            } else {
                self.say("No cloud", "Хмари немає", "Облака нет")
            };
            fact.to_owned()
        }));
        facts.extend(
            info.n_alarms
                .map(|n| format!("{} {n}", self.say("Alarms", "Тривог", "Тревог"))),
        );
        facts.extend(info.rsrp_dbm.map(|dbm| format!("RSRP {dbm:.0}")));
        let operator = info.operator.as_ref();
        facts.extend(operator.filter(|name| !sentence.contains(*name)).cloned());
        let (days, hours) = (info.uptime_s / 86_400, info.uptime_s / 3_600 % 24);
        facts.push(match self.0 {
            Language::En => format!("Up {days} d {hours} h"),
            Language::Uk => format!("{days} д {hours} год"),
            Language::Ru => format!("{days} д {hours} ч"),
        });
        self.compose(info, &sentence, SENTENCE_MIN, facts)
    }

    /// Where it is: latitude and longitude in degrees, which every map takes.
    pub(super) fn position(self, info: &Info) -> String {
        let Some(position) = info.position else {
            let none = self.say("No position.", "Позиції немає.", "Позиции нет.");
            return self.compose(info, none, SENTENCE_MIN, Vec::new());
        };
        let place = format!(
            "{:.5}, {:.5}.",
            position.latitude_deg, position.longitude_deg
        );
        let mut facts = Vec::new();
        facts.extend(position.accuracy_m.map(|m| {
            let unit = self.say("m", "м", "м");
            format!("+-{m:.0} {unit}")
        }));
        let age = position.age_s;
        facts.push(match self.0 {
            Language::En => format!("{age} s ago"),
            Language::Uk => format!("{age} с тому"),
            Language::Ru => format!("{age} с назад"),
        });
        self.compose(info, &place, place.len(), facts)
    }

    /// How what was asked for ended.
    pub(super) fn ended(self, info: &Info, command: Command, end: &End) -> String {
        let name = command.name(self.0);
        let sentence = match end {
            End::Done => format!("{name}: {}.", self.say("done", "зроблено", "сделано")),
            End::Failed(why) => {
                let failed = self.say("not done", "не зроблено", "не сделано");
                format!("{name}: {failed}. {why}")
            }
            End::Unknown => {
                let unknown = self.say("no answer", "відповіді немає", "ответа нет");
                format!("{name}: {unknown}.")
            }
        };
        self.compose(info, &sentence, SENTENCE_MIN, Vec::new())
    }

    /// What may be asked for.
    pub(super) fn commands(self, info: &Info) -> String {
        let list = [
            Command::Status,
            Command::Position,
            Command::ResetModem,
            Command::Reboot,
        ]
        .map(|command| command.name(self.0))
        .join(", ");
        self.compose(info, &format!("? {list}"), SENTENCE_MIN, Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use tm_types::code;

    use super::*;

    fn info() -> Info {
        Info {
            site: "UA-0042".to_owned(),
            cause: code::MODEM_REGISTERED.with("operator", "Vodafone UA"),
            operator: Some("Vodafone UA".to_owned()),
            rsrp_dbm: Some(-89.2),
            is_uplink_connected: Some(true),
            n_alarms: Some(2),
            uptime_s: 3 * 86_400 + 4 * 3_600,
            position: None,
        }
    }

    #[test]
    fn status_in_three_languages() {
        let all = Language::ALL.map(|language| Voice(language).status(&info()));
        are_one_message_each(&all);
        assert_eq!(
            all[0],
            format!(
                "UA-0042: {} Cloud ok. Alarms 2. RSRP -89. Up 3 d 4 h.",
                text::sentence(Language::En, &info().cause)
            )
        );
    }

    fn are_one_message_each(answers: &[String; 3]) {
        for (language, answer) in Language::ALL.iter().zip(answers) {
            let alphabet = Voice(*language).alphabet();
            assert!(alphabet.size(answer) <= alphabet.room(), "{answer}");
            assert_eq!(&alphabet.clean(answer), answer);
        }
    }

    #[test]
    fn whatever_there_is_to_say_fits_into_one_message() {
        let position = Position {
            latitude_deg: -50.123_456,
            longitude_deg: -130.523_456,
            accuracy_m: Some(12.4),
            age_s: u64::MAX,
        };
        let long = Info {
            site: "Об’єкт номер сорок два, Київська область {[~]}".to_owned(),
            cause: code::MODEM_PORT_UNUSABLE
                .with("port", "/dev/".repeat(50))
                .and("error", "{".repeat(300)),
            operator: Some("O".repeat(200)),
            n_alarms: Some(usize::MAX),
            uptime_s: u64::MAX,
            position: Some(position),
            ..info()
        };
        let empty = Info {
            site: String::new(),
            cause: code::MODEM_ABSENT.plain(),
            operator: None,
            rsrp_dbm: None,
            is_uplink_connected: None,
            n_alarms: None,
            uptime_s: 0,
            position: None,
        };
        for info in [long, empty] {
            are_one_message_each(&Language::ALL.map(|l| Voice(l).status(&info)));
            are_one_message_each(&Language::ALL.map(|l| Voice(l).position(&info)));
            are_one_message_each(&Language::ALL.map(|l| Voice(l).commands(&info)));
            for end in [End::Done, End::Failed("ї".repeat(999)), End::Unknown] {
                are_one_message_each(
                    &Language::ALL.map(|l| Voice(l).ended(&info, Command::ResetModem, &end)),
                );
            }
        }
    }

    #[test]
    fn a_position_is_two_numbers_for_any_map() {
        let position = Position {
            latitude_deg: 50.450_12,
            longitude_deg: 30.523_45,
            accuracy_m: Some(3.6),
            age_s: 15,
        };
        let info = Info {
            position: Some(position),
            ..info()
        };
        assert_eq!(
            Voice(Language::En).position(&info),
            "UA-0042: 50.45012, 30.52345. +-4 m. 15 s ago."
        );
        let nowhere = Info {
            position: None,
            ..info
        };
        assert_eq!(
            Voice(Language::Uk).position(&nowhere),
            "UA-0042: Позиції немає."
        );
    }
}
