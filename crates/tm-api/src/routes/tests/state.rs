use super::*;

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
    for path in [
        "/",
        "/live?part=now",
        "/live?part=charts",
        "/live?part=rest",
        "/metrics",
        "/api/v1/series",
        "/api/v1/status",
    ] {
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
    let fault = tm_types::code::BUS_REFUSED.with("address", "mqtt:1883");
    let now = cabinet.app.now();
    cabinet.app.write(|world| world.on_down(fault, &now));
    assert_eq!(
        get_text(&cabinet, "/readyz").await.0,
        StatusCode::SERVICE_UNAVAILABLE
    );
}

/// The modem's state with what is told of contract and messages.
fn fixture_with_contract() -> Cabinet {
    let cabinet = fixture();
    let mut state = cabinet.app.read(|world| {
        let service = &world.services[&tm_types::Instance::new("modem").unwrap()];
        json!(service.state.as_ref().unwrap())
    });
    let stamp = json!(cabinet.app.now());
    let modem = &mut state["modems"][0];
    modem["usage"] = json!({
        "session": {"rx_bytes": 1, "tx_bytes": 2}, "day": {"rx_bytes": 10, "tx_bytes": 20},
        "month": {"rx_bytes": 200_000_000, "tx_bytes": 50_000_000},
        "month_began": "2026-10-31T22:00:00.000Z", "limit_mb": 500,
    });
    modem["balance"] = json!({"amount": "12.50", "text": "12,50 UAH", "stamp": stamp});
    modem["messages"] = json!({"dropped": 3, "sent": 4, "inbox": [{
        "id": 9, "from": "+380501112233", "text": null, "sent_at": null,
        "stamp": stamp, "incomplete": false,
    }]});
    modem["recovery"] = json!({
        "status": "backing_off", "diagnosis": null, "since": null, "rung": null, "next_in_s": null,
        "hands_off_until": null, "steps": [],
    });
    say(&cabinet, "state/modem", &state.to_string());
    let private = r#"{"modems":[{"id":"1","messages":[{"id":8,"text":"B2"},{"id":9,"text":"the code is A9Q7"}]}]}"#;
    say(&cabinet, "private/modem", private);
    cabinet
}

#[tokio::test]
async fn messages_are_read_by_the_administrator_only() {
    let cabinet = fixture_with_contract();
    for (token, shows) in [
        (None, false),
        (Some("secret"), true),
        (Some(&*derive_token("seed", "cab-1", Scope::Config)), false),
    ] {
        for path in [
            "/api/v1/modems/1/messages",
            "/api/v1/modems",
            "/api/v1/modems/1",
        ] {
            let mut request = Request::get(path);
            if let Some(token) = token {
                request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
            }
            let body = text(send(&cabinet, request.body(Body::empty()).unwrap()).await).await;
            assert_eq!(body.contains("A9Q7"), shows, "{path} {token:?}");
            assert_eq!(body.contains("+380501112233"), shows, "{path} {token:?}");
            assert!(body.contains("2233"), "{path}");
        }
    }
    let messages = get(&cabinet, "/api/v1/modems/1/messages").await;
    assert_eq!(
        (
            &messages["dropped"],
            &messages["sent"],
            &messages["inbox"][0]["id"]
        ),
        (&json!(3), &json!(4), &json!(9))
    );
    assert_eq!(messages["inbox"][0]["text"], Json::Null);
    for path in ["/", "/?lang=uk", "/api/v1/status", "/metrics"] {
        let (_, page) = get_text(&cabinet, path).await;
        assert!(!page.contains("A9Q7"), "{path}");
    }
    let streamed = cabinet.app.read(|world| format!("{:?}", world.feed));
    assert!(streamed.contains("2233") && !streamed.contains("A9Q7"));
    // The service has withdrawn it.
    say(&cabinet, "private/modem", "");
    let asked = Request::get("/api/v1/modems/1/messages");
    let asked = asked.header(header::AUTHORIZATION, "Bearer secret");
    let body = text(send(&cabinet, asked.body(Body::empty()).unwrap()).await).await;
    assert!(body.contains("+380501112233") && !body.contains("A9Q7"));
}

#[tokio::test]
async fn usage_is_told_with_its_share_of_the_limit() {
    let cabinet = fixture();
    let usage = get(&cabinet, "/api/v1/modems/1/usage").await;
    assert_eq!(
        usage,
        json!({"usage": null, "limit_percent": null, "stale": false})
    );
    let cabinet = fixture_with_contract();
    let usage = get(&cabinet, "/api/v1/modems/1/usage").await;
    assert_eq!(usage["limit_percent"], 50);
    assert_eq!(usage["usage"]["day"]["tx_bytes"], 20);
}

#[tokio::test]
async fn the_uplinks_costs_are_told_and_the_page_shows_its_budget() {
    let cabinet = fixture();
    let uplink = get(&cabinet, "/api/v1/uplink").await;
    assert_eq!(uplink["budget"]["step"], "free", "of an older uplink");
    let (_, page) = get_text(&cabinet, "/?lang=en").await;
    let row = "31.5\u{a0}<small>MB</small> / 105\u{a0}<small>MB</small>";
    assert!(!page.contains(row));
    say(
        &cabinet,
        "state/uplink",
        r#"{"link":"connected","cause":{"code":"uplink.connected","args":{"broker":"cloud:8883"}},
        "broker":"cloud:8883","since":null,"ack_age_ms":1200,
        "journal":{"records_pending":3,"points_pending":30,"bytes_on_disk":1000,"quota_bytes":4000,
        "oldest":null,"records_dropped":0,"records_damaged":0},"messages_received":10,
        "duplicates_dropped":0,"lost_on_bus":0,"messages_unreadable":0,"batches_acked":1,"bytes_acked":100,
        "profile":{"name":"thrifty","is_chosen":false,"reason":"budget","batch_s":900,"ends_in_s":null},
        "budget":{"step":"thrifty","day":{"used_bytes":5,"limit_bytes":null,"forecast_bytes":10,"lasts_hours":null,
        "ends":null},"month":{"used_bytes":31500000,"limit_bytes":104857600,"forecast_bytes":130000000,
        "lasts_hours":500,"ends":"2026-11-30T22:00:00.000Z"},"room_hours":900,"points_thinned":3}}"#,
    );
    let uplink = get(&cabinet, "/api/v1/uplink").await;
    assert_eq!(uplink["profile"]["reason"], "budget");
    assert_eq!(uplink["budget"]["month"]["lasts_hours"], 500);
    assert_eq!(uplink["budget"]["room_hours"], 900);
    let (_, page) = get_text(&cabinet, "/?lang=en").await;
    assert!(page.contains(row), "{page}");
}

#[tokio::test]
async fn the_page_shows_contract_and_recovery() {
    let cabinet = fixture_with_contract();
    for (lang, words) in [
        ("en", ["This month", "Balance", "Radio", "pausing"]),
        ("uk", ["За місяць", "Баланс", "Радіомодуль", "пауза"]),
        ("ru", ["За месяц", "Баланс", "Радиомодуль", "пауза"]),
    ] {
        let (_, page) = get_text(&cabinet, &format!("/?lang={lang}")).await;
        for word in words {
            assert!(page.contains(word), "{lang} {word}");
        }
        for figure in ["250\u{a0}<small>MB</small> / 500", "12.50", "41\u{a0}°C"] {
            assert!(page.contains(figure), "{lang} {figure}");
        }
    }
}
