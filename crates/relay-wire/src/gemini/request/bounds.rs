//! What requests lose and are refused on their way to Google.

use crate::hub::{Bounds, Loss, Refusal};

/// Of writing a request for an account.
pub const WRITES: Bounds = Bounds {
    losses: &[
        Loss::ArgumentsQuoted,
        Loss::CacheKey,
        Loss::Citations,
        Loss::DeveloperAsSystem,
        Loss::DocumentName,
        Loss::EarlierThoughts,
        Loss::FormatAsWords,
        Loss::HostedTools,
        Loss::ImageDetail,
        Loss::LateInstructions,
        Loss::OneCallAsWords,
        Loss::Penalties,
        Loss::ReasoningScale,
        Loss::RefusalsAsText,
        Loss::Sampling,
        Loss::Seals,
        Loss::Seed,
        Loss::ServiceTier,
        Loss::StrictSchema,
        Loss::ToolGrammar,
        Loss::ToolPicturesMoved,
        Loss::TopK,
        Loss::User,
        Loss::Verbosity,
    ],
    refuses: &[
        Refusal::new("a text in a picture's place", "Google takes it as a document"),
        Refusal::new(
            "files in another provider's store",
            "it is in the store of another provider: send its bytes",
        ),
        Refusal::new("more than five stop sequences", "Google's models stop at five at the most"),
        Refusal::new(
            "a stop sequence of nothing",
            "Google's models cannot stop at a text of nothing",
        ),
        Refusal::new(
            "names of tools that it does not take",
            "Google's names of tools begin with a letter or an underscore and have up to 128 \
             letters, digits, underscores, dots, colons and dashes",
        ),
        Refusal::new(
            "a call that is demanded when no tool is left",
            "no tool is left that this model can be given",
        ),
        Refusal::new(
            "the choice of a tool that is not there",
            "the tool is not among those that this model can be given",
        ),
        Refusal::new(
            "results of calls that are not in the conversation",
            "its call is not in the conversation, and Google goes by the tool's name",
        ),
        Refusal::new("a conversation of nothing", "Google needs something to answer"),
        Refusal::new("an answer that is begun for newer models", "it does not go on with one"),
        Refusal::new(
            "pictures, files, calls and thoughts where they cannot stand",
            "Google has no place for it there",
        ),
    ],
    ..Bounds::NONE
};
