//! The table `pins`: which account serves which conversation, kept for the next start.

use relay_core::clock::Timestamp;
use relay_core::id::AccountId;

use crate::columns::Columns;
use crate::error::StoreError;
use crate::pins::{Pin, PinChange};
use crate::pool::Store;
use crate::rows::{Values, runs, text};

impl Store {
    /// The pins that have not expired, by session.
    pub async fn load_pins(&self, now: Timestamp) -> Result<Vec<Pin>, StoreError> {
        let rows = sqlx::query(
            "select session, account_id, expires_at from pins
             where expires_at > $1 order by session",
        )
        .bind(now.as_millis())
        .fetch_all(&self.reader)
        .await?;
        rows.iter()
            .map(|row| {
                let mut columns = Columns::of(row);
                let session = columns.text()?.parse();
                let session = session.map_err(|_| StoreError::Stored("session of a pin"))?;
                let account = AccountId(columns.take()?);
                Ok(Pin { session, account, expires_at: columns.at()? })
            })
            .collect()
    }

    /// Writes what became of pins: new ones in place of those that the same sessions had.
    pub async fn save_pins(&self, changes: &[PinChange]) -> Result<(), StoreError> {
        const HEAD: &str = "insert into pins (session, account_id, expires_at) values";
        const REPLACE: &str = "on conflict (session) do update set \
                               account_id = excluded.account_id, expires_at = excluded.expires_at";
        let mut set = Vec::with_capacity(changes.len());
        let mut edit = self.edit().await?;
        for change in changes {
            match change {
                PinChange::Set(pin) => set.push(*pin),
                PinChange::Removed(session) => {
                    sqlx::query("delete from pins where session = $1")
                        .bind(session.to_string())
                        .execute(&mut *edit)
                        .await?;
                }
            }
        }
        for run in runs(&set) {
            let shape = (run.len(), 3);
            let mut values = Values::with_room(shape);
            for pin in run {
                values.add(pin.session.to_string()).add(pin.account.0);
                values.add(pin.expires_at.as_millis());
            }
            sqlx::query_with(text(HEAD, shape, REPLACE), values.into_arguments())
                .execute(&mut *edit)
                .await?;
        }
        Ok(edit.commit().await?)
    }

    /// Drops the pins that have expired; tells how many.
    pub async fn prune_pins(&self, now: Timestamp) -> Result<u64, StoreError> {
        let done = sqlx::query("delete from pins where expires_at <= $1")
            .bind(now.as_millis())
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected())
    }
}
