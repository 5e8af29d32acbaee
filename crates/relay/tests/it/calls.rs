//! A call from end to end: passed through, metered, recorded.

use relay_core::usage::{Exactness, Outcome};
use relay_testkit::{FakeProvider, messages_body};

use crate::kit::TestRelay;

#[tokio::test]
async fn a_unary_call_is_passed_through_and_recorded() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    let body = messages_body("claude-sonnet-4-6", "[[say 你好]]");
    let answer = relay.client.post("/api/v1/messages", &[], body.clone()).await;

    assert_eq!((answer.status, answer.text().as_str()), (200, "你好"));
    assert!(!answer.header("x-crs-request-id").is_empty());
    assert!(answer.header("server-timing").contains("relay;dur="));
    let seen = provider.requests();
    assert_eq!(seen[0].body, body.bytes(), "the body is passed on byte for byte");
    assert_eq!(seen[0].api_key, "upstream-a");
    assert_eq!(answer.body, provider.served()[0].body, "and so is the answer");

    let record = relay.only_record().await;
    assert_eq!(record.usage, provider.served()[0].usage);
    assert_eq!((record.outcome, record.exactness), (Outcome::Completed, Exactness::Exact));
    assert_eq!(record.call.to_string(), answer.header("x-crs-request-id"));
    assert!(record.cost.as_nanos() > 0);
}

#[tokio::test]
async fn a_streamed_call_is_passed_through_and_recorded() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    let body = messages_body("claude-sonnet-4-6", "[[say 流式回答]]").stream(true);
    let answer = relay.client.post("/api/v1/messages", &[], body).await;

    assert_eq!((answer.status, answer.text().as_str()), (200, "流式回答"));
    provider.until_idle().await;
    assert_eq!(answer.body, provider.served()[0].body);
    let record = relay.only_record().await;
    assert_eq!(record.usage, provider.served()[0].usage);
    assert_eq!((record.outcome, record.exactness), (Outcome::Completed, Exactness::Exact));
    assert!(record.streamed && record.first_byte_millis.is_some());
}
