//! Accounts: upstream logins and what an operator set for each.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::{AccountId, GroupId};
use crate::model::{ModelMapping, ModelPattern};
use crate::money::Money;
use crate::payload::PayloadRule;
use crate::protocol::Service;
use crate::proxy::Proxy;
use crate::quota::StopAt;

/// How an account is reached. Adding a kind means adding a row here and in `relay-upstream`'s
/// table of profiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccountKind {
    /// A Claude subscription, signed in to by OAuth.
    ClaudeOauth,
    /// An API key of Anthropic or of any host that speaks Anthropic Messages.
    ClaudeApi,
    /// A ChatGPT subscription, signed in to by OAuth: the upstream of Codex.
    OpenaiOauth,
    /// An API key of OpenAI or of any host that speaks OpenAI Chat or Responses.
    OpenaiApi,
    /// A Google account, signed in to by OAuth: Code Assist, the upstream of Gemini CLI.
    GeminiOauth,
    /// An API key of Google's Gemini API.
    GeminiApi,
}

impl AccountKind {
    /// Every kind, in the order of help texts.
    pub const ALL: [Self; 6] = [
        Self::ClaudeOauth,
        Self::ClaudeApi,
        Self::OpenaiOauth,
        Self::OpenaiApi,
        Self::GeminiOauth,
        Self::GeminiApi,
    ];

    /// The word used in the database, the command line and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClaudeOauth => "claude-oauth",
            Self::ClaudeApi => "claude-api",
            Self::OpenaiOauth => "openai-oauth",
            Self::OpenaiApi => "openai-api",
            Self::GeminiOauth => "gemini-oauth",
            Self::GeminiApi => "gemini-api",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whose accounts these are.
    pub const fn service(self) -> Service {
        match self {
            Self::ClaudeOauth | Self::ClaudeApi => Service::Claude,
            Self::OpenaiOauth | Self::OpenaiApi => Service::Openai,
            Self::GeminiOauth | Self::GeminiApi => Service::Gemini,
        }
    }

    /// Whether it is signed in to, rather than given a key.
    pub const fn is_oauth(self) -> bool {
        matches!(self, Self::ClaudeOauth | Self::OpenaiOauth | Self::GeminiOauth)
    }
}

/// Which of OpenAI's two protocols an `openai-api` account is spoken to in. Other kinds speak one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaks {
    /// Either, as the client does. Clients of other families are translated to Responses at OpenAI's
    /// own host, and to Chat at any other, as every compatible host has that.
    #[default]
    Both,
    /// Chat alone: Responses is translated.
    Chat,
    /// Responses alone: Chat is translated.
    Responses,
}

/// Who may be served by an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sharing {
    /// Any key without a binding.
    #[default]
    Shared,
    /// Only keys that are bound to the account or to one of its groups.
    Reserved,
}

/// Which clients an account serves. Providers accept on some accounts only their own client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientRule {
    /// Claude Code alone, where the kind of account is for it; any on other kinds.
    #[default]
    ClaudeCode,
    /// Any client; what the provider says of it is passed on.
    Any,
}

/// Where an account is signed in to, where the operator wants others than the provider's own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OauthSettings {
    /// The page on which a person agrees.
    pub authorize_url: Option<String>,
    /// Where codes and refresh tokens are exchanged.
    pub token_url: Option<String>,
    /// Who asks.
    pub client_id: Option<String>,
    /// Where the page sends its code.
    pub redirect_url: Option<String>,
    /// What is asked for, separated by spaces.
    pub scope: Option<String>,
}

/// The header in which an API key is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyHeader {
    /// By the form of the key, as the provider's profile says.
    #[default]
    Auto,
    /// `x-api-key: KEY`.
    XApiKey,
    /// `authorization: Bearer KEY`.
    Bearer,
}

/// Deadlines of an account, where the operator wants others than the relay's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Deadlines {
    /// To the first byte of a streamed answer.
    pub first_byte: Option<Duration>,
    /// To the end of a unary answer.
    pub unary: Option<Duration>,
    /// Between two bytes of a streamed answer.
    pub idle: Option<Duration>,
}

/// A header that an operator adds to every request of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtraHeader {
    /// The header's name, in lower case.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// An account without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Identity.
    pub id: AccountId,
    /// The name an operator gave; unique.
    pub name: String,
    /// A note for people.
    pub note: String,
    /// How it is reached.
    pub kind: AccountKind,
    /// Scheme, host and optional path prefix, without a trailing slash.
    pub base_url: String,
    /// How the key is sent.
    pub key_header: KeyHeader,
    /// Which protocol it is spoken to in, where its host has two.
    pub speaks: Speaks,
    /// The Google Cloud project that calls of a `gemini-oauth` account are for; `None` is the one
    /// that the provider names at the sign-in.
    pub project: Option<String>,
    /// The operator's switch. The machine never writes it.
    pub enabled: bool,
    /// Lower goes first.
    pub priority: i32,
    /// Share of calls among accounts of one priority; at least 1.
    pub weight: u32,
    /// Calls at one time; `None` is no limit.
    pub concurrency_max: Option<u32>,
    /// Who may be served.
    pub sharing: Sharing,
    /// Models it serves; empty is all.
    pub models: Vec<ModelPattern>,
    /// Names that are sent upstream under another name.
    pub model_map: Vec<ModelMapping>,
    /// Headers added to each request.
    pub extra_headers: Vec<ExtraHeader>,
    /// What is changed in the bodies of its calls, in order.
    pub payload: Vec<PayloadRule>,
    /// The proxy that all its traffic goes through; `None` is the direct way.
    pub proxy: Option<Proxy>,
    /// Which clients it serves.
    pub clients: ClientRule,
    /// Where it is signed in to.
    pub oauth: OauthSettings,
    /// At how much of a quota window it rests.
    pub stop_at: StopAt,
    /// What its calls may cost in a day of the relay's time zone; `None` is no limit.
    pub daily_cost_max: Option<Money>,
    /// When the subscription ends: from then on it serves nobody.
    pub ends_at: Option<Timestamp>,
    /// Deadlines of its own.
    pub deadlines: Deadlines,
    /// Groups it belongs to.
    pub groups: Vec<GroupId>,
    /// When it was added.
    pub created_at: Timestamp,
}

impl Account {
    /// Whether it serves a client of this id; one that is not known has the empty id.
    pub fn serves_client(&self, client: &str) -> bool {
        match (self.kind, self.clients) {
            (AccountKind::ClaudeOauth, ClientRule::ClaudeCode) => client == "claude_code",
            _ => true,
        }
    }

    /// The name under which the upstream is asked for `model`, or `None` if the account does not
    /// serve it. A mapping serves what it maps, whatever the list of models says.
    pub fn upstream_model<'a>(&'a self, model: &'a str) -> Option<&'a str> {
        if let Some(mapping) = self.model_map.iter().find(|rule| rule.from.matches(model)) {
            return Some(&mapping.to);
        }
        let allowed = self.models.is_empty() || self.models.iter().any(|rule| rule.matches(model));
        allowed.then_some(model)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A plain, switched-on, shared account.
    pub(crate) fn account(id: i64) -> Account {
        Account {
            id: AccountId(id),
            name: format!("account {id}"),
            note: String::new(),
            kind: AccountKind::ClaudeApi,
            base_url: "http://127.0.0.1:1".into(),
            key_header: KeyHeader::Auto,
            speaks: Speaks::Both,
            project: None,
            enabled: true,
            priority: 50,
            weight: 1,
            concurrency_max: None,
            sharing: Sharing::Shared,
            models: Vec::new(),
            model_map: Vec::new(),
            extra_headers: Vec::new(),
            payload: Vec::new(),
            proxy: None,
            clients: ClientRule::ClaudeCode,
            oauth: OauthSettings::default(),
            stop_at: StopAt::default(),
            daily_cost_max: None,
            ends_at: None,
            deadlines: Deadlines::default(),
            groups: Vec::new(),
            created_at: Timestamp::from_millis(0),
        }
    }

    #[test]
    fn a_mapping_serves_what_it_maps_and_the_list_the_rest() {
        let mut account = account(1);
        assert_eq!(account.upstream_model("anything"), Some("anything"));
        account.models = vec![ModelPattern::new("claude-sonnet-*")];
        account.model_map = vec!["claude-opus-*=big-model".parse().expect("a mapping")];
        assert_eq!(account.upstream_model("claude-sonnet-4-6"), Some("claude-sonnet-4-6"));
        assert_eq!(account.upstream_model("claude-opus-4-8"), Some("big-model"));
        assert_eq!(account.upstream_model("claude-haiku-5-5"), None);
    }
}
