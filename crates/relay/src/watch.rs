//! Notices what the command line and other doors changed in the database, within a second.

use std::sync::Arc;
use std::time::Duration;

use relay_core::id::{AccountId, KeyId};
use relay_store::accounts::StoredAccount;
use relay_store::changes::{Change, Op, Subject};
use relay_store::keys::StoredKey;
use relay_store::{Store, StoreError};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use crate::app::App;
use crate::prices;
use crate::roster::{Edit, Member};
use crate::tallies::{self, Recounts};

/// How often the table of changes is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// How long somebody waits for an edit of theirs to be known.
const KNOWN_WITHIN: Duration = Duration::from_secs(2);
/// How often what calls left in memory is brought to the database.
const SAVE_EVERY: Duration = Duration::from_secs(5);
/// How often old rows are dropped.
const TIDY_EVERY: Duration = Duration::from_hours(1);
/// How long the table of changes remembers.
const CHANGES_KEPT: Duration = Duration::from_hours(7 * 24);
/// How long replaced secrets are remembered that do not work any more.
const OLD_SECRETS_KEPT: Duration = Duration::from_hours(7 * 24);
/// How long a key that comes back waits until the database has what the journal holds.
const RECORDS_WITHIN: Duration = Duration::from_secs(3);

/// How far the edits in the database are known to the server.
#[derive(Debug, Default)]
pub struct Edits {
    /// Rung by who has just made one.
    ring: Notify,
    /// The number of the last that was taken over.
    seen: watch::Sender<i64>,
}

impl Edits {
    /// Waits until all that is in the database by now is known, but not for long: what is not
    /// known then is with the next look.
    pub async fn known(&self, store: &Store) -> Result<(), StoreError> {
        let upto = store.latest_change().await?;
        self.ring.notify_one();
        let mut seen = self.seen.subscribe();
        let _ = timeout(KNOWN_WITHIN, seen.wait_for(|seen| *seen >= upto)).await;
        Ok(())
    }
}

/// Follows the changes after `seen`, for ever.
pub async fn run(app: Arc<App>, mut seen: i64) {
    let mut every = tokio::time::interval(LOOK_EVERY);
    let mut recounts = Recounts::default();
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = app.edits.ring.notified() => {}
        }
        match take_over(&app, seen, &mut recounts).await {
            Ok(upto) => {
                seen = upto;
                app.edits.seen.send_replace(upto);
            }
            // A locked database is looked at again; nothing is lost by that.
            Err(error) => tracing::debug!(%error, "changes were not read"),
        }
        let when = (&app.calendar, app.now());
        if let Err(error) = recounts.go_on(&app.store, &app.keys, when).await {
            tracing::debug!(%error, "weeks of keys were not counted anew; they are with the next");
        }
    }
}

async fn take_over(app: &App, seen: i64, recounts: &mut Recounts) -> Result<i64, StoreError> {
    let mut upto = seen;
    let mut subjects = Vec::new();
    for change in app.store.changes_since(seen).await? {
        match take_one(app, change, recounts).await {
            Err(error) if error.is_transient() => return Err(error),
            // What cannot be read must not keep later edits away.
            Err(error) => tracing::error!(%error, ?change, "an edit was not taken over"),
            Ok(()) => {}
        }
        upto = change.seq;
        if !subjects.contains(&change.subject) {
            subjects.push(change.subject);
        }
    }
    app.desk.changed(&subjects);
    Ok(upto)
}

async fn take_one(app: &App, change: Change, recounts: &mut Recounts) -> Result<(), StoreError> {
    match change.subject {
        Subject::Account => account(app, change).await,
        Subject::Key => key(app, change, recounts).await,
        Subject::Price => {
            let list = prices::load(&app.store).await?;
            app.prices.store(Arc::new(list));
            Ok(())
        }
        Subject::Setting => app.desk.read_site(&app.store).await,
        Subject::Group | Subject::Admin => Ok(()),
    }
}

async fn account(app: &App, change: Change) -> Result<(), StoreError> {
    let id = AccountId(change.id);
    app.models.forget(id);
    let before = app.roster.find(id);
    if let Some(stored) = app.store.account(id).await? {
        let is_replaced = |member: &Member| member.shared.keeper.is_replaced_by(&stored);
        if before.as_deref().is_some_and(is_replaced) {
            forget_refreshes(app, id).await;
        }
        if let Some(member) = before {
            if change.op == Op::Reset {
                member.reset();
            } else if let Some(edit) = edit(&member, &stored) {
                member.is_edited(edit);
            }
        }
        app.roster.put(stored);
    } else {
        app.roster.remove(id);
        app.pins.forget_account(id);
        forget_refreshes(app, id).await;
    }
    Ok(())
}

/// Whether a rest may have been for what the account had before the edit. The most that it makes
/// void counts.
fn edit(member: &Member, stored: &StoredAccount) -> Option<Edit> {
    let (old, new) = (&member.account, &stored.account);
    if member.shared.keeper.is_replaced_by(stored) || old.base_url != new.base_url {
        Some(Edit::SignInOrAddress)
    } else if old.oauth != new.oauth {
        Some(Edit::Oauth)
    } else {
        (old.proxy != new.proxy).then_some(Edit::Proxy)
    }
}

/// What was refreshed of a credential that is no more is of no use to anyone.
async fn forget_refreshes(app: &App, id: AccountId) {
    let credentials = app.credentials.clone();
    let forgotten = tokio::task::spawn_blocking(move || credentials.forget(id)).await;
    if !matches!(forgotten, Ok(Ok(()))) {
        tracing::warn!(account = %id, "tokens that are void stay on disk until the next start");
    }
}

async fn key(app: &App, change: Change, recounts: &mut Recounts) -> Result<(), StoreError> {
    let id = KeyId(change.id);
    let Some(stored) = app.store.key(id).await? else {
        app.keys.remove(id);
        return Ok(());
    };
    match app.keys.known(id) {
        None if change.op == Op::Restored => return restore(app, stored).await,
        Some(known) if known.key.limits.week_reset() != stored.key.limits.week_reset() => {
            recounts.ask(id);
        }
        _ => {}
    }
    app.keys.put(stored);
    Ok(())
}

/// Takes in a key that an earlier run saw removed, with what it used before that.
async fn restore(app: &App, stored: StoredKey) -> Result<(), StoreError> {
    let end = app.journal.end();
    let has_all = async {
        while app.bookkeeping.progress().0 < end {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    if tokio::time::timeout(RECORDS_WITHIN, has_all).await.is_err() {
        tracing::warn!(key = %stored.key.name, "the last calls of a key that came back do not count");
    }
    let (id, keys) = (stored.key.id, std::slice::from_ref(&stored));
    let mut used = tallies::allowances(&app.store, keys, &app.calendar, app.now()).await?;
    app.keys.put_used(stored, used.remove(&id).unwrap_or_default());
    Ok(())
}

/// Brings pins and counts of refusals to the database, and tidies there, for ever.
pub async fn save(app: Arc<App>) {
    let mut every = tokio::time::interval(SAVE_EVERY);
    let mut tidy_every = tokio::time::interval(TIDY_EVERY);
    loop {
        tokio::select! {
            _ = every.tick() => save_once(&app).await,
            _ = tidy_every.tick() => tidy(&app).await,
        }
    }
}

/// Drops what nobody reads any more.
async fn tidy(app: &App) {
    let now = app.now();
    if let Err(error) = app.store.prune_pins(now).await {
        tracing::debug!(%error, "expired pins stay");
    }
    let moment = now.minus(CHANGES_KEPT);
    if let Err(error) = app.store.forget_changes_before(moment).await {
        tracing::debug!(%error, "old changes stay");
    }
    let moment = now.minus(OLD_SECRETS_KEPT);
    if let Err(error) = app.store.forget_old_secrets_before(moment).await {
        tracing::debug!(%error, "replaced secrets of keys stay");
    }
}

/// Brings what the machine noted of accounts to the database.
async fn save_notes(app: &App) {
    let members = app.roster.snapshot();
    let changed: Vec<_> = members
        .iter()
        .filter_map(|member| Some((member, member.shared.notes.take_changed()?)))
        .collect();
    if changed.is_empty() {
        return;
    }
    let rows: Vec<_> = changed.iter().map(|(it, note)| (it.account.id, note.clone())).collect();
    if let Err(error) = app.store.save_account_notes(&rows, app.now()).await {
        tracing::debug!(%error, "notes of accounts were not stored; they are with the next");
        for (member, _) in &changed {
            member.shared.notes.mark_changed();
        }
    }
}

/// Brings pins, notes of accounts and counts of refusals to the database.
pub async fn save_once(app: &App) {
    /// Pins that are written at a time.
    const PINS_MAX: usize = 10_000;
    let pins = app.pins.take_dirty(PINS_MAX);
    if !pins.is_empty()
        && let Err(error) = app.store.save_pins(&pins).await
    {
        tracing::debug!(%error, "pins were not stored; they are with the next");
        app.pins.mark_again(&pins);
    }
    save_notes(app).await;
    let counts = app.refusals.take_counts();
    if !counts.is_empty()
        && let Err(error) = app.store.count_refusals(&counts.rows()).await
    {
        tracing::debug!(%error, "counts of refusals were not stored; they are with the next");
        app.refusals.put_back(counts);
    }
}
