//! What stands in a data directory, and the server that runs on it.

use std::fs::{self, File, TryLockError};
use std::time::Duration;

use relay_core::clock::Timestamp;
use relay_store::checkup::{Checkup, Schema};
use relay_store::data_dir::DataDir;
use relay_store::journal::{self as store_journal, Position, WriterIs};
use relay_store::vault::MasterKey;
use relay_store::{Store, StoreError};
use tokio::time::timeout;

use super::ask;
use crate::cli::health;
use crate::config::Settings;
use crate::live::{self, LiveState, SetLive};
use crate::text::{chain, spoken, tr};
use crate::verbs::account::{self, Known};
use crate::verbs::doctor::accounts::{self, Asked};
use crate::verbs::doctor::database::{self, Pages};
use crate::verbs::doctor::master_key::{self, Fits};
use crate::verbs::doctor::network::{self, Health, Server, Strangers};
use crate::verbs::doctor::{Check, Finding, journal};

/// How long reading through the database may take.
const PAGES_WITHIN: Duration = Duration::from_secs(8);
/// How long the running relay may take to say how it is.
const HEALTH_WITHIN: Duration = Duration::from_secs(3);

/// What was found in a data directory.
#[derive(Debug)]
pub(super) struct Records {
    /// Judged.
    pub(super) findings: Vec<Finding>,
    /// The server that runs on it.
    pub(super) server: Server,
    /// What that server was started with, as far as it says.
    pub(super) set: Option<SetLive>,
    /// Whether that server was told of clients by strangers.
    pub(super) strangers: Strangers,
    /// When the newest call came that there is a record of.
    pub(super) newest_record: Option<Timestamp>,
    /// By how much the clock here is ahead of the providers'.
    pub(super) ahead_millis: Vec<i64>,
}

impl Records {
    /// Looks at everything in `dir`, and asks accounts for what `asked_for` says.
    pub(super) async fn look(
        settings: &Settings,
        dir: &DataDir,
        asked_for: ask::For,
        now: Timestamp,
    ) -> Self {
        let live = ask_live(dir).await;
        let server = server(dir, live.as_ref()).await;
        let mut findings = vec![network::judge_server(&server)];

        let (checkup, found) = match Checkup::open(&dir.database()) {
            Ok(checkup) => {
                let found = database(&checkup).await;
                (Some(checkup), found)
            }
            Err(StoreError::Missing { .. }) => (None, database::Found::Missing),
            Err(error) => (None, database::Found::Fails(error)),
        };
        let has_database = !is_missing(&found);
        let has_file = dir.init_file().exists();
        findings.push(master_key::judge_first_password(has_file, has_database));
        findings.push(database::judge(&found));
        let (key, store) = key(settings, dir, checkup.as_ref().filter(|_| has_database)).await;
        findings.push(master_key::judge(&key, has_database));

        let writer = match server {
            Server::None => WriterIs::Gone,
            Server::Running { .. } | Server::Mute { .. } => WriterIs::Running,
        };
        let (journal, newest_journal) = journal(dir, store.as_ref(), writer).await;
        findings.extend(journal::judge(&journal, writer));
        let newest_database = match &checkup {
            // A schema that lacks the table has no calls.
            Some(checkup) => checkup.newest_call().await.ok().flatten(),
            None => None,
        };
        let set = live.as_ref().and_then(|live| live.set.clone());
        let strangers = match &live {
            Some(live) if live.forwarded_by_stranger => Strangers::Seen,
            _ => Strangers::Unseen,
        };
        let mut records = Self {
            findings,
            server,
            set,
            strangers,
            newest_record: newest_database.max(newest_journal),
            ahead_millis: Vec::new(),
        };
        if let Some(store) = &store {
            let known = Known { live: live.as_ref(), now, zone: &settings.time_zone };
            records.accounts_and_keys(dir, store, asked_for, &known).await;
        } else {
            let why = || {
                if has_database {
                    tr!("the records cannot be read: see the database and the master key")
                } else {
                    tr!("there are none yet")
                }
            };
            let checks = [Check::Accounts, Check::Keys];
            records.findings.extend(checks.map(|check| Finding::skipped(check, why())));
        }
        records
    }

    async fn accounts_and_keys(
        &mut self,
        dir: &DataDir,
        store: &Store,
        asked_for: ask::For,
        known: &Known<'_>,
    ) {
        let unread = |check| {
            Finding::skipped(
                check,
                tr!("cannot be read; the next start may bring the database up to date"),
            )
        };
        self.findings.push(match store.keys().await {
            Ok(keys) => {
                let keys: Vec<_> = keys.into_iter().map(|stored| stored.key).collect();
                accounts::judge_keys(&keys, known.now)
            }
            Err(_) => unread(Check::Keys),
        });
        let views = account::list(store, known).await;
        let stored = account::to_test(store, &account::Selection::All).await;
        let (Ok(views), Ok(stored)) = (views, stored) else {
            self.findings.push(unread(Check::Accounts));
            return;
        };
        let asker = ask::Asker::new(dir, store, &self.server, asked_for, known.now).await;
        let examined = asker.all(views, &stored).await;
        self.ahead_millis = examined
            .iter()
            .filter_map(|it| match &it.asked {
                Asked::Test(test) => test.clock_ahead_millis,
                Asked::Not | Asked::NoTime => None,
            })
            .collect();
        self.findings.extend(accounts::judge(&examined));
    }
}

async fn ask_live(dir: &DataDir) -> Option<LiveState> {
    let dir = dir.clone();
    tokio::task::spawn_blocking(move || live::ask(&dir)).await.ok().flatten()
}

async fn server(dir: &DataDir, live: Option<&LiveState>) -> Server {
    let process =
        fs::read_to_string(dir.lock_file()).ok().and_then(|text| text.trim().parse().ok());
    match live {
        None if is_held(dir) => Server::Mute { process },
        None => Server::None,
        Some(live) => {
            let health = match live.address {
                Some(address) => ask_health(address).await,
                None => Health::Well,
            };
            Server::Running { process, address: live.address, health }
        }
    }
}

async fn ask_health(address: std::net::SocketAddr) -> Health {
    let address = std::net::SocketAddr::new(health::reachable(address.ip()), address.port());
    let (_, body) = match timeout(HEALTH_WITHIN, health::ask(address)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Health::Silent(chain(&error, spoken())),
        Err(_) => return Health::Silent(tr!("no answer came in time")),
    };
    let said: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
    match said.as_ref().and_then(|said| said["status"].as_str()) {
        Some("ok") => Health::Well,
        Some(word) => Health::Says(word.chars().take(40).collect()),
        None => Health::Silent(tr!("what answers there is no relay")),
    }
}

/// Whether a server holds the lock of the directory. Tried by a lock that several may share, for a
/// moment.
fn is_held(dir: &DataDir) -> bool {
    let file = File::open(dir.lock_file());
    file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

async fn database(checkup: &Checkup) -> database::Found {
    let schema = match checkup.schema().await {
        Ok(Schema::Empty) => return database::Found::Missing,
        Ok(schema) => schema,
        Err(error) => return database::Found::Fails(error),
    };
    let pages = match timeout(PAGES_WITHIN, checkup.integrity()).await {
        Ok(Ok(None)) => Pages::Whole,
        Ok(Ok(Some(fault))) => Pages::Damaged(fault),
        Ok(Err(error)) => return database::Found::Fails(error),
        Err(_) => Pages::Unread,
    };
    database::Found::There { schema, pages, log_bytes: checkup.log_bytes() }
}

fn is_missing(found: &database::Found) -> bool {
    matches!(found, database::Found::Missing)
}

/// The master key, and the records if it opens them. A key is never made here.
async fn key(
    settings: &Settings,
    dir: &DataDir,
    checkup: Option<&Checkup>,
) -> (master_key::Found, Option<Store>) {
    let (master, origin) = match MasterKey::load(dir, settings.encryption_key.as_ref(), true) {
        Ok(loaded) => loaded,
        Err(error) => return (master_key::Found::Fails(error), None),
    };
    let opened = match checkup {
        Some(checkup) => Some(checkup.records(&master).await),
        None => None,
    };
    let (fits, store) = match opened {
        Some(Ok(store)) => (Fits::Yes, Some(store)),
        Some(Err(StoreError::WrongMasterKey { .. })) => (Fits::No, None),
        Some(Err(_)) | None => (Fits::Untried, None),
    };
    let in_file = dir.master_key().exists();
    (master_key::Found::Key { origin, in_file, fits }, store)
}

async fn journal(
    dir: &DataDir,
    store: Option<&Store>,
    writer: WriterIs,
) -> (journal::Found, Option<Timestamp>) {
    /// Where the database is cannot be told: nothing is called behind then.
    const UNTOLD: Position = Position { segment: u64::MAX, offset: 0 };
    let path = dir.journal();
    if !path.exists() {
        return (journal::Found::Missing, None);
    }
    let consumed = match store {
        Some(store) => store.journal_position().await.map(Option::unwrap_or_default),
        None => Ok(UNTOLD),
    };
    let consumed = consumed.unwrap_or(UNTOLD);
    let read = move || store_journal::look(&path, consumed, journal::READ_BYTES_MAX, writer);
    match tokio::task::spawn_blocking(read).await {
        Ok(Ok(look)) => {
            let newest = look.lines.and_then(|lines| lines.newest);
            (journal::Found::There(look), newest)
        }
        Ok(Err(error)) => (journal::Found::Fails(error.to_string()), None),
        Err(error) => (journal::Found::Fails(error.to_string()), None),
    }
}
