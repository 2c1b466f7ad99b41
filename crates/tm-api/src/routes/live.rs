//! For machines that watch machines: liveness, readiness, metrics.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde::Serialize;
use tm_types::text::Language;

use super::state::view;
use crate::app::Shared;
use crate::metrics;

/// Whether the API is ready to answer from what it heard.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Readiness {
    /// Whether both parts below are true.
    ready: bool,
    /// Whether the local broker is connected.
    bus_connected: bool,
    /// Whether at least one service has reported.
    services_heard: bool,
}

/// Whether this process answers
#[utoipa::path(get, path = "/healthz", tag = "machines", responses((status = 200, description = "It does.", body = String)))]
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether the API has something to tell
#[utoipa::path(get, path = "/readyz", tag = "machines", responses((status = 200, description = "It has.", body = Readiness), (status = 503, description = "It has not heard the services yet.", body = Readiness)))]
pub(super) async fn readyz(State(app): State<Shared>) -> (StatusCode, Json<Readiness>) {
    let (bus_connected, services_heard) = app.read(|world| {
        (
            world.is_connected,
            world.services.values().any(|s| s.health.is_some()),
        )
    });
    let ready = bus_connected && services_heard;
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        Json(Readiness {
            ready,
            bus_connected,
            services_heard,
        }),
    )
}

/// Everything as Prometheus metrics
///
/// Each series is `tm_point{source,name,unit}`; a point without a usable value is left out.
#[utoipa::path(get, path = "/metrics", tag = "machines", responses((status = 200, description = "OpenMetrics text.", body = String, content_type = "application/openmetrics-text")))]
pub(super) async fn metrics(State(app): State<Shared>) -> impl IntoResponse {
    let text = view(&app, Language::En, |look| {
        metrics::encode(look, app.version)
    });
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text)
}
