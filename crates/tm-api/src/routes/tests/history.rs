use super::*;

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
    // A link in a page cannot send a header; what it says counts.
    for (format, start) in [
        ("csv", "t,mean\r\n"),
        ("ndjson", "{\"mean\":"),
        ("json", "{\"series\":"),
    ] {
        let address = format!("/api/v1/history?{minute}&step=30&agg=mean&format={format}");
        let asked = Request::get(address).header(header::ACCEPT, "application/x-ndjson");
        let told = text(send(&cabinet, asked.body(Body::empty()).unwrap()).await).await;
        assert!(told.starts_with(start), "{format}: {told}");
    }
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
        (&*format!("{known}&format=xml"), "format"),
        (&*format!("{known}&from=-1m&to=-2m"), "from"),
        (&*format!("{known}&stp=1"), "stp"),
    ] {
        let problem = ask(query, 400, "api.bad_request").await;
        assert_eq!(
            problem["errors"][0]["pointer"], pointer,
            "{query}: {problem}"
        );
    }
}
