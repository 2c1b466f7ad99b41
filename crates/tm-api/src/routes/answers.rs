//! Problems that many addresses answer with, for the OpenAPI document.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

/// 400: a parameter or the body cannot be read.
pub(super) struct Unreadable;

/// 404: what the path names is not there.
pub(super) struct NotFound;

impl IntoResponses for Unreadable {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problem(
            "400",
            "`api.bad_request`: something cannot be read; `errors` names the field.",
        )
    }
}

impl IntoResponses for NotFound {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problem("404", "`api.not_found`: what the path names is not there.")
    }
}

/// 401 and 403: who asks may not.
pub(super) struct Forbidden;

impl IntoResponses for Forbidden {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let mut responses = problem("401", "`api.unauthorized`.");
        responses.extend(problem(
            "403",
            "`api.no_token_configured` or `api.forbidden`.",
        ));
        responses
    }
}

/// 503: the service that is asked is not there.
pub(super) struct Unavailable;

impl IntoResponses for Unavailable {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problem("503", "`service.unavailable`: the service does not answer.")
    }
}

fn problem(status: &str, description: &str) -> BTreeMap<String, RefOr<Response>> {
    let schema = Ref::from_schema_name("Problem");
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let response = ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", content)
        .build();
    BTreeMap::from([(status.to_owned(), response.into())])
}
