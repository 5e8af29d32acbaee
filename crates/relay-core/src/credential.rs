//! What an account signs in by.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::secret::Secret;

/// What an account signs in by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// Nothing yet: a sign-in has to come first.
    Missing,
    /// An API key.
    ApiKey(Secret),
    /// What a sign-in with a subscription gave.
    Tokens(Tokens),
}

/// The tokens of a sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// Goes with each request.
    pub access: Secret,
    /// Buys the next pair; `None` for a setup token, which simply ends.
    pub refresh: Option<Secret>,
    /// When the access token ends; `None` if nobody said.
    pub expires_at: Option<Timestamp>,
    /// When the provider gave them; with `expires_at`, how long they live.
    pub obtained_at: Timestamp,
    /// The secret of the application that they were given to, where the provider wants it with each
    /// refresh and the account has one of its own.
    pub client_secret: Option<Secret>,
}

/// Why an account has to be signed in again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignOutCause {
    /// The provider refused the refresh token.
    RefreshRefused,
    /// The access token ended, and there is none to refresh it by.
    Expired,
}

impl SignOutCause {
    /// The word used in the database, logs and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RefreshRefused => "refresh_refused",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for SignOutCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RefreshRefused => "the provider refused the refresh token",
            Self::Expired => "the token ended and cannot be refreshed",
        })
    }
}

/// That an account has to be signed in again. The machine writes it, and only a sign-in (or other
/// tokens given by the operator) ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedOut {
    /// Since when.
    pub at: Timestamp,
    /// Why.
    pub cause: SignOutCause,
}

/// Whose sign-in it is, as the provider tells.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Identity {
    /// The e-mail address of the sign-in.
    pub email: String,
    /// The organisation.
    pub organisation: String,
    /// The plan, in the provider's own word, such as `claude_max`; empty if not told.
    pub plan: String,
    /// The tier of its limits, such as `default_claude_max_20x`; empty if not told.
    pub tier: String,
    /// The provider's own id of the account, where requests have to name it (`chatgpt-account-id`);
    /// empty if they do not.
    pub account: String,
    /// The Google Cloud project that the provider names for the sign-in; empty if it names none.
    pub project: String,
}
