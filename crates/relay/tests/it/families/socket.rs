//! Responses over a WebSocket: every message is a call of its own, and what refuses one is told on
//! the open socket.

mod frames;
mod turns;

use relay_testkit::{FakeProvider, Heard, WebSocket};
use serde_json::{Value, json};

use super::{ASKED, Upstream, relay};
use crate::kit::TestRelay;

const PATH: &str = "/openai/responses";
/// Accounts that speak Responses, one that does so only in its own way, and one that does not.
const UPSTREAMS: [Upstream; 3] = [Upstream::Openai, Upstream::ChatGpt, Upstream::ClaudeApi];

/// A relay with an open socket.
struct Site {
    provider: FakeProvider,
    relay: TestRelay,
    socket: WebSocket,
}

impl Site {
    async fn with(upstream: Upstream) -> Self {
        Self::start(upstream, &["a", "b"], &[]).await
    }

    async fn start(upstream: Upstream, names: &[&str], settings: &[(&str, &str)]) -> Self {
        let provider = FakeProvider::start().await;
        let relay = relay(&provider, upstream, names, settings).await;
        let socket = relay.client.websocket(PATH, &[]).await.expect("a socket");
        Self { provider, relay, socket }
    }

    /// A turn that is answered so.
    async fn says(&mut self, text: &str) -> Value {
        let events = self.socket.turn(&create(&format!("[[say {text}]]"))).await;
        assert_eq!(said(&events), text, "{events:#?}");
        completed(&events)
    }

    /// A turn that is refused: its one frame.
    async fn is_refused(&mut self, message: &Value, status: u16, says: &str) -> Value {
        let mut events = self.socket.turn(message).await;
        assert_eq!(events.len(), 1, "{events:#?}");
        let frame = events.remove(0);
        assert_eq!(
            (&frame["type"], &frame["status"]),
            (&json!("error"), &json!(status)),
            "{frame}"
        );
        let message = frame["error"]["message"].as_str().expect("a message");
        assert!(message.contains(says), "{frame}");
        frame
    }

    /// How many calls of all keys hold a slot.
    fn holds(&self) -> u32 {
        self.relay.app.keys.in_flight().iter().map(|(_, calls)| calls).sum()
    }

    /// Waits for the last record.
    async fn settled(&self) -> relay_core::usage::CallRecord {
        self.relay.app.shutdown.until_no_call_is_open().await;
        self.relay.records().pop().expect("a record")
    }
}

/// A request for an answer to this text.
fn create(text: &str) -> Value {
    let content = json!([{"type": "input_text", "text": text}]);
    let input = json!([{"type": "message", "role": "user", "content": content}]);
    json!({"type": "response.create", "model": ASKED, "input": input, "store": false})
}

/// One that goes on from an answer.
fn after(id: &str, text: &str) -> Value {
    let mut message = create(text);
    message["previous_response_id"] = json!(id);
    message
}

fn named(events: &[Value], kind: &str) -> usize {
    events.iter().filter(|event| event["type"] == kind).count()
}

/// The text of an answer.
fn said(events: &[Value]) -> String {
    let deltas = events.iter().filter(|it| it["type"] == "response.output_text.delta");
    deltas.filter_map(|event| event["delta"].as_str()).collect()
}

/// The response that the events of a turn end with.
fn completed(events: &[Value]) -> Value {
    let counts = ["response.created", "response.completed"].map(|kind| named(events, kind));
    assert_eq!(counts, [1, 1], "{events:#?}");
    let last = events.last().expect("events");
    assert_eq!(last["type"], "response.completed", "{events:#?}");
    last["response"].clone()
}

fn id_of(response: &Value) -> String {
    response["id"].as_str().expect("an id").to_owned()
}

/// Reads until something is said.
async fn until_content(socket: &mut WebSocket) {
    while socket.next_json().await["type"] != "response.output_text.delta" {}
}

/// Reads on to the close frame.
async fn until_closed(socket: &mut WebSocket) -> (u16, String) {
    loop {
        match socket.next().await {
            Heard::Close(code, reason) => return (code, reason),
            Heard::Gone => panic!("the connection ended without a word"),
            Heard::Text(_) | Heard::Binary(_) => {}
        }
    }
}
