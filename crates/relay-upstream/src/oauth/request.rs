//! The relay's own requests: built, sent within a deadline, and their answers read up to a limit.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use percent_encoding::utf8_percent_encode;
use relay_core::clock::Timestamp;
use relay_core::protocol::Service;
use relay_core::secret::Secret;
use serde_json::Value;

use super::authorize::RESERVED;
use super::{Holder, OAUTH_BETA};
use crate::client::{Client, ConnectionFault};
use crate::reset;

/// The most of an answer that is read, in bytes.
pub const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// How long sending a request and reading its whole answer may take.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// The longest that a provider's `retry-after` is heeded for.
pub const RETRY_AFTER_MAX: Duration = Duration::from_hours(1);
/// What the relay calls itself in requests of its own.
pub const USER_AGENT: &str = concat!("crs/", env!("CARGO_PKG_VERSION"));

/// The most of a provider's own words that is kept, in characters.
const SAID_CHARACTERS_MAX: usize = 300;

/// An answer, with as much of its body as could be had.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// The body; an error says why it could not be read to its end.
    pub(super) body: Result<Bytes, &'static str>,
}

/// What befell a request that has no answer.
pub(super) enum Unanswered {
    /// It was surely not sent.
    NotSent(ConnectionFault),
    /// It may have been.
    Lost(String),
}

/// A request with a JSON body.
pub(super) fn post(url: &str, body: &Value) -> Result<Request<Full<Bytes>>, Unanswered> {
    let request = plain(Method::POST, url).header(CONTENT_TYPE, "application/json");
    request.body(Full::from(body.to_string())).map_err(|_| unusable())
}

/// A request with the fields of a form.
pub(super) fn post_form(
    url: &str,
    fields: &[(&str, &str)],
) -> Result<Request<Full<Bytes>>, Unanswered> {
    let field =
        |(name, value): &(&str, &str)| format!("{name}={}", utf8_percent_encode(value, RESERVED));
    let body = fields.iter().map(field).collect::<Vec<_>>().join("&");
    let request =
        plain(Method::POST, url).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    request.body(Full::from(body)).map_err(|_| unusable())
}

/// A question about the holder of an access token; `body` makes it a POST.
pub(super) fn question(
    url: &str,
    holder: &Holder<'_>,
    body: Option<&Value>,
) -> Result<Request<Full<Bytes>>, Unanswered> {
    let bearer = sendable(&format!("Bearer {}", holder.access.expose()))?;
    let request = match body {
        None => plain(Method::GET, url),
        Some(_) => plain(Method::POST, url).header(CONTENT_TYPE, "application/json"),
    };
    let mut request = request.header(AUTHORIZATION, bearer);
    match holder.kind.service() {
        Service::Claude => request = request.header("anthropic-beta", OAUTH_BETA),
        Service::Openai if !holder.account.is_empty() => {
            request = request.header("chatgpt-account-id", sendable(holder.account)?);
        }
        Service::Openai | Service::Gemini => {}
    }
    let body = body.map_or_else(Full::default, |body| Full::from(body.to_string()));
    request.body(body).map_err(|_| unusable())
}

fn sendable(text: &str) -> Result<HeaderValue, Unanswered> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        Unanswered::NotSent(ConnectionFault::Connect("the token fits in no header".into()))
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Sends a request and reads its answer.
pub(super) async fn send(
    client: &Client,
    request: Request<Full<Bytes>>,
) -> Result<Answer, Unanswered> {
    let answering = async {
        let answer = client.send(request).await.map_err(judge)?;
        let (head, body) = answer.into_parts();
        let body = match Limited::new(body, ANSWER_BYTES_MAX).collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => Err("it is too long"),
            Err(_) => Err("it broke off"),
        };
        Ok(Answer { status: head.status, headers: head.headers, body })
    };
    match tokio::time::timeout(ANSWER_WITHIN, answering).await {
        Ok(answer) => answer,
        Err(_) => Err(Unanswered::Lost(format!("none within {} s", ANSWER_WITHIN.as_secs()))),
    }
}

/// When the provider wants to be asked again.
pub(super) fn retry_at(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    reset::retry_after(headers, now).map(|at| at.min(now.plus(RETRY_AFTER_MAX)))
}

/// What a provider says of a refusal: the code of OAuth, if it is one, and its words.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// `error` of RFC 6749, `error.code` of OpenAI's own errors, `error.type` of Anthropic's or
    /// `error.status` of Google's.
    pub(super) code: String,
    /// Code and words, at most 300 characters, without secrets.
    pub(super) text: String,
}

/// Reads a refusal in any of its forms: `{"error", "error_description"}` of OAuth,
/// `{"error": {"type", "message"}}` of Anthropic's API, with a `code` beside of OpenAI's, with a
/// `status` of Google's. Anything else, such as the page of a gate, says nothing.
pub(super) fn said(body: &[u8], secrets: &[&Secret]) -> Said {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return Said::default() };
    let word = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or("").to_owned();
    let error = body.get("error");
    let (code, words) = match error {
        Some(Value::String(code)) => (code.clone(), word(body.get("error_description"))),
        Some(Value::Object(error)) => {
            let mut codes =
                ["code", "type", "status"].map(|name| word(error.get(name))).into_iter();
            (codes.find(|code| !code.is_empty()).unwrap_or_default(), word(error.get("message")))
        }
        _ => (String::new(), word(body.get("message"))),
    };
    let text = match (code.is_empty(), words.is_empty()) {
        (false, false) => format!("{code}: {words}"),
        (false, true) => code.clone(),
        (true, _) => words,
    };
    Said { code, text: told(&text, secrets) }
}

/// A stranger's text, fit to be shown: without the secrets, on one line, bounded.
pub(super) fn told(text: &str, secrets: &[&Secret]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().map(|secret| secret.expose()).filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, "…");
    }
    let line: String = text
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .take(SAID_CHARACTERS_MAX)
        .collect();
    line.trim().to_owned()
}

fn plain(method: Method, url: &str) -> http::request::Builder {
    Request::builder()
        .method(method)
        .uri(url)
        .header(header::USER_AGENT, USER_AGENT)
        .header(ACCEPT, "application/json")
        .header(ACCEPT_ENCODING, "identity")
}

/// The address may hold credentials: it is not repeated.
fn unusable() -> Unanswered {
    Unanswered::NotSent(ConnectionFault::Connect("the address is not one".into()))
}

/// A connection that broke may have broken after the request; every other fault comes before it.
fn judge(fault: ConnectionFault) -> Unanswered {
    match fault {
        ConnectionFault::Broken(why) => Unanswered::Lost(why),
        before @ (ConnectionFault::Connect(_)
        | ConnectionFault::ConnectTimeout
        | ConnectionFault::ProxyUnreachable(_)
        | ConnectionFault::ProxyLoginRefused
        | ConnectionFault::ProxyRefused(_)
        | ConnectionFault::ProxyTimeout) => Unanswered::NotSent(before),
    }
}
