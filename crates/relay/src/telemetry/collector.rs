//! Collects log lines and writes them in the background, many at a time: a call never waits for
//! the disk or the console, and wakes no thread for each of its lines.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// Lines that may wait to be written; more are dropped, and said to be.
const WAITING_BYTES_MAX: usize = 4 << 20;
/// How long lines are collected before they are written.
const COLLECT: Duration = Duration::from_millis(50);

/// Takes lines.
#[derive(Debug, Clone)]
pub(super) struct Collector(Arc<Shared>);

/// Writes the lines of a [`Collector`] until it is dropped, then those that are left.
#[derive(Debug)]
pub(super) struct Writing {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// Lines dropped since the start.
    dropped: Arc<AtomicU64>,
    came: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<u8>,
    dropped: u64,
    is_over: bool,
}

/// Begins to write to `target` in the background, and after lines that were dropped the one by
/// which `dropped` says how many.
pub(super) fn collect(
    mut target: impl Write + Send + 'static,
    dropped: impl Fn(u64) -> String + Send + 'static,
) -> io::Result<(Collector, Writing)> {
    let shared = Arc::new(Shared::default());
    let from = Arc::clone(&shared);
    let thread = std::thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || while from.write_to(&mut target, &dropped) {})?;
    let writing = Writing { shared: Arc::clone(&shared), thread: Some(thread) };
    Ok((Collector(shared), writing))
}

impl Collector {
    /// Takes a line; drops it if too many wait.
    pub(super) fn push(&self, line: &[u8]) {
        let mut waiting = self.0.waiting.lock();
        if waiting.lines.len() + line.len() > WAITING_BYTES_MAX {
            waiting.dropped += 1;
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let was_empty = waiting.lines.is_empty();
        waiting.lines.extend_from_slice(line);
        drop(waiting);
        if was_empty {
            self.0.came.notify_one();
        }
    }
}

impl Shared {
    /// Waits for lines, lets some more come, and writes them. Tells whether to go on.
    fn write_to(&self, target: &mut impl Write, said: impl Fn(u64) -> String) -> bool {
        let mut waiting = self.waiting.lock();
        while waiting.lines.is_empty() && !waiting.is_over {
            self.came.wait(&mut waiting);
        }
        if !waiting.is_over {
            self.came.wait_for(&mut waiting, COLLECT);
        }
        let lines = std::mem::take(&mut waiting.lines);
        let dropped = std::mem::take(&mut waiting.dropped);
        let is_over = waiting.is_over;
        drop(waiting);
        // There is no other place to say that the log cannot be written.
        let _ = target.write_all(&lines);
        if dropped > 0 {
            let _ = target.write_all(said(dropped).as_bytes());
        }
        let _ = target.flush();
        !is_over
    }
}

impl Writing {
    /// The lines dropped since the start.
    pub(super) fn dropped(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.shared.dropped)
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.shared.waiting.lock().is_over = true;
        self.shared.came.notify_one();
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has nothing left to write.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn dropped(count: u64) -> String {
        format!("dropped: {count}\n")
    }

    #[test]
    fn every_line_is_written_once_and_in_order() {
        let sink = Sink::default();
        let (collector, writing) = collect(sink.clone(), dropped).expect("a thread");
        let mut expected = Vec::new();
        for number in 0..10_000 {
            let line = format!("{number}\n");
            collector.push(line.as_bytes());
            expected.extend_from_slice(line.as_bytes());
        }
        drop(writing);
        assert_eq!(*sink.0.lock(), expected);
    }

    #[test]
    fn a_flood_is_cut_and_said_to_be() {
        let sink = Sink::default();
        let (collector, writing) = collect(sink.clone(), dropped).expect("a thread");
        let line = vec![b'x'; WAITING_BYTES_MAX];
        collector.push(&line);
        collector.push(b"one too many");
        drop(writing);
        let written = String::from_utf8(sink.0.lock().clone()).expect("text");
        assert!(written.ends_with("xdropped: 1\n"), "{}", written.len());
    }
}
