use super::*;

const DOCUMENT: &str = "# наша\n[[device]]\n";

/// The world knows the map of `sensors`.
fn configured() -> Cabinet {
    let cabinet = fixture();
    let config = json!({"revision": "00ff", "source": "revision", "since": "2026-11-22T10:00:00.000Z",
        "document": DOCUMENT, "bytes": DOCUMENT.len(), "previous": {"revision": null}});
    say(&cabinet, "cfg/sensors", &config.to_string());
    cabinet
}

fn request(method: &str, path: &str, token: Option<&str>) -> axum::http::request::Builder {
    let path = format!("/api/v1/config/{path}");
    let request = Request::builder().method(method).uri(path);
    match token {
        Some(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
        None => request,
    }
}

fn put(path: &str, token: Option<&str>, body: &str) -> Request<Body> {
    request("PUT", path, token)
        .header(header::CONTENT_TYPE, "application/toml; charset=utf-8")
        .body(Body::from(body.to_owned()))
        .unwrap()
}

fn token(scope: Scope) -> String {
    derive_token("seed", "cab-1", scope)
}

/// Sends, and answers as the service would; gives what it was asked, too.
async fn served(
    cabinet: &Cabinet,
    request: Request<Body>,
    standings: &[Json],
) -> (Response, String, Json) {
    let app = cabinet.app.clone();
    let service = async {
        tokio::task::yield_now().await;
        let (id, what, args) = cabinet.asked.try_recv().expect("the service was asked");
        for standing in standings {
            let mut operation = json!({"id": id, "service": "sensors", "op": "configure", "status": "accepted",
                "progress_percent": null, "result": null, "problem": null, "updated_at": "2026-11-22T10:00:00.000Z"});
            for (key, value) in standing.as_object().unwrap() {
                operation[key] = value.clone();
            }
            app.write(|world| world.on_operation(serde_json::from_value(operation).unwrap()));
            tokio::task::yield_now().await;
        }
        (what, args)
    };
    let (response, (what, args)) = tokio::join!(send(cabinet, request), service);
    (response, what, args)
}

fn changed(dry_run: bool) -> Json {
    json!({"status": "succeeded", "result": {"revision": "abcd", "source": "revision", "dry_run": dry_run,
        "devices": 1, "registers": 2, "added": ["a"], "removed": [], "changed": [], "unchanged": 0}})
}

#[tokio::test]
async fn the_document_is_read_with_its_revision() {
    let cabinet = configured();
    let path = "/api/v1/config/sensors";
    let response = send(
        &cabinet,
        request("GET", "sensors", None).body(Body::empty()).unwrap(),
    )
    .await;
    assert_eq!(response.headers()[header::ETAG], "\"00ff\"");
    let config = get(&cabinet, path).await;
    assert_eq!(config["document"], DOCUMENT);
    assert_eq!(
        (&config["service"], &config["stale"]),
        (&json!("sensors"), &json!(false))
    );
    let configs = get(&cabinet, "/api/v1/config").await;
    assert_eq!(configs["configs"].as_array().unwrap().len(), 1);
    let listed = &configs["configs"][0];
    assert_eq!(
        (&listed["revision"], &listed["document"]),
        (&json!("00ff"), &Json::Null)
    );
    let (status, text) = get_text(&cabinet, &format!("{path}?format=toml")).await;
    assert_eq!((status, &*text), (StatusCode::OK, DOCUMENT));
    for path in ["modem", "nobody", "NO", "sensors/rollback/x"] {
        let asked = request("GET", path, None).body(Body::empty()).unwrap();
        problem(send(&cabinet, asked).await, 404, "api.not_found").await;
    }
    let asked = request("GET", "sensors?format=yaml", None)
        .body(Body::empty())
        .unwrap();
    problem(send(&cabinet, asked).await, 400, "api.bad_request").await;
    say(&cabinet, "cfg/sensors", "");
    let asked = request("GET", "sensors", None).body(Body::empty()).unwrap();
    problem(send(&cabinet, asked).await, 404, "api.not_found").await;
}

#[tokio::test(start_paused = true)]
async fn a_document_is_given_to_the_service_and_its_answer_told() {
    let cabinet = configured();
    let config = token(Scope::Config);
    let mut request = put("sensors?dry_run=true", Some(&config), DOCUMENT);
    request
        .headers_mut()
        .insert(header::IF_MATCH, "\"00ff\"".parse().unwrap());
    let standings = [json!({}), json!({"status": "running"}), changed(true)];
    let (response, what, args) = served(&cabinet, request, &standings).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(
        response.headers().get(header::ETAG).is_none(),
        "nothing is new"
    );
    assert_eq!(what, "sensors/configure");
    assert_eq!(
        args,
        json!({"document": DOCUMENT, "dry_run": true, "expected_revision": "00ff"})
    );
    let answer: Json = serde_json::from_str(&text(response).await).unwrap();
    assert_eq!(
        (&answer["added"], &answer["dry_run"]),
        (&json!(["a"]), &json!(true))
    );

    let request = put("io", Some(&config), DOCUMENT);
    let (response, what, args) = served(&cabinet, request, &[changed(false)]).await;
    assert_eq!(response.headers()[header::ETAG], "\"abcd\"");
    assert_eq!((&*what, &args["dry_run"]), ("io/configure", &json!(false)));
    assert!(args.get("expected_revision").is_none());
}

#[tokio::test(start_paused = true)]
async fn going_back_and_going_to_the_variables() {
    let cabinet = configured();
    let config = token(Scope::Config);
    let asked = |method: &str, path: &str| {
        request(method, path, Some(&config))
            .header(header::IF_MATCH, "*")
            .body(Body::empty())
            .unwrap()
    };
    let (response, what, args) = served(
        &cabinet,
        asked("POST", "sensors/rollback"),
        &[changed(false)],
    )
    .await;
    assert_eq!(
        (response.status(), &*what),
        (StatusCode::OK, "sensors/rollback")
    );
    assert_eq!(args, json!({"dry_run": false}));
    let (response, what, args) = served(
        &cabinet,
        asked("DELETE", "sensors?dry_run=true"),
        &[changed(true)],
    )
    .await;
    assert_eq!(
        (response.status(), &*what),
        (StatusCode::OK, "sensors/configure")
    );
    assert_eq!(args, json!({"document": null, "dry_run": true}));
}

#[tokio::test(start_paused = true)]
async fn what_the_service_refuses_is_told_with_its_line_and_language() {
    let cabinet = configured();
    let config = token(Scope::Config);
    let refused = |code: &str, status: u16, args: Json| {
        json!({"status": "failed", "problem": {"type": "x", "title": "x", "status": status,
            "detail": "x", "code": code, "args": args}})
    };
    let mut request = put("sensors", Some(&config), DOCUMENT);
    request
        .headers_mut()
        .insert(header::ACCEPT_LANGUAGE, "uk".parse().unwrap());
    let args = json!({"name": "configure", "line": "13", "reason": "no unit"});
    let standing = refused("sensors.map_refused", 422, args);
    let (response, ..) = served(&cabinet, request, &[standing]).await;
    let told = problem(response, 422, "sensors.map_refused").await;
    assert_eq!(
        told["errors"],
        json!([{"pointer": "/document", "detail": "no unit", "line": 13}])
    );
    assert!(
        told["detail"].as_str().unwrap().contains("рядок 13"),
        "{told}"
    );
    for (code, status) in [
        ("config.revision_mismatch", 412),
        ("operation.busy", 409),
        ("operation.unknown", 404),
    ] {
        let cabinet = configured();
        let standing = refused(code, status, json!({}));
        let request = put("sensors", Some(&config), DOCUMENT);
        let (response, ..) = served(&cabinet, request, &[standing]).await;
        problem(response, status, code).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_slow_or_away() {
    let cabinet = configured();
    let config = token(Scope::Config);
    let request = put("sensors", Some(&config), DOCUMENT);
    let (response, ..) = served(&cabinet, request, &[json!({})]).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert_eq!(
        response.headers()[header::LOCATION],
        "/api/v1/operations/drawn"
    );
    let cabinet = configured();
    let away = send(&cabinet, put("sensors", Some(&config), DOCUMENT)).await;
    problem(away, 503, "service.unavailable").await;
}

#[tokio::test]
async fn who_may_not_and_what_cannot_be_read_never_reaches_the_service() {
    let cabinet = configured();
    let config = token(Scope::Config);
    problem(
        send(&cabinet, put("sensors", None, "")).await,
        401,
        "api.unauthorized",
    )
    .await;
    for scope in [Scope::Read, Scope::Operate] {
        let request = put("sensors", Some(&token(scope)), "");
        problem(send(&cabinet, request).await, 403, "api.forbidden").await;
    }
    // Not through the operations either.
    for op in ["configure", "rollback"] {
        let body = json!({"service": "sensors", "op": op}).to_string();
        let request = post(Some(&token(Scope::Operate)), None, &body);
        problem(send(&cabinet, request).await, 403, "api.forbidden").await;
    }
    let long = "#".repeat(61 * 1024);
    let told = problem(
        send(&cabinet, put("sensors", Some(&config), &long)).await,
        413,
        "api.body_too_large",
    )
    .await;
    assert!(told["detail"].as_str().unwrap().contains("61440"), "{told}");
    let told = problem(
        send(&cabinet, put("sensors", Some(&config), "a\n\tb\r\nc\u{1}")).await,
        400,
        "api.bad_request",
    )
    .await;
    assert_eq!(told["errors"][0]["line"], 3);
    let binary = request("PUT", "sensors", Some(&config))
        .header(header::CONTENT_TYPE, "text/plain")
        .body(Body::from(vec![0xff, 0xfe]))
        .unwrap();
    problem(send(&cabinet, binary).await, 400, "api.bad_request").await;
    for kind in ["application/json", ""] {
        let other = request("PUT", "sensors", Some(&config))
            .header(header::CONTENT_TYPE, kind)
            .body(Body::from("{}"))
            .unwrap();
        problem(send(&cabinet, other).await, 415, "api.bad_request").await;
    }
    for wrong in ["00ff", "W/\"00ff\"", "\"\"", "\"a\", \"b\""] {
        let mut request = put("sensors", Some(&config), DOCUMENT);
        request
            .headers_mut()
            .insert(header::IF_MATCH, wrong.parse().unwrap());
        problem(send(&cabinet, request).await, 400, "api.bad_request").await;
    }
    for path in ["sensors?dry_run=maybe", "sensors?dryrun=true"] {
        let request = put(path, Some(&config), DOCUMENT);
        problem(send(&cabinet, request).await, 400, "api.bad_request").await;
    }
    let nobody = send(&cabinet, put("Sensors", Some(&config), DOCUMENT)).await;
    problem(nobody, 404, "api.not_found").await;
    assert!(cabinet.asked.try_recv().is_err(), "nothing was asked for");
}
