//! How an account stands in its row: order of columns, zero for what is not set.

use std::time::Duration;

use relay_core::account::{Account, AccountKind, Deadlines};
use relay_core::credential::SignedOut;
use relay_core::id::AccountId;
use relay_core::money::Money;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::{StoredAccount, sealed};
use crate::columns::Columns;
use crate::error::StoreError;
use crate::vault::Vault;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select id, name, note, kind, base_url, key_header, speaks, project, enabled, priority, weight, ",
            "concurrency_max, sharing, models, model_map, sealed_headers, payload, sealed_proxy, ",
            "clients, ",
            "oauth, stop_at, daily_cost_nanos, ends_at, first_byte_millis, unary_millis, ",
            "idle_millis, created_at, sealed_secret, credential_version, secret_tail, ",
            "signed_out_at, signed_out_cause, identity, warned_of, updated_at ",
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
        speaks: columns.word("protocol of an account")?,
        project: Some(columns.string()?).filter(|project| !project.is_empty()),
        enabled: columns.flag()?,
        priority: columns.number()?,
        weight: columns.number()?,
        concurrency_max: Some(columns.number()?).filter(|max| *max != 0),
        sharing: columns.word("sharing of an account")?,
        models: columns.list("list of an account's models")?,
        model_map: columns.list("model map of an account")?,
        extra_headers: sealed::open_headers(vault, id, columns.take()?)?,
        payload: columns.list("payload rules of an account")?,
        proxy: sealed::open_proxy(vault, id, columns.take()?)?,
        clients: columns.word("rule of an account's clients")?,
        oauth: columns.parsed("sign-in setting of an account")?,
        stop_at: columns.parsed("quota mark of an account")?,
        daily_cost_max: Some(Money::from_nanos(columns.take()?)).filter(|it| *it != Money::ZERO),
        ends_at: columns.optional_at()?,
        deadlines: Deadlines {
            first_byte: duration(columns.number()?),
            unary: duration(columns.number()?),
            idle: duration(columns.number()?),
        },
        groups: Vec::new(),
        created_at: columns.at()?,
    };
    Ok(StoredAccount {
        credential: sealed::open_credential(vault, &account, columns.take()?)?,
        account,
        credential_version: columns.take()?,
        secret_tail: columns.string()?,
        signed_out: signed_out(&mut columns)?,
        identity: columns.optional_parsed("identity of an account")?,
        warned_of: columns.optional_at()?,
        updated_at: columns.at()?,
    })
}

fn signed_out(columns: &mut Columns<'_>) -> Result<Option<SignedOut>, StoreError> {
    let at = columns.optional_at()?;
    let cause = columns.optional_word("cause of a sign-out")?;
    match (at, cause) {
        (None, None) => Ok(None),
        (Some(at), Some(cause)) => Ok(Some(SignedOut { at, cause })),
        _ => Err(StoreError::Stored("sign-out of an account")),
    }
}

/// A deadline as it is stored: 0 is none of its own.
pub(super) fn millis(deadline: Option<Duration>) -> i64 {
    let millis = deadline.unwrap_or_default().as_millis();
    i64::try_from(millis).unwrap_or(i64::MAX)
}

fn duration(millis: u64) -> Option<Duration> {
    (millis != 0).then(|| Duration::from_millis(millis))
}
