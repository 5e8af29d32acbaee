//! Counts of tokens: free, and throttled apart.

use std::time::Duration;

use relay_core::id::KeyId;
use relay_testkit::{Answer, Ending, FakeProvider, messages_body};

use super::{MESSAGES, answer, anthropic_error, hello, sent};
use crate::kit::{START, TestRelay};

const COUNT: &str = "/api/v1/messages/count_tokens";

/// Counts until the key's minute is full; tells how many there were.
fn use_up(relay: &TestRelay, key: KeyId) -> u32 {
    let now = relay.app.now();
    let counts = (0..10_000).take_while(|_| relay.app.counting.admit(key, now).is_ok()).count();
    u32::try_from(counts).expect("few")
}

#[tokio::test]
async fn a_count_passes_through_and_costs_nothing() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    // Agents send `stream` along; the answer is whole all the same.
    for body in [hello(), hello().stream(true), hello().tools().max_tokens(64_000)] {
        let answer = relay.client.post(COUNT, &[], body.clone()).await;
        assert_eq!(answer.status, 200);
        assert!(answer.json()["input_tokens"].as_u64().is_some_and(|tokens| tokens > 0));
        provider.until_idle().await;
        assert_eq!(answer.body, provider.served().pop().expect("served").body);
        let seen = provider.requests().pop().expect("seen");
        assert_eq!((seen.path(), &seen.body), ("/v1/messages/count_tokens", &body.bytes()));
    }
    relay.app.shutdown.until_no_call_is_open().await;
    assert!(relay.records().is_empty());
    let position = relay.app.journal.tail(relay_store::journal::Position::START).next_batch(10);
    assert!(position.expect("a journal").is_empty(), "not even an open attempt is journalled");
}

#[tokio::test]
async fn a_refused_count_passes_through_and_a_failed_one_moves_on() {
    let provider = FakeProvider::start().await;
    let accounts = ["a", "b"].map(|name| crate::kit::account(name, &provider));
    let relay = TestRelay::start(accounts, &[]).await;
    let refusal = Answer::anthropic_error(400, "invalid_request_error", "messages: 你好");
    provider.answers_once_when(|seen| seen.path() == "/v1/messages/count_tokens", refusal);
    let refused = relay.client.post(COUNT, &[], hello()).await;
    provider.until_idle().await;
    assert_eq!((refused.status, &refused.body), (400, &provider.served()[0].body));
    provider.answers_when(
        |seen| seen.api_key == "upstream-a",
        Answer::anthropic_error(529, "overloaded_error", "Overloaded"),
    );
    assert_eq!(relay.client.post(COUNT, &[], hello()).await.status, 200);
    assert_eq!(provider.requests().pop().expect("seen").api_key, "upstream-b");
}

#[tokio::test]
async fn counts_are_throttled_by_key_and_minute_and_calls_are_not() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    let (id, client) = relay.add_key("busy").await;
    let (_, other) = relay.add_key("other").await;
    relay.clock.set(START.plus(Duration::from_secs(20)));
    assert_eq!(client.post(COUNT, &[], hello()).await.status, 200);
    let left = use_up(&relay, id);
    assert_eq!(left, 299);

    let refused = client.post(COUNT, &[], hello()).await;
    let told = anthropic_error(&refused, 429, "rate_limit_error");
    assert!(told.contains("300") && told.contains("minute"), "{told}");
    assert_eq!(refused.header("retry-after"), "40");
    assert!(refused.header("x-should-retry").is_empty());
    assert_eq!(client.post(MESSAGES, &[], hello()).await.status, 200);
    assert_eq!(other.post(COUNT, &[], hello()).await.status, 200);
    relay.clock.advance(Duration::from_secs(40));
    assert_eq!(client.post(COUNT, &[], hello()).await.status, 200);
}

#[tokio::test]
async fn a_throttled_count_is_told_to_a_client_that_is_still_sending() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    let (id, client) = relay.add_key("busy").await;
    use_up(&relay, id);
    let body = messages_body("claude-sonnet-4-6", "x").size(8 << 20).bytes();
    let length = body.len().to_string();
    let head = client.head_of("POST", COUNT, &[("content-length", &length)]);
    let mut socket = sent(&relay, format!("{head}\r\n")).await;
    socket.send(&body).await.expect("the relay reads on");
    let refused = answer(socket).await.collect().await;
    anthropic_error(&refused, 429, "rate_limit_error");
    assert_eq!(refused.ending, Ending::Whole);
}
