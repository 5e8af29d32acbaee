//! What a refusal of an upstream means: whose fault it is, and what it is evidence of.
//!
//! Each provider has a table, which goes by status (of an error event: the one its type stands
//! for), by the provider's own words for its errors (type, code, reason) and by the *fixed
//! beginning* of the message, never by a search in text that may echo the caller.

mod anthropic;
mod google;
mod kinds;
mod openai;
mod table;
#[cfg(test)]
mod tests;

use http::HeaderMap;
use relay_core::clock::Timestamp;
use relay_core::health::{Evidence, RestCause, Scope};
use relay_core::protocol::Service;

pub use self::kinds::status_of_kind;
use self::table::{Covers, Row, Status, Verdict};
use crate::client::ConnectionFault;
use crate::reset::{self, StatedReset};
use crate::said::{Said, veiled};

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
    /// What the upstream said, for the client if no other account can answer, without the names
    /// of the account in it.
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
    /// Whose accounts say so: each provider has a table of its own.
    pub provider: Service,
    /// The status, or the one that an error event inside a 200 stands for.
    pub status: u16,
    /// `error.message` of the body.
    pub message: &'a str,
    /// The body, or the data of the error event: some providers state in it when a limit ends.
    pub body: &'a [u8],
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

/// Judges a refusal.
pub fn judge(refused: &Refused<'_>, now: Timestamp) -> Blame {
    let said = Said::of(refused.body);
    let message = message(refused, &said);
    let Some((row, &Verdict::Account { word, cause, covers })) = verdict(refused, &said) else {
        return Blame::Caller;
    };
    let stated = stated(covers, refused, (&said, message), now);
    if refused.client == ClientStanding::Doubtful && is_for_the_client(row, &stated) {
        return Blame::Caller;
    }
    Blame::Account(Fault {
        word,
        status: Some(refused.status),
        evidence: Evidence { cause, stated_reset: stated.at, scope: stated.scope },
        maybe_billed: false,
        said: (!message.is_empty()).then(|| veiled(message)),
    })
}

/// Whether nothing is wrong with the account, and yet another one may serve the call: it does not
/// have the model, or its limits are too low for a call of this size. [`judge`] calls that the
/// caller's, so that the account rests for no call that is at fault itself (a name with a slip in
/// it would take a family of models from everybody), and the client reads the provider's words.
pub fn another_may_serve(refused: &Refused<'_>) -> bool {
    matches!(verdict(refused, &Said::of(refused.body)), Some((_, Verdict::Elsewhere)))
}

/// The words of the faults that a provider's answers can stand for.
pub fn words() -> impl Iterator<Item = &'static str> {
    let tables = [Service::Claude, Service::Openai, Service::Gemini].map(table::of);
    let rows = tables.into_iter().flatten().copied().flatten();
    rows.filter_map(|row| match row.verdict {
        Verdict::Account { word, .. } => Some(word),
        Verdict::Caller | Verdict::Elsewhere => None,
    })
}

/// The line of the table that a refusal falls under.
fn verdict(refused: &Refused<'_>, said: &Said) -> Option<(&'static Row, &'static Verdict)> {
    let message = message(refused, said);
    let mut rows = table::of(refused.provider).iter().copied().flatten();
    let row = rows.find(|row| row.fits(refused.status, message, said))?;
    Some((row, &row.verdict))
}

/// What the provider said: by whoever read the body, else by its own error.
fn message<'a>(refused: &Refused<'a>, said: &'a Said) -> &'a str {
    if refused.message.is_empty() { said.message() } else { refused.message }
}

/// When a fault ends and what it covers, in the words of its provider.
fn stated(
    covers: Covers,
    refused: &Refused<'_>,
    said: (&Said, &str),
    now: Timestamp,
) -> StatedReset {
    let headers = refused.headers;
    let scope = match covers {
        Covers::Account => Scope::Account,
        Covers::Asked => Scope::Asked,
        Covers::Stated => {
            return match refused.provider {
                Service::Claude => reset::anthropic(headers, now),
                Service::Openai => reset::openai::of_key(headers, said, now),
                Service::Gemini => reset::google::stated(headers, said, now),
            };
        }
        Covers::Plan => return reset::openai::of_plan(headers, said.0, now),
    };
    let at = match refused.provider {
        Service::Claude => reset::of_no_limit(headers, now),
        Service::Openai => reset::openai::of_no_limit(headers, now),
        Service::Gemini => reset::google::of_no_limit(headers, said.0, now),
    };
    StatedReset { at, scope }
}

/// Whether a refusal is for a client that the provider does not accept: not permitted, or a limit
/// that no window of the account explains.
fn is_for_the_client(row: &Row, stated: &StatedReset) -> bool {
    match row.status {
        Status::Is(403) => true,
        Status::Is(429) => stated.at.is_none(),
        _ => false,
    }
}

/// Whether a provider says that a sign-in, which it accepts, is for its own client alone.
pub fn is_for_claude_code(message: &str) -> bool {
    table::begins_with(message, anthropic::FOR_CLAUDE_CODE)
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
        if self.evidence.cause == RestCause::Overloaded {
            return None;
        }
        match (self.status, self.word) {
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
