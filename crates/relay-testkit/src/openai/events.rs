//! An answer in OpenAI Responses as the events of a stream.

use serde_json::{Value, json};

use super::responses::{body, item, part, response, usage_json};
use crate::anthropic::ask::Ask;
use crate::anthropic::events::{Frame, FrameKind};
use crate::anthropic::reply::{Block, Reply, split};

/// All frames of a streamed answer.
pub(crate) fn frames(reply: &Reply, ask: &Ask) -> Vec<Frame> {
    let mut script = Script { reply, ask, frames: Vec::new() };
    for kind in ["response.created", "response.in_progress"] {
        script.event(json!({"type": kind, "response": response(reply, ask, "in_progress")}));
    }
    for (index, block) in reply.blocks.iter().enumerate() {
        script.item(index, block);
    }
    let whole = body(reply, ask);
    let ending = json!({"type": format!("response.{}", text(&whole["status"])), "response": whole});
    script.push(FrameKind::Terminal, ending);
    script.frames
}

/// The event with which a stream fails; it states what was used all the same.
pub(crate) fn failed(
    reply: &Reply,
    ask: &Ask,
    (code, message): (&str, &str),
    number: usize,
) -> Frame {
    let mut failed = response(reply, ask, "failed");
    failed["error"] = json!({"code": code, "message": message});
    failed["usage"] = usage_json(reply);
    let data = json!({"type": "response.failed", "sequence_number": number, "response": failed});
    Frame::event(FrameKind::Event, &data)
}

/// An error as an event of its own.
pub(crate) fn error((code, message): (&str, &str), number: usize) -> Frame {
    let data = json!({
        "type": "error", "sequence_number": number, "code": code, "message": message,
        "param": null,
    });
    Frame::event(FrameKind::Event, &data)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A stream as it is written.
struct Script<'a> {
    reply: &'a Reply,
    ask: &'a Ask,
    frames: Vec<Frame>,
}

impl Script<'_> {
    fn event(&mut self, data: Value) {
        self.push(FrameKind::Event, data);
    }

    fn push(&mut self, kind: FrameKind, mut data: Value) {
        data["sequence_number"] = self.frames.len().into();
        self.frames.push(Frame::event(kind, &data));
    }

    fn item(&mut self, index: usize, block: &Block) {
        let whole = item(self.reply, self.ask, (index, block));
        let id = text(&whole["id"]).to_owned();
        let mut begun = whole.clone();
        match block {
            Block::Text(_) => {
                begun["status"] = "in_progress".into();
                begun["content"] = json!([]);
            }
            Block::Thinking { .. } => begun["summary"] = json!([]),
            Block::ToolUse { .. } => {
                begun["status"] = "in_progress".into();
                begun["arguments"] = "".into();
            }
        }
        let at = Place { id, index };
        self.event(json!({
            "type": "response.output_item.added", "output_index": index, "item": begun,
        }));
        match block {
            Block::Text(deltas) => self.message(&at, deltas),
            Block::Thinking { deltas, .. } => self.thinking(&at, deltas),
            Block::ToolUse { name, input, .. } => self.arguments(&at, name, &input.to_string()),
        }
        self.event(json!({
            "type": "response.output_item.done", "output_index": index, "item": whole,
        }));
    }

    fn message(&mut self, at: &Place, deltas: &[String]) {
        let (whole, empty) = (part(self.reply, &deltas.concat()), part(self.reply, ""));
        let (kind, field) =
            if self.reply.refused { ("refusal", "refusal") } else { ("output_text", "text") };
        let place = |data: Value| at.within(data, "content_index");
        self.event(place(json!({"type": "response.content_part.added", "part": empty})));
        for delta in deltas {
            let kind = format!("response.{kind}.delta");
            self.push(FrameKind::Delta, place(json!({"type": kind, "delta": delta})));
        }
        let done = json!({"type": format!("response.{kind}.done"), field: deltas.concat()});
        self.event(place(done));
        self.event(place(json!({"type": "response.content_part.done", "part": whole})));
    }

    fn thinking(&mut self, at: &Place, deltas: &[String]) {
        let part = |text: &str| json!({"type": "summary_text", "text": text});
        let place = |data: Value| at.within(data, "summary_index");
        let named = |what: &str| format!("response.reasoning_summary_{what}");
        self.event(place(json!({"type": named("part.added"), "part": part("")})));
        for delta in deltas {
            let delta = json!({"type": named("text.delta"), "delta": delta});
            self.push(FrameKind::Delta, place(delta));
        }
        let whole = deltas.concat();
        self.event(place(json!({"type": named("text.done"), "text": whole})));
        self.event(place(json!({"type": named("part.done"), "part": part(&whole)})));
    }

    fn arguments(&mut self, at: &Place, name: &str, arguments: &str) {
        let kind = "response.function_call_arguments";
        for piece in split(arguments) {
            let delta = at.item(json!({"type": format!("{kind}.delta"), "delta": piece}));
            self.push(FrameKind::Delta, delta);
        }
        self.event(at.item(json!({
            "type": format!("{kind}.done"), "name": name, "arguments": arguments,
        })));
    }
}

/// Where in the answer an event belongs.
struct Place {
    id: String,
    index: usize,
}

impl Place {
    fn item(&self, mut data: Value) -> Value {
        data["item_id"] = self.id.as_str().into();
        data["output_index"] = self.index.into();
        data
    }

    /// The first part of the item, by the name that its number has.
    fn within(&self, data: Value, number: &str) -> Value {
        let mut data = self.item(data);
        data[number] = 0.into();
        data
    }
}
