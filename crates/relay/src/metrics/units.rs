//! Whole numbers as the metrics tell them: in seconds and in dollars.

use relay_core::clock::Timestamp;

const NANOS_PER_DOLLAR: f64 = 1e9;

/// Unix time.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of any year fit")]
pub(super) fn seconds(at: Timestamp) -> f64 {
    at.as_millis() as f64 / 1_000.0
}

/// Dollars for a graph; sums that people are billed by stay whole numbers.
#[expect(clippy::cast_precision_loss, reason = "for graphs; the ledger stays integer")]
pub(super) fn dollars(nanos: impl Into<i128>) -> f64 {
    nanos.into() as f64 / NANOS_PER_DOLLAR
}
