//! The table `outbox`: events that notifications take.

use relay_core::clock::Timestamp;
use relay_core::event::Event;
use relay_core::id::AccountId;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use crate::columns::{Columns, json};
use crate::error::StoreError;
use crate::pool::Store;

/// Events that are kept, delivered or not; the oldest go first.
pub const OUTBOX_MAX: i64 = 10_000;

/// An event that was not delivered yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingEvent {
    /// Its place in the outbox.
    pub id: i64,
    /// What happened.
    pub event: Event,
    /// When.
    pub at: Timestamp,
}

impl Store {
    /// Puts an event into the outbox.
    pub async fn emit(&self, event: &Event, now: Timestamp) -> Result<(), StoreError> {
        let mut edit = self.edit().await?;
        put(&mut edit, event, now).await?;
        Ok(edit.commit().await?)
    }

    /// Up to `limit` events that were not delivered, oldest first.
    pub async fn pending_events(&self, limit: u32) -> Result<Vec<PendingEvent>, StoreError> {
        let rows = sqlx::query(
            "select id, event, at from outbox where delivered_at is null order by id limit $1",
        )
        .bind(i64::from(limit))
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(read).collect()
    }

    /// Up to `limit` events of an account, newest first, delivered or not; with those of its host,
    /// which all accounts that are reached there share.
    pub async fn account_events(
        &self,
        account: AccountId,
        host: &str,
        limit: u32,
    ) -> Result<Vec<PendingEvent>, StoreError> {
        let rows = sqlx::query(
            "select id, event, at from outbox
             where json_extract(event, '$.account') = $1
                 or (name = 'host_rested' and json_extract(event, '$.host') = $2)
             order by id desc limit $3",
        )
        .bind(account.to_string())
        .bind(host)
        .bind(i64::from(limit))
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(read).collect()
    }

    /// From when on events are known; `None` if none was dropped yet.
    pub async fn events_known_from(&self) -> Result<Option<Timestamp>, StoreError> {
        let row = sqlx::query("select id, at from outbox order by id limit 1")
            .fetch_optional(&self.reader)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let mut columns = Columns::of(&row);
        let first: i64 = columns.take()?;
        let at = columns.at()?;
        Ok((first > 1).then_some(at))
    }

    /// Notes that an event was delivered.
    pub async fn note_delivered(&self, id: i64, now: Timestamp) -> Result<(), StoreError> {
        sqlx::query("update outbox set delivered_at = $2 where id = $1")
            .bind(id)
            .bind(now.as_millis())
            .execute(&self.writer)
            .await?;
        Ok(())
    }
}

/// Puts an event into the outbox, within the transaction that makes it so.
pub(crate) async fn put(
    connection: &mut SqliteConnection,
    event: &Event,
    now: Timestamp,
) -> Result<(), StoreError> {
    let row = sqlx::query("insert into outbox (name, event, at) values ($1, $2, $3) returning id")
        .bind(event.name())
        .bind(json(event))
        .bind(now.as_millis())
        .fetch_one(&mut *connection)
        .await?;
    let id: i64 = Columns::of(&row).take()?;
    sqlx::query("delete from outbox where id <= $1")
        .bind(id - OUTBOX_MAX)
        .execute(connection)
        .await?;
    Ok(())
}

fn read(row: &SqliteRow) -> Result<PendingEvent, StoreError> {
    let mut columns = Columns::of(row);
    Ok(PendingEvent {
        id: columns.take()?,
        event: serde_json::from_str(columns.text()?).map_err(|_| StoreError::Stored("event"))?,
        at: columns.at()?,
    })
}
