//! The table `vault_keys`: by which master keys this database is sealed.

use std::path::Path;

use relay_core::clock::Timestamp;
use relay_core::secret::Secret;
use sqlx::SqliteConnection;

use crate::columns::Columns;
use crate::error::StoreError;
use crate::vault::Vault;

/// Where the check is sealed for, and what it says: a key of the same id that does not open it is
/// not the same key.
const PLACE: &str = "vault_keys.check_value";
const CHECK: &[u8] = b"this database belongs to this key";

/// Refuses a vault that did not seal this database.
pub(crate) async fn check(
    connection: &mut SqliteConnection,
    vault: &Vault,
    path: &Path,
) -> Result<(), StoreError> {
    let row = sqlx::query("select check_value from vault_keys where key_id = $1")
        .bind(vault.fingerprint().to_string())
        .fetch_optional(connection)
        .await?;
    let wrong = || StoreError::WrongMasterKey { path: path.to_owned() };
    let row = row.ok_or_else(wrong)?;
    let opened = vault.open(PLACE, Columns::of(&row).take()?).map_err(|_| wrong())?;
    if opened.as_slice() == CHECK { Ok(()) } else { Err(wrong()) }
}

/// Notes the master key of a new database; tells whether it is one.
pub(crate) async fn note_first(
    connection: &mut SqliteConnection,
    vault: &Vault,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "insert into vault_keys (key_id, check_value, created_at)
         select $1, $2, $3 where not exists (select 1 from vault_keys)",
    )
    .bind(vault.fingerprint().to_string())
    .bind(vault.seal(PLACE, CHECK))
    .bind(now.as_millis())
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Opens a sealed text.
pub(crate) fn open_text(vault: &Vault, place: &str, sealed: &[u8]) -> Result<Secret, StoreError> {
    let opened = vault.open(place, sealed)?;
    let text = std::str::from_utf8(&opened).map_err(|_| StoreError::NotText(place.to_owned()))?;
    Ok(Secret::new(text))
}
