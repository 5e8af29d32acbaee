//! Every family of clients on every kind of account: what goes there, what comes back, what is
//! recorded.

pub(crate) mod failover;
mod refusals;
mod socket;
mod streams;
mod unchanged;
mod usage;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::USER_AGENT;
use relay_core::account::{AccountKind, OauthSettings, Speaks};
use relay_core::clock::{Clock, ManualClock};
use relay_core::credential::{Credential, Identity};
use relay_core::secret::Secret;
use relay_store::accounts::NewAccount;
use relay_store::keys::KeyChange;
use relay_testkit::{
    Client, FakeProvider, Incoming, Realm, Received, SeenRequest, chat_body, code_assist_body,
    gemini_body, messages_body, responses_body,
};
use serde_json::Value;

use crate::kit::{START, TestRelay};
use crate::oauth::{CLAUDE_CODE, tokens};

const HOUR: Duration = Duration::from_hours(1);

/// A kind of account, with the protocol that it is spoken to in where it has two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Upstream {
    ClaudeApi,
    ClaudeOauth,
    /// An `openai-api` account that is spoken to as clients speak.
    Openai,
    /// One that has Responses alone.
    OpenaiResponses,
    /// One that has Chat alone.
    OpenaiChat,
    ChatGpt,
    Gemini,
    CodeAssist,
}

impl Upstream {
    pub(crate) const ALL: [Self; 8] = [
        Self::ClaudeApi,
        Self::ClaudeOauth,
        Self::Openai,
        Self::OpenaiResponses,
        Self::OpenaiChat,
        Self::ChatGpt,
        Self::Gemini,
        Self::CodeAssist,
    ];

    pub(crate) const fn kind(self) -> AccountKind {
        match self {
            Self::ClaudeApi => AccountKind::ClaudeApi,
            Self::ClaudeOauth => AccountKind::ClaudeOauth,
            Self::Openai | Self::OpenaiResponses | Self::OpenaiChat => AccountKind::OpenaiApi,
            Self::ChatGpt => AccountKind::OpenaiOauth,
            Self::Gemini => AccountKind::GeminiApi,
            Self::CodeAssist => AccountKind::GeminiOauth,
        }
    }

    /// A model that such accounts have.
    pub(crate) const fn model(self) -> &'static str {
        match self {
            Self::ClaudeApi | Self::ClaudeOauth => "claude-sonnet-4-6",
            Self::Openai | Self::OpenaiResponses | Self::OpenaiChat | Self::ChatGpt => "gpt-5.1",
            Self::Gemini | Self::CodeAssist => "gemini-2.5-pro",
        }
    }

    /// An account of this kind at a fake provider.
    pub(crate) fn account(self, name: &str, provider: &FakeProvider) -> NewAccount {
        let kind = self.kind();
        let base = match self {
            Self::ChatGpt => format!("{}/backend-api/codex", provider.base_url()),
            _ => provider.base_url(),
        };
        let realm = match self {
            Self::ClaudeOauth => Some(Realm::Claude),
            Self::ChatGpt => Some(Realm::ChatGpt),
            Self::CodeAssist => Some(Realm::Google),
            _ => None,
        };
        let mut new = match realm {
            None => {
                let secret = Secret::new(format!("upstream-{name}"));
                NewAccount::new(name, kind, &base, secret)
            }
            Some(realm) => {
                let issued = provider.issues_in(realm, name, HOUR);
                let credential = Credential::Tokens(tokens(&issued, START));
                let token_url = Some(provider.token_url_in(realm));
                NewAccount {
                    oauth: OauthSettings { token_url, ..OauthSettings::default() },
                    identity: Some(Identity {
                        account: format!("account-{name}"),
                        ..Identity::default()
                    }),
                    ..NewAccount::signed_in(name, kind, &base, credential)
                }
            }
        };
        new.speaks = match self {
            Self::OpenaiResponses => Speaks::Responses,
            Self::OpenaiChat => Speaks::Chat,
            _ => Speaks::Both,
        };
        if self == Self::CodeAssist {
            new.project = Some(format!("project-{name}"));
        }
        new
    }
}

/// A protocol that clients speak, and how they ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spoken {
    Messages,
    Chat,
    Responses,
    Gemini,
    CodeAssist,
}

impl Spoken {
    pub(crate) const ALL: [Self; 5] =
        [Self::Messages, Self::Chat, Self::Responses, Self::Gemini, Self::CodeAssist];

    /// Whether the relay serves it on such an account, in this version.
    pub(crate) const fn is_served_by(self, upstream: Upstream) -> bool {
        let is_google = matches!(upstream, Upstream::Gemini | Upstream::CodeAssist);
        match self {
            Self::Messages | Self::Chat | Self::Responses => true,
            Self::Gemini | Self::CodeAssist => is_google,
        }
    }

    /// Asks for this text with a client that speaks so.
    pub(crate) async fn ask(self, client: &Client, text: &str, streamed: bool) -> Received {
        let (path, body) = self.request(text, streamed);
        client.post(&path, &[], body).await
    }

    /// The same as a stream, whose answer is read piece by piece.
    pub(crate) async fn open(self, client: &Client, text: &str) -> Incoming {
        let (path, body) = self.request(text, true);
        client.stream(&path, &[], body).await
    }

    /// Where and how such a client asks for this text.
    pub(crate) fn request(self, text: &str, streamed: bool) -> (String, Bytes) {
        let model = ASKED;
        let method = if streamed { "streamGenerateContent?alt=sse" } else { "generateContent" };
        match self {
            Self::Messages => {
                let body = messages_body(model, text).stream(streamed);
                ("/api/v1/messages".to_owned(), body.into())
            }
            Self::Chat => {
                let body = chat_body(model, text).stream(streamed);
                let body = if streamed { body.include_usage() } else { body };
                ("/openai/v1/chat/completions".to_owned(), body.into())
            }
            Self::Responses => {
                let body = responses_body(model, text).stream(streamed);
                ("/openai/responses".to_owned(), body.into())
            }
            Self::Gemini => {
                (format!("/gemini/v1beta/models/{model}:{method}"), gemini_body(text).into())
            }
            Self::CodeAssist => {
                let body = code_assist_body(model, "theirs", text);
                (format!("/gemini/v1internal:{method}"), body.into())
            }
        }
    }

    /// How often a stream tells such a client that it is whole, and whether it does so last.
    pub(crate) fn endings(self, answer: &Received) -> (usize, bool) {
        let events = answer.events();
        let ends = |data: &str| match self {
            Self::Messages => data.contains(r#""type":"message_stop""#),
            Self::Chat => data == "[DONE]",
            Self::Responses => data.contains(r#""type":"response.completed""#),
            Self::Gemini | Self::CodeAssist => data.contains(r#""finishReason":"STOP""#),
        };
        let count = events.iter().filter(|event| ends(&event.data)).count();
        (count, events.last().is_some_and(|event| ends(&event.data)))
    }
}

/// The model that clients ask for; an alias of the key says what it stands for.
pub(crate) const ASKED: &str = "the-model";

/// Clients and accounts that between them take every way there is: each protocol as it is, and told
/// in another.
pub(crate) const PAIRS: [(Spoken, Upstream); 12] = [
    (Spoken::Messages, Upstream::ClaudeApi),
    (Spoken::Chat, Upstream::Openai),
    (Spoken::Responses, Upstream::Openai),
    (Spoken::Responses, Upstream::ChatGpt),
    (Spoken::Gemini, Upstream::Gemini),
    (Spoken::CodeAssist, Upstream::CodeAssist),
    (Spoken::Gemini, Upstream::CodeAssist),
    (Spoken::CodeAssist, Upstream::Gemini),
    (Spoken::Messages, Upstream::OpenaiResponses),
    (Spoken::Chat, Upstream::ClaudeApi),
    (Spoken::Responses, Upstream::ClaudeApi),
    (Spoken::Chat, Upstream::Gemini),
];

/// Whether a call was sent with the credential of the account of that name.
pub(crate) fn is_of(seen: &SeenRequest, name: &str) -> bool {
    seen.is_call() && account_of(seen) == name
}

/// The account of each call that was sent, in order.
pub(crate) fn asked(provider: &FakeProvider) -> Vec<String> {
    let calls = provider.requests().into_iter().filter(SeenRequest::is_call);
    calls.map(|seen| account_of(&seen)).collect()
}

fn account_of(seen: &SeenRequest) -> String {
    if seen.owner.is_empty() {
        return seen.api_key.trim_start_matches("upstream-").to_owned();
    }
    seen.owner.clone()
}

/// A relay with these accounts, whose key leads every client to them.
pub(crate) async fn relay(
    provider: &FakeProvider,
    upstream: Upstream,
    names: &[&str],
    settings: &[(&str, &str)],
) -> TestRelay {
    provider.tells_time_by(Arc::new(ManualClock::new(START)));
    let accounts = names.iter().map(|name| upstream.account(name, provider));
    let mut relay = TestRelay::start(accounts, settings).await;
    provider.tells_time_by(Arc::clone(&relay.clock) as Arc<dyn Clock>);
    let alias = serde_json::json!({"aliases": [{"from": ASKED, "to": upstream.model()}]});
    let rules = alias.as_object().expect("an object").clone();
    let (id, secret) = relay.add_secret("families").await;
    relay.change_key(id, KeyChange { rules: Some(rules), ..KeyChange::default() }).await;
    relay.client =
        Client::new(&relay.base_url).openai(&secret).header(USER_AGENT.as_str(), CLAUDE_CODE);
    relay
}

/// Changes the key of [`relay`]; what changed holds at once.
pub(crate) async fn change(relay: &TestRelay, change: KeyChange) {
    let stored = relay.app.store.find_key("families").await.expect("a query");
    relay.change_key(stored.expect("the key").key.id, change).await;
}

/// Other rules beside those that the key has.
pub(crate) fn rules(patch: &Value) -> KeyChange {
    KeyChange { rules: patch.as_object().cloned(), ..KeyChange::default() }
}

/// Other limits beside those that the key has.
pub(crate) fn limits(patch: &Value) -> KeyChange {
    KeyChange { limits: patch.as_object().cloned(), ..KeyChange::default() }
}
