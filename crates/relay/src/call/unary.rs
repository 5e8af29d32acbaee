//! A unary call: read to its end even if its client leaves, since the upstream bills it.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::sync::Semaphore;

use super::answer::Answer;
use super::run::ClientLeft;
use crate::failure::{Failure, Unserved};

/// How many calls may be read to their end for clients that left; more are cut and settled at
/// their reservation.
const ORPHANS_MAX: usize = 256;

/// Room for calls whose clients left.
#[derive(Debug, Clone)]
pub struct Orphanage(Arc<Semaphore>);

impl Default for Orphanage {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ORPHANS_MAX)))
    }
}

impl Orphanage {
    /// How many calls are read to their end for nobody.
    pub fn used(&self) -> usize {
        ORPHANS_MAX - self.0.available_permits()
    }
}

/// A call on its way to a whole answer.
type Running = Pin<Box<dyn Future<Output = Result<Answer, Unserved>> + Send>>;

/// A call that runs to its end whether or not its client waits for it. Dropping this means that
/// the client left.
pub(super) struct Adopted {
    call: Option<Running>,
    left: Arc<ClientLeft>,
    orphanage: Orphanage,
}

impl Adopted {
    /// A call that is let to run.
    pub(super) fn new(orphanage: Orphanage, left: Arc<ClientLeft>, call: Running) -> Self {
        Self { call: Some(call), left, orphanage }
    }

    /// Waits for the answer. Runs within the task of the connection: a task of its own would cost
    /// every call what only those need whose clients leave.
    pub(super) async fn answer(mut self) -> Result<Answer, Unserved> {
        let Some(call) = self.call.as_mut() else {
            return Err(Failure::Ours(anyhow::anyhow!("a call was awaited twice")).into());
        };
        // What a call holds gives itself back when it is dropped, after a panic too.
        let answer = AssertUnwindSafe(call).catch_unwind().await;
        self.call = None;
        answer.unwrap_or_else(|_| Err(Failure::Ours(anyhow::anyhow!("a call panicked")).into()))
    }
}

impl Drop for Adopted {
    fn drop(&mut self) {
        let Some(call) = self.call.take() else { return };
        self.left.set();
        // Without room it is dropped, and settles itself.
        if let Ok(room) = Arc::clone(&self.orphanage.0).try_acquire_owned() {
            tokio::spawn(async move {
                // However it ends, it has settled itself.
                let _ = call.await;
                drop(room);
            });
        }
    }
}
