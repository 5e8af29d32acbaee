//! When a limited account will serve again, as the provider's headers say.

use std::time::Duration;

use http::HeaderMap;
use jiff::fmt::rfc2822;
use relay_core::clock::Timestamp;
use relay_core::health::{STATED_REST_MAX, Scope};

use crate::quota::weekly_family;

/// The longest rest that `retry-after` and limits of API keys are taken for: these are of minutes,
/// and a longer word is tried out.
pub const RETRY_AFTER_MAX: Duration = Duration::from_hours(1);

/// What the headers of a refusal say of its end and of what it covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatedReset {
    /// When the limit ends.
    pub at: Option<Timestamp>,
    /// What it covers.
    pub scope: Scope,
}

/// Reads the reset of the claim that rejected the call; of several claims, the longest *rejected*
/// one counts, never the longest known one. `retry-after` is the word of last resort.
///
/// Source: `anthropic-ratelimit-unified-*` of subscriptions (unix seconds), and
/// `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-*` of API keys (RFC 3339).
pub fn anthropic(headers: &HeaderMap, now: Timestamp) -> StatedReset {
    let claim = rejecting_claim(headers);
    let within = |span, at: Option<Timestamp>| at.map(|at| at.min(now.plus(span)));
    let at = within(claim_max(claim), claimed(headers, claim))
        .or_else(|| within(RETRY_AFTER_MAX, exhausted(headers)))
        .or_else(|| of_no_limit(headers, now));
    StatedReset { at, scope: scope(headers, claim) }
}

/// What the headers of a refusal that is no limit say of its end. Those that tell of limits come
/// with every answer, and say nothing of it.
pub fn of_no_limit(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    retry_after(headers, now).map(|at| at.min(now.plus(RETRY_AFTER_MAX)))
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

/// `retry-after` in seconds, fractions allowed, or as an HTTP date.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let text = text(headers, "retry-after")?.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        let span = std::time::Duration::try_from_secs_f64(seconds).ok()?;
        return Some(now.plus(span));
    }
    let moment = rfc2822::parse(text).ok()?.timestamp();
    Some(Timestamp::from_millis(moment.as_millisecond()))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn seconds(text: &str) -> Option<Timestamp> {
    text.trim().parse().ok().map(Timestamp::from_seconds)
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use relay_core::model::ModelFamily;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn stated(pairs: &[(&'static str, &'static str)]) -> StatedReset {
        let headers = pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        anthropic(&headers, NOW)
    }

    fn at(pairs: &[(&'static str, &'static str)]) -> Option<i64> {
        stated(pairs).at.map(|at| at.as_millis() / 1_000)
    }

    #[test]
    fn the_claim_that_rejected_counts_not_the_longest_known() {
        let both = [
            ("anthropic-ratelimit-unified-status", "rejected"),
            ("anthropic-ratelimit-unified-representative-claim", "five_hour"),
            ("anthropic-ratelimit-unified-5h-status", "rejected"),
            ("anthropic-ratelimit-unified-5h-reset", "1800003600"),
            ("anthropic-ratelimit-unified-7d-status", "allowed"),
            ("anthropic-ratelimit-unified-7d-reset", "1800600000"),
        ];
        assert_eq!(at(&both), Some(1_800_003_600));
    }

    #[test]
    fn a_claim_that_allowed_the_call_is_not_what_limits_it() {
        let allowed = [
            ("anthropic-ratelimit-unified-status", "allowed_warning"),
            ("anthropic-ratelimit-unified-representative-claim", "seven_day"),
            ("anthropic-ratelimit-unified-5h-status", "allowed"),
            ("anthropic-ratelimit-unified-5h-reset", "1800003600"),
            ("anthropic-ratelimit-unified-7d-status", "allowed_warning"),
            ("anthropic-ratelimit-unified-7d-reset", "1800600000"),
            ("anthropic-ratelimit-unified-reset", "1800600000"),
        ];
        assert_eq!(stated(&allowed), StatedReset { at: None, scope: Scope::Asked });
        let mut brief = allowed.to_vec();
        brief.push(("retry-after", "17"));
        assert_eq!(at(&brief), Some(1_800_000_017));
    }

    #[test]
    fn another_window_than_the_claims_may_have_rejected() {
        let other = [
            ("anthropic-ratelimit-unified-representative-claim", "five_hour"),
            ("anthropic-ratelimit-unified-5h-status", "allowed"),
            ("anthropic-ratelimit-unified-5h-reset", "1800003600"),
            ("anthropic-ratelimit-unified-7d-status", "rejected"),
            ("anthropic-ratelimit-unified-7d-reset", "1800600000"),
        ];
        let until = Some(Timestamp::from_seconds(1_800_600_000));
        assert_eq!(stated(&other), StatedReset { at: until, scope: Scope::Account });
    }

    #[test]
    fn the_window_of_a_family_has_a_reset_of_its_own() {
        let opus = [
            ("anthropic-ratelimit-unified-representative-claim", "seven_day_opus"),
            ("anthropic-ratelimit-unified-7d_opus-status", "rejected"),
            ("anthropic-ratelimit-unified-7d_opus-reset", "1800300000"),
            ("anthropic-ratelimit-unified-7d-status", "rejected"),
            ("anthropic-ratelimit-unified-7d-reset", "1800600000"),
        ];
        assert_eq!(at(&opus), Some(1_800_300_000));
    }

    #[test]
    fn words_that_cannot_be_true_are_cut_short() {
        let week = [("retry-after", "604800")];
        assert_eq!(at(&week), Some(1_800_003_600));
        let claim = [
            ("anthropic-ratelimit-unified-representative-claim", "five_hour"),
            ("anthropic-ratelimit-unified-5h-reset", "1800600000"),
        ];
        assert_eq!(at(&claim), Some(1_800_021_600));
    }

    #[test]
    fn a_limit_without_a_claim_covers_the_models_asked_for() {
        assert_eq!(stated(&[("retry-after", "17")]).scope, Scope::Asked);
        let claim = |claim| stated(&[("anthropic-ratelimit-unified-representative-claim", claim)]);
        assert_eq!(claim("five_hour").scope, Scope::Account);
        assert_eq!(claim("overage").scope, Scope::Asked);
        let fable = Scope::Models(ModelFamily::of("claude-fable-5-1"));
        assert_eq!(claim("seven_day_overage_included").scope, fable);
    }

    #[test]
    fn a_claim_for_a_family_rests_that_family() {
        let opus = stated(&[
            ("anthropic-ratelimit-unified-status", "rejected"),
            ("anthropic-ratelimit-unified-representative-claim", "seven_day_opus"),
            ("anthropic-ratelimit-unified-reset", "1800600000"),
        ]);
        assert_eq!(opus.scope, Scope::Models(ModelFamily::of("claude-opus-4-8")));
        assert_eq!(opus.at, Some(Timestamp::from_seconds(1_800_600_000)));
    }

    #[test]
    fn an_api_keys_exhausted_limit_is_taken_and_others_are_not() {
        let limits = [
            ("anthropic-ratelimit-requests-remaining", "12"),
            ("anthropic-ratelimit-requests-reset", "2027-01-16T08:00:00Z"),
            ("anthropic-ratelimit-tokens-remaining", "0"),
            ("anthropic-ratelimit-tokens-reset", "2027-01-15T08:00:30Z"),
        ];
        assert_eq!(at(&limits), Some(1_800_000_030));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(at(&[("retry-after", "17")]), Some(1_800_000_017));
        assert_eq!(at(&[("retry-after", "Fri, 15 Jan 2027 08:01:00 GMT")]), Some(1_800_000_060));
        assert_eq!(at(&[("retry-after", "soon")]), None);
        assert_eq!(at(&[("retry-after", "-5")]), None);
    }
}
