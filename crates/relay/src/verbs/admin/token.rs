//! Admin tokens: what scripts sign in by.

use std::str::FromStr;

use relay_core::clock::Timestamp;
use relay_core::secret::Secret;
use relay_store::Store;
use relay_store::admin_tokens::{AdminToken, NewAdminToken, Scope};
use relay_store::vault::generate_key;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::verbs::name::checked_name;
use crate::verbs::{Thing, VerbError, moment};

/// What every token begins with.
pub const PREFIX: &str = "crsadm_";
/// What the id of a token begins with.
const ID_MARK: &str = "tok_";
/// How many tokens there may be.
const TOKENS_MAX: i64 = 1_000;

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScopeView {
    /// Everything that changes nothing.
    Read,
    /// Everything.
    Write,
    /// The figures at `/metrics`.
    Metrics,
}

/// A token, as every door shows it: never the token itself.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TokenView {
    /// Its id.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Its last four characters.
    pub tail: String,
    /// What it is good for.
    pub scopes: Vec<ScopeView>,
    /// Who made it.
    pub created_by: String,
    /// When.
    #[serde(serialize_with = "moment::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// From when it is refused.
    #[serde(serialize_with = "moment::serialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// Whether it is refused already.
    pub expired: bool,
    /// When it was last used, to the minute.
    #[serde(serialize_with = "moment::serialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<Timestamp>,
}

/// A token to be made.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// What it is called; unique.
    pub name: String,
    /// What it is good for.
    pub scopes: Vec<ScopeView>,
    /// From when it is refused.
    pub expires_at: Option<Timestamp>,
}

/// What a token is found by.
pub fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Makes a token. Its text is given this once.
pub async fn add(
    store: &Store,
    new: NewToken,
    created_by: &str,
    now: Timestamp,
) -> Result<(TokenView, Secret), VerbError> {
    let name = checked_name(&new.name)?;
    let refuse = |why: &str| Err(VerbError::Invalid(why.into()));
    if read_id(&name).is_some() {
        return Err(VerbError::Invalid(format!("the name {name:?} has the form of an id")));
    }
    let mut scopes = new.scopes;
    scopes.sort_unstable();
    scopes.dedup();
    if scopes.is_empty() {
        return refuse("a token is good for one thing at least: read, write or metrics");
    }
    if new.expires_at.is_some_and(|at| at <= now) {
        return refuse("the moment at which it ends is over");
    }
    if store.count_admin_tokens().await? >= TOKENS_MAX {
        return Err(VerbError::Invalid(format!("there are at most {TOKENS_MAX} tokens")));
    }
    let secret = generate_key(PREFIX);
    let kept = NewAdminToken {
        name,
        hash: hash(secret.expose()),
        tail: secret.last_four().to_owned(),
        scopes: scopes.into_iter().map(Scope::from).collect(),
        created_by: created_by.to_owned(),
        expires_at: new.expires_at,
    };
    let id = store.add_admin_token(&kept, now).await?;
    Ok((show(store, &format!("{ID_MARK}{id}"), now).await?, secret))
}

/// Every token, in the order in which they were made.
pub async fn list(store: &Store, now: Timestamp) -> Result<Vec<TokenView>, VerbError> {
    let tokens = store.admin_tokens().await?;
    Ok(tokens.into_iter().map(|token| TokenView::of(token, now)).collect())
}

/// The token of that id or name.
pub async fn show(store: &Store, which: &str, now: Timestamp) -> Result<TokenView, VerbError> {
    find(store, which).await.map(|token| TokenView::of(token, now))
}

/// Removes a token: it is refused from now on.
pub async fn remove(store: &Store, which: &str, now: Timestamp) -> Result<TokenView, VerbError> {
    let token = find(store, which).await?;
    if store.remove_admin_token(token.id).await? {
        Ok(TokenView::of(token, now))
    } else {
        Err(VerbError::not_found(Thing::Token, which))
    }
}

async fn find(store: &Store, which: &str) -> Result<AdminToken, VerbError> {
    let id = read_id(which);
    let is_it = |token: &AdminToken| id.map_or(token.name == which, |id| token.id == id);
    let found = store.admin_tokens().await?.into_iter().find(is_it);
    found.ok_or_else(|| VerbError::not_found(Thing::Token, which))
}

fn read_id(text: &str) -> Option<i64> {
    text.strip_prefix(ID_MARK)?.parse().ok()
}

impl TokenView {
    fn of(token: AdminToken, now: Timestamp) -> Self {
        Self {
            id: format!("{ID_MARK}{}", token.id),
            name: token.name,
            tail: token.tail,
            scopes: token.scopes.into_iter().map(ScopeView::from).collect(),
            created_by: token.created_by,
            created_at: token.created_at,
            expires_at: token.expires_at,
            expired: token.expires_at.is_some_and(|at| at <= now),
            last_used_at: token.last_used_at,
        }
    }
}

impl FromStr for ScopeView {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "read" => Ok(Self::Read),
            "write" => Ok(Self::Write),
            "metrics" => Ok(Self::Metrics),
            _ => Err("the scopes are read, write and metrics".to_owned()),
        }
    }
}

impl From<Scope> for ScopeView {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Read => Self::Read,
            Scope::Write => Self::Write,
            Scope::Metrics => Self::Metrics,
        }
    }
}

impl From<ScopeView> for Scope {
    fn from(scope: ScopeView) -> Self {
        match scope {
            ScopeView::Read => Self::Read,
            ScopeView::Write => Self::Write,
            ScopeView::Metrics => Self::Metrics,
        }
    }
}
