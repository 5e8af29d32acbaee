//! The schema: numbered texts that only add, applied in one transaction.

use std::path::Path;

use relay_core::clock::Timestamp;
use sqlx::SqliteConnection;

use crate::columns::Columns;
use crate::error::StoreError;

/// A step of the schema.
struct Migration {
    name: &'static str,
    text: &'static str,
}

macro_rules! migrations {
    ($($name:literal),+ $(,)?) => {
        &[$(Migration {
            name: $name,
            text: include_str!(concat!("../migrations/sqlite/", $name, ".sql")),
        }),+]
    };
}

/// Every step, oldest first. A step that a release contained is never changed again.
const MIGRATIONS: &[Migration] = migrations![
    "0001_vault",
    "0002_accounts",
    "0003_keys",
    "0004_usage",
    "0005_operation",
    "0006_admin",
    "0007_faults",
    "0008_days",
];

/// What a database turns out to be before anything is done to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// It has no tables.
    Empty,
    /// It is ours, of a schema that lacks steps.
    Older,
    /// It is ours, of this program's schema.
    Current,
}

/// Looks at a database without writing; refuses one that is newer than this program or not ours.
pub(crate) async fn look(
    connection: &mut SqliteConnection,
    path: &Path,
) -> Result<Found, StoreError> {
    let tables = sqlx::query(
        "select count(*), coalesce(sum(name = 'schema_versions'), 0) from sqlite_master
         where type = 'table'",
    )
    .fetch_one(&mut *connection)
    .await?;
    let mut tables = Columns::of(&tables);
    match (tables.take::<i64>()?, tables.take::<i64>()?) {
        (0, _) => return Ok(Found::Empty),
        (_, 0) => return Err(StoreError::Foreign { path: path.to_owned() }),
        _ => {}
    }
    let (found, known) = (version(connection).await?, newest());
    if found > known {
        return Err(StoreError::NewerSchema { path: path.to_owned(), found, known });
    }
    Ok(if found < known { Found::Older } else { Found::Current })
}

/// Applies the steps that the database lacks, within the caller's transaction.
pub(crate) async fn apply(
    connection: &mut SqliteConnection,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "create table if not exists schema_versions (
             version    integer not null primary key,
             name       text    not null,
             applied_at integer not null
         )",
    )
    .execute(&mut *connection)
    .await?;
    let applied = version(connection).await?;
    for (number, migration) in (1_i64..).zip(MIGRATIONS).filter(|(number, _)| *number > applied) {
        sqlx::raw_sql(migration.text).execute(&mut *connection).await?;
        sqlx::query("insert into schema_versions (version, name, applied_at) values ($1, $2, $3)")
            .bind(number)
            .bind(migration.name)
            .bind(now.as_millis())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// The number of the newest step that this program knows.
fn newest() -> i64 {
    i64::try_from(MIGRATIONS.len()).expect("a handful of migrations")
}

/// The number of the newest step that the database has.
async fn version(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    let row = sqlx::query("select coalesce(max(version), 0) from schema_versions")
        .fetch_one(connection)
        .await?;
    Columns::of(&row).take()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_numbered_without_a_gap() {
        for (number, migration) in (1..).zip(MIGRATIONS) {
            assert!(migration.name.starts_with(&format!("{number:04}_")), "{}", migration.name);
        }
    }
}
