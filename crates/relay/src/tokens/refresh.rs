//! One refresh of an account's tokens, from the intent on disk to the pair in the database.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use relay_core::clock::Timestamp;
use relay_core::credential::{Credential, Identity, SignOutCause, SignedOut, Tokens};
use relay_core::event::Event;
use relay_core::id::AccountId;
use relay_core::protocol::Service;
use relay_core::secret::Secret;
use relay_store::StoreError;
use relay_store::credential_log::{CredentialLog, CredentialLogError, Pending, Stage};
use relay_upstream::fault::Fault;
use relay_upstream::oauth::{self, Flow, Granted, TokenFault};

use super::{ENDED_AGAIN_AFTER, Held, is_good};
use crate::app::App;
use crate::metrics::Refresh;
use crate::roster::Member;

/// The pause after the database did not take what a refresh brought.
const STORE_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The pause where it is not the database's being away that keeps the pair out of it.
const STORE_MENDED_AFTER: Duration = Duration::from_mins(1);

/// The pause where there is no application as which the provider could be asked.
const REGISTERED_AGAIN_AFTER: Duration = Duration::from_mins(10);

/// Why no token of Google's is refreshed without one.
const NO_CLIENT: &str = "GEMINI_OAUTH_CLIENT_ID and GEMINI_OAUTH_CLIENT_SECRET are not set, without \
                         which Google refreshes no token";

/// Whether the record of refreshes has a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnDisk {
    Yes,
    No,
}

/// A pair on its way to the database, and the version that it replaces.
struct Pair {
    from: i64,
    tokens: Tokens,
    on_disk: OnDisk,
    /// Whose it is, as far as the tokens say so.
    identity: Identity,
}

/// Refreshes unless another did while this one waited for its turn.
pub(super) async fn one(
    app: &Arc<App>,
    member: &Arc<Member>,
    refused: Option<&Secret>,
) -> Result<Secret, Fault> {
    let keeper = &member.shared.keeper;
    let _turn = keeper.refreshing.lock().await;
    let now = app.now();
    // A server that stops waits for what is under way, and nothing is begun any more.
    let Ok(_unfinished) = app.unfinished.try_read() else {
        return Err(Fault::without_token("token_not_refreshed", Some(now)));
    };
    // A call may hold what the account was before an edit; one that was removed is let be.
    let Some(member) = app.roster.find(member.account.id) else { return Err(signed_out()) };
    if let Some(current) = keeper.current(now).filter(|secret| Some(secret) != refused) {
        return Ok(current);
    }
    let held = keeper.held.load_full();
    let Credential::Tokens(tokens) = &held.credential else { return Err(signed_out()) };
    if held.signed_out.is_some() || tokens.refresh.is_none() {
        return Err(signed_out());
    }
    if let Some(until) = keeper.paused_until(now) {
        return Err(Fault::without_token("token_not_refreshed", Some(until)));
    }
    exchange(app, &member, &held, tokens).await
}

fn signed_out() -> Fault {
    Fault::without_token("signed_out", None)
}

/// Takes over what the last run left on disk and could not bring to the database, which is away.
pub fn resume(app: &Arc<App>) {
    let pending = match app.credentials.pending() {
        Ok(pending) => pending,
        Err(error) => {
            tracing::error!(%error, "the record of refreshes cannot be read");
            return;
        }
    };
    for Pending { account, stage } in pending {
        let (Stage::Finished { version: from, tokens }, Some(member)) =
            (stage, app.roster.find(account))
        else {
            continue;
        };
        if member.shared.keeper.renew(from, &tokens) {
            let identity = Identity::default();
            let pair = Pair { from, tokens, on_disk: OnDisk::Yes, identity };
            tokio::spawn(store_pair(Arc::clone(app), member, pair));
        }
    }
}

/// Tells people of a token that has ended and cannot be refreshed.
pub fn tell_of_end(app: &Arc<App>, member: &Arc<Member>) {
    let (now, keeper) = (app.now(), &member.shared.keeper);
    let version = keeper.version();
    if keeper.has_ended(now) {
        tracing::error!(account = %member.account.name, "the account's token has ended");
        sign_out(app, member, version, SignOutCause::Expired);
    }
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
    let endpoints = oauth::endpoints(account.kind, &account.oauth, Flow::Subscription)
        .registered(&app.settings.gemini_oauth, tokens.client_secret.as_ref());
    if endpoints.lacks_registration() {
        // Nothing is asked: the token may be good, and the settings change with a restart alone.
        let later = app.now().plus(REGISTERED_AGAIN_AFTER);
        return Err(Fault {
            word: "no_oauth_client",
            ..delayed(app, member, Some(later), NO_CLIENT)
        });
    }
    let begun = on_disk(app, move |log, id| log.begin(id, version), member).await;
    if let Err(error) = begun {
        tracing::error!(account = %account.name, %error, "no token is refreshed: the disk does not take it");
        return Err(delayed(app, member, None, "the disk does not take the next pair"));
    }
    let outcome = oauth::refresh(&member.client, &endpoints, tokens, app.now()).await;
    match outcome {
        Ok(granted) => Ok(keep(app, member, version, granted).await),
        Err(TokenFault::Refused { said }) => {
            tracing::error!(account = %account.name, said, "the provider refused the refresh token");
            sign_out(app, member, version, SignOutCause::RefreshRefused);
            Err(signed_out())
        }
        Err(TokenFault::NotRefreshable) => Err(signed_out()),
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
    let Granted { tokens, identity } = granted;
    let on_disk = note_pair(app, member, from, &tokens).await;
    keeper.renew(from, &tokens);
    let now = app.now();
    if is_good(&tokens, now) {
        keeper.retry_now();
    } else {
        keeper.pause(Some(now.plus(ENDED_AGAIN_AFTER)), now);
        tracing::warn!(account = %member.account.name, "the provider gave a token that has ended");
    }
    // A sign-in that came meanwhile is newer than what was refreshed.
    let current = keeper.current(now).unwrap_or_else(|| tokens.access.clone());
    app.metrics.refreshed(member.account.id, Refresh::Done);
    tracing::info!(account = %member.account.name, "the access token was refreshed");
    let pair = Pair { from, tokens, on_disk, identity };
    tokio::spawn(store_pair(Arc::clone(app), Arc::clone(member), pair));
    current
}

/// Writes a pair to the disk.
async fn note_pair(app: &App, member: &Member, from: i64, tokens: &Tokens) -> OnDisk {
    let pair = tokens.clone();
    match on_disk(app, move |log, id| log.finish(id, from, &pair), member).await {
        Ok(()) => OnDisk::Yes,
        Err(error) => {
            // The provider knows only the new pair by now: it serves, and is written in time.
            tracing::error!(account = %member.account.name, %error, "the next pair is not on disk");
            OnDisk::No
        }
    }
}

/// Brings the pair to the database, however long that is locked; a newer pair takes its place.
async fn store_pair(app: Arc<App>, member: Arc<Member>, mut pair: Pair) {
    let (id, from) = (member.account.id, pair.from);
    while member.shared.keeper.version() == from + 1 && app.roster.find(id).is_some() {
        if pair.on_disk == OnDisk::No {
            pair.on_disk = note_pair(&app, &member, from, &pair.tokens).await;
        }
        match app.store.adopt_refreshed(id, from, &pair.tokens, app.now()).await {
            Err(error) => wait_for_the_store(&error).await,
            Ok(_) => break,
        }
    }
    clear(&app, &member, from).await;
    // Claude tells whose a sign-in is when asked, and more of it.
    if member.account.kind.service() != Service::Claude {
        super::project::note(&app, &member, from + 1, pair.identity).await;
    }
}

async fn wait_for_the_store(error: &StoreError) {
    let pause = if error.is_transient() {
        STORE_AGAIN_AFTER
    } else {
        tracing::error!(%error, "a credential is not in the database");
        STORE_MENDED_AFTER
    };
    tokio::time::sleep(pause).await;
}

/// The database knows what came of the refresh of that version, or nobody wants to know any more.
async fn clear(app: &App, member: &Member, version: i64) {
    let is_removed = app.roster.find(member.account.id).is_none();
    let clear = move |log: &CredentialLog, id| {
        if is_removed { log.forget(id) } else { log.clear(id, version) }
    };
    if let Err(error) = on_disk(app, clear, member).await {
        tracing::warn!(%error, "the record of a refresh stays on disk");
    }
}

/// The account has to be signed in again. Nothing is tried any more until it is.
fn sign_out(app: &Arc<App>, member: &Arc<Member>, version: i64, cause: SignOutCause) {
    let signed_out = SignedOut { at: app.now(), cause };
    // If somebody signed in meanwhile, all that is left to do is to drop the intent.
    if member.shared.keeper.sign_out(version, signed_out) {
        app.metrics.signed_out(member.account.id, cause);
    }
    tokio::spawn(store_sign_out(Arc::clone(app), Arc::clone(member), version, signed_out));
}

/// Brings a sign-out to the database, with the event that tells of it.
async fn store_sign_out(app: Arc<App>, member: Arc<Member>, version: i64, signed_out: SignedOut) {
    let (id, keeper) = (member.account.id, &member.shared.keeper);
    while keeper.version() == version && app.roster.find(id).is_some() {
        // The database may still lack the pair that is of no use now.
        if let Some(tokens) = keeper.tokens()
            && let Err(error) = app.store.adopt_refreshed(id, version - 1, &tokens, app.now()).await
        {
            wait_for_the_store(&error).await;
            continue;
        }
        match app.store.sign_out(id, version, signed_out, app.now()).await {
            Err(error) => wait_for_the_store(&error).await,
            Ok(_) => break,
        }
    }
    clear(&app, &member, version).await;
}

/// A refresh that did not come through: it is tried again after a pause. That is no refusal.
fn delayed(app: &App, member: &Member, stated: Option<Timestamp>, why: &str) -> Fault {
    let (now, keeper) = (app.now(), &member.shared.keeper);
    let (until, failures) = keeper.pause(stated, now);
    app.metrics.refreshed(member.account.id, Refresh::Delayed);
    tracing::warn!(account = %member.account.name, why, failures, "a token was not refreshed");
    if keeper.is_to_be_told(now) {
        let account = member.account.id;
        app.outbox.emit(Event::TokenNotRefreshed { account, why: why.to_owned() }, now);
    }
    Fault::without_token("token_not_refreshed", Some(until))
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
