//! Faults of the Gemini API and of Code Assist.
//!
//! Source: the documented statuses and error details of Google's APIs, and answers in public
//! reports of 2024 to 2026.

use relay_core::health::RestCause;

use super::table::{Covers, Row, Status, Told, Verdict};

/// A key that is none comes as a 400.
const KEY_REASONS: &[&str] =
    &["API_KEY_INVALID", "ACCESS_TOKEN_EXPIRED", "ACCESS_TOKEN_TYPE_UNSUPPORTED"];
const KEY_MESSAGES: &[&str] = &["api key not valid", "api key expired", "api key not found"];

/// Places where the account may not be used from, which come as a 400.
const NOT_HERE: &[&str] = &[
    "user location is not supported for the api use",
    "gemini api free tier is not available in your country",
];

/// Money that is used up, which comes as a 429.
const UNPAID: &[&str] =
    &["your prepayment credits are depleted", "your project has exceeded its monthly spending cap"];

/// Files and caches of another account than this one, which come as a 403.
const OF_OTHERS: &[&str] =
    &["you do not have permission to access the file", "cachedcontent not found"];

/// Models that do not exist, or that this account does not have.
const NO_MODEL: &[&str] = &["models/", "publisher model ", "requested entity was not found"];

const UNAUTHORISED: Verdict = Verdict::Account {
    word: "unauthorised",
    cause: RestCause::Unauthorised,
    covers: Covers::Account,
};

const fn condemned(word: &'static str) -> Verdict {
    Verdict::Account { word, cause: RestCause::Condemned, covers: Covers::Account }
}

const OVERLOADED: Verdict =
    Verdict::Account { word: "overloaded", cause: RestCause::Overloaded, covers: Covers::Asked };

pub(super) const ROWS: &[Row] = &[
    Row::words(Status::Within(400, 403), KEY_REASONS, UNAUTHORISED),
    Row::begins(Status::Within(400, 403), KEY_MESSAGES, UNAUTHORISED),
    Row::begins(Status::Is(400), NOT_HERE, condemned("forbidden")),
    Row::begins(Status::Is(403), OF_OTHERS, Verdict::Caller),
    Row::begins(Status::Is(404), NO_MODEL, Verdict::Elsewhere),
    Row::begins(Status::Is(429), UNPAID, condemned("unpaid")),
    // No limit of the account's: it comes with a 429 and with a 503.
    Row::words(Status::Within(429, 503), &["MODEL_CAPACITY_EXHAUSTED"], OVERLOADED),
    Row { status: Status::Is(503), told: Told::Anything, verdict: OVERLOADED },
];
