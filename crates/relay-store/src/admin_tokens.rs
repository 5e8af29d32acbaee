//! The table `admin_tokens`: what scripts sign in by.

use relay_core::clock::Timestamp;
use serde::{Deserialize, Serialize};

use crate::columns::{Columns, json};
use crate::error::{StoreError, taken};
use crate::pool::Store;

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Everything that changes nothing.
    Read,
    /// Everything.
    Write,
    /// The figures at `/metrics`.
    Metrics,
}

/// A token of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminToken {
    /// Identity.
    pub id: i64,
    /// What it is called.
    pub name: String,
    /// Its last four characters.
    pub tail: String,
    /// What it is good for.
    pub scopes: Vec<Scope>,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// From when it is refused.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
}

/// A token to be kept.
#[derive(Debug, Clone)]
pub struct NewAdminToken {
    /// What it is called; unique.
    pub name: String,
    /// What the token hashes to.
    pub hash: [u8; 32],
    /// Its last four characters.
    pub tail: String,
    /// What it is good for.
    pub scopes: Vec<Scope>,
    /// Who makes it.
    pub created_by: String,
    /// From when it is refused.
    pub expires_at: Option<Timestamp>,
}

const COLUMNS: &str = "select id, name, tail, scopes, created_by, created_at, expires_at,
    last_used_at from admin_tokens";

impl Store {
    /// Keeps a token.
    pub async fn add_admin_token(
        &self,
        new: &NewAdminToken,
        now: Timestamp,
    ) -> Result<i64, StoreError> {
        let row = sqlx::query(
            "insert into admin_tokens (name, hash, tail, scopes, created_by, created_at, expires_at)
             values ($1, $2, $3, $4, $5, $6, $7) returning id",
        )
        .bind(&new.name)
        .bind(new.hash.as_slice())
        .bind(&new.tail)
        .bind(json(&new.scopes))
        .bind(&new.created_by)
        .bind(now.as_millis())
        .bind(new.expires_at.map(Timestamp::as_millis))
        .fetch_one(&self.writer)
        .await
        .map_err(|error| taken(error, &new.name))?;
        Columns::of(&row).take()
    }

    /// The token of that hash that has not expired.
    pub async fn find_admin_token(
        &self,
        hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<AdminToken>, StoreError> {
        let text = format!("{COLUMNS} where hash = $1 and (expires_at is null or expires_at > $2)");
        let row = sqlx::query(sqlx::AssertSqlSafe(text))
            .bind(hash.as_slice())
            .bind(now.as_millis())
            .fetch_optional(&self.reader)
            .await?;
        row.map(|row| read(&mut Columns::of(&row))).transpose()
    }

    /// Every token, in the order in which they were made.
    pub async fn admin_tokens(&self) -> Result<Vec<AdminToken>, StoreError> {
        let text = format!("{COLUMNS} order by id");
        let rows = sqlx::query(sqlx::AssertSqlSafe(text)).fetch_all(&self.reader).await?;
        rows.iter().map(|row| read(&mut Columns::of(row))).collect()
    }

    /// Notes that a token is used.
    pub async fn touch_admin_token(&self, id: i64, now: Timestamp) -> Result<(), StoreError> {
        sqlx::query("update admin_tokens set last_used_at = $2 where id = $1")
            .bind(id)
            .bind(now.as_millis())
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// How many tokens there are.
    pub async fn count_admin_tokens(&self) -> Result<i64, StoreError> {
        let row = sqlx::query("select count(*) from admin_tokens").fetch_one(&self.reader).await?;
        Columns::of(&row).take()
    }

    /// Removes a token; tells whether there was one.
    pub async fn remove_admin_token(&self, id: i64) -> Result<bool, StoreError> {
        let done = sqlx::query("delete from admin_tokens where id = $1")
            .bind(id)
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected() > 0)
    }
}

fn read(columns: &mut Columns<'_>) -> Result<AdminToken, StoreError> {
    Ok(AdminToken {
        id: columns.take()?,
        name: columns.string()?,
        tail: columns.string()?,
        scopes: columns.list("scopes of a token")?,
        created_by: columns.string()?,
        created_at: columns.at()?,
        expires_at: columns.optional_at()?,
        last_used_at: columns.optional_at()?,
    })
}
