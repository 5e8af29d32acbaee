//! Signing in to an account: a link for a person to agree at, and the code that they bring back.
//!
//! Both halves are verbs of their own, as the second may come minutes later and by another door.
//! Between them only the process holds the sign-in; nothing is stored before the code is good.

use std::sync::Arc;

use relay_core::account::AccountKind;
use relay_core::clock::Timestamp;
use relay_core::credential::{Credential, Identity, Tokens};
use relay_core::id::AccountId;
use relay_core::proxy::Proxy;
use relay_core::secret::Secret;
use relay_store::Store;
use relay_store::accounts::{AccountChange, NewAccount, StoredAccount};
use relay_upstream::client::{Client, ConnectionFault};
use relay_upstream::oauth::{self, Endpoints, Flow, Granted, PastedCodeError, Pkce, TokenFault};
use rustls::ClientConfig;

use super::{add, change_found, check, check_addition, find};
use crate::verbs::{Thing, VerbError};

/// A sign-in that has begun: the secrets by which it ends, and for which account.
#[derive(Debug)]
pub struct Login {
    target: Target,
    endpoints: Endpoints,
    pkce: Pkce,
}

/// Which account is signed in to.
#[derive(Debug)]
enum Target {
    /// One that there is; it keeps its id, its bindings and its history.
    Existing(AccountId),
    /// One that is added once the sign-in is done, to these groups.
    New(Box<NewAccount>, Vec<String>),
}

/// A sign-in that is done and stored.
#[derive(Debug)]
pub struct LoggedIn {
    /// The account.
    pub id: AccountId,
    /// Whether its token can be refreshed; a setup token cannot, and simply ends.
    pub can_refresh: bool,
    /// When the access token ends, if the provider said so.
    pub expires_at: Option<Timestamp>,
    /// Why the provider did not tell whose account it is, if it was asked. That is no fault of the
    /// sign-in.
    pub unidentified: Option<String>,
}

/// Why a sign-in did not come about. Nothing was stored.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The records or the account are in the way.
    #[error(transparent)]
    Verb(#[from] VerbError),
    /// What was pasted is not the code of this sign-in.
    #[error(transparent)]
    Pasted(#[from] PastedCodeError),
    /// The provider did not take the code.
    #[error(
        "the provider did not take the code ({0}): it is wrong, of another sign-in, used or too \
         old; begin again"
    )]
    Refused(String),
    /// The provider was not reached.
    #[error("the provider's sign-in was not reached: {0}; begin again")]
    NotReached(ConnectionFault),
    /// The provider did not want to, or its answer was lost.
    #[error("the code was not exchanged: {0}; begin again")]
    NotExchanged(TokenFault),
}

impl Login {
    /// The address at which a person agrees, and is given the code.
    pub fn url(&self) -> String {
        oauth::authorize_url(&self.endpoints, &self.pkce)
    }

    /// What the sign-in gives.
    pub const fn flow(&self) -> Flow {
        self.endpoints.flow
    }
}

/// Begins a sign-in to an account that there is.
pub async fn login_begin(
    store: &Store,
    id_or_name: &str,
    flow: Flow,
    pkce: Pkce,
) -> Result<Login, VerbError> {
    let account = find(store, id_or_name).await?.account;
    refuse_keys(account.kind, &account.name)?;
    let endpoints = oauth::endpoints(account.kind, &account.oauth, flow);
    Ok(Login { target: Target::Existing(account.id), endpoints, pkce })
}

/// Begins a sign-in to an account that is added when it is done. What would keep it from being
/// added is told now, before anybody opens a page.
pub async fn login_begin_new(
    store: &Store,
    mut new: NewAccount,
    groups: &[String],
    flow: Flow,
    pkce: Pkce,
) -> Result<Login, VerbError> {
    refuse_keys(new.kind, &new.name)?;
    let groups = check_addition(store, &mut new, groups).await?;
    let endpoints = oauth::endpoints(new.kind, &new.oauth, flow);
    Ok(Login { target: Target::New(Box::new(new), groups), endpoints, pkce })
}

/// Ends a sign-in: exchanges the code that a person pasted, by the account's own way out, and
/// stores what the provider gives. `tls` are the settings that every client of the relay has.
pub async fn login_finish(
    store: &Store,
    login: &Login,
    pasted: &Secret,
    tls: &Arc<ClientConfig>,
    now: Timestamp,
) -> Result<LoggedIn, LoginError> {
    let code = oauth::pasted_code(pasted.expose(), &login.pkce)?;
    let (proxy, base_url) = way(store, &login.target).await?;
    let client = Client::new(tls, proxy.as_ref());
    let granted = oauth::exchange(&client, &login.endpoints, &login.pkce, &code, now);
    let Granted { tokens, identity } = granted.await.map_err(LoginError::of)?;
    let id = keep(store, &login.target, &tokens, now).await?;
    // Now: by the time that the provider told whose it is, somebody else may have signed in.
    let version = version(store, id, &tokens).await;
    let mut done = LoggedIn {
        id,
        can_refresh: tokens.refresh.is_some(),
        expires_at: tokens.expires_at,
        unidentified: None,
    };
    let mut known = identity;
    // A setup token may ask for nothing but answers of models.
    if login.flow() == Flow::Subscription {
        match oauth::identity(&client, &base_url, &tokens.access, now).await {
            Ok(told) => known = completed(told, &known),
            Err(fault) => done.unidentified = Some(fault.to_string()),
        }
    }
    // The tokens are stored: from here on nothing is a failure of the sign-in.
    let noted = match version {
        Ok(Some(version)) => note_identity(store, (id, version), &known, now).await,
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = noted {
        done.unidentified.get_or_insert_with(|| error.to_string());
    }
    Ok(done)
}

impl LoginError {
    fn of(fault: TokenFault) -> Self {
        match fault {
            TokenFault::Refused { said } => Self::Refused(said),
            TokenFault::NotSent(fault) => Self::NotReached(fault),
            other => Self::NotExchanged(other),
        }
    }
}

fn refuse_keys(kind: AccountKind, name: &str) -> Result<(), VerbError> {
    if kind.is_oauth() {
        return Ok(());
    }
    let kind = kind.as_str();
    Err(VerbError::Invalid(format!(
        "{name} is of the kind {kind}, which has a key and is not signed in to: give it another \
         with crs account set and --secret-stdin"
    )))
}

/// The account's own way out, as it is set now, and where it is.
async fn way(store: &Store, target: &Target) -> Result<(Option<Proxy>, String), VerbError> {
    match target {
        Target::New(new, _) => Ok((new.proxy.clone(), new.base_url.clone())),
        Target::Existing(id) => {
            let found = store.account(*id).await?;
            let account =
                found.ok_or_else(|| VerbError::not_found(Thing::Account, &id.to_string()))?.account;
            Ok((account.proxy, account.base_url))
        }
    }
}

/// Stores the tokens, which exist nowhere else from here on.
async fn keep(
    store: &Store,
    target: &Target,
    tokens: &Tokens,
    now: Timestamp,
) -> Result<AccountId, VerbError> {
    let credential = check::credential(&Credential::Tokens(tokens.clone()))?;
    match target {
        Target::Existing(id) => {
            let change = AccountChange { credential: Some(credential), ..AccountChange::default() };
            change_found(store, *id, &change, now).await
        }
        Target::New(new, groups) => {
            let new = NewAccount { credential, ..NewAccount::clone(new) };
            add(store, new, groups, now).await
        }
    }
}

/// What the profile tells, and where it is silent what came with the tokens.
fn completed(told: Identity, granted: &Identity) -> Identity {
    let or = |told: String, granted: &str| if told.is_empty() { granted.to_owned() } else { told };
    Identity {
        email: or(told.email, &granted.email),
        organisation: or(told.organisation, &granted.organisation),
        ..told
    }
}

/// The version that the tokens of a sign-in got; none if they have been replaced already.
async fn version(store: &Store, id: AccountId, tokens: &Tokens) -> Result<Option<i64>, VerbError> {
    let ours = |stored: &StoredAccount| match &stored.credential {
        Credential::Tokens(stored) => stored.access == tokens.access,
        Credential::Missing | Credential::ApiKey(_) => false,
    };
    Ok(store.account(id).await?.filter(ours).map(|stored| stored.credential_version))
}

async fn note_identity(
    store: &Store,
    (id, version): (AccountId, i64),
    identity: &Identity,
    now: Timestamp,
) -> Result<(), VerbError> {
    if *identity != Identity::default() {
        store.set_identity(id, version, identity, now).await?;
    }
    Ok(())
}
