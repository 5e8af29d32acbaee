//! A provider that costs next to nothing, for measuring what the relay costs: answers are made
//! once, requests are scanned and not parsed, and nothing is kept but counts.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use memchr::memmem;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::MissedTickBehavior;

use self::canned::{Book, Canned, Speech};
use self::failing::{Failing, Failures};
use crate::answer::Answer;
use crate::directive;
use crate::http1::{BodyEnd, Inbound};
use crate::plan::Plan;

mod canned;
mod failing;

/// Deltas of a stream that asks for no pace.
const DELTAS: usize = 20;

/// A running fast provider; dropping it closes its port and every connection.
///
/// A POST is answered with a unary answer of about 1 KB, or with a stream if the body (for Google
/// the path) asks for one, in the protocol of its path: 20 deltas at once, or what `[[paced COUNT MS]]` asks for. Nothing is checked.
/// The text of a paced delta is `@` and the nanoseconds of the monotonic clock at its sending, in
/// twenty digits, so that whoever reads it on the same machine knows how long it took.
/// `GET /__served` tells the counts; `POST /__failing` with `KEY=STATUS`, `KEY=reset` or
/// `KEY=well` tells how requests with that credential are answered from then on.
#[derive(Debug)]
pub struct FastProvider {
    port: u16,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    canned: Book,
    failures: Failures,
    served: AtomicU64,
    cancelled: AtomicU64,
    in_flight: AtomicU64,
    max_in_flight: AtomicU64,
}

impl FastProvider {
    /// Starts on this port; 0 is any free one.
    pub async fn start_on(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(State {
            canned: Book::new(),
            failures: Failures::default(),
            served: AtomicU64::new(0),
            cancelled: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
            max_in_flight: AtomicU64::new(0),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&state)));
        Ok(Self { port, state, accepting })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Answers written to their end.
    pub fn served(&self) -> u64 {
        self.state.served.load(Ordering::Relaxed)
    }

    /// The most requests that were in flight together.
    pub fn max_in_flight(&self) -> u64 {
        self.state.max_in_flight.load(Ordering::Relaxed)
    }
}

impl Drop for FastProvider {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => {
                    let state = Arc::clone(&state);
                    connections.spawn(async move { drop(serve(socket, &state).await) });
                }
                Err(_) => tokio::task::yield_now().await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(mut socket: TcpStream, state: &State) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let (reader, mut writer) = socket.split();
    let mut inbound = Inbound::new(reader);
    while let Some(head) = inbound.head().await? {
        let body = inbound.body(BodyEnd::of_request(&head.headers)?).await?;
        if head.start.starts_with("GET ") {
            writer.write_all(&state.counts()).await?;
            continue;
        }
        if head.start.starts_with("POST /__failing ") {
            writer.write_all(&state.told(&body)).await?;
            continue;
        }
        match state.failures.of(&head.headers) {
            None => {}
            Some(Failing::Refused(answer)) => {
                writer.write_all(&answer).await?;
                continue;
            }
            Some(Failing::Reset) => return Ok(()),
        }
        let speech = Speech::of(&head.start, &body);
        let wanted = Wanted::read(&head.start, speech, &body);
        drop((head, body));
        let in_flight = state.begin();
        answer(wanted, state.canned.page(speech), &mut inbound, &mut writer).await?;
        in_flight.end();
    }
    Ok(())
}

async fn answer<R: AsyncRead + Unpin>(
    wanted: Wanted,
    canned: &Canned,
    inbound: &mut Inbound<R>,
    writer: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    match wanted {
        Wanted::Unary => writer.write_all(&canned.unary).await,
        Wanted::Stream { deltas } => writer.write_all(&canned.whole_stream(deltas)).await,
        Wanted::Paced { deltas, interval } => tokio::select! {
            biased;
            () = inbound.peer_left() => Err(io::ErrorKind::ConnectionAborted.into()),
            sent = send_paced(canned, deltas, interval, writer) => sent,
        },
    }
}

/// Which of the canned answers a request wants.
enum Wanted {
    Unary,
    Stream { deltas: usize },
    Paced { deltas: usize, interval: Duration },
}

impl Wanted {
    fn read(start: &str, speech: Speech, body: &[u8]) -> Self {
        let streams = match speech {
            Speech::Gemini | Speech::CodeAssist => start.contains(":streamGenerateContent"),
            _ => wants_stream(body),
        };
        if !streams {
            return Self::Unary;
        }
        let pacing = directive::raw_argument(body, "paced");
        match pacing.as_deref().and_then(directive::pacing) {
            None => Self::Stream { deltas: DELTAS },
            Some((deltas, Duration::ZERO)) => Self::Stream { deltas },
            Some((deltas, interval)) => Self::Paced { deltas, interval },
        }
    }
}

fn wants_stream(body: &[u8]) -> bool {
    memmem::find_iter(body, br#""stream""#).any(|at| {
        let value = body[at + br#""stream""#.len()..].trim_ascii_start();
        value.strip_prefix(b":").is_some_and(|value| value.trim_ascii_start().starts_with(b"true"))
    })
}

async fn send_paced(
    canned: &Canned,
    deltas: usize,
    interval: Duration,
    writer: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut delta = canned.delta.clone();
    ticks.tick().await;
    writer.write_all(&canned.stream_start).await?;
    for _ in 0..deltas {
        ticks.tick().await;
        writer.write_all(delta.sent_now()).await?;
    }
    writer.write_all(&canned.stream_end).await
}

impl State {
    fn begin(&self) -> InFlight<'_> {
        let now = self.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        self.max_in_flight.fetch_max(now, Ordering::Relaxed);
        InFlight { state: self, whole: false }
    }

    fn counts(&self) -> Vec<u8> {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let body = json!({
            "served": load(&self.served), "cancelled": load(&self.cancelled),
            "in_flight": load(&self.in_flight), "max_in_flight": load(&self.max_in_flight),
        });
        plain(&Answer::status(200).json(&body))
    }

    /// Takes an order to fail in, and answers it.
    fn told(&self, order: &[u8]) -> Vec<u8> {
        let understood = self.failures.take(order).is_some();
        let status = if understood { 200 } else { 400 };
        plain(&Answer::status(status).json(&json!({"understood": understood})))
    }
}

/// An answer to whoever steers the provider.
fn plain(answer: &Answer) -> Vec<u8> {
    let plan = Plan::new(answer, None, 0);
    [plan.head, plan.body].concat()
}

/// A request that is being answered.
struct InFlight<'a> {
    state: &'a State,
    whole: bool,
}

impl InFlight<'_> {
    fn end(mut self) {
        self.whole = true;
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let ended = if self.whole { &self.state.served } else { &self.state.cancelled };
        ended.fetch_add(1, Ordering::Relaxed);
        self.state.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
