//! Errors in the shape that OpenAI's clients parse.

use serde_json::json;

/// An error as the body of an answer: `{"error":{"message","type","param","code"}}`.
pub fn render(status: u16, message: &str) -> Vec<u8> {
    let (kind, code) = kind_of_status(status);
    let body = json!({"error": {"message": message, "type": kind, "param": null, "code": code}});
    body.to_string().into_bytes()
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
    fn the_shape_is_openais() {
        let body = String::from_utf8(render(401, "no \"key\"")).expect("text");
        assert_eq!(
            body,
            r#"{"error":{"message":"no \"key\"","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#
        );
    }
}
