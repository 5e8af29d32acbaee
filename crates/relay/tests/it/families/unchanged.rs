//! Where client and account speak the same, what either sends reaches the other byte for byte, but
//! for what the relay has to change; and that is no more than it says.

use relay_core::usage::{Exactness, TokenUsage};
use relay_testkit::{
    Answer, CallBody, Chunking, Ending, FakeProvider, Received, SeenRequest, Served, SseEvent,
    chat_body, code_assist_body, gemini_body, parse_sse, responses_body,
};
use serde_json::{Value, json};

use super::{ASKED, Spoken, Upstream, relay};
use crate::kit::TestRelay;

/// Clients on accounts that speak as they do.
const NATIVE: [(Spoken, Upstream); 6] = [
    (Spoken::Messages, Upstream::ClaudeApi),
    (Spoken::Chat, Upstream::Openai),
    (Spoken::Responses, Upstream::Openai),
    (Spoken::Responses, Upstream::ChatGpt),
    (Spoken::Gemini, Upstream::Gemini),
    (Spoken::CodeAssist, Upstream::CodeAssist),
];
/// What is asked for: characters of all lengths, which a cut may split.
const TEXT: &str = "[[say é 你好 🦀 \u{2028} end]] [[cached 7]]";
const SAID: &str = "é 你好 🦀 \u{2028} end";

/// Ways to cut an answer, within characters as well.
fn chunkings() -> [Chunking; 5] {
    [
        Chunking::Whole,
        Chunking::PerEvent,
        Chunking::EveryByte,
        Chunking::Sizes(vec![7, 1, 30, 2, 113]),
        Chunking::Sizes(vec![64]),
    ]
}

/// One account, and one call whose answer comes in such pieces.
struct Site {
    provider: FakeProvider,
    relay: TestRelay,
}

impl Site {
    async fn with(upstream: Upstream) -> Self {
        let provider = FakeProvider::start().await;
        let relay = relay(&provider, upstream, &["a"], &[]).await;
        Self { provider, relay }
    }

    async fn ask(&self, spoken: Spoken, streamed: bool, answer: Answer) -> (Received, Served) {
        let (path, body) = spoken.request(TEXT, streamed);
        self.post((&path, body), answer).await
    }

    async fn post(
        &self,
        (path, body): (&str, impl Into<bytes::Bytes>),
        answer: Answer,
    ) -> (Received, Served) {
        self.provider.answers_once(answer);
        let received = self.relay.client.post(path, &[], body).await;
        assert_eq!((received.status, received.ending), (200, Ending::Whole), "{path}");
        self.provider.until_idle().await;
        (received, self.provider.served().pop().expect("the provider was asked"))
    }

    /// What the last call was sent as.
    fn sent(&self) -> SeenRequest {
        self.provider.requests().into_iter().rfind(SeenRequest::is_call).expect("a call")
    }

    /// The usage of the last record, which is exact.
    async fn last_usage(&self) -> TokenUsage {
        self.relay.app.shutdown.until_no_call_is_open().await;
        let record = self.relay.records().pop().expect("a record");
        assert_eq!(record.exactness, Exactness::Exact, "{record:?}");
        record.usage
    }
}

#[tokio::test]
async fn an_answer_in_the_clients_protocol_passes_byte_for_byte_however_it_is_cut() {
    for (spoken, upstream) in NATIVE {
        let site = Site::with(upstream).await;
        for streamed in [true, false] {
            if upstream == Upstream::ChatGpt && !streamed {
                continue;
            }
            for chunking in chunkings() {
                let what = format!("{spoken:?} on {upstream:?}, {streamed}, {chunking:?}");
                let cut = Answer::well().chunking(chunking);
                let (received, served) = site.ask(spoken, streamed, cut).await;
                assert!(received.body == served.body, "{what}: {:?}", received.body);
                assert_eq!(received.text(), SAID, "{what}");
                assert_eq!(site.last_usage().await, served.usage, "{what}");
            }
        }
    }
}

#[tokio::test]
async fn what_the_relay_does_not_know_passes_too() {
    for (spoken, upstream) in NATIVE {
        let site = Site::with(upstream).await;
        let (received, served) = site.ask(spoken, true, Answer::well().strangers()).await;
        assert!(received.body == served.body, "{spoken:?} on {upstream:?}: {:?}", received.body);
        assert_eq!(site.last_usage().await, served.usage, "{spoken:?} on {upstream:?}");
    }
}

/// A request with odd spaces, unknown fields and numbers that a reader of JSON would write anew.
fn odd(body: &CallBody) -> String {
    let text = String::from_utf8(body.bytes().to_vec()).expect("JSON is text");
    format!("{{ \"x_unknown\" : [1.50e2, \"\\u00e9\"],\n  {}", &text[1..])
}

#[tokio::test]
async fn a_request_in_the_accounts_protocol_passes_but_for_the_name_of_the_model() {
    let chat = chat_body(ASKED, "hello").stream(true).include_usage();
    let responses = responses_body(ASKED, "hello").stream(true);
    for (upstream, path, body) in [
        (Upstream::Openai, "/openai/v1/chat/completions", odd(&chat)),
        (Upstream::Openai, "/openai/v1/responses", odd(&responses)),
        (
            Upstream::Gemini,
            "/gemini/v1beta/models/the-model:streamGenerateContent?alt=sse",
            odd(&gemini_body("hello")),
        ),
    ] {
        let site = Site::with(upstream).await;
        site.post((path, body.clone()), Answer::well()).await;
        let sent = site.sent();
        let expected = body.replace(ASKED, upstream.model());
        assert_eq!(String::from_utf8_lossy(&sent.body), expected, "{upstream:?}");
        assert_eq!(sent.model(), upstream.model(), "{upstream:?}");
    }
}

#[tokio::test]
async fn chatgpt_is_asked_for_a_stream_that_it_does_not_store() {
    let site = Site::with(Upstream::ChatGpt).await;
    let body = responses_body(ASKED, TEXT).set("store", json!(true)).set("x_unknown", json!(1));
    for chunking in chunkings() {
        let answer = Answer::well().chunking(chunking.clone());
        let (received, served) = site.post(("/openai/responses", body.clone()), answer).await;
        let sent = site.sent().json();
        let told = (&sent["store"], &sent["stream"], &sent["x_unknown"]);
        assert_eq!(told, (&json!(false), &json!(true), &json!(1)), "{sent}");
        assert!(received.header("content-type").starts_with("application/json"));
        let events = parse_sse(&served.body);
        let completed = events.last().expect("events").json();
        assert_eq!(completed["type"], "response.completed");
        assert_eq!(received.json(), completed["response"], "{chunking:?}");
        assert_eq!(site.last_usage().await, served.usage);
    }
    let sent = site.sent();
    assert_eq!((sent.path(), &*sent.account()), ("/backend-api/codex/responses", "account-a"));
}

/// The chunks of a Chat stream.
fn chunks(body: &[u8]) -> Vec<Value> {
    parse_sse(body).iter().filter(|it| it.data != "[DONE]").map(SseEvent::json).collect()
}

#[tokio::test]
async fn a_chat_client_gets_the_chunk_of_usage_if_it_asks_for_it_and_the_record_is_exact() {
    for upstream in [Upstream::Openai, Upstream::ClaudeApi, Upstream::Gemini, Upstream::ChatGpt] {
        let site = Site::with(upstream).await;
        for chunking in chunkings() {
            for wanted in [false, true] {
                let what = format!("{upstream:?}, {chunking:?}, {wanted}");
                let body = chat_body(ASKED, TEXT).stream(true);
                let body = if wanted { body.include_usage() } else { body };
                let answer = Answer::well().chunking(chunking.clone());
                let path = "/openai/v1/chat/completions";
                let (received, served) = site.post((path, body), answer).await;
                let chunks = chunks(&received.body);
                let of_usage = chunks.iter().filter(|it| it["choices"] == json!([])).count();
                let stating = chunks.iter().filter(|it| it["usage"].is_object()).count();
                let expected = usize::from(wanted);
                assert_eq!((of_usage, stating), (expected, expected), "{what}: {chunks:?}");
                assert_eq!(received.text(), SAID, "{what}");
                assert_eq!(Spoken::Chat.endings(&received), (1, true), "{what}");
                assert_eq!(site.last_usage().await, served.usage, "{what}");
                if wanted {
                    assert_eq!(received.usage().tokens(), served.usage.tokens(), "{what}");
                }
                if upstream == Upstream::Openai {
                    assert_eq!(site.sent().json()["stream_options"]["include_usage"], true);
                }
            }
        }
    }
}

#[tokio::test]
async fn googles_clients_never_get_the_mark_that_ends_other_streams() {
    for upstream in [Upstream::Gemini, Upstream::CodeAssist] {
        let site = Site::with(upstream).await;
        for spoken in [Spoken::Gemini, Spoken::CodeAssist] {
            let (received, _) = site.ask(spoken, true, Answer::well()).await;
            let body = String::from_utf8_lossy(&received.body).into_owned();
            assert!(!body.contains("[DONE]") && !body.contains("event:"), "{body}");
            assert_eq!(spoken.endings(&received), (1, true), "{body}");
        }
    }
}

/// The events of a stream, or the one document of a whole answer.
fn documents(body: &[u8], streamed: bool) -> Vec<Value> {
    if streamed {
        return parse_sse(body).iter().map(SseEvent::json).collect();
    }
    vec![serde_json::from_slice(body).expect("JSON")]
}

#[tokio::test]
async fn the_envelope_of_code_assist_is_taken_off_and_put_on() {
    for (spoken, upstream) in
        [(Spoken::Gemini, Upstream::CodeAssist), (Spoken::CodeAssist, Upstream::Gemini)]
    {
        let site = Site::with(upstream).await;
        for chunking in chunkings() {
            for streamed in [true, false] {
                let what = format!("{spoken:?}, {chunking:?}, {streamed}");
                let cut = Answer::well().chunking(chunking.clone());
                let (received, served) = site.ask(spoken, streamed, cut).await;
                let got = documents(&received.body, streamed);
                let sent = documents(&served.body, streamed);
                assert_eq!(got.len(), sent.len(), "{what}");
                for (got, sent) in got.iter().zip(&sent) {
                    if spoken == Spoken::Gemini {
                        assert_eq!(*got, sent["response"], "{what}");
                    } else {
                        assert_eq!(got["response"], *sent, "{what}");
                    }
                }
                assert_eq!(received.text(), SAID, "{what}");
                assert_eq!(site.last_usage().await, served.usage, "{what}");
            }
        }
    }
}

#[tokio::test]
async fn the_project_and_the_model_of_a_call_are_the_accounts() {
    let site = Site::with(Upstream::CodeAssist).await;
    let stream = "/gemini/v1internal:streamGenerateContent?alt=sse";
    let body = code_assist_body(ASKED, "theirs", "hello").set("user_prompt_id", json!("turn-7"));
    site.post((stream, body.clone()), Answer::well()).await;
    let sent = site.sent();
    let mut expected = body.json().clone();
    expected["project"] = json!("project-a");
    expected["model"] = json!(Upstream::CodeAssist.model());
    assert_eq!(sent.json(), expected, "the rest is as it was");
    assert!(sent.path_and_query.ends_with("/v1internal:streamGenerateContent?alt=sse"));

    let asked = gemini_body("hello").set("x_unknown", json!(1));
    let path = format!("/gemini/v1beta/models/{ASKED}:streamGenerateContent?alt=sse");
    site.post((&path, asked.clone()), Answer::well()).await;
    let sent = site.sent().json();
    assert_eq!((&sent["project"], &sent["request"]), (&json!("project-a"), asked.json()));
    assert_eq!(sent["model"], Upstream::CodeAssist.model());

    let site = Site::with(Upstream::Gemini).await;
    site.post((stream, body.clone()), Answer::well()).await;
    let sent = site.sent();
    let model = Upstream::Gemini.model();
    assert_eq!(sent.path(), format!("/v1beta/models/{model}:streamGenerateContent"));
    assert_eq!(sent.json(), body.json()["request"], "nothing of the envelope is left");
}
