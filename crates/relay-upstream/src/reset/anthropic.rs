//! When a limit of Anthropic's ends.

use std::time::Duration;

use http::HeaderMap;
use relay_core::clock::Timestamp;
use relay_core::health::{STATED_REST_MAX, Scope};

use super::{RETRY_AFTER_MAX, StatedReset, of_no_limit, seconds, text};
use crate::quota::weekly_family;

/// Reads the reset of the claim that rejected the call; of several claims, the longest *rejected*
/// one counts, never the longest known one. `retry-after` is the word of last resort.
///
/// Source: `anthropic-ratelimit-unified-*` of subscriptions (unix seconds), and
/// `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-*` of API keys (RFC 3339).
pub fn stated(headers: &HeaderMap, now: Timestamp) -> StatedReset {
    let claim = rejecting_claim(headers);
    let within = |span, at: Option<Timestamp>| at.map(|at| at.min(now.plus(span)));
    let at = within(claim_max(claim), claimed(headers, claim))
        .or_else(|| within(RETRY_AFTER_MAX, exhausted(headers)))
        .or_else(|| of_no_limit(headers, now));
    StatedReset { at, scope: scope(headers, claim) }
}

/// The claim that rejected the call. Answers name one at any time, also while all is allowed; then
/// the limit is another, such as of calls in a minute.
fn rejecting_claim(headers: &HeaderMap) -> Option<&str> {
    let claim = text(headers, "anthropic-ratelimit-unified-representative-claim")?;
    let of_window = label(claim).and_then(|window| of_window(headers, &window, "status"));
    let status = of_window.or_else(|| text(headers, "anthropic-ratelimit-unified-status"));
    status.is_none_or(|status| status == "rejected").then_some(claim)
}

/// What a limit covers: what its claim says; without one, no more than the models asked for, as
/// limits of API keys and most short ones are by model.
fn scope(headers: &HeaderMap, claim: Option<&str>) -> Scope {
    match claim {
        Some("five_hour" | "seven_day") => Scope::Account,
        Some(claim) => {
            let family = claim.strip_prefix("seven_day_").and_then(weekly_family);
            family.map_or(Scope::Asked, Scope::Models)
        }
        None if rejected(headers, "5h").max(rejected(headers, "7d")).is_some() => Scope::Account,
        None => Scope::Asked,
    }
}

/// How far away a claim's reset can be: its window, and a little for clocks and rounding.
fn claim_max(claim: Option<&str>) -> Duration {
    match claim {
        Some("five_hour") => Duration::from_hours(6),
        _ => STATED_REST_MAX,
    }
}

fn claimed(headers: &HeaderMap, claim: Option<&str>) -> Option<Timestamp> {
    let own = claim.and_then(label).and_then(|window| reset(headers, &window));
    let status = text(headers, "anthropic-ratelimit-unified-status");
    own.or_else(|| rejected(headers, "5h").max(rejected(headers, "7d"))).or_else(|| {
        let overall = || seconds(text(headers, "anthropic-ratelimit-unified-reset")?);
        (status == Some("rejected")).then(overall)?
    })
}

/// How headers name the window of a claim.
fn label(claim: &str) -> Option<String> {
    match claim {
        "five_hour" => Some("5h".to_owned()),
        "seven_day" => Some("7d".to_owned()),
        _ => claim.strip_prefix("seven_day_").map(|models| format!("7d_{models}")),
    }
}

/// The reset of a window, if it rejected the call.
fn rejected(headers: &HeaderMap, window: &str) -> Option<Timestamp> {
    (of_window(headers, window, "status") == Some("rejected")).then(|| reset(headers, window))?
}

fn reset(headers: &HeaderMap, window: &str) -> Option<Timestamp> {
    seconds(of_window(headers, window, "reset")?)
}

fn of_window<'a>(headers: &'a HeaderMap, window: &str, what: &str) -> Option<&'a str> {
    text(headers, &format!("anthropic-ratelimit-unified-{window}-{what}"))
}

/// The latest reset among the limits of which nothing remains.
fn exhausted(headers: &HeaderMap) -> Option<Timestamp> {
    ["requests", "tokens", "input-tokens", "output-tokens"]
        .into_iter()
        .filter(|limit| {
            text(headers, &format!("anthropic-ratelimit-{limit}-remaining")) == Some("0")
        })
        .filter_map(|limit| {
            let reset = text(headers, &format!("anthropic-ratelimit-{limit}-reset"))?;
            let moment: jiff::Timestamp = reset.parse().ok()?;
            Some(Timestamp::from_millis(moment.as_millisecond()))
        })
        .max()
}

#[cfg(test)]
mod tests;
