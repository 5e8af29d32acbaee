//! Many clients at a time that are Claude Code, and go on when the relay is back.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use relay_testkit::{Ending, Received, messages_body};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::claude_code;
use crate::heavy::site::{MESSAGES, SONNET};

const CLIENTS: usize = 64;
/// The pause of a client between two calls.
const BETWEEN: Duration = Duration::from_millis(40);
/// How long the relay may be away.
const AWAY_MAX: Duration = Duration::from_secs(30);

/// Clients that call until they are told to leave.
pub(super) struct Crowd {
    shared: Arc<Shared>,
    address: watch::Sender<String>,
    clients: Vec<JoinHandle<Told>>,
}

struct Shared {
    key: String,
    over: AtomicBool,
    next: AtomicU64,
}

/// What clients have to tell.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Calls that were answered.
    pub(super) answered: usize,
    /// Calls whose connection failed.
    pub(super) cut: usize,
    /// What else came.
    pub(super) errors: Vec<String>,
}

impl Crowd {
    /// All begin to call.
    pub(super) fn begins(address: &str, key: &str) -> Self {
        let (over, next) = (AtomicBool::new(false), AtomicU64::new(0));
        let shared = Arc::new(Shared { key: key.to_owned(), over, next });
        let address = watch::Sender::new(address.to_owned());
        let client = |_| tokio::spawn(calls(Arc::clone(&shared), address.subscribe()));
        let clients = (0..CLIENTS).map(client).collect();
        Self { shared, address, clients }
    }

    /// Tells the clients where the relay is now.
    pub(super) fn relay_moved_to(&self, address: &str) {
        self.address.send_replace(address.to_owned());
    }

    /// All end their call and tell.
    pub(super) async fn leaves(self) -> Told {
        self.shared.over.store(true, Ordering::Relaxed);
        let mut all = Told::default();
        for client in self.clients {
            let told = client.await.expect("no client panics");
            all.answered += told.answered;
            all.cut += told.cut;
            all.errors.extend(told.errors);
        }
        all
    }
}

async fn calls(shared: Arc<Shared>, mut address: watch::Receiver<String>) -> Told {
    let mut told = Told::default();
    while !shared.over.load(Ordering::Relaxed) {
        let here = address.borrow_and_update().clone();
        let number = shared.next.fetch_add(1, Ordering::Relaxed);
        let text = format!("[[say answer {number}]]");
        let streamed = number.is_multiple_of(2);
        let body = messages_body(SONNET, &text).stream(streamed);
        let client = claude_code(&here, &shared.key);
        match answer(client.try_request("POST", MESSAGES, &[], body).await).await {
            None => {
                told.cut += 1;
                let moved = timeout(AWAY_MAX, address.changed()).await;
                moved.expect("the relay comes back").expect("the test holds the sender");
            }
            Some(received) => {
                let wanted = format!("answer {number}");
                if (received.status, received.text()) == (200, wanted) {
                    told.answered += 1;
                } else {
                    let body = String::from_utf8_lossy(&received.body).into_owned();
                    told.errors.push(format!("{}: {body}", received.status));
                }
            }
        }
        tokio::time::sleep(BETWEEN).await;
    }
    told
}

/// The whole answer; `None` if the connection did not last.
async fn answer(incoming: io::Result<relay_testkit::Incoming>) -> Option<Received> {
    let received = incoming.ok()?.collect().await;
    (received.ending == Ending::Whole).then_some(received)
}
