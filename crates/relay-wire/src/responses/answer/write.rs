//! Writes answers to a client that speaks Responses.

mod begin;
mod shape;
mod whole;

use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;
use serde_json::value::to_raw_value;

use self::shape::{Data, Head, Incomplete, InputData, Item, Part, PartData, Status};
pub use self::whole::{losses_of_whole, write_whole};
use crate::anthropic::error::ErrorBody;
use crate::anthropic::request::wrapped_seal;
use crate::chat::answer::broken;
use crate::hub::{Citation, Delta, Event, Loss, Losses, Seal, Stop, Usage};
use crate::responses::Wishes;
use crate::responses::citation::{Note, is_exact};
use crate::responses::usage::WrittenUsage;

/// The most that an answer holds, in bytes: it is repeated whole at its end.
const OUTPUT_BYTES_MAX: usize = 64 << 20;

/// The arguments of a call that has none.
const NO_ARGUMENTS: &str = "{}";

/// Writes a stream: `response.created`, item after item, and `response.completed`,
/// `response.incomplete` or, when the provider gave up, `response.failed`.
#[derive(Debug)]
pub struct Writer {
    wishes: Wishes,
    created: i64,
    id: String,
    model: String,
    /// The number of the next event.
    sequence: u64,
    items: Vec<Item>,
    blocks: Vec<Place>,
    /// The message that further words go to.
    message: Option<usize>,
    /// How many characters of text have been written, for quotations.
    text_chars: u64,
    output_bytes: usize,
    has_refusal: bool,
    phase: Phase,
    losses: Losses,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Before,
    Within,
    Over,
}

/// Where a block goes.
#[derive(Debug)]
enum Place {
    /// Words: this part of this item, which began after so many characters of the answer's text.
    Part { item: usize, part: usize, start: u64 },
    /// A thought, which is an item once there is something of it.
    Thought { item: Option<usize>, seal: Option<Seal> },
    /// A call.
    Call { item: usize },
    /// It is whole.
    Closed,
}

impl Writer {
    /// A writer of an answer that was made at this time, in seconds since the Unix epoch.
    pub fn new(wishes: Wishes, created_seconds: i64) -> Self {
        Self {
            wishes,
            created: created_seconds,
            id: String::new(),
            model: String::new(),
            sequence: 0,
            items: Vec::new(),
            blocks: Vec::new(),
            message: None,
            text_chars: 0,
            output_bytes: 0,
            has_refusal: false,
            phase: Phase::Before,
            losses: Losses::new(),
        }
    }

    /// What of the answer the client was not told.
    pub const fn losses(&self) -> &Losses {
        &self.losses
    }

    /// Writes the next step. Nothing comes of what follows the end.
    pub fn push(&mut self, event: Event, out: &mut BytesMut) {
        if self.phase == Phase::Over {
            return;
        }
        match event {
            Event::Start { id, model, .. } => self.start(&id, model, out),
            Event::Open { kind, .. } => {
                self.start("", String::new(), out);
                self.open(kind, out);
            }
            Event::Delta { block, delta } => self.add(block, delta, out),
            Event::Close { block } => self.close(block, out),
            Event::End { stop, usage } => self.end(&stop, usage, out),
            Event::Failed { error, usage } => self.fail(&error, usage, out),
        }
    }

    fn add(&mut self, block: usize, delta: Delta, out: &mut BytesMut) {
        self.output_bytes += match &delta {
            Delta::Text(text) | Delta::Input(text) => text.len(),
            Delta::Seal(seal) => seal.data.len(),
            Delta::Citation(_) => 1 << 10,
        };
        if self.output_bytes > OUTPUT_BYTES_MAX {
            self.items.clear();
            let error = broken("api_error", "the answer is larger than the relay holds");
            return self.fail(&error, Usage::default(), out);
        }
        match (self.blocks.get_mut(block), delta) {
            (Some(Place::Part { item, part, .. }), Delta::Text(text)) => {
                let place = (*item, *part);
                self.more_text(place, &text, out);
            }
            (Some(Place::Part { item, part, start }), Delta::Citation(citation)) => {
                let (place, start) = ((*item, *part), *start);
                self.quote(place, start, &citation, out);
            }
            (Some(Place::Thought { .. }), Delta::Text(text)) if !text.is_empty() => {
                let item = self.begin_thought(block, out);
                if self.items[item].parts().is_some_and(|parts| parts.is_empty()) {
                    self.begin_summary(item, out);
                }
                self.more_text((item, 0), &text, out);
            }
            (Some(Place::Thought { seal, .. }), Delta::Seal(more)) => match seal {
                Some(seal) => seal.data.push_str(&more.data),
                None => *seal = Some(more),
            },
            (Some(Place::Call { item }), Delta::Input(text)) => {
                let item = *item;
                self.more_input(item, &text, out);
            }
            (_, Delta::Seal(_)) => _ = self.losses.insert(Loss::CallSeals),
            _ => {}
        }
    }

    /// Adds to the words of an item.
    fn more_text(&mut self, (item, part): (usize, usize), text: &str, out: &mut BytesMut) {
        let Some(kept) = self.items[item].parts().and_then(|parts| parts.get_mut(part)) else {
            return;
        };
        kept.text_mut().push_str(text);
        let (name, is_summary, is_text) = match kept {
            Part::OutputText { .. } => ("response.output_text.delta", false, true),
            Part::Refusal { .. } => ("response.refusal.delta", false, false),
            Part::SummaryText { .. } => ("response.reasoning_summary_text.delta", true, false),
        };
        if is_text {
            self.text_chars += text.chars().count() as u64;
        }
        let data = PartData {
            content_index: (!is_summary).then_some(part),
            summary_index: is_summary.then_some(part),
            delta: Some(text),
            logprobs: is_text.then_some([]),
            ..part_of(&self.items, item)
        };
        send(out, &mut self.sequence, name, &Data::Part(data));
    }

    fn quote(
        &mut self,
        (item, part): (usize, usize),
        start: u64,
        citation: &Citation,
        out: &mut BytesMut,
    ) {
        if !is_exact(citation) {
            self.losses.insert(Loss::Citations);
        }
        let Some(note) = Note::of(citation, (start, self.text_chars)) else { return };
        let note = to_raw_value(&note).expect("texts and numbers are JSON");
        let parts = self.items[item].parts();
        let Some(Part::OutputText { annotations, .. }) = parts.and_then(|it| it.get_mut(part))
        else {
            return;
        };
        annotations.push(note.clone());
        let data = PartData {
            content_index: Some(part),
            annotation_index: Some(annotations.len() - 1),
            annotation: Some(&note),
            ..part_of(&self.items, item)
        };
        let name = "response.output_text.annotation.added";
        send(out, &mut self.sequence, name, &Data::Part(data));
    }

    /// Adds to the input of a call.
    fn more_input(&mut self, item: usize, text: &str, out: &mut BytesMut) {
        let name = match &mut self.items[item] {
            Item::FunctionCall { arguments, .. } => {
                arguments.push_str(text);
                "response.function_call_arguments.delta"
            }
            Item::CustomToolCall { input, .. } => {
                input.push_str(text);
                "response.custom_tool_call_input.delta"
            }
            Item::Message { .. } | Item::Reasoning { .. } => return,
        };
        let item_id = self.items[item].id();
        let data =
            InputData { item_id, output_index: item, delta: Some(text), ..InputData::default() };
        send(out, &mut self.sequence, name, &Data::Input(data));
    }

    fn close(&mut self, block: usize, out: &mut BytesMut) {
        let Some(place) = self.blocks.get_mut(block) else { return };
        match std::mem::replace(place, Place::Closed) {
            Place::Part { item, part, .. } => {
                self.part_done(item, part, out);
                if self.message != Some(item) {
                    self.finish_message(item, out);
                }
            }
            Place::Thought { item: None, seal: None } | Place::Closed => {}
            Place::Thought { item, seal } => {
                let item = item.unwrap_or_else(|| self.new_thought(out));
                if self.items[item].parts().is_some_and(|parts| !parts.is_empty()) {
                    self.part_done(item, 0, out);
                }
                if let Item::Reasoning { encrypted_content, .. } = &mut self.items[item] {
                    *encrypted_content = seal.as_ref().map(wrapped_seal);
                }
                self.item_done(item, out);
            }
            Place::Call { item } => self.close_call(item, out),
        }
    }

    /// Clients read the arguments as JSON, so those of a call that has none are an empty object.
    fn close_call(&mut self, item: usize, out: &mut BytesMut) {
        if matches!(&self.items[item], Item::FunctionCall { arguments, .. } if arguments.is_empty())
        {
            self.more_input(item, NO_ARGUMENTS, out);
        }
        let data = InputData { output_index: item, ..InputData::default() };
        let (event, data) = match &self.items[item] {
            Item::FunctionCall { id, name, arguments, .. } => (
                "response.function_call_arguments.done",
                InputData { item_id: id, name: Some(name), arguments: Some(arguments), ..data },
            ),
            Item::CustomToolCall { id, input, .. } => (
                "response.custom_tool_call_input.done",
                InputData { item_id: id, input: Some(input), ..data },
            ),
            Item::Message { .. } | Item::Reasoning { .. } => return,
        };
        send(out, &mut self.sequence, event, &Data::Input(data));
        self.item_done(item, out);
    }

    fn end(&mut self, stop: &Stop, usage: Usage, out: &mut BytesMut) {
        self.start("", String::new(), out);
        for block in 0..self.blocks.len() {
            self.close(block, out);
        }
        self.leave_message(out);
        if matches!(stop, Stop::Sequence(Some(_))) {
            self.losses.insert(Loss::StopSequenceName);
        }
        self.phase = Phase::Over;
        let reason = self.incomplete(stop);
        let (name, status) = if reason.is_some() {
            ("response.incomplete", Status::Incomplete)
        } else {
            ("response.completed", Status::Completed)
        };
        let head = Head { incomplete_details: reason, ..self.head(status) };
        send_response(out, (name, self.sequence), &head, (&self.wishes, Some(usage)));
    }

    /// Why an answer that ended so is not whole. The model's own words of refusal are an answer like
    /// any other.
    const fn incomplete(&self, stop: &Stop) -> Option<Incomplete> {
        let reason = match stop {
            Stop::Length | Stop::ContextFull | Stop::Paused => "max_output_tokens",
            Stop::Refused if !self.has_refusal => "content_filter",
            Stop::Done | Stop::Sequence(_) | Stop::Tools | Stop::Refused => return None,
        };
        Some(Incomplete { reason })
    }

    fn fail(&mut self, error: &ErrorBody, usage: Usage, out: &mut BytesMut) {
        self.start("", String::new(), out);
        self.phase = Phase::Over;
        let head = Head { error: Some(error.into()), ..self.head(Status::Failed) };
        let usage = Some(usage).filter(|usage| *usage != Usage::default());
        let event = ("response.failed", self.sequence);
        send_response(out, event, &head, (&self.wishes, usage));
    }

    fn head(&self, status: Status) -> Head<'_> {
        Head {
            id: &self.id,
            object: "response",
            created_at: self.created,
            status,
            error: None,
            incomplete_details: None,
            model: &self.model,
            output: self.items.iter().collect(),
        }
    }
}

/// The event that ends the stream of an answer which breaks off and was passed on as it came: its
/// own name is not known, so it gets one made of the relay's name for the call.
pub fn failed(error: &ErrorBody, call: &str) -> Bytes {
    let (mut writer, mut out) = (Writer::new(Wishes::default(), 0), BytesMut::new());
    writer.id = format!("resp_{call}");
    let head = Head { error: Some(error.into()), ..writer.head(Status::Failed) };
    send_response(&mut out, ("response.failed", 0), &head, (&writer.wishes, None));
    out.freeze()
}

/// The members that say which item an event is of.
fn part_of(items: &[Item], item: usize) -> PartData<'_> {
    PartData { item_id: items[item].id(), output_index: item, ..PartData::default() }
}

/// Adds an event.
fn send(out: &mut BytesMut, sequence: &mut u64, name: &str, data: &Data<'_>) {
    begin_event(out, name, *sequence);
    *sequence += 1;
    let at = out.len();
    json(data, out);
    // Its members follow those that every event has.
    out[at] = b',';
    out.extend_from_slice(b"\n\n");
}

fn begin_event(out: &mut BytesMut, name: &str, sequence: u64) {
    for part in ["event: ", name, "\ndata: {\"type\":\"", name, "\",\"sequence_number\":"] {
        out.extend_from_slice(part.as_bytes());
    }
    json(&sequence, out);
}

/// Adds an event that repeats the whole answer.
fn send_response(
    out: &mut BytesMut,
    (name, sequence): (&str, u64),
    head: &Head<'_>,
    (wishes, usage): (&Wishes, Option<Usage>),
) {
    begin_event(out, name, sequence);
    out.extend_from_slice(b",\"response\":");
    response(out, head, wishes, usage);
    out.extend_from_slice(b"}\n\n");
}

/// Adds an answer with all that it has come to.
fn response(out: &mut BytesMut, head: &Head<'_>, wishes: &Wishes, usage: Option<Usage>) {
    json(head, out);
    // Its brace comes after what it repeats of the request.
    out.truncate(out.len() - 1);
    out.extend_from_slice(b",");
    out.extend_from_slice(wishes.echo.members().as_bytes());
    out.extend_from_slice(b",\"usage\":");
    json(&usage.map(WrittenUsage::from), out);
    out.extend_from_slice(b"}");
}

fn json(value: &impl Serialize, out: &mut BytesMut) {
    serde_json::to_writer(out.writer(), value).expect("texts and numbers are JSON");
}
