//! Reads a segment line by line, in chunks, and goes on behind what is damaged.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use memchr::memchr;

use super::line::{Damaged, LINE_BYTES_MAX};

pub(super) const CHUNK_BYTES: usize = 64 * 1_024;

/// What is made of a line without its newline.
pub(super) type Decode<T> = fn(&[u8]) -> Result<T, Damaged>;

/// How far a segment may be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    /// Where what is whole ends.
    pub(super) bytes: u64,
    /// Whether nothing will be appended, so that an unfinished line stays one.
    pub(super) closed: bool,
}

/// A segment being read.
#[derive(Debug)]
pub(super) struct SegmentReader {
    file: File,
    /// Where the next line begins.
    offset: u64,
    /// What was read: from `start` on, it is the file from `offset` on.
    buffer: Vec<u8>,
    start: usize,
    /// Bytes from `start` on that hold no newline.
    searched: usize,
    /// Whether the beginning of the line, too long for any, was thrown away.
    oversized: bool,
}

impl SegmentReader {
    pub(super) fn open(path: &Path, offset: u64) -> io::Result<Self> {
        let file = File::open(path)?;
        Ok(Self { file, offset, buffer: Vec::new(), start: 0, searched: 0, oversized: false })
    }

    /// Where the last line that was read ends.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    #[cfg(test)]
    pub(super) fn memory_bytes(&self) -> usize {
        self.buffer.capacity()
    }

    /// Reads the next line as `decode` does; `None` if there is no more.
    pub(super) fn next<T>(
        &mut self,
        extent: Extent,
        decode: Decode<T>,
    ) -> io::Result<Option<Result<T, Damaged>>> {
        loop {
            let pending = &self.buffer[self.start..];
            if let Some(index) = memchr(b'\n', &pending[self.searched..]) {
                return Ok(Some(self.take_line(self.searched + index, 1, decode)));
            }
            self.searched = pending.len();
            if self.searched > LINE_BYTES_MAX {
                self.skip(self.searched);
                self.oversized = true;
            }
            if self.fill(extent.bytes)? == 0 {
                let unfinished = extent.closed && (self.searched > 0 || self.oversized);
                return Ok(unfinished.then(|| self.take_line(self.searched, 0, decode)));
            }
        }
    }

    /// Takes the first `length` bytes as a line, and the newline behind them.
    fn take_line<T>(
        &mut self,
        length: usize,
        newline: usize,
        decode: Decode<T>,
    ) -> Result<T, Damaged> {
        let line = &self.buffer[self.start..self.start + length];
        let decoded = if self.oversized { Err(Damaged) } else { decode(line) };
        self.oversized = false;
        self.skip(length + newline);
        decoded
    }

    fn skip(&mut self, count: usize) {
        self.start += count;
        self.offset += count as u64;
        self.searched = 0;
    }

    /// Reads on, not beyond `end`; how many bytes came.
    fn fill(&mut self, end: u64) -> io::Result<usize> {
        self.buffer.drain(..self.start);
        self.start = 0;
        let held = self.buffer.len();
        let from = self.offset + held as u64;
        let room = usize::try_from(end.saturating_sub(from)).unwrap_or(usize::MAX);
        if room == 0 {
            return Ok(0);
        }
        self.buffer.resize(held + room.min(CHUNK_BYTES), 0);
        let read = self.file.read_at(&mut self.buffer[held..], from);
        self.buffer.truncate(held + read.as_ref().copied().unwrap_or(0));
        read
    }
}
