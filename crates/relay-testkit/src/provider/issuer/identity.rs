//! Whose tokens are issued, and what an id token tells of their owner.

use relay_core::clock::Timestamp;
use serde_json::{Value, json};

use super::access::email;
use super::book::Grant;
use crate::format::Family;
use crate::oauth_others::unsigned_jwt;

/// Whose sign-in it is, each with an endpoint and customs of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Realm {
    /// Claude's: JSON or forms, refresh tokens rotate.
    #[default]
    Claude,
    /// ChatGPT's: forms, refresh tokens rotate, an id token names the account.
    ChatGpt,
    /// Google's: forms with a client secret, refresh tokens stay.
    Google,
}

impl Realm {
    /// The path of the endpoint where tokens are had.
    pub(in crate::provider) const fn token_path(self) -> &'static str {
        match self {
            Self::Claude => "/v1/oauth/token",
            Self::ChatGpt => "/oauth/token",
            Self::Google => "/token",
        }
    }

    /// Whose tokens are had at this path.
    pub(super) fn of_path(path: &str) -> Option<Self> {
        // The first fits what the second fits, and so on: their order matters.
        let all = [Self::Claude, Self::ChatGpt, Self::Google];
        all.into_iter().find(|realm| path.ends_with(realm.token_path()))
    }

    /// By the name that scripts give it; none is Claude's.
    pub(in crate::provider) fn named(name: Option<&str>) -> Option<Self> {
        match name {
            None | Some("claude") => Some(Self::Claude),
            Some("chatgpt") => Some(Self::ChatGpt),
            Some("google") => Some(Self::Google),
            Some(_) => None,
        }
    }

    /// Whose tokens open what this family serves; no sign-in opens OpenAI's own API.
    pub(super) const fn opening(family: Family) -> Option<Self> {
        match family {
            Family::Anthropic => Some(Self::Claude),
            Family::Codex => Some(Self::ChatGpt),
            Family::Google => Some(Self::Google),
            Family::OpenAi => None,
        }
    }
}

/// The id by which ChatGPT knows an owner's account.
pub(super) fn account_of(owner: &str) -> String {
    format!("account-{owner}")
}

/// The id token that comes with a grant, unsigned; Claude gives none.
pub(super) fn id_token(grant: &Grant, now: Timestamp) -> Option<String> {
    let owner = &grant.owner;
    let mut claims = json!({
        "sub": format!("user-{owner}"), "email": email(owner), "email_verified": true,
        "name": owner, "iat": now.as_millis() / 1_000,
        "exp": grant.expires_at.as_millis() / 1_000,
    });
    match grant.realm {
        Realm::Claude => return None,
        Realm::ChatGpt => {
            claims["iss"] = "https://auth.openai.com".into();
            claims["https://api.openai.com/auth"] = json!({
                "chatgpt_account_id": account_of(owner), "chatgpt_plan_type": "plus",
                "chatgpt_user_id": format!("user-{owner}"),
                "organizations": [{"id": format!("org-{owner}"), "is_default": true}],
            });
        }
        Realm::Google => claims["iss"] = "https://accounts.google.com".into(),
    }
    Some(unsigned_jwt(&claims))
}

/// What Google's userinfo page tells of an owner.
pub(super) fn userinfo(owner: &str) -> Value {
    json!({"id": format!("user-{owner}"), "email": email(owner), "verified_email": true, "name": owner})
}
