//! `tm doctor`: what is wrong with this cabinet, and what to do. The same that `/tm doctor` is in every image,
//! with the variables of all services at once.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use tm_service::config::{
    BusSettings, ConfigSettings, DeviceSettings, Environment, LogSettings, Report, Settings,
};
use tm_service::doctor::{Machine, Options, doctor};
use tm_service::port::PortUrl;
use tm_types::text::Language;
use tm_types::{Cause, Instance};

/// How the cabinet is looked at. Exit code: 0 all well, 1 something failed, 2 could not run.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Print a machine-readable report for a ticket, without secrets.
    #[arg(long)]
    json: bool,
    /// Language of the sentences; without it LC_ALL, LC_MESSAGES or LANG.
    #[arg(long, value_enum)]
    lang: Option<Tongue>,
    /// The cloud broker, mqtt://host:port or mqtts://host:port; without it TM_UPLINK_URL.
    #[arg(long, value_name = "URL")]
    broker: Option<String>,
    /// Plain-HTTP page for finding portals; without it balena's connectivity check.
    #[arg(long, value_name = "URL")]
    web_url: Option<String>,
    /// Ask the modem itself on its AT port, such as usb:1e0e:9001:02, when no service holds it.
    #[arg(long, value_name = "PORT")]
    port: Option<PortUrl>,
    /// Look at nothing beyond the cabinet: costs no data.
    #[arg(long)]
    no_network: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Tongue {
    En,
    Uk,
    Ru,
}

/// Looks, prints, and gives the exit code.
pub fn main(arguments: Arguments) -> ExitCode {
    let environment = Environment::of_process();
    let mut machine = Machine::here(environment, env!("CARGO_PKG_VERSION"));
    machine.config_findings = findings(&machine.environment);
    let options = Options {
        json: arguments.json,
        language: arguments.lang.map(|tongue| match tongue {
            Tongue::En => Language::En,
            Tongue::Uk => Language::Uk,
            Tongue::Ru => Language::Ru,
        }),
        broker: arguments.broker,
        web_url: arguments.web_url,
        port: arguments.port,
        no_network: arguments.no_network,
    };
    doctor(machine, &options)
}

/// What is wrong with the variables of any service.
fn findings(environment: &Environment) -> Vec<Cause> {
    let mut report = Report::new();
    let config = ConfigSettings::load("TM_CONFIG_", environment, &mut report);
    LogSettings::load("TM_LOG_", environment, &mut report);
    BusSettings::load("TM_BUS_", environment, &mut report);
    DeviceSettings::load("TM_DEVICE_", environment, &mut report);
    tm_modem::Config::load("TM_MODEM_", environment, &mut report);
    tm_gnss::Config::load("TM_GNSS_", environment, &mut report);
    tm_sensors::Config::load("TM_SENSORS_", environment, &mut report);
    tm_sensors::Config::load("TM_IO_", environment, &mut report);
    tm_uplink::Config::load("TM_UPLINK_", environment, &mut report);
    tm_api::Config::load("TM_API_", environment, &mut report);
    tm_agent::Config::load("TM_AGENT_", environment, &mut report);
    // Inside a container of another instance its own prefix is known as well.
    let instance = environment.get("TM_INSTANCE");
    let own = instance.and_then(|name| Instance::new(name).ok());
    let own = own.map(|instance| instance.variable_prefix());
    let further: Vec<String> = config.prefixes.iter().cloned().chain(own).collect();
    report.check_unknown(environment, &further);
    report.findings().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_variable_of_any_service_is_found() {
        let environment: Environment = [
            ("TM_UPLINK_ULR", "mqtts://broker"),
            ("TM_MODEM_POLL_S", "often"),
            ("TM_AGENT_TYPO", "1"),
            ("TM_INSTANCE", "meter"),
            ("TM_METER_SOURCE", "none"),
        ]
        .into_iter()
        .collect();
        let found = findings(&environment);
        let names: Vec<&str> = found
            .iter()
            .map(|cause| cause.args["name"].as_str())
            .collect();
        assert_eq!(names, ["TM_MODEM_POLL_S", "TM_AGENT_TYPO", "TM_UPLINK_ULR"]);
        assert!(findings(&Environment::default()).is_empty());
    }
}
