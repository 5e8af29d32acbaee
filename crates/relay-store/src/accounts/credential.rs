//! What the machine writes of an account's credential: each field for itself, from a version, and
//! never the operator's switch.

use relay_core::account::AccountKind;
use relay_core::clock::Timestamp;
use relay_core::credential::{Credential, Identity, SignedOut, Tokens};
use relay_core::event::{Ending, Event};
use relay_core::id::AccountId;
use relay_core::secret::Secret;
use sqlx::SqliteConnection;

use super::sealed;
use crate::changes::{Op, Subject, note};
use crate::columns::{Columns, json};
use crate::error::StoreError;
use crate::outbox;
use crate::pool::Store;

/// The version of the credential that an account is added with.
pub(super) const FIRST_VERSION: i64 = 1;

/// How far apart the versions of two sign-ins are at most: a sign-in begins the next such span, a
/// refresh counts on within one.
///
/// A server may be some refreshes ahead of a database that is away, while somebody signs in anew
/// there. If both only counted on, they could give two credentials one version.
const VERSIONS_OF_A_SIGN_IN: i64 = 1_000_000;

/// What is known of an account's credential without opening it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CredentialState {
    /// Whose it is.
    pub(crate) account: AccountId,
    /// Which it is.
    pub(crate) version: i64,
    /// Whether the account has to be signed in again.
    pub(crate) signed_out: bool,
}

impl Store {
    /// Writes the tokens that a refresh of those of `from_version` gave, and ends a sign-out. They get
    /// the next version, and take the place of older tokens of the same sign-in too: the database may
    /// lack several refreshes, if it was away during them. `false`, and nothing is written, if the
    /// account has newer tokens, was signed in anew meanwhile, or was removed.
    pub async fn adopt_refreshed(
        &self,
        id: AccountId,
        from_version: i64,
        tokens: &Tokens,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut edit = self.edit().await?;
        let Some(kind) = kind(&mut edit, id).await? else { return Ok(false) };
        if !kind.is_oauth() {
            return Err(StoreError::WrongCredential(kind));
        }
        let done = sqlx::query(
            "update accounts set sealed_secret = $4, secret_tail = $5, credential_version = $6,
             signed_out_at = null, signed_out_cause = null
             where id = $1 and credential_version between $2 and $3 and removed_at is null",
        )
        .bind(id.0)
        .bind(first_of_sign_in(from_version))
        .bind(from_version)
        .bind(sealed::seal_tokens(&self.vault, id, tokens))
        .bind(tokens.access.last_four())
        .bind(from_version + 1)
        .execute(&mut *edit)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        note(&mut edit, (Subject::Account, Op::Refreshed), id.0, now).await?;
        edit.commit().await?;
        Ok(true)
    }

    /// Writes that an account has to be signed in again, with the event that tells people; the
    /// tokens stay. `false`, and nothing is written, if that was known, if the account has a
    /// credential of another version or if it was removed: so people are told once.
    pub async fn sign_out(
        &self,
        id: AccountId,
        from_version: i64,
        signed_out: SignedOut,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut edit = self.edit().await?;
        let done = sqlx::query(
            "update accounts set signed_out_at = $3, signed_out_cause = $4
             where id = $1 and credential_version = $2 and removed_at is null
             and signed_out_at is null",
        )
        .bind(id.0)
        .bind(from_version)
        .bind(signed_out.at.as_millis())
        .bind(signed_out.cause.as_str())
        .execute(&mut *edit)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        let event = Event::AccountSignedOut { account: id, cause: signed_out.cause };
        outbox::put(&mut edit, &event, now).await?;
        note(&mut edit, (Subject::Account, Op::Changed), id.0, now).await?;
        edit.commit().await?;
        Ok(true)
    }

    /// Writes whose sign-in it is, as the provider told of the credential of `from_version`.
    /// `false`, and nothing is written, if the account has a credential of another version or was
    /// removed: it may be another person's by now. The edit is told only if it changes anything.
    pub async fn set_identity(
        &self,
        id: AccountId,
        from_version: i64,
        identity: &Identity,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut edit = self.edit().await?;
        let row = sqlx::query(
            "select identity from accounts
             where id = $1 and credential_version = $2 and removed_at is null",
        )
        .bind(id.0)
        .bind(from_version)
        .fetch_optional(&mut *edit)
        .await?;
        let Some(row) = row else { return Ok(false) };
        let text = json(identity);
        if Columns::of(&row).take::<Option<&str>>()? == Some(text.as_str()) {
            return Ok(true);
        }
        sqlx::query("update accounts set identity = $2 where id = $1")
            .bind(id.0)
            .bind(text)
            .execute(&mut *edit)
            .await?;
        note(&mut edit, (Subject::Account, Op::Changed), id.0, now).await?;
        edit.commit().await?;
        Ok(true)
    }

    /// Writes that people were warned that the account ends at `at`, with the event that warns
    /// them; `false` if that was written before or the account was removed. No edit is told: only
    /// who warns reads it.
    pub async fn mark_warned(
        &self,
        id: AccountId,
        (what, at): (Ending, Timestamp),
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut edit = self.edit().await?;
        let done = sqlx::query(
            "update accounts set warned_of = $2
             where id = $1 and removed_at is null and warned_of is distinct from $2",
        )
        .bind(id.0)
        .bind(at.as_millis())
        .execute(&mut *edit)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        outbox::put(&mut edit, &Event::AccountEnding { account: id, what, at }, now).await?;
        edit.commit().await?;
        Ok(true)
    }

    /// Which credentials there are, by account.
    pub(crate) async fn credential_states(&self) -> Result<Vec<CredentialState>, StoreError> {
        sqlx::query(
            "select id, credential_version, case when signed_out_at is null then 0 else 1 end
             from accounts where removed_at is null order by id",
        )
        .fetch_all(&self.reader)
        .await?
        .iter()
        .map(|row| {
            let mut columns = Columns::of(row);
            Ok(CredentialState {
                account: AccountId(columns.take()?),
                version: columns.take()?,
                signed_out: columns.flag()?,
            })
        })
        .collect()
    }

    /// Gives an account another credential, within the transaction that edits it: from now on
    /// nothing counts that was found out about the one before.
    pub(super) async fn sign_in(
        &self,
        connection: &mut SqliteConnection,
        id: AccountId,
        credential: &Credential,
    ) -> Result<(), StoreError> {
        if let Some(kind) = kind(connection, id).await? {
            fits(kind, credential)?;
        }
        sqlx::query(
            "update accounts set sealed_secret = $2, secret_tail = $3,
             credential_version = (credential_version / $4 + 1) * $4,
             signed_out_at = null, signed_out_cause = null, identity = null, warned_of = null
             where id = $1 and removed_at is null",
        )
        .bind(id.0)
        .bind(sealed::seal_credential(&self.vault, id, credential))
        .bind(tail(credential))
        .bind(VERSIONS_OF_A_SIGN_IN)
        .execute(connection)
        .await?;
        Ok(())
    }
}

/// Refuses what accounts of `kind` do not sign in by. Written all the same, tokens would be read
/// as an API key and sent to the account's host.
pub(super) fn fits(kind: AccountKind, credential: &Credential) -> Result<(), StoreError> {
    match credential {
        Credential::Missing => Ok(()),
        Credential::ApiKey(_) if !kind.is_oauth() => Ok(()),
        Credential::Tokens(_) if kind.is_oauth() => Ok(()),
        Credential::ApiKey(_) | Credential::Tokens(_) => Err(StoreError::WrongCredential(kind)),
    }
}

/// What listings may show of a credential.
pub(super) fn tail(credential: &Credential) -> &str {
    match credential {
        Credential::Missing => "",
        Credential::ApiKey(key) => key.last_four(),
        Credential::Tokens(Tokens { access, .. }) => Secret::last_four(access),
    }
}

/// Whether two versions are of one sign-in, so that the greater came of the other by refreshes.
pub const fn is_same_sign_in(one: i64, other: i64) -> bool {
    first_of_sign_in(one) == first_of_sign_in(other)
}

/// The least version of the sign-in that `version` belongs to.
const fn first_of_sign_in(version: i64) -> i64 {
    version - version.rem_euclid(VERSIONS_OF_A_SIGN_IN)
}

async fn kind(
    connection: &mut SqliteConnection,
    id: AccountId,
) -> Result<Option<AccountKind>, StoreError> {
    let row = sqlx::query("select kind from accounts where id = $1 and removed_at is null")
        .bind(id.0)
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let kind = AccountKind::from_name(Columns::of(&row).text()?);
    kind.map(Some).ok_or(StoreError::Stored("kind of account"))
}
