//! An answer as the events of a stream, in the provider's own order.

use bytes::Bytes;
use relay_core::usage::TokenUsage;
use serde_json::{Value, json};

use super::reply::{Block, Reply, split, usage_json};

/// What a frame is, as far as scripts count frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameKind {
    Event,
    /// An event that carries content.
    Delta,
    /// The event that ends a whole answer.
    Terminal,
    /// Not an event: a comment.
    Comment,
}

/// One frame of a stream.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) bytes: Bytes,
    pub(crate) kind: FrameKind,
}

impl Frame {
    /// A named event with JSON for data.
    pub(crate) fn event(kind: FrameKind, data: &Value) -> Self {
        let name = data["type"].as_str().unwrap_or("unknown");
        Self { bytes: format!("event: {name}\ndata: {data}\n\n").into(), kind }
    }

    /// An event without a name.
    pub(crate) fn data(kind: FrameKind, data: &Value) -> Self {
        Self { bytes: format!("data: {data}\n\n").into(), kind }
    }

    /// Whether scripts count it as an event.
    pub(crate) fn is_event(&self) -> bool {
        self.kind != FrameKind::Comment
    }
}

/// All frames of an answer.
pub(crate) fn frames(reply: &Reply) -> Vec<Frame> {
    let event = |data: Value| Frame::event(FrameKind::Event, &data);
    let mut frames = vec![event(message_start(reply))];
    for (index, block) in reply.blocks.iter().enumerate() {
        let start = json!({
            "type": "content_block_start", "index": index, "content_block": empty(block),
        });
        frames.push(event(start));
        if index == 0 {
            frames.push(event(json!({"type": "ping"})));
        }
        frames.extend(deltas(block).into_iter().map(|delta| {
            let data = json!({"type": "content_block_delta", "index": index, "delta": delta});
            Frame::event(FrameKind::Delta, &data)
        }));
        frames.push(event(json!({"type": "content_block_stop", "index": index})));
    }
    frames.push(event(json!({
        "type": "message_delta",
        "delta": {"stop_reason": reply.stop_reason, "stop_sequence": null},
        "usage": final_usage(&reply.usage),
    })));
    frames.push(Frame::event(FrameKind::Terminal, &json!({"type": "message_stop"})));
    frames
}

fn message_start(reply: &Reply) -> Value {
    let at_start = TokenUsage { output: 1, web_searches: 0, ..reply.usage };
    json!({
        "type": "message_start",
        "message": {
            "id": reply.id,
            "type": "message",
            "role": "assistant",
            "model": reply.model,
            "content": [],
            "stop_reason": null,
            "stop_sequence": null,
            "usage": usage_json(&at_start),
        },
    })
}

/// The cumulative usage of `message_delta`, which repeats the input but not its kinds.
fn final_usage(usage: &TokenUsage) -> Value {
    let mut stated = json!({
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write(),
        "cache_read_input_tokens": usage.cache_read,
        "output_tokens": usage.output,
    });
    if usage.web_searches > 0 {
        stated["server_tool_use"] = json!({"web_search_requests": usage.web_searches});
    }
    stated
}

fn empty(block: &Block) -> Value {
    match block {
        Block::Text(_) => json!({"type": "text", "text": ""}),
        Block::Thinking { .. } => json!({"type": "thinking", "thinking": "", "signature": ""}),
        Block::ToolUse { id, name, .. } => {
            json!({"type": "tool_use", "id": id, "name": name, "input": {}})
        }
    }
}

fn deltas(block: &Block) -> Vec<Value> {
    match block {
        Block::Text(texts) => {
            texts.iter().map(|text| json!({"type": "text_delta", "text": text})).collect()
        }
        Block::Thinking { deltas, signature } => deltas
            .iter()
            .map(|text| json!({"type": "thinking_delta", "thinking": text}))
            .chain([json!({"type": "signature_delta", "signature": signature})])
            .collect(),
        Block::ToolUse { input, .. } => std::iter::once(String::new())
            .chain(split(&input.to_string()))
            .map(|part| json!({"type": "input_json_delta", "partial_json": part}))
            .collect(),
    }
}
