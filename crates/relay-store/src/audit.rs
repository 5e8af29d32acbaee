//! The table `audit_log`: who changed what, and from where.

use relay_core::clock::Timestamp;
use serde::{Deserialize, Serialize};

use crate::columns::{Columns, whole, word};
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

/// Which lines are sought; what is `None` does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditFilter {
    /// Who did it.
    pub actor: Option<String>,
    /// From when on.
    pub from: Option<Timestamp>,
    /// Before when.
    pub to: Option<Timestamp>,
    /// Words that stand anywhere in the line.
    pub text: Option<String>,
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

    /// The lines of the log that are sought, the newest first: so many behind so many others; and
    /// how many are sought in all.
    pub async fn audit_lines(
        &self,
        sought: &AuditFilter,
        (offset, limit): (usize, usize),
    ) -> Result<(Vec<AuditLine>, usize), StoreError> {
        let (offset, limit) = (whole(offset as u64), whole(limit as u64));
        let text = format!(
            "select id, at, actor, door, address, verb, subject, name, detail {SOUGHT} \
             order by id desc limit $5 offset $6"
        );
        let rows = sought.bound(text).bind(limit).bind(offset).fetch_all(&self.reader).await?;
        let lines = rows.iter().map(|row| read(&mut Columns::of(row)));
        let lines = lines.collect::<Result<_, StoreError>>()?;
        let row = sought.bound(format!("select count(*) {SOUGHT}")).fetch_one(&self.reader).await?;
        Ok((lines, Columns::of(&row).number()?))
    }
}

/// The order of ids is that of time: lines are only ever added at the end.
const SOUGHT: &str = "from audit_log where ($1 is null or actor = $1)
    and ($2 is null or at >= $2) and ($3 is null or at < $3)
    and ($4 is null or instr(lower(actor || ' ' || verb || ' ' || subject || ' ' || name || ' '
        || address || ' ' || detail), lower($4)) > 0)";

type Bound<'q> = sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

impl AuditFilter {
    fn bound(&self, text: String) -> Bound<'_> {
        sqlx::query(sqlx::AssertSqlSafe(text))
            .bind(self.actor.as_deref())
            .bind(self.from.map(Timestamp::as_millis))
            .bind(self.to.map(Timestamp::as_millis))
            .bind(self.text.as_deref())
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
