//! The table `settings`: what an administrator set in the running relay, by name.

use relay_core::clock::Timestamp;
use sqlx::SqliteConnection;

use crate::changes::{Op, Subject, note};
use crate::columns::Columns;
use crate::error::StoreError;
use crate::pool::Store;

impl Store {
    /// The value of a setting, if it was ever set.
    pub async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        let row = sqlx::query("select value from settings where name = $1")
            .bind(name)
            .fetch_optional(&self.reader)
            .await?;
        row.map(|row| Columns::of(&row).string()).transpose()
    }

    /// Sets a setting.
    pub async fn set_setting(
        &self,
        name: &str,
        value: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.set_settings(&[(name, value)], now).await
    }

    /// Sets several settings: all of them, or none.
    pub async fn set_settings(
        &self,
        settings: &[(&str, &str)],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut edit = self.edit().await?;
        for (name, value) in settings {
            set(&mut edit, (name, value), now).await?;
        }
        note(&mut edit, (Subject::Setting, Op::Changed), 0, now).await?;
        Ok(edit.commit().await?)
    }
}

async fn set(
    connection: &mut SqliteConnection,
    (name, value): (&str, &str),
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into settings (name, value, updated_at) values ($1, $2, $3)
             on conflict (name) do update
             set value = excluded.value, updated_at = excluded.updated_at",
    )
    .bind(name)
    .bind(value)
    .bind(now.as_millis())
    .execute(connection)
    .await?;
    Ok(())
}
