//! The pages: documents that the server renders whole and a script keeps current.
//!
//! No framework, nothing from elsewhere, readable without the script. The front page tells the
//! present and the last hour, `/chart` one series in any span; `/live` is the changing parts of
//! the front page alone, which the script puts in place.

mod shell;

mod chart_body;
mod chart_page;
mod charts;
mod front;
mod pictures;
mod tiles;

mod chart;
mod plot;
mod runs;
mod scale;
mod table;

mod figure;
mod names;
mod zone;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use serde::Deserialize;
use tm_types::text::Language;

use crate::app::Shared;
use crate::error::ApiError;
use crate::extract::{Lang, Query};
use crate::labels::Labels;
use crate::views::{Level, Look, SeriesView, StatusView};
use shell::Shell;
use zone::Zone;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// The icon without its dot, which is coloured by the level.
const ICON: &str = include_str!("icon.svg");
/// How long a browser keeps style and script before it asks again.
const KEEP: &str = "max-age=300";

/// `/`, `/chart` and what they need.
pub(crate) fn router() -> Router<Shared> {
    let asset = |kind: &'static str, text: String| {
        let text: std::sync::Arc<str> = text.into();
        get(move || async move {
            let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, KEEP)];
            (headers, text.to_string()).into_response()
        })
    };
    let mut router = Router::new()
        .route("/", get(whole))
        .route("/live", get(live))
        .route("/chart", get(chart_page::whole))
        .route(
            "/page.css",
            asset("text/css; charset=utf-8", STYLE.to_owned()),
        )
        .route(
            "/page.js",
            asset("text/javascript; charset=utf-8", SCRIPT.to_owned()),
        )
        .route("/icon.svg", asset("image/svg+xml", ICON.to_owned()));
    for level in [Level::Ok, Level::Grey, Level::Amber, Level::Red] {
        let path = format!("/icon-{}.svg", shell::class(level));
        router = router.route(&path, asset("image/svg+xml", icon(level)));
    }
    router
}

/// The icon with a dot that tells the level.
fn icon(level: Level) -> String {
    let colour = match level {
        Level::Ok => return ICON.to_owned(),
        Level::Grey => "#a3aab2",
        Level::Amber => "#f5a623",
        Level::Red => "#e5372c",
    };
    let dot = format!(
        "<circle cx=\"24\" cy=\"24\" r=\"7\" fill=\"{colour}\" stroke=\"#fff\" stroke-width=\"2\"/></svg>"
    );
    ICON.trim_end().trim_end_matches("</svg>").to_owned() + &dot
}

/// What stands between tags and in quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

/// What the parts of the front page are made from.
#[derive(Clone, Copy)]
struct Page<'a> {
    look: Look<'a>,
    labels: &'static Labels,
    zone: &'a Zone,
    status: &'a StatusView,
    series: &'a [SeriesView],
}

impl Page<'_> {
    /// A moment in the device's zone.
    fn moment(&self, time: tm_types::Timestamp) -> String {
        self.zone
            .moment(time, self.look.now.time, self.look.language)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    part: Part,
}

/// A part of the front page.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Part {
    Now,
    Charts,
    Rest,
}

async fn whole(State(app): State<Shared>, Lang(language): Lang) -> Html<String> {
    Html(render(&app, language, |page| {
        let shell = Shell {
            language,
            device: &app.device,
            title: &front::title(page),
            level: page.status.level,
            address: "/",
            is_live: true,
        };
        shell.around(&front::body(page))
    }))
}

async fn live(
    State(app): State<Shared>,
    Lang(language): Lang,
    Query(wanted): Query<Wanted>,
) -> Result<Html<String>, ApiError> {
    let part = match wanted.part {
        Part::Now => front::now,
        Part::Charts => charts::all,
        Part::Rest => front::rest,
    };
    Ok(Html(render(&app, language, |page| {
        let mut out = String::with_capacity(16 * 1024);
        part(&mut out, page);
        out
    })))
}

fn render(app: &Shared, language: Language, make: impl FnOnce(&Page<'_>) -> String) -> String {
    let now = app.now();
    app.read(|world| {
        let look = Look {
            world,
            now,
            language,
        };
        make(&Page {
            look,
            labels: Labels::of(language),
            zone: &Zone::of(&app.device.timezone),
            status: &StatusView::new(look, &app.device, app.version),
            series: &SeriesView::all(look, None),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_is_text() {
        assert_eq!(escape("<b a='\"'>&"), "&lt;b a=&#39;&quot;&#39;&gt;&amp;");
    }

    #[test]
    fn the_assets_are_light_and_ask_nobody() {
        assert!(STYLE.len() + SCRIPT.len() + ICON.len() < 24_000);
        for asset in [STYLE, SCRIPT] {
            assert!(!asset.contains("http://") && !asset.contains("https://"));
        }
    }

    #[test]
    fn the_icon_tells_the_level() {
        assert_eq!(icon(Level::Ok), ICON);
        for level in [Level::Grey, Level::Amber, Level::Red] {
            let icon = icon(level);
            assert!(
                icon.ends_with("/></svg>") && icon.matches("</svg>").count() == 1,
                "{icon}"
            );
        }
    }
}
