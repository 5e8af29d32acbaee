//! The table `changes`: one row for each edit, which a running server polls.

use relay_core::clock::Timestamp;
use relay_core::id::AccountId;
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use crate::columns::{Columns, word};
use crate::error::StoreError;
use crate::pool::Store;
use crate::rows::{Values, runs, text};

/// Changes read at one time; more are read by asking again.
pub const CHANGES_READ_MAX: i64 = 10_000;

/// What kind of thing was edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// An account, or which groups it belongs to.
    Account,
    /// A group of accounts.
    Group,
    /// A key.
    Key,
    /// A setting; its id is 0.
    Setting,
    /// An administrator.
    Admin,
    /// The price overrides, or the imported price list; their id is 0.
    Price,
}

/// What was done to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// It was made.
    Added,
    /// Some of its fields were changed.
    Changed,
    /// It was removed.
    Removed,
    /// It was brought back after a removal.
    Restored,
    /// An operator asked to clear what the machine noted about it.
    Reset,
    /// The machine gave it the next pair of tokens of the same sign-in.
    Refreshed,
}

/// One edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Its place in the order of edits.
    pub seq: i64,
    /// What kind of thing was edited.
    pub subject: Subject,
    /// Which one.
    pub id: i64,
    /// What was done to it.
    pub op: Op,
}

impl Store {
    /// The edits after `seq`, oldest first, at most [`CHANGES_READ_MAX`].
    pub async fn changes_since(&self, seq: i64) -> Result<Vec<Change>, StoreError> {
        sqlx::query(
            "select seq, subject, subject_id, op from changes
             where seq > $1 order by seq limit $2",
        )
        .bind(seq)
        .bind(CHANGES_READ_MAX)
        .fetch_all(&self.reader)
        .await?
        .iter()
        .map(|row| {
            let mut columns = Columns::of(row);
            Ok(Change {
                seq: columns.take()?,
                subject: columns.word("subject of a change")?,
                id: columns.take()?,
                op: columns.word("kind of change")?,
            })
        })
        .collect()
    }

    /// What was done to an account since `moment`, oldest first, as far as it is remembered; at most
    /// [`CHANGES_READ_MAX`].
    pub async fn account_edits_since(
        &self,
        account: AccountId,
        moment: Timestamp,
    ) -> Result<Vec<(Op, Timestamp)>, StoreError> {
        sqlx::query(
            "select op, at from changes
             where subject = $1 and subject_id = $2 and at >= $3 order by seq limit $4",
        )
        .bind(word(Subject::Account))
        .bind(account.0)
        .bind(moment.as_millis())
        .bind(CHANGES_READ_MAX)
        .fetch_all(&self.reader)
        .await?
        .iter()
        .map(|row| {
            let mut columns = Columns::of(row);
            Ok((columns.word("kind of change")?, columns.at()?))
        })
        .collect()
    }

    /// The number of the newest edit; 0 before the first.
    pub async fn latest_change(&self) -> Result<i64, StoreError> {
        let row = sqlx::query("select coalesce(max(seq), 0) from changes")
            .fetch_one(&self.reader)
            .await?;
        Columns::of(&row).take()
    }

    /// Drops the edits before `moment`, but never the newest, which keeps the count. A server
    /// calls this for edits that it has long read.
    pub async fn forget_changes_before(&self, moment: Timestamp) -> Result<u64, StoreError> {
        let done = sqlx::query(
            "delete from changes where at < $1 and seq < (select max(seq) from changes)",
        )
        .bind(moment.as_millis())
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected())
    }
}

/// Notes edits of several things of one kind, within the transaction that makes them.
pub(crate) async fn note_all(
    connection: &mut SqliteConnection,
    (subject, op): (Subject, Op),
    ids: &[i64],
    now: Timestamp,
) -> Result<(), StoreError> {
    const HEAD: &str = "insert into changes (subject, subject_id, op, at) values";
    for run in runs(ids) {
        let shape = (run.len(), 4);
        let mut values = Values::with_room(shape);
        for id in run {
            values.add(word(subject)).add(*id).add(word(op)).add(now.as_millis());
        }
        sqlx::query_with(text(HEAD, shape, ""), values.into_arguments())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Notes one edit, within the transaction that makes it.
pub(crate) async fn note(
    connection: &mut SqliteConnection,
    what: (Subject, Op),
    id: i64,
    now: Timestamp,
) -> Result<(), StoreError> {
    note_all(connection, what, &[id], now).await
}
