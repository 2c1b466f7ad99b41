//! What handlers take from a request; what cannot be read becomes a problem that names the field.

use axum::body::{Bytes, HttpBody as _};
use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri, header};
use serde::de::DeserializeOwned;
use tm_types::code;
use tm_types::text::Language;

use crate::error::ApiError;
use crate::token::Scope;

/// Bytes of a request's body that are read.
pub(crate) const BODY_MAX: usize = 64 * 1024;
/// Bytes of a document: the bus may escape each by a second one, and takes messages up to 128 KiB.
const DOCUMENT_MAX: usize = 60 * 1024;

/// Parameters after the `?`; `lang` belongs to every address and is left out here.
pub(crate) struct Query<T>(pub(crate) T);

/// A JSON body.
pub(crate) struct JsonBody<T>(pub(crate) T);

/// A TOML document, as text that fits a message of the bus.
pub(crate) struct Document(pub(crate) String);

/// The part of the path in braces.
pub(crate) struct Id(pub(crate) String);

/// The reader's language: `?lang=`, else `Accept-Language`, else English.
#[derive(Clone, Copy)]
pub(crate) struct Lang(pub(crate) Language);

/// Who asks: what his token allows, `None` without one. Put there by `authenticate`.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Caller {
    pub(crate) scope: Option<Scope>,
}

impl Lang {
    pub(crate) fn of(uri: &Uri, headers: &axum::http::HeaderMap) -> Language {
        let asked = uri
            .query()
            .and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("lang=")));
        match asked {
            Some("en") => Language::En,
            Some("uk") => Language::Uk,
            Some("ru") => Language::Ru,
            _ => {
                let header = headers.get(header::ACCEPT_LANGUAGE);
                let header = header.and_then(|header| header.to_str().ok()).unwrap_or("");
                Language::of_accept_language(header)
            }
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Lang {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(Self(Self::of(&parts.uri, &parts.headers)))
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(parts.extensions.get().copied().unwrap_or_default())
    }
}

impl<S: Sync + Send> FromRequestParts<S> for Id {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = axum::extract::Path::<String>::from_request_parts(parts, state).await;
        path.map(|path| Self(path.0))
            .map_err(|_| ApiError::not_found())
    }
}

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let pairs = parts.uri.query().unwrap_or("").split('&');
        let pairs: Vec<&str> = pairs.filter(|pair| !pair.starts_with("lang=")).collect();
        let uri: Uri = format!("/?{}", pairs.join("&"))
            .parse()
            .map_err(|_| ApiError::unreadable(StatusCode::BAD_REQUEST, "query"))?;
        axum::extract::Query::try_from_uri(&uri)
            .map(|query| Self(query.0))
            .map_err(|rejection| field_error(&rejection.body_text(), ""))
    }
}

impl<T: DeserializeOwned, S: Sync + Send> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let is_json = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| {
                value
                    .split(';')
                    .next()
                    .unwrap_or("")
                    .trim()
                    .ends_with("json")
            });
        if !is_json {
            let expected = "Content-Type: application/json";
            return Err(ApiError::unreadable(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                expected,
            ));
        }
        let bytes = body(request, state, BODY_MAX).await?;
        axum::Json::from_bytes(&bytes)
            .map(|json| Self(json.0))
            .map_err(|rejection| field_error(&rejection.body_text(), "/"))
    }
}

impl<S: Sync + Send> FromRequest<S> for Document {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let kind = request.headers().get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or("");
        let kind = kind.split(';').next().unwrap_or("").trim();
        if kind != "application/toml" && !kind.starts_with("text/") {
            let expected = "Content-Type: application/toml";
            return Err(ApiError::unreadable(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                expected,
            ));
        }
        let bytes = body(request, state, DOCUMENT_MAX).await?;
        let mut lines = (1..).zip(bytes.split(|byte| *byte == b'\n'));
        // TOML has none of these, and on the bus each takes six bytes.
        let is_bad = |byte: &u8| byte.is_ascii_control() && !matches!(byte, b'\t' | b'\r');
        if let Some((line, _)) = lines.find(|(_, line)| line.iter().any(is_bad)) {
            return Err(ApiError::bad_line(line, "a control character"));
        }
        String::from_utf8(bytes.into())
            .map(Self)
            .map_err(|_| ApiError::unreadable(StatusCode::BAD_REQUEST, "not UTF-8"))
    }
}

/// The whole body, at most `limit` bytes.
async fn body<S: Sync + Send>(
    request: Request,
    state: &S,
    limit: usize,
) -> Result<Bytes, ApiError> {
    // Whoever announces too much is not waited for.
    if request.body().size_hint().lower() > limit as u64 {
        return Err(too_large(limit));
    }
    let bytes = Bytes::from_request(request, state)
        .await
        .map_err(|rejection| match rejection {
            BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => {
                too_large(limit)
            }
            _ => ApiError::unreadable(StatusCode::BAD_REQUEST, "body"),
        })?;
    if bytes.len() > limit {
        return Err(too_large(limit));
    }
    Ok(bytes)
}

fn too_large(limit: usize) -> ApiError {
    let cause = code::API_BODY_TOO_LARGE.with("limit", limit);
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, cause)
}

/// The problem for a text such as `Failed to deserialize …: ttl_ms: invalid type: …`.
///
/// The path before the reason comes from serde_path_to_error, inside axum.
fn field_error(text: &str, root: &str) -> ApiError {
    let reason = text.split_once(": ").map_or(text, |(_, reason)| reason);
    let named = |text: &str| text.split('`').nth(1).map(str::to_owned);
    let (pointer, detail) = match reason.split_once(": ") {
        Some((path, detail)) if !path.contains(' ') => (Some(path.replace('.', "/")), detail),
        _ if reason.contains(" field `") => (named(reason), reason),
        _ => (None, reason),
    };
    match pointer {
        Some(pointer) => ApiError::bad_field(&format!("{root}{pointer}"), detail),
        None => ApiError::unreadable(StatusCode::BAD_REQUEST, detail),
    }
}
