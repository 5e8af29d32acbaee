//! Follows an Anthropic Messages stream beside its bytes: how far it has come, what it used.

use std::borrow::Cow;

use relay_core::usage::{Exactness, TokenUsage};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::error::{self, ErrorBody};
use super::usage::{Stated, label};
use crate::estimate::TextTally;
use crate::json::{Kind, ScanError, Scanner, members};
use crate::sse::Event;

/// What an event is to the relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Nothing of the answer has been said yet: `message_start`, `ping`, events that are not
    /// known. The call may still move to another account.
    Preamble,
    /// Part of the answer, or an event that stands among its parts.
    Content,
    /// `message_stop`: the answer is whole.
    Terminal,
    /// The upstream gave up, whatever its status was.
    Error(ErrorBody),
}

/// What an answer used, and who gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metered {
    /// Tokens by kind.
    pub usage: TokenUsage,
    /// Whether the provider stated all of it.
    pub exactness: Exactness,
    /// The model that answered; empty if not stated.
    pub model_served: String,
    /// The service tier; empty if not stated.
    pub service_tier: String,
    /// The speed mode; empty if not stated.
    pub speed: String,
}

impl Metered {
    /// What was stated, if that was the last word and tells of any input; else with at least the
    /// output that was written, as an estimate. Nobody is named as having given it.
    pub(crate) fn of(stated: TokenUsage, written: &TextTally, is_last: bool) -> Self {
        let is_exact = is_last && stated.context() > 0;
        let least = if is_exact { 0 } else { written.tokens() };
        Self {
            usage: TokenUsage { output: stated.output.max(least), ..stated },
            exactness: if is_exact { Exactness::Exact } else { Exactness::Estimated },
            model_served: String::new(),
            service_tier: String::new(),
            speed: String::new(),
        }
    }
}

/// Meters one stream. Its size does not grow with the stream's length.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    stated: Stated,
    written: TextTally,
    model: String,
    saw_start: bool,
    content_seen: bool,
    ending: Ending,
}

/// How far the end of an answer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Ending {
    /// The output that was stated, if any, is not the last word.
    #[default]
    Open,
    /// `message_delta` stated the output.
    Stated,
    /// And `message_stop` confirmed that it was the last.
    Confirmed,
}

impl Meter {
    /// Takes note of the next event and tells what it is.
    ///
    /// Deltas are only tallied, for the case that the stream is cut; four kinds of event are read.
    pub fn observe(&mut self, event: &Event<'_>) -> Phase {
        match EventKind::of(event) {
            EventKind::MessageStart => {
                self.saw_start = true;
                self.start(&event.data);
            }
            EventKind::BlockDelta => {
                self.content_seen = true;
                // A delta that is not JSON adds nothing to the estimate; the client will judge it.
                let _ = tally_delta(&event.data, &mut self.written);
            }
            EventKind::BlockEdge => self.content_seen = true,
            EventKind::MessageDelta => {
                self.content_seen = true;
                self.close(&event.data);
            }
            EventKind::MessageStop => {
                if self.ending == Ending::Stated {
                    self.ending = Ending::Confirmed;
                }
                return Phase::Terminal;
            }
            EventKind::Error => return Phase::Error(error_of(&event.data)),
            EventKind::Other => {}
        }
        if self.content_seen { Phase::Content } else { Phase::Preamble }
    }

    /// What the stream used, as far as it has come.
    ///
    /// Exact once its end has stated it. Before that the input is what the start stated, and the
    /// output the larger of the last statement and the estimate of the deltas
    /// ([`crate::estimate::NAME`]).
    pub fn metered(&self) -> Metered {
        let known =
            Metered::of(self.stated.tokens(), &self.written, self.ending == Ending::Confirmed);
        Metered {
            model_served: self.model.clone(),
            service_tier: self.stated.service_tier.clone(),
            speed: self.stated.speed.clone(),
            ..known
        }
    }

    /// The input that was stated, caches included, and the output so far: cheap enough to be asked
    /// for again and again.
    pub fn so_far(&self) -> (u64, u64) {
        let stated = self.stated.tokens();
        (stated.context(), stated.output.max(self.written.tokens()))
    }

    /// Whether `message_start` was seen.
    pub fn saw_start(&self) -> bool {
        self.saw_start
    }

    /// Whether some event stated an input that is not zero. If not, the caller's own estimate
    /// of the input stands: compatible hosts may state it only at the end, which a cut takes away.
    pub fn input_known(&self) -> bool {
        self.stated.tokens().context() > 0
    }

    /// Whether any part of the answer was seen: from then on the call stays where it is.
    pub fn content_seen(&self) -> bool {
        self.content_seen
    }

    fn start(&mut self, data: &[u8]) {
        let message = members(data, ["message"]).ok().and_then(|[message]| message);
        if let Some(Ok([model, usage])) = message.map(|it| members(it, ["model", "usage"])) {
            label(&mut self.model, model);
            usage.inspect(|usage| _ = self.stated.update(usage));
        }
    }

    fn close(&mut self, data: &[u8]) {
        let usage = members(data, ["usage"]).ok().and_then(|[usage]| usage);
        if usage.is_some_and(|usage| self.stated.update(usage)) {
            self.ending = Ending::Stated;
        }
    }
}

/// Meters a complete JSON answer. `None` if it is no message or states no usage.
pub fn unary(body: &[u8]) -> Option<Metered> {
    let [kind, model, usage] = members(body, ["type", "model", "usage"]).ok()?;
    if !kind.is_none_or(is_message) {
        return None;
    }
    let mut stated = Stated::default();
    stated.update(usage?);
    let mut model_served = String::new();
    label(&mut model_served, model);
    stated.is_some().then(|| Metered {
        usage: stated.tokens(),
        exactness: Exactness::Exact,
        model_served,
        service_tier: stated.service_tier,
        speed: stated.speed,
    })
}

/// Whether an answer's `type`, as it stands there, does not say that it is something else.
fn is_message(kind: &[u8]) -> bool {
    matches!(kind, br#""message""# | b"null")
        || serde_json::from_slice::<String>(kind).is_ok_and(|kind| kind == "message")
}

/// Events by what the meter does with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EventKind {
    MessageStart,
    BlockEdge,
    BlockDelta,
    MessageDelta,
    MessageStop,
    Error,
    Other,
}

impl EventKind {
    /// The kind by the event's name or, as some hosts leave that line out, by its data's `type`.
    fn of(event: &Event<'_>) -> Self {
        event.name.and_then(Self::of_name).unwrap_or_else(|| Self::of_data(&event.data))
    }

    fn of_name(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"content_block_delta" => Self::BlockDelta,
            b"content_block_start" | b"content_block_stop" => Self::BlockEdge,
            b"message_start" => Self::MessageStart,
            b"message_delta" => Self::MessageDelta,
            b"message_stop" => Self::MessageStop,
            b"error" => Self::Error,
            b"ping" => Self::Other,
            _ => return None,
        })
    }

    fn of_data(data: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Head<'a> {
            #[serde(borrow, rename = "type")]
            kind: Option<Cow<'a, str>>,
            error: Option<IgnoredAny>,
        }
        if let Some(rest) = data.strip_prefix(br#"{"type":""#)
            && let Some(kind) = rest.split(|byte| *byte == b'"').next().and_then(Self::of_name)
        {
            return kind;
        }
        match serde_json::from_slice(data) {
            Ok(Head { kind: Some(kind), .. }) => {
                Self::of_name(kind.as_bytes()).unwrap_or(Self::Other)
            }
            Ok(Head { kind: None, error: Some(_) }) => Self::Error,
            _ => Self::Other,
        }
    }
}

/// What an error event says. One that cannot be read is an error all the same.
fn error_of(data: &[u8]) -> ErrorBody {
    let mut body = error::parse(data).unwrap_or_default();
    if body.kind.is_empty() {
        "api_error".clone_into(&mut body.kind);
    }
    if body.message.is_empty() {
        "the upstream broke off with an error".clone_into(&mut body.message);
    }
    body
}

/// Tallies the texts of a `content_block_delta`: the strings of its `delta`, less those that the
/// model did not write (`type`) or that are no text (`signature`).
fn tally_delta(data: &[u8], written: &mut TextTally) -> Result<(), ScanError> {
    let mut scanner = Scanner::new(data);
    scanner.object(|scanner, key| {
        if &*key.name() != b"delta" || scanner.kind()? != Kind::Object {
            return scanner.skip();
        }
        scanner.object(|scanner, key| {
            let is_text = !matches!(&*key.name(), b"type" | b"signature");
            if is_text && scanner.kind()? == Kind::String {
                let text = scanner.string()?;
                written.add_quoted(&text);
                Ok(())
            } else {
                scanner.skip()
            }
        })
    })
}

#[cfg(test)]
mod tests;
