//! What requests lose and are refused on their way from Chat and to it.

use crate::hub::{Bounds, Loss, Refusal};

/// Why a field is refused that nobody knows; Responses says the same.
const UNKNOWN: Refusal =
    Refusal::new("fields that are not known", "the relay does not know this field; leave it out");
const ONE_ANSWER: Refusal = Refusal::new("`n`, `best_of` above 1", "one answer is given at a time");
const TOKENS: Refusal = Refusal::new(
    "`logit_bias`, `logprobs`, `top_logprobs`",
    "providers of other protocols do not weigh single tokens",
);

/// Of reading a client's request.
pub const READS: Bounds = Bounds {
    losses: &[
        Loss::CacheMarks,
        Loss::Citations,
        Loss::HostedTools,
        Loss::Metadata,
        Loss::Seals,
        Loss::SpeakerNames,
        Loss::Storage,
        Loss::User,
    ],
    refuses: &[
        ONE_ANSWER,
        TOKENS,
        Refusal::new("`audio`, other `modalities`", "answers are text"),
        Refusal::new("`prediction`", "providers of other protocols take no predictions"),
        Refusal::new("`moderation`", "providers of other protocols do not report on it"),
        Refusal::new("other types of `response_format`", "answers are text or JSON"),
        Refusal::new("other types of tools", "tools are functions or custom tools"),
        Refusal::new("`input_audio`", "speech cannot be sent on; send its words as text"),
        Refusal::new(
            "`audio` of an earlier answer",
            "speech of earlier answers is kept by its provider; send its words as text",
        ),
        Refusal::new(
            "parts of other types",
            "of parts the relay knows text, refusal, image_url and file",
        ),
        Refusal::new("`annotations` of other types", "of quotations only `url_citation` is known"),
        UNKNOWN,
    ],
    unsaid: &[Loss::ToolFailureAsWords],
    ..Bounds::NONE
};

/// Of reading a request to `/completions`.
pub const PROMPT_READS: Bounds = Bounds {
    losses: &[Loss::User],
    refuses: &[
        ONE_ANSWER,
        TOKENS,
        Refusal::new("several prompts", "one prompt is answered at a time"),
        Refusal::new(
            "a prompt of token numbers",
            "prompts are text; numbers of tokens are of one model alone",
        ),
        Refusal::new("`echo`", "the prompt is not repeated"),
        Refusal::new("`suffix`", "chat models do not write the middle of a text"),
        UNKNOWN,
    ],
    unsaid: &[
        Loss::ArgumentsQuoted,
        Loss::CacheKey,
        Loss::Citations,
        Loss::DeveloperAsSystem,
        Loss::DocumentName,
        Loss::EarlierThoughts,
        Loss::ForcedTools,
        Loss::FormatAsWords,
        Loss::HostedTools,
        Loss::ImageDetail,
        Loss::LateInstructions,
        Loss::OneCallAsWords,
        Loss::ReasoningScale,
        Loss::RefusalsAsText,
        Loss::Seals,
        Loss::ServiceTier,
        Loss::ShownThoughts,
        Loss::StoredName,
        Loss::StrictSchema,
        Loss::ThinkingBudget,
        Loss::ToolFailureAsWords,
        Loss::ToolGrammar,
        Loss::ToolPicturesMoved,
        Loss::TopK,
        Loss::Verbosity,
    ],
    ..Bounds::NONE
};

/// Of writing a request for an account.
pub const WRITES: Bounds = Bounds {
    losses: &[
        Loss::Citations,
        Loss::EarlierThoughts,
        Loss::HostedTools,
        Loss::RefusalsAsText,
        Loss::Seals,
        Loss::ServiceTier,
        Loss::ShownThoughts,
        Loss::StoredName,
        Loss::ThinkingBudget,
        Loss::ToolFailureAsWords,
        Loss::ToolPicturesMoved,
        Loss::TopK,
    ],
    refuses: &[
        Refusal::new(
            "pictures in a provider's store",
            "send its bytes or its address; the store of another provider is not read",
        ),
        Refusal::new(
            "files behind an address, or in another provider's store",
            "send its bytes; files behind an address or in another's store are not read",
        ),
        Refusal::new(
            "a call that is demanded when no tool is left",
            "no tool is left that this model can be given",
        ),
        Refusal::new(
            "the choice of a tool that is not there",
            "the tool is not among those that this model can be given",
        ),
        Refusal::new("instructions other than text", "they are words"),
        Refusal::new("calls by the user", "only the model calls tools"),
        Refusal::new("pictures and files by the model", "it has calls of tools and words"),
        Refusal::new("results within results", "it is words"),
    ],
    // Grammars of other forms than readers give.
    guards: &[Loss::ToolGrammar],
    ..Bounds::NONE
};
