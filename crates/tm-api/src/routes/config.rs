//! The documents that services work by. A change is an operation of the service, which decides.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value as Json_, json};
use tm_types::{Instance, Operation, OperationStatus, Problem};

use super::answers::{Forbidden, NotFound, Unavailable, Unreadable};
use super::asking::{ask, standing};
use super::operations::accepted;
use super::state::view;
use crate::app::{App, Shared};
use crate::error::ApiError;
use crate::extract::{Caller, Document, Id, Lang, Query};
use crate::token::Scope;
use crate::views::{ConfigChangeView, ConfigView, ConfigsView};

/// Within what the service must begin.
const TTL: Duration = Duration::from_secs(5);
/// How long the end of a change is waited for; after it the client looks at the operation.
const END: Duration = Duration::from_secs(5);

#[derive(Deserialize, utoipa::ToSchema, Default, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Format {
    /// The document with what is known of it.
    #[default]
    Json,
    /// The document alone.
    Toml,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Show {
    /// `toml` for the document alone; `json` when not given.
    #[serde(default)]
    #[param(inline)]
    format: Format,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Change {
    /// Whether to say what would happen and change nothing.
    #[serde(default)]
    dry_run: bool,
}

/// Every service that works by a document
///
/// Revision, source and length of each document, without the document itself.
#[utoipa::path(
    get, path = "/api/v1/config", tag = "configuration",
    operation_id = "config_list",
    responses(
        (status = 200, description = "The services.", body = ConfigsView),
    )
)]
pub(super) async fn list(State(app): State<Shared>, Lang(language): Lang) -> Json<ConfigsView> {
    Json(view(&app, language, ConfigsView::new))
}

/// The document that a service works by
///
/// `sensors` and `io` work by a register map in TOML. `ETag` is its revision, for `If-Match`.
#[utoipa::path(
    get, path = "/api/v1/config/{service}", tag = "configuration",
    operation_id = "config_show",
    params(("service" = String, Path, description = "The service, such as `sensors`."), Show),
    responses(
        (status = 200, description = "The document in force.", body = ConfigView,
            headers(("ETag" = String, description = "The revision."))),
        Unreadable,
        NotFound,
    )
)]
pub(super) async fn show(
    State(app): State<Shared>,
    Id(service): Id,
    Query(show): Query<Show>,
) -> Result<Response, ApiError> {
    let service: Instance = service.parse().map_err(|_| ApiError::not_found())?;
    let now = app.now();
    let known = app.read(|world| {
        let known = world.services.get(&service)?;
        Some((known.config.clone()?, known.is_stale(&now)))
    });
    let (config, stale) = known.ok_or_else(ApiError::not_found)?;
    let revision = config.revision.clone();
    let response = match (show.format, &config.document) {
        (Format::Toml, Some(document)) => {
            let kind = [(header::CONTENT_TYPE, "application/toml")];
            (kind, document.clone()).into_response()
        }
        (Format::Toml, None) => return Err(ApiError::not_found()),
        (Format::Json, _) => Json(ConfigView {
            service,
            config,
            stale,
        })
        .into_response(),
    };
    Ok(with_etag(response, &revision))
}

/// Replace the document
///
/// The body is the TOML text, at most 60 KiB. It is validated whole: a mistake is `422` with the
/// line and the reason, and changes nothing. With `dry_run=true` a good one changes nothing either.
/// The document before is kept for the rollback.
#[utoipa::path(
    put, path = "/api/v1/config/{service}", tag = "configuration", security(("bearer" = ["config"])),
    operation_id = "config_replace",
    params(("service" = String, Path, description = "The service, such as `sensors`."), Change,
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the document that is to be replaced.")),
    request_body(content = String, content_type = "application/toml", description = "The document.",
        example = "[[device]]\nname = \"meter\"\nport = \"tcp://192.168.1.10\"\nunit_id = 1\n\n[[device.register]]\nname = \"voltage\"\nfunction = \"input\"\naddress = 0\ntype = \"f32\"\nunit = \"V\"\n"),
    responses(
    (status = 200, description = "It is in force, or would be.", body = ConfigChangeView, headers(("ETag" = String, description = "The new revision."))),
    (status = 202, description = "The service has it and is slow: look at `Location`.", body = Operation, headers(("Location" = String, description = "Where to look at it."))),
    Unreadable,
    Forbidden,
    (status = 404, description = "`operation.unknown`: the service has no such document.", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "`operation.busy`: another change is under way.", body = Problem, content_type = "application/problem+json"),
    (status = 412, description = "`config.revision_mismatch`: it was changed meanwhile.", body = Problem, content_type = "application/problem+json"),
    (status = 413, description = "`api.body_too_large`.", body = Problem, content_type = "application/problem+json"),
    (status = 415, description = "`api.bad_request`: not `application/toml`.", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "`sensors.map_refused`: `errors` names the line and the reason.", body = Problem, content_type = "application/problem+json"),
    Unavailable,
))]
pub(super) async fn replace(
    State(app): State<Shared>,
    caller: Caller,
    Id(service): Id,
    headers: HeaderMap,
    query: Result<Query<Change>, ApiError>,
    document: Result<Document, ApiError>,
) -> Result<Response, ApiError> {
    app.require(caller, Scope::Config)?;
    let Document(document) = document?;
    let args = json!({"document": document});
    change(&app, &service, "configure", args, &headers, &query?.0).await
}

/// Go back to the variables
///
/// Forgets the document that was given over the API: what the variables of the service say counts
/// again. The document is kept for the rollback.
#[utoipa::path(
    delete, path = "/api/v1/config/{service}", tag = "configuration", security(("bearer" = ["config"])),
    operation_id = "config_forget",
    params(("service" = String, Path, description = "The service, such as `sensors`."), Change,
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the document that is to be forgotten.")),
    responses(
    (status = 200, description = "It is done, or would be.", body = ConfigChangeView, headers(("ETag" = String, description = "The new revision."))),
    (status = 202, description = "The service has it and is slow: look at `Location`.", body = Operation, headers(("Location" = String, description = "Where to look at it."))),
    Unreadable,
    Forbidden,
    (status = 404, description = "`operation.unknown`: the service has no such document.", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "`operation.busy`, or `sensors.map_unreadable`: the file that a variable names cannot be read.", body = Problem, content_type = "application/problem+json"),
    (status = 412, description = "`config.revision_mismatch`: it was changed meanwhile.", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "`sensors.map_refused`: what the variables say is not valid.", body = Problem, content_type = "application/problem+json"),
    Unavailable,
))]
pub(super) async fn forget(
    State(app): State<Shared>,
    caller: Caller,
    Id(service): Id,
    headers: HeaderMap,
    query: Result<Query<Change>, ApiError>,
) -> Result<Response, ApiError> {
    app.require(caller, Scope::Config)?;
    let args = json!({"document": null});
    change(&app, &service, "configure", args, &headers, &query?.0).await
}

/// Go back to the document before
///
/// A second rollback goes forward again.
#[utoipa::path(
    post, path = "/api/v1/config/{service}/rollback", tag = "configuration", security(("bearer" = ["config"])),
    operation_id = "config_rollback",
    params(("service" = String, Path, description = "The service, such as `sensors`."), Change,
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the document that is to be replaced.")),
    responses(
    (status = 200, description = "It is in force, or would be.", body = ConfigChangeView, headers(("ETag" = String, description = "The new revision."))),
    (status = 202, description = "The service has it and is slow: look at `Location`.", body = Operation, headers(("Location" = String, description = "Where to look at it."))),
    Unreadable,
    Forbidden,
    (status = 404, description = "`operation.unknown`: the service has no such document.", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "`config.no_previous`: there is nothing to go back to; or `operation.busy`.", body = Problem, content_type = "application/problem+json"),
    (status = 412, description = "`config.revision_mismatch`: it was changed meanwhile.", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "`sensors.map_refused`: it is not valid any more.", body = Problem, content_type = "application/problem+json"),
    Unavailable,
))]
pub(super) async fn rollback(
    State(app): State<Shared>,
    caller: Caller,
    Id(service): Id,
    headers: HeaderMap,
    query: Result<Query<Change>, ApiError>,
) -> Result<Response, ApiError> {
    app.require(caller, Scope::Config)?;
    change(&app, &service, "rollback", json!({}), &headers, &query?.0).await
}

/// Asks the service for the change and waits for its end.
async fn change(
    app: &App,
    service: &str,
    op: &str,
    mut args: Json_,
    headers: &HeaderMap,
    change: &Change,
) -> Result<Response, ApiError> {
    let service: Instance = service.parse().map_err(|_| ApiError::not_found())?;
    args["dry_run"] = json!(change.dry_run);
    if let Some(expected) = expected(headers)? {
        args["expected_revision"] = json!(expected);
    }
    let operation = ask(app, None, &service, op, args, TTL).await?;
    let end = standing(app, &operation.id, END, |operation| {
        operation.status.is_final()
    })
    .await;
    let Some(end) = end else {
        return Ok(accepted(&operation));
    };
    if let Some(problem) = end.problem {
        return Err(ApiError::of_problem(problem));
    }
    let result = end.result.unwrap_or_default();
    let changed = serde_json::from_value::<ConfigChangeView>(result);
    match changed {
        Ok(changed) if end.status == OperationStatus::Succeeded => {
            let revision = changed.revision.clone();
            let response = Json(changed).into_response();
            Ok(if change.dry_run {
                response
            } else {
                with_etag(response, &revision)
            })
        }
        // Of another version of the service: what it says is at the operation.
        _ => Ok(accepted(&operation)),
    }
}

/// The revision of `If-Match`; none when whichever is in force may be replaced.
fn expected(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(header) = headers.get(header::IF_MATCH) else {
        return Ok(None);
    };
    let text = header.to_str().unwrap_or("").trim();
    if text == "*" {
        return Ok(None);
    }
    let inner = text.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
    match inner {
        Some(revision) if !revision.is_empty() && !revision.contains('"') => {
            Ok(Some(revision.to_owned()))
        }
        _ => Err(ApiError::bad_field("If-Match", "one ETag in quotes, or *")),
    }
}

fn with_etag(mut response: Response, revision: &str) -> Response {
    if let Ok(etag) = HeaderValue::from_str(&format!("\"{revision}\"")) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    debug_assert_eq!(response.status(), StatusCode::OK);
    response
}
