//! What the provider remembers, and which script answers.

use std::time::Duration;

use relay_testkit::{Answer, Client, FakeProvider, Fault, Moment, messages_body, stated_usage};

use crate::{call, client, streamed};

#[tokio::test]
async fn a_client_that_leaves_is_told_from_one_that_stays() {
    let provider = FakeProvider::start().await;
    provider.answers_always(Answer::well().paced(Duration::from_millis(2)));
    let mut incoming =
        client(&provider).stream("/v1/messages", &[], streamed("[[call 1]] [[long 5000]]")).await;
    incoming.until("content_block_delta").await.unwrap();
    incoming.leave();
    provider.until_cancelled(1).await;
    call(&provider, streamed("[[call 2]] [[say stay]]")).await;
    let served = provider.served();
    let outcome = |index: usize| {
        let served = &served[index];
        (served.call.as_deref(), served.delivered_whole, served.cancelled_by_peer)
    };
    assert_eq!(outcome(0), (Some("1"), false, true));
    assert_eq!(outcome(1), (Some("2"), true, false));
    assert!(served[0].bytes_sent > 0 && served[0].bytes_sent < served[0].body.len());
    assert!(served[0].usage.output > 1_000);
    let known = stated_usage(served[0].sent());
    assert_eq!((known.input, known.output), (served[0].usage.input, 1));
}

#[tokio::test]
async fn scripts_answer_in_order_and_by_what_they_ask_of_the_request() {
    let provider = FakeProvider::start().await;
    provider.answers_always(Answer::status(500));
    provider.answers_key("spent", Answer::status(403));
    provider.answers_model("claude-opus-4-8", Answer::status(529));
    provider.answers_once(Answer::status(429));
    let ask = |model: &str, key: &str| {
        let client = Client::new(&provider.base_url()).anthropic(key);
        let body = messages_body(model, "x");
        async move { client.post("/v1/messages", &[], body).await.status }
    };
    assert_eq!(client(&provider).get("/v1/models", &[]).await.status, 200, "not a Messages call");
    assert_eq!(ask("m", "spent").await, 429);
    assert_eq!(ask("m", "spent").await, 403);
    assert_eq!(ask("claude-opus-4-8", "good").await, 529);
    assert_eq!(ask("m", "good").await, 500);
    provider.recovers();
    assert_eq!(ask("m", "good").await, 200);
    assert_eq!(provider.requests().len(), 6);
    assert_eq!(provider.requests()[1].api_key, "spent");
    assert_eq!(provider.requests()[3].model(), "claude-opus-4-8");
}

#[tokio::test]
async fn requests_in_flight_are_counted() {
    let provider = FakeProvider::start().await;
    provider.answers_always(Answer::well().breaks(Fault::Hang, Moment::Events(0)));
    let mut open = Vec::new();
    for _ in 0..5 {
        open.push(client(&provider).stream("/v1/messages", &[], streamed("x")).await);
    }
    provider.until_in_flight(5).await;
    open.truncate(2);
    provider.until_in_flight(2).await;
    assert_eq!((provider.max_in_flight(), provider.requests().len()), (5, 5));
    provider.clear_log();
    assert_eq!((provider.max_in_flight(), provider.requests().len()), (2, 0));
    drop(open);
    provider.until_idle().await;
}

#[tokio::test]
async fn scripts_in_other_languages_read_the_log_over_http() {
    let provider = FakeProvider::start().await;
    call(&provider, messages_body("m", "[[call 9]] [[say hi]]")).await;
    let http = Client::new(&provider.base_url());
    let served = http.get("/__served", &[]).await.json();
    assert_eq!(
        (served[0]["call"].as_str(), served[0]["delivered_whole"].as_bool()),
        (Some("9"), Some(true))
    );
    let requests = http.get("/__requests", &[]).await.json();
    assert_eq!(requests[0]["body"]["model"], "m");
    assert_eq!(requests[0]["headers"]["anthropic-version"], "2023-06-01");
    assert_eq!(http.post("/__reset", &[], "").await.status, 200);
    assert_eq!(http.get("/__requests", &[]).await.json(), serde_json::json!([]));
}
