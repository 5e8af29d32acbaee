//! What forms suggest: from what there is, and from what was used.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use relay_core::model::ModelFamily;
use relay_core::money::Money;
use serde::Serialize;
use utoipa::ToSchema;

use super::sums::{self, KeySums, Sums};
use crate::admin::answer::Read;
use crate::admin::guard::Who;
use crate::verbs::key::BUILT_IN_CLIENTS;

/// Names that are suggested of one kind.
const SUGGESTED_MAX: usize = 500;

/// What a form of a key suggests.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KeySuggestions)]
pub(super) struct Suggestions {
    /// Whose keys there are.
    owners: BTreeSet<String>,
    /// Tags that keys have.
    tags: BTreeSet<String>,
    /// Models that have prices.
    models: BTreeSet<String>,
    /// Families of these.
    families: BTreeSet<String>,
    /// Clients that can be told apart.
    clients: Vec<ClientName>,
    /// Accounts that keys can be bound to.
    accounts: Vec<AccountName>,
    /// Groups that keys can be bound to.
    groups: Vec<String>,
    /// What keys usually spend.
    typical: Vec<Typical>,
    /// What keys begin with.
    prefix: String,
}

/// A client that can be told apart.
#[derive(Debug, Serialize, ToSchema)]
struct ClientName {
    /// Its id, as rules take it.
    id: String,
    /// What people call it.
    name: String,
}

/// An account that keys can be bound to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BindableAccount)]
struct AccountName {
    /// Its name.
    name: String,
    /// What it serves.
    service: &'static str,
}

/// What keys with a tag usually spend.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KeyTypical)]
struct Typical {
    /// The tag; null is all keys.
    tag: Option<String>,
    /// How many keys with it were used within the last 28 days.
    keys: usize,
    /// The median of what these keys spend on a day, in dollars.
    daily_usd: f64,
}

/// What forms of keys suggest.
#[utoipa::path(get, path = "/admin/keys/suggestions", tag = "keys",
    operation_id = "keys_suggestions", responses((status = 200, body = Suggestions)))]
pub(super) async fn suggestions(who: Who) -> Read<Suggestions> {
    let app = &who.app;
    let (mut owners, mut tags) = (BTreeSet::new(), BTreeSet::new());
    for holder in app.keys.holders() {
        if !holder.key.owner.is_empty() && owners.len() < SUGGESTED_MAX {
            owners.insert(holder.key.owner.clone());
        }
        let free = SUGGESTED_MAX.saturating_sub(tags.len());
        tags.extend(holder.key.tags.iter().take(free).cloned());
    }
    let prices = app.prices.load();
    let models: BTreeSet<String> = prices.listings().map(|it| it.model.to_owned()).collect();
    let families = models.iter().map(|it| ModelFamily::of(it).as_str().to_owned());
    let families: BTreeSet<String> = families.filter(|it| !it.is_empty()).collect();
    let built_in = BUILT_IN_CLIENTS.iter().zip(["Claude Code", "Gemini CLI", "Codex"]);
    let built_in =
        built_in.map(|(id, name)| ClientName { id: (*id).to_owned(), name: name.into() });
    let own = app.settings.clients.own().iter();
    let own = own.map(|it| ClientName { id: it.id.to_string(), name: it.name.clone() });
    let members = app.roster.snapshot();
    let account = |name: &str, service| AccountName { name: name.to_owned(), service };
    let accounts =
        members.iter().map(|it| account(&it.account.name, it.account.kind.service().as_str()));
    let mut accounts: Vec<AccountName> = accounts.collect();
    accounts.sort_by(|a, b| a.name.cmp(&b.name));
    let groups = app.store.groups().await?.into_iter().map(|group| group.name).collect();
    let sums = KeySums::of(app).await?;
    Ok(Json(Suggestions {
        owners,
        tags,
        models,
        families,
        clients: built_in.chain(own).collect(),
        accounts,
        groups,
        typical: typical(&who, &sums),
        prefix: app.settings.api_key_prefix.clone(),
    }))
}

/// What keys spend on a day, by tag.
fn typical(who: &Who, sums: &Sums) -> Vec<Typical> {
    let mut spent: BTreeMap<Option<String>, Vec<Money>> = BTreeMap::new();
    for holder in who.app.keys.holders() {
        let cost = sums.cost(holder.key.id);
        if cost > Money::ZERO {
            let tags = holder.key.tags.iter().cloned().map(Some).chain([None]);
            tags.for_each(|tag| spent.entry(tag).or_default().push(cost));
        }
    }
    let typical = |(tag, mut costs): (Option<String>, Vec<Money>)| {
        costs.sort();
        let nanos = costs.get(costs.len() / 2).map_or(0, |it| it.as_nanos());
        let days = i64::try_from(sums::DAYS).unwrap_or(1);
        let daily_usd = Money::from_nanos(nanos / days).to_usd_f64();
        Typical { tag, keys: costs.len(), daily_usd }
    };
    spent.into_iter().take(SUGGESTED_MAX).map(typical).collect()
}
