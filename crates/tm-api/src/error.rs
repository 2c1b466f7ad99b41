//! Answers that say what is wrong: RFC 9457 problems with a stable code.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tm_types::text::Language;
use tm_types::{Cause, FieldError, Problem, code};

/// Why a request is not answered as asked. Never carries an inner cause.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    cause: Cause,
    errors: Vec<FieldError>,
    instance: Option<String>,
    retry_after_s: Option<u64>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, cause: Cause) -> Self {
        Self {
            status,
            cause,
            errors: Vec::new(),
            instance: None,
            retry_after_s: None,
        }
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, code::API_NOT_FOUND.plain())
    }

    /// The request as a whole cannot be read.
    pub(crate) fn unreadable(status: StatusCode, detail: impl std::fmt::Display) -> Self {
        Self::new(status, code::API_BAD_REQUEST.with("detail", detail))
    }

    /// One field of the request is wrong.
    pub(crate) fn bad_field(pointer: &str, detail: &str) -> Self {
        let mut error =
            Self::unreadable(StatusCode::BAD_REQUEST, format_args!("{pointer}: {detail}"));
        error.errors.push(FieldError {
            pointer: pointer.to_owned(),
            detail: detail.to_owned(),
            line: None,
        });
        error
    }

    /// What a service says of an operation that it refused.
    pub(crate) fn of_problem(problem: Problem) -> Self {
        let status =
            StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let cause = Cause {
            code: problem.code,
            args: problem.args,
        };
        let errors = match (cause.args.get("line"), cause.args.get("reason")) {
            (Some(line), Some(reason)) => vec![FieldError {
                pointer: "/document".to_owned(),
                detail: reason.clone(),
                line: line.parse().ok(),
            }],
            _ => problem.errors,
        };
        Self {
            errors,
            ..Self::new(status, cause)
        }
    }

    /// The document that was sent is wrong in this line.
    pub(crate) fn bad_line(line: u64, detail: &str) -> Self {
        let mut error = Self::bad_field("/document", detail);
        for wrong in &mut error.errors {
            wrong.line = Some(line);
        }
        error
    }

    /// The same with where its subject can be looked at, instead of the request's path.
    pub(crate) fn about(mut self, instance: String) -> Self {
        self.instance = Some(instance);
        self
    }

    /// The same with how long to wait.
    pub(crate) fn retry_after_s(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// Its status and sentence, for a page instead of a problem.
    pub(crate) fn told(&self, language: Language) -> (StatusCode, String) {
        (self.status, tm_types::text::sentence(language, &self.cause))
    }

    /// The problem as the client gets it.
    pub(crate) fn problem(self, path: &str, language: Language) -> Response {
        let mut problem = Problem::of_cause(&self.cause, self.status.as_u16(), language);
        problem.instance = Some(self.instance.unwrap_or_else(|| path.to_owned()));
        problem.errors = self.errors;
        let body = serde_json::to_vec(&problem).expect("a problem has only string keys");
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, json);
        let language = match language {
            Language::En => "en",
            Language::Uk => "uk",
            Language::Ru => "ru",
        };
        headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language));
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer realm=\"tm-server\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl IntoResponse for ApiError {
    /// Leaves the text to `present`, which knows the path and the reader's language.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
