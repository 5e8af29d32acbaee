//! The table `keys`. A removed key keeps its row, so that its hash is known and history names it.

mod change;
mod removed;
mod secret;

use std::collections::HashMap;
use std::time::Duration;

use relay_core::clock::Timestamp;
use relay_core::id::KeyId;
use relay_core::key::{Binding, Key, KeyLimits, KeyRules};
use sqlx::SqliteConnection;
use sqlx::sqlite::{SqlitePool, SqliteRow};

pub use self::change::{Expiry, KeyChange, Lasting, MergePatch};
pub use self::secret::{NewSecret, OldSecret};
use crate::changes::{Op, Subject, note_all};
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
    /// Secrets that were replaced and worked for a while longer, or still do.
    pub old_secrets: Vec<OldSecret>,
    /// When it was removed.
    pub removed_at: Option<Timestamp>,
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
    /// How long after its first call it is refused.
    pub lasts: Option<Duration>,
    /// How much it may use.
    pub limits: KeyLimits,
    /// What it may ask.
    pub rules: KeyRules,
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
            "select id, name, note, owner, enabled, expires_at, lasts_millis, first_used_at, \
             bindings, limits, rules, tags, created_at, hash, pepper_id, secret_tail, removed_at \
             from keys where ",
            $rest
        )
    };
}

use select;

impl Store {
    /// Every key, in the order in which they were added.
    pub async fn keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        let mut reading = self.reader.begin().await?;
        let mut old = secret::all(&mut reading).await?;
        let mut keys: Vec<StoredKey> = Vec::new();
        loop {
            let last = keys.last().map_or(0, |last| last.key.id.0);
            let rows = sqlx::query(select!("removed_at is null and id > $1 order by id limit $2"))
                .bind(last)
                .bind(i64::from(KEYS_READ_MAX))
                .fetch_all(&mut *reading)
                .await?;
            for row in &rows {
                let mut read = read(row)?;
                read.old_secrets = old.remove(&read.key.id).unwrap_or_default();
                keys.push(read);
            }
            if rows.len() < usize::from(KEYS_READ_MAX) {
                return Ok(keys);
            }
        }
    }

    /// The key of that id, unless it was removed.
    pub async fn key(&self, id: KeyId) -> Result<Option<StoredKey>, StoreError> {
        let found = sqlx::query(select!("removed_at is null and id = $1")).bind(id.0);
        whole(found.fetch_optional(&self.reader).await?, &self.reader).await
    }

    /// The keys of those ids, removed ones too, in no order.
    pub async fn keys_of(&self, ids: &[KeyId]) -> Result<Vec<StoredKey>, StoreError> {
        let mut reading = self.reader.begin().await?;
        let rows = sqlx::query(select!("id in (select value from json_each($1))"))
            .bind(json(&ids.iter().map(|id| id.0).collect::<Vec<_>>()))
            .fetch_all(&mut *reading)
            .await?;
        let mut old = secret::all(&mut reading).await?;
        let mut keys = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        for stored in &mut keys {
            stored.old_secrets = old.remove(&stored.key.id).unwrap_or_default();
        }
        Ok(keys)
    }

    /// The key that a person means by `id_or_name`.
    pub async fn find_key(&self, id_or_name: &str) -> Result<Option<StoredKey>, StoreError> {
        if let Ok(id) = id_or_name.parse()
            && let Some(found) = self.key(id).await?
        {
            return Ok(Some(found));
        }
        let found = sqlx::query(select!("removed_at is null and name = $1")).bind(id_or_name);
        whole(found.fetch_optional(&self.reader).await?, &self.reader).await
    }

    /// Adds keys, all or none, and gives their ids in the same order.
    pub async fn add_keys(&self, new: &[NewKey], now: Timestamp) -> Result<Vec<KeyId>, StoreError> {
        let mut edit = self.edit().await?;
        let mut ids = Vec::with_capacity(new.len());
        for run in runs(new) {
            ids.extend(insert_run(&mut edit, run, now).await?);
        }
        secret::check_new(&mut edit).await?;
        note_all(&mut edit, (Subject::Key, Op::Added), &ids, now).await?;
        edit.commit().await?;
        Ok(ids.into_iter().map(KeyId).collect())
    }
}

/// Inserts one statement's worth of keys and gives their ids in the same order.
async fn insert_run(
    connection: &mut SqliteConnection,
    run: &[NewKey],
    now: Timestamp,
) -> Result<Vec<i64>, StoreError> {
    const HEAD: &str = "insert into keys (name, note, owner, enabled, expires_at, \
                        lasts_millis, bindings, limits, rules, tags, pepper_id, hash, \
                        secret_tail, created_at, updated_at) values";
    let shape = (run.len(), 15);
    let mut values = Values::with_room(shape);
    for new in run {
        values.add(&new.name).add(&new.note).add(&new.owner);
        values.add(i64::from(new.enabled)).add(new.expires_at.map(Timestamp::as_millis));
        values.add(new.lasts.map(millis)).add(json(&new.bindings));
        values.add(json(&new.limits)).add(json(&new.rules)).add(json(&new.tags));
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

/// A span as the database keeps it.
fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// Which name is taken is told for one key; of several, all names are.
fn taken_among(error: sqlx::Error, run: &[NewKey]) -> StoreError {
    let names: Vec<&str> = run.iter().map(|new| new.name.as_str()).collect();
    taken(error, &names.join(", "))
}

/// A key with its old secrets.
async fn whole(
    row: Option<SqliteRow>,
    reader: &SqlitePool,
) -> Result<Option<StoredKey>, StoreError> {
    let Some(mut found) = row.as_ref().map(read).transpose()? else { return Ok(None) };
    found.old_secrets = secret::of(reader, found.key.id).await?;
    Ok(Some(found))
}

/// A key without its old secrets.
fn read(row: &SqliteRow) -> Result<StoredKey, StoreError> {
    let mut columns = Columns::of(row);
    let key = Key {
        id: KeyId(columns.take()?),
        name: columns.string()?,
        note: columns.string()?,
        owner: columns.string()?,
        enabled: columns.flag()?,
        expires_at: columns.optional_at()?,
        lasts: columns.optional_number()?.map(Duration::from_millis),
        first_used_at: columns.optional_at()?,
        bindings: columns.list("binding of a key")?,
        limits: columns.object("limits of a key")?,
        rules: columns.object("rules of a key")?,
        tags: columns.list("tag of a key")?,
        created_at: columns.at()?,
    };
    let hash: &[u8] = columns.take()?;
    Ok(StoredKey {
        key,
        hash: KeyHash(hash.try_into().map_err(|_| StoreError::Stored("hash of a key"))?),
        pepper_id: columns.take()?,
        secret_tail: columns.string()?,
        old_secrets: Vec::new(),
        removed_at: columns.optional_at()?,
    })
}
