//! When a limit of Google's ends: of a project by the minute or the day, of Code Assist by its own
//! windows.

use std::time::Duration;

use http::HeaderMap;
use jiff::ToSpan;
use jiff::tz::TimeZone;
use relay_core::clock::Timestamp;
use relay_core::health::{STATED_REST_MAX, Scope};
use relay_core::model::ModelFamily;
use serde_json::Value;

use super::{RETRY_AFTER_MAX, StatedReset, ahead, moment, retry_after, span};
use crate::said::Said;

/// Quotas of a day begin anew at midnight there, as the documentation says.
const PACIFIC: &str = "America/Los_Angeles";
/// The same where the machine has no time zones: the rule that holds since 2007.
const PACIFIC_RULE: &str = "PST8PDT,M3.2.0,M11.1.0";

/// The longest that a quota of a day can last: a day with a clock change, and a little more.
const DAY_MAX: Duration = Duration::from_hours(26);

/// How Code Assist tells a limit where it gives no details.
const RESETS_AFTER: &str =
    "You have exhausted your capacity on this model. Your quota will reset after ";

/// The longest name of a model that is taken for one.
const MODEL_MAX: usize = 64;

/// What the details of a limit say.
///
/// What the provider states is taken: Code Assist's reset of a quota, eight days at most, else
/// when to try again, an hour at most, or a day where a quota of a day is used up. That quota ends
/// at midnight if nothing is stated.
pub(crate) fn stated(headers: &HeaderMap, said: (&Said, &str), now: Timestamp) -> StatedReset {
    let (said, message) = said;
    let is_daily = violations(said).any(|it| str_of(it, "quotaId").contains("PerDay"));
    let is_quota = said.is_one_of(&["QUOTA_EXHAUSTED"]);
    let again_max = match (is_quota, is_daily) {
        (true, _) => STATED_REST_MAX,
        (false, true) => DAY_MAX,
        (false, false) => RETRY_AFTER_MAX,
    };
    let again = || {
        let delay = said.details("RetryInfo").find_map(|it| span(str_of(it, "retryDelay")));
        delay.map(|wait| now.plus(wait)).or_else(|| retry_after(headers, now))
    };
    let in_words = || {
        let after = message.strip_prefix(RESETS_AFTER)?.trim_end_matches('.');
        ahead(now.plus(span(after)?), now, STATED_REST_MAX)
    };
    let at = reset_of_quota(said, now)
        .and_then(|at| ahead(at, now, again_max))
        .or_else(|| again().and_then(|at| ahead(at, now, again_max)))
        .or_else(in_words)
        .or_else(|| is_daily.then(|| midnight(now))?);
    StatedReset { at, scope: scope(said) }
}

/// What a refusal that is no limit says of its end.
pub(crate) fn of_no_limit(headers: &HeaderMap, said: &Said, now: Timestamp) -> Option<Timestamp> {
    let delay = said.details("RetryInfo").find_map(|it| span(str_of(it, "retryDelay")));
    let at = delay.map(|wait| now.plus(wait)).or_else(|| retry_after(headers, now))?;
    ahead(at, now, RETRY_AFTER_MAX)
}

/// Code Assist's own words: `quotaResetDelay`, which knows nothing of clocks, or
/// `quotaResetTimeStamp`.
fn reset_of_quota(said: &Said, now: Timestamp) -> Option<Timestamp> {
    let told = said.details("ErrorInfo").filter_map(|info| info.get("metadata"));
    let mut resets = told.filter_map(|it| {
        let delay = span(str_of(it, "quotaResetDelay")).map(|wait| now.plus(wait));
        delay.or_else(|| moment(str_of(it, "quotaResetTimeStamp")))
    });
    resets.next()
}

/// The models that the provider says its quota is of; those that were asked for, if it does not
/// say: nearly all of its quotas are of single models.
fn scope(said: &Said) -> Scope {
    let of_violation = violations(said).filter_map(|it| it.get("quotaDimensions"));
    let of_quota = said.details("ErrorInfo").filter_map(|info| info.get("metadata"));
    let mut models = of_violation.chain(of_quota).map(|it| str_of(it, "model"));
    let is_name = |name: &&str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        !name.is_empty() && name.len() <= MODEL_MAX && name.bytes().all(plain)
    };
    models.find(is_name).map_or(Scope::Asked, |name| Scope::Models(ModelFamily::of(name)))
}

fn violations(said: &Said) -> impl Iterator<Item = &Value> {
    let lists = said.details("QuotaFailure").filter_map(|it| it.get("violations"));
    lists.filter_map(Value::as_array).flatten()
}

fn str_of<'a>(it: &'a Value, field: &str) -> &'a str {
    it.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// The next midnight in Mountain View.
fn midnight(now: Timestamp) -> Option<Timestamp> {
    let now = jiff::Timestamp::from_millisecond(now.as_millis()).ok()?;
    let zone = TimeZone::get(PACIFIC).or_else(|_| TimeZone::posix(PACIFIC_RULE)).ok()?;
    let there = now.to_zoned(zone);
    let tomorrow = there.checked_add(1.day()).ok()?.start_of_day().ok()?;
    Some(Timestamp::from_millis(tomorrow.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests;
