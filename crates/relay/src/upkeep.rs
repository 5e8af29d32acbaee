//! What keeps accounts alive while nobody calls: tokens are refreshed ahead of their end, quota
//! windows and plans are asked for, and people are told before something ends.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use relay_core::clock::Timestamp;
use relay_core::event::Ending;
use relay_core::id::AccountId;
use relay_core::secret::Secret;
use relay_upstream::oauth::{self, Holder};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::interval;

use crate::app::App;
use crate::roster::Member;
use crate::tokens;

/// How often is looked whether a token is to be refreshed.
const REFRESH_LOOK: Duration = Duration::from_millis(500);

/// How often is looked whether an account's windows are to be asked for, or something ends.
const LOOK: Duration = Duration::from_secs(30);

/// How old the word of a provider on its windows may be before it is asked for.
const WINDOWS_AGE_MAX: Duration = Duration::from_mins(10);

/// How old the word of a provider on a sign-in's plan may be before it is asked for again.
const IDENTITY_AGE_MAX: Duration = Duration::from_hours(24);

/// How long before the end of a subscription or a setup token people are told.
pub const WARNED_AHEAD: Duration = Duration::from_hours(14 * 24);

/// Accounts that are asked at one time.
const ASKED_MAX: usize = 8;

/// Tokens that are refreshed ahead of their end at one time.
const REFRESHES_MAX: usize = 16;

/// Looks after the accounts, for ever.
pub async fn run(app: Arc<App>) {
    // Apart from each other: a database that is locked keeps no token from being refreshed.
    tokio::join!(refresh(&app), look(&app));
}

async fn refresh(app: &Arc<App>) {
    let mut every = interval(REFRESH_LOOK);
    let turns = Arc::new(Semaphore::new(REFRESHES_MAX));
    loop {
        every.tick().await;
        refresh_due(app, &turns);
    }
}

async fn look(app: &Arc<App>) {
    let mut every = interval(LOOK);
    let mut asked = JoinSet::new();
    let mut first = 0;
    let mut warned = HashMap::new();
    loop {
        tokio::select! {
            _ = every.tick() => {
                first = ask_all(app, first, &mut asked);
                warn_of_endings(app, &mut warned).await;
            }
            Some(_) = asked.join_next() => {}
        }
    }
}

/// Refreshes the tokens that are about to end, and tells of those that have. An account that is
/// switched off keeps its refresh token until it is wanted again.
fn refresh_due(app: &Arc<App>, turns: &Arc<Semaphore>) {
    let now = app.now();
    for member in app.roster.snapshot().iter().filter(|member| member.account.enabled) {
        tokens::tell_of_end(app, member);
        if let Some(stale) = member.shared.keeper.due(now) {
            // The others come when one of these is done.
            let Ok(turn) = Arc::clone(turns).try_acquire_owned() else { continue };
            let (app, member) = (Arc::clone(app), Arc::clone(member));
            tokio::spawn(async move {
                let _turn = turn;
                // What comes of it is logged where it is known.
                let _ = tokens::refreshed(&app, &member, Some(&stale)).await;
            });
        }
    }
}

/// What a provider is asked about an account.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    windows: bool,
    identity: bool,
}

impl Wanted {
    /// What is not known, or known for too long; takes note that it is asked for. What answers to
    /// calls tell does not keep the rest from being asked for.
    fn of(member: &Member, now: Timestamp) -> Option<Self> {
        let (keeper, notes) = (&member.shared.keeper, &member.shared.notes);
        // A token that cannot be refreshed may not ask for more than answers of models.
        let may = keeper.tokens().is_some_and(|tokens| tokens.refresh.is_some())
            && member.account.enabled
            && member.closed(now).is_none();
        if !may {
            return None;
        }
        let windows = keeper.is_to_ask_windows(&notes.quota(), now, WINDOWS_AGE_MAX);
        // A plan changes now and then; what is not known of it is asked for sooner.
        let is_known = member.identity.as_ref().is_some_and(|it| !it.plan.is_empty());
        let age = if is_known { IDENTITY_AGE_MAX } else { WINDOWS_AGE_MAX };
        let identity = notes.may_identify(now, age);
        (windows || identity).then_some(Self { windows, identity })
    }
}

/// Asks for what is not known, or known for too long, beginning with the account at `first`; tells
/// at which to begin the next time.
fn ask_all(app: &Arc<App>, first: usize, asked: &mut JoinSet<()>) -> usize {
    let now = app.now();
    let members = app.roster.snapshot();
    for at in (0..members.len()).map(|offset| (first + offset) % members.len()) {
        if asked.len() >= ASKED_MAX {
            return at;
        }
        let member = &members[at];
        if let Some(wanted) = Wanted::of(member, now) {
            asked.spawn(ask(Arc::clone(app), Arc::clone(member), wanted));
        }
    }
    0
}

/// Asks the provider for an account's windows, and whose it is with which plan.
async fn ask(app: Arc<App>, member: Arc<Member>, wanted: Wanted) {
    let Ok(access) = tokens::secret(&app, &member).await else { return };
    let version = member.shared.keeper.version();
    if member.shared.keeper.tokens().is_none_or(|tokens| tokens.access != access) {
        // It was replaced just now, perhaps by another person's.
        return;
    }
    if wanted.windows {
        ask_windows(&app, &member, &access).await;
    }
    if wanted.identity {
        tokens::identify(&app, &member, (version, &access)).await;
    }
}

async fn ask_windows(app: &App, member: &Arc<Member>, access: &Secret) {
    let now = app.now();
    let holder = Holder::new(&member.account, member.identity.as_ref(), access);
    match oauth::usage(&member.client, &holder, now).await {
        Ok(windows) => {
            let has_room = !windows.is_empty()
                && windows.iter().all(|(_, window)| window.used_permille < 1_000);
            app.note_windows(member, windows, now);
            if has_room && member.shared.notes.windows_have_room(app.now(), now) {
                tracing::info!(
                    account = %member.account.name,
                    "there is room again in all windows; the next call tries the account out"
                );
            }
        }
        Err(error) => {
            tracing::debug!(account = %member.account.name, %error, "no windows are told");
        }
    }
}

/// Tells people of what ends within two weeks, once for each ending.
async fn warn_of_endings(app: &App, warned: &mut HashMap<AccountId, Timestamp>) {
    let now = app.now();
    for member in app.roster.snapshot().iter() {
        let account = member.account.id;
        let Some((what, at)) = ending(member, now) else { continue };
        if warned.get(&account) == Some(&at) {
            continue;
        }
        match app.store.mark_warned(account, (what, at), now).await {
            Ok(is_news) => {
                warned.insert(account, at);
                if is_news {
                    tracing::warn!(account = %member.account.name, ?what, "an account ends soon");
                }
            }
            Err(error) => tracing::debug!(%error, "nobody is warned yet of an ending"),
        }
    }
}

/// What of an account ends soon.
fn ending(member: &Member, now: Timestamp) -> Option<(Ending, Timestamp)> {
    let setup_token = member.shared.keeper.tokens().filter(|tokens| tokens.refresh.is_none());
    // Of a token that has ended people are told by its sign-out.
    let token_ends = setup_token.and_then(|tokens| tokens.expires_at).filter(|at| *at > now);
    let ends = [(Ending::Subscription, member.account.ends_at), (Ending::SetupToken, token_ends)];
    ends.into_iter()
        .filter_map(|(what, at)| Some((what, at?)))
        .filter(|(_, at)| *at <= now.plus(WARNED_AHEAD))
        .min_by_key(|(_, at)| *at)
}
