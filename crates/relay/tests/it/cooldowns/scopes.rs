//! What a rest covers and how long it is stated to be: as narrow as the evidence.

use std::time::Duration;

use relay_core::health::RestCause;
use relay_testkit::{Answer, Moment};

use super::{SONNET, ask, only_rest, post, refusal, rests, served_by, two};
use crate::kit::{START, TestRelay};

const OPUS: &str = "claude-opus-4-8";
const HOUR: i64 = 3_600;

/// A moment so many seconds after the start, in seconds since the epoch.
fn after(seconds: i64) -> i64 {
    START.as_millis() / 1_000 + seconds
}

/// How long the one rest of `a` lasts, in seconds.
async fn seconds(relay: &TestRelay) -> u64 {
    only_rest(relay, "a").await.until.since(relay.app.now()).as_secs()
}

/// What `a` answers a call for Opus rests it so long, for Sonnet too or not.
async fn rests_for(answer: Answer, expected: u64, sonnet: &str) {
    let (provider, relay) = two().await;
    provider.answers_once(answer);
    assert_eq!(served_by(&relay, &provider, OPUS).await, "b");
    assert_eq!(seconds(&relay).await, expected);
    assert_eq!(served_by(&relay, &provider, SONNET).await, sonnet);
    assert_eq!(served_by(&relay, &provider, OPUS).await, "b");
    let (whole, families) = rests(&relay, "a").await;
    let names: Vec<_> = families.iter().map(|(name, _)| name.as_str()).collect();
    match sonnet {
        "a" => assert_eq!((whole, names), (None, vec!["opus"])),
        _ => assert!(whole.is_some() && names.is_empty()),
    }
    relay.clock.advance(Duration::from_secs(expected));
    assert_eq!(served_by(&relay, &provider, OPUS).await, "a");
}

#[tokio::test]
async fn a_weekly_limit_of_one_family_rests_that_family() {
    rests_for(Answer::limited("seven_day_opus", after(50 * HOUR)), 180_000, "a").await;
}

#[tokio::test]
async fn limits_of_all_models_rest_the_account() {
    rests_for(Answer::limited("five_hour", after(2 * HOUR)), 7_200, "b").await;
    rests_for(Answer::limited("seven_day", after(90 * HOUR)), 324_000, "b").await;
}

#[tokio::test]
async fn a_limit_without_a_claim_rests_the_family_that_was_asked_for() {
    rests_for(refusal(429).header("retry-after", "17"), 17, "a").await;
}

#[tokio::test]
async fn errors_and_overloads_rest_the_family_that_was_asked_for() {
    rests_for(refusal(529).header("retry-after", "30"), 30, "a").await;
    rests_for(refusal(503).header("retry-after", "9"), 9, "a").await;
}

#[tokio::test]
async fn a_week_of_retry_after_is_an_hour() {
    rests_for(refusal(429).header("retry-after", "604800"), 3_600, "a").await;
    rests_for(refusal(529).header("retry-after", "604800"), 3_600, "a").await;
}

#[tokio::test]
async fn a_window_that_did_not_reject_is_not_waited_for() {
    let both = |answer: Answer| answer.unified(50, 90, after(100 * HOUR));
    rests_for(both(refusal(429)).header("retry-after", "17"), 17, "a").await;
    rests_for(both(refusal(529)).header("retry-after", "17"), 17, "a").await;
    // The claim that rejected is the shorter one.
    let limited = Answer::limited("five_hour", after(HOUR));
    let week =
        limited.header("anthropic-ratelimit-unified-7d-reset", &after(150 * HOUR).to_string());
    rests_for(week, 3_600, "b").await;
}

/// Every answer of a subscription names a claim and its reset; an overload within a 200 does too.
#[tokio::test]
async fn an_overload_beside_known_windows_is_short() {
    let (provider, relay) = two().await;
    let event = Answer::well().error_event(Moment::Events(1), "overloaded_error", "Overloaded");
    provider.answers_once(event.unified(90, 20, after(4 * HOUR)));
    assert_eq!(post(&relay, ask("hello")).await.status, 200);
    let rest = only_rest(&relay, "a").await;
    assert_eq!((rest.cause, rest.stated), (RestCause::Overloaded, false));
    assert!(rest.until <= relay.app.now().plus(Duration::from_secs(1)));

    let limit = Answer::well().error_event(Moment::Events(1), "rate_limit_error", "slower");
    let (provider, relay) = two().await;
    provider.answers_once(limit.unified(90, 20, after(4 * HOUR)));
    assert_eq!(post(&relay, ask("hello")).await.status, 200);
    let rest = only_rest(&relay, "a").await;
    assert_eq!((rest.cause, rest.stated), (RestCause::RateLimited, false));
}

#[tokio::test]
async fn a_credential_that_is_refused_rests_the_account() {
    let (provider, relay) = two().await;
    provider.answers_once(refusal(401));
    assert_eq!(served_by(&relay, &provider, OPUS).await, "b");
    assert_eq!(served_by(&relay, &provider, SONNET).await, "b");
}
