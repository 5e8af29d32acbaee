//! What conversations have in common, whatever protocol they are spoken in.
//!
//! Where client and account speak the same, bytes pass through and nothing of this is used. Where
//! they do not, the client's request is decoded to a [`Request`] and encoded for the account, and
//! the account's answer is decoded to [`Event`]s and encoded for the client. So a protocol needs one
//! decoder and one encoder, not one for each other protocol.
//!
//! Nothing is dropped in silence: what a target cannot carry is either refused ([`Unsupported`]) or
//! one of the listed [`Loss`]es, from which the documented table is made.

mod answer;
mod bounds;
mod event;
mod fields;
mod loss;
mod request;

pub use self::answer::{Answer, Folder};
pub use self::bounds::{Bounds, Refusal};
pub use self::event::{BlockKind, Delta, Event, Stop, Usage};
pub use self::fields::{Fields, Malformed};
pub use self::loss::{Loss, Losses};
pub use self::request::{
    Block, Choice, Citation, Document, Effort, Format, Image, Input, Json, Reasoning, Request,
    Role, Sampling, Seal, Source, Tool, ToolCall, ToolResult, Turn,
};

/// A request in a provider's own form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The body to send.
    pub body: Vec<u8>,
    /// What it does without.
    pub losses: Losses,
}

/// Something that the other side cannot be asked for. The text is for the caller, who gets it with
/// status 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} cannot be passed on to this model: {why}")]
pub struct Unsupported {
    /// The field or the part, as the caller named it.
    pub what: String,
    /// Why not, and what would work.
    pub why: &'static str,
}

impl Unsupported {
    /// So-and-so, for this reason.
    pub fn new(what: impl Into<String>, why: &'static str) -> Self {
        Self { what: what.into(), why }
    }
}

/// Something earlier that a request only names. The relay stores no answers, so it is told in the
/// provider's own words that there is none of that name: its clients then send all of it again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NotStored {
    /// The words for the caller.
    pub message: String,
    /// The field that names it: `param` of the error.
    pub param: String,
    /// `code` of the error, which clients go by; `None` is null.
    pub code: Option<&'static str>,
}

/// Why a request is not translated. The text is for the caller, who gets it with status 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It is not what its protocol says.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It asks for what the other side does not have.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// It builds on what a provider stored of an earlier answer.
    #[error(transparent)]
    NotStored(#[from] NotStored),
}

impl DecodeError {
    /// What it says of something that the other side does not have.
    pub const fn unsupported(&self) -> Option<&Unsupported> {
        match self {
            Self::Unsupported(refused) => Some(refused),
            Self::Malformed(_) | Self::NotStored(_) => None,
        }
    }
}
