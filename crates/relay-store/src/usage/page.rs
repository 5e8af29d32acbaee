//! The log of calls, newest first, a page at a time.
//!
//! Rows lie in the order of time, so a page without a filter is the last rows before its cursor.
//! Those of a key or an account are looked for only in the quarters of an hour in which the
//! roll-ups know calls of it. Other filters look at one call after the other, but at no more than
//! [`LOOKED_MAX`] for a page: it then ends early and says where to go on.

use relay_core::clock::Timestamp;
use relay_core::id::{AccountId, CallId, KeyId};
use relay_core::usage::CallRecord;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, SqliteConnection};

use super::row::{read, select};
use crate::columns::{Columns, json};
use crate::error::StoreError;
use crate::pool::Store;

/// Calls that are looked at for one page.
pub const LOOKED_MAX: u32 = 100_000;
/// Quarters of an hour that are looked through for one page.
const QUARTERS_MAX: u32 = 3_000;
const QUARTER_MILLIS: i64 = 15 * 60 * 1_000;

/// How a call ended, as people ask for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was answered.
    Ok,
    /// The provider rejected it, or everything that was tried failed.
    Failed,
    /// The client left before the end.
    Left,
    /// The provider did not state all that it used.
    Estimated,
    /// More than one attempt was made, or one that failed.
    Retried,
}

/// Which calls are asked for.
#[derive(Debug, Clone, Default)]
pub struct CallFilter {
    /// From when.
    pub from: Timestamp,
    /// Until when, not included.
    pub to: Timestamp,
    /// Those of these keys alone.
    pub keys: Option<Vec<KeyId>>,
    /// Those that this account served, or was asked last.
    pub account: Option<AccountId>,
    /// Those that count under this model.
    pub model: Option<String>,
    /// Those of this client.
    pub client: Option<String>,
    /// Those that ended so.
    pub ended: Option<Ended>,
}

/// A page of calls.
#[derive(Debug, Clone, Default)]
pub struct CallsPage {
    /// The calls, newest first.
    pub calls: Vec<CallRecord>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<CallId>,
}

/// Whereabouts calls are looked for: ids from the first to before the second.
type Range = (CallId, CallId);

impl CallFilter {
    /// Whether the roll-ups tell where its calls are.
    pub fn is_indexed(&self) -> bool {
        self.keys.is_some() || self.account.is_some()
    }

    /// Whether calls are looked at one by one for what no index tells.
    pub fn looks_at_each(&self) -> bool {
        self.model.is_some() || self.client.is_some() || self.ended.is_some()
    }

    fn range(&self, before: Option<CallId>) -> Range {
        let end = CallId::first_at(self.to);
        (CallId::first_at(self.from), before.map_or(end, |before| before.min(end)))
    }

    /// What a row has to be, beside its time, and the values for it.
    fn condition(&self, arguments: &mut SqliteArguments) -> String {
        let mut text = String::new();
        let mut add = |sql: &str, value: Option<String>| {
            text.push_str(sql);
            if let Some(value) = value {
                arguments.add(value).expect("texts always encode");
            }
        };
        if let Some(keys) = &self.keys {
            let ids: Vec<i64> = keys.iter().map(|key| key.0).collect();
            add(" and key_id in (select value from json_each(?))", Some(json(&ids)));
        }
        if let Some(AccountId(account)) = self.account {
            add(&format!(" and account_id = {account}"), None);
        }
        if let Some(model) = &self.model {
            let served = "case model_served when '' then model_asked else model_served end";
            add(&kinds(&format!("{served} = ?")), Some(model.clone()));
        }
        if let Some(client) = &self.client {
            add(&kinds("client = ?"), Some(client.clone()));
        }
        match self.ended {
            None => {}
            Some(Ended::Ok) => add(&kinds("outcome = 'completed'"), None),
            Some(Ended::Failed) => {
                add(&kinds("outcome not in ('completed', 'client_left')"), None);
            }
            Some(Ended::Left) => add(&kinds("outcome = 'client_left'"), None),
            Some(Ended::Estimated) => add(&kinds("exactness <> 'exact'"), None),
            Some(Ended::Retried) => add(" and attempts is not null", None),
        }
        text
    }
}

/// Calls whose kind fits; kinds are few.
fn kinds(condition: &str) -> String {
    format!(" and kind_id in (select id from call_kinds where {condition})")
}

impl Store {
    /// Up to `limit` calls that came before the call `before`, newest first.
    pub async fn calls_page(
        &self,
        filter: &CallFilter,
        before: Option<CallId>,
        limit: u32,
    ) -> Result<CallsPage, StoreError> {
        let mut reading = self.reader.acquire().await?;
        let range = filter.range(before);
        if filter.is_indexed() {
            by_quarters(&mut reading, filter, range, limit).await
        } else {
            by_looking(&mut reading, filter, range, limit).await
        }
    }

    /// How many calls there are, counted up to `most`; and whether that is all of them.
    pub async fn count_calls(
        &self,
        filter: &CallFilter,
        most: u32,
    ) -> Result<(u64, bool), StoreError> {
        let mut reading = self.reader.acquire().await?;
        let range = filter.range(None);
        let ranges = if filter.is_indexed() {
            quarters(&mut reading, filter, range).await?
        } else {
            vec![range]
        };
        let (mut count, mut looked) = (0, 0);
        for range in &ranges {
            let room = most.saturating_add(1).saturating_sub(count);
            let (found, seen) = count_in(&mut reading, filter, *range, room).await?;
            count += found;
            looked += seen;
            if count > most || looked >= LOOKED_MAX {
                return Ok((u64::from(count.min(most)), false));
            }
        }
        let all = ranges.len() < usize::try_from(QUARTERS_MAX).unwrap_or(usize::MAX);
        Ok((u64::from(count), all))
    }
}

/// Looks through the quarters of an hour that have calls of the key or the account.
async fn by_quarters(
    connection: &mut SqliteConnection,
    filter: &CallFilter,
    range: Range,
    limit: u32,
) -> Result<CallsPage, StoreError> {
    let mut page = CallsPage::default();
    let ranges = quarters(connection, filter, range).await?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut looked = 0;
    for (count, range) in ranges.iter().enumerate() {
        let room = limit.saturating_sub(u32::try_from(page.calls.len()).unwrap_or(u32::MAX));
        page.calls.extend(read_range(connection, filter, *range, room).await?);
        if page.calls.len() >= wanted {
            page.next = page.calls.last().map(|call| call.call);
            return Ok(page);
        }
        if filter.looks_at_each() {
            looked += rows_of(connection, *range).await?;
        }
        let last = count + 1 == ranges.len();
        if looked >= LOOKED_MAX || (last && ranges.len() >= QUARTERS_MAX as usize) {
            page.next = Some(range.0);
            return Ok(page);
        }
    }
    Ok(page)
}

/// Looks at one call after the other.
async fn by_looking(
    connection: &mut SqliteConnection,
    filter: &CallFilter,
    (from, to): Range,
    limit: u32,
) -> Result<CallsPage, StoreError> {
    let bounded =
        if filter.looks_at_each() { from.max(floor(connection, (from, to)).await?) } else { from };
    let calls = read_range(connection, filter, (bounded, to), limit).await?;
    let is_full = calls.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    let next = match calls.last() {
        Some(last) if is_full => Some(last.call),
        _ if bounded > from => Some(bounded),
        _ => None,
    };
    Ok(CallsPage { calls, next })
}

/// The id before which no more is looked for.
async fn floor(connection: &mut SqliteConnection, (from, to): Range) -> Result<CallId, StoreError> {
    let row = sqlx::query(
        "select call_id from calls where call_id >= $1 and call_id < $2
         order by call_id desc limit 1 offset $3",
    )
    .bind(from.as_bytes().as_slice())
    .bind(to.as_bytes().as_slice())
    .bind(i64::from(LOOKED_MAX))
    .fetch_optional(connection)
    .await?;
    row.map_or(Ok(from), |row| id(&row))
}

/// The quarters of an hour with calls of the key or the account, latest first, within the range.
async fn quarters(
    connection: &mut SqliteConnection,
    filter: &CallFilter,
    (from, to): Range,
) -> Result<Vec<Range>, StoreError> {
    let first = filter.from.quarter_hour().as_millis();
    let end = filter.to.as_millis().min(to.time().as_millis().saturating_add(1));
    let mut arguments = SqliteArguments::default();
    let bind = |added: Result<(), _>| added.expect("numbers and texts always encode");
    let mut sql = "select distinct quarter from ".to_owned();
    if let Some(keys) = &filter.keys {
        let ids: Vec<i64> = keys.iter().map(|key| key.0).collect();
        sql.push_str(
            "(select value as asked from json_each(?)) cross join rollups on key_id = asked",
        );
        bind(arguments.add(json(&ids)));
    } else {
        sql.push_str("rollups where true");
    }
    if let Some(AccountId(account)) = filter.account {
        sql.push_str(" and account_id = ?");
        bind(arguments.add(account));
    }
    sql.push_str(" and quarter >= ? and quarter < ? order by quarter desc limit ?");
    bind(arguments.add(first));
    bind(arguments.add(end));
    bind(arguments.add(i64::from(QUARTERS_MAX)));
    let rows = sqlx::query_with(AssertSqlSafe(sql), arguments).fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            let begin = Columns::of(row).at()?;
            let end = Timestamp::from_millis(begin.as_millis().saturating_add(QUARTER_MILLIS));
            Ok((from.max(CallId::first_at(begin)), to.min(CallId::first_at(end))))
        })
        .collect()
}

async fn read_range(
    connection: &mut SqliteConnection,
    filter: &CallFilter,
    (from, to): Range,
    limit: u32,
) -> Result<Vec<CallRecord>, StoreError> {
    let mut arguments = bound(from, to);
    let condition = filter.condition(&mut arguments);
    arguments.add(i64::from(limit)).expect("numbers always encode");
    let sql = format!(
        "{} where call_id >= ? and call_id < ?{condition} order by call_id desc limit ?",
        select!()
    );
    let rows = sqlx::query_with(AssertSqlSafe(sql), arguments).fetch_all(connection).await?;
    rows.iter().map(read).collect()
}

/// How many calls fit in a range, up to `most`, and how many were looked at for that.
async fn count_in(
    connection: &mut SqliteConnection,
    filter: &CallFilter,
    (from, to): Range,
    most: u32,
) -> Result<(u32, u32), StoreError> {
    let mut arguments = bound(from, to);
    arguments.add(i64::from(LOOKED_MAX)).expect("numbers always encode");
    let condition = filter.condition(&mut arguments);
    arguments.add(i64::from(most)).expect("numbers always encode");
    let sql = format!(
        "select count(*) from (select 1 from (select key_id, account_id, kind_id, attempts \
         from calls where call_id >= ? and call_id < ? order by call_id desc limit ?) \
         where true{condition} limit ?)"
    );
    let row = sqlx::query_with(AssertSqlSafe(sql), arguments).fetch_one(&mut *connection).await?;
    let found = Columns::of(&row).number()?;
    let looked = if filter.is_indexed() || filter.looks_at_each() {
        rows_of(connection, (from, to)).await?
    } else {
        found
    };
    Ok((found, looked))
}

/// How many calls lie in a range, up to what is looked at.
async fn rows_of(connection: &mut SqliteConnection, (from, to): Range) -> Result<u32, StoreError> {
    let mut arguments = bound(from, to);
    arguments.add(i64::from(LOOKED_MAX)).expect("numbers always encode");
    let sql =
        "select count(*) from (select 1 from calls where call_id >= ? and call_id < ? limit ?)";
    let row = sqlx::query_with(sql, arguments).fetch_one(connection).await?;
    Columns::of(&row).number()
}

fn bound(from: CallId, to: CallId) -> SqliteArguments {
    let mut arguments = SqliteArguments::default();
    for id in [from, to] {
        arguments.add(id.as_bytes().to_vec()).expect("bytes always encode");
    }
    arguments
}

fn id(row: &SqliteRow) -> Result<CallId, StoreError> {
    let bytes: &[u8] = Columns::of(row).take()?;
    let bytes = bytes.try_into().map_err(|_| StoreError::Stored("id of a call"))?;
    Ok(CallId::from_bytes(bytes))
}
