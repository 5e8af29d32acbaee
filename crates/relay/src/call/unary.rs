//! A unary call: read to its end even if its client leaves, since the upstream bills it.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

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

/// A call that runs on its own. Dropping this means that its client left.
pub(super) struct Adopted {
    task: Option<JoinHandle<Result<Answer, Unserved>>>,
    left: Arc<ClientLeft>,
    orphanage: Orphanage,
}

impl Adopted {
    /// Lets a call run to its end whether or not it is waited for.
    pub(super) fn run<F>(orphanage: &Orphanage, left: Arc<ClientLeft>, call: F) -> Self
    where
        F: Future<Output = Result<Answer, Unserved>> + Send + 'static,
    {
        Self { task: Some(tokio::spawn(call)), left, orphanage: orphanage.clone() }
    }

    /// Waits for the answer.
    pub(super) async fn answer(mut self) -> Result<Answer, Unserved> {
        let Some(task) = self.task.as_mut() else {
            return Err(Failure::Ours(anyhow::anyhow!("a call was awaited twice")).into());
        };
        let answer = task.await;
        self.task = None;
        answer.unwrap_or_else(|error| Err(Failure::Ours(error.into()).into()))
    }
}

impl Drop for Adopted {
    fn drop(&mut self) {
        let Some(task) = self.task.take() else { return };
        self.left.set();
        match Arc::clone(&self.orphanage.0).try_acquire_owned() {
            Ok(room) => {
                tokio::spawn(async move {
                    // However it ends, it has settled itself.
                    let _ = task.await;
                    drop(room);
                });
            }
            Err(_) => task.abort(),
        }
    }
}
