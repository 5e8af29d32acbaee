//! Who writes to the journal: one thread at a time.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::writer::Writer;

/// The writer, for one thread at a time.
///
/// Whoever finds it taken waits for one write, some microseconds. The standard library's mutex spins
/// about that long and then sleeps. One that yields the processor instead, as `parking_lot`'s does,
/// cost a switch of threads in every second call once two threads were busy.
#[derive(Debug)]
pub(super) struct Turns(Mutex<Writer>);

impl Turns {
    pub(super) fn new(writer: Writer) -> Self {
        Self(Mutex::new(writer))
    }

    /// The writer. It appends whole lines or nothing, so a thread that panicked with it left nothing
    /// half done.
    pub(super) fn lock(&self) -> MutexGuard<'_, Writer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
