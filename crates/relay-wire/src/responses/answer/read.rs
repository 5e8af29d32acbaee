//! Reads the answers of an account that speaks Responses.

mod form;
mod open;

use serde_json::Value;
use serde_json::value::RawValue;

use self::form::{Frame, Item, Kind, Part, Response};
use self::open::{Call, Message, Open, Output, Thought};
use crate::anthropic::error::ErrorBody;
use crate::chat::answer::{broken, read_error};
use crate::hub::{Answer, BlockKind, Delta, Event, Folder, Loss, Losses, Malformed, Stop, Usage};
use crate::responses::names::flat;
use crate::responses::usage::Stated;
use crate::sse;

/// The most items that are told apart in one answer.
const ITEMS_MAX: usize = 4_096;

/// Reads a stream. Nothing comes of what follows its end.
#[derive(Debug, Default)]
pub struct Reader {
    is_started: bool,
    is_ended: bool,
    output: Output,
    has_call: bool,
    stated: Stated,
    losses: Losses,
}

impl Reader {
    /// What of the answer has no place in the hub.
    pub const fn losses(&self) -> &Losses {
        &self.losses
    }

    /// Takes the next event.
    pub fn push(&mut self, event: &sse::Event<'_>, out: &mut Vec<Event>) {
        let data = event.data.trim_ascii();
        // Some hosts end like Chat.
        if self.is_ended || data.is_empty() || data == b"[DONE]" {
            return;
        }
        let Ok(frame) = serde_json::from_slice::<Frame<'_>>(data) else {
            // What it says is the client's alone, so it stands in no message.
            let message = "an event of the upstream's stream cannot be read";
            return self.fail(broken("api_error", message), out);
        };
        let name = event.name.and_then(|name| str::from_utf8(name).ok()).unwrap_or_default();
        let kind = frame.kind.as_deref().unwrap_or(name);
        if kind == "error" || (kind.is_empty() && frame.error.is_some()) {
            return self.fail(error_of(data), out);
        }
        self.take(kind, &frame, out);
        if self.output.len() > ITEMS_MAX {
            let message = "the upstream's answer has more items than the relay holds";
            self.fail(broken("api_error", message), out);
        }
    }

    /// The upstream has ended: closes what is open. An answer without its last event is cut.
    pub fn finish(&mut self, out: &mut Vec<Event>) {
        if !self.is_ended {
            let message = "the upstream broke off before the end of its answer";
            self.fail(broken("api_error", message), out);
        }
    }

    fn take(&mut self, kind: &str, frame: &Frame<'_>, out: &mut Vec<Event>) {
        let index = frame.output_index.unwrap_or_default();
        match kind {
            "response.created" | "response.in_progress" | "response.queued" => {
                if let Some(response) = self.response(frame.response, out) {
                    self.start(&response, out);
                }
            }
            "response.completed" | "response.incomplete" | "response.failed" | "response.done" => {
                if let Some(mut response) = self.response(frame.response, out) {
                    // The event itself says how it ended, should its answer not.
                    let status = kind.trim_start_matches("response.");
                    response.status.get_or_insert_with(|| status.to_owned());
                    self.end(response, out);
                }
            }
            "response.output_item.added" => self.item(
                index,
                frame.item,
                |it, index, item, out| it.added(index, &item, out),
                out,
            ),
            "response.output_item.done" => self.item(index, frame.item, Self::done, out),
            "response.content_part.added" => {
                let part =
                    frame.part.and_then(|part| serde_json::from_str::<Part>(part.get()).ok());
                match part.and_then(|part| part.kind).as_deref() {
                    Some("output_text") => _ = self.words(index, frame, BlockKind::Text, out),
                    Some("refusal") => _ = self.words(index, frame, BlockKind::Refusal, out),
                    _ => {}
                }
            }
            "response.content_part.done" => self.part_done(index, frame, out),
            "response.output_text.delta" => self.say(index, frame, BlockKind::Text, out),
            "response.refusal.delta" => self.say(index, frame, BlockKind::Refusal, out),
            "response.output_text.annotation.added" => self.annotate(index, frame, out),
            "response.reasoning_summary_text.delta" => {
                self.think(index, (true, frame.summary_index.unwrap_or_default()), frame, out);
            }
            "response.reasoning_text.delta" => {
                self.think(index, (false, frame.content()), frame, out);
            }
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                if let (Some(text), Some(Open::Call(call))) =
                    (frame.added(), self.output.get(index))
                {
                    call.has_input = true;
                    let (block, delta) = (call.block, Delta::Input(text));
                    out.push(Event::Delta { block, delta });
                }
            }
            _ => {}
        }
    }

    /// Reads the `response` of an event; one that cannot be read fails the answer.
    fn response<'a>(
        &mut self,
        response: Option<&'a RawValue>,
        out: &mut Vec<Event>,
    ) -> Option<Response<'a>> {
        let read = response.map(|response| serde_json::from_str(response.get()));
        let Some(Ok(response)) = read else {
            let message = "an event of the upstream's stream cannot be read";
            self.fail(broken("api_error", message), out);
            return None;
        };
        Some(response)
    }

    fn start(&mut self, response: &Response<'_>, out: &mut Vec<Event>) {
        if let Some(usage) = response.usage {
            self.stated.update(usage.get().as_bytes());
        }
        if !self.is_started {
            self.is_started = true;
            out.push(Event::Start {
                id: response.id.clone().unwrap_or_default(),
                model: response.model.clone().unwrap_or_default(),
                usage: self.usage(),
            });
        }
    }

    fn item(
        &mut self,
        index: u64,
        item: Option<&RawValue>,
        then: fn(&mut Self, u64, Item, &mut Vec<Event>),
        out: &mut Vec<Event>,
    ) {
        let Some(item) = item else { return };
        match Item::read(item) {
            Ok(Some(item)) => then(self, index, item, out),
            // OpenAI's own tools, and what is yet to come. Of hosts that do not number their items
            // it may bear the number of one that is open, which goes on.
            Ok(None) => {
                self.losses.insert(Loss::HostedTools);
                if matches!(self.output.get(index), None | Some(Open::Done)) {
                    self.output.put(index, Open::Other);
                }
            }
            Err(_) => {
                let message = "an item of the upstream's answer cannot be read";
                self.fail(broken("api_error", message), out);
            }
        }
    }

    /// An item begins.
    fn added(&mut self, index: u64, item: &Item, out: &mut Vec<Event>) {
        // Of hosts that do not number their items each may take the place of the one before.
        if matches!(self.output.get(index), Some(Open::Done)) {
            self.output.put(index, Open::Other);
        }
        self.begin(index, item, out);
    }

    fn begin(&mut self, index: u64, item: &Item, out: &mut Vec<Event>) {
        self.start(&Response::default(), out);
        if !matches!(self.output.get(index), None | Some(Open::Other)) {
            return;
        }
        let open = match item.kind {
            Kind::Message => Open::Message(Message::default()),
            Kind::Reasoning => Open::Thought(Thought::default()),
            Kind::FunctionCall | Kind::CustomToolCall => {
                let id = item.call_id.clone().or_else(|| item.id.clone()).unwrap_or_default();
                let name = item.name.clone().unwrap_or_default();
                let name = flat(item.namespace.as_deref(), name);
                let kind = if item.kind == Kind::FunctionCall {
                    BlockKind::Call { id, name }
                } else {
                    BlockKind::TextCall { id, name }
                };
                self.has_call = true;
                Open::Call(Call { block: self.output.open(kind, out), has_input: false })
            }
        };
        self.output.put(index, open);
    }

    /// An item is whole: what its events did not tell is told now.
    fn done(&mut self, index: u64, mut item: Item, out: &mut Vec<Event>) {
        if matches!(self.output.get(index), Some(Open::Done)) {
            return;
        }
        self.begin(index, &item, out);
        match self.output.take(index) {
            Open::Message(mut message) => {
                for (number, part) in (0..).zip(item.content.into_iter().flatten()) {
                    message.complete(number, part, &mut self.output, out);
                }
                message.close(out);
            }
            Open::Thought(mut thought) => {
                let words = if thought.has_words() { String::new() } else { item.thought() };
                let mut add = |delta| {
                    let block = thought.block(&mut self.output, out);
                    out.push(Event::Delta { block, delta });
                };
                if !words.is_empty() {
                    add(Delta::Text(words));
                }
                if let Some(seal) = item.seal() {
                    add(Delta::Seal(seal));
                }
                thought.close(out);
            }
            Open::Call(Call { block, has_input }) => {
                let input = item.arguments.or(item.input);
                let input = input.filter(|text| !text.is_empty() && !has_input);
                out.extend(input.map(|it| Event::Delta { block, delta: Delta::Input(it) }));
                out.push(Event::Close { block });
            }
            Open::Other | Open::Done => {}
        }
    }

    /// A part of a message is whole.
    fn part_done(&mut self, index: u64, frame: &Frame<'_>, out: &mut Vec<Event>) {
        let part = frame.part.and_then(|part| serde_json::from_str(part.get()).ok());
        let Some(part) = part else { return };
        if let Some(mut message) = self.output.lend_message(index) {
            message.complete(frame.content(), part, &mut self.output, out);
            self.output.put(index, Open::Message(message));
        }
    }

    /// The open part of words of this kind; it is opened if it is not.
    fn words(
        &mut self,
        index: u64,
        frame: &Frame<'_>,
        kind: BlockKind,
        out: &mut Vec<Event>,
    ) -> Option<usize> {
        if self.output.get(index).is_none() {
            self.begin(index, &Item::default(), out);
        }
        self.output.part(index, frame.content(), kind, out)
    }

    fn say(&mut self, index: u64, frame: &Frame<'_>, kind: BlockKind, out: &mut Vec<Event>) {
        let Some(text) = frame.added() else { return };
        if let Some(block) = self.words(index, frame, kind, out) {
            self.output.note_text(index, frame.content());
            out.push(Event::Delta { block, delta: Delta::Text(text) });
        }
    }

    fn annotate(&mut self, index: u64, frame: &Frame<'_>, out: &mut Vec<Event>) {
        let note = frame.annotation.and_then(|note| serde_json::from_str(note.get()).ok());
        let Some(note) = note.as_ref().and_then(crate::responses::citation::citation) else {
            return;
        };
        if let Some(block) = self.words(index, frame, BlockKind::Text, out) {
            self.output.note_citation(index, frame.content());
            out.push(Event::Delta { block, delta: Delta::Citation(note) });
        }
    }

    /// More of a thought: of its summary or of itself, whichever came first, and of which part.
    fn think(&mut self, index: u64, part: (bool, u64), frame: &Frame<'_>, out: &mut Vec<Event>) {
        let Some(text) = frame.added() else { return };
        if self.output.get(index).is_none() {
            self.begin(index, &Item { kind: Kind::Reasoning, ..Item::default() }, out);
        }
        if let Some(mut thought) = self.output.lend_thought(index) {
            if let Some(text) = thought.more(part, text) {
                let block = thought.block(&mut self.output, out);
                out.push(Event::Delta { block, delta: Delta::Text(text) });
            }
            self.output.put(index, Open::Thought(thought));
        }
    }

    /// Ends an answer that says itself how it has ended.
    fn end(&mut self, mut response: Response<'_>, out: &mut Vec<Event>) {
        self.start(&response, out);
        let status = response.status.take().unwrap_or_default();
        if matches!(status.as_str(), "failed" | "cancelled") || response.error.is_some() {
            let error = match &response.error {
                Some(said) => read_error(said),
                None => broken("api_error", "the upstream gave up in the midst of its answer"),
            };
            return self.fail(error, out);
        }
        // Whole answers tell their items here, and some hosts do so in streams.
        let items = response.output.take().filter(|_| self.output.len() == 0);
        for (index, item) in (0..).zip(items.into_iter().flatten()) {
            self.item(index, Some(item), Self::done, out);
            if self.is_ended {
                return;
            }
        }
        let reason = response.incomplete_details.and_then(|details| details.reason);
        self.close_all(out);
        let stop = match reason.as_deref() {
            Some("content_filter") => Stop::Refused,
            Some(_) => Stop::Length,
            None if status == "incomplete" => Stop::Length,
            None if self.has_call => Stop::Tools,
            None if self.output.has_refusal() => Stop::Refused,
            None => Stop::Done,
        };
        out.push(Event::End { stop, usage: self.usage() });
    }

    fn fail(&mut self, error: ErrorBody, out: &mut Vec<Event>) {
        self.close_all(out);
        out.push(Event::Failed { error, usage: self.usage() });
    }

    fn close_all(&mut self, out: &mut Vec<Event>) {
        self.is_ended = true;
        self.output.close_all(out);
    }

    fn usage(&self) -> Usage {
        self.stated.usage()
    }
}

/// What an `error` event says: OpenAI's has its members beside its type, others nest them.
fn error_of(data: &[u8]) -> ErrorBody {
    let said: Value = serde_json::from_slice(data).unwrap_or_default();
    let nested = said.get("error").filter(|error| !error.is_null());
    let mut error = read_error(nested.unwrap_or(&said));
    let status = said.get("status").or_else(|| said.get("status_code")).and_then(Value::as_u64);
    if let Some(status @ 400..=599) = status.and_then(|status| u16::try_from(status).ok())
        && error.kind == "api_error"
    {
        crate::anthropic::error::kind_of_status(status).clone_into(&mut error.kind);
    }
    error
}

/// Reads a whole answer.
pub fn read_whole(body: &[u8]) -> Result<Answer, Malformed> {
    let wrong = |what: &str| Malformed { path: "body".to_owned(), what: what.to_owned() };
    let response: Response<'_> =
        serde_json::from_slice(body).map_err(|_| wrong("is no answer of Responses"))?;
    if response.error.is_none() && response.output.is_none() {
        return Err(wrong("is an answer without output"));
    }
    if matches!(response.status.as_deref(), Some("queued" | "in_progress")) {
        return Err(wrong("is an answer that has not ended"));
    }
    // It is a stream of its last event.
    let (mut reader, mut events, mut folder) = (Reader::default(), Vec::new(), Folder::default());
    reader.end(response, &mut events);
    for event in events {
        folder.push(event);
    }
    folder.finish().ok_or_else(|| wrong("is an answer without an end"))
}
