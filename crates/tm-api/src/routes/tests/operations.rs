use super::*;

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
        let (id, what, _) = asked.expect("the service was asked");
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
