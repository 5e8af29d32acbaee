//! The provider that costs next to nothing.

use relay_testkit::{
    Client, FastProvider, chat_body, code_assist_body, gemini_body, messages_body, responses_body,
};

#[tokio::test]
async fn every_protocol_is_answered_whole_paced_and_at_once() {
    let provider = FastProvider::start_on(0).await.expect("a free port");
    let client = Client::new(&provider.base_url()).openai("k");
    for (text, deltas) in [("x", 20), ("[[paced 3 1]]", 3)] {
        for (unary, stream, body, streamed, last) in [
            (
                "/v1/messages",
                "/v1/messages",
                messages_body("m", text).bytes(),
                messages_body("m", text).stream(true).bytes(),
                "message_stop",
            ),
            (
                "/v1/chat/completions",
                "/v1/chat/completions",
                chat_body("m", text).bytes(),
                chat_body("m", text).stream(true).include_usage().bytes(),
                "[DONE]",
            ),
            (
                "/responses",
                "/v1/responses",
                responses_body("m", text).bytes(),
                responses_body("m", text).stream(true).bytes(),
                "response.completed",
            ),
            (
                "/v1beta/models/m:generateContent",
                "/v1beta/models/m:streamGenerateContent?alt=sse",
                gemini_body(text).bytes(),
                gemini_body(text).bytes(),
                "\"finishReason\":\"STOP\"",
            ),
            (
                "/v1internal:generateContent",
                "/v1internal:streamGenerateContent?alt=sse",
                code_assist_body("m", "p", text).bytes(),
                code_assist_body("m", "p", text).bytes(),
                "\"finishReason\":\"STOP\"",
            ),
        ] {
            let whole = client.post(unary, &[], body).await;
            assert!(whole.text().len() > 300, "{unary}: {}", whole.text());
            assert!(whole.usage().output > 0, "{unary}");
            let received = client.post(stream, &[], streamed).await;
            assert_eq!(received.text().matches('@').count(), deltas, "{stream}");
            let end = received.events().pop().unwrap();
            assert!(end.data.contains(last), "{stream}: {end:?}");
            assert!(received.usage().input > 0, "{stream}");
        }
    }
    let fails = client.post("/__failing", &[], "k=503").await;
    assert_eq!(fails.status, 200);
    assert_eq!(client.post("/v1/responses", &[], "{}").await.status, 503);
}
