//! Checks of answers: the steps that a reader makes of a stream, and what clients are told of them.

use bytes::{Bytes, BytesMut};
use relay_core::endpoint::Endpoint;
use relay_core::protocol::Protocol;
use relay_wire::anthropic::error::ErrorBody;
use relay_wire::anthropic::request::{TextTools, Thoughts};
use relay_wire::hub::{
    Answer, Block, BlockKind, Delta, Event, Folder, Input, Loss, Losses, Request, Stop, Tool,
    ToolCall,
};
use relay_wire::meter::{self, Meter, Metered};
use relay_wire::sse::{self, SseFramer};
use relay_wire::{anthropic, chat, gemini, responses};
use serde_json::Value;

use crate::{EVENT_BYTES_MAX, chunks, events, is_json};

/// When all answers are made.
const CREATED: i64 = 1_760_000_000;

/// What an upstream's answer is read by.
pub trait Reads {
    /// Takes the next event.
    fn push(&mut self, event: &sse::Event<'_>, out: &mut Vec<Event>);
    /// The upstream sends no more.
    fn finish(&mut self, out: &mut Vec<Event>);
}

/// What a client's answer is written by.
trait Writes {
    fn push(&mut self, event: Event, out: &mut BytesMut);
    fn losses(&self) -> &Losses;
}

macro_rules! codecs {
    ($($protocol:ident)*) => {$(
        impl Reads for $protocol::answer::Reader {
            fn push(&mut self, event: &sse::Event<'_>, out: &mut Vec<Event>) {
                self.push(event, out);
            }
            fn finish(&mut self, out: &mut Vec<Event>) {
                self.finish(out);
            }
        }
    )*};
}

macro_rules! writers {
    ($($protocol:ident)*) => {$(
        impl Writes for $protocol::answer::Writer {
            fn push(&mut self, event: Event, out: &mut BytesMut) {
                self.push(event, out);
            }
            fn losses(&self) -> &Losses {
                self.losses()
            }
        }
    )*};
}

codecs! { anthropic chat responses gemini }
writers! { anthropic chat responses }

/// The tools that take text, of all requests here.
pub fn text_tools() -> TextTools {
    let tool = Tool::Text { name: "apply_patch".to_owned(), description: None, format: None };
    TextTools::of(&Request { tools: vec![tool], ..Request::default() })
}

/// Reads a stream in two chunkings, meters it, and tells it to clients of every protocol.
pub fn check_stream<R: Reads>(protocol: Protocol, reader: impl Fn() -> R, seed: u8, stream: &[u8]) {
    let (steps, metered) = read(protocol, reader(), vec![Bytes::copy_from_slice(stream)]);
    let cut = read(protocol, reader(), chunks(seed, stream));
    assert_eq!(cut.0, steps, "any chunking gives the same steps");
    assert_eq!(cut.1, metered, "any chunking is metered alike");
    check_steps(&steps);
    let streamed = tell(&steps, seed);
    tell_whole(&fold(steps), &streamed, seed);
}

fn fold(steps: Vec<Event>) -> Answer {
    let mut folder = Folder::default();
    for step in steps {
        folder.push(step);
    }
    folder.finish().expect("an answer that has ended")
}

/// Meters a whole answer, and tells it to clients of every protocol if it is one.
pub fn check_whole(asked: &[Endpoint], answer: Option<Answer>, seed: u8, body: &[u8]) {
    for asked in asked {
        let _ = meter::unary(*asked, body);
    }
    if let Some(answer) = answer {
        let steps = answer.clone().into_events();
        check_steps(&steps);
        let streamed = tell(&steps, seed);
        tell_whole(&answer, &streamed, seed);
    }
}

/// The steps of a stream that comes in these chunks, and what it used.
fn read(
    protocol: Protocol,
    mut reader: impl Reads,
    chunks: Vec<Bytes>,
) -> (Vec<Event>, (Metered, (u64, u64), bool)) {
    let (mut framer, mut meter) = (SseFramer::new(EVENT_BYTES_MAX), Meter::of(protocol));
    let mut steps = Vec::new();
    for chunk in chunks {
        let batch = framer.push(chunk).expect("a small event");
        for event in batch.events() {
            meter.observe(&event);
            reader.push(&event, &mut steps);
        }
        if protocol == Protocol::Chat {
            let kept = chat::stream_usage::without_usage(&batch);
            assert!(kept.len() <= batch.raw().len(), "chunks are only left out");
        }
    }
    reader.finish(&mut steps);
    (steps, (meter.metered(), meter.so_far(), meter.may_close()))
}

/// Steps have the order that their documentation promises to writers.
fn check_steps(steps: &[Event]) {
    let (mut is_started, mut is_ended) = (false, false);
    let mut blocks: Vec<(&BlockKind, bool)> = Vec::new();
    for step in steps {
        assert!(!is_ended, "nothing comes after the end: {steps:?}");
        match step {
            Event::Start { .. } => assert!(!std::mem::replace(&mut is_started, true), "one start"),
            Event::Open { block, kind } => {
                assert!(is_started, "a block after the start: {steps:?}");
                assert_eq!(*block, blocks.len(), "blocks are numbered as they open");
                blocks.push((kind, true));
            }
            Event::Delta { block, delta } => {
                let (kind, is_open) = blocks[*block];
                assert!(is_open && fits(kind, delta), "{delta:?} of {kind:?}: {steps:?}");
            }
            Event::Close { block } => {
                assert!(std::mem::replace(&mut blocks[*block].1, false), "closed once: {steps:?}");
            }
            Event::End { .. } | Event::Failed { .. } => is_ended = true,
        }
    }
    assert!(is_ended, "an answer ends: {steps:?}");
    assert!(blocks.iter().all(|(_, is_open)| !is_open), "blocks close: {steps:?}");
    assert!(is_started || matches!(steps, [Event::Failed { .. }]), "an answer starts: {steps:?}");
}

fn fits(kind: &BlockKind, delta: &Delta) -> bool {
    match delta {
        Delta::Text(_) => {
            matches!(kind, BlockKind::Text | BlockKind::Refusal | BlockKind::Thinking)
        }
        Delta::Citation(_) => matches!(kind, BlockKind::Text),
        Delta::Input(_) => matches!(kind, BlockKind::Call { .. } | BlockKind::TextCall { .. }),
        Delta::Seal(_) => !matches!(kind, BlockKind::Text | BlockKind::Refusal),
    }
}

/// Writes a stream for a client of each protocol and reads it as the client would.
fn tell(steps: &[Event], seed: u8) -> [Answer; 3] {
    let writer = anthropic::answer::Writer::new(shown(seed), "req_1");
    let written = write(writer, anthropic::answer::WRITE_LOSSES, steps);
    check_messages(&written);
    let steps_of_messages = read(Protocol::Messages, messages_reader(), vec![written]).0;
    check_steps(&steps_of_messages);
    let wishes = chat_wishes(seed);
    let declared = match wishes.form {
        chat::Form::Text => chat::answer::TEXT_WRITE_LOSSES,
        chat::Form::Chat | chat::Form::Functions => chat::answer::WRITE_LOSSES,
    };
    let written = write(chat::answer::Writer::new(wishes, CREATED), declared, steps);
    check_chat(&written);
    let steps_of_chat = read(Protocol::Chat, chat::answer::Reader::default(), vec![written]).0;
    check_steps(&steps_of_chat);
    let wishes = responses::Wishes::default();
    let writer = responses::answer::Writer::new(wishes, CREATED);
    let written = write(writer, responses::answer::WRITE_LOSSES, steps);
    check_responses(&written);
    let steps_of_responses =
        read(Protocol::Responses, responses::answer::Reader::default(), vec![written]).0;
    check_steps(&steps_of_responses);
    [steps_of_messages, steps_of_chat, steps_of_responses].map(fold)
}

/// Writes a whole answer for a client of each protocol, which says what the stream did.
fn tell_whole(answer: &Answer, streamed: &[Answer; 3], seed: u8) {
    let responses = responses::Wishes::default();
    let messages = anthropic::answer::write_whole(answer, shown(seed), "req_1");
    let chat_body = chat::answer::write_whole(answer, chat_wishes(seed), CREATED);
    let responses_body = responses::answer::write_whole(answer, &responses, CREATED);
    chat::answer::losses_of_whole(answer, chat_wishes(seed));
    responses::answer::losses_of_whole(answer, &responses);
    for body in [&messages, &chat_body, &responses_body] {
        assert!(is_json(body), "{}", body.escape_ascii());
    }
    if answer.end.is_ok() {
        let whole = [
            anthropic::answer::read_whole(&messages, text_tools()).expect("an answer"),
            chat::answer::read_whole(&chat_body).expect("an answer"),
            responses::answer::read_whole(&responses_body).expect("an answer"),
        ];
        for (whole, streamed) in whole.iter().zip(streamed) {
            assert_eq!(said(whole), said(streamed), "a whole answer says what its stream does");
        }
    }
}

/// What an answer says: its texts, what it declines with, its calls and why it ended.
fn said(answer: &Answer) -> (String, String, Vec<Called<'_>>, &Result<Stop, ErrorBody>) {
    let (mut words, mut refusal, mut calls) = (String::new(), String::new(), Vec::new());
    for block in &answer.blocks {
        match block {
            Block::Text { text, .. } => words.push_str(text),
            Block::Refusal(text) => refusal.push_str(text),
            Block::ToolCall(call) => calls.push(called(call)),
            _ => {}
        }
    }
    (words, refusal, calls, &answer.end)
}

/// A call by id, name and input.
type Called<'a> = (&'a str, &'a str, Option<Value>);

/// A call. Arguments that are no object have no place in a whole answer of Messages but as a text.
fn called(call: &ToolCall) -> Called<'_> {
    let input = match &call.input {
        Input::Text(text) => Some(Value::from(text.as_str())),
        Input::Arguments(json) => serde_json::from_str(json).ok(),
    };
    (&call.id, &call.name, input.filter(|it| it.is_object() && it.get("input").is_none()))
}

/// A reader of Claude's answers.
pub fn messages_reader() -> anthropic::answer::Reader {
    anthropic::answer::Reader::new(text_tools())
}

/// A client whose reader of Google's answers decides where seals go.
pub fn client(seed: u8) -> Protocol {
    [Protocol::Messages, Protocol::Chat, Protocol::Responses, Protocol::Gemini]
        [usize::from(seed >> 6)]
}

/// A reader of Google's answers.
pub fn gemini_reader(seed: u8) -> gemini::answer::Reader {
    gemini::answer::Reader::new(text_tools(), client(seed))
}

fn shown(seed: u8) -> anthropic::request::Wishes {
    let thoughts = [Thoughts::Hidden, Thoughts::Sealed, Thoughts::Shown, Thoughts::Shown];
    anthropic::request::Wishes { thoughts: thoughts[usize::from(seed & 3)] }
}

fn chat_wishes(seed: u8) -> chat::Wishes {
    let forms = [chat::Form::Chat, chat::Form::Chat, chat::Form::Functions, chat::Form::Text];
    chat::Wishes { include_usage: seed & 4 > 0, form: forms[usize::from(seed >> 4 & 3)] }
}

/// What a client is told, and that it goes without nothing but what is declared.
fn write(mut writer: impl Writes, declared: &[Loss], steps: &[Event]) -> Bytes {
    let mut out = BytesMut::new();
    for step in steps {
        writer.push(step.clone(), &mut out);
    }
    let losses = writer.losses();
    assert!(losses.iter().all(|loss| declared.contains(loss)), "{losses:?}: {steps:?}");
    out.freeze()
}

/// The names and the JSON of a stream, all of whose bytes are whole events.
fn told(stream: &Bytes) -> Vec<(String, Value)> {
    let (events, bytes) = events(vec![stream.clone()]);
    assert_eq!(bytes[..], stream[..], "whole events");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    let json = |data: Vec<u8>| match data.as_slice() {
        b"[DONE]" => Value::Null,
        data => serde_json::from_slice(data).expect("JSON"),
    };
    events.into_iter().map(|(name, data)| (text(name.unwrap_or_default()), json(data))).collect()
}

/// Block after block, and one end.
fn check_messages(stream: &Bytes) {
    let (mut is_begun, mut next, mut is_open, mut is_ended) = (false, 0, false, false);
    for (name, event) in told(stream) {
        assert_eq!(event["type"], name);
        assert!(!is_ended, "{name} after the end");
        match name.as_str() {
            "message_start" => assert!(!std::mem::replace(&mut is_begun, true)),
            "content_block_start" => {
                assert!(is_begun && !is_open && event["index"] == next);
                is_open = true;
            }
            "content_block_delta" => assert!(is_open && event["index"] == next),
            "content_block_stop" => {
                assert!(is_open && event["index"] == next);
                (is_open, next) = (false, next + 1);
            }
            "message_delta" => assert!(is_begun && !is_open),
            "message_stop" | "error" => is_ended = true,
            other => panic!("{other}"),
        }
    }
    assert!(is_ended, "a terminal event");
}

/// Chunks or an error, and `[DONE]` once at the end.
fn check_chat(stream: &Bytes) {
    let events = told(stream);
    let done = events.iter().filter(|(_, event)| event.is_null()).count();
    assert!(done == 1 && events.last().is_some_and(|(_, event)| event.is_null()), "one end");
    for (_, event) in &events {
        assert!(event.is_null() || event["error"].is_object() || event["choices"].is_array());
    }
}

/// Numbered events, and one end that is the last.
fn check_responses(stream: &Bytes) {
    let events = told(stream);
    let is_end = |name: &str| {
        matches!(name, "response.completed" | "response.incomplete" | "response.failed" | "error")
    };
    assert_eq!(events.iter().filter(|(name, _)| is_end(name)).count(), 1, "one end");
    assert!(events.last().is_some_and(|(name, _)| is_end(name)), "the end is the last");
    for (at, (name, event)) in events.iter().enumerate() {
        assert_eq!(event["type"], *name);
        assert_eq!(event["sequence_number"], at);
    }
}
