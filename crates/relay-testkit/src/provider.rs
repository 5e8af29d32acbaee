//! A provider that speaks the protocols of Anthropic, OpenAI and Google on a loopback port: well
//! by default, and as badly as a test asks of it. The path says which of them is spoken.

mod connection;
pub(crate) mod decide;
mod inspect;
mod issuer;
mod log;
mod sign_in;
mod time;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::answer::Answer;
use issuer::{Book, Issuer};
pub use issuer::{IssuedTokens, Realm, RefreshGate, RefreshOutcome, RefreshSeen};
use log::{Counts, Log};
pub use log::{SeenRequest, Served};
use time::TimeSource;

/// How long a wait for an event goes on before it fails the test.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// A running fake provider; dropping it closes its port and every connection.
#[derive(Debug)]
pub struct FakeProvider {
    port: u16,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

/// What all connections of a provider share.
#[derive(Debug, Default)]
struct State {
    scripts: Mutex<Scripts>,
    log: Log,
    serial: AtomicU64,
    issuer: Issuer,
    time: TimeSource,
    onboarding: Onboarding,
}

/// How far accounts are with Code Assist.
#[derive(Debug, Default)]
struct Onboarding {
    /// Whether accounts have no project before they are onboarded.
    needed: AtomicBool,
    asked: AtomicU64,
}

/// Answers that tests asked for; what no script answers is answered well.
#[derive(Debug, Default)]
struct Scripts {
    once: Vec<Script>,
    always: Vec<Script>,
}

type Predicate = Box<dyn Fn(&SeenRequest) -> bool + Send + Sync>;

struct Script {
    fits: Predicate,
    answer: Answer,
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Script").field("answer", &self.answer).finish_non_exhaustive()
    }
}

impl FakeProvider {
    /// Starts on a free port.
    pub async fn start() -> Self {
        Self::start_on(0).await.expect("a free loopback port")
    }

    /// Starts on this port, such as the one that another provider left.
    pub async fn start_on(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(State::default());
        let accepting = tokio::spawn(accept(listener, Arc::clone(&state)));
        Ok(Self { port, state, accepting })
    }

    /// `http://127.0.0.1:PORT`. Every path that ends like one of the providers' is answered;
    /// `/responses` without `/v1` before it is ChatGPT's, as Codex calls it.
    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Answers the next call of any protocol that no earlier script takes with `answer`.
    pub fn answers_once(&self, answer: Answer) {
        self.answers_once_when(SeenRequest::is_call, answer);
    }

    /// Answers every call of any protocol with `answer`, from now on, after the answers asked for once.
    pub fn answers_always(&self, answer: Answer) {
        self.answers_when(SeenRequest::is_call, answer);
    }

    /// Answers the next request of any path that `fits` with `answer`.
    pub fn answers_once_when(
        &self,
        fits: impl Fn(&SeenRequest) -> bool + Send + Sync + 'static,
        answer: Answer,
    ) {
        self.state.scripts.lock().once.push(Script { fits: Box::new(fits), answer });
    }

    /// Answers every request of any path that `fits` with `answer`. The last such script wins.
    pub fn answers_when(
        &self,
        fits: impl Fn(&SeenRequest) -> bool + Send + Sync + 'static,
        answer: Answer,
    ) {
        self.state.scripts.lock().always.insert(0, Script { fits: Box::new(fits), answer });
    }

    /// Answers every call with this credential with `answer`.
    pub fn answers_key(&self, api_key: &str, answer: Answer) {
        let api_key = api_key.to_owned();
        let fits = move |seen: &SeenRequest| seen.is_call() && seen.api_key == api_key;
        self.answers_when(fits, answer);
    }

    /// Answers every call for this model with `answer`.
    pub fn answers_model(&self, model: &str, answer: Answer) {
        let model = model.to_owned();
        let fits = move |seen: &SeenRequest| seen.is_call() && seen.model() == model;
        self.answers_when(fits, answer);
    }

    /// Answers well again: forgets all scripts, those of refreshes too, and keeps the log and
    /// whoever is signed in.
    pub fn recovers(&self) {
        self.state.recover();
    }

    /// Forgets what it saw and served. Requests in flight stay so, and who is signed in.
    pub fn clear_log(&self) {
        self.state.clear_log();
    }

    /// From now on accounts have no Code Assist project before they are onboarded, which takes
    /// two looks at the operation.
    pub fn needs_onboarding(&self) {
        self.state.onboarding.needed.store(true, Ordering::Relaxed);
    }

    /// What it was asked, in the order in which the requests were complete.
    pub fn requests(&self) -> Vec<SeenRequest> {
        self.state.log.requests()
    }

    /// What it answered, in the order in which the answers ended. A client may have its answer
    /// a moment before it stands here: wait with [`Self::until_idle`].
    pub fn served(&self) -> Vec<Served> {
        self.state.log.served()
    }

    /// Requests that are being answered now.
    pub fn in_flight(&self) -> usize {
        self.state.log.counts().in_flight
    }

    /// The most that were in flight together since the start or the last [`Self::clear_log`].
    pub fn max_in_flight(&self) -> usize {
        self.state.log.counts().max_in_flight
    }

    /// Waits until it has seen `count` requests.
    pub async fn until_requests(&self, count: usize) {
        self.until("requests", count, |counts| counts.requests >= count).await;
    }

    /// Waits until no request is in flight.
    pub async fn until_idle(&self) {
        self.until("in flight", 0, |counts| counts.in_flight == 0).await;
    }

    /// Waits until so many requests are in flight.
    pub async fn until_in_flight(&self, count: usize) {
        self.until("in flight", count, |counts| counts.in_flight == count).await;
    }

    /// Waits until `count` answers were cancelled by a peer that left.
    pub async fn until_cancelled(&self, count: usize) {
        self.until("cancelled", count, |counts| counts.cancelled >= count).await;
    }

    async fn until(&self, what: &str, count: usize, fits: impl FnMut(&Counts) -> bool) {
        let waited = tokio::time::timeout(WAIT_MAX, self.state.log.wait_for(fits)).await;
        let now = self.state.log.counts();
        assert!(waited.is_ok(), "waited {WAIT_MAX:?} for {what}: {count}; there is {now:?}");
    }
}

impl Drop for FakeProvider {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl State {
    fn next_serial(&self) -> u64 {
        self.serial.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The script for this request, if a test has one.
    fn scripted(&self, seen: &SeenRequest) -> Option<Answer> {
        let mut scripts = self.scripts.lock();
        if let Some(index) = scripts.once.iter().position(|script| (script.fits)(seen)) {
            return Some(scripts.once.remove(index).answer);
        }
        scripts.always.iter().find(|script| (script.fits)(seen)).map(|script| script.answer.clone())
    }

    fn recover(&self) {
        *self.scripts.lock() = Scripts::default();
        self.issuer.recover();
    }

    fn clear_log(&self) {
        self.log.clear();
        self.issuer.with(Book::clear_log);
    }
}

/// Owns the connections, so that they end with it.
async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => {
                    connections.spawn(connection::serve(socket, Arc::clone(&state)));
                }
                // Out of descriptors, mostly; the next connection may fare better.
                Err(_) => tokio::task::yield_now().await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}
