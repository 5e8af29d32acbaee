//! What tests get of the issuer: tokens of a login, and what became of refreshes.

use std::time::Instant;

use serde_json::{Value, json};

/// The tokens of a new login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedTokens {
    /// What calls are made with.
    pub access_token: String,
    /// What the next pair is had for, once.
    pub refresh_token: String,
    /// Who it is, as an unsigned JWT; empty if the sign-in gives none.
    pub id_token: String,
    /// When the access token expires, in milliseconds since the Unix epoch.
    pub expires_at_millis: i64,
}

/// A refresh as the issuer saw it.
#[derive(Debug, Clone)]
pub struct RefreshSeen {
    /// Whose login it was for; empty if the token was never issued.
    pub owner: String,
    /// The refresh token that it brought.
    pub refresh_token: String,
    /// What came of it.
    pub outcome: RefreshOutcome,
    /// When it arrived.
    pub at: Instant,
}

/// What came of a refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshOutcome {
    /// It waits at a gate, nothing is decided.
    Waiting,
    /// The tokens rotated, and the answer is on its way or was delivered whole.
    Granted,
    /// It was answered with an error of OAuth, `invalid_grant` in most cases.
    Refused,
    /// The tokens rotated, and the answer with the new ones did not reach the client.
    Lost,
    /// It was answered with an error of the server, or its client left before; nothing rotated.
    Failed,
}

impl IssuedTokens {
    /// The tokens as an operator hands them over: an object with `access_token`, `refresh_token`
    /// and `expires_at`, the latter in milliseconds since the Unix epoch.
    pub fn to_json(&self) -> String {
        self.to_value().to_string()
    }

    pub(in crate::provider) fn to_value(&self) -> Value {
        let mut tokens = json!({
            "access_token": self.access_token, "refresh_token": self.refresh_token,
            "expires_at": self.expires_at_millis,
        });
        if !self.id_token.is_empty() {
            tokens["id_token"] = self.id_token.as_str().into();
        }
        tokens
    }
}

impl RefreshSeen {
    pub(in crate::provider) fn to_json(&self) -> Value {
        let outcome = match self.outcome {
            RefreshOutcome::Waiting => "waiting",
            RefreshOutcome::Granted => "granted",
            RefreshOutcome::Refused => "refused",
            RefreshOutcome::Lost => "lost",
            RefreshOutcome::Failed => "failed",
        };
        let ago = u64::try_from(self.at.elapsed().as_millis()).unwrap_or(u64::MAX);
        json!({
            "owner": self.owner, "refresh_token": self.refresh_token, "outcome": outcome,
            "ago_ms": ago,
        })
    }
}
