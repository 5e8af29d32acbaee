//! Responses over a WebSocket: each message of a client is a request, each frame back an event.
//!
//! Shapes: <https://platform.openai.com/docs/guides/websocket-mode>, and what Codex 0.169 sends.

use bytes::Bytes;
use relay_core::payload::PayloadRule;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::edit::{self, EditError, Missing};
use crate::hub::NotStored;
use crate::json::members;
use crate::sse::Event;

/// What a client's message asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// The request, as it would come by POST, with everything that it builds on.
    pub body: Bytes,
    /// Whether an answer is wanted: a warm-up only leaves its input for the next turn.
    pub generates: bool,
    /// Its input and what that builds on, item by item.
    input: Vec<Box<str>>,
}

/// Why a message is no turn. The text is for the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TurnError {
    /// Not JSON, or of a form that is none of a request.
    #[error(transparent)]
    Malformed(#[from] EditError),
    /// Another message than a request.
    #[error("the message is not of type response.create")]
    NoRequest,
    /// It goes on from an answer that was not given on this socket last.
    #[error(transparent)]
    NotStored(NotStored),
}

/// What the next turn of a socket can build on: its last answer.
#[derive(Debug, Default)]
pub struct Memory {
    last: Option<Last>,
}

#[derive(Debug)]
struct Last {
    id: String,
    items: Vec<Box<str>>,
}

/// The items and the name of an answer, as its events tell them.
#[derive(Debug, Default)]
pub struct Heard {
    id: Option<String>,
    items: Vec<Box<str>>,
}

impl Memory {
    /// Reads a message.
    pub fn turn(&self, message: &Bytes) -> Result<Turn, TurnError> {
        let names = ["type", "generate", "previous_response_id", "input"];
        let [kind, generate, previous, input] = members(message, names).unwrap_or_default();
        if kind.is_some_and(|kind| kind != br#""response.create""#) {
            return Err(TurnError::NoRequest);
        }
        let previous: Option<String> = previous.and_then(|it| serde_json::from_slice(it).ok());
        let mut items = match &previous {
            Some(id) => self.items(id)?,
            None => Vec::new(),
        };
        let given = items_of(input);
        let is_list = given.is_some();
        items.extend(given.unwrap_or_default());
        let mut rules: Vec<PayloadRule> = ["type", "generate", "previous_response_id"]
            .iter()
            .filter_map(|name| Some(PayloadRule::Drop { path: name.parse().ok()? }))
            .collect();
        let set = |name: &str, json: String| {
            name.parse().ok().map(|path| PayloadRule::Set { path, json })
        };
        rules.extend(set("stream", "true".to_owned()));
        if previous.is_some() && is_list {
            rules.extend(set("input", format!("[{}]", items.join(","))));
        }
        let body = edit::apply(message, &rules, Missing::Add)?.unwrap_or_else(|| message.clone());
        Ok(Turn { body, generates: generate != Some(b"false"), input: items })
    }

    fn items(&self, id: &str) -> Result<Vec<Box<str>>, TurnError> {
        let last = self.last.as_ref().filter(|last| last.id == id);
        last.map(|last| last.items.clone()).ok_or_else(|| {
            TurnError::NotStored(NotStored {
                message: format!("Previous response with id '{id}' not found."),
                param: "previous_response_id".to_owned(),
                code: Some("previous_response_not_found"),
            })
        })
    }

    /// How many bytes are remembered.
    pub fn bytes(&self) -> usize {
        self.last.as_ref().map_or(0, |last| last.items.iter().map(|item| item.len()).sum())
    }

    /// Remembers a turn and its answer in place of what was before, unless that is more than
    /// `bytes_max`; without an answer of a name, nothing is.
    pub fn learn(&mut self, turn: Turn, heard: Heard, bytes_max: usize) {
        let mut items = turn.input;
        items.extend(heard.items);
        self.last = heard.id.map(|id| Last { id, items });
        if self.bytes() > bytes_max {
            self.last = None;
        }
    }
}

impl Heard {
    /// The answer to a warm-up: no items, under a name of the relay's.
    pub fn warm_up(id: &str) -> Self {
        Self { id: Some(id.to_owned()), items: Vec::new() }
    }

    /// Takes note of an event.
    pub fn observe(&mut self, event: &Event<'_>) {
        let names = ["type", "item", "response"];
        let [kind, item, response] = members(&event.data, names).unwrap_or_default();
        match (kind, item, response) {
            (Some(br#""response.output_item.done""#), Some(item), _) => {
                self.items.extend(str::from_utf8(item).ok().map(Box::from));
            }
            (Some(br#""response.completed""#), _, Some(response)) => {
                let id = members(response, ["id"]).ok().and_then(|[id]| id);
                self.id = id.and_then(|id| serde_json::from_slice(id).ok());
            }
            _ => {}
        }
    }
}

/// The items of an input; `None` if it is not given as a list.
fn items_of(input: Option<&[u8]>) -> Option<Vec<Box<str>>> {
    let items: Vec<Box<RawValue>> = serde_json::from_slice(input?).ok()?;
    Some(items.into_iter().map(|item| item.get().into()).collect())
}

/// The frames that answer a warm-up: an answer without a word, which the next turn can build on.
pub fn warm_up_frames(id: &str, model: &str, created_seconds: i64) -> [String; 2] {
    let response = |status: &str, usage: Value| {
        json!({
            "id": id,
            "object": "response",
            "created_at": created_seconds,
            "status": status,
            "model": model,
            "output": [],
            "usage": usage,
        })
    };
    let usage = json!({
        "input_tokens": 0,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 0,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 0,
    });
    [
        json!({
            "type": "response.created",
            "sequence_number": 0,
            "response": response("in_progress", Value::Null),
        }),
        json!({
            "type": "response.completed",
            "sequence_number": 1,
            "response": response("completed", usage),
        }),
    ]
    .map(|frame| frame.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sse::SseFramer;

    fn message(json: &str) -> Bytes {
        Bytes::copy_from_slice(json.as_bytes())
    }

    fn heard(stream: &str) -> Heard {
        let batch = SseFramer::new(1 << 20).push(message(stream)).expect("small");
        let mut heard = Heard::default();
        batch.events().for_each(|event| heard.observe(&event));
        heard
    }

    #[test]
    fn a_message_is_a_request_without_what_is_the_sockets() {
        let sent =
            r#"{"type":"response.create", "model":"m","input":[ {"a":1.0e2} ],"generate":false}"#;
        let turn = Memory::default().turn(&message(sent)).expect("a turn");
        assert_eq!(turn.body, r#"{"model":"m","input":[ {"a":1.0e2} ],"stream":true}"#);
        assert!(!turn.generates);
        let other = Memory::default().turn(&message(r#"{"type":"session.update"}"#));
        assert_eq!(other, Err(TurnError::NoRequest));
        assert!(matches!(Memory::default().turn(&message("[")), Err(TurnError::Malformed(_))));
    }

    #[test]
    fn a_turn_goes_on_from_the_last_answer_and_from_no_other() {
        let mut memory = Memory::default();
        let first = message(r#"{"type":"response.create","model":"m","input":[{"q":1}]}"#);
        let turn = memory.turn(&first).expect("a turn");
        let answer = "data: {\"type\":\"response.output_item.done\",\"item\":{\"a\": 1}}\n\n\
             data: {\"type\":\"response.completed\",\"response\":{\"id\":\"r1\"}}\n\n";
        memory.learn(turn, heard(answer), 1_000);
        let next = r#"{"type":"response.create","previous_response_id":"r1","input":[{"q":2}]}"#;
        let turn = memory.turn(&message(next)).expect("a turn");
        assert_eq!(turn.body, r#"{"input":[{"q":1},{"a": 1},{"q":2}],"stream":true}"#);
        let unknown = next.replace("r1", "r0");
        let refused = memory.turn(&message(&unknown)).expect_err("a refusal");
        assert!(
            matches!(refused, TurnError::NotStored(it) if it.code == Some("previous_response_not_found"))
        );
        memory.learn(turn, Heard::default(), 1_000);
        assert!(
            memory.turn(&message(next)).is_err(),
            "an answer that failed is nothing to build on"
        );
    }

    #[test]
    fn what_is_too_much_to_remember_is_forgotten() {
        let mut memory = Memory::default();
        let turn = memory.turn(&message(r#"{"input":["0123456789"]}"#)).expect("a turn");
        memory.learn(turn.clone(), Heard::warm_up("w"), 12);
        assert_eq!(memory.bytes(), 12);
        memory.learn(turn, Heard::warm_up("w"), 11);
        assert_eq!(memory.bytes(), 0);
    }

    #[test]
    fn a_warm_up_is_answered_by_the_events_that_an_answer_has() {
        let [created, completed] = warm_up_frames("resp_1", "m", 7);
        assert!(created.contains("response.created") && created.contains("in_progress"));
        let completed: Value = serde_json::from_str(&completed).expect("JSON");
        assert_eq!(completed["response"]["id"], "resp_1");
        assert_eq!(completed["response"]["usage"]["total_tokens"], 0);
    }
}
