//! What keys used in a stretch of time, from the roll-ups.

use std::collections::HashMap;

use relay_core::clock::Timestamp;
use relay_core::id::KeyId;
use relay_core::money::Money;
use relay_core::period::Span;
use sqlx::sqlite::SqliteRow;

use crate::columns::{Columns, json};
use crate::error::StoreError;
use crate::pool::Store;
use crate::sums::Grain;

/// What the calls of a key came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyUse {
    /// How many there were.
    pub calls: u64,
    /// Tokens of every kind.
    pub tokens: u64,
    /// What they cost.
    pub cost: Money,
    /// When the last of them came, to the quarter of an hour.
    pub last: Timestamp,
}

macro_rules! sums {
    ($time:literal, $from:literal) => {
        concat!(
            "select key_id, cast(sum(calls) as bigint), \
             cast(sum(input + output + cache_read + cache_write_5m + cache_write_1h) as bigint), \
             cast(sum(cost_nanos) as bigint), max(",
            $time,
            ") from ",
            $from,
            " group by +key_id"
        )
    };
}

impl Store {
    /// What each key used in a stretch of time. Those that used nothing are not listed, removed
    /// ones are. Of whole days the last use is told by the day.
    pub async fn key_use(
        &self,
        span: Span,
        grain: Grain,
    ) -> Result<HashMap<KeyId, KeyUse>, StoreError> {
        let sql = match grain {
            Grain::Quarter => sums!("quarter", "rollups where quarter >= $1 and quarter < $2"),
            Grain::Day => sums!("day", "days_keys where day >= $1 and day < $2"),
        };
        let rows = sqlx::query(sql)
            .bind(span.from.as_millis())
            .bind(span.to.as_millis())
            .fetch_all(&self.reader)
            .await?;
        rows.iter().map(read).collect()
    }

    /// The same for some keys, found by their index.
    pub async fn key_use_of(
        &self,
        keys: &[KeyId],
        span: Span,
    ) -> Result<HashMap<KeyId, KeyUse>, StoreError> {
        let asked = sums!(
            "quarter",
            "(select value as asked from json_each($3)) cross join rollups \
             on key_id = asked and quarter >= $1 and quarter < $2"
        );
        let rows = sqlx::query(asked)
            .bind(span.from.as_millis())
            .bind(span.to.as_millis())
            .bind(ids(keys))
            .fetch_all(&self.reader)
            .await?;
        rows.iter().map(read).collect()
    }

    /// When each of these keys was last used, to the quarter of an hour.
    pub async fn last_use_of(
        &self,
        keys: &[KeyId],
    ) -> Result<HashMap<KeyId, Timestamp>, StoreError> {
        let rows = sqlx::query(
            "select value, (select max(quarter) from rollups where key_id = value) as last
             from json_each($1) where last is not null",
        )
        .bind(ids(keys))
        .fetch_all(&self.reader)
        .await?;
        let read = |row: &SqliteRow| {
            let mut columns = Columns::of(row);
            Ok((KeyId(columns.take()?), columns.at()?))
        };
        rows.iter().map(read).collect()
    }
}

fn ids(keys: &[KeyId]) -> String {
    json(&keys.iter().map(|key| key.0).collect::<Vec<_>>())
}

fn read(row: &SqliteRow) -> Result<(KeyId, KeyUse), StoreError> {
    let mut columns = Columns::of(row);
    let key = KeyId(columns.take()?);
    let used = KeyUse {
        calls: columns.number()?,
        tokens: columns.number()?,
        cost: Money::from_nanos(columns.take()?),
        last: columns.at()?,
    };
    Ok((key, used))
}
