//! Answers in OpenAI Responses.

use serde_json::{Value, json};

use super::CREATED;
use crate::anthropic::ask::Ask;
use crate::anthropic::reply::{Block, Reply};

/// The whole answer.
pub(crate) fn body(reply: &Reply, ask: &Ask) -> Value {
    let cut = reply.stop_reason == "max_tokens";
    let mut body = response(reply, ask, if cut { "incomplete" } else { "completed" });
    if cut {
        body["incomplete_details"] = json!({"reason": "max_output_tokens"});
    }
    let items = reply.blocks.iter().enumerate();
    body["output"] = items.map(|(index, block)| item(reply, ask, (index, block))).collect();
    body["usage"] = usage_json(reply);
    body
}

/// The answer without its output.
pub(crate) fn response(reply: &Reply, ask: &Ask, status: &str) -> Value {
    let reasoning = if ask.may_think { json!("medium") } else { Value::Null };
    json!({
        "id": format!("resp_fake_{:08}", reply.serial), "object": "response",
        "created_at": CREATED, "status": status, "background": false, "error": null,
        "incomplete_details": null, "instructions": null, "max_output_tokens": null,
        "metadata": {}, "model": reply.model, "output": [], "parallel_tool_calls": true,
        "previous_response_id": null, "reasoning": {"effort": reasoning, "summary": null},
        "service_tier": "default", "store": false, "temperature": 1.0,
        "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [], "top_p": 1.0,
        "truncation": "disabled", "usage": null, "user": null,
    })
}

/// A block as an item of the output.
pub(crate) fn item(reply: &Reply, ask: &Ask, (index, block): (usize, &Block)) -> Value {
    let serial = reply.serial;
    match block {
        Block::Thinking { deltas, signature } => {
            let summary = json!([{"type": "summary_text", "text": deltas.concat()}]);
            let id = format!("rs_fake_{serial:08}_{index}");
            let mut item = json!({"id": id, "type": "reasoning", "summary": summary});
            if ask.encrypted {
                item["encrypted_content"] = Value::from(signature.as_str());
            }
            item
        }
        Block::Text(deltas) => json!({
            "id": format!("msg_fake_{serial:08}_{index}"), "type": "message",
            "status": "completed", "role": "assistant",
            "content": [part(reply, &deltas.concat())],
        }),
        Block::ToolUse { id, name, input } => json!({
            "id": format!("fc_fake_{serial:08}_{index}"), "type": "function_call",
            "status": "completed", "call_id": id, "name": name, "arguments": input.to_string(),
        }),
    }
}

/// The one part of a message.
pub(crate) fn part(reply: &Reply, text: &str) -> Value {
    if reply.refused {
        json!({"type": "refusal", "refusal": text})
    } else {
        json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
    }
}

/// Usage as Responses writes it: what came from the cache is part of the input.
pub(crate) fn usage_json(reply: &Reply) -> Value {
    let (input, output) = (reply.usage.context(), reply.usage.output);
    json!({
        "input_tokens": input,
        "input_tokens_details": {"cached_tokens": reply.usage.cache_read},
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": reply.reasoning},
        "total_tokens": input + output,
    })
}
