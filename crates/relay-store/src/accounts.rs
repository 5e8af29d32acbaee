//! The table `accounts`. A removed account keeps its row, without its secrets, for history's sake.

mod change;
mod credential;
mod row;
mod sealed;

use relay_core::account::{
    Account, AccountKind, ClientRule, Deadlines, ExtraHeader, KeyHeader, OauthSettings, Sharing,
    Speaks,
};
use relay_core::clock::Timestamp;
use relay_core::credential::{Credential, Identity, SignedOut};
use relay_core::id::{AccountId, GroupId};
use relay_core::model::{ModelMapping, ModelPattern};
use relay_core::money::Money;
use relay_core::payload::PayloadRule;
use relay_core::proxy::Proxy;
use relay_core::quota::StopAt;
use relay_core::secret::Secret;
use sqlx::SqliteConnection;

pub use self::change::AccountChange;
pub(crate) use self::credential::CredentialState;
pub use self::credential::is_same_sign_in;
use crate::account_notes;
use crate::changes::{Op, Subject, note};
use crate::columns::{Columns, json, word};
use crate::error::{StoreError, taken};
use crate::groups;
use crate::pool::Store;

/// An account with what it signs in by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAccount {
    /// What an operator set.
    pub account: Account,
    /// What it signs in by.
    pub credential: Credential,
    /// Which credential that is: each sign-in and each refresh gives a greater number. Who writes
    /// what followed from a credential says from which, so that a newer one is never replaced.
    pub credential_version: i64,
    /// The last four characters of the API key or of the access token, which listings may show.
    pub secret_tail: String,
    /// That it has to be signed in again; the machine's word, not the operator's switch.
    pub signed_out: Option<SignedOut>,
    /// Whose sign-in it is, if the provider told.
    pub identity: Option<Identity>,
    /// The ending that people were warned of last.
    pub warned_of: Option<Timestamp>,
    /// When it was last edited.
    pub updated_at: Timestamp,
}

/// An account to be added.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// The name; unique among accounts that were not removed.
    pub name: String,
    /// A note for people.
    pub note: String,
    /// How it is reached.
    pub kind: AccountKind,
    /// Scheme, host and optional path prefix, without a trailing slash.
    pub base_url: String,
    /// How the key is sent.
    pub key_header: KeyHeader,
    /// Which protocol it is spoken to in, where its host has two.
    pub speaks: Speaks,
    /// The Google Cloud project that its calls are for.
    pub project: Option<String>,
    /// Whether it may serve at once.
    pub enabled: bool,
    /// Lower goes first.
    pub priority: i32,
    /// Share of calls among accounts of one priority.
    pub weight: u32,
    /// Calls at one time; `None` is no limit.
    pub concurrency_max: Option<u32>,
    /// Who may be served.
    pub sharing: Sharing,
    /// Models it serves; empty is all.
    pub models: Vec<ModelPattern>,
    /// Names that are sent upstream under another name.
    pub model_map: Vec<ModelMapping>,
    /// Headers added to each request.
    pub extra_headers: Vec<ExtraHeader>,
    /// What is changed in the bodies of its calls, in order.
    pub payload: Vec<PayloadRule>,
    /// The proxy that all its traffic goes through; `None` is the direct way.
    pub proxy: Option<Proxy>,
    /// Which clients it serves.
    pub clients: ClientRule,
    /// Where it is signed in to.
    pub oauth: OauthSettings,
    /// At how much of a quota window it rests.
    pub stop_at: StopAt,
    /// What its calls may cost in a day; `None` is no limit.
    pub daily_cost_max: Option<Money>,
    /// When the subscription ends.
    pub ends_at: Option<Timestamp>,
    /// Deadlines of its own.
    pub deadlines: Deadlines,
    /// Groups it belongs to.
    pub groups: Vec<GroupId>,
    /// What it signs in by; of the sort that its kind signs in by.
    pub credential: Credential,
    /// Whose sign-in it is, if the provider told.
    pub identity: Option<Identity>,
}

impl NewAccount {
    /// An account with an API key, and the usual of everything else.
    pub fn new(name: &str, kind: AccountKind, base_url: &str, secret: Secret) -> Self {
        Self::signed_in(name, kind, base_url, Credential::ApiKey(secret))
    }

    /// An account with what it signs in by, and the usual of everything else.
    pub fn signed_in(
        name: &str,
        kind: AccountKind,
        base_url: &str,
        credential: Credential,
    ) -> Self {
        Self {
            name: name.to_owned(),
            note: String::new(),
            kind,
            base_url: base_url.to_owned(),
            key_header: KeyHeader::Auto,
            speaks: Speaks::Both,
            project: None,
            enabled: true,
            priority: 50,
            weight: 1,
            concurrency_max: None,
            sharing: Sharing::Shared,
            models: Vec::new(),
            model_map: Vec::new(),
            extra_headers: Vec::new(),
            payload: Vec::new(),
            proxy: None,
            clients: ClientRule::default(),
            oauth: OauthSettings::default(),
            stop_at: StopAt::default(),
            daily_cost_max: None,
            ends_at: None,
            deadlines: Deadlines::default(),
            groups: Vec::new(),
            credential,
            identity: None,
        }
    }
}

impl Store {
    /// Every account, in the order in which they were added.
    pub async fn accounts(&self) -> Result<Vec<StoredAccount>, StoreError> {
        let mut reading = self.reader.begin().await?;
        let mut accounts = row::all(&mut reading, &self.vault).await?;
        for (account, group) in groups::memberships(&mut reading).await? {
            if let Ok(index) = accounts.binary_search_by_key(&account, |it| it.account.id) {
                accounts[index].account.groups.push(group);
            }
        }
        Ok(accounts)
    }

    /// The account of that id, unless it was removed.
    pub async fn account(&self, id: AccountId) -> Result<Option<StoredAccount>, StoreError> {
        let mut reading = self.reader.begin().await?;
        let Some(mut found) = row::one(&mut reading, &self.vault, id).await? else {
            return Ok(None);
        };
        found.account.groups = groups::of_account(&mut reading, id).await?;
        Ok(Some(found))
    }

    /// The account that a person means by `id_or_name`.
    pub async fn find_account(
        &self,
        id_or_name: &str,
    ) -> Result<Option<StoredAccount>, StoreError> {
        if let Ok(id) = id_or_name.parse()
            && let Some(found) = self.account(id).await?
        {
            return Ok(Some(found));
        }
        let row = sqlx::query("select id from accounts where name = $1 and removed_at is null")
            .bind(id_or_name)
            .fetch_optional(&self.reader)
            .await?;
        match row {
            Some(row) => self.account(AccountId(Columns::of(&row).take()?)).await,
            None => Ok(None),
        }
    }

    /// Adds an account. What its kind does not sign in by is refused.
    pub async fn add_account(
        &self,
        new: &NewAccount,
        now: Timestamp,
    ) -> Result<AccountId, StoreError> {
        credential::fits(new.kind, &new.credential)?;
        let mut edit = self.edit().await?;
        let id = insert(&mut edit, new, now).await?;
        self.seal_into(&mut edit, id, new).await?;
        for group in &new.groups {
            groups::add_member(&mut edit, *group, id).await?;
        }
        note(&mut edit, (Subject::Account, Op::Added), id.0, now).await?;
        edit.commit().await?;
        Ok(id)
    }

    /// Writes what can only be sealed once the row has its id.
    async fn seal_into(
        &self,
        connection: &mut SqliteConnection,
        id: AccountId,
        new: &NewAccount,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "update accounts set sealed_secret = $2, sealed_headers = $3, sealed_proxy = $4
             where id = $1",
        )
        .bind(id.0)
        .bind(sealed::seal_credential(&self.vault, id, &new.credential))
        .bind(sealed::seal_headers(&self.vault, id, &new.extra_headers))
        .bind(sealed::seal_proxy(&self.vault, id, new.proxy.as_ref()))
        .execute(connection)
        .await?;
        Ok(())
    }

    /// Removes an account: its secrets, its identity, what was noted of it and its place in
    /// groups. Its name is free again, and history goes on naming it. Tells whether there was one.
    pub async fn remove_account(&self, id: AccountId, now: Timestamp) -> Result<bool, StoreError> {
        let mut edit = self.edit().await?;
        let done = sqlx::query(
            "update accounts set removed_at = $2, updated_at = $2, enabled = 0,
             sealed_secret = $3, sealed_headers = $3, sealed_proxy = $3, secret_tail = '',
             signed_out_at = null, signed_out_cause = null, identity = null, warned_of = null
             where id = $1 and removed_at is null",
        )
        .bind(id.0)
        .bind(now.as_millis())
        .bind([].as_slice())
        .execute(&mut *edit)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        groups::leave_all(&mut edit, id).await?;
        account_notes::forget(&mut edit, id).await?;
        note(&mut edit, (Subject::Account, Op::Removed), id.0, now).await?;
        edit.commit().await?;
        Ok(true)
    }

    /// Notes that an operator wants everything cleared that the machine knows of an account, and
    /// drops what was noted of it.
    pub async fn note_account_reset(
        &self,
        id: AccountId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut edit = self.edit().await?;
        account_notes::forget(&mut edit, id).await?;
        note(&mut edit, (Subject::Account, Op::Reset), id.0, now).await?;
        Ok(edit.commit().await?)
    }
}

/// Inserts the row; what is sealed stays empty.
async fn insert(
    connection: &mut SqliteConnection,
    new: &NewAccount,
    now: Timestamp,
) -> Result<AccountId, StoreError> {
    let row = sqlx::query(
        "insert into accounts (
             name, note, kind, base_url, key_header, enabled, priority, weight, concurrency_max,
             sharing, models, model_map, first_byte_millis, unary_millis, idle_millis, clients,
             oauth, stop_at, daily_cost_nanos, ends_at, identity, secret_tail, created_at,
             updated_at, sealed_secret, sealed_headers, sealed_proxy, credential_version, payload,
             speaks, project
         ) values (
             $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
             $19, $20, $21, $22, $23, $23, $24, $24, $24, $25, $26, $27, $28
         ) returning id",
    )
    .bind(&new.name)
    .bind(&new.note)
    .bind(new.kind.as_str())
    .bind(&new.base_url)
    .bind(word(new.key_header))
    .bind(i64::from(new.enabled))
    .bind(i64::from(new.priority))
    .bind(i64::from(new.weight))
    .bind(i64::from(new.concurrency_max.unwrap_or(0)))
    .bind(word(new.sharing))
    .bind(json(&new.models))
    .bind(json(&new.model_map))
    .bind(row::millis(new.deadlines.first_byte))
    .bind(row::millis(new.deadlines.unary))
    .bind(row::millis(new.deadlines.idle))
    .bind(word(new.clients))
    .bind(json(&new.oauth))
    .bind(json(&new.stop_at))
    .bind(new.daily_cost_max.unwrap_or_default().as_nanos())
    .bind(new.ends_at.map(Timestamp::as_millis))
    .bind(new.identity.as_ref().map(json))
    .bind(credential::tail(&new.credential))
    .bind(now.as_millis())
    .bind([].as_slice())
    .bind(credential::FIRST_VERSION)
    .bind(json(&new.payload))
    .bind(word(new.speaks))
    .bind(new.project.as_deref().unwrap_or_default())
    .fetch_one(connection)
    .await
    .map_err(|error| taken(error, &new.name))?;
    Columns::of(&row).take().map(AccountId)
}
