//! OpenAI's protocols as the fake provider speaks them, its own and ChatGPT's for Codex.

pub(crate) mod ask;
pub(crate) mod chat;
pub(crate) mod codex;
pub(crate) mod events;
pub(crate) mod others;
pub(crate) mod responses;

use serde_json::{Value, json};

/// When everything was made, in seconds since the Unix epoch.
pub(crate) const CREATED: u64 = 1_790_000_000;

/// The models that the provider lists.
const MODELS: [&str; 4] = ["gpt-5.4", "gpt-5-codex", "gpt-5-mini", "text-embedding-3-small"];

/// The answer of `GET /v1/models`.
pub(crate) fn models() -> Value {
    json!({"object": "list", "data": MODELS.map(model)})
}

/// The answer of `GET /v1/models/ID`, if there is such a model.
pub(crate) fn model_named(id: &str) -> Option<Value> {
    MODELS.iter().find(|name| **name == id).map(|name| model(name))
}

fn model(id: &str) -> Value {
    json!({"id": id, "object": "model", "created": CREATED, "owned_by": "openai"})
}

/// An error in the provider's shape.
pub(crate) fn error_body(kind: &str, code: &str, message: &str) -> Value {
    json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
}

/// An error of this status; an empty message stands for the usual one.
pub(crate) fn usual_error(status: u16, message: &str) -> Value {
    let (kind, code, usual) = error_of(status);
    error_body(kind, code, if message.is_empty() { usual } else { message })
}

/// Type and code of the error that goes with a status, and its usual message.
pub(crate) fn error_of(status: u16) -> (&'static str, &'static str, &'static str) {
    match status {
        401 => ("invalid_request_error", "invalid_api_key", "Incorrect API key provided"),
        403 => ("invalid_request_error", "permission_denied", "You have insufficient permissions."),
        404 => ("invalid_request_error", "model_not_found", "The model does not exist"),
        429 => ("requests", "rate_limit_exceeded", "Rate limit reached for requests"),
        503 | 529 => (
            "service_unavailable_error",
            "server_is_overloaded",
            "Our servers are currently overloaded. Please try again later.",
        ),
        500.. => ("server_error", "server_error", "The server had an error"),
        _ => ("invalid_request_error", "invalid_value", "Invalid request"),
    }
}
