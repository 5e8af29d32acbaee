//! Conversations that name what only their account has hold to it firmly.

use std::time::Duration;

use relay_testkit::{Answer, MessagesBody};
use serde_json::json;

use super::{MESSAGES, holds_a_slot, in_session, serves, two};

fn with_container(session: &str) -> MessagesBody {
    in_session(session).set("container", json!("container_1"))
}

#[tokio::test]
async fn a_conversation_with_a_container_waits_for_its_account_and_others_move_on() {
    let (provider, relay) = two().await;
    assert_eq!(serves(&relay, &provider, in_session("s")).await, "a");
    let limited =
        Answer::anthropic_error(429, "rate_limit_error", "slow").header("retry-after", "60");
    provider.answers_key("upstream-a", limited);
    let refused = relay.client.post(MESSAGES, &[], with_container("s")).await;
    assert_eq!(refused.status, 429, "b does not have the container");
    assert_eq!(refused.header("retry-after"), "60");
    let again = relay.client.post(MESSAGES, &[], with_container("s")).await;
    assert_eq!((again.status, again.header("retry-after")), (429, "60"));
    assert!(provider.requests().iter().all(|seen| seen.api_key == "upstream-a"));

    provider.recovers();
    relay.clock.advance(Duration::from_mins(1));
    assert_eq!(serves(&relay, &provider, with_container("s")).await, "a");
}

#[tokio::test]
async fn a_conversation_without_a_pin_may_name_what_it_wants() {
    let (provider, relay) = two().await;
    let file = json!([{"role": "user", "content": [
        {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
    ]}]);
    let first = in_session("s").set("messages", file.clone());
    assert_eq!(serves(&relay, &provider, first).await, "a");
    assert_eq!(serves(&relay, &provider, in_session("t")).await, "b");
    let next = in_session("t").set("messages", file);
    assert_eq!(serves(&relay, &provider, next).await, "b");
}

#[tokio::test]
async fn it_waits_for_a_slot_of_its_own_account() {
    let (provider, relay) = two().await;
    assert_eq!(serves(&relay, &provider, in_session("s")).await, "a");
    let change = relay_store::accounts::AccountChange {
        concurrency_max: Some(1),
        ..relay_store::accounts::AccountChange::default()
    };
    relay.edit_account("a", &change).await;
    let open = holds_a_slot(&relay, &provider, in_session("s")).await;
    let call = relay.client.post(MESSAGES, &[], with_container("s"));
    let mut call = std::pin::pin!(call);
    let early = tokio::time::timeout(Duration::from_secs(3), call.as_mut()).await;
    assert!(early.is_err(), "longer than others wait before they go elsewhere");
    drop(open);
    assert_eq!(call.await.status, 200);
    let asked = provider.requests().pop().expect("asked");
    assert_eq!(asked.api_key, "upstream-a");
}
