//! Writes a whole answer.

use bytes::BytesMut;
use relay_core::protocol::Protocol;
use serde_json::json;

use super::super::super::error::render;
use super::super::super::request::{Thoughts, Wishes, id_for_claude, signature_of};
use super::Writer;
use super::form::{Closing, Message, Said, error_kind, quote};
use crate::hub::{Answer, Block, Input, Losses};

/// The body for a client with these wishes; an error names the request.
pub fn write_whole(answer: &Answer, wishes: Wishes, request_id: &str) -> Vec<u8> {
    let stop = match &answer.end {
        Ok(stop) => stop.clone(),
        Err(error) => return render(error_kind(&error.kind), &error.message, request_id),
    };
    let mut message = Message::begun(&answer.id, &answer.model, answer.usage);
    message.content = answer.blocks.iter().filter_map(|block| said(block, wishes)).collect();
    message.closing = Closing::of(stop);
    bytes(&message)
}

/// What of a whole answer the client is not told.
pub fn losses_of_whole(answer: &Answer, wishes: Wishes) -> Losses {
    let (mut writer, mut events) = (Writer::new(wishes, ""), BytesMut::new());
    for event in answer.clone().into_events() {
        writer.push(event, &mut events);
        events.clear();
    }
    writer.losses().clone()
}

fn bytes(message: &Message) -> Vec<u8> {
    serde_json::to_vec(message).expect("names are strings, and writing to memory works")
}

/// A block; `None` for one of nothing, and for what the client is not shown.
fn said(block: &Block, wishes: Wishes) -> Option<Said> {
    match block {
        Block::Text { text, citations } => {
            let citations: Vec<_> = citations.iter().filter_map(quote).collect();
            let is_some = !text.is_empty() || !citations.is_empty();
            is_some.then(|| Said::Text { text: text.clone(), citations })
        }
        Block::Refusal(text) => {
            let said = || Said::Text { text: text.clone(), citations: Vec::new() };
            (!text.is_empty()).then(said)
        }
        Block::Thinking { text, seal } => {
            let text = match wishes.thoughts {
                Thoughts::Hidden => return None,
                Thoughts::Sealed => "",
                Thoughts::Shown => text,
            };
            match seal {
                Some(seal) if seal.by == Protocol::Messages && seal.is_all && text.is_empty() => {
                    Some(Said::RedactedThinking { data: seal.data.clone() })
                }
                seal => {
                    let signature = seal.as_ref().map(signature_of).unwrap_or_default();
                    let is_some = !text.is_empty() || !signature.is_empty();
                    is_some.then(|| Said::Thinking { thinking: text.to_owned(), signature })
                }
            }
        }
        Block::ToolCall(call) => {
            let (id, name) = (id_for_claude(&call.id).into_owned(), call.name.clone());
            Some(match &call.input {
                Input::Arguments(text) => Said::call(id, name, text),
                Input::Text(text) => Said::call(id, name, &json!({"input": text}).to_string()),
            })
        }
        // Parts of requests alone.
        Block::Image(_) | Block::Document(_) | Block::ToolResult(_) => None,
    }
}
