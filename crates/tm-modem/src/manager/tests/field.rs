//! Days of the field in virtual time: the whole service but for sockets, on the simulated module.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tm_service::bus::{BusMessage, Request};
use tm_service::port::{Link, Opened, Opener, Opening, PortUrl};
use tm_sim::sim7600::{Line, Scenario, Sim7600, Sim7600Config, UssdAnswer};
use tm_types::{Cause, Device, ModemPresence, OperationId, Severity};
use tokio::time::{Instant, timeout};

use super::bench::{absent, config, stamped};
use crate::backend::serial::Layouts;
use crate::backend::serial::core::{self as serial, Core};
use crate::ladder::{Call, Rung};
use crate::manager::{Effect, Event, File, Kept, Manager, Now};
use crate::usb::{UsbLook, UsbModem};

const MINUTE: Duration = Duration::from_mins(1);

/// Opens the lines of the simulated module.
struct Lines(tm_sim::sim7600::Sim7600Handle);

impl Opener for Lines {
    fn begin(&self, url: &PortUrl) -> Opening {
        let (module, name) = (self.0.clone(), url.to_string());
        let line = match url {
            PortUrl::Usb { interface: 3, .. } => Line::Modem,
            _ => Line::At,
        };
        Box::pin(async move {
            let stream = module.open(line).await.map_err(|_| absent())?;
            Ok(Opened {
                port: Box::new(stream),
                name,
            })
        })
    }
}

/// The cabinet: module, service, uplink and host.
struct Field {
    module: Sim7600,
    layouts: Arc<Layouts>,
    link: Link,
    core: Core,
    manager: Manager,
    started: Instant,
    next_world: Instant,
    n_world: u64,
    cloud_is_away: bool,
    has_mains: Option<bool>,
    events: Vec<(u64, Severity, Cause)>,
    steps: Vec<(u64, u8)>,
    finished: Vec<(String, Result<serde_json::Value, Cause>)>,
    cause: Option<Cause>,
    recovery: Option<tm_types::Recovery>,
    inbox: Vec<tm_types::TextMessage>,
    texts: Vec<tm_types::PrivateText>,
    n_private: usize,
    kept: Vec<(File, Vec<u8>)>,
}

impl Field {
    /// A cabinet whose modem has been registered for a while.
    async fn new(variables: &[(&str, &str)]) -> Self {
        let module = Sim7600::start(Sim7600Config::default());
        let layouts = Arc::new(Layouts::new(Arc::new(Lines(module.handle()))));
        let mut variables = variables.to_vec();
        variables.extend([
            ("TM_MODEM_POLL_S", "10"),
            ("TM_MODEM_MAINS_SERIES", "io/mains"),
        ]);
        let config = config(&variables);
        let started = Instant::now();
        let device = Device {
            id: "field".to_owned(),
            site: Some("IF-07".to_owned()),
            timezone: "Europe/Kyiv".to_owned(),
            ..Device::default()
        };
        let now = stamped(started, Duration::ZERO);
        let mut field = Self {
            link: Link::new(config.port.clone(), layouts.clone()),
            layouts,
            core: Core::new(config.clone(), started),
            manager: Manager::new(config, &device, Kept::default(), now),
            module,
            started,
            next_world: started,
            n_world: 0,
            cloud_is_away: false,
            has_mains: None,
            events: Vec::new(),
            steps: Vec::new(),
            finished: Vec::new(),
            cause: None,
            recovery: None,
            inbox: Vec::new(),
            texts: Vec::new(),
            n_private: 0,
            kept: Vec::new(),
        };
        field.run(MINUTE * 10).await;
        assert_eq!(field.code(), "modem.registered");
        assert_eq!(field.steps, [], "nothing was wrong");
        field
    }

    fn now(&self) -> Now {
        stamped(Instant::now(), self.started.elapsed())
    }

    fn code(&self) -> &str {
        self.cause.as_ref().map_or("", |cause| &cause.code)
    }

    /// Lets time pass.
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

    /// Lets time pass until the cause is this; the time it took.
    async fn until(&mut self, code: &str, limit: Duration) -> Duration {
        let from = Instant::now();
        while self.code() != code {
            let waited = from.elapsed();
            assert!(
                waited < limit,
                "{} instead of {code}: {:?} {:#?}",
                self.code(),
                self.steps,
                self.events
            );
            self.run(Duration::from_secs(1)).await;
        }
        from.elapsed()
    }

    async fn turn(&mut self) {
        let manager = self.manager.deadline(self.now());
        let core = self.core.deadline().unwrap_or(manager);
        let deadline = manager.min(core).min(self.next_world);
        let event = tokio::select! {
            event = self.link.next() => serial::Event::Port(event),
            () = tokio::time::sleep_until(deadline) => serial::Event::Due,
        };
        self.serial(event);
        self.tell(Event::Due);
        if Instant::now() >= self.next_world {
            self.next_world = Instant::now() + Duration::from_secs(10);
            self.look_at_world();
        }
    }

    /// What the host and the other services see.
    fn look_at_world(&mut self) {
        self.n_world += 1;
        let status = self.module.handle().status();
        let usb = UsbModem {
            socket: "1-1.3".to_owned(),
            product: "9001".to_owned(),
            directory: "/sys".into(),
            network: None,
        };
        self.tell(Event::Usb(if status.is_present {
            UsbLook::Present(usb)
        } else {
            UsbLook::Absent
        }));
        let is_open = status.has_traffic && !self.cloud_is_away;
        let state = json!({
            "link": if is_open { "connected" } else { "failed" },
            "cause": {"code": if is_open { "uplink.connected" } else { "uplink.unreachable" }, "args": {}},
            "broker": "cloud.example:8883", "since": null,
            "ack_age_ms": if is_open { json!(500) } else { json!(null) },
            "journal": {"records_pending": 5, "points_pending": 5, "bytes_on_disk": 1, "quota_bytes": 2,
                "oldest": null, "records_dropped": 0, "records_damaged": 0},
            "messages_received": self.n_world, "duplicates_dropped": 0, "lost_on_bus": 0,
            "messages_unreadable": 0, "batches_acked": self.n_world, "bytes_acked": 1
        });
        self.hear("tm/v1/state/uplink", &state);
        if let Some(has_mains) = self.has_mains {
            let poll = json!({"points": [
                {"name": "mains", "kind": "state", "value": has_mains, "quality": "good", "reason": null}
            ]});
            self.hear("tm/v1/data/io", &poll);
        }
    }

    fn hear(&mut self, topic: &str, payload: &serde_json::Value) {
        self.tell(Event::Bus(BusMessage {
            topic: topic.to_owned(),
            payload: payload.to_string().into(),
            retained: false,
        }));
    }

    fn serial(&mut self, event: serial::Event) {
        let now = self.now();
        for effect in self.core.on(event, now) {
            match effect {
                serial::Effect::Write(bytes) => self.link.send(&bytes),
                serial::Effect::Reopen => {
                    self.layouts.change_port();
                    self.link.reopen();
                }
                serial::Effect::Report(report) => self.tell(Event::Backend(report)),
            }
        }
    }

    fn tell(&mut self, event: Event) {
        let effects = self.manager.on(event, self.now());
        self.perform(effects);
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        let mono_s = self.started.elapsed().as_secs();
        for effect in effects {
            match effect {
                Effect::State(state) => {
                    let modem = &state.modems[0];
                    self.cause = Some(modem.cause.clone());
                    self.recovery.clone_from(&modem.recovery);
                    let messages = modem.messages.clone().unwrap_or_default();
                    self.inbox = messages.inbox;
                }
                Effect::Private(private) => {
                    self.texts.clone_from(&private.modems[0].messages);
                    self.n_private += 1;
                }
                Effect::SaveThen(file, bytes, then) => {
                    self.kept.push((file, bytes));
                    self.perform(then);
                }
                Effect::Ask(ticket, action) => {
                    let rung = match action {
                        crate::backend::Action::Reconnect => Some(1),
                        crate::backend::Action::CycleRadio => Some(2),
                        crate::backend::Action::Reset => Some(3),
                        _ => None,
                    };
                    self.steps.extend(rung.map(|rung| (mono_s, rung)));
                    self.serial(serial::Event::Ask(ticket, action));
                }
                Effect::Step(rung) => {
                    self.steps.push((mono_s, rung.number()));
                    let module = self.module.handle();
                    match rung {
                        Rung::UsbRebind => module.usb_rebind(),
                        _ => module.power_key(Duration::from_millis(1200)),
                    }
                    self.tell(Event::Stepped(rung, Call::Taken));
                }
                Effect::Request(asking) => {
                    if asking.op == "reboot" {
                        self.steps.push((mono_s, 6));
                    }
                    self.events.push((
                        mono_s,
                        Severity::Info,
                        tm_types::code::OPERATION_UNKNOWN
                            .with("op", asking.op)
                            .and("issuer", asking.issuer),
                    ));
                }
                Effect::Event(severity, cause) => self.events.push((mono_s, severity, cause)),
                Effect::Finish(id, end) => self.finished.push((id.to_string(), end)),
                _ => {}
            }
        }
    }

    fn ask(&mut self, op: &str, args: serde_json::Value) -> String {
        let id = format!("op-{op}-{}", self.finished.len());
        self.tell(Event::Command(Request {
            id: OperationId::new(&id).unwrap(),
            op: op.to_owned(),
            args,
            issuer: "api".to_owned(),
        }));
        id
    }

    fn end(&self, id: &str) -> Option<&Result<serde_json::Value, Cause>> {
        let ended = self.finished.iter().find(|(ended, _)| ended == id);
        ended.map(|(_, end)| end)
    }

    fn rungs(&self) -> Vec<u8> {
        self.steps.iter().map(|(_, rung)| *rung).collect()
    }
}

/// The failure, the steps that are taken against it, and that it passes.
async fn check(scenario: Scenario, rungs: &[u8], limit: Duration) {
    let mut field = Field::new(&[]).await;
    field.module.handle().play(scenario);
    field.run(Duration::from_secs(40)).await;
    let took = field.until("modem.registered", limit).await;
    assert_eq!(field.rungs(), rungs, "{scenario:?} {:#?}", field.events);
    // Every step has its event.
    for rung in rungs {
        let is_told = field.events.iter().any(|(_, _, cause)| {
            cause.code == "recovery.step" && cause.args["rung"] == rung.to_string()
        });
        assert!(is_told, "{scenario:?} rung {rung}: {:?}", field.events);
    }
    println!("{scenario:?}: rungs {rungs:?}, {} s", took.as_secs() + 40);
}

#[tokio::test(start_paused = true)]
async fn a_stalled_connection_is_made_anew() {
    Box::pin(check(Scenario::Stalled, &[1], MINUTE * 15)).await;
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_the_module_keeps_is_asked_again() {
    Box::pin(check(Scenario::DeniedUntilRadio, &[2], MINUTE * 20)).await;
}

#[tokio::test(start_paused = true)]
async fn a_module_that_searches_in_vain_is_cycled_then_restarted() {
    Box::pin(check(Scenario::Deregistered, &[2], MINUTE * 10)).await;
    Box::pin(check(Scenario::NoServiceUntilRadio, &[2], MINUTE * 45)).await;
    Box::pin(check(Scenario::NoServiceUntilReset, &[2, 3], MINUTE * 180)).await;
}

#[tokio::test(start_paused = true)]
async fn a_mute_port_gives_way_to_its_sibling() {
    Box::pin(check(Scenario::MuteUntilReset, &[], MINUTE * 5)).await;
}

#[tokio::test(start_paused = true)]
async fn a_module_that_obeys_nothing_is_taken_off_the_bus() {
    let mut field = Field::new(&[]).await;
    field.module.handle().play(Scenario::MuteUntilRebind);
    field.run(MINUTE * 60).await;
    assert_eq!(field.code(), "modem.mute");
    assert!(field.steps.is_empty(), "data flows: {:?}", field.steps);
    field.cloud_is_away = true;
    while field.steps.len() < 2 && field.started.elapsed() < MINUTE * 180 {
        field.run(Duration::from_secs(10)).await;
    }
    field.cloud_is_away = false;
    field.until("modem.registered", MINUTE * 30).await;
    assert_eq!(field.rungs(), [3, 4], "{:#?}", field.events);
}

#[tokio::test(start_paused = true)]
async fn a_dark_area_is_waited_for() {
    let mut field = Field::new(&[]).await;
    field.has_mains = Some(false);
    field.module.handle().play(Scenario::AreaOutage);
    field.run(MINUTE * 180).await;
    assert_eq!(field.code(), "modem.area_outage", "{:?}", field.cause);
    assert!(field.steps.is_empty(), "{:#?}", field.events);
    field.has_mains = Some(true);
    field.module.handle().play(Scenario::Normal);
    field.until("modem.registered", MINUTE * 5).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_person_must_mend_is_not_reset() {
    for (scenario, code) in [
        (Scenario::WrongApn, "modem.wrong_apn"),
        (Scenario::PukRequired, "modem.sim_puk_required"),
        (Scenario::WrongPin, "modem.sim_pin_required"),
    ] {
        let mut field = Field::new(&[]).await;
        field.module.handle().play(scenario);
        field.run(MINUTE * 180).await;
        assert_eq!(field.code(), code);
        assert!(
            field.rungs().iter().all(|rung| *rung < 3),
            "{code} {:?}",
            field.steps
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_cloud_is_away_and_the_modem_is_left_alone() {
    let mut field = Field::new(&[]).await;
    field.cloud_is_away = true;
    field.run(MINUTE * 180).await;
    assert!(
        field.rungs().iter().all(|rung| *rung < 3),
        "{:?}",
        field.steps
    );
}

#[tokio::test(start_paused = true)]
async fn an_operator_holds_asks_and_lets_go() {
    let mut field = Field::new(&[]).await;
    field.ask("hands-off", json!({"minutes": 60}));
    field.module.handle().play(Scenario::Stalled);
    field.run(MINUTE * 50).await;
    assert!(field.steps.is_empty(), "a crew is on site");
    let id = field.ask("reset", json!({}));
    field.run(MINUTE).await;
    assert_eq!(field.rungs(), [3]);
    assert_eq!(field.end(&id).unwrap().as_ref().unwrap()["rung"], 3);
    let id = field.ask("recover", json!({"rung": 5}));
    let cause = field.end(&id).unwrap().as_ref().unwrap_err();
    assert_eq!(cause.code, "recovery.rung_unavailable");
    let recovery = field.recovery.as_ref().unwrap();
    assert_eq!(recovery.status, tm_types::RecoveryStatus::HandsOff);
    assert_eq!(recovery.steps.last().unwrap().rung, 3);
}

#[tokio::test(start_paused = true)]
async fn texts_come_and_go() {
    let allow = [
        ("TM_MODEM_SMS_ALLOW", "+380501112233"),
        ("TM_MODEM_SMS_SECRET", "sesame"),
    ];
    let mut field = Field::new(&allow).await;
    let module = field.module.handle();
    // Longer than a part, in Cyrillic letters.
    let long = "Шафа в селі Космач: двері відчинено. ".repeat(9);
    let long = long.trim_end();
    module.receive_sms("+380671234567", long);
    field.run(MINUTE).await;
    assert_eq!(
        (field.inbox.len(), field.n_private),
        (1, 2),
        "told on change"
    );
    assert_eq!(
        (field.texts[0].id, &*field.texts[0].text),
        (field.inbox[0].id, long)
    );
    assert!(!field.inbox[0].incomplete);
    let id = field.ask(
        "send-sms",
        json!({"to": "+380671234567", "text": long, "report": true}),
    );
    field.run(MINUTE * 2).await;
    assert!(field.end(&id).unwrap().is_ok(), "{:?}", field.end(&id));
    let sent = module.sent_messages();
    assert_eq!(sent.last().unwrap().text, long);
    let delivered = |field: &Field| {
        let codes = field.events.iter().map(|(_, _, cause)| cause.code.as_str());
        codes.filter(|code| *code == "sms.delivered").count()
    };
    assert_eq!(delivered(&field), 1, "{:?}", field.events);
    // A stranger, a wrong word, and the right one.
    let n_sent = module.sent_messages().len();
    module.receive_sms("+380671234567", "sesame status");
    module.receive_sms("+380501112233", "sesam status");
    field.run(MINUTE).await;
    assert_eq!(module.sent_messages().len(), n_sent);
    module.receive_sms("+380501112233", "sesame status");
    field.run(MINUTE).await;
    let sent = module.sent_messages();
    assert_eq!(sent.len(), n_sent + 1);
    assert!(
        sent.last().unwrap().text.contains("IF-07"),
        "{:?}",
        sent.last()
    );
    assert!(!sent.last().unwrap().text.contains("Alarms"), "no agent");
    assert_eq!(field.texts.len(), 4);
    assert!(!field.texts.iter().any(|text| text.text.contains("sesame")));
    assert!(field.inbox.iter().all(|message| message.text.is_none()));
    module.receive_sms("+380501112233", "sesame reset modem");
    field.run(MINUTE).await;
    let asked = field.events.iter().any(|(_, _, cause)| {
        cause.args.get("op").is_some_and(|op| op == "reset")
            && cause
                .args
                .get("issuer")
                .is_some_and(|issuer| issuer == "sms")
    });
    assert!(asked, "{:?}", field.events);
}

#[tokio::test(start_paused = true)]
async fn the_balance_is_asked_for_and_a_code_by_hand() {
    let mut field = Field::new(&[
        ("TM_MODEM_BALANCE_USSD", "*101#"),
        ("TM_MODEM_BALANCE_PATTERN", r"([0-9]+[.,][0-9]{2})"),
    ])
    .await;
    let module = field.module.handle();
    module.set_ussd("*101#", UssdAnswer::ucs2("Баланс 12,50 грн"));
    let id = field.ask("balance", json!({}));
    field.run(MINUTE).await;
    let balance = field.end(&id).unwrap().as_ref().unwrap();
    assert_eq!(balance["amount"], "12.50", "{balance}");
    module.set_ussd("*111#", UssdAnswer::unsupported());
    let id = field.ask("ussd", json!({"code": "*111#"}));
    field.run(MINUTE).await;
    let cause = field.end(&id).unwrap().as_ref().unwrap_err();
    assert_eq!(cause.code, "ussd.failed");
}

#[tokio::test(start_paused = true)]
async fn a_modem_that_is_gone_answers_every_operation() {
    let mut field = Field::new(&[]).await;
    field.module.handle().play(Scenario::Unplugged);
    field.run(MINUTE).await;
    assert_eq!(field.manager.presence, Some(ModemPresence::Absent));
    let ids = [
        field.ask("reset", json!({})),
        field.ask("ussd", json!({"code": "*101#"})),
        field.ask("send-sms", json!({"to": "+380501112233", "text": "x"})),
        field.ask("balance", json!({})),
        field.ask("dance", json!({})),
    ];
    field.run(MINUTE * 15).await;
    for id in ids {
        let end = field.end(&id);
        assert!(end.is_some_and(Result::is_err), "{id}: {end:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_position_is_asked_for_under_a_true_and_a_forged_sky() {
    let allow = [
        ("TM_MODEM_SMS_ALLOW", "+380501112233"),
        ("TM_MODEM_SMS_SECRET", "sesame"),
    ];
    let stamp = json!(stamped(Instant::now(), Duration::ZERO).stamp);
    let mut state = json!({
        "presence": "present", "cause": {"code": "gnss.fix", "args": {}}, "source": "bus",
        "fix": {
            "stamp": stamp, "gnss_time": null, "mode": "2d", "latitude_deg": 48.9226, "longitude_deg": 24.7103,
            "altitude_m": null, "speed_mps": null, "course_deg": null, "hdop": 1.3, "satellites_used": 7,
        },
        "satellites": [], "sentences_skipped": 0,
    });
    let suspicion = json!({
        "since": stamp, "distance_m": 36_620.0, "time_ms": null, "satellites": null,
        "trusted_latitude_deg": 48.9226, "trusted_longitude_deg": 24.7103,
    });
    for (suspicion, hdop, said) in [
        (None, json!(1.3), "48.92260, 24.71030. +-7 m. 600 s ago."),
        (None, json!(null), "48.92260, 24.71030. 600 s ago."),
        (Some(suspicion), json!(1.3), "No position."),
    ] {
        state["fix"]["hdop"] = hdop;
        if let Some(suspicion) = suspicion {
            state["suspicion"] = suspicion;
        }
        let mut field = Field::new(&allow).await;
        field.hear("tm/v1/state/gnss", &state);
        let module = field.module.handle();
        module.receive_sms("+380501112233", "sesame position");
        field.run(MINUTE).await;
        let sent = module.sent_messages();
        let answer = &sent.last().unwrap().text;
        assert!(answer.contains(said), "{answer} instead of {said}");
    }
}
