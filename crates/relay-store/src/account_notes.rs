//! The table `account_notes`: what the machine noted of each account, so that the next start knows
//! it. The text is the program's own; the store does not read into it.

use relay_core::clock::Timestamp;
use relay_core::id::AccountId;
use sqlx::SqliteConnection;

use crate::columns::Columns;
use crate::error::StoreError;
use crate::pool::Store;
use crate::rows::{Values, runs, text};

impl Store {
    /// What was noted of each account, by id.
    pub async fn account_notes(&self) -> Result<Vec<(AccountId, String)>, StoreError> {
        sqlx::query("select account_id, note from account_notes order by account_id")
            .fetch_all(&self.reader)
            .await?
            .iter()
            .map(|row| {
                let mut columns = Columns::of(row);
                Ok((AccountId(columns.take()?), columns.string()?))
            })
            .collect()
    }

    /// Notes what the machine knows of accounts in place of what was noted of them before: all or,
    /// if it fails, nothing. Accounts that were removed get no note. Each account is named once.
    pub async fn save_account_notes(
        &self,
        notes: &[(AccountId, String)],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        const HEAD: &str = "with given (account_id, note, updated_at) as (values";
        const KEEP: &str = ") insert into account_notes (account_id, note, updated_at) \
             select given.account_id, given.note, given.updated_at \
             from given join accounts on accounts.id = given.account_id \
             where accounts.removed_at is null \
             on conflict (account_id) do update \
             set note = excluded.note, updated_at = excluded.updated_at";
        if notes.is_empty() {
            return Ok(());
        }
        let mut edit = self.edit().await?;
        for run in runs(notes) {
            let shape = (run.len(), 3);
            let mut values = Values::with_room(shape);
            for (account, note) in run {
                values.add(account.0).add(note.as_str()).add(now.as_millis());
            }
            sqlx::query_with(text(HEAD, shape, KEEP), values.into_arguments())
                .execute(&mut *edit)
                .await?;
        }
        Ok(edit.commit().await?)
    }
}

/// Drops the note of an account, within the transaction that removes or resets it.
pub(crate) async fn forget(
    connection: &mut SqliteConnection,
    account: AccountId,
) -> Result<(), StoreError> {
    sqlx::query("delete from account_notes where account_id = $1")
        .bind(account.0)
        .execute(connection)
        .await?;
    Ok(())
}
