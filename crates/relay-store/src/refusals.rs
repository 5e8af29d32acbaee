//! The table `refusals`: how many calls were refused by the relay itself, and why.

use relay_core::clock::Timestamp;
use relay_core::id::KeyId;

use crate::columns::{Columns, whole};
use crate::error::StoreError;
use crate::pool::Store;
use crate::rows::{Values, runs, text};

/// Calls of one key that were refused within one hour for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusalCount {
    /// The start of the hour.
    pub hour: Timestamp,
    /// Whose calls.
    pub key: KeyId,
    /// The word for the reason.
    pub reason: String,
    /// How many.
    pub calls: u64,
}

impl Store {
    /// Adds to the counters.
    pub async fn count_refusals(&self, counts: &[RefusalCount]) -> Result<(), StoreError> {
        const HEAD: &str = "insert into refusals (hour, key_id, reason, calls) values";
        const ADD_UP: &str = "on conflict (hour, key_id, reason) do update set \
                              calls = refusals.calls + excluded.calls";
        let mut edit = self.edit().await?;
        for run in runs(counts) {
            let shape = (run.len(), 4);
            let mut values = Values::with_room(shape);
            for count in run {
                values.add(count.hour.as_millis()).add(count.key.0);
                values.add(count.reason.as_str()).add(whole(count.calls));
            }
            sqlx::query_with(text(HEAD, shape, ADD_UP), values.into_arguments())
                .execute(&mut *edit)
                .await?;
        }
        Ok(edit.commit().await?)
    }

    /// The counters from the hour `since` on, by hour, key and reason.
    pub async fn refusals_since(&self, since: Timestamp) -> Result<Vec<RefusalCount>, StoreError> {
        let rows = sqlx::query(
            "select hour, key_id, reason, calls from refusals
             where hour >= $1 order by hour, key_id, reason",
        )
        .bind(since.as_millis())
        .fetch_all(&self.reader)
        .await?;
        rows.iter()
            .map(|row| {
                let mut columns = Columns::of(row);
                Ok(RefusalCount {
                    hour: columns.at()?,
                    key: KeyId(columns.take()?),
                    reason: columns.string()?,
                    calls: columns.number()?,
                })
            })
            .collect()
    }
}
