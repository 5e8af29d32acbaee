//! What a start finds in the segments that are left.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::Path;

use relay_core::id::CallId;
use relay_core::usage::OpenAttempt;

use super::line::{self, Damaged};
use super::reader::{Extent, SegmentReader};
use super::writer::OpenCall;
use super::{Entry, JournalError, Position, segment_path};

/// What was left in the journal when it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// Where the first segment begins that is left.
    pub first: Position,
    /// The last attempt of each call that was opened and not settled, oldest call first.
    pub unsettled: Vec<OpenAttempt>,
    /// Lines that are not what was written, such as one that a crash cut.
    pub damaged_lines: u64,
}

/// The segments in a directory with their lengths.
pub(super) fn list_segments(dir: &Path) -> io::Result<BTreeMap<u64, u64>> {
    let mut segments = BTreeMap::new();
    for file in fs::read_dir(dir)? {
        let file = file?;
        let name = file.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".log")?.parse().ok());
        if let Some(number) = number {
            segments.insert(number, file.metadata()?.len());
        }
    }
    Ok(segments)
}

/// Reads all segments once. Memory grows with the calls that are open, not with the entries.
pub(super) fn scan(
    dir: &Path,
    segments: &BTreeMap<u64, u64>,
) -> Result<(Recovery, HashMap<CallId, OpenCall>), JournalError> {
    let mut open = HashMap::new();
    let mut damaged_lines = 0;
    for (&segment, &bytes) in segments {
        let path = segment_path(dir, segment);
        let extent = Extent { bytes, closed: true };
        let mut scan_segment = || -> io::Result<()> {
            let mut reader = SegmentReader::open(&path, 0)?;
            let mut start = 0;
            while let Some(entry) = reader.next(extent, line::decode)? {
                let bytes = reader.offset() - start;
                start = reader.offset();
                match entry {
                    Ok(Entry::Opened(attempt)) => {
                        open.insert(attempt.call, OpenCall { segment, attempt, bytes });
                    }
                    Ok(Entry::Settled(record)) => {
                        open.remove(&record.call);
                    }
                    Err(Damaged) => damaged_lines += 1,
                }
            }
            Ok(())
        };
        scan_segment().map_err(|source| JournalError::Read { path: path.clone(), source })?;
    }
    let mut unsettled: Vec<OpenAttempt> = open.values().map(|call| call.attempt.clone()).collect();
    unsettled.sort_by_key(|attempt| (attempt.at, attempt.call));
    let first = Position { segment: segments.keys().next().copied().unwrap_or(0), offset: 0 };
    Ok((Recovery { first, unsettled, damaged_lines }, open))
}
