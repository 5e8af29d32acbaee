//! What an account is sent of what no client of Chat says.

use relay_core::protocol::Protocol;
use relay_wire::chat::request::write;
use relay_wire::hub::{
    Block, Choice, Document, Effort, Image, Input, Json, Loss, Losses, Reasoning, Request, Role,
    Sampling, Seal, Source, Tool, ToolCall, ToolResult, Turn,
};
use serde_json::{Value, json};

fn written(request: &Request) -> (Value, Losses) {
    let written = write(request).expect("Chat can say it");
    (serde_json::from_slice(&written.body).expect("JSON"), written.losses)
}

fn turns(turns: Vec<(Role, Vec<Block>)>) -> Request {
    let turn = |(role, blocks)| Turn { role, blocks };
    let turns = turns.into_iter().map(turn).collect();
    Request { model: "m".to_owned(), turns, ..Request::default() }
}

#[test]
fn a_turn_of_another_protocol() {
    let long_id = "tool-".repeat(20);
    let seal =
        Seal { by: Protocol::Messages, id: None, data: "c2VhbA==".to_owned(), is_all: false };
    let call = ToolCall {
        id: long_id.clone(),
        name: "look".to_owned(),
        input: Input::Arguments(String::new()),
        seal: None,
    };
    let picture = Image {
        source: Source::Data { media_type: "image/png".to_owned(), base64: "AAAA".to_owned() },
        detail: None,
    };
    let result = ToolResult {
        id: long_id,
        name: None,
        content: vec![Block::Image(picture)],
        is_error: true,
    };
    let failed = ToolResult {
        id: "b".to_owned(),
        name: None,
        content: vec![Block::text("exit 2")],
        is_error: true,
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
                Block::Thinking { text: "Look first.".to_owned(), seal: Some(seal) },
                Block::ToolCall(call),
            ],
        ),
        (
            Role::User,
            vec![
                Block::text("And this?"),
                Block::Document(letter),
                Block::ToolResult(result),
                Block::ToolResult(failed),
            ],
        ),
        (Role::Assistant, vec![Block::Thinking { text: String::new(), seal: None }]),
    ]);
    let (body, losses) = written(&request);
    insta::assert_snapshot!(format!("{body:#}\n{losses:?}"));
}

#[test]
fn options_of_another_protocol() {
    let hosted = Tool::Hosted {
        by: Protocol::Messages,
        kind: "web_search".to_owned(),
        raw: Json::parse("{}").expect("JSON"),
    };
    let request = Request {
        tools: vec![hosted],
        choice: Choice::None,
        parallel_tools: Some(false),
        sampling: Sampling { top_k: Some(3), ..Sampling::default() },
        service_tier: Some("standard_only".to_owned()),
        ..turns(vec![(Role::User, vec![Block::text("hi")])])
    };
    let (body, losses) = written(&request);
    let plain = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    assert_eq!(body, plain);
    assert_eq!(losses, Losses::from([Loss::HostedTools, Loss::TopK, Loss::ServiceTier]));
}

#[test]
fn a_measure_of_thought_becomes_a_word() {
    let word = |effort, budget| {
        let reasoning = Some(Reasoning { effort, budget, shown: true });
        let request = Request { reasoning, ..turns(vec![(Role::User, vec![Block::text("hi")])]) };
        let (body, losses) = written(&request);
        assert_eq!(losses.contains(&Loss::ThinkingBudget), budget.is_some());
        assert!(losses.contains(&Loss::ShownThoughts));
        body["reasoning_effort"].as_str().map(str::to_owned)
    };
    let by_budget = [0, 1_024, 4_096, 4_097, 16_384, 32_000].map(|budget| word(None, Some(budget)));
    let words = ["none", "low", "low", "medium", "medium", "high"];
    assert_eq!(by_budget, words.map(|word| Some(word.to_owned())));
    assert_eq!(word(Some(Effort::Minimal), Some(9)).as_deref(), Some("minimal"));
    assert_eq!(word(Some(Effort::Max), None).as_deref(), Some("xhigh"));
    assert_eq!(word(None, None), None);
}
