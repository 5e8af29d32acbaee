//! What is lost on the way between two protocols, by name: the documented table is made from it.

use std::collections::BTreeSet;

/// Something that a target has no place for and that a call does without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Loss {
    /// Marks of what is to be cached; the target caches by itself, or not.
    CacheMarks,
    /// A thought's sealed form, which only its own provider opens.
    Seals,
    /// The sealed thought that came with a call of a tool, where the client has no place for it.
    CallSeals,
    /// What was thought in earlier turns.
    EarlierThoughts,
    /// The words by which a model declined stand as plain text.
    RefusalsAsText,
    /// Instructions after the beginning are said by the user.
    LateInstructions,
    /// Instructions of the developer are told as the system's.
    DeveloperAsSystem,
    /// How closely a picture is looked at.
    ImageDetail,
    /// The name of a document.
    DocumentName,
    /// The name of a document that lies in the provider's store.
    StoredName,
    /// That a document is to be quoted; quotations come without their places.
    Citations,
    /// Tools that the other provider runs by itself, such as its search of the web.
    HostedTools,
    /// The grammar of a tool that takes text: it is described, not enforced.
    ToolGrammar,
    /// That arguments, or an answer, must follow their schema to the letter.
    StrictSchema,
    /// The form of the answer is asked for in words, not enforced.
    FormatAsWords,
    /// Penalties on words that came before.
    Penalties,
    /// The seed.
    Seed,
    /// `top_k`.
    TopK,
    /// The temperature, or `top_p`, where the target takes but one of them or none.
    Sampling,
    /// The limit of the output, where the target takes none, or none so small.
    OutputLimit,
    /// The budget of thinking in tokens becomes a word, or a word becomes a budget.
    ReasoningScale,
    /// The budget of thinking in tokens becomes a word.
    ThinkingBudget,
    /// How wordy the answer is to be.
    Verbosity,
    /// Who the end user is.
    User,
    /// What the client finds the provider's cache by.
    CacheKey,
    /// The service tier.
    ServiceTier,
    /// Whether a tool failed is said in words.
    ToolFailureAsWords,
    /// Pictures in what a tool gave are said by the user behind it.
    ToolPicturesMoved,
    /// Which text ended the answer.
    StopSequenceName,
    /// Whether the provider stores the answer: it does not.
    Storage,
    /// Notes of the client about itself.
    Metadata,
    /// The names of several who speak in one role.
    SpeakerNames,
    /// That thoughts are shown: they are, where the provider shows them unasked.
    ShownThoughts,
    /// Calls of tools that the client's old form of an answer has no room for.
    FurtherCalls,
    /// The provider's own trimming of long conversations.
    ContextEdits,
    /// Hints on tools: examples, when they are loaded, how early their arguments are streamed.
    ToolHints,
    /// That a tool must be called is asked for in words, not enforced.
    ForcedTools,
    /// Arguments of earlier calls that are no JSON object are quoted within one.
    ArgumentsQuoted,
    /// That tools are called one at a time is asked for in words, not enforced.
    OneCallAsWords,
}

/// What is lost of one request or answer.
pub type Losses = BTreeSet<Loss>;

impl Loss {
    /// What it is, for the table in the documents.
    pub const fn words(self) -> &'static str {
        match self {
            Self::CacheMarks => "marks of what is to be cached",
            Self::Seals => "the sealed form of thoughts, which only its own provider opens",
            Self::CallSeals => "the sealed thought of a call",
            Self::EarlierThoughts => "what was thought in earlier turns",
            Self::RefusalsAsText => "refusals stand as plain text",
            Self::LateInstructions => "instructions after the beginning are said by the user",
            Self::DeveloperAsSystem => "the developer's instructions count as the system's",
            Self::ImageDetail => "how closely a picture is looked at",
            Self::DocumentName => "names of documents",
            Self::StoredName => "names of documents in the provider's store",
            Self::Citations => "the places of quotations",
            Self::HostedTools => "tools that the other provider runs by itself",
            Self::ToolGrammar => "grammars of tools are described, not enforced",
            Self::StrictSchema => "`strict` of tools and schemas",
            Self::FormatAsWords => "the form of the answer is asked for in words",
            Self::Penalties => "presence and frequency penalties",
            Self::Seed => "the seed",
            Self::TopK => "`top_k`",
            Self::Sampling => "temperature or `top_p`, where the target takes but one or none",
            Self::OutputLimit => {
                "the limit of the output, where the target takes none or none so small"
            }
            Self::ReasoningScale => "the exact measure of thinking",
            Self::ThinkingBudget => "budgets of thinking in tokens become a word",
            Self::Verbosity => "verbosity",
            Self::User => "the end user's name",
            Self::CacheKey => "the client's key of the cache",
            Self::ServiceTier => "the service tier",
            Self::ToolFailureAsWords => "that a tool failed is said in words",
            Self::ToolPicturesMoved => "pictures from tools are shown by the user",
            Self::StopSequenceName => "which text ended the answer",
            Self::Storage => "storing of answers: nothing is stored",
            Self::Metadata => "notes of the client about itself",
            Self::SpeakerNames => "names of speakers of one role",
            Self::FurtherCalls => "calls that the client's form of an answer has no room for",
            Self::ShownThoughts => "that thoughts are shown: that is up to the provider",
            Self::ContextEdits => "the provider's own trimming of long conversations",
            Self::ToolHints => "hints on tools: examples, deferred loading, eager streaming",
            Self::ForcedTools => "that a tool must be called is asked for in words",
            Self::ArgumentsQuoted => "arguments that are no JSON object are quoted within one",
            Self::OneCallAsWords => "that tools are called one at a time is asked for in words",
        }
    }
}
