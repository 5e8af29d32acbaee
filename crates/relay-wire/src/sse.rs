//! Server-sent events: cuts a stream into whole events without changing or copying its bytes.
//!
//! The grammar is that of <https://html.spec.whatwg.org/multipage/server-sent-events.html>: lines
//! end with LF, CRLF or CR, a blank line ends an event, a byte order mark may come first.

use std::borrow::Cow;
use std::mem;

use bytes::{Bytes, BytesMut};
use memchr::{memchr2, memrchr2};

/// U+FEFF in UTF-8, which a stream may begin with.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Finds the ends of events in a stream that comes in any chunking.
///
/// The bytes of all batches and of [`finish`](Self::finish), one after the other, are the input.
/// A chunk that ends with an event, as nearly all do, is passed on without a copy and without a
/// look at more than its last bytes; what belongs to an unfinished event is held back. Every byte
/// is looked at once here and once more when its event is read.
#[derive(Debug)]
pub struct SseFramer {
    event_bytes_max: usize,
    held: BytesMut,
    edge: Edge,
    begun: bool,
}

/// What the bytes so far end with: decides what a line end at the start of the next chunk means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    /// A blank line, or the start of the stream: any further line end is a blank line too, or the
    /// LF of a CRLF whose CR ended the event.
    Blank,
    /// Within a line.
    Text,
    /// A line that ended with CR: an LF that follows is part of the same line end.
    LineCr,
    /// A line that ended with LF.
    LineLf,
}

/// An unfinished event is larger than it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream is larger than {bytes_max} bytes")]
pub struct EventTooLarge {
    /// The most that is held back for one event, in bytes.
    pub bytes_max: usize,
}

impl SseFramer {
    /// A framer that holds back at most `event_bytes_max` bytes, plus what one chunk brings.
    pub fn new(event_bytes_max: usize) -> Self {
        Self { event_bytes_max, held: BytesMut::new(), edge: Edge::Blank, begun: false }
    }

    /// Takes the next bytes of the stream and returns the events that they complete.
    ///
    /// Fails if they complete none and no more can be held back; they are not taken then.
    pub fn push(&mut self, mut chunk: Bytes) -> Result<Batch, EventTooLarge> {
        let Some(last) = chunk.last().copied() else {
            return Ok(Batch { raw: chunk, at_start: false });
        };
        let end = self.edge.last_event_end(&chunk);
        if end.is_none() && self.held.len() + chunk.len() > self.event_bytes_max {
            return Err(EventTooLarge { bytes_max: self.event_bytes_max });
        }
        self.edge = match last {
            b'\r' | b'\n' if end == Some(chunk.len()) => Edge::Blank,
            b'\r' => Edge::LineCr,
            b'\n' => Edge::LineLf,
            _ => Edge::Text,
        };
        let complete = chunk.split_to(end.unwrap_or(0));
        if complete.is_empty() {
            self.held.extend_from_slice(&chunk);
            return Ok(Batch { raw: complete, at_start: false });
        }
        let raw = if self.held.is_empty() {
            complete
        } else {
            self.held.extend_from_slice(&complete);
            mem::take(&mut self.held).freeze()
        };
        self.held.extend_from_slice(&chunk);
        Ok(Batch { raw, at_start: !mem::replace(&mut self.begun, true) })
    }

    /// How many bytes are held back for an event that is not complete.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Ends the stream: the bytes after the last complete event, which the grammar says to drop
    /// as an event, and which are the client's all the same.
    pub fn finish(self) -> Bytes {
        self.held.freeze()
    }
}

impl Edge {
    /// The offset after the last blank line that `chunk` completes when it follows this edge.
    ///
    /// It searches backwards, since most chunks end with a blank line. Line ends that stand
    /// together are taken as one run: all but the first of them end blank lines.
    fn last_event_end(self, chunk: &[u8]) -> Option<usize> {
        let mut unsearched = chunk.len();
        while let Some(last) = memrchr2(b'\n', b'\r', &chunk[..unsearched]) {
            let text_end = chunk[..last].iter().rposition(|byte| !matches!(byte, b'\n' | b'\r'));
            let run_start = text_end.map_or(0, |at| at + 1);
            let run = &chunk[run_start..=last];
            let before = if run_start == 0 { self } else { Self::Text };
            if before.is_blank_after(run) {
                return Some(last + 1);
            }
            unsearched = run_start;
        }
        None
    }

    /// Whether a run of line ends completes a blank line when it follows this edge.
    fn is_blank_after(self, run: &[u8]) -> bool {
        match self {
            Self::Blank | Self::LineLf => true,
            Self::LineCr => run != b"\n",
            Self::Text => run.len() > 2 || (run.len() == 2 && run != b"\r\n"),
        }
    }
}

/// What one chunk completed: bytes to pass on, and the events in them.
#[derive(Debug, Clone)]
pub struct Batch {
    raw: Bytes,
    at_start: bool,
}

impl Batch {
    /// The exact bytes of the completed events, comments and blank lines included; may be empty.
    ///
    /// The LF of a CRLF that was split between two chunks comes with the second, so these bytes
    /// may also be that LF alone.
    pub fn raw(&self) -> Bytes {
        self.raw.clone()
    }

    /// The events in [`raw`](Self::raw), in order.
    ///
    /// As the grammar says, a block without a data line (a comment, say) is no event.
    pub fn events(&self) -> Events<'_> {
        let mark = self.at_start && self.raw.starts_with(BYTE_ORDER_MARK);
        Events { raw: &self.raw, at: if mark { BYTE_ORDER_MARK.len() } else { 0 } }
    }
}

/// One event of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event<'a> {
    /// The value of the last `event:` line; `None` if there is none or it is empty.
    pub name: Option<&'a [u8]>,
    /// The values of the `data:` lines, joined by LF; borrowed if there is only one.
    pub data: Cow<'a, [u8]>,
    /// Where the event ends in [`Batch::raw`], its blank line included.
    pub end: usize,
}

/// Iterates over the events of a [`Batch`].
#[derive(Debug, Clone)]
pub struct Events<'a> {
    raw: &'a [u8],
    at: usize,
}

impl<'a> Events<'a> {
    /// The next line without its end, or `None` after the last complete one.
    fn line(&mut self) -> Option<&'a [u8]> {
        let rest = self.raw.get(self.at..)?;
        let length = memchr2(b'\n', b'\r', rest)?;
        self.at += length + if rest[length..].starts_with(b"\r\n") { 2 } else { 1 };
        Some(&rest[..length])
    }
}

impl<'a> Iterator for Events<'a> {
    type Item = Event<'a>;

    fn next(&mut self) -> Option<Event<'a>> {
        let mut name = None;
        let mut data: Option<Cow<'a, [u8]>> = None;
        loop {
            let line = self.line()?;
            if line.is_empty() {
                if let Some(data) = data.take() {
                    return Some(Event { name, data, end: self.at });
                }
                name = None;
            } else if let Some(value) = field(line, b"data") {
                match &mut data {
                    None => data = Some(Cow::Borrowed(value)),
                    Some(lines) => {
                        let lines = lines.to_mut();
                        lines.push(b'\n');
                        lines.extend_from_slice(value);
                    }
                }
            } else if let Some(value) = field(line, b"event") {
                name = Some(value).filter(|name| !name.is_empty());
            }
        }
    }
}

/// The value of a line if its field is `name`: what follows the colon, less one space. A line
/// without a colon is a field with an empty value.
fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    match line.strip_prefix(name)? {
        [] => Some(&[]),
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
