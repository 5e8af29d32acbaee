//! Which account serves a call: a pure choice among views of the accounts.

use std::cmp::Reverse;

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
        self.account.kind.service() == want.service
            && match want.pool {
                Pool::Shared => self.account.sharing == Sharing::Shared,
                Pool::Bound(BindingTarget::Account(id)) => self.account.id == id,
                Pool::Bound(BindingTarget::Group(id)) => self.account.groups.contains(&id),
            }
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

/// Picks the account for one attempt: same views, demand and `now`, same answer.
///
/// The conversation's own account wins while it is able. Otherwise the lowest priority number,
/// then the fewest calls in flight for its weight, then the least recently used.
pub fn choose(
    pool: &[AccountView<'_>],
    want: &Demand<'_>,
    now: Timestamp,
) -> Result<Choice, NoCapacity> {
    let able = || {
        pool.iter().filter(|view| {
            view.in_pool(want)
                && view.serves(want)
                && view.account.enabled
                && !want.tried.contains(&view.account.id)
        })
    };
    let open = || able().filter(|view| view.rest.is_none_or(|rest| rest.until <= now));

    if let Some(pinned) = open().find(|view| Some(view.account.id) == want.pinned) {
        let id = pinned.account.id;
        return Ok(if pinned.has_slot() { Choice::Serve(id) } else { Choice::AwaitPinned(id) });
    }
    open()
        .filter(|view| view.has_slot())
        .min_by_key(|view| {
            (
                view.account.priority,
                view.load(),
                view.last_used,
                Reverse(view.account.weight),
                view.account.id,
            )
        })
        .map(|view| Choice::Serve(view.account.id))
        .ok_or_else(|| why_none(pool, want, able(), open().next().is_some()))
}

/// Tells why nothing was chosen, from the widest reason to the narrowest.
fn why_none<'a>(
    pool: &[AccountView<'_>],
    want: &Demand<'_>,
    able: impl Iterator<Item = &'a AccountView<'a>>,
    some_open: bool,
) -> NoCapacity {
    if some_open {
        return NoCapacity::AllBusy;
    }
    let rests: Vec<Rest> = able.filter_map(|view| view.rest).collect();
    if let Some(first) = rests.iter().min_by_key(|rest| rest.until) {
        let same = rests.iter().all(|rest| rest.cause == first.cause);
        return NoCapacity::AllRest { reopens_at: first.until, cause: same.then_some(first.cause) };
    }
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
