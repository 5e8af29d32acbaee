//! The table `peppers`: what client keys are hashed with, sealed under the master key.

use relay_core::clock::Timestamp;
use sqlx::SqliteConnection;

use crate::columns::Columns;
use crate::error::StoreError;
use crate::pool::Store;
use crate::vault::{Pepper, PepperScheme, Vault};
use crate::vault_keys::open_text;

impl Store {
    /// Every pepper; the first is this relay's own, which new keys are hashed with.
    pub async fn peppers(&self) -> Result<Vec<Pepper>, StoreError> {
        let rows = sqlx::query("select id, scheme, sealed from peppers order by id")
            .fetch_all(&self.reader)
            .await?;
        rows.iter()
            .map(|row| {
                let mut columns = Columns::of(row);
                let id = columns.take()?;
                let scheme = PepperScheme::from_word(columns.text()?)
                    .ok_or(StoreError::Stored("scheme of a pepper"))?;
                let secret = open_text(&self.vault, &place(id), columns.take()?)?;
                Ok(Pepper { id, scheme, secret })
            })
            .collect()
    }
}

/// Makes the relay's own pepper.
pub(crate) async fn make_first(
    connection: &mut SqliteConnection,
    vault: &Vault,
    now: Timestamp,
) -> Result<(), StoreError> {
    const FIRST: i64 = 1;
    let pepper = Pepper::generate(FIRST);
    sqlx::query("insert into peppers (id, scheme, sealed, created_at) values ($1, $2, $3, $4)")
        .bind(pepper.id)
        .bind(pepper.scheme.as_str())
        .bind(vault.seal(&place(pepper.id), pepper.secret.expose().as_bytes()))
        .bind(now.as_millis())
        .execute(connection)
        .await?;
    Ok(())
}

/// What a pepper is sealed for.
fn place(id: i64) -> String {
    format!("peppers.sealed:{id}")
}
