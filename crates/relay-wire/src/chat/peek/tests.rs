use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn peek(body: &Value) -> ChatPeek {
    chat(body.to_string().as_bytes()).expect("a request")
}

#[test]
fn the_relays_own_fields_are_read_and_nothing_else_is_judged() {
    let body = r#"{"messages":"whatever","stream":true,"max_tokens":4,"max_completion_tokens":9,
        "mod\u0065l":"gpt-\u4f60","temperature":"hot","prompt_cache_key":"room 7"}"#;
    let peeked = chat(body.as_bytes()).expect("a request");
    assert_eq!(peeked.model, "gpt-你");
    assert_eq!(&body[peeked.model_span], r#""gpt-\u4f60""#);
    assert!(peeked.stream);
    assert_eq!(peeked.max_tokens, Some(9));
    assert_eq!(peeked.session, SessionHint::Client("room 7".to_owned()));
    assert!(!peeked.names_account_state);

    let older = peek(&json!({"model": "m", "prompt": "Once", "max_tokens": 5, "stream": null}));
    assert_eq!((older.max_tokens, older.stream, older.usage_splice), (Some(5), false, None));
    assert!(matches!(older.session, SessionHint::Conversation(_)));
}

#[test]
fn refusals_say_what_is_wrong() {
    let refusal = |body: &str| chat(body.as_bytes()).expect_err(body);
    assert_eq!(refusal(r#"{"model":"m""#), PeekError::NotJson(12));
    assert_eq!(refusal("[]"), PeekError::NotAnObject);
    assert_eq!(refusal("{}"), PeekError::MissingModel);
    assert_eq!(refusal(r#"{"model":"m","stream":1}"#), PeekError::StreamNotBool);
    let twice = r#"{"model":"m","Stream_Options":{},"stream_options":{}}"#;
    assert_eq!(refusal(twice), PeekError::DuplicateKey("stream_options"));
    let twice = r#"{"model":"m","stream_options":{"include_usage":true,"include_usage":false}}"#;
    assert_eq!(refusal(twice), PeekError::DuplicateKey("include_usage"));
}

#[test]
fn a_conversation_is_told_by_its_beginning() {
    let session = |body: &Value| peek(body).session;
    let system = json!({"role": "system", "content": "be kind"});
    let user = json!({"role": "user", "content": "hi"});
    let first = session(&json!({"model": "m", "messages": [system, user]}));
    let later = json!({"model": "n", "messages": [
        {"content": [{"type": "text", "text": "be kind"}], "role": "system"}, user,
        {"role": "assistant", "content": "hello"}, {"role": "user", "content": "more"},
    ]});
    assert_eq!(session(&later), first);
    assert_ne!(session(&json!({"model": "m", "messages": [user]})), first);
    let other = json!({"role": "user", "content": "ho"});
    assert_ne!(session(&json!({"model": "m", "messages": [system, other]})), first);
    assert_eq!(session(&json!({"model": "m", "messages": [system]})), SessionHint::None);
    let long = "x".repeat(SESSION_BYTES_MAX + 1);
    let long = json!({"model": "m", "messages": [system, user], "prompt_cache_key": long});
    assert_eq!(session(&long), first);
}

#[test]
fn pictures_count_by_the_piece() {
    let url = format!("data:image/png;base64,{}", "aGVsbG8h".repeat(2_000));
    let picture = json!({"type": "image_url", "image_url": {"url": url}});
    let body = json!({"model": "m", "messages": [{"role": "user", "content": [picture]}]});
    let estimate = peek(&body).input_estimate;
    assert!((crate::peek::BLOB_TOKENS..crate::peek::BLOB_TOKENS + 20).contains(&estimate));
    let file = json!({"type": "file", "file": {"file_id": "file-1"}});
    let body = json!({"model": "m", "messages": [{"role": "user", "content": [file]}]});
    assert!(peek(&body).names_account_state);
}

fn asked(body: &str) -> Option<String> {
    let splice = chat(body.as_bytes()).expect(body).usage_splice?;
    let spliced = splice.apply(&Bytes::copy_from_slice(body.as_bytes()));
    Some(String::from_utf8(spliced.to_vec()).expect("text"))
}

#[test]
fn the_usage_is_asked_for_without_touching_more() {
    let spliced = |body| asked(body).expect("a splice");
    insta::assert_snapshot!(
        spliced(r#" { "stream" : true, "model":"m"}"#),
        @r#" {"stream_options":{"include_usage":true}, "stream" : true, "model":"m"}"#
    );
    insta::assert_snapshot!(
        spliced(r#"{"stream":true,"stream_options":null,"model":"m"}"#),
        @r#"{"stream":true,"stream_options":{"include_usage":true},"model":"m"}"#
    );
    insta::assert_snapshot!(
        spliced(r#"{"stream":true,"stream_options": { },"model":"m"}"#),
        @r#"{"stream":true,"stream_options": {"include_usage":true },"model":"m"}"#
    );
    insta::assert_snapshot!(
        spliced(r#"{"stream":true,"stream_options":{"include_obfuscation":false},"model":"m"}"#),
        @r#"{"stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false},"model":"m"}"#
    );
    insta::assert_snapshot!(
        spliced(r#"{"stream":true,"stream_options":{"include_usage" : false },"model":"m"}"#),
        @r#"{"stream":true,"stream_options":{"include_usage" : true },"model":"m"}"#
    );
    assert_eq!(
        asked(r#"{"stream":true,"stream_options":{"include_usage":true},"model":"m"}"#),
        None
    );
    assert_eq!(asked(r#"{"stream":false,"model":"m"}"#), None);
    assert_eq!(asked(r#"{"stream":true,"stream_options":7,"model":"m"}"#), None);
}

proptest! {
    #[test]
    fn a_body_that_asks_asks_once(
        options in prop_oneof![
            Just(Value::Null),
            any::<Option<bool>>().prop_map(|it| json!({"include_usage": it})),
            any::<bool>().prop_map(|it| json!({"include_obfuscation": it})),
            Just(json!({})),
        ],
        pretty: bool,
    ) {
        let body = json!({"model": "m", "stream_options": options, "stream": true});
        let body = if pretty { format!("{body:#}") } else { body.to_string() };
        let asked = asked(&body).unwrap_or_else(|| body.clone());
        prop_assert!(chat(asked.as_bytes()).expect("a request").usage_splice.is_none());
        let (mut before, mut after): (Value, Value) = (
            serde_json::from_str(&body).expect("JSON"),
            serde_json::from_str(&asked).expect("JSON"),
        );
        prop_assert_eq!(&after["stream_options"]["include_usage"], &json!(true));
        before["stream_options"] = Value::Null;
        after["stream_options"] = Value::Null;
        prop_assert_eq!(before, after);
    }
}

#[test]
fn an_option_in_other_case_is_not_put_in_a_second_time() {
    let body = br#"{"model":"m","stream":true,"Stream_Options":{"include_usage":false}}"#;
    assert_eq!(chat(body).expect("a request").usage_splice, None);
}
