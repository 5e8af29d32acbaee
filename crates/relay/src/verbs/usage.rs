//! What was used: sums of calls, tokens and money.

mod bills;
mod periods;
mod series;
mod totals;

use jiff::tz::TimeZone;
use relay_core::clock::Timestamp;
use relay_core::id::{AccountId, KeyId};
use relay_core::money::Money;
use relay_store::Store;
use relay_store::report::{Dimension, ReportQuery, ReportRow};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

pub use self::bills::{Bill, BillRow, BilledBy, bill, months};
pub use self::periods::Periods;
pub use self::series::{Bucket, Figure, Line, Series, SeriesAsk, Width, series};
pub use self::totals::{Compared, TotalsView, compared};
use crate::verbs::VerbError;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct UsageQuestion {
    /// What rows are told apart by; none gives one row.
    pub by: Vec<Dimension>,
    /// From when, to a quarter of an hour.
    pub since: Timestamp,
    /// Until when, not included; `None` is now.
    pub until: Option<Timestamp>,
    /// Where days and months begin.
    pub zone: TimeZone,
}

/// A row of a report. What rows are not told apart by is left out.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UsageRow {
    /// The day, as `2026-11-23`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<String>,
    /// The month, as `2026-11`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub month: Option<String>,
    /// The key's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub key_id: Option<KeyId>,
    /// The account's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The account.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub account_id: Option<AccountId>,
    /// The model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Calls.
    pub calls: u64,
    /// Input that no cache served or kept.
    pub input_tokens: u64,
    /// Output.
    pub output_tokens: u64,
    /// Input read from the cache.
    pub cache_read_tokens: u64,
    /// Input written to the cache, for whatever time.
    pub cache_write_tokens: u64,
    /// What of that was written for an hour.
    pub cache_write_1h_tokens: u64,
    /// Searches on the web.
    pub web_searches: u64,
    /// What it cost.
    #[serde(rename = "cost_usd", serialize_with = "dollars")]
    #[schema(value_type = f64)]
    pub cost: Money,
    /// Calls whose tokens the provider did not all state.
    pub estimated_calls: u64,
    /// Calls that accounts or the relay failed.
    pub failed_calls: u64,
}

/// Sums what was used. Rows come by day, month, key, account and model.
pub async fn report(store: &Store, ask: &UsageQuestion) -> Result<Vec<UsageRow>, VerbError> {
    let query = ReportQuery {
        since: ask.since,
        until: ask.until,
        dims: ask.by.clone(),
        zone: ask.zone.clone(),
    };
    Ok(store.usage_report(&query).await?.into_iter().map(UsageRow::from).collect())
}

impl From<ReportRow> for UsageRow {
    fn from(row: ReportRow) -> Self {
        let (totals, usage) = (row.totals, row.totals.usage);
        Self {
            day: row.day,
            month: row.month,
            key: row.key,
            key_id: row.key_id,
            account: row.account,
            account_id: row.account_id,
            model: row.model,
            calls: totals.calls,
            input_tokens: usage.input,
            output_tokens: usage.output,
            cache_read_tokens: usage.cache_read,
            cache_write_tokens: usage.cache_write(),
            cache_write_1h_tokens: usage.cache_write_1h,
            web_searches: usage.web_searches,
            cost: totals.cost,
            estimated_calls: totals.estimated_calls,
            failed_calls: totals.failed_calls,
        }
    }
}

/// For `serialize_with`: money as a number of dollars.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
pub(super) fn dollars<S: Serializer>(money: &Money, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(money.to_usd_f64())
}
