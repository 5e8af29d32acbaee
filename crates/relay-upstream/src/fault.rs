//! What a refusal of an upstream means: whose fault it is, and what it is evidence of.
//!
//! The table goes by status (of an error event: the one its type stands for) and the *fixed
//! beginning* of the message, never by a search in text that may echo the caller.

use http::HeaderMap;
use relay_core::clock::Timestamp;
use relay_core::health::{Evidence, RestCause, Scope};

use crate::client::ConnectionFault;
use crate::reset::{self, StatedReset};

/// A failed attempt that the account or its host answers for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// One word for records and logs.
    pub word: &'static str,
    /// The upstream's status, if it came to one.
    pub status: Option<u16>,
    /// What it says of the account.
    pub evidence: Evidence,
    /// Whether the upstream may have billed the attempt although nothing came of it.
    pub maybe_billed: bool,
    /// What the upstream said, for the client if no other account can answer.
    pub said: Option<String>,
}

/// Whose fault a refusal is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blame {
    /// The call's: the answer goes to the client as it is.
    Caller,
    /// The account's: another one is asked.
    Account(Fault),
}

/// A refusal as the upstream stated it.
#[derive(Debug, Clone, Copy)]
pub struct Refused<'a> {
    /// The status, or the one that an error event inside a 200 stands for.
    pub status: u16,
    /// `error.message` of the body.
    pub message: &'a str,
    /// The headers of the answer.
    pub headers: &'a HeaderMap,
    /// Whether the provider accepts the client on this account.
    pub client: ClientStanding,
}

/// Whether the provider accepts the calling client on an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientStanding {
    /// It does.
    Accepted,
    /// It may not: a subscription is for its provider's own client, and the operator lets others
    /// try. What it refuses them for is theirs.
    Doubtful,
}

/// What a call itself may be the cause of, if it meets the same on different accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// This error of the provider.
    Status(u16),
    /// The connection broke within the answer.
    Broken,
    /// No answer came in time.
    Timeout,
}

/// One line of the table: the first that fits decides.
struct Row {
    status: Status,
    begins: &'static [&'static str],
    verdict: Verdict,
}

impl Row {
    /// A line for every message that comes with a status.
    const fn any(status: Status, word: &'static str, cause: RestCause, covers: Covers) -> Self {
        Self { status, begins: &[""], verdict: Verdict::Account { word, cause, covers } }
    }
}

/// Whose fault a line says it is.
#[derive(Clone, Copy)]
enum Verdict {
    Caller,
    Account { word: &'static str, cause: RestCause, covers: Covers },
}

/// What a fault covers.
#[derive(Clone, Copy)]
enum Covers {
    /// The account.
    Account,
    /// The family of models that was asked for.
    Asked,
    /// What the provider says that its limit is of.
    Stated,
}

enum Status {
    Is(u16),
    Within(u16, u16),
}

impl Status {
    const fn covers(&self, status: u16) -> bool {
        match self {
            Self::Is(only) => status == *only,
            Self::Within(first, last) => *first <= status && status <= *last,
        }
    }
}

/// Messages that condemn the account although the status is one of the caller's.
const CONDEMNING: &[&str] = &[
    "this organization has been disabled",
    "oauth authentication is currently not allowed",
    "your credit balance is too low",
];

/// How a provider begins to say that it accepts the sign-in, and not who calls with it.
const FOR_CLAUDE_CODE: &str = "this credential is only authorized for use with claude code";

/// Anthropic Messages. A status without a row is the caller's.
const ANTHROPIC: &[Row] = &[
    Row {
        status: Status::Within(400, 499),
        begins: CONDEMNING,
        verdict: Verdict::Account {
            word: "condemned",
            cause: RestCause::Condemned,
            covers: Covers::Account,
        },
    },
    Row { status: Status::Within(400, 499), begins: &[FOR_CLAUDE_CODE], verdict: Verdict::Caller },
    // An API does not redirect: the account's address is not one.
    Row::any(Status::Within(300, 399), "redirected", RestCause::Failing, Covers::Account),
    Row::any(Status::Is(401), "unauthorised", RestCause::Unauthorised, Covers::Account),
    Row::any(Status::Is(402), "unpaid", RestCause::Condemned, Covers::Account),
    Row::any(Status::Is(403), "forbidden", RestCause::Condemned, Covers::Account),
    Row::any(Status::Is(429), "rate_limited", RestCause::RateLimited, Covers::Stated),
    Row::any(Status::Is(529), "overloaded", RestCause::Overloaded, Covers::Asked),
    Row::any(Status::Within(500, 599), "upstream_error", RestCause::Failing, Covers::Asked),
];

/// Judges a refusal.
pub fn judge(refused: &Refused<'_>, now: Timestamp) -> Blame {
    let row = ANTHROPIC.iter().find(|row| {
        row.status.covers(refused.status)
            && row.begins.iter().any(|start| begins_with(refused.message, start))
    });
    let Some(Row { status, verdict: Verdict::Account { word, cause, covers }, .. }) = row else {
        return Blame::Caller;
    };
    let of_account = |scope| StatedReset { at: reset::of_no_limit(refused.headers, now), scope };
    let stated = match covers {
        Covers::Account => of_account(Scope::Account),
        Covers::Asked => of_account(Scope::Asked),
        Covers::Stated => reset::anthropic(refused.headers, now),
    };
    if refused.client == ClientStanding::Doubtful && is_for_the_client(status, &stated) {
        return Blame::Caller;
    }
    Blame::Account(Fault {
        word,
        status: Some(refused.status),
        evidence: Evidence { cause: *cause, stated_reset: stated.at, scope: stated.scope },
        maybe_billed: false,
        said: (!refused.message.is_empty()).then(|| refused.message.to_owned()),
    })
}

/// Whether a refusal is for a client that the provider does not accept: not permitted, or a limit
/// that no window of the account explains.
fn is_for_the_client(status: &Status, stated: &StatedReset) -> bool {
    match status {
        Status::Is(403) => true,
        Status::Is(429) => stated.at.is_none(),
        _ => false,
    }
}

/// Whether a provider says that a sign-in, which it accepts, is for its own client alone.
pub fn is_for_claude_code(message: &str) -> bool {
    begins_with(message, FOR_CLAUDE_CODE)
}

fn begins_with(message: &str, start: &str) -> bool {
    message.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

/// The status that an error event inside a 200 stands for.
pub fn status_of_kind(kind: &str) -> u16 {
    match kind {
        "invalid_request_error" => 400,
        "authentication_error" => 401,
        "billing_error" => 402,
        "permission_error" => 403,
        "not_found_error" => 404,
        "request_too_large" => 413,
        "rate_limit_error" => 429,
        "timeout_error" => 504,
        "overloaded_error" => 529,
        _ => 500,
    }
}

impl Fault {
    /// The fault of a connection that could not be used.
    pub fn of_connection(fault: &ConnectionFault) -> Self {
        let (word, maybe_billed) = match fault {
            ConnectionFault::Connect(_) => ("unreachable", false),
            ConnectionFault::ConnectTimeout => ("connect_timeout", false),
            ConnectionFault::Broken(_) => ("connection_broken", true),
            ConnectionFault::ProxyUnreachable(_) => ("proxy_unreachable", false),
            ConnectionFault::ProxyLoginRefused => ("proxy_login_refused", false),
            ConnectionFault::ProxyRefused(_) => ("proxy_refused", false),
            ConnectionFault::ProxyTimeout => ("proxy_timeout", false),
        };
        Self::unreachable(word, maybe_billed)
    }

    /// Whether a deadline passed.
    pub fn is_timeout(&self) -> bool {
        matches!(
            self.word,
            "connect_timeout"
                | "proxy_timeout"
                | "first_byte_timeout"
                | "answer_timeout"
                | "stream_idle"
        )
    }

    /// What the call itself may be the cause of. An overload is the provider's, and a connection
    /// that did not come about never knew the call.
    pub fn trouble(&self) -> Option<Trouble> {
        match (self.status, self.word) {
            (Some(529), _) => None,
            (Some(status @ 500..=599), _) => Some(Trouble::Status(status)),
            (None, "first_byte_timeout" | "answer_timeout" | "stream_idle") => {
                Some(Trouble::Timeout)
            }
            (
                None,
                "connection_broken" | "cut_before_content" | "event_too_large" | "answer_too_large",
            ) => Some(Trouble::Broken),
            _ => None,
        }
    }

    /// A request that could not be sent, as there is no token to send it with: until `until`, or
    /// until somebody signs in.
    pub fn without_token(word: &'static str, until: Option<Timestamp>) -> Self {
        let cause = if until.is_some() { RestCause::Unreachable } else { RestCause::Unauthorised };
        let evidence = Evidence { cause, stated_reset: until, scope: Scope::Account };
        Self { word, status: None, evidence, maybe_billed: false, said: None }
    }

    /// Whether it is met on the account's own way to its host, so that others are not concerned.
    pub fn is_of_the_way(&self) -> bool {
        self.word.starts_with("proxy_") || self.word.starts_with("token_")
    }

    /// A deadline that passed.
    pub fn timeout(word: &'static str) -> Self {
        Self::unreachable(word, true)
    }

    /// The same fault, as evidence of no more than the models that were asked for.
    #[must_use]
    pub fn of_the_models_asked_for(mut self) -> Self {
        self.evidence.scope = Scope::Asked;
        self
    }

    /// An answer that broke off before its content.
    pub fn broken(word: &'static str) -> Self {
        Self::unreachable(word, true)
    }

    fn unreachable(word: &'static str, maybe_billed: bool) -> Self {
        Self {
            word,
            status: None,
            evidence: Evidence {
                cause: RestCause::Unreachable,
                stated_reset: None,
                scope: Scope::Account,
            },
            maybe_billed,
            said: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blame(status: u16, message: &str) -> Option<RestCause> {
        let headers = HeaderMap::new();
        let refused =
            Refused { status, message, headers: &headers, client: ClientStanding::Accepted };
        match judge(&refused, Timestamp::from_seconds(0)) {
            Blame::Caller => None,
            Blame::Account(fault) => Some(fault.evidence.cause),
        }
    }

    #[test]
    fn the_callers_faults_are_passed_on() {
        assert_eq!(blame(400, "prompt is too long: 250000 tokens > 200000 maximum"), None);
        assert_eq!(blame(404, "model: claude-none"), None);
        assert_eq!(blame(413, "Request exceeds the maximum size"), None);
    }

    #[test]
    fn a_condemning_text_condemns_at_the_beginning_only() {
        let condemned = Some(RestCause::Condemned);
        assert_eq!(blame(400, "Your credit balance is too low to access the API."), condemned);
        assert_eq!(blame(400, "YOUR CREDIT BALANCE IS TOO LOW"), condemned);
        assert_eq!(blame(400, "messages.0: \"Your credit balance is too low\""), None);
        assert_eq!(blame(400, "Your credit"), None);
        assert_eq!(blame(400, "Your credit balance is too lo\u{e9}"), None);
    }

    #[test]
    fn what_every_answer_tells_of_limits_says_nothing_of_an_overload() {
        let headers: HeaderMap = [
            ("anthropic-ratelimit-unified-status", "rejected"),
            ("anthropic-ratelimit-unified-representative-claim", "five_hour"),
            ("anthropic-ratelimit-unified-5h-reset", "9000"),
        ]
        .into_iter()
        .map(|(name, value)| {
            (http::HeaderName::from_static(name), http::HeaderValue::from_static(value))
        })
        .collect();
        let stated = |status| {
            let refused = Refused {
                status,
                message: "",
                headers: &headers,
                client: ClientStanding::Accepted,
            };
            match judge(&refused, Timestamp::from_seconds(0)) {
                Blame::Account(fault) => fault.evidence.stated_reset,
                Blame::Caller => None,
            }
        };
        for status in [401, 403, 500, 529] {
            assert_eq!(stated(status), None, "{status}");
        }
        assert_eq!(stated(429), Some(Timestamp::from_seconds(9_000)));
    }

    #[test]
    fn what_is_refused_to_a_client_is_the_clients_unless_it_condemns_the_account() {
        let headers = HeaderMap::new();
        let is_the_clients = |status, message| {
            let refused =
                Refused { status, message, headers: &headers, client: ClientStanding::Doubtful };
            judge(&refused, Timestamp::from_seconds(0)) == Blame::Caller
        };
        assert!(is_the_clients(403, "not for this client"));
        assert!(is_the_clients(429, "Error"));
        assert!(!is_the_clients(403, "This organization has been disabled."));
        assert!(!is_the_clients(401, "") && !is_the_clients(500, "") && !is_the_clients(402, ""));
    }

    #[test]
    fn what_is_for_claude_code_alone_is_the_callers_whatever_its_status() {
        let text = "This credential is only authorized for use with Claude Code and cannot be";
        for status in [400, 401, 402, 403, 429] {
            assert_eq!(blame(status, text), None, "{status}");
        }
        assert_eq!(blame(403, &format!("no: {text}")), Some(RestCause::Condemned));
        assert_eq!(blame(500, text), Some(RestCause::Failing));
    }

    #[test]
    fn the_accounts_faults_move_on() {
        assert_eq!(blame(401, ""), Some(RestCause::Unauthorised));
        assert_eq!(blame(403, ""), Some(RestCause::Condemned));
        assert_eq!(blame(429, ""), Some(RestCause::RateLimited));
        assert_eq!(blame(500, ""), Some(RestCause::Failing));
        assert_eq!(blame(529, ""), Some(RestCause::Overloaded));
        assert_eq!(blame(302, ""), Some(RestCause::Failing));
        assert_eq!(blame(status_of_kind("overloaded_error"), ""), Some(RestCause::Overloaded));
    }
}
