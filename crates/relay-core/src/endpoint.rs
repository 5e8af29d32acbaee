//! What clients ask of upstreams: the same list on either side of the relay.

use serde::{Deserialize, Serialize};

use crate::protocol::Protocol;

/// What is asked of an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// A conversation in Anthropic Messages.
    Messages,
    /// A count of the tokens of one.
    CountTokens,
    /// A conversation in OpenAI Chat.
    Chat,
    /// A text to be gone on with: the form of OpenAI's that came before Chat.
    Completions,
    /// Numbers that stand for texts, in OpenAI's form.
    Embeddings,
    /// Pictures of a description, in OpenAI's form.
    Images,
    /// A conversation in OpenAI Responses.
    Responses,
    /// A conversation in OpenAI Responses, to be made shorter.
    Compact,
    /// A count of the tokens of a conversation in OpenAI Responses.
    CountInput,
    /// A conversation in Google's form.
    Generate,
    /// A count of the tokens of one.
    CountContents,
    /// Numbers that stand for a text, in Google's form.
    Embed,
    /// The same for several texts, as Google's SDKs ask also for one.
    EmbedBatch,
}

impl Endpoint {
    /// All of them, by protocol.
    pub const ALL: [Self; 13] = [
        Self::Messages,
        Self::CountTokens,
        Self::Chat,
        Self::Completions,
        Self::Embeddings,
        Self::Images,
        Self::Responses,
        Self::Compact,
        Self::CountInput,
        Self::Generate,
        Self::CountContents,
        Self::Embed,
        Self::EmbedBatch,
    ];

    /// The protocol that it is part of.
    pub const fn protocol(self) -> Protocol {
        match self {
            Self::Messages | Self::CountTokens => Protocol::Messages,
            Self::Chat | Self::Completions | Self::Embeddings | Self::Images => Protocol::Chat,
            Self::Responses | Self::Compact | Self::CountInput => Protocol::Responses,
            Self::Generate | Self::CountContents | Self::Embed | Self::EmbedBatch => {
                Protocol::Gemini
            }
        }
    }

    /// Whether it only counts tokens: that costs nothing and leaves no record.
    pub const fn only_counts(self) -> bool {
        matches!(self, Self::CountTokens | Self::CountInput | Self::CountContents)
    }

    /// Whether its answer may come as a stream.
    pub const fn may_stream(self) -> bool {
        matches!(
            self,
            Self::Messages | Self::Chat | Self::Completions | Self::Responses | Self::Generate
        )
    }

    /// What it is translated to for accounts that do not have it, the best first.
    pub const fn translations(self) -> &'static [Self] {
        match self {
            Self::Messages => &[Self::Responses, Self::Chat, Self::Generate],
            Self::Chat => &[Self::Messages, Self::Responses, Self::Generate],
            Self::Completions => &[Self::Messages, Self::Chat, Self::Responses, Self::Generate],
            Self::Responses => &[Self::Messages, Self::Chat, Self::Generate],
            Self::CountTokens => &[Self::CountInput, Self::CountContents],
            Self::Embeddings
            | Self::Images
            | Self::Compact
            | Self::CountInput
            | Self::Generate
            | Self::CountContents
            | Self::Embed
            | Self::EmbedBatch => &[],
        }
    }
}
