use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Cause;
use crate::text::{self, Language};

/// What is wrong with one field of a request.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldError {
    /// JSON pointer or parameter name.
    pub pointer: String,
    /// What is wrong with it.
    pub detail: String,
    /// The line of a document where it is wrong, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
}

/// An error as RFC 9457 has it (`application/problem+json`), with a stable code.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// Where the code is explained, on this device: `/docs/problems#<code>`.
    #[serde(rename = "type")]
    pub type_uri: String,
    /// The sentence of the code, without this occurrence's details.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The sentence for this occurrence, and what to do.
    pub detail: String,
    /// The request's path, or the operation's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The stable code: match on this, never on the text.
    pub code: String,
    /// Which fields are wrong, where that can be told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// What the sentence names, for who tells it in another language; only with operations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub args: BTreeMap<String, String>,
}

impl Problem {
    /// The problem of a cause, told in `language`.
    pub fn of_cause(cause: &Cause, status: u16, language: Language) -> Self {
        let sentence = text::sentence(language, cause);
        let title = sentence
            .split_once(". ")
            .map_or(&*sentence, |(first, _)| first);
        Self {
            type_uri: format!("/docs/problems#{}", cause.code),
            title: title.trim_end_matches('.').to_owned(),
            status,
            instance: None,
            code: cause.code.clone(),
            errors: Vec::new(),
            args: BTreeMap::new(),
            detail: sentence,
        }
    }
}
