//! What a real ModemManager does with a modem, and what this backend makes of it.

use std::time::Duration;

use tm_types::{ModemPresence, Reason, RegistrationStatus, SimStatus, code};

use super::super::Device;
use super::bench::Bench;
use super::network_manager;
use crate::backend::{Action, Outcome, Report, Round, UssdReply};
use crate::diagnosis::Connectivity;
use crate::knowledge::Knowledge;
use crate::network_manager::NetworkManager;

/// Packed to seven bits (3GPP TS 23.038, 6.1.2.1).
fn septets(text: &str) -> String {
    let bits = text
        .bytes()
        .flat_map(|byte| (0..7).map(move |n| byte >> n & 1));
    let bits: Vec<u8> = bits.collect();
    let octet = |bits: &[u8]| bits.iter().rev().fold(0u8, |octet, bit| octet << 1 | bit);
    let octets: Vec<String> = bits
        .chunks(8)
        .map(|bits| format!("{:02X}", octet(bits)))
        .collect();
    octets.concat()
}

/// A message from +380501112233 of 2026-11-22 19:10:00 +02:00 (3GPP TS 23.040, 9.2.2.1).
fn delivered(text: &str) -> String {
    let (n, packed) = (text.len(), septets(text));
    format!("0791839000000000040C9183501011223300006211229101008 0{n:02X}{packed}").replace(' ', "")
}

/// The network's word on message 17: it has arrived (3GPP TS 23.040, 9.2.2.3).
const STATUS_REPORT: &str = "07918390000000000611 0C918350101122336211229101008062112291010080 00";

fn is_home(known: &Knowledge) -> bool {
    known.registration.status == RegistrationStatus::Home && known.levels.rsrp.is_ok()
}

#[tokio::test]
async fn a_real_modem_manager() {
    let mut bench = Bench::new("module", None);
    reads(&mut bench).await;
    talks(&mut bench).await;
    cycles(&mut bench).await;
    lets_commands_through(&mut bench).await;
    ends_and_returns(&mut bench).await;
}

fn step(what: &str) {
    println!("--- {what}");
}

async fn reads(bench: &mut Bench) {
    step("nobody on the bus");
    let nobody = bench.presence("nobody", |_| true).await;
    assert!(nobody.trouble.unwrap().is(code::MODEM_MANAGER_ABSENT));
    let refused = bench.perform(Action::Reset).await.unwrap_err();
    assert!(refused.is(code::MODEM_MANAGER_ABSENT));

    step("a modem that asks for nothing, and commands are refused");
    bench.start_manager(false).await;
    let present = bench
        .presence("the modem", |p| p.presence == ModemPresence::Present)
        .await;
    assert_eq!(
        (present.trouble, present.port.as_deref()),
        (None, Some("/virtual/sim7600-1"))
    );
    let time = |report: &Report| match report {
        Report::NetworkTime { unix_s } => Some(*unix_s),
        _ => None,
    };
    // The module tells local time with its offset: 19:10 +02:00. After the first rounds it is told more rarely.
    assert_eq!(bench.until("the network's time", time).await, 1_795_367_400);
    let known = bench.known("a registered modem", is_home).await;
    assert_eq!(known.identity.imei.as_deref(), Some("860000000000001"));
    assert_eq!(known.identity.model.as_deref(), Some("SIM7600G-H"));
    assert_eq!(
        known.identity.revision.as_deref(),
        Some("LE20B04SIM7600G22")
    );
    assert_eq!(known.sim.status, SimStatus::Ready);
    assert_eq!(known.sim.iccid.as_deref(), Some("8983801000000000001"));
    assert_eq!(known.sim.imsi.as_deref(), Some("255010000000001"));
    assert_eq!(known.pin_tries, Some(3));
    assert_eq!(known.registration.operator.as_deref(), Some("vodafone UA"));
    assert_eq!(known.registration.plmn.as_deref(), Some("255-01"));
    assert_eq!(known.registration.technology.as_deref(), Some("lte"));
    assert_eq!(
        (known.levels.rsrp, known.levels.rsrq),
        (Ok(-89.0), Ok(-10.0))
    );
    assert_eq!(known.levels.temperature, Err(Reason::NotPresent));
    assert_eq!(known.radio_on, Some(true));
    let cell = known.cell.expect("the place is told");
    assert_eq!(
        (cell.id, cell.area_code, cell.enb),
        (0x0153_E20B, Some(0x8502), Some(87_010))
    );
    let full = |report: &Report| matches!(report, Report::Known(_, Round::Full(_))).then_some(());
    bench.until("a round of everything", full).await;
    let n_raw = |bench: &Bench| {
        let world = bench.responder.world();
        world.commands.iter().filter(|c| *c == "AT+CPSI?").count()
    };
    assert_eq!(n_raw(bench), 0, "without --debug no command comes through");
}

async fn talks(bench: &mut Bench) {
    step("a service code");
    let reply = bench
        .perform(Action::Ussd("*101#".to_owned()))
        .await
        .unwrap();
    let text = "Balance 12.50 UAH".to_owned();
    assert_eq!(
        reply,
        Outcome::Ussd(UssdReply {
            text,
            is_menu: false
        })
    );

    step("text messages");
    bench.responder.receive(3, &delivered("TM1 status"));
    let message = |report: &Report| match report {
        Report::Message(message) => Some(message.clone()),
        _ => None,
    };
    let message = bench.until("a message", message).await;
    assert_eq!(
        (message.from.as_str(), message.text.as_str()),
        ("+380501112233", "TM1 status")
    );
    assert_eq!(
        message.sent_at.unwrap().to_string(),
        "2026-11-22T17:10:00.000Z"
    );
    bench
        .perform(Action::Delete(message.handle.clone()))
        .await
        .unwrap();
    assert!(
        bench.responder.world().store.is_empty(),
        "it is off the card"
    );
    bench.perform(Action::Delete(message.handle)).await.unwrap();
    let send = Action::Send {
        to: "+380501112233".to_owned(),
        text: "link up".to_owned(),
        wants_report: true,
    };
    assert_eq!(bench.perform(send).await.unwrap(), Outcome::Sent(vec![17]));
    let pdu = bench.responder.world().sent.pop().unwrap();
    assert!(pdu.contains(&septets("link up")), "{pdu}");
    let first = u8::from_str_radix(&pdu[2..4], 16).unwrap();
    assert_ne!(first & 0x20, 0, "a status report is asked for: {pdu}");
    let report = STATUS_REPORT.replace(' ', "");
    bench
        .responder
        .say(&format!("+CDS: {}\r\n{report}", report.len() / 2 - 8));
    let delivery = |report: &Report| match report {
        Report::Delivery { reference, failure } => Some((*reference, failure.clone())),
        _ => None,
    };
    assert_eq!(bench.until("a delivery report", delivery).await, (17, None));
}

async fn cycles(bench: &mut Bench) {
    step("the radio off and on");
    // Told to stay out of every network, a module does so over every restart (AT+COPS=2).
    bench.responder.world().selection = 2;
    let from_here = bench.responder.world().commands.len();
    assert_eq!(bench.perform(Action::CycleRadio).await, Ok(Outcome::Done));
    let commands = bench.responder.world().commands[from_here..].to_vec();
    let has = |wanted: &str| commands.iter().any(|command| command == wanted);
    // By way of AT ports ModemManager has no low power for this family, and lets no command through.
    assert!(
        has("AT+CREG=0") && has("AT+CREG=2"),
        "it was disabled and enabled: {commands:?}"
    );
    assert!(
        has("AT+COPS=0"),
        "the operator is chosen automatically: {commands:?}"
    );
    bench.known("a registered modem again", is_home).await;
    let unsupported = bench.perform(Action::Reset).await.unwrap_err();
    assert!(unsupported.is(code::MODEM_UNSUPPORTED), "{unsupported:?}");
    let nothing = bench.perform(Action::Reconnect).await.unwrap_err();
    assert!(nothing.is(code::MODEM_UNSUPPORTED), "{nothing:?}");

    step("ModemManager ends in the middle of an action");
    bench.responder.world().is_mute = true;
    let ticket = bench.ask(Action::Ussd("*101#".to_owned()));
    let waiting = tokio::time::timeout(Duration::from_secs(1), bench.done(ticket)).await;
    assert!(waiting.is_err(), "nobody answers");
    bench.stop_manager();
    let ended = bench.done(ticket).await.unwrap_err();
    assert!(ended.is(code::MODEM_ABSENT), "{ended:?}");
    bench
        .presence("nobody", |p| {
            p.trouble
                .as_ref()
                .is_some_and(|t| t.is(code::MODEM_MANAGER_ABSENT))
        })
        .await;
}

async fn lets_commands_through(bench: &mut Bench) {
    step("another ModemManager lets commands through");
    bench.responder.world().is_mute = false;
    bench.start_manager(true).await;
    bench
        .presence("the modem", |p| p.presence == ModemPresence::Present)
        .await;
    let known = bench
        .known("levels of the module itself", |k| {
            k.levels.temperature.is_ok()
        })
        .await;
    assert_eq!(
        (known.levels.rsrp, known.levels.sinr),
        (Ok(-89.2), Ok(12.0))
    );
    assert_eq!(
        (known.levels.temperature, known.levels.supply),
        (Ok(29.0), Ok(3.891))
    );
    assert_eq!(known.levels.rssi, Ok(-59));
    let cell = known.cell.unwrap();
    assert_eq!(
        (cell.pci, cell.band.as_deref()),
        (Some(143), Some("EUTRAN-BAND3"))
    );

    step("the radio and a reset by the module itself");
    assert_eq!(bench.perform(Action::CycleRadio).await, Ok(Outcome::Done));
    assert_eq!(bench.perform(Action::Reset).await, Ok(Outcome::Done));
    for wanted in ["AT+CFUN=4", "AT+CFUN=1", "AT+CRESET"] {
        let world = bench.responder.world();
        assert!(
            world.commands.iter().any(|command| command == wanted),
            "{wanted}"
        );
    }
}

async fn ends_and_returns(bench: &mut Bench) {
    step("the module falls silent until ModemManager gives it up");
    bench.responder.world().is_mute = true;
    let absent = bench
        .presence("its end", |p| p.presence == ModemPresence::Absent)
        .await;
    assert!(absent.trouble.unwrap().is(code::MODEM_ABSENT));
    let refused = bench.perform(Action::Reconnect).await.unwrap_err();
    assert!(refused.is(code::MODEM_ABSENT));

    step("and comes back under another number");
    bench.responder.world().is_mute = false;
    bench.plug_in().await;
    let back = bench
        .until("the restart", |r| {
            matches!(r, Report::Restarted).then_some(())
        })
        .await;
    assert_eq!(back, ());
    bench.known("a registered modem", is_home).await;

    step("the bus itself is started again");
    bench.stop_bus();
    bench
        .presence("nobody", |p| {
            p.trouble
                .as_ref()
                .is_some_and(|t| t.is(code::MODEM_MANAGER_ABSENT))
        })
        .await;
    bench.start_bus();
    bench.start_manager(true).await;
    bench.known("a registered modem", is_home).await;
}

#[tokio::test]
async fn a_card_that_asks_for_its_pin() {
    for (pin, status, n_pins) in [
        (Some("1234"), SimStatus::Ready, 1),
        // One wrong try is made, and none after it.
        (Some("4321"), SimStatus::PinRequired, 1),
        (None, SimStatus::PinRequired, 0),
    ] {
        println!("--- PIN {pin:?}");
        let mut bench = Bench::new(&format!("pin-{}", pin.unwrap_or("none")), pin);
        bench.responder.world().is_locked = true;
        bench.start_manager(false).await;
        let is_withheld = pin == Some("4321");
        let is_it =
            |known: &Knowledge| known.sim.status == status && known.is_pin_withheld == is_withheld;
        bench.known("the card", is_it).await;
        let full =
            |report: &Report| matches!(report, Report::Known(_, Round::Full(_))).then_some(());
        bench.until("one more round", full).await;
        let world = bench.responder.world();
        let pins = world.commands.iter().filter(|c| c.starts_with("AT+CPIN="));
        assert_eq!(pins.count(), n_pins, "{pin:?}");
    }
}

#[tokio::test]
async fn where_there_is_a_network_manager_the_connection_is_its_own() {
    let mut bench = Bench::new("network", None);
    let (connection, double) =
        network_manager::start(&bench.address(), "/org/freedesktop/ModemManager1/Modem/0").await;
    bench.start_manager(false).await;
    let full = |report: &Report| matches!(report, Report::Known(_, Round::Full(_))).then_some(());
    for _ in 0..2 {
        bench.until("a round of everything", full).await;
    }
    let is_enabled = |bench: &Bench| {
        let world = bench.responder.world();
        world.commands.iter().any(|command| command == "AT+CREG=2")
    };
    assert!(!is_enabled(&bench), "enabling is left to NetworkManager");

    let mut watcher = NetworkManager::new(bench.bus());
    watcher.follow(Device {
        object: Some("/org/freedesktop/ModemManager1/Modem/0".to_owned()),
        ..Device::default()
    });
    let evidence = watcher.next().await;
    assert_eq!(evidence.primary_type.as_deref(), Some("gsm"));
    let device = evidence.device.unwrap();
    assert_eq!((device.is_primary, device.state), (true, 100));
    assert_eq!(device.ip4_connectivity, Connectivity::Full);

    assert_eq!(bench.perform(Action::Reconnect).await, Ok(Outcome::Done));
    let asked = std::mem::take(&mut double.lock().unwrap().asked);
    let root = "/org/freedesktop/NetworkManager";
    // Nothing is deactivated: that would keep the profile down until somebody asks for it.
    let expected = [format!("activate {root}/Settings/2 {root}/Devices/3")];
    assert_eq!(asked, expected);
    double.lock().unwrap().active = None;
    assert_eq!(bench.perform(Action::Reconnect).await, Ok(Outcome::Done));
    let asked = std::mem::take(&mut double.lock().unwrap().asked);
    assert_eq!(
        asked,
        [format!("activate / {root}/Devices/3")],
        "whatever it thinks best"
    );

    drop(connection);
    let gone = tokio::time::timeout(super::bench::PATIENCE, watcher.next())
        .await
        .unwrap();
    assert!(!gone.is_running);
    bench
        .known("a modem that is enabled after all", is_home)
        .await;
}

#[tokio::test]
async fn without_a_network_manager_the_same_connection_is_made_again() {
    let mut bench = Bench::new("bearer", None);
    bench.start_manager(false).await;
    bench.known("a registered modem", is_home).await;
    bench.connect("staticip").await;
    let stands = |known: &Knowledge| known.bearer.as_ref().is_some_and(|b| b.is_connected);
    let bearer = bench.known("a connection", stands).await.bearer.unwrap();
    assert_eq!(bearer.apn.as_deref(), Some("staticip"));
    let n_dialled = |bench: &Bench| {
        let world = bench.responder.world();
        world
            .commands
            .iter()
            .filter(|c| c.starts_with("ATD*99"))
            .count()
    };
    assert_eq!(n_dialled(&bench), 1);
    assert_eq!(bench.perform(Action::Reconnect).await, Ok(Outcome::Done));
    assert_eq!(n_dialled(&bench), 2);
    let again = bench
        .known("the connection again", stands)
        .await
        .bearer
        .unwrap();
    assert_eq!(again.id, bearer.id, "it is the same bearer");
}
