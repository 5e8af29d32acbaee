//! Reports: the roll-ups summed by key, account, model, day and month.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use relay_core::clock::Timestamp;
use relay_core::id::{AccountId, KeyId};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use crate::columns::Columns;
use crate::error::StoreError;
use crate::pool::Store;
use crate::rollups::Totals;

/// What rows of a report are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    /// The key.
    Key,
    /// The account.
    Account,
    /// The model.
    Model,
    /// The day in the report's time zone.
    Day,
    /// The month in the report's time zone.
    Month,
}

impl Dimension {
    /// The dimension that goes by a name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "key" => Some(Self::Key),
            "account" => Some(Self::Account),
            "model" => Some(Self::Model),
            "day" => Some(Self::Day),
            "month" => Some(Self::Month),
            _ => None,
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct ReportQuery {
    /// From when: the quarter of an hour that this lies in is the first.
    pub since: Timestamp,
    /// Until when; `None` is the newest. The quarter of an hour that begins here is not in it.
    pub until: Option<Timestamp>,
    /// What rows are told apart by; none gives one row.
    pub dims: Vec<Dimension>,
    /// Where days and months begin.
    pub zone: TimeZone,
}

/// A row of a report. What it is not told apart by is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportRow {
    /// The day, as `2026-11-23`.
    pub day: Option<String>,
    /// The month, as `2026-11`.
    pub month: Option<String>,
    /// The key's name, also of one that was removed.
    pub key: Option<String>,
    /// The account's name, also of one that was removed.
    pub account: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// The key itself.
    pub key_id: Option<KeyId>,
    /// The account itself.
    pub account_id: Option<AccountId>,
    /// What its calls came to.
    pub totals: Totals,
}

/// A stretch of time that is summed at once.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    from: Timestamp,
    to: Timestamp,
    first_day: Date,
}

impl ReportQuery {
    fn asks(&self, dimension: Dimension) -> bool {
        self.dims.contains(&dimension)
    }
}

impl Store {
    /// Sums the roll-ups; rows come by day, month, key, account and model.
    pub async fn usage_report(&self, query: &ReportQuery) -> Result<Vec<ReportRow>, StoreError> {
        let mut reading = self.reader.begin().await?;
        let Some((first, end)) = extent(&mut reading).await? else { return Ok(Vec::new()) };
        let from = query.since.quarter_hour().max(first);
        let to = query.until.map_or(end, |until| until.min(end));
        let mut rows = Vec::new();
        for stretch in stretches(query, from, to)? {
            rows.extend(sum(&mut reading, query, stretch).await?);
        }
        let order = |row: &ReportRow| {
            let names = (row.key.clone(), row.account.clone(), row.model.clone());
            (row.day.clone(), row.month.clone(), names, row.key_id, row.account_id)
        };
        rows.sort_by_cached_key(order);
        Ok(rows)
    }
}

/// Cuts the time from `from` to `to` where a day or a month begins, as far as the query needs it.
fn stretches(
    query: &ReportQuery,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Stretch>, StoreError> {
    let mut cut = Vec::new();
    let mut from = from;
    while from < to {
        let moment = jiff::Timestamp::from_millisecond(from.as_millis());
        let day = moment.map_err(StoreError::Calendar)?.to_zoned(query.zone.clone()).date();
        let next_day = if query.asks(Dimension::Day) {
            day.tomorrow()
        } else if query.asks(Dimension::Month) {
            day.last_of_month().tomorrow()
        } else {
            cut.push(Stretch { from, to, first_day: day });
            break;
        };
        let next = next_day
            .and_then(|next_day| next_day.to_zoned(query.zone.clone()))
            .map_err(StoreError::Calendar)?;
        let next = Timestamp::from_millis(next.timestamp().as_millisecond());
        cut.push(Stretch { from, to: next.min(to), first_day: day });
        from = next;
    }
    Ok(cut)
}

/// From the first quarter of an hour that has sums to the end of the last.
async fn extent(
    connection: &mut SqliteConnection,
) -> Result<Option<(Timestamp, Timestamp)>, StoreError> {
    let row =
        sqlx::query("select min(quarter), max(quarter) from rollups").fetch_one(connection).await?;
    let mut columns = Columns::of(&row);
    let (first, last) = (columns.optional_at()?, columns.optional_at()?);
    // One past the start of the last quarter takes it in, as quarters are chosen by their start.
    let past = |last: Timestamp| Timestamp::from_millis(last.as_millis() + 1);
    Ok(first.zip(last.map(past)))
}

/// Sums one stretch of time.
async fn sum(
    connection: &mut SqliteConnection,
    query: &ReportQuery,
    stretch: Stretch,
) -> Result<Vec<ReportRow>, StoreError> {
    let asks = |dimension| i64::from(query.asks(dimension));
    let rows = sqlx::query(
        "select sums.key_id, keys.name, sums.account_id, accounts.name, sums.model,
             calls, estimated_calls, failed_calls, input, output, cache_read, cache_write_5m,
             cache_write_1h, web_searches, cost_nanos, first_byte_count, first_byte_millis_sum,
             total_millis_sum
         from (
             select case when $3 = 1 then key_id end as key_id,
                 case when $4 = 1 then account_id end as account_id,
                 case when $5 = 1 then model end as model,
                 cast(sum(calls) as bigint) as calls,
                 cast(sum(estimated_calls) as bigint) as estimated_calls,
                 cast(sum(failed_calls) as bigint) as failed_calls,
                 cast(sum(input) as bigint) as input,
                 cast(sum(output) as bigint) as output,
                 cast(sum(cache_read) as bigint) as cache_read,
                 cast(sum(cache_write_5m) as bigint) as cache_write_5m,
                 cast(sum(cache_write_1h) as bigint) as cache_write_1h,
                 cast(sum(web_searches) as bigint) as web_searches,
                 cast(sum(cost_nanos) as bigint) as cost_nanos,
                 cast(sum(first_byte_count) as bigint) as first_byte_count,
                 cast(sum(first_byte_millis_sum) as bigint) as first_byte_millis_sum,
                 cast(sum(total_millis_sum) as bigint) as total_millis_sum
             from rollups where quarter >= $1 and quarter < $2
             group by 1, 2, 3
         ) sums
         left join keys on keys.id = sums.key_id
         left join accounts on accounts.id = sums.account_id",
    )
    .bind(stretch.from.as_millis())
    .bind(stretch.to.as_millis())
    .bind(asks(Dimension::Key))
    .bind(asks(Dimension::Account))
    .bind(asks(Dimension::Model))
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| read(row, query, stretch.first_day)).collect()
}

fn read(row: &SqliteRow, query: &ReportQuery, day: Date) -> Result<ReportRow, StoreError> {
    let mut columns = Columns::of(row);
    let key_id = columns.take::<Option<i64>>()?.map(KeyId);
    let key_name: Option<String> = columns.take()?;
    let account_id = columns.take::<Option<i64>>()?.map(AccountId);
    let account_name: Option<String> = columns.take()?;
    Ok(ReportRow {
        day: query.asks(Dimension::Day).then(|| day.to_string()),
        month: query.asks(Dimension::Month).then(|| day.strftime("%Y-%m").to_string()),
        key: key_name.or_else(|| key_id.map(|id| id.to_string())),
        account: account_name.or_else(|| account_id.map(|id| id.to_string())),
        model: columns.take()?,
        key_id,
        account_id,
        totals: Totals::read(&mut columns)?,
    })
}

#[cfg(test)]
mod tests;
