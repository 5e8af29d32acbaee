//! Stopping in order: no new calls, then the open ones to their end or to a limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::{Notify, watch};

/// How far stopping has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Calls are taken.
    Serving,
    /// No new calls; open ones go on.
    Draining,
    /// Open ones are ended and settled.
    Ending,
}

/// Whether and how the program is stopping, and how many calls are open.
#[derive(Debug, Clone)]
pub struct Shutdown {
    stage: watch::Sender<Stage>,
    open: Arc<OpenCount>,
}

#[derive(Debug, Default)]
struct OpenCount {
    calls: AtomicUsize,
    none_left: Notify,
    ending: AtomicBool,
}

/// Counts a call as open until it is dropped.
#[derive(Debug)]
pub struct OpenMark(Arc<OpenCount>);

impl Drop for OpenMark {
    fn drop(&mut self) {
        if self.0.calls.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.none_left.notify_waiters();
        }
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { stage: watch::Sender::new(Stage::Serving), open: Arc::default() }
    }
}

impl Shutdown {
    /// How far stopping has come.
    pub fn stage(&self) -> Stage {
        *self.stage.borrow()
    }

    /// Whether open calls are being ended.
    pub fn is_ending(&self) -> bool {
        self.open.ending.load(Ordering::Acquire)
    }

    /// Moves on to `stage`; never back.
    pub fn advance(&self, stage: Stage) {
        if stage == Stage::Ending {
            self.open.ending.store(true, Ordering::Release);
        }
        self.stage.send_if_modified(|current| {
            let further = stage > *current;
            *current = stage.max(*current);
            further
        });
    }

    /// Resolves when `stage` is reached.
    pub fn reached(&self, stage: Stage) -> impl Future<Output = ()> + Send + 'static {
        let mut watch = self.stage.subscribe();
        async move {
            // The sender lives as long as the program; if it is gone, so is all else.
            let _ = watch.wait_for(|current| *current >= stage).await;
        }
    }

    /// Counts a call as open.
    pub fn open_call(&self) -> OpenMark {
        self.open.calls.fetch_add(1, Ordering::AcqRel);
        OpenMark(Arc::clone(&self.open))
    }

    /// How many calls are open.
    pub fn open_calls(&self) -> usize {
        self.open.calls.load(Ordering::Acquire)
    }

    /// Resolves when no call is open.
    pub async fn until_no_call_is_open(&self) {
        loop {
            let none_left = self.open.none_left.notified();
            if self.open_calls() == 0 {
                return;
            }
            none_left.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn stages_only_move_on() {
        let shutdown = Shutdown::default();
        let ending = shutdown.reached(Stage::Ending);
        shutdown.advance(Stage::Ending);
        shutdown.advance(Stage::Draining);
        assert_eq!(shutdown.stage(), Stage::Ending);
        ending.await;
    }

    #[tokio::test]
    async fn the_last_call_to_end_is_noticed() {
        let shutdown = Shutdown::default();
        let marks = [shutdown.open_call(), shutdown.open_call()];
        assert_eq!(shutdown.open_calls(), 2);
        let waiting = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { shutdown.until_no_call_is_open().await }
        });
        drop(marks);
        waiting.await.expect("no panic");
    }
}
