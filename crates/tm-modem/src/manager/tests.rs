//! The manager against a module played from the manual and from transcripts, on streams in memory, with time paused.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tm_service::config::{Environment, Report, Settings};
use tm_service::port::{Absence, Link, Opened, Opener, Opening, PortUrl};
use tm_types::{BootId, Clock, Modem, Reading, RegistrationStatus, Timestamp};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::*;

/// A module that answers from a table. Commands that are not in it are answered with `OK`.
#[derive(Clone)]
struct Module {
    answers: BTreeMap<&'static str, String>,
    /// Milliseconds between two bytes.
    byte_ms: u64,
    /// Said before every answer.
    noise: Vec<u8>,
    /// Said all the time, without an answer.
    is_babbling: bool,
    /// Its clock runs since then; it stands still otherwise.
    clock_since: Option<Instant>,
}

impl Module {
    fn registered() -> Self {
        let answers = [
            (
                "ATI",
                "Manufacturer: SIMCOM INCORPORATED\nModel: SIMCOM_SIM7600G-H\nRevision: SIM7600G_V2.0.2\nIMEI: 860000000000001\n+GCAP: +CGSM",
            ),
            ("AT+CGMR", "+CGMR: LE20B04SIM7600G22"),
            ("AT+CPIN?", "+CPIN: READY"),
            ("AT+CICCID", "+ICCID: 8938003991234567890F"),
            ("AT+CIMI", "255011234567890"),
            ("AT+CEREG?", "+CEREG: 1,1"),
            ("AT+CGREG?", "+CGREG: 0,0"),
            ("AT+COPS?", "+COPS: 0,0,\"Vodafone UA\",7"),
            (
                "AT+CPSI?",
                "+CPSI: LTE,Online,255-01,0x8502,22274571,143,EUTRAN-BAND3,1650,5,5,-98,-892,-591,12",
            ),
            ("AT+CSQ", "+CSQ: 27,99"),
            ("AT+CPMUTEMP", "+CPMUTEMP: 29"),
            ("AT+CBC", "+CBC: 3.891V"),
            ("AT+CCLK?", "+CCLK: \"26/11/23,10:00:00+08\""),
            ("AT+CGPS?", "+CGPS: 0,1"),
            ("AT+SPIC", "+SPIC: 3,10,3,10"),
        ];
        let answers = answers
            .into_iter()
            .map(|(command, lines)| (command, format!("{lines}\n\nOK")));
        Self {
            answers: answers.collect(),
            byte_ms: 0,
            noise: Vec::new(),
            is_babbling: false,
            clock_since: None,
        }
    }

    fn with(mut self, command: &'static str, answer: &str) -> Self {
        self.answers.insert(command, answer.to_owned());
        self
    }

    /// Plays the module until the other end goes; what was asked is told.
    async fn play(self, mut stream: DuplexStream, asked: mpsc::UnboundedSender<String>) {
        if self.is_babbling {
            while stream.write_all(&[b'\xff'; 100]).await.is_ok() {
                sleep(Duration::from_millis(100)).await;
            }
            return;
        }
        let mut line = Vec::new();
        while let Ok(byte) = stream.read_u8().await {
            if byte != b'\r' {
                line.push(byte);
                continue;
            }
            let command = String::from_utf8(std::mem::take(&mut line)).unwrap();
            let mut answer = self
                .answers
                .get(command.as_str())
                .map_or("OK", String::as_str);
            let clock = self.clock_since.map(clock);
            if command == "AT+CCLK?" {
                answer = clock.as_deref().unwrap_or(answer);
            }
            let mut bytes = self.noise.clone();
            if !answer.is_empty() {
                bytes.extend_from_slice(format!("\n{answer}\n").replace('\n', "\r\n").as_bytes());
            }
            let _ = asked.send(command);
            for part in bytes.chunks(if self.byte_ms == 0 { usize::MAX } else { 1 }) {
                sleep(Duration::from_millis(self.byte_ms)).await;
                if stream.write_all(part).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// The module's clock, 10:00 in Kyiv at the beginning.
fn clock(since: Instant) -> String {
    let minutes = since.elapsed().as_secs() / 60;
    let (hour, minute, second) = (
        10 + minutes / 60,
        minutes % 60,
        since.elapsed().as_secs() % 60,
    );
    format!("+CCLK: \"26/11/23,{hour:02}:{minute:02}:{second:02}+08\"\n\nOK")
}

/// What is behind the port at the moment: a module, or why it cannot be opened.
type Behind = Arc<Mutex<Result<Module, OpenError>>>;

/// Opens a port to whatever is behind it.
struct Socket {
    behind: Behind,
    asked: mpsc::UnboundedSender<String>,
    /// Kept to pull the plug.
    players: Arc<Mutex<Vec<tokio::task::AbortHandle>>>,
}

impl Opener for Socket {
    fn begin(&self, url: &PortUrl) -> Opening {
        let opened = self.behind.lock().unwrap().clone().map(|module| {
            let (near, far) = duplex(65_536);
            let player = tokio::spawn(module.play(far, self.asked.clone()));
            self.players.lock().unwrap().push(player.abort_handle());
            Opened {
                port: Box::new(near),
                name: url.to_string(),
            }
        });
        Box::pin(async move { opened })
    }
}

/// The service without a bus.
struct Bench {
    behind: Behind,
    players: Arc<Mutex<Vec<tokio::task::AbortHandle>>>,
    asked: mpsc::UnboundedReceiver<String>,
    link: Link,
    manager: Manager,
    started: Instant,
    effects: Vec<Effect>,
}

fn absent() -> OpenError {
    Absence::Device {
        vendor: 0x1e0e,
        product: 0x9001,
    }
    .into()
}

fn config(variables: &[(&str, &str)]) -> Config {
    let mut environment = Environment::default();
    for (name, value) in variables {
        environment = environment.with(name, value);
    }
    let mut report = Report::default();
    let config = Config::load("TM_MODEM_", &environment, &mut report);
    assert!(report.findings().is_empty(), "{:?}", report.findings());
    config
}

impl Bench {
    fn new(behind: Result<Module, OpenError>, seen: Seen, variables: &[(&str, &str)]) -> Self {
        let behind = Arc::new(Mutex::new(behind));
        let players = Arc::default();
        let (sender, asked) = mpsc::unbounded_channel();
        let socket = Socket {
            behind: Arc::clone(&behind),
            asked: sender,
            players: Arc::clone(&players),
        };
        let config = config(variables);
        let started = Instant::now();
        Self {
            behind,
            players,
            asked,
            link: Link::new(config.port.clone(), Arc::new(socket)),
            manager: Manager::new(config, seen, started),
            started,
            effects: Vec::new(),
        }
    }

    fn now(&self) -> Now {
        let elapsed = self.started.elapsed();
        let mono_ms = 50_000 + u64::try_from(elapsed.as_millis()).unwrap();
        // 1970: the machine's own wall clock must not matter.
        let stamp = Stamp {
            time: Timestamp::EPOCH,
            mono_ms,
            boot: BootId(7),
            clock: Clock::None,
            err_ms: None,
        };
        Now {
            instant: Instant::now(),
            stamp,
        }
    }

    /// Runs for a time.
    async fn run(&mut self, time: Duration) {
        let end = Instant::now() + time;
        let _ = timeout(time, async {
            loop {
                self.turn().await;
            }
        })
        .await;
        tokio::time::sleep_until(end).await;
    }

    async fn turn(&mut self) {
        let deadline = self.manager.deadline();
        let event = tokio::select! {
            event = self.link.next() => Event::At(event),
            () = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            } => Event::Due,
        };
        let now = self.now();
        for effect in self.manager.on(event, now) {
            match &effect {
                Effect::Write(bytes) => self.link.write(bytes).await,
                Effect::Reopen => self.link.reopen(),
                _ => self.effects.push(effect),
            }
        }
    }

    fn put(&self, behind: Result<Module, OpenError>) {
        *self.behind.lock().unwrap() = behind;
    }

    /// Ends the connection that is open, as a pulled plug does.
    fn cut(&self) {
        self.players
            .lock()
            .unwrap()
            .drain(..)
            .for_each(|player| player.abort());
    }

    fn state(&self) -> Modem {
        let state = self.effects.iter().rev().find_map(|effect| match effect {
            Effect::State(state) => Some(state.modems[0].clone()),
            _ => None,
        });
        state.expect("a state was published")
    }

    fn health(&self) -> (HealthStatus, Option<String>) {
        let health = self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Health(status, reasons) => {
                Some((*status, reasons.first().map(|r| r.code.clone())))
            }
            _ => None,
        });
        health.expect("health was reported")
    }

    fn causes(&self) -> Vec<String> {
        let states = self.effects.iter().filter_map(|effect| match effect {
            Effect::State(state) => Some(state.modems[0].cause.code.clone()),
            _ => None,
        });
        let mut causes: Vec<String> = states.collect();
        causes.dedup();
        causes
    }

    fn polls(&self) -> Vec<(u64, BTreeMap<String, Reading>)> {
        let polls = self.effects.iter().filter_map(|effect| match effect {
            Effect::Points(stamp, points) => {
                let points = points
                    .iter()
                    .map(|p| (p.name.to_string(), p.reading.clone()));
                Some((stamp.mono_ms, points.collect()))
            }
            _ => None,
        });
        polls.collect()
    }

    fn n(&self, wanted: impl Fn(&Effect) -> bool) -> usize {
        self.effects.iter().filter(|effect| wanted(effect)).count()
    }

    fn asked(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.asked.try_recv().ok()).collect()
    }
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const NOTHING: Seen = Seen {
    modem: false,
    sim: false,
};
const EVERYTHING: Seen = Seen {
    modem: true,
    sim: true,
};

#[tokio::test(start_paused = true)]
async fn a_registered_modem_is_told_once_and_polled_every_minute() {
    let mut bench = Bench::new(Ok(Module::registered()), NOTHING, &[]);
    bench.run(MINUTE * 5 - SECOND).await;
    let modem = bench.state();
    assert_eq!(modem.presence, ModemPresence::Present);
    assert_eq!(
        modem.cause,
        code::MODEM_REGISTERED.with("operator", "Vodafone UA")
    );
    assert_eq!(modem.identity.model.as_deref(), Some("SIM7600G-H"));
    assert_eq!(modem.sim.iccid.as_deref(), Some("8938003991234567890"));
    assert_eq!(modem.registration.status, RegistrationStatus::Home);
    assert_eq!(modem.signal.rsrp_dbm, Some(-89.2));
    assert_eq!(modem.cell.unwrap().enb, Some(87_010));
    assert_eq!(
        (modem.temperature_cel, modem.supply_v),
        (Some(29), Some(3.891))
    );
    assert_eq!(bench.health(), (HealthStatus::Up, None));
    assert_eq!(
        bench.n(|e| matches!(e, Effect::State(_))),
        1,
        "nothing changed"
    );
    assert_eq!(bench.n(|e| matches!(e, Effect::Health(..))), 1);
    assert_eq!(bench.n(|e| *e == Effect::Remember(EVERYTHING)), 1);
    let polls = bench.polls();
    assert_eq!(
        polls.iter().map(|(at, _)| at / 1000).collect::<Vec<_>>(),
        [50, 110, 170, 230, 290]
    );
    assert_eq!(
        polls[4].1["1/rsrp"],
        Reading::Good(tm_types::Value::decimal(-892, 1).unwrap())
    );
    let asked = bench.asked();
    assert_eq!(
        asked
            .iter()
            .filter(|command| *command == "AT+CGPS=1")
            .count(),
        5,
        "it says it is off"
    );
    assert_eq!(
        asked.iter().filter(|command| *command == "AT+CIMI").count(),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn bytes_one_by_one_and_garbage_between_answers_change_nothing() {
    let mut module = Module::registered();
    module.byte_ms = 1;
    module.noise = b"\r\n\x00\xff\xfe noise\r\n+CMTI: \"SM\",1\r\n\r\n".to_vec();
    let mut bench = Bench::new(Ok(module), NOTHING, &[]);
    bench.run(MINUTE).await;
    assert_eq!(bench.state().cause.code, "modem.registered");
    assert_eq!(bench.state().signal.rsrp_dbm, Some(-89.2));
    assert_eq!(bench.polls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_endless_line_is_a_mute_modem() {
    let mut module = Module::registered();
    module.is_babbling = true;
    let mut bench = Bench::new(Ok(module), NOTHING, &[]);
    bench.run(MINUTE).await;
    assert_eq!(bench.state().presence, ModemPresence::Mute);
    assert_eq!(
        bench.health(),
        (HealthStatus::Degraded, Some("modem.mute".to_owned()))
    );
    assert_eq!(bench.n(|e| matches!(e, Effect::State(_))), 1, "said once");
}

#[tokio::test(start_paused = true)]
async fn a_modem_that_falls_silent_is_mute_and_returns() {
    let mut bench = Bench::new(Ok(Module::registered()), NOTHING, &[]);
    bench.run(SECOND * 10).await;
    let silent = Module {
        answers: BTreeMap::new(),
        ..Module::registered()
    };
    let silent = Module::registered()
        .answers
        .keys()
        .fold(silent, |module, command| module.with(command, ""));
    bench.put(Ok(silent
        .with("AT", "")
        .with("ATE0", "")
        .with("AT+CMEE?", "")));
    bench.cut();
    bench.run(SECOND * 20).await;
    assert_eq!(bench.state().presence, ModemPresence::Mute);
    let last = bench.polls().pop().unwrap().1;
    assert_eq!(last["1/rsrp"], Reading::Missing(Reason::Timeout));
    bench.put(Ok(Module::registered()));
    bench.run(SECOND * 30).await;
    assert_eq!(
        bench.causes(),
        ["modem.registered", "modem.mute", "modem.registered"]
    );
    assert_eq!(bench.health(), (HealthStatus::Up, None));
}

#[tokio::test(start_paused = true)]
async fn a_missing_modem_is_grey_until_it_was_seen_or_is_expected() {
    let cases = [
        (
            NOTHING,
            "auto",
            absent(),
            "modem.not_configured",
            HealthStatus::Up,
        ),
        (
            EVERYTHING,
            "auto",
            absent(),
            "modem.absent",
            HealthStatus::Degraded,
        ),
        (
            NOTHING,
            "true",
            absent(),
            "modem.absent",
            HealthStatus::Degraded,
        ),
        (
            EVERYTHING,
            "false",
            absent(),
            "modem.not_configured",
            HealthStatus::Up,
        ),
        (
            NOTHING,
            "auto",
            OpenError::Busy,
            "modem.port_unusable",
            HealthStatus::Degraded,
        ),
        (
            NOTHING,
            "false",
            OpenError::Denied,
            "modem.not_configured",
            HealthStatus::Up,
        ),
    ];
    for (seen, expected, error, code, status) in cases {
        let mut bench = Bench::new(Err(error), seen, &[("TM_MODEM_EXPECTED", expected)]);
        bench.run(MINUTE).await;
        assert_eq!(bench.causes(), [code], "{seen:?} {expected}");
        assert_eq!(bench.health(), (status, Some(code.to_owned())));
        assert!(bench.polls().is_empty());
        assert_eq!(
            bench.n(|e| matches!(e, Effect::State(_))),
            1,
            "a steady state is silent"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_modem_that_is_unplugged_is_gone_and_comes_back() {
    let mut bench = Bench::new(Err(absent()), NOTHING, &[]);
    bench.run(MINUTE).await;
    bench.put(Ok(Module::registered()));
    bench.run(MINUTE).await;
    bench.put(Err(absent()));
    bench.cut();
    bench.run(MINUTE).await;
    assert_eq!(
        bench.health(),
        (HealthStatus::Degraded, Some("modem.absent".to_owned()))
    );
    let gone = bench.state();
    assert_eq!((gone.port, gone.signal.rsrp_dbm), (None, None));
    assert_eq!(
        gone.identity.model.as_deref(),
        Some("SIM7600G-H"),
        "which one is gone"
    );
    assert_eq!(
        bench.polls().pop().unwrap().1["1/rsrp"],
        Reading::Missing(Reason::NotPresent)
    );
    bench.put(Ok(Module::registered()));
    bench.run(MINUTE).await;
    let expected = [
        "modem.not_configured",
        "modem.registered",
        "modem.absent",
        "modem.registered",
    ];
    assert_eq!(bench.causes(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_reset_of_a_moment_changes_no_state() {
    let mut bench = Bench::new(Ok(Module::registered()), NOTHING, &[]);
    bench.run(SECOND * 10).await;
    bench.cut();
    bench.run(SECOND * 10).await;
    assert_eq!(bench.n(|e| matches!(e, Effect::State(_))), 1);
    assert_eq!(bench.polls().len(), 2, "but everything is read anew");
}

#[tokio::test(start_paused = true)]
async fn without_a_sim_the_sentence_is_grey_until_one_was_there() {
    for (seen, status) in [
        (NOTHING, HealthStatus::Up),
        (EVERYTHING, HealthStatus::Degraded),
    ] {
        let module = Module::registered()
            .with("AT+CPIN?", "+CME ERROR: SIM not inserted")
            .with("AT+CEREG?", "+CEREG: 1,0\n\nOK")
            .with("AT+COPS?", "+COPS: 0\n\nOK")
            .with("AT+CSQ", "+CSQ: 99,99\n\nOK")
            .with("AT+CPSI?", "+CPSI: NO SERVICE,Online\n\nOK");
        let mut bench = Bench::new(Ok(module), seen, &[]);
        bench.run(MINUTE * 5).await;
        assert_eq!(bench.causes(), ["modem.sim_absent"]);
        assert_eq!(
            bench.health(),
            (status, Some("modem.sim_absent".to_owned()))
        );
        assert_eq!(
            bench.polls()[0].1["1/rsrp"],
            Reading::Missing(Reason::NotPresent)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn searching_is_patient_then_degraded_then_found() {
    let searching = Module::registered()
        .with("AT+CEREG?", "+CEREG: 1,2\n\nOK")
        .with("AT+COPS?", "+COPS: 0\n\nOK")
        .with("AT+CPSI?", "+CPSI: NO SERVICE,Online\n\nOK");
    let mut bench = Bench::new(Ok(searching), EVERYTHING, &[]);
    bench.run(MINUTE * 3 - SECOND * 5).await;
    assert_eq!(bench.state().cause.code, "modem.searching");
    assert_eq!(bench.health(), (HealthStatus::Up, None));
    bench.run(SECOND * 20).await;
    assert_eq!(
        bench.health(),
        (HealthStatus::Degraded, Some("modem.searching".to_owned()))
    );
    bench.put(Ok(Module::registered()));
    bench.cut();
    bench.run(SECOND * 5).await;
    assert_eq!(bench.health(), (HealthStatus::Up, None));
    assert_eq!(bench.causes(), ["modem.searching", "modem.registered"]);
}

#[tokio::test(start_paused = true)]
async fn a_pin_is_sent_once_and_only_while_three_tries_remain() {
    let locked = || Module::registered().with("AT+CPIN?", "+CPIN: SIM PIN\n\nOK");
    let refused = || locked().with("AT+CPIN=0042", "+CME ERROR: incorrect password");
    let pin = [("TM_MODEM_PIN", "0042")];
    let cases: [(Module, &[(&str, &str)], usize, &str); 5] = [
        (locked(), &[], 0, "modem.sim_pin_required"),
        (refused(), &pin, 1, "modem.sim_pin_withheld"),
        (
            locked().with("AT+SPIC", "+SPIC: 2,10,3,10\n\nOK"),
            &pin,
            0,
            "modem.sim_pin_withheld",
        ),
        (
            locked().with("AT+SPIC", "ERROR"),
            &pin,
            0,
            "modem.sim_pin_withheld",
        ),
        (Module::registered(), &pin, 0, "modem.registered"),
    ];
    for (module, variables, n_sent, code) in cases {
        let mut bench = Bench::new(Ok(module), EVERYTHING, variables);
        bench.run(MINUTE * 10).await;
        let n = bench
            .asked()
            .iter()
            .filter(|command| *command == "AT+CPIN=0042")
            .count();
        assert_eq!((n, bench.state().cause.code.as_str()), (n_sent, code));
    }
}

#[tokio::test(start_paused = true)]
async fn the_networks_time_is_told_when_it_agrees_with_itself() {
    let anchors = |bench: &Bench| bench.n(|effect| matches!(effect, Effect::Anchor(_)));
    let mut bench = Bench::new(Ok(Module::registered()), NOTHING, &[]);
    bench.run(MINUTE * 10).await;
    assert_eq!(anchors(&bench), 0, "a clock that stands still is no clock");

    let mut module = Module::registered();
    module.clock_since = Some(Instant::now());
    let mut bench = Bench::new(Ok(module.clone()), NOTHING, &[]);
    bench.run(MINUTE * 70).await;
    assert_eq!(anchors(&bench), 2, "the second reading, and an hour later");
    let anchor = bench.effects.iter().find_map(|effect| match effect {
        Effect::Anchor(anchor) => Some(*anchor),
        _ => None,
    });
    let anchor = anchor.unwrap();
    assert_eq!(anchor.utc.to_string(), "2026-11-23T08:01:00.500Z");
    assert_eq!((anchor.mono_ms, anchor.boot), (110_000, BootId(7)));

    let searching = module.with("AT+CEREG?", "+CEREG: 1,2\n\nOK");
    let mut bench = Bench::new(Ok(searching), NOTHING, &[]);
    bench.run(MINUTE * 10).await;
    assert_eq!(anchors(&bench), 0, "nobody who could have told it");
}

#[tokio::test(start_paused = true)]
async fn the_module_may_speak_first() {
    let (near, mut far) = duplex(4096);
    let mut manager = Manager::new(Config::default(), NOTHING, Instant::now());
    drop(near);
    let stamp = Stamp {
        time: Timestamp::EPOCH,
        mono_ms: 0,
        boot: BootId(7),
        clock: Clock::None,
        err_ms: None,
    };
    let now = |instant| Now { instant, stamp };
    let start = Instant::now();
    assert!(far.read_u8().await.is_err());
    let written = |effects: &[Effect]| {
        let mut bytes = Vec::new();
        for effect in effects {
            if let Effect::Write(part) = effect {
                bytes.extend_from_slice(part);
            }
        }
        String::from_utf8(bytes).unwrap()
    };
    let effects = manager.on(
        Event::At(PortEvent::Opened("/dev/ttyUSB2".to_owned())),
        now(start),
    );
    assert_eq!(written(&effects), "AT\r");
    // A restart in the middle of the settings begins them again; the command that was running is given up.
    let effects = manager.on(
        Event::At(PortEvent::Bytes(b"\r\nOK\r\n\r\nRDY\r\n".to_vec())),
        now(start),
    );
    assert!(written(&effects).starts_with("AT"), "{effects:?}");
    assert_eq!(manager.round, Round::Init);
    // Bytes that come when the port is closed to the manager are nobody's.
    manager.on(
        Event::At(PortEvent::Lost("unplugged".to_owned())),
        now(start),
    );
    assert!(
        manager
            .on(
                Event::At(PortEvent::Bytes(b"\r\nRDY\r\n".to_vec())),
                now(start)
            )
            .is_empty()
    );
}
