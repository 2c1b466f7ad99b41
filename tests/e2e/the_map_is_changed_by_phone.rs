use serde_json::json;

use crate::cabinet::{Answer, Cabinet};

const PATH: &str = "/api/v1/config/sensors";

#[tokio::test]
async fn a_meter_is_looked_at_tried_activated_and_rolled_back() {
    let cabinet = Cabinet::start(&["TM_API_TOKEN_SEED=fleet-secret-of-this-test"]).await;
    let token = tm_api::derive_token(
        "fleet-secret-of-this-test",
        "demo-cabinet",
        tm_api::Scope::Config,
    );
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let config = cabinet
        .until(PATH, |config| config["document"].is_string())
        .await;
    assert_eq!(config["source"], "variable");
    let document = config["document"].as_str().unwrap();
    let port = document
        .lines()
        .find_map(|line| line.trim().strip_prefix("port = \"")?.strip_suffix('"'))
        .unwrap_or_else(|| panic!("a map with a port: {document}"));

    // What does the device at that port say?
    let probe = json!({"service": "sensors", "op": "probe",
        "args": {"port": port, "function": "input", "address": 8, "count": 2}});
    let asked = cabinet
        .request(
            "POST",
            "/api/v1/operations",
            &format!("{bearer}Content-Type: application/json\r\n"),
            &probe.to_string(),
        )
        .await;
    assert_eq!(asked.status, 202, "{asked:?}");
    let location = format!(
        "/api/v1/operations/{}",
        asked.json()["id"].as_str().unwrap()
    );
    let seen = cabinet
        .until(&location, |operation| operation["status"] == "succeeded")
        .await;
    let volts = &seen["result"]["registers"][0]["f32"]["big"];
    assert!(volts.as_f64().is_some_and(|volts| volts > 100.0), "{seen}");

    let map = format!(
        "[[device]]\nname = \"supply\"\nport = \"{port}\"\nperiod_s = 1\n\
         [[device.register]]\nname = \"potential\"\nfunction = \"input\"\naddress = 8\ntype = \"f32\"\n"
    );
    let put = async |query: &str, headers: &str, body: &str| -> Answer {
        let headers = format!("{bearer}Content-Type: application/toml\r\n{headers}");
        let path = format!("{PATH}{query}");
        cabinet.request("PUT", &path, &headers, body).await
    };
    let bad = map.clone() + "unit = \"Volt\"\n";
    let refused = put("", "", &bad).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    assert_eq!(refused.json()["errors"][0]["line"], 10, "{refused:?}");
    let tried = put("?dry_run=true", "", &map).await;
    assert_eq!(
        (tried.status, &tried.json()["added"]),
        (200, &json!(["supply"])),
        "{tried:?}"
    );
    let present = cabinet.get(PATH).await.json();
    assert_eq!(
        present["revision"], config["revision"],
        "nothing has changed"
    );

    let of_another = put("", "If-Match: \"0000\"\r\n", &map).await;
    assert_eq!(of_another.status, 412, "{of_another:?}");
    let revision = config["revision"].as_str().unwrap();
    let given = put("", &format!("If-Match: \"{revision}\"\r\n"), &map).await;
    assert_eq!(given.status, 200, "{given:?}");
    cabinet
        .until("/api/v1/series/latest?source=sensors", |latest| {
            latest.to_string().contains("sensors/supply/potential")
        })
        .await;
    let active = cabinet
        .until(PATH, |config| config["source"] == "revision")
        .await;
    assert_eq!(active["document"], map);

    let rollback = format!("{PATH}/rollback");
    let back = cabinet.request("POST", &rollback, &bearer, "").await;
    assert_eq!(back.status, 200, "{back:?}");
    cabinet
        .until(PATH, |present| present["revision"] == config["revision"])
        .await;
    cabinet
        .until("/api/v1/sensors", |sensors| {
            let sensors = sensors.to_string();
            sensors.contains("\"meter\"") && !sensors.contains("\"supply\"")
        })
        .await;
}
