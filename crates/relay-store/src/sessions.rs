//! The table `sessions`: who is signed in to the admin page.

use relay_core::clock::Timestamp;

use crate::admins::Role;
use crate::columns::Columns;
use crate::error::StoreError;
use crate::pool::Store;

/// What the secret of a session hashes to; the secret itself is in the cookie alone.
pub type SessionHash = [u8; 32];

/// A sign-in that lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// By what it is found.
    pub hash: SessionHash,
    /// Whose it is.
    pub admin: i64,
    /// Their name.
    pub username: String,
    /// What they may do.
    pub role: Role,
    /// When they signed in.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub seen_at: Timestamp,
    /// When it ends, however much it is used.
    pub ends_at: Timestamp,
    /// From where they signed in.
    pub address: String,
    /// With what.
    pub user_agent: String,
}

/// A sign-in to be kept.
#[derive(Clone)]
pub struct NewSession {
    /// By what it is found.
    pub hash: SessionHash,
    /// Whose it is.
    pub admin: i64,
    /// The hash of the password that they were recognised by.
    pub password_hash: String,
    /// When it ends, however much it is used.
    pub ends_at: Timestamp,
    /// From where they sign in.
    pub address: String,
    /// With what.
    pub user_agent: String,
}

/// How many sessions an administrator may have; with another one the oldest ends.
pub const SESSIONS_MAX: i64 = 50;

const COLUMNS: &str = "select sessions.hash, admins.id, admins.username, admins.role,
    sessions.created_at, sessions.seen_at, sessions.ends_at, sessions.address, sessions.user_agent
    from sessions join admins on admins.id = sessions.admin_id and admins.disabled = 0";

impl std::fmt::Debug for NewSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewSession").field("admin", &self.admin).finish_non_exhaustive()
    }
}

impl Store {
    /// Keeps a sign-in in the place of another; of an administrator's sessions only the newest
    /// [`SESSIONS_MAX`] stay. Tells whether it was kept: not if the password was changed, or the
    /// administrator disabled, since the password was looked at.
    pub async fn add_session(
        &self,
        new: &NewSession,
        replaced: Option<&SessionHash>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut edit = self.edit().await?;
        let done = sqlx::query(
            "insert into sessions (hash, admin_id, created_at, seen_at, ends_at, address,
                 user_agent)
             select $1, id, $3, $3, $4, $5, $6 from admins
             where id = $2 and password_hash = $7 and disabled = 0",
        )
        .bind(new.hash.as_slice())
        .bind(new.admin)
        .bind(now.as_millis())
        .bind(new.ends_at.as_millis())
        .bind(&new.address)
        .bind(&new.user_agent)
        .bind(&new.password_hash)
        .execute(&mut *edit)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        if let Some(replaced) = replaced {
            sqlx::query("delete from sessions where hash = $1")
                .bind(replaced.as_slice())
                .execute(&mut *edit)
                .await?;
        }
        sqlx::query(
            "delete from sessions where admin_id = $1 and hash not in (
                 select hash from sessions where admin_id = $1
                 order by created_at desc, hash = $3 desc limit $2)",
        )
        .bind(new.admin)
        .bind(SESSIONS_MAX)
        .bind(new.hash.as_slice())
        .execute(&mut *edit)
        .await?;
        edit.commit().await?;
        Ok(true)
    }

    /// The session of that hash that was used since `idle_since` and has not ended.
    pub async fn find_session(
        &self,
        hash: &SessionHash,
        idle_since: Timestamp,
        now: Timestamp,
    ) -> Result<Option<Session>, StoreError> {
        let text = format!(
            "{COLUMNS} where sessions.hash = $1 and sessions.seen_at >= $2 \
             and sessions.ends_at > $3"
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(text))
            .bind(hash.as_slice())
            .bind(idle_since.as_millis())
            .bind(now.as_millis())
            .fetch_optional(&self.reader)
            .await?;
        row.map(|row| read(&mut Columns::of(&row))).transpose()
    }

    /// The sessions of an administrator that are not over, the newest first.
    pub async fn sessions_of(
        &self,
        admin: i64,
        idle_since: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<Session>, StoreError> {
        let text = format!(
            "{COLUMNS} where admins.id = $1 and sessions.seen_at >= $2 and sessions.ends_at > $3 \
             order by sessions.created_at desc, sessions.hash"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(text))
            .bind(admin)
            .bind(idle_since.as_millis())
            .bind(now.as_millis())
            .fetch_all(&self.reader)
            .await?;
        rows.iter().map(|row| read(&mut Columns::of(row))).collect()
    }

    /// Notes that a session is used.
    pub async fn touch_session(
        &self,
        hash: &SessionHash,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        sqlx::query("update sessions set seen_at = $2 where hash = $1")
            .bind(hash.as_slice())
            .bind(now.as_millis())
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// Ends a session; tells whether there was one.
    pub async fn end_session(&self, hash: &SessionHash) -> Result<bool, StoreError> {
        let done = sqlx::query("delete from sessions where hash = $1")
            .bind(hash.as_slice())
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Drops the sessions that are over.
    pub async fn forget_sessions(
        &self,
        idle_since: Timestamp,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let done = sqlx::query("delete from sessions where seen_at < $1 or ends_at <= $2")
            .bind(idle_since.as_millis())
            .bind(now.as_millis())
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected())
    }
}

fn read(columns: &mut Columns<'_>) -> Result<Session, StoreError> {
    let hash: &[u8] = columns.take()?;
    Ok(Session {
        hash: hash.try_into().map_err(|_| StoreError::Stored("session"))?,
        admin: columns.take()?,
        username: columns.string()?,
        role: columns.word("role")?,
        created_at: columns.at()?,
        seen_at: columns.at()?,
        ends_at: columns.at()?,
        address: columns.string()?,
        user_agent: columns.string()?,
    })
}
