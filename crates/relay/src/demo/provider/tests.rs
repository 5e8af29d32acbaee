use super::*;

fn asked(text: &str, more: &Value) -> Vec<u8> {
    let mut body = json!({
        "model": "claude-sonnet-4-6",
        "max_tokens": 1_000,
        "messages": [{"role": "user", "content": text}],
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    body.to_string().into_bytes()
}

fn answer(body: &[u8]) -> Answer {
    Answer::to(body, 1).expect("an answer")
}

/// The data of all events of an answer.
fn events(answer: &Answer) -> Vec<Value> {
    let pieces: Vec<u8> = answer.pieces().iter().flat_map(|it| it.bytes.to_vec()).collect();
    let text = String::from_utf8(pieces).expect("text");
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).expect("JSON")).collect()
}

#[test]
fn a_stream_says_and_counts_what_a_whole_answer_does() {
    for text in ["Hello", "你好"] {
        let answer = answer(&asked(text, &json!({"stream": true})));
        let (whole, events) = (answer.whole(), events(&answer));
        let said: String =
            events.iter().filter_map(|event| event["delta"]["text"].as_str()).collect();
        assert_eq!(whole["content"][0]["text"], said);
        let last = &events[events.len() - 2]["usage"];
        for field in ["input_tokens", "output_tokens", "cache_read_input_tokens"] {
            assert_eq!(whole["usage"][field], last[field], "{field}");
        }
        assert_eq!(events.last().map(|event| &event["type"]), Some(&json!("message_stop")));
    }
}

#[test]
fn it_answers_in_the_language_of_the_question_and_repeats_none_of_it() {
    let said = |text: &str| answer(&asked(text, &json!({}))).whole()["content"][0]["text"].clone();
    let (english, chinese) =
        (said("Where is Rumpelstiltskin?").to_string(), said("你叫龙傲天吗").to_string());
    assert!(english.is_ascii() && !english.contains("Rumpel"), "{english}");
    assert!(chinese.contains("模拟") && !chinese.contains("龙傲天"), "{chinese}");
}

#[test]
fn all_input_is_billed_once_and_is_what_a_count_says() {
    let turns = json!([
        {"role": "user", "content": "a".repeat(400)},
        {"role": "assistant", "content": "b".repeat(400)},
        {"role": "user", "content": [
            {"type": "text", "text": "c".repeat(400), "cache_control": {"type": "ephemeral"}},
        ]},
    ]);
    let body = asked("", &json!({"messages": turns}));
    let usage = &answer(&body).whole()["usage"];
    let field = |name: &str| usage[name].as_u64().expect("a number");
    let (read, written) = (field("cache_read_input_tokens"), field("cache_creation_input_tokens"));
    assert!(read > 0 && written > 0, "{usage}");
    let all = answer::count(&body).expect("counted");
    assert_eq!(field("input_tokens") + read + written, all);
    let plain = answer(&asked("hello", &json!({}))).whole();
    assert_eq!(plain["usage"]["cache_read_input_tokens"], 0);
}

#[test]
fn an_answer_keeps_to_the_tokens_it_may_have() {
    let short = answer(&asked("Hello", &json!({"max_tokens": 5}))).whole();
    assert_eq!(short["stop_reason"], "max_tokens");
    assert!(short["usage"]["output_tokens"].as_u64().is_some_and(|tokens| tokens <= 5), "{short}");
}

#[test]
fn what_is_no_request_is_refused() {
    for wrong in ["", "{}", r#"{"model":"m"}"#, r#"{"model":"m","messages":[]}"#] {
        assert!(Answer::to(wrong.as_bytes(), 1).is_err(), "{wrong}");
    }
}

#[test]
fn the_relay_reads_the_windows_that_are_told() {
    let now = relay_core::clock::Timestamp::from_seconds(1_800_000_000);
    let windows =
        relay_upstream::quota::told(relay_core::protocol::Service::Claude, &limits::used(now), now);
    assert_eq!(windows.len(), 3, "{windows:?}");
    for (kind, window) in windows {
        assert!(window.used_permille < 1_000 && window.resets_at > Some(now), "{kind:?}");
    }
    let stated = relay_upstream::reset::anthropic(&limits::used_up(now), now);
    assert_eq!(stated.at, Some(now.plus(limits::LIMITED_FOR)));
    assert_eq!(stated.scope, relay_core::health::Scope::Account);
}
