//! What an account is asked in a test, and what is heard of it.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use http::{Method, Request};
use http_body_util::Full;
use relay_core::account::Account;
use relay_core::price::PriceList;
use relay_core::secret::Secret;
use relay_upstream::auth::authenticate;
use relay_upstream::target::target;
use relay_upstream::{headers, oauth};
use serde_json::json;

use super::model::model_for;
use super::{TestAsk, TestBy, Way};
use crate::call::UpstreamBody;

/// The most of an answer that is read.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// The output that is asked for.
const OUTPUT_TOKENS_MAX: u32 = 16;
/// What is said to the model.
const PROMPT: &str = "Say: ok";

/// What is asked.
pub(super) struct Question {
    method: Method,
    path: &'static str,
    body: Bytes,
    /// The model, as the account knows it.
    pub(super) model: Option<String>,
}

/// An answer.
pub(super) struct Heard {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// How long its head took, the connection included if there was none.
    pub(super) head_after: Duration,
}

impl Question {
    pub(super) fn of(account: &Account, how: &TestAsk, prices: &PriceList) -> Result<Self, String> {
        if how.by == TestBy::Models {
            let (path, body) = ("/v1/models", Bytes::new());
            return Ok(Self { method: Method::GET, path, body, model: None });
        }
        let model = model_for(account, how.model.as_deref(), prices)
            .ok_or("no model that the account serves is known: name one with --model")?;
        let messages = [json!({"role": "user", "content": PROMPT})];
        let body = json!({"model": model, "max_tokens": OUTPUT_TOKENS_MAX, "messages": messages});
        let body = Bytes::from(body.to_string());
        Ok(Self { method: Method::POST, path: "/v1/messages", body, model: Some(model) })
    }

    /// The relay's own request under its own name: it never pretends to be another client.
    fn request(&self, account: &Account, secret: &Secret) -> Result<Request<Full<Bytes>>, String> {
        let address = target(&account.base_url, self.path, None);
        let address = address.map_err(|_| "the base URL makes no address")?;
        let mut headers =
            headers::request(account.kind.protocol(), &HeaderMap::new(), &account.extra_headers);
        headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(oauth::USER_AGENT));
        if self.method == Method::POST {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        authenticate(&mut headers, account, secret).map_err(|error| error.to_string())?;
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = address;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

/// Asks, and reads the whole answer. The caller sets the deadline.
pub(super) async fn send(
    way: Way<'_>,
    question: &Question,
    secret: &Secret,
    begun: Instant,
) -> Result<Heard, String> {
    let request = question.request(way.account, secret)?;
    let answer = way.client.send(request).await.map_err(|fault| fault.to_string())?;
    let head_after = begun.elapsed();
    let (head, incoming) = answer.into_parts();
    let mut body =
        UpstreamBody::new(&head.headers, incoming).map_err(|packing| packing.to_string())?;
    let mut whole = BytesMut::new();
    while let Some(chunk) = body.chunk().await {
        whole.extend_from_slice(&chunk.map_err(|fault| fault.to_string())?);
        if whole.len() > ANSWER_BYTES_MAX {
            break;
        }
    }
    let (status, body) = (head.status.as_u16(), whole.freeze());
    Ok(Heard { status, headers: head.headers, body, head_after })
}
