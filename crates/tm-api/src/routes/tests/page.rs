use super::*;

#[tokio::test]
async fn the_page_is_whole_small_and_safe() {
    let cabinet = fixture();
    say(
        &cabinet,
        "data/pump-house",
        r#"{"points":[{"name":"word","kind":"state","value":"<script>x</script>"}]}"#,
    );
    let response = send(&cabinet, Request::get("/").body(Body::empty()).unwrap()).await;
    let policy = response.headers()[header::CONTENT_SECURITY_POLICY]
        .to_str()
        .unwrap();
    assert!(
        policy.starts_with("default-src 'self';") && !policy.contains("unsafe"),
        "{policy}"
    );
    let page = text(response).await;
    assert!(
        page.contains("Everything works.")
            && page.contains("Kyivstar")
            && page.contains("50.45000°")
    );
    assert!(
        page.contains("&lt;script&gt;x") && !page.contains("<script>x"),
        "{page}"
    );
    assert!(
        !page.contains("style=") && !page.contains("://"),
        "no inline style, nothing from elsewhere"
    );
    let mut size = page.len();
    for asset in ["/page.css", "/page.js", "/icon.svg"] {
        let (status, body) = get_text(&cabinet, asset).await;
        assert_eq!(status, StatusCode::OK);
        size += body.len();
    }
    assert!(size < 40_000, "{size} bytes");
    for (lang, word) in [("uk", "Останні значення"), ("ru", "Последние значения")]
    {
        let (_, page) = get_text(&cabinet, &format!("/?lang={lang}")).await;
        assert!(page.contains(word) && page.contains(&format!("<html lang=\"{lang}\">")));
    }
}

#[tokio::test]
async fn the_tile_calls_a_sensor_by_a_short_name() {
    let cabinet = cabinet();
    let cel = |name: &str| {
        format!(r#"{{"points":[{{"name":"{name}/temperature","unit":"Cel","value":21.5}}]}}"#)
    };
    for (topic, sensor) in [
        ("data/sensors", "28-0316a2795c1a"),
        ("data/sensors", "bme280"),
        ("data/modem", "1"),
    ] {
        say(&cabinet, topic, &cel(sensor));
    }
    let (_, page) = get_text(&cabinet, "/?lang=en").await;
    for (series, label) in [
        ("sensors/28-0316a2795c1a/temperature", "28-…5c1a"),
        ("sensors/bme280/temperature", "bme280"),
        ("modem/1/temperature", "Modem 1"),
    ] {
        let row = format!("title=\"{series}\">{label}<");
        assert!(page.contains(&row), "{row}: {page}");
    }
}

#[tokio::test]
async fn a_bad_value_is_no_value_and_a_doubtful_one_says_why() {
    let cabinet = cabinet();
    for (name, quality, reason) in [
        ("air", "bad", "implausible"),
        ("wall", "uncertain", "rate"),
        ("floor", "good", ""),
        ("spare", "bad", "not_present"),
    ] {
        let reason = if reason.is_empty() {
            "null".to_owned()
        } else {
            format!("\"{reason}\"")
        };
        let point = format!(
            r#"{{"points":[{{"name":"{name}/temperature","unit":"Cel","value":85,"quality":"{quality}","reason":{reason}}}]}}"#
        );
        say(&cabinet, "data/sensors", &point);
    }
    let (_, page) = get_text(&cabinet, "/?lang=en").await;
    for (name, class, told) in [
        ("air", "bad", "— <small>not believable</small>"),
        (
            "wall",
            "uncertain",
            "85\u{a0}<small>°C</small> <small>(changed too fast)</small>",
        ),
        ("floor", "good", "85\u{a0}<small>°C</small>"),
        ("spare", "absent", "— <small>not there</small>"),
    ] {
        let cell = format!("{name}/<wbr>temperature</a></td><td class=\"n {class}\">{told}</td>");
        assert!(page.contains(&cell), "{cell}: {page}");
    }
    // What is known stands large on the tile.
    assert!(
        page.contains("<p class=\"big good\" data-tile=\"sensors/floor/temperature\">"),
        "{page}"
    );
}

#[tokio::test]
async fn the_documentation_is_on_the_device() {
    let cabinet = fixture();
    let docs = send(&cabinet, Request::get("/docs").body(Body::empty()).unwrap()).await;
    assert!(docs.status().is_redirection());
    for path in [
        "/docs/",
        "/docs/swagger-ui-bundle.js",
        "/docs/swagger-ui.css",
    ] {
        let response = send(&cabinet, Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!(
            (
                response.status(),
                &response.headers()[header::CONTENT_ENCODING]
            ),
            (StatusCode::OK, &"gzip".parse().unwrap()),
            "{path}"
        );
    }
    let (_, start) = get_text(&cabinet, "/docs/swagger-initializer.js").await;
    assert!(
        start.contains("\"validatorUrl\": \"none\"") && !start.contains("://"),
        "{start}"
    );
    let (_, problems) = get_text(&cabinet, "/docs/problems?lang=uk").await;
    // Without it a browser asks for /favicon.ico, which is not there.
    assert!(problems.contains("rel=\"icon\" href=\"/icon.svg\""));
    for code in tm_types::code::ALL {
        assert!(problems.contains(&format!("id=\"{code}\"")), "{code}");
    }
    assert_eq!(
        get_text(&cabinet, "/openapi.json").await.1,
        crate::document()
    );
}

#[tokio::test]
async fn answers_are_compressed_but_not_the_stream() {
    let cabinet = fixture();
    for (path, encoding) in [("/api/v1/series", Some("gzip")), ("/api/v1/stream", None)] {
        let request = Request::get(path).header(header::ACCEPT_ENCODING, "gzip");
        let response = send(&cabinet, request.body(Body::empty()).unwrap()).await;
        let found = response
            .headers()
            .get(header::CONTENT_ENCODING)
            .map(|value| value.to_str().unwrap());
        assert_eq!(found, encoding, "{path}");
    }
}

#[test]
fn every_written_route_is_registered() {
    let document: Json = serde_json::from_str(&crate::document()).unwrap();
    let sources = [
        include_str!("../state.rs"),
        include_str!("../config.rs"),
        include_str!("../history.rs"),
        include_str!("../live.rs"),
        include_str!("../operations.rs"),
        include_str!("../stream.rs"),
    ];
    let mut written = 0;
    for source in sources {
        for part in source.split(", path = \"").skip(1) {
            let path = part.split('"').next().unwrap();
            assert!(
                document["paths"].get(path).is_some(),
                "{path} is written but not registered"
            );
            written += 1;
        }
    }
    let documented: usize = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .map(|path| path.as_object().unwrap().len())
        .sum();
    assert_eq!(written, documented);
}
