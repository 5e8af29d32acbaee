//! Clients of every kind, which ask again when the relay is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use relay_core::id::SessionId;
use relay_testkit::{Client, Ending, Incoming, messages_body};
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::heavy::site::{MESSAGES, SONNET};

/// Clients that call at the same time.
const CLIENTS: usize = 16;
/// How long the relay may be away.
const AWAY_MAX: Duration = Duration::from_secs(30);
/// When a client without patience leaves.
const PATIENCE: Duration = Duration::from_millis(60);
const HAIKU: &str = "claude-haiku-4-5";
const KEYS: [&str; 3] = ["ann", "bob", "cem"];

/// Calls that are being made.
pub(super) struct Traffic {
    address: watch::Sender<String>,
    clients: Vec<JoinHandle<Vec<Try>>>,
}

/// One request of a client, and what came of it.
#[derive(Debug)]
pub(super) struct Try {
    /// Stands in the request as `[[call N]]`, as `max_tokens` and as the session.
    pub(super) number: u64,
    pub(super) key: &'static str,
    pub(super) came: Came,
}

/// What a client has of an answer.
#[derive(Debug)]
pub(super) enum Came {
    /// No answer: the connection failed, or the client left before.
    Nothing,
    /// A refusal.
    Refusal,
    /// The beginning: the relay was killed, the upstream broke off, or the client left.
    Part,
    /// All of it.
    Whole { id: String, body: Bytes },
}

impl Try {
    /// How the relay writes the session of this try, by its key's number.
    pub(super) fn session_of(&self, key: i64) -> String {
        let mut hasher = Sha256::new();
        hasher.update(key.to_be_bytes());
        hasher.update(session(self.number));
        let hash = hasher.finalize();
        SessionId(*hash.first_chunk().expect("a hash is longer")).to_string()
    }
}

/// The number in `[[call N]]`.
pub(super) fn number_of(call: Option<&str>) -> Option<u64> {
    call?.parse().ok()
}

fn session(number: u64) -> String {
    format!("session-of-try-{number}")
}

impl Traffic {
    /// Begins to make so many calls.
    pub(super) fn start(address: &str, keys: &[String], calls: u64) -> Self {
        let address = watch::Sender::new(address.to_owned());
        let (next_call, next_try) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(1)));
        let client = |_| {
            let mut visitor = Visitor {
                address: address.subscribe(),
                keys: keys.to_vec(),
                next_try: Arc::clone(&next_try),
                tries: Vec::new(),
            };
            let next_call = Arc::clone(&next_call);
            tokio::spawn(async move {
                loop {
                    let call = next_call.fetch_add(1, Ordering::Relaxed);
                    if call >= calls {
                        return visitor.tries;
                    }
                    visitor.call(call).await;
                }
            })
        };
        let clients = (0..CLIENTS).map(client).collect();
        Self { address, clients }
    }

    /// Tells the clients where the relay is now.
    pub(super) fn relay_moved_to(&self, address: &str) {
        self.address.send_replace(address.to_owned());
    }

    /// Waits until every call was answered.
    pub(super) async fn ended(self) -> Vec<Try> {
        let mut tries = Vec::new();
        for client in self.clients {
            tries.extend(client.await.expect("no client panics"));
        }
        tries
    }
}

/// One client.
struct Visitor {
    address: watch::Receiver<String>,
    keys: Vec<String>,
    next_try: Arc<AtomicU64>,
    tries: Vec<Try>,
}

impl Visitor {
    /// Makes a call, over and over until the relay lives to answer it.
    async fn call(&mut self, call: u64) {
        loop {
            let number = self.next_try.fetch_add(1, Ordering::Relaxed);
            let address = self.address.borrow_and_update().clone();
            let index = usize::try_from(call).expect("few calls") % KEYS.len();
            let client = Client::new(&address).anthropic(&self.keys[index]);
            let (came, alive) = ask(&client, call, number).await;
            self.tries.push(Try { number, key: KEYS[index], came });
            if alive {
                return;
            }
            let moved = timeout(AWAY_MAX, self.address.changed()).await;
            moved.expect("the relay comes back").expect("the test holds the sender");
        }
    }
}

/// One try, and whether it ended as it was meant to. If not, the relay is gone.
async fn ask(client: &Client, call: u64, number: u64) -> (Came, bool) {
    let (text, streamed) = match call % 12 {
        0..=3 => (format!("[[call {number}]] [[say 第{number}次回答]]"), false),
        4 | 11 => (format!("[[call {number}]] [[slow 150]]"), false),
        5..=7 => (format!("[[call {number}]] [[long 300]]"), true),
        8 => (format!("[[call {number}]] [[paced 30 10]]"), true),
        9 => (format!("[[call {number}]] [[paced 120 10]]"), true),
        _ => (format!("[[call {number}]] [[paced 60 10]]"), true),
    };
    let model = if call.is_multiple_of(4) { HAIKU } else { SONNET };
    let mut body = messages_body(model, &text).stream(streamed).max_tokens(number);
    if call.is_multiple_of(5) {
        body = body.cached_system(&"A long prompt that is kept. ".repeat(40), "1h");
    }
    let session = session(number);
    let headers = [("x-session-id", session.as_str())];
    let answer = client.try_request("POST", MESSAGES, &headers, body);
    match call % 12 {
        // These leave before their answer has begun, or after its first words.
        11 => match timeout(PATIENCE, answer).await {
            Err(_) => (Came::Nothing, true),
            Ok(answer) => whole(answer).await,
        },
        10 => match answer.await {
            Ok(mut answer) if answer.status == 200 => {
                let begun = answer.until("content_block_delta").await.is_ok();
                answer.leave();
                (Came::Part, begun)
            }
            answer => whole(answer).await,
        },
        _ => whole(answer.await).await,
    }
}

async fn whole(answer: std::io::Result<Incoming>) -> (Came, bool) {
    let Ok(answer) = answer else { return (Came::Nothing, false) };
    let streamed = answer.headers["content-type"].as_bytes().starts_with(b"text/event-stream");
    let received = answer.collect().await;
    if received.status != 200 {
        return (Came::Refusal, received.ending == Ending::Whole);
    }
    let said = |event: &str| received.events().last().is_some_and(|last| last.event == event);
    if streamed && said("error") {
        return (Came::Part, true);
    }
    if received.ending != Ending::Whole && !said("message_stop") {
        return (Came::Part, false);
    }
    let id = received.header("x-crs-request-id").to_owned();
    (Came::Whole { id, body: received.body }, received.ending == Ending::Whole)
}
