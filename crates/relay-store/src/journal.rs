//! The usage journal: what calls used, on disk before their answers end.
//!
//! Entries are lines of numbered segments, `journal/0000000001.log`, that are only appended to. A
//! start always begins a new segment, so what a crash tore stays the end of an old one, and a
//! position once given never means another entry. Segments go when the database has taken their
//! entries; attempts that are still open are carried over first.

mod disk;
mod fresh;
mod json;
mod line;
mod look;
mod reader;
mod recovery;
mod sync;
mod tail;
mod turns;
mod writer;

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use relay_core::id::CallId;
use relay_core::usage::{CallRecord, OpenAttempt};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};

use self::disk::{Disk, RealDisk};
use self::sync::{SyncState, Syncer};
use self::turns::Turns;
use self::writer::Writer;

pub use self::line::LINE_BYTES_MAX;
pub use self::look::{Lines, Look, WriterIs, look};
pub use self::recovery::Recovery;
pub use self::tail::Tail;

/// Open attempts that are carried over in one go, while no call can append.
const CARRIED_MAX: usize = 64;

/// One thing that the journal keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// An attempt goes out. May come again for the same attempt, and more than once a call.
    Opened(OpenAttempt),
    /// A call has ended: what it used.
    Settled(CallRecord),
}

/// A record that could not be written, and why.
#[derive(Debug)]
pub struct Unwritten {
    /// Why.
    pub error: JournalError,
    /// The record.
    pub record: CallRecord,
}

/// A place in the journal: right behind an entry, or at the start of a segment.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Position {
    /// The number of the segment.
    pub segment: u64,
    /// Bytes from its start.
    pub offset: u64,
}

impl Position {
    /// Before every entry.
    pub const START: Self = Self { segment: 0, offset: 0 };
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.segment, self.offset)
    }
}

/// What an entry survives once its append, or the wait for it, has returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// The end of the process, `kill -9` included: the system holds the bytes.
    #[default]
    Process,
    /// A power cut too: the disk holds them. Many entries share one fsync.
    Fsync,
}

/// How a journal is opened.
#[derive(Debug, Clone, Copy)]
pub struct JournalOptions {
    /// What entries have to survive.
    pub durability: Durability,
    /// How long a segment grows before the next begins.
    pub segment_bytes_max: u64,
    /// Disk space held back, so that calls under way can settle when the disk is full.
    pub reserve_bytes: u64,
    /// What the database says it has consumed. New segments are numbered beyond it, also when
    /// the journal's files were lost, so that no new entry passes for consumed.
    pub consumed: Position,
}

impl Default for JournalOptions {
    fn default() -> Self {
        const MIB: u64 = 1 << 20;
        Self {
            durability: Durability::Process,
            segment_bytes_max: 8 * MIB,
            reserve_bytes: 8 * MIB,
            consumed: Position::START,
        }
    }
}

/// Why the journal did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The journal's directory or a new segment could not be opened.
    #[error("cannot open the journal in {}", .path.display())]
    Open {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An entry is longer than any that is read.
    #[error("a journal entry of {bytes} bytes is over the limit of {LINE_BYTES_MAX}")]
    TooLong {
        /// The length of its line.
        bytes: usize,
    },
    /// The disk is full, and the space held back is used up too.
    #[error("no space is left for the journal")]
    Full(#[source] io::Error),
    /// An entry could not be written for another reason. Nothing of it stays.
    #[error("cannot write to the journal")]
    Write(#[source] io::Error),
    /// A segment could not be read.
    #[error("cannot read the journal's {}", .path.display())]
    Read {
        /// The segment.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The disk did not confirm what was written; it is not asked again, as it may have dropped
    /// what it could not write and would then confirm the rest.
    #[error("the disk did not confirm the journal")]
    Sync(#[source] Arc<io::Error>),
    /// A consumed segment could not be deleted.
    #[error("cannot delete the journal's {}", .path.display())]
    Delete {
        /// The segment.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The usage journal. Clones are the same journal.
///
/// One process at a time: the caller holds the data directory's lock.
#[derive(Debug, Clone)]
pub struct Journal {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    syncer: Option<Syncer>,
}

/// What the journal, its tails and its syncing thread have in common.
#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    writer: Turns,
    /// Set while the disk is, or lately was, full.
    full: Arc<AtomicBool>,
    /// Where the last entry ends that was written whole.
    end: watch::Sender<Position>,
    /// Rung when many records are at hand.
    many: Notify,
    sync: SyncState,
}

impl Journal {
    /// Opens the journal in a directory, which is made if there is none.
    ///
    /// Reads all segments that are left, and blocks meanwhile: about six seconds a gigabyte.
    pub fn open(dir: &Path, options: JournalOptions) -> Result<(Self, Recovery), JournalError> {
        Self::open_on(Box::new(RealDisk), dir, options)
    }

    fn open_on(
        disk: Box<dyn Disk>,
        dir: &Path,
        options: JournalOptions,
    ) -> Result<(Self, Recovery), JournalError> {
        let opening = |source| JournalError::Open { path: dir.to_owned(), source };
        crate::data_dir::create_private_dir(dir).map_err(opening)?;
        let segments = recovery::list_segments(dir).map_err(opening)?;
        let (recovery, open) = recovery::scan(dir, &segments)?;
        let full = Arc::new(AtomicBool::new(false));
        let writer =
            Writer::open(disk, dir, options, segments, open, Arc::clone(&full)).map_err(opening)?;
        let end = writer.end();
        let shared = Arc::new(Shared {
            dir: dir.to_owned(),
            writer: Turns::new(writer),
            full,
            end: watch::Sender::new(end),
            many: Notify::new(),
            sync: SyncState::new(end),
        });
        let syncer = match options.durability {
            Durability::Process => None,
            Durability::Fsync => Some(Syncer::start(Arc::clone(&shared)).map_err(opening)?),
        };
        Ok((Self { inner: Arc::new(Inner { shared, syncer }) }, recovery))
    }

    /// Appends an entry with one write, and says where it ends.
    ///
    /// When this returns, the entry survives the process. It never waits for the disk, and may be
    /// called on a thread that runs async tasks.
    pub fn append(&self, entry: &Entry) -> Result<Position, JournalError> {
        match entry {
            Entry::Opened(attempt) => self.opened(attempt.clone()),
            Entry::Settled(record) => {
                self.settle(record.clone()).map_err(|unwritten| unwritten.error)
            }
        }
    }

    /// Appends an attempt that goes out, as [`Journal::append`] does.
    pub fn opened(&self, attempt: OpenAttempt) -> Result<Position, JournalError> {
        let line = line::opened(&attempt)?;
        let shared = &self.inner.shared;
        let position = shared.writer.lock().append(&line, OpenChange::Opened(attempt))?;
        shared.publish(position);
        Ok(position)
    }

    /// Appends the record of a call that has ended, as [`Journal::append`] does, and keeps it at hand
    /// for the tail.
    ///
    /// # Errors
    ///
    /// With the record, if it could not be written.
    pub fn settle(&self, record: CallRecord) -> Result<Position, Box<Unwritten>> {
        let shared = &self.inner.shared;
        let written = line::settled(&record).and_then(|line| {
            let mut writer = shared.writer.lock();
            let position = writer.append(&line, OpenChange::Settled(record.call))?;
            Ok((position, writer))
        });
        match written {
            Ok((position, mut writer)) => {
                let are_many = writer.fresh.push(position, record);
                drop(writer);
                shared.publish(position);
                if are_many {
                    shared.many.notify_one();
                }
                Ok(position)
            }
            Err(error) => Err(Box::new(Unwritten { error, record })),
        }
    }

    /// Waits until everything up to `position` survives what the options ask for.
    pub async fn durable(&self, position: Position) -> Result<(), JournalError> {
        match &self.inner.syncer {
            None => Ok(()),
            Some(syncer) => syncer.reached(&self.inner.shared.sync, position).await,
        }
    }

    /// Follows the journal from `position`; from the first entry that is left if that is gone.
    pub fn tail(&self, position: Position) -> Tail {
        Tail::new(Arc::clone(&self.inner.shared), position)
    }

    /// Where the last entry ends.
    pub fn end(&self) -> Position {
        *self.inner.shared.end.borrow()
    }

    /// Bytes that `consumed` is behind.
    pub fn lag(&self, consumed: Position) -> u64 {
        self.inner.shared.writer.lock().bytes_after(consumed)
    }

    /// Calls that were opened and not settled, those that a crash left open included.
    pub fn open_calls(&self) -> usize {
        self.inner.shared.writer.lock().open_calls()
    }

    /// Whether new calls must be refused: the disk is full, and only the space that was held back
    /// is left for calls under way.
    pub fn is_full(&self) -> bool {
        self.inner.shared.full.load(Ordering::Relaxed)
    }

    /// Looks, if the disk was full, whether there is space again; whether there is now.
    ///
    /// To be called every few seconds while [`Journal::is_full`].
    pub fn try_recover(&self) -> bool {
        !self.is_full() || self.inner.shared.writer.lock().hold_space_back()
    }

    /// Whether entries survive a power cut, so that what is deleted here has to as well.
    pub fn is_synced(&self) -> bool {
        self.inner.syncer.is_some()
    }

    /// Whether [`Journal::release`] would delete anything.
    pub fn has_consumed_segments(&self, consumed: Position) -> bool {
        let bound = consumed.segment.min(self.end().segment);
        !self.inner.shared.writer.lock().releasable_before(bound).is_empty()
    }

    /// Deletes the segments before that of `consumed`, and says how many.
    ///
    /// `consumed` must be as durable in the database as the journal's entries are. Attempts of
    /// these segments whose calls are still open are appended again first; nothing is deleted as
    /// long as they are most of it. Blocks on the disk.
    pub fn release(&self, consumed: Position) -> Result<usize, JournalError> {
        let shared = &self.inner.shared;
        let bound = consumed.segment.min(self.end().segment);
        let old = shared.writer.lock().releasable_before(bound);
        if old.is_empty() {
            return Ok(0);
        }
        self.carry_over(bound)?;
        for &number in &old {
            let path = segment_path(&shared.dir, number);
            match fs::remove_file(&path) {
                Err(source) if source.kind() != ErrorKind::NotFound => {
                    return Err(JournalError::Delete { path, source });
                }
                _ => shared.writer.lock().forget_segment(number),
            }
        }
        Ok(old.len())
    }

    /// Appends again what is still open in segments before `bound`, and makes it durable.
    fn carry_over(&self, bound: u64) -> Result<(), JournalError> {
        let shared = &self.inner.shared;
        let calls = shared.writer.lock().calls_open_before(bound);
        for calls in calls.chunks(CARRIED_MAX) {
            let position = shared.writer.lock().carry_over(calls, bound)?;
            shared.publish(position);
        }
        match &self.inner.syncer {
            Some(_) if !calls.is_empty() => shared.sync().map(drop).map_err(JournalError::Sync),
            _ => Ok(()),
        }
    }
}

impl Shared {
    /// Tells tails that entries up to `position` are there.
    fn publish(&self, position: Position) {
        self.end.send_if_modified(|end| {
            let newer = position > *end;
            *end = position.max(*end);
            newer
        });
    }
}

/// What an entry does to the set of open calls; made before the lock is taken.
enum OpenChange {
    Opened(OpenAttempt),
    Settled(CallId),
}

fn segment_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:010}.log"))
}

#[cfg(test)]
mod tests;
