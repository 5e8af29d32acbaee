//! Editing an account: each field for itself, so that two edits at a time do not undo each other.

use std::time::Duration;

use relay_core::account::{ClientRule, ExtraHeader, KeyHeader, OauthSettings, Sharing, Speaks};
use relay_core::clock::Timestamp;
use relay_core::credential::Credential;
use relay_core::id::AccountId;
use relay_core::model::{ModelMapping, ModelPattern};
use relay_core::money::Money;
use relay_core::payload::PayloadRule;
use relay_core::proxy::Proxy;
use relay_core::quota::StopAt;
use sqlx::SqliteConnection;

use super::{row, sealed};
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
    /// Which protocol it is spoken to in.
    pub speaks: Option<Speaks>,
    /// The Google Cloud project that its calls are for; empty for that of its sign-in.
    pub project: Option<String>,
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
    /// What is changed in the bodies of its calls, in order.
    pub payload: Option<Vec<PayloadRule>>,
    /// To the first byte of a streamed answer; zero is the relay's own deadline.
    pub first_byte: Option<Duration>,
    /// To the end of a unary answer; zero is the relay's own deadline.
    pub unary: Option<Duration>,
    /// Between two bytes of a streamed answer; zero is the relay's own deadline.
    pub idle: Option<Duration>,
    /// The proxy that all its traffic goes through; `Some(None)` is the direct way.
    pub proxy: Option<Option<Proxy>>,
    /// Which clients it serves.
    pub clients: Option<ClientRule>,
    /// Where it is signed in to.
    pub oauth: Option<OauthSettings>,
    /// At how much of a quota window it rests.
    pub stop_at: Option<StopAt>,
    /// What its calls may cost in a day; zero lifts the limit.
    pub daily_cost_max: Option<Money>,
    /// When the subscription ends; `Some(None)` is never. People are warned of another ending anew.
    pub ends_at: Option<Option<Timestamp>>,
    /// What it signs in by; of the sort that its kind signs in by. It ends a sign-out, and nothing
    /// is known any more of whose it is.
    pub credential: Option<Credential>,
}

impl Store {
    /// Changes the fields of an account that `change` names; tells whether there is the account.
    pub async fn change_account(
        &self,
        id: AccountId,
        change: &AccountChange,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut edit = self.edit().await?;
        if !self.change_serving(&mut edit, id, change, now).await? {
            return Ok(false);
        }
        self.change_bounds(&mut edit, id, change).await?;
        if let Some(credential) = &change.credential {
            self.sign_in(&mut edit, id, credential).await?;
        }
        note(&mut edit, (Subject::Account, Op::Changed), id.0, now).await?;
        edit.commit().await?;
        Ok(true)
    }

    /// Changes what is asked of an account and how it is reached.
    async fn change_serving(
        &self,
        connection: &mut SqliteConnection,
        id: AccountId,
        change: &AccountChange,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let headers = change.extra_headers.as_deref();
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
                 updated_at = $17,
                 payload = coalesce($18, payload),
                 speaks = coalesce($19, speaks),
                 project = coalesce($20, project)
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
        .bind(headers.map(|headers| sealed::seal_headers(&self.vault, id, headers)))
        .bind(change.first_byte.map(|deadline| row::millis(Some(deadline))))
        .bind(change.unary.map(|deadline| row::millis(Some(deadline))))
        .bind(change.idle.map(|deadline| row::millis(Some(deadline))))
        .bind(now.as_millis())
        .bind(change.payload.as_ref().map(json))
        .bind(change.speaks.map(word))
        .bind(&change.project)
        .execute(connection)
        .await
        .map_err(|error| taken(error, change.name.as_deref().unwrap_or_default()))?;
        Ok(done.rows_affected() == 1)
    }

    /// Changes whom an account serves, how far, and through which proxy.
    async fn change_bounds(
        &self,
        connection: &mut SqliteConnection,
        id: AccountId,
        change: &AccountChange,
    ) -> Result<(), StoreError> {
        let proxy = change.proxy.as_ref().map(Option::as_ref);
        sqlx::query(
            "update accounts set
                 sealed_proxy = coalesce($2, sealed_proxy),
                 clients = coalesce($3, clients),
                 oauth = coalesce($4, oauth),
                 stop_at = coalesce($5, stop_at),
                 daily_cost_nanos = coalesce($6, daily_cost_nanos),
                 warned_of =
                     case when $7 = 1 and ends_at is distinct from $8 then null else warned_of end,
                 ends_at = case when $7 = 1 then $8 else ends_at end
             where id = $1 and removed_at is null",
        )
        .bind(id.0)
        .bind(proxy.map(|proxy| sealed::seal_proxy(&self.vault, id, proxy)))
        .bind(change.clients.map(word))
        .bind(change.oauth.as_ref().map(json))
        .bind(change.stop_at.as_ref().map(json))
        .bind(change.daily_cost_max.map(Money::as_nanos))
        .bind(i64::from(change.ends_at.is_some()))
        .bind(change.ends_at.flatten().map(Timestamp::as_millis))
        .execute(connection)
        .await?;
        Ok(())
    }
}
