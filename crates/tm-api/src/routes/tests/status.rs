use super::*;

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
    health(&cabinet, "modem", "up", &cause("modem.sim_absent"));
    check("grey", "status.parts_not_configured", "SIM, cloud").await;
    health(&cabinet, "modem", "degraded", &cause("modem.sim_absent"));
    check("amber", "status.degraded", "no SIM").await;
    health(&cabinet, "modem", "up", "");
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
async fn without_the_bus_nothing_else_is_claimed() {
    let cabinet = fixture();
    let fault = tm_types::code::BUS_REFUSED.with("address", "mqtt:1883");
    let lose = || {
        let now = cabinet.app.now();
        cabinet
            .app
            .write(|world| world.on_down(fault.clone(), &now));
    };
    let code = async || get(&cabinet, "/api/v1/status").await["code"].clone();
    lose();
    // A moment without it is a reconnection.
    assert_eq!(code().await, "status.ok");
    cabinet.clock.advance(Duration::from_secs(29));
    lose();
    assert_eq!(code().await, "status.ok");
    cabinet.clock.advance(Duration::from_secs(1));
    let status = get(&cabinet, "/api/v1/status").await;
    assert_eq!(
        (&status["level"], &status["code"]),
        (&json!("red"), &json!("bus.refused"))
    );
    cabinet.app.write(World::on_up);
    assert_eq!(code().await, "status.ok");
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
