//! The frame of a service's `main`: sub-commands, runtime, signals, exit codes.

use std::convert::Infallible;
use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

use tm_types::text::{Language, sentence};
use tm_types::{Cause, Instance, code};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{
    BusSettings, ConfigSettings, DeviceSettings, EXIT_STRICT, Environment, LogSettings, Report,
    Settings,
};
use crate::host::{HostParts, instance_name};
use crate::{Clock, Host, Store, start_log, watchdog};

/// Where the named volume is mounted, unless `TM_DATA_DIR` says otherwise.
const DATA_DIR: &str = "/data";

/// The whole `main` of a service: `service_main(env!("CARGO_PKG_VERSION"), "gnss", tm_gnss::run)`.
///
/// Sub-commands: none runs the service until SIGTERM or SIGINT, `health` asks a running one
/// (exit code 0 or 1), `config` prints the values in force.
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
        None => start(version, instance, &environment, run),
        Some("health") => match watchdog::ask(&instance) {
            Ok(age) if watchdog::is_healthy(age) => ExitCode::SUCCESS,
            Ok(age) => complain(&format!("no progress for {} s", age.as_secs())),
            Err(error) => complain(&format!("{instance} does not answer: {error}")),
        },
        Some("config") => print_config(&Loaded::<C>::of(&instance, &environment)),
        Some("--version" | "version") => say(version),
        Some(other) => complain(&format!(
            "unknown sub-command {other}: use none, health, config or version"
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
        loaded
    }
}

fn start<C, E, F>(
    version: &'static str,
    instance: Instance,
    environment: &Environment,
    run: F,
) -> ExitCode
where
    C: Settings,
    E: Display,
    F: AsyncFnOnce(C, Host) -> Result<Infallible, E>,
{
    let loaded = Loaded::<C>::of(&instance, environment);
    let mut notices = loaded.report.findings().to_vec();
    if !start_log(&loaded.log) {
        let cause = code::CONFIG_MALFORMED_VALUE.with("name", "TM_LOG_LEVEL");
        notices.push(cause.and("expected", "info, or a filter such as info,tm_modem=debug"));
    }
    for cause in &notices {
        tracing::warn!(code = cause.code, "{}", sentence(Language::En, cause));
    }
    if loaded.config.strict && !notices.is_empty() {
        tracing::error!("TM_CONFIG_STRICT is set: the service ends");
        return ExitCode::from(EXIT_STRICT);
    }
    let store = match open_store(environment, &mut notices) {
        Ok(store) => store,
        Err(error) => {
            tracing::error!(%error, "there is no directory to write to");
            return ExitCode::FAILURE;
        }
    };
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
    if let Err(error) = watchdog::start(&host.instance, &host.progress) {
        tracing::warn!(%error, "the watchdog cannot be started");
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(serve(loaded.own, host, run)),
        Err(error) => {
            tracing::error!(%error, "the runtime cannot be started");
            ExitCode::FAILURE
        }
    }
}

/// Runs until the service fails or a signal comes, then lets the bus say good-bye.
async fn serve<C, E, F>(config: C, host: Host, run: F) -> ExitCode
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
        () = stop_signal() => ExitCode::SUCCESS,
    };
    bus.closed().await;
    store.flush();
    tracing::info!("service ends");
    code
}

async fn stop_signal() {
    let terminate = signal(SignalKind::terminate());
    let interrupt = signal(SignalKind::interrupt());
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

/// The store in the data directory; where that cannot be written, in a temporary one, and said so.
fn open_store(environment: &Environment, notices: &mut Vec<Cause>) -> std::io::Result<Store> {
    let directory = environment.get("TM_DATA_DIR").unwrap_or(DATA_DIR);
    let probe = |store: Store| {
        store.save_bytes_now(".probe", Vec::new())?;
        Ok::<_, std::io::Error>(store)
    };
    match Store::open(directory).and_then(probe) {
        Ok(store) => Ok(store),
        Err(error) => {
            let cause = code::STORE_UNWRITABLE.with("file", directory);
            notices.push(cause.and("error", &error));
            tracing::warn!(directory, %error, "nothing is kept across restarts");
            let unique = format!("tm-{}", std::process::id());
            Store::open(std::env::temp_dir().join(unique))
        }
    }
}

fn print_config<C>(loaded: &Loaded<C>) -> ExitCode {
    let mut text = String::new();
    for effective in loaded.report.effective() {
        let (variable, value) = (&effective.variable, &effective.value);
        text.push_str(&format!(
            "{variable}={value}  # {}\n",
            effective.origin.as_str()
        ));
    }
    let findings = loaded.report.findings();
    for cause in findings {
        text.push_str(&format!("# {}\n", sentence(Language::En, cause)));
    }
    say(text.trim_end());
    if loaded.config.strict && !findings.is_empty() {
        return ExitCode::from(EXIT_STRICT);
    }
    ExitCode::SUCCESS
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
