//! What a table of faults is made of.

use relay_core::health::RestCause;
use relay_core::protocol::Service;

use super::{anthropic, google, openai};
use crate::said::Said;

/// One line of a table: the first that fits decides.
pub(super) struct Row {
    pub(super) status: Status,
    pub(super) told: Told,
    pub(super) verdict: Verdict,
}

/// What a line knows a refusal by, beside its status.
pub(super) enum Told {
    /// Its status is enough.
    Anything,
    /// One of these words of the provider: its types, codes, reasons.
    Words(&'static [&'static str]),
    /// A message that begins so.
    Begins(&'static [&'static str]),
    /// A message that begins and ends so, with a name of the provider's between.
    Framed(&'static str, &'static str),
}

/// Whose fault a line says it is.
#[derive(Clone, Copy)]
pub(super) enum Verdict {
    Caller,
    /// The caller's as far as this account goes.
    Elsewhere,
    Account {
        word: &'static str,
        cause: RestCause,
        covers: Covers,
    },
}

/// What a fault covers.
#[derive(Clone, Copy)]
pub(super) enum Covers {
    /// The account.
    Account,
    /// The family of models that was asked for.
    Asked,
    /// What the provider says that its limit is of.
    Stated,
    /// What a window of a ChatGPT plan is of.
    Plan,
}

pub(super) enum Status {
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

impl Row {
    /// A line for every message that comes with a status.
    pub(super) const fn any(
        status: Status,
        word: &'static str,
        cause: RestCause,
        covers: Covers,
    ) -> Self {
        Self { status, told: Told::Anything, verdict: Verdict::Account { word, cause, covers } }
    }

    /// A line for what the provider has a word for.
    pub(super) const fn words(
        status: Status,
        words: &'static [&'static str],
        verdict: Verdict,
    ) -> Self {
        Self { status, told: Told::Words(words), verdict }
    }

    /// A line for messages with a fixed beginning.
    pub(super) const fn begins(
        status: Status,
        begins: &'static [&'static str],
        verdict: Verdict,
    ) -> Self {
        Self { status, told: Told::Begins(begins), verdict }
    }

    pub(super) fn fits(&self, status: u16, message: &str, said: &Said) -> bool {
        self.status.covers(status)
            && match self.told {
                Told::Anything => true,
                Told::Words(words) => said.is_one_of(words),
                Told::Begins(starts) => starts.iter().any(|start| begins_with(message, start)),
                Told::Framed(start, end) => begins_with(message, start) && message.ends_with(end),
            }
    }
}

/// The lines that hold for every provider, after its own: what each status means.
const ANY: &[Row] = &[
    // An API does not redirect: the account's address is not one.
    Row::any(Status::Within(300, 399), "redirected", RestCause::Failing, Covers::Account),
    Row::any(Status::Is(401), "unauthorised", RestCause::Unauthorised, Covers::Account),
    Row::any(Status::Is(402), "unpaid", RestCause::Condemned, Covers::Account),
    Row::any(Status::Is(403), "forbidden", RestCause::Condemned, Covers::Account),
    Row::any(Status::Is(429), "rate_limited", RestCause::RateLimited, Covers::Stated),
    Row::any(Status::Is(529), "overloaded", RestCause::Overloaded, Covers::Asked),
    Row::any(Status::Within(500, 599), "upstream_error", RestCause::Failing, Covers::Asked),
];

/// The table of a provider. A status without a row is the caller's.
pub(super) const fn of(provider: Service) -> &'static [&'static [Row]] {
    match provider {
        Service::Claude => &[anthropic::ROWS, ANY],
        Service::Openai => &[openai::ROWS, ANY],
        Service::Gemini => &[google::ROWS, ANY],
    }
}

pub(super) fn begins_with(message: &str, start: &str) -> bool {
    message.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}
