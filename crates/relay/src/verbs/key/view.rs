//! A key as it is shown: what was set, what it has used, what a running server knows.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use relay_core::clock::Timestamp;
use relay_core::id::{AccountId, GroupId, KeyId};
use relay_core::key::{BindingTarget, KeyLimits, KeyRules};
use relay_core::money::Money;
use relay_core::protocol::Service;
use relay_core::tally::{Standing, Tally};
use relay_store::Store;
use relay_store::key_counts::FamilyTotal;
use relay_store::keys::StoredKey;
use serde::Serialize;
use utoipa::ToSchema;

use super::document::RulesDoc;
use super::standing::{LimitsView, StandingView};
use super::{AsOf, GROUP_MARK};
use crate::live::KeyLive;
use crate::tallies;
use crate::verbs::{VerbError, moment, usage};

/// Refused calls are told of this time.
const REFUSED_WITHIN: Duration = Duration::from_hours(24);

/// Keys whose sums are looked up one by one.
const FEW_KEYS: usize = 500;

/// A key as it is shown.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct KeyView {
    /// Identity.
    #[schema(value_type = String)]
    pub id: KeyId,
    /// The name.
    pub name: String,
    /// The operator's switch.
    pub enabled: bool,
    /// From when it is refused: by its date, or its time from the first call once that has come.
    #[serde(serialize_with = "moment::serialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// How long it lasts from its first call.
    #[serde(rename = "lasts_seconds", serialize_with = "seconds")]
    #[schema(value_type = Option<u64>)]
    pub lasts: Option<Duration>,
    /// What limits it.
    pub limits: LimitsView,
    /// What it may ask.
    #[schema(value_type = RulesDoc)]
    pub rules: KeyRules,
    /// What it has used in all.
    pub used: Used,
    /// How each of its limits stands.
    pub standings: Vec<StandingView>,
    /// What it is bound to by service, written as `--bind` takes it.
    #[schema(value_type = BTreeMap<String, String>)]
    pub bindings: BTreeMap<Service, String>,
    /// Calls under way.
    pub in_flight: u32,
    /// Calls that wait for their turn.
    pub waiting: u32,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Whose it is.
    pub owner: String,
    /// A note for people.
    pub note: String,
    /// The last four characters of the secret.
    pub secret_tail: String,
    /// When it was given out.
    #[serde(serialize_with = "moment::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When the first call came with it.
    #[serde(serialize_with = "moment::serialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub first_used_at: Option<Timestamp>,
    /// Until when a secret works that was replaced, if one still does.
    #[serde(serialize_with = "moment::serialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub old_works_until: Option<Timestamp>,
    /// When it was removed.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "moment::serialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub removed_at: Option<Timestamp>,
    /// Calls refused within the last day, by reason; of a key that is shown alone.
    #[serde(rename = "refused_24h", skip_serializing_if = "Option::is_none")]
    pub refused: Option<BTreeMap<String, u64>>,
}

/// What a key has used in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
#[schema(as = KeyUsed)]
pub struct Used {
    /// Calls.
    pub calls: u64,
    /// Tokens of every kind.
    pub tokens: u64,
    /// What that cost.
    #[serde(rename = "cost_usd", serialize_with = "usage::dollars")]
    #[schema(value_type = f64)]
    pub cost: Money,
}

/// What the views of keys are made from, beside the keys.
pub(super) struct Surroundings {
    accounts: HashMap<AccountId, String>,
    groups: HashMap<GroupId, String>,
    used: HashMap<KeyId, Used>,
}

impl Surroundings {
    /// For these keys; without any, for all.
    pub(super) async fn read(store: &Store, keys: Option<&[KeyId]>) -> Result<Self, VerbError> {
        let accounts = store.accounts().await?.into_iter();
        let groups = store.groups().await?.into_iter();
        Ok(Self {
            accounts: accounts.map(|it| (it.account.id, it.account.name)).collect(),
            groups: groups.map(|group| (group.id, group.name)).collect(),
            used: used(store, keys).await?,
        })
    }

    /// A key as it is shown.
    pub(super) fn view(
        &self,
        stored: &StoredKey,
        standing: KeyStanding,
        now: Timestamp,
    ) -> KeyView {
        let key = stored.key.clone();
        let bound = key.bindings.iter().map(|it| (it.service, self.name_of(it.target)));
        let first_used_at = standing.first_used_at.or(key.first_used_at);
        let old_secrets = stored.old_secrets.iter().map(|old| old.until);
        KeyView {
            bindings: bound.collect(),
            limits: LimitsView::from(&key.limits),
            used: self.used.get(&key.id).copied().unwrap_or_default(),
            in_flight: standing.in_flight,
            waiting: standing.waiting,
            standings: standing.views(&key.limits),
            expires_at: key.ends_at(first_used_at),
            id: key.id,
            name: key.name,
            enabled: key.enabled,
            lasts: key.lasts,
            rules: key.rules,
            tags: key.tags,
            owner: key.owner,
            note: key.note,
            secret_tail: stored.secret_tail.clone(),
            created_at: key.created_at,
            first_used_at,
            old_works_until: old_secrets.filter(|until| *until > now).max(),
            removed_at: stored.removed_at,
            refused: None,
        }
    }

    /// The target as `--bind` takes it; its id if it is gone.
    fn name_of(&self, target: BindingTarget) -> String {
        match target {
            BindingTarget::Account(id) => {
                self.accounts.get(&id).cloned().unwrap_or_else(|| id.to_string())
            }
            BindingTarget::Group(id) => {
                let name = self.groups.get(&id).cloned().unwrap_or_else(|| id.to_string());
                format!("{GROUP_MARK}{name}")
            }
        }
    }
}

/// How a key stands: what its counters say and what is under way.
#[derive(Debug, Default)]
pub(super) struct KeyStanding {
    in_flight: u32,
    waiting: u32,
    first_used_at: Option<Timestamp>,
    counted: Vec<Standing>,
}

impl KeyStanding {
    fn views(self, limits: &KeyLimits) -> Vec<StandingView> {
        let calls = limits.concurrency;
        let calls = calls.map(|max| StandingView::of_concurrency(max, self.in_flight));
        calls.into_iter().chain(self.counted.into_iter().map(StandingView::from)).collect()
    }
}

impl From<&KeyLive> for KeyStanding {
    fn from(live: &KeyLive) -> Self {
        Self {
            in_flight: live.in_flight,
            waiting: live.waiting,
            first_used_at: live.first_used_at,
            counted: live.standings.clone(),
        }
    }
}

/// The keys as they are shown: their counters from the running server, else from the records.
pub(super) async fn views(
    store: &Store,
    keys: &[StoredKey],
    as_of: &AsOf<'_>,
) -> Result<Vec<KeyView>, VerbError> {
    let ids: Vec<KeyId> = keys.iter().map(|stored| stored.key.id).collect();
    // Many are sooner told by reading all.
    let few = (ids.len() <= FEW_KEYS).then_some(ids.as_slice());
    let surroundings = Surroundings::read(store, few).await?;
    let live = as_of.live.map(|live| live.keys.as_slice()).unwrap_or_default();
    let live: HashMap<KeyId, &KeyLive> = live.iter().map(|it| (it.id, it)).collect();
    let told = |stored: &StoredKey| live.get(&stored.key.id).copied();
    let untold = keys.iter().filter(|stored| !as_of.is_told(told(stored), &stored.key.limits));
    let untold: Vec<StoredKey> = untold.cloned().collect();
    let mut tallies = tallies::load(store, &untold, as_of.calendar, as_of.now).await?;
    let view = |stored: &StoredKey| {
        let limits = &stored.key.limits;
        let mut standing = told(stored).map(KeyStanding::from).unwrap_or_default();
        if !as_of.is_told(told(stored), limits) {
            // One that has used nothing is not in the records.
            let mut tally = tallies.remove(&stored.key.id).unwrap_or_default();
            standing.counted = tally.standings(limits, as_of.now, as_of.calendar);
        }
        surroundings.view(stored, standing, as_of.now)
    };
    Ok(keys.iter().map(view).collect())
}

impl AsOf<'_> {
    /// Whether the running server tells of just these limits: it may not have noticed an edit yet.
    fn is_told(&self, live: Option<&KeyLive>, limits: &KeyLimits) -> bool {
        let told = live.map(|live| live.standings.as_slice()).unwrap_or_default();
        let set = Tally::default().standings(limits, self.now, self.calendar);
        let names = |list: &[Standing]| -> Vec<_> {
            list.iter().map(|it| (it.limit.clone(), it.max)).collect()
        };
        names(told) == names(&set)
    }
}

/// Calls of a key that were refused within the last day, by reason.
pub async fn refused(
    store: &Store,
    key: KeyId,
    now: Timestamp,
) -> Result<BTreeMap<String, u64>, VerbError> {
    let mut refused = BTreeMap::new();
    for count in store.refusals_since(now.minus(REFUSED_WITHIN)).await? {
        if count.key == key {
            *refused.entry(count.reason).or_default() += count.calls;
        }
    }
    Ok(refused)
}

/// What keys have used since the beginning.
async fn used(store: &Store, keys: Option<&[KeyId]>) -> Result<HashMap<KeyId, Used>, VerbError> {
    let totals = store.keys_used(keys).await?.into_iter();
    Ok(totals.map(|(key, total)| (key, Used::from(total))).collect())
}

impl From<FamilyTotal> for Used {
    fn from(total: FamilyTotal) -> Self {
        Self { calls: total.calls, tokens: total.amount.tokens, cost: total.amount.cost }
    }
}

#[expect(clippy::ref_option, reason = "serde calls it so")]
fn seconds<S: serde::Serializer>(span: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    span.map(|span| span.as_secs()).serialize(to)
}
