//! What was measured.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use tm_types::{Problem, SeriesId, code};

use crate::app::Shared;
use crate::error::ApiError;
use crate::extract::Query;
use crate::history::{ROWS_MAX, RangeError, Step};
use crate::span::{moment, span, usual_step};
use crate::views::{HistoryView, Table};

/// Span of an answer when nobody says from when.
const SPAN: Duration = Duration::from_hours(1);
/// Rows of an answer at most when nobody says how fine.
const ROWS_USUAL: u64 = 360;
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Question {
    /// The series, such as `modem/1/rsrp`.
    series: SeriesId,
    /// Start, included: RFC 3339, or before now such as `-24h`; an hour before the end when not
    /// given. Units are `s`, `m`, `h`, `d`.
    from: Option<String>,
    /// End, excluded: RFC 3339, or before now such as `-1h`; now when not given.
    to: Option<String>,
    /// Length of a row such as `60`, `30s`, `5m`, `1h`; `raw` for every point; when not given as
    /// fine as gives at most 360 rows.
    step: Option<String>,
    /// Columns wanted, separated by commas, such as `mean,max`; all when not given.
    agg: Option<String>,
    /// `json`, `csv` or `ndjson`, for who cannot send `Accept`, such as a link in a page.
    #[param(inline)]
    format: Option<Format>,
}

/// How an answer is written.
#[derive(Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    /// One object, in columns.
    Json,
    /// RFC 4180 with a header line.
    Csv,
    /// One object a line.
    Ndjson,
}

/// A series between two moments
///
/// Aggregated by its kind: a gauge has minimum, mean and maximum, a counter its growth with
/// resets, a state the time spent in each condition. Steps begin at multiples since 1970, so that
/// a row is the same in every answer; steps without points have no row. As JSON in columns, with
/// `Accept: text/csv` or `format=csv` as CSV, with `Accept: application/x-ndjson` or
/// `format=ndjson` as one object a line.
/// An answer has at most 5000 rows; the problem `history.too_many_points` names the step that works.
#[utoipa::path(get, path = "/api/v1/history", tag = "series", params(Question), responses(
    (status = 200, description = "The rows.", content((HistoryView = "application/json"), (String = "text/csv"), (String = "application/x-ndjson"))),
    (status = 400, description = "A parameter cannot be read, or `history.too_many_points`.", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "`history.unknown_series`.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn history(
    State(app): State<Shared>,
    headers: HeaderMap,
    Query(question): Query<Question>,
) -> Result<Response, ApiError> {
    let now = app.now().time;
    let to = moment("to", question.to.as_deref(), now)?.unwrap_or(now);
    let before = i64::try_from(SPAN.as_millis()).unwrap_or(0);
    let from = moment("from", question.from.as_deref(), now)?.unwrap_or(to.plus_ms(-before));
    if from > to {
        return Err(ApiError::bad_field("from", "a time before `to`"));
    }
    let step = match question.step.as_deref() {
        Some("raw") => Step::Raw,
        Some(text) => Step::Every(span(text).filter(|span| !span.is_zero()).ok_or_else(|| {
            ApiError::bad_field("step", "a span such as 30s, 5m or 1h, or the word raw")
        })?),
        None => Step::Every(usual_step(to.ms_since(from), ROWS_USUAL)),
    };
    let range = app
        .read(|world| world.history.range(&question.series, from, to, step, now))
        .map_err(refusal)?;
    let mut table = Table::new(range.rows.clone());
    if let Some(wanted) = question.agg.as_deref().filter(|wanted| !wanted.is_empty()) {
        let wanted: Vec<&str> = wanted.split(',').map(str::trim).collect();
        table.keep(&wanted).map_err(|unknown| {
            let names = table.names().join(", ");
            ApiError::bad_field("agg", &format!("{unknown} is not one of {names}"))
        })?;
    }
    let format = question.format.unwrap_or_else(|| accepted(&headers));
    let text = |kind: &'static str, body: String| ([(header::CONTENT_TYPE, kind)], body);
    Ok(match format {
        Format::Csv => text("text/csv; charset=utf-8", table.csv()).into_response(),
        Format::Ndjson => text("application/x-ndjson", table.ndjson()).into_response(),
        Format::Json => {
            let step_ms = match step {
                Step::Raw => None,
                Step::Every(step) => u64::try_from(step.as_millis()).ok(),
            };
            Json(HistoryView::new(
                question.series,
                (from, to),
                step_ms,
                &range,
                table,
            ))
            .into_response()
        }
    })
}

/// What the client says it takes.
fn accepted(headers: &HeaderMap) -> Format {
    let accept = headers.get(header::ACCEPT);
    let accept = accept.and_then(|value| value.to_str().ok()).unwrap_or("");
    if accept.contains("text/csv") {
        Format::Csv
    } else if accept.contains("application/x-ndjson") {
        Format::Ndjson
    } else {
        Format::Json
    }
}

pub(crate) fn refusal(error: RangeError) -> ApiError {
    match error {
        RangeError::UnknownSeries(series) => {
            let cause = code::HISTORY_UNKNOWN_SERIES.with("series", series);
            ApiError::new(StatusCode::NOT_FOUND, cause)
        }
        RangeError::TooManyPoints { rows, step_s } => {
            let cause = code::HISTORY_TOO_MANY_POINTS.with("count", rows);
            let cause = cause.and("limit", ROWS_MAX).and("step_s", step_s);
            ApiError::new(StatusCode::BAD_REQUEST, cause)
        }
    }
}
