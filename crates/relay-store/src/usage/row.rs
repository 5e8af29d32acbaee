//! How a call stands in its row.

use std::collections::HashSet;

use relay_core::clock::Timestamp;
use relay_core::id::{AccountId, CallId, KeyId, SessionId};
use relay_core::money::Money;
use relay_core::price::{PriceSource, PricedBy};
use relay_core::usage::{Attempt, CallRecord, TokenUsage};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use crate::columns::{Columns, json, whole};
use crate::error::StoreError;
use crate::rows::{self, Values};
use crate::usage::RETRIED_READ_MAX;

/// How a call is read, with its kind.
macro_rules! select {
    () => {
        "select call_id, at, key_id, account_id, path, model_asked, model_served, client, session, \
             streamed, status, outcome, input, output, cache_read, cache_write_5m, \
             cache_write_1h, web_searches, exactness, cost_nanos, price_version, price_source, \
             service_tier, speed, first_byte_millis, total_millis, window_from, \
             attempt_after_millis, attempt_millis, attempts \
         from calls join call_kinds on call_kinds.id = kind_id "
    };
}

pub(super) use select;

/// The calls among `records` that the table has.
///
/// An insert could tell by itself which rows were new, but the driver hands each row that comes
/// back to another thread, and almost always all are new: asking first is cheaper, by one
/// statement for any number of calls. Nobody else writes in between, as the transaction holds the
/// lock.
pub(super) async fn known(
    connection: &mut SqliteConnection,
    records: &[CallRecord],
) -> Result<HashSet<CallId>, StoreError> {
    let asked: Vec<CallId> = records.iter().map(|record| record.call).collect();
    let rows = sqlx::query(
        "select call_id from calls where call_id in (
             select unhex(value, '-') from json_each($1)
         )",
    )
    .bind(json(&asked))
    .fetch_all(connection)
    .await?;
    let mut known = HashSet::with_capacity(records.len());
    for row in &rows {
        known.insert(call_id(&mut Columns::of(row))?);
    }
    Ok(known)
}

/// Inserts the records of calls that the table does not have, each with the number of its kind.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    run: &[(&CallRecord, i64)],
) -> Result<(), StoreError> {
    const HEAD: &str = "insert into calls (call_id, at, key_id, account_id, kind_id, session, \
         input, output, cache_read, cache_write_5m, cache_write_1h, web_searches, cost_nanos, \
         provisional, first_byte_millis, total_millis, attempt_after_millis, attempt_millis, \
         attempts, window_from) values";
    let shape = (run.len(), 20);
    let mut values = Values::with_room(shape);
    for (record, kind) in run {
        write(record, *kind, &mut values);
    }
    sqlx::query_with(rows::text(HEAD, shape, ""), values.into_arguments())
        .execute(connection)
        .await?;
    Ok(())
}

/// The record of one call.
pub(super) async fn one(
    connection: &mut SqliteConnection,
    call: CallId,
) -> Result<Option<CallRecord>, StoreError> {
    let row = sqlx::query(concat!(select!(), "where call_id = $1"))
        .bind(call.as_bytes().as_slice())
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(read).transpose()
}

/// Calls after `after` whose price stands for one that was not known.
pub(super) async fn provisional(
    connection: &mut SqliteConnection,
    after: Option<CallId>,
    limit: u32,
) -> Result<Vec<CallRecord>, StoreError> {
    // The flag is a literal, as only then the index of just these rows is used.
    let rows = sqlx::query(concat!(
        select!(),
        "where provisional = 1 and call_id > $1 order by call_id limit $2"
    ))
    .bind(after.as_ref().map_or(&[][..], |call| call.as_bytes()))
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await?;
    rows.iter().map(read).collect()
}

/// Calls with an attempt on `account` beside the usual one that answered, newest first.
pub(super) async fn failed_on(
    connection: &mut SqliteConnection,
    account: AccountId,
    since: Timestamp,
    limit: u32,
) -> Result<Vec<CallRecord>, StoreError> {
    // The index of just these calls is named, as the table itself is in the same order.
    let rows = sqlx::query(concat!(
        select!(),
        "where call_id in (
             select call_id from calls indexed by calls_retried
             where attempts is not null and call_id >= $1 order by call_id desc limit $4
         ) and instr(attempts, $2) > 0 order by call_id desc limit $3"
    ))
    .bind(CallId::first_at(since).as_bytes().as_slice())
    .bind(json(&account))
    .bind(i64::from(limit))
    .bind(i64::from(RETRIED_READ_MAX))
    .fetch_all(connection)
    .await?;
    rows.iter().map(read).collect()
}

/// The newest calls since `since` with unusual attempts.
pub(super) async fn retried(
    connection: &mut SqliteConnection,
    since: Timestamp,
    limit: u32,
) -> Result<Vec<CallRecord>, StoreError> {
    let rows = sqlx::query(concat!(
        select!(),
        "where call_id in (
             select call_id from calls indexed by calls_retried
             where attempts is not null and call_id >= $1 order by call_id desc limit $2
         ) order by call_id desc"
    ))
    .bind(CallId::first_at(since).as_bytes().as_slice())
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await?;
    rows.iter().map(read).collect()
}

/// Replaces what a call cost and, by its kind, what it was priced by.
pub(super) async fn set_cost(
    connection: &mut SqliteConnection,
    record: &CallRecord,
    kind: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "update calls set cost_nanos = $2, kind_id = $3, provisional = $4 where call_id = $1",
    )
    .bind(record.call.as_bytes().as_slice())
    .bind(record.cost.as_nanos())
    .bind(kind)
    .bind(i64::from(is_provisional(record.priced_by.source)))
    .execute(connection)
    .await?;
    Ok(())
}

/// The word for how a price was found.
pub(super) const fn price_source(source: PriceSource) -> &'static str {
    match source {
        PriceSource::Listed => "listed",
        PriceSource::Override => "override",
        PriceSource::FamilyMaximum => "family_maximum",
        PriceSource::ProviderMaximum => "provider_maximum",
        PriceSource::Unknown => "unknown",
    }
}

/// Whether a price stands for one that was not known.
const fn is_provisional(source: PriceSource) -> bool {
    match source {
        PriceSource::Listed | PriceSource::Override => false,
        PriceSource::FamilyMaximum | PriceSource::ProviderMaximum | PriceSource::Unknown => true,
    }
}

fn write(record: &CallRecord, kind: i64, values: &mut Values) {
    let usage = &record.usage;
    values.add(record.call.as_bytes().as_slice()).add(record.at.as_millis());
    values.add(record.key.0).add(record.account.0).add(kind);
    values.add(record.session.as_ref().map(|session| session.0.as_slice()));
    values.add(whole(usage.input)).add(whole(usage.output)).add(whole(usage.cache_read));
    values.add(whole(usage.cache_write_5m)).add(whole(usage.cache_write_1h));
    values.add(whole(usage.web_searches)).add(record.cost.as_nanos());
    values.add(i64::from(is_provisional(record.priced_by.source)));
    values.add(record.first_byte_millis.map(whole)).add(whole(record.total_millis));
    match usual_attempt(record) {
        Some((after, millis)) => values.add(after).add(whole(millis)).add(None::<&str>),
        None => values.add(None::<i64>).add(None::<i64>).add(json(&record.attempts)),
    };
    values.add(record.window.map(Timestamp::as_millis));
}

/// How long after the call its one attempt went out, and how long that took, if all else of the
/// attempt is known from the record.
fn usual_attempt(record: &CallRecord) -> Option<(i64, u64)> {
    let [attempt] = record.attempts.as_slice() else { return None };
    let after = attempt.at.as_millis().checked_sub(record.at.as_millis())?;
    (*attempt == answered(record, after, attempt.millis)).then_some((after, attempt.millis))
}

/// The attempt of a call that had but one, which answered.
fn answered(record: &CallRecord, after: i64, millis: u64) -> Attempt {
    Attempt {
        account: record.account,
        at: Timestamp::from_millis(record.at.as_millis().saturating_add(after)),
        millis,
        status: Some(record.status),
        fault: None,
        maybe_billed: false,
    }
}

pub(super) fn read(row: &SqliteRow) -> Result<CallRecord, StoreError> {
    let mut columns = Columns::of(row);
    let mut record = CallRecord {
        call: call_id(&mut columns)?,
        at: columns.at()?,
        key: KeyId(columns.take()?),
        account: AccountId(columns.take()?),
        path: columns.string()?,
        model_asked: columns.string()?,
        model_served: columns.string()?,
        client: columns.string()?,
        session: columns
            .take::<Option<&[u8]>>()?
            .map(|bytes| bytes.try_into().map_err(|_| StoreError::Stored("session of a call")))
            .transpose()?
            .map(SessionId),
        streamed: columns.flag()?,
        status: columns.number()?,
        outcome: columns.word("outcome of a call")?,
        usage: TokenUsage {
            input: columns.number()?,
            output: columns.number()?,
            cache_read: columns.number()?,
            cache_write_5m: columns.number()?,
            cache_write_1h: columns.number()?,
            web_searches: columns.number()?,
        },
        exactness: columns.word("exactness of a call")?,
        cost: Money::from_nanos(columns.take()?),
        priced_by: PricedBy {
            version: columns.string()?,
            source: columns.word("source of a price")?,
        },
        service_tier: columns.string()?,
        speed: columns.string()?,
        first_byte_millis: columns.optional_number()?,
        total_millis: columns.number()?,
        window: columns.optional_at()?,
        attempts: Vec::new(),
    };
    let usual = columns.take::<Option<i64>>()?.zip(columns.optional_number()?);
    record.attempts = match usual {
        Some((after, millis)) => vec![answered(&record, after, millis)],
        None => columns.list("attempt of a call")?,
    };
    Ok(record)
}

fn call_id(columns: &mut Columns<'_>) -> Result<CallId, StoreError> {
    let bytes: &[u8] = columns.take()?;
    let bytes = bytes.try_into().map_err(|_| StoreError::Stored("id of a call"))?;
    Ok(CallId::from_bytes(bytes))
}
