//! The simulated module over memory (paused time), TCP and PTYs (real time, with deadlines).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    collections::VecDeque,
    fs::{File, OpenOptions},
    io::{ErrorKind, Read as _, Write as _},
    path::PathBuf,
    sync::mpsc,
    time::{Duration, SystemTime},
};

use tm_proto::{
    at::{Channel, Command, Output, Reply},
    calendar::Date,
    nmea0183::{Epoch, Epochs, FixMode},
    sim7600::{self, RegistrationStatus, ServingCell, SimState, Urc, ask},
};
use tm_sim::{
    Sim7600,
    sim7600::{Clock, Line, Motion, Scenario, Sim7600Config},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream},
    net::TcpStream,
    time::{timeout, timeout_at},
};

const DEADLINE: Duration = Duration::from_secs(10);
/// 2026-11-23 12:00:00 UTC.
const NOON_S: u64 = 1_795_435_200;

/// A client of the AT port.
struct Client<S> {
    stream: S,
    channel: Channel,
    urcs: VecDeque<Urc>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    fn new(stream: S) -> Self {
        Self {
            stream,
            channel: Channel::default(),
            urcs: VecDeque::new(),
        }
    }

    async fn ask(&mut self, command: Command) -> Reply {
        let bytes = self.channel.start(command).unwrap();
        self.stream.write_all(&bytes).await.unwrap();
        loop {
            if let Some(reply) = self.next_reply() {
                return reply;
            }
            self.read().await;
        }
    }

    async fn urc(&mut self) -> Urc {
        loop {
            assert!(self.next_reply().is_none());
            if let Some(urc) = self.urcs.pop_front() {
                return urc;
            }
            self.read().await;
        }
    }

    async fn read(&mut self) {
        let mut buffer = [0; 256];
        let n = timeout(DEADLINE, self.stream.read(&mut buffer))
            .await
            .unwrap()
            .unwrap();
        assert!(n > 0, "the port vanished");
        self.channel.feed(&buffer[..n]);
    }

    fn next_reply(&mut self) -> Option<Reply> {
        while let Some(output) = self.channel.next() {
            match output {
                Output::Reply(reply) => return Some(reply),
                Output::Urc(line) => self.urcs.push_back(Urc::parse(&line)),
                other => panic!("{other:?}"),
            }
        }
        None
    }
}

fn at_noon() -> Clock {
    // And then as the test's time goes.
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(NOON_S);
    let begin = tokio::time::Instant::now();
    Clock::new(move || start + begin.elapsed())
}

fn module() -> Sim7600 {
    Sim7600::start(Sim7600Config {
        clock: at_noon(),
        ..Sim7600Config::default()
    })
}

/// A client of a module that has finished its start.
async fn booted(module: &Sim7600) -> Client<DuplexStream> {
    let mut client = Client::new(module.handle().open(Line::At).await.unwrap());
    while client.urc().await != Urc::PhonebookReady {}
    client
}

async fn registration(client: &mut Client<DuplexStream>) -> RegistrationStatus {
    sim7600::registration(&client.ask(ask::registration_lte()).await.lines)
        .unwrap()
        .status
}

#[tokio::test(start_paused = true)]
async fn it_starts_as_the_real_one() {
    let module = module();
    let mut client = Client::new(module.handle().open(Line::At).await.unwrap());
    assert_eq!(
        SimState::from_reply(&client.ask(ask::sim_state()).await),
        Some(SimState::Busy)
    );
    for expected in [
        Urc::Started,
        Urc::Sim(SimState::Ready),
        Urc::MessagesReady,
        Urc::PhonebookReady,
    ] {
        assert_eq!(client.urc().await, expected);
    }
    assert_eq!(
        SimState::from_reply(&client.ask(ask::sim_state()).await),
        Some(SimState::Ready)
    );
}

#[tokio::test(start_paused = true)]
async fn every_question_has_a_readable_answer() {
    let module = module();
    let mut client = booted(&module).await;
    let config = Sim7600Config::default();
    for echo in [true, false] {
        if !echo {
            client.ask(ask::echo_off()).await.ok().unwrap();
        }
        client.ask(ask::attention()).await.ok().unwrap();
        client.ask(ask::verbose_errors()).await.ok().unwrap();
        let identity = sim7600::identity(&client.ask(ask::identity()).await.lines).unwrap();
        assert_eq!(identity.imei.as_deref(), Some(config.imei.as_str()));
        let revision =
            sim7600::firmware_revision(&client.ask(ask::firmware_revision()).await.lines);
        assert_eq!(revision.as_deref(), Some("LE20B04SIM7600G22"));
        let imei = sim7600::equipment_identity(&client.ask(ask::equipment_identity()).await.lines);
        assert_eq!(imei.as_deref(), Some(config.imei.as_str()));
        let subscriber =
            sim7600::subscriber_identity(&client.ask(ask::subscriber_identity()).await.lines);
        assert_eq!(subscriber.as_deref(), Some(config.imsi.as_str()));
        let iccid = sim7600::iccid(&client.ask(ask::iccid()).await.lines);
        assert_eq!(iccid.as_deref(), Some(config.iccid.as_str()));
        assert_eq!(
            sim7600::pin_tries(&client.ask(ask::pin_tries()).await.lines)
                .unwrap()
                .pin,
            3
        );
        for question in [
            ask::registration_cs(),
            ask::registration_ps(),
            ask::registration_lte(),
        ] {
            let registration = sim7600::registration(&client.ask(question).await.lines).unwrap();
            assert_eq!(registration.status, RegistrationStatus::Home);
        }
        client.ask(ask::operator_numeric()).await.ok().unwrap();
        let operator = sim7600::operator(&client.ask(ask::operator()).await.lines).unwrap();
        assert_eq!(operator.plmn.as_deref(), Some("25501"));
        client.ask(ask::operator_names()).await.ok().unwrap();
        let operator = sim7600::operator(&client.ask(ask::operator()).await.lines).unwrap();
        assert_eq!(operator.name.as_deref(), Some("Vodafone UA"));
        let signal =
            sim7600::signal_quality(&client.ask(ask::signal_quality()).await.lines).unwrap();
        assert!(signal.rssi_dbm.is_some());
        assert!(
            sim7600::access_technology(&client.ask(ask::access_technology()).await.lines)
                .unwrap()
                .is_some()
        );
        assert!(
            sim7600::supply_voltage_v(&client.ask(ask::supply_voltage()).await.lines).is_some()
        );
        assert!(
            sim7600::temperature_celsius(&client.ask(ask::temperature()).await.lines).is_some()
        );
        let contexts = sim7600::pdp_contexts(&client.ask(ask::pdp_contexts()).await.lines);
        assert_eq!(contexts[0].access_point.as_deref(), Some("staticip"));
        let addresses = sim7600::pdp_addresses(&client.ask(ask::pdp_addresses()).await.lines);
        assert_eq!(
            addresses[0].addresses,
            [config.address.parse::<std::net::IpAddr>().unwrap()]
        );
        let clock = sim7600::network_clock(&client.ask(ask::network_clock()).await.lines)
            .unwrap()
            .unwrap();
        assert!(
            u64::try_from(clock.unix_s).is_ok_and(|s| (NOON_S..NOON_S + 60).contains(&s)),
            "{clock:?}"
        );
        assert!(
            sim7600::gnss_engine(&client.ask(ask::gnss_engine()).await.lines)
                .unwrap()
                .is_on
        );
        assert!(sim7600::radio_power(&client.ask(ask::radio_power()).await.lines).is_some());
        for command in [
            ask::network_time_on(),
            ask::limited_service_on(),
            ask::temperature_alarm_on(),
            ask::supply_alarm_on(),
            ask::operator_automatic(),
            ask::radio_on(),
        ] {
            let reply = client.ask(command).await;
            assert_eq!(reply.outcome, Ok(()), "{:?}", reply.command);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn levels_are_those_of_the_truth_and_drift() {
    let module = module();
    let mut client = booted(&module).await;
    let mut seen = Vec::new();
    for _ in 0..20 {
        let cells = sim7600::serving_cells(&client.ask(ask::serving_cell()).await.lines).unwrap();
        let [ServingCell::Lte(cell)] = cells.as_slice() else {
            panic!("{cells:?}")
        };
        let rsrp = cell.levels.rsrp_dbm.unwrap();
        let truth = i32::try_from(module.handle().status().rsrp_tenths).unwrap();
        assert!(
            (rsrp - f64::from(truth) / 10.0).abs() < 1e-9,
            "{rsrp} {truth}"
        );
        seen.push(truth);
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    seen.dedup();
    assert!(seen.len() > 10, "{seen:?}");
    assert!(seen.iter().all(|rsrp| (-1200..=-700).contains(rsrp)));
}

#[tokio::test(start_paused = true)]
async fn network_scenarios() {
    let module = module();
    let mut client = booted(&module).await;
    for (scenario, status) in [
        (Scenario::Searching, RegistrationStatus::Searching),
        (Scenario::Denied, RegistrationStatus::Denied),
        (Scenario::Roaming, RegistrationStatus::Roaming),
        (Scenario::Normal, RegistrationStatus::Home),
    ] {
        module.handle().play(scenario);
        assert_eq!(registration(&mut client).await, status);
        let signal =
            sim7600::signal_quality(&client.ask(ask::signal_quality()).await.lines).unwrap();
        assert_eq!(signal.rssi_dbm.is_some(), status.is_registered());
        let cells = sim7600::serving_cells(&client.ask(ask::serving_cell()).await.lines).unwrap();
        assert_eq!(
            matches!(cells.as_slice(), [ServingCell::Lte(_)]),
            status.is_registered()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_sim_that_is_missing_or_locked() {
    let module = module();
    let mut client = booted(&module).await;
    module.handle().play(Scenario::NoSim);
    assert_eq!(client.urc().await, Urc::Sim(SimState::NotInserted));
    assert_eq!(
        SimState::from_reply(&client.ask(ask::sim_state()).await),
        Some(SimState::NotInserted)
    );
    assert!(client.ask(ask::iccid()).await.ok().is_err());
    assert_eq!(registration(&mut client).await, RegistrationStatus::Idle);
    module.handle().play(Scenario::PinRequired);
    assert_eq!(client.urc().await, Urc::Sim(SimState::PinRequired));
    assert_eq!(
        client
            .ask(ask::enter_pin("1111").unwrap())
            .await
            .ok()
            .unwrap_err()
            .cme(),
        Some(16)
    );
    assert_eq!(
        sim7600::pin_tries(&client.ask(ask::pin_tries()).await.lines)
            .unwrap()
            .pin,
        2
    );
    client
        .ask(ask::enter_pin("0042").unwrap())
        .await
        .ok()
        .unwrap();
    assert_eq!(registration(&mut client).await, RegistrationStatus::Home);
    module.handle().play(Scenario::PinRequired);
    for _ in 0..3 {
        client.ask(ask::enter_pin("9999").unwrap()).await;
    }
    assert_eq!(
        SimState::from_reply(&client.ask(ask::sim_state()).await),
        Some(SimState::PukRequired)
    );
}

#[tokio::test(start_paused = true)]
async fn a_mute_module_says_nothing() {
    let module = module();
    let mut client = booted(&module).await;
    module.handle().play(Scenario::Mute);
    tokio::time::sleep(Duration::from_millis(1)).await;
    client.stream.write_all(b"AT\r").await.unwrap();
    let mut buffer = [0; 16];
    assert!(
        timeout(Duration::from_mins(1), client.stream.read(&mut buffer))
            .await
            .is_err()
    );
    module.handle().play(Scenario::Normal);
    client.ask(ask::attention()).await.ok().unwrap();
}

#[tokio::test(start_paused = true)]
async fn unplugged_and_plugged_again() {
    let module = module();
    let mut client = booted(&module).await;
    client.ask(ask::echo_off()).await;
    module.handle().play(Scenario::Unplugged);
    assert_eq!(
        timeout(DEADLINE, client.stream.read(&mut [0; 16]))
            .await
            .unwrap()
            .unwrap(),
        0
    );
    assert_eq!(
        module.handle().open(Line::At).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
    module.handle().play(Scenario::Normal);
    module
        .handle()
        .wait_for(|status| status.is_present)
        .await
        .unwrap();
    let mut client = Client::new(module.handle().open(Line::At).await.unwrap());
    assert_eq!(client.urc().await, Urc::Started, "a module that starts");
    client.stream.write_all(b"AT\r").await.unwrap();
    let mut echo = [0; 3];
    client.stream.read_exact(&mut echo).await.unwrap();
    assert_eq!(&echo, b"AT\r", "it has forgotten what it was told");
}

#[tokio::test(start_paused = true)]
async fn a_brown_out_and_a_reset_come_back_by_themselves() {
    let module = module();
    let mut client = booted(&module).await;
    module.handle().play(Scenario::BrownOutReset);
    assert_eq!(
        timeout(DEADLINE, client.stream.read(&mut [0; 16]))
            .await
            .unwrap()
            .unwrap(),
        0
    );
    let back = timeout(
        DEADLINE,
        module.handle().wait_for(|status| status.is_present),
    )
    .await
    .unwrap()
    .unwrap();
    assert_eq!(back.n_boots, 2);
    let mut client = booted(&module).await;
    client.ask(ask::restart()).await.ok().unwrap();
    let rest = timeout(DEADLINE, client.stream.read(&mut [0; 16]))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(rest, 0, "gone after its last words");
    timeout(
        DEADLINE,
        module.handle().wait_for(|status| status.n_boots == 3),
    )
    .await
    .unwrap()
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn several_commands_on_a_line_and_errors_by_level() {
    let module = module();
    let mut client = booted(&module).await;
    let reply = client.ask(Command::new("AT+CMEE?;+CFUN?").unwrap()).await;
    assert_eq!(reply.lines, ["+CMEE: 2", "+CFUN: 1"]);
    for (level, expected) in [
        ("0", "ERROR"),
        ("1", "+CME ERROR: 3"),
        ("2", "+CME ERROR: operation not allowed"),
    ] {
        client
            .ask(Command::new(&format!("AT+CMEE={level}")).unwrap())
            .await
            .ok()
            .unwrap();
        client.stream.write_all(b"AT+CPIN=1234\r").await.unwrap();
        let mut text = String::new();
        while !text.contains("ERROR") || !text.ends_with("\r\n") {
            text.push(char::from(client.stream.read_u8().await.unwrap()));
        }
        assert_eq!(text.lines().last(), Some(expected));
    }
}

async fn next_epoch(stream: &mut DuplexStream, epochs: &mut Epochs) -> Epoch {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    loop {
        let mut buffer = [0; 4096];
        match timeout(Duration::from_millis(150), stream.read(&mut buffer)).await {
            Ok(Ok(0)) => panic!("the port vanished"),
            Ok(n) => assert_eq!(
                epochs.feed(&buffer[..n.unwrap()]),
                [],
                "one burst is one epoch"
            ),
            Err(_) => {
                if let Some(epoch) = epochs.silence() {
                    return epoch;
                }
            }
        }
        assert!(tokio::time::Instant::now() < deadline, "no epoch");
    }
}

#[tokio::test(start_paused = true)]
async fn sentences_once_a_second_from_search_to_fix_and_back() {
    let motion = Some(Motion {
        speed_mps: 12.0,
        heading_deg: 90.0,
    });
    let module = Sim7600::start(Sim7600Config {
        clock: at_noon(),
        motion,
        ..Sim7600Config::default()
    });
    let handle = module.handle();
    let mut stream = handle.open(Line::Nmea).await.unwrap();
    let mut epochs = Epochs::new(Date::new(2026, 1, 1).unwrap());
    let first = next_epoch(&mut stream, &mut epochs).await;
    assert_eq!(
        (first.mode, first.unix_ms(), first.position),
        (FixMode::None, None, None)
    );
    assert_eq!(first.satellites.unwrap().len(), 20);
    let mut previous: Option<Epoch> = None;
    for _ in 0..60 {
        let epoch = next_epoch(&mut stream, &mut epochs).await;
        if epoch.mode == FixMode::None {
            assert!(previous.is_none());
            continue;
        }
        assert_eq!(epoch.mode, FixMode::ThreeD);
        let (position, truth) = (epoch.position.unwrap(), handle.status());
        assert!((position.latitude_deg() - truth.latitude_deg).abs() < 0.0005);
        assert!((position.longitude_deg() - truth.longitude_deg).abs() < 0.0005);
        assert!((epoch.speed_mps.unwrap() - 12.0).abs() < 0.5);
        assert!((epoch.altitude_m.unwrap() - 244.0).abs() < 30.0);
        assert!(epoch.course_deg.is_some() && epoch.horizontal_error_m.is_some());
        let n_used = epoch
            .satellites
            .as_ref()
            .unwrap()
            .iter()
            .filter(|satellite| satellite.is_used)
            .count();
        assert_eq!(epoch.n_used.map(usize::from), Some(n_used));
        if let Some(previous) = previous {
            assert_eq!(epoch.unix_ms().unwrap() - previous.unix_ms().unwrap(), 1000);
            assert_ne!(epoch.position, previous.position);
        }
        previous = Some(epoch);
    }
    assert!(previous.is_some());
    handle.play(Scenario::NoSky);
    next_epoch(&mut stream, &mut epochs).await;
    let blind = next_epoch(&mut stream, &mut epochs).await;
    assert_eq!((blind.mode, blind.position), (FixMode::None, None));
    assert!(blind.unix_ms().is_some(), "the time is kept");
    assert!(
        blind
            .satellites
            .unwrap()
            .iter()
            .all(|satellite| satellite.cn0_dbhz.is_none())
    );
    handle.play(Scenario::Normal);
    let mut epoch = next_epoch(&mut stream, &mut epochs).await;
    for _ in 0..5 {
        epoch = next_epoch(&mut stream, &mut epochs).await;
    }
    assert_eq!(epoch.mode, FixMode::ThreeD);
}

#[tokio::test(start_paused = true)]
async fn the_engine_is_switched_by_command() {
    let module = Sim7600::start(Sim7600Config {
        gnss_autostart: false,
        ..Sim7600Config::default()
    });
    let mut client = booted(&module).await;
    let mut nmea = module.handle().open(Line::Nmea).await.unwrap();
    assert!(
        timeout(Duration::from_secs(5), nmea.read(&mut [0; 16]))
            .await
            .is_err()
    );
    client.ask(ask::gnss_on()).await.ok().unwrap();
    assert!(
        client.ask(ask::gnss_on()).await.ok().is_err(),
        "it runs already"
    );
    assert!(
        timeout(Duration::from_secs(5), nmea.read(&mut [0; 16]))
            .await
            .unwrap()
            .unwrap()
            > 0
    );
    client.ask(ask::gnss_off()).await.ok().unwrap();
    assert_eq!(client.urc().await, Urc::GnssStopped);
}

#[tokio::test(start_paused = true)]
async fn a_burst_begins_right_after_the_second_that_it_states() {
    for into_second in [0, 1, 230, 930, 999].map(Duration::from_millis) {
        let begin = tokio::time::Instant::now();
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(NOON_S) + into_second;
        let clock = move || start + begin.elapsed();
        let module = Sim7600::start(Sim7600Config {
            clock: Clock::new(clock),
            time_to_fix: Duration::ZERO,
            ..Sim7600Config::default()
        });
        let mut stream = module.handle().open(Line::Nmea).await.unwrap();
        let (mut buffer, mut previous) = (vec![0; 4096], None);
        for _ in 0..5 {
            let n = stream.read(&mut buffer).await.unwrap();
            let now = clock();
            let mut epochs = Epochs::new(Date::new(2026, 1, 1).unwrap());
            epochs.feed(&buffer[..n]);
            let stated_ms = epochs.silence().unwrap().unix_ms().unwrap();
            let stated =
                SystemTime::UNIX_EPOCH + Duration::from_millis(stated_ms.try_into().unwrap());
            let late = now.duration_since(stated).unwrap();
            assert!(
                late <= Duration::from_millis(100),
                "{into_second:?}: {late:?}"
            );
            let follows = previous.is_none_or(|previous| stated_ms - previous == 1000);
            assert!(follows, "{into_second:?}: {previous:?}, {stated_ms}");
            previous = Some(stated_ms);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_prints_the_same() {
    let record = async |seed| {
        let module = Sim7600::start(Sim7600Config {
            seed,
            clock: at_noon(),
            ..Sim7600Config::default()
        });
        let mut stream = module.handle().open(Line::Nmea).await.unwrap();
        let mut bytes = vec![0; 20_000];
        stream.read_exact(&mut bytes).await.unwrap();
        bytes
    };
    let first = record(1).await;
    assert!(first == record(1).await);
    assert!(first != record(2).await);
}

#[tokio::test(start_paused = true)]
async fn garbage_can_be_put_on_the_line() {
    let module = module();
    let mut client = booted(&module).await;
    module
        .handle()
        .inject_garbage(Line::At, b"\xff\xfe\x00garbage\r\n");
    assert_eq!(client.urc().await, Urc::Other("garbage".to_owned()));
    client.ask(ask::attention()).await.ok().unwrap();
}

#[tokio::test]
async fn on_tcp_it_is_refused_while_unplugged() {
    let module = module();
    let ports = module.on_tcp().unwrap();
    let mut client = Client::new(TcpStream::connect(ports.at).await.unwrap());
    client.ask(ask::attention()).await.ok().unwrap();
    let mut nmea = TcpStream::connect(ports.nmea).await.unwrap();
    nmea.write_all(b"ignored").await.unwrap();
    let mut buffer = [0; 6];
    timeout(DEADLINE, nmea.read_exact(&mut buffer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&buffer, b"$GPGSV");
    module.handle().play(Scenario::Unplugged);
    let gone = timeout(DEADLINE, tokio::io::copy(&mut nmea, &mut tokio::io::sink()))
        .await
        .unwrap();
    assert!(gone.is_ok() || gone.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset));
    let deadline = tokio::time::Instant::now() + DEADLINE;
    let refused = async {
        while !matches!(TcpStream::connect(ports.at).await, Err(error) if error.kind() == ErrorKind::ConnectionRefused)
        {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout_at(deadline, refused).await.unwrap();
    module.handle().play(Scenario::Normal);
    let connect = async {
        loop {
            if let Ok(stream) = TcpStream::connect(ports.at).await {
                return stream;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let mut client = Client::new(timeout_at(deadline, connect).await.unwrap());
    client.ask(ask::attention()).await.ok().unwrap();
}

/// What a thread reads from a device file, line by line; PTYs block.
fn reader(mut file: File) -> mpsc::Receiver<u8> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut byte = [0];
        while let Ok(1) = file.read(&mut byte) {
            if sender.send(byte[0]).is_err() {
                return;
            }
        }
    });
    receiver
}

fn open(path: &PathBuf) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    // O_NOCTTY, as every serial library opens.
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(0o400)
        .open(path)
}

fn expect_text(receiver: &mpsc::Receiver<u8>, wanted: &str) {
    let mut text = String::new();
    while !text.contains(wanted) {
        match receiver.recv_timeout(DEADLINE) {
            Ok(byte) => text.push(char::from(byte)),
            Err(error) => panic!("{error}: only {text:?} instead of {wanted:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_ptys_the_links_come_and_go() {
    let directory = tempfile::tempdir().unwrap();
    let module = module();
    let paths = module.on_ptys(directory.path()).await.unwrap();
    // Several clients one after the other, as after a crash.
    for _ in 0..3 {
        let mut file = open(&paths.at).unwrap();
        let answers = reader(file.try_clone().unwrap());
        file.write_all(b"AT+CGMM\r").unwrap();
        expect_text(&answers, "AT+CGMM\r\r\nSIMCOM_SIM7600G-H\r\n\r\nOK\r\n");
        drop(file);
        // The reading thread holds the port open: unplug it to free the thread, then plug it again.
        module.handle().play(Scenario::Unplugged);
        let gone = async {
            while std::fs::symlink_metadata(&paths.at).is_ok() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(DEADLINE, gone).await.unwrap();
        assert!(answers.iter().count() < 1000, "the port ends");
        module.handle().play(Scenario::Normal);
        let back = async {
            while !paths.at.exists() || !paths.nmea.exists() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(DEADLINE, back).await.unwrap();
    }
    let sentences = reader(open(&paths.nmea).unwrap());
    expect_text(&sentences, "\r\n$GPRMC");
    drop(module);
    let gone = async {
        while std::fs::symlink_metadata(&paths.at).is_ok() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(DEADLINE, gone).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pty_serves_one_client_after_another() {
    let directory = tempfile::tempdir().unwrap();
    let module = module();
    let paths = module.on_ptys(directory.path()).await.unwrap();
    for _ in 0..5 {
        let ask = async {
            // Right after a close the old PTY may still be behind the link: a driver opens again, too.
            loop {
                let path = paths.at.clone();
                let answer = tokio::task::spawn_blocking(move || {
                    let mut file = open(&path)?;
                    file.write_all(b"ATE0\r")?;
                    let mut answer = Vec::new();
                    let mut byte = [0];
                    while !answer.ends_with(b"OK\r\n") {
                        if file.read(&mut byte)? == 0 {
                            return Err(ErrorKind::UnexpectedEof.into());
                        }
                        answer.push(byte[0]);
                    }
                    Ok::<_, std::io::Error>(answer)
                });
                if let Ok(answer) = answer.await.unwrap() {
                    return answer;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let answer = timeout(DEADLINE, ask).await.unwrap();
        assert!(answer.ends_with(b"\r\nOK\r\n"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_mistyped_access_point_leaves_registration_without_data() {
    let module = module();
    let mut client = booted(&module).await;
    let question = || Command::new("AT+CGATT?;+CGDCONT?;+CGACT?;+CGPADDR").unwrap();
    let reply = client.ask(question()).await;
    assert_eq!(
        reply.lines,
        [
            "+CGATT: 1",
            "+CGDCONT: 1,\"IP\",\"staticip\",\"0.0.0.0\",0,0,0,0",
            "+CGDCONT: 2,\"IPV4V6\",\"ims\",\"0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0\",0,0,0,0",
            "+CGACT: 1,1",
            "+CGACT: 2,1",
            "+CGPADDR: 1,10.64.12.34",
            "+CGPADDR: 2,0.0.0.0,253.0.0.100.0.0.0.0.0.0.0.0.0.0.0.7",
        ]
    );
    module.handle().play(Scenario::WrongApn);
    assert!(matches!(client.urc().await, Urc::PacketDomain(_)));
    let reply = client.ask(question()).await;
    assert_eq!(reply.lines[0], "+CGATT: 1", "it stays registered");
    assert!(reply.lines[1].contains("\"statikip\""), "{reply:?}");
    assert_eq!(
        reply.lines[3..6],
        ["+CGACT: 1,0", "+CGACT: 2,1", "+CGPADDR: 1,0.0.0.0"]
    );
    let reply = client.ask(Command::new("AT+CEER").unwrap()).await;
    assert_eq!(reply.lines, ["+CEER: ESM cause: Missing or unknown APN"]);
    module.handle().play(Scenario::ApnNormal);
    assert!(matches!(client.urc().await, Urc::PacketDomain(_)));
    let reply = client.ask(question()).await;
    assert!(reply.lines[5].ends_with("10.64.12.34"), "{reply:?}");
    let reply = client.ask(Command::new("AT+CEER").unwrap()).await;
    assert_eq!(reply.lines, ["+CEER: No cause information available"]);
}

#[tokio::test(start_paused = true)]
async fn a_false_sky_is_uniform_elsewhere_and_ahead_and_passes() {
    let module = Sim7600::start(Sim7600Config {
        clock: at_noon(),
        time_to_fix: Duration::ZERO,
        ..Sim7600Config::default()
    });
    let handle = module.handle();
    let mut stream = handle.open(Line::Nmea).await.unwrap();
    let mut epochs = Epochs::new(Date::new(2026, 1, 1).unwrap());
    let levels = |epoch: &Epoch| {
        let satellites = epoch.satellites.clone().unwrap();
        let mut levels: Vec<_> = satellites.iter().filter_map(|s| s.cn0_dbhz).collect();
        levels.sort_unstable();
        levels.dedup();
        levels.len()
    };
    let mut before = next_epoch(&mut stream, &mut epochs).await;
    for _ in 0..5 {
        before = next_epoch(&mut stream, &mut epochs).await;
    }
    assert!(levels(&before) > 5);
    handle.play(Scenario::Spoofing);
    let during = next_epoch(&mut stream, &mut epochs).await;
    assert_eq!(levels(&during), 1);
    let (here, there) = (before.position.unwrap(), during.position.unwrap());
    assert!((there.latitude_deg() - here.latitude_deg()).abs() > 0.2);
    let truth = handle.status();
    assert!((here.latitude_deg() - truth.latitude_deg).abs() < 0.001);
    let step = during.unix_ms().unwrap() - before.unix_ms().unwrap();
    assert!((400_000..440_000).contains(&step), "{step}");
    handle.play(Scenario::SpoofingOver);
    let after = next_epoch(&mut stream, &mut epochs).await;
    assert!(levels(&after) > 5);
    let step = after.unix_ms().unwrap() - before.unix_ms().unwrap();
    assert_eq!(step, 2000);
}
