//! OpenAI's protocols, and ChatGPT's address for Codex.

use relay_testkit::{
    Answer, CallBody, Client, FakeProvider, Moment, Received, chat_body, responses_body,
    stated_reasoning,
};
use serde_json::{Value, json};

const KEY: &str = "upstream-key";

async fn call(provider: &FakeProvider, path: &str, body: CallBody) -> Received {
    let client = Client::new(&provider.base_url()).openai(KEY).header("chatgpt-account-id", "a-1");
    let received = client.post(path, &[], body).await;
    provider.until_idle().await;
    received
}

async fn chat(provider: &FakeProvider, body: CallBody) -> Received {
    call(provider, "/v1/chat/completions", body).await
}

async fn responses(provider: &FakeProvider, body: CallBody) -> Received {
    call(provider, "/v1/responses", body).await
}

#[tokio::test]
async fn a_chat_stream_states_its_usage_only_if_asked() {
    let provider = FakeProvider::start().await;
    let body = || chat_body("gpt-5.4", "[[call 7]] [[cached 2]] [[say 你好-1234]]").stream(true);
    let silent = chat(&provider, body()).await;
    assert!(!String::from_utf8_lossy(&silent.body).contains("usage"));
    let told = chat(&provider, body().include_usage()).await;
    let served = provider.served();
    assert_eq!((silent.text().as_str(), told.text().as_str()), ("你好-1234", "你好-1234"));
    assert_eq!((told.usage(), told.usage().cache_read), (served[1].usage, 2));
    assert_eq!(served[0].usage, served[1].usage);
    assert!(served[1].delivered_whole && told.body == served[1].body);
    let events = told.events();
    assert_eq!(events[events.len() - 1].data, "[DONE]");
    assert_eq!(events[events.len() - 2].json()["choices"], json!([]));
    assert_eq!(served[1].call.as_deref(), Some("7"));
    let unary = chat(&provider, body().stream(false)).await;
    assert_eq!((unary.text(), unary.usage()), (told.text(), told.usage()));
}

#[tokio::test]
async fn parallel_calls_come_in_pieces_that_make_the_whole() {
    let provider = FakeProvider::start().await;
    let ask = r#"[[tool get_weather {"city":"Zürich 北"}]] [[tool get_weather {"days":2}]]"#;
    let unary = chat(&provider, chat_body("m", ask).tools()).await.json();
    let stream = chat(&provider, chat_body("m", ask).tools().stream(true)).await;
    let calls = &unary["choices"][0]["message"]["tool_calls"];
    assert_eq!(calls.as_array().map(Vec::len), Some(2));
    for index in [0, 1] {
        let deltas = stream.events().into_iter().map(|it| it.json()["choices"][0]["delta"].clone());
        let deltas: Vec<Value> = deltas
            .map(|delta| delta["tool_calls"][0].clone())
            .filter(|call| call["index"] == index)
            .collect();
        let pieces = deltas.iter().map(|call| call["function"]["arguments"].as_str().unwrap());
        assert!(deltas.len() > 2, "several pieces: {deltas:?}");
        assert_eq!(pieces.collect::<String>(), calls[index]["function"]["arguments"]);
        assert!(deltas[0]["id"].is_string());
    }
    assert_eq!(unary["choices"][0]["finish_reason"], "tool_calls");

    let results = json!([
        {"role": "user", "content": ask},
        {"role": "assistant", "content": null, "tool_calls": calls},
        {"role": "tool", "tool_call_id": calls[0]["id"], "content": "sunny-42"},
    ]);
    let after = chat(&provider, chat_body("m", "").tools().set("messages", results)).await;
    assert!(after.text().contains("sunny-42"), "{}", after.text());
}

#[tokio::test]
async fn a_responses_stream_ends_with_what_a_unary_answer_is() {
    let provider = FakeProvider::start().await;
    let ask = r#"[[think]] [[tool get_weather {"city":"x"}]]"#;
    let body = || {
        let body = responses_body("gpt-5.4", ask).tools().thinking();
        body.set("include", json!(["reasoning.encrypted_content"]))
    };
    let stream = responses(&provider, body().stream(true)).await;
    let unary = responses(&provider, body()).await;
    let events = stream.events();
    let names: Vec<&str> = events.iter().map(|event| event.event.as_str()).collect();
    assert_eq!(names[..2], ["response.created", "response.in_progress"]);
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event.json()["sequence_number"], number);
        assert_eq!(event.json()["type"], event.event);
    }
    assert_eq!(names.last(), Some(&"response.completed"));
    assert!(names.contains(&"response.function_call_arguments.done"));
    let kinds: Vec<Value> = unary.json()["output"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["type"].clone())
        .collect();
    assert_eq!(kinds, ["reasoning", "message", "function_call"]);
    let reasoning = &unary.json()["output"][0];
    assert!(
        reasoning["encrypted_content"].is_string() && reasoning["summary"][0]["text"].is_string()
    );
    let last = events.last().unwrap().json()["response"]["usage"].clone();
    assert_eq!(last, unary.json()["usage"]);
    let served = &provider.served()[0];
    assert_eq!((stream.usage(), stated_reasoning(&stream.body)), (served.usage, served.reasoning));
    assert!(served.reasoning > 0 && served.delivered_whole);
}

#[tokio::test]
async fn endings_other_than_the_usual_one_have_their_own_words() {
    let provider = FakeProvider::start().await;
    let cut = chat(&provider, chat_body("m", "[[stop max]]")).await.json();
    assert_eq!(cut["choices"][0]["finish_reason"], "length");
    let cut = responses(&provider, responses_body("m", "[[stop max]]").stream(true)).await;
    assert_eq!(cut.events().last().unwrap().event, "response.incomplete");
    let no = chat(&provider, chat_body("m", "[[refuse I will not]]")).await.json();
    assert_eq!(no["choices"][0]["message"]["refusal"], "I will not");
    let no = responses(&provider, responses_body("m", "[[refuse no]]").stream(true)).await;
    assert!(no.events().iter().any(|event| event.event == "response.refusal.done"));
    let schema =
        json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"enum": ["x"]}}});
    let fits = chat(&provider, chat_body("m", "[[say 好]]").json_schema(&schema)).await;
    let fits: Value = serde_json::from_str(&fits.text()).unwrap();
    assert_eq!(fits, json!({"a": "好", "b": "x"}));
    let seen = chat(&provider, chat_body("m", "look").image()).await;
    assert!(seen.text().contains("I saw 1 images"));
}

#[tokio::test]
async fn codex_is_stricter_and_tells_its_windows() {
    let provider = FakeProvider::start().await;
    let at = "/backend-api/codex/responses";
    let refused = call(&provider, at, responses_body("gpt-5-codex", "x").stream(true)).await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.json()["detail"], "Store must be set to false");
    let good = call(&provider, at, responses_body("gpt-5-codex", "[[say ok]]").codex()).await;
    assert_eq!((good.status, good.text().as_str()), (200, "ok"));
    assert_eq!(good.header("x-codex-primary-used-percent"), "12");
    assert_eq!(good.header("x-codex-secondary-window-minutes"), "10080");
    assert_eq!(provider.served()[1].account, "a-1");
    let client = Client::new(&provider.base_url()).openai(KEY);
    let stranger = client.post(at, &[], responses_body("m", "x").codex()).await;
    assert_eq!(stranger.status, 401);
    let usage = client.get("/backend-api/wham/usage", &[]).await.json();
    assert_eq!(usage["rate_limit"]["primary_window"]["used_percent"], 12);
    let compacted = call(&provider, "/backend-api/codex/responses/compact", {
        responses_body("gpt-5-codex", "x")
    });
    assert_eq!(compacted.await.json()["output"][0]["type"], "compaction");
}

#[tokio::test]
async fn what_is_no_conversation_is_served_and_counted_too() {
    let provider = FakeProvider::start().await;
    let client = Client::new(&provider.base_url()).openai(KEY);
    for (path, body) in [
        ("/v1/completions", json!({"model": "m", "prompt": "[[say 好]]"})),
        ("/v1/embeddings", json!({"model": "m", "input": ["one", "two 二"]})),
        ("/v1/images/generations", json!({"model": "m", "prompt": "a cat", "n": 2})),
        ("/v1/responses/compact", json!({"model": "m", "input": "long"})),
    ] {
        let received = client.post(path, &[], body.to_string()).await;
        provider.until_idle().await;
        let served = provider.served().pop().unwrap();
        assert_eq!((received.status, received.usage()), (200, served.usage), "{path}");
        assert!(served.usage.input > 0, "{path}: {:?}", served.usage);
    }
    let count = json!({"model": "m", "input": "你好"}).to_string();
    let counted = client.post("/v1/responses/input_tokens", &[], count).await;
    assert!(counted.json()["input_tokens"].as_u64() > Some(2));
    provider.until_idle().await;
    assert_eq!(provider.served().pop().unwrap().usage.tokens(), 0);
    let models = client.get("/v1/models", &[]).await.json();
    assert_eq!(models["data"][0]["object"], "model");
}

#[tokio::test]
async fn refusals_and_errors_in_streams_have_the_native_shape() {
    let provider = FakeProvider::start().await;
    provider.answers_once(Answer::limited_for(7));
    let limited = chat(&provider, chat_body("m", "x")).await;
    assert_eq!((limited.status, limited.header("x-ratelimit-reset-requests")), (429, "7s"));
    assert_eq!(limited.json()["error"]["code"], "rate_limit_exceeded");
    provider.answers_once(Answer::limited_for(7));
    let spent = call(&provider, "/responses", responses_body("m", "x").codex()).await;
    assert_eq!(spent.json()["error"]["resets_in_seconds"], 7);
    assert_eq!(chat(&provider, chat_body("m", "[[status 529]]")).await.status, 503);

    let broken = chat(&provider, chat_body("m", "[[error-event 2]]").stream(true)).await;
    assert_eq!(broken.events().last().unwrap().json()["error"]["code"], "server_is_overloaded");
    let broken = responses(&provider, responses_body("m", "[[error-event 2]]").stream(true)).await;
    let last = broken.events().pop().unwrap();
    assert_eq!((last.event.as_str(), &last.json()["sequence_number"]), ("error", &json!(2)));
    provider.answers_once(Answer::well().failed_event(Moment::Deltas(1), "server_error", "gone"));
    let failed = responses(&provider, responses_body("m", "x").stream(true)).await;
    let last = failed.events().pop().unwrap();
    assert_eq!(last.event, "response.failed");
    assert_eq!(last.json()["response"]["error"]["code"], "server_error");
    assert_eq!(failed.usage(), provider.served().pop().unwrap().usage);
    assert!(!provider.served().pop().unwrap().delivered_whole);
}
