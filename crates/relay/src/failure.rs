//! Whose fault decides everything: status, whether waiting helps, and how loudly it is logged.

use std::time::Duration;

use axum::body::Body;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use relay_core::clock::Timestamp;
use relay_core::health::RestKind;
use relay_core::limit::Refusal;
use relay_core::protocol::Family;
use relay_core::schedule::NoCapacity;
use relay_wire::anthropic::error as anthropic;
use relay_wire::hub::NotStored;
use relay_wire::{gemini, openai};

use crate::verbs::moment::rfc3339;

/// Why a call is not answered.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The request cannot be served as it is.
    #[error(transparent)]
    Caller(#[from] CallerFault),
    /// The key may not call.
    #[error("{refusal}")]
    Key {
        /// Why.
        refusal: Refusal,
        /// When it was refused; the wait is counted from it.
        at: Timestamp,
    },
    /// No account can serve now.
    #[error("{reason}")]
    Capacity {
        /// Why.
        reason: NoCapacity,
        /// When the refusal was made; the wait is counted from it.
        at: Timestamp,
    },
    /// The relay itself has no room for the call.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The upstream failed, and no other account could answer.
    #[error("{message}")]
    Upstream {
        /// The status that tells the client the truth.
        status: StatusCode,
        /// What the upstream said, or what happened.
        message: String,
        /// When asking again makes sense.
        retry_after: Option<Duration>,
    },
    /// An administrator ended the call.
    #[error("an administrator ended this call")]
    Cancelled,
    /// A fault of the relay. The text stays inside.
    #[error("internal error")]
    Ours(#[source] anyhow::Error),
}

/// A call that was not served, and whether it left a usage record.
#[derive(Debug)]
pub struct Unserved {
    /// Why.
    pub failure: Failure,
    /// Whether attempts were made, and recorded.
    pub recorded: Recorded,
    /// Time spent waiting for upstreams.
    pub upstream: Duration,
}

/// Whether a call left a usage record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It did: attempts were made.
    Yes,
    /// It did not: it is a refusal, and counted as one.
    No,
}

impl<F: Into<Failure>> From<F> for Unserved {
    fn from(failure: F) -> Self {
        Self { failure: failure.into(), recorded: Recorded::No, upstream: Duration::ZERO }
    }
}

/// What is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallerFault {
    /// No credential at all.
    #[error("no API key was sent: use x-api-key or authorization: Bearer")]
    NoKey,
    /// A credential that is no key of this relay.
    #[error("this API key is not known here")]
    UnknownKey,
    /// One more of too many unknown credentials.
    #[error("more than {limit} unknown API keys came from this address in a minute")]
    Guessing {
        /// How many a minute are looked at.
        limit: u32,
        /// When the next is.
        retry_after: Duration,
    },
    /// The body cannot be used.
    #[error("{0}")]
    Malformed(String),
    /// The body is larger than the relay takes.
    #[error("the request body is larger than {limit} bytes")]
    TooLarge {
        /// The largest that is taken.
        limit: usize,
    },
    /// The body is larger than the key may send.
    #[error("the request body is larger than {limit} bytes, which is the limit of this key")]
    TooLargeForKey {
        /// The largest that it may send.
        limit: usize,
    },
    /// The body is compressed in a way that is not understood.
    #[error("content-encoding {0} is not supported: send gzip or none")]
    Encoding(String),
    /// The body did not arrive in time.
    #[error("the request body did not arrive in time")]
    SlowBody,
    /// The connection ended within the body.
    #[error("the request body ended early")]
    CutBody,
    /// A model without a price, which this relay is set to refuse.
    #[error("the model {0} has no price here, and this relay refuses models without one")]
    Unpriced(String),
    /// Nothing is at this address.
    #[error("nothing is at this address")]
    NoSuchPath,
    /// It builds on what a provider would have to have stored.
    #[error(transparent)]
    NotStored(NotStored),
    /// The address has no such method.
    #[error("this address does not take that method")]
    WrongMethod,
    /// A model that the key's accounts do not have.
    #[error("model: {0}")]
    NoSuchModel(String),
    /// A WebSocket where there is none.
    #[error("this address does not speak WebSocket: send a POST request")]
    NoWebSocket,
    /// One more of too many sockets.
    #[error("more than {limit} WebSockets are open with this key")]
    TooManySockets {
        /// How many a key may have.
        limit: u32,
    },
    /// Too many counts of tokens.
    #[error("more than {limit} token counts in a minute")]
    CountingTooOften {
        /// How many a minute are served.
        limit: u32,
        /// When the next is.
        retry_after: Duration,
    },
}

/// Why the relay has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Busy {
    /// All request bodies together are at their budget.
    #[error("the relay holds as many request bodies as its memory allows; try again")]
    BodyMemory,
    /// The relay is about to stop.
    #[error("the relay is stopping; try again")]
    Stopping,
    /// The journal cannot take a record, so no call may begin.
    #[error("the relay's disk is full: usage cannot be recorded, so no call is served")]
    JournalFull,
}

/// How a failure shows itself to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Face {
    /// The status.
    pub status: StatusCode,
    /// What the client reads.
    pub message: String,
    /// When asking again makes sense.
    pub retry_after: Option<Duration>,
    /// Whether asking again in a moment can help at all.
    pub retry: Retry,
    /// One word for counters and log lines.
    pub reason: &'static str,
    /// What OpenAI's clients read beside the words.
    pub told: Told,
}

/// What OpenAI's clients go by beside status and words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Told {
    /// Nothing else.
    #[default]
    Plain,
    /// The field that names what nobody stored, and its code.
    Missing(NotStored),
    /// A limit that does not pass in a moment, and when it does. Codex waits in silence for a limit of
    /// any other type, however long its `retry-after` is.
    Limit(Option<Timestamp>),
}

/// Whether asking again in a moment can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It can.
    Helps,
    /// It cannot: the client is told not to try.
    Useless,
}

/// The status of an overloaded upstream in the Anthropic family.
const OVERLOADED: u16 = 529;
/// What a client is asked to wait where nothing better is known.
pub const A_MOMENT: Duration = Duration::from_secs(1);

impl Failure {
    /// Status, words and waiting time of this failure.
    pub fn face(&self, family: Family) -> Face {
        let (status, retry_after, retry, reason) = match self {
            Self::Caller(fault) => fault.axes(),
            Self::Key { refusal, at } => key_axes(refusal, *at),
            Self::Capacity { reason, at } => capacity_axes(reason, *at, family),
            Self::Busy(busy) => (503, Some(A_MOMENT), Retry::Helps, busy.reason()),
            Self::Upstream { status, retry_after, .. } => {
                (status.as_u16(), *retry_after, Retry::Helps, "upstream")
            }
            Self::Cancelled => (403, None, Retry::Useless, "cancelled"),
            Self::Ours(_) => (500, None, Retry::Helps, "internal"),
        };
        let message = match self {
            Self::Capacity { reason: NoCapacity::AllRest { .. }, .. } => {
                let seconds = retry_after.map_or(1, whole_seconds);
                format!("{self}; the first is able again in {seconds} s")
            }
            Self::Key { refusal: Refusal::Spent(standing), .. } => match standing.resets_at {
                Some(at) => format!("{self}; it begins anew at {}", rfc3339(at)),
                None => format!("{self}; it is never given anew"),
            },
            _ => self.to_string(),
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let told = self.told(status, retry_after);
        Face { status, message, retry_after, retry, reason, told }
    }

    fn told(&self, status: StatusCode, wait: Option<Duration>) -> Told {
        match self {
            Self::Caller(CallerFault::NotStored(missing)) => Told::Missing(missing.clone()),
            Self::Key { at, .. } | Self::Capacity { at, .. }
                if status == StatusCode::TOO_MANY_REQUESTS
                    && wait.is_none_or(|wait| wait > MOMENT_MAX) =>
            {
                Told::Limit(wait.map(|wait| at.plus(wait)))
            }
            _ => Told::Plain,
        }
    }

    /// The whole answer, in the shape of the client's family.
    pub fn render(&self, family: Family, request_id: &str) -> Response<Body> {
        let face = self.face(family);
        let body = face.body(family, request_id);
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = face.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(wait) = face.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
        }
        if face.retry == Retry::Useless {
            headers.insert("x-should-retry", HeaderValue::from_static("false"));
        }
        response
    }
}

impl Face {
    /// The body of the answer, in the shape of the client's family.
    pub fn body(&self, family: Family, request_id: &str) -> Vec<u8> {
        let status = self.status.as_u16();
        match family {
            Family::Anthropic => {
                anthropic::render(anthropic::kind_of_status(status), &self.message, request_id)
            }
            Family::Openai => match &self.told {
                Told::Plain => openai::error::render(status, &self.message),
                Told::Missing(missing) => openai::error::render_missing(status, missing),
                Told::Limit(resets_at) => {
                    let wait = self.retry_after.map_or(0, whole_seconds);
                    let resets = resets_at.map(|at| (at.as_millis() / 1_000, wait));
                    openai::error::render_limit(&self.message, resets)
                }
            },
            Family::Gemini => gemini::error::render(status, &self.message),
        }
    }
}

impl CallerFault {
    const fn axes(&self) -> (u16, Option<Duration>, Retry, &'static str) {
        let (status, reason) = match self {
            Self::NoKey => (401, "no_key"),
            Self::UnknownKey => (401, "unknown_key"),
            Self::Malformed(_) => (400, "malformed"),
            Self::TooLarge { .. } | Self::TooLargeForKey { .. } => (413, "too_large"),
            Self::Encoding(_) => (415, "encoding"),
            Self::SlowBody => (408, "slow_body"),
            Self::CutBody => (400, "cut_body"),
            Self::Unpriced(_) => (403, "unpriced_model"),
            Self::NoSuchPath => (404, "no_such_path"),
            Self::NotStored(_) => (400, "not_stored"),
            Self::WrongMethod => (405, "wrong_method"),
            Self::NoSuchModel(_) => (404, "no_such_model"),
            Self::NoWebSocket => (426, "no_websocket"),
            Self::Guessing { retry_after, .. } => {
                return (429, Some(*retry_after), Retry::Useless, "guessing");
            }
            Self::TooManySockets { .. } => {
                return (429, Some(A_MOMENT), Retry::Helps, "too_many_sockets");
            }
            Self::CountingTooOften { retry_after, .. } => {
                return (429, Some(*retry_after), Retry::Helps, "counting_too_often");
            }
        };
        (status, None, Retry::Useless, reason)
    }
}

impl Busy {
    const fn reason(self) -> &'static str {
        match self {
            Self::BodyMemory => "body_memory",
            Self::Stopping => "stopping",
            Self::JournalFull => "journal_full",
        }
    }
}

/// The longest wait that counts as a moment: a client that waits by itself may be let to.
const MOMENT_MAX: Duration = Duration::from_mins(1);

/// 401 for a key that is no more, 403 for what it may never do, 429 for what it may do later.
fn key_axes(refusal: &Refusal, at: Timestamp) -> (u16, Option<Duration>, Retry, &'static str) {
    let (status, wait) = match refusal {
        Refusal::Disabled | Refusal::Expired { .. } => (401, None),
        Refusal::Address(_) | Refusal::Client { .. } | Refusal::Service(_) | Refusal::Model(_) => {
            (403, None)
        }
        Refusal::Concurrency { .. } | Refusal::Queue { .. } | Refusal::Reserved(_) => {
            (429, Some(A_MOMENT))
        }
        Refusal::Spent(standing) => {
            (429, standing.resets_at.map(|resets_at| resets_at.since(at).max(A_MOMENT)))
        }
    };
    let is_moment = wait.is_some_and(|wait| wait <= MOMENT_MAX);
    let retry = if is_moment { Retry::Helps } else { Retry::Useless };
    (status, wait, retry, refusal.reason())
}

/// 429 if every account rests for a limit, 529 if every one is only overloaded, else 503.
fn capacity_axes(
    reason: &NoCapacity,
    at: Timestamp,
    family: Family,
) -> (u16, Option<Duration>, Retry, &'static str) {
    match reason {
        NoCapacity::NoModel => (404, None, Retry::Useless, "no_model"),
        NoCapacity::WrongClient => (403, None, Retry::Useless, "wrong_client"),
        NoCapacity::NoAccount | NoCapacity::NoneAble => {
            (503, Some(Duration::from_mins(1)), Retry::Useless, "no_account")
        }
        NoCapacity::AllBusy => (503, Some(A_MOMENT), Retry::Helps, "all_busy"),
        NoCapacity::AllRest { reopens_at, kind } => {
            let status = match kind {
                RestKind::Limit => 429,
                RestKind::Overload if family == Family::Anthropic => OVERLOADED,
                _ => 503,
            };
            let wait = reopens_at.since(at).max(A_MOMENT);
            (status, Some(wait), Retry::Helps, "all_rest")
        }
    }
}

/// Whole seconds, rounded up, at least one: `retry-after` knows no fractions.
fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests;
