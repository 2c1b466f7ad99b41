use super::*;

const TEMPERATURE: &str = "series=sensors/cpu-temperature";

#[tokio::test]
async fn a_chart_has_a_picture_figures_and_a_way_to_all_of_them() {
    let cabinet = fixture();
    let response = send(
        &cabinet,
        Request::get(format!("/chart?{TEMPERATURE}&from=-1m"))
            .body(Body::empty())
            .unwrap(),
    )
    .await;
    assert_eq!(
        response.headers()[header::CONTENT_TYPE],
        "text/html; charset=utf-8"
    );
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, "frame-ancestors 'none'"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        let found = response.headers()[&name].to_str().unwrap();
        assert!(found.contains(value), "{name}: {found}");
    }
    let page = text(response).await;
    assert!(page.contains("<h1>Processor temperature</h1>"), "{page}");
    // A minute of 0 to 59 °C: the line, its ends, the last step of the table.
    assert!(page.contains("<path class=\"line\" d=\"M"), "{page}");
    for (name, value) in [("Minimum", "0"), ("Mean", "30"), ("Maximum", "59")] {
        let figure =
            format!("<dt>{name}</dt><dd class=\"good\">{value}\u{a0}<small>°C</small></dd>");
        assert!(page.contains(&figure), "{figure}: {page}");
    }
    let row = "<th scope=\"row\">11:59:58</th><td class=\"n\">58</td><td class=\"n\">58</td><td class=\"n\">59</td>";
    assert!(page.contains(row), "{page}");
    let link = page
        .split("href=\"")
        .find(|part| part.starts_with("/api/v1/history"))
        .unwrap();
    let link = link.split('"').next().unwrap().replace("&amp;", "&");
    let (status, csv) = get_text(&cabinet, &link).await;
    assert_eq!(
        (status, csv.lines().count()),
        (StatusCode::OK, 61),
        "{link}: {csv}"
    );
    assert!(csv.starts_with("t,min,mean,max,count,bad\r\n"), "{csv}");
}

#[tokio::test]
async fn a_chart_without_anything_says_so() {
    let cabinet = fixture();
    for (query, sentence) in [
        (
            "series=sensors/cpu-temperature&from=-1h&to=-30m",
            "Nothing was measured in this time.",
        ),
        ("series=pump-house/valve", "No usable reading in this time."),
    ] {
        let (status, page) = get_text(&cabinet, &format!("/chart?{query}")).await;
        assert_eq!(status, StatusCode::OK);
        assert!(
            page.contains(&format!("<p class=\"none\">{sentence}</p>")),
            "{query}: {page}"
        );
    }
}

#[tokio::test]
async fn what_cannot_be_shown_is_a_page_with_its_status() {
    let cabinet = fixture();
    for (query, status, sentence) in [
        (
            "series=sensors/none",
            404,
            "There is no series sensors/none.",
        ),
        ("", 400, "series"),
        ("series=", 400, "series"),
        ("series=<script>alert(1)</script>", 400, "series"),
        ("series=%3Cscript%3Ealert(1)%3C/script%3E", 400, "series"),
        ("series=sensors/cpu-temperature&from=yesterday", 400, "-24h"),
        (
            "series=sensors/cpu-temperature&from=-1m&to=-2m",
            400,
            "before",
        ),
        (
            "series=sensors/cpu-temperature&from=-1m&to=-1m",
            400,
            "before",
        ),
        (
            "series=sensors/cpu-temperature&from=9999-12-30T00:00:00Z",
            400,
            "before",
        ),
        ("series=sensors/cpu-temperature&step=1", 400, "step"),
        ("series=a/b&series=a/c", 400, "series"),
        ("%00=%ff&&&=", 400, ""),
    ] {
        for lang in ["", "&lang=uk", "&lang=ru", "&lang=xx"] {
            let address = format!("/chart?{query}{lang}");
            // What a client would send is an address; what is none never gets here.
            let Ok(request) = Request::get(&address).body(Body::empty()) else {
                continue;
            };
            let response = send(&cabinet, request).await;
            assert_eq!(response.status(), status, "{address}");
            assert_eq!(
                response.headers()[header::CONTENT_TYPE],
                "text/html; charset=utf-8"
            );
            let page = text(response).await;
            assert!(
                page.contains("<h1>") && !page.contains("<script>"),
                "{address}: {page}"
            );
            if lang.is_empty() {
                assert!(page.contains(sentence), "{address}: {page}");
            }
        }
    }
}

#[tokio::test]
async fn any_stretch_of_time_is_drawn() {
    let cabinet = fixture();
    for series in [
        "sensors/cpu-temperature",
        "sensors/energy",
        "pump-house/valve",
    ] {
        for span in [
            "from=-5m",
            "from=-7d",
            "from=-30d",
            "from=-99999d",
            "from=0001-01-01T00:00:00Z",
            "from=0001-01-01T00:00:00Z&to=9999-12-30T00:00:00Z",
            "from=-1s",
            "from=2026-11-22T11:59:00%2B02:00&to=2026-11-22T12:00:00%2B02:00",
            "to=-30s",
        ] {
            let (status, page) =
                get_text(&cabinet, &format!("/chart?series={series}&{span}")).await;
            assert_eq!(status, StatusCode::OK, "{series} {span}: {page}");
            assert!(page.len() < 60_000, "{series} {span}: {} bytes", page.len());
        }
    }
}

#[tokio::test]
async fn another_language_shows_the_same_chart() {
    let cabinet = fixture();
    let time = "2026-11-22T11:59:00%2B02:00";
    let address = format!("/chart?lang=uk&{TEMPERATURE}&from={time}");
    let (_, page) = get_text(&cabinet, &address).await;
    assert!(
        page.contains("<html lang=\"uk\">") && page.contains("Температура процесора"),
        "{page}"
    );
    for lang in ["en", "uk", "ru"] {
        let link = format!("href=\"/chart?{TEMPERATURE}&amp;from={time}&amp;lang={lang}\"");
        assert!(page.contains(&link), "{link}: {page}");
    }
    // What keeps it current asks for the same.
    let live = format!("data-live=\"/chart?{TEMPERATURE}&amp;from={time}&amp;lang=uk\"");
    assert!(page.contains(&live), "{live}: {page}");
    // Nothing changes in a stretch that has ended.
    let (_, ended) = get_text(&cabinet, &format!("{address}&to=-1s")).await;
    assert!(
        !ended.contains("data-live=\"/chart") && !ended.contains("http-equiv"),
        "{ended}"
    );
}

#[tokio::test]
async fn the_front_page_leads_to_every_chart() {
    let cabinet = fixture();
    let (_, page) = get_text(&cabinet, "/?lang=ru").await;
    let links: std::collections::BTreeSet<String> = page
        .split("href=\"")
        .filter(|part| part.starts_with("/chart?"))
        .map(|part| part.split('"').next().unwrap().replace("&amp;", "&"))
        .collect();
    assert!(links.len() >= 4, "{links:?}");
    for link in links {
        let (status, chart) = get_text(&cabinet, &link).await;
        assert!(
            status == StatusCode::OK && chart.contains("<html lang=\"ru\">"),
            "{link}"
        );
    }
}

#[tokio::test]
async fn a_part_of_the_front_page_comes_alone() {
    let cabinet = fixture();
    let (_, whole) = get_text(&cabinet, "/?lang=uk").await;
    for part in ["now", "charts", "rest"] {
        let (status, alone) = get_text(&cabinet, &format!("/live?part={part}&lang=uk")).await;
        assert_eq!(status, StatusCode::OK, "{part}");
        assert!(
            alone.contains(&format!("id=\"{part}\"")) && whole.contains(&alone),
            "{part}"
        );
    }
    for query in ["", "?part=all", "?part=now&x=1"] {
        let request = Request::get(format!("/live{query}"))
            .body(Body::empty())
            .unwrap();
        problem(send(&cabinet, request).await, 400, "api.bad_request").await;
    }
}
