//! Every address, asked of a world filled by the literal messages of `fixture`.

use std::sync::mpsc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use axum::response::Response;
use futures_util::StreamExt as _;
use serde_json::{Value as Json, json};
use tm_service::{Clock, ManualClock};
use tm_types::{BootId, Device, Operation, OperationId, Stamp};
use tower::ServiceExt as _;

use super::router;
use crate::app::{App, Peer, Shared};
use crate::token::{Scope, Tokens, derive_token};

const BOOT: &str = "00c0ffee";
const STAMP: &str = r#""time":"2026-11-22T10:00:00.000Z","mono_ms":1000000,"boot":"00c0ffee","clock":"ntp","err_ms":12"#;

struct Cabinet {
    app: Shared,
    clock: ManualClock,
    asked: mpsc::Receiver<(OperationId, String)>,
}

fn cabinet_with(tokens: Tokens, reads_need_token: bool) -> Cabinet {
    let stamp = Stamp {
        time: "2026-11-22T10:00:00Z".parse().unwrap(),
        mono_ms: 1_000_000,
        boot: BOOT.parse().unwrap(),
        clock: tm_types::Clock::Ntp,
        err_ms: Some(12),
    };
    let (clock, hands) = Clock::manual(stamp);
    let device = Device {
        id: "cab-1".into(),
        site: Some("KYIV-017".into()),
        name: None,
        timezone: "Europe/Kyiv".into(),
    };
    let (sender, asked) = mpsc::channel();
    let sender = std::sync::Mutex::new(sender);
    let ask: crate::app::Ask = Box::new(move |id, service, op, _, _| {
        let id = id.unwrap_or_else(|| OperationId::new("drawn").unwrap());
        sender
            .lock()
            .unwrap()
            .send((id.clone(), format!("{service}/{op}")))
            .unwrap();
        id
    });
    let app = App::new(clock, device, "9.9.9", ask, tokens, reads_need_token);
    Cabinet {
        app,
        clock: hands,
        asked,
    }
}

fn cabinet() -> Cabinet {
    let cabinet = cabinet_with(Tokens::new(Some("secret"), Some("seed"), "cab-1"), false);
    cabinet.app.write(|world| world.is_connected = true);
    cabinet
}

/// The cabinet on a good day.
fn fixture() -> Cabinet {
    let cabinet = cabinet();
    for service in ["modem", "gnss", "sensors", "uplink", "agent", "api"] {
        health(&cabinet, service, "up", "");
    }
    say(
        &cabinet,
        "state/modem",
        &format!(
            r#"{{"modems":[{{"id":"1","presence":"present",
        "cause":{{"code":"modem.registered","args":{{"operator":"Kyivstar"}}}},"port":"/dev/ttyUSB2",
        "stamp":{{{STAMP}}},"identity":{{"manufacturer":"SIMCOM","model":"SIM7600G-H","revision":"LE20","imei":"356938035643809"}},
        "sim":{{"status":"ready","iccid":"8938003991234567890","imsi":"255031234567891"}},
        "registration":{{"status":"home","operator":"Kyivstar","plmn":"255-03","technology":"lte"}},
        "signal":{{"rssi_dbm":-69.0,"rsrp_dbm":-97.0,"rsrq_db":-11.0,"sinr_db":12.0}},
        "cell":{{"id":4711681,"enb":18405,"area_code":12345,"pci":211,"band":"EUTRAN-BAND3","channel":1650,"bandwidth_mhz":20.0}},
        "temperature_cel":41,"supply_v":3.98}}]}}"#
        ),
    );
    say(
        &cabinet,
        "state/gnss",
        &format!(
            r#"{{"presence":"present","cause":{{"code":"gnss.fix","args":{{"satellites":"9"}}}},
        "source":"bus","fix":{{"stamp":{{{STAMP}}},"gnss_time":"2026-11-22T10:00:00.000Z","mode":"3d","latitude_deg":50.45,
        "longitude_deg":30.52,"altitude_m":179.4,"speed_mps":0.0,"course_deg":null,"hdop":0.9,"satellites_used":1}},
        "satellites":[{{"system":"gps","id":5,"elevation_deg":40,"azimuth_deg":120,"cn0_dbhz":38,"used":true}},
        {{"system":"glonass","id":70,"elevation_deg":10,"azimuth_deg":300,"cn0_dbhz":null,"used":false}}],"sentences_skipped":2}}"#
        ),
    );
    say(
        &cabinet,
        "state/sensors",
        &format!(
            r#"{{"devices":[{{"id":"machine","driver":"machine","presence":"present",
        "cause":null,"last_seen":{{{STAMP}}},"points":["cpu-temperature"],"period_s":10}}]}}"#
        ),
    );
    say(
        &cabinet,
        "state/uplink",
        r#"{"link":"connected","cause":{"code":"uplink.connected","args":{"broker":"cloud:8883"}},
        "broker":"cloud:8883","since":"2026-11-22T09:00:00.000Z","ack_age_ms":1200,
        "journal":{"records_pending":3,"points_pending":30,"bytes_on_disk":1000,"quota_bytes":4000,
        "oldest":"2026-11-22T09:59:00.000Z","records_dropped":0,"records_damaged":0},"messages_received":10,
        "duplicates_dropped":0,"lost_on_bus":0,"messages_unreadable":0,"batches_acked":1,"bytes_acked":100}"#,
    );
    say(
        &cabinet,
        "clock/gnss",
        r#"{"boot":"00c0ffee","mono_ms":999000,"utc":"2026-11-22T09:59:58.500Z","source":"gnss","err_ms":200}"#,
    );
    for n in 0..60u32 {
        let (mono_ms, s) = (940_000 + n * 1000, n);
        say(
            &cabinet,
            "data/sensors",
            &format!(
                r#"{{"run":"5f1c20aa","n":{n},"time":"2026-11-22T09:59:{s:02}.000Z","mono_ms":{mono_ms},
            "boot":"00c0ffee","clock":"ntp","err_ms":12,"points":[{{"name":"cpu-temperature","unit":"Cel","value":{n}}},
            {{"name":"energy","kind":"counter","unit":"kWh","value":{n}}}]}}"#
            ),
        );
    }
    say(
        &cabinet,
        "data/pump-house",
        r#"{"points":[{"name":"level","unit":"m","value":1.25},
        {"name":"valve","kind":"state","value":null,"quality":"bad","reason":"timeout"}]}"#,
    );
    for n in 0..3 {
        say(
            &cabinet,
            "event/modem",
            &format!(
                r#"{{"stamp":{{{STAMP}}},"severity":"warning","cause":{{"code":"modem.mute","args":{{"port":"/dev/x{n}"}}}}}}"#
            ),
        );
    }
    cabinet
}

fn say(cabinet: &Cabinet, topic: &str, payload: &str) {
    let now = cabinet.app.now();
    let topic = format!("tm/v1/{topic}");
    cabinet
        .app
        .write(|world| world.on_message(&topic, payload.as_bytes(), false, &now))
        .unwrap();
}

fn health(cabinet: &Cabinet, service: &str, status: &str, reasons: &str) {
    let mono_ms = cabinet.app.now().mono_ms;
    say(
        cabinet,
        &format!("health/{service}"),
        &format!(
            r#"{{"status":"{status}","reasons":[{reasons}],"version":"0.1.0","boot":"{BOOT}","mono_ms":{mono_ms},"period_s":30}}"#
        ),
    );
}

async fn send(cabinet: &Cabinet, request: Request<Body>) -> Response {
    router(cabinet.app.clone()).oneshot(request).await.unwrap()
}

async fn text(response: Response) -> String {
    String::from_utf8(
        to_bytes(response.into_body(), usize::MAX)
            .await
            .unwrap()
            .to_vec(),
    )
    .unwrap()
}

async fn get_text(cabinet: &Cabinet, path: &str) -> (StatusCode, String) {
    let response = send(cabinet, Request::get(path).body(Body::empty()).unwrap()).await;
    (response.status(), text(response).await)
}

async fn get(cabinet: &Cabinet, path: &str) -> Json {
    let (status, body) = get_text(cabinet, path).await;
    assert_eq!(status, StatusCode::OK, "{path}: {body}");
    serde_json::from_str(&body).unwrap()
}

fn post(token: Option<&str>, key: Option<&str>, body: &str) -> Request<Body> {
    let mut request =
        Request::post("/api/v1/operations").header(header::CONTENT_TYPE, "application/json");
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    if let Some(key) = key {
        request = request.header("Idempotency-Key", key);
    }
    request.body(Body::from(body.to_owned())).unwrap()
}

/// A problem with that status and code, told in full.
async fn problem(response: Response, status: u16, code: &str) -> Json {
    assert_eq!(response.status(), status, "{code}");
    assert_eq!(
        response.headers()[header::CONTENT_TYPE],
        "application/problem+json"
    );
    let problem: Json = serde_json::from_str(&text(response).await).unwrap();
    assert_eq!(
        (&problem["status"], &problem["code"]),
        (&json!(status), &json!(code))
    );
    assert_eq!(problem["type"], format!("/docs/problems#{code}"));
    for field in ["title", "detail", "instance"] {
        assert!(
            problem[field].as_str().is_some_and(|text| !text.is_empty()),
            "{field}: {problem}"
        );
    }
    problem
}

#[tokio::test]
async fn a_good_day_in_one_sentence() {
    let cabinet = fixture();
    let status = get(&cabinet, "/api/v1/status").await;
    assert_eq!(
        (&status["level"], &status["code"]),
        (&json!("ok"), &json!("status.ok"))
    );
    assert_eq!(
        (&status["sentence"], &status["device"]["site"]),
        (&json!("Everything works."), &json!("KYIV-017"))
    );
    assert_eq!(status["services"].as_array().unwrap().len(), 6);
    assert_eq!(
        get(&cabinet, "/api/v1/status?lang=uk").await["sentence"],
        "Усе працює."
    );
    let russian = Request::get("/api/v1/status").header("Accept-Language", "ru,en;q=0.5");
    let russian = text(send(&cabinet, russian.body(Body::empty()).unwrap()).await).await;
    assert!(russian.contains("Всё работает."), "{russian}");
}

#[tokio::test]
async fn the_sentence_follows_what_happens() {
    let cabinet = fixture();
    let check = async |level: &str, code: &str, part: &str| {
        let status = get(&cabinet, "/api/v1/status").await;
        assert_eq!(
            (&status["level"], &status["code"]),
            (&json!(level), &json!(code)),
            "{status}"
        );
        assert!(
            status["sentence"].as_str().unwrap().contains(part),
            "{}",
            status["sentence"]
        );
    };
    let cause = |code: &str| format!(r#"{{"code":"{code}"}}"#);
    health(&cabinet, "uplink", "up", &cause("uplink.not_configured"));
    health(&cabinet, "agent", "up", &cause("agent.not_on_balena"));
    check("grey", "status.parts_not_configured", "cloud").await;
    health(
        &cabinet,
        "gnss",
        "degraded",
        r#"{"code":"gnss.no_fix","args":{"satellites":"2"}}"#,
    );
    check("amber", "status.degraded", "2 satellites").await;
    health(&cabinet, "sensors", "down", &cause("service.stopped"));
    check("amber", "status.down", "sensors").await;
    health(&cabinet, "modem", "down", &cause("service.connection_lost"));
    check("red", "status.down", "modem, sensors").await;
    say(
        &cabinet,
        "alarm/door",
        r#"{"id":"door","source":"io","code":"modem.absent","severity":"warning","active":true,
        "acked":false,"since":"2026-11-22T09:00:00.000Z","args":{"port":"/dev/x"}}"#,
    );
    check("amber", "status.alarm", "/dev/x").await;
    assert_eq!(
        get(&cabinet, "/api/v1/alarms").await["alarms"][0]["id"],
        "door"
    );
    say(&cabinet, "alarm/door", "");
    check("red", "status.down", "modem").await;
    assert_eq!(get(&cabinet, "/api/v1/alarms").await["alarms"], json!([]));
}

#[tokio::test]
async fn silence_is_first_waited_for_and_then_a_fault() {
    let cabinet = cabinet();
    assert_eq!(
        get(&cabinet, "/api/v1/status").await["code"],
        "status.starting"
    );
    health(&cabinet, "modem", "up", "");
    let before = r#"{"status":"up","version":"0.1.0","boot":"00000001","mono_ms":5,"period_s":30}"#;
    say(&cabinet, "health/gnss", before);
    assert_eq!(
        get(&cabinet, "/api/v1/status").await["code"],
        "status.starting"
    );
    cabinet.clock.advance(Duration::from_secs(91));
    health(&cabinet, "modem", "up", "");
    let status = get(&cabinet, "/api/v1/status").await;
    assert_eq!(
        (&status["level"], &status["code"]),
        (&json!("red"), &json!("status.down"))
    );
    assert_eq!(status["args"]["services"], "gnss");
}

#[tokio::test]
async fn a_state_without_its_service_is_outdated() {
    let cabinet = fixture();
    assert_eq!(get(&cabinet, "/api/v1/gnss/fix").await["stale"], false);
    cabinet.clock.advance(Duration::from_secs(91));
    let fix = get(&cabinet, "/api/v1/gnss/fix").await;
    assert_eq!(
        (&fix["stale"], &fix["age_ms"]),
        (&json!(true), &json!(91_000))
    );
    assert_eq!(
        get(&cabinet, "/api/v1/modems").await["modems"][0]["stale"],
        true
    );
    cabinet.clock.reboot(BootId(9));
    let services = get(&cabinet, "/api/v1/system").await["services"].clone();
    assert!(
        services
            .as_array()
            .unwrap()
            .iter()
            .all(|service| service["status"] == "unknown")
    );
}

#[tokio::test]
async fn absence_is_an_answer() {
    let cabinet = cabinet();
    let fix = get(&cabinet, "/api/v1/gnss/fix").await;
    assert_eq!(
        (&fix["mode"], &fix["latitude_deg"]),
        (&json!("none"), &Json::Null)
    );
    assert_eq!(fix["code"], "service.starting");
    assert_eq!(get(&cabinet, "/api/v1/modems").await["modems"], json!([]));
    for path in [
        "gnss",
        "gnss/satellites",
        "uplink",
        "uplink/queue",
        "sensors",
        "series",
        "series/latest",
        "events",
        "alarms",
        "operations",
        "system",
        "system/time",
    ] {
        get(&cabinet, &format!("/api/v1/{path}")).await;
    }
    let (_, page) = get_text(&cabinet, "/").await;
    assert!(page.contains("Starting up."), "{page}");
}

#[tokio::test]
async fn modems_show_the_end_of_their_numbers_only() {
    let cabinet = fixture();
    let modem = get(&cabinet, "/api/v1/modems/1").await;
    assert_eq!(modem["identity"]["imei"], "***********3809");
    assert_eq!(
        (&modem["sim"]["iccid"], &modem["sim"]["imsi"]),
        (&json!("***************7890"), &json!("***********7891"))
    );
    assert_eq!(
        (&modem["sentence"], &modem["age_ms"]),
        (&json!("The modem is registered with Kyivstar."), &json!(0))
    );
    for (token, shows) in [
        ("secret", true),
        (&*derive_token("seed", "cab-1", Scope::Config), false),
    ] {
        let request =
            Request::get("/api/v1/modems").header(header::AUTHORIZATION, format!("Bearer {token}"));
        let body = text(send(&cabinet, request.body(Body::empty()).unwrap()).await).await;
        assert_eq!(body.contains("356938035643809"), shows);
    }
    for path in ["/", "/live", "/metrics", "/api/v1/series", "/api/v1/status"] {
        let (_, body) = get_text(&cabinet, path).await;
        for identity in ["356938035643809", "8938003991234567890", "255031234567891"] {
            assert!(!body.contains(identity), "{path}");
        }
    }
    let signal = get(&cabinet, "/api/v1/modems/1/signal").await;
    assert_eq!(
        (&signal["rsrp_dbm"], &signal["clock"]),
        (&json!(-97.0), &json!("ntp"))
    );
    assert_eq!(
        get_text(&cabinet, "/api/v1/modems/2").await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        get_text(&cabinet, "/api/v1/modems/2/signal").await.0,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn readings_have_the_fixed_shape() {
    let cabinet = fixture();
    let series = get(&cabinet, "/api/v1/series?source=pump-house").await["series"].clone();
    let level = json!({"series":"pump-house/level","kind":"gauge","unit":"m","value":1.25,"quality":"good",
        "reason":null,"time":"2026-11-22T10:00:00.000Z","clock":"ntp","age_ms":0});
    let valve = json!({"series":"pump-house/valve","kind":"state","unit":"","value":null,"quality":"bad",
        "reason":"timeout","time":"2026-11-22T10:00:00.000Z","clock":"ntp","age_ms":0});
    assert_eq!(series, json!([level, valve]));
    let latest = get(&cabinet, "/api/v1/series/latest").await;
    let reading = json!({"value":59,"quality":"good","reason":null});
    assert_eq!(latest["readings"]["sensors/cpu-temperature"], reading);
    let sensor = get(&cabinet, "/api/v1/sensors/machine").await;
    assert_eq!(
        (&sensor["service"], &sensor["readings"][0]["value"]),
        (&json!("sensors"), &json!(59))
    );
    let readings = get(&cabinet, "/api/v1/sensors/machine/readings").await;
    assert_eq!(readings["series"][0]["age_ms"], 1000);
    assert_eq!(
        get_text(&cabinet, "/api/v1/sensors/none").await.0,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn position_queue_and_time() {
    let cabinet = fixture();
    let gnss = get(&cabinet, "/api/v1/gnss").await;
    assert_eq!(
        (&gnss["presence"], &gnss["fix"]["latitude_deg"]),
        (&json!("present"), &json!(50.45))
    );
    let sky = get(&cabinet, "/api/v1/gnss/satellites").await;
    assert_eq!(
        (&sky["n_used"], sky["satellites"].as_array().unwrap().len()),
        (&json!(1), 2)
    );
    let queue = get(&cabinet, "/api/v1/uplink/queue").await;
    assert_eq!(
        (&queue["oldest_age_ms"], &queue["used_percent"]),
        (&json!(60_000), &json!(25.0))
    );
    assert_eq!(get(&cabinet, "/api/v1/uplink").await["link"], "connected");
    let time = get(&cabinet, "/api/v1/system/time").await;
    assert_eq!(
        (&time["is_trusted"], &time["anchors"][0]["offset_ms"]),
        (&json!(true), &json!(500))
    );
}

#[tokio::test]
async fn history_in_columns_lines_and_csv() {
    let cabinet = fixture();
    let minute = "series=sensors/cpu-temperature&from=2026-11-22T09:59:00Z&to=2026-11-22T10:00:00Z";
    let answer = get(&cabinet, &format!("/api/v1/history?{minute}&step=30s")).await;
    assert_eq!(
        (&answer["kind"], &answer["unit"], &answer["points"]),
        (&json!("gauge"), &json!("Cel"), &json!(60))
    );
    assert_eq!(
        answer["columns"],
        json!({"t":["2026-11-22T09:59:00.000Z","2026-11-22T09:59:30.000Z"],
        "min":[0.0,30.0],"mean":[14.5,44.5],"max":[29.0,59.0],"count":[30,30],"bad":[0,0]})
    );
    let energy = get(
        &cabinet,
        "/api/v1/history?series=sensors/energy&from=-1m&step=1m&agg=delta",
    )
    .await;
    assert_eq!(
        energy["columns"],
        json!({"t":["2026-11-22T09:59:00.000Z"],"delta":[59.0]})
    );
    let csv = Request::get(format!("/api/v1/history?{minute}&step=30&agg=mean"))
        .header(header::ACCEPT, "text/csv");
    let csv = send(&cabinet, csv.body(Body::empty()).unwrap()).await;
    assert_eq!(
        csv.headers()[header::CONTENT_TYPE],
        "text/csv; charset=utf-8"
    );
    assert_eq!(
        text(csv).await,
        "t,mean\r\n2026-11-22T09:59:00.000Z,14.5\r\n2026-11-22T09:59:30.000Z,44.5\r\n"
    );
    let lines = Request::get(format!("/api/v1/history?{minute}&step=raw"))
        .header(header::ACCEPT, "application/x-ndjson");
    let lines = text(send(&cabinet, lines.body(Body::empty()).unwrap()).await).await;
    let first = r#"{"clock":"ntp","quality":"good","t":"2026-11-22T09:59:00.000Z","value":0}"#;
    assert_eq!(
        (lines.lines().count(), lines.lines().next()),
        (60, Some(first))
    );
}

#[tokio::test]
async fn history_refuses_with_a_reason() {
    let cabinet = fixture();
    let ask = async |query: &str, status: u16, code: &str| {
        let request = Request::get(format!("/api/v1/history?{query}"))
            .body(Body::empty())
            .unwrap();
        problem(send(&cabinet, request).await, status, code).await
    };
    let known = "series=sensors/cpu-temperature";
    let many = ask(
        &format!("{known}&from=-7d&step=1s"),
        400,
        "history.too_many_points",
    )
    .await;
    assert!(
        many["detail"].as_str().unwrap().contains("at least 121 s"),
        "{many}"
    );
    assert_eq!(
        get_text(
            &cabinet,
            &format!("/api/v1/history?{known}&from=-7d&step=121s")
        )
        .await
        .0,
        StatusCode::OK
    );
    ask("series=sensors/none", 404, "history.unknown_series").await;
    for (query, pointer) in [
        ("", "series"),
        ("series=Nonsense", "series"),
        (&*format!("{known}&step=fast"), "step"),
        (&*format!("{known}&step=0"), "step"),
        (&*format!("{known}&from=yesterday"), "from"),
        (&*format!("{known}&agg=median"), "agg"),
        (&*format!("{known}&stp=1"), "stp"),
    ] {
        let problem = ask(query, 400, "api.bad_request").await;
        assert_eq!(
            problem["errors"][0]["pointer"], pointer,
            "{query}: {problem}"
        );
    }
}

#[tokio::test]
async fn events_go_by_cursor() {
    let cabinet = fixture();
    let page = get(&cabinet, "/api/v1/events?limit=2").await;
    assert_eq!(
        page["events"][0]["sentence"],
        "The modem on /dev/x2 does not answer."
    );
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = get(&cabinet, &format!("/api/v1/events?cursor={cursor}")).await;
    assert_eq!(
        (
            rest["events"].as_array().unwrap().len(),
            &rest["next_cursor"]
        ),
        (1, &Json::Null)
    );
    for limit in ["0", "501", "-1", "many", "1.5"] {
        let request = Request::get(format!("/api/v1/events?limit={limit}"))
            .body(Body::empty())
            .unwrap();
        let problem = problem(send(&cabinet, request).await, 400, "api.bad_request").await;
        assert_eq!(problem["errors"][0]["pointer"], "limit", "{limit}");
    }
}

#[tokio::test]
async fn problems_everywhere() {
    let cabinet = fixture();
    let request = |method: &str, path: &str| {
        Request::builder()
            .method(method)
            .uri(path)
            .header("Accept-Language", "uk")
            .body(Body::empty())
            .unwrap()
    };
    let lost = problem(
        send(&cabinet, request("GET", "/api/v1/nothing")).await,
        404,
        "api.not_found",
    )
    .await;
    assert_eq!(
        (&lost["detail"], &lost["instance"]),
        (&json!("Тут нічого немає."), &json!("/api/v1/nothing"))
    );
    let response = send(&cabinet, request("DELETE", "/api/v1/status")).await;
    assert_eq!(response.headers()[header::ALLOW], "GET,HEAD");
    problem(response, 405, "api.method_not_allowed").await;
    problem(
        send(&cabinet, request("GET", "/api/v1/operations/none")).await,
        404,
        "api.not_found",
    )
    .await;
    problem(
        send(&cabinet, request("GET", "/api/v1/operations/%FF")).await,
        404,
        "api.not_found",
    )
    .await;
    problem(
        send(&cabinet, request("GET", "/api/v1/stream?kinds=all")).await,
        400,
        "api.bad_request",
    )
    .await;
}

#[tokio::test]
async fn writes_need_a_token_with_the_scope() {
    let body = r#"{"service":"modem","op":"reset"}"#;
    let without = cabinet_with(Tokens::default(), false);
    problem(
        send(&without, post(Some("x"), None, body)).await,
        403,
        "api.no_token_configured",
    )
    .await;
    let cabinet = fixture();
    let response = send(&cabinet, post(None, None, body)).await;
    assert!(
        response.headers()[header::WWW_AUTHENTICATE]
            .to_str()
            .unwrap()
            .starts_with("Bearer")
    );
    problem(response, 401, "api.unauthorized").await;
    problem(
        send(&cabinet, post(Some("wrong"), None, body)).await,
        401,
        "api.unauthorized",
    )
    .await;
    let reader = derive_token("seed", "cab-1", Scope::Read);
    problem(
        send(&cabinet, post(Some(&reader), None, body)).await,
        403,
        "api.forbidden",
    )
    .await;
    // Who may not write does not learn what is wrong with the body either.
    problem(
        send(&cabinet, post(None, None, "{")).await,
        401,
        "api.unauthorized",
    )
    .await;
    assert!(cabinet.asked.try_recv().is_err(), "nothing was asked for");
    // A wrong token is told where none is needed, a malformed header too.
    for value in ["Bearer wrong", "Basic c2VjcmV0", "Bearer", "secret"] {
        let request = Request::get("/api/v1/status").header(header::AUTHORIZATION, value);
        problem(
            send(&cabinet, request.body(Body::empty()).unwrap()).await,
            401,
            "api.unauthorized",
        )
        .await;
    }
}

#[tokio::test]
async fn guessing_is_slow() {
    let cabinet = fixture();
    let attempt = |token: &str| {
        let mut request = post(Some(token), None, "{}");
        request
            .extensions_mut()
            .insert(Peer("10.0.0.7".parse().unwrap()));
        request
    };
    for n in 0..10 {
        problem(
            send(&cabinet, attempt(&format!("guess {n}"))).await,
            401,
            "api.unauthorized",
        )
        .await;
    }
    let response = send(&cabinet, attempt("secret")).await;
    assert_eq!(response.headers()[header::RETRY_AFTER], "60");
    problem(response, 429, "api.too_many_attempts").await;
    cabinet.clock.advance(Duration::from_secs(60));
    problem(
        send(&cabinet, attempt("secret")).await,
        400,
        "api.bad_request",
    )
    .await;
}

#[tokio::test]
async fn reads_can_be_closed() {
    let cabinet = cabinet_with(Tokens::new(Some("secret"), None, "cab-1"), true);
    let get = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    for path in ["/", "/live", "/metrics", "/api/v1/status", "/api/v1/stream"] {
        problem(send(&cabinet, get(path)).await, 401, "api.unauthorized").await;
    }
    for path in ["/healthz", "/openapi.json", "/docs/", "/docs/problems"] {
        assert_eq!(
            send(&cabinet, get(path)).await.status(),
            StatusCode::OK,
            "{path}"
        );
    }
    let request = Request::get("/api/v1/status").header(header::AUTHORIZATION, "bearer secret");
    assert_eq!(
        send(&cabinet, request.body(Body::empty()).unwrap())
            .await
            .status(),
        StatusCode::OK
    );
    let locked = cabinet_with(Tokens::default(), true);
    problem(
        send(&locked, get("/api/v1/status")).await,
        403,
        "api.no_token_configured",
    )
    .await;
}

#[tokio::test]
async fn bad_bodies_name_the_field() {
    let cabinet = fixture();
    for (body, pointer) in [
        ("{}", "/service"),
        (r#"{"service":"modem"}"#, "/op"),
        (r#"{"service":"Modem","op":"reset"}"#, "/service"),
        (r#"{"service":"modem","op":7}"#, "/op"),
        (r#"{"service":"modem","op":"re set"}"#, "/op"),
        (r#"{"service":"modem","op":""}"#, "/op"),
        (
            r#"{"service":"modem","op":"reset","ttl_ms":"soon"}"#,
            "/ttl_ms",
        ),
        (r#"{"service":"modem","op":"reset","ttl_ms":0}"#, "/ttl_ms"),
        (r#"{"service":"modem","op":"reset","args":[1]}"#, "/args"),
        (r#"{"service":"modem","op":"reset","when":"now"}"#, "/when"),
    ] {
        let problem = problem(
            send(&cabinet, post(Some("secret"), None, body)).await,
            400,
            "api.bad_request",
        )
        .await;
        assert_eq!(
            problem["errors"][0]["pointer"], pointer,
            "{body}: {problem}"
        );
    }
    for body in ["", "{", "[]", "null", "\u{fffd}"] {
        problem(
            send(&cabinet, post(Some("secret"), None, body)).await,
            400,
            "api.bad_request",
        )
        .await;
    }
    let huge = format!(
        r#"{{"service":"modem","op":"reset","args":{{"x":"{}"}}}}"#,
        "x".repeat(70_000)
    );
    problem(
        send(&cabinet, post(Some("secret"), None, &huge)).await,
        413,
        "api.body_too_large",
    )
    .await;
    let mut form = post(Some("secret"), None, "service=modem");
    form.headers_mut().insert(
        header::CONTENT_TYPE,
        "application/x-www-form-urlencoded".parse().unwrap(),
    );
    problem(send(&cabinet, form).await, 415, "api.bad_request").await;
    assert!(cabinet.asked.try_recv().is_err(), "nothing was asked for");
}

fn standing(id: &OperationId, status: &str, problem: Option<&str>) -> Operation {
    let mut operation = json!({"id": id, "service": "modem", "op": "reset", "status": status,
        "progress_percent": null, "result": null, "problem": null, "updated_at": "2026-11-22T10:00:00.000Z"});
    if let Some(code) = problem {
        operation["problem"] =
            json!({"type": "x", "title": "x", "status": 503, "detail": "x", "code": code});
    }
    serde_json::from_value(operation).unwrap()
}

/// Answers the next request of the API as a service would.
fn answer(
    cabinet: &Cabinet,
    status: &'static str,
    problem: Option<&'static str>,
) -> impl Future<Output = ()> {
    let app = cabinet.app.clone();
    let asked = cabinet.asked.recv_timeout(Duration::ZERO).ok();
    async move {
        let (id, what) = asked.expect("the service was asked");
        assert_eq!(what, "modem/reset");
        app.write(|world| world.on_operation(standing(&id, status, problem)));
    }
}

#[tokio::test(start_paused = true)]
async fn an_operation_is_accepted_and_looked_at() {
    let cabinet = fixture();
    let body = r#"{"service":"modem","op":"reset"}"#;
    let (response, ()) = tokio::join!(
        send(&cabinet, post(Some("secret"), Some("key 1"), body)),
        async {
            tokio::task::yield_now().await;
            answer(&cabinet, "accepted", None).await;
        }
    );
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    let location = response.headers()[header::LOCATION]
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(get(&cabinet, &location).await["status"], "accepted");
    // The same key is the same operation: nobody is asked again.
    let again = send(&cabinet, post(Some("secret"), Some("key 1"), body)).await;
    assert_eq!(
        again.headers()[header::LOCATION].to_str().unwrap(),
        location
    );
    assert!(cabinet.asked.try_recv().is_err());
    // For something else it is refused.
    let other = r#"{"service":"modem","op":"restart"}"#;
    problem(
        send(&cabinet, post(Some("secret"), Some("key 1"), other)).await,
        409,
        "api.idempotency_key_reused",
    )
    .await;
    problem(
        send(&cabinet, post(Some("secret"), Some(""), body)).await,
        400,
        "api.bad_request",
    )
    .await;
    assert_eq!(
        get(&cabinet, "/api/v1/operations").await["operations"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_away_is_a_problem_and_can_be_asked_again() {
    let cabinet = fixture();
    let body = r#"{"service":"modem","op":"reset"}"#;
    // Nobody at all answers, not even the bus.
    problem(
        send(&cabinet, post(Some("secret"), Some("k"), body)).await,
        503,
        "service.unavailable",
    )
    .await;
    cabinet.asked.try_recv().unwrap();
    // The bus says that nobody answers.
    let (response, ()) = tokio::join!(
        send(&cabinet, post(Some("secret"), Some("k"), body)),
        async {
            tokio::task::yield_now().await;
            answer(&cabinet, "failed", Some("service.unavailable")).await;
        }
    );
    let away = problem(response, 503, "service.unavailable").await;
    assert!(
        away["instance"]
            .as_str()
            .unwrap()
            .starts_with("/api/v1/operations/key-")
    );
    let (response, ()) = tokio::join!(
        send(&cabinet, post(Some("secret"), Some("k"), body)),
        async {
            tokio::task::yield_now().await;
            answer(&cabinet, "succeeded", None).await;
        }
    );
    assert_eq!(response.status(), StatusCode::ACCEPTED);
}

async fn stream(
    cabinet: &Cabinet,
    last: Option<&str>,
    kinds: &str,
) -> impl futures_util::Stream<Item = String> {
    let mut request = Request::get(format!("/api/v1/stream{kinds}"));
    if let Some(last) = last {
        request = request.header("Last-Event-ID", last);
    }
    let response = send(cabinet, request.body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(
        response.headers()[header::CONTENT_TYPE],
        "text/event-stream"
    );
    Box::pin(
        response
            .into_body()
            .into_data_stream()
            .map(|part| String::from_utf8(part.unwrap().to_vec()).unwrap()),
    )
}

fn id(event: &str) -> &str {
    event
        .lines()
        .find_map(|line| line.strip_prefix("id: "))
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_stream_goes_on_where_it_broke() {
    let cabinet = fixture();
    let mut events = stream(&cabinet, None, "").await;
    let hello = events.next().await.unwrap();
    assert!(hello.contains("retry: 3000"), "{hello}");
    let level =
        |value: i32| format!(r#"{{"points":[{{"name":"level","unit":"m","value":{value}}}]}}"#);
    say(&cabinet, "data/pump-house", &level(1));
    let first = events.next().await.unwrap();
    assert!(
        first.contains("event: points\n") && first.contains(r#""source":"pump-house""#),
        "{first}"
    );
    drop(events);
    say(&cabinet, "data/pump-house", &level(2));
    health(&cabinet, "modem", "up", "");
    let mut events = stream(&cabinet, Some(id(&first)), "?kinds=points").await;
    events.next().await.unwrap();
    let second = events.next().await.unwrap();
    assert!(second.contains(r#""value":2"#), "{second}");
    // A comment shows that it lives.
    let beat = events.next().await.unwrap();
    assert!(beat.starts_with(':'), "{beat}");
    drop(events);
    for gone in ["1-1", "nonsense"] {
        let mut events = stream(&cabinet, Some(gone), "").await;
        events.next().await.unwrap();
        let lagged = events.next().await.unwrap();
        assert!(
            lagged.contains("event: lagged\n") && lagged.contains(r#"{"missed":null}"#),
            "{lagged}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_of_the_stream_is_told_what_it_missed() {
    let cabinet = fixture();
    let mut events = stream(&cabinet, None, "").await;
    events.next().await.unwrap();
    for n in 0..600 {
        say(
            &cabinet,
            "data/pump-house",
            &format!(r#"{{"points":[{{"name":"level","value":{n}}}]}}"#),
        );
    }
    let lagged = events.next().await.unwrap();
    assert!(
        lagged.contains("event: lagged\n") && lagged.contains(r#"{"missed":88}"#),
        "{lagged}"
    );
    let next = events.next().await.unwrap();
    assert!(next.contains(r#""value":88"#), "{next}");
    // State on the stream is masked for everybody.
    say(
        &cabinet,
        "state/modem",
        r#"{"modems":[{"id":"1","presence":"present","cause":{"code":"modem.searching"},
        "identity":{"imei":"356938035643809"},"sim":{"status":"ready","iccid":"8938003991234567890","imsi":null},
        "registration":{"status":"searching"},"signal":{}}]}"#,
    );
    let mut seen = String::new();
    while !seen.contains("event: state\n") {
        seen = events.next().await.unwrap();
    }
    assert!(
        seen.contains("***********3809") && !seen.contains("35693803"),
        "{seen}"
    );
}

#[tokio::test]
async fn streams_are_counted() {
    let cabinet = fixture();
    let mut open = Vec::new();
    for _ in 0..16 {
        open.push(stream(&cabinet, None, "").await);
    }
    let request = || Request::get("/api/v1/stream").body(Body::empty()).unwrap();
    problem(send(&cabinet, request()).await, 503, "api.busy").await;
    open.pop();
    assert_eq!(send(&cabinet, request()).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn repeats_gaps_and_garbage_are_counted() {
    let cabinet = fixture();
    let poll = |n: u32| {
        format!(
            r#"{{"run":"5f1c20aa","n":{n},"points":[{{"name":"cpu-temperature","value":99}}]}}"#
        )
    };
    say(&cabinet, "data/sensors", &poll(59));
    assert_eq!(
        get(&cabinet, "/api/v1/series/latest").await["readings"]["sensors/cpu-temperature"]["value"],
        59
    );
    say(&cabinet, "data/sensors", &poll(63));
    let now = cabinet.app.now();
    for (topic, payload) in [
        ("tm/v1/data/sensors", "{"),
        ("tm/v1/data/SENSORS", "{}"),
        ("tm/v1/state/modem", r#"{"modems":7}"#),
        ("tm/v1/health/modem", "up"),
        ("tm/v1/event/modem", "[]"),
        ("tm/v1/alarm/x", "1"),
        ("tm/v1/clock/gnss", "{}"),
        ("tm/v1/data/sensors", "\u{0}"),
    ] {
        let taken = cabinet
            .app
            .write(|world| world.on_message(topic, payload.as_bytes(), false, &now));
        assert!(taken.is_err(), "{topic} {payload}");
    }
    // A retained measurement is an old one.
    let retained = r#"{"points":[{"name":"cpu-temperature","value":-1}]}"#;
    cabinet
        .app
        .write(|world| world.on_message("tm/v1/data/sensors", retained.as_bytes(), true, &now))
        .unwrap();
    let (_, metrics) = get_text(&cabinet, "/metrics").await;
    for line in [
        "tm_api_messages_unreadable 8.0",
        "tm_api_messages_repeated 1.0",
        "tm_api_messages_lost 3.0",
        r#"tm_point{source="sensors",name="cpu-temperature",unit=""} 99.0"#,
        r#"tm_point{source="pump-house",name="level",unit="m"} 1.25"#,
        r#"tm_service_up{service="modem"} 1.0"#,
        "tm_queue_points 30.0",
        "# EOF",
    ] {
        assert!(
            metrics.lines().any(|have| have == line),
            "{line} in {metrics}"
        );
    }
    // A value that is not there is left out.
    assert!(
        !metrics.contains(r#"tm_point{source="pump-house",name="valve""#),
        "{metrics}"
    );
}

#[tokio::test]
async fn readiness_follows_the_bus() {
    let cabinet = cabinet();
    assert_eq!(
        get_text(&cabinet, "/healthz").await,
        (StatusCode::OK, "ok\n".to_owned())
    );
    assert_eq!(
        get_text(&cabinet, "/readyz").await.0,
        StatusCode::SERVICE_UNAVAILABLE
    );
    health(&cabinet, "modem", "up", "");
    assert_eq!(get_text(&cabinet, "/readyz").await.0, StatusCode::OK);
    cabinet.app.write(|world| world.is_connected = false);
    assert_eq!(
        get_text(&cabinet, "/readyz").await.0,
        StatusCode::SERVICE_UNAVAILABLE
    );
}

#[tokio::test]
async fn the_page_is_whole_small_and_safe() {
    let cabinet = fixture();
    say(
        &cabinet,
        "data/pump-house",
        r#"{"points":[{"name":"word","kind":"state","value":"<script>x</script>"}]}"#,
    );
    let response = send(&cabinet, Request::get("/").body(Body::empty()).unwrap()).await;
    let policy = response.headers()[header::CONTENT_SECURITY_POLICY]
        .to_str()
        .unwrap();
    assert!(
        policy.starts_with("default-src 'self';") && !policy.contains("unsafe"),
        "{policy}"
    );
    let page = text(response).await;
    assert!(
        page.contains("Everything works.")
            && page.contains("Kyivstar")
            && page.contains("50.45000°")
    );
    assert!(
        page.contains("&lt;script&gt;x") && !page.contains("<script>x"),
        "{page}"
    );
    assert!(
        !page.contains("style=") && !page.contains("://"),
        "no inline style, nothing from elsewhere"
    );
    let mut size = page.len();
    for asset in ["/page.css", "/page.js", "/icon.svg"] {
        let (status, body) = get_text(&cabinet, asset).await;
        assert_eq!(status, StatusCode::OK);
        size += body.len();
    }
    assert!(size < 40_000, "{size} bytes");
    for (lang, word) in [("uk", "Останні значення"), ("ru", "Последние значения")]
    {
        let (_, page) = get_text(&cabinet, &format!("/?lang={lang}")).await;
        assert!(page.contains(word) && page.contains(&format!("<html lang=\"{lang}\">")));
    }
}

#[tokio::test]
async fn the_documentation_is_on_the_device() {
    let cabinet = fixture();
    let docs = send(&cabinet, Request::get("/docs").body(Body::empty()).unwrap()).await;
    assert!(docs.status().is_redirection());
    for path in [
        "/docs/",
        "/docs/swagger-ui-bundle.js",
        "/docs/swagger-ui.css",
    ] {
        let response = send(&cabinet, Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!(
            (
                response.status(),
                &response.headers()[header::CONTENT_ENCODING]
            ),
            (StatusCode::OK, &"gzip".parse().unwrap()),
            "{path}"
        );
    }
    let (_, start) = get_text(&cabinet, "/docs/swagger-initializer.js").await;
    assert!(
        start.contains("\"validatorUrl\": \"none\"") && !start.contains("://"),
        "{start}"
    );
    let (_, problems) = get_text(&cabinet, "/docs/problems?lang=uk").await;
    for code in tm_types::code::ALL {
        assert!(problems.contains(&format!("id=\"{code}\"")), "{code}");
    }
    assert_eq!(
        get_text(&cabinet, "/openapi.json").await.1,
        crate::document()
    );
}

#[tokio::test]
async fn answers_are_compressed_but_not_the_stream() {
    let cabinet = fixture();
    for (path, encoding) in [("/api/v1/series", Some("gzip")), ("/api/v1/stream", None)] {
        let request = Request::get(path).header(header::ACCEPT_ENCODING, "gzip");
        let response = send(&cabinet, request.body(Body::empty()).unwrap()).await;
        let found = response
            .headers()
            .get(header::CONTENT_ENCODING)
            .map(|value| value.to_str().unwrap());
        assert_eq!(found, encoding, "{path}");
    }
}

#[test]
fn every_written_route_is_registered() {
    let document: Json = serde_json::from_str(&crate::document()).unwrap();
    let sources = [
        include_str!("state.rs"),
        include_str!("history.rs"),
        include_str!("live.rs"),
        include_str!("operations.rs"),
        include_str!("stream.rs"),
    ];
    let mut written = 0;
    for source in sources {
        for part in source.split(", path = \"").skip(1) {
            let path = part.split('"').next().unwrap();
            assert!(
                document["paths"].get(path).is_some(),
                "{path} is written but not registered"
            );
            written += 1;
        }
    }
    let documented: usize = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .map(|path| path.as_object().unwrap().len())
        .sum();
    assert_eq!(written, documented);
}
