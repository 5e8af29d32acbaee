//! Keys, a page at a time. They are searched and sorted in memory, where all of them are; only
//! those on the page are read.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::Json;
use relay_core::clock::Timestamp;
use relay_core::id::KeyId;
use relay_core::key::Key;
use relay_store::keys::StoredKey;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::item::{KeyItem, KeyState, items, share};
use super::sums::{KeySums, Sums};
use crate::admin::answer::{Problem, Read};
use crate::admin::given::Sought;
use crate::admin::guard::Who;
use crate::admin::listed::Paging;
use crate::keyring::Holder;

/// Which keys are meant.
#[derive(Debug, Clone, Default, Deserialize, ToSchema, IntoParams)]
#[into_params(parameter_in = Query)]
#[schema(as = KeyFilter)]
pub(super) struct Filter {
    /// Words that all stand in its name, owner, note or tags, in whatever order.
    #[serde(default)]
    q: Option<String>,
    /// How it is; those in the trash are only told when they are asked for.
    #[param(inline)]
    #[serde(default)]
    state: Option<KeyState>,
    /// A tag of it.
    #[serde(default)]
    tag: Option<String>,
    /// Whose it is.
    #[serde(default)]
    owner: Option<String>,
}

/// In which order keys stand.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Order {
    /// `name`, `cost_28d`, `cost_total`, `last_used`, `expires`, `created` or `limit` (which is
    /// nearest to its end); with `-` before it the other way round.
    #[serde(default)]
    sort: Option<String>,
}

/// A tag, and how many keys have it.
#[derive(Debug, Serialize, ToSchema)]
struct TagCount {
    /// The tag.
    tag: String,
    /// How many keys have it.
    keys: usize,
}

/// A page of keys.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct KeyPage {
    /// What stands on the page.
    items: Vec<KeyItem>,
    /// How many there are on all pages.
    total: usize,
    /// How many there are in each state, whatever state is asked for.
    counts: BTreeMap<String, usize>,
    /// All tags there are, the most used first.
    tags: Vec<TagCount>,
}

/// A key as it is sorted.
struct Row {
    holder: Arc<Holder>,
    state: KeyState,
    /// How much is used of the limit that is nearest to its end, in millionths.
    nearest: u64,
}

/// What rows are compared by.
type Compared<'a> = Box<dyn Fn(&Row) -> i64 + Send + 'a>;

/// Keys, by name unless another order is asked for.
#[utoipa::path(get, path = "/admin/keys", tag = "keys", operation_id = "keys_list",
    params(Filter, Order, Paging),
    responses((status = 200, body = KeyPage), (status = 400, body = Problem)))]
pub(super) async fn list(
    who: Who,
    Sought(filter): Sought<Filter>,
    Sought(order): Sought<Order>,
    Sought(paging): Sought<Paging>,
) -> Read<KeyPage> {
    let mut rows = filter.but_state(&who);
    let removed = filter.removed(&who).await?;
    let mut counts: BTreeMap<String, usize> =
        KeyState::ALL.map(|it| (it.as_str().to_owned(), 0)).into();
    for row in &rows {
        *counts.entry(row.state.as_str().to_owned()).or_default() += 1;
    }
    counts.insert(KeyState::Removed.as_str().to_owned(), removed.len());
    let (total, stored) = if filter.state == Some(KeyState::Removed) {
        (removed.len(), paging.cut(removed))
    } else {
        rows.retain(|row| filter.is_in_state(row.state));
        let total = rows.len();
        let rows = order.sort(&who, rows).await?;
        let ids: Vec<KeyId> = paging.cut(rows).iter().map(|row| row.holder.key.id).collect();
        (total, in_order(&who, &ids).await?)
    };
    let items = items(&who, stored).await?;
    Ok(Json(KeyPage { items, total, counts, tags: tags(&who) }))
}

/// The keys of these ids, in their order; without those that are gone by now.
async fn in_order(who: &Who, ids: &[KeyId]) -> Result<Vec<StoredKey>, Problem> {
    let read = who.app.store.keys_of(ids).await?.into_iter();
    let mut found: HashMap<KeyId, StoredKey> = read.map(|it| (it.key.id, it)).collect();
    Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
}

/// Every tag, the most used first.
fn tags(who: &Who) -> Vec<TagCount> {
    let mut counted: HashMap<String, usize> = HashMap::new();
    for holder in who.app.keys.holders() {
        for tag in &holder.key.tags {
            match counted.get_mut(tag) {
                Some(keys) => *keys += 1,
                None => drop(counted.insert(tag.clone(), 1)),
            }
        }
    }
    let mut tags: Vec<TagCount> =
        counted.into_iter().map(|(tag, keys)| TagCount { tag, keys }).collect();
    tags.sort_by(|a, b| b.keys.cmp(&a.keys).then_with(|| a.tag.cmp(&b.tag)));
    tags
}

impl Filter {
    /// The keys that are meant; those in the trash only when they are asked for.
    pub(super) async fn find(&self, who: &Who) -> Result<Vec<StoredKey>, Problem> {
        if self.state == Some(KeyState::Removed) {
            return self.removed(who).await;
        }
        let mut rows = self.but_state(who);
        rows.retain(|row| self.is_in_state(row.state));
        let ids: Vec<KeyId> = rows.iter().map(|row| row.holder.key.id).collect();
        in_order(who, &ids).await
    }

    /// Those that are there and would be meant in any state.
    fn but_state(&self, who: &Who) -> Vec<Row> {
        let (now, words) = (who.now(), self.words());
        let holders = who.app.keys.holders().into_iter();
        let meant = holders.filter(|it| self.lets_through(&it.key, &words));
        let row = |holder: Arc<Holder>| {
            let limits = &holder.key.limits;
            let standings = holder.allowance.standings(limits, now, &who.app.calendar);
            let state = KeyState::of(&holder, &standings, now);
            Row { state, nearest: standings.iter().map(share).max().unwrap_or(0), holder }
        };
        meant.map(row).collect()
    }

    /// Those in the trash, the latest first.
    async fn removed(&self, who: &Who) -> Result<Vec<StoredKey>, Problem> {
        let mut removed = who.app.store.removed_keys().await?;
        let words = self.words();
        removed.retain(|it| self.lets_through(&it.key, &words));
        Ok(removed)
    }

    fn words(&self) -> Vec<String> {
        let text = self.q.as_deref().unwrap_or_default().to_lowercase();
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn lets_through(&self, key: &Key, words: &[String]) -> bool {
        let set = |text: &Option<String>| text.as_deref().is_some_and(|it| !it.is_empty());
        let has_tag = |tag: &String| key.tags.iter().any(|it| it == tag);
        (!set(&self.tag) || self.tag.as_ref().is_some_and(has_tag))
            && (!set(&self.owner) || self.owner.as_ref() == Some(&key.owner))
            && (words.is_empty() || has(key, words))
    }

    fn is_in_state(&self, state: KeyState) -> bool {
        self.state.is_none_or(|asked| asked == state)
    }
}

/// Whether all words stand in what is known of a key.
fn has(key: &Key, words: &[String]) -> bool {
    let mut text = key.name.clone();
    let parts = [&key.owner, &key.note].into_iter().chain(&key.tags);
    for part in parts.filter(|part| !part.is_empty()) {
        text.push('\n');
        text.push_str(part);
    }
    let text = text.to_lowercase();
    words.iter().all(|word| text.contains(word.as_str()))
}

impl Order {
    async fn sort(&self, who: &Who, rows: Vec<Row>) -> Result<Vec<Row>, Problem> {
        let asked = self.sort.as_deref().map(str::trim).filter(|it| !it.is_empty());
        let asked = asked.unwrap_or("name");
        let (by, reversed) = asked.strip_prefix('-').map_or((asked, false), |by| (by, true));
        let sums = KeySums::of(&who.app).await?;
        let measure = Self::measure(by, &sums)
            .ok_or_else(|| Problem::invalid(format!("nothing is sorted by {by:?}")).at("sort"))?;
        let named = |row: Row| (measure(&row), row.holder.key.name.to_lowercase(), row);
        let mut keyed: Vec<(i64, String, Row)> = rows.into_iter().map(named).collect();
        keyed.sort_by(|a, b| {
            let by_name = || a.1.cmp(&b.1);
            let order = if by == "name" { by_name() } else { a.0.cmp(&b.0) };
            let order = if reversed { order.reverse() } else { order };
            order.then_with(by_name)
        });
        Ok(keyed.into_iter().map(|(_, _, row)| row).collect())
    }

    /// What keys are compared by.
    fn measure<'a>(by: &str, sums: &'a Sums) -> Option<Compared<'a>> {
        let millis = |at: Option<Timestamp>, none: i64| at.map_or(none, Timestamp::as_millis);
        Some(match by {
            "name" => Box::new(|_| 0),
            "cost_28d" => Box::new(|row| sums.cost(row.holder.key.id).as_nanos()),
            "cost_total" => Box::new(|row| sums.total(row.holder.key.id).as_nanos()),
            "last_used" => Box::new(move |row| {
                let known = row.holder.allowance.last_used();
                millis(known.or_else(|| sums.last_use(row.holder.key.id)), i64::MIN)
            }),
            "expires" => Box::new(move |row| {
                let first_used = row.holder.allowance.first_used();
                millis(row.holder.key.ends_at(first_used), i64::MAX)
            }),
            "created" => Box::new(|row| row.holder.key.id.0),
            "limit" => Box::new(|row| i64::try_from(row.nearest).unwrap_or(i64::MAX)),
            _ => return None,
        })
    }
}
