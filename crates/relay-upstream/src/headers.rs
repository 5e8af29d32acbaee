//! Which headers pass, in either direction. Whatever is not listed stays where it came from:
//! a client's credential never travels upstream, a provider's cookie never down.

use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use relay_core::account::ExtraHeader;
use relay_core::protocol::Service;

/// Names and beginnings of names that pass.
struct Allowed {
    names: &'static [&'static str],
    beginnings: &'static [&'static str],
}

impl Allowed {
    fn passes(&self, name: &HeaderName) -> bool {
        let name = name.as_str();
        self.names.contains(&name) || self.beginnings.iter().any(|start| name.starts_with(start))
    }
}

/// What clients of Anthropic Messages send, Claude Code's own headers among them.
const MESSAGES_REQUEST: Allowed = Allowed {
    names: &[
        "accept",
        "accept-language",
        "anthropic-beta",
        "anthropic-dangerous-direct-browser-access",
        "anthropic-version",
        "content-type",
        "traceparent",
        "user-agent",
        "x-app",
    ],
    beginnings: &["x-stainless-", "x-claude-code-"],
};

/// What clients of OpenAI's APIs send, Codex's own headers among them. Not `openai-organization`
/// and `openai-project`, which say whose the client's own key is, and not `chatgpt-account-id`.
const OPENAI_REQUEST: Allowed = Allowed {
    names: &[
        "accept",
        "accept-language",
        "content-type",
        "conversation_id",
        "idempotency-key",
        "openai-beta",
        "originator",
        "session-id",
        "session_id",
        "thread-id",
        "traceparent",
        "user-agent",
        "version",
        "x-client-request-id",
        "x-openai-subagent",
    ],
    beginnings: &["x-codex-", "x-stainless-"],
};

/// What clients of Google's APIs send. Not `x-goog-user-project`, which says who pays, and not
/// `x-goog-request-params`, which may name it.
const GOOGLE_REQUEST: Allowed = Allowed {
    names: &[
        "accept",
        "accept-language",
        "content-type",
        "traceparent",
        "user-agent",
        "x-goog-api-client",
        "x-server-timeout",
    ],
    beginnings: &["x-gemini-"],
};

const MESSAGES_RESPONSE: Allowed = Allowed {
    names: &["content-type", "request-id", "retry-after", "x-should-retry"],
    beginnings: &[],
};

/// Not `openai-organization` and `openai-project`: they name the account.
const OPENAI_RESPONSE: Allowed = Allowed {
    names: &[
        "content-type",
        "openai-model",
        "openai-processing-ms",
        "openai-version",
        "retry-after",
        "retry-after-ms",
        "x-models-etag",
        "x-oai-request-id",
        "x-reasoning-included",
        "x-request-id",
        "x-should-retry",
    ],
    beginnings: &[],
};

const GOOGLE_RESPONSE: Allowed =
    Allowed { names: &["content-type", "retry-after", "x-gemini-service-tier"], beginnings: &[] };

/// What passes of a provider's requests and answers, and how the headers begin that tell of the
/// account's limits.
const fn lists(provider: Service) -> (&'static Allowed, &'static Allowed, &'static [&'static str]) {
    match provider {
        Service::Claude => (&MESSAGES_REQUEST, &MESSAGES_RESPONSE, &["anthropic-ratelimit-"]),
        Service::Openai => (&OPENAI_REQUEST, &OPENAI_RESPONSE, &["x-ratelimit-", "x-codex-"]),
        Service::Gemini => (&GOOGLE_REQUEST, &GOOGLE_RESPONSE, &[]),
    }
}

/// The version that is sent for a client that names none.
const ANTHROPIC_VERSION: (&str, &str) = ("anthropic-version", "2023-06-01");

/// The headers that go upstream: the client's that pass, what the protocol needs, and the
/// account's own. Compression is declined, so that what is metered is what is passed on.
///
/// What passes goes by the provider that is asked, so that of a client of another family nothing
/// of its own protocol is sent.
pub fn request(provider: Service, client: &HeaderMap, extra: &[ExtraHeader]) -> HeaderMap {
    let (allowed, _, _) = lists(provider);
    let mut headers = HeaderMap::with_capacity(client.len() + extra.len() + 4);
    for (name, value) in client {
        if allowed.passes(name) {
            headers.append(name.clone(), value.clone());
        }
    }
    if provider == Service::Claude {
        headers
            .entry(HeaderName::from_static(ANTHROPIC_VERSION.0))
            .or_insert(HeaderValue::from_static(ANTHROPIC_VERSION.1));
    }
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    for header in extra {
        if let (Ok(name), Ok(value)) =
            (HeaderName::try_from(&header.name), HeaderValue::try_from(&header.value))
        {
            headers.insert(name, value);
        }
    }
    headers
}

/// Who may see the headers that describe the account's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitHeaders {
    /// The key is bound to the account: they are its own limits.
    Pass,
    /// The account is shared.
    Withhold,
}

/// The headers of an upstream's answer that go to the client. Nothing that names the account is
/// among them, for whomever they are.
pub fn response(provider: Service, upstream: &HeaderMap, limits: LimitHeaders) -> HeaderMap {
    let (_, allowed, limited) = lists(provider);
    let tells_limit = |name: &str| {
        let is_limit = limited.iter().any(|start| name.starts_with(start));
        is_limit && limits == LimitHeaders::Pass && !name.ends_with("-id")
    };
    let mut headers = HeaderMap::with_capacity(8);
    for (name, value) in upstream {
        if allowed.passes(name) || tells_limit(name.as_str()) {
            headers.append(name.clone(), value.clone());
        }
    }
    headers.remove(CONTENT_LENGTH);
    headers
}

/// Whether an operator may set this header for an account: not what the relay itself decides.
pub fn may_be_extra(name: &HeaderName) -> bool {
    const OWN: [&str; 14] = [
        "accept-encoding",
        "authorization",
        "chatgpt-account-id",
        "connection",
        "content-encoding",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "te",
        "transfer-encoding",
        "upgrade",
        "x-api-key",
        "x-goog-api-key",
    ];
    !OWN.contains(&name.as_str())
}

#[cfg(test)]
mod tests;
