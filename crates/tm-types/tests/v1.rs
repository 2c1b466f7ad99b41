//! What crosses a border, frozen. If a test here fails, do not change the test: a changed shape
//! is a new version.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use tm_types::{
    ActiveConfig, Anchor, BootId, Cause, Clock, Command, ConfigSource, Event, FieldError,
    GnssState, Health, HealthStatus, ModemPrivate, Operation, PacketData, Place, Point, PointName,
    Poll, PreviousConfig, PrivateModem, PrivateText, Problem, Reading, Reason, RunId, Sequence,
    Severity, SpoofingSuspicion, Stamp, Timestamp, Unit, Value, code, text::Language, topic,
};

const STAMP: Stamp = Stamp {
    time: Timestamp::EPOCH,
    mono_ms: 81_234,
    boot: BootId(0x00c0_ffee),
    clock: Clock::Ntp,
    err_ms: Some(12),
};

fn stamp() -> Stamp {
    Stamp {
        time: Timestamp::of_unix_ms(1_790_000_000_250),
        ..STAMP
    }
}

fn name(text: &str) -> PointName {
    PointName::new(text).unwrap()
}

/// `value` is written as `json`, and `json` is read as `value`.
fn check<T>(value: &T, json: &str)
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
{
    assert_eq!(serde_json::to_string(value).unwrap(), json);
    assert_eq!(&serde_json::from_str::<T>(json).unwrap(), value);
}

#[test]
fn readings() {
    check(
        &Reading::Good(Value::decimal(2150, 2).unwrap()),
        r#"{"value":21.5,"quality":"good","reason":null}"#,
    );
    check(
        &Reading::Missing(Reason::Timeout),
        r#"{"value":null,"quality":"bad","reason":"timeout"}"#,
    );
    check(
        &Reading::Bad(Value::from(85), Reason::Implausible),
        r#"{"value":85,"quality":"bad","reason":"implausible"}"#,
    );
    check(
        &Reading::from(9_007_199_254_740_993_i64),
        r#"{"value":"9007199254740993","quality":"good","reason":null}"#,
    );
}

#[test]
fn points() {
    let volts = Point::gauge(
        name("dc-voltage"),
        Unit::known("V"),
        Value::decimal(48_012, 3).unwrap(),
    );
    check(
        &volts.with_scale(3),
        r#"{"name":"dc-voltage","kind":"gauge","unit":"V","value":48.012,"quality":"good","reason":null,"scale":3}"#,
    );
    check(
        &Point::state(name("door"), true),
        r#"{"name":"door","kind":"state","unit":"","value":true,"quality":"good","reason":null}"#,
    );
}

#[test]
fn a_poll_of_our_own() {
    let poll = Poll {
        sequence: Some(Sequence {
            run: RunId(0x5f1c_20aa),
            n: 7,
        }),
        stamp: stamp(),
        points: vec![Point::counter(name("energy"), Unit::known("kWh"), 1234)],
    };
    let json = r#"{"run":"5f1c20aa","n":7,"time":"2026-09-21T14:13:20.250Z","mono_ms":81234,"boot":"00c0ffee","clock":"ntp","err_ms":12,"points":[{"name":"energy","kind":"counter","unit":"kWh","value":1234,"quality":"good","reason":null}]}"#;
    assert_eq!(String::from_utf8(poll.to_json()).unwrap(), json);
    assert_eq!(Poll::from_json(json.as_bytes(), &STAMP).unwrap(), poll);
}

#[test]
fn a_poll_from_anybody() {
    let bare = Poll::from_json(
        br#"{"points":[{"name":"level","value":1.2,"unit":"m"}]}"#,
        &stamp(),
    )
    .unwrap();
    assert_eq!((bare.sequence, bare.stamp), (None, stamp()));
    let level = Point::gauge(
        name("level"),
        Unit::known("m"),
        Value::decimal(12, 1).unwrap(),
    );
    assert_eq!(bare.points, [level]);

    let timed = br#"{"time":"2026-11-22T12:00:00+02:00","points":[]}"#;
    let timed = Poll::from_json(timed, &STAMP).unwrap();
    assert_eq!(timed.stamp.time.to_string(), "2026-11-22T10:00:00.000Z");
    assert_eq!(timed.stamp.boot, STAMP.boot);

    for bad in [
        "",
        "{",
        "[]",
        "{}",
        r#"{"points":[{"value":1}]}"#,
        r#"{"points":[{"name":"A"}]}"#,
    ] {
        assert!(Poll::from_json(bad.as_bytes(), &STAMP).is_err(), "{bad}");
    }
}

#[test]
fn health_event_anchor() {
    check(
        &Health {
            status: HealthStatus::Degraded,
            reasons: vec![code::GNSS_NO_FIX.with("satellites", 3)],
            version: "0.1.0".into(),
            boot: BootId(1),
            mono_ms: 5,
            period_s: 30,
        },
        r#"{"status":"degraded","reasons":[{"code":"gnss.no_fix","args":{"satellites":"3"}}],"version":"0.1.0","boot":"00000001","mono_ms":5,"period_s":30}"#,
    );
    check(
        &Event {
            stamp: stamp(),
            severity: Severity::Warning,
            cause: code::MODEM_MUTE.with("port", "/dev/x"),
        },
        r#"{"stamp":{"time":"2026-09-21T14:13:20.250Z","mono_ms":81234,"boot":"00c0ffee","clock":"ntp","err_ms":12},"severity":"warning","cause":{"code":"modem.mute","args":{"port":"/dev/x"}}}"#,
    );
    check(
        &Anchor {
            boot: BootId(1),
            mono_ms: 5,
            utc: Timestamp::EPOCH,
            source: Clock::Gnss,
            err_ms: 200,
        },
        r#"{"boot":"00000001","mono_ms":5,"utc":"1970-01-01T00:00:00.000Z","source":"gnss","err_ms":200}"#,
    );
}

#[test]
fn operations_and_problems() {
    check(
        &Command {
            id: "a-1".parse().unwrap(),
            args: serde_json::json!({"rung": 2}),
            ttl_ms: 5000,
            issuer: "api".into(),
            issued_at: Timestamp::EPOCH,
        },
        r#"{"id":"a-1","args":{"rung":2},"ttl_ms":5000,"issuer":"api","issued_at":"1970-01-01T00:00:00.000Z"}"#,
    );
    let problem = Problem::of_cause(&code::OPERATION_EXPIRED.plain(), 409, Language::En);
    check(
        &Operation {
            id: "a-1".parse().unwrap(),
            service: "modem".parse().unwrap(),
            op: "reset".into(),
            status: tm_types::OperationStatus::Expired,
            progress_percent: None,
            result: None,
            problem: Some(problem),
            updated_at: Timestamp::EPOCH,
        },
        r#"{"id":"a-1","service":"modem","op":"reset","status":"expired","progress_percent":null,"result":null,"problem":{"type":"/docs/problems#operation.expired","title":"The operation came too late and was not started","status":409,"detail":"The operation came too late and was not started.","code":"operation.expired"},"updated_at":"1970-01-01T00:00:00.000Z"}"#,
    );
}

#[test]
fn topics() {
    let modem = "modem".parse().unwrap();
    assert_eq!(topic::data(&"modem".parse().unwrap()), "tm/v1/data/modem");
    assert_eq!(topic::state(&modem), "tm/v1/state/modem");
    assert_eq!(topic::health(&modem), "tm/v1/health/modem");
    assert_eq!(topic::event(&modem), "tm/v1/event/modem");
    assert_eq!(topic::alarm("door-open"), "tm/v1/alarm/door-open");
    assert_eq!(topic::command(&modem, "reset"), "tm/v1/cmd/modem/reset");
    assert_eq!(topic::result(&"a-1".parse().unwrap()), "tm/v1/res/a-1");
    assert_eq!(topic::clock(&"gnss".parse().unwrap()), "tm/v1/clock/gnss");
    assert_eq!(topic::private(&modem), "tm/v1/private/modem");
    assert_eq!(topic::config(&modem), "tm/v1/cfg/modem");
    assert_eq!(topic::nmea(&"modem".parse().unwrap()), "tm/v1/nmea/modem");
}

#[test]
fn what_only_our_own_services_read() {
    check(
        &ModemPrivate {
            modems: vec![PrivateModem {
                id: "1".into(),
                messages: vec![PrivateText {
                    id: 9,
                    text: "привіт".into(),
                }],
            }],
        },
        r#"{"modems":[{"id":"1","messages":[{"id":9,"text":"привіт"}]}]}"#,
    );
}

#[test]
fn a_cause_without_arguments_is_read() {
    assert_eq!(
        serde_json::from_str::<Cause>(r#"{"code":"status.ok"}"#).unwrap(),
        code::STATUS_OK.plain()
    );
}

#[test]
fn what_states_grew_is_optional() {
    check(
        &PacketData {
            attached: Some(true),
            active: None,
            apn: Some("staticip".into()),
            ..PacketData::default()
        },
        r#"{"attached":true,"active":null,"apn":"staticip"}"#,
    );
    check(
        &SpoofingSuspicion {
            since: stamp(),
            distance_m: Some(36_620.0),
            time_ms: Some(420_000),
            satellites: None,
            witness: Some(Clock::Network),
            trusted_latitude_deg: 48.9226,
            trusted_longitude_deg: 24.7103,
        },
        r#"{"since":{"time":"2026-09-21T14:13:20.250Z","mono_ms":81234,"boot":"00c0ffee","clock":"ntp","err_ms":12},"distance_m":36620.0,"time_ms":420000,"witness":"network","satellites":null,"trusted_latitude_deg":48.9226,"trusted_longitude_deg":24.7103}"#,
    );
    check(
        &Place {
            latitude_deg: 48.922_612_3,
            longitude_deg: 24.710_314_5,
            altitude_m: 262.4,
            accuracy_m: 1.7,
            hours: 24.5,
            moved: Some(false),
        },
        r#"{"latitude_deg":48.9226123,"longitude_deg":24.7103145,"altitude_m":262.4,"accuracy_m":1.7,"hours":24.5,"moved":false}"#,
    );
    let json = r#"{"presence":"silent","cause":{"code":"gnss.silent","args":{}},"source":null,"fix":null,"satellites":[],"sentences_skipped":0}"#;
    let state: GnssState = serde_json::from_str(json).unwrap();
    assert_eq!(state.suspicion, None);
    assert_eq!(serde_json::to_string(&state).unwrap(), json);
}

#[test]
fn configuration_in_force() {
    let mut config = ActiveConfig {
        revision: "e3b0c44298fc1c14".into(),
        source: ConfigSource::Revision,
        since: stamp().time,
        document: Some("[[device]]\n".into()),
        bytes: 11,
        previous: Some(PreviousConfig { revision: None }),
    };
    check(
        &config,
        r#"{"revision":"e3b0c44298fc1c14","source":"revision","since":"2026-09-21T14:13:20.250Z","document":"[[device]]\n","bytes":11,"previous":{"revision":null}}"#,
    );
    config.source = ConfigSource::None;
    (config.document, config.previous) = (None, None);
    check(
        &config,
        r#"{"revision":"e3b0c44298fc1c14","source":"none","since":"2026-09-21T14:13:20.250Z","document":null,"bytes":11,"previous":null}"#,
    );
}

#[test]
fn what_problems_grew_is_optional() {
    let json = r#"{"pointer":"/document","detail":"no","line":3}"#;
    let error: FieldError = serde_json::from_str(json).unwrap();
    assert_eq!(serde_json::to_string(&error).unwrap(), json);
    let json = r#"{"pointer":"/document","detail":"no"}"#;
    let error: FieldError = serde_json::from_str(json).unwrap();
    assert_eq!(error.line, None);
    assert_eq!(serde_json::to_string(&error).unwrap(), json);
}
