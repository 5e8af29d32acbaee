//! Streams on their way down.

use relay_core::usage::{Exactness, Outcome};
use relay_testkit::{
    Answer, Chunking, FakeProvider, Framing, Garble, LineEnd, MessagesBody, Moment, messages_body,
};
use serde_json::json;

use super::{ask, assert_same, check, check_cut, plain};
use crate::kit::TestRelay;

const TOOL: &str = r#"[[tool get_weather {"city":"北京","days":[1,2]}]]"#;

fn streamed(text: &str) -> MessagesBody {
    messages_body("claude-sonnet-4-6", text).stream(true)
}

#[tokio::test]
async fn a_plain_stream_comes_down_as_it_was_sent() {
    check(Answer::well(), streamed("[[say Hello there, how are you?]]")).await;
}

#[tokio::test]
async fn chinese_is_never_cut_apart() {
    check(Answer::well(), streamed("[[say 春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。🀄]]"))
        .await;
}

#[tokio::test]
async fn tools_and_thinking_with_signatures_come_down_as_they_were_sent() {
    let body = streamed(&format!("[[think]] {TOOL}")).tools().thinking();
    check(Answer::well(), body).await;
}

#[tokio::test]
async fn comments_and_unknown_events_survive() {
    check(Answer::well().strangers(), streamed("[[say hello]]")).await;
}

#[tokio::test]
async fn a_byte_order_mark_and_every_line_end_survive() {
    for line_end in [LineEnd::Lf, LineEnd::CrLf, LineEnd::Cr] {
        let answer = Answer::well().line_end(line_end).bom().strangers();
        check(answer, streamed("[[say 你好]]")).await;
    }
}

#[tokio::test]
async fn a_huge_event_comes_down_in_one_piece_or_many() {
    check(Answer::well().huge_event(80_000), streamed("[[say big]]")).await;
    let large = vec![Chunking::Whole, Chunking::PerEvent, Chunking::Sizes(vec![65_537, 1, 4_093])];
    check_cut(Answer::well().huge_event(8 << 20), streamed("[[say bigger]]"), large).await;
}

#[tokio::test]
async fn a_packed_stream_comes_down_unpacked() {
    check(Answer::well().gzip(), streamed("[[say packed, 压缩]]")).await;
    check(Answer::well().gzip().strangers().bom(), streamed("[[long 3000]]")).await;
}

#[tokio::test]
async fn an_end_told_in_any_way_is_an_end() {
    for framing in [Framing::Chunked, Framing::ContentLength, Framing::UntilClose] {
        check(Answer::well().framing(framing), streamed("[[say the end]]")).await;
    }
}

/// A stream that is legal in every odd way that the grammar allows.
fn odd_stream() -> Vec<String> {
    let start = json!({"type": "message_start", "message": {
        "type": "message", "role": "assistant", "model": "claude-sonnet-4-6", "content": [],
        "usage": {"input_tokens": 11, "output_tokens": 1},
    }});
    let start = start.to_string();
    let (head, tail) = start.split_at(start.find(',').expect("a comma") + 1);
    vec![
        "\n\r\n: a comment first\n\n".into(),
        format!("id: 7\nretry: 10\nevent: message_start\ndata: {head}\ndata: {tail}\n\n"),
        "data:{\"type\":\"ping\"}\r\n\r\n".into(),
        "event\ndata\n\n".into(),
        "event: nobody\n\n".into(),
        "unknown field: kept\nno_colon_at_all\n\n".into(),
        "data: {\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"},\
         \"type\":\"content_block_start\"}\nevent: content_block_start\n\n"
            .into(),
        "event:content_block_delta\r\ndata:{\"type\":\"content_block_delta\" , \"index\":0.0e0,\r\n\
         data:\"delta\":{\"type\":\"text_delta\",\"text\":\"\\u4f60\\ud83d\\ude00\\/\"},\
         \"x\":1.0e5}\r\n\r\n"
            .into(),
        "event: one\nevent: content_block_delta\rdata: {\"type\":\"content_block_delta\",\
         \"index\":0,\"delta\":{\"type\":\"future_delta\",\"blob\":[[[{}]]]}}\r\r"
            .into(),
        "data: [DONE]\n\n\n\n\n".into(),
        "event: message_delta\ndata: {\"type\":\"message_delta\",\
         \"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":7}}\n\n"
            .into(),
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n: after the end\n\n".into(),
    ]
}

#[tokio::test]
async fn odd_but_legal_streams_come_down_as_they_were_sent() {
    check(Answer::raw_stream(odd_stream()), streamed("odd")).await;
    check(Answer::raw_stream(odd_stream()).gzip(), streamed("odd")).await;
}

#[tokio::test]
async fn an_end_without_its_blank_line_is_passed_on_and_counted() {
    for end in [
        "event: message_stop\ndata: {\"type\":\"message_stop\"}",
        "data: {\"type\":\"message_stop\"}\n",
    ] {
        let mut stream = odd_stream();
        stream.pop();
        stream.push(end.into());
        check(Answer::raw_stream(stream), streamed("odd")).await;
    }
}

#[tokio::test]
async fn what_follows_the_end_is_passed_on() {
    let mut stream = odd_stream();
    stream.push("event: late\ndata: {}\n\n".into());
    stream.push("data: unfinished 未完".into());
    check(Answer::raw_stream(stream), streamed("odd")).await;
}

#[tokio::test]
async fn bytes_that_are_no_text_survive() {
    check(Answer::well().garbles(4, Garble::Framing), streamed("[[say broken]]")).await;
    check(Answer::well().garbles(4, Garble::Json), streamed("[[say broken]]")).await;
}

#[tokio::test]
async fn a_long_silence_of_comments_before_the_answer_survives() {
    let mut stream = odd_stream();
    stream.splice(1..1, (0..40).map(|number| format!(": {number} {}\n\n", "-".repeat(4_000))));
    let cuts = vec![Chunking::Whole, Chunking::PerEvent, Chunking::Sizes(super::sizes(4))];
    check_cut(Answer::raw_stream(stream), streamed("odd"), cuts).await;
}

#[tokio::test]
async fn an_error_event_after_content_is_passed_on_and_nothing_is_added() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    // What comes whole, error included, before anything was passed on moves to another account.
    let cuts = super::chunkings().into_iter().filter(|chunking| *chunking != Chunking::Whole);
    for chunking in cuts {
        let answer = Answer::well()
            .error_event(Moment::Deltas(2), "overloaded_error", "Overloaded 过载")
            .chunking(chunking.clone());
        let (received, served) = ask(&provider, &relay, answer, &streamed("[[say abcdef]]")).await;
        assert_same(&received.body, &plain(&served), &format!("{chunking:?}"));
    }
    relay.app.shutdown.until_no_call_is_open().await;
    let records = relay.records();
    assert_eq!(records.len(), 5);
    for record in records {
        assert_eq!((record.outcome, record.exactness), (Outcome::Cut, Exactness::Estimated));
    }
}

#[tokio::test]
async fn an_error_event_that_is_the_callers_is_passed_on_before_any_content() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    for chunking in super::chunkings() {
        let answer = Answer::well()
            .error_event(Moment::Events(1), "invalid_request_error", "prompt is too long")
            .chunking(chunking.clone());
        let (received, served) = ask(&provider, &relay, answer, &streamed("[[say abcdef]]")).await;
        assert_eq!(received.status, 200);
        assert_same(&received.body, &plain(&served), &format!("{chunking:?}"));
    }
    relay.app.shutdown.until_no_call_is_open().await;
    assert!(relay.records().iter().all(|record| record.outcome == Outcome::Rejected));
}

#[tokio::test]
async fn a_stream_that_nobody_asked_for_and_a_whole_answer_instead_of_one_are_passed_on() {
    check(Answer::raw_stream(odd_stream()), streamed("odd").stream(false)).await;
    let whole = json!({
        "type": "message", "model": "claude-sonnet-4-6", "content": [],
        "usage": {"input_tokens": 3, "output_tokens": 4},
    });
    check(Answer::status(200).json(&whole), streamed("whole")).await;
}

#[tokio::test]
async fn a_stream_is_known_by_its_type_however_it_is_written() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    for kind in ["text/event-stream", "Text/Event-Stream;charset=UTF-8", "TEXT/EVENT-STREAM"] {
        let answer = Answer::raw_stream(odd_stream()).header("content-type", kind);
        let (received, served) = ask(&provider, &relay, answer, &streamed("odd")).await;
        assert_same(&received.body, &served.body, kind);
        assert_eq!(received.header("content-type"), kind);
    }
    let packed = Answer::well().gzip().header("content-encoding", "GZIP");
    let (received, served) = ask(&provider, &relay, packed, &streamed("[[say hi]]")).await;
    assert_same(&received.body, &plain(&served), "GZIP");
    relay.app.shutdown.until_no_call_is_open().await;
    for record in relay.records() {
        assert_eq!((record.outcome, record.exactness), (Outcome::Completed, Exactness::Exact));
    }
}
