//! The record of refreshes: which went out, and which pair each gave, on disk before the pair is
//! used and whether or not the database can be reached.
//!
//! A refresh token buys one pair, and from then on the one before is void. So a refresh is noted
//! before it goes out ([`CredentialLog::begin`]) and its pair when it comes
//! ([`CredentialLog::finish`]); the note goes when the database has the pair
//! ([`CredentialLog::clear`]). What a crash leaves is found at the next start
//! ([`CredentialLog::pending`], [`Store::take_over`](crate::Store::take_over)).
//!
//! There is one small file for each account, `credentials/acct_7`, replaced whole and synced with
//! its directory: a line with the newest version that it speaks of, then the content, sealed for
//! `credentials.pair:{account}:{version}`. A file that is moved to another account, or whose line
//! is edited, does not open. Whoever rotates the master key must seal these files anew as well,
//! or take them over first ([`Store::take_over`](crate::Store::take_over) leaves intents alone,
//! which hold no secret and count the same when they do not open).
//!
//! If the database is away for long, tokens that it never saw may be refreshed in their turn. Then
//! the file holds both: the pair that is in use and the intent to replace it. A pair leaves the
//! file only by a newer one or by `clear`.

mod entry;
mod take_over;

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use relay_core::credential::Tokens;
use relay_core::id::AccountId;

use self::entry::Entry;
use crate::data_dir::{self, DataDirError};
use crate::vault::{Vault, VaultError};

/// Why the record of refreshes could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CredentialLogError {
    /// The directory could not be made, made private or listed.
    #[error("cannot keep credentials in {}", .path.display())]
    Open {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file could not be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file holds something else than this program writes.
    #[error("{} is damaged", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// What a file holds does not open.
    #[error("{} does not open", .path.display())]
    Sealed {
        /// The file.
        path: PathBuf,
        /// Why.
        source: VaultError,
    },
    /// A file could not be written. What it held before it still holds.
    #[error("cannot note a refresh")]
    Write(#[from] DataDirError),
    /// A file could not be removed.
    #[error("cannot remove {}", .path.display())]
    Remove {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The record knows of a newer credential than the one that was to be replaced.
    #[error("{account} has a newer credential than version {version}")]
    Superseded {
        /// Whose it is.
        account: AccountId,
        /// Which was to be replaced.
        version: i64,
    },
}

/// What the record says of an account.
#[derive(Debug)]
pub struct Pending {
    /// Which account.
    pub account: AccountId,
    /// How far the refresh had come.
    pub stage: Stage,
}

/// How far a refresh had come.
#[derive(Debug)]
pub enum Stage {
    /// It went out or was about to. Nobody knows whether the provider took the token, so it is
    /// tried once.
    Begun {
        /// The version of the tokens that it was to replace.
        version: i64,
    },
    /// It gave a pair.
    Finished {
        /// The version of the tokens that the pair replaces.
        version: i64,
        /// The pair.
        tokens: Tokens,
    },
    /// Nobody can tell: counts as begun, for whatever tokens the account has.
    Damaged(CredentialLogError),
}

/// The record of refreshes: a handle that is cheap to clone.
///
/// Every method reads and writes files and waits for the disk: within async code, call it in
/// `spawn_blocking`. One process at a time may use a directory, the one that holds the lock of the
/// data directory.
#[derive(Debug, Clone)]
pub struct CredentialLog(Arc<Log>);

#[derive(Debug)]
struct Log {
    dir: PathBuf,
    vault: Vault,
    /// Held while a file is read and replaced.
    turn: Mutex<()>,
}

/// What there is of an account.
enum Found {
    Nothing,
    Entry(Entry),
    Damaged(CredentialLogError),
}

impl CredentialLog {
    /// Opens the record in `dir`, or makes it. Only its owner may enter it from now on, and what a
    /// crash left of files that were being written is gone.
    pub fn open(dir: impl Into<PathBuf>, vault: Vault) -> Result<Self, CredentialLogError> {
        let dir = dir.into();
        let tidied = data_dir::create_private_dir(&dir)
            .and_then(|()| data_dir::make_private(&dir))
            .and_then(|()| tidy(&dir));
        tidied.map_err(|source| CredentialLogError::Open { path: dir.clone(), source })?;
        Ok(Self(Arc::new(Log { dir, vault, turn: Mutex::new(()) })))
    }

    /// Notes that a refresh of the tokens of `version` is about to go out; on disk when this
    /// returns. A pair that the database may lack stays noted.
    ///
    /// Refused if the record has a pair in place of this version, or knows of a newer one: the
    /// refresh token was used up, so the caller reads what there is instead.
    pub fn begin(&self, account: AccountId, version: i64) -> Result<(), CredentialLogError> {
        let _turn = self.0.turn.lock();
        let mut entry = match self.0.look(account) {
            Found::Entry(entry) => entry,
            // A file that cannot be read now may hold a pair all the same.
            Found::Damaged(error @ CredentialLogError::Read { .. }) => return Err(error),
            Found::Nothing | Found::Damaged(_) => Entry::default(),
        };
        if !entry.begin(version) {
            return Err(CredentialLogError::Superseded { account, version });
        }
        self.0.write(account, &entry)
    }

    /// Notes the pair that replaces the tokens of `version`; on disk when this returns, and not to
    /// be used before. It takes the place of the intent and of older pairs.
    ///
    /// Refused if the record knows of a newer version: the pair is of a sign-in that was replaced.
    pub fn finish(
        &self,
        account: AccountId,
        version: i64,
        tokens: &Tokens,
    ) -> Result<(), CredentialLogError> {
        let _turn = self.0.turn.lock();
        let mut entry = match self.0.look(account) {
            Found::Entry(entry) => entry,
            Found::Nothing | Found::Damaged(_) => Entry::default(),
        };
        if !entry.finish(version, tokens) {
            return Err(CredentialLogError::Superseded { account, version });
        }
        self.0.write(account, &entry)
    }

    /// Drops what is noted of the refresh of `version`: the database has its pair, or nothing came
    /// of it. What is noted of another version stays. A damaged file goes, as it says of none.
    pub fn clear(&self, account: AccountId, version: i64) -> Result<(), CredentialLogError> {
        let _turn = self.0.turn.lock();
        match self.0.look(account) {
            Found::Nothing => Ok(()),
            Found::Damaged(error @ CredentialLogError::Read { .. }) => Err(error),
            Found::Damaged(_) => self.0.remove(account),
            Found::Entry(mut entry) => match (entry.clear(version), entry.is_empty()) {
                (false, _) => Ok(()),
                (true, true) => self.0.remove(account),
                (true, false) => self.0.write(account, &entry),
            },
        }
    }

    /// Drops all that is noted of an account, such as one that was removed.
    pub fn forget(&self, account: AccountId) -> Result<(), CredentialLogError> {
        let _turn = self.0.turn.lock();
        self.0.remove(account)
    }

    /// What is noted, by account. Where a pair is noted and an intent to replace it in its turn,
    /// the account comes twice, the pair first. Files of other names are not looked at.
    pub fn pending(&self) -> Result<Vec<Pending>, CredentialLogError> {
        let _turn = self.0.turn.lock();
        let accounts = accounts_in(&self.0.dir);
        let mut accounts = accounts.map_err(|source| {
            let path = self.0.dir.clone();
            CredentialLogError::Open { path, source }
        })?;
        accounts.sort_unstable();
        let mut pending = Vec::new();
        for account in accounts {
            let stages = match self.0.look(account) {
                Found::Nothing => [None, None],
                Found::Damaged(error) => [Some(Stage::Damaged(error)), None],
                Found::Entry(Entry { begun, pair }) => [
                    pair.map(|(version, tokens)| Stage::Finished { version, tokens }),
                    begun.map(|version| Stage::Begun { version }),
                ],
            };
            let stages = stages.into_iter().flatten();
            pending.extend(stages.map(|stage| Pending { account, stage }));
        }
        Ok(pending)
    }
}

impl Log {
    fn path(&self, account: AccountId) -> PathBuf {
        self.dir.join(account.to_string())
    }

    fn look(&self, account: AccountId) -> Found {
        match self.read(account) {
            Ok(None) => Found::Nothing,
            Ok(Some(entry)) => Found::Entry(entry),
            Err(error) => Found::Damaged(error),
        }
    }

    fn read(&self, account: AccountId) -> Result<Option<Entry>, CredentialLogError> {
        let path = self.path(account);
        let content = match fs::read(&path) {
            Ok(content) => content,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(CredentialLogError::Read { path, source }),
        };
        let Some((version, sealed)) = entry::split(&content) else {
            return Err(CredentialLogError::Damaged { path });
        };
        let opened = match self.vault.open(&place(account, version), sealed) {
            Ok(opened) => opened,
            Err(source) => return Err(CredentialLogError::Sealed { path, source }),
        };
        Entry::read(&opened).map(Some).ok_or(CredentialLogError::Damaged { path })
    }

    fn write(&self, account: AccountId, entry: &Entry) -> Result<(), CredentialLogError> {
        let version = entry.newest();
        let sealed = self.vault.seal(&place(account, version), &entry.write());
        let content = entry::join(version, &sealed);
        Ok(data_dir::write_private(&self.path(account), &content)?)
    }

    fn remove(&self, account: AccountId) -> Result<(), CredentialLogError> {
        let path = self.path(account);
        let removed = match fs::remove_file(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            removed => removed.and_then(|()| data_dir::sync_dir(&self.dir)),
        };
        removed.map_err(|source| CredentialLogError::Remove { path, source })
    }
}

/// What the content of a file is sealed for.
fn place(account: AccountId, version: i64) -> String {
    format!("credentials.pair:{account}:{version}")
}

/// Removes drafts, and closes to others what a copy from elsewhere may have left open.
fn tidy(dir: &Path) -> io::Result<()> {
    for file in fs::read_dir(dir)? {
        let path = file?.path();
        if data_dir::is_draft(&path) {
            fs::remove_file(&path)?;
        } else if account_of(&path).is_some() {
            // Where it cannot be done, nothing is lost: what the file holds is sealed, and one that
            // cannot be read is told as such.
            let _ = data_dir::make_private(&path);
        }
    }
    Ok(())
}

fn accounts_in(dir: &Path) -> io::Result<Vec<AccountId>> {
    let mut accounts = Vec::new();
    for file in fs::read_dir(dir)? {
        accounts.extend(account_of(&file?.path()));
    }
    Ok(accounts)
}

/// The account that a file is of, if its name is one that this program gives.
fn account_of(path: &Path) -> Option<AccountId> {
    let name = path.file_name()?.to_str()?;
    name.parse().ok().filter(|account: &AccountId| account.to_string() == name)
}

#[cfg(test)]
mod tests;
