//! The frame of a service's `main`: sub-commands, runtime, signals, exit codes.

use std::convert::Infallible;
use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use tm_types::Instance;
use tm_types::text::{Language, sentence};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{
    BusSettings, ConfigSettings, DeviceSettings, EXIT_STRICT, Environment, LogSettings, Report,
    Settings,
};
use crate::doctor::{Machine, from_command_line};
use crate::host::{HostParts, instance_name};
use crate::log::is_log_filter;
use crate::{Clock, Host, Store, start_log, watchdog};

/// Where the named volume is mounted, unless `TM_DATA_DIR` says otherwise.
const DATA_DIR: &str = "/data";
/// A thread for blocking calls ends after this long without one: polls that are further apart would keep each a stack
/// and an allocator's arena for nothing.
const BLOCKING_THREAD_REST: Duration = Duration::from_secs(1);

/// The whole `main` of a service: `service_main(env!("CARGO_PKG_VERSION"), "gnss", tm_gnss::run)`.
///
/// Sub-commands: none runs the service until SIGTERM or SIGINT, `health` asks a running one
/// (exit code 0 or 1), `config` prints the values in force, `doctor` looks at the whole cabinet.
pub fn service_main<C, E, F>(version: &'static str, service: &str, run: F) -> ExitCode
where
    C: Settings,
    E: Display,
    F: AsyncFnOnce(C, Host) -> Result<Infallible, E>,
{
    let environment = Environment::of_process();
    let Some(instance) = instance_name(service, &environment) else {
        return complain("TM_INSTANCE is 1 to 32 characters of a-z, 0-9 and -");
    };
    match std::env::args().nth(1).as_deref() {
        None => start(version, instance, &environment, run, stop_signal),
        Some("health") => match watchdog::ask(&instance) {
            Ok(age) if watchdog::is_healthy(age) => ExitCode::SUCCESS,
            Ok(age) => complain(&format!("no progress for {} s", age.as_secs())),
            Err(error) => complain(&format!("{instance} does not answer: {error}")),
        },
        Some("config") => {
            let loaded = Loaded::<C>::of(&instance, &environment);
            match say(loaded.describe().trim_end()) {
                ExitCode::SUCCESS if loaded.is_refused() => ExitCode::from(EXIT_STRICT),
                code => code,
            }
        }
        Some("doctor") => {
            let findings = Loaded::<C>::of(&instance, &environment)
                .report
                .findings()
                .to_vec();
            let mut machine = Machine::here(environment, version);
            machine.config_findings = findings;
            from_command_line(machine, std::env::args().skip(2))
        }
        Some("--version" | "version") => say(version),
        Some(other) => complain(&format!(
            "unknown sub-command {other}: use none, health, config, doctor or version"
        )),
    }
}

/// All settings of a service.
struct Loaded<C> {
    log: LogSettings,
    bus: BusSettings,
    device: DeviceSettings,
    config: ConfigSettings,
    own: C,
    report: Report,
}

impl<C: Settings> Loaded<C> {
    fn of(instance: &Instance, environment: &Environment) -> Self {
        let mut report = Report::new();
        let config = ConfigSettings::load("TM_CONFIG_", environment, &mut report);
        let mut loaded = Self {
            log: LogSettings::load("TM_LOG_", environment, &mut report),
            bus: BusSettings::load("TM_BUS_", environment, &mut report),
            device: DeviceSettings::load("TM_DEVICE_", environment, &mut report),
            own: C::load(&instance.variable_prefix(), environment, &mut report),
            config,
            report,
        };
        let prefixes = &loaded.config.prefixes;
        loaded.report.check_unknown(environment, prefixes);
        if !is_log_filter(&loaded.log.level) {
            let expected = "info, or a filter such as info,tm_modem=debug";
            loaded.report.note_malformed("TM_LOG_LEVEL", expected);
        }
        loaded
    }

    /// Strict mode takes nothing that is wrong.
    fn is_refused(&self) -> bool {
        self.config.strict && !self.report.findings().is_empty()
    }

    /// The values in force with their origin, then what is wrong.
    fn describe(&self) -> String {
        use std::fmt::Write;
        // Writing to a String never fails.
        let mut text = String::new();
        for effective in self.report.effective() {
            let (variable, value) = (&effective.variable, &effective.value);
            let origin = effective.origin.as_str();
            let _ = writeln!(text, "{variable}={value}  # {origin}");
        }
        for cause in self.report.findings() {
            let _ = writeln!(text, "# {}", sentence(Language::En, cause));
        }
        text
    }
}

/// `listen` begins to listen for the stop, within the runtime; its future ends when it has come.
fn start<C, E, F, L, S>(
    version: &'static str,
    instance: Instance,
    environment: &Environment,
    run: F,
    listen: L,
) -> ExitCode
where
    C: Settings,
    E: Display,
    F: AsyncFnOnce(C, Host) -> Result<Infallible, E>,
    L: FnOnce() -> S,
    S: Future<Output = ()>,
{
    let loaded = Loaded::<C>::of(&instance, environment);
    start_log(&loaded.log);
    let notices = loaded.report.findings().to_vec();
    for cause in &notices {
        tracing::warn!(code = cause.code, "{}", sentence(Language::En, cause));
    }
    if loaded.is_refused() {
        tracing::error!("TM_CONFIG_STRICT is set: the service ends");
        return ExitCode::from(EXIT_STRICT);
    }
    let directory = environment.get("TM_DATA_DIR").unwrap_or(DATA_DIR);
    let store = Store::at(directory);
    if let Some(trouble) = store.trouble() {
        let why = sentence(Language::En, &trouble);
        tracing::warn!(code = trouble.code, "nothing is kept for now: {why}");
    }
    let host = Host::new(HostParts {
        device: loaded.device.device(environment),
        bus_address: loaded.bus.address(environment),
        bus_credentials: loaded.bus.credentials(),
        bus_settings: loaded.bus,
        clock: Clock::system(),
        store,
        version,
        notices,
        instance,
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_keep_alive(BLOCKING_THREAD_REST)
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "the runtime cannot be started");
            return ExitCode::FAILURE;
        }
    };
    // Who calls himself healthy already obeys a stop.
    let stop = {
        let _entered = runtime.enter();
        listen()
    };
    if let Err(error) = watchdog::start(&host.instance, &host.progress) {
        tracing::warn!(%error, "the watchdog cannot be started");
    }
    runtime.block_on(serve(loaded.own, host, run, stop))
}

/// Runs until the service fails or a signal comes, then lets the bus say good-bye.
async fn serve<C, E, F>(config: C, host: Host, run: F, stop: impl Future<Output = ()>) -> ExitCode
where
    E: Display,
    F: AsyncFnOnce(C, Host) -> Result<Infallible, E>,
{
    let (bus, store) = (host.bus.clone(), host.store.clone());
    tracing::info!(instance = %host.instance, version = host.version, "service starts");
    let code = tokio::select! {
        ended = run(config, host) => match ended {
            Ok(never) => match never {},
            Err(error) => {
                tracing::error!("{error:#}");
                ExitCode::FAILURE
            }
        },
        () = stop => ExitCode::SUCCESS,
    };
    bus.closed().await;
    store.flush();
    tracing::info!("service ends");
    code
}

fn stop_signal() -> impl Future<Output = ()> {
    let terminate = signal(SignalKind::terminate());
    let interrupt = signal(SignalKind::interrupt());
    async {
        match (terminate, interrupt) {
            (Ok(mut terminate), Ok(mut interrupt)) => {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            }
            _ => std::future::pending().await,
        }
    }
}

fn say(text: &str) -> ExitCode {
    match writeln!(std::io::stdout(), "{text}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn complain(text: &str) -> ExitCode {
    // There is nowhere to report that standard error is closed.
    let _ = writeln!(std::io::stderr(), "{text}");
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::bus::BusOptions;
    use crate::config::Secret;

    crate::settings! {
        /// `TM_METER_*`.
        struct Config {
            /// A number.
            number: u32 = 1,
            /// A secret.
            pin: Option<Secret> = None,
        }
    }

    fn instance() -> Instance {
        Instance::new("meter").unwrap()
    }

    fn run_with(variables: &[(&str, &str)]) -> (ExitCode, Option<u32>) {
        let directory = tempfile::tempdir().unwrap();
        let environment: Environment = variables
            .iter()
            .copied()
            .chain([
                ("TM_DATA_DIR", directory.path().to_str().unwrap()),
                ("TM_BUS_URL", "mqtt://127.0.0.1:1"),
                ("TM_LOG_LEVEL", "error"),
            ])
            .collect();
        let seen = Cell::new(None);
        let run = async |config: Config, host: Host| {
            assert!(config.pin.is_none());
            seen.set(Some(config.number));
            let _bus = host.bus.open(BusOptions::default());
            if config.number == 13 {
                return Err("bad luck");
            }
            std::future::pending().await
        };
        let code = start("1.0.0", instance(), &environment, run, || {
            tokio::task::yield_now()
        });
        (code, seen.get())
    }

    #[test]
    fn a_stop_signal_is_success_and_an_error_is_failure() {
        assert_eq!(run_with(&[]), (ExitCode::SUCCESS, Some(1)));
        let failing = [("TM_METER_NUMBER", "13")];
        assert_eq!(run_with(&failing), (ExitCode::FAILURE, Some(13)));
    }

    #[test]
    fn a_misspelt_variable_stops_only_in_strict_mode() {
        let misspelt = ("TM_METER_NUMBRE", "7");
        assert_eq!(run_with(&[misspelt]), (ExitCode::SUCCESS, Some(1)));
        let strict = ("TM_CONFIG_STRICT", "true");
        assert_eq!(run_with(&[strict]), (ExitCode::SUCCESS, Some(1)));
        let refused = (ExitCode::from(64), None);
        assert_eq!(run_with(&[strict, misspelt]), refused);
        assert_eq!(run_with(&[strict, ("TM_METER_NUMBER", "many")]), refused);
        assert_eq!(run_with(&[strict, ("TM_METRE_NUMBER", "7")]), refused);
        assert_eq!(run_with(&[strict, ("TM_MODEM_NUMBRE", "7")]).1, Some(1));
    }

    #[test]
    fn values_in_force_are_told_with_their_origin_and_without_secrets() {
        let environment: Environment = [
            ("TM_METER_NUMBER", "7"),
            ("TM_METER_PIN", "0042"),
            ("TM_LOG_LEVEL", "=/="),
            ("TM_LOG_FORMAT", "yaml"),
        ]
        .into_iter()
        .collect();
        let text = Loaded::<Config>::of(&instance(), &environment).describe();
        for line in [
            "TM_METER_NUMBER=7  # environment\n",
            "TM_METER_PIN=***  # environment\n",
            "TM_LOG_FORMAT=auto  # fallback\n",
            "TM_DEVICE_TIMEZONE=Europe/Kyiv  # default\n",
            "# TM_LOG_LEVEL is malformed",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        assert!(!text.contains("0042"));
    }
}
