//! Anthropic Messages as the fake provider speaks it: what a request asks, and an answer to it.

pub(crate) mod ask;
pub(crate) mod events;
pub(crate) mod reply;

use serde_json::{Value, json};

/// The models that the provider lists.
pub(crate) const MODELS: [(&str, &str, &str); 4] = [
    ("claude-opus-4-8", "Claude Opus 4.8", "2026-05-14T00:00:00Z"),
    ("claude-sonnet-4-6", "Claude Sonnet 4.6", "2026-02-17T00:00:00Z"),
    ("claude-haiku-4-5-20251001", "Claude Haiku 4.5", "2025-10-15T00:00:00Z"),
    ("claude-3-5-haiku-20241022", "Claude Haiku 3.5", "2024-10-22T00:00:00Z"),
];

/// The answer of `GET /v1/models`.
pub(crate) fn models() -> Value {
    let data: Vec<Value> = MODELS.iter().map(model).collect();
    json!({
        "data": data, "has_more": false, "first_id": MODELS[0].0, "last_id": MODELS[MODELS.len() - 1].0,
    })
}

/// The answer of `GET /v1/models/ID`, if there is such a model.
pub(crate) fn model_named(id: &str) -> Option<Value> {
    MODELS.iter().find(|(name, ..)| *name == id).map(model)
}

fn model((id, name, created): &(&str, &str, &str)) -> Value {
    json!({"type": "model", "id": id, "display_name": name, "created_at": created})
}

/// An error in the provider's shape.
pub(crate) fn error_body(kind: &str, message: &str) -> Value {
    json!({
        "type": "error", "error": {"type": kind, "message": message}, "request_id": "req_fake",
    })
}

/// The error type that goes with a status, and the message that the provider gives by default.
pub(crate) fn error_of(status: u16) -> (&'static str, &'static str) {
    match status {
        401 => ("authentication_error", "invalid x-api-key"),
        403 => {
            ("permission_error", "Your credential does not have permission to use this resource.")
        }
        404 => ("not_found_error", "Not found"),
        413 => ("request_too_large", "Request exceeds the maximum size"),
        429 => ("rate_limit_error", "This request would exceed your account's rate limit."),
        504 => ("timeout_error", "The request timed out"),
        529 => ("overloaded_error", "Overloaded"),
        500.. => ("api_error", "Internal server error"),
        _ => ("invalid_request_error", "Invalid request"),
    }
}

/// Tokens of a text by the fake's own measure: one for a Chinese character, one for four others.
pub(crate) fn tokens(text: &str) -> u64 {
    let (wide, narrow) = text.chars().fold((0_u64, 0_u64), |(wide, narrow), character| {
        if u32::from(character) >= 0x2E80 { (wide + 1, narrow) } else { (wide, narrow + 1) }
    });
    wide + narrow.div_ceil(4)
}
