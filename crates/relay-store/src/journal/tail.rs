//! Follows the journal: each whole entry once, in order, also while it is being written.

use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

use super::line::Damaged;
use super::reader::{Extent, SegmentReader};
use super::{Entry, JournalError, Position, Shared, segment_path};

/// A reader that follows the journal.
#[derive(Debug)]
pub struct Tail {
    shared: Arc<Shared>,
    end: watch::Receiver<Position>,
    position: Position,
    /// The segment of `position`, if it is open.
    reader: Option<SegmentReader>,
    /// Whether the last batch was full, so that there may be more at once.
    batch_was_full: bool,
    damaged_lines: u64,
}

impl Tail {
    pub(super) fn new(shared: Arc<Shared>, position: Position) -> Self {
        let end = shared.end.subscribe();
        let (reader, batch_was_full, damaged_lines) = (None, true, 0);
        Self { shared, end, position, reader, batch_was_full, damaged_lines }
    }

    /// Reads up to `entries_max` of the entries that are there, each with the position behind it.
    ///
    /// Does not wait for more. It reads files, which is quick for what was just written.
    pub fn next_batch(
        &mut self,
        entries_max: usize,
    ) -> Result<Vec<(Entry, Position)>, JournalError> {
        let end = *self.end.borrow_and_update();
        let mut batch = Vec::new();
        while batch.len() < entries_max && self.position < end {
            match self.read_segment(end, entries_max, &mut batch) {
                Ok(true) => {}
                Err(source) if batch.is_empty() => {
                    return Err(JournalError::Read { path: self.path(), source });
                }
                // What was read counts first; the next batch meets the error again.
                Ok(false) | Err(_) => break,
            }
        }
        self.batch_was_full = batch.len() >= entries_max;
        Ok(batch)
    }

    /// Waits until there may be entries that [`Tail::next_batch`] has not given.
    pub async fn wait_for_more(&mut self) {
        if !self.batch_was_full && self.end.changed().await.is_err() {
            // This tail keeps the sending side alive.
            std::future::pending::<()>().await;
        }
    }

    /// The place up to which everything was read.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Lines that were skipped, as they are not what was written.
    pub fn damaged_lines(&self) -> u64 {
        self.damaged_lines
    }

    /// Reads on in the segment of the position; whether there is another place to read from.
    fn read_segment(
        &mut self,
        end: Position,
        entries_max: usize,
        batch: &mut Vec<(Entry, Position)>,
    ) -> io::Result<bool> {
        let Some(extent) = self.extent(end) else {
            return Ok(self.move_on());
        };
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => match SegmentReader::open(&self.path(), self.position.offset) {
                // Released since the look.
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(self.move_on()),
                reader => reader?,
            },
        };
        while batch.len() < entries_max {
            let Some(entry) = reader.next(extent)? else {
                self.reader = Some(reader);
                return Ok(extent.closed && self.move_on());
            };
            self.position.offset = reader.offset();
            match entry {
                Ok(entry) => batch.push((entry, self.position)),
                Err(Damaged) => self.damaged_lines += 1,
            }
        }
        self.reader = Some(reader);
        Ok(true)
    }

    /// How far the segment of the position may be read; `None` if it is gone.
    fn extent(&self, end: Position) -> Option<Extent> {
        if self.position.segment == end.segment {
            return Some(Extent { bytes: end.offset, closed: false });
        }
        let bytes = self.shared.writer.lock().segment_bytes(self.position.segment)?;
        Some(Extent { bytes, closed: true })
    }

    /// Goes to the start of the next segment that is there.
    fn move_on(&mut self) -> bool {
        let next = self.shared.writer.lock().segment_after(self.position.segment);
        if let Some(segment) = next {
            self.position = Position { segment, offset: 0 };
            self.reader = None;
        }
        next.is_some()
    }

    fn path(&self) -> PathBuf {
        segment_path(&self.shared.dir, self.position.segment)
    }
}
