//! When a limit of OpenAI's ends: of an API key by the minute or the day, of a ChatGPT plan by its
//! windows.

use std::time::Duration;

use http::HeaderMap;
use relay_core::clock::Timestamp;
use relay_core::health::{STATED_REST_MAX, Scope};
use relay_core::quota::Window;

use super::{RETRY_AFTER_MAX, StatedReset, ahead, retry_after, seconds_of, span, text};
use crate::quota::codex;
use crate::said::Said;

/// By how much a stated reset may lie behind the end of its window: clocks and rounding.
const ROUNDING: Duration = Duration::from_hours(1);

/// How the limit of an API key is told, and before what it says when to try again.
const LIMITED: &str = "Rate limit reached for ";
const AGAIN_IN: &str = "Please try again in ";

/// The limit of an API key, or of calls by the minute: of the models asked for, an hour at most.
///
/// What the provider says of trying again counts before `x-ratelimit-reset-*`, which tell when a
/// limit is whole again, and those of limits that are not exhausted say nothing. Only where no
/// header tells, the end of the message does.
pub(crate) fn of_key(headers: &HeaderMap, said: (&Said, &str), now: Timestamp) -> StatedReset {
    let at = again(headers, now)
        .or_else(|| exhausted(headers, now))
        .or_else(|| in_words(said.1).map(|wait| now.plus(wait)))
        .and_then(|at| ahead(at, now, RETRY_AFTER_MAX));
    StatedReset { at, scope: Scope::Asked }
}

/// The limit of a ChatGPT plan: `usage_limit_reached`, with `resets_in_seconds` and `resets_at`.
///
/// It is of the account, unless its windows are told and none is used up: then it is of the models
/// that were asked for. The reset is that of the window that is used up, and lies no further away
/// than that window is long, whatever the body says.
pub(crate) fn of_plan(headers: &HeaderMap, said: &Said, now: Timestamp) -> StatedReset {
    let windows = codex::told(headers, now);
    let used_up = |window: &Window| window.used_permille >= 1_000;
    let rejecting = windows.iter().filter(|(_, window)| used_up(window));
    let longest = rejecting.clone().map(|(kind, _)| kind.length()).max();
    let max = longest.map_or(STATED_REST_MAX, |length| (length + ROUNDING).min(STATED_REST_MAX));
    let in_body = || {
        let after = said.number("resets_in_seconds").and_then(seconds_of);
        let at = said.number("resets_at").and_then(seconds_of);
        let after = after.filter(|after| !after.is_zero()).map(|after| now.plus(after));
        after.or_else(|| at.map(|since_epoch| Timestamp::default().plus(since_epoch)))
    };
    let of_window = || rejecting.clone().filter_map(|(_, window)| window.resets_at).max();
    let at = in_body().or_else(of_window).and_then(|at| ahead(at, now, max));
    let at = at.or_else(|| again(headers, now).and_then(|at| ahead(at, now, RETRY_AFTER_MAX)));
    let is_of_models = !windows.is_empty() && longest.is_none();
    StatedReset { at, scope: if is_of_models { Scope::Asked } else { Scope::Account } }
}

/// What a refusal that is no limit says of its end.
pub(crate) fn of_no_limit(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    again(headers, now).and_then(|at| ahead(at, now, RETRY_AFTER_MAX))
}

/// When to try again: `retry-after-ms`, or `retry-after`.
fn again(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let millis = text(headers, "retry-after-ms").and_then(|text| text.trim().parse::<f64>().ok());
    let wait = millis.and_then(|millis| seconds_of(millis / 1_000.0));
    wait.map(|wait| now.plus(wait)).or_else(|| retry_after(headers, now))
}

/// When the exhausted limits are whole again.
fn exhausted(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    ["requests", "tokens"]
        .into_iter()
        .filter(|limit| text(headers, &format!("x-ratelimit-remaining-{limit}")) == Some("0"))
        .filter_map(|limit| span(text(headers, &format!("x-ratelimit-reset-{limit}"))?))
        .max()
        .map(|wait| now.plus(wait))
}

/// The span that ends `Rate limit reached for ... Please try again in 1.2s. Visit ...`. What lies
/// between are names of models and organisations that the provider knows.
fn in_words(message: &str) -> Option<Duration> {
    let (_, after) = message.strip_prefix(LIMITED)?.rsplit_once(AGAIN_IN)?;
    let word = after.split_whitespace().next()?;
    span(word.trim_end_matches('.'))
}
