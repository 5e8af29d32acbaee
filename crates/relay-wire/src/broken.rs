//! How each protocol's streams are kept alive, and how they end when an answer breaks off.

use bytes::{Bytes, BytesMut};
use relay_core::protocol::Protocol;
use serde_json::json;

use crate::anthropic::error::{self, ErrorBody};
use crate::hub::{Event, Usage};
use crate::{chat, gemini, responses};

/// A sign of life that is no content.
pub const fn keep_alive(protocol: Protocol) -> &'static [u8] {
    match protocol {
        Protocol::Messages => error::PING,
        Protocol::Chat | Protocol::Responses => b": keep-alive\n\n",
        // Google's clients know neither events of that kind nor comments.
        Protocol::Gemini => b"\n",
    }
}

/// The event that ends a stream which the relay breaks off: what went wrong as one of the types of
/// Anthropic's errors, and in words. `call` is the relay's own name for the call.
pub fn end(protocol: Protocol, error: ErrorBody, call: &str) -> Bytes {
    match protocol {
        Protocol::Messages => error::render_event(&error.kind, &error.message, call),
        Protocol::Chat => {
            let mut out = BytesMut::new();
            let mut writer = chat::answer::Writer::new(chat::Wishes::default(), 0);
            writer.push(Event::Failed { error, usage: Usage::default() }, &mut out);
            out.freeze()
        }
        Protocol::Responses => responses::answer::failed(&error, call),
        Protocol::Gemini => {
            let body = gemini::error::render_kind(&error.kind, &error.message);
            let body = String::from_utf8_lossy(&body);
            Bytes::from(format!("data: {body}\n\n"))
        }
    }
}

/// The body of an answer that is an error, as a client of this protocol reads it.
pub fn body(protocol: Protocol, status: u16, message: &str, call: &str) -> Vec<u8> {
    match protocol {
        Protocol::Messages => error::render(error::kind_of_status(status), message, call),
        Protocol::Chat | Protocol::Responses => crate::openai::error::render(status, message),
        Protocol::Gemini => gemini::error::render(status, message),
    }
}

/// A frame of a WebSocket by which a client of Responses is told that its turn is refused.
pub fn frame(status: u16, body: &[u8], retry_after: Option<&str>) -> String {
    let said: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let error = said.get("error").cloned().unwrap_or(said);
    let mut frame = json!({"type": "error", "status": status, "error": error});
    if let Some(seconds) = retry_after {
        frame["headers"] = json!({"retry-after": seconds});
    }
    frame.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(protocol: Protocol) -> String {
        let error = ErrorBody { kind: "overloaded_error".into(), message: "later".into() };
        String::from_utf8(end(protocol, error, "c1").to_vec()).expect("text")
    }

    #[test]
    fn each_protocol_ends_with_its_own_event() {
        let messages = ended(Protocol::Messages);
        assert!(messages.starts_with("event: error\ndata: {"), "{messages}");
        let chat = ended(Protocol::Chat);
        assert!(chat.starts_with("data: {\"error\":"), "{chat}");
        assert!(chat.ends_with("data: [DONE]\n\n"), "{chat}");
        let responses = ended(Protocol::Responses);
        assert!(responses.starts_with("event: response.failed\ndata: {"), "{responses}");
        assert!(responses.contains("\"status\":\"failed\""), "{responses}");
        let gemini = ended(Protocol::Gemini);
        assert!(gemini.starts_with("data: {\"error\":{\"code\":503"), "{gemini}");
        assert!(!gemini.contains("[DONE]"), "{gemini}");
    }

    #[test]
    fn a_frame_says_what_the_body_of_an_answer_would() {
        let body = body(Protocol::Responses, 429, "slow", "c1");
        let frame: serde_json::Value =
            serde_json::from_str(&frame(429, &body, Some("7"))).expect("JSON");
        assert_eq!(frame["type"], "error");
        assert_eq!(frame["status"], 429);
        assert_eq!(frame["error"]["message"], "slow");
        assert_eq!(frame["headers"]["retry-after"], "7");
    }
}
