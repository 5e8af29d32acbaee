//! What a healthy provider says.

use relay_testkit::{FakeProvider, messages_body};
use serde_json::json;

use crate::{KEY, call, client, streamed};

#[tokio::test]
async fn a_stream_has_the_native_events_and_states_its_usage() {
    let provider = FakeProvider::start().await;
    let received = call(&provider, streamed("[[call 7]] please [[say 你好-1234]]")).await;
    let names: Vec<String> = received.events().into_iter().map(|event| event.event).collect();
    assert_eq!(names[..3], ["message_start", "content_block_start", "ping"]);
    assert!(names[3..names.len() - 3].iter().all(|name| name == "content_block_delta"));
    assert!(names.len() >= 9, "at least three deltas: {names:?}");
    assert_eq!(names[names.len() - 3..], ["content_block_stop", "message_delta", "message_stop"]);
    assert_eq!(received.text(), "你好-1234");

    let served = provider.served().remove(0);
    assert_eq!(received.usage(), served.usage);
    assert_eq!(received.body, served.body);
    assert_eq!((served.call.as_deref(), served.nonce.as_deref()), (Some("7"), Some("你好-1234")));
    assert!(served.delivered_whole && !served.cancelled_by_peer);
    assert_eq!(served.events_sent, names.len());
}

#[tokio::test]
async fn a_unary_answer_says_and_states_what_the_stream_does() {
    let provider = FakeProvider::start().await;
    let body = || {
        messages_body("claude-opus-4-8", "and now? [[searches 2]]")
            .earlier_turn("first", "answer")
            .cached_system(&"系统提示".repeat(50), "1h")
    };
    let unary = call(&provider, body()).await;
    let stream = call(&provider, body().stream(true)).await;
    assert_eq!(unary.text(), stream.text());
    assert_eq!(unary.usage(), stream.usage());
    let usage = unary.usage();
    assert_eq!((usage.cache_read, usage.cache_write_1h, usage.web_searches), (100, 100, 2));
    assert_eq!(unary.json()["model"], "claude-opus-4-8");
}

#[tokio::test]
async fn tools_are_called_and_their_results_quoted() {
    let provider = FakeProvider::start().await;
    let ask = r#"[[tool get_weather {"city":"Zürich \"Süd\"","days":[[3]]}]]"#;
    let stream = call(&provider, streamed(ask).tools()).await;
    let json: String = stream
        .events()
        .iter()
        .filter_map(|event| event.json()["delta"]["partial_json"].as_str().map(str::to_owned))
        .collect();
    let input = json!({"city": "Zürich \"Süd\"", "days": [[3]]});
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap(), input);

    let unary = call(&provider, messages_body("m", ask).tools()).await.json();
    assert_eq!(unary["stop_reason"], "tool_use");
    assert_eq!(unary["content"][1]["input"], input);

    let result = json!([{"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "t", "content": "sunny-42"},
    ]}]);
    let after = call(&provider, messages_body("m", "").set("messages", result)).await;
    assert!(after.text().contains("sunny-42"));
}

#[tokio::test]
async fn thinking_comes_first_and_is_signed_and_images_are_counted() {
    let provider = FakeProvider::start().await;
    let received = call(&provider, streamed("[[think]] [[say ok]]").thinking()).await;
    let deltas: Vec<String> = received
        .events()
        .iter()
        .filter_map(|event| event.json()["delta"]["type"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(deltas[0], "thinking_delta");
    assert!(deltas.contains(&"signature_delta".to_owned()));
    assert_eq!(received.text(), "ok");
    let seen = call(&provider, messages_body("m", "look").image()).await;
    assert!(seen.text().contains("I saw 1 images"), "{}", seen.text());
}

#[tokio::test]
async fn models_tokens_and_mistakes_are_answered_as_the_provider_does() {
    let provider = FakeProvider::start().await;
    let client = client(&provider);
    let models = client.get("/any/v1/models", &[]).await.json();
    let first = models["data"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(client.get(&format!("/v1/models/{first}"), &[]).await.json()["id"], first);
    assert_eq!(client.get("/v1/models/none", &[]).await.status, 404);
    let head = client.head("/v1/models", &[]).await;
    assert_eq!((head.status, head.body.len()), (200, 0));

    let counted = client.post("/v1/messages/count_tokens", &[], messages_body("m", "你好")).await;
    assert_eq!(counted.json()["input_tokens"], 5);
    let wrong = client.post("/v1/messages", &[], "{").await;
    assert_eq!(
        (wrong.status, wrong.json()["error"]["type"].as_str()),
        (400, Some("invalid_request_error"))
    );
    let stranger = relay_testkit::Client::new(&provider.base_url());
    assert_eq!(stranger.get("/v1/models", &[]).await.status, 401);
}

#[tokio::test]
async fn directives_refuse_and_may_mean_one_credential() {
    let provider = FakeProvider::start().await;
    let limited = call(&provider, streamed("[[status 429 retry-after=3]]")).await;
    assert_eq!((limited.status, limited.header("retry-after")), (429, "3"));
    let told = call(&provider, streamed("[[status 400 prompt is too long]]")).await;
    assert_eq!(told.json()["error"]["message"], "prompt is too long");
    assert_eq!(call(&provider, streamed("[[status 529 key=another]]")).await.status, 200);
    let mine = format!("[[status 529 key={KEY}]]");
    assert_eq!(call(&provider, streamed(&mine)).await.status, 529);
    let inside = call(&provider, streamed("[[error-event 1]]")).await;
    assert_eq!(inside.status, 200);
    assert_eq!(inside.events()[1].json()["error"]["type"], "overloaded_error");
}
