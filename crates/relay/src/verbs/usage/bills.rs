//! Bills: what each key or owner cost in a month.

use std::collections::{HashMap, HashSet};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use relay_core::clock::Timestamp;
use relay_core::id::KeyId;
use relay_core::money::Money;
use relay_core::period::Span;
use relay_store::Store;
use relay_store::key_use::KeyUse;
use relay_store::sums::Grain;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::dollars;
use crate::verbs::VerbError;

/// Months that are offered, the latest first.
const MONTHS_MAX: usize = 120;

/// Who is billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BilledBy {
    /// Each key.
    #[default]
    Key,
    /// Each owner; keys without one are together.
    Owner,
}

/// What one key or owner cost.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct BillRow {
    /// The key; empty of an owner.
    pub id: String,
    /// The name of the key, or the owner.
    pub name: String,
    /// Whose the key is.
    pub owner: String,
    /// Calls.
    pub calls: u64,
    /// Tokens of every kind.
    pub tokens: u64,
    /// What they cost.
    #[serde(rename = "cost_usd", serialize_with = "dollars")]
    #[schema(value_type = f64)]
    pub cost: Money,
    /// Its share of what all cost.
    pub share_percent: f64,
    /// What it cost in the month before.
    #[serde(rename = "previous_usd", serialize_with = "dollars")]
    #[schema(value_type = f64)]
    pub previous: Money,
}

/// What all of them cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Bill {
    /// Each, the dearest first.
    pub rows: Vec<BillRow>,
    /// All of them together.
    pub total: Money,
    /// All of the month before.
    pub previous_total: Money,
}

/// The months that have calls, as `2026-11`, the latest first; the present one is always there.
pub async fn months(
    store: &Store,
    zone: &TimeZone,
    now: Timestamp,
) -> Result<Vec<String>, VerbError> {
    let day = |at: Timestamp| {
        let at = jiff::Timestamp::from_millisecond(at.as_millis()).unwrap_or_default();
        at.to_zoned(zone.clone()).date().first_of_month()
    };
    let first = day(store.first_day().await?.unwrap_or(now));
    let mut months = vec![day(now)];
    while let Some(before) = months.last().and_then(|last| last.yesterday().ok())
        && before >= first
        && months.len() < MONTHS_MAX
    {
        months.push(before.first_of_month());
    }
    Ok(months.iter().map(|month| month.strftime("%Y-%m").to_string()).collect())
}

/// What a month cost, as `2026-11`.
pub async fn bill(
    store: &Store,
    month: &str,
    by: BilledBy,
    zone: &TimeZone,
) -> Result<Bill, VerbError> {
    let wrong = || VerbError::Invalid("a month is written 2026-11".to_owned());
    let first: Date = format!("{month}-01").parse().map_err(|_| wrong())?;
    if month.len() != "2026-11".len() {
        return Err(wrong());
    }
    let span = month_of(first, zone).ok_or_else(wrong)?;
    let earlier = first.yesterday().ok().and_then(|day| month_of(day.first_of_month(), zone));
    let earlier = async {
        match earlier {
            Some(span) => store.key_use(span, Grain::Day).await,
            None => Ok(HashMap::new()),
        }
    };
    // Each is read by a connection of its own.
    let (present, past) = tokio::try_join!(store.key_use(span, Grain::Day), earlier)?;
    let keys: HashSet<KeyId> = present.keys().chain(past.keys()).copied().collect();
    let names = store.names(keys.iter().copied(), []).await?;
    let mut rows: HashMap<String, BillRow> = HashMap::new();
    for id in keys {
        let (name, owner) = names.keys.get(&id).cloned().unwrap_or_default();
        let (place, row) = match by {
            BilledBy::Key => (id.to_string(), BillRow::new(id.to_string(), name, owner)),
            BilledBy::Owner => (owner.clone(), BillRow::new(String::new(), owner.clone(), owner)),
        };
        let row = rows.entry(place).or_insert(row);
        row.add(present.get(&id));
        row.previous += past.get(&id).map_or(Money::ZERO, |used| used.cost);
    }
    Ok(Bill::of(rows.into_values().collect()))
}

/// The month that begins with a day.
fn month_of(first: Date, zone: &TimeZone) -> Option<Span> {
    let start = |day: Date| {
        let at = day.to_zoned(zone.clone()).ok()?.timestamp();
        Some(Timestamp::from_millis(at.as_millisecond()))
    };
    Some(Span { from: start(first)?, to: start(first.last_of_month().tomorrow().ok()?)? })
}

impl BillRow {
    fn new(id: String, name: String, owner: String) -> Self {
        let (cost, previous) = (Money::ZERO, Money::ZERO);
        Self { id, name, owner, calls: 0, tokens: 0, cost, share_percent: 0.0, previous }
    }

    fn add(&mut self, used: Option<&KeyUse>) {
        let Some(used) = used else { return };
        self.calls += used.calls;
        self.tokens += used.tokens;
        self.cost += used.cost;
    }
}

impl Bill {
    fn of(mut rows: Vec<BillRow>) -> Self {
        let sum = |of: fn(&BillRow) -> Money| {
            rows.iter().map(of).fold(Money::ZERO, |sum, cost| sum + cost)
        };
        let (total, previous_total) = (sum(|row| row.cost), sum(|row| row.previous));
        let all = total.to_usd_f64();
        for row in &mut rows {
            if all > 0.0 {
                row.share_percent = row.cost.to_usd_f64() * 100.0 / all;
            }
        }
        rows.sort_by(|a, b| {
            let cost = b.cost.cmp(&a.cost).then_with(|| b.previous.cmp(&a.previous));
            cost.then_with(|| a.name.cmp(&b.name)).then_with(|| a.id.cmp(&b.id))
        });
        Self { rows, total, previous_total }
    }
}
