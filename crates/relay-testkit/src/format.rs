//! What is asked of the provider, by method and path, and in which shape it is answered.

use bytes::Bytes;
use serde_json::Value;

use crate::anthropic::ask::Ask;
use crate::anthropic::events::{self, Frame, FrameKind};
use crate::anthropic::reply::Reply;
use crate::{anthropic, google, openai};

/// A kind of request that has an answer of its own shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Format {
    /// Anthropic Messages.
    #[default]
    Messages,
    /// A count of their tokens.
    CountTokens,
    /// OpenAI Chat.
    Chat,
    /// OpenAI's text completions.
    Completions,
    Embeddings,
    Images,
    /// OpenAI Responses; with `codex` at ChatGPT's address, which is stricter.
    Responses {
        codex: bool,
    },
    Compact {
        codex: bool,
    },
    /// A count of the input of Responses.
    CountInput,
    /// Google's generateContent; with `assist` in Code Assist's envelope.
    Generate {
        assist: bool,
    },
    CountContents {
        assist: bool,
    },
    Embed,
}

/// Whose shapes an answer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Anthropic,
    OpenAi,
    /// OpenAI's by way of a ChatGPT subscription.
    Codex,
    Google,
}

impl Format {
    /// What a POST to this path asks for.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let codex = !path.contains("/v1/");
        let ends = |end: &str| path.ends_with(end);
        if ends("/v1/messages") {
            return Some(Self::Messages);
        }
        if let Some((_, method)) = path.rsplit_once(':') {
            let assist = path.contains("v1internal:");
            return match method {
                "generateContent" | "streamGenerateContent" => Some(Self::Generate { assist }),
                "countTokens" => Some(Self::CountContents { assist }),
                "embedContent" | "batchEmbedContents" if !assist => Some(Self::Embed),
                _ => None,
            };
        }
        match path {
            _ if ends("/v1/messages/count_tokens") => Some(Self::CountTokens),
            _ if ends("/chat/completions") => Some(Self::Chat),
            _ if ends("/completions") => Some(Self::Completions),
            _ if ends("/embeddings") => Some(Self::Embeddings),
            _ if ends("/images/generations") => Some(Self::Images),
            _ if ends("/responses") => Some(Self::Responses { codex }),
            _ if ends("/responses/compact") => Some(Self::Compact { codex }),
            _ if ends("/responses/input_tokens") => Some(Self::CountInput),
            _ => None,
        }
    }

    /// Whether it only counts tokens, which uses none.
    pub(crate) const fn only_counts(self) -> bool {
        matches!(self, Self::CountTokens | Self::CountInput | Self::CountContents { .. })
    }

    pub(crate) const fn family(self) -> Family {
        match self {
            Self::Messages | Self::CountTokens => Family::Anthropic,
            Self::Responses { codex: true } | Self::Compact { codex: true } => Family::Codex,
            Self::Generate { .. } | Self::CountContents { .. } | Self::Embed => Family::Google,
            _ => Family::OpenAi,
        }
    }

    /// Reads what a request of this format asks; an error says what is wrong with it.
    pub(crate) fn read(self, path_and_query: &str, body: &[u8]) -> Result<Ask, &'static str> {
        match self.family() {
            Family::Anthropic => Ask::read(body),
            Family::OpenAi | Family::Codex => openai::ask::read(self, body),
            Family::Google => google::ask::read(self, path_and_query, body),
        }
    }

    /// The frames of a streamed answer.
    pub(crate) fn frames(reply: &Reply, ask: &Ask) -> Vec<Frame> {
        match ask.format {
            Self::Chat | Self::Completions => openai::chat::frames(reply, ask),
            Self::Responses { .. } => openai::events::frames(reply, ask),
            Self::Generate { .. } => google::answer::frames(reply, ask),
            _ => events::frames(reply),
        }
    }

    /// The body of an answer that is not streamed.
    pub(crate) fn body(reply: &Reply, ask: &Ask) -> Value {
        match ask.format {
            Self::Messages | Self::CountTokens => reply.body(),
            Self::Chat | Self::Completions => openai::chat::body(reply, ask),
            Self::Responses { .. } => openai::responses::body(reply, ask),
            Self::Compact { .. } => openai::others::compacted(reply, ask),
            Self::Embeddings => openai::others::embeddings(ask),
            Self::Images => openai::others::images(reply, ask),
            Self::CountInput => openai::others::counted(ask),
            Self::Generate { .. } => google::answer::body(reply, ask),
            Self::CountContents { .. } => google::answer::counted(ask),
            Self::Embed => google::answer::embedding(ask),
        }
    }
}

impl Family {
    /// The body of an error of this status; an empty message stands for the usual one.
    pub(crate) fn error_body(self, status: u16, message: &str) -> Value {
        match self {
            Self::Anthropic => {
                let (kind, usual) = anthropic::error_of(status);
                anthropic::error_body(kind, if message.is_empty() { usual } else { message })
            }
            Self::OpenAi | Self::Codex => openai::usual_error(status, message),
            Self::Google => google::usual_error(status, message),
        }
    }

    /// An overload in this family's status.
    pub(crate) const fn overload(self) -> u16 {
        if matches!(self, Self::Anthropic) { 529 } else { 503 }
    }
}

/// An error within a stream.
#[derive(Debug, Clone)]
pub(crate) enum StreamError {
    /// Of this kind, as the family writes errors into its streams.
    Stated { kind: String, message: String },
    /// The same as `response.failed` where the protocol has it.
    Failed { kind: String, message: String },
    /// The family's own error of this status.
    Usual(u16),
    /// Exactly these bytes.
    Raw(Bytes),
}

impl StreamError {
    /// The event that a stream ends with; `number` counts the frames before it.
    pub(crate) fn frame(&self, (reply, ask): (&Reply, &Ask), number: usize) -> Frame {
        let format = ask.format;
        let family = format.family();
        let (kind, message) = match self {
            Self::Raw(bytes) => {
                return Frame { bytes: bytes.clone(), kind: FrameKind::Event };
            }
            Self::Failed { kind, message } if matches!(format, Format::Responses { .. }) => {
                return openai::events::failed(reply, ask, (kind, message), number);
            }
            Self::Stated { kind, message } | Self::Failed { kind, message } => {
                (kind.clone(), message.clone())
            }
            Self::Usual(status) => match family {
                Family::Anthropic => {
                    let (kind, message) = anthropic::error_of(*status);
                    (kind.to_owned(), message.to_owned())
                }
                Family::OpenAi | Family::Codex => {
                    let (_, code, message) = openai::error_of(*status);
                    (code.to_owned(), message.to_owned())
                }
                Family::Google => {
                    return Frame::data(FrameKind::Event, &google::usual_error(*status, ""));
                }
            },
        };
        match format {
            Format::Responses { .. } => openai::events::error((&kind, &message), number),
            _ if family == Family::Anthropic => {
                Frame::event(FrameKind::Event, &anthropic::error_body(&kind, &message))
            }
            _ if family == Family::Google => {
                let error = google::error_body(google::code_of(&kind), &kind, &message);
                Frame::data(FrameKind::Event, &error)
            }
            _ => Frame::data(FrameKind::Event, &openai::error_body(&kind, &kind, &message)),
        }
    }
}
