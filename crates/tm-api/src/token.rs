//! Bearer tokens and what they allow.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};
use thiserror::Error;

/// What a token allows; each scope includes those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// See everything but identities.
    Read,
    /// Start operations.
    Operate,
    /// Change the configuration.
    Config,
    /// Everything, identities included.
    Admin,
}

/// Not one of the four scopes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("a scope is one of read, operate, config, admin")]
pub struct UnknownScope;

/// The token of a device for a scope, from the fleet's secret.
///
/// `base64url(HMAC-SHA256(seed, "tm-token-v1|<device>|<scope>"))` without padding, 43 characters:
/// whoever holds the seed makes it offline, the device checks it without having stored it.
pub fn derive_token(seed: &str, device: &str, scope: Scope) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(seed.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(format!("tm-token-v1|{device}|{scope}").as_bytes());
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}

/// The tokens that count on this device; only their digests are kept.
#[derive(Clone, Default)]
pub(crate) struct Tokens(Vec<(Scope, [u8; 32])>);

impl Tokens {
    /// The configured token (with every right) and those derived from the fleet's secret.
    pub(crate) fn new(token: Option<&str>, seed: Option<&str>, device: &str) -> Self {
        let mut tokens = Vec::new();
        if let Some(token) = token.filter(|token| !token.is_empty()) {
            tokens.push((Scope::Admin, digest(token)));
        }
        if let Some(seed) = seed.filter(|seed| !seed.is_empty()) {
            for scope in Scope::ALL {
                tokens.push((scope, digest(&derive_token(seed, device, scope))));
            }
        }
        Self(tokens)
    }

    /// Whether nothing can be changed because nobody can prove who he is.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What a token allows; `None` for an unknown one.
    ///
    /// Takes the same time for every token: it compares digests, all of them, in constant time.
    pub(crate) fn scope_of(&self, token: &str) -> Option<Scope> {
        let presented = digest(token);
        let mut found = 0u8;
        for (scope, known) in &self.0 {
            let equal: Choice = presented.ct_eq(known);
            found.conditional_assign(&(*scope as u8 + 1), equal);
        }
        Scope::ALL
            .into_iter()
            .find(|scope| *scope as u8 + 1 == found)
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokens({})", self.0.len())
    }
}

impl Scope {
    /// Every scope, weakest first.
    pub const ALL: [Self; 4] = [Self::Read, Self::Operate, Self::Config, Self::Admin];

    /// The name on the command line and in problems.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Config => "config",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = UnknownScope;
    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.as_str() == text)
            .ok_or(UnknownScope)
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_derived_token_never_changes() {
        // Frozen: printed tokens must work after every update. Computed with
        // `printf 'tm-token-v1|cab-1|operate' | openssl dgst -sha256 -hmac seed -binary | basenc --base64url`.
        assert_eq!(
            derive_token("seed", "cab-1", Scope::Operate),
            "2XoMTyJfzgwYn5siEVF0ZjIlJoVPsPleBgTfKpr-dFQ"
        );
    }

    #[test]
    fn tokens_give_their_scope_and_nothing_else() {
        let tokens = Tokens::new(Some("hand made"), Some("seed"), "cab-1");
        assert_eq!(tokens.scope_of("hand made"), Some(Scope::Admin));
        for scope in Scope::ALL {
            assert_eq!(
                tokens.scope_of(&derive_token("seed", "cab-1", scope)),
                Some(scope)
            );
            assert_eq!(tokens.scope_of(&derive_token("seed", "cab-2", scope)), None);
            assert_eq!(tokens.scope_of(&derive_token("soil", "cab-1", scope)), None);
        }
        for token in ["", "hand", "hand made ", "seed", "cab-1"] {
            assert_eq!(tokens.scope_of(token), None, "{token:?}");
        }
    }

    #[test]
    fn empty_is_unset() {
        assert!(Tokens::new(Some(""), Some(""), "cab-1").is_empty());
        assert!(Tokens::new(None, None, "cab-1").scope_of("").is_none());
    }

    #[test]
    fn debug_shows_no_secret() {
        let tokens = Tokens::new(Some("hand made"), None, "cab-1");
        assert_eq!(format!("{tokens:?}"), "Tokens(1)");
    }

    #[test]
    fn scopes_include_the_weaker() {
        assert!(Scope::Admin > Scope::Config && Scope::Config > Scope::Operate);
        assert!(Scope::Operate > Scope::Read);
        assert_eq!("operate".parse(), Ok(Scope::Operate));
        assert_eq!("root".parse::<Scope>(), Err(UnknownScope));
    }
}
