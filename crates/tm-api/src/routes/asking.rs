//! Asking a service for an operation, and waiting for what it says.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::Value as Json;
use tm_types::{Instance, Operation, OperationId, OperationStatus, code};
use tokio::time::timeout;

use crate::app::App;
use crate::error::ApiError;

/// How long the first answer may take. The bus itself gives up after 2 s and says so.
const FIRST_ANSWER: Duration = Duration::from_secs(3);

/// Asks, and waits until the service has the operation.
pub(super) async fn ask(
    app: &App,
    id: Option<OperationId>,
    service: &Instance,
    op: &str,
    args: Json,
    ttl: Duration,
) -> Result<Operation, ApiError> {
    let id = (app.ask)(id, service, op, args, ttl);
    let operation = standing(app, &id, FIRST_ANSWER, |_| true).await;
    operation
        .filter(|operation| !is_unavailable(operation))
        .ok_or_else(|| {
            let cause = code::SERVICE_UNAVAILABLE.with("service", service);
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, cause).about(location(&id))
        })
}

/// How an operation stands, once that is as wished; none when it takes longer.
pub(super) async fn standing(
    app: &App,
    id: &OperationId,
    patience: Duration,
    is_wished: impl Fn(&Operation) -> bool,
) -> Option<Operation> {
    let mut changes = app.changes();
    let answer = async {
        loop {
            changes.mark_unchanged();
            let operation = app.read(|world| world.operations.get(id).cloned());
            if let Some(operation) = operation.filter(&is_wished) {
                return Some(operation);
            }
            changes.changed().await.ok()?;
        }
    };
    timeout(patience, answer).await.ok().flatten()
}

/// Whether nobody was there to take it.
pub(super) fn is_unavailable(operation: &Operation) -> bool {
    let code = operation
        .problem
        .as_ref()
        .map(|problem| problem.code.as_str());
    operation.status == OperationStatus::Failed && code == Some(code::SERVICE_UNAVAILABLE.as_str())
}

/// Where an operation is looked at.
pub(super) fn location(id: &OperationId) -> String {
    format!("/api/v1/operations/{id}")
}
