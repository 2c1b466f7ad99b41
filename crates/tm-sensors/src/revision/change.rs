//! A change of the map: what is asked, whether it may be, and what it brings.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use tm_service::Store;
use tm_types::{Cause, ConfigSource, Source, Timestamp, code};

use super::{Choice, DOCUMENT_MAX, FILE, InForce, Kept, Variables};
use crate::modbus::{self, Device};

/// The most names of devices in each list of an answer.
const NAMES_MAX: usize = 20;

/// What is asked: the arguments of `configure` and `rollback`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// To what.
    to: Target,
    /// Whether nothing shall be changed.
    dry_run: bool,
    /// The revision that must be in force; `None` for whichever is.
    expected: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Document(String),
    Variables,
    Previous,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigureArgs {
    /// TOML; null for whatever the variables say.
    document: Option<String>,
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    expected_revision: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RollbackArgs {
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    expected_revision: Option<String>,
}

impl Asked {
    /// Reads the arguments of `configure`.
    pub(crate) fn configure(args: &Json) -> Result<Self, Cause> {
        let has_document = args.get("document").is_some();
        let args: ConfigureArgs = read(args)?;
        let to = match args.document {
            Some(document) if document.len() > DOCUMENT_MAX => {
                let detail = format!("document is at most {DOCUMENT_MAX} bytes");
                return Err(code::OPERATION_BAD_ARGUMENTS.with("detail", detail));
            }
            Some(document) => Target::Document(document),
            None if has_document => Target::Variables,
            None => {
                let detail = "document is missing; null means whatever the variables say";
                return Err(code::OPERATION_BAD_ARGUMENTS.with("detail", detail));
            }
        };
        Ok(Self {
            to,
            dry_run: args.dry_run,
            expected: args.expected_revision,
        })
    }

    /// Reads the arguments of `rollback`.
    pub(crate) fn rollback(args: &Json) -> Result<Self, Cause> {
        let args: RollbackArgs = read(args)?;
        Ok(Self {
            to: Target::Previous,
            dry_run: args.dry_run,
            expected: args.expected_revision,
        })
    }
}

fn read<T: serde::de::DeserializeOwned>(args: &Json) -> Result<T, Cause> {
    let args = match args {
        Json::Null => Json::Object(serde_json::Map::new()),
        args => args.clone(),
    };
    serde_json::from_value(args)
        .map_err(|error| code::OPERATION_BAD_ARGUMENTS.with("detail", error))
}

/// Everything a change needs, so that it can go on beside the polls.
pub(crate) struct Change {
    pub(crate) asked: Asked,
    pub(crate) kept: Kept,
    pub(crate) in_force: InForce,
    pub(crate) variables: Variables,
    pub(crate) source: Source,
    pub(crate) store: Store,
    pub(crate) now: Timestamp,
}

/// A change that may be.
#[derive(Debug)]
pub(crate) struct Changed {
    /// What is in force from now on; `None` when it was only tried.
    pub(crate) activate: Option<(Kept, InForce)>,
    /// What the asker is told.
    pub(crate) answer: Answer,
}

/// The result of `configure` and `rollback`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Answer {
    /// The revision that is, or would be, in force.
    revision: String,
    /// Where it comes from.
    source: ConfigSource,
    /// Whether nothing was changed.
    dry_run: bool,
    /// Devices of the map.
    devices: usize,
    /// Registers of the map.
    registers: usize,
    /// Against the map that was in force.
    #[serde(flatten)]
    comparison: Comparison,
}

/// How two maps differ, by the names of their devices; at most 20 names in each list.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Comparison {
    /// Only in the new one.
    pub(crate) added: Vec<String>,
    /// Only in the old one.
    pub(crate) removed: Vec<String>,
    /// In both, read otherwise.
    pub(crate) changed: Vec<String>,
    /// How many go on as they are.
    pub(crate) unchanged: usize,
}

impl Comparison {
    /// Compares the devices of two maps.
    pub(crate) fn of(old: &[Device], new: &[Device]) -> Self {
        let mut comparison = Self::default();
        let name = |list: &mut Vec<String>, device: &Device| {
            if list.len() < NAMES_MAX {
                list.push(device.name.clone());
            }
        };
        for device in new {
            match old.iter().find(|other| other.name == device.name) {
                None => name(&mut comparison.added, device),
                Some(other) if other != device => name(&mut comparison.changed, device),
                Some(_) => comparison.unchanged += 1,
            }
        }
        for device in old {
            if !new.iter().any(|other| other.name == device.name) {
                name(&mut comparison.removed, device);
            }
        }
        comparison
    }
}

impl Change {
    /// Validates, keeps on the disk, and says what is to be put in force.
    pub(crate) async fn run(self) -> Result<Changed, Cause> {
        let revision = self.in_force.revision();
        if let Some(expected) = &self.asked.expected
            && *expected != revision
        {
            let cause = code::CONFIG_REVISION_MISMATCH.with("revision", revision);
            return Err(cause.and("expected", expected));
        }
        let choice = match &self.asked.to {
            Target::Document(document) => Choice::Document(document.clone()),
            Target::Variables => Choice::Variables,
            Target::Previous => match &self.kept.previous {
                Some(previous) => previous.clone(),
                None => return Err(code::CONFIG_NO_PREVIOUS.plain()),
            },
        };
        let new = self.parsed(&choice).await?;
        let answer = Answer {
            revision: new.revision(),
            source: new.source,
            dry_run: self.asked.dry_run,
            devices: new.map.devices.len(),
            registers: new.n_registers(),
            comparison: Comparison::of(&self.in_force.map.devices, &new.map.devices),
        };
        if self.asked.dry_run {
            let activate = None;
            return Ok(Changed { activate, answer });
        }
        let kept = Kept {
            // The same once more must not push out what a rollback would bring back.
            previous: if choice == self.kept.active {
                self.kept.previous
            } else {
                Some(self.kept.active)
            },
            active: choice,
            since: self.now,
        };
        let (store, file) = (self.store, kept.clone());
        tokio::task::spawn_blocking(move || store.save_now(FILE, &file))
            .await
            .unwrap_or_else(|error| Err(std::io::Error::other(error)))
            .map_err(|error| {
                let cause = code::STORE_UNWRITABLE.with("file", FILE);
                cause.and("error", error)
            })?;
        let activate = Some((kept, new));
        Ok(Changed { activate, answer })
    }

    async fn parsed(&self, choice: &Choice) -> Result<InForce, Cause> {
        let (place, parsed) = match choice {
            Choice::Document(document) => {
                let parsed = modbus::parse(document, &self.source).map(|map| InForce {
                    document: document.clone(),
                    source: ConfigSource::Revision,
                    map,
                    since: self.now,
                });
                ("configure".to_owned(), parsed)
            }
            Choice::Variables => {
                let document = self.variables.document().await?;
                let parsed = self.variables.parsed(document, &self.source, self.now);
                (self.variables.place(), parsed)
            }
        };
        parsed.map_err(|error| {
            code::SENSORS_MAP_REFUSED
                .with("name", place)
                .and("line", error.line)
                .and("reason", error.reason)
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(name: &str) -> String {
        format!(
            "[[device]]\nname = '{name}'\nport = 'tcp://h'\n\
             register = [{{ name = 'x', function = 'input', address = 0 }}]\n"
        )
    }

    /// A service that is asked one thing after the other.
    struct Bench {
        kept: Kept,
        in_force: InForce,
        store: Store,
    }

    impl Bench {
        async fn ask(&mut self, asked: Result<Asked, Cause>) -> Result<Answer, Cause> {
            let change = Change {
                asked: asked?,
                kept: self.kept.clone(),
                in_force: self.in_force.clone(),
                variables: Variables::Document("TM_X".into(), map("of-variable")),
                source: "sensors".parse().unwrap(),
                store: self.store.clone(),
                now: Timestamp::EPOCH,
            };
            let changed = change.run().await?;
            if let Some((kept, in_force)) = changed.activate {
                (self.kept, self.in_force) = (kept, in_force);
            }
            Ok(changed.answer)
        }

        async fn configure(&mut self, document: &str) -> Result<Answer, Cause> {
            let args = json!({"document": document});
            self.ask(Asked::configure(&args)).await
        }

        async fn rollback(&mut self) -> Result<Answer, Cause> {
            self.ask(Asked::rollback(&Json::Null)).await
        }

        fn devices(&self) -> String {
            let names: Vec<_> = self.in_force.map.devices.iter().map(|d| &*d.name).collect();
            names.join(" ")
        }
    }

    fn bench(directory: &std::path::Path) -> Bench {
        Bench {
            kept: Kept::nothing(Timestamp::EPOCH),
            in_force: InForce::nothing(Timestamp::EPOCH),
            store: Store::at(directory),
        }
    }

    #[tokio::test]
    async fn the_map_before_is_one_rollback_away() {
        let directory = tempfile::tempdir().unwrap();
        let mut bench = bench(directory.path());
        let nothing = bench.rollback().await.unwrap_err();
        assert!(nothing.is(code::CONFIG_NO_PREVIOUS));
        bench.configure(&map("a")).await.unwrap();
        bench.configure(&map("b")).await.unwrap();
        // The same again does not push `a` out.
        bench.configure(&map("b")).await.unwrap();
        assert_eq!(bench.devices(), "b");
        for expected in ["a", "b", "a"] {
            bench.rollback().await.unwrap();
            assert_eq!(bench.devices(), expected);
        }
        let to_variables = json!({"document": null});
        let answer = bench.ask(Asked::configure(&to_variables)).await.unwrap();
        assert_eq!(bench.devices(), "of-variable");
        assert_eq!(answer.source, ConfigSource::Variable);
        bench.rollback().await.unwrap();
        assert_eq!(bench.devices(), "a");
        assert_eq!(bench.store.load::<Kept>(FILE), Some(bench.kept));
    }

    #[tokio::test]
    async fn what_cannot_be_kept_is_not_put_in_force() {
        let directory = tempfile::tempdir().unwrap();
        let volume = directory.path().join("volume");
        // A file in the place of the directory stands for a disk that takes nothing.
        std::fs::write(&volume, "").unwrap();
        let mut bench = bench(&volume);
        let cause = bench.configure(&map("a")).await.unwrap_err();
        assert!(cause.is(code::STORE_UNWRITABLE), "{cause:?}");
        assert_eq!(bench.devices(), "");
    }

    #[test]
    fn a_kept_map_of_this_version_is_read_for_ever() {
        let json = r#"{"active":{"document":"x = 1"},"previous":"variables","since":"2026-09-21T14:13:20.250Z"}"#;
        let kept: Kept = serde_json::from_str(json).unwrap();
        assert_eq!(kept.active, Choice::Document("x = 1".into()));
        assert_eq!(serde_json::to_string(&kept).unwrap(), json);
    }

    #[test]
    fn lists_of_names_are_bounded() {
        let source = "sensors".parse().unwrap();
        let many: String = (0..50).map(|n| map(&format!("d{n}"))).collect();
        let many = modbus::parse(&many, &source).unwrap().devices;
        let comparison = Comparison::of(&[], &many);
        assert_eq!(comparison.added.len(), NAMES_MAX);
        assert_eq!(Comparison::of(&many, &many).unchanged, 50);
    }
}
