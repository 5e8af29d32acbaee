//! Editing an account: each field for itself, so that two edits at a time do not undo each other.

use std::time::Duration;

use relay_core::account::{ExtraHeader, KeyHeader, Sharing};
use relay_core::clock::Timestamp;
use relay_core::id::AccountId;
use relay_core::model::{ModelMapping, ModelPattern};
use relay_core::secret::Secret;

use super::row;
use crate::changes::{Op, Subject, note};
use crate::columns::{json, word};
use crate::error::{StoreError, taken};
use crate::pool::Store;

/// What to change of an account; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct AccountChange {
    /// The name; unique among accounts that were not removed.
    pub name: Option<String>,
    /// A note for people.
    pub note: Option<String>,
    /// Scheme, host and optional path prefix, without a trailing slash.
    pub base_url: Option<String>,
    /// How the key is sent.
    pub key_header: Option<KeyHeader>,
    /// The operator's switch.
    pub enabled: Option<bool>,
    /// Lower goes first.
    pub priority: Option<i32>,
    /// Share of calls among accounts of one priority.
    pub weight: Option<u32>,
    /// Calls at one time; 0 lifts the limit.
    pub concurrency_max: Option<u32>,
    /// Who may be served.
    pub sharing: Option<Sharing>,
    /// Models it serves; empty is all.
    pub models: Option<Vec<ModelPattern>>,
    /// Names that are sent upstream under another name.
    pub model_map: Option<Vec<ModelMapping>>,
    /// Headers added to each request.
    pub extra_headers: Option<Vec<ExtraHeader>>,
    /// To the first byte of a streamed answer; zero is the relay's own deadline.
    pub first_byte: Option<Duration>,
    /// To the end of a unary answer; zero is the relay's own deadline.
    pub unary: Option<Duration>,
    /// Between two bytes of a streamed answer; zero is the relay's own deadline.
    pub idle: Option<Duration>,
    /// The API key, or what the kind signs in by.
    pub secret: Option<Secret>,
}

impl Store {
    /// Changes the fields of an account that `change` names; tells whether there is the account.
    pub async fn change_account(
        &self,
        id: AccountId,
        change: &AccountChange,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let headers = change.extra_headers.as_deref();
        let mut edit = self.edit().await?;
        let done = sqlx::query(
            "update accounts set
                 name = coalesce($2, name),
                 note = coalesce($3, note),
                 base_url = coalesce($4, base_url),
                 key_header = coalesce($5, key_header),
                 enabled = coalesce($6, enabled),
                 priority = coalesce($7, priority),
                 weight = coalesce($8, weight),
                 concurrency_max = coalesce($9, concurrency_max),
                 sharing = coalesce($10, sharing),
                 models = coalesce($11, models),
                 model_map = coalesce($12, model_map),
                 sealed_headers = coalesce($13, sealed_headers),
                 first_byte_millis = coalesce($14, first_byte_millis),
                 unary_millis = coalesce($15, unary_millis),
                 idle_millis = coalesce($16, idle_millis),
                 sealed_secret = coalesce($17, sealed_secret),
                 secret_tail = coalesce($18, secret_tail),
                 updated_at = $19
             where id = $1 and removed_at is null",
        )
        .bind(id.0)
        .bind(&change.name)
        .bind(&change.note)
        .bind(&change.base_url)
        .bind(change.key_header.map(word))
        .bind(change.enabled.map(i64::from))
        .bind(change.priority.map(i64::from))
        .bind(change.weight.map(i64::from))
        .bind(change.concurrency_max.map(i64::from))
        .bind(change.sharing.map(word))
        .bind(change.models.as_ref().map(json))
        .bind(change.model_map.as_ref().map(json))
        .bind(headers.map(|headers| row::seal_headers(&self.vault, id, headers)))
        .bind(change.first_byte.map(|deadline| row::millis(Some(deadline))))
        .bind(change.unary.map(|deadline| row::millis(Some(deadline))))
        .bind(change.idle.map(|deadline| row::millis(Some(deadline))))
        .bind(change.secret.as_ref().map(|secret| row::seal_secret(&self.vault, id, secret)))
        .bind(change.secret.as_ref().map(Secret::last_four))
        .bind(now.as_millis())
        .execute(&mut *edit)
        .await
        .map_err(|error| taken(error, change.name.as_deref().unwrap_or_default()))?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        note(&mut edit, (Subject::Account, Op::Changed), id.0, now).await?;
        edit.commit().await?;
        Ok(true)
    }
}
