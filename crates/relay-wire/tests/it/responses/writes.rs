//! What an account is sent of what no client of Responses says.

use relay_core::protocol::Protocol;
use relay_wire::hub::{
    Block, Document, Effort, Image, Input, Json, Loss, Losses, Reasoning, Request, Role, Sampling,
    Seal, Source, Tool, ToolCall, ToolResult, Turn,
};
use relay_wire::responses::request::{write, write_for_chatgpt};
use serde_json::{Value, json};

fn written(request: &Request) -> (Value, Losses) {
    let written = write(request).expect("Responses can say it");
    (serde_json::from_slice(&written.body).expect("JSON"), written.losses)
}

fn turns(turns: Vec<(Role, Vec<Block>)>) -> Request {
    let turn = |(role, blocks)| Turn { role, blocks };
    let turns = turns.into_iter().map(turn).collect();
    Request { model: "m".to_owned(), turns, ..Request::default() }
}

fn thought(by: Protocol) -> Block {
    let seal = Seal { by, id: Some("rs_1".to_owned()), data: "c2VhbA==".to_owned(), is_all: false };
    Block::Thinking { text: "Look first.".to_owned(), seal: Some(seal) }
}

#[test]
fn a_turn_of_another_protocol() {
    let long_id = "tool-".repeat(20);
    let call = |id: &str, input| {
        Block::ToolCall(ToolCall { id: id.to_owned(), name: "look".to_owned(), input, seal: None })
    };
    let picture = Image {
        source: Source::Data { media_type: "image/png".to_owned(), base64: "AAAA".to_owned() },
        detail: None,
    };
    let result = |id: &str, content, is_error| {
        Block::ToolResult(ToolResult { id: id.to_owned(), name: None, content, is_error })
    };
    let letter = Document {
        source: Source::Text("Dear all".to_owned()),
        name: Some("letter.txt".to_owned()),
        cited: true,
    };
    let request = turns(vec![
        (Role::System, vec![Block::text("a"), Block::text("b")]),
        (
            Role::Assistant,
            vec![
                thought(Protocol::Messages),
                thought(Protocol::Responses),
                call(&long_id, Input::Arguments(String::new())),
                call("t", Input::Text("x".to_owned())),
            ],
        ),
        (
            Role::User,
            vec![
                Block::text("And this?"),
                Block::Document(letter),
                result(&long_id, vec![Block::Image(picture)], true),
                result("t", vec![Block::text("exit 2")], true),
            ],
        ),
        (Role::System, vec![Block::text("Mind the gap.")]),
    ]);
    let (body, losses) = written(&request);
    insta::assert_snapshot!(format!("{body:#}\n{losses:?}"));
}

/// A request with all that the service of ChatGPT takes none of.
fn limited() -> Request {
    Request {
        output_max: Some(1),
        sampling: Sampling {
            temperature: Some(0.5),
            top_k: Some(3),
            seed: Some(7),
            presence_penalty: Some(1.0),
            ..Sampling::default()
        },
        user: Some("u".repeat(65)),
        service_tier: Some("standard_only".to_owned()),
        tools: vec![Tool::Hosted {
            by: Protocol::Messages,
            kind: "web_search".to_owned(),
            raw: Json::parse("{}").expect("JSON"),
        }],
        parallel_tools: Some(false),
        ..turns(vec![(Role::User, vec![Block::text("hi")])])
    }
}

#[test]
fn options_of_another_protocol() {
    let (body, losses) = written(&limited());
    let message = json!({"type": "message", "role": "user",
        "content": [{"type": "input_text", "text": "hi"}]});
    let plain = json!({"model": "m", "input": [message], "max_output_tokens": 16,
        "temperature": 0.5, "store": false, "stream": false});
    assert_eq!(body, plain);
    let lost = [
        Loss::HostedTools,
        Loss::Penalties,
        Loss::Seed,
        Loss::TopK,
        Loss::User,
        Loss::ServiceTier,
        Loss::OutputLimit,
    ];
    assert_eq!(losses, Losses::from(lost));
}

#[test]
fn the_service_of_chatgpt_streams_and_limits_by_itself() {
    let written = write_for_chatgpt(&limited()).expect("it can be said");
    let body: Value = serde_json::from_slice(&written.body).expect("JSON");
    let message = json!({"type": "message", "role": "user",
        "content": [{"type": "input_text", "text": "hi"}]});
    let plain = json!({"model": "m", "instructions": "", "input": [message],
        "include": ["reasoning.encrypted_content"], "store": false, "stream": true});
    assert_eq!(body, plain);
    for loss in [Loss::Sampling, Loss::OutputLimit, Loss::User] {
        assert!(written.losses.contains(&loss));
    }
    let tier = |tier: &str| {
        let request = Request { service_tier: Some(tier.to_owned()), ..limited() };
        let written = write_for_chatgpt(&request).expect("it can be said");
        let body: Value = serde_json::from_slice(&written.body).expect("JSON");
        (body["service_tier"].as_str().is_some(), written.losses.contains(&Loss::ServiceTier))
    };
    assert_eq!(["priority", "auto"].map(tier), [(true, false), (false, true)]);
}

#[test]
fn a_measure_of_thought_becomes_a_word() {
    let told = |effort, budget, shown| {
        let reasoning = Some(Reasoning { effort, budget, shown });
        let request = Request { reasoning, ..turns(vec![(Role::User, vec![Block::text("hi")])]) };
        let (body, losses) = written(&request);
        assert_eq!(losses.contains(&Loss::ThinkingBudget), budget.is_some());
        (body["reasoning"].clone(), body["include"].clone())
    };
    let sealed = json!(["reasoning.encrypted_content"]);
    let by_budget = told(None, Some(9_000), true);
    assert_eq!(by_budget, (json!({"effort": "medium", "summary": "auto"}), sealed.clone()));
    assert_eq!(told(Some(Effort::Max), None, false), (json!({"effort": "xhigh"}), sealed.clone()));
    assert_eq!(told(Some(Effort::None), None, false), (json!({"effort": "none"}), Value::Null));
    assert_eq!(told(None, None, true), (json!({"summary": "auto"}), sealed));
}
