//! What ChatGPT's upstream for Codex tells of an account's limits, and what it insists on.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::anthropic::ask::list;

/// Seconds until the short window opens again, if nothing else is said.
const PRIMARY_RESETS: u64 = 9_000;
/// Seconds until the long window opens again, if nothing else is said.
const SECONDARY_RESETS: u64 = 300_000;

/// How much of a window is used, and the seconds until it opens again.
pub(crate) type Window = (u32, u64);

/// The usual state of the windows.
pub(crate) const USUAL: (Window, Window) = ((12, PRIMARY_RESETS), (34, SECONDARY_RESETS));

/// What is wrong with a request that the API would take; `None` for a good one.
pub(crate) fn objection(body: &Value, compacts: bool) -> Option<&'static str> {
    if !compacts && body["stream"] != true {
        return Some("Stream must be set to true");
    }
    if !compacts && body["store"] != false {
        return Some("Store must be set to false");
    }
    let system = list(&body["input"]).iter().any(|item| item["role"] == "system");
    system.then_some("System messages are not allowed")
}

/// Adds the headers of both windows.
pub(crate) fn with_windows(answer: Answer, (primary, secondary): (Window, Window)) -> Answer {
    let windows = [("primary", primary, "300"), ("secondary", secondary, "10080")];
    windows.into_iter().fold(answer, |answer, (name, (percent, resets), minutes)| {
        answer
            .header(&format!("x-codex-{name}-used-percent"), &percent.to_string())
            .header(&format!("x-codex-{name}-reset-after-seconds"), &resets.to_string())
            .header(&format!("x-codex-{name}-window-minutes"), minutes)
    })
}

/// The answer of `/backend-api/wham/usage`; `now` is in seconds since the Unix epoch.
pub(crate) fn usage_page(now: i64) -> Value {
    let window = |(percent, resets): Window, seconds: u64| {
        json!({
            "used_percent": percent, "limit_window_seconds": seconds,
            "reset_after_seconds": resets,
            "reset_at": now.saturating_add_unsigned(resets),
        })
    };
    json!({
        "plan_type": "plus",
        "rate_limit": {
            "allowed": true, "limit_reached": false,
            "primary_window": window(USUAL.0, 18_000),
            "secondary_window": window(USUAL.1, 604_800),
        },
    })
}
