//! Faults of Anthropic Messages.

use relay_core::health::RestCause;

use super::table::{Covers, Row, Status, Verdict};

/// Messages that condemn the account although the status is one of the caller's.
const CONDEMNING: &[&str] = &[
    "this organization has been disabled",
    "oauth authentication is currently not allowed",
    "your credit balance is too low",
];

/// How a provider begins to say that it accepts the sign-in, and not who calls with it.
pub(super) const FOR_CLAUDE_CODE: &str =
    "this credential is only authorized for use with claude code";

pub(super) const ROWS: &[Row] = &[
    Row::begins(
        Status::Within(400, 499),
        CONDEMNING,
        Verdict::Account {
            word: "condemned",
            cause: RestCause::Condemned,
            covers: Covers::Account,
        },
    ),
    Row::begins(Status::Within(400, 499), &[FOR_CLAUDE_CODE], Verdict::Caller),
];
