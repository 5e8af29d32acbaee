//! Errors in the shape that Google's clients parse.

use serde_json::json;

/// An error as the body of an answer: `{"error":{"code","message","status"}}`.
pub fn render(status: u16, message: &str) -> Vec<u8> {
    let name = name_of_status(status);
    let body = json!({"error": {"code": status, "message": message, "status": name}});
    body.to_string().into_bytes()
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
    fn the_shape_is_googles() {
        let body = String::from_utf8(render(429, "later")).expect("text");
        assert_eq!(
            body,
            r#"{"error":{"code":429,"message":"later","status":"RESOURCE_EXHAUSTED"}}"#
        );
    }
}
