//! Errors in the shape that Google's clients parse, and what Google's own say.

use serde_json::{Value, json};

use crate::anthropic::error::{ErrorBody, kind_of_status};

/// Reads an `error` of Google's into the hub's words, which are Anthropic's.
pub(super) fn read(error: &Value) -> ErrorBody {
    let text = |field: &str| error.get(field).and_then(Value::as_str).unwrap_or_default();
    let code = error.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    let kind = match (text("status"), code) {
        ("RESOURCE_EXHAUSTED", _) => "rate_limit_error",
        ("UNAUTHENTICATED", _) => "authentication_error",
        ("PERMISSION_DENIED", _) => "permission_error",
        ("NOT_FOUND", _) => "not_found_error",
        ("DEADLINE_EXCEEDED", _) => "timeout_error",
        ("INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "OUT_OF_RANGE", _) => "invalid_request_error",
        // Google answers so while a model has more to do than it can.
        ("UNAVAILABLE", _) | (_, Some(503)) => "overloaded_error",
        (_, Some(code @ 400..=599)) => kind_of_status(code),
        _ => "api_error",
    };
    let message = error.as_str().unwrap_or_else(|| text("message"));
    let message = if message.is_empty() { "the upstream broke off with an error" } else { message };
    ErrorBody { kind: kind.to_owned(), message: message.to_owned() }
}

/// An error as the body of an answer: `{"error":{"code","message","status"}}`.
pub fn render(status: u16, message: &str) -> Vec<u8> {
    let name = name_of_status(status);
    let body = json!({"error": {"code": status, "message": message, "status": name}});
    body.to_string().into_bytes()
}

/// An error of one of the types of Anthropic's, as Google would state it.
pub fn render_kind(kind: &str, message: &str) -> Vec<u8> {
    let status = match kind {
        "invalid_request_error" => 400,
        "authentication_error" => 401,
        "permission_error" => 403,
        "not_found_error" => 404,
        "rate_limit_error" => 429,
        "overloaded_error" => 503,
        "timeout_error" => 504,
        _ => 500,
    };
    render(status, message)
}

/// The canonical name of a status in Google's APIs.
const fn name_of_status(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        400..=499 => "INVALID_ARGUMENT",
        _ => "INTERNAL",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_google_says_is_read() {
        let kind = |error: Value| read(&error).kind;
        let exhausted = json!({"code": 429, "message": "slow", "status": "RESOURCE_EXHAUSTED"});
        assert_eq!(read(&exhausted).message, "slow");
        assert_eq!(kind(exhausted), "rate_limit_error");
        assert_eq!(kind(json!({"code": 503, "message": "busy"})), "overloaded_error");
        assert_eq!(kind(json!({"status": "INVALID_ARGUMENT"})), "invalid_request_error");
        assert_eq!(kind(json!({"code": 404})), "not_found_error");
        assert_eq!(kind(json!({"code": 99_999})), "api_error");
        let bare = read(&json!("no"));
        assert_eq!((&*bare.kind, &*bare.message), ("api_error", "no"));
        assert_eq!(read(&json!({})).message, "the upstream broke off with an error");
    }

    #[test]
    fn the_shape_is_googles() {
        let body = String::from_utf8(render(429, "later")).expect("text");
        assert_eq!(
            body,
            r#"{"error":{"code":429,"message":"later","status":"RESOURCE_EXHAUSTED"}}"#
        );
    }
}
