use std::borrow::Cow;

use super::*;

fn event(data: &str) -> Event<'_> {
    Event { name: None, data: Cow::Borrowed(data.as_bytes()), end: 0 }
}

fn after(events: &[&str]) -> (Meter, Vec<Phase>) {
    let mut meter = Meter::default();
    let phases = events.iter().map(|data| meter.observe(&event(data))).collect();
    (meter, phases)
}

const BEGIN: &str = r#"{"model":"gpt-x","choices":[{"index":0,"delta":{"role":"assistant",
    "content":"","refusal":null},"finish_reason":null}],"usage":null,"service_tier":"default"}"#;
const TEXT: &str =
    r#"{"model":"gpt-x","choices":[{"index":0,"delta":{"content":"你好 hello\n"}}]}"#;
const END: &str = r#"{"model":"gpt-x","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
const USAGE: &str = r#"{"model":"","choices":[],"usage":{"prompt_tokens":11,"completion_tokens":9,
    "prompt_tokens_details":{"cached_tokens":4}}}"#;
const DONE: &str = "[DONE]";

#[test]
fn a_whole_stream_is_exact() {
    use Phase::{Content, Preamble, Terminal};
    let (meter, phases) = after(&[BEGIN, TEXT, END, USAGE, DONE]);
    assert_eq!(phases, [Preamble, Content, Content, Content, Terminal]);
    let metered = meter.metered();
    assert_eq!(metered.exactness, Exactness::Exact);
    assert_eq!((metered.usage.input, metered.usage.cache_read, metered.usage.output), (7, 4, 9));
    assert_eq!((&*metered.model_served, &*metered.service_tier), ("gpt-x", "default"));
    assert!(meter.saw_reason());
}

#[test]
fn usage_with_the_reason_to_end_is_exact_without_done() {
    let both = r#"{"choices":[{"delta":{},"finish_reason":"length"}],
        "usage":{"prompt_tokens":3,"completion_tokens":2}}"#;
    let (meter, _) = after(&[BEGIN, TEXT, both]);
    assert_eq!(meter.metered().exactness, Exactness::Exact);
    let (meter, _) = after(&[BEGIN, TEXT, END]);
    assert_eq!(meter.metered().exactness, Exactness::Estimated);
    assert!(!meter.input_known());
}

#[test]
fn usage_that_is_stated_all_along_counts_once_and_is_final_at_the_end() {
    let sofar = |output: u8| {
        format!(
            r#"{{"choices":[{{"delta":{{"content":"x"}}}}],
            "usage":{{"prompt_tokens":5,"completion_tokens":{output}}}}}"#
        )
    };
    let (meter, _) = after(&[&sofar(1), &sofar(2)]);
    let cut = meter.metered();
    assert_eq!((cut.usage.input, cut.usage.output), (5, 2));
    assert_eq!(cut.exactness, Exactness::Estimated);
    let (meter, _) = after(&[&sofar(1), &sofar(2), DONE]);
    assert_eq!(meter.metered().exactness, Exactness::Exact);
}

#[test]
fn a_cut_stream_is_estimated_from_what_the_model_wrote() {
    let call = r#"{"choices":[{"delta":{"role":"assistant","tool_calls":[{"index":0,
        "id":"call_long_and_random","type":"function","function":{"name":"abcd",
        "arguments":"{\"a\":1}"}}]}}]}"#;
    let (meter, phases) = after(&[BEGIN, call]);
    assert_eq!(phases[1], Phase::Content);
    assert_eq!(meter.metered().usage.output, 3); // `abcd` and seven characters of JSON
    let twice = r#"{"choices":[{"delta":{"reasoning":"abcdefgh","reasoning_content":"abcdefgh",
        "reasoning_details":[{"text":"abcdefgh"}]}}]}"#;
    assert_eq!(after(&[twice]).0.metered().usage.output, 2);
    let once = r#"{"choices":[{"delta":{"content":"","reasoning":"abcdefgh"}}]}"#;
    assert_eq!(after(&[once]).0.so_far(), (0, 2));
    let prompted = r#"{"object":"text_completion","choices":[{"text":"abcd","index":0}]}"#;
    assert_eq!(after(&[prompted]).0.so_far(), (0, 1));
}

#[test]
fn errors_are_seen_in_every_form() {
    let body = |kind: &str, message: &str| {
        Phase::Error(ErrorBody { kind: kind.to_owned(), message: message.to_owned() })
    };
    let phase = |data| after(&[data]).1.remove(0);
    assert_eq!(
        phase(r#"{"error":{"message":"slow","type":"tokens","code":"rate_limit_exceeded"}}"#),
        body("tokens", "slow")
    );
    assert_eq!(
        phase(r#"{"error":{"message":"","type":null,"code":"boom"}}"#),
        body("boom", "the upstream broke off with an error")
    );
    assert_eq!(phase(r#"{"error":"no"}"#), body("server_error", "no"));
    assert_eq!(
        phase(r#"{"object":"error","message":"too long","type":"BadRequestError","code":400}"#),
        body("BadRequestError", "too long")
    );
    assert_eq!(phase(r#"{"error":null,"choices":[]}"#), Phase::Preamble);
    assert_eq!(phase("oops"), Phase::Preamble);
    let named = Event { name: Some(b"error"), ..event("gone") };
    assert!(matches!(Meter::default().observe(&named), Phase::Error(_)));
}

#[test]
fn what_an_event_says_before_its_error_does_not_count() {
    let torn = [
        r#"{"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}],"error":{"message":"m"}}"#,
        r#"{"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}],"usage":"#,
    ];
    for event in torn {
        let (meter, _) = after(&[BEGIN, event]);
        assert!(!meter.content_seen() && !meter.saw_reason(), "{event}");
        assert_eq!(meter.metered().usage.output, 0, "{event}");
    }
}

#[test]
fn whole_answers_state_their_usage() {
    let body = r#"{"model":"gpt-x","service_tier":"flex","choices":[],
        "usage":{"prompt_tokens":8,"total_tokens":8}}"#;
    let metered = unary(body.as_bytes()).expect("a usage");
    assert_eq!((metered.usage.input, metered.usage.output), (8, 0));
    assert_eq!((&*metered.model_served, &*metered.service_tier), ("gpt-x", "flex"));
    for other in ["", "{}", r#"{"usage":null}"#, r#"{"error":{},"usage":{"prompt_tokens":1}}"#] {
        assert_eq!(unary(other.as_bytes()), None, "{other}");
    }
}
