//! A conversation of several turns between a client of Responses and an account of Claude.

use relay_core::protocol::Protocol;
use relay_wire::anthropic;
use relay_wire::hub::{Answer, Block, Input, Seal, Stop, ToolCall, Usage};
use relay_wire::responses::answer::write_whole;
use relay_wire::responses::request::read;
use serde_json::{Value, json};

#[test]
fn claudes_thoughts_come_back_with_the_next_turn() {
    let first = include_str!("../../golden/responses/requests/codex_socket.json");
    let mut body: Value = serde_json::from_str(first).expect("JSON");
    let first = read(first.as_bytes()).expect("a request");
    let seal = |data: &str, is_all| {
        Some(Seal { by: Protocol::Messages, id: None, data: data.to_owned(), is_all })
    };
    let call = |id: &str, name: &str, input| {
        Block::ToolCall(ToolCall { id: id.to_owned(), name: name.to_owned(), input, seal: None })
    };
    let answer = Answer {
        id: "msg_01".to_owned(),
        model: "claude-opus-4-8".to_owned(),
        blocks: vec![
            Block::Thinking { text: "Hm.".to_owned(), seal: seal("RXVyb3Bh", false) },
            Block::Thinking { text: String::new(), seal: seal("cmVk", true) },
            Block::text("I wait."),
            call("toolu_1", "clock__sleep", Input::Arguments("{\"seconds\": 2}".to_owned())),
            call("toolu_2", "exec", Input::Text("date".to_owned())),
        ],
        end: Ok(Stop::Tools),
        usage: Usage::default(),
    };
    let told: Value =
        serde_json::from_slice(&write_whole(&answer, &first.wishes, 7)).expect("JSON");

    // The client adds all of the answer to its input, and what its tools gave.
    let input = body["input"].as_array_mut().expect("a list");
    input.extend(told["output"].as_array().cloned().expect("items"));
    input.push(json!({"type": "function_call_output", "call_id": "toolu_1", "output": "ok"}));
    input.push(json!({"type": "custom_tool_call_output", "call_id": "toolu_2", "output": "noon"}));
    body["model"] = json!("claude-opus-4-8");
    let next = read(body.to_string().as_bytes()).expect("a request").request;
    let blocks = &next.turns[next.turns.len() - 2].blocks;
    assert_eq!(*blocks, answer.blocks);

    let written = anthropic::request::write(&next).expect("Claude can be told");
    let body: Value = serde_json::from_slice(&written.body).expect("JSON");
    let messages = body["messages"].as_array().expect("a list");
    insta::assert_snapshot!(format!(
        "{:#}\n{:#}\n{:?}",
        messages[messages.len() - 2],
        messages[messages.len() - 1],
        written.losses
    ));
}

#[test]
fn a_picture_of_a_tool_whose_address_is_none_is_left_to_words() {
    for (address, pictures) in [
        ("data:image/png;base64,AAAA", 1),
        ("data:image/pngbase64,;base64,AAAA", 0),
        ("data:;base64,AAAA", 0),
    ] {
        let output = json!({"type": "computer_screenshot", "image_url": address});
        let item = json!({"type": "computer_call_output", "call_id": "call_1", "output": output});
        let said = json!({"role": "user", "content": "And now?"});
        let body = json!({"model": "m", "input": [item, said]});
        let request = read(body.to_string().as_bytes()).expect("a request").request;
        let blocks = request.turns.iter().flat_map(|turn| &turn.blocks);
        let found = blocks.filter(|block| matches!(block, Block::Image(_))).count();
        assert_eq!(found, pictures, "{address}");
    }
}
