//! Everything that takes time: asked here, executed by a service, answered when it is done.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value as Json_;
use sha2::{Digest as _, Sha256};
use tm_types::{Instance, Operation, OperationId, Problem, code, is_operation_name};

use super::answers::{Forbidden, NotFound, Unavailable, Unreadable};
use super::asking::{ask, is_unavailable, location};
use crate::app::Shared;
use crate::error::ApiError;
use crate::extract::{Caller, Id, JsonBody};
use crate::token::Scope;
use crate::views::OperationsView;

/// Within what an operation must start when nobody says.
const TTL_MS: u32 = 30_000;
/// The longest `Idempotency-Key`.
const KEY_MAX: usize = 256;
/// Operations that change a configuration, whoever executes them.
const CONFIGURING: [&str; 2] = ["configure", "rollback"];

/// What shall be done, and by whom.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"service": "agent", "op": "restart", "args": {}, "ttl_ms": 30000}))]
pub(super) struct NewOperation {
    /// The service that does it, such as `agent`.
    service: Instance,
    /// What it does, such as `restart`: 1 to 32 characters of `a-z 0-9 - _`.
    #[schema(min_length = 1, max_length = 32)]
    op: String,
    /// What it does it with; the shape belongs to the operation.
    #[serde(default = "no_arguments")]
    #[schema(value_type = Object)]
    args: Json_,
    /// Milliseconds within which it must start, 1 to 86400000; 30000 when not given.
    #[serde(default = "usual_ttl")]
    #[schema(minimum = 1, maximum = 86_400_000)]
    ttl_ms: u32,
}

/// Operations asked for lately, newest first
#[utoipa::path(
    get, path = "/api/v1/operations", tag = "operations",
    responses(
        (status = 200, description = "The operations.", body = OperationsView),
    )
)]
pub(super) async fn list(State(app): State<Shared>) -> Json<OperationsView> {
    let operations = app.read(|world| world.operations.iter().rev().cloned().collect());
    Json(OperationsView { operations })
}

/// Ask for an operation
///
/// Answers `202` as soon as the service has accepted it; look at `Location` until its status is
/// final. A request repeated with the same `Idempotency-Key` is the same operation.
/// `configure` and `rollback` need the scope `config`.
#[utoipa::path(post, path = "/api/v1/operations", tag = "operations", security(("bearer" = ["operate"])),
    request_body(content = NewOperation, examples(
        ("reboot" = (summary = "Reboot the device", value = json!({"service": "agent", "op": "reboot", "args": {}, "ttl_ms": 30000}))),
        ("scan" = (summary = "Who answers on a Modbus port", value = json!({"service": "sensors", "op": "scan",
            "args": {"port": "tcp://192.168.1.10", "unit_ids": [1, 20], "function": "holding", "address": 0}}))),
        ("scan-serial" = (summary = "Who answers on an RS-485 line", value = json!({"service": "io", "op": "scan",
            "args": {"port": "usb-path:1-1.3", "unit_ids": [1, 20], "bauds": [9600, 19200], "parities": ["none", "even"]}}))),
        ("probe" = (summary = "Registers in every type, and the ready maps that fit", value = json!({"service": "sensors", "op": "probe",
            "args": {"port": "tcp://192.168.1.10", "unit_id": 1, "function": "input", "address": 0, "count": 8}}))),
    )),
    params(("Idempotency-Key" = Option<String>, Header, description = "Names the request, at most 256 characters.")),
    responses(
    (status = 202, description = "The service has it.", body = Operation, headers(("Location" = String, description = "Where to look at it."))),
    Unreadable,
    Forbidden,
    (status = 409, description = "`api.idempotency_key_reused`.", body = Problem, content_type = "application/problem+json"),
    Unavailable,
))]
pub(super) async fn create(
    State(app): State<Shared>,
    caller: Caller,
    headers: HeaderMap,
    body: Result<JsonBody<NewOperation>, ApiError>,
) -> Result<Response, ApiError> {
    // Whoever may not ask learns nothing of what could be asked.
    app.require(caller, Scope::Operate)?;
    let JsonBody(asked) = body?;
    check(&asked)?;
    if CONFIGURING.contains(&&*asked.op) {
        app.require(caller, Scope::Config)?;
    }
    let id = key(&headers)?;
    if let Some(id) = &id {
        let request = format!(
            "{}/{}/{}/{}",
            asked.service, asked.op, asked.args, asked.ttl_ms
        );
        if !app.write(|world| world.operations.claim(id, Sha256::digest(request).into())) {
            let cause = code::API_IDEMPOTENCY_KEY_REUSED.plain();
            return Err(ApiError::new(StatusCode::CONFLICT, cause));
        }
        if let Some(known) = app.read(|world| world.operations.get(id).cloned()) {
            if !is_unavailable(&known) {
                return Ok(accepted(&known));
            }
            app.write(|world| world.operations.forget(id));
        }
    }
    let ttl = Duration::from_millis(asked.ttl_ms.into());
    let operation = ask(&app, id, &asked.service, &asked.op, asked.args, ttl).await?;
    Ok(accepted(&operation))
}

/// How an operation stands
#[utoipa::path(
    get, path = "/api/v1/operations/{id}", tag = "operations",
    params(("id" = String, Path, description = "The id from `Location`.")),
    responses(
        (status = 200, description = "The operation.", body = Operation),
        NotFound,
    )
)]
pub(super) async fn show(
    State(app): State<Shared>,
    Id(id): Id,
) -> Result<Json<Operation>, ApiError> {
    let id: OperationId = id.parse().map_err(|_| ApiError::not_found())?;
    let operation = app.read(|world| world.operations.get(&id).cloned());
    operation.map(Json).ok_or_else(ApiError::not_found)
}

fn check(asked: &NewOperation) -> Result<(), ApiError> {
    if !is_operation_name(&asked.op) {
        return Err(ApiError::bad_field(
            "/op",
            "1 to 32 characters of a-z, 0-9, - and _",
        ));
    }
    if !asked.args.is_object() {
        return Err(ApiError::bad_field("/args", "an object"));
    }
    if !(1..=86_400_000).contains(&asked.ttl_ms) {
        return Err(ApiError::bad_field(
            "/ttl_ms",
            "a whole number from 1 to 86400000",
        ));
    }
    Ok(())
}

/// The id that an `Idempotency-Key` stands for; it may hold any text, an id may not.
fn key(headers: &HeaderMap) -> Result<Option<OperationId>, ApiError> {
    let Some(key) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    if key.is_empty() || key.len() > KEY_MAX {
        return Err(ApiError::bad_field(
            "Idempotency-Key",
            "1 to 256 characters",
        ));
    }
    let digest = URL_SAFE_NO_PAD.encode(&Sha256::digest(key.as_bytes())[..15]);
    let id = OperationId::new(&format!("key-{digest}"));
    Ok(Some(id.expect("base64url has the alphabet of an id")))
}

/// The answer for an operation that a service has.
pub(super) fn accepted(operation: &Operation) -> Response {
    let mut response = (StatusCode::ACCEPTED, Json(operation)).into_response();
    if let Ok(location) = HeaderValue::from_str(&location(&operation.id)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

fn no_arguments() -> Json_ {
    Json_::Object(serde_json::Map::new())
}

fn usual_ttl() -> u32 {
    TTL_MS
}
