use crate::cabinet::Cabinet;

const REBOOT: &str = r#"{"service":"agent","op":"reboot","args":{},"ttl_ms":2000}"#;
const JSON: &str = "Content-Type: application/json\r\n";

#[tokio::test]
async fn without_one_configured_nothing_can_be_written() {
    let cabinet = Cabinet::start(&[]).await;
    let answer = cabinet
        .request("POST", "/api/v1/operations", JSON, REBOOT)
        .await;
    assert_eq!(
        (answer.status, &answer.json()["code"]),
        (403, &"api.no_token_configured".into()),
        "{answer:?}"
    );
}

#[tokio::test]
async fn the_right_scope_is_asked_for_and_the_operation_followed() {
    let cabinet = Cabinet::start(&["TM_API_TOKEN_SEED=fleet-secret-of-this-test"]).await;
    cabinet
        .until("/api/v1/status", |status| {
            // Before the agent has subscribed, the right answer is 503.
            let mut services = status["services"].as_array().into_iter().flatten();
            services.any(|service| service["service"] == "agent" && service["status"] == "up")
        })
        .await;
    let none = cabinet
        .request("POST", "/api/v1/operations", JSON, REBOOT)
        .await;
    assert_eq!(none.status, 401, "{none:?}");
    let token = |scope| tm_api::derive_token("fleet-secret-of-this-test", "demo-cabinet", scope);
    let with = |scope| format!("{JSON}Authorization: Bearer {}\r\n", token(scope));
    let low = cabinet
        .request(
            "POST",
            "/api/v1/operations",
            &with(tm_api::Scope::Read),
            REBOOT,
        )
        .await;
    assert_eq!(
        (low.status, &low.json()["code"]),
        (403, &"api.forbidden".into()),
        "{low:?}"
    );

    let answer = cabinet
        .request(
            "POST",
            "/api/v1/operations",
            &with(tm_api::Scope::Operate),
            REBOOT,
        )
        .await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let location = answer
        .head
        .lines()
        .find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("location: ")
                .map(str::to_owned)
        })
        .unwrap();
    // Not on balenaOS, so the agent refuses with a reason; nothing hangs.
    let end = cabinet
        .until(location.trim(), |operation| operation["status"] == "failed")
        .await;
    assert_eq!(end["problem"]["code"], "agent.not_on_balena", "{end}");
}
