use super::*;

fn event<'a>(name: &'a str, data: &'a str) -> Event<'a> {
    let name = Some(name.as_bytes()).filter(|name| !name.is_empty());
    Event { name, data: Cow::Borrowed(data.as_bytes()), end: 0 }
}

const START: &str = r#"{"type":"message_start","message":{"model":"claude-opus-4-8",
    "usage":{"input_tokens":11,"output_tokens":1,"service_tier":"standard","speed":"fast"}}}"#;
const DELTA: &str = r#"{"type":"content_block_delta","index":0,
    "delta":{"type":"text_delta","text":"你好 hello\n"}}"#;
const CLOSE: &str = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},
    "usage":{"output_tokens":9}}"#;
const STOP: &str = r#"{"type":"message_stop"}"#;

fn after(events: &[(&str, &str)]) -> (Meter, Vec<Phase>) {
    let mut meter = Meter::default();
    let phases = events.iter().map(|(name, data)| meter.observe(&event(name, data))).collect();
    (meter, phases)
}

#[test]
fn a_whole_stream_is_exact_with_and_without_event_lines() {
    use Phase::{Content, Preamble, Terminal};
    let named = [("message_start", START), ("ping", "{}"), ("content_block_delta", DELTA)];
    let named = [&named[..], &[("message_delta", CLOSE), ("message_stop", STOP)]].concat();
    let mut nameless = named.clone();
    for (name, _) in &mut nameless {
        *name = "";
    }
    nameless[1].1 = r#"{ "index": 1, "type" : "ping" }"#;
    for events in [named, nameless] {
        let (meter, phases) = after(&events);
        assert_eq!(phases, [Preamble, Preamble, Content, Content, Terminal]);
        let metered = meter.metered();
        assert_eq!(metered.exactness, Exactness::Exact);
        assert_eq!((metered.usage.input, metered.usage.output), (11, 9));
        assert_eq!(metered.model_served, "claude-opus-4-8");
        assert_eq!((&*metered.service_tier, &*metered.speed), ("standard", "fast"));
    }
}

#[test]
fn a_cut_stream_is_estimated_from_what_it_had_said() {
    let (meter, _) = after(&[("message_start", START), ("content_block_delta", DELTA)]);
    let metered = meter.metered();
    assert_eq!(metered.exactness, Exactness::Estimated);
    assert_eq!((metered.usage.input, metered.usage.output), (11, 4));
    assert!(meter.saw_start() && meter.content_seen() && meter.input_known());

    let stated =
        [("message_start", START), ("content_block_delta", DELTA), ("message_delta", CLOSE)];
    let metered = after(&stated).0.metered();
    assert_eq!((metered.exactness, metered.usage.output), (Exactness::Estimated, 9));

    let (meter, _) = after(&[]);
    assert!(!meter.saw_start() && !meter.content_seen() && !meter.input_known());
    assert_eq!(meter.metered().usage, TokenUsage::default());
}

#[test]
fn an_end_that_states_no_usage_is_not_exact() {
    let events = [("message_start", START), ("content_block_delta", DELTA), ("message_stop", STOP)];
    let metered = after(&events).0.metered();
    assert_eq!((metered.exactness, metered.usage.output), (Exactness::Estimated, 4));

    let without_start =
        [("content_block_delta", DELTA), ("message_delta", CLOSE), ("message_stop", STOP)];
    let (meter, _) = after(&without_start);
    assert_eq!(meter.metered().exactness, Exactness::Estimated);
    assert!(!meter.saw_start());
}

#[test]
fn only_what_the_model_wrote_is_tallied() {
    let tallied = |delta: &str| {
        let data = format!(r#"{{"index":0,"delta":{delta},"type":"content_block_delta"}}"#);
        after(&[("content_block_delta", &data)]).0.metered().usage.output
    };
    assert_eq!(tallied(r#"{"type":"text_delta","text":"12345678"}"#), 2);
    assert_eq!(tallied(r#"{"type":"thinking_delta","thinking":"\u4f60\u597d"}"#), 2);
    assert_eq!(tallied(r#"{"type":"input_json_delta","partial_json":"{\"text\":\""}"#), 3);
    assert_eq!(tallied(r#"{"type":"signature_delta","signature":"AAAAAAAAAAAA"}"#), 0);
    assert_eq!(tallied(r#"{"type":"citations_delta","citation":{"text":"quoted"}}"#), 0);
    assert_eq!(tallied(r#"{"type":"new_delta","words":"1234"}"#), 1);
    assert_eq!(tallied("7"), 0);
    assert_eq!(tallied(r#"{"text":"#), 0);
}

#[test]
fn an_error_is_one_by_name_or_by_what_it_holds() {
    let overloaded =
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let phase = |name: &str, data: &str| match after(&[(name, data)]).1.remove(0) {
        Phase::Error(body) => Some((body.kind, body.message)),
        _ => None,
    };
    let is = |kind: &str, message: &str| Some((kind.to_owned(), message.to_owned()));
    assert_eq!(phase("error", overloaded), is("overloaded_error", "Overloaded"));
    assert_eq!(phase("", overloaded), is("overloaded_error", "Overloaded"));
    assert_eq!(phase("message", r#"{"error":{"message":"no"}}"#), is("api_error", "no"));
    assert_eq!(phase("error", "gone"), is("api_error", "the upstream broke off with an error"));
    assert_eq!(phase("", r#"{"type":"x","error":1}"#), None);
    assert_eq!(phase("", "[DONE]"), None);
}

#[test]
fn unary_answers_state_their_usage() {
    let body = br#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-haiku-5-5",
        "content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","usage":{"input_tokens":3,
        "cache_creation_input_tokens":40,"cache_read_input_tokens":5,"output_tokens":2,
        "cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":30},
        "server_tool_use":{"web_search_requests":2},"service_tier":"batch"}}"#;
    let metered = unary(body).unwrap();
    let usage = TokenUsage {
        input: 3,
        output: 2,
        cache_read: 5,
        cache_write_5m: 10,
        cache_write_1h: 30,
        web_searches: 2,
    };
    assert_eq!((metered.usage, metered.exactness), (usage, Exactness::Exact));
    assert_eq!((&*metered.model_served, &*metered.service_tier), ("claude-haiku-5-5", "batch"));
    for other in [
        r#"{"type":"error","error":{}}"#,
        r#"{"type":"completion","usage":{"input_tokens":1}}"#,
        r#"{"type":"message","usage":{}}"#,
        r#"{"type":"message","usage":null}"#,
        r#"{"input_tokens":7}"#,
        "[]",
        "",
    ] {
        assert_eq!(unary(other.as_bytes()), None, "{other}");
    }
}
