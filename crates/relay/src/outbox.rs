//! Events on their way to the database. A call never waits for it.

use std::sync::Arc;
use std::time::Duration;

use relay_core::clock::Timestamp;
use relay_core::event::Event;
use relay_store::pool::Store;
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::metrics::Metrics;

/// How many events may wait; more are dropped, and said to be.
pub const EVENTS_WAITING_MAX: usize = 1_024;
/// The pause after the database did not take an event.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Takes events from calls.
#[derive(Debug, Clone)]
pub struct Outbox {
    sender: mpsc::Sender<(Event, Timestamp)>,
    metrics: Arc<Metrics>,
}

/// Brings events to the database.
#[derive(Debug)]
pub struct OutboxWriter {
    receiver: mpsc::Receiver<(Event, Timestamp)>,
}

/// The two ends of the way; what goes it is counted.
pub fn outbox(metrics: Arc<Metrics>) -> (Outbox, OutboxWriter) {
    let (sender, receiver) = mpsc::channel(EVENTS_WAITING_MAX);
    (Outbox { sender, metrics }, OutboxWriter { receiver })
}

impl Outbox {
    /// Sends an event on its way.
    pub fn emit(&self, event: Event, at: Timestamp) {
        self.metrics.event(&event);
        if let Err(error) = self.sender.try_send((event, at)) {
            self.metrics.event_dropped();
            tracing::warn!(%error, "an event was dropped");
        }
    }

    /// How many events wait.
    pub fn waiting(&self) -> usize {
        self.sender.max_capacity() - self.sender.capacity()
    }
}

impl OutboxWriter {
    /// Writes events until their sender is gone.
    pub async fn run(mut self, store: Store) {
        while let Some((event, at)) = self.receiver.recv().await {
            while let Err(error) = store.emit(&event, at).await {
                tracing::warn!(%error, event = event.name(), "an event waits for the database");
                sleep(RETRY_AFTER).await;
            }
        }
    }
}
