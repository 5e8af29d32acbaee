//! Reads an answer of Claude.

mod form;

use std::mem;

use relay_core::protocol::Protocol;
use serde_json::value::RawValue;

use self::form::{Change, Frame, Start, Whole, citation, thought};
use super::super::error::{self, ErrorBody};
use super::super::request::{TextTools, seal_of, text_of};
use super::super::usage::Stated;
use crate::hub::{
    Answer, BlockKind, Delta, Event, Folder, Loss, Losses, Malformed, Seal, Stop, Usage,
};
use crate::sse;

/// The most that is held back of one call whose text is taken out of its arguments, in bytes.
const HELD_BYTES_MAX: usize = 16 << 20;

/// The most blocks that are open at a time: Claude has one, compatible hosts a few.
const OPEN_MAX: usize = 1_024;

/// Reads a stream. What comes after its end is ignored.
#[derive(Debug, Default)]
pub struct Reader {
    text_tools: TextTools,
    stated: Stated,
    thought: u64,
    /// Blocks that have been opened so far.
    opened: usize,
    open: Vec<Open>,
    stop: Option<Stop>,
    /// Why the model declined.
    explanation: Option<String>,
    phase: Phase,
    losses: Losses,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    #[default]
    Before,
    Within,
    Over,
}

/// A block that has not closed.
#[derive(Debug)]
struct Open {
    /// Claude's number for it.
    index: u64,
    /// The hub's.
    block: usize,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// A text or a thought, whichever it opened as.
    Words(BlockKind),
    /// A call; the arguments that it opened with, as long as no others came.
    Call { input: Option<String> },
    /// A call of a tool that takes text; its arguments so far.
    TextCall { arguments: String },
    /// Nothing that the hub has a place for.
    Other,
}

impl Reader {
    /// A reader of the answer to a request with these tools that take text.
    pub fn new(text_tools: TextTools) -> Self {
        Self { text_tools, ..Self::default() }
    }

    /// What of the answer has no place in the hub.
    pub const fn losses(&self) -> &Losses {
        &self.losses
    }

    /// Takes the next event and adds what it comes to.
    pub fn push(&mut self, event: &sse::Event<'_>, out: &mut Vec<Event>) {
        if self.phase == Phase::Over || event.name.is_some_and(|name| !is_known(name)) {
            return;
        }
        let frame: Frame<'_> = match serde_json::from_slice(&event.data) {
            Ok(frame) => frame,
            Err(wrong) => return self.fail(malformed(&wrong), out),
        };
        match frame.kind(event.name) {
            b"message_start" => self.start(frame.message, out),
            b"content_block_start" => {
                let opened = frame.content_block.map(|block| serde_json::from_str(block.get()));
                match opened {
                    Some(Ok(start)) => self.open(frame.index, start, out),
                    Some(Err(wrong)) => self.fail(malformed(&wrong), out),
                    None => {}
                }
            }
            b"content_block_delta" => self.change(frame.index, frame.delta, out),
            b"content_block_stop" => self.close(frame.index, out),
            b"message_delta" => {
                self.used(frame.usage);
                if let Some(delta) = frame.delta {
                    self.stopping(delta);
                }
            }
            b"message_stop" => self.end(out),
            b"error" => self.fail(error_of(&event.data), out),
            _ => {}
        }
    }

    /// The upstream sends no more.
    pub fn finish(&mut self, out: &mut Vec<Event>) {
        if self.phase != Phase::Over {
            self.fail(broken("the upstream broke off within its answer"), out);
        }
    }

    fn start(&mut self, message: Option<Start>, out: &mut Vec<Event>) {
        if self.phase != Phase::Before {
            return;
        }
        let Start { id, model, usage } = message.unwrap_or_default();
        self.used(usage.as_deref());
        self.phase = Phase::Within;
        out.push(Event::Start {
            id: id.unwrap_or_default(),
            model: model.unwrap_or_default(),
            usage: self.usage(),
        });
    }

    fn used(&mut self, usage: Option<&RawValue>) {
        if let Some(usage) = usage {
            self.stated.update(usage.get().as_bytes());
            self.thought = thought(usage).unwrap_or(self.thought);
        }
    }

    fn usage(&self) -> Usage {
        Usage { tokens: self.stated.tokens(), thought: self.thought }
    }

    fn open(&mut self, index: u64, start: form::Block, out: &mut Vec<Event>) {
        if self.phase == Phase::Before {
            self.start(None, out);
        }
        self.close(index, out);
        if self.open.len() == OPEN_MAX {
            return self.fail(broken("the upstream opens more blocks than the relay holds"), out);
        }
        let form::Block { kind, id, name, text, thinking, signature, data, input, citations } =
            start;
        let (kind, opened) = match kind.as_deref() {
            Some("text") => (Kind::Words(BlockKind::Text), BlockKind::Text),
            Some("thinking" | "redacted_thinking") => {
                (Kind::Words(BlockKind::Thinking), BlockKind::Thinking)
            }
            Some("tool_use") => {
                let (id, name) = (id.unwrap_or_default(), name.unwrap_or_default());
                let input = input.map(|input| input.get().to_owned());
                if self.text_tools.contains(&name) {
                    let arguments = input.filter(|it| it != "{}").unwrap_or_default();
                    (Kind::TextCall { arguments }, BlockKind::TextCall { id, name })
                } else {
                    (Kind::Call { input }, BlockKind::Call { id, name })
                }
            }
            // Anthropic's own tools, and what is yet to come.
            _ => {
                self.losses.insert(Loss::HostedTools);
                return self.open.push(Open { index, block: 0, kind: Kind::Other });
            }
        };
        let block = self.opened;
        self.opened += 1;
        self.open.push(Open { index, block, kind });
        out.push(Event::Open { block, kind: opened.clone() });
        let mut add = |delta| {
            if opened.takes(&delta) {
                out.push(Event::Delta { block, delta });
            }
        };
        for words in [text, thinking].into_iter().flatten().filter(|words| !words.is_empty()) {
            add(Delta::Text(words));
        }
        for quote in citations.into_iter().flatten() {
            add(Delta::Citation(citation(quote)));
        }
        if let Some(signature) = signature.filter(|it| !it.is_empty()) {
            add(Delta::Seal(seal_of(signature)));
        }
        if let Some(data) = data {
            let seal = Seal { by: Protocol::Messages, id: None, data, is_all: true };
            add(Delta::Seal(seal));
        }
    }

    fn change(&mut self, index: u64, change: Option<Change>, out: &mut Vec<Event>) {
        let open = self.open.iter_mut().find(|open| open.index == index);
        let (Some(open), Some(change)) = (open, change) else { return };
        let block = open.block;
        let mut add = |delta| out.push(Event::Delta { block, delta });
        let Change { text, thinking, signature, partial_json, citation: quote, .. } = change;
        match &mut open.kind {
            Kind::Other => {}
            Kind::Words(kind) => {
                let mut add = |delta| {
                    if kind.takes(&delta) {
                        add(delta);
                    }
                };
                for words in [text, thinking].into_iter().flatten().filter(|it| !it.is_empty()) {
                    add(Delta::Text(words));
                }
                if let Some(quote) = quote {
                    add(Delta::Citation(citation(quote)));
                }
                if let Some(signature) = signature.filter(|it| !it.is_empty()) {
                    add(Delta::Seal(seal_of(signature)));
                }
            }
            Kind::Call { input } => {
                if let Some(part) = partial_json.filter(|part| !part.is_empty()) {
                    *input = None;
                    add(Delta::Input(part));
                }
            }
            Kind::TextCall { arguments } => {
                arguments.push_str(&partial_json.unwrap_or_default());
                if arguments.len() > HELD_BYTES_MAX {
                    self.fail(broken("a call of a tool is larger than the relay holds"), out);
                }
            }
        }
    }

    fn close(&mut self, index: u64, out: &mut Vec<Event>) {
        let Some(at) = self.open.iter().position(|open| open.index == index) else { return };
        let Open { block, kind, .. } = self.open.remove(at);
        let mut add = |delta| out.push(Event::Delta { block, delta });
        match kind {
            Kind::Other => return,
            Kind::Words(_) => {}
            Kind::Call { input } => {
                // Some hosts send the arguments with the opening; others none for a call of none.
                if let Some(input) = input {
                    add(Delta::Input(input));
                }
            }
            Kind::TextCall { arguments } => {
                let text = text_of(arguments);
                if !text.is_empty() {
                    add(Delta::Input(text));
                }
            }
        }
        out.push(Event::Close { block });
    }

    fn close_all(&mut self, out: &mut Vec<Event>) {
        while let Some(Open { index, .. }) = self.open.first() {
            self.close(*index, out);
        }
    }

    /// Takes note of why the answer ends.
    fn stopping(&mut self, delta: Change) {
        let Change { stop_reason: Some(reason), stop_sequence, stop_details, .. } = delta else {
            return;
        };
        self.explanation = stop_details.and_then(|details| details.explanation);
        self.stop = Some(match reason.as_str() {
            "max_tokens" => Stop::Length,
            "stop_sequence" => Stop::Sequence(stop_sequence),
            "tool_use" => Stop::Tools,
            "refusal" => Stop::Refused,
            "pause_turn" | "compaction" => Stop::Paused,
            "model_context_window_exceeded" => Stop::ContextFull,
            _ => Stop::Done,
        });
    }

    fn end(&mut self, out: &mut Vec<Event>) {
        if self.phase == Phase::Before {
            self.start(None, out);
        }
        self.close_all(out);
        let stop = self.stop.take().unwrap_or(Stop::Done);
        if let Some(why) = self.explanation.take().filter(|_| stop == Stop::Refused) {
            let block = self.opened;
            out.push(Event::Open { block, kind: BlockKind::Refusal });
            out.push(Event::Delta { block, delta: Delta::Text(why) });
            out.push(Event::Close { block });
        }
        self.phase = Phase::Over;
        out.push(Event::End { stop, usage: self.usage() });
    }

    fn fail(&mut self, error: ErrorBody, out: &mut Vec<Event>) {
        // What is held of a call that broke off is of no use.
        for Open { block, kind, .. } in mem::take(&mut self.open) {
            if !matches!(kind, Kind::Other) {
                out.push(Event::Close { block });
            }
        }
        self.phase = Phase::Over;
        out.push(Event::Failed { error, usage: self.usage() });
    }
}

/// Reads a whole answer: the same steps, all at once. An error in an answer's place is its end.
pub fn read_whole(body: &[u8], text_tools: TextTools) -> Result<Answer, Malformed> {
    let malformed = |error: serde_json::Error| Malformed {
        path: "the answer".to_owned(),
        what: error.to_string(),
    };
    let mut whole: Whole<'_> = serde_json::from_slice(body).map_err(malformed)?;
    let (mut reader, mut steps) = (Reader::new(text_tools), Vec::new());
    if whole.is_error() {
        reader.fail(error_of(body), &mut steps);
        return Ok(fold(steps));
    }
    let (start, stop) = whole.edges();
    reader.start(Some(start), &mut steps);
    for (index, block) in (0..).zip(whole.content.unwrap_or_default()) {
        reader.open(index, serde_json::from_str(block.get()).map_err(malformed)?, &mut steps);
        reader.close(index, &mut steps);
    }
    reader.stopping(stop);
    reader.end(&mut steps);
    Ok(fold(steps))
}

fn fold(steps: Vec<Event>) -> Answer {
    let mut folder = Folder::default();
    for step in steps {
        folder.push(step);
    }
    folder.finish().expect("the last step is an end")
}

/// Whether an event is of a kind that is read.
fn is_known(name: &[u8]) -> bool {
    matches!(
        name,
        b"message_start"
            | b"content_block_start"
            | b"content_block_delta"
            | b"content_block_stop"
            | b"message_delta"
            | b"message_stop"
            | b"error"
            // Hosts that name all events alike.
            | b"message"
    )
}

/// What an error event says. One that cannot be read is an error all the same.
fn error_of(data: &[u8]) -> ErrorBody {
    let ErrorBody { kind, message } = error::parse(data).unwrap_or_default();
    let stated = |text: String, default: &str| if text.is_empty() { default.into() } else { text };
    ErrorBody {
        kind: stated(kind, "api_error"),
        message: stated(message, "the upstream broke off with an error"),
    }
}

fn broken(message: &str) -> ErrorBody {
    ErrorBody { kind: "api_error".to_owned(), message: message.to_owned() }
}

fn malformed(wrong: &serde_json::Error) -> ErrorBody {
    broken(&format!("an event of the upstream cannot be read: {wrong}"))
}
