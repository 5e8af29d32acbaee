use std::borrow::Cow;

use super::*;
use crate::anthropic::error::ErrorBody;

fn event(data: &str) -> Event<'_> {
    Event { name: None, data: Cow::Borrowed(data.as_bytes()), end: 0 }
}

fn after(events: &[&str]) -> (Meter, Vec<Phase>) {
    let mut meter = Meter::default();
    let phases = events.iter().map(|data| meter.observe(&event(data))).collect();
    (meter, phases)
}

const BEGIN: &str = r#"{"candidates":[{"content":{"role":"model","parts":[{"text":""}]}}],
    "usageMetadata":{"promptTokenCount":11},"modelVersion":"gemini-x","responseId":"r"}"#;
const TEXT: &str = r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"你好 hello\n"}]}}],
    "usageMetadata":{"promptTokenCount":11,"candidatesTokenCount":2},"modelVersion":"gemini-x"}"#;
const END: &str = r#"{"candidates":[{"content":{"parts":[{"text":"","thoughtSignature":"c2lnbmVk"}],
    "role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":11,
    "candidatesTokenCount":5,"thoughtsTokenCount":4,"cachedContentTokenCount":4}}"#;

#[test]
fn a_whole_stream_is_exact_in_an_envelope_or_without() {
    use Phase::{Content, Preamble, Terminal};
    let wrapped = [BEGIN, TEXT, END].map(|data| format!(r#"{{"response":{data},"traceId":"t"}}"#));
    let wrapped: Vec<&str> = wrapped.iter().map(String::as_str).collect();
    for events in [&[BEGIN, TEXT, END][..], &wrapped] {
        let (meter, phases) = after(events);
        assert_eq!(phases, [Preamble, Content, Terminal]);
        let metered = meter.metered();
        assert_eq!(metered.exactness, Exactness::Exact);
        let usage = metered.usage;
        assert_eq!((usage.input, usage.cache_read, usage.output), (7, 4, 9));
        assert_eq!(metered.model_served, "gemini-x");
        assert!(meter.saw_reason() && meter.saw_start());
    }
}

#[test]
fn usage_may_follow_the_reason_to_end() {
    let reason = r#"{"candidates":[{"content":{},"finishReason":"MAX_TOKENS"}]}"#;
    let usage = r#"{"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2}}"#;
    let (meter, phases) = after(&[TEXT, reason, usage]);
    assert_eq!(phases, [Phase::Content, Phase::Content, Phase::Terminal]);
    assert_eq!(meter.metered().usage.output, 2);
    let (meter, _) = after(&[reason]);
    assert!(meter.saw_reason() && !meter.input_known());
    assert_eq!(meter.metered().exactness, Exactness::Estimated);
}

#[test]
fn a_cut_stream_is_estimated_from_what_the_model_wrote() {
    let call = r#"{"candidates":[{"content":{"role":"model","parts":[{"thoughtSignature":"longlong",
        "functionCall":{"id":"long_and_random","name":"abcd","args":{"a":"b","n":1}}}]}}]}"#;
    let (meter, phases) = after(&[call]);
    assert_eq!(phases, [Phase::Content]);
    assert_eq!(meter.so_far(), (0, 2)); // `abcd` and `b`
    let (meter, _) = after(&[BEGIN, TEXT]);
    let cut = meter.metered();
    assert_eq!(cut.exactness, Exactness::Estimated);
    assert_eq!((cut.usage.input, cut.usage.output), (11, 4)); // two of Han, seven of ASCII
}

#[test]
fn a_blocked_prompt_is_an_answer() {
    let blocked = r#"{"promptFeedback":{"blockReason":"SAFETY"},
        "usageMetadata":{"promptTokenCount":8,"totalTokenCount":8}}"#;
    let (meter, phases) = after(&[blocked]);
    assert_eq!(phases, [Phase::Terminal]);
    assert_eq!(meter.metered().exactness, Exactness::Exact);
    let let_through = r#"{"promptFeedback":{"safetyRatings":[]}}"#;
    assert_eq!(after(&[let_through]).1, [Phase::Preamble]);
}

#[test]
fn errors_are_seen_in_every_form() {
    let body = |kind: &str, message: &str| {
        Phase::Error(ErrorBody { kind: kind.to_owned(), message: message.to_owned() })
    };
    let phase = |data| after(&[data]).1.remove(0);
    let exhausted = r#"{"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED"}}"#;
    assert_eq!(phase(exhausted), body("rate_limit_error", "slow"));
    let inner = format!(r#"{{"response":{exhausted}}}"#);
    assert_eq!(phase(&inner), body("rate_limit_error", "slow"));
    assert_eq!(phase(r#"{"error":null,"candidates":[]}"#), Phase::Preamble);
    assert_eq!(phase("oops"), Phase::Preamble);
}

#[test]
fn what_an_event_says_before_its_error_does_not_count() {
    let candidate = r#"{"candidates":[{"content":{"parts":[{"text":"x"}]},"finishReason":"STOP"}]"#;
    for rest in [r#","error":{"code":503}}"#, r#","usageMetadata":"#] {
        let (meter, _) = after(&[BEGIN, &format!("{candidate}{rest}")]);
        assert!(!meter.content_seen() && !meter.saw_reason(), "{rest}");
        assert_eq!(meter.metered().usage.output, 0, "{rest}");
    }
}

#[test]
fn whole_answers_state_their_usage() {
    let body = r#"{"candidates":[],"modelVersion":"gemini-x","usageMetadata":
        {"promptTokenCount":8,"totalTokenCount":8}}"#;
    for body in [body.to_owned(), format!(r#"{{"response":{body}}}"#)] {
        let metered = unary(body.as_bytes()).expect("a usage");
        assert_eq!((metered.usage.input, metered.usage.output), (8, 0));
        assert_eq!(metered.model_served, "gemini-x");
    }
    let failed = r#"{"error":{},"usageMetadata":{"promptTokenCount":1}}"#;
    for other in ["", "{}", r#"{"usageMetadata":null}"#, failed] {
        assert_eq!(unary(other.as_bytes()), None, "{other}");
    }
}
