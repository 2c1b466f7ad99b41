//! Every address, asked of a world filled by the literal messages of `fixture`.

mod cabinets;
mod chart;
mod config;
mod history;
mod looks;
mod operations;
mod page;
mod state;
mod status;
mod stream;
mod tokens;

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
use crate::world::World;

const BOOT: &str = "00c0ffee";

const STAMP: &str = r#""time":"2026-11-22T10:00:00.000Z","mono_ms":1000000,"boot":"00c0ffee","clock":"ntp","err_ms":12"#;

struct Cabinet {
    app: Shared,
    clock: ManualClock,
    asked: mpsc::Receiver<(OperationId, String, Json)>,
}

fn cabinet_with(tokens: Tokens, reads_need_token: bool) -> Cabinet {
    let device = Device {
        id: "cab-1".into(),
        site: Some("KYIV-017".into()),
        name: None,
        timezone: "Europe/Kyiv".into(),
    };
    cabinet_of(device, 1_000_000, tokens, reads_need_token)
}

fn cabinet_of(device: Device, mono_ms: u64, tokens: Tokens, reads_need_token: bool) -> Cabinet {
    let stamp = Stamp {
        time: "2026-11-22T10:00:00Z".parse().unwrap(),
        mono_ms,
        boot: BOOT.parse().unwrap(),
        clock: tm_types::Clock::Ntp,
        err_ms: Some(12),
    };
    let (clock, hands) = Clock::manual(stamp);
    let (sender, asked) = mpsc::channel();
    let sender = std::sync::Mutex::new(sender);
    let ask: crate::app::Ask = Box::new(move |id, service, op, args, _| {
        let id = id.unwrap_or_else(|| OperationId::new("drawn").unwrap());
        sender
            .lock()
            .unwrap()
            .send((id.clone(), format!("{service}/{op}"), args))
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
    cabinet.app.write(World::on_up);
    cabinet
}

/// The cabinet on a good day.
fn fixture() -> Cabinet {
    let cabinet = cabinet();
    states(&cabinet);
    measurements(&cabinet);
    cabinet
}

/// Every service is up and tells its state.
fn states(cabinet: &Cabinet) {
    let stamp = serde_json::to_string(&cabinet.app.now()).unwrap();
    for service in ["modem", "gnss", "sensors", "uplink", "agent", "api"] {
        health(cabinet, service, "up", "");
    }
    say(
        cabinet,
        "state/modem",
        &format!(
            r#"{{"modems":[{{"id":"1","presence":"present",
        "cause":{{"code":"modem.registered","args":{{"operator":"Kyivstar"}}}},"port":"/dev/ttyUSB2",
        "stamp":{stamp},"identity":{{"manufacturer":"SIMCOM","model":"SIM7600G-H","revision":"LE20","imei":"356938035643809"}},
        "sim":{{"status":"ready","iccid":"8938003991234567890","imsi":"255031234567891"}},
        "registration":{{"status":"home","operator":"Kyivstar","plmn":"255-03","technology":"lte"}},
        "signal":{{"rssi_dbm":-69.0,"rsrp_dbm":-97.0,"rsrq_db":-11.0,"sinr_db":12.0}},
        "cell":{{"id":4711681,"enb":18405,"area_code":12345,"pci":211,"band":"EUTRAN-BAND3","channel":1650,"bandwidth_mhz":20.0}},
        "temperature_cel":41,"supply_v":3.98}}]}}"#
        ),
    );
    say(
        cabinet,
        "state/gnss",
        &format!(
            r#"{{"presence":"present","cause":{{"code":"gnss.fix","args":{{"satellites":"9"}}}},
        "source":"bus","fix":{{"stamp":{stamp},"gnss_time":"2026-11-22T10:00:00.000Z","mode":"3d","latitude_deg":50.45,
        "longitude_deg":30.52,"altitude_m":179.4,"speed_mps":0.0,"course_deg":null,"hdop":0.9,"satellites_used":1}},
        "satellites":[{{"system":"gps","id":5,"elevation_deg":40,"azimuth_deg":120,"cn0_dbhz":38,"used":true}},
        {{"system":"glonass","id":70,"elevation_deg":10,"azimuth_deg":300,"cn0_dbhz":null,"used":false}}],"sentences_skipped":2}}"#
        ),
    );
    say(
        cabinet,
        "state/sensors",
        &format!(
            r#"{{"devices":[{{"id":"machine","driver":"machine","presence":"present",
        "cause":null,"last_seen":{stamp},"points":["cpu-temperature"],"period_s":10}}]}}"#
        ),
    );
    say(
        cabinet,
        "state/uplink",
        r#"{"link":"connected","cause":{"code":"uplink.connected","args":{"broker":"cloud:8883"}},
        "broker":"cloud:8883","since":"2026-11-22T09:00:00.000Z","ack_age_ms":1200,
        "journal":{"records_pending":3,"points_pending":30,"bytes_on_disk":1000,"quota_bytes":4000,
        "oldest":"2026-11-22T09:59:00.000Z","records_dropped":0,"records_damaged":0},"messages_received":10,
        "duplicates_dropped":0,"lost_on_bus":0,"messages_unreadable":0,"batches_acked":1,"bytes_acked":100}"#,
    );
    say(
        cabinet,
        "clock/gnss",
        r#"{"boot":"00c0ffee","mono_ms":999000,"utc":"2026-11-22T09:59:58.500Z","source":"gnss","err_ms":200}"#,
    );
}

/// A minute of measurements, a source of somebody else, events.
fn measurements(cabinet: &Cabinet) {
    for n in 0..60u32 {
        let (mono_ms, s) = (940_000 + n * 1000, n);
        say(
            cabinet,
            "data/sensors",
            &format!(
                r#"{{"run":"5f1c20aa","n":{n},"time":"2026-11-22T09:59:{s:02}.000Z","mono_ms":{mono_ms},
            "boot":"00c0ffee","clock":"ntp","err_ms":12,"points":[{{"name":"cpu-temperature","unit":"Cel","value":{n}}},
            {{"name":"energy","kind":"counter","unit":"kWh","value":{n}}}]}}"#
            ),
        );
    }
    say(
        cabinet,
        "data/pump-house",
        r#"{"points":[{"name":"level","unit":"m","value":1.25},
        {"name":"valve","kind":"state","value":null,"quality":"bad","reason":"timeout"}]}"#,
    );
    for n in 0..3 {
        say(
            cabinet,
            "event/modem",
            &format!(
                r#"{{"stamp":{{{STAMP}}},"severity":"warning","cause":{{"code":"modem.mute","args":{{"port":"/dev/x{n}"}}}}}}"#
            ),
        );
    }
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
