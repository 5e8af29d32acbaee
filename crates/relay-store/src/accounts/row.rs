//! How an account stands in its row: order of columns, sealed parts, zero for what is not set.

use std::time::Duration;

use relay_core::account::{Account, AccountKind, Deadlines, ExtraHeader};
use relay_core::id::AccountId;
use relay_core::secret::Secret;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::StoredAccount;
use crate::columns::{Columns, json};
use crate::error::StoreError;
use crate::vault::Vault;
use crate::vault_keys::open_text;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select id, name, note, kind, base_url, key_header, enabled, priority, weight, ",
            "concurrency_max, sharing, models, model_map, sealed_headers, first_byte_millis, ",
            "unary_millis, idle_millis, created_at, sealed_secret, secret_tail, updated_at ",
            "from accounts where removed_at is null ",
            $rest
        )
    };
}

/// Every account that was not removed, by id, without groups.
pub(super) async fn all(
    connection: &mut SqliteConnection,
    vault: &Vault,
) -> Result<Vec<StoredAccount>, StoreError> {
    let rows = sqlx::query(select!("order by id")).fetch_all(connection).await?;
    rows.iter().map(|row| read(row, vault)).collect()
}

/// One account that was not removed, without groups.
pub(super) async fn one(
    connection: &mut SqliteConnection,
    vault: &Vault,
    id: AccountId,
) -> Result<Option<StoredAccount>, StoreError> {
    let row = sqlx::query(select!("and id = $1")).bind(id.0).fetch_optional(connection).await?;
    row.map(|row| read(&row, vault)).transpose()
}

fn read(row: &SqliteRow, vault: &Vault) -> Result<StoredAccount, StoreError> {
    let mut columns = Columns::of(row);
    let id = AccountId(columns.take()?);
    let account = Account {
        id,
        name: columns.string()?,
        note: columns.string()?,
        kind: AccountKind::from_name(columns.text()?)
            .ok_or(StoreError::Stored("kind of account"))?,
        base_url: columns.string()?,
        key_header: columns.word("key header of an account")?,
        enabled: columns.flag()?,
        priority: columns.number()?,
        weight: columns.number()?,
        concurrency_max: Some(columns.number()?).filter(|max| *max != 0),
        sharing: columns.word("sharing of an account")?,
        models: columns.list("list of an account's models")?,
        model_map: columns.list("model map of an account")?,
        extra_headers: open_headers(vault, id, columns.take()?)?,
        deadlines: Deadlines {
            first_byte: duration(columns.number()?),
            unary: duration(columns.number()?),
            idle: duration(columns.number()?),
        },
        groups: Vec::new(),
        created_at: columns.at()?,
    };
    Ok(StoredAccount {
        account,
        secret: open_text(vault, &secret_place(id), columns.take()?)?,
        secret_tail: columns.string()?,
        updated_at: columns.at()?,
    })
}

/// A deadline as it is stored: 0 is none of its own.
pub(super) fn millis(deadline: Option<Duration>) -> i64 {
    let millis = deadline.unwrap_or_default().as_millis();
    i64::try_from(millis).unwrap_or(i64::MAX)
}

fn duration(millis: u64) -> Option<Duration> {
    (millis != 0).then(|| Duration::from_millis(millis))
}

pub(super) fn seal_secret(vault: &Vault, id: AccountId, secret: &Secret) -> Vec<u8> {
    vault.seal(&secret_place(id), secret.expose().as_bytes())
}

/// Seals the operator's headers: as often as not one of them is a credential.
pub(super) fn seal_headers(vault: &Vault, id: AccountId, headers: &[ExtraHeader]) -> Vec<u8> {
    vault.seal(&headers_place(id), json(headers).as_bytes())
}

fn open_headers(
    vault: &Vault,
    id: AccountId,
    sealed: &[u8],
) -> Result<Vec<ExtraHeader>, StoreError> {
    let opened = vault.open(&headers_place(id), sealed)?;
    serde_json::from_slice(&opened).map_err(|_| StoreError::Stored("header of an account"))
}

fn secret_place(id: AccountId) -> String {
    format!("accounts.secret:{id}")
}

fn headers_place(id: AccountId) -> String {
    format!("accounts.headers:{id}")
}
