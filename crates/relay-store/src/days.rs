//! The tables `days_keys` and `days_models`: sums by day of the relay's time zone.
//!
//! A chart of ninety days would read millions of roll-ups. Each transaction that adds to these adds
//! to the days too, so that both agree at every moment; of a batch of calls that is a row or two.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use jiff::tz::TimeZone;
use relay_core::clock::Timestamp;
use relay_core::period::{Period, Span, WeekReset};
use relay_core::usage::CallRecord;
use sqlx::{AssertSqlSafe, SqliteConnection};

use crate::columns::Columns;
use crate::error::StoreError;
use crate::pool::Store;
use crate::rollups::{Cell, Totals};
use crate::rows::{Values, runs, text};

/// The columns of sums, in the order in which [`Totals`] are written and read.
pub(crate) const SUMS: [&str; 13] = [
    "calls",
    "estimated_calls",
    "failed_calls",
    "input",
    "output",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "web_searches",
    "cost_nanos",
    "first_byte_count",
    "first_byte_millis_sum",
    "total_millis_sum",
];

/// The zone in which days begin, once it is known; clones share it. UTC until then.
#[derive(Debug, Clone, Default)]
pub(crate) struct Days(Arc<ArcSwapOption<TimeZone>>);

impl Days {
    fn day(&self, quarter: Timestamp) -> Span {
        let zone = self.0.load();
        let utc = TimeZone::UTC;
        let zone = zone.as_deref().unwrap_or(&utc);
        Period::Day.span(quarter, zone, WeekReset::MONDAY)
    }

    /// Adds sums of quarters of an hour to those of their days.
    pub(crate) async fn add(
        &self,
        connection: &mut SqliteConnection,
        cells: &[(Cell<'_>, Totals)],
    ) -> Result<(), StoreError> {
        let (mut keys, mut models) = (HashMap::new(), HashMap::new());
        let mut day = None;
        for (cell, totals) in cells {
            // They are of a few days, most often of one.
            let known = day.filter(|day: &Span| day.contains(cell.quarter));
            let span = known.unwrap_or_else(|| self.day(cell.quarter));
            day = Some(span);
            let from = span.from.as_millis();
            add_up(&mut keys, (from, cell.key), totals);
            add_up(&mut models, (from, cell.account, cell.model), totals);
        }
        let keys: Vec<_> = keys.into_iter().collect();
        for run in runs(&keys) {
            let shape = (run.len(), 15);
            let mut values = Values::with_room(shape);
            for ((day, key), totals) in run {
                values.add(*day).add(*key);
                totals.write(&mut values);
            }
            let sql = text(KEYS_HEAD, shape, KEYS_TAIL);
            sqlx::query_with(sql, values.into_arguments()).execute(&mut *connection).await?;
        }
        let models: Vec<_> = models.into_iter().collect();
        for run in runs(&models) {
            let shape = (run.len(), 16);
            let mut values = Values::with_room(shape);
            for ((day, account, model), totals) in run {
                values.add(*day).add(*account).add(*model);
                totals.write(&mut values);
            }
            let sql = text(MODELS_HEAD, shape, MODELS_TAIL);
            sqlx::query_with(sql, values.into_arguments()).execute(&mut *connection).await?;
        }
        Ok(())
    }
}

fn add_up<K: Eq + Hash>(sums: &mut HashMap<K, Totals>, at: K, totals: &Totals) {
    sums.entry(at).or_default().add_all(totals);
}

/// The text of an insert that adds to the row that is there.
macro_rules! insert {
    ($table:literal, $columns:literal) => {
        (
            concat!(
                "insert into ",
                $table,
                " (",
                $columns,
                ", calls, estimated_calls, failed_calls, input, output, cache_read, \
                 cache_write_5m, cache_write_1h, web_searches, cost_nanos, first_byte_count, \
                 first_byte_millis_sum, total_millis_sum) values"
            ),
            concat!(
                "on conflict (",
                $columns,
                ") do update set calls = calls + excluded.calls, \
                 estimated_calls = estimated_calls + excluded.estimated_calls, \
                 failed_calls = failed_calls + excluded.failed_calls, \
                 input = input + excluded.input, output = output + excluded.output, \
                 cache_read = cache_read + excluded.cache_read, \
                 cache_write_5m = cache_write_5m + excluded.cache_write_5m, \
                 cache_write_1h = cache_write_1h + excluded.cache_write_1h, \
                 web_searches = web_searches + excluded.web_searches, \
                 cost_nanos = cost_nanos + excluded.cost_nanos, \
                 first_byte_count = first_byte_count + excluded.first_byte_count, \
                 first_byte_millis_sum = first_byte_millis_sum + excluded.first_byte_millis_sum, \
                 total_millis_sum = total_millis_sum + excluded.total_millis_sum"
            ),
        )
    };
}

const KEYS: (&str, &str) = insert!("days_keys", "day, key_id");
const MODELS: (&str, &str) = insert!("days_models", "day, account_id, model");
const KEYS_HEAD: &str = KEYS.0;
const KEYS_TAIL: &str = KEYS.1;
const MODELS_HEAD: &str = MODELS.0;
const MODELS_TAIL: &str = MODELS.1;

/// Moves the cost of the days that `record` went into by `nanos`. The row of its day is the latest
/// that begins before it, whatever the zone.
pub(crate) async fn correct_cost(
    connection: &mut SqliteConnection,
    record: &CallRecord,
    nanos: i64,
) -> Result<(), StoreError> {
    let cell = Cell::of(record);
    sqlx::query(
        "update days_keys set cost_nanos = cost_nanos + $3 where key_id = $1 and day =
             (select max(day) from days_keys where key_id = $1 and day <= $2)",
    )
    .bind(cell.key)
    .bind(cell.quarter.as_millis())
    .bind(nanos)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "update days_models set cost_nanos = cost_nanos + $4
         where account_id = $1 and model = $2 and day = (select max(day) from days_models
             where account_id = $1 and model = $2 and day <= $3)",
    )
    .bind(cell.account)
    .bind(cell.model)
    .bind(cell.quarter.as_millis())
    .bind(nanos)
    .execute(connection)
    .await?;
    Ok(())
}

impl Store {
    /// Has days begin in `zone`. If they began in another, their sums are made anew from the
    /// roll-ups: that takes seconds where there are millions, and is to be done before calls come.
    pub async fn keep_days(&self, zone: &TimeZone) -> Result<(), StoreError> {
        let name = name_of(zone);
        self.days.0.store(Some(Arc::new(zone.clone())));
        let kept = sqlx::query("select zone from days_zone").fetch_optional(&self.reader).await?;
        let kept = kept.map(|row| Columns::of(&row).string()).transpose()?;
        if kept.as_deref() == Some(name.as_str()) {
            return Ok(());
        }
        let mut edit = self.edit().await?;
        rebuild(&mut edit, &self.days).await?;
        sqlx::query(
            "insert into days_zone (id, zone) values (1, $1)
             on conflict (id) do update set zone = excluded.zone",
        )
        .bind(name)
        .execute(&mut *edit)
        .await?;
        Ok(edit.commit().await?)
    }
}

/// What a zone is remembered by.
fn name_of(zone: &TimeZone) -> String {
    let fixed = || zone.to_fixed_offset().ok().map(|offset| offset.to_string());
    let name = zone.iana_name().map(str::to_owned).or_else(fixed);
    name.unwrap_or_else(|| format!("{zone:?}"))
}

/// Makes all days anew, one after the other.
async fn rebuild(connection: &mut SqliteConnection, days: &Days) -> Result<(), StoreError> {
    sqlx::query("delete from days_keys").execute(&mut *connection).await?;
    sqlx::query("delete from days_models").execute(&mut *connection).await?;
    let sums = SUMS.map(|column| format!("sum({column})")).join(", ");
    let insert = |table: &str, columns: &str| {
        AssertSqlSafe(format!(
            "insert into {table} (day, {columns}, {}) select $1, {columns}, {sums} from rollups \
             where quarter >= $1 and quarter < $2 group by {columns}",
            SUMS.join(", ")
        ))
    };
    let mut next = first_after(connection, i64::MIN).await?;
    while let Some(quarter) = next {
        let day = days.day(quarter);
        for sql in [insert("days_keys", "key_id"), insert("days_models", "account_id, model")] {
            sqlx::query(sql)
                .bind(day.from.as_millis())
                .bind(day.to.as_millis())
                .execute(&mut *connection)
                .await?;
        }
        next = first_after(connection, day.to.as_millis()).await?;
    }
    Ok(())
}

/// The first quarter of an hour at or after `millis` that has sums.
async fn first_after(
    connection: &mut SqliteConnection,
    millis: i64,
) -> Result<Option<Timestamp>, StoreError> {
    let row = sqlx::query("select min(quarter) from rollups where quarter >= $1")
        .bind(millis)
        .fetch_one(connection)
        .await?;
    Columns::of(&row).optional_at()
}
