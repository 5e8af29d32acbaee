//! Google's protocols: Gemini's own, and Code Assist.

use relay_testkit::{
    Answer, Chunking, Client, FakeProvider, Fault, Moment, Received, code_assist_body, gemini_body,
    stated_reasoning,
};
use serde_json::{Value, json};

const STREAM: &str = "/v1beta/models/gemini-3-pro:streamGenerateContent?alt=sse";
const UNARY: &str = "/v1beta/models/gemini-3-pro:generateContent";

async fn call(provider: &FakeProvider, path: &str, body: impl Into<bytes::Bytes>) -> Received {
    let received = Client::new(&provider.base_url()).google("key").post(path, &[], body).await;
    provider.until_idle().await;
    received
}

#[tokio::test]
async fn a_stream_thinks_calls_and_states_its_usage_without_done() {
    let provider = FakeProvider::start().await;
    let ask =
        r#"[[cached 2]] [[think]] [[tool get_weather {"city":"北"}]] [[tool get_weather {}]]"#;
    let body = || gemini_body(ask).tools().thinking();
    let stream = call(&provider, STREAM, body()).await;
    let unary = call(&provider, UNARY, body()).await;
    let served = provider.served();
    assert_eq!((stream.usage(), stated_reasoning(&stream.body)), {
        (served[0].usage, served[0].reasoning)
    });
    assert_eq!((unary.usage(), unary.text()), (stream.usage(), stream.text()));
    assert!(served[0].reasoning > 0 && served[0].usage.cache_read == 2);
    assert_eq!((served[0].model.as_str(), served[0].delivered_whole), ("gemini-3-pro", true));
    assert!(!String::from_utf8_lossy(&stream.body).contains("[DONE]"));
    let parts = unary.json()["candidates"][0]["content"]["parts"].clone();
    assert_eq!(parts[0]["thought"], true);
    assert_eq!(parts[2]["functionCall"]["args"], json!({"city": "北"}));
    assert!(parts[2]["thoughtSignature"].is_string() && parts[3]["functionCall"].is_object());

    let array = call(&provider, STREAM.trim_end_matches("?alt=sse"), body()).await;
    assert!(array.json().is_array());
    assert_eq!((array.text(), array.usage()), (stream.text(), stream.usage()));
}

#[tokio::test]
async fn results_schemas_and_endings_are_known() {
    let provider = FakeProvider::start().await;
    let contents = json!([
        {"role": "user", "parts": [{"text": "[[tool get_weather {}]]"}]},
        {"role": "model", "parts": [{"functionCall": {"name": "get_weather", "args": {}}}]},
        {"role": "user", "parts": [{"functionResponse": {
            "name": "get_weather", "response": {"output": "sunny-42"},
        }}]},
    ]);
    let after = call(&provider, UNARY, gemini_body("").tools().set("contents", contents)).await;
    assert!(after.text().contains("sunny-42"), "{}", after.text());
    let schema = json!({"type": "OBJECT", "properties": {"why": {"type": "STRING"}}});
    let fits = call(&provider, STREAM, gemini_body("[[say 因为]]").json_schema(&schema)).await;
    assert_eq!(serde_json::from_str::<Value>(&fits.text()).unwrap(), json!({"why": "因为"}));
    for (ask, reason) in [("[[stop max]]", "MAX_TOKENS"), ("[[refuse no]]", "SAFETY")] {
        let ended = call(&provider, STREAM, gemini_body(ask)).await;
        let last = ended.events().pop().unwrap().json();
        assert_eq!(last["candidates"][0]["finishReason"], reason);
    }
    let counted = call(&provider, "/v1beta/models/m:countTokens", gemini_body("你好")).await;
    assert!(counted.json()["totalTokens"].as_u64() > Some(2));
    let text = json!({"content": {"parts": [{"text": "one"}]}}).to_string();
    let embedded = call(&provider, "/v1beta/models/e:embedContent", text).await;
    assert!(embedded.json()["embedding"]["values"].is_array());
    assert_eq!(embedded.usage(), provider.served().pop().unwrap().usage);
}

#[tokio::test]
async fn code_assist_has_an_envelope_and_tells_of_the_account() {
    let provider = FakeProvider::start().await;
    let client = Client::new(&provider.base_url()).openai("token");
    let ask = |method: &str, body: Value| {
        let client = client.clone();
        let path = format!("/v1internal:{method}");
        async move { client.post(&path, &[], body.to_string()).await.json() }
    };
    let said = client
        .post("/v1internal:streamGenerateContent?alt=sse", &[], {
            code_assist_body("gemini-3-flash", "p-1", "[[say 好]]")
        })
        .await;
    assert_eq!(said.text(), "好");
    assert!(said.events()[0].json()["response"]["candidates"].is_array());
    provider.until_idle().await;
    let served = provider.served().remove(0);
    assert_eq!((served.model.as_str(), served.account.as_str()), ("gemini-3-flash", "p-1"));
    assert_eq!(said.usage(), served.usage);

    let loaded = ask("loadCodeAssist", json!({})).await;
    assert_eq!(loaded["cloudaicompanionProject"], "project-fake");
    assert!(ask("retrieveUserQuota", json!({})).await["buckets"].is_array());
    assert!(ask("listExperiments", json!({})).await["flags"].is_array());
    provider.needs_onboarding();
    assert_eq!(ask("loadCodeAssist", json!({})).await["cloudaicompanionProject"], Value::Null);
    assert_eq!(ask("onboardUser", json!({})).await["done"], false);
    let done = ask("onboardUser", json!({})).await;
    assert_eq!(done["response"]["cloudaicompanionProject"]["id"], "project-fake");
}

#[tokio::test]
async fn faults_have_the_native_shape() {
    let provider = FakeProvider::start().await;
    let limited = call(&provider, STREAM, gemini_body("[[status 429]]")).await;
    assert_eq!(limited.json()["error"]["status"], "RESOURCE_EXHAUSTED");
    provider.answers_once(Answer::limited_for(34));
    let limited = call(&provider, STREAM, gemini_body("x")).await;
    assert_eq!(limited.json()["error"]["details"][1]["retryDelay"], "34.07s");
    let inside = call(&provider, STREAM, gemini_body("[[error-event 1]]")).await;
    assert_eq!(inside.events()[1].json()["error"]["status"], "UNAVAILABLE");
    let cut = Answer::well().chunking(Chunking::EveryByte).breaks(Fault::Cut, Moment::Deltas(2));
    provider.answers_once(cut);
    let cut = call(&provider, STREAM, gemini_body("x")).await;
    assert_eq!(cut.events().len(), 2);
    let stranger = Client::new(&provider.base_url());
    let refused = stranger.post(UNARY, &[], gemini_body("x")).await;
    assert_eq!(refused.json()["error"]["status"], "UNAUTHENTICATED");
}
