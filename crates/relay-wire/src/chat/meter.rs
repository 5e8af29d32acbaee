//! Follows a Chat stream that is passed on, beside its bytes: how far it has come, what it used.

use relay_core::usage::Exactness;
use serde_json::Value;

use super::usage::Stated;
use crate::anthropic::error::{self, ErrorBody};
pub use crate::anthropic::meter::{Metered, Phase};
use crate::anthropic::usage::label;
use crate::estimate::TextTally;
use crate::json::{Kind, ScanError, Scanner, members, members_reading};
use crate::sse::Event;

/// Meters one stream. Its size does not grow with the stream's length.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    stated: Stated,
    seen: Seen,
    model: String,
    service_tier: String,
    saw_start: bool,
    usage: UsageSeen,
}

/// What the choices of the chunks have said.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    written: TextTally,
    content: bool,
    /// Whether the answer has said why it ends.
    reason: bool,
}

/// What the usage that was stated is of: some hosts state it all along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum UsageSeen {
    /// None was stated.
    #[default]
    Not,
    /// Of the answer so far.
    SoFar,
    /// Of the whole answer.
    Whole,
}

impl Meter {
    /// Takes note of the next event and tells what it is.
    pub fn observe(&mut self, event: &Event<'_>) -> Phase {
        let data = event.data.trim_ascii();
        if data == b"[DONE]" {
            if self.usage == UsageSeen::SoFar {
                self.usage = UsageSeen::Whole;
            }
            return Phase::Terminal;
        }
        let names = ["choices", "model", "usage", "error", "service_tier", "object"];
        let mut seen = self.seen;
        // What cannot be read adds nothing; the client will judge it.
        let chunk = members_reading(data, names, |index, scanner| match index {
            0 => seen.choices(scanner),
            _ => scanner.skip(),
        });
        let [choices, model, usage, error, service_tier, object] = chunk.unwrap_or_default();
        // Some hosts send an error without the `error` around it.
        let is_bare_error = object == Some(br#""error""#);
        if error.is_some_and(|it| it != b"null") || is_bare_error || event.name == Some(b"error") {
            return Phase::Error(error_of(data));
        }
        self.saw_start |= choices.is_some();
        label(&mut self.model, model.filter(|model| *model != b"\"\""));
        label(&mut self.service_tier, service_tier);
        if choices.is_some() {
            self.seen = seen;
        }
        if usage.is_some_and(|usage| self.stated.update(usage)) {
            self.usage = if self.seen.reason { UsageSeen::Whole } else { UsageSeen::SoFar };
        }
        if self.seen.content { Phase::Content } else { Phase::Preamble }
    }

    /// What the stream used, as far as it has come.
    ///
    /// Exact once it was stated at the end. Before that the input is what was stated, if it was, and
    /// the output the larger of the last statement and the estimate of the deltas
    /// ([`crate::estimate::NAME`]).
    pub fn metered(&self) -> Metered {
        let known =
            Metered::of(self.stated.tokens(), &self.seen.written, self.usage == UsageSeen::Whole);
        Metered {
            model_served: self.model.clone(),
            service_tier: self.service_tier.clone(),
            ..known
        }
    }

    /// The input that was stated, caches included, and the output so far.
    pub fn so_far(&self) -> (u64, u64) {
        let stated = self.stated.tokens();
        (stated.context(), stated.output.max(self.seen.written.tokens()))
    }

    /// Whether any chunk of an answer was seen.
    pub const fn saw_start(&self) -> bool {
        self.saw_start
    }

    /// Whether an input that is not zero was stated. If not, the caller's own estimate stands.
    pub fn input_known(&self) -> bool {
        self.stated.tokens().context() > 0
    }

    /// Whether any part of the answer was seen: from then on the call stays where it is.
    pub const fn content_seen(&self) -> bool {
        self.seen.content
    }

    /// Whether the answer said why it ends: then it is whole, though a host may leave `[DONE]` out.
    pub const fn saw_reason(&self) -> bool {
        self.seen.reason
    }
}

impl Seen {
    fn choices(&mut self, scanner: &mut Scanner<'_>) -> Result<(), ScanError> {
        if scanner.kind()? != Kind::Array {
            return scanner.skip();
        }
        scanner.array(|scanner| {
            if scanner.kind()? != Kind::Object {
                return scanner.skip();
            }
            scanner.object(|scanner, key| match &*key.name() {
                b"delta" | b"text" => {
                    self.content |= tally(scanner, &mut self.written)?;
                    Ok(())
                }
                b"finish_reason" if scanner.kind()? == Kind::String => {
                    let ends = !scanner.string()?.inner().is_empty();
                    self.reason |= ends;
                    self.content |= ends;
                    Ok(())
                }
                _ => scanner.skip(),
            })
        })
    }
}

/// Meters a complete JSON answer. `None` if it states no usage.
pub fn unary(body: &[u8]) -> Option<Metered> {
    let names = ["model", "usage", "service_tier", "error"];
    let [model, usage, service_tier, error] = members(body, names).ok()?;
    if error.is_some_and(|error| error != b"null") {
        return None;
    }
    let mut stated = Stated::default();
    let is_stated = stated.update(usage?);
    let mut metered = Metered {
        usage: stated.tokens(),
        exactness: Exactness::Exact,
        model_served: String::new(),
        service_tier: String::new(),
        speed: String::new(),
    };
    label(&mut metered.model_served, model);
    label(&mut metered.service_tier, service_tier);
    is_stated.then_some(metered)
}

/// What an error event says. One that cannot be read is an error all the same.
fn error_of(data: &[u8]) -> ErrorBody {
    let said: Value = serde_json::from_slice(data).unwrap_or_default();
    let said = said.get("error").unwrap_or(&said);
    let text = |field: &str| said.get(field).and_then(Value::as_str).unwrap_or_default();
    let mut body = error::parse(data).unwrap_or_else(|| ErrorBody {
        kind: text("type").to_owned(),
        message: text("message").to_owned(),
    });
    if body.kind.is_empty() {
        let code = Some(text("code")).filter(|code| !code.is_empty());
        code.unwrap_or("server_error").clone_into(&mut body.kind);
    }
    if body.message.is_empty() {
        "the upstream broke off with an error".clone_into(&mut body.message);
    }
    body
}

/// Tallies the texts of a delta, less those that the model did not write. Returns whether there
/// were any.
fn tally(scanner: &mut Scanner<'_>, written: &mut TextTally) -> Result<bool, ScanError> {
    let mut any = false;
    match scanner.kind()? {
        Kind::String => {
            let text = scanner.string()?;
            written.add_quoted(&text);
            any = !text.inner().is_empty();
        }
        Kind::Array => scanner.array(|scanner| {
            any |= tally(scanner, written)?;
            Ok::<_, ScanError>(())
        })?,
        Kind::Object => {
            // Hosts that use both names say the same in both.
            let mut twice = TextTally::default();
            let mut said_reasoning = false;
            scanner.object(|scanner, key| {
                match &*key.name() {
                    b"role" | b"id" | b"type" | b"reasoning_details" | b"extra_content" => {
                        scanner.skip()?;
                    }
                    b"reasoning" => any |= tally(scanner, &mut twice)?,
                    name => {
                        let said = tally(scanner, written)?;
                        said_reasoning |= said && name == b"reasoning_content";
                        any |= said;
                    }
                }
                Ok::<_, ScanError>(())
            })?;
            if !said_reasoning {
                written.ascii += twice.ascii;
                written.cjk += twice.cjk;
                written.other += twice.other;
            }
        }
        Kind::Number | Kind::Bool | Kind::Null => _ = scanner.scalar()?,
    }
    Ok(any)
}

#[cfg(test)]
mod tests;
