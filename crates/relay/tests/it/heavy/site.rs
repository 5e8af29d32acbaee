//! What the tests of the real binary have in common.

use std::path::Path;
use std::time::Duration;

use relay_testkit::{Client, FakeProvider, MessagesBody, Received, RelayProcess, messages_body};

use super::CRS;

/// Where calls go.
pub(super) const MESSAGES: &str = "/api/v1/messages";
/// The model of most calls.
pub(super) const SONNET: &str = "claude-sonnet-4-6";

/// A relay with the account `a` at a provider, and a client of it.
pub(super) struct Served {
    pub(super) provider: FakeProvider,
    pub(super) relay: RelayProcess,
    pub(super) key: String,
}

impl Served {
    /// Starts with these settings.
    pub(super) async fn with(settings: &[(&str, &str)]) -> Self {
        let builder = RelayProcess::builder(CRS);
        let builder = settings.iter().fold(builder, |it, (name, value)| it.env(name, value));
        let relay = builder.start().await;
        Self::on(relay).await
    }

    /// Gives a relay an account and a key.
    pub(super) async fn on(relay: RelayProcess) -> Self {
        let provider = FakeProvider::start().await;
        relay.add_account("a", &provider.base_url(), &[]).await;
        let key = relay.add_key("tests").await;
        let served = Self { provider, relay, key };
        served.until_the_key_is_known(&served.key).await;
        served
    }

    /// A client with the key, at the relay's present address.
    pub(super) fn client(&self) -> Client {
        Client::new(self.relay.base_url()).anthropic(&self.key)
    }

    /// A running server notices an edit within a second; waits until it has.
    pub(super) async fn until_the_key_is_known(&self, key: &str) {
        let client = Client::new(self.relay.base_url()).anthropic(key);
        until("the key is known", Duration::from_secs(5), async || {
            client.get("/api/v1/models", &[]).await.status != 401
        })
        .await;
    }

    /// A whole call.
    pub(super) async fn ask(&self, text: &str, stream: Stream) -> Received {
        self.client().post(MESSAGES, &[], body(text, stream)).await
    }

    /// The answer of `/health`: its status, and the word that it says.
    pub(super) async fn health(&self) -> (u16, String) {
        let answer = Client::new(self.relay.base_url()).get("/health", &[]).await;
        let word = answer.json()["status"].as_str().unwrap_or_default().to_owned();
        (answer.status, word)
    }

    /// Asks it to end and expects it to do so in order.
    pub(super) async fn stop(&mut self) {
        self.relay.terminate();
        let status = self.relay.wait().await;
        assert_eq!(status.code(), Some(0), "{}", self.relay.stderr_text());
    }
}

/// Whether a stream is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Yes,
    No,
}

/// A request with one message.
pub(super) fn body(text: &str, stream: Stream) -> MessagesBody {
    messages_body(SONNET, text).stream(stream == Stream::Yes)
}

/// Looks every few milliseconds whether something holds, and fails if it does not in time.
pub(super) async fn until(what: &str, within: Duration, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(within, waiting).await;
    assert!(waited.is_ok(), "waited {within:?} in vain: {what}");
}

/// Memory of a process that is in RAM, in MiB.
pub(super) fn resident_mib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("its memory");
    let kib = line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok());
    kib.expect("a number") / 1_024
}

/// Every file below a directory with its content, in order.
pub(super) fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.is_file() {
                let content = std::fs::read(&path).expect("a readable file");
                found.push((path.display().to_string(), content));
            }
        }
    }
    found.sort();
    found
}

/// Whether a text stands in a file's content.
pub(super) fn holds(content: &[u8], text: &str) -> bool {
    String::from_utf8_lossy(content).contains(text)
}
