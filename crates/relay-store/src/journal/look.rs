//! The journal read by somebody who only looks: nothing is changed, and another process may write.

use std::collections::HashSet;
use std::io::{self, ErrorKind};
use std::path::Path;

use relay_core::clock::Timestamp;

use super::line::{self, Damaged};
use super::reader::{Extent, SegmentReader};
use super::{Entry, JournalError, Position, recovery, segment_path};

/// What a look at a journal found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Look {
    /// Segments that are left.
    pub segments: usize,
    /// Their bytes.
    pub bytes: u64,
    /// The bytes that the database has not taken yet.
    pub behind_bytes: u64,
    /// What the lines say; `None` if there was too much to read.
    pub lines: Option<Lines>,
}

/// What the lines of a journal say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lines {
    /// Calls that were opened and not settled.
    pub unsettled: usize,
    /// Whole lines that are not what was written.
    pub damaged: u64,
    /// Ends of segments that were cut within a line, as a crash does.
    pub cut: u64,
    /// When the newest call came.
    pub newest: Option<Timestamp>,
}

/// Looks at the journal in a directory, of which the database has consumed what stands before
/// `consumed`. Reads the lines only if they are at most `bytes_max`.
///
/// Blocks on the disk. A server that runs meanwhile may append to segments and delete them: what
/// it is in the middle of counts neither as damaged nor as cut.
pub fn look(
    dir: &Path,
    consumed: Position,
    bytes_max: u64,
    writer: WriterIs,
) -> Result<Look, JournalError> {
    let opening = |source| JournalError::Open { path: dir.to_owned(), source };
    let segments = recovery::list_segments(dir).map_err(opening)?;
    let last = segments.keys().next_back().copied();
    let after = |(&segment, &bytes): (&u64, &u64)| match segment.cmp(&consumed.segment) {
        std::cmp::Ordering::Less => 0,
        std::cmp::Ordering::Equal => bytes.saturating_sub(consumed.offset),
        std::cmp::Ordering::Greater => bytes,
    };
    let mut look = Look {
        segments: segments.len(),
        bytes: segments.values().sum(),
        behind_bytes: segments.iter().map(after).sum(),
        lines: None,
    };
    if look.bytes > bytes_max {
        return Ok(look);
    }
    let mut reading = Reading::default();
    for (&segment, &bytes) in &segments {
        let path = segment_path(dir, segment);
        let grows = writer == WriterIs::Running && last == Some(segment);
        match reading.segment(&path, bytes, grows) {
            // Consumed and deleted since it was listed.
            Err(source) if source.kind() == ErrorKind::NotFound => {}
            Err(source) => return Err(JournalError::Read { path, source }),
            Ok(()) => {}
        }
    }
    look.lines = Some(Lines { unsettled: reading.open.len(), ..reading.lines });
    Ok(look)
}

/// Whether somebody writes to the journal meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriterIs {
    /// A server does.
    Running,
    /// Nobody does.
    Gone,
}

#[derive(Default)]
struct Reading {
    open: HashSet<relay_core::id::CallId>,
    lines: Lines,
}

impl Reading {
    fn segment(&mut self, path: &Path, bytes: u64, grows: bool) -> io::Result<()> {
        let extent = Extent { bytes, closed: false };
        let mut reader = SegmentReader::open(path, 0)?;
        while let Some(entry) = reader.next(extent, line::decode)? {
            match entry {
                Ok(Entry::Opened(attempt)) => {
                    self.open.insert(attempt.call);
                    self.lines.newest = self.lines.newest.max(Some(attempt.at));
                }
                Ok(Entry::Settled(record)) => {
                    self.open.remove(&record.call);
                    self.lines.newest = self.lines.newest.max(Some(record.at));
                }
                Err(Damaged) => self.lines.damaged += 1,
            }
        }
        self.lines.cut += u64::from(!grows && reader.offset() < bytes);
        Ok(())
    }
}
