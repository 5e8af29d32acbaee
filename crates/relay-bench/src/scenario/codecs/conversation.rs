//! A conversation of an agent in each protocol: instructions, tools, calls and their results.

use relay_core::protocol::Protocol;
use serde_json::{Value, json};

use crate::request::{WORDS, model};

const TOOLS: usize = 20;
const TURNS: usize = 20;

/// A body of so many bytes; `None` for a protocol whose clients nothing is translated for.
pub(super) fn conversation(protocol: Protocol, bytes: usize) -> Option<String> {
    let of = |last: &str| match protocol {
        Protocol::Messages => Some(messages(last)),
        Protocol::Chat => Some(chat(last)),
        Protocol::Responses => Some(responses(last)),
        Protocol::Gemini => None,
    };
    let room = bytes.saturating_sub(of("")?.to_string().len());
    let last: String = WORDS.chars().cycle().take(room).collect();
    Some(of(&last)?.to_string())
}

fn messages(last: &str) -> Value {
    let turns = (0..TURNS).flat_map(|number| {
        let id = format!("toolu_{number}");
        [
            json!({"role": "user", "content": asked()}),
            json!({"role": "assistant", "content": [{"type": "text", "text": said()},
                {"type": "tool_use", "id": id, "name": "tool_1", "input": arguments()}]}),
            json!({"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": id, "content": result()}]}),
            json!({"role": "assistant", "content": said()}),
        ]
    });
    let tool = |number| json!({"name": tool_name(number), "description": described(), "input_schema": schema()});
    json!({
        "model": model(Protocol::Messages), "max_tokens": 1_000, "stream": true,
        "system": instructions(), "tools": (0..TOOLS).map(tool).collect::<Vec<_>>(),
        "messages": turns.chain([json!({"role": "user", "content": last})]).collect::<Vec<_>>(),
    })
}

fn chat(last: &str) -> Value {
    let turns = (0..TURNS).flat_map(|number| {
        let id = format!("call_{number}");
        let function = json!({"name": "tool_1", "arguments": arguments().to_string()});
        [
            json!({"role": "user", "content": asked()}),
            json!({"role": "assistant", "content": said(),
                "tool_calls": [{"id": id, "type": "function", "function": function}]}),
            json!({"role": "tool", "tool_call_id": id, "content": result()}),
            json!({"role": "assistant", "content": said()}),
        ]
    });
    let tool = |number| {
        let function = json!({"name": tool_name(number), "description": described(),
            "parameters": schema()});
        json!({"type": "function", "function": function})
    };
    let first = [json!({"role": "system", "content": instructions()})];
    let last = [json!({"role": "user", "content": last})];
    let messages: Vec<Value> = first.into_iter().chain(turns).chain(last).collect();
    json!({
        "model": model(Protocol::Chat), "max_completion_tokens": 1_000, "stream": true,
        "stream_options": {"include_usage": true},
        "tools": (0..TOOLS).map(tool).collect::<Vec<_>>(),
        "messages": messages,
    })
}

fn responses(last: &str) -> Value {
    let turns = (0..TURNS).flat_map(|number| {
        let id = format!("call_{number}");
        [
            json!({"role": "user", "content": asked()}),
            json!({"type": "function_call", "call_id": id, "name": "tool_1",
                "arguments": arguments().to_string()}),
            json!({"type": "function_call_output", "call_id": id, "output": result()}),
            json!({"type": "message", "role": "assistant",
                "content": [{"type": "output_text", "text": said()}]}),
        ]
    });
    let tool = |number| {
        json!({"type": "function", "name": tool_name(number), "strict": false,
            "description": described(), "parameters": schema()})
    };
    json!({
        "model": model(Protocol::Responses), "max_output_tokens": 1_000, "stream": true,
        "instructions": instructions(), "tools": (0..TOOLS).map(tool).collect::<Vec<_>>(),
        "input": turns.chain([json!({"role": "user", "content": last})]).collect::<Vec<_>>(),
    })
}

fn instructions() -> String {
    "You help with programs. ".repeat(200)
}

fn asked() -> String {
    "Plain words, and \"some\" more.\n".repeat(8)
}

fn said() -> String {
    "So it is. ".repeat(10)
}

fn result() -> String {
    "    let answer = compute(42)?; // see above\n".repeat(20)
}

fn arguments() -> Value {
    json!({"path": "src/main.rs", "lines": [1, 2, 3]})
}

fn tool_name(number: usize) -> String {
    format!("tool_{number}")
}

fn described() -> String {
    "Does one thing, and says what came of it. ".repeat(8)
}

fn schema() -> Value {
    json!({"type": "object", "required": ["path"], "additionalProperties": false, "properties": {
        "path": {"type": "string", "description": "Where to look"},
        "lines": {"type": "array", "items": {"type": "integer"}}}})
}
