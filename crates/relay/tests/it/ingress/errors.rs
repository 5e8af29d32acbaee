//! Errors: native, true, and said in words.

use relay_core::model::ModelPattern;
use relay_store::accounts::NewAccount;
use relay_testkit::{Answer, FakeProvider, messages_body};
use serde_json::json;

use super::{MESSAGES, anthropic_error, hello};
use crate::kit::{TestRelay, account};

#[tokio::test]
async fn an_own_error_is_native_to_the_letter() {
    let relay = TestRelay::start([], &[]).await;
    let answer = relay.client.post(MESSAGES, &[("x-api-key", "wrong")], hello()).await;
    let id = answer.header("x-crs-request-id");
    assert!(!id.is_empty());
    assert_eq!(
        answer.json(),
        json!({
            "type": "error",
            "error": {"type": "authentication_error", "message": "this API key is not known here"},
            "request_id": id,
        })
    );
    assert!(answer.header("server-timing").contains("relay;dur="));
}

#[tokio::test]
async fn every_answer_has_an_id_of_its_own() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    let mut ids = std::collections::HashSet::new();
    for _ in 0..20 {
        let forged = [("x-crs-request-id", "forged"), ("request-id", "forged")];
        let answer = relay.client.post(MESSAGES, &forged, hello()).await;
        assert!(ids.insert(answer.header("x-crs-request-id").to_owned()));
        let refused = relay.client.post(MESSAGES, &forged, "{").await;
        assert!(ids.insert(refused.header("x-crs-request-id").to_owned()));
    }
    assert!(!ids.contains("forged") && !ids.contains(""));
}

#[tokio::test]
async fn what_an_upstream_says_to_the_caller_is_passed_on_with_its_status() {
    let provider = FakeProvider::start().await;
    let accounts = [account("a", &provider), account("b", &provider)];
    let relay = TestRelay::start(accounts, &[]).await;
    for (status, kind, message) in [
        (400, "invalid_request_error", "prompt is too long: 250000 tokens > 200000 maximum"),
        (404, "not_found_error", "model: claude-none"),
        (413, "request_too_large", "Request exceeds the maximum size"),
        (422, "invalid_request_error", "消息不合法"),
    ] {
        for streamed in [false, true] {
            provider.clear_log();
            let said =
                Answer::anthropic_error(status, kind, message).header("x-should-retry", "false");
            provider.answers_once(said);
            let answer = relay.client.post(MESSAGES, &[], hello().stream(streamed)).await;
            provider.until_idle().await;
            let served = provider.served();
            assert_eq!(served.len(), 1, "no other account is asked");
            assert_eq!((answer.status, &answer.body), (status, &served[0].body));
            assert_eq!(answer.header("content-type"), "application/json");
            assert_eq!(answer.header("x-should-retry"), "false");
            assert!(answer.header("request-id").starts_with("req_fake_"));
            assert_ne!(answer.header("x-crs-request-id"), "");
        }
    }
    relay.app.shutdown.until_no_call_is_open().await;
    let records = relay.records();
    assert_eq!(records.len(), 8);
    assert!(records.iter().all(|record| record.cost.as_nanos() == 0 && record.usage.output == 0));
}

#[tokio::test]
async fn a_model_that_no_account_serves_is_not_found() {
    let provider = FakeProvider::start().await;
    let ruled =
        NewAccount { models: vec![ModelPattern::new("*haiku*")], ..account("a", &provider) };
    let relay = TestRelay::start([ruled], &[]).await;
    for streamed in [false, true] {
        let answer = relay.client.post(MESSAGES, &[], hello().stream(streamed)).await;
        assert!(anthropic_error(&answer, 404, "not_found_error").contains("model"));
        assert_eq!(answer.header("x-should-retry"), "false");
        assert!(answer.header("retry-after").is_empty());
    }
    let haiku = messages_body("claude-haiku-4-5-20251001", "[[say ok]]");
    assert_eq!(relay.client.post(MESSAGES, &[], haiku).await.text(), "ok");
    assert_eq!(relay.records().len(), 1, "nothing was asked of anyone");
}

#[tokio::test]
async fn without_an_account_that_is_able_the_answer_is_503_with_a_time() {
    let provider = FakeProvider::start().await;
    let off = NewAccount { enabled: false, ..account("off", &provider) };
    for accounts in [vec![], vec![off]] {
        let relay = TestRelay::start(accounts, &[]).await;
        for streamed in [false, true] {
            let answer = relay.client.post(MESSAGES, &[], hello().stream(streamed)).await;
            assert!(anthropic_error(&answer, 503, "api_error").contains("account"));
            let wait: u64 = answer.header("retry-after").parse().expect("seconds");
            assert!((1..=60).contains(&wait));
        }
        assert!(relay.records().is_empty());
    }
    assert!(provider.requests().is_empty());
}

#[tokio::test]
async fn retry_after_is_what_the_provider_stated() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    let limited = Answer::anthropic_error(429, "rate_limit_error", "slow down");
    provider.answers_once(limited.header("retry-after", "37"));
    for _ in 0..2 {
        let answer = relay.client.post(MESSAGES, &[], hello()).await;
        let told = anthropic_error(&answer, 429, "rate_limit_error");
        assert_eq!(answer.header("retry-after"), "37", "{told}");
        assert!(told.contains("37"), "{told}");
        assert!(answer.header("x-should-retry").is_empty(), "waiting helps");
    }
    assert_eq!(provider.requests().len(), 1, "a resting account is not asked");
    relay.clock.advance(std::time::Duration::from_secs(36));
    let answer = relay.client.post(MESSAGES, &[], hello()).await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, "1"));
    relay.clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(relay.client.post(MESSAGES, &[], hello()).await.status, 200);
}

#[tokio::test]
async fn an_overloaded_provider_is_told_as_overloaded() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    provider.answers_always(Answer::anthropic_error(529, "overloaded_error", "Overloaded"));
    let answer = relay.client.post(MESSAGES, &[], hello()).await;
    anthropic_error(&answer, 529, "overloaded_error");
    assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|wait| wait >= 1));
}

#[tokio::test]
async fn an_upstream_that_cannot_be_reached_is_502() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    drop(provider);
    let answer = relay.client.post(MESSAGES, &[], hello()).await;
    let told = anthropic_error(&answer, 502, "api_error");
    assert!(!told.contains("127.0.0.1") && !told.contains("upstream-a"), "{told}");
}

#[tokio::test]
async fn a_query_beyond_all_measure_is_the_callers_fault_and_rests_nobody() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    for length in [65_500, 9_000] {
        let path = format!("{MESSAGES}?x={}", "y".repeat(length));
        let answer = relay.client.post(&path, &[], hello()).await;
        assert!((400..500).contains(&answer.status), "{}", answer.status);
        assert_eq!(relay.client.post(MESSAGES, &[], hello()).await.status, 200, "{length}");
    }
    let path = format!("{MESSAGES}?x={}", "y".repeat(4_000));
    assert_eq!(relay.client.post(&path, &[], hello()).await.status, 200);
}
