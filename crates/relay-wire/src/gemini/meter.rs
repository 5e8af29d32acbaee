//! Follows a stream of Google's that is passed on, beside its bytes: how far it has come, what it
//! used.

use relay_core::usage::Exactness;
use serde_json::Value;

use super::envelope::answer_of;
use super::error;
use super::usage::Stated;
pub use crate::anthropic::meter::{Metered, Phase};
use crate::anthropic::usage::label;
use crate::estimate::TextTally;
use crate::json::{Kind, ScanError, Scanner, members, members_reading};
use crate::sse::Event;

/// Meters one stream, bare or in the envelope of Code Assist. Its size does not grow with the
/// stream's length.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    stated: Stated,
    seen: Seen,
    model: String,
    saw_start: bool,
    /// Whether the answer has stated what it used in all.
    is_stated: bool,
}

/// What the candidates of the events have said.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    written: TextTally,
    content: bool,
    /// Whether the answer has said why it ends.
    reason: bool,
}

impl Meter {
    /// Takes note of the next event and tells what it is.
    ///
    /// There is no event of its own for the end: the one that says why the answer ends, and what it
    /// used, is the last.
    pub fn observe(&mut self, event: &Event<'_>) -> Phase {
        let data = answer_of(event.data.trim_ascii());
        let names = ["candidates", "modelVersion", "usageMetadata", "promptFeedback", "error"];
        let mut seen = self.seen;
        // What cannot be read adds nothing; the client will judge it.
        let told = members_reading(data, names, |index, scanner| match index {
            0 => seen.candidates(scanner),
            _ => scanner.skip(),
        });
        let [candidates, model, usage, feedback, error] = told.unwrap_or_default();
        if let Some(error) = error.filter(|error| *error != b"null") {
            let said: Value = serde_json::from_slice(error).unwrap_or_default();
            return Phase::Error(error::read(&said));
        }
        label(&mut self.model, model);
        self.saw_start |= candidates.is_some() || feedback.is_some();
        if candidates.is_some() {
            self.seen = seen;
        }
        if feedback.is_some_and(is_blocked) {
            self.seen.ends();
        }
        let states = usage.is_some_and(|usage| self.stated.update(usage));
        if self.seen.reason && states {
            self.is_stated = true;
            return Phase::Terminal;
        }
        if self.seen.content { Phase::Content } else { Phase::Preamble }
    }

    /// What the stream used, as far as it has come.
    ///
    /// Exact once it was stated at the end. Before that the input is what was stated, if it was,
    /// and the output the larger of the last statement and the estimate of the parts
    /// ([`crate::estimate::NAME`]).
    pub fn metered(&self) -> Metered {
        let known = Metered::of(self.stated.tokens(), &self.seen.written, self.is_stated);
        Metered { model_served: self.model.clone(), ..known }
    }

    /// The input that was stated, caches included, and the output so far.
    pub fn so_far(&self) -> (u64, u64) {
        let stated = self.stated.tokens();
        (stated.context(), stated.output.max(self.seen.written.tokens()))
    }

    /// Whether any event of an answer was seen.
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

    /// Whether the answer said why it ends: then it is whole, though its use may be unsaid.
    pub const fn saw_reason(&self) -> bool {
        self.seen.reason
    }
}

impl Seen {
    fn ends(&mut self) {
        self.content = true;
        self.reason = true;
    }

    fn candidates(&mut self, scanner: &mut Scanner<'_>) -> Result<(), ScanError> {
        if scanner.kind()? != Kind::Array {
            return scanner.skip();
        }
        scanner.array(|scanner| {
            if scanner.kind()? != Kind::Object {
                return scanner.skip();
            }
            scanner.object(|scanner, key| match &*key.name() {
                b"content" => {
                    self.content |= tally(scanner, &mut self.written)?;
                    Ok(())
                }
                b"finishReason" if scanner.kind()? == Kind::String => {
                    let reason = scanner.string()?;
                    if !matches!(reason.inner(), b"" | b"FINISH_REASON_UNSPECIFIED") {
                        self.ends();
                    }
                    Ok(())
                }
                _ => scanner.skip(),
            })
        })
    }
}

/// Meters a complete JSON answer, bare or in an envelope. `None` if it states no usage.
pub fn unary(body: &[u8]) -> Option<Metered> {
    let names = ["modelVersion", "usageMetadata", "error"];
    let [model, usage, error] = members(answer_of(body), names).ok()?;
    if error.is_some_and(|error| error != b"null") {
        return None;
    }
    let mut stated = Stated::default();
    let is_stated = stated.update(usage?);
    let mut model_served = String::new();
    label(&mut model_served, model);
    is_stated.then(|| Metered {
        usage: stated.tokens(),
        exactness: Exactness::Exact,
        model_served,
        service_tier: String::new(),
        speed: String::new(),
    })
}

/// Whether the prompt was not answered.
fn is_blocked(feedback: &[u8]) -> bool {
    members(feedback, ["blockReason"]).is_ok_and(|[reason]| reason.is_some_and(|it| it != b"null"))
}

/// Tallies the texts of a content, less those that the model did not write or that are no text.
/// Returns whether there were any, or a call.
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
        Kind::Object => scanner.object(|scanner, key| match &*key.name() {
            b"role" | b"id" | b"mimeType" | b"thoughtSignature" => scanner.skip(),
            // The bytes of a picture are of the answer, but no text.
            b"data" => {
                any = true;
                scanner.skip()
            }
            _ => {
                any |= tally(scanner, written)?;
                Ok(())
            }
        })?,
        Kind::Number | Kind::Bool | Kind::Null => _ = scanner.scalar()?,
    }
    Ok(any)
}

#[cfg(test)]
mod tests;
