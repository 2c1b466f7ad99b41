//! One model for everything that takes time, asked by HTTP, cloud or SMS alike.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value as Json;

use crate::{Instance, Invalid, Problem, Timestamp};

/// The longest operation id.
const ID_MAX: usize = 64;
/// The longest name of an operation.
const NAME_MAX: usize = 32;

/// Whether this may be what a service is asked for: 1 to 32 characters of `a-z 0-9 - _`.
pub fn is_operation_name(text: &str) -> bool {
    let allowed = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    !text.is_empty() && text.len() <= NAME_MAX && text.bytes().all(allowed)
}

/// Names an operation; chosen by whoever asks, the same id is the same operation.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, max_length = 64))]
pub struct OperationId(String);

impl OperationId {
    /// Checks and keeps an id: 1 to 64 characters of `A-Z a-z 0-9 - _`.
    pub fn new(text: &str) -> Result<Self, Invalid> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        if text.is_empty() || text.len() > ID_MAX || !text.bytes().all(allowed) {
            return Err(Invalid::Name {
                what: "operation id",
                max: ID_MAX,
                alphabet: "A-Z, a-z, 0-9, - and _",
            });
        }
        Ok(Self(text.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for OperationId {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::new(text)
    }
}

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for OperationId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for OperationId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(&text).map_err(de::Error::custom)
    }
}

/// A request: the message on `tm/v1/cmd/<service>/<op>`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Command {
    /// Names the operation; repeating it gives the stored result.
    pub id: OperationId,
    /// What to do it with; the shape belongs to the operation.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = serde_json::Value))]
    pub args: Json,
    /// Milliseconds after receipt within which it must start.
    pub ttl_ms: u32,
    /// Who asks: `api`, `cloud`, `sms`, never a secret.
    pub issuer: String,
    /// When it was asked, by the asker's clock.
    pub issued_at: Timestamp,
}

/// How far an operation is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum OperationStatus {
    /// Stored by the executing service, not begun.
    Accepted,
    /// Under way.
    Running,
    /// Done.
    Succeeded,
    /// Ended without success: see the problem.
    Failed,
    /// Came too late to be started.
    Expired,
}

impl OperationStatus {
    /// Whether nothing more will come.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Expired)
    }
}

/// How an operation stands: the retained message on `tm/v1/res/<id>`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Operation {
    /// The id from the request.
    pub id: OperationId,
    /// Who executes it.
    pub service: Instance,
    /// What it is: `reset`, `reboot`…
    pub op: String,
    /// How far it is.
    pub status: OperationStatus,
    /// 0 to 100 while running; null when it cannot be told.
    pub progress_percent: Option<u8>,
    /// What came out, once succeeded.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<serde_json::Value>))]
    pub result: Option<Json>,
    /// What went wrong, once failed.
    pub problem: Option<Problem>,
    /// When it last changed.
    pub updated_at: Timestamp,
}
