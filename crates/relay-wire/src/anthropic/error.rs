//! Errors in the shape that Anthropic's clients read, and the ping that keeps a stream alive.

use bytes::Bytes;
use serde_json::{Value, json};

/// A `ping` event as Anthropic sends it: no content, understood by every client.
pub const PING: &[u8] = b"event: ping\ndata: {\"type\": \"ping\"}\n\n";

/// What an error says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ErrorBody {
    /// The error's `type`, such as `overloaded_error`; empty if not stated.
    pub kind: String,
    /// The words for people; empty if there are none.
    pub message: String,
}

/// Reads the error out of a body or an event.
///
/// Compatible hosts also send `{"error":{"message":…}}` without types and `{"error":"text"}`, ChatGPT's
/// upstream `{"detail":"text"}`. `None` if it is not JSON or has neither.
pub fn parse(body: &[u8]) -> Option<ErrorBody> {
    let body: Value = serde_json::from_slice(body).ok()?;
    match body.get("error").or_else(|| body.get("detail"))? {
        Value::String(message) => Some(ErrorBody { kind: String::new(), message: message.clone() }),
        error @ Value::Object(_) => {
            let text = |field: &str| error.get(field).and_then(Value::as_str).unwrap_or_default();
            Some(ErrorBody { kind: text("type").into(), message: text("message").into() })
        }
        _ => None,
    }
}

/// The `type` of an error that is answered with this status.
///
/// The list is Anthropic's; a status that is not on it goes by its hundred.
pub const fn kind_of_status(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        529 => "overloaded_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    }
}

/// The body of an error answer.
pub fn render(kind: &str, message: &str, request_id: &str) -> Vec<u8> {
    let error = json!({"type": kind, "message": message});
    json!({"type": "error", "error": error, "request_id": request_id}).to_string().into_bytes()
}

/// The event that ends a stream with an error.
pub fn render_event(kind: &str, message: &str, request_id: &str) -> Bytes {
    let body = render(kind, message, request_id);
    Bytes::from([b"event: error\ndata: ", body.as_slice(), b"\n\n"].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_shape_is_read() {
        let read = |body: &str| parse(body.as_bytes()).map(|error| (error.kind, error.message));
        let both = |kind: &str, message: &str| Some((kind.to_owned(), message.to_owned()));
        assert_eq!(
            read(r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#),
            both("overloaded_error", "Overloaded")
        );
        assert_eq!(
            read(r#"{"error":{"message":"模型不存在","type":null,"code":7}}"#),
            both("", "模型不存在")
        );
        assert_eq!(read(r#"{"error":"no such model"}"#), both("", "no such model"));
        assert_eq!(read(r#"{"detail":"not this model"}"#), both("", "not this model"));
        assert_eq!(read(r#"{"error":{}}"#), both("", ""));
        for other in [r#"{"error":null}"#, r#"{"type":"message"}"#, "[]", "Bad Gateway", ""] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn a_rendered_error_is_native_and_reads_back() {
        let body = render("rate_limit_error", "say \"please\"\n", "req_1");
        insta::assert_snapshot!(
            String::from_utf8_lossy(&body),
            @r#"{"type":"error","error":{"type":"rate_limit_error","message":"say \"please\"\n"},"request_id":"req_1"}"#
        );
        assert_eq!(parse(&body).unwrap().message, "say \"please\"\n");
    }

    #[test]
    fn an_event_is_one_line_of_data() {
        let event = render_event("api_error", "two\nlines\r\n", "req_1");
        let mut framer = crate::sse::SseFramer::new(1_000);
        let batch = framer.push(event.clone()).unwrap();
        let events: Vec<_> = batch.events().collect();
        assert_eq!(events.len(), 1);
        assert_eq!((events[0].name, events[0].end), (Some(&b"error"[..]), event.len()));
        assert_eq!(parse(&events[0].data).unwrap().message, "two\nlines\r\n");
    }

    #[test]
    fn statuses_off_the_list_go_by_their_hundred() {
        let kinds = [400, 402, 413, 429, 500, 503, 504, 529].map(kind_of_status);
        assert_eq!(
            kinds,
            [
                "invalid_request_error",
                "invalid_request_error",
                "request_too_large",
                "rate_limit_error",
                "api_error",
                "api_error",
                "timeout_error",
                "overloaded_error",
            ]
        );
    }
}
