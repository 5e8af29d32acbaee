//! What requests lose and are refused on their way from Messages and to it.

use crate::hub::{Bounds, Loss, Refusal};

/// Of reading a client's request.
pub const READS: Bounds = Bounds {
    losses: &[
        Loss::CacheMarks,
        Loss::ContextEdits,
        Loss::HostedTools,
        Loss::Metadata,
        Loss::ReasoningScale,
        Loss::ServiceTier,
        Loss::ToolHints,
    ],
    refuses: &[
        Refusal::new("`container`", "containers live at Anthropic alone"),
        Refusal::new("`inference_geo`", "where another provider computes cannot be asked for"),
        Refusal::new("`mcp_servers`", "no other provider calls them"),
        Refusal::new(
            "`transformations` of a picture",
            "other providers scale pictures in their own ways",
        ),
        Refusal::new(
            "sources of other types",
            "the relay knows base64, url, file, text and content",
        ),
        Refusal::new("pictures within a document", "documents of other providers hold text alone"),
        Refusal::new("blocks of other types", "no other provider has blocks of this type"),
        Refusal::new("fields that are not known", "the relay does not know it"),
    ],
    unsaid: &[
        Loss::CacheKey,
        Loss::DeveloperAsSystem,
        Loss::ImageDetail,
        Loss::Penalties,
        Loss::RefusalsAsText,
        Loss::Seed,
        Loss::StoredName,
        Loss::ToolGrammar,
        Loss::Verbosity,
    ],
    ..Bounds::NONE
};

/// Of writing a request for an account.
pub const WRITES: Bounds = Bounds {
    losses: &[
        Loss::ArgumentsQuoted,
        Loss::Citations,
        Loss::DeveloperAsSystem,
        Loss::EarlierThoughts,
        Loss::ForcedTools,
        Loss::FormatAsWords,
        Loss::HostedTools,
        Loss::ImageDetail,
        Loss::LateInstructions,
        Loss::Penalties,
        Loss::ReasoningScale,
        Loss::RefusalsAsText,
        Loss::Sampling,
        Loss::Seals,
        Loss::Seed,
        Loss::ServiceTier,
        Loss::StrictSchema,
        Loss::ToolGrammar,
        Loss::TopK,
        Loss::User,
        Loss::Verbosity,
    ],
    refuses: &[
        Refusal::new("files that are neither PDF nor text", "Claude reads PDF and plain text"),
        Refusal::new("text files in another encoding", "it is not the Base64 of UTF-8"),
        Refusal::new("a text in a picture's place", "Claude takes it as a document"),
        Refusal::new(
            "files in another provider's store",
            "it is in the store of another provider: send its bytes",
        ),
        Refusal::new(
            "a stop sequence of white space",
            "Claude takes no text of white space alone to stop at",
        ),
        Refusal::new(
            "names of tools that it does not take",
            "Claude's names of tools are 1 to 128 letters, digits, underscores and dashes",
        ),
        Refusal::new("tools that take no object", "Claude's tools take an object"),
        Refusal::new(
            "a call that is demanded when no tool is left",
            "none of the tools can be offered to Claude",
        ),
        Refusal::new("a conversation of nothing", "Claude needs something to answer"),
        Refusal::new(
            "pictures, files, calls and thoughts where they cannot stand",
            "Claude has no place for it there",
        ),
    ],
    ..Bounds::NONE
};
