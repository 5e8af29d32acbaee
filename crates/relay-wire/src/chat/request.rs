//! Requests of Chat Completions.

mod bounds;
mod read;
mod write;

pub use self::bounds::{PROMPT_READS, READS, WRITES};
pub use self::read::Read;
pub(crate) use self::read::{
    cache_mark, effort, has_scheme, is_nothing, is_pdf, json, no_more, object_of, parameters,
    refuse, source,
};
pub(crate) use self::write::{effort_word, service_tier};
use crate::hub::{Bounds, DecodeError, Request, Unsupported, Written};

/// Reads the body of a request to `/chat/completions`.
pub fn read(body: &[u8]) -> Result<Read, DecodeError> {
    within(&READS, read::read(body))
}

/// Reads the body of a request to `/completions`.
pub fn read_prompt(body: &[u8]) -> Result<Read, DecodeError> {
    within(&PROMPT_READS, read::read_prompt(body))
}

fn within(bounds: &Bounds, read: Result<Read, DecodeError>) -> Result<Read, DecodeError> {
    let came = read.as_ref().map(|it| &it.losses).map_err(DecodeError::unsupported);
    debug_assert!(bounds.hold(came), "undeclared: {came:?}");
    read
}

/// The body of a request.
///
/// The usage of a stream is always asked for, since the relay bills by it.
pub fn write(request: &Request) -> Result<Written, Unsupported> {
    let written = write::write(request);
    let came = written.as_ref().map(|it| &it.losses).map_err(Some);
    debug_assert!(WRITES.hold(came), "undeclared: {came:?}");
    written
}
