//! The register map of the variables, and the file that one of them may name.

use std::path::PathBuf;
use std::time::Duration;

use tm_types::{Cause, ConfigSource, Instance, Source, Timestamp, code};

use super::InForce;
use crate::Config;
use crate::blocking::{self, Blocking, Fault};
use crate::document::DocumentError;
use crate::modbus;

/// More than the parser takes, so that a longer file is refused by it.
const FILE_MAX: usize = 1024 * 1024;
/// For the file, on a disk that may be failing.
const FILE_DEADLINE: Duration = Duration::from_secs(5);

/// What the variables say.
#[derive(Debug, Clone)]
pub(crate) enum Variables {
    /// No map.
    Nothing,
    /// The map itself, and the variable's name.
    Document(String, String),
    /// The file with the map.
    File(PathBuf),
}

impl Variables {
    /// The document outranks the file.
    pub(crate) fn new(config: &Config, instance: &Instance) -> Self {
        match (&config.modbus, &config.modbus_file) {
            (Some(document), _) => {
                let variable = format!("{}MODBUS", instance.variable_prefix());
                Self::Document(variable, document.clone())
            }
            (None, Some(file)) => Self::File(file.0.clone()),
            (None, None) => Self::Nothing,
        }
    }

    /// Whether the map may change while the service runs.
    pub(crate) fn is_file(&self) -> bool {
        matches!(self, Self::File(_))
    }

    /// Where the map stands, for people.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Document(variable, _) => variable.clone(),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// The document; the cause when its file cannot be read.
    pub(crate) async fn document(&self) -> Result<String, Cause> {
        match self {
            Self::Nothing => Ok(String::new()),
            Self::Document(_, document) => Ok(document.clone()),
            Self::File(path) => read(path.clone()).await.map_err(|error| {
                code::SENSORS_MAP_UNREADABLE
                    .with("file", self.place())
                    .and("error", error)
            }),
        }
    }

    /// The map as it would be in force; the cause when it cannot be.
    pub(crate) async fn in_force(
        &self,
        source: &Source,
        since: Timestamp,
    ) -> Result<InForce, Cause> {
        let document = self.document().await?;
        self.parsed(document, source, since).map_err(|error| {
            code::SENSORS_MAP_INVALID
                .with("name", self.place())
                .and("line", error.line)
                .and("reason", error.reason)
        })
    }

    /// The map that this document of ours is.
    pub(crate) fn parsed(
        &self,
        document: String,
        source: &Source,
        since: Timestamp,
    ) -> Result<InForce, DocumentError> {
        Ok(InForce {
            map: modbus::parse(&document, source)?,
            source: match self {
                Self::Nothing => ConfigSource::None,
                Self::Document(..) => ConfigSource::Variable,
                Self::File(_) => ConfigSource::File,
            },
            document,
            since,
        })
    }
}

async fn read(path: PathBuf) -> Result<String, Fault> {
    let file = path.clone();
    let job = move || {
        let bytes = blocking::read_start(&file, FILE_MAX)?;
        String::from_utf8(bytes).map_err(|_| Fault::NotText)
    };
    Blocking::default().run(&path, FILE_DEADLINE, job).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FilePath;

    #[tokio::test]
    async fn where_the_map_comes_from() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            Some(FilePath(path))
        };
        let register = "register = [{ name = 'x', function = 'input', address = 0 }]";
        let good = format!("[[device]]\nname = 'm'\nport = 'tcp://h'\n{register}\n");
        let missing = Some(FilePath(dir.path().join("missing")));
        let cases = [
            (None, None, Ok((0, ConfigSource::None))),
            (Some(good.clone()), None, Ok((1, ConfigSource::Variable))),
            (
                Some(good.clone()),
                missing.clone(),
                Ok((1, ConfigSource::Variable)),
            ),
            (
                None,
                write("good", good.as_bytes()),
                Ok((1, ConfigSource::File)),
            ),
            (None, write("bad", b"[[device]"), Err("sensors.map_invalid")),
            (Some("x = 1".to_owned()), None, Err("sensors.map_invalid")),
            (
                None,
                write("long", &vec![b'#'; 2 * FILE_MAX]),
                Err("sensors.map_invalid"),
            ),
            (
                None,
                write("binary", &[0xff]),
                Err("sensors.map_unreadable"),
            ),
            (None, missing, Err("sensors.map_unreadable")),
        ];
        let instance: Instance = "meter-room".parse().unwrap();
        for (modbus, modbus_file, expected) in cases {
            let config = Config {
                modbus,
                modbus_file,
                ..Config::default()
            };
            let variables = Variables::new(&config, &instance);
            let got = variables
                .in_force(&instance.source(), Timestamp::EPOCH)
                .await;
            match (got, expected) {
                (Ok(map), Ok(expected)) => {
                    assert_eq!((map.map.devices.len(), map.source), expected, "{config:?}");
                }
                (Err(cause), Err(code)) => {
                    assert_eq!(cause.code, code, "{config:?}");
                    if config.modbus.is_some() {
                        assert_eq!(cause.args["name"], "TM_METER_ROOM_MODBUS");
                    }
                }
                (got, expected) => panic!("{got:?}, not {expected:?}: {config:?}"),
            }
        }
    }
}
