//! Brings answers back as they come.

use bytes::{Bytes, BytesMut};

use super::Back;
use crate::anthropic::error::ErrorBody;
use crate::hub::{Event, Folder, Losses, Usage};
use crate::sse::{self, Batch};
use crate::{anthropic, chat, gemini, responses};

/// Reads a stream of any protocol.
#[derive(Debug)]
pub(super) enum Reader {
    Messages(anthropic::answer::Reader),
    Chat(chat::answer::Reader),
    Responses(responses::answer::Reader),
    Gemini(gemini::answer::Reader),
}

impl Reader {
    pub(super) fn push(&mut self, event: &sse::Event<'_>, out: &mut Vec<Event>) {
        match self {
            Self::Messages(reader) => reader.push(event, out),
            Self::Chat(reader) => reader.push(event, out),
            Self::Responses(reader) => reader.push(event, out),
            Self::Gemini(reader) => reader.push(event, out),
        }
    }

    fn losses(&self) -> Losses {
        match self {
            Self::Messages(reader) => reader.losses().clone(),
            Self::Responses(reader) => reader.losses().clone(),
            // They read all that they know of.
            Self::Chat(_) | Self::Gemini(_) => Losses::new(),
        }
    }

    fn finish(&mut self, out: &mut Vec<Event>) {
        match self {
            Self::Messages(reader) => reader.finish(out),
            Self::Chat(reader) => reader.finish(out),
            Self::Responses(reader) => reader.finish(out),
            Self::Gemini(reader) => reader.finish(out),
        }
    }
}

/// Writes a stream of any protocol that clients are translated for.
#[derive(Debug)]
pub(super) enum Writer {
    Messages(anthropic::answer::Writer),
    Chat(chat::answer::Writer),
    Responses(responses::answer::Writer),
}

impl Writer {
    const fn losses(&self) -> &Losses {
        match self {
            Self::Messages(writer) => writer.losses(),
            Self::Chat(writer) => writer.losses(),
            Self::Responses(writer) => writer.losses(),
        }
    }

    pub(super) fn push(&mut self, event: Event, out: &mut BytesMut) {
        match self {
            Self::Messages(writer) => writer.push(event, out),
            Self::Chat(writer) => writer.push(event, out),
            Self::Responses(writer) => writer.push(event, out),
        }
    }
}

/// Brings a stream back to the client as it comes. Always ends it with the end of its protocol.
#[derive(Debug)]
pub struct Translator {
    reader: Reader,
    writer: Writer,
    events: Vec<Event>,
}

impl Translator {
    pub(super) const fn new(reader: Reader, writer: Writer) -> Self {
        Self { reader, writer, events: Vec::new() }
    }

    /// What of the answer so far the client was not told.
    pub fn losses(&self) -> Losses {
        let mut losses = self.reader.losses();
        losses.extend(self.writer.losses());
        losses
    }

    /// What these events are in the client's protocol; may be nothing.
    pub fn push(&mut self, batch: &Batch) -> Bytes {
        for event in batch.events() {
            self.reader.push(&event, &mut self.events);
        }
        self.written()
    }

    /// The upstream sends no more: what is left, and the end.
    pub fn finish(&mut self) -> Bytes {
        self.reader.finish(&mut self.events);
        self.written()
    }

    /// Ends the stream for an error that the upstream did not state.
    pub fn fail(&mut self, error: ErrorBody) -> Bytes {
        self.events.push(Event::Failed { error, usage: Usage::default() });
        self.written()
    }

    fn written(&mut self) -> Bytes {
        let mut out = BytesMut::new();
        for event in self.events.drain(..) {
            self.writer.push(event, &mut out);
        }
        out.freeze()
    }
}

/// Puts a stream together to a whole answer.
#[derive(Debug)]
pub struct Collector {
    back: Back,
    reader: Reader,
    folder: Folder,
}

impl Collector {
    pub(super) fn new(back: Back, reader: Reader) -> Self {
        Self { back, reader, folder: Folder::default() }
    }

    /// Takes the next events.
    pub fn push(&mut self, batch: &Batch) {
        let mut events = Vec::new();
        for event in batch.events() {
            self.reader.push(&event, &mut events);
        }
        self.fold(events);
    }

    /// The upstream sends no more: the answer in the client's protocol, or what the upstream said
    /// when it gave up.
    pub fn finish(mut self) -> Result<Vec<u8>, ErrorBody> {
        let mut events = Vec::new();
        self.reader.finish(&mut events);
        self.fold(events);
        let answer = self.folder.finish().ok_or_else(|| ErrorBody {
            kind: "api_error".to_owned(),
            message: "the provider broke off its answer".to_owned(),
        })?;
        match &answer.end {
            Err(said) => Err(said.clone()),
            Ok(_) => Ok(self.back.write_whole(&answer)),
        }
    }

    fn fold(&mut self, events: Vec<Event>) {
        for event in events {
            self.folder.push(event);
        }
    }
}
