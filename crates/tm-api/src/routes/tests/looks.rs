//! Whole cabinets as pages: a good day, nothing at all, the worst day, and who means harm.
//!
//! With `TM_LOOKS_DIR` set when the tests are built the pages are left there, to be looked at in a browser.

use super::cabinets::{bare, good_day, hostile, worst_day};
use super::*;

/// What the front page may weigh with everything it loads, uncompressed.
const WEIGHT_MAX: usize = 100_000;
fn write(name: &str, page: &str) {
    if let Some(directory) = option_env!("TM_LOOKS_DIR") {
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
            assert!(weight <= WEIGHT_MAX, "{name} {lang}: {weight} bytes");
            println!(
                "{name} {lang}: {weight} bytes, of them the page {}",
                page.len()
            );
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
