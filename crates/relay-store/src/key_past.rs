//! What one key used in the past, from the roll-ups by their index of keys.

use relay_core::clock::Timestamp;
use relay_core::id::KeyId;
use relay_core::period::Span;

use crate::columns::Columns;
use crate::error::StoreError;
use crate::pool::Store;
use crate::rollups::Totals;

macro_rules! sums {
    ($by:literal) => {
        concat!(
            "select ",
            $by,
            ", cast(sum(calls) as bigint), cast(sum(estimated_calls) as bigint), \
             cast(sum(failed_calls) as bigint), cast(sum(input) as bigint), \
             cast(sum(output) as bigint), cast(sum(cache_read) as bigint), \
             cast(sum(cache_write_5m) as bigint), cast(sum(cache_write_1h) as bigint), \
             cast(sum(web_searches) as bigint), cast(sum(cost_nanos) as bigint), \
             cast(sum(first_byte_count) as bigint), cast(sum(first_byte_millis_sum) as bigint), \
             cast(sum(total_millis_sum) as bigint) \
             from rollups where key_id = $1 and quarter >= $2 and quarter < $3 \
             group by 1 order by 1"
        )
    };
}

impl Store {
    /// What a key used of each model in a stretch that begins and ends with a quarter of an hour.
    pub async fn key_models(
        &self,
        key: KeyId,
        span: Span,
    ) -> Result<Vec<(String, Totals)>, StoreError> {
        let rows = sqlx::query(sums!("model"))
            .bind(key.0)
            .bind(span.from.as_millis())
            .bind(span.to.as_millis())
            .fetch_all(&self.reader)
            .await?;
        rows.iter()
            .map(|row| {
                let mut columns = Columns::of(row);
                Ok((columns.string()?, Totals::read(&mut columns)?))
            })
            .collect()
    }

    /// What a key used in each quarter of an hour of such a stretch. Those without calls are left
    /// out.
    pub async fn key_quarters(
        &self,
        key: KeyId,
        span: Span,
    ) -> Result<Vec<(Timestamp, Totals)>, StoreError> {
        let rows = sqlx::query(sums!("quarter"))
            .bind(key.0)
            .bind(span.from.as_millis())
            .bind(span.to.as_millis())
            .fetch_all(&self.reader)
            .await?;
        rows.iter()
            .map(|row| {
                let mut columns = Columns::of(row);
                Ok((columns.at()?, Totals::read(&mut columns)?))
            })
            .collect()
    }
}
