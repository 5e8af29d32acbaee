//! An answer as it comes: what every protocol's stream can be read into and written from.

use relay_core::usage::TokenUsage;

use super::request::{Citation, Seal};
use crate::anthropic::error::ErrorBody;

/// One step of an answer. A whole answer is the same steps, all at once.
///
/// Blocks are numbered from 0 in the order in which they open. Several may be open at a time
/// (parallel tool calls); a delta names its own.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The answer begins.
    Start {
        /// The provider's name for it.
        id: String,
        /// The model that answers.
        model: String,
        /// What is known of its use: input, mostly.
        usage: Usage,
    },
    /// A block opens.
    Open {
        /// Its number.
        block: usize,
        /// What it is.
        kind: BlockKind,
    },
    /// More of a block.
    Delta {
        /// Its number.
        block: usize,
        /// What is added.
        delta: Delta,
    },
    /// A block is whole.
    Close {
        /// Its number.
        block: usize,
    },
    /// The answer ended by itself, and what it used in all. Comes once, after all blocks have closed;
    /// nothing comes after it.
    End {
        /// Why it ended.
        stop: Stop,
        /// What it used.
        usage: Usage,
    },
    /// The provider gave up. Nothing comes after it.
    Failed {
        /// What it said.
        error: ErrorBody,
        /// What was used until then, as far as it was stated.
        usage: Usage,
    },
}

/// What a block is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlockKind {
    /// Words.
    Text,
    /// Words by which the model declines.
    Refusal,
    /// What the model thinks.
    Thinking,
    /// A call of a tool whose arguments are JSON.
    Call {
        /// What its result is to name it by.
        id: String,
        /// The tool.
        name: String,
    },
    /// A call of a tool that takes plain text.
    TextCall {
        /// What its result is to name it by.
        id: String,
        /// The tool.
        name: String,
    },
}

impl BlockKind {
    /// Whether a block of this kind has a place for it.
    pub const fn takes(&self, delta: &Delta) -> bool {
        match delta {
            Delta::Text(_) => matches!(self, Self::Text | Self::Refusal | Self::Thinking),
            Delta::Input(_) => matches!(self, Self::Call { .. } | Self::TextCall { .. }),
            Delta::Citation(_) => matches!(self, Self::Text),
            Delta::Seal(_) => !matches!(self, Self::Text | Self::Refusal),
        }
    }
}

/// What is added to a block.
#[derive(Debug, Clone, PartialEq)]
pub enum Delta {
    /// Words of a text, a refusal or a thought.
    Text(String),
    /// Part of the JSON of arguments, or of the text of a call.
    Input(String),
    /// What the words so far quote.
    Citation(Citation),
    /// The sealed form of a thought, or of the one that came with a call of a tool.
    Seal(Seal),
}

/// What an answer used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Tokens by kind; no token is in two of them.
    pub tokens: TokenUsage,
    /// How much of the output was thought, where the provider tells.
    pub thought: u64,
}

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// It was done.
    Done,
    /// It was as long as it may be.
    Length,
    /// It wrote a text that ends it: this one, where the provider tells.
    Sequence(Option<String>),
    /// It calls tools.
    Tools,
    /// The model, or a filter, declined.
    Refused,
    /// The provider paused a long turn, to be asked to go on.
    Paused,
    /// The conversation is longer than the model can hold.
    ContextFull,
}
