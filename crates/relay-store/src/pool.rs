//! The database's connections: one that writes, a few that read, and how a start gets to them.

use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use relay_core::clock::Timestamp;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, Sqlite, Transaction};

use crate::columns::Columns;
use crate::days::Days;
use crate::error::StoreError;
use crate::key_counts::FirstUses;
use crate::migrate::{self, Found};
use crate::usage::KnownKinds;
use crate::vault::{MasterKey, Vault};
use crate::{peppers, vault_keys};

/// Connections that read. Reading never waits for the writer.
const READERS_MAX: u32 = 4;

/// How long a statement waits for another process's write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a caller waits for a connection; longer than [`BUSY_TIMEOUT`], so that the one in
/// front fails first and says why.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(15);

/// Pages of 4 KiB that the write-ahead log gathers before they are moved: 16 MiB, four times the
/// engine's own choice, as a page that many batches change is then moved once.
const LOG_PAGES: &str = "4000";

/// Starts a transaction that holds the write lock from the beginning: one that begins by reading
/// and is overtaken before it writes would fail at once, without waiting.
const BEGIN_WRITE: &str = "begin immediate";

/// The records of the relay: a handle that is cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) writer: SqlitePool,
    pub(crate) reader: SqlitePool,
    pub(crate) vault: Arc<Vault>,
    pub(crate) kinds: KnownKinds,
    pub(crate) first_uses: FirstUses,
    pub(crate) days: Days,
}

/// Whether a database is made where there is none.
#[derive(Clone, Copy, PartialEq, Eq)]
enum IfMissing {
    Create,
    Refuse,
}

impl Store {
    /// What seals and opens secrets, for what stands beside the database.
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Opens the database at `path`, or makes it with a new pepper if there is none.
    ///
    /// The master key is checked first, through a connection that cannot write: with a wrong one
    /// nothing is touched, and the schema is brought up to date only with the right one.
    pub async fn open(path: &Path, master: &MasterKey, now: Timestamp) -> Result<Self, StoreError> {
        Self::prepare(path, master, now, IfMissing::Create).await
    }

    /// Opens the database at `path` as [`Store::open`] does, but refuses to make one.
    pub async fn open_existing(
        path: &Path,
        master: &MasterKey,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        Self::prepare(path, master, now, IfMissing::Refuse).await
    }

    async fn prepare(
        path: &Path,
        master: &MasterKey,
        now: Timestamp,
        if_missing: IfMissing,
    ) -> Result<Self, StoreError> {
        let vault = Vault::new(master);
        let found = inspect(path, &vault).await?;
        match (found, if_missing) {
            (Found::Older | Found::Current, _) => {}
            (Found::Empty, IfMissing::Create) => create(path)?,
            (Found::Empty, IfMissing::Refuse) => {
                return Err(StoreError::Missing { path: path.to_owned() });
            }
        }
        let store = Self {
            writer: writer(path),
            reader: reader(path),
            vault: Arc::new(vault),
            kinds: KnownKinds::default(),
            first_uses: FirstUses::default(),
            days: Days::default(),
        };
        // What needs no write waits for nobody's: a database may be locked for minutes.
        if found != Found::Current {
            store.bring_up(path, now).await?;
        }
        Ok(store)
    }

    /// Migrates, and on the first start writes the check of the master key and the pepper, all in
    /// one transaction. What was looked at before is looked at again, now that nobody else writes.
    async fn bring_up(&self, path: &Path, now: Timestamp) -> Result<(), StoreError> {
        let mut edit = self.edit().await?;
        if migrate::look(&mut edit, path).await? != Found::Empty {
            vault_keys::check(&mut edit, &self.vault, path).await?;
        }
        migrate::apply(&mut edit, now).await?;
        if vault_keys::note_first(&mut edit, &self.vault, now).await? {
            peppers::make_first(&mut edit, &self.vault, now).await?;
        }
        Ok(edit.commit().await?)
    }

    /// Begins a transaction that writes. Dropped without a commit, it leaves nothing behind.
    pub(crate) async fn edit(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        Ok(self.writer.begin_with(BEGIN_WRITE).await?)
    }

    /// Moves what the write-ahead log holds into the database file; for idle moments.
    pub async fn checkpoint(&self) -> Result<(), StoreError> {
        sqlx::query("pragma wal_checkpoint(truncate)").execute(&self.writer).await?;
        Ok(())
    }

    /// Brings what was committed to the disk. A commit alone survives the process, not a power cut.
    pub async fn sync(&self) -> Result<(), StoreError> {
        let path = self.writer.connect_options().get_filename().to_owned();
        let log = beside(&path, "-wal");
        let synced = tokio::task::spawn_blocking(move || match fs::File::open(log) {
            // What a log held that is gone was synced before it went.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            log => log?.sync_data(),
        });
        let synced = synced.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        synced.map_err(|source| StoreError::Sync { path, source })
    }

    /// Reads through the whole file; the first fault that is found, in the engine's words.
    pub async fn integrity(&self) -> Result<Option<String>, StoreError> {
        let row = sqlx::query("pragma quick_check(1)").fetch_one(&self.reader).await?;
        let verdict = Columns::of(&row).string()?;
        Ok((verdict != "ok").then_some(verdict))
    }

    /// Closes every connection once it is idle.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}

/// Looks at the file at `path` without the ability to write to it, and checks the master key.
async fn inspect(path: &Path, vault: &Vault) -> Result<Found, StoreError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.len() > 0 => {}
        Ok(_) => return Ok(Found::Empty),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Empty),
        Err(source) => return Err(StoreError::Open { path: path.to_owned(), source }),
    }
    // Even a reader makes the files beside a database in WAL mode. Without a log there is nothing
    // that the main file lacks, so it can be read as what it is: one immutable file.
    let immutable = !beside(path, "-wal").exists();
    let mut connection = options(path).read_only(true).immutable(immutable).connect().await?;
    let found = match migrate::look(&mut connection, path).await {
        Ok(found @ (Found::Older | Found::Current)) => {
            vault_keys::check(&mut connection, vault, path).await.map(|()| found)
        }
        other => other,
    };
    connection.close().await?;
    found
}

/// Makes an empty file that only its owner may read; SQLite gives the files beside it the same
/// permissions.
fn create(path: &Path) -> Result<(), StoreError> {
    let made = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match made {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(StoreError::Open { path: path.to_owned(), source }),
    }
}

/// The path of a file that SQLite keeps beside the database.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .disable_statement_logging()
}

fn writer(path: &Path) -> SqlitePool {
    pool(1).after_release(|connection, _| Box::pin(is_reusable(connection))).connect_lazy_with(
        options(path)
            .journal_mode(SqliteJournalMode::Wal)
            // A commit outlives a power cut: the journal is let go when it is here. Commits come
            // in batches, so this costs little.
            .synchronous(SqliteSynchronous::Full)
            // What would undo half of a statement stands in memory, not in a file made for it.
            .pragma("temp_store", "memory")
            .pragma("wal_autocheckpoint", LOG_PAGES),
    )
}

fn reader(path: &Path) -> SqlitePool {
    pool(READERS_MAX).connect_lazy_with(options(path).read_only(true))
}

fn pool(connections_max: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

/// Whether a connection that is handed back can begin a transaction.
///
/// When the disk is full or fails, SQLite may undo the whole transaction by itself. The driver's
/// own rollback then fails, it goes on believing that a transaction is open, and would refuse
/// every later one.
async fn is_reusable(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    // The answer comes after a rollback that is under way.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

#[cfg(test)]
mod tests;
