use http::{HeaderName, HeaderValue};
use relay_core::model::ModelFamily;

use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn stated(pairs: &[(&'static str, &'static str)]) -> StatedReset {
    let headers = pairs
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect();
    super::stated(&headers, NOW)
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
