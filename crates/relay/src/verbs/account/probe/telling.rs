//! An answer that comes piece by piece, told as it comes.

use bytes::Bytes;
use relay_core::protocol::Protocol;
use relay_core::secret::Secret;
use relay_wire::meter::{Meter, Metered, Phase};
use relay_wire::sse::SseFramer;
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;

/// The largest event that is read.
const EVENT_BYTES_MAX: usize = 1 << 20;

/// Follows a stream and tells its text.
pub(super) struct Telling<'a> {
    protocol: Protocol,
    secret: &'a Secret,
    pieces: &'a UnboundedSender<String>,
    framer: SseFramer,
    meter: Meter,
    text: String,
    error: Option<String>,
}

/// What came of a stream.
pub(super) struct Told {
    /// All of its text; `None` if it was no answer.
    pub(super) text: Option<String>,
    /// What it used.
    pub(super) metered: Metered,
    /// What the upstream said when it gave up.
    pub(super) error: Option<String>,
}

impl<'a> Telling<'a> {
    pub(super) fn new(
        protocol: Protocol,
        secret: &'a Secret,
        pieces: &'a UnboundedSender<String>,
    ) -> Self {
        Self {
            protocol,
            secret,
            pieces,
            framer: SseFramer::new(EVENT_BYTES_MAX),
            meter: Meter::of(protocol),
            text: String::new(),
            error: None,
        }
    }

    /// Takes what came; says whether the answer is at its end.
    pub(super) fn hears(&mut self, chunk: Bytes) -> bool {
        let Ok(batch) = self.framer.push(chunk) else { return true };
        for event in batch.events() {
            let phase = self.meter.observe(&event);
            if let Some(piece) = piece(self.protocol, &event.data).filter(|it| !it.is_empty()) {
                let piece = piece.replace(self.secret.expose(), "…");
                self.text.push_str(&piece);
                // Who left is told nothing more, and the test ends with them.
                let _ = self.pieces.send(piece);
            }
            match phase {
                Phase::Preamble | Phase::Content => {}
                Phase::Terminal => return true,
                Phase::Error(error) => {
                    self.error = Some(error.message);
                    return true;
                }
            }
        }
        false
    }

    /// What came of it.
    pub(super) fn told(self) -> Told {
        let is_answer = self.meter.saw_start() || self.meter.content_seen();
        Told {
            text: is_answer.then_some(self.text),
            metered: self.meter.metered(),
            error: self.error,
        }
    }
}

/// The text that an event adds to the answer.
fn piece(protocol: Protocol, data: &[u8]) -> Option<String> {
    let event: Value = serde_json::from_slice(data).ok()?;
    let kind = event.get("type").and_then(Value::as_str);
    let text = match protocol {
        Protocol::Messages => event.get("delta")?.get("text")?,
        Protocol::Chat => event.get("choices")?.get(0)?.get("delta")?.get("content")?,
        Protocol::Responses if kind == Some("response.output_text.delta") => event.get("delta")?,
        Protocol::Responses => return None,
        Protocol::Gemini => {
            let parts = event.get("candidates")?.get(0)?.get("content")?.get("parts")?;
            let texts = parts.as_array()?.iter().filter_map(|part| part.get("text")?.as_str());
            return Some(texts.collect());
        }
    };
    text.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_the_text_of_each_protocols_events() {
        let said = |protocol, data: &str| piece(protocol, data.as_bytes());
        let delta = r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"ok"}}"#;
        assert_eq!(said(Protocol::Messages, delta).as_deref(), Some("ok"));
        let chat = r#"{"choices":[{"delta":{"content":"ok"}}]}"#;
        assert_eq!(said(Protocol::Chat, chat).as_deref(), Some("ok"));
        let responses = r#"{"type":"response.output_text.delta","delta":"ok"}"#;
        assert_eq!(said(Protocol::Responses, responses).as_deref(), Some("ok"));
        let reasoning = r#"{"type":"response.reasoning_summary_text.delta","delta":"hm"}"#;
        assert_eq!(said(Protocol::Responses, reasoning), None);
        let gemini = r#"{"candidates":[{"content":{"parts":[{"text":"o"},{"text":"k"}]}}]}"#;
        assert_eq!(said(Protocol::Gemini, gemini).as_deref(), Some("ok"));
        assert_eq!(said(Protocol::Chat, "[DONE]"), None);
    }
}
