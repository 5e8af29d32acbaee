//! When no account is able, the client is told the truth: what for, and until when.

use std::io::{Read, Seek};
use std::sync::Arc;
use std::time::Duration;

use relay_core::money::Money;
use relay_core::quota::StopAt;
use relay_store::accounts::AccountChange;
use relay_testkit::{Answer, FakeProvider};

use super::{ask, asked, post, refusal, two};
use crate::kit::{START, TestRelay};

/// `a` and `b` answer so; the client is told this status, kind and wait, by the call that found
/// out and by the next, which asks nobody.
async fn told(a: Answer, b: Answer, status: u16, seconds: &str) {
    let kind = match status {
        429 => "rate_limit_error",
        529 => "overloaded_error",
        _ => "api_error",
    };
    for streamed in [false, true] {
        let (provider, relay) = two(&[]).await;
        provider.answers_key("upstream-a", a.clone());
        provider.answers_key("upstream-b", b.clone());
        for _ in 0..2 {
            let answer = post(&relay, ask("hello", streamed)).await;
            let found = (answer.status, answer.header("retry-after"));
            assert_eq!(found, (status, seconds), "{}", answer.json());
            assert_eq!(answer.json()["error"]["type"], kind);
        }
        assert_eq!(asked(&provider), ["a", "b"]);
    }
}

fn limit(seconds: &str) -> Answer {
    refusal(429).header("retry-after", seconds)
}

fn overload(seconds: &str) -> Answer {
    refusal(529).header("retry-after", seconds)
}

#[tokio::test]
async fn limits_are_told_as_limits_until_the_first_ends() {
    told(limit("90"), limit("40"), 429, "40").await;
    let five_hour = Answer::limited("five_hour", START.as_millis() / 1_000 + 7_200);
    told(five_hour.clone(), limit("50"), 429, "50").await;
    told(five_hour, Answer::limited("seven_day", START.as_millis() / 1_000 + 600), 429, "600")
        .await;
}

#[tokio::test]
async fn overloads_are_told_as_overloads() {
    told(overload("30"), overload("30"), 529, "30").await;
}

#[tokio::test]
async fn a_mixture_is_told_as_neither() {
    told(limit("30"), overload("60"), 503, "30").await;
    told(overload("60"), limit("30"), 503, "30").await;
    told(limit("30"), refusal(503).header("retry-after", "20"), 503, "20").await;
}

#[tokio::test]
async fn a_limit_of_some_is_not_the_limit_of_all() {
    let (provider, relay) = two(&[]).await;
    provider.answers_key("upstream-a", limit("90"));
    assert_eq!(post(&relay, ask("[[say b]]", true)).await.text(), "b");
    provider.answers_key("upstream-b", refusal(500));
    let answer = post(&relay, ask("hello", true)).await;
    assert_eq!(
        (answer.status, answer.json()["error"]["message"].as_str()),
        (500, Some("the words of a"))
    );
}

#[tokio::test]
async fn an_operators_marks_are_limits_too() {
    let (provider, relay) = two(&[]).await;
    let resets_at = START.as_millis() / 1_000 + 3_000;
    provider.answers_key("upstream-a", Answer::well().unified(85, 10, resets_at));
    provider.answers_key("upstream-b", limit("3500"));
    let stop_at = StopAt { five_hour: Some(80), seven_day: None };
    let mark = AccountChange { stop_at: Some(stop_at), ..AccountChange::default() };
    relay.edit_account("a", &mark).await;
    assert_eq!(post(&relay, ask("hello", false)).await.status, 200, "its headers come with it");
    for streamed in [true, false] {
        let answer = post(&relay, ask("hello", streamed)).await;
        assert_eq!((answer.status, answer.header("retry-after")), (429, "3000"));
    }
    let open = AccountChange { stop_at: Some(StopAt::default()), ..AccountChange::default() };
    relay.edit_account("a", &open).await;
    let least = Some(Money::from_nanos(1));
    let broke = AccountChange { daily_cost_max: least, ..AccountChange::default() };
    relay.edit_account("a", &broke).await;
    let answer = post(&relay, ask("hello", false)).await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, "3500"), "{}", answer.json());
    relay.until_all_is_given_back().await;
}

#[tokio::test]
async fn a_call_that_waits_as_told_is_served() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    provider.answers_once(limit("77"));
    let answer = post(&relay, ask("hello", true)).await;
    let wait: u64 = answer.header("retry-after").parse().expect("seconds");
    relay.clock.advance(Duration::from_secs(wait - 1));
    assert_eq!(post(&relay, ask("too early", true)).await.status, 429);
    relay.clock.advance(Duration::from_secs(1));
    assert_eq!(post(&relay, ask("in time", true)).await.status, 200);
    assert_eq!(provider.requests().len(), 2);
}

#[tokio::test]
async fn the_log_says_that_the_daily_cost_is_reached_and_that_an_account_answers_again() {
    let log = Arc::new(tempfile::tempfile().expect("a file"));
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(Arc::clone(&log));
    // The runtime of this test has this one thread.
    let _guard = tracing::subscriber::set_default(subscriber.finish());

    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    provider.answers_once(limit("30"));
    assert_eq!(post(&relay, ask("hello", false)).await.status, 429);
    relay.clock.advance(Duration::from_secs(30));
    let least = Some(Money::from_nanos(1));
    let little = AccountChange { daily_cost_max: least, ..AccountChange::default() };
    relay.edit_account("a", &little).await;
    for status in [200, 429] {
        assert_eq!(post(&relay, ask("hello", false)).await.status, status);
    }

    let mut file = log.as_ref();
    let mut lines = String::new();
    file.rewind().and_then(|()| file.read_to_string(&mut lines)).expect("a log");
    let count = |level: &str, words: &str| {
        lines.lines().filter(|line| line.contains(level) && line.contains(words)).count()
    };
    assert_eq!(count(" INFO ", "a answers again"), 1, "{lines}");
    assert_eq!(count(" WARN ", "a rests until 2027-01-1"), 2, "{lines}");
    assert_eq!(count(" WARN ", "Z: the daily cost"), 1, "{lines}");
}
