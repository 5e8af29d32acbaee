//! The table `admins`: who may sign in to the admin page.

use relay_core::clock::Timestamp;
use relay_core::secret::Secret;
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use crate::changes::{Op, Subject, note};
use crate::columns::{Columns, word};
use crate::error::{StoreError, taken};
use crate::pool::Store;
use crate::vault_keys::open_text;

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
    /// When one of their sessions was last used.
    pub seen_at: Option<Timestamp>,
}

/// What is changed of an administrator; what is `None` stays.
#[derive(Clone, Default)]
pub struct AdminChange {
    /// What they may do.
    pub role: Option<Role>,
    /// Whether they may not sign in.
    pub disabled: Option<bool>,
    /// The hash of a new password.
    pub password_hash: Option<String>,
    /// No second factor is asked for any more.
    pub drops_totp: bool,
}

/// What came of a change or a removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminEdit {
    /// It is done, and their sessions are over.
    Done,
    /// There is nobody of that name.
    Missing,
    /// It would leave nobody who can change anything. Nothing was written.
    LastOne,
}

impl std::fmt::Debug for AdminChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AdminChange")
            .field("role", &self.role)
            .field("disabled", &self.disabled)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin")
            .field("id", &self.id)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

const COLUMNS: &str = "select id, username, password_hash, created_at, password_changed_at, role,
    disabled, length(sealed_totp) > 0,
    (select max(seen_at) from sessions where sessions.admin_id = admins.id) from admins";

impl Store {
    /// Adds an administrator who may do everything.
    pub async fn add_admin(
        &self,
        username: &str,
        password_hash: &str,
        now: Timestamp,
    ) -> Result<i64, StoreError> {
        self.add_admin_as(Role::Admin, (username, password_hash), now).await
    }

    /// Adds an administrator: their name, and the hash of their password.
    pub async fn add_admin_as(
        &self,
        role: Role,
        (username, password_hash): (&str, &str),
        now: Timestamp,
    ) -> Result<i64, StoreError> {
        let mut edit = self.edit().await?;
        let row = sqlx::query(
            "insert into admins (username, password_hash, created_at, password_changed_at, role,
                 sealed_totp, totp_step, disabled)
             values ($1, $2, $3, $3, $4, x'', 0, 0) returning id",
        )
        .bind(username)
        .bind(password_hash)
        .bind(now.as_millis())
        .bind(word(role))
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
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} where username = $1")))
            .bind(username)
            .fetch_optional(&self.reader)
            .await?;
        row.map(|row| read(&mut Columns::of(&row))).transpose()
    }

    /// Every administrator, in the order in which they were added.
    pub async fn admins(&self) -> Result<Vec<Admin>, StoreError> {
        let text = format!("{COLUMNS} order by id");
        let rows = sqlx::query(sqlx::AssertSqlSafe(text)).fetch_all(&self.reader).await?;
        rows.iter().map(|row| read(&mut Columns::of(row))).collect()
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
        let password_hash = Some(password_hash.to_owned());
        let change = AdminChange { password_hash, ..AdminChange::default() };
        Ok(self.change_admin(username, &change, now).await? == AdminEdit::Done)
    }

    /// Changes an administrator, which ends all their sessions.
    pub async fn change_admin(
        &self,
        username: &str,
        change: &AdminChange,
        now: Timestamp,
    ) -> Result<AdminEdit, StoreError> {
        let mut edit = self.edit().await?;
        let row = sqlx::query(
            "update admins set role = coalesce($2, role), disabled = coalesce($3, disabled),
                 password_hash = coalesce($4, password_hash),
                 password_changed_at = case when $4 is null then password_changed_at else $5 end,
                 sealed_totp = case when $6 then x'' else sealed_totp end
             where username = $1 returning id",
        )
        .bind(username)
        .bind(change.role.map(word))
        .bind(change.disabled.map(i64::from))
        .bind(&change.password_hash)
        .bind(now.as_millis())
        .bind(i64::from(change.drops_totp))
        .fetch_optional(&mut *edit)
        .await?;
        let Some(row) = row else { return Ok(AdminEdit::Missing) };
        let id: i64 = Columns::of(&row).take()?;
        let narrows = change.role == Some(Role::Viewer) || change.disabled == Some(true);
        if narrows && !has_able(&mut edit).await? {
            return Ok(AdminEdit::LastOne);
        }
        sqlx::query("delete from sessions where admin_id = $1")
            .bind(id)
            .execute(&mut *edit)
            .await?;
        note(&mut edit, (Subject::Admin, Op::Changed), id, now).await?;
        edit.commit().await?;
        Ok(AdminEdit::Done)
    }

    /// Removes an administrator and their sessions.
    pub async fn remove_admin(
        &self,
        username: &str,
        now: Timestamp,
    ) -> Result<AdminEdit, StoreError> {
        let mut edit = self.edit().await?;
        let row = sqlx::query("delete from admins where username = $1 returning id")
            .bind(username)
            .fetch_optional(&mut *edit)
            .await?;
        let Some(row) = row else { return Ok(AdminEdit::Missing) };
        if !has_able(&mut edit).await? {
            return Ok(AdminEdit::LastOne);
        }
        let id: i64 = Columns::of(&row).take()?;
        sqlx::query("delete from sessions where admin_id = $1")
            .bind(id)
            .execute(&mut *edit)
            .await?;
        note(&mut edit, (Subject::Admin, Op::Removed), id, now).await?;
        edit.commit().await?;
        Ok(AdminEdit::Done)
    }

    /// Sets what codes of the second factor are made from, and the step of the code that proved it.
    pub async fn set_totp(
        &self,
        admin: i64,
        secret: &Secret,
        (step, now): (i64, Timestamp),
    ) -> Result<(), StoreError> {
        let mut edit = self.edit().await?;
        let sealed = self.vault.seal(&totp_place(admin), secret.expose().as_bytes());
        sqlx::query("update admins set sealed_totp = $2, totp_step = $3 where id = $1")
            .bind(admin)
            .bind(sealed)
            .bind(step)
            .execute(&mut *edit)
            .await?;
        note(&mut edit, (Subject::Admin, Op::Changed), admin, now).await?;
        Ok(edit.commit().await?)
    }

    /// Asks for no second factor any more; sessions go on.
    pub async fn drop_totp(&self, admin: i64, now: Timestamp) -> Result<(), StoreError> {
        let mut edit = self.edit().await?;
        sqlx::query("update admins set sealed_totp = x'' where id = $1")
            .bind(admin)
            .execute(&mut *edit)
            .await?;
        note(&mut edit, (Subject::Admin, Op::Changed), admin, now).await?;
        Ok(edit.commit().await?)
    }

    /// What codes of the second factor are made from, if one is asked for.
    pub async fn totp(&self, admin: i64) -> Result<Option<Secret>, StoreError> {
        let row =
            sqlx::query("select sealed_totp from admins where id = $1 and length(sealed_totp) > 0")
                .bind(admin)
                .fetch_optional(&self.reader)
                .await?;
        let open = |row| open_text(&self.vault, &totp_place(admin), Columns::of(&row).take()?);
        row.map(open).transpose()
    }

    /// Uses up the code of a step; tells whether it was still to be used.
    pub async fn take_totp_step(&self, admin: i64, step: i64) -> Result<bool, StoreError> {
        let done = sqlx::query("update admins set totp_step = $2 where id = $1 and totp_step < $2")
            .bind(admin)
            .bind(step)
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected() > 0)
    }
}

/// Whether anybody is left who can change something.
async fn has_able(connection: &mut SqliteConnection) -> Result<bool, StoreError> {
    let row = sqlx::query("select id from admins where role = 'admin' and disabled = 0 limit 1")
        .fetch_optional(connection)
        .await?;
    Ok(row.is_some())
}

fn totp_place(admin: i64) -> String {
    format!("admins.totp:{admin}")
}

fn read(columns: &mut Columns<'_>) -> Result<Admin, StoreError> {
    Ok(Admin {
        id: columns.take()?,
        username: columns.string()?,
        password_hash: columns.string()?,
        created_at: columns.at()?,
        password_changed_at: columns.at()?,
        role: columns.word("role")?,
        disabled: columns.flag()?,
        has_totp: columns.flag()?,
        seen_at: columns.optional_at()?,
    })
}
