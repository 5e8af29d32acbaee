//! The accounts in memory: what operators set, and what calls share of each.

mod host;
mod notes;
mod trials;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use relay_core::account::Account;
use relay_core::clock::Timestamp;
use relay_core::credential::Identity;
use relay_core::health::{Rest, RestCause, Standing};
use relay_core::id::AccountId;
use relay_core::model::ModelFamily;
use relay_core::money::Money;
use relay_core::schedule::{AccountView, Closed, Plan};
use relay_store::accounts::StoredAccount;
use relay_store::slots::SlotPool;
use relay_upstream::client::Client;
use relay_upstream::plan;
use rustls::ClientConfig;

pub use self::host::Host;
use self::host::{HostProbe, Hosts};
pub use self::notes::{Met, Notes, Seen};
use self::trials::{Trial, Trials};
use crate::tokens::Keeper;
use relay_core::period::Span;

/// All accounts. Readers take a snapshot and no lock.
#[derive(Debug)]
pub struct Roster {
    members: ArcSwap<Vec<Arc<Member>>>,
    hosts: Hosts,
    tls: Arc<ClientConfig>,
}

/// One account: its settings, its way out, and its shared state, which outlives edits.
#[derive(Debug)]
pub struct Member {
    /// What the operator set.
    pub account: Account,
    /// The way to its upstream, which no other account uses.
    pub client: Client,
    /// Whose sign-in it is, as the provider told.
    pub identity: Option<Identity>,
    /// What calls share.
    pub shared: Arc<Shared>,
    /// The host that it is reached at, with others perhaps.
    pub host: Arc<Host>,
}

/// What all calls on an account share.
#[derive(Debug)]
pub struct Shared {
    /// Concurrency slots.
    pub slots: Arc<SlotPool>,
    /// What it signs in by.
    pub keeper: Keeper,
    /// What the machine noted of it.
    pub notes: Notes,
    last_used: AtomicI64,
    trials: Trials,
    spent: Mutex<Spent>,
}

/// What an account's calls cost in a day.
#[derive(Debug, Clone, Copy, Default)]
struct Spent {
    day: Timestamp,
    cost: Money,
}

/// The right to try out an account: one call at a time has it, for all models or for a family.
#[derive(Debug)]
pub struct Probe {
    shared: Arc<Shared>,
    trial: Trial,
    _host: Option<HostProbe>,
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.shared.trials.end(&self.trial);
    }
}

/// An edit after which an account may serve where it did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edit {
    /// Another sign-in, key or base URL: it may be another account altogether.
    SignInOrAddress,
    /// Where and as whom tokens are refreshed.
    Oauth,
    /// The way to its host.
    Proxy,
}

impl Shared {
    fn new(keeper: Keeper) -> Self {
        Self {
            slots: Arc::default(),
            keeper,
            notes: Notes::default(),
            last_used: AtomicI64::default(),
            trials: Trials::default(),
            spent: Mutex::default(),
        }
    }

    /// Takes note that a call was given to the account.
    pub fn used(&self, now: Timestamp) {
        self.last_used.fetch_max(now.as_millis(), Ordering::Relaxed);
    }

    /// When a call was last given to it.
    pub fn last_used(&self) -> Timestamp {
        Timestamp::from_millis(self.last_used.load(Ordering::Relaxed))
    }

    /// Adds what a call of that day cost to the day's sum. Of days before the last one that a call
    /// was added to, nobody asks any more.
    pub fn spend(&self, cost: Money, day: Span) {
        let mut spent = self.spent.lock();
        if spent.day < day.from {
            *spent = Spent { day: day.from, cost: Money::ZERO };
        }
        if spent.day == day.from {
            spent.cost += cost;
        }
    }

    /// What its calls cost in that day.
    pub fn spent(&self, day: Span) -> Money {
        let spent = *self.spent.lock();
        if spent.day == day.from { spent.cost } else { Money::ZERO }
    }
}

impl Member {
    /// The account as the scheduler sees it for a call for `model` of `family`. What the provider
    /// counts and limits is the model that it is sent as.
    pub fn view(
        &self,
        model: &str,
        family: &ModelFamily,
        now: Timestamp,
        day: Span,
    ) -> AccountView<'_> {
        let sent_as = self.account.upstream_model(model).unwrap_or(model);
        let mapped = (sent_as != model).then(|| ModelFamily::of(sent_as));
        let sent_family = mapped.as_ref().unwrap_or(family);
        let seen = self.shared.notes.seen_as(self.account.stop_at, (family, sent_family), now);
        let trial = self.trial(family, seen.whole, now);
        let host = self.host.standing(family, now);
        AccountView {
            account: &self.account,
            in_flight: self.shared.slots.in_flight(),
            last_used: self.shared.last_used(),
            standing: seen.standing.and(host).and(self.means(now, day)),
            probed: self.shared.trials.bar(&trial)
                || (host != Standing::Open && self.host.is_probed(family)),
            doubted: seen.doubted,
            headroom: seen.headroom,
            closed: self.closed(now),
            plan: self.plan(sent_as),
        }
    }

    /// Whether its plan has a model, by the name that the account knows it by.
    pub fn plan(&self, sent_as: &str) -> Plan {
        let provider = self.account.kind.service();
        match &self.identity {
            Some(identity) if !plan::serves(provider, identity, sent_as) => Plan::Lacks,
            _ => Plan::Has,
        }
    }

    /// Whether it has what it needs to serve: money for the day, and a token.
    pub fn means(&self, now: Timestamp, day: Span) -> Standing {
        self.money(day).and(self.shared.keeper.standing(now))
    }

    /// Whether the calls of the day cost as much as the operator lets them.
    pub fn money(&self, day: Span) -> Standing {
        match self.account.daily_cost_max {
            Some(max) if self.shared.spent(day) >= max => {
                Standing::Rests(Rest { until: day.to, cause: RestCause::DailyCost, stated: true })
            }
            _ => Standing::Open,
        }
    }

    /// What only a person can change.
    pub fn closed(&self, now: Timestamp) -> Option<Closed> {
        if self.account.ends_at.is_some_and(|at| at <= now) {
            Some(Closed::Ended)
        } else if self.shared.keeper.is_signed_out(now) {
            Some(Closed::SignedOut)
        } else {
            None
        }
    }

    /// Takes the right to try out the account.
    pub fn try_probe(&self, family: &ModelFamily, now: Timestamp) -> Option<Probe> {
        let host = match self.host.standing(family, now) {
            Standing::Open => None,
            Standing::Trial | Standing::Rests(_) => Some(self.host.try_probe(family)?),
        };
        let trial = self.trial(family, self.shared.notes.account_standing(now), now);
        self.shared.trials.begin(&trial).then(|| Probe {
            shared: Arc::clone(&self.shared),
            trial,
            _host: host,
        })
    }

    /// What a call for `family` would try out: everything, if that is what rests.
    fn trial(&self, family: &ModelFamily, whole: Standing, now: Timestamp) -> Trial {
        match whole.and(self.shared.keeper.standing(now)) {
            Standing::Open => Trial::Family(family.clone()),
            Standing::Trial | Standing::Rests(_) => Trial::Account,
        }
    }

    /// Takes over that an edit made void what was noted of the account's faults. Its host is not
    /// concerned, and an edit that leaves the sign-in alone leaves its quota windows alone too.
    pub fn is_edited(&self, edit: Edit) {
        self.shared.keeper.retry_now();
        match edit {
            Edit::SignInOrAddress => self.shared.notes.reset(),
            Edit::Oauth => self
                .shared
                .notes
                .forget(|cause| matches!(cause, RestCause::Unreachable | RestCause::Unauthorised)),
            Edit::Proxy => {
                self.shared.notes.forget(|cause| cause == RestCause::Unreachable);
            }
        }
    }

    /// The operator's reset: clears everything that the machine noted, of its host too.
    pub fn reset(&self) {
        self.shared.notes.reset();
        self.shared.keeper.retry_now();
        self.host.reset();
    }
}

impl Roster {
    /// No accounts; those that come connect with these settings of TLS.
    pub fn new(tls: Arc<ClientConfig>) -> Self {
        Self { members: ArcSwap::default(), hosts: Hosts::default(), tls }
    }

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
        let before = self.find(stored.account.id);
        let keeper = |before: &Member| before.shared.keeper.take_over(&stored);
        before.as_deref().into_iter().for_each(keeper);
        let same_way = before.as_ref().filter(|it| it.account.proxy == stored.account.proxy);
        let client = same_way.map_or_else(
            || Client::new(&self.tls, stored.account.proxy.as_ref()),
            |member| member.client.clone(),
        );
        let shared = before.as_ref().map(|member| Arc::clone(&member.shared));
        let member = Arc::new(Member {
            host: self.hosts.at(&stored.account.base_url),
            shared: shared.unwrap_or_else(|| Arc::new(Shared::new(Keeper::new(&stored)))),
            account: stored.account,
            client,
            identity: stored.identity,
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
