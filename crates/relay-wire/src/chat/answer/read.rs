//! Reads the answers of an account that speaks Chat.

use std::mem;

use relay_core::protocol::Protocol;
use serde_json::Value;

use super::chunk::{CallDelta, Chunk, Delta as ChatDelta};
use super::error;
use crate::anthropic::error::ErrorBody;
use crate::chat::usage::Stated;
use crate::hub::{Answer, BlockKind, Citation, Delta, Event, Folder, Malformed, Seal, Stop, Usage};
use crate::sse;

/// Reads a stream. Nothing comes of what follows its end.
#[derive(Debug, Default)]
pub struct Reader {
    id: String,
    is_started: bool,
    is_ended: bool,
    /// How many blocks have been opened.
    blocks: usize,
    /// The block of words that is open.
    words: Option<(usize, BlockKind)>,
    calls: Vec<Call>,
    has_refusal: bool,
    stop: Option<Stop>,
    stated: Stated,
}

/// A call of a tool. Chat says nowhere that one is whole, so all stay open until the end.
#[derive(Debug, Default)]
struct Call {
    index: Option<u64>,
    id: String,
    /// Its block, once its name is known.
    block: Option<usize>,
    /// What came of its input before its name.
    held: String,
}

impl Reader {
    /// Takes the next event.
    pub fn push(&mut self, event: &sse::Event<'_>, out: &mut Vec<Event>) {
        let data = event.data.trim_ascii();
        if self.is_ended || data.is_empty() {
            return;
        }
        if data == b"[DONE]" {
            return self.end(out);
        }
        match Chunk::read(data) {
            Ok(chunk) => self.take(chunk, out),
            Err(_) if event.name == Some(b"error") => {
                let message = String::from_utf8_lossy(data);
                self.fail(error::broken("api_error", &message), out);
            }
            // What it says is the client's alone, so it stands in no message.
            Err(_) => {
                let message = "an event of the upstream's stream cannot be read";
                self.fail(error::broken("api_error", message), out);
            }
        }
    }

    /// The upstream has ended: closes what is open. An answer without its reason to end is cut.
    pub fn finish(&mut self, out: &mut Vec<Event>) {
        if self.is_ended {
            return;
        }
        if self.stop.is_some() {
            self.end(out);
        } else {
            let message = "the upstream broke off before the end of its answer";
            self.fail(error::broken("api_error", message), out);
        }
    }

    fn take(&mut self, chunk: Chunk<'_>, out: &mut Vec<Event>) {
        if let Some(usage) = chunk.usage {
            self.stated.update(usage.get().as_bytes());
        }
        if let Some(said) = &chunk.error {
            return self.fail(error::read(said), out);
        }
        // One answer was asked for.
        let choices = chunk.choices.unwrap_or_default();
        let Some(choice) = choices.into_iter().find(|it| it.index.unwrap_or_default() == 0) else {
            return;
        };
        if !mem::replace(&mut self.is_started, true) {
            self.id = chunk.id.unwrap_or_default();
            out.push(Event::Start {
                id: self.id.clone(),
                model: chunk.model.unwrap_or_default(),
                usage: self.stated.usage(),
            });
        }
        if let Some(delta) = choice.delta.or(choice.message) {
            self.delta(delta, out);
        }
        match choice.finish_reason.as_deref() {
            None => {}
            Some("error" | "insufficient_system_resource") => {
                let message = "the upstream gave up in the midst of its answer";
                self.fail(error::broken("api_error", message), out);
            }
            Some(reason) => self.stop = Some(stop_of(reason)),
        }
    }

    fn delta(&mut self, delta: ChatDelta, out: &mut Vec<Event>) {
        // Hosts that use both names say the same in both.
        self.say(BlockKind::Thinking, delta.reasoning_content.or(delta.reasoning), out);
        self.say(BlockKind::Text, delta.content, out);
        for note in delta.annotations.unwrap_or_default() {
            if let Some(citation) = citation(&note) {
                let block = self.words(BlockKind::Text, out);
                out.push(Event::Delta { block, delta: Delta::Citation(citation) });
            }
        }
        self.has_refusal |= delta.refusal.is_some();
        self.say(BlockKind::Refusal, delta.refusal, out);
        let older = delta.function_call.map(|function| CallDelta {
            index: Some(0),
            function: Some(function),
            ..CallDelta::default()
        });
        for call in delta.tool_calls.unwrap_or_default().into_iter().chain(older) {
            self.call(call, out);
        }
    }

    fn say(&mut self, kind: BlockKind, text: Option<String>, out: &mut Vec<Event>) {
        if let Some(text) = text {
            let block = self.words(kind, out);
            out.push(Event::Delta { block, delta: Delta::Text(text) });
        }
    }

    /// The open block of words of this kind; it is opened if it is not.
    fn words(&mut self, kind: BlockKind, out: &mut Vec<Event>) -> usize {
        if let Some((block, open)) = &self.words
            && *open == kind
        {
            return *block;
        }
        self.close_words(out);
        let block = self.open(kind.clone(), out);
        self.words = Some((block, kind));
        block
    }

    fn close_words(&mut self, out: &mut Vec<Event>) {
        out.extend(self.words.take().map(|(block, _)| Event::Close { block }));
    }

    fn open(&mut self, kind: BlockKind, out: &mut Vec<Event>) -> usize {
        let block = self.blocks;
        self.blocks += 1;
        out.push(Event::Open { block, kind });
        block
    }

    fn call(&mut self, delta: CallDelta, out: &mut Vec<Event>) {
        let CallDelta { index, id, function, custom, extra_content } = delta;
        let is_text = custom.is_some();
        let (name, input) = match (function, custom) {
            (Some(function), _) => (function.name, function.arguments.map(|it| it.0)),
            (None, Some(custom)) => (custom.name, custom.input),
            (None, None) => (None, None),
        };
        let number = self.call_number(index, id.as_deref(), name.is_some());
        let call = &mut self.calls[number];
        if call.id.is_empty() {
            call.id = id.unwrap_or_default();
        }
        call.held.push_str(&input.unwrap_or_default());
        if call.block.is_none()
            && let Some(name) = name
        {
            if call.id.is_empty() {
                call.id = made_id(&self.id, number);
            }
            let id = call.id.clone();
            let kind = if is_text {
                BlockKind::TextCall { id, name }
            } else {
                BlockKind::Call { id, name }
            };
            self.close_words(out);
            let block = self.open(kind, out);
            self.calls[number].block = Some(block);
        }
        let call = &mut self.calls[number];
        let Some(block) = call.block else { return };
        if !call.held.is_empty() {
            let delta = Delta::Input(mem::take(&mut call.held));
            out.push(Event::Delta { block, delta });
        }
        if let Some(seal) = extra_content.as_ref().and_then(google_seal) {
            out.push(Event::Delta { block, delta: Delta::Seal(seal) });
        }
    }

    /// Which call is meant; it is made if there is none. Hosts differ: some leave the index out,
    /// others number every call 0 and tell them apart by their ids.
    fn call_number(&mut self, index: Option<u64>, id: Option<&str>, is_named: bool) -> usize {
        let meant = match (index, id) {
            (Some(_), _) => self.calls.iter().rposition(|call| call.index == index),
            (None, Some(id)) => self.calls.iter().position(|call| call.id == id),
            (None, None) if is_named => None,
            (None, None) => self.calls.len().checked_sub(1),
        };
        let is_other = |number: &usize| {
            let known = &self.calls[*number].id;
            is_named && !known.is_empty() && id.is_some_and(|id| id != known)
        };
        meant.filter(|number| !is_other(number)).unwrap_or_else(|| {
            self.calls.push(Call { index, ..Call::default() });
            self.calls.len() - 1
        })
    }

    /// Ends an answer that says itself that it has ended.
    fn end(&mut self, out: &mut Vec<Event>) {
        if !self.is_started {
            let message = "the upstream's answer ended before it began";
            return self.fail(error::broken("api_error", message), out);
        }
        if self.calls.iter().any(|call| call.block.is_none()) {
            let message = "the upstream called a tool without naming it";
            return self.fail(error::broken("api_error", message), out);
        }
        self.close_all(out);
        let stop = match self.stop.take() {
            // Some hosts end so even if tools are called.
            Some(Stop::Done) | None if !self.calls.is_empty() => Stop::Tools,
            Some(Stop::Done) | None if self.has_refusal => Stop::Refused,
            stop => stop.unwrap_or(Stop::Done),
        };
        out.push(Event::End { stop, usage: self.usage() });
    }

    fn fail(&mut self, error: ErrorBody, out: &mut Vec<Event>) {
        self.close_all(out);
        out.push(Event::Failed { error, usage: self.usage() });
    }

    fn close_all(&mut self, out: &mut Vec<Event>) {
        self.is_ended = true;
        self.close_words(out);
        let blocks = self.calls.iter().filter_map(|call| call.block);
        out.extend(blocks.map(|block| Event::Close { block }));
    }

    fn usage(&self) -> Usage {
        self.stated.usage()
    }
}

/// Reads a whole answer.
pub fn read_whole(body: &[u8]) -> Result<Answer, Malformed> {
    let wrong = |what: &str| Malformed { path: "body".to_owned(), what: what.to_owned() };
    let mut chunk = Chunk::read(body).map_err(|_| wrong("is no answer of Chat Completions"))?;
    if chunk.error.is_none() && chunk.choices.as_ref().is_none_or(Vec::is_empty) {
        return Err(wrong("is an answer without choices"));
    }
    // Its calls bear no numbers, and hosts may give several of them one id.
    for choice in chunk.choices.iter_mut().flatten() {
        let calls = choice.message.iter_mut().filter_map(|message| message.tool_calls.as_mut());
        for (number, call) in (0..).zip(calls.flatten()) {
            call.index.get_or_insert(number);
        }
    }
    // It is a stream of one chunk.
    let (mut reader, mut events, mut folder) = (Reader::default(), Vec::new(), Folder::default());
    reader.take(chunk, &mut events);
    if !reader.is_ended {
        reader.end(&mut events);
    }
    for event in events {
        folder.push(event);
    }
    folder.finish().ok_or_else(|| wrong("is an answer without an end"))
}

fn stop_of(reason: &str) -> Stop {
    match reason {
        "length" | "max_tokens" => Stop::Length,
        "tool_calls" | "function_call" => Stop::Tools,
        "content_filter" => Stop::Refused,
        // `stop`, and words that hosts have of their own for it.
        _ => Stop::Done,
    }
}

fn citation(note: &Value) -> Option<Citation> {
    let place = note.get("url_citation")?;
    let text = |field: &str| place.get(field).and_then(Value::as_str).map(str::to_owned);
    let count = |field: &str| place.get(field).and_then(Value::as_u64);
    Some(Citation {
        url: text("url"),
        title: text("title"),
        quoted: text("content"),
        span: count("start_index").zip(count("end_index")),
        raw: None,
    })
}

fn google_seal(extra: &Value) -> Option<Seal> {
    let data = extra.get("google")?.get("thought_signature")?.as_str()?.to_owned();
    Some(Seal { by: Protocol::Gemini, id: None, data, is_all: true })
}

/// An id for a call that came without: made of the answer's, so that no two calls of a conversation
/// share one.
fn made_id(answer: &str, number: usize) -> String {
    let is_plain = |it: &char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_');
    let answer: String = answer.chars().filter(is_plain).collect();
    format!("call_{answer}_{number}")
}
