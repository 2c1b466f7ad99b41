use super::*;

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
    cabinet.clock.advance(Duration::from_mins(1));
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
