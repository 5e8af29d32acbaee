//! Writes an answer for a client of Claude.

mod form;
mod whole;

use std::collections::VecDeque;
use std::mem;

use bytes::{BufMut, BytesMut};
use relay_core::protocol::Protocol;
use serde_json::json;

use self::form::{Added, Closing, Data, Message, Said, Used, quote};
pub use self::whole::{losses_of_whole, write_whole};
use super::super::error::{ErrorBody, render_event};
use super::super::request::{Thoughts, Wishes, id_for_claude, is_own_citation, signature_of};
use crate::hub::{BlockKind, Citation, Delta, Event, Loss, Losses, Seal, Stop, Usage};

/// The most that is held back of blocks that others are before, in bytes: parallel calls of tools
/// come interleaved from some providers, and clients of Claude read one block after the other.
const HELD_BYTES_MAX: usize = 16 << 20;

/// What a block or a piece of one counts for beside its text.
const PIECE_BYTES: usize = 256;

/// Writes a stream: `message_start`, block after block, `message_delta`, `message_stop`; or, when
/// the provider gave up, `error` at the end.
#[derive(Debug)]
pub struct Writer {
    wishes: Wishes,
    request_id: String,
    /// Blocks in the client's stream so far.
    index: usize,
    /// Blocks that are not done, in order. The first one is written as it comes.
    blocks: VecDeque<Block>,
    held_bytes: usize,
    phase: Phase,
    losses: Losses,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Before,
    Within,
    Over,
}

#[derive(Debug)]
struct Block {
    /// The hub's number for it.
    number: usize,
    kind: BlockKind,
    /// What came while others were before it.
    held: Vec<Delta>,
    is_whole: bool,
    /// Whether its start has been written. Texts and thoughts of nothing never are.
    is_begun: bool,
    /// What is sealed so far: clients take the last signature for the whole of it.
    seal: Option<Seal>,
    /// The text so far of a call that takes text.
    text: String,
}

impl Writer {
    /// A writer for a client with these wishes; errors name the request.
    pub fn new(wishes: Wishes, request_id: impl Into<String>) -> Self {
        Self {
            wishes,
            request_id: request_id.into(),
            index: 0,
            blocks: VecDeque::new(),
            held_bytes: 0,
            phase: Phase::Before,
            losses: Losses::new(),
        }
    }

    /// What of the answer the client was not told.
    pub const fn losses(&self) -> &Losses {
        &self.losses
    }

    /// Takes the next step and adds what the client is sent.
    pub fn push(&mut self, event: Event, out: &mut BytesMut) {
        if self.phase == Phase::Over {
            return;
        }
        match event {
            Event::Start { id, model, usage } => self.start(&id, &model, usage, out),
            Event::Open { block, kind } => {
                self.start_late(out);
                self.held_bytes += PIECE_BYTES;
                self.blocks.push_back(Block::new(block, kind));
                self.begin_call(out);
                self.check_held(out);
            }
            Event::Delta { block, delta } => self.add(block, delta, out),
            Event::Close { block } => {
                if let Some(block) = self.blocks.iter_mut().find(|it| it.number == block) {
                    block.is_whole = true;
                }
                self.advance(out);
            }
            Event::End { stop, usage } => self.end(stop, usage, out),
            Event::Failed { error, .. } => self.fail(&error, out),
        }
    }

    fn start(&mut self, id: &str, model: &str, usage: Usage, out: &mut BytesMut) {
        if self.phase == Phase::Before {
            self.phase = Phase::Within;
            let message = Message::begun(id, model, usage);
            send(out, "message_start", &Data::MessageStart { message });
        }
    }

    /// For a provider that begins without saying so.
    fn start_late(&mut self, out: &mut BytesMut) {
        self.start("", "", Usage::default(), out);
    }

    fn add(&mut self, number: usize, delta: Delta, out: &mut BytesMut) {
        let found = self.blocks.iter_mut().enumerate().find(|(_, it)| it.number == number);
        match found {
            Some((0, _)) => self.write(delta, out),
            Some((_, block)) => {
                self.held_bytes += size(&delta);
                block.hold(delta);
                self.check_held(out);
            }
            None => {}
        }
    }

    fn check_held(&mut self, out: &mut BytesMut) {
        if self.held_bytes > HELD_BYTES_MAX {
            let message = "the answer's parallel parts are larger than the relay holds".to_owned();
            self.fail(&ErrorBody { kind: "api_error".to_owned(), message }, out);
        }
    }

    /// Ends the first block if it is whole, and goes on with those behind it.
    fn advance(&mut self, out: &mut BytesMut) {
        while self.blocks.front().is_some_and(|block| block.is_whole) {
            self.finish_first(out);
            if self.blocks.pop_front().is_some() {
                self.held_bytes -= PIECE_BYTES;
            }
            self.begin_call(out);
            let held = self.blocks.front_mut().map(|next| mem::take(&mut next.held));
            for delta in held.unwrap_or_default() {
                self.held_bytes -= size(&delta);
                self.write(delta, out);
            }
        }
    }

    /// Begins the first block if it is a call: the client may tell its user which tool is to be
    /// used before it is known with what.
    fn begin_call(&mut self, out: &mut BytesMut) {
        let is_call =
            |kind: &BlockKind| matches!(kind, BlockKind::Call { .. } | BlockKind::TextCall { .. });
        if let Some(block) = self.blocks.front_mut().filter(|block| is_call(&block.kind)) {
            block.begin(self.index, out);
        }
    }

    /// Writes what is added to the first block.
    fn write(&mut self, delta: Delta, out: &mut BytesMut) {
        let thoughts = self.wishes.thoughts;
        let index = self.index;
        let Some(block) = self.blocks.front_mut() else { return };
        let added = match (&block.kind, delta) {
            (BlockKind::Thinking, _) if thoughts == Thoughts::Hidden => return,
            (BlockKind::Thinking, Delta::Text(_)) if thoughts == Thoughts::Sealed => return,
            (_, Delta::Text(text) | Delta::Input(text)) if text.is_empty() => return,
            (BlockKind::Thinking, Delta::Text(thinking)) => Added::Thinking { thinking },
            (BlockKind::Text | BlockKind::Refusal, Delta::Text(text)) => Added::Text { text },
            (BlockKind::Text, Delta::Citation(citation)) => {
                if !is_exact(&citation) {
                    self.losses.insert(Loss::Citations);
                }
                let Some(citation) = quote(&citation) else { return };
                Added::Citation { citation }
            }
            (BlockKind::Thinking, Delta::Seal(more)) => {
                self.held_bytes += more.data.len();
                match &mut block.seal {
                    Some(seal) => seal.data.push_str(&more.data),
                    None => block.seal = Some(more),
                }
                return self.check_held(out);
            }
            (BlockKind::Call { .. }, Delta::Input(partial_json)) => Added::Input { partial_json },
            (BlockKind::TextCall { .. }, Delta::Input(text)) => {
                self.held_bytes += text.len();
                block.text.push_str(&text);
                return self.check_held(out);
            }
            (_, Delta::Seal(_)) => {
                self.losses.insert(Loss::CallSeals);
                return;
            }
            _ => return,
        };
        block.begin(index, out);
        send_delta(index, &added, out);
    }

    /// Writes what is left to say of the first block, and its end.
    fn finish_first(&mut self, out: &mut BytesMut) {
        let index = self.index;
        let Some(block) = self.blocks.front_mut() else { return };
        self.held_bytes -= block.text.len() + block.seal.as_ref().map_or(0, |it| it.data.len());
        match (&block.kind, block.seal.take()) {
            (BlockKind::TextCall { .. }, _) => {
                let partial_json = json!({"input": mem::take(&mut block.text)}).to_string();
                send_delta(index, &Added::Input { partial_json }, out);
            }
            (BlockKind::Thinking, Some(seal)) => {
                let is_redacted = seal.by == Protocol::Messages && seal.is_all;
                if is_redacted && !block.is_begun {
                    block.is_begun = true;
                    let content_block = Said::RedactedThinking { data: seal.data };
                    send(
                        out,
                        "content_block_start",
                        &Data::ContentBlockStart { index, content_block },
                    );
                } else {
                    block.begin(index, out);
                    send_delta(index, &Added::Signature { signature: signature_of(&seal) }, out);
                }
            }
            (BlockKind::Call { .. } | BlockKind::Text | BlockKind::Refusal, _)
            | (BlockKind::Thinking, None) => {}
        }
        if block.is_begun {
            send(out, "content_block_stop", &Data::ContentBlockStop { index });
            self.index += 1;
        }
    }

    fn end(&mut self, stop: Stop, usage: Usage, out: &mut BytesMut) {
        self.start_late(out);
        for block in &mut self.blocks {
            block.is_whole = true;
        }
        self.advance(out);
        if self.phase == Phase::Over {
            return;
        }
        let delta = Closing::of(stop);
        send(out, "message_delta", &Data::MessageDelta { delta, usage: Used::of(usage) });
        send(out, "message_stop", &Data::MessageStop);
        self.phase = Phase::Over;
    }

    fn fail(&mut self, error: &ErrorBody, out: &mut BytesMut) {
        let kind = form::error_kind(&error.kind);
        out.extend_from_slice(&render_event(kind, &error.message, &self.request_id));
        self.blocks.clear();
        self.phase = Phase::Over;
    }
}

impl Block {
    fn new(number: usize, kind: BlockKind) -> Self {
        Self {
            number,
            kind,
            held: Vec::new(),
            is_whole: false,
            is_begun: false,
            seal: None,
            text: String::new(),
        }
    }

    /// Keeps what is added until the block's turn comes; pieces of a text are joined.
    fn hold(&mut self, delta: Delta) {
        match (self.held.last_mut(), delta) {
            (Some(Delta::Text(held)), Delta::Text(more))
            | (Some(Delta::Input(held)), Delta::Input(more)) => held.push_str(&more),
            (_, delta) => self.held.push(delta),
        }
    }

    fn begin(&mut self, index: usize, out: &mut BytesMut) {
        if mem::replace(&mut self.is_begun, true) {
            return;
        }
        let content_block = match &self.kind {
            BlockKind::Text | BlockKind::Refusal => {
                Said::Text { text: String::new(), citations: Vec::new() }
            }
            BlockKind::Thinking => {
                Said::Thinking { thinking: String::new(), signature: String::new() }
            }
            BlockKind::Call { id, name } | BlockKind::TextCall { id, name } => {
                Said::call(id_for_claude(id).into_owned(), name.clone(), "")
            }
        };
        send(out, "content_block_start", &Data::ContentBlockStart { index, content_block });
    }
}

/// Whether all of a quotation is told: Claude's own are, of others what has an address and no place.
fn is_exact(citation: &Citation) -> bool {
    is_own_citation(citation) || (citation.url.is_some() && citation.span.is_none())
}

fn send_delta(index: usize, delta: &Added, out: &mut BytesMut) {
    send(out, "content_block_delta", &Data::ContentBlockDelta { index, delta });
}

/// Adds an event.
fn send(out: &mut BytesMut, name: &str, data: &Data<'_>) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    serde_json::to_writer((&mut *out).writer(), data).expect("writing to memory works");
    out.extend_from_slice(b"\n\n");
}

/// How much a piece counts for while it is held back. Texts are joined, the others are not.
fn size(delta: &Delta) -> usize {
    match delta {
        Delta::Text(text) | Delta::Input(text) => text.len(),
        Delta::Seal(seal) => PIECE_BYTES + seal.data.len(),
        Delta::Citation(citation) => {
            PIECE_BYTES + citation.raw.as_ref().map_or(0, |raw| raw.as_str().len())
        }
    }
}
