//! The dialogue of the simulated module, word by word: what each command and each failure of the field looks like on
//! the line. Read without any of the product's parsers, in paused time.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::{Duration, SystemTime};

use tm_sim::{
    Sim7600, Sim7600Handle,
    sim7600::{Clock, Delivery, Line, MessageService, Scenario, Sim7600Config, UssdAnswer},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream},
    time::{sleep, timeout},
};

const DEADLINE: Duration = Duration::from_mins(1);

struct Port(DuplexStream);

impl Port {
    async fn open(handle: &Sim7600Handle, line: Line) -> Self {
        Self(handle.open(line).await.unwrap())
    }

    /// Lines until one is a final result, or until nothing came for a while.
    async fn ask(&mut self, command: &str) -> Vec<String> {
        self.write(&format!("{command}\r")).await;
        self.answer().await
    }

    async fn write(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    async fn answer(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(line) = self.line(DEADLINE).await {
            let is_final = line == "OK" || line.contains("ERROR");
            lines.push(line);
            if is_final {
                break;
            }
        }
        lines
    }

    /// The next line that is not blank; nothing when none comes or the port ends.
    async fn line(&mut self, within: Duration) -> Option<String> {
        let mut line = Vec::new();
        loop {
            let byte = timeout(within, self.0.read_u8()).await.ok()?.ok()?;
            line.push(byte);
            let text = String::from_utf8_lossy(&line).trim().to_owned();
            if byte == b'\n' && !text.is_empty() {
                return Some(text);
            }
            if line == b"> " {
                return Some(">".to_owned());
            }
            if byte == b'\n' {
                line.clear();
            }
        }
    }

    /// Everything that comes by itself within that time.
    async fn lines(&mut self, within: Duration) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(line) = self.line(within).await {
            lines.push(line);
        }
        lines
    }
}

struct Bench {
    module: Sim7600,
    at: Port,
}

impl Bench {
    async fn new(config: Sim7600Config) -> Self {
        let module = Sim7600::start(config);
        let mut at = Port::open(&module.handle(), Line::At).await;
        while at.line(DEADLINE).await.unwrap() != "PB DONE" {}
        assert!(at.ask("ATE0").await.contains(&"OK".to_owned()));
        Self { module, at }
    }

    fn handle(&self) -> Sim7600Handle {
        self.module.handle()
    }

    async fn play(&mut self, scenario: Scenario) {
        self.handle().play(scenario);
        sleep(Duration::from_millis(1)).await;
    }

    /// Waits for the module's return and for the end of its start.
    async fn restarted(&mut self) {
        let handle = self.handle();
        timeout(DEADLINE, handle.wait_for(|status| !status.is_present))
            .await
            .unwrap()
            .unwrap();
        timeout(DEADLINE, handle.wait_for(|status| status.is_present))
            .await
            .unwrap()
            .unwrap();
        self.at = Port::open(&handle, Line::At).await;
        while self.at.line(DEADLINE).await.unwrap() != "PB DONE" {}
        self.at.ask("ATE0").await;
    }

    async fn check(&mut self, command: &str, expected: &[&str]) {
        assert_eq!(self.at.ask(command).await, expected, "{command}");
    }
}

fn config() -> Sim7600Config {
    let begin = tokio::time::Instant::now();
    let noon = SystemTime::UNIX_EPOCH + Duration::from_hours(498_732);
    Sim7600Config {
        clock: Clock::new(move || noon + begin.elapsed()),
        ..Sim7600Config::default()
    }
}

#[tokio::test(start_paused = true)]
async fn commands_and_their_answers() {
    let mut bench = Bench::new(config()).await;
    for (command, expected) in [
        ("AT+COPS=2", &["OK"][..]),
        ("AT+COPS?", &["+COPS: 2", "OK"]),
        ("AT+COPS=0", &["OK"]),
        ("AT+COPS=3,2;+COPS?", &["+COPS: 0,2,\"25501\",7", "OK"]),
        ("AT+CEREG=2;+CEREG?", &["+CEREG: 2,1,8502,153E20B,7", "OK"]),
        ("AT+CREG=1;+CREG?", &["+CREG: 1,1", "OK"]),
        ("AT+CREG=0;+CEREG=0", &["OK"]),
        ("AT+CNMP=38;+CNMP?", &["+CNMP: 38", "OK"]),
        ("AT+CNMP=3", &["ERROR"]),
        ("AT+CNMP=2", &["OK"]),
        ("AT+CESQ", &["+CME ERROR: operation not supported"]),
        (
            "AT+CVALARM=1,3400,4300;+CVALARM?",
            &["+CVALARM: 1,3400,4300", "OK"],
        ),
        ("AT+CVALARM=1,5,4", &["ERROR"]),
        ("AT+CTZU=1;+CTZR=1;+CTZU?", &["+CTZU: 1", "OK"]),
        ("AT+CGATT=0;+CGATT?", &["+CGATT: 0", "OK"]),
        ("AT+CGACT=1,1", &["+CME ERROR: no network service"]),
        ("AT+CGATT=1;+CGATT?", &["+CGATT: 1", "OK"]),
        (
            "AT+CGACT=0,1;+CGACT?",
            &["+CGACT: 1,0", "+CGACT: 2,1", "OK"],
        ),
        ("AT+CGPADDR=1", &["+CGPADDR: 1,0.0.0.0", "OK"]),
        (
            "AT+CGACT=1,1;+CGPADDR=1",
            &["+CGPADDR: 1,10.64.12.34", "OK"],
        ),
        ("AT+CGPSNMEA=511", &["ERROR"]),
        ("AT+CVAUXV?", &["+CVAUXV: 2950", "OK"]),
        (
            "AT+CVAUXV=3050;+CVAUXS=1;+CVAUXV?",
            &["+CVAUXV: 3050", "OK"],
        ),
        ("AT+CVAUXV=3040", &["ERROR"]),
        ("AT+CUSBPIDSWITCH?", &["+CUSBPIDSWITCH: 9001", "OK"]),
        ("AT+SPIC", &["+SPIC: 3,10,3,10", "OK"]),
        (
            "AT+UIMHOTSWAPON=1;+UIMHOTSWAPON?",
            &["+UIMHOTSWAPON: 1", "OK"],
        ),
        (
            "AT+CPMS?",
            &["+CPMS: \"SM\",0,20,\"SM\",0,20,\"SM\",0,20", "OK"],
        ),
        (
            "AT+CPMS=\"ME\",\"ME\",\"ME\"",
            &["+CPMS: 0,23,0,23,0,23", "OK"],
        ),
        ("AT+CMGR=0", &["+CMS ERROR: 321"]),
        ("AT+CMGD=99", &["+CMS ERROR: 321"]),
        ("AT+CNMI=2,1,2,1,0;+CNMI?", &["+CNMI: 2,1,2,1,0", "OK"]),
        ("AT+CNMI=9", &["+CMS ERROR: 302"]),
        ("AT+CNONSENSE=1", &["+CME ERROR: operation not supported"]),
        ("AT+CFUN=7", &["OK"]),
        ("AT+CSQ", &["+CME ERROR: operation not allowed"]),
    ] {
        bench.check(command, expected).await;
    }
    bench.check("AT+CFUN=6", &["OK"]).await;
    bench.restarted().await;
    bench.check("AT+CVAUXV?", &["+CVAUXV: 2950", "OK"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_search_of_operators_takes_its_time_and_ends_at_any_byte() {
    let mut bench = Bench::new(config()).await;
    let found = bench.at.ask("AT+COPS=?").await;
    assert!(
        found[0].starts_with("+COPS: (2,\"Vodafone UA\""),
        "{found:?}"
    );
    bench.at.write("AT+COPS=?\r").await;
    sleep(Duration::from_secs(1)).await;
    bench.at.write("A").await;
    assert_eq!(bench.at.answer().await, ["ERROR"]);
    bench.check("AT+CFUN?", &["+CFUN: 1", "OK"]).await;
    bench.play(Scenario::AreaOutage).await;
    let found = bench.at.ask("AT+COPS=?").await;
    assert!(!found[0].contains("25501"), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn changes_are_told_to_those_who_asked() {
    let mut bench = Bench::new(config()).await;
    bench
        .check(
            "AT+CREG=2;+CGREG=1;+CEREG=2;+CNSMOD=1;+CGEREP=2,1;+CTZU=1;+CTZR=1",
            &["OK"],
        )
        .await;
    bench.play(Scenario::AreaOutage).await;
    let gone = [
        "+CREG: 2",
        "+CGREG: 2",
        "+CEREG: 2",
        "+CNSMOD: 0",
        "+CGEV: NW DETACH",
    ];
    assert_eq!(bench.at.lines(Duration::from_millis(50)).await, gone);
    bench.play(Scenario::Normal).await;
    let back = bench.at.lines(Duration::from_millis(50)).await;
    let expected = [
        "+CREG: 1,8502,153E20B",
        "+CGREG: 1",
        "+CEREG: 1,8502,153E20B,7",
        "+CNSMOD: 8",
        "+CGEV: EPS PDN ACT 1",
    ];
    assert_eq!(back[..5], expected);
    assert!(
        back[5].starts_with("+CTZV: +08,26/11/23,12:00:"),
        "{back:?}"
    );
    bench.check("AT+CGACT=0,1", &["OK"]).await;
    assert_eq!(
        bench.at.lines(Duration::from_millis(50)).await,
        ["+CGEV: ME PDN DEACT 1"]
    );
    bench.play(Scenario::Wcdma).await;
    assert!(
        bench
            .at
            .lines(Duration::from_millis(50))
            .await
            .contains(&"+CNSMOD: 7".to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn serving_cells_of_every_kind() {
    let mut bench = Bench::new(config()).await;
    for (scenario, prefix, n_fields) in [
        (
            Scenario::Normal,
            "+CPSI: LTE,Online,255-01,0x8502,22274571,143,EUTRAN-BAND3,1650,5,5,-",
            14,
        ),
        (
            Scenario::Wcdma,
            "+CPSI: WCDMA,Online,255-01,0x4D07,4487261,WCDMA IMT 2000,38,10563,0,",
            14,
        ),
        (
            Scenario::Gsm,
            "+CPSI: GSM,Online,255-01,0x011f,14822,4 EGSM 900,-",
            9,
        ),
        (Scenario::Searching, "+CPSI: NO SERVICE,Online", 2),
        (Scenario::FlightMode, "+CPSI: NO SERVICE,Low Power Mode", 2),
    ] {
        bench.play(Scenario::Normal).await;
        bench.play(scenario).await;
        let answer = bench.at.ask("AT+CPSI?").await;
        assert!(answer[0].starts_with(prefix), "{answer:?}");
        assert_eq!(answer[0].split(',').count(), n_fields, "{answer:?}");
    }
    bench.play(Scenario::Normal).await;
    bench.play(Scenario::Denied).await;
    bench.check("AT+CNLSA=1", &["OK"]).await;
    assert!(bench.at.ask("AT+CPSI?").await[0].starts_with("+CPSI: LTE-LIMITED,"));
    bench.play(Scenario::Normal).await;
    bench.play(Scenario::Reselecting).await;
    assert!(bench.at.ask("AT+CPSI?").await[0].ends_with(",0,EUTRAN-BAND0,4294967295,0,0,0,0,0,0"));
    bench.play(Scenario::Normal).await;
    bench.play(Scenario::Gsm).await;
    bench.check("AT+CNMP=38;+CSQ", &["+CSQ: 99,99", "OK"]).await;
}

/// What is wrong, what does not help, what does.
#[tokio::test(start_paused = true)]
async fn each_rung_heals_what_it_is_for() {
    type Healthy = fn(&tm_sim::sim7600::Status) -> bool;
    let traffic: Healthy = |status| status.has_traffic;
    let registered: Healthy = |status| status.is_registered;
    for (scenario, healthy, in_vain, cure) in [
        (
            Scenario::Stalled,
            traffic,
            vec!["AT+COPS=3,2"],
            vec!["AT+CGACT=0,1", "AT+CGACT=1,1"],
        ),
        (
            Scenario::Stalled,
            traffic,
            vec![],
            vec!["AT+CFUN=4", "AT+CFUN=1"],
        ),
        (
            Scenario::StalledUntilRadio,
            traffic,
            vec!["AT+CGACT=0,1", "AT+CGACT=1,1", "AT+COPS=0"],
            vec!["AT+CFUN=4", "AT+CFUN=1"],
        ),
        (
            Scenario::StalledUntilReset,
            traffic,
            vec!["AT+CFUN=0", "AT+CFUN=1"],
            vec!["AT+CRESET"],
        ),
        (
            Scenario::DeniedUntilRadio,
            registered,
            vec!["AT+CGATT=0", "AT+COPS=0"],
            vec!["AT+CFUN=0", "AT+CFUN=1"],
        ),
        (
            Scenario::NoServiceUntilOperator,
            registered,
            vec!["AT+CGATT=0"],
            vec!["AT+COPS=0"],
        ),
        (
            Scenario::NoServiceUntilRadio,
            registered,
            vec!["AT+COPS=0"],
            vec!["AT+CFUN=4", "AT+CFUN=1"],
        ),
        (
            Scenario::NoServiceUntilReset,
            registered,
            vec!["AT+CFUN=4", "AT+CFUN=1"],
            vec!["AT+CRESET"],
        ),
        (
            Scenario::Deregistered,
            registered,
            vec!["AT+CFUN=4", "AT+CFUN=1"],
            vec!["AT+COPS=0"],
        ),
        (
            Scenario::NoSimUntilReset,
            registered,
            vec!["AT+CFUN=0", "AT+CFUN=1"],
            vec!["AT+CFUN=1,1"],
        ),
    ] {
        let mut bench = Bench::new(config()).await;
        assert!(healthy(&bench.handle().status()), "{scenario:?}");
        bench.play(scenario).await;
        assert!(!healthy(&bench.handle().status()), "{scenario:?}");
        for command in in_vain {
            bench.at.ask(command).await;
            sleep(Duration::from_secs(1)).await;
            assert!(!healthy(&bench.handle().status()), "{scenario:?} {command}");
        }
        bench.at.ask("AT+COPS=3,0").await;
        for command in cure {
            assert_eq!(
                bench.at.ask(command).await.last().map(String::as_str),
                Some("OK"),
                "{command}"
            );
            if command == "AT+CRESET" || command == "AT+CFUN=1,1" {
                bench.restarted().await;
            }
        }
        sleep(Duration::from_millis(1)).await;
        assert!(healthy(&bench.handle().status()), "{scenario:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_mute_port_and_who_makes_it_speak() {
    for scenario in [
        Scenario::MuteUntilReset,
        Scenario::MuteUntilRebind,
        Scenario::MuteUntilPowerKey,
    ] {
        let mut bench = Bench::new(config()).await;
        let handle = bench.handle();
        let mut sibling = Port::open(&handle, Line::Modem).await;
        bench.play(scenario).await;
        bench.at.write("AT\r").await;
        assert_eq!(
            bench.at.lines(Duration::from_secs(5)).await,
            Vec::<String>::new(),
            "{scenario:?}"
        );
        let heard = sibling.ask("AT+CFUN?").await;
        assert_eq!(
            !heard.is_empty(),
            scenario == Scenario::MuteUntilReset,
            "{heard:?}"
        );
        match scenario {
            Scenario::MuteUntilReset => sibling.write("AT+CRESET\r").await,
            Scenario::MuteUntilRebind => handle.usb_rebind(),
            _ => {
                handle.usb_rebind();
                timeout(
                    DEADLINE,
                    handle.wait_for(|status| status.n_enumerations == 2),
                )
                .await
                .unwrap()
                .unwrap();
                assert!(handle.status().is_mute, "a rebind does not help");
                // Too short for a running module.
                handle.power_key(Duration::from_millis(1200));
                sleep(Duration::from_secs(1)).await;
                assert!(handle.status().is_on && handle.status().is_mute);
                handle.power_key(Duration::from_secs(3));
                timeout(DEADLINE, handle.wait_for(|status| !status.is_on))
                    .await
                    .unwrap()
                    .unwrap();
                handle.power_key(Duration::from_millis(1200));
            }
        }
        timeout(
            DEADLINE,
            handle.wait_for(|status| status.is_present && !status.is_mute),
        )
        .await
        .unwrap()
        .unwrap();
        let n_boots = if scenario == Scenario::MuteUntilRebind {
            1
        } else {
            2
        };
        assert_eq!(handle.status().n_boots, n_boots, "{scenario:?}");
        let mut at = Port::open(&handle, Line::At).await;
        assert_eq!(at.ask("AT").await.last().map(String::as_str), Some("OK"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_loop_of_brown_outs_goes_on_until_the_supply_is_mended() {
    let bench = Bench::new(config()).await;
    let handle = bench.handle();
    handle.play(Scenario::BrownOutLoop);
    timeout(DEADLINE, handle.wait_for(|status| status.n_boots == 4))
        .await
        .unwrap()
        .unwrap();
    handle.play(Scenario::Normal);
    sleep(Duration::from_mins(2)).await;
    assert_eq!(
        (handle.status().n_boots, handle.status().is_present),
        (4, true)
    );
}

#[tokio::test(start_paused = true)]
async fn another_card_and_another_module() {
    let mut bench = Bench::new(config()).await;
    bench.play(Scenario::SimSwapped).await;
    let told = bench.at.lines(Duration::from_secs(2)).await;
    assert_eq!(told, ["+SIMCARD: NOT AVAILABLE", "+CPIN: READY"]);
    bench
        .check(
            "AT+CICCID;+CIMI",
            &["+ICCID: 8938001000000000002F", "255010000000002", "OK"],
        )
        .await;
    bench.play(Scenario::ModemSwapped).await;
    bench.restarted().await;
    bench.check("AT+CGSN", &["860000000000002", "OK"]).await;
}

#[tokio::test(start_paused = true)]
async fn heat_and_supply_are_told_of() {
    let mut bench = Bench::new(config()).await;
    bench.check("AT+CMTE=1;+CVALARM=1,3400,4300", &["OK"]).await;
    bench.play(Scenario::OverTemperature).await;
    let told = bench.at.lines(Duration::from_secs(15)).await;
    assert!(told.contains(&"+CMTE:1".to_owned()), "{told:?}");
    bench.play(Scenario::Normal).await;
    bench.play(Scenario::ModemUnderVoltage).await;
    // Every ten seconds.
    assert_eq!(
        bench.at.line(Duration::from_secs(20)).await.unwrap(),
        "UNDER-VOLTAGE WARNNING"
    );
    assert_eq!(
        bench.at.line(Duration::from_secs(11)).await.unwrap(),
        "UNDER-VOLTAGE WARNNING"
    );
    bench.play(Scenario::Normal).await;
    bench.play(Scenario::Overheated).await;
    assert_eq!(
        bench.at.line(Duration::from_secs(20)).await.unwrap(),
        "+CMTE:2"
    );
    timeout(DEADLINE, bench.handle().wait_for(|status| !status.is_on))
        .await
        .unwrap()
        .unwrap();
    bench.handle().power_key(Duration::from_millis(500));
    timeout(DEADLINE, bench.handle().wait_for(|status| status.is_on))
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn wrong_pins_lead_to_the_puk_and_wrong_puks_to_the_end() {
    let mut bench = Bench::new(config()).await;
    bench.play(Scenario::WrongPin).await;
    assert_eq!(bench.at.line(DEADLINE).await.unwrap(), "+CPIN: SIM PIN");
    bench
        .check("AT+CPIN=\"0042\"", &["+CME ERROR: incorrect password"])
        .await;
    bench.check("AT+SPIC", &["+SPIC: 2,10,3,10", "OK"]).await;
    bench.check("AT+CMGL=4", &["+CMS ERROR: 311"]).await;
    bench.play(Scenario::PinLastTry).await;
    assert_eq!(bench.at.line(DEADLINE).await.unwrap(), "+CPIN: SIM PIN");
    bench.check("AT+SPIC", &["+SPIC: 1,10,3,10", "OK"]).await;
    bench
        .check("AT+CPIN=\"1111\"", &["+CME ERROR: incorrect password"])
        .await;
    bench.check("AT+CPIN?", &["+CPIN: SIM PUK", "OK"]).await;
    bench
        .check("AT+CPIN=\"12345678\",\"1234\"", &["+CPIN: READY", "OK"])
        .await;
    bench.check("AT+CRESET", &["OK"]).await;
    bench.restarted().await;
    bench
        .check("AT+CPIN=\"1234\"", &["+CPIN: READY", "OK"])
        .await;
    bench.play(Scenario::PukRequired).await;
    assert_eq!(bench.at.line(DEADLINE).await.unwrap(), "+CPIN: SIM PUK");
    for _ in 0..10 {
        bench
            .check(
                "AT+CPIN=\"00000000\",\"1234\"",
                &["+CME ERROR: incorrect password"],
            )
            .await;
    }
    bench.check("AT+CPIN?", &["+CME ERROR: SIM failure"]).await;
}

#[tokio::test(start_paused = true)]
async fn messages_arrive_are_listed_and_deleted() {
    let mut bench = Bench::new(config()).await;
    let handle = bench.handle();
    handle.receive_sms("+380501234567", "hello");
    assert_eq!(bench.at.line(DEADLINE).await.unwrap(), "+CMTI: \"SM\",0");
    handle.receive_sms("Vodafone", "Дверь");
    assert_eq!(bench.at.line(DEADLINE).await.unwrap(), "+CMTI: \"SM\",1");
    let listed = bench.at.ask("AT+CMGL=4").await;
    assert_eq!(listed[0], "+CMGL: 0,0,\"\",24");
    assert!(
        listed[1].starts_with("0791835000000000040C9183501032547600006211"),
        "{listed:?}"
    );
    assert!(
        listed[3].ends_with("0A04140432043504400044".trim_end_matches("0044"))
            || listed[3].contains("04140432043504400"),
        "{listed:?}"
    );
    let read = bench.at.ask("AT+CMGR=0").await;
    assert_eq!(read[0], "+CMGR: 1,\"\",24", "read by the list");
    bench.check("AT+CMGD=0", &["OK"]).await;
    bench.check("AT+CMGD=0,4", &["OK"]).await;
    bench.check("AT+CMGL=4", &["OK"]).await;
    // In parts, out of order, one of them never.
    let text = "x".repeat(400);
    handle.receive_sms_parts("1500", &text, &[2, 0]);
    assert_eq!(bench.at.line(DEADLINE).await.unwrap(), "+CMTI: \"SM\",0");
    assert_eq!(bench.at.line(DEADLINE).await.unwrap(), "+CMTI: \"SM\",1");
    let listed = bench.at.ask("AT+CMGL=4").await;
    assert!(
        listed[1].contains("0500030") && listed[1].contains("0303"),
        "the last part: {listed:?}"
    );
    assert!(listed[3].contains("0301"), "the first: {listed:?}");
    // Straight to the terminal.
    bench.check("AT+CNMI=2,2,0,1,0", &["OK"]).await;
    handle.receive_sms("1500", "now");
    assert!(
        bench
            .at
            .line(DEADLINE)
            .await
            .unwrap()
            .starts_with("+CMT: ,")
    );
}

#[tokio::test(start_paused = true)]
async fn a_full_store_holds_messages_back_until_there_is_room() {
    for (full_without_storage, told) in [(true, "+CMTI: ,-1"), (false, "+CMTI: \"SM\",-1")] {
        let messages = MessageService {
            full_without_storage,
            ..MessageService::default()
        };
        let mut bench = Bench::new(Sim7600Config {
            messages,
            ..config()
        })
        .await;
        bench.play(Scenario::MessagesFull).await;
        bench
            .check("AT+CPMS=\"SM\"", &["+CPMS: 20,20,20,20,20,20", "OK"])
            .await;
        bench.handle().receive_sms("1500", "late");
        assert_eq!(bench.at.line(DEADLINE).await.unwrap(), told);
        assert_eq!(
            bench.at.line(Duration::from_mins(1)).await,
            None,
            "told once"
        );
        bench.check("AT+CMGD=7", &["OK"]).await;
        assert_eq!(bench.at.line(DEADLINE).await.unwrap(), "+CMTI: \"SM\",7");
    }
}

#[tokio::test(start_paused = true)]
async fn messages_are_sent_through_a_prompt_and_reported_on() {
    let mut bench = Bench::new(config()).await;
    let handle = bench.handle();
    bench.check("AT+CNMI=2,1,0,1,0", &["OK"]).await;
    // "hello" to +380501234567 with a request for a report.
    let pdu = "0021000C918350103254760000 05E8329BFD06".replace(' ', "");
    let submit = async |bench: &mut Bench| {
        bench.at.write("AT+CMGS=18\r").await;
        assert_eq!(bench.at.line(DEADLINE).await.unwrap(), ">");
        bench.at.write(&format!("{pdu}\u{1a}")).await;
        bench.at.answer().await
    };
    assert_eq!(submit(&mut bench).await, ["+CMGS: 46", "OK"]);
    let messages = handle.sent_messages();
    assert_eq!(
        (messages[0].to.as_str(), messages[0].text.as_str()),
        ("+380501234567", "hello")
    );
    assert!(messages[0].wants_report && messages[0].is_complete);
    assert_eq!(messages[0].references, [46]);
    let told = bench.at.line(DEADLINE).await.unwrap();
    assert_eq!(told, "+CDS: 25");
    let report = bench.at.line(DEADLINE).await.unwrap();
    assert!(
        report.starts_with("0791835000000000062E0C91835010325476") && report.ends_with("00"),
        "{report}"
    );
    bench.check("AT+CNMI=2,1,0,2,0", &["OK"]).await;
    submit(&mut bench).await;
    assert_eq!(bench.at.line(DEADLINE).await.unwrap(), "+CDSI: \"SM\",0");
    for refusal in [38, 332] {
        handle.set_messages(MessageService {
            refusal: Some(refusal),
            ..MessageService::default()
        });
        assert_eq!(submit(&mut bench).await, [format!("+CMS ERROR: {refusal}")]);
    }
    handle.set_messages(MessageService::default());
    bench.play(Scenario::AreaOutage).await;
    assert_eq!(submit(&mut bench).await, ["+CMS ERROR: 331"]);
    bench.play(Scenario::Normal).await;
    // What is no message, a prompt that is left, and what is typed meanwhile.
    bench.at.write("AT+CMGS=19\r").await;
    assert_eq!(bench.at.line(DEADLINE).await.unwrap(), ">");
    bench.at.write(&format!("{pdu}\u{1a}")).await;
    assert_eq!(bench.at.answer().await, ["+CMS ERROR: 304"]);
    bench.at.write("AT+CMGS=18\r").await;
    assert_eq!(bench.at.line(DEADLINE).await.unwrap(), ">");
    bench.at.write("00\u{1b}").await;
    assert_eq!(bench.at.answer().await, ["OK"]);
    bench.at.write("AT+CMGS=18\r").await;
    assert_eq!(bench.at.line(DEADLINE).await.unwrap(), ">");
    bench.at.write(&format!("{pdu}\u{1a}AT+CFUN?\r")).await;
    assert_eq!(bench.at.answer().await, ["+CMGS: 48", "OK"]);
    assert_eq!(bench.at.answer().await, ["+CFUN: 1", "OK"]);
    assert_eq!(handle.sent_messages().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn service_codes_are_answered_later() {
    let mut bench = Bench::new(config()).await;
    let handle = bench.handle();
    handle.set_ussd("*199#", UssdAnswer::text("Your number: 380501112233"));
    for (command, told) in [
        (
            "AT+CUSD=1,\"*199#\",15",
            Some("+CUSD: 0,\"Your number: 380501112233\",15"),
        ),
        ("AT+CUSD=1,\"*111#\",15", Some("+CUSD: 1,\"1. Balance")),
        (
            "AT+CUSD=1,\"2\",15",
            Some("+CUSD: 0,\"Data left 812 MB\",15"),
        ),
        ("AT+CUSD=1,\"*999#\",15", Some("+CUSD: 4")),
        ("AT+CUSD=1,\"*102#\",15", Some("+CUSD: 2")),
        ("AT+CUSD=1,\"*103#\",15", Some("+CUSD: 5")),
        ("AT+CUSD=1,\"*104#\",15", None),
    ] {
        bench.check(command, &["OK"]).await;
        let lines = bench.at.lines(Duration::from_secs(30)).await;
        assert_eq!(lines.first().map(String::as_str), told, "{command}");
    }
    bench.check("AT+CUSD=1,\"*101#\",15", &["OK"]).await;
    let balance = bench.at.line(DEADLINE).await.unwrap();
    assert!(
        balance.starts_with("+CUSD: 0,\"04110430043B0430043D0441") && balance.ends_with(",72"),
        "{balance}"
    );
    bench.play(Scenario::Searching).await;
    bench
        .check(
            "AT+CUSD=1,\"*101#\",15",
            &["+CME ERROR: no network service"],
        )
        .await;
}

#[tokio::test(start_paused = true)]
async fn answers_that_are_hard_to_read() {
    let delivery = Delivery {
        is_bytewise: true,
        is_echo_off: true,
        error_level: Some(1),
        urcs_inside: vec!["+CMTI: \"SM\",7".to_owned(), "+CREG: 2".to_owned()],
    };
    let module = Sim7600::start(Sim7600Config {
        delivery,
        ..config()
    });
    let mut at = Port::open(&module.handle(), Line::At).await;
    while at.line(DEADLINE).await.unwrap() != "PB DONE" {}
    at.write("AT+CMEE?;+CFUN?\r").await;
    let mut buffer = [0; 64];
    assert_eq!(at.0.read(&mut buffer).await.unwrap(), 1, "byte by byte");
    let lines = at.answer().await;
    assert_eq!(
        lines,
        ["+CMTI: \"SM\",7", "+CMEE: 1", "+CREG: 2", "+CFUN: 1", "OK"]
    );
    assert_eq!(
        at.ask("AT+CPIN=1").await.last().map(String::as_str),
        Some("+CME ERROR: 3")
    );
}

#[tokio::test(start_paused = true)]
async fn faults_can_be_there_from_the_start() {
    let scenarios = vec![Scenario::NoSimUntilReset, Scenario::Deregistered];
    let module = Sim7600::start(Sim7600Config {
        scenarios,
        ..config()
    });
    let mut at = Port::open(&module.handle(), Line::At).await;
    let mut lines = Vec::new();
    while lines.last().map(String::as_str) != Some("PB DONE") {
        lines.push(at.line(DEADLINE).await.unwrap());
    }
    assert_eq!(lines[1], "+CPIN: NOT INSERTED", "{lines:?}");
    assert_eq!(
        at.ask("ATE0;+COPS?").await.last().map(String::as_str),
        Some("OK")
    );
}
