use relay_core::endpoint::Endpoint;
use relay_core::payload::PayloadRule;
use relay_core::protocol::Service;

use super::*;
use crate::call::Form;
use crate::route::{Google, Home};

fn set(path: &str, json: &str) -> PayloadRule {
    PayloadRule::Set { path: path.parse().expect("a path"), json: json.to_owned() }
}

const MESSAGES: Asked =
    Asked { endpoint: Endpoint::Messages, home: Home::Of(Service::Claude), google: None };

fn shaped(rules: &KeyRules, body: &str) -> Result<Shaped, CallerFault> {
    shape(&MESSAGES, rules, &Bytes::copy_from_slice(body.as_bytes()), Missing::Add)
}

#[test]
fn a_body_that_no_rule_changes_is_not_copied() {
    let rules = KeyRules {
        aliases: vec!["fast=claude-haiku-4-5".parse().expect("a mapping")],
        payload: vec![PayloadRule::Drop { path: "top_k".parse().expect("a path") }],
        output_tokens_max: Some(64),
        ..KeyRules::default()
    };
    for body in [r#"{"model":"m","max_tokens":64}"#, r#"{"model":"m"}"#] {
        let shaped = shaped(&rules, body).expect("a body");
        assert_eq!((shaped.changed, shaped.asked.as_str()), (None, "m"), "{body}");
    }
}

#[test]
fn the_alias_comes_first_then_the_fields_then_the_cap() {
    let rules = KeyRules {
        aliases: vec!["fast=claude-haiku-4-5".parse().expect("a mapping")],
        payload: vec![set("max_tokens", "900"), set("system", "\"short\"")],
        output_tokens_max: Some(64),
        ..KeyRules::default()
    };
    let shaped = shaped(&rules, r#"{ "model": "Fast", "max_tokens": 5 }"#).expect("a body");
    let body = shaped.changed.expect("a change");
    assert_eq!(body, r#"{ "model": "claude-haiku-4-5", "max_tokens": 64,"system":"short" }"#);
    assert_eq!((shaped.asked.as_str(), shaped.peek.model.as_str()), ("Fast", "claude-haiku-4-5"));
    assert_eq!(shaped.peek.max_tokens, Some(64), "what is said is of the body as it is sent on");
    assert!(
        matches!(shaped.peek.form, Form::Named(at) if body[at.clone()] == br#""claude-haiku-4-5""#[..])
    );
}

#[test]
fn what_a_rule_makes_of_model_and_stream_is_what_counts() {
    let rules = |payload| KeyRules { payload, ..KeyRules::default() };
    let body = r#"{"model":"a","stream":true}"#;
    let plain = shaped(&rules(vec![set("stream", "false"), set("model", "\"b\"")]), body);
    let plain = plain.expect("a body");
    assert_eq!((plain.peek.stream, plain.peek.model.as_str()), (false, "b"));
    assert_eq!(plain.asked, "a");
    let wrong = shaped(&rules(vec![set("model", "7")]), body);
    assert!(matches!(wrong, Err(CallerFault::Malformed(_))), "{wrong:?}");
}

#[test]
fn a_field_that_cannot_be_set_is_named() {
    let rules = KeyRules { payload: vec![set("thinking.type", "1")], ..KeyRules::default() };
    let refused = shaped(&rules, r#"{"model":"a","thinking":"much"}"#).expect_err("a refusal");
    assert!(refused.to_string().contains("`thinking.type`"), "{refused}");
}

#[test]
fn no_way_of_writing_gets_past_the_cap() {
    let rules = KeyRules { output_tokens_max: Some(64), ..KeyRules::default() };
    for asked in ["65", "6.5e1", "\"64000\"", "1e400", "[64000]"] {
        let shaped = shaped(&rules, &format!(r#"{{"model":"a","max_tokens":{asked}}}"#));
        let body = shaped.expect("a body").changed.expect("a change");
        assert_eq!(body, r#"{"model":"a","max_tokens":64}"#, "{asked}");
    }
    let other_case = shaped(&rules, r#"{"model":"a","Max_Tokens":65}"#).expect("a body");
    assert_eq!(other_case.changed.expect("a change"), r#"{"model":"a","Max_Tokens":64}"#);
}

/// A body that asks for no limit, as a key may have it that may ask for 64.
fn capped(asked: &Asked, body: &str) -> String {
    let rules = KeyRules { output_tokens_max: Some(64), ..KeyRules::default() };
    let sent = Bytes::copy_from_slice(body.as_bytes());
    let shaped = shape(asked, &rules, &sent, Missing::Add).expect("a body");
    String::from_utf8(shaped.changed.unwrap_or(sent).to_vec()).expect("text")
}

#[test]
fn where_no_limit_means_the_models_own_the_cap_is_put_in() {
    let plain = |endpoint| Asked { endpoint, home: Home::ByModel, google: None };
    let chat = plain(Endpoint::Chat);
    assert_eq!(capped(&chat, r#"{"model":"m"}"#), r#"{"model":"m","max_completion_tokens":64}"#);
    let stated = r#"{"model":"m","max_tokens":7}"#;
    assert_eq!(capped(&chat, stated), stated);
    let much = capped(&chat, r#"{"model":"m","max_tokens":70}"#);
    assert_eq!(much, r#"{"model":"m","max_tokens":64}"#);
    let responses = capped(&plain(Endpoint::Responses), r#"{"model":"m"}"#);
    assert_eq!(responses, r#"{"model":"m","max_output_tokens":64}"#);
    let google = |model: Option<&str>| {
        let google = Google { model: model.map(str::to_owned), streamed: false };
        Asked { google: Some(google), ..plain(Endpoint::Generate) }
    };
    let native = capped(&google(Some("m")), r#"{"contents":[]}"#);
    assert_eq!(native, r#"{"contents":[],"generationConfig":{"maxOutputTokens":64}}"#);
    let body = r#"{"model":"m","request":{"generationConfig":{"maxOutputTokens":99}}}"#;
    let enveloped = r#"{"model":"m","request":{"generationConfig":{"maxOutputTokens":64}}}"#;
    assert_eq!(capped(&google(None), body), enveloped);
}

#[test]
fn an_alias_renames_the_model_where_it_stands() {
    let rules = KeyRules {
        aliases: vec!["fast=gemini-flash".parse().expect("a mapping")],
        ..KeyRules::default()
    };
    let google = |model: Option<&str>| Asked {
        endpoint: Endpoint::Generate,
        home: Home::Of(Service::Gemini),
        google: Some(Google { model: model.map(str::to_owned), streamed: false }),
    };
    let body = Bytes::from_static(br#"{"contents":[]}"#);
    let native = shape(&google(Some("fast")), &rules, &body, Missing::Add).expect("a body");
    assert_eq!((native.peek.model.as_str(), native.changed), ("gemini-flash", None));
    let body = Bytes::from_static(br#"{"model":"fast","request":{}}"#);
    let enveloped = shape(&google(None), &rules, &body, Missing::Add).expect("a body");
    assert_eq!(enveloped.changed.expect("a change"), r#"{"model":"gemini-flash","request":{}}"#);
    assert_eq!((enveloped.asked.as_str(), enveloped.peek.model.as_str()), ("fast", "gemini-flash"));
}
