//! What was measured.

use std::str::FromStr;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use tm_types::{Problem, SeriesId, Timestamp, code};

use crate::app::Shared;
use crate::error::ApiError;
use crate::extract::Query;
use crate::history::{ROWS_MAX, RangeError, Step};
use crate::views::{HistoryView, Table};

/// Span of an answer when nobody says from when.
const SPAN: Duration = Duration::from_hours(1);
/// Rows of an answer at most when nobody says how fine.
const ROWS_USUAL: u64 = 360;
/// Steps that fit into minutes, hours and days, in seconds.
const STEPS_S: [u64; 16] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 86_400,
];

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
}

/// A series between two moments
///
/// Aggregated by its kind: a gauge has minimum, mean and maximum, a counter its growth with
/// resets, a state the time spent in each condition. Steps begin at multiples since 1970, so that
/// a row is the same in every answer; steps without points have no row. As JSON in columns, with
/// `Accept: text/csv` as CSV, with `Accept: application/x-ndjson` as one object a line.
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
        None => Step::Every(usual_step(to.ms_since(from))),
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
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    let text = |kind: &'static str, body: String| ([(header::CONTENT_TYPE, kind)], body);
    Ok(if accept.contains("text/csv") {
        text("text/csv; charset=utf-8", table.csv()).into_response()
    } else if accept.contains("application/x-ndjson") {
        text("application/x-ndjson", table.ndjson()).into_response()
    } else {
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
    })
}

fn refusal(error: RangeError) -> ApiError {
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

/// RFC 3339, `now`, or `-` and a span.
fn moment(name: &str, text: Option<&str>, now: Timestamp) -> Result<Option<Timestamp>, ApiError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let time = match text.strip_prefix('-') {
        Some(before) => {
            span(before).and_then(|span| Some(now.plus_ms(-i64::try_from(span.as_millis()).ok()?)))
        }
        None if text == "now" => Some(now),
        // A bare `+` in a query means a space: `…12:00:00 02:00`.
        None => Timestamp::from_str(&text.replace(' ', "+")).ok(),
    };
    let expected = "a time such as 2026-11-22T10:00:00Z, or before now such as -24h";
    time.map(Some)
        .ok_or_else(|| ApiError::bad_field(name, expected))
}

/// Digits and `s`, `m`, `h` or `d`; bare digits are seconds.
fn span(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits
        .parse::<u64>()
        .ok()?
        .checked_mul(unit)
        .map(Duration::from_secs)
}

fn usual_step(span_ms: i64) -> Duration {
    let seconds = span_ms.max(0).unsigned_abs().div_ceil(1000);
    let fits = |step: &&u64| seconds.div_ceil(**step) <= ROWS_USUAL;
    let step = STEPS_S.iter().find(fits).copied();
    Duration::from_secs(step.unwrap_or_else(|| seconds.div_ceil(ROWS_USUAL)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_digits_and_a_unit() {
        let cases = [
            ("60", Some(60)),
            ("30s", Some(30)),
            ("5m", Some(300)),
            ("24h", Some(86_400)),
            ("7d", Some(604_800)),
            ("0", Some(0)),
            ("", None),
            ("m", None),
            ("-5m", None),
            ("1.5h", None),
            ("5w", None),
            ("99999999999999999999", None),
            ("5 m", None),
            ("9999999999999999d", None),
            ("+5", None),
        ];
        for (text, expected) in cases {
            assert_eq!(span(text), expected.map(Duration::from_secs), "{text:?}");
        }
    }

    #[test]
    fn moments_are_absolute_or_before_now() {
        let now = Timestamp::of_unix_ms(1_000_000_000_000);
        let at = |text: &str| moment("from", Some(text), now).ok().flatten();
        assert_eq!(at("now"), Some(now));
        assert_eq!(at("-90s"), Some(now.plus_ms(-90_000)));
        assert_eq!(at("2001-09-09T01:46:40Z"), Some(now));
        assert_eq!(at("2001-09-09T03:46:40 02:00"), Some(now));
        for text in ["yesterday", "-", "-x", "1000000000", "2001-09-09"] {
            assert_eq!(at(text), None, "{text}");
        }
    }

    #[test]
    fn the_usual_step_gives_few_rows() {
        for (span_s, step_s) in [
            (0, 1),
            (360, 1),
            (3600, 10),
            (86_400, 300),
            (400 * 86_400, 96_000),
        ] {
            assert_eq!(
                usual_step(span_s * 1000),
                Duration::from_secs(step_s),
                "{span_s}"
            );
        }
    }
}
