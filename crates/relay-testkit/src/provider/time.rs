//! Which clock a provider goes by.

use std::sync::Arc;

use parking_lot::Mutex;
use relay_core::clock::{Clock, SystemClock, Timestamp};

/// The machine's clock, until a test gives it another.
#[derive(Debug)]
pub(super) struct TimeSource(Mutex<Arc<dyn Clock>>);

impl TimeSource {
    pub(super) fn now(&self) -> Timestamp {
        self.0.lock().now()
    }

    pub(super) fn set(&self, clock: Arc<dyn Clock>) {
        *self.0.lock() = clock;
    }
}

impl Default for TimeSource {
    fn default() -> Self {
        Self(Mutex::new(Arc::new(SystemClock)))
    }
}
