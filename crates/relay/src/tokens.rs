//! What accounts sign in by, kept fresh: one refresh at a time for each account, which no client
//! that leaves can cancel.
//!
//! An access token is refreshed a while before it ends, or when a call finds it refused. The pair
//! that comes of it is on disk before it is used, without waiting for the database
//! ([`relay_store::credential_log`]); refresh tokens are single use, and one that is lost or used
//! twice ends the sign-in.

mod project;
mod refresh;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use relay_core::clock::Timestamp;
use relay_core::credential::{Credential, SignedOut, Tokens};
use relay_core::health::{Rest, RestCause, Standing};
use relay_core::quota::Quota;
use relay_core::secret::Secret;
use relay_store::accounts::{StoredAccount, is_same_sign_in};
use relay_upstream::fault::Fault;

pub use self::project::{identify, project};
pub use self::refresh::{resume, tell_of_end};
use crate::app::App;
use crate::roster::Member;

/// How long a call waits for a refresh; the refresh goes on.
pub const REFRESH_WAIT: Duration = Duration::from_secs(20);

/// How long before its end an access token is refreshed, if it lives long enough.
const REFRESH_AHEAD_MAX: Duration = Duration::from_mins(10);

/// The pause after a refresh that did not come through, and the longest that it grows to where the
/// provider does not state one.
const RETRY_AFTER: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// The least time between refreshes that bring tokens which have ended already.
const ENDED_AGAIN_AFTER: Duration = Duration::from_secs(30);

/// Failures in a row after which people are told, while the access token still serves.
const FAILURES_TOLD: u32 = 5;

/// Keeps what one account signs in by.
#[derive(Debug)]
pub struct Keeper {
    held: ArcSwap<Held>,
    /// Held by the refresh under way.
    refreshing: tokio::sync::Mutex<()>,
    pause: Mutex<Pause>,
    /// When the provider was last asked for the windows of who is signed in.
    windows_asked_at: AtomicI64,
    /// Held by whoever asks for the project that calls are for; what the last one found.
    project: tokio::sync::Mutex<Option<project::Found>>,
}

#[derive(Debug, Clone)]
struct Held {
    credential: Credential,
    /// Grows with every refresh, and by more with every sign-in.
    version: i64,
    signed_out: Option<SignedOut>,
}

/// The pause after refreshes that did not come through.
#[derive(Debug, Clone, Copy, Default)]
struct Pause {
    since: Timestamp,
    until: Timestamp,
    failures: u32,
    /// Whether people were told.
    told: bool,
}

impl Keeper {
    /// Keeps what the database has.
    pub fn new(stored: &StoredAccount) -> Self {
        Self {
            held: ArcSwap::from_pointee(Held::of(stored)),
            refreshing: tokio::sync::Mutex::default(),
            pause: Mutex::default(),
            windows_asked_at: AtomicI64::default(),
            project: tokio::sync::Mutex::default(),
        }
    }

    /// Takes over an edit. What this server refreshed since is newer than what it reads.
    pub fn take_over(&self, stored: &StoredAccount) {
        let is_newer = |held: &Held| stored.credential_version > held.version;
        if self.replace_if(is_newer, |_| Held::of(stored)) {
            self.retry_now();
        }
    }

    /// Whether an edit brings another sign-in or key than the one that is kept: a refresh is none.
    pub fn is_replaced_by(&self, stored: &StoredAccount) -> bool {
        let held = self.held.load();
        stored.credential_version > held.version && stored.credential != held.credential
    }

    /// The version of the credential.
    pub fn version(&self) -> i64 {
        self.held.load().version
    }

    /// The tokens, if these are what the account signs in by.
    pub fn tokens(&self) -> Option<Tokens> {
        match &self.held.load().credential {
            Credential::Tokens(tokens) => Some(tokens.clone()),
            Credential::Missing | Credential::ApiKey(_) => None,
        }
    }

    /// Why and since when the account has to be signed in again.
    pub fn signed_out(&self) -> Option<SignedOut> {
        self.held.load().signed_out
    }

    /// Whether only a sign-in can make the account serve.
    pub fn is_signed_out(&self, now: Timestamp) -> bool {
        let held = self.held.load();
        match &held.credential {
            Credential::Missing => true,
            Credential::ApiKey(_) => false,
            Credential::Tokens(tokens) => {
                let is_last = held.signed_out.is_some() || tokens.refresh.is_none();
                is_last && !is_good(tokens, now)
            }
        }
    }

    /// The access token, if it is time to refresh it and nobody does.
    pub fn due(&self, now: Timestamp) -> Option<Secret> {
        let held = self.held.load();
        let Credential::Tokens(tokens) = &held.credential else { return None };
        let can = tokens.refresh.is_some()
            && held.signed_out.is_none()
            && self.paused_until(now).is_none()
            && self.refreshing.try_lock().is_ok();
        let is_due = can && due_at(tokens).is_some_and(|at| at <= now);
        is_due.then(|| tokens.access.clone())
    }

    /// Whether the account signs in by a token that has ended and cannot be refreshed, and nobody
    /// was told yet.
    pub fn has_ended(&self, now: Timestamp) -> bool {
        let held = self.held.load();
        let Credential::Tokens(tokens) = &held.credential else { return false };
        held.signed_out.is_none() && tokens.refresh.is_none() && !is_good(tokens, now)
    }

    /// Whether the provider is to be asked for the windows again: it was not for as long as `age`,
    /// and one of them is as old, whatever answers to calls tell of the others.
    pub fn is_to_ask_windows(&self, known: &Quota, now: Timestamp, age: Duration) -> bool {
        let oldest = now.minus(age);
        let asked_at = Timestamp::from_millis(self.windows_asked_at.load(Ordering::Relaxed));
        // Those that have begun anew as well: answers to calls tell of few windows, and the others
        // are known by such a question alone.
        let mut windows = known.windows(Timestamp::default()).peekable();
        let lacks = asked_at == Timestamp::default() || windows.peek().is_none();
        let wanted = asked_at <= oldest && (lacks || windows.any(|(_, it)| it.seen_at <= oldest));
        if wanted {
            self.windows_asked_at.store(now.as_millis(), Ordering::Relaxed);
        }
        wanted
    }

    /// Lets the next refresh go out at once.
    pub fn retry_now(&self) {
        *self.pause.lock() = Pause::default();
    }

    /// The secret that a request is sent with, if there is one that is good now.
    pub fn current(&self, now: Timestamp) -> Option<Secret> {
        match &self.held.load().credential {
            Credential::Missing => None,
            Credential::ApiKey(key) => Some(key.clone()),
            Credential::Tokens(tokens) => is_good(tokens, now).then(|| tokens.access.clone()),
        }
    }

    /// Puts `next` in the place of what is held, if that fits; nothing comes in between.
    fn replace_if(&self, fits: impl Fn(&Held) -> bool, next: impl Fn(&Held) -> Held) -> bool {
        let before =
            self.held.rcu(|held| if fits(held) { Arc::new(next(held)) } else { Arc::clone(held) });
        fits(&before)
    }

    /// Takes the pair that replaces the tokens of `from`, or older ones of the same sign-in. A
    /// newer credential stays.
    fn renew(&self, from: i64, tokens: &Tokens) -> bool {
        let credential = Credential::Tokens(tokens.clone());
        let next = Held { credential, version: from + 1, signed_out: None };
        let fits = |held: &Held| held.version <= from && is_same_sign_in(held.version, from);
        self.replace_if(fits, |_| next.clone())
    }

    /// Takes note that the credential of `version` is of no use any more; whether that is news.
    fn sign_out(&self, version: i64, signed_out: SignedOut) -> bool {
        let fits = |held: &Held| held.version == version && held.signed_out.is_none();
        let out = |held: &Held| Held { signed_out: Some(signed_out), ..held.clone() };
        self.replace_if(fits, out)
    }

    /// When the pause ends, if there is one. A clock that was put back ends it.
    fn paused_until(&self, now: Timestamp) -> Option<Timestamp> {
        let pause = *self.pause.lock();
        (pause.since <= now && now < pause.until).then_some(pause.until)
    }

    /// Whether calls go to the account as far as its token tells: not while one that has ended waits
    /// for the next refresh, and one at a time until that came through.
    pub fn standing(&self, now: Timestamp) -> Standing {
        let failures = self.pause.lock().failures;
        if failures == 0 || self.current(now).is_some() {
            return Standing::Open;
        }
        match self.paused_until(now) {
            Some(until) => {
                Standing::Rests(Rest { until, cause: RestCause::TokenNotRefreshed, stated: true })
            }
            None => Standing::Trial,
        }
    }

    /// Takes note that a refresh did not come through; tells until when none is tried, and how
    /// many did not in a row.
    fn pause(&self, stated: Option<Timestamp>, now: Timestamp) -> (Timestamp, u32) {
        let (first, longest) = RETRY_AFTER;
        let mut pause = self.pause.lock();
        let grown = first.saturating_mul(1 << pause.failures.min(6)).min(longest);
        pause.failures = pause.failures.saturating_add(1);
        pause.since = now;
        pause.until = stated.unwrap_or(now.plus(grown)).max(now.plus(first));
        (pause.until, pause.failures)
    }

    /// Whether people are to be told that refreshes do not come through: once, as soon as the
    /// account cannot serve, or after a while.
    fn is_to_be_told(&self, now: Timestamp) -> bool {
        let serves = self.current(now).is_some();
        let mut pause = self.pause.lock();
        let is_news = !pause.told && (!serves || pause.failures >= FAILURES_TOLD);
        pause.told |= is_news;
        is_news
    }
}

impl Held {
    fn of(stored: &StoredAccount) -> Self {
        Self {
            credential: stored.credential.clone(),
            version: stored.credential_version,
            signed_out: stored.signed_out,
        }
    }
}

/// Whether an access token can be sent: a token that ends within moments might end on its way.
fn is_good(tokens: &Tokens, now: Timestamp) -> bool {
    const MOMENTS: Duration = Duration::from_secs(20);
    let margin = MOMENTS.min(lifetime(tokens) / 20);
    tokens.expires_at.is_none_or(|at| at > now.plus(margin))
}

/// When a refresh is due: a while before the end, or after three quarters of a short life.
fn due_at(tokens: &Tokens) -> Option<Timestamp> {
    let ahead = REFRESH_AHEAD_MAX.min(lifetime(tokens) / 4);
    tokens.expires_at.map(|at| at.minus(ahead))
}

fn lifetime(tokens: &Tokens) -> Duration {
    tokens.expires_at.map_or(Duration::ZERO, |at| at.since(tokens.obtained_at))
}

/// The secret for a request of an account. A token that has ended is refreshed first; the fault
/// says why there is none.
pub async fn secret(app: &Arc<App>, member: &Arc<Member>) -> Result<Secret, Fault> {
    match member.shared.keeper.current(app.now()) {
        Some(secret) => Ok(secret),
        None => Box::pin(refreshed(app, member, None)).await,
    }
}

/// The secret in place of one that the provider did not accept, or that has ended (`None`).
///
/// Every caller that comes while a refresh is under way gets what comes of that one.
pub async fn refreshed(
    app: &Arc<App>,
    member: &Arc<Member>,
    refused: Option<&Secret>,
) -> Result<Secret, Fault> {
    let refused = refused.cloned();
    let (on, member) = (Arc::clone(app), Arc::clone(member));
    // On its own, so that no client that leaves cancels it.
    let refresh = tokio::spawn(async move { refresh::one(&on, &member, refused.as_ref()).await });
    if let Ok(Ok(outcome)) = tokio::time::timeout(REFRESH_WAIT, refresh).await {
        outcome
    } else {
        let until = app.now().plus(RETRY_AFTER.0);
        Err(Fault::without_token("token_refresh_slow", Some(until)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(lifetime_millis: i64) -> Tokens {
        Tokens {
            access: Secret::new("access"),
            refresh: Some(Secret::new("refresh")),
            expires_at: Some(Timestamp::from_millis(1_000_000 + lifetime_millis)),
            obtained_at: Timestamp::from_millis(1_000_000),
            client_secret: None,
        }
    }

    #[test]
    fn tokens_are_refreshed_ahead_of_their_end_however_short_they_live() {
        let due = |lifetime| due_at(&tokens(lifetime)).map(|at| at.as_millis() - 1_000_000);
        assert_eq!(due(2_000), Some(1_500));
        assert_eq!(due(8 * 3_600_000), Some(8 * 3_600_000 - 600_000));
        let good = |lifetime: i64, at: i64| {
            is_good(&tokens(lifetime), Timestamp::from_millis(1_000_000 + at))
        };
        assert!(good(2_000, 1_800) && !good(2_000, 1_900));
        assert!(good(8 * 3_600_000, 8 * 3_600_000 - 30_000));
        assert!(!good(8 * 3_600_000, 8 * 3_600_000 - 10_000));
    }

    fn keeper(lifetime_millis: i64) -> Keeper {
        let credential = Credential::Tokens(tokens(lifetime_millis));
        let held = Held { credential, version: 1, signed_out: None };
        Keeper {
            held: ArcSwap::from_pointee(held),
            refreshing: tokio::sync::Mutex::default(),
            pause: Mutex::default(),
            windows_asked_at: AtomicI64::default(),
            project: tokio::sync::Mutex::default(),
        }
    }

    #[test]
    fn a_pause_grows_heeds_what_is_stated_and_ends_when_the_clock_is_put_back() {
        let (keeper, second) = (keeper(2_000), Duration::from_secs(1));
        let now = Timestamp::from_millis(1_002_000);
        let seconds = |stated| keeper.pause(stated, now).0.since(now).as_secs();
        assert_eq!([seconds(None), seconds(None), seconds(None)], [1, 2, 4]);
        assert_eq!(seconds(Some(now.plus(Duration::from_mins(30)))), 1_800);
        assert_eq!(seconds(Some(now)), 1, "no provider is asked without a pause");
        let grown: Vec<_> = (0..9).map(|_| seconds(None)).collect();
        assert_eq!(grown.last(), Some(&60));
        assert_eq!(keeper.due(now), None);
        assert!(keeper.due(now.plus(Duration::from_mins(1))).is_some());
        assert!(keeper.paused_until(now.minus(second)).is_none());
    }

    #[test]
    fn after_a_pause_one_call_at_a_time_waits_for_a_token_that_has_ended() {
        let keeper = keeper(2_000);
        let (good, ended) = (Timestamp::from_millis(1_000_500), Timestamp::from_millis(1_002_000));
        assert_eq!(keeper.standing(ended), Standing::Open, "no refresh failed yet");
        let (until, _) = keeper.pause(None, ended);
        assert!(matches!(keeper.standing(ended), Standing::Rests(_)));
        assert_eq!(keeper.standing(until), Standing::Trial, "the next may hang as well");
        assert_eq!(keeper.standing(good), Standing::Open, "its token serves");
        keeper.retry_now();
        assert_eq!(keeper.standing(until), Standing::Open);
    }

    #[test]
    fn people_are_told_once_of_refreshes_that_do_not_come_through() {
        let keeper = keeper(2_000);
        let tell = |millis: i64| {
            let now = Timestamp::from_millis(1_000_000 + millis);
            keeper.pause(None, now);
            keeper.is_to_be_told(now)
        };
        assert_eq!([tell(1_500), tell(1_600), tell(1_700)], [false; 3], "it still serves");
        assert_eq!([tell(2_000), tell(2_100), tell(2_200)], [true, false, false]);
        keeper.retry_now();
        assert_eq!([0; 6].map(tell), [false, false, false, false, true, false]);
    }

    #[test]
    fn what_comes_of_an_old_sign_in_does_not_touch_a_new_one() {
        let keeper = keeper(2_000);
        assert!(keeper.renew(1, &tokens(3_000)));
        let out = SignedOut {
            at: Timestamp::from_millis(1_000_000),
            cause: relay_core::credential::SignOutCause::RefreshRefused,
        };
        assert!(!keeper.renew(1, &tokens(4_000)) && !keeper.sign_out(1, out));
        let signed_in = Held { version: 1_000_000, ..Held::clone(&keeper.held.load()) };
        keeper.held.store(Arc::new(signed_in));
        assert!(!keeper.renew(2, &tokens(4_000)) && !keeper.sign_out(2, out));
        assert_eq!((keeper.version(), keeper.signed_out()), (1_000_000, None));
        assert!(keeper.sign_out(1_000_000, out) && !keeper.sign_out(1_000_000, out));
    }

    #[test]
    fn a_token_that_nobody_gave_an_end_is_good_and_never_due() {
        let endless = Tokens { expires_at: None, ..tokens(0) };
        assert!(is_good(&endless, Timestamp::from_seconds(9_999_999)));
        assert_eq!(due_at(&endless), None);
    }
}
