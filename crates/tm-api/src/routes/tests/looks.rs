//! Whole cabinets as pages: a good day, nothing at all, the worst day, and who means harm.
//!
//! With `TM_LOOKS_DIR` set the pages are left there, to be looked at in a browser.

use super::*;

/// What the front page may weigh with everything it loads, uncompressed.
const WEIGHT_MAX: usize = 100_000;
const HOUR_S: i64 = 3600;

/// A wave that is the same at every run.
fn wave(s: i64, period_s: f64, height: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "seconds of an hour")]
    let s = s as f64;
    let ripple = (s * 0.377).sin() * 0.3 + (s * 1.71).sin() * 0.15;
    height * ((s / period_s * std::f64::consts::TAU).sin() + ripple)
}

/// A poll `ago` seconds before the present of the cabinet.
fn poll(cabinet: &Cabinet, source: &str, ago: i64, points: &str) {
    let now = cabinet.app.now();
    let (time, mono_ms) = (
        now.time.plus_ms(-ago * 1000),
        now.mono_ms - ago.unsigned_abs() * 1000,
    );
    say(
        cabinet,
        &format!("data/{source}"),
        &format!(
            r#"{{"time":"{time}","mono_ms":{mono_ms},"boot":"{BOOT}","clock":"ntp","err_ms":12,"points":[{points}]}}"#
        ),
    );
}

fn gauge(name: &str, unit: &str, value: f64, decimals: usize) -> String {
    format!(r#"{{"name":"{name}","unit":"{unit}","value":{value:.decimals$}}}"#)
}

const MISSING: &str = r#","value":null,"quality":"bad","reason":"timeout"}"#;

/// The last hour of a full cabinet: signal, three temperatures, a meter, a door.
fn hour(cabinet: &Cabinet) {
    for ago in (0..HOUR_S).rev() {
        let s = HOUR_S - ago;
        if s % 60 == 0 {
            let points = [
                gauge("1/rsrp", "dBm", -97.0 + wave(s, 1900.0, 4.0), 1),
                gauge("1/rsrq", "dB", -11.0 + wave(s, 1300.0, 1.0), 1),
                gauge("1/sinr", "dB", 12.0 + wave(s, 1700.0, 3.0), 0),
                gauge("1/temperature", "Cel", 41.0 + wave(s, 3000.0, 1.0), 0),
                gauge("1/supply", "V", 3.9 + wave(s, 700.0, 0.02), 3),
                r#"{"name":"1/registration","kind":"state","value":"home"}"#.to_owned(),
            ];
            poll(cabinet, "modem", ago, &points.join(","));
        }
        // The sensors are silent for five minutes; then one of them does not answer for two.
        if s % 10 == 0 && !(1500..1800).contains(&s) {
            let air = if (1800..1920).contains(&s) {
                format!(r#"{{"name":"28-0316a2795c1a/temperature","unit":"Cel"{MISSING}"#)
            } else {
                gauge(
                    "28-0316a2795c1a/temperature",
                    "Cel",
                    21.4 + wave(s, 2600.0, 0.9),
                    2,
                )
            };
            let power =
                412.0 + wave(s, 200.0, 6.0) + if (900..1700).contains(&s) { 180.0 } else { 0.0 };
            let points = [
                air,
                gauge(
                    "28-00000a1b2c3d/temperature",
                    "Cel",
                    8.2 + wave(s, 3400.0, 0.6),
                    2,
                ),
                gauge("bme280/humidity", "%RH", 48.0 + wave(s, 2100.0, 1.5), 1),
                gauge(
                    "bme280/pressure",
                    "Pa",
                    100_120.0 + wave(s, 3600.0, 40.0),
                    0,
                ),
                gauge("cpu-temperature", "Cel", 48.2 + wave(s, 600.0, 1.2), 1),
                gauge("cpu-usage", "%", 14.0 + wave(s, 90.0, 6.0), 1),
                gauge("load-1m", "", 0.34 + wave(s, 800.0, 0.1), 2),
                gauge("memory-used", "B", 412e6 + wave(s, 1200.0, 2e6), 0),
                gauge("meter/voltage", "V", 229.0 + wave(s, 400.0, 1.3), 1),
                gauge("meter/current", "A", 1.8 + wave(s, 200.0, 0.1), 2),
                gauge("meter/power", "W", power, 0),
                format!(
                    r#"{{"name":"meter/energy","kind":"counter","unit":"kWh","value":{}.{:03}}}"#,
                    1234,
                    s / 8
                ),
                format!(
                    r#"{{"name":"meter/door-open","kind":"state","value":{}}}"#,
                    (2500..2680).contains(&s)
                ),
            ];
            poll(cabinet, "sensors", ago, &points.join(","));
        }
        if s % 30 == 0 {
            poll(
                cabinet,
                "pump-house",
                ago,
                &gauge("level", "m", 1.25 + wave(s, 3000.0, 0.3), 2),
            );
        }
    }
}

fn cabinet_named(site: Option<&str>, name: Option<&str>) -> Cabinet {
    let device = Device {
        id: "6f1d0c5a9b3e".into(),
        site: site.map(str::to_owned),
        name: name.map(str::to_owned),
        timezone: "Europe/Kyiv".into(),
    };
    let cabinet = cabinet_of(
        device,
        1_000_000_000,
        Tokens::new(None, None, "cab-1"),
        false,
    );
    cabinet.app.write(World::on_up);
    cabinet
}

/// A full cabinet on a good day.
fn good_day() -> Cabinet {
    let cabinet = cabinet_named(Some("KYIV-017"), Some("North substation"));
    states(&cabinet);
    hour(&cabinet);
    cabinet
}

/// A machine without a HAT, sensors or a cloud: everything that is missing is missing on purpose.
fn bare() -> Cabinet {
    let cabinet = cabinet_named(None, None);
    for (service, code) in [
        ("modem", "modem.not_configured"),
        ("gnss", "gnss.not_configured"),
        ("sensors", "sensors.not_configured"),
        ("uplink", "uplink.not_configured"),
        ("io", "sensors.not_configured"),
    ] {
        health(
            &cabinet,
            service,
            "up",
            &format!(r#"{{"code":"{code}","args":{{}}}}"#),
        );
    }
    health(&cabinet, "agent", "up", "");
    health(&cabinet, "api", "up", "");
    for ago in (0..900).rev().step_by(10) {
        let points = [
            gauge("cpu-temperature", "Cel", 51.0 + wave(ago, 300.0, 2.0), 1),
            gauge("load-1m", "", 0.2 + wave(ago, 300.0, 0.1), 2),
            gauge("memory-used", "B", 205e6, 0),
        ];
        poll(&cabinet, "sensors", ago, &points.join(","));
    }
    cabinet
}

/// Alarms, a modem that is gone, no signal for half an hour, services that are silent.
fn worst_day() -> Cabinet {
    let long = "Підстанція «Північна-Бориспільська» №17, комірка 4, шафа телеметрії біля старого трансформатора";
    let cabinet = cabinet_named(
        Some("DNIPROPETROVSK-OBLAST-SUBSTATION-0017-CABINET-B"),
        Some(long),
    );
    states(&cabinet);
    hour(&cabinet);
    for (id, severity, code, args) in [
        (
            "modem",
            "critical",
            "modem.absent",
            r#""port":"/dev/serial/by-id/usb-SimTech__Incorporated_SimTech__Incorporated_0123456789ABCDEF-if02-port0""#,
        ),
        (
            "sensor",
            "warning",
            "sensors.device_failed",
            r#""device":"meter","reason":"timeout""#,
        ),
        (
            "uplink",
            "warning",
            "uplink.unreachable",
            r#""broker":"mqtt.a-very-long-host-name.of-a-cloud.example.net:8883","error":"connection refused""#,
        ),
    ] {
        let alarm = format!(
            r#"{{"id":"{id}","source":"{id}","code":"{code}","severity":"{severity}","active":true,"acked":false,"since":"2026-11-21T09:31:00.000Z","args":{{{args}}}}}"#
        );
        say(&cabinet, &format!("alarm/{id}"), &alarm);
    }
    health(
        &cabinet,
        "modem",
        "degraded",
        r#"{"code":"modem.absent","args":{"port":"/dev/ttyUSB2"}}"#,
    );
    health(
        &cabinet,
        "uplink",
        "down",
        r#"{"code":"service.connection_lost","args":{}}"#,
    );
    for ago in (0..1800).rev().step_by(60) {
        poll(
            &cabinet,
            "modem",
            ago,
            &format!(r#"{{"name":"1/rsrp","unit":"dBm"{MISSING}"#),
        );
    }
    cabinet
}

/// Names and values as long and as strange as they may be, and very many of them.
fn hostile() -> Cabinet {
    let cabinet = cabinet_named(Some("<script>alert(1)</script>\"'&"), None);
    states(&cabinet);
    let words = [
        "<script>x</script>",
        "\\\"><img src=x>",
        "Надзвичайно-довге-слово-без-жодного-пробілу-щоб-зламати-таблицю",
        "&amp;amp;",
    ];
    for n in 0..250 {
        let name = format!("n{n:03}-a-very-long-name-of-a-point/with/many/parts-in-it");
        let point = match n % 4 {
            0 => format!(
                r#"{{"name":"{name}","kind":"state","value":"{}"}}"#,
                words[n / 4 % 4]
            ),
            1 => format!(
                r#"{{"name":"{name}","unit":"<b>\"'&\u007e","value":-1.7976931348623157e308}}"#
            ),
            2 => format!(
                r#"{{"name":"{name}","unit":"kWh","kind":"counter","value":9007199254740993}}"#
            ),
            _ => format!(r#"{{"name":"{name}","unit":"V"{MISSING}"#),
        };
        poll(&cabinet, "a", 5, &point);
    }
    cabinet
}

fn write(name: &str, page: &str) {
    if let Ok(directory) = std::env::var("TM_LOOKS_DIR") {
        std::fs::write(
            format!("{directory}/{name}.html"),
            page.replace("\"/page.css\"", "\"page.css\""),
        )
        .unwrap();
    }
}

async fn page(cabinet: &Cabinet, address: &str) -> String {
    let (status, page) = get_text(cabinet, address).await;
    assert_eq!(status, StatusCode::OK, "{address}: {page}");
    assert!(
        !page.contains("style=") && !page.contains("://") && !page.contains("onclick"),
        "{address}"
    );
    // Every element that is opened is closed.
    for element in [
        "main", "section", "article", "div", "table", "tbody", "ul", "li", "svg", "span", "dl",
        "a", "p",
    ] {
        let opened = page.matches(&format!("<{element}>")).count()
            + page.matches(&format!("<{element} ")).count();
        assert_eq!(
            opened,
            page.matches(&format!("</{element}>")).count(),
            "{element} in {address}"
        );
    }
    page
}

#[tokio::test]
async fn every_cabinet_is_told_in_every_language() {
    let cabinets: [(&str, Cabinet, &str, [&str; 3]); 4] = [
        (
            "good",
            good_day(),
            "ok",
            ["Everything works.", "Усе працює.", "Всё работает."],
        ),
        (
            "bare",
            bare(),
            "grey",
            [
                "No action needed",
                "Дій не потрібно",
                "Действий не требуется",
            ],
        ),
        (
            "worst",
            worst_day(),
            "red",
            ["Fault, since", "Несправність, з", "Неисправность, с"],
        ),
        (
            "hostile",
            hostile(),
            "ok",
            ["Everything works.", "Усе працює.", "Всё работает."],
        ),
    ];
    for (name, cabinet, level, words) in cabinets {
        for (lang, word) in ["en", "uk", "ru"].into_iter().zip(words) {
            let page = page(&cabinet, &format!("/?lang={lang}")).await;
            write(&format!("{name}-{lang}"), &page);
            assert!(page.contains(word), "{name} {lang}: {word}");
            assert!(
                page.contains(&format!("data-level=\"{level}\"")),
                "{name} {lang}"
            );
            assert!(
                page.contains(&format!("href=\"/icon-{level}.svg\"")),
                "{name} {lang}"
            );
            let mut weight = page.len();
            for asset in ["/page.css", "/page.js", &format!("/icon-{level}.svg")] {
                weight += get_text(&cabinet, asset).await.1.len();
            }
            // The worst may weigh more than what a cabinet looks like.
            let limit = if name == "hostile" {
                2 * WEIGHT_MAX
            } else {
                WEIGHT_MAX
            };
            assert!(weight <= limit, "{name} {lang}: {weight} bytes");
            if name == "good" && lang == "uk" {
                println!(
                    "a full cabinet: {weight} bytes, of them the page {}",
                    page.len()
                );
            }
        }
    }
}

#[tokio::test]
async fn every_kind_of_series_has_its_page() {
    let cabinet = good_day();
    for (name, series, words) in [
        (
            "gauge",
            "sensors/28-0316a2795c1a/temperature",
            ["Temperature · 28-…5c1a", "Minimum", "class=\"unusable\""],
        ),
        (
            "counter",
            "sensors/meter/energy",
            ["Energy · meter", "Growth", "class=\"hold\""],
        ),
        (
            "state",
            "sensors/meter/door-open",
            ["Door open · meter", "Condition", "class=\"y words\""],
        ),
    ] {
        for (lang, span) in [("en", "-1h"), ("uk", "-15m"), ("ru", "-24h")] {
            let address = format!("/chart?series={series}&from={span}&lang={lang}");
            let page = page(&cabinet, &address).await;
            write(&format!("chart-{name}-{lang}"), &page);
            assert!(
                page.contains("<path class=") && page.contains("<th scope=\"row\">"),
                "{address}"
            );
            assert!(
                page.len() < WEIGHT_MAX / 2,
                "{address}: {} bytes",
                page.len()
            );
            if lang == "en" {
                for word in words {
                    assert!(page.contains(word), "{address}: {word}");
                }
            }
        }
    }
}

/// Relative luminance of `#rrggbb` or `#rgb`, by WCAG 2.
fn luminance(colour: [f64; 3]) -> f64 {
    let linear = colour.map(|c| {
        let c = c / 255.0;
        if c <= 0.04045 {
            c / 12.92
        } else {
            ((c + 0.055) / 1.055).powf(2.4)
        }
    });
    0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
}

fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// A variable of a colour scheme: the first block of the style is light, the second dark.
fn colour(style: &str, scheme: usize, name: &str) -> [f64; 3] {
    let block = style.split(":root{").nth(scheme + 1).unwrap();
    let hex = block.split(&format!("--{name}:#")).nth(1).unwrap();
    let hex: String = hex.chars().take_while(char::is_ascii_hexdigit).collect();
    let full = if hex.len() == 3 {
        hex.chars().flat_map(|c| [c, c]).collect()
    } else {
        hex
    };
    [0, 2, 4].map(|at| f64::from(u8::from_str_radix(&full[at..at + 2], 16).unwrap()))
}

/// What can be read in the sun: WCAG AA wants 4.5 for texts and 3 for what is drawn.
#[tokio::test]
async fn texts_can_be_read_in_the_sun() {
    let (_, style) = get_text(&fixture(), "/page.css").await;
    for scheme in [0, 1] {
        let of = |name: &str| colour(&style, scheme, name);
        for text in ["ink", "quiet", "ok", "grey", "amber", "red"] {
            for ground in ["bg", "card"] {
                let found = contrast(of(text), of(ground));
                assert!(
                    found >= 4.5,
                    "{text} on {ground} in scheme {scheme}: {found:.2}"
                );
            }
        }
        // The banner is the card with 9 % of the level in it.
        for level in ["amber", "red"] {
            let (level, card) = (of(level), of("card"));
            let banner = [0, 1, 2].map(|n| card[n] * 0.91 + level[n] * 0.09);
            for text in [level, of("ink")] {
                assert!(
                    contrast(text, banner) >= 4.5,
                    "{level:?} in scheme {scheme}"
                );
            }
        }
        assert!(contrast(of("data"), of("card")) >= 3.0, "scheme {scheme}");
    }
}
