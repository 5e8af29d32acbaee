//! One refresh of an account's tokens, from the intent on disk to the pair in the database.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use relay_core::clock::Timestamp;
use relay_core::credential::{Credential, SignOutCause, SignedOut, Tokens};
use relay_core::event::Event;
use relay_core::id::AccountId;
use relay_core::secret::Secret;
use relay_store::credential_log::{CredentialLog, CredentialLogError};
use relay_upstream::fault::Fault;
use relay_upstream::oauth::{self, Flow, Granted, TokenFault};

use super::{Held, is_good};
use crate::app::App;
use crate::roster::Member;

/// The pause after the database did not take what a refresh brought.
const STORE_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Failures in a row after which people are told, while the access token still serves.
const FAILURES_TOLD: u32 = 5;

/// Refreshes unless another did while this one waited for its turn.
pub(super) async fn one(
    app: &Arc<App>,
    member: &Arc<Member>,
    refused: Option<&Secret>,
) -> Result<Secret, Fault> {
    let keeper = &member.shared.keeper;
    let _turn = keeper.refreshing.lock().await;
    let _unfinished = app.unfinished.read().await;
    let now = app.now();
    if let Some(current) = keeper.current(now).filter(|secret| Some(secret) != refused) {
        return Ok(current);
    }
    let held = keeper.held.load_full();
    let Credential::Tokens(tokens) = &held.credential else {
        return Err(Fault::without_token("signed_out", None));
    };
    if held.signed_out.is_some() || tokens.refresh.is_none() {
        return Err(Fault::without_token("signed_out", None));
    }
    let pause = keeper.pause.lock().until;
    if pause > now {
        return Err(Fault::without_token("token_not_refreshed", Some(pause)));
    }
    exchange(app, member, &held, tokens).await
}

/// Asks the provider for the next pair: the intent stands on disk before, the pair before it is
/// used.
async fn exchange(
    app: &Arc<App>,
    member: &Arc<Member>,
    held: &Held,
    tokens: &Tokens,
) -> Result<Secret, Fault> {
    let (account, version) = (&member.account, held.version);
    let begun = on_disk(app, move |log, id| log.begin(id, version), member).await;
    if let Err(error) = begun {
        tracing::error!(account = %account.name, %error, "no token is refreshed: the disk does not take it");
        return Err(delayed(app, member, None, "the disk does not take the next pair"));
    }
    let endpoints = oauth::endpoints(account.kind, &account.oauth, Flow::Subscription);
    let outcome = oauth::refresh(&member.client, &endpoints, tokens, app.now()).await;
    match outcome {
        Ok(granted) => Ok(keep(app, member, version, granted).await),
        Err(TokenFault::Refused { said }) => {
            tracing::error!(account = %account.name, said, "the provider refused the refresh token");
            sign_out(app, member, held, SignOutCause::RefreshRefused);
            Err(Fault::without_token("signed_out", None))
        }
        Err(TokenFault::NotRefreshable) => Err(Fault::without_token("signed_out", None)),
        Err(TokenFault::Unavailable { status, retry_at, .. }) => {
            Err(delayed(app, member, retry_at, &format!("status {status}")))
        }
        Err(TokenFault::NotSent(fault)) => Err(delayed(app, member, None, &fault.to_string())),
        Err(TokenFault::Unclear { why }) => Err(delayed(app, member, None, &why)),
    }
}

/// The pair in place of that of version `from`: on disk, then in use, then on its way to the
/// database.
async fn keep(app: &Arc<App>, member: &Arc<Member>, from: i64, granted: Granted) -> Secret {
    let keeper = &member.shared.keeper;
    let tokens = granted.tokens;
    let pair = tokens.clone();
    let on_disk = on_disk(app, move |log, id| log.finish(id, from, &pair), member).await;
    if let Err(error) = on_disk {
        // The provider knows only the new pair by now: it serves, and the database gets it.
        tracing::error!(account = %member.account.name, %error, "the next pair is not on disk");
    }
    let access = tokens.access.clone();
    let version = from + 1;
    let next = Held { credential: Credential::Tokens(tokens.clone()), version, signed_out: None };
    // A sign-in that came meanwhile is newer than what was refreshed.
    keeper.held.rcu(|held| if held.version == from { next.clone() } else { Held::clone(held) });
    keeper.retry_now();
    tracing::info!(account = %member.account.name, "the access token was refreshed");
    tokio::spawn(store_pair(Arc::clone(app), Arc::clone(member), from, tokens));
    access
}

/// Brings the pair to the database, however long that is locked; a newer pair takes its place.
async fn store_pair(app: Arc<App>, member: Arc<Member>, from: i64, tokens: Tokens) {
    let id = member.account.id;
    while member.shared.keeper.version() == from + 1 {
        match app.store.adopt_refreshed(id, from, &tokens, app.now()).await {
            Err(error) if error.is_transient() => tokio::time::sleep(STORE_AGAIN_AFTER).await,
            Err(error) => {
                tracing::error!(%error, "the next pair is not in the database");
                return;
            }
            Ok(_) => return clear(&app, &member, from).await,
        }
    }
}

/// The database knows what came of the refresh of that version.
async fn clear(app: &App, member: &Member, version: i64) {
    let cleared = on_disk(app, move |log, id| log.clear(id, version), member).await;
    if let Err(error) = cleared {
        tracing::warn!(%error, "the record of a refresh stays on disk");
    }
}

/// The account has to be signed in again. Nothing is tried any more until it is.
fn sign_out(app: &Arc<App>, member: &Arc<Member>, held: &Held, cause: SignOutCause) {
    let (now, account) = (app.now(), member.account.id);
    let signed_out = SignedOut { at: now, cause };
    let out = Arc::new(Held { signed_out: Some(signed_out), ..held.clone() });
    let keeper = &member.shared.keeper;
    if keeper.version() != held.version {
        return;
    }
    keeper.held.store(out);
    app.outbox.emit(Event::AccountSignedOut { account, cause }, now);
    tokio::spawn(store_sign_out(Arc::clone(app), Arc::clone(member), held.version, signed_out));
}

async fn store_sign_out(app: Arc<App>, member: Arc<Member>, version: i64, signed_out: SignedOut) {
    while member.shared.keeper.version() == version {
        match app.store.sign_out(member.account.id, version, signed_out, app.now()).await {
            Err(error) if error.is_transient() => tokio::time::sleep(STORE_AGAIN_AFTER).await,
            Err(error) => {
                tracing::error!(%error, "a sign-out is not in the database");
                return;
            }
            Ok(_) => return clear(&app, &member, version).await,
        }
    }
}

/// A refresh that did not come through: it is tried again after a pause. That is no refusal.
fn delayed(app: &App, member: &Member, until: Option<Timestamp>, why: &str) -> Fault {
    let (now, keeper) = (app.now(), &member.shared.keeper);
    let failures = keeper.paused(until, now);
    tracing::warn!(account = %member.account.name, why, failures, "a token was not refreshed");
    let serves = keeper.tokens().is_some_and(|tokens| is_good(&tokens, now));
    if failures == if serves { FAILURES_TOLD } else { 1 } {
        let account = member.account.id;
        app.outbox.emit(Event::TokenNotRefreshed { account, why: why.to_owned() }, now);
    }
    Fault::without_token("token_not_refreshed", Some(keeper.pause.lock().until))
}

/// Writes to the log of refreshes, away from the threads that serve calls.
async fn on_disk(
    app: &App,
    write: impl FnOnce(&CredentialLog, AccountId) -> Result<(), CredentialLogError> + Send + 'static,
    member: &Member,
) -> anyhow::Result<()> {
    let (log, id) = (app.credentials.clone(), member.account.id);
    let written = tokio::task::spawn_blocking(move || write(&log, id)).await;
    Ok(written.context("the writer was stopped")??)
}
