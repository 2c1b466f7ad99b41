use super::*;

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
