//! A private bus with a real ModemManager on it, started and ended at will.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{Instant, sleep, timeout};

use super::super::{ModemManager, SystemBus};
use super::responder::Responder;
use tm_service::config::Setting;

use crate::backend::{Action, Outcome, Presence, Report, Ticket};
use crate::config::Pin;
use crate::knowledge::Knowledge;

/// Probing a virtual modem takes 5 to 12 s, two machines at once longer.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// Ended with the test, however it ends.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(super) struct Bench {
    root: TempDir,
    bus: Option<Process>,
    manager: Option<Process>,
    name: String,
    pub(super) responder: Responder,
    pub(super) backend: ModemManager,
    n_tickets: u64,
    n_profiles: u32,
}

impl Bench {
    /// A module and a bus; nobody else yet.
    pub(super) fn new(name: &str, pin: Option<&str>) -> Self {
        let root = tempfile::tempdir().unwrap();
        let name = format!("tm-{name}-{}", std::process::id());
        let address = format!("unix:path={}", root.path().join("bus").display());
        let clock = tm_service::Clock::system();
        let mut settings = super::settings(root.path());
        settings.pin = pin.and_then(Pin::parse);
        let mut bench = Self {
            bus: None,
            manager: None,
            responder: Responder::start(&name),
            backend: ModemManager::new(SystemBus::new(&address), settings, clock),
            name,
            n_tickets: 0,
            n_profiles: 0,
            root,
        };
        bench.start_bus();
        bench
    }

    /// A connection of its own to the private bus.
    pub(super) async fn connection(&self) -> zbus::Connection {
        let address = format!("unix:path={}", self.socket().display());
        let builder = zbus::connection::Builder::address(address.as_str()).unwrap();
        builder.build().await.unwrap()
    }

    /// The address of the private bus.
    pub(super) fn address(&self) -> String {
        format!("unix:path={}", self.socket().display())
    }

    /// The way to the private bus.
    pub(super) fn bus(&self) -> SystemBus {
        SystemBus::new(&self.address())
    }

    fn socket(&self) -> PathBuf {
        self.root.path().join("bus")
    }

    pub(super) fn start_bus(&mut self) {
        let socket = self.socket();
        let _ = std::fs::remove_file(&socket);
        let mut command = Command::new("dbus-daemon");
        command.args(["--session", "--nofork", "--nopidfile", "--print-address"]);
        command.arg(format!("--address=unix:path={}", socket.display()));
        let errors = log(&self.root.path().join("bus.log"));
        let mut bus = run(&mut command, Stdio::piped(), errors);
        // It says its address once it listens, and closes its end when it ends.
        let mut address = String::new();
        let said = bus.0.stdout.take().expect("its output is piped");
        BufReader::new(said).read_line(&mut address).unwrap();
        assert!(!address.is_empty(), "the bus does not start");
        self.bus = Some(bus);
    }

    pub(super) fn stop_bus(&mut self) {
        self.manager = None;
        self.bus = None;
    }

    /// ModemManager without hardware; `debug` lets commands through.
    pub(super) async fn start_manager(&mut self, debug: bool) {
        let address = format!("unix:path={}", self.socket().display());
        let path = ["/usr/sbin/ModemManager", "/usr/bin/ModemManager"];
        let path = path.into_iter().find(|path| Path::new(path).exists());
        let mut command = Command::new(path.expect("ModemManager is installed"));
        command.args(["--test-session", "--test-enable", "--test-no-udev"]);
        command.args([
            "--test-no-suspend-resume",
            "--test-no-qrtr",
            "--no-auto-scan",
        ]);
        command.args(if debug {
            &["--debug"][..]
        } else {
            &["--log-level=INFO"]
        });
        command.env("DBUS_SESSION_BUS_ADDRESS", &address);
        command.env("DBUS_SYSTEM_BUS_ADDRESS", &address);
        let log = log(&self.root.path().join("manager.log"));
        let output = log.try_clone().unwrap();
        self.manager = Some(run(&mut command, output, log));
        self.plug_in().await;
    }

    pub(super) fn stop_manager(&mut self) {
        self.manager = None;
    }

    /// A modem appears to ModemManager.
    pub(super) async fn plug_in(&mut self) {
        self.n_profiles += 1;
        let id = format!("sim7600-{}", self.n_profiles);
        let ports = vec![format!("abstract:{}", self.name)];
        let address = format!("unix:path={}", self.socket().display());
        let from = Instant::now();
        loop {
            let asking = async {
                let bus = zbus::connection::Builder::address(address.as_str())?
                    .build()
                    .await?;
                bus.call_method(
                    Some("org.freedesktop.ModemManager1"),
                    "/org/freedesktop/ModemManager1",
                    Some("org.freedesktop.ModemManager1.Test"),
                    "SetProfile",
                    &(&id, "simtech", &ports),
                )
                .await
            };
            let Err(error) = asking.await else {
                return;
            };
            assert!(from.elapsed() < PATIENCE, "{error}");
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Somebody else on the bus connects the modem with object 0.
    pub(super) async fn connect(&self, apn: &str) {
        let properties =
            std::collections::HashMap::from([("apn", zbus::zvariant::Value::from(apn))]);
        let bus = self.connection().await;
        bus.call_method(
            Some("org.freedesktop.ModemManager1"),
            "/org/freedesktop/ModemManager1/Modem/0",
            Some("org.freedesktop.ModemManager1.Modem.Simple"),
            "Connect",
            &properties,
        )
        .await
        .unwrap();
    }

    /// The next report for which `pick` has an answer; everything else is let go.
    pub(super) async fn until<T>(&mut self, what: &str, pick: impl Fn(&Report) -> Option<T>) -> T {
        let waiting = async {
            loop {
                let report = self.backend.next().await;
                if !matches!(report, Report::Known(..) | Report::NetworkTime { .. }) {
                    println!("{report:?}");
                }
                if let Some(picked) = pick(&report) {
                    return picked;
                }
            }
        };
        timeout(PATIENCE, waiting)
            .await
            .unwrap_or_else(|_| panic!("waited in vain for {what}"))
    }

    pub(super) async fn presence(
        &mut self,
        what: &str,
        is_it: impl Fn(&Presence) -> bool,
    ) -> Presence {
        let pick = |report: &Report| match report {
            Report::Presence(presence) if is_it(presence) => Some(presence.clone()),
            _ => None,
        };
        self.until(what, pick).await
    }

    pub(super) async fn known(
        &mut self,
        what: &str,
        is_it: impl Fn(&Knowledge) -> bool,
    ) -> Knowledge {
        let pick = |report: &Report| match report {
            Report::Known(known, _) if is_it(known) => Some((**known).clone()),
            _ => None,
        };
        self.until(what, pick).await
    }

    pub(super) fn ask(&mut self, action: Action) -> Ticket {
        self.n_tickets += 1;
        let ticket = Ticket(self.n_tickets);
        self.backend.ask(ticket, action);
        ticket
    }

    pub(super) async fn done(&mut self, ticket: Ticket) -> Result<Outcome, tm_types::Cause> {
        let pick = |report: &Report| match report {
            Report::Done(done, result) if *done == ticket => Some(result.clone()),
            _ => None,
        };
        self.until("the end of an action", pick).await
    }

    pub(super) async fn perform(&mut self, action: Action) -> Result<Outcome, tm_types::Cause> {
        let ticket = self.ask(action);
        self.done(ticket).await
    }
}

fn run(command: &mut Command, output: impl Into<Stdio>, errors: File) -> Process {
    command.stdin(Stdio::null()).stdout(output).stderr(errors);
    Process(command.spawn().unwrap())
}

fn log(path: &Path) -> File {
    let mut log = File::options();
    log.create(true).append(true).open(path).unwrap()
}
