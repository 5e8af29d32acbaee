//! The table `keys`. A removed key keeps its row, so that its hash is known and history names it.

mod change;

use std::collections::HashMap;

use relay_core::clock::Timestamp;
use relay_core::id::KeyId;
use relay_core::key::{Binding, Key};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

pub use self::change::{Expiry, KeyChange, NewSecret};
use crate::changes::{Op, Subject, note, note_all};
use crate::columns::{Columns, json};
use crate::error::{StoreError, taken};
use crate::pool::Store;
use crate::rows::{Values, runs, text};
use crate::vault::KeyHash;

/// Keys read by one statement: bounds the rows in memory while all are loaded.
const KEYS_READ_MAX: u16 = 2_000;

/// A key with what it is recognised by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// What an operator set.
    pub key: Key,
    /// The hash of the secret under the pepper.
    pub hash: KeyHash,
    /// Which pepper.
    pub pepper_id: i64,
    /// The last four characters of the secret, which listings may show.
    pub secret_tail: String,
    /// When the first call came with it.
    pub first_used_at: Option<Timestamp>,
}

/// A key to be added.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// The name; unique among keys that were not removed.
    pub name: String,
    /// A note for people.
    pub note: String,
    /// Whose it is.
    pub owner: String,
    /// Whether it may call at once.
    pub enabled: bool,
    /// From when it is refused.
    pub expires_at: Option<Timestamp>,
    /// Where its calls are served, by service.
    pub bindings: Vec<Binding>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// The hash of the secret under the pepper.
    pub hash: KeyHash,
    /// Which pepper.
    pub pepper_id: i64,
    /// The last four characters of the secret.
    pub secret_tail: String,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select id, name, note, owner, enabled, expires_at, bindings, tags, created_at, ",
            "hash, pepper_id, secret_tail, first_used_at from keys where removed_at is null ",
            $rest
        )
    };
}

impl Store {
    /// Every key, in the order in which they were added.
    pub async fn keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        let mut reading = self.reader.begin().await?;
        let mut keys: Vec<StoredKey> = Vec::new();
        loop {
            let last = keys.last().map_or(0, |last| last.key.id.0);
            let rows = sqlx::query(select!("and id > $1 order by id limit $2"))
                .bind(last)
                .bind(i64::from(KEYS_READ_MAX))
                .fetch_all(&mut *reading)
                .await?;
            for row in &rows {
                keys.push(read(row)?);
            }
            if rows.len() < usize::from(KEYS_READ_MAX) {
                return Ok(keys);
            }
        }
    }

    /// The key of that id, unless it was removed.
    pub async fn key(&self, id: KeyId) -> Result<Option<StoredKey>, StoreError> {
        let row =
            sqlx::query(select!("and id = $1")).bind(id.0).fetch_optional(&self.reader).await?;
        row.as_ref().map(read).transpose()
    }

    /// The key that a person means by `id_or_name`.
    pub async fn find_key(&self, id_or_name: &str) -> Result<Option<StoredKey>, StoreError> {
        if let Ok(id) = id_or_name.parse()
            && let Some(found) = self.key(id).await?
        {
            return Ok(Some(found));
        }
        let row = sqlx::query(select!("and name = $1"))
            .bind(id_or_name)
            .fetch_optional(&self.reader)
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// Adds keys, all or none, and gives their ids in the same order.
    pub async fn add_keys(&self, new: &[NewKey], now: Timestamp) -> Result<Vec<KeyId>, StoreError> {
        let mut edit = self.edit().await?;
        let mut ids = Vec::with_capacity(new.len());
        for run in runs(new) {
            ids.extend(insert_run(&mut edit, run, now).await?);
        }
        note_all(&mut edit, (Subject::Key, Op::Added), &ids, now).await?;
        edit.commit().await?;
        Ok(ids.into_iter().map(KeyId).collect())
    }

    /// Removes a key: its name is free again, its secret never is. Tells whether there was one.
    pub async fn remove_key(&self, id: KeyId, now: Timestamp) -> Result<bool, StoreError> {
        let mut edit = self.edit().await?;
        let done = sqlx::query(
            "update keys set removed_at = $2, updated_at = $2, enabled = 0
             where id = $1 and removed_at is null",
        )
        .bind(id.0)
        .bind(now.as_millis())
        .execute(&mut *edit)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        note(&mut edit, (Subject::Key, Op::Removed), id.0, now).await?;
        edit.commit().await?;
        Ok(true)
    }

    /// Notes when keys were first used. It is written once in a key's life; the last use is told
    /// by the roll-ups, as a row written for each call would cost more than the call.
    pub async fn note_first_use(&self, uses: &[(KeyId, Timestamp)]) -> Result<(), StoreError> {
        let mut edit = self.edit().await?;
        for (id, at) in uses {
            sqlx::query(
                "update keys set first_used_at = $2 where id = $1 and first_used_at is null",
            )
            .bind(id.0)
            .bind(at.as_millis())
            .execute(&mut *edit)
            .await?;
        }
        Ok(edit.commit().await?)
    }
}

/// Inserts one statement's worth of keys and gives their ids in the same order.
async fn insert_run(
    connection: &mut SqliteConnection,
    run: &[NewKey],
    now: Timestamp,
) -> Result<Vec<i64>, StoreError> {
    const HEAD: &str = "insert into keys (name, note, owner, enabled, expires_at, bindings, tags, \
                        pepper_id, hash, secret_tail, created_at, updated_at) values";
    let shape = (run.len(), 12);
    let mut values = Values::with_room(shape);
    for new in run {
        values.add(&new.name).add(&new.note).add(&new.owner);
        values.add(i64::from(new.enabled)).add(new.expires_at.map(Timestamp::as_millis));
        values.add(json(&new.bindings)).add(json(&new.tags));
        values.add(new.pepper_id).add(new.hash.0.as_slice()).add(&new.secret_tail);
        values.add(now.as_millis()).add(now.as_millis());
    }
    let rows = sqlx::query_with(
        text(HEAD, shape, "returning id, pepper_id, hash"),
        values.into_arguments(),
    )
    .fetch_all(connection)
    .await
    .map_err(|error| taken_among(error, run))?;
    // The order of returned rows is not promised.
    let mut ids = HashMap::with_capacity(run.len());
    for row in &rows {
        let mut columns = Columns::of(row);
        let id: i64 = columns.take()?;
        ids.insert((columns.take::<i64>()?, columns.take::<&[u8]>()?), id);
    }
    run.iter()
        .map(|new| ids.get(&(new.pepper_id, new.hash.0.as_slice())).copied())
        .collect::<Option<_>>()
        .ok_or(StoreError::Stored("hash of a key"))
}

/// Which name is taken is told for one key; of several, all names are.
fn taken_among(error: sqlx::Error, run: &[NewKey]) -> StoreError {
    let names: Vec<&str> = run.iter().map(|new| new.name.as_str()).collect();
    taken(error, &names.join(", "))
}

fn read(row: &SqliteRow) -> Result<StoredKey, StoreError> {
    let mut columns = Columns::of(row);
    let key = Key {
        id: KeyId(columns.take()?),
        name: columns.string()?,
        note: columns.string()?,
        owner: columns.string()?,
        enabled: columns.flag()?,
        expires_at: columns.optional_at()?,
        bindings: columns.list("binding of a key")?,
        tags: columns.list("tag of a key")?,
        created_at: columns.at()?,
    };
    let hash: &[u8] = columns.take()?;
    Ok(StoredKey {
        key,
        hash: KeyHash(hash.try_into().map_err(|_| StoreError::Stored("hash of a key"))?),
        pepper_id: columns.take()?,
        secret_tail: columns.string()?,
        first_used_at: columns.optional_at()?,
    })
}
