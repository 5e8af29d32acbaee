//! What requests lose and are refused on their way from Responses and to it.

use crate::hub::{Bounds, Loss, Refusal};

/// Of reading a client's request.
pub const READS: Bounds = Bounds {
    losses: &[
        Loss::CacheMarks,
        Loss::ContextEdits,
        Loss::EarlierThoughts,
        Loss::HostedTools,
        Loss::Metadata,
        Loss::Seals,
        Loss::ShownThoughts,
        Loss::Storage,
        Loss::ToolHints,
        Loss::User,
    ],
    refuses: &[
        Refusal::new("`prompt`", "prompts that are stored with a provider are not read"),
        Refusal::new("`background`", "answers are given at once; nothing is stored"),
        Refusal::new(
            "`generate: false` where a model is asked",
            "a warm-up is answered without a model",
        ),
        Refusal::new("`top_logprobs`", "providers of other protocols do not weigh single tokens"),
        Refusal::new(
            "`logprobs` of an earlier answer",
            "how likely words were is of no use to another model; leave it out",
        ),
        Refusal::new("other words in `include`", "no other provider has that in its answers"),
        Refusal::new("other types of `text.format`", "answers are text or JSON"),
        Refusal::new(
            "the choice of OpenAI's own tools",
            "of the tools that can be chosen the relay knows functions and custom tools",
        ),
        Refusal::new("`input_audio`", "speech cannot be sent on; send its words as text"),
        Refusal::new(
            "parts of other types",
            "of parts the relay knows texts, refusals, pictures and files",
        ),
        Refusal::new("thoughts that are no texts", "thoughts are texts"),
        Refusal::new(
            "conversations that OpenAI has compacted",
            "only OpenAI reads what it has compacted; start a new conversation",
        ),
        Refusal::new("items of other types", "no other provider has items of this type"),
        Refusal::new(
            "fields that are not known",
            "the relay does not know this field; leave it out",
        ),
    ],
    unsaid: &[
        Loss::Penalties,
        Loss::Seed,
        Loss::ThinkingBudget,
        Loss::ToolFailureAsWords,
        Loss::TopK,
    ],
    ..Bounds::NONE
};

/// Of writing a request for an account.
pub const WRITES: Bounds = Bounds {
    losses: &[
        Loss::Citations,
        Loss::DocumentName,
        Loss::EarlierThoughts,
        Loss::HostedTools,
        Loss::OutputLimit,
        Loss::Penalties,
        Loss::RefusalsAsText,
        Loss::Sampling,
        Loss::Seals,
        Loss::Seed,
        Loss::ServiceTier,
        Loss::ThinkingBudget,
        Loss::ToolFailureAsWords,
        Loss::TopK,
        Loss::User,
    ],
    refuses: &[
        Refusal::new(
            "stop sequences",
            "OpenAI's Responses know no texts that end an answer; leave them out",
        ),
        Refusal::new(
            "pictures and files in another provider's store",
            "send its bytes or its address; another provider's store is not read",
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
        Refusal::new("pictures and files by the model", "it has calls of tools and words"),
        Refusal::new(
            "thoughts and calls by the user or a tool",
            "there are words, pictures and files",
        ),
    ],
    ..Bounds::NONE
};
