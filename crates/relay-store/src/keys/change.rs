//! Editing a key: each field for itself, so that two edits at a time do not undo each other.

use relay_core::clock::Timestamp;
use relay_core::id::KeyId;
use relay_core::key::Binding;

use crate::changes::{Op, Subject, note};
use crate::columns::json;
use crate::error::{StoreError, taken};
use crate::pool::Store;
use crate::vault::KeyHash;

/// When a key ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// It does not.
    Never,
    /// From this moment it is refused.
    At(Timestamp),
}

/// What to change of a key; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct KeyChange {
    /// The name; unique among keys that were not removed.
    pub name: Option<String>,
    /// A note for people.
    pub note: Option<String>,
    /// Whose it is.
    pub owner: Option<String>,
    /// The operator's switch.
    pub enabled: Option<bool>,
    /// When it ends.
    pub expiry: Option<Expiry>,
    /// Where its calls are served, by service.
    pub bindings: Option<Vec<Binding>>,
    /// Words to find it by.
    pub tags: Option<Vec<String>>,
    /// Another secret in place of the present one.
    pub secret: Option<NewSecret>,
}

/// What is kept of a secret that was given out.
#[derive(Debug, Clone)]
pub struct NewSecret {
    /// Its hash under the pepper.
    pub hash: KeyHash,
    /// Which pepper.
    pub pepper_id: i64,
    /// Its last four characters.
    pub secret_tail: String,
}

impl Store {
    /// Changes the fields of a key that `change` names; tells whether there is the key.
    pub async fn change_key(
        &self,
        id: KeyId,
        change: &KeyChange,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let expires_at = match change.expiry {
            Some(Expiry::At(moment)) => Some(moment.as_millis()),
            Some(Expiry::Never) | None => None,
        };
        let secret = change.secret.as_ref();
        let mut edit = self.edit().await?;
        let done = sqlx::query(
            "update keys set
                 name = coalesce($2, name),
                 note = coalesce($3, note),
                 owner = coalesce($4, owner),
                 enabled = coalesce($5, enabled),
                 expires_at = case when $6 = 1 then $7 else expires_at end,
                 bindings = coalesce($8, bindings),
                 tags = coalesce($9, tags),
                 hash = coalesce($10, hash),
                 pepper_id = coalesce($11, pepper_id),
                 secret_tail = coalesce($12, secret_tail),
                 updated_at = $13
             where id = $1 and removed_at is null",
        )
        .bind(id.0)
        .bind(&change.name)
        .bind(&change.note)
        .bind(&change.owner)
        .bind(change.enabled.map(i64::from))
        .bind(i64::from(change.expiry.is_some()))
        .bind(expires_at)
        .bind(change.bindings.as_ref().map(json))
        .bind(change.tags.as_ref().map(json))
        .bind(secret.map(|secret| secret.hash.0.to_vec()))
        .bind(secret.map(|secret| secret.pepper_id))
        .bind(secret.map(|secret| secret.secret_tail.as_str()))
        .bind(now.as_millis())
        .execute(&mut *edit)
        .await
        .map_err(|error| taken(error, change.name.as_deref().unwrap_or_default()))?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        note(&mut edit, (Subject::Key, Op::Changed), id.0, now).await?;
        edit.commit().await?;
        Ok(true)
    }
}
