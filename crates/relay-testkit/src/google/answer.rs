//! Answers in Google's form, bare or in Code Assist's envelope.

use serde_json::{Value, json};

use crate::anthropic::ask::Ask;
use crate::anthropic::events::{Frame, FrameKind};
use crate::anthropic::reply::{Block, Reply};
use crate::format::Format;
use crate::openai::others::VECTOR;

/// The body of an answer that is not a stream of events. Asked for a stream without `alt=sse`,
/// the provider sends an array of what would be the events.
pub(crate) fn body(reply: &Reply, ask: &Ask) -> Value {
    if ask.streams_array {
        return chunks(reply, ask).into_iter().map(|(_, chunk)| chunk).collect();
    }
    let mut parts = Vec::new();
    for block in &reply.blocks {
        match block {
            Block::Text(_) if reply.refused => {}
            Block::Text(deltas) => parts.push(json!({"text": deltas.concat()})),
            Block::Thinking { deltas, .. } => {
                parts.push(json!({"text": deltas.concat(), "thought": true}));
            }
            Block::ToolUse { .. } => parts.push(call(block)),
        }
    }
    sign(reply, &mut parts);
    whole(reply, ask, &parts)
}

/// All frames of a streamed answer.
pub(crate) fn frames(reply: &Reply, ask: &Ask) -> Vec<Frame> {
    let chunks = chunks(reply, ask);
    chunks.into_iter().map(|(kind, chunk)| Frame::data(kind, &chunk)).collect()
}

fn chunks(reply: &Reply, ask: &Ask) -> Vec<(FrameKind, Value)> {
    let mut parts = Vec::new();
    for block in &reply.blocks {
        match block {
            Block::Text(_) if reply.refused => {}
            Block::Text(deltas) => parts.extend(deltas.iter().map(|text| json!({"text": text}))),
            Block::Thinking { deltas, .. } => {
                parts.extend(deltas.iter().map(|text| json!({"text": text, "thought": true})));
            }
            Block::ToolUse { .. } => parts.push(call(block)),
        }
    }
    parts.push(json!({"text": ""}));
    sign(reply, &mut parts);
    let last: Vec<Value> = parts.pop().into_iter().filter(|_| !reply.refused).collect();
    let input = reply.usage.context();
    let early = json!({"promptTokenCount": input, "totalTokenCount": input});
    let mut chunks: Vec<(FrameKind, Value)> = parts
        .into_iter()
        .map(|part| (FrameKind::Delta, chunk(reply, ask, &[part], &early)))
        .collect();
    chunks.push((FrameKind::Terminal, whole(reply, ask, &last)));
    chunks
}

fn whole(reply: &Reply, ask: &Ask, parts: &[Value]) -> Value {
    let mut whole = chunk(reply, ask, parts, &usage_json(reply));
    let inner = if enveloped(ask) { &mut whole["response"] } else { &mut whole };
    inner["candidates"][0]["finishReason"] = finish(reply).into();
    whole
}

fn chunk(reply: &Reply, ask: &Ask, parts: &[Value], usage: &Value) -> Value {
    let mut candidate = json!({"index": 0});
    if !parts.is_empty() {
        candidate["content"] = json!({"role": "model", "parts": parts});
    }
    let id = format!("fake{:08}", reply.serial);
    let inner = json!({
        "candidates": [candidate], "usageMetadata": usage, "modelVersion": reply.model,
        "responseId": id,
    });
    if enveloped(ask) { json!({"response": inner, "traceId": id}) } else { inner }
}

fn enveloped(ask: &Ask) -> bool {
    ask.format == (Format::Generate { assist: true })
}

fn call(block: &Block) -> Value {
    let Block::ToolUse { id, name, input } = block else { return Value::Null };
    json!({"functionCall": {"id": id, "name": name, "args": input}})
}

/// Signs the first call of a tool, or else the last text, with what was thought before it.
fn sign(reply: &Reply, parts: &mut [Value]) {
    let signature = reply.blocks.iter().find_map(|block| match block {
        Block::Thinking { signature, .. } => Some(signature.as_str()),
        _ => None,
    });
    let first_call = parts.iter().position(|part| part["functionCall"].is_object());
    let Some(at) = first_call.or(parts.len().checked_sub(1)) else { return };
    if let Some(signature) = signature {
        parts[at]["thoughtSignature"] = signature.into();
    }
}

fn finish(reply: &Reply) -> &'static str {
    match reply.stop_reason {
        "max_tokens" => "MAX_TOKENS",
        "refusal" => "SAFETY",
        _ => "STOP",
    }
}

/// Usage as Google writes it: what came from the cache is part of the prompt, and thoughts are
/// no part of the candidates.
fn usage_json(reply: &Reply) -> Value {
    let (input, output) = (reply.usage.context(), reply.usage.output);
    let mut usage = json!({
        "promptTokenCount": input,
        "candidatesTokenCount": output - reply.reasoning,
        "totalTokenCount": input + output,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": input}],
    });
    for (name, count) in [
        ("thoughtsTokenCount", reply.reasoning),
        ("cachedContentTokenCount", reply.usage.cache_read),
    ] {
        if count > 0 {
            usage[name] = count.into();
        }
    }
    usage
}

/// The answer of `:countTokens`.
pub(crate) fn counted(ask: &Ask) -> Value {
    json!({"totalTokens": ask.input.context()})
}

/// The answer of `:embedContent` and `:batchEmbedContents`.
pub(crate) fn embedding(ask: &Ask) -> Value {
    let vector = json!({"values": VECTOR});
    let mut body = json!({"usageMetadata": {"promptTokenCount": ask.input.context()}});
    if ask.batch {
        body["embeddings"] = (0..ask.wanted).map(|_| vector.clone()).collect();
    } else {
        body["embedding"] = vector;
    }
    body
}
