//! `TM_AGENT_CONTACTS`: which series are contacts, and what each one means.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use tm_types::{Code, SeriesId, Severity, code};

/// What a contact tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Meaning {
    /// The cabinet's door: an alarm while it is open.
    Door,
    /// The mains supply: an alarm while it is away.
    Mains,
    /// The cabinet's place, as the GNSS service tells it: an alarm while it is away from it.
    Moved,
}

impl Meaning {
    /// The code of the alarm.
    pub(crate) fn code(self) -> Code {
        match self {
            Self::Door => code::CONTACT_DOOR_OPEN,
            Self::Mains => code::CONTACT_MAINS_LOST,
            Self::Moved => code::CONTACT_CABINET_MOVED,
        }
    }

    /// How bad the alarm is.
    pub(crate) fn severity(self) -> Severity {
        match self {
            Self::Door => Severity::Warning,
            Self::Mains | Self::Moved => Severity::Critical,
        }
    }

    /// How long the contact must say so before the alarm is raised.
    ///
    /// Whoever opens the door may close it behind him; a dip of the mains is none of a person's business.
    pub(crate) fn raise_after(self) -> Duration {
        match self {
            // Who tells of a move has looked for two minutes already.
            Self::Door | Self::Moved => Duration::ZERO,
            Self::Mains => Duration::from_secs(2),
        }
    }

    /// How long the contact must be at rest before the alarm is over.
    ///
    /// A door moves in the wind; mains that return often go again at once, under the load of everything that starts.
    pub(crate) fn clear_after(self) -> Duration {
        match self {
            Self::Door => Duration::from_secs(1),
            Self::Mains => Duration::from_secs(5),
            Self::Moved => Duration::ZERO,
        }
    }

    /// What a contact of this meaning says when it is an alarm, unless its entry tells otherwise: a door is open, mains are present.
    fn usual_alarm(self) -> bool {
        match self {
            Self::Door | Self::Moved => true,
            Self::Mains => false,
        }
    }
}

/// One entry: `sensors/meter/door-open=door`, with `:true` or `:false` behind it where that value is the alarm.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Contact {
    /// The series that tells the contact's position.
    pub series: SeriesId,
    /// What the contact is about.
    pub meaning: Meaning,
    /// The value that is an alarm.
    pub alarm: bool,
}

/// The contacts that are watched; no series twice.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ContactList(pub Vec<Contact>);

/// A text is not a [`ContactList`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("contacts are written as source/name=door or source/name=mains:true, separated by commas")]
pub struct NotContacts;

impl FromStr for Contact {
    type Err = NotContacts;

    fn from_str(text: &str) -> Result<Self, NotContacts> {
        let (series, meaning) = text.split_once('=').ok_or(NotContacts)?;
        let (meaning, alarm) = match meaning.split_once(':') {
            Some((meaning, alarm)) => (meaning, Some(alarm.trim())),
            None => (meaning, None),
        };
        let meaning = match meaning.trim() {
            "door" => Meaning::Door,
            "mains" => Meaning::Mains,
            "moved" => Meaning::Moved,
            _ => return Err(NotContacts),
        };
        let alarm = match alarm {
            None => meaning.usual_alarm(),
            Some("true") => true,
            Some("false") => false,
            Some(_) => return Err(NotContacts),
        };
        Ok(Self {
            series: SeriesId::new(series.trim()).map_err(|_| NotContacts)?,
            meaning,
            alarm,
        })
    }
}

impl FromStr for ContactList {
    type Err = NotContacts;

    fn from_str(text: &str) -> Result<Self, NotContacts> {
        let entries = text.split(',').map(str::trim);
        let mut contacts: Vec<Contact> = Vec::new();
        for entry in entries.filter(|entry| !entry.is_empty()) {
            let contact: Contact = entry.parse()?;
            if contacts.iter().any(|other| other.series == contact.series) {
                return Err(NotContacts);
            }
            contacts.push(contact);
        }
        Ok(Self(contacts))
    }
}

impl fmt::Display for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meaning = match self.meaning {
            Meaning::Door => "door",
            Meaning::Mains => "mains",
            Meaning::Moved => "moved",
        };
        write!(f, "{}={meaning}:{}", self.series, self.alarm)
    }
}

tm_service::setting!(
    ContactList,
    "contacts",
    "source/name=door, source/name=mains or source/name=moved, separated by commas, each with :true or :false behind it where that value is the alarm"
);

#[cfg(test)]
mod tests {
    use tm_service::config::{Environment, Report, Settings};

    use super::*;
    use crate::AgentSettings;

    #[test]
    fn lists_of_contacts() {
        for (text, expected) in [
            ("", Some("")),
            (" , ", Some("")),
            (
                "sensors/meter/door-open=door,sensors/meter/mains-present=mains",
                Some("sensors/meter/door-open=door:true sensors/meter/mains-present=mains:false"),
            ),
            (
                " io/door-closed = door : false , io/mains-failed=mains:true,",
                Some("io/door-closed=door:false io/mains-failed=mains:true"),
            ),
            ("gnss/moved=moved", Some("gnss/moved=moved:true")),
            ("io/door=window", None),
            ("io/door=door:open", None),
            ("io/door=door:", None),
            ("io/door", None),
            ("door=door", None),
            ("io/Door=door", None),
            ("io/door=door,io/door=mains", None),
            ("io/door=door,garbage", None),
        ] {
            let got = text.parse::<ContactList>().ok().map(|list| {
                let texts: Vec<String> = list.0.iter().map(Contact::to_string).collect();
                texts.join(" ")
            });
            assert_eq!(got.as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_malformed_list_is_reported() {
        let environment = Environment::default().with("TM_AGENT_CONTACTS", "io/door=open");
        let mut report = Report::new();
        let settings = AgentSettings::load("TM_AGENT_", &environment, &mut report);
        assert_eq!(settings.contacts, AgentSettings::default().contacts);
        let [finding] = report.findings() else {
            panic!("{:?}", report.findings());
        };
        assert!(finding.is(code::CONFIG_MALFORMED_VALUE));
        assert_eq!(finding.args["name"], "TM_AGENT_CONTACTS");
    }
}
