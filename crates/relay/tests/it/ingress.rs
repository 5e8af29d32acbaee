//! The way in: addresses, keys, bodies, and how what is wrong is told.

mod addresses;
mod auth;
mod bodies;
mod cors;
mod counting;
mod errors;
mod memory;
mod models;
mod protocol;

use relay_testkit::{Incoming, MessagesBody, RawSocket, Received, messages_body};
use serde_json::Value;

use crate::kit::TestRelay;

const MESSAGES: &str = "/api/v1/messages";

fn hello() -> MessagesBody {
    messages_body("claude-sonnet-4-6", "[[say hi]]")
}

/// A connection on which this was sent.
async fn sent(relay: &TestRelay, bytes: impl AsRef<[u8]>) -> RawSocket {
    let mut socket = relay.client.connect().await.expect("a connection");
    socket.send(bytes.as_ref()).await.expect("sent");
    socket
}

/// The next answer on a connection.
async fn answer(socket: RawSocket) -> Incoming {
    socket.answer().await.expect("an answer")
}

/// Demands Anthropic's error shape and gives the words.
fn anthropic_error(answer: &Received, status: u16, kind: &str) -> String {
    let body = answer.json();
    assert_eq!(answer.status, status, "{body}");
    assert_eq!(body["type"], "error", "{body}");
    assert_eq!(body["error"]["type"], kind, "{body}");
    assert_eq!(body["request_id"], answer.header("x-crs-request-id"), "{body}");
    assert_eq!(answer.header("content-type"), "application/json");
    words(&body["error"]["message"])
}

/// Demands OpenAI's error shape and gives the words.
fn openai_error(answer: &Received, status: u16) -> String {
    let body = answer.json();
    assert_eq!(answer.status, status, "{body}");
    let names: Vec<_> = body["error"].as_object().expect("an object").keys().collect();
    assert_eq!(names, ["message", "type", "param", "code"], "{body}");
    words(&body["error"]["message"])
}

/// Demands Google's error shape and gives the words.
fn gemini_error(answer: &Received, status: u16) -> String {
    let body = answer.json();
    assert_eq!(answer.status, status, "{body}");
    assert_eq!(body["error"]["code"], status, "{body}");
    assert!(!words(&body["error"]["status"]).is_empty());
    words(&body["error"]["message"])
}

fn words(value: &Value) -> String {
    value.as_str().expect("words").to_owned()
}
