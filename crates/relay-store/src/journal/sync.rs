//! The thread that has the disk confirm the journal, for everyone who waits at the same time.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use parking_lot::Mutex;
use tokio::sync::watch;

use super::{JournalError, Position, Shared};
use crate::data_dir::sync_dir;

/// How far the journal is on disk.
#[derive(Debug)]
pub(super) struct SyncState {
    progress: watch::Sender<Progress>,
    /// Held during a sync: who finds nothing to sync must not overtake who is at it.
    turn: Mutex<()>,
}

#[derive(Debug, Clone)]
struct Progress {
    reached: Position,
    broken: Option<Arc<io::Error>>,
}

impl SyncState {
    pub(super) fn new(reached: Position) -> Self {
        let progress = Progress { reached, broken: None };
        Self { progress: watch::Sender::new(progress), turn: Mutex::new(()) }
    }

    #[cfg(test)]
    pub(super) fn reached(&self) -> Position {
        self.progress.borrow().reached
    }
}

impl Shared {
    /// Has the disk confirm everything up to now, unless it failed to once.
    pub(super) fn sync(&self) -> Result<Position, Arc<io::Error>> {
        let _turn = self.sync.turn.lock();
        let unsynced = self.writer.lock().take_unsynced();
        let progress = self.sync.progress.borrow().clone();
        if let Some(error) = progress.broken {
            return Err(error);
        }
        if unsynced.end == progress.reached && !unsynced.dir_changed {
            return Ok(unsynced.end);
        }
        let confirm = || {
            unsynced.files.iter().try_for_each(|file| file.sync_data())?;
            if unsynced.dir_changed { sync_dir(&self.dir) } else { Ok(()) }
        };
        let result = confirm().map(|()| unsynced.end).map_err(Arc::new);
        self.sync.progress.send_modify(|progress| match &result {
            Ok(end) => progress.reached = *end,
            Err(error) => progress.broken = Some(Arc::clone(error)),
        });
        result
    }
}

/// The syncing thread. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Syncer {
    /// Holds one ring: a sync that begins after it covers everyone who rang before.
    bell: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Syncer {
    pub(super) fn start(shared: Arc<Shared>) -> io::Result<Self> {
        let (bell, rings) = sync_channel(1);
        let thread = thread::Builder::new()
            .name("journal-sync".into())
            .spawn(move || sync_at_each_ring(&shared, &rings))?;
        Ok(Self { bell: Some(bell), thread: Some(thread) })
    }

    /// Waits until the disk has confirmed everything up to `position`.
    pub(super) async fn reached(
        &self,
        state: &SyncState,
        position: Position,
    ) -> Result<(), JournalError> {
        let mut progress = state.progress.subscribe();
        if progress.borrow().reached >= position {
            return Ok(());
        }
        if let Some(bell) = &self.bell {
            // A bell that cannot take the ring is ringing already.
            let _ = bell.try_send(());
        }
        let done = |progress: &Progress| progress.reached >= position || progress.broken.is_some();
        match progress.wait_for(done).await {
            Ok(progress) if progress.reached >= position => Ok(()),
            Ok(progress) => Err(match &progress.broken {
                Some(error) => JournalError::Sync(Arc::clone(error)),
                None => closed(),
            }),
            Err(_) => Err(closed()),
        }
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.bell = None;
        if let Some(thread) = self.thread.take() {
            // It only fails by a panic, which was reported where it happened.
            let _ = thread.join();
        }
    }
}

fn sync_at_each_ring(shared: &Shared, rings: &Receiver<()>) {
    // A failure stays in the state, where everyone who waits finds it.
    while rings.recv().is_ok() {
        let _ = shared.sync();
    }
}

fn closed() -> JournalError {
    JournalError::Sync(Arc::new(io::Error::other("the journal is closed")))
}
