//! The API explained on the device itself: Swagger UI and the list of problems.

use std::fmt::Write as _;

use axum::Router;
use axum::response::{Html, Redirect};
use axum::routing::get;
use tm_types::text::{Language, sentence};
use tm_types::{Cause, code};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::app::Shared;
use crate::extract::Lang;
use crate::labels::Labels;
use crate::page::escape;

/// `/docs/` and `/docs/problems`.
pub(crate) fn router() -> Router<Shared> {
    // `validator_url("none")`: the badge would ask validator.swagger.io.
    let config = Config::new(["/openapi.json"])
        .validator_url("none")
        .try_it_out_enabled(true)
        .display_request_duration(true)
        .use_base_layout();
    Router::new()
        .merge(SwaggerUi::new("/docs").config(config))
        .route("/docs/problems", get(problems))
        .route(
            "/docs/problems/",
            get(async || Redirect::permanent("/docs/problems")),
        )
}

/// Every code with its sentence: where the `type` of a problem leads.
async fn problems(Lang(language): Lang) -> Html<String> {
    let labels = Labels::of(language);
    let mut rows = String::new();
    for code in code::ALL {
        let text = explanation(language, code.as_str());
        // Writing to a string cannot fail.
        let _ = write!(
            rows,
            "<dt id=\"{code}\"><code>{code}</code></dt><dd>{}</dd>",
            escape(&text)
        );
    }
    Html(format!(
        "<!doctype html><html lang=\"{lang}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{title}</title><link rel=\"icon\" href=\"/icon.svg\"><link rel=\"stylesheet\" href=\"/page.css\"></head>\
         <body class=\"text\"><main><h1>{title}</h1><dl>{rows}</dl>\
         <p><a href=\"/\">{home}</a> · <a href=\"/docs/\">API</a></p></main></body></html>",
        lang = labels.lang,
        title = labels.problems,
        home = labels.home,
    ))
}

/// The sentence with the names of its arguments left in it.
fn explanation(language: Language, code: &str) -> String {
    let plain = Cause {
        code: code.to_owned(),
        args: std::collections::BTreeMap::new(),
    };
    sentence(language, &plain).replace('?', "…")
}
