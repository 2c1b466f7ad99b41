//! Every address of the API. A route and its documentation are one statement.

mod answers;
mod asking;
mod config;
pub(crate) mod history;
mod live;
mod operations;
mod state;
mod stream;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use tm_types::code;
use tower_http::compression::CompressionLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::{self, Shared};
use crate::error::ApiError;
use crate::extract::BODY_MAX;
use crate::{docs, openapi, page};

/// The documented addresses and their document.
pub(crate) fn documented() -> (Router<Shared>, OpenApi) {
    OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(state::status))
        .routes(routes!(state::modems))
        .routes(routes!(state::modem))
        .routes(routes!(state::modem_signal))
        .routes(routes!(state::modem_messages))
        .routes(routes!(state::modem_usage))
        .routes(routes!(state::gnss))
        .routes(routes!(state::gnss_fix))
        .routes(routes!(state::gnss_satellites))
        .routes(routes!(state::sensors))
        .routes(routes!(state::sensor))
        .routes(routes!(state::sensor_readings))
        .routes(routes!(state::series))
        .routes(routes!(state::series_latest))
        .routes(routes!(state::uplink))
        .routes(routes!(state::uplink_queue))
        .routes(routes!(state::alarms))
        .routes(routes!(state::events))
        .routes(routes!(state::system))
        .routes(routes!(state::system_time))
        .routes(routes!(history::history))
        .routes(routes!(stream::stream))
        .routes(routes!(operations::list, operations::create))
        .routes(routes!(operations::show))
        .routes(routes!(config::list))
        .routes(routes!(config::show, config::replace, config::forget))
        .routes(routes!(config::rollback))
        .routes(routes!(live::healthz))
        .routes(routes!(live::readyz))
        .routes(routes!(live::metrics))
        .split_for_parts()
}

/// The whole API: documented addresses, pages and documentation, with every guard around them.
pub(crate) fn router(app: Shared) -> Router {
    let (documented, document) = documented();
    let document: Arc<str> = openapi::json(&document).into();
    let json = move || {
        let document = Arc::clone(&document);
        async move {
            (
                [(header::CONTENT_TYPE, "application/json")],
                document.to_string(),
            )
        }
    };
    documented
        .merge(page::router())
        .merge(docs::router())
        .route("/openapi.json", get(json))
        .fallback(async || ApiError::not_found())
        .method_not_allowed_fallback(async || {
            let cause = code::API_METHOD_NOT_ALLOWED.plain();
            ApiError::new(StatusCode::METHOD_NOT_ALLOWED, cause)
        })
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(from_fn_with_state(Arc::clone(&app), app::authenticate))
        .layer(from_fn(app::present))
        .layer(CompressionLayer::new())
        .with_state(app)
}

#[cfg(test)]
mod tests;
