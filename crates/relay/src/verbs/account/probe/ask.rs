//! What an account is asked in a test, and what is heard of it.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use http::{Method, Request};
use http_body_util::Full;
use relay_core::account::{Account, AccountKind};
use relay_core::endpoint::Endpoint;
use relay_core::price::PriceList;
use relay_core::protocol::{Protocol, Service};
use relay_core::secret::Secret;
use relay_upstream::auth::authenticate;
use relay_upstream::target::target;
use relay_upstream::{headers, oauth, profile};
use serde_json::{Value, json};

use super::model::model_for;
use super::telling::{Telling, Told};
use super::{TestAsk, TestBy, Way};
use crate::call::UpstreamBody;

/// The most of an answer that is read.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// The output that is asked for.
const OUTPUT_TOKENS_MAX: u32 = 16;
/// The same if somebody else than the relay says something to the model.
const PROMPTED_TOKENS_MAX: u32 = 512;
/// What is said to the model.
const PROMPT: &str = "Say: ok";

/// What is asked.
pub(super) struct Question {
    method: Method,
    path: Cow<'static, str>,
    body: Bytes,
    /// What the body is for; none if nothing of a model's is asked for.
    endpoint: Option<Endpoint>,
    /// The model, as the account knows it.
    pub(super) model: Option<String>,
    /// The same as a stream, if it can be asked for as one.
    streamed: Option<Streamed>,
}

/// A question whose answer comes piece by piece.
struct Streamed {
    path: Cow<'static, str>,
    query: Option<&'static str>,
    body: Bytes,
}

/// An answer.
pub(super) struct Heard {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// How long its head took, the connection included if there was none.
    pub(super) head_after: Duration,
    /// What came of it as a stream; the body is empty then.
    pub(super) streamed: Option<Told>,
}

impl Question {
    /// What costs least and tells most, by the kind of the account: a Claude account is asked for a few
    /// words, as it may refuse them alone; others for what costs nothing.
    pub(super) fn of(account: &Account, how: &TestAsk, prices: &PriceList) -> Result<Self, String> {
        let wants_answer = match account.kind {
            AccountKind::ClaudeOauth | AccountKind::ClaudeApi => how.by == TestBy::Answer,
            AccountKind::OpenaiApi | AccountKind::GeminiApi => {
                how.by == TestBy::Answer && (how.model.is_some() || how.prompt.is_some())
            }
            AccountKind::OpenaiOauth | AccountKind::GeminiOauth if how.model.is_some() => {
                let why = "accounts of this kind are tested by what costs nothing: without --model";
                return Err(why.to_owned());
            }
            AccountKind::OpenaiOauth | AccountKind::GeminiOauth => false,
        };
        if wants_answer {
            return Self::words(account, how, prices).ok_or_else(|| {
                "no model that the account serves is known: name one with --model".to_owned()
            });
        }
        Ok(Self::free(account))
    }

    /// What is asked instead where the host knows no list of models; nothing if that was not asked
    /// for, or no model is known.
    pub(super) fn instead(
        &self,
        account: &Account,
        how: &TestAsk,
        prices: &PriceList,
    ) -> Option<Self> {
        let may = self.endpoint.is_none()
            && account.kind == AccountKind::OpenaiApi
            && how.by == TestBy::Answer;
        may.then(|| Self::words(account, how, prices)).flatten()
    }

    /// What the body is for.
    pub(super) const fn endpoint(&self) -> Option<Endpoint> {
        self.endpoint
    }

    /// A question that costs nothing.
    fn free(account: &Account) -> Self {
        let get = |path: &'static str| (Method::GET, path, Bytes::new());
        let (method, path, body) = match account.kind {
            AccountKind::ClaudeOauth | AccountKind::ClaudeApi | AccountKind::OpenaiApi => {
                get("/v1/models")
            }
            AccountKind::OpenaiOauth => get("/models"),
            AccountKind::GeminiApi => get("/v1beta/models"),
            AccountKind::GeminiOauth => {
                let body = json!({ "metadata": { "pluginType": "GEMINI" } }).to_string();
                (Method::POST, "/v1internal:loadCodeAssist", body.into())
            }
        };
        Self { method, path: path.into(), body, endpoint: None, model: None, streamed: None }
    }

    /// A question to a model.
    fn words(account: &Account, how: &TestAsk, prices: &PriceList) -> Option<Self> {
        let model = model_for(account, how.model.as_deref(), prices)?;
        let prompt = how.prompt.as_deref().unwrap_or(PROMPT);
        let tokens_max = if how.prompt.is_some() { PROMPTED_TOKENS_MAX } else { OUTPUT_TOKENS_MAX };
        let (endpoint, body) = asked(account, &model, (prompt, tokens_max));
        let (path, _) = profile::path(account.kind, endpoint, (&model, false));
        let (streamed_path, query) = profile::path(account.kind, endpoint, (&model, true));
        let mut streamed = body.clone();
        match endpoint.protocol() {
            // Google's address says it.
            Protocol::Gemini => {}
            Protocol::Chat => {
                streamed["stream"] = true.into();
                streamed["stream_options"] = json!({"include_usage": true});
            }
            Protocol::Messages | Protocol::Responses => streamed["stream"] = true.into(),
        }
        Some(Self {
            method: Method::POST,
            path,
            body: Bytes::from(body.to_string()),
            endpoint: Some(endpoint),
            model: Some(model),
            streamed: Some(Streamed {
                path: streamed_path,
                query,
                body: Bytes::from(streamed.to_string()),
            }),
        })
    }

    /// The relay's own request under its own name: it never pretends to be another client.
    fn request(&self, way: Way<'_>, secret: &Secret) -> Result<Request<Full<Bytes>>, String> {
        let account = way.account;
        let streamed = self.streamed.as_ref().filter(|_| way.pieces.is_some());
        let (path, query, body) = match streamed {
            Some(streamed) => (&streamed.path, streamed.query, &streamed.body),
            None => (&self.path, None, &self.body),
        };
        let address = target(&account.base_url, path, query);
        let address = address.map_err(|_| "the base URL makes no address")?;
        let mut headers =
            headers::request(account.kind.service(), &HeaderMap::new(), &account.extra_headers);
        headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(oauth::USER_AGENT));
        if self.method == Method::POST {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        authenticate(&mut headers, (account, way.identity), secret)
            .map_err(|error| error.to_string())?;
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = address;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

/// What is asked of a model in the words of the account's protocol.
fn asked(account: &Account, model: &str, (prompt, tokens_max): (&str, u32)) -> (Endpoint, Value) {
    let messages = [json!({"role": "user", "content": prompt})];
    match account.kind.service() {
        Service::Claude => (
            Endpoint::Messages,
            json!({"model": model, "max_tokens": tokens_max, "messages": messages}),
        ),
        Service::Openai if profile::has(account, Endpoint::Chat) => {
            // Newer models of OpenAI's own refuse the field that every other host knows.
            let is_own = account.base_url == profile::profile(account.kind).default_base_url;
            let limit = if is_own { "max_completion_tokens" } else { "max_tokens" };
            (Endpoint::Chat, json!({"model": model, limit: tokens_max, "messages": messages}))
        }
        Service::Openai => (
            Endpoint::Responses,
            json!({"model": model, "input": prompt, "max_output_tokens": tokens_max,
                   "store": false}),
        ),
        Service::Gemini => (
            Endpoint::Generate,
            json!({"contents": [{"role": "user", "parts": [{"text": prompt}]}],
                   "generationConfig": {"maxOutputTokens": tokens_max}}),
        ),
    }
}

/// Asks, and reads the whole answer. The caller sets the deadline.
pub(super) async fn send(
    way: Way<'_>,
    question: &Question,
    secret: &Secret,
    begun: Instant,
) -> Result<Heard, String> {
    let request = question.request(way, secret)?;
    let answer = way.client.send(request).await.map_err(|fault| fault.to_string())?;
    let head_after = begun.elapsed();
    let (head, incoming) = answer.into_parts();
    let mut body =
        UpstreamBody::new(&head.headers, incoming).map_err(|packing| packing.to_string())?;
    let is_stream = |value: &HeaderValue| value.as_bytes().starts_with(b"text/event-stream");
    let mut telling = match (way.pieces, question.endpoint) {
        (Some(pieces), Some(endpoint))
            if head.status.is_success()
                && head.headers.get(CONTENT_TYPE).is_some_and(is_stream) =>
        {
            Some(Telling::new(endpoint.protocol(), secret, pieces))
        }
        _ => None,
    };
    let (mut whole, mut bytes) = (BytesMut::new(), 0);
    while let Some(chunk) = body.chunk().await {
        let chunk = chunk.map_err(|fault| fault.to_string())?;
        bytes += chunk.len();
        match &mut telling {
            Some(telling) => {
                if telling.hears(chunk) {
                    break;
                }
            }
            None => whole.extend_from_slice(&chunk),
        }
        if bytes > ANSWER_BYTES_MAX {
            break;
        }
    }
    let (status, body) = (head.status.as_u16(), whole.freeze());
    let streamed = telling.map(Telling::told);
    Ok(Heard { status, headers: head.headers, body, head_after, streamed })
}
