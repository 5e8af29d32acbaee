//! What accounts sign in by, kept fresh: one refresh at a time for each account, which no client
//! that leaves can cancel.
//!
//! An access token is refreshed a while before it ends, or when a call finds it refused. The pair
//! that comes of it is on disk before it is used, without waiting for the database
//! ([`relay_store::credential_log`]); refresh tokens are single use, and one that is lost or used
//! twice ends the sign-in.

mod refresh;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use relay_core::clock::Timestamp;
use relay_core::credential::{Credential, SignedOut, Tokens};
use relay_core::secret::Secret;
use relay_store::accounts::StoredAccount;
use relay_upstream::fault::Fault;

use crate::app::App;
use crate::roster::Member;

/// How long a call waits for a refresh; the refresh goes on.
const REFRESH_WAIT: Duration = Duration::from_secs(20);

/// How long before its end an access token is refreshed, if it lives long enough.
const REFRESH_AHEAD_MAX: Duration = Duration::from_mins(10);

/// The pause after a refresh that did not come through, and the longest that it grows to.
const RETRY_AFTER: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// Keeps what one account signs in by.
#[derive(Debug)]
pub struct Keeper {
    held: ArcSwap<Held>,
    /// Held by the refresh under way.
    refreshing: tokio::sync::Mutex<()>,
    pause: Mutex<Pause>,
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
    until: Timestamp,
    failures: u32,
}

impl Keeper {
    /// Keeps what the database has.
    pub fn new(stored: &StoredAccount) -> Self {
        Self {
            held: ArcSwap::from_pointee(Held::of(stored)),
            refreshing: tokio::sync::Mutex::default(),
            pause: Mutex::default(),
        }
    }

    /// Takes over an edit. What this server refreshed since is newer than what it reads.
    pub fn take_over(&self, stored: &StoredAccount) {
        if stored.credential_version > self.held.load().version {
            self.held.store(Arc::new(Held::of(stored)));
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

    /// Whether it is time for the next refresh.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let held = self.held.load();
        let Credential::Tokens(tokens) = &held.credential else { return false };
        let can = tokens.refresh.is_some() && held.signed_out.is_none();
        can && self.pause.lock().until <= now && due_at(tokens).is_some_and(|at| at <= now)
    }

    /// Lets the next refresh go out at once.
    pub fn retry_now(&self) {
        *self.pause.lock() = Pause::default();
    }

    /// The secret that a request is sent with, if there is one that is good now.
    fn current(&self, now: Timestamp) -> Option<Secret> {
        match &self.held.load().credential {
            Credential::Missing => None,
            Credential::ApiKey(key) => Some(key.clone()),
            Credential::Tokens(tokens) => is_good(tokens, now).then(|| tokens.access.clone()),
        }
    }

    /// Takes note that a refresh did not come through; tells how many did not in a row.
    fn paused(&self, until: Option<Timestamp>, now: Timestamp) -> u32 {
        let (first, longest) = RETRY_AFTER;
        let mut pause = self.pause.lock();
        let grown = first.saturating_mul(1 << pause.failures.min(6)).min(longest);
        pause.failures += 1;
        pause.until = until.unwrap_or(now.plus(grown)).min(now.plus(longest));
        pause.failures
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
        None => refreshed(app, member, None).await,
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
    let app_now = app.now();
    let (app, member, refused) = (Arc::clone(app), Arc::clone(member), refused.cloned());
    // On its own, so that no client that leaves cancels it.
    let refresh = tokio::spawn(async move { refresh::one(&app, &member, refused.as_ref()).await });
    match tokio::time::timeout(REFRESH_WAIT, refresh).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) | Err(_) => {
            let until = app_now.plus(RETRY_AFTER.0);
            Err(Fault::without_token("token_refresh_slow", Some(until)))
        }
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

    #[test]
    fn a_token_that_nobody_gave_an_end_is_good_and_never_due() {
        let endless = Tokens { expires_at: None, ..tokens(0) };
        assert!(is_good(&endless, Timestamp::from_seconds(9_999_999)));
        assert_eq!(due_at(&endless), None);
    }
}
