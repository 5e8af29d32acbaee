//! The store on real SQLite files.

mod account_past;
mod accounts;
mod changes;
mod checkup;
mod contention;
mod credentials;
mod ingest;
mod key_counts;
mod key_edits;
mod keys;
mod opening;
mod operation;
mod reports;
mod take_over;

use std::path::PathBuf;

use relay_core::clock::Timestamp;
use relay_core::id::{AccountId, CallId, KeyId, SessionId};
use relay_core::money::Money;
use relay_core::price::{PriceSource, PricedBy};
use relay_core::secret::Secret;
use relay_core::usage::{Attempt, CallRecord, Exactness, Outcome, TokenUsage};
use relay_store::Store;
use relay_store::journal::Position;
use relay_store::vault::MasterKey;
use tempfile::TempDir;

/// The time at which the tests' stores were made.
pub(crate) const START: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// A store in a directory that goes away with it.
pub(crate) struct Scratch {
    /// The directory.
    pub(crate) dir: TempDir,
    /// The store.
    pub(crate) store: Store,
}

impl Scratch {
    /// Everything in the directory: names and contents.
    pub(crate) fn contents(&self) -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(self.dir.path())
            .expect("the directory")
            .map(|entry| entry.expect("an entry"))
            .map(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                (name, std::fs::read(entry.path()).expect("readable"))
            })
            .collect();
        files.sort();
        files
    }

    /// A new, empty store.
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let store = Store::open(&dir.path().join("crs.db"), &master(), START).await;
        Self { store: store.expect("a new database"), dir }
    }

    /// The database file.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("crs.db")
    }

    /// Runs a statement as some other program would.
    pub(crate) async fn run(&self, statement: &'static str) {
        use sqlx::{ConnectOptions, Connection};
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.path());
        let mut connection = options.connect().await.expect("a connection");
        sqlx::query(statement).execute(&mut connection).await.expect("it runs");
        connection.close().await.expect("it closes");
    }

    /// The same database as another process would open it.
    pub(crate) async fn second(&self) -> Store {
        Store::open_existing(&self.path(), &master(), START).await.expect("the database opens")
    }
}

/// The master key of the tests' stores.
pub(crate) fn master() -> MasterKey {
    master_of("the words that open the databases of these tests")
}

/// A master key made of words.
pub(crate) fn master_of(words: &str) -> MasterKey {
    MasterKey::from_text(&Secret::new(words)).expect("long enough to be a key")
}

/// A moment so many minutes after the start.
pub(crate) fn minute(count: i64) -> Timestamp {
    Timestamp::from_millis(START.as_millis() + count * 60_000)
}

/// A place in the journal.
pub(crate) const fn position(offset: u64) -> Position {
    Position { segment: 1, offset }
}

/// The record of a call that went well; each number gives another one.
pub(crate) fn record(number: u8) -> CallRecord {
    let at = minute(i64::from(number));
    CallRecord {
        window: None,
        call: CallId::new(at, [number; 10]),
        key: KeyId(1),
        account: AccountId(1),
        at,
        path: "/api/v1/messages".into(),
        model_asked: "claude-sonnet-4-6".into(),
        model_served: "claude-sonnet-4-6".into(),
        client: "claude_code".into(),
        session: Some(SessionId([number; 16])),
        streamed: true,
        status: 200,
        outcome: Outcome::Completed,
        usage: TokenUsage {
            input: 10,
            output: 20,
            cache_read: 30,
            cache_write_5m: 40,
            cache_write_1h: 50,
            web_searches: 1,
        },
        exactness: Exactness::Exact,
        cost: Money::from_nanos(1_000),
        priced_by: PricedBy { version: "list 1".into(), source: PriceSource::Listed },
        service_tier: "standard".into(),
        speed: String::new(),
        first_byte_millis: Some(250),
        total_millis: 2_000,
        attempts: vec![Attempt {
            account: AccountId(1),
            at,
            millis: 1_900,
            status: Some(200),
            fault: None,
            maybe_billed: false,
        }],
    }
}
