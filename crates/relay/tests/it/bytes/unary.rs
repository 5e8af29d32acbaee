//! Whole answers on their way down.

use relay_testkit::{Answer, Chunking, Framing, MessagesBody, messages_body};

use super::{check, check_cut};

/// An answer that no writer of JSON would write, and every reader must read.
const ODD: &str = "\n {\t\"usage\" : {\"output_tokens\": 5 ,\"input_tokens\":7,\"future_tokens\":1.0e5},\r\n\
    \"type\":\"mess\\u0061ge\",\"x\":-0.0E-7,\"y\":12345678901234567890123,\"\\u4f60\":\"\\/\\ud83d\\ude00\",\
    \"x\":\"again\",\"content\":[{\"type\":\"text\",\"text\":\"你好，世界🀄 caf\u{e9}\u{2028}\"},\
    {\"type\":\"future_block\",\"deep\":[[[[]]]]}],\"model\":\"claude-sonnet-4-6\"} \r\n\n";

fn unary(text: &str) -> MessagesBody {
    messages_body("claude-sonnet-4-6", text)
}

fn json(status: u16, body: &'static str) -> Answer {
    Answer::status(status).header("content-type", "application/json").body(body)
}

#[tokio::test]
async fn a_whole_answer_comes_down_as_it_was_sent() {
    check(Answer::well(), unary("[[say 你好]]")).await;
    check(Answer::well(), unary("[[think]] [[tool get_weather {}]]").tools().thinking()).await;
}

#[tokio::test]
async fn odd_spacing_escapes_numbers_and_unknown_fields_survive() {
    for framing in [Framing::ContentLength, Framing::Chunked, Framing::UntilClose] {
        check(json(200, ODD).framing(framing), unary("odd")).await;
    }
}

#[tokio::test]
async fn a_packed_answer_comes_down_unpacked() {
    for framing in [Framing::ContentLength, Framing::Chunked, Framing::UntilClose] {
        check(json(200, ODD).gzip().framing(framing), unary("odd")).await;
    }
    let cuts = vec![Chunking::Whole, Chunking::Sizes(vec![1_021])];
    check_cut(Answer::well().gzip(), unary("[[long 500000]]"), cuts).await;
}

#[tokio::test]
async fn answers_that_are_no_messages_come_down_as_they_were_sent() {
    check(json(200, ""), unary("nothing")).await;
    check(json(200, "{}"), unary("no usage")).await;
    check(json(200, "<html>网关</html>"), unary("no JSON")).await;
    let bytes: Vec<u8> = (0..=255).collect();
    check(Answer::status(200).body(bytes), unary("no text")).await;
}

#[tokio::test]
async fn refusals_that_are_the_callers_come_down_as_they_were_sent() {
    const SAID: &str = "{ \"type\":\"error\",\"error\" :{\"message\":\"prompt is too long: \\u4f60\",\
        \"type\":\"invalid_request_error\",\"details\":{\"n\":1.0e5}},\"request_id\":\"req_up\"}\n";
    for status in [400, 404, 405, 408, 409, 413, 415, 422, 424, 499] {
        check_cut(json(status, SAID), unary("no"), vec![Chunking::Whole, Chunking::EveryByte])
            .await;
        check_cut(json(status, SAID), unary("no").stream(true), vec![Chunking::EveryByte]).await;
    }
    check(json(400, SAID).gzip(), unary("no")).await;
    check(json(404, ""), unary("no")).await;
}
