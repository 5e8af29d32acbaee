//! Requests of the Messages protocol: those of Claude's clients into the hub, and what the hub
//! holds for accounts of Claude.

mod bounds;
mod model;
mod raw;
mod read;
mod seal;
mod text_tools;
mod tool_id;
mod write;

pub use self::bounds::{READS, WRITES};
pub(super) use self::seal::{seal_of, signature_of};
pub(crate) use self::seal::{unwrapped as unwrapped_seal, wrapped as wrapped_seal};
pub use self::text_tools::TextTools;
pub(crate) use self::text_tools::{SCHEMA as TEXT_TOOL_SCHEMA, text_of};
pub(super) use self::tool_id::{decode as id_of_client, encode as id_for_claude};
pub(super) use self::write::{arguments, is_own_citation};
use crate::hub::{DecodeError, Losses, Request, Unsupported, Written};

/// A client's request, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// What it asks for.
    pub request: Request,
    /// What of it has no place in the hub.
    pub losses: Losses,
    /// What it wants of the form of the answer.
    pub wishes: Wishes,
}

/// What a client of Messages wants of the form of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wishes {
    /// What it is shown of the model's thoughts.
    pub thoughts: Thoughts,
}

/// What a client is shown of thoughts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Thoughts {
    /// No blocks of them: it did not ask for any, and many a program takes the first block for the
    /// answer.
    #[default]
    Hidden,
    /// Their sealed form alone.
    Sealed,
    /// Their words too.
    Shown,
}

/// Reads a request.
pub fn read(body: &[u8]) -> Result<Read, DecodeError> {
    let read = read::read(body);
    let came = read.as_ref().map(|it| &it.losses).map_err(DecodeError::unsupported);
    debug_assert!(READS.hold(came), "undeclared: {came:?}");
    read
}

/// Writes a request. What each model takes is looked up by the request's model name.
pub fn write(request: &Request) -> Result<Written, Unsupported> {
    let written = write::write(request);
    let came = written.as_ref().map(|it| &it.losses).map_err(Some);
    debug_assert!(WRITES.hold(came), "undeclared: {came:?}");
    written
}
