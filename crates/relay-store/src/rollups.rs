//! The table `rollups`: sums by quarter of an hour, key, account and model.

use std::collections::HashMap;

use relay_core::clock::Timestamp;
use relay_core::id::AccountId;
use relay_core::money::Money;
use relay_core::usage::{CallRecord, TokenUsage};
use sqlx::SqliteConnection;

use crate::columns::{Columns, whole};
use crate::days::{self, Days};
use crate::error::StoreError;
use crate::pool::Store;
use crate::rows::{Values, runs, text};

/// What several calls came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// How many there were.
    pub calls: u64,
    /// Those whose tokens were not all stated by the provider.
    pub estimated_calls: u64,
    /// Those that accounts or the relay failed.
    pub failed_calls: u64,
    /// What they used.
    pub usage: TokenUsage,
    /// What they cost.
    pub cost: Money,
    /// Those with a first byte.
    pub first_byte_count: u64,
    /// Milliseconds to the first byte, summed over those that had one.
    pub first_byte_millis_sum: u64,
    /// Milliseconds to the end, summed.
    pub total_millis_sum: u64,
}

/// What a sum is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Cell<'r> {
    pub(crate) quarter: Timestamp,
    pub(crate) key: i64,
    pub(crate) account: i64,
    pub(crate) model: &'r str,
}

/// The sums of the calls that one transaction adds.
#[derive(Debug, Default)]
pub(crate) struct RollUps<'r>(HashMap<Cell<'r>, Totals>);

impl<'r> Cell<'r> {
    pub(crate) fn of(record: &'r CallRecord) -> Self {
        Self {
            quarter: record.at.quarter_hour(),
            key: record.key.0,
            account: record.account.0,
            model: counted_as(record),
        }
    }
}

/// The model that a call counts under: the one that answered, if the upstream said which.
pub fn counted_as(record: &CallRecord) -> &str {
    if record.model_served.is_empty() { &record.model_asked } else { &record.model_served }
}

impl Totals {
    fn add(&mut self, record: &CallRecord) {
        self.calls += 1;
        self.estimated_calls += u64::from(record.exactness.is_estimated());
        self.failed_calls += u64::from(record.outcome.is_failure());
        self.usage.input += record.usage.input;
        self.usage.output += record.usage.output;
        self.usage.cache_read += record.usage.cache_read;
        self.usage.cache_write_5m += record.usage.cache_write_5m;
        self.usage.cache_write_1h += record.usage.cache_write_1h;
        self.usage.web_searches += record.usage.web_searches;
        self.cost += record.cost;
        self.first_byte_count += u64::from(record.first_byte_millis.is_some());
        self.first_byte_millis_sum += record.first_byte_millis.unwrap_or(0);
        self.total_millis_sum += record.total_millis;
    }

    /// Reads the thirteen sums in the order of the table's columns.
    pub(crate) fn read(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            calls: columns.number()?,
            estimated_calls: columns.number()?,
            failed_calls: columns.number()?,
            usage: TokenUsage {
                input: columns.number()?,
                output: columns.number()?,
                cache_read: columns.number()?,
                cache_write_5m: columns.number()?,
                cache_write_1h: columns.number()?,
                web_searches: columns.number()?,
            },
            cost: Money::from_nanos(columns.take()?),
            first_byte_count: columns.number()?,
            first_byte_millis_sum: columns.number()?,
            total_millis_sum: columns.number()?,
        })
    }

    /// Adds other sums to these.
    pub fn add_all(&mut self, other: &Self) {
        self.calls += other.calls;
        self.estimated_calls += other.estimated_calls;
        self.failed_calls += other.failed_calls;
        self.usage.input += other.usage.input;
        self.usage.output += other.usage.output;
        self.usage.cache_read += other.usage.cache_read;
        self.usage.cache_write_5m += other.usage.cache_write_5m;
        self.usage.cache_write_1h += other.usage.cache_write_1h;
        self.usage.web_searches += other.usage.web_searches;
        self.cost += other.cost;
        self.first_byte_count += other.first_byte_count;
        self.first_byte_millis_sum += other.first_byte_millis_sum;
        self.total_millis_sum += other.total_millis_sum;
    }

    /// Tokens of every kind.
    pub const fn tokens(&self) -> u64 {
        let usage = &self.usage;
        usage.input + usage.output + usage.cache_read + usage.cache_write_5m + usage.cache_write_1h
    }

    pub(crate) fn write(&self, values: &mut Values) {
        values.add(whole(self.calls)).add(whole(self.estimated_calls));
        values.add(whole(self.failed_calls));
        values.add(whole(self.usage.input)).add(whole(self.usage.output));
        values.add(whole(self.usage.cache_read)).add(whole(self.usage.cache_write_5m));
        values.add(whole(self.usage.cache_write_1h)).add(whole(self.usage.web_searches));
        values.add(self.cost.as_nanos()).add(whole(self.first_byte_count));
        values.add(whole(self.first_byte_millis_sum)).add(whole(self.total_millis_sum));
    }
}

impl<'r> RollUps<'r> {
    /// Each sum's key, model and totals.
    pub(crate) fn by_model(&self) -> impl Iterator<Item = (i64, &'r str, &Totals)> {
        self.0.iter().map(|(cell, totals)| (cell.key, cell.model, totals))
    }

    /// Adds a call to the sums.
    pub(crate) fn add(&mut self, record: &'r CallRecord) {
        self.0.entry(Cell::of(record)).or_default().add(record);
    }

    /// Adds the sums to those of the table, and to those of their days.
    pub(crate) async fn save(
        self,
        connection: &mut SqliteConnection,
        days: &Days,
    ) -> Result<(), StoreError> {
        const HEAD: &str = "insert into rollups (quarter, key_id, account_id, model, calls, \
             estimated_calls, failed_calls, input, output, cache_read, cache_write_5m, \
             cache_write_1h, web_searches, cost_nanos, first_byte_count, first_byte_millis_sum, \
             total_millis_sum) values";
        const ADD_UP: &str = "on conflict (quarter, key_id, account_id, model) do update set \
             calls = rollups.calls + excluded.calls, \
             estimated_calls = rollups.estimated_calls + excluded.estimated_calls, \
             failed_calls = rollups.failed_calls + excluded.failed_calls, \
             input = rollups.input + excluded.input, \
             output = rollups.output + excluded.output, \
             cache_read = rollups.cache_read + excluded.cache_read, \
             cache_write_5m = rollups.cache_write_5m + excluded.cache_write_5m, \
             cache_write_1h = rollups.cache_write_1h + excluded.cache_write_1h, \
             web_searches = rollups.web_searches + excluded.web_searches, \
             cost_nanos = rollups.cost_nanos + excluded.cost_nanos, \
             first_byte_count = rollups.first_byte_count + excluded.first_byte_count, \
             first_byte_millis_sum = \
                 rollups.first_byte_millis_sum + excluded.first_byte_millis_sum, \
             total_millis_sum = rollups.total_millis_sum + excluded.total_millis_sum";
        let cells: Vec<(Cell<'_>, Totals)> = self.0.into_iter().collect();
        for run in runs(&cells) {
            let shape = (run.len(), 17);
            let mut values = Values::with_room(shape);
            for (cell, totals) in run {
                values.add(cell.quarter.as_millis()).add(cell.key).add(cell.account);
                values.add(cell.model);
                totals.write(&mut values);
            }
            sqlx::query_with(text(HEAD, shape, ADD_UP), values.into_arguments())
                .execute(&mut *connection)
                .await?;
        }
        days.add(connection, &cells).await
    }
}

// A sum that is grouped by `+account_id` is read by time. Without the mark the engine would read all
// there ever was in the order of an index, so as not to have to sort.
impl Store {
    /// What the calls of each account cost since the quarter of an hour that `start` lies in.
    /// Accounts without calls are not listed, removed ones are.
    pub async fn account_costs_since(
        &self,
        start: Timestamp,
    ) -> Result<Vec<(AccountId, Money)>, StoreError> {
        sqlx::query(
            "select account_id, cast(sum(cost_nanos) as bigint) from rollups
             where quarter >= $1 group by +account_id order by +account_id",
        )
        .bind(start.quarter_hour().as_millis())
        .fetch_all(&self.reader)
        .await?
        .iter()
        .map(|row| {
            let mut columns = Columns::of(row);
            Ok((AccountId(columns.take()?), Money::from_nanos(columns.take()?)))
        })
        .collect()
    }

    /// What the calls of each account came to since the quarter of an hour that `start` lies in.
    /// Accounts without calls are not in it, removed ones are.
    pub async fn account_use_since(
        &self,
        start: Timestamp,
    ) -> Result<HashMap<AccountId, AccountUse>, StoreError> {
        sqlx::query(
            "select account_id, cast(sum(calls) as bigint),
                 cast(sum(input + output + cache_read + cache_write_5m + cache_write_1h) as bigint),
                 cast(sum(cost_nanos) as bigint)
             from rollups where quarter >= $1 group by +account_id",
        )
        .bind(start.quarter_hour().as_millis())
        .fetch_all(&self.reader)
        .await?
        .iter()
        .map(|row| {
            let mut columns = Columns::of(row);
            let account = AccountId(columns.take()?);
            let (calls, tokens) = (columns.number()?, columns.number()?);
            let cost = Money::from_nanos(columns.take()?);
            Ok((account, AccountUse { calls, tokens, cost }))
        })
        .collect()
    }
}

/// What the calls of an account came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AccountUse {
    /// How many there were.
    pub calls: u64,
    /// Tokens of every kind.
    pub tokens: u64,
    /// What they cost.
    pub cost: Money,
}

/// Moves the cost of the sum that `record` went into by `difference`.
pub(crate) async fn correct_cost(
    connection: &mut SqliteConnection,
    record: &CallRecord,
    difference: Money,
) -> Result<(), StoreError> {
    let cell = Cell::of(record);
    sqlx::query(
        "update rollups set cost_nanos = cost_nanos + $5
         where quarter = $1 and key_id = $2 and account_id = $3 and model = $4",
    )
    .bind(cell.quarter.as_millis())
    .bind(cell.key)
    .bind(cell.account)
    .bind(cell.model)
    .bind(difference.as_nanos())
    .execute(&mut *connection)
    .await?;
    days::correct_cost(connection, record, difference.as_nanos()).await
}
