//! Errors in the shape that OpenAI's clients parse.

use serde_json::json;

use crate::hub::NotStored;

/// An error as the body of an answer: `{"error":{"message","type","param","code"}}`.
pub fn render(status: u16, message: &str) -> Vec<u8> {
    let (kind, code) = kind_of_status(status);
    let body = json!({"error": {"message": message, "type": kind, "param": null, "code": code}});
    body.to_string().into_bytes()
}

/// The same for what a provider would have to have stored: clients go by its field and code.
pub fn render_missing(status: u16, missing: &NotStored) -> Vec<u8> {
    let (kind, _) = kind_of_status(status);
    let NotStored { message, param, code } = missing;
    let body = json!({"error": {"message": message, "type": kind, "param": param, "code": code}});
    body.to_string().into_bytes()
}

/// A limit that does not pass in a moment, as ChatGPT's upstream tells it: with the moment (in seconds
/// since the Unix epoch) and the seconds until then, or as a quota that is spent.
pub fn render_limit(message: &str, resets: Option<(i64, u64)>) -> Vec<u8> {
    let error = match resets {
        Some((at, seconds)) => json!({
            "message": message,
            "type": "usage_limit_reached",
            "param": null,
            "code": "rate_limit_exceeded",
            "resets_at": at,
            "resets_in_seconds": seconds,
        }),
        None => json!({
            "message": message,
            "type": "insufficient_quota",
            "param": null,
            "code": "insufficient_quota",
        }),
    };
    json!({ "error": error }).to_string().into_bytes()
}

/// `type` and `code` of a status, as OpenAI's own server sends them.
const fn kind_of_status(status: u16) -> (&'static str, Option<&'static str>) {
    match status {
        401 => ("invalid_request_error", Some("invalid_api_key")),
        403 => ("permission_error", None),
        404 => ("invalid_request_error", Some("not_found")),
        429 => ("rate_limit_error", Some("rate_limit_exceeded")),
        400..=499 => ("invalid_request_error", None),
        _ => ("server_error", None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_says_when_it_passes() {
        let body =
            String::from_utf8(render_limit("spent", Some((1_800_000_060, 60)))).expect("text");
        assert!(body.contains(r#""type":"usage_limit_reached""#), "{body}");
        assert!(body.contains(r#""resets_at":1800000060,"resets_in_seconds":60"#), "{body}");
        let never = String::from_utf8(render_limit("spent", None)).expect("text");
        assert!(never.contains(r#""type":"insufficient_quota""#), "{never}");
    }

    #[test]
    fn the_shape_is_openais() {
        let body = String::from_utf8(render(401, "no \"key\"")).expect("text");
        assert_eq!(
            body,
            r#"{"error":{"message":"no \"key\"","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#
        );
    }
}
