//! Who serves connections: threads that share nothing of how they wait.
//!
//! A connection stays with one thread, and so does the connection upstream that its calls wait for:
//! what arrives on either is read where it is awaited, and no thread wakes another for it. A runtime
//! whose threads take each other's tasks spends a tenth of a small call's CPU on that.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use futures_util::future::join_all;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::serve;
use crate::app::App;

/// How long the answers of calls that are ended may take to leave.
const LAST_BYTES_WITHIN: Duration = Duration::from_secs(2);
/// How many accepted connections may wait for one lane.
const ACCEPTED_MAX: usize = 1_024;
/// How long the threads of a lane that may block have to end: one may be looking up a name, for
/// which nobody waits any more.
const LAST_THREADS_WITHIN: Duration = Duration::from_millis(250);

/// The lanes of a server. Dropping them ends what their calls left running.
pub struct Lanes(Vec<Lane>);

/// One of them, as the one that accepts sees it.
struct Lane {
    connections: Option<mpsc::Sender<Accepted>>,
    /// How many connections it has.
    open: Arc<AtomicUsize>,
    /// Resolves when it has no connection any more.
    served: Option<oneshot::Receiver<()>>,
    /// Lets it go.
    held: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

/// A connection on its way to its lane.
struct Accepted {
    stream: std::net::TcpStream,
    peer: IpAddr,
    mark: Mark,
}

/// Counts a connection as open until it is dropped.
struct Mark(Arc<AtomicUsize>);

impl Mark {
    fn of(open: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(open))
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Lanes {
    /// A thread for each processor, which the relay may use.
    pub fn threads(app: &Arc<App>) -> io::Result<Self> {
        let count = thread::available_parallelism().map_or(1, usize::from);
        let lanes = (0..count).map(|number| {
            let (mut lane, work) = Lane::new(Arc::clone(app));
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let thread =
                thread::Builder::new().name(format!("lane-{number}")).spawn(move || {
                    runtime.block_on(work);
                    runtime.shutdown_timeout(LAST_THREADS_WITHIN);
                })?;
            lane.thread = Some(thread);
            Ok(lane)
        });
        Ok(Self(lanes.collect::<io::Result<_>>()?))
    }

    /// One lane, in the runtime that this is called in.
    pub fn here(app: &Arc<App>) -> Self {
        let (lane, work) = Lane::new(Arc::clone(app));
        tokio::spawn(work);
        Self(vec![lane])
    }

    /// Gives a connection to the lane that has the fewest.
    pub(super) fn take(&self, stream: std::net::TcpStream, peer: IpAddr) -> io::Result<()> {
        let fewest = self.0.iter().min_by_key(|lane| lane.open.load(Ordering::Relaxed));
        let sender = fewest.and_then(|lane| Some((lane, lane.connections.as_ref()?)));
        let Some((lane, connections)) = sender else { return Ok(()) };
        let accepted = Accepted { stream, peer, mark: Mark::of(&lane.open) };
        connections.try_send(accepted).map_err(io::Error::other)
    }

    /// Takes no connection any more, and lets those that are open end within a moment.
    pub(super) async fn end(&mut self) {
        let ended = self.0.iter_mut().filter_map(|lane| {
            lane.connections = None;
            lane.served.take()
        });
        join_all(ended).await;
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        for lane in &mut self.0 {
            lane.connections = None;
            lane.held = None;
        }
        for lane in &mut self.0 {
            // One that panicked has said so.
            let _ = lane.thread.take().map(thread::JoinHandle::join);
        }
    }
}

impl Lane {
    /// A lane, and its work.
    fn new(app: Arc<App>) -> (Self, impl Future<Output = ()> + Send) {
        let (connections, accepted) = mpsc::channel(ACCEPTED_MAX);
        let (held, released) = oneshot::channel();
        let (all_served, served) = oneshot::channel();
        let lane = Self {
            connections: Some(connections),
            open: Arc::default(),
            served: Some(served),
            held: Some(held),
            thread: None,
        };
        let work = async move {
            serve_all(app, accepted).await;
            let _ = all_served.send(());
            // What calls began may go on behind them, a refresh of a token above all.
            let _ = released.await;
        };
        (lane, work)
    }
}

/// Serves connections until no more are accepted, and those that are open have had a moment.
async fn serve_all(app: Arc<App>, mut accepted: mpsc::Receiver<Accepted>) {
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        let next = tokio::select! {
            next = accepted.recv() => next,
            Some(_) = connections.join_next() => continue,
        };
        let Some(Accepted { stream, peer, mark }) = next else { break };
        match TcpStream::from_std(stream) {
            Ok(stream) => {
                let serving = serve(Arc::clone(&app), stream, peer, graceful.watcher());
                connections.spawn(async move {
                    serving.await;
                    drop(mark);
                });
            }
            Err(error) => tracing::warn!(%error, "a connection was not accepted"),
        }
    }
    // What has not left by then is dropped.
    let _ = timeout(LAST_BYTES_WITHIN, graceful.shutdown()).await;
    connections.shutdown().await;
}
