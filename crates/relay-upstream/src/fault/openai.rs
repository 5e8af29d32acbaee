//! Faults of OpenAI's API, of ChatGPT's Codex, and of hosts that speak like them.
//!
//! Source: the documented error codes, and answers in public reports of 2024 to 2026. A 400 is the
//! caller's, as is a `previous_response_id` or an `encrypted_content` that the account does not
//! know: its client has to read that as it is, to send the whole conversation.

use relay_core::health::RestCause;

use super::table::{Covers, Row, Status, Told, Verdict};

/// Whatever the status says, these are for what the caller wrote.
const OF_CONTENT: &[&str] = &[
    "content_filter",
    "content_policy_violation",
    "cyber_policy",
    "cyber_policy_violation",
    "invalid_prompt",
    "moderation_blocked",
    "previous_response_not_found",
];

/// Nobody pays for the account. Most come as a 429, and no waiting helps.
const UNPAID: &[&str] = &[
    "billing_hard_limit_reached",
    "billing_not_active",
    "exceeded_current_quota_error",
    "insufficient_quota",
    "usage_not_included",
];

/// The credential, by name: compatible hosts send other statuses with it.
const UNAUTHORISED: &[&str] = &[
    "account_deactivated",
    "invalid_api_key",
    "token_expired",
    "token_invalidated",
    "token_revoked",
];

const OVERLOADED: &[&str] = &[
    "engine_overloaded",
    "engine_overloaded_error",
    "overloaded_error",
    "server_is_overloaded",
    "slow_down",
];

const IS_OVERLOADED: Verdict =
    Verdict::Account { word: "overloaded", cause: RestCause::Overloaded, covers: Covers::Asked };

pub(super) const ROWS: &[Row] = &[
    Row::words(Status::Within(400, 599), OF_CONTENT, Verdict::Caller),
    Row::words(
        Status::Within(400, 499),
        UNPAID,
        Verdict::Account { word: "unpaid", cause: RestCause::Condemned, covers: Covers::Account },
    ),
    Row::words(
        Status::Within(400, 499),
        UNAUTHORISED,
        Verdict::Account {
            word: "unauthorised",
            cause: RestCause::Unauthorised,
            covers: Covers::Account,
        },
    ),
    // A model that does not exist, or that this project or plan does not have: the provider does
    // not say which.
    Row::words(Status::Within(400, 499), &["model_not_found"], Verdict::Elsewhere),
    Row {
        status: Status::Within(400, 499),
        told: Told::Framed(
            "The '",
            "' model is not supported when using Codex with a ChatGPT account.",
        ),
        verdict: Verdict::Elsewhere,
    },
    Row::begins(
        Status::Within(400, 499),
        &["your organization must be verified to "],
        Verdict::Elsewhere,
    ),
    // More tokens than the account may use in a minute: no wait makes it fit.
    Row::begins(Status::Is(429), &["request too large for "], Verdict::Elsewhere),
    // A key that is restricted may still do other things.
    Row::begins(
        Status::Is(403),
        &["you have insufficient permissions for this operation"],
        Verdict::Account { word: "forbidden", cause: RestCause::Condemned, covers: Covers::Asked },
    ),
    Row::words(
        Status::Within(400, 599),
        &["usage_limit_reached"],
        Verdict::Account {
            word: "rate_limited",
            cause: RestCause::RateLimited,
            covers: Covers::Plan,
        },
    ),
    Row::words(Status::Within(429, 599), OVERLOADED, IS_OVERLOADED),
    Row::begins(Status::Within(429, 599), &["selected model is at capacity"], IS_OVERLOADED),
    Row { status: Status::Is(503), told: Told::Anything, verdict: IS_OVERLOADED },
];
