//! A key as it is shown: what was set, what it has used, what a running server knows.

use std::collections::{BTreeMap, HashMap};

use jiff::tz::TimeZone;
use relay_core::clock::Timestamp;
use relay_core::id::{AccountId, GroupId, KeyId};
use relay_core::key::BindingTarget;
use relay_core::money::Money;
use relay_core::protocol::Service;
use relay_store::Store;
use relay_store::keys::StoredKey;
use relay_store::report::{Dimension, ReportQuery};
use serde::Serialize;

use super::GROUP_MARK;
use crate::live::LiveState;
use crate::verbs::{VerbError, moment, usage};

/// A key as it is shown.
#[derive(Debug, Clone, Serialize)]
pub struct KeyView {
    /// Identity.
    pub id: KeyId,
    /// The name.
    pub name: String,
    /// The operator's switch.
    pub enabled: bool,
    /// From when it is refused.
    #[serde(serialize_with = "moment::serialize_option")]
    pub expires_at: Option<Timestamp>,
    /// What limits it.
    pub limits: Limits,
    /// What it has used in all.
    pub used: Used,
    /// What it is bound to by service, written as `--bind` takes it.
    pub bindings: BTreeMap<Service, String>,
    /// Calls under way.
    pub in_flight: u32,
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
    pub created_at: Timestamp,
    /// When the first call came with it.
    #[serde(serialize_with = "moment::serialize_option")]
    pub first_used_at: Option<Timestamp>,
}

/// What limits a key: nothing yet. One that is not set is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Limits {}

/// What a key has used in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Used {
    /// Calls.
    pub calls: u64,
    /// Tokens of every kind.
    pub tokens: u64,
    /// What that cost.
    #[serde(rename = "cost_usd", serialize_with = "usage::dollars")]
    pub cost: Money,
}

/// What the views of keys are made from, beside the keys.
pub(super) struct Surroundings {
    accounts: HashMap<AccountId, String>,
    groups: HashMap<GroupId, String>,
    used: HashMap<KeyId, Used>,
}

impl Surroundings {
    pub(super) async fn read(store: &Store) -> Result<Self, VerbError> {
        let accounts = store.accounts().await?.into_iter();
        let groups = store.groups().await?.into_iter();
        Ok(Self {
            accounts: accounts.map(|it| (it.account.id, it.account.name)).collect(),
            groups: groups.map(|group| (group.id, group.name)).collect(),
            used: used(store).await?,
        })
    }

    /// A key as it is shown.
    pub(super) fn view(&self, stored: &StoredKey, live: Option<&LiveState>) -> KeyView {
        let key = stored.key.clone();
        let live = live.and_then(|live| live.keys.iter().find(|it| it.id == key.id));
        let bound = key.bindings.iter().map(|it| (it.service, self.name_of(it.target)));
        KeyView {
            bindings: bound.collect(),
            limits: Limits::default(),
            used: self.used.get(&key.id).copied().unwrap_or_default(),
            in_flight: live.map_or(0, |live| live.in_flight),
            id: key.id,
            name: key.name,
            enabled: key.enabled,
            expires_at: key.expires_at,
            tags: key.tags,
            owner: key.owner,
            note: key.note,
            secret_tail: stored.secret_tail.clone(),
            created_at: key.created_at,
            first_used_at: stored.first_used_at,
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

/// What every key has used since the beginning.
async fn used(store: &Store) -> Result<HashMap<KeyId, Used>, VerbError> {
    let query = ReportQuery {
        since: Timestamp::from_millis(0),
        until: None,
        dims: vec![Dimension::Key],
        zone: TimeZone::UTC,
    };
    let rows = store.usage_report(&query).await?;
    let used = rows.iter().filter_map(|row| {
        let usage = &row.totals.usage;
        let used = Used {
            calls: row.totals.calls,
            tokens: usage.context() + usage.output,
            cost: row.totals.cost,
        };
        Some((row.key_id?, used))
    });
    Ok(used.collect())
}
