//! `doctor` as a sub-command: its options, its output, its exit code.

use std::io::Write;
use std::process::ExitCode;

use tm_types::text::Language;

use super::{Diagnosis, Machine, examine, json, text, texts};
use crate::config::Environment;
use crate::port::PortUrl;

/// What `doctor --help` says.
pub const USAGE: &str = "\
usage: doctor [--json] [--lang en|uk|ru] [--broker URL] [--web-url URL] [--port PORT] [--no-network]

  --json         a machine-readable report for a ticket, without secrets
  --lang         language of the sentences; without it LC_ALL, LC_MESSAGES or LANG
  --broker       the cloud broker, mqtt://host:port or mqtts://host:port; without it TM_UPLINK_URL
  --web-url      plain-HTTP page for finding portals; without it balena's connectivity check
  --port         ask the modem itself on its AT port, such as usb:1e0e:9001:02, when no service holds it
  --no-network   look at nothing beyond the cabinet: costs no data

exit code: 0 all well, 1 something failed, 2 could not run";

/// Something failed before the doctor could look.
const COULD_NOT_RUN: u8 = 2;

/// How the doctor is asked.
#[derive(Clone, Default, Debug)]
pub struct Options {
    /// JSON instead of text.
    pub json: bool,
    /// Language of the sentences; chosen by the variables when `None`.
    pub language: Option<Language>,
    /// The cloud broker instead of `TM_UPLINK_URL`.
    pub broker: Option<String>,
    /// The page for finding portals instead of balena's.
    pub web_url: Option<String>,
    /// The modem's AT port.
    pub port: Option<PortUrl>,
    /// Whether nothing beyond the cabinet is looked at.
    pub no_network: bool,
}

/// Why the doctor cannot be asked like this.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unusable {
    /// Asked how it is used.
    #[error("{USAGE}")]
    Help,
    /// An option that is not known.
    #[error("unknown option {0}\n{USAGE}")]
    Unknown(String),
    /// An option without its value, or with a wrong one.
    #[error("{0} needs {1}")]
    Value(&'static str, &'static str),
}

impl Options {
    /// Reads what follows the word `doctor`: for binaries that carry no parser of their own.
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, Unusable> {
        let mut options = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let (name, mut value) = match argument.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (argument.as_str(), None),
            };
            let mut value = || value.take().or_else(|| arguments.next());
            match name {
                "--json" => options.json = true,
                "--no-network" => options.no_network = true,
                "--lang" => {
                    let language = value().and_then(|tag| texts::language(&tag));
                    let wrong = Unusable::Value("--lang", "en, uk or ru");
                    options.language = Some(language.ok_or(wrong)?);
                }
                "--broker" => {
                    let wrong = Unusable::Value("--broker", "mqtt://host:port");
                    options.broker = Some(value().ok_or(wrong)?);
                }
                "--web-url" => {
                    let wrong = Unusable::Value("--web-url", "http://host/path");
                    options.web_url = Some(value().ok_or(wrong)?);
                }
                "--port" => {
                    let port = value().and_then(|url| url.parse().ok());
                    let wrong = Unusable::Value("--port", "a port such as usb:1e0e:9001:02");
                    options.port = Some(port.ok_or(wrong)?);
                }
                "--help" | "-h" => return Err(Unusable::Help),
                _ => return Err(Unusable::Unknown(name.to_owned())),
            }
        }
        Ok(options)
    }

    /// The language asked for, else that of the variables, else English.
    pub fn language_in(&self, environment: &Environment) -> Language {
        let of_variables = || {
            let names = ["LC_ALL", "LC_MESSAGES", "LANG"];
            // The first that is set counts, as in setlocale(3).
            let tag = names.iter().find_map(|name| environment.get(name))?;
            texts::language(tag)
        };
        self.language.or_else(of_variables).unwrap_or_default()
    }

    /// Puts what was asked for into the machine.
    fn apply(&self, machine: &mut Machine) {
        if let Some(broker) = &self.broker {
            let environment = machine.environment.clone().with("TM_UPLINK_URL", broker);
            machine.targets = super::network::targets(&environment, &machine.clock);
        }
        if let (Some(url), Ok(Some(targets))) = (&self.web_url, &mut machine.targets) {
            url.clone_into(&mut targets.web_url);
        }
        machine.port = self.port.clone().or(machine.port.take());
        machine.network &= !self.no_network;
    }
}

/// Looks, prints, and gives the exit code.
pub fn doctor(mut machine: Machine, options: &Options) -> ExitCode {
    options.apply(&mut machine);
    let language = options.language_in(&machine.environment);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let Ok(runtime) = runtime else {
        let _ = writeln!(std::io::stderr(), "the runtime cannot be started");
        return ExitCode::from(COULD_NOT_RUN);
    };
    let diagnosis = runtime.block_on(Box::pin(examine(&machine)));
    let printed = writeln!(
        std::io::stdout(),
        "{}",
        told(&diagnosis, options.json, language)
    );
    match printed {
        Ok(()) => ExitCode::from(diagnosis.exit_code()),
        Err(_) => ExitCode::from(COULD_NOT_RUN),
    }
}

/// `doctor` with the words of the command line, as the services' binaries call it.
pub(crate) fn from_command_line(
    machine: Machine,
    arguments: impl IntoIterator<Item = String>,
) -> ExitCode {
    match Options::parse(arguments) {
        Ok(options) => doctor(machine, &options),
        Err(Unusable::Help) => {
            let _ = writeln!(std::io::stdout(), "{USAGE}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}

fn told(diagnosis: &Diagnosis, is_json: bool, language: Language) -> String {
    if is_json {
        let report = json(diagnosis, language);
        return format!("{report:#}");
    }
    text(diagnosis, language).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, Unusable> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_are_read() {
        let options = parse(
            "--json --lang uk --broker=mqtts://b --web-url http://c/ --port /dev/ttyS0 --no-network",
        );
        let options = options.unwrap();
        assert!(options.json && options.no_network && options.port.is_some());
        assert_eq!(options.language, Some(Language::Uk));
        assert_eq!(options.broker.as_deref(), Some("mqtts://b"));
        assert_eq!(options.web_url.as_deref(), Some("http://c/"));
        for line in [
            "--lang",
            "--lang fr",
            "--broker",
            "--port x",
            "--jsn",
            "uk",
            "--help",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn the_language_is_that_of_the_variables() {
        let environment: Environment = [("LANG", "en_GB"), ("LC_ALL", "uk_UA.UTF-8")]
            .into_iter()
            .collect();
        let language = |line: &str| parse(line).unwrap().language_in(&environment);
        assert_eq!(language(""), Language::Uk);
        assert_eq!(language("--lang ru"), Language::Ru);
        let none = parse("").unwrap().language_in(&Environment::default());
        assert_eq!(none, Language::En);
    }
}
