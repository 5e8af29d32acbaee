//! The words that labels are made of, and numbers that lie ready for each.

use std::sync::atomic::{AtomicU64, Ordering};

use relay_core::credential::SignOutCause;
use relay_core::health::RestCause;
use relay_core::model::ModelFamily;
use relay_core::protocol::Service;
use relay_core::usage::Outcome;

use crate::client_id;

/// Stands for everything that has no word of its own.
pub(super) const OTHER: &str = "other";

pub(super) const SERVICES: [Service; 3] = [Service::Claude, Service::Openai, Service::Gemini];

/// What calls end in while the relay runs. Those that a crash left open are settled before
/// anything is counted, and are in the records alone.
pub(super) const OUTCOMES: [Outcome; 7] = [
    Outcome::Completed,
    Outcome::Rejected,
    Outcome::ClientLeft,
    Outcome::Cut,
    Outcome::Failed,
    Outcome::Shutdown,
    Outcome::Cancelled,
];

/// Classes of the status that a client got; the last is of a client that got none.
pub(super) const STATUSES: [&str; 5] = ["2xx", "3xx", "4xx", "5xx", "none"];

/// Families of models, by what their names begin with; the first that fits counts. The last is of
/// all others, whatever clients ask for.
pub(super) const FAMILIES: [(&str, &str); 22] = [
    ("opus", "opus"),
    ("sonnet", "sonnet"),
    ("haiku", "haiku"),
    ("fable", "fable"),
    ("gpt-4", "gpt-4"),
    ("gpt-5", "gpt-5"),
    ("gpt-6", "gpt-6"),
    ("gpt", "gpt"),
    ("o1", "o1"),
    ("o3", "o3"),
    ("o4", "o4"),
    ("codex", "codex"),
    ("gemini-2", "gemini-2"),
    ("gemini-3", "gemini-3"),
    ("gemini", "gemini"),
    ("glm", "glm"),
    ("kimi", "kimi"),
    ("deepseek", "deepseek"),
    ("qwen", "qwen"),
    ("minimax", "minimax"),
    ("grok", "grok"),
    ("", OTHER),
];

/// Lengths of quota windows, as people read them; of a window of another length the word is
/// [`OTHER`].
pub(super) const LENGTHS: [&str; 7] = ["1h", "5h", "12h", "1d", "7d", "28d", "30d"];

pub(super) const CAUSES: [RestCause; 9] = [
    RestCause::RateLimited,
    RestCause::Overloaded,
    RestCause::Unauthorised,
    RestCause::Condemned,
    RestCause::Failing,
    RestCause::Unreachable,
    RestCause::WindowMark,
    RestCause::DailyCost,
    RestCause::TokenNotRefreshed,
];

pub(super) const SIGN_OUTS: [SignOutCause; 2] =
    [SignOutCause::RefreshRefused, SignOutCause::Expired];

/// Why attempts fail; the last is of all others.
pub(super) const FAULTS: [&str; 32] = [
    "answer_timeout",
    "answer_too_large",
    "bad_address",
    "bad_secret",
    "cancelled",
    "condemned",
    "connect_timeout",
    "connection_broken",
    "cut",
    "cut_before_content",
    "error_event",
    "event_too_large",
    "first_byte_timeout",
    "forbidden",
    "not_gzip",
    "overloaded",
    "proxy_login_refused",
    "proxy_refused",
    "proxy_timeout",
    "proxy_unreachable",
    "rate_limited",
    "redirected",
    "shutdown",
    "signed_out",
    "stream_idle",
    "token_not_refreshed",
    "token_refresh_slow",
    "unauthorised",
    "unpaid",
    "unreachable",
    "upstream_error",
    OTHER,
];

/// How many clients have a word of their own, and one for all others.
pub(super) const CLIENTS: [&str; 4] = [client_id::CLAUDE_CODE, "codex", "gemini_cli", OTHER];

pub(super) const fn service(service: Service) -> usize {
    match service {
        Service::Claude => 0,
        Service::Openai => 1,
        Service::Gemini => 2,
    }
}

pub(super) const fn outcome(outcome: Outcome) -> Option<usize> {
    match outcome {
        Outcome::Completed => Some(0),
        Outcome::Rejected => Some(1),
        Outcome::ClientLeft => Some(2),
        Outcome::Cut => Some(3),
        Outcome::Failed => Some(4),
        Outcome::Shutdown => Some(5),
        Outcome::Cancelled => Some(6),
        Outcome::Crashed => None,
    }
}

pub(super) const fn status(status: u16) -> usize {
    match status {
        200..=299 => 0,
        300..=399 => 1,
        400..=499 => 2,
        500..=599 => 3,
        _ => 4,
    }
}

pub(super) fn family(family: &ModelFamily) -> usize {
    let name = family.as_str();
    FAMILIES.iter().position(|(start, _)| name.starts_with(start)).unwrap_or(FAMILIES.len() - 1)
}

pub(super) fn client(client: &str) -> usize {
    CLIENTS.iter().position(|known| *known == client).unwrap_or(CLIENTS.len() - 1)
}

pub(super) fn fault(word: &str) -> usize {
    FAULTS.iter().position(|known| *known == word).unwrap_or(FAULTS.len() - 1)
}

pub(super) const fn cause(cause: RestCause) -> usize {
    match cause {
        RestCause::RateLimited => 0,
        RestCause::Overloaded => 1,
        RestCause::Unauthorised => 2,
        RestCause::Condemned => 3,
        RestCause::Failing => 4,
        RestCause::Unreachable => 5,
        RestCause::WindowMark => 6,
        RestCause::DailyCost => 7,
        RestCause::TokenNotRefreshed => 8,
    }
}

pub(super) const fn sign_out(cause: SignOutCause) -> usize {
    match cause {
        SignOutCause::RefreshRefused => 0,
        SignOutCause::Expired => 1,
    }
}

/// Counters, one for each word of a set.
#[derive(Debug)]
pub(super) struct Cells<const N: usize>([AtomicU64; N]);

impl<const N: usize> Default for Cells<N> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl<const N: usize> Cells<N> {
    /// Adds to the counter of a word.
    pub(super) fn add(&self, at: usize, count: u64) {
        if count > 0 {
            self.0[at].fetch_add(count, Ordering::Relaxed);
        }
    }

    /// The counter of a word.
    pub(super) fn get(&self, at: usize) -> u64 {
        self.0[at].load(Ordering::Relaxed)
    }
}
