//! Answers in OpenAI Chat, and as text completions in the form that came before it.

use relay_core::usage::TokenUsage;
use serde_json::{Value, json};

use super::CREATED;
use crate::anthropic::ask::Ask;
use crate::anthropic::events::{Frame, FrameKind};
use crate::anthropic::reply::{Block, Reply, split};
use crate::format::Format;

/// The body of an answer that is not streamed.
pub(crate) fn body(reply: &Reply, ask: &Ask) -> Value {
    let text = reply.text();
    let choice = if ask.format == Format::Completions {
        json!({"index": 0, "text": text, "logprobs": null, "finish_reason": finish(reply)})
    } else {
        let mut message = json!({
            "role": "assistant", "content": text, "refusal": null, "annotations": [],
        });
        if reply.refused {
            message["content"] = Value::Null;
            message["refusal"] = Value::from(text);
        }
        let calls: Vec<Value> = reply.tools().map(whole_call).collect();
        if !calls.is_empty() {
            message["tool_calls"] = Value::from(calls);
        }
        json!({"index": 0, "message": message, "logprobs": null, "finish_reason": finish(reply)})
    };
    let mut body = envelope(reply, ask, ("chat.completion", "text_completion"));
    body["choices"] = json!([choice]);
    body["usage"] = usage_json(reply);
    body
}

/// All frames of a streamed answer.
pub(crate) fn frames(reply: &Reply, ask: &Ask) -> Vec<Frame> {
    let chunk = |choices: Value, usage: Value| {
        let mut chunk = envelope(reply, ask, ("chat.completion.chunk", "text_completion"));
        chunk["choices"] = choices;
        if ask.include_usage {
            chunk["usage"] = usage;
        }
        chunk
    };
    let choice = |delta: Value, finish: Value| {
        let choice = if ask.format == Format::Completions {
            let text = delta["content"].as_str().unwrap_or_default();
            json!({"index": 0, "text": text, "logprobs": null, "finish_reason": finish})
        } else {
            json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish})
        };
        chunk(json!([choice]), Value::Null)
    };
    let mut frames = Vec::new();
    if ask.format == Format::Chat {
        let first = json!({"role": "assistant", "content": "", "refusal": null});
        frames.push(Frame::data(FrameKind::Event, &choice(first, Value::Null)));
    }
    let deltas = deltas(reply).into_iter();
    frames.extend(deltas.map(|delta| Frame::data(FrameKind::Delta, &choice(delta, Value::Null))));
    frames.push(Frame::data(FrameKind::Event, &choice(json!({}), finish(reply).into())));
    if ask.include_usage {
        frames.push(Frame::data(FrameKind::Event, &chunk(json!([]), usage_json(reply))));
    }
    frames.push(Frame { bytes: "data: [DONE]\n\n".into(), kind: FrameKind::Terminal });
    frames
}

fn envelope(reply: &Reply, ask: &Ask, (chat, plain): (&str, &str)) -> Value {
    let serial = reply.serial;
    let (id, object) = match ask.format {
        Format::Completions => (format!("cmpl-fake-{serial:08}"), plain),
        _ => (format!("chatcmpl-fake-{serial:08}"), chat),
    };
    json!({
        "id": id, "object": object, "created": CREATED, "model": reply.model,
        "service_tier": "default", "system_fingerprint": "fp_fake",
    })
}

fn deltas(reply: &Reply) -> Vec<Value> {
    let field = if reply.refused { "refusal" } else { "content" };
    let texts = reply.blocks.iter().filter_map(|block| match block {
        Block::Text(texts) => Some(texts),
        _ => None,
    });
    let texts = texts.flatten().map(|text| json!({field: text}));
    let calls = reply.tools().enumerate().flat_map(|(index, tool)| {
        let mut start = whole_call(tool);
        let arguments = start["function"]["arguments"].take();
        start["function"]["arguments"] = Value::from("");
        start["index"] = Value::from(index);
        let pieces = split(arguments.as_str().unwrap_or_default()).into_iter();
        std::iter::once(start).chain(
            pieces.map(move |piece| json!({"index": index, "function": {"arguments": piece}})),
        )
    });
    texts.chain(calls.map(|call| json!({"tool_calls": [call]}))).collect()
}

fn whole_call(tool: (&str, &str, &Value)) -> Value {
    let (id, name, input) = tool;
    let function = json!({"name": name, "arguments": input.to_string()});
    json!({"id": id, "type": "function", "function": function})
}

fn finish(reply: &Reply) -> &'static str {
    match reply.stop_reason {
        "max_tokens" => "length",
        "tool_use" => "tool_calls",
        _ => "stop",
    }
}

/// Usage as Chat writes it: what came from the cache is part of the prompt.
fn usage_json(reply: &Reply) -> Value {
    let TokenUsage { output, cache_read, .. } = reply.usage;
    let input = reply.usage.context();
    json!({
        "prompt_tokens": input,
        "completion_tokens": output,
        "total_tokens": input + output,
        "prompt_tokens_details": {"cached_tokens": cache_read, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": reply.reasoning, "audio_tokens": 0,
            "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
        },
    })
}
