//! The accounts in memory: what operators set, and what calls share of each.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use relay_core::account::Account;
use relay_core::clock::Timestamp;
use relay_core::health::{Evidence, Health, Noted, Rest};
use relay_core::id::AccountId;
use relay_core::model::ModelFamily;
use relay_core::schedule::AccountView;
use relay_core::secret::Secret;
use relay_store::accounts::StoredAccount;
use relay_store::slots::AccountSlots;

/// All accounts. Readers take a snapshot and no lock.
#[derive(Debug, Default)]
pub struct Roster {
    members: ArcSwap<Vec<Arc<Member>>>,
}

/// One account: its settings, its secret, and its shared state, which outlives edits.
#[derive(Debug)]
pub struct Member {
    /// What the operator set.
    pub account: Account,
    /// The credential.
    pub secret: Secret,
    /// What calls share.
    pub shared: Arc<Shared>,
}

/// What all calls on an account share.
#[derive(Debug, Default)]
pub struct Shared {
    /// Concurrency slots.
    pub slots: Arc<AccountSlots>,
    health: Mutex<Health>,
    last_used: AtomicI64,
    probed: AtomicBool,
}

/// The right to try out a resting account: one call at a time has it.
#[derive(Debug)]
pub struct Probe(Arc<Shared>);

impl Drop for Probe {
    fn drop(&mut self) {
        self.0.probed.store(false, Ordering::Release);
    }
}

impl Shared {
    /// Takes note of a fault; tells the rest that follows.
    pub fn rest(&self, evidence: &Evidence, now: Timestamp, jitter: u8) -> Noted {
        self.health.lock().fault(evidence, now, jitter)
    }

    /// Takes note of an answer to a call that was sent at `sent`; tells whether a rest was left
    /// by it.
    pub fn answered(&self, family: &ModelFamily, sent: Timestamp) -> bool {
        self.health.lock().answered(family, sent)
    }

    /// The operator's reset: clears every rest.
    pub fn reset(&self) {
        self.health.lock().reset();
    }

    /// The rest of the whole account.
    pub fn account_rest(&self, now: Timestamp) -> Option<Rest> {
        self.health.lock().account_rest(now)
    }

    /// Takes note that a call was given to the account.
    pub fn used(&self, now: Timestamp) {
        self.last_used.fetch_max(now.as_millis(), Ordering::Relaxed);
    }

    /// Takes the right to try out the account while it rests.
    pub fn try_probe(self: &Arc<Self>) -> Option<Probe> {
        self.probed
            .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
            .then(|| Probe(Arc::clone(self)))
    }
}

impl Member {
    /// The account as the scheduler sees it for a model of `family`.
    pub fn view(&self, family: &ModelFamily, now: Timestamp) -> AccountView<'_> {
        AccountView {
            account: &self.account,
            in_flight: self.shared.slots.in_flight(),
            last_used: Timestamp::from_millis(self.shared.last_used.load(Ordering::Relaxed)),
            rest: self.shared.health.lock().rest(family, now),
            probed: self.shared.probed.load(Ordering::Relaxed),
        }
    }
}

impl Roster {
    /// The accounts as they are now.
    pub fn snapshot(&self) -> Arc<Vec<Arc<Member>>> {
        self.members.load_full()
    }

    /// The account of that id.
    pub fn find(&self, id: AccountId) -> Option<Arc<Member>> {
        self.members.load().iter().find(|member| member.account.id == id).cloned()
    }

    /// Adds an account or takes over its edit; what its calls share stays.
    pub fn put(&self, stored: StoredAccount) {
        let shared = self.find(stored.account.id).map(|member| Arc::clone(&member.shared));
        let member = Arc::new(Member {
            account: stored.account,
            secret: stored.secret,
            shared: shared.unwrap_or_default(),
        });
        self.edit(|members| {
            match members.iter_mut().find(|known| known.account.id == member.account.id) {
                Some(known) => *known = Arc::clone(&member),
                None => members.push(Arc::clone(&member)),
            }
        });
    }

    /// Takes an account out. Calls under way on it go on.
    pub fn remove(&self, id: AccountId) {
        self.edit(|members| members.retain(|member| member.account.id != id));
    }

    fn edit(&self, change: impl Fn(&mut Vec<Arc<Member>>)) {
        self.members.rcu(|members| {
            let mut members = Vec::clone(members);
            change(&mut members);
            members
        });
    }
}
