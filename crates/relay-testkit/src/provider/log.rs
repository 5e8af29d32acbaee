//! What the provider saw and what it served.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::HeaderMap;
use parking_lot::Mutex;
use relay_core::clock::{Clock, SystemClock, Timestamp};
use relay_core::usage::TokenUsage;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::directive;
use crate::format::{Family, Format};
use crate::google;
use crate::http1::Head;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct SeenRequest {
    /// Its method.
    pub method: String,
    /// Its target, undecoded.
    pub path_and_query: String,
    /// Its headers, in order within a name.
    pub headers: HeaderMap,
    /// Its body, without chunked framing.
    pub body: Bytes,
    /// When it was complete.
    pub at: Timestamp,
    /// The credential, of `x-api-key`, `x-goog-api-key` or `authorization: Bearer`; empty if there
    /// is none.
    pub api_key: String,
    /// Whose issued access token it carries (see [`crate::FakeProvider::issues`]), good or not;
    /// empty if it carries none.
    pub owner: String,
    /// The names in its `anthropic-beta` headers, in order.
    pub beta: Vec<String>,
}

impl SeenRequest {
    pub(super) fn new(head: Head, body: Bytes) -> Self {
        let mut words = head.start.split(' ').map(str::to_owned);
        let method = words.next().unwrap_or_default();
        let path_and_query = words.next().unwrap_or_default();
        let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
        let bearer = || header("authorization").and_then(bearer_of);
        let api_key = header("x-api-key")
            .or_else(|| header("x-goog-api-key"))
            .or_else(bearer)
            .unwrap_or_default()
            .to_owned();
        let beta = head.headers.get_all("anthropic-beta").iter();
        let beta = beta.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        let beta = beta.map(|name| name.trim().to_owned()).collect();
        let (owner, at) = (String::new(), SystemClock.now());
        Self { method, path_and_query, headers: head.headers, body, at, api_key, owner, beta }
    }

    /// The token of `authorization: Bearer`, if it has one.
    pub(super) fn bearer(&self) -> Option<&str> {
        bearer_of(self.header("authorization"))
    }

    /// The path without its query.
    pub fn path(&self) -> &str {
        self.path_and_query.split('?').next().unwrap_or_default()
    }

    /// Whether it is a Messages call; counting tokens and listing models are not.
    pub fn is_message(&self) -> bool {
        self.method == "POST" && self.path().ends_with("/v1/messages")
    }

    /// Whether it asks for an answer, of whatever protocol: embeddings, pictures and compaction
    /// are calls too, counting tokens and what is told of accounts and models is none.
    pub fn is_call(&self) -> bool {
        self.format().is_some_and(|format| !format.only_counts())
    }

    /// The ChatGPT account (`chatgpt-account-id`) or the Code Assist project that it names; empty
    /// if it names none.
    pub fn account(&self) -> String {
        match self.header("chatgpt-account-id") {
            "" => self.json()["project"].as_str().unwrap_or_default().to_owned(),
            account => account.to_owned(),
        }
    }

    /// What it asks for, if that has an answer of its own shape.
    pub(crate) fn format(&self) -> Option<Format> {
        if self.method == "POST" { Format::of(self.path()) } else { None }
    }

    /// In whose shapes it is answered.
    pub(crate) fn family(&self) -> Family {
        let path = self.path();
        if let Some(format) = Format::of(path) {
            return format.family();
        }
        if path.contains("/v1beta/") || path.contains("v1internal") {
            return Family::Google;
        }
        if path.contains("/backend-api/") {
            return Family::Codex;
        }
        let models = path.ends_with("/v1/models") || path.contains("/v1/models/");
        let bearer = self.headers.contains_key("authorization");
        if models && bearer && self.header("anthropic-version").is_empty() {
            return Family::OpenAi;
        }
        Family::Anthropic
    }

    /// A header as text; empty if it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The model that it asks for; empty if it names none.
    pub fn model(&self) -> String {
        google::ask::model_of(&self.path_and_query, &self.json())
    }

    /// The marker `[[call N]]` within the body.
    pub fn call(&self) -> Option<String> {
        directive::raw_argument(&self.body, "call")
    }

    pub(super) fn to_json(&self) -> Value {
        let mut headers = serde_json::Map::new();
        for name in self.headers.keys() {
            let values = self.headers.get_all(name).iter();
            let text = values.map(|value| String::from_utf8_lossy(value.as_bytes()));
            headers.insert(name.to_string(), text.collect::<Vec<_>>().join(", ").into());
        }
        let body = serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&self.body)));
        json!({
            "method": self.method, "path_and_query": self.path_and_query, "headers": headers,
            "body": body, "at": self.at.as_millis(), "api_key": self.api_key,
            "owner": self.owner, "beta": self.beta,
        })
    }
}

fn bearer_of(authorization: &str) -> Option<&str> {
    authorization.strip_prefix("Bearer ")
}

/// How one request was answered.
#[derive(Debug, Clone)]
pub struct Served {
    /// The marker `[[call N]]` of the request.
    pub call: Option<String>,
    /// The text of `[[say TEXT]]` in the request.
    pub nonce: Option<String>,
    /// The path of the request, without its query.
    pub path: String,
    /// The credential of the request.
    pub api_key: String,
    /// Whose issued access token the request carried; empty if it carried none.
    pub owner: String,
    /// The model that was asked for.
    pub model: String,
    /// The status of the answer.
    pub status: u16,
    /// What the answer states when it is delivered to its end, whether it was or not.
    pub usage: TokenUsage,
    /// What of the output was thinking, by the same statement.
    pub reasoning: u64,
    /// The ChatGPT account or Code Assist project that the request named; empty if none.
    pub account: String,
    /// Whether all bytes were written before the peer closed, and a stream's end (`message_stop`
    /// and its like) was among them. An error answer that was written whole counts as well; its usage is zero.
    pub delivered_whole: bool,
    /// Events written, for a stream.
    pub events_sent: usize,
    /// Bytes of the body written, without chunked framing.
    pub bytes_sent: usize,
    /// Whether the peer left before the end.
    pub cancelled_by_peer: bool,
    /// The body that was to be sent, up to where the script broke it off.
    pub body: Bytes,
}

impl Served {
    /// What of the body was written: from its events comes what a call is known to have used
    /// when it was cut (see [`crate::stated_usage`]).
    pub fn sent(&self) -> &[u8] {
        &self.body[..self.bytes_sent]
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "call": self.call, "nonce": self.nonce, "path": self.path, "api_key": self.api_key,
            "owner": self.owner, "model": self.model, "status": self.status, "usage": self.usage_json(),
            "delivered_whole": self.delivered_whole, "events_sent": self.events_sent,
            "account": self.account, "bytes_sent": self.bytes_sent, "cancelled_by_peer": self.cancelled_by_peer,
        })
    }

    fn usage_json(&self) -> Value {
        let usage = &self.usage;
        json!({
            "input": usage.input, "output": usage.output, "cache_read": usage.cache_read,
            "cache_write_5m": usage.cache_write_5m, "cache_write_1h": usage.cache_write_1h,
            "web_searches": usage.web_searches,
            "reasoning": self.reasoning,
        })
    }
}

/// Totals that tests wait for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) requests: usize,
    pub(super) in_flight: usize,
    /// Those whose peer cannot have all of its answer yet.
    pub(super) answering: usize,
    /// The most that were being answered at a time.
    pub(super) max_in_flight: usize,
    pub(super) cancelled: usize,
}

#[derive(Debug, Default)]
pub(super) struct Log {
    requests: Mutex<Vec<SeenRequest>>,
    served: Mutex<Vec<Served>>,
    counts: watch::Sender<Counts>,
}

impl Log {
    /// Notes a request; it is in flight until what is returned is dropped.
    pub(super) fn begin(&self, request: SeenRequest) -> InFlight<'_> {
        self.requests.lock().push(request);
        self.counts.send_modify(|counts| {
            counts.requests += 1;
            counts.in_flight += 1;
            counts.answering += 1;
            counts.max_in_flight = counts.max_in_flight.max(counts.answering);
        });
        InFlight { log: self, answers: AtomicBool::new(true) }
    }

    pub(super) fn requests(&self) -> Vec<SeenRequest> {
        self.requests.lock().clone()
    }

    pub(super) fn served(&self) -> Vec<Served> {
        self.served.lock().clone()
    }

    pub(super) fn counts(&self) -> Counts {
        *self.counts.borrow()
    }

    pub(super) async fn wait_for(&self, fits: impl FnMut(&Counts) -> bool) {
        let mut counts = self.counts.subscribe();
        counts.wait_for(fits).await.expect("the log holds the sender");
    }

    pub(super) fn clear(&self) {
        self.requests.lock().clear();
        self.served.lock().clear();
        self.counts.send_modify(|counts| {
            *counts = Counts {
                in_flight: counts.in_flight,
                answering: counts.answering,
                max_in_flight: counts.answering,
                ..Counts::default()
            };
        });
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct InFlight<'a> {
    log: &'a Log,
    answers: AtomicBool,
}

impl InFlight<'_> {
    /// Notes that the last bytes are about to go out: once the peer has them, it may ask again
    /// before this is over.
    pub(super) fn hands_out_the_end(&self) {
        if self.answers.swap(false, Ordering::Relaxed) {
            self.log.counts.send_modify(|counts| counts.answering -= 1);
        }
    }

    /// Notes how it was answered.
    pub(super) fn end(self, served: Served) {
        let cancelled = usize::from(served.cancelled_by_peer);
        self.log.served.lock().push(served);
        self.log.counts.send_modify(|counts| counts.cancelled += cancelled);
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.hands_out_the_end();
        self.log.counts.send_modify(|counts| counts.in_flight -= 1);
    }
}
