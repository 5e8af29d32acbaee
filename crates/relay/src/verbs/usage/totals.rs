//! What all calls of a time came to, and what the time before did.

use jiff::tz::TimeZone;
use relay_core::period::{Period, Span, WeekReset};
use relay_store::Store;
use relay_store::rollups::Totals;
use relay_store::sums::{By, Grain, SumsOf};
use serde::Serialize;
use utoipa::ToSchema;

use crate::verbs::VerbError;

/// What all calls of a time came to, as programs read it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
#[schema(as = UsageTotals)]
pub struct TotalsView {
    /// Calls.
    pub calls: u64,
    /// Those that accounts or the relay failed.
    pub failed_calls: u64,
    /// Those whose tokens were not all stated by the provider.
    pub estimated_calls: u64,
    /// Input that no cache served or kept.
    pub input: u64,
    /// Output.
    pub output: u64,
    /// Input read from the cache.
    pub cache_read: u64,
    /// Input written to the cache.
    pub cache_write: u64,
    /// Tokens of every kind.
    pub tokens: u64,
    /// What they cost.
    pub cost_usd: f64,
    /// How many of a hundred did not fail; null without calls.
    pub success_percent: Option<f64>,
    /// Milliseconds to the first byte, on average.
    pub first_byte_ms: Option<f64>,
    /// Milliseconds to the end, on average.
    pub total_ms: Option<f64>,
}

/// A time and the one before that it is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
#[schema(as = UsageCompared)]
pub struct Compared {
    /// What it came to.
    pub totals: TotalsView,
    /// What the time before came to, up to the same part of it.
    pub before: TotalsView,
}

impl From<&Totals> for TotalsView {
    fn from(totals: &Totals) -> Self {
        let mean = |sum: u64, of: u64| (of > 0).then(|| count(sum) / count(of));
        let answered = totals.calls.saturating_sub(totals.failed_calls);
        Self {
            calls: totals.calls,
            failed_calls: totals.failed_calls,
            estimated_calls: totals.estimated_calls,
            input: totals.usage.input,
            output: totals.usage.output,
            cache_read: totals.usage.cache_read,
            cache_write: totals.usage.cache_write(),
            tokens: totals.tokens(),
            cost_usd: totals.cost.to_usd_f64(),
            success_percent: mean(answered.saturating_mul(100), totals.calls),
            first_byte_ms: mean(totals.first_byte_millis_sum, totals.first_byte_count),
            total_ms: mean(totals.total_millis_sum, totals.calls),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "charts need no more than 15 digits")]
pub(super) fn count(number: u64) -> f64 {
    number as f64
}

/// What two times came to. Sums of whole days are told by days, the rest by quarters of an hour.
pub async fn compared(
    store: &Store,
    (now, before): (Span, Span),
    zone: &TimeZone,
) -> Result<Compared, VerbError> {
    let (now, before) = tokio::try_join!(totals(store, now, zone), totals(store, before, zone))?;
    Ok(Compared { totals: TotalsView::from(&now), before: TotalsView::from(&before) })
}

async fn totals(store: &Store, span: Span, zone: &TimeZone) -> Result<Totals, VerbError> {
    let day = |at| Period::Day.span(at, zone, WeekReset::MONDAY);
    let (first, last) = (day(span.from), day(span.to));
    let quarters = async |span| store.totals(&SumsOf::of(span, Grain::Quarter, By::All)).await;
    if last.from <= first.from {
        return Ok(quarters(span).await?);
    }
    let whole_from = if first.from == span.from { first.from } else { first.to };
    let whole = Span { from: whole_from, to: last.from };
    let mut sum = store.totals(&SumsOf::of(whole, Grain::Day, By::All)).await?;
    for edge in [Span { from: span.from, to: whole_from }, Span { from: last.from, to: span.to }] {
        if edge.from < edge.to {
            sum.add_all(&quarters(edge).await?);
        }
    }
    Ok(sum)
}
