//! Signing in to an account: a link for a person to agree at, and the code that they bring back.
//!
//! Both halves are verbs of their own, as the second may come minutes later and by another door.
//! Between them only the process holds the sign-in; nothing is stored before the code is good.

use std::sync::Arc;

use relay_core::account::{Account, AccountKind, OauthSettings};
use relay_core::clock::Timestamp;
use relay_core::credential::{Credential, Identity, Tokens};
use relay_core::id::AccountId;
use relay_core::protocol::Service;
use relay_core::proxy::Proxy;
use relay_core::secret::Secret;
use relay_store::Store;
use relay_store::accounts::{AccountChange, NewAccount, StoredAccount};
use relay_upstream::client::{Client, ConnectionFault};
use relay_upstream::oauth::{
    self, Endpoints, Flow, Granted, Holder, InquiryFault, PastedCodeError, Pkce, Registration,
    TokenFault,
};
use rustls::ClientConfig;

use super::{add, change_found, check, check_addition, find};
use crate::verbs::{Thing, VerbError};

/// A sign-in that has begun: the secrets by which it ends, and for which account.
#[derive(Debug)]
pub struct Login {
    target: Target,
    endpoints: Endpoints,
    pkce: Pkce,
    /// What is kept beside the tokens: the settings' own secret is not.
    client_secret: Option<Secret>,
}

/// How a sign-in is begun.
#[derive(Debug)]
pub struct SignIn {
    /// What it is to give.
    pub flow: Flow,
    /// Its secrets.
    pub pkce: Pkce,
    /// The application of the settings, as which Google is asked.
    pub registration: Registration,
    /// The secret of an application of the account's own, as which its client id names it.
    pub client_secret: Option<Secret>,
}

impl SignIn {
    fn begin(
        self,
        target: Target,
        kind: AccountKind,
        settings: &OauthSettings,
    ) -> Result<Login, VerbError> {
        if self.flow == Flow::SetupToken && kind != AccountKind::ClaudeOauth {
            let why = "there are setup tokens for accounts of the kind claude-oauth alone";
            return Err(VerbError::Invalid(why.to_owned()));
        }
        let endpoints = oauth::endpoints(kind, settings, self.flow)
            .registered(&self.registration, self.client_secret.as_ref());
        if endpoints.lacks_registration() {
            return Err(VerbError::Invalid(NO_CLIENT.to_owned()));
        }
        let client_secret = self.client_secret.filter(|_| kind == AccountKind::GeminiOauth);
        Ok(Login { target, endpoints, pkce: self.pkce, client_secret })
    }
}

/// Why nobody can be asked to sign in with Google, and what to do about it.
const NO_CLIENT: &str = "Google wants to know as which application it is asked: set \
    GEMINI_OAUTH_CLIENT_ID and GEMINI_OAUTH_CLIENT_SECRET (the values that Gemini CLI publishes in \
    its source, packages/core/src/code_assist/oauth2.ts, work), or give the account its own with \
    --client-id and --client-secret-file";

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

    /// Whose page it is.
    pub const fn service(&self) -> Service {
        self.endpoints.provider
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
    mut how: SignIn,
) -> Result<Login, VerbError> {
    let stored = find(store, id_or_name).await?;
    let account = stored.account;
    refuse_keys(account.kind, &account.name)?;
    if how.client_secret.is_none()
        && let Credential::Tokens(tokens) = stored.credential
    {
        how.client_secret = tokens.client_secret;
    }
    how.begin(Target::Existing(account.id), account.kind, &account.oauth)
}

/// Begins a sign-in to an account that is added when it is done. What would keep it from being
/// added is told now, before anybody opens a page.
pub async fn login_begin_new(
    store: &Store,
    mut new: NewAccount,
    groups: &[String],
    how: SignIn,
) -> Result<Login, VerbError> {
    refuse_keys(new.kind, &new.name)?;
    let groups = check_addition(store, &mut new, groups).await?;
    let (kind, settings) = (new.kind, new.oauth.clone());
    how.begin(Target::New(Box::new(new), groups), kind, &settings)
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
    let place = place(store, &login.target).await?;
    let client = Client::new(tls, place.proxy.as_ref());
    let granted = oauth::exchange(&client, &login.endpoints, &login.pkce, &code, now);
    let Granted { mut tokens, identity } = granted.await.map_err(LoginError::of)?;
    tokens.client_secret.clone_from(&login.client_secret);
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
        match place.identify(&client, &tokens.access, now).await {
            Ok(told) => known = oauth::completed(told, &known),
            // The tokens told it already, and nobody was asked.
            Err(_) if !known.account.is_empty() => {}
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

/// Where the account is, and its own way out, as they are set now.
struct Place {
    kind: AccountKind,
    proxy: Option<Proxy>,
    base_url: String,
    project: Option<String>,
}

async fn place(store: &Store, target: &Target) -> Result<Place, VerbError> {
    match target {
        Target::New(new, _) => Ok(Place {
            kind: new.kind,
            proxy: new.proxy.clone(),
            base_url: new.base_url.clone(),
            project: new.project.clone(),
        }),
        Target::Existing(id) => {
            let found = store.account(*id).await?;
            let account =
                found.ok_or_else(|| VerbError::not_found(Thing::Account, &id.to_string()))?.account;
            let Account { kind, proxy, base_url, project, .. } = account;
            Ok(Place { kind, proxy, base_url, project })
        }
    }
}

impl Place {
    /// Whose the sign-in is. One to Code Assist that has no project is given one, unless the
    /// operator named one.
    async fn identify(
        &self,
        client: &Client,
        access: &Secret,
        now: Timestamp,
    ) -> Result<Identity, InquiryFault> {
        let project = self.project.as_deref().unwrap_or_default();
        let (kind, base_url) = (self.kind, self.base_url.as_str());
        let holder = Holder { kind, base_url, access, account: "", project };
        if kind == AccountKind::GeminiOauth && project.is_empty() {
            return oauth::code_assist(client, &holder, now).await;
        }
        oauth::identity(client, &holder, now).await
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

/// The version that the tokens of a sign-in got; none if they have been replaced already.
pub(super) async fn version(
    store: &Store,
    id: AccountId,
    tokens: &Tokens,
) -> Result<Option<i64>, VerbError> {
    let ours = |stored: &StoredAccount| match &stored.credential {
        Credential::Tokens(stored) => stored.access == tokens.access,
        Credential::Missing | Credential::ApiKey(_) => false,
    };
    Ok(store.account(id).await?.filter(ours).map(|stored| stored.credential_version))
}

pub(super) async fn note_identity(
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
