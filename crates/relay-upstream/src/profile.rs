//! One row for each kind of account: where it is, how it proves who it is, and what it can be asked.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use relay_core::account::{Account, AccountKind, Speaks};
use relay_core::endpoint::Endpoint;

/// How a request is authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// An API key, in the header that its form or the account says.
    AnthropicKey,
    /// The access token of a Claude subscription.
    ClaudeOauth,
    /// An API key as a bearer token.
    Bearer,
    /// The access token of a ChatGPT subscription, and the id of its account.
    ChatGpt,
    /// An API key in Google's own header.
    GoogleKey,
}

/// What is fixed for a kind of account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// How a request is authenticated.
    pub auth: Auth,
    /// Where it is unless the account says otherwise.
    pub default_base_url: &'static str,
}

/// Where OpenAI's own API is: other hosts mostly have Chat alone.
const OPENAI: &str = "https://api.openai.com";

/// The profile of a kind.
pub const fn profile(kind: AccountKind) -> Profile {
    let (auth, default_base_url) = match kind {
        AccountKind::ClaudeOauth => (Auth::ClaudeOauth, "https://api.anthropic.com"),
        AccountKind::ClaudeApi => (Auth::AnthropicKey, "https://api.anthropic.com"),
        AccountKind::OpenaiOauth => (Auth::ChatGpt, "https://chatgpt.com/backend-api/codex"),
        AccountKind::OpenaiApi => (Auth::Bearer, OPENAI),
        AccountKind::GeminiOauth => (Auth::Bearer, "https://cloudcode-pa.googleapis.com"),
        AccountKind::GeminiApi => (Auth::GoogleKey, "https://generativelanguage.googleapis.com"),
    };
    Profile { auth, default_base_url }
}

/// Whether an account can be asked this as it is, without translation.
pub fn has(account: &Account, endpoint: Endpoint) -> bool {
    use Endpoint as E;
    match account.kind {
        AccountKind::ClaudeOauth | AccountKind::ClaudeApi => {
            matches!(endpoint, E::Messages | E::CountTokens)
        }
        AccountKind::OpenaiOauth => matches!(endpoint, E::Responses | E::Compact),
        AccountKind::OpenaiApi => match endpoint {
            E::Chat | E::Completions => account.speaks != Speaks::Responses,
            E::Responses | E::Compact | E::CountInput => account.speaks != Speaks::Chat,
            E::Embeddings | E::Images => true,
            _ => false,
        },
        AccountKind::GeminiOauth => matches!(endpoint, E::Generate | E::CountContents),
        AccountKind::GeminiApi => {
            matches!(endpoint, E::Generate | E::CountContents | E::Embed | E::EmbedBatch)
        }
    }
}

/// What an account is asked for a client that asks for `endpoint`: the same, or what it is
/// translated to; `None` if the account cannot serve it.
pub fn asked(account: &Account, endpoint: Endpoint) -> Option<Endpoint> {
    if has(account, endpoint) {
        return Some(endpoint);
    }
    let both = account.kind == AccountKind::OpenaiApi && account.speaks == Speaks::Both;
    let chat_alone = both && account.base_url != OPENAI;
    let is_meant = |target: Endpoint| match target {
        Endpoint::Responses | Endpoint::CountInput => !chat_alone,
        Endpoint::Chat => !both || chat_alone,
        _ => true,
    };
    let mut targets = endpoint.translations().iter().copied();
    targets.find(|target| has(account, *target) && is_meant(*target))
}

/// Whether an account answers this endpoint with streams alone.
pub fn only_streams(kind: AccountKind, endpoint: Endpoint) -> bool {
    kind == AccountKind::OpenaiOauth && endpoint == Endpoint::Responses
}

/// What a segment of a path may have as it is, beside letters and digits.
const SEGMENT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');

/// The path of an endpoint under an account's base URL, and the query that belongs to it.
pub fn path(
    kind: AccountKind,
    endpoint: Endpoint,
    (model, streamed): (&str, bool),
) -> (Cow<'static, str>, Option<&'static str>) {
    let fixed = match (kind, endpoint) {
        (_, Endpoint::Messages) => "/v1/messages",
        (_, Endpoint::CountTokens) => "/v1/messages/count_tokens",
        (_, Endpoint::Chat) => "/v1/chat/completions",
        (_, Endpoint::Completions) => "/v1/completions",
        (_, Endpoint::Embeddings) => "/v1/embeddings",
        (_, Endpoint::Images) => "/v1/images/generations",
        (AccountKind::OpenaiOauth, Endpoint::Responses) => "/responses",
        (AccountKind::OpenaiOauth, Endpoint::Compact) => "/responses/compact",
        (_, Endpoint::Responses) => "/v1/responses",
        (_, Endpoint::Compact) => "/v1/responses/compact",
        (_, Endpoint::CountInput) => "/v1/responses/input_tokens",
        (
            _,
            Endpoint::Generate | Endpoint::CountContents | Endpoint::Embed | Endpoint::EmbedBatch,
        ) => {
            return google_path(kind, endpoint, (model, streamed));
        }
    };
    (Cow::Borrowed(fixed), None)
}

/// Google names the model and the method in the path; Code Assist the method alone.
fn google_path(
    kind: AccountKind,
    endpoint: Endpoint,
    (model, streamed): (&str, bool),
) -> (Cow<'static, str>, Option<&'static str>) {
    let (method, query) = match endpoint {
        Endpoint::CountContents => ("countTokens", None),
        Endpoint::Embed => ("embedContent", None),
        Endpoint::EmbedBatch => ("batchEmbedContents", None),
        _ if streamed => ("streamGenerateContent", Some("alt=sse")),
        _ => ("generateContent", None),
    };
    let path = if kind == AccountKind::GeminiOauth {
        format!("/v1internal:{method}")
    } else {
        let model = model.strip_prefix("models/").unwrap_or(model);
        format!("/v1beta/models/{}:{method}", utf8_percent_encode(model, SEGMENT))
    };
    (Cow::Owned(path), query)
}
