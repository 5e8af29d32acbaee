//! The table `audit_log`: who changed what, and from where.

use relay_core::clock::Timestamp;
use serde::{Deserialize, Serialize};

use crate::columns::{Columns, word};
use crate::error::StoreError;
use crate::pool::Store;

/// By which door a change came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// The admin page.
    Page,
    /// A script with a token.
    Token,
    /// The command line.
    CommandLine,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// Who did it: an administrator, a token, or a user of the machine.
    pub actor: String,
    /// By which door.
    pub door: Door,
    /// From where; empty for the machine itself.
    pub address: String,
    /// What was done, as the OpenAPI document calls it: `keys_rotate`.
    pub verb: String,
    /// To which: an id, or nothing.
    pub subject: String,
    /// Its name at that time.
    pub name: String,
    /// Which fields were set to what, with secrets left out.
    pub detail: String,
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditLine {
    /// Its place in the order.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub deed: Deed,
}

impl Store {
    /// Writes down what was done.
    pub async fn audit(&self, deed: &Deed, now: Timestamp) -> Result<(), StoreError> {
        sqlx::query(
            "insert into audit_log (at, actor, door, address, verb, subject, name, detail)
             values ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(now.as_millis())
        .bind(&deed.actor)
        .bind(word(deed.door))
        .bind(&deed.address)
        .bind(&deed.verb)
        .bind(&deed.subject)
        .bind(&deed.name)
        .bind(&deed.detail)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// The last lines of the log, the newest first.
    pub async fn audit_lines(&self, limit: u32) -> Result<Vec<AuditLine>, StoreError> {
        let rows = sqlx::query(
            "select id, at, actor, door, address, verb, subject, name, detail from audit_log
             order by id desc limit $1",
        )
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(|row| read(&mut Columns::of(row))).collect()
    }
}

fn read(columns: &mut Columns<'_>) -> Result<AuditLine, StoreError> {
    Ok(AuditLine {
        id: columns.take()?,
        at: columns.at()?,
        deed: Deed {
            actor: columns.string()?,
            door: columns.word("door")?,
            address: columns.string()?,
            verb: columns.string()?,
            subject: columns.string()?,
            name: columns.string()?,
            detail: columns.string()?,
        },
    })
}
