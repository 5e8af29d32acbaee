//! Asks for the usage of a stream, which OpenAI states only if it is asked, and takes it out again
//! for a client that did not ask.

use std::ops::Range;
use std::sync::LazyLock;

use bytes::{Bytes, BytesMut};
use memchr::memmem::Finder;

use crate::json::members;
use crate::splice;
use crate::sse::Batch;

/// How a body is made to ask for the usage of its stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Splice {
    /// Which bytes change; may be none, where some are put in.
    pub span: Range<usize>,
    /// What stands there then.
    pub with: &'static str,
}

impl Splice {
    /// The body that asks.
    pub fn apply(&self, body: &Bytes) -> Bytes {
        splice::replace(body, self.span.clone(), self.with.as_bytes())
    }
}

/// The bytes of these events without the chunks that state nothing but the usage.
///
/// A chunk that says anything else as well stays as it is: a client that does not expect its usage
/// passes over it.
pub fn without_usage(batch: &Batch) -> Bytes {
    let raw = batch.raw();
    let (mut kept, mut copied_to, mut start) = (BytesMut::new(), 0, 0);
    for event in batch.events() {
        if is_usage_alone(&event.data) {
            kept.extend_from_slice(&raw[copied_to..start]);
            copied_to = event.end;
        }
        start = event.end;
    }
    if copied_to == 0 {
        return raw;
    }
    kept.extend_from_slice(&raw[copied_to..]);
    kept.freeze()
}

/// Whether a chunk has a usage and no choices.
fn is_usage_alone(data: &[u8]) -> bool {
    if !names_usage(data) {
        return false;
    }
    let Ok([choices, usage, error]) = members(data, ["choices", "usage", "error"]) else {
        return false;
    };
    let has_choices = choices.is_some_and(|it| it[1..].trim_ascii_start() != b"]");
    let has_error = error.is_some_and(|it| it != b"null");
    usage.is_some_and(|it| it.starts_with(b"{")) && !has_choices && !has_error
}

/// Whether there may be a usage, and no mere `null`, as OpenAI has it in all chunks but the last: a
/// look at the bytes, which spares most chunks a reading.
fn names_usage(data: &[u8]) -> bool {
    static NAME: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(b"\"usage\""));
    NAME.find_iter(data).any(|at| {
        let value = data[at + NAME.needle().len()..].trim_ascii_start().strip_prefix(b":");
        value.is_some_and(|value| value.trim_ascii_start().starts_with(b"{"))
    })
}

#[cfg(test)]
mod tests;
