//! How a call stands in its row.

use std::collections::HashSet;

use relay_core::id::{AccountId, CallId, KeyId};
use relay_core::money::Money;
use relay_core::price::{PriceSource, PricedBy};
use relay_core::usage::{CallRecord, Exactness, TokenUsage};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use crate::columns::{Columns, json, whole};
use crate::error::StoreError;
use crate::rows::{self, Values, runs};

macro_rules! columns {
    () => {
        "call_id, at, key_id, account_id, path, model_asked, model_served, client, session, \
         streamed, status, outcome, input, output, cache_read, cache_write_5m, cache_write_1h, \
         web_searches, exactness, cost_nanos, price_version, price_source, service_tier, speed, \
         first_byte_millis, total_millis, attempts"
    };
}

const COLUMNS: usize = 27;

/// The calls among `records` that the table has.
///
/// An insert could tell by itself which rows were new, but the driver hands each row that comes
/// back to another thread, and almost always all are new: asking first is a fifth cheaper. Nobody
/// else writes in between, as the transaction holds the lock.
pub(super) async fn known(
    connection: &mut SqliteConnection,
    records: &[CallRecord],
) -> Result<HashSet<CallId>, StoreError> {
    let mut known = HashSet::new();
    for run in runs(records) {
        let shape = (1, run.len());
        let mut values = Values::with_room(shape);
        for record in run {
            values.add(record.call.to_string());
        }
        let text = rows::text("select call_id from usage where call_id in", shape, "");
        let rows =
            sqlx::query_with(text, values.into_arguments()).fetch_all(&mut *connection).await?;
        for row in &rows {
            known.insert(call_id(&mut Columns::of(row))?);
        }
    }
    Ok(known)
}

/// Inserts the records of calls that the table does not have.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    run: &[&CallRecord],
) -> Result<(), StoreError> {
    const HEAD: &str = concat!("insert into usage (", columns!(), ") values");
    let shape = (run.len(), COLUMNS);
    let mut values = Values::with_room(shape);
    for record in run {
        write(record, &mut values);
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
    let row = sqlx::query(concat!("select ", columns!(), " from usage where call_id = $1"))
        .bind(call.to_string())
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
    // The sources are literals, as only then the index of just these rows is used.
    let rows = sqlx::query(concat!(
        "select ",
        columns!(),
        " from usage
         where price_source in ('family_maximum', 'provider_maximum', 'unknown') and call_id > $1
         order by call_id limit $2"
    ))
    .bind(after.map(|call| call.to_string()).unwrap_or_default())
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await?;
    rows.iter().map(read).collect()
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

const fn exactness(exactness: Exactness) -> &'static str {
    match exactness {
        Exactness::Exact => "exact",
        Exactness::Estimated => "estimated",
        Exactness::Reserved => "reserved",
    }
}

fn write(record: &CallRecord, values: &mut Values) {
    let usage = &record.usage;
    values.add(record.call.to_string()).add(record.at.as_millis());
    values.add(record.key.0).add(record.account.0).add(record.path.as_str());
    values.add(record.model_asked.as_str()).add(record.model_served.as_str());
    values.add(record.client.as_str()).add(record.session.map(|session| session.to_string()));
    values.add(i64::from(record.streamed)).add(i64::from(record.status));
    values.add(record.outcome.as_str());
    values.add(whole(usage.input)).add(whole(usage.output)).add(whole(usage.cache_read));
    values.add(whole(usage.cache_write_5m)).add(whole(usage.cache_write_1h));
    values.add(whole(usage.web_searches)).add(exactness(record.exactness));
    values.add(record.cost.as_nanos()).add(record.priced_by.version.as_str());
    values.add(price_source(record.priced_by.source)).add(record.service_tier.as_str());
    values.add(record.speed.as_str()).add(record.first_byte_millis.map(whole));
    values.add(whole(record.total_millis)).add(json(&record.attempts));
}

fn read(row: &SqliteRow) -> Result<CallRecord, StoreError> {
    let mut columns = Columns::of(row);
    Ok(CallRecord {
        call: call_id(&mut columns)?,
        at: columns.at()?,
        key: KeyId(columns.take()?),
        account: AccountId(columns.take()?),
        path: columns.string()?,
        model_asked: columns.string()?,
        model_served: columns.string()?,
        client: columns.string()?,
        session: columns
            .take::<Option<&str>>()?
            .map(|text| text.parse().map_err(|_| StoreError::Stored("session of a call")))
            .transpose()?,
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
        attempts: columns.list("attempt of a call")?,
    })
}

fn call_id(columns: &mut Columns<'_>) -> Result<CallId, StoreError> {
    columns.text()?.parse().map_err(|_| StoreError::Stored("id of a call"))
}
