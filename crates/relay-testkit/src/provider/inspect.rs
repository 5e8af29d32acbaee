//! The log over HTTP, for test scripts in other languages.

use serde_json::{Value, json};

use super::State;
use super::log::{SeenRequest, Served};
use crate::answer::Answer;

/// Answers `/__served`, `/__requests` and `/__reset`; these are not in the log themselves.
pub(super) fn answer(seen: &SeenRequest, state: &State) -> Option<Answer> {
    let body = match (seen.method.as_str(), seen.path()) {
        ("GET", "/__served") => {
            Value::from(state.log.served().iter().map(Served::to_json).collect::<Vec<_>>())
        }
        ("GET", "/__requests") => {
            Value::from(state.log.requests().iter().map(SeenRequest::to_json).collect::<Vec<_>>())
        }
        ("POST", "/__reset") => {
            state.reset();
            json!({})
        }
        _ => return None,
    };
    Some(Answer::status(200).json(&body))
}
