//! A database looked at without the ability to write to it, for whoever wants to know what is
//! wrong with it: its schema, its pages, its master key, its records.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use relay_core::clock::Timestamp;
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};

use crate::columns::Columns;
use crate::days::Days;
use crate::error::StoreError;
use crate::key_counts::FirstUses;
use crate::migrate::{self, Found};
use crate::pool::{Store, beside};
use crate::usage::KnownKinds;
use crate::vault::{MasterKey, Vault};
use crate::vault_keys;

/// Connections that look.
const LOOKERS_MAX: u32 = 2;
/// How long a look waits for a writer, which in this mode it rarely has to.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// A database that is only looked at. Nothing that is done through it changes a file, apart from
/// the index of a write-ahead log that a crash left, which SQLite makes anew to read that log.
#[derive(Debug)]
pub struct Checkup {
    pool: SqlitePool,
    path: PathBuf,
}

/// How the schema of a database stands to this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// It has no tables.
    Empty,
    /// It lacks steps, which the next start brings.
    Older,
    /// It is this program's.
    Current,
}

impl Checkup {
    /// Opens the database at `path`.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        match fs::metadata(path) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StoreError::Missing { path: path.to_owned() });
            }
            Err(source) => return Err(StoreError::Open { path: path.to_owned(), source }),
        }
        // Even a reader makes the files beside a database in WAL mode. Without a log there is
        // nothing that the main file lacks, so it can be read as what it is: one immutable file.
        let immutable = !beside(path, "-wal").exists();
        let options = SqliteConnectOptions::new()
            .filename(path)
            .read_only(true)
            .immutable(immutable)
            .busy_timeout(BUSY_TIMEOUT)
            .disable_statement_logging();
        let pool = SqlitePoolOptions::new()
            .max_connections(LOOKERS_MAX)
            .acquire_timeout(BUSY_TIMEOUT * 2)
            .connect_lazy_with(options);
        Ok(Self { pool, path: path.to_owned() })
    }

    /// How its schema stands to this program; fails for one that is newer, or of another program.
    pub async fn schema(&self) -> Result<Schema, StoreError> {
        let mut connection = self.pool.acquire().await?;
        Ok(match migrate::look(&mut connection, &self.path).await? {
            Found::Empty => Schema::Empty,
            Found::Older => Schema::Older,
            Found::Current => Schema::Current,
        })
    }

    /// Reads through the whole file; the first fault that is found, in the engine's words.
    pub async fn integrity(&self) -> Result<Option<String>, StoreError> {
        let row = sqlx::query("pragma quick_check(1)").fetch_one(&self.pool).await?;
        let verdict = Columns::of(&row).string()?;
        Ok((verdict != "ok").then_some(verdict))
    }

    /// When the newest call came that it has a record of.
    pub async fn newest_call(&self) -> Result<Option<Timestamp>, StoreError> {
        let row = sqlx::query("select at from calls order by call_id desc limit 1")
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| Columns::of(&row).at()).transpose()
    }

    /// The records, if `master` is the key that they are sealed under. The store that is handed
    /// out cannot write.
    pub async fn records(&self, master: &MasterKey) -> Result<Store, StoreError> {
        let vault = Vault::new(master);
        let mut connection = self.pool.acquire().await?;
        vault_keys::check(&mut connection, &vault, &self.path).await?;
        Ok(Store {
            days: Days::default(),
            writer: self.pool.clone(),
            reader: self.pool.clone(),
            vault: Arc::new(vault),
            kinds: KnownKinds::default(),
            first_uses: FirstUses::default(),
        })
    }

    /// Bytes of the write-ahead log; 0 if there is none.
    pub fn log_bytes(&self) -> u64 {
        fs::metadata(beside(&self.path, "-wal")).map_or(0, |found| found.len())
    }
}
