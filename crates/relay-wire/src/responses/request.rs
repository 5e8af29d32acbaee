//! Requests of Responses.

mod bounds;
mod read;
mod write;

pub use self::bounds::{READS, WRITES};
pub use self::read::Read;
use crate::hub::{DecodeError, Request, Unsupported, Written};

/// Reads the body of a request to `/responses`, or a `response.create` of its socket.
pub fn read(body: &[u8]) -> Result<Read, DecodeError> {
    let read = read::read(body);
    let came = read.as_ref().map(|it| &it.losses).map_err(DecodeError::unsupported);
    debug_assert!(READS.hold(came), "undeclared: {came:?}");
    read
}

/// The body of a request.
///
/// Nothing is stored with the provider, so that the next turn may go to another account.
pub fn write(request: &Request) -> Result<Written, Unsupported> {
    within(write::write(request))
}

/// The body of a request to the service behind the ChatGPT sign-in, which Codex uses: it only
/// streams, must be given instructions, and leaves the limits of an answer to itself.
pub fn write_for_chatgpt(request: &Request) -> Result<Written, Unsupported> {
    within(write::write_for_chatgpt(request))
}

fn within(written: Result<Written, Unsupported>) -> Result<Written, Unsupported> {
    let came = written.as_ref().map(|it| &it.losses).map_err(Some);
    debug_assert!(WRITES.hold(came), "undeclared: {came:?}");
    written
}
