//! The tables `key_windows` and `key_totals`, and the moment of a key's first use: what a key has
//! used, as far as the journal has been taken in.

mod ingest;

use std::collections::{HashMap, HashSet};

use relay_core::clock::Timestamp;
use relay_core::id::KeyId;
use relay_core::model::ModelFamily;
use relay_core::money::Money;
use relay_core::period::Span;
use relay_core::tally::{Amount, Mean, Window};
use relay_core::usage::CallRecord;
use serde::Serialize;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

pub(crate) use self::ingest::{FirstUses, KeyCounters};
use crate::columns::{Columns, json};
use crate::error::StoreError;
use crate::pool::Store;
use crate::rollups::counted_as;

/// Keys whose sums are looked up one by one. All roll-ups are read for more of them: what lies
/// together is read far sooner than what is looked up.
const BY_KEY_MAX: usize = 200;

/// Calls from which is learnt, at a start, what calls come to.
const MEANT_CALLS_MAX: i64 = 20_000;

/// Stretches of time for which a key's costs are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyPeriods {
    /// Which key.
    pub key: KeyId,
    /// The present day, week and month, as they are for this key.
    pub spans: [Span; 3],
}

/// What one key has used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyCounts {
    /// Its latest window.
    pub window: Option<Window>,
    /// What it used in all, by family of models.
    pub totals: Vec<(ModelFamily, FamilyTotal)>,
    /// What its calls cost in the stretches that were asked for, by model.
    pub models: Vec<(String, [Money; 3])>,
}

/// What a key used of one family of models, in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FamilyTotal {
    /// How many calls.
    pub calls: u64,
    /// Their tokens, and what they cost.
    pub amount: Amount,
}

/// A stretch as a statement takes it.
#[derive(Serialize)]
struct Asked(i64, i64, [(i64, i64); 3]);

impl Store {
    /// What keys have used, all as of one moment. Those that have used nothing are not listed;
    /// `keys` says for which of them costs by period are wanted.
    pub async fn key_counts(
        &self,
        keys: &[KeyPeriods],
    ) -> Result<HashMap<KeyId, KeyCounts>, StoreError> {
        let mut reading = self.reader.begin().await?;
        let mut counts = totals(&mut reading).await?;
        windows(&mut reading, &mut counts).await?;
        let used: Vec<&KeyPeriods> =
            keys.iter().filter(|asked| counts.contains_key(&asked.key)).collect();
        let (many, few) = apart(&used);
        if let Some(spans) = many {
            let is_asked: HashSet<KeyId> =
                used.iter().filter(|it| it.spans == spans).map(|it| it.key).collect();
            of_all(&mut reading, spans, |key| is_asked.contains(&key), &mut counts).await?;
        }
        if !few.is_empty() {
            of_each(&mut reading, &few, &mut counts).await?;
        }
        Ok(counts)
    }

    /// What keys have used in all; those that have used nothing are not listed. Without `keys`, all
    /// are asked for.
    pub async fn keys_used(
        &self,
        keys: Option<&[KeyId]>,
    ) -> Result<HashMap<KeyId, FamilyTotal>, StoreError> {
        let sums = "select key_id, cast(sum(calls) as bigint), cast(sum(tokens) as bigint), \
             cast(sum(cost_nanos) as bigint) from key_totals \
             where $1 is null or key_id in (select value from json_each($1)) group by key_id";
        let ids = keys.map(|keys| json(&keys.iter().map(|key| key.0).collect::<Vec<_>>()));
        let rows = sqlx::query(sums).bind(ids).fetch_all(&self.reader).await?;
        let read = |row: &SqliteRow| {
            let mut columns = Columns::of(row);
            let key = KeyId(columns.take()?);
            Ok((key, FamilyTotal { calls: columns.number()?, amount: amount(&mut columns)? }))
        };
        rows.iter().map(read).collect()
    }

    /// What the calls of each key and model that it asked for came to on average, among the latest
    /// calls; of those that were answered and whose use the provider stated.
    pub async fn key_means(&self) -> Result<Vec<(KeyId, String, Mean)>, StoreError> {
        sqlx::query(
            "select key_id, model_asked, count(*) as answered, sum(output),
                 sum(input + output + cache_read + cache_write_5m + cache_write_1h),
                 sum(cost_nanos)
             from (select * from calls order by call_id desc limit $1) as latest
                 join call_kinds on call_kinds.id = kind_id
             where outcome = 'completed' and exactness = 'exact'
             group by key_id, model_asked order by max(call_id)",
        )
        .bind(MEANT_CALLS_MAX)
        .fetch_all(&self.reader)
        .await?
        .iter()
        .map(|row| {
            let mut columns = Columns::of(row);
            let (key, model) = (KeyId(columns.take()?), columns.string()?);
            let answered: u64 = columns.number()?;
            let output = columns.number::<u64>()? / answered;
            let tokens = columns.number::<u64>()? / answered;
            let nanos: i64 = columns.take()?;
            let cost = Money::from_nanos(nanos / i64::try_from(answered).unwrap_or(i64::MAX));
            Ok((key, model, Mean::known(output, Amount { tokens, cost })))
        })
        .collect()
    }
}

impl Asked {
    fn of(periods: &KeyPeriods) -> Self {
        let spans = periods.spans.map(|span| (span.from.as_millis(), span.to.as_millis()));
        let since = spans.iter().map(|(from, _)| *from).min().unwrap_or(i64::MAX);
        Self(periods.key.0, since, spans)
    }
}

async fn totals(
    connection: &mut SqliteConnection,
) -> Result<HashMap<KeyId, KeyCounts>, StoreError> {
    let rows = sqlx::query("select key_id, family, calls, tokens, cost_nanos from key_totals")
        .fetch_all(connection)
        .await?;
    let mut counts: HashMap<KeyId, KeyCounts> = HashMap::new();
    for row in &rows {
        let mut columns = Columns::of(row);
        let (key, family) = (KeyId(columns.take()?), ModelFamily::named(columns.text()?));
        let total = FamilyTotal { calls: columns.number()?, amount: amount(&mut columns)? };
        counts.entry(key).or_default().totals.push((family, total));
    }
    Ok(counts)
}

async fn windows(
    connection: &mut SqliteConnection,
    counts: &mut HashMap<KeyId, KeyCounts>,
) -> Result<(), StoreError> {
    let rows = sqlx::query("select key_id, from_at, requests, tokens, cost_nanos from key_windows")
        .fetch_all(connection)
        .await?;
    for row in &rows {
        let mut columns = Columns::of(row);
        let key = KeyId(columns.take()?);
        let (from, requests) = (columns.at()?, columns.number()?);
        let window = Window { from, requests, settled: amount(&mut columns)? };
        counts.entry(key).or_default().window = Some(window);
    }
    Ok(())
}

/// The stretches that most keys ask for, if they are many, and the other keys.
fn apart(asked: &[&KeyPeriods]) -> (Option<[Span; 3]>, Vec<Asked>) {
    let mut keys_of: Vec<([Span; 3], usize)> = Vec::new();
    for it in asked {
        match keys_of.iter_mut().find(|(spans, _)| *spans == it.spans) {
            Some((_, keys)) => *keys += 1,
            None => keys_of.push((it.spans, 1)),
        }
    }
    let most = keys_of.into_iter().max_by_key(|(_, keys)| *keys);
    let many = most.filter(|(_, keys)| *keys > BY_KEY_MAX).map(|(spans, _)| spans);
    let others = asked.iter().filter(|it| Some(it.spans) != many);
    (many, others.map(|it| Asked::of(it)).collect())
}

/// Sums of all roll-ups since the stretches began, read in their order.
async fn of_all(
    connection: &mut SqliteConnection,
    spans: [Span; 3],
    is_asked: impl Fn(KeyId) -> bool,
    counts: &mut HashMap<KeyId, KeyCounts>,
) -> Result<(), StoreError> {
    const SUMS: &str = "select key_id, model, \
         sum(cost_nanos) filter (where quarter >= $1 and quarter < $2), \
         sum(cost_nanos) filter (where quarter >= $3 and quarter < $4), \
         sum(cost_nanos) filter (where quarter >= $5 and quarter < $6) \
         from rollups where quarter >= min($1, $3, $5) and quarter < max($2, $4, $6) \
         group by key_id, model";
    let mut sums = sqlx::query(SUMS);
    for span in spans {
        sums = sums.bind(span.from.as_millis()).bind(span.to.as_millis());
    }
    let rows = sums.fetch_all(connection).await?;
    for row in &rows {
        let (key, model) = costs(row)?;
        if is_asked(key) {
            counts.entry(key).or_default().models.push(model);
        }
    }
    Ok(())
}

/// Sums of the roll-ups of each key that is asked for, found by its index, in its own stretches.
async fn of_each(
    connection: &mut SqliteConnection,
    asked: &[Asked],
    counts: &mut HashMap<KeyId, KeyCounts>,
) -> Result<(), StoreError> {
    const SUMS: &str = "select key_id, model, \
         sum(cost_nanos) filter (where quarter >= day_from and quarter < day_to), \
         sum(cost_nanos) filter (where quarter >= week_from and quarter < week_to), \
         sum(cost_nanos) filter (where quarter >= month_from and quarter < month_to) \
         from (select value->>0 as asked_key, value->>1 as since, \
             value->>'$[2][0][0]' as day_from, value->>'$[2][0][1]' as day_to, \
             value->>'$[2][1][0]' as week_from, value->>'$[2][1][1]' as week_to, \
             value->>'$[2][2][0]' as month_from, value->>'$[2][2][1]' as month_to \
             from json_each($1)) as asked \
         cross join rollups on key_id = asked_key and quarter >= since \
         group by key_id, model";
    let rows = sqlx::query(SUMS).bind(json(asked)).fetch_all(connection).await?;
    for row in &rows {
        let (key, model) = costs(row)?;
        counts.entry(key).or_default().models.push(model);
    }
    Ok(())
}

/// What calls of a key and a model cost in each stretch.
fn costs(row: &SqliteRow) -> Result<(KeyId, (String, [Money; 3])), StoreError> {
    let mut columns = Columns::of(row);
    let (key, model) = (KeyId(columns.take()?), columns.string()?);
    let mut costs = [Money::ZERO; 3];
    for cost in &mut costs {
        *cost = Money::from_nanos(columns.take::<Option<i64>>()?.unwrap_or(0));
    }
    Ok((key, (model, costs)))
}

fn amount(columns: &mut Columns<'_>) -> Result<Amount, StoreError> {
    Ok(Amount { tokens: columns.number()?, cost: Money::from_nanos(columns.take()?) })
}

/// Moves the cost of the counters that `record` went into by `difference`.
pub(crate) async fn correct_cost(
    connection: &mut SqliteConnection,
    record: &CallRecord,
    difference: Money,
) -> Result<(), StoreError> {
    sqlx::query(
        "update key_totals set cost_nanos = cost_nanos + $3 where key_id = $1 and family = $2",
    )
    .bind(record.key.0)
    .bind(ModelFamily::of(counted_as(record)).as_str())
    .bind(difference.as_nanos())
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "update key_windows set cost_nanos = cost_nanos + $3 where key_id = $1 and from_at = $2",
    )
    .bind(record.key.0)
    .bind(record.window.map(Timestamp::as_millis))
    .bind(difference.as_nanos())
    .execute(connection)
    .await?;
    Ok(())
}
