//! The table `admins`: who may sign in to the admin page.

use relay_core::clock::Timestamp;
use serde::{Deserialize, Serialize};

use crate::changes::{Op, Subject, note};
use crate::columns::Columns;
use crate::error::{StoreError, taken};
use crate::pool::Store;

/// What an administrator may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Admin,
    /// Look at everything, and change nothing but their own sign-in.
    Viewer,
}

/// An administrator. `Debug` leaves the hash of the password out.
#[derive(Clone, PartialEq, Eq)]
pub struct Admin {
    /// Identity.
    pub id: i64,
    /// The name to sign in with; unique.
    pub username: String,
    /// The password's hash, as a PHC string.
    pub password_hash: String,
    /// When the administrator was added.
    pub created_at: Timestamp,
    /// When the password was last set: sessions from before are over.
    pub password_changed_at: Timestamp,
    /// What they may do.
    pub role: Role,
    /// Whether they may not sign in.
    pub disabled: bool,
    /// Whether a code of a second factor is asked for.
    pub has_totp: bool,
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin")
            .field("id", &self.id)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Adds an administrator.
    pub async fn add_admin(
        &self,
        username: &str,
        password_hash: &str,
        now: Timestamp,
    ) -> Result<i64, StoreError> {
        let mut edit = self.edit().await?;
        let row = sqlx::query(
            "insert into admins (username, password_hash, created_at, password_changed_at, role,
                 sealed_totp, totp_step, disabled)
             values ($1, $2, $3, $3, 'admin', x'', 0, 0) returning id",
        )
        .bind(username)
        .bind(password_hash)
        .bind(now.as_millis())
        .fetch_one(&mut *edit)
        .await
        .map_err(|error| taken(error, username))?;
        let id = Columns::of(&row).take()?;
        note(&mut edit, (Subject::Admin, Op::Added), id, now).await?;
        edit.commit().await?;
        Ok(id)
    }

    /// The administrator of that name.
    pub async fn find_admin(&self, username: &str) -> Result<Option<Admin>, StoreError> {
        let row = sqlx::query(
            "select id, username, password_hash, created_at, password_changed_at, role, disabled,
                 length(sealed_totp) > 0
             from admins where username = $1",
        )
        .bind(username)
        .fetch_optional(&self.reader)
        .await?;
        row.map(|row| {
            let mut columns = Columns::of(&row);
            Ok(Admin {
                id: columns.take()?,
                username: columns.string()?,
                password_hash: columns.string()?,
                created_at: columns.at()?,
                password_changed_at: columns.at()?,
                role: columns.word("role")?,
                disabled: columns.flag()?,
                has_totp: columns.flag()?,
            })
        })
        .transpose()
    }

    /// Whether there is any administrator: tells a first start from a later one.
    pub async fn has_admin(&self) -> Result<bool, StoreError> {
        let row = sqlx::query("select id from admins limit 1").fetch_optional(&self.reader).await?;
        Ok(row.is_some())
    }

    /// Sets the password of an administrator, which ends all their sessions; tells whether there is
    /// one of that name.
    pub async fn set_password(
        &self,
        username: &str,
        password_hash: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut edit = self.edit().await?;
        let row = sqlx::query(
            "update admins set password_hash = $2, password_changed_at = $3
             where username = $1 returning id",
        )
        .bind(username)
        .bind(password_hash)
        .bind(now.as_millis())
        .fetch_optional(&mut *edit)
        .await?;
        let Some(row) = row else { return Ok(false) };
        let id: i64 = Columns::of(&row).take()?;
        sqlx::query("delete from sessions where admin_id = $1")
            .bind(id)
            .execute(&mut *edit)
            .await?;
        note(&mut edit, (Subject::Admin, Op::Changed), id, now).await?;
        edit.commit().await?;
        Ok(true)
    }
}
