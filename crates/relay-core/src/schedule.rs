//! Which account serves a call: a pure choice among views of the accounts.

use crate::account::{Account, Sharing};
use crate::clock::Timestamp;
use crate::health::{Rest, RestCause};
use crate::id::AccountId;
use crate::key::{BindingTarget, Pool};
use crate::protocol::Service;

/// An account as the scheduler sees it at one moment.
#[derive(Debug, Clone, Copy)]
pub struct AccountView<'a> {
    /// What the operator set.
    pub account: &'a Account,
    /// Calls under way on it.
    pub in_flight: u32,
    /// When it was last chosen.
    pub last_used: Timestamp,
    /// What keeps it from this call's model.
    pub rest: Option<Rest>,
    /// Whether a call is trying it out while it rests.
    pub probed: bool,
}

/// What a call needs.
#[derive(Debug, Clone, Copy)]
pub struct Demand<'a> {
    /// Whose accounts.
    pub service: Service,
    /// The model that the client asked for.
    pub model: &'a str,
    /// Which of them the key may use.
    pub pool: Pool,
    /// The account that served the conversation before.
    pub pinned: Option<AccountId>,
    /// Accounts that this call has tried.
    pub tried: &'a [AccountId],
}

/// What to do with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// This account serves it.
    Serve(AccountId),
    /// The conversation's own account is able, but its slots are full: wait a little for one.
    AwaitPinned(AccountId),
    /// Every account rests without a reset that its provider stated: this one is tried out, by
    /// one call at a time.
    Probe(AccountId),
}

/// Why no account can serve a call now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoCapacity {
    /// The pool has no account for this service.
    #[error("no account is set up for this service")]
    NoAccount,
    /// No account of the pool serves the model.
    #[error("no account serves this model")]
    NoModel,
    /// Every account that could serve is switched off or was tried by this call.
    #[error("no account is able to serve this call")]
    NoneAble,
    /// Every account that could serve rests.
    #[error("every account that serves this model rests")]
    AllRest {
        /// When the first reopens.
        reopens_at: Timestamp,
        /// What they all rest for; `None` if not all for the same.
        cause: Option<RestCause>,
    },
    /// Every account that could serve is busy.
    #[error("every account that serves this model is busy")]
    AllBusy,
}

impl AccountView<'_> {
    fn in_pool(&self, want: &Demand<'_>) -> bool {
        is_in_pool(self.account, want.service, want.pool)
    }

    fn serves(&self, want: &Demand<'_>) -> bool {
        self.account.upstream_model(want.model).is_some()
    }

    fn has_slot(&self) -> bool {
        self.account.concurrency_max.is_none_or(|max| self.in_flight < max)
    }

    /// Calls in flight for its weight, in thousandths: what evens out the load.
    fn load(&self) -> u64 {
        u64::from(self.in_flight) * 1_000 / u64::from(self.account.weight.max(1))
    }
}

/// Whether an account belongs to those that calls of `pool` to `service` may use.
pub fn is_in_pool(account: &Account, service: Service, pool: Pool) -> bool {
    account.kind.service() == service
        && match pool {
            Pool::Shared => account.sharing == Sharing::Shared,
            Pool::Bound(BindingTarget::Account(id)) => account.id == id,
            Pool::Bound(BindingTarget::Group(id)) => account.groups.contains(&id),
        }
}

/// Picks the account for one attempt: same views, demand and `now`, same answer.
///
/// The conversation's own account wins while it is able. Otherwise the lowest priority number,
/// then the fewest calls in flight for its weight, then the least recently used. If every account
/// rests and no provider stated an end, the first to reopen is tried out, so that one error of an
/// only account is not an outage.
pub fn choose(
    pool: &[AccountView<'_>],
    want: &Demand<'_>,
    now: Timestamp,
) -> Result<Choice, NoCapacity> {
    let open = || open(pool, want, now);
    if let Some(pinned) = open().find(|view| Some(view.account.id) == want.pinned) {
        let id = pinned.account.id;
        return Ok(if pinned.has_slot() { Choice::Serve(id) } else { Choice::AwaitPinned(id) });
    }
    if open().next().is_some() {
        let free = open().filter(|view| view.has_slot());
        let best = free.min_by_key(|view| {
            (view.account.priority, view.load(), view.last_used, view.account.id)
        });
        return best.map(|view| Choice::Serve(view.account.id)).ok_or(NoCapacity::AllBusy);
    }
    let resting: Vec<_> = able(pool, want).filter_map(|view| Some((view, view.rest?))).collect();
    match resting.iter().min_by_key(|(_, rest)| rest.until) {
        None => Err(why_none(pool, want)),
        Some((first, _)) if may_probe(&resting) => Ok(Choice::Probe(first.account.id)),
        Some(_) => Err(rest_of(resting.iter().map(|(_, rest)| *rest))),
    }
}

/// The accounts that could serve a call now, if only they had a slot for it.
pub fn open<'v>(
    pool: &'v [AccountView<'v>],
    want: &'v Demand<'v>,
    now: Timestamp,
) -> impl Iterator<Item = &'v AccountView<'v>> {
    able(pool, want).filter(move |view| view.rest.is_none_or(|rest| rest.until <= now))
}

/// The accounts that could serve a call if none rested.
fn able<'v>(
    pool: &'v [AccountView<'v>],
    want: &'v Demand<'v>,
) -> impl Iterator<Item = &'v AccountView<'v>> {
    pool.iter().filter(|view| {
        view.in_pool(want)
            && view.serves(want)
            && view.account.enabled
            && !want.tried.contains(&view.account.id)
    })
}

/// What all accounts that could serve the call rest for, if all do: whatever the call has tried.
pub fn all_rest(pool: &[AccountView<'_>], want: &Demand<'_>, now: Timestamp) -> Option<NoCapacity> {
    let could = || {
        pool.iter().filter(|view| view.in_pool(want) && view.serves(want) && view.account.enabled)
    };
    let rests = || could().map(|view| view.rest.filter(|rest| rest.until > now));
    let all = could().next().is_some() && rests().all(|rest| rest.is_some());
    all.then(|| rest_of(rests().flatten()))
}

/// The refusal that several rests make: open when the first ends, for the cause that all share.
fn rest_of(rests: impl Iterator<Item = Rest> + Clone) -> NoCapacity {
    let causes = rests.clone().map(|rest| rest.cause);
    let first = causes.clone().next();
    NoCapacity::AllRest {
        reopens_at: rests.map(|rest| rest.until).min().unwrap_or_default(),
        cause: first.filter(|first| causes.clone().all(|cause| cause == *first)),
    }
}

/// Whether one of these resting accounts may be tried out: none is, and nobody stated an end.
fn may_probe(resting: &[(&AccountView<'_>, Rest)]) -> bool {
    resting.iter().all(|(view, rest)| !rest.stated && !view.probed && view.has_slot())
}

/// Tells why no account is able, from the widest reason to the narrowest.
fn why_none(pool: &[AccountView<'_>], want: &Demand<'_>) -> NoCapacity {
    if !pool.iter().any(|view| view.in_pool(want)) {
        NoCapacity::NoAccount
    } else if !pool.iter().any(|view| view.in_pool(want) && view.serves(want)) {
        NoCapacity::NoModel
    } else {
        NoCapacity::NoneAble
    }
}

#[cfg(test)]
mod tests;
