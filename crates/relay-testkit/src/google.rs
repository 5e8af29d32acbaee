//! Google's protocols as the fake provider speaks them: Gemini's own, and Code Assist.

pub(crate) mod answer;
pub(crate) mod ask;
pub(crate) mod assist;

use serde_json::{Value, json};

/// The models that the provider lists.
const MODELS: [(&str, &str); 3] = [
    ("gemini-3-pro", "Gemini 3 Pro"),
    ("gemini-3-flash", "Gemini 3 Flash"),
    ("gemini-2.5-pro", "Gemini 2.5 Pro"),
];

/// The answer of `GET /v1beta/models`.
pub(crate) fn models() -> Value {
    json!({"models": MODELS.iter().map(model).collect::<Vec<_>>()})
}

/// The answer of `GET /v1beta/models/ID`, if there is such a model.
pub(crate) fn model_named(id: &str) -> Option<Value> {
    MODELS.iter().find(|(name, _)| *name == id).map(model)
}

fn model((id, name): &(&str, &str)) -> Value {
    json!({
        "name": format!("models/{id}"), "version": "001", "displayName": name,
        "inputTokenLimit": 1_048_576, "outputTokenLimit": 65_536,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
    })
}

/// An error in the provider's shape.
pub(crate) fn error_body(code: u16, status: &str, message: &str) -> Value {
    json!({"error": {"code": code, "message": message, "status": status}})
}

/// An error of this status; an empty message stands for the usual one.
pub(crate) fn usual_error(code: u16, message: &str) -> Value {
    let (status, usual) = error_of(code);
    error_body(code, status, if message.is_empty() { usual } else { message })
}

/// The name of a status, and its usual message.
fn error_of(code: u16) -> (&'static str, &'static str) {
    match code {
        401 => ("UNAUTHENTICATED", "Request had invalid authentication credentials."),
        403 => ("PERMISSION_DENIED", "The caller does not have permission"),
        404 => ("NOT_FOUND", "Requested entity was not found."),
        429 => ("RESOURCE_EXHAUSTED", "You exceeded your current quota."),
        503 | 529 => ("UNAVAILABLE", "The model is overloaded. Please try again later."),
        504 => ("DEADLINE_EXCEEDED", "Deadline expired before operation could complete."),
        500.. => ("INTERNAL", "An internal error has occurred."),
        _ => ("INVALID_ARGUMENT", "Request contains an invalid argument."),
    }
}

/// The code that goes with the name of a status.
pub(crate) fn code_of(status: &str) -> u16 {
    let known = [400, 401, 403, 404, 429, 500, 503, 504];
    known.into_iter().find(|code| error_of(*code).0 == status).unwrap_or(500)
}
