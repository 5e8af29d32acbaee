//! The load generator: so many connections, each with one call after the other, on one thread.
//!
//! It lives beside what it measures, so it does as little as it can: requests are made before,
//! all connections read into one buffer, and answers are followed, not kept.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Context;
use hdrhistogram::Histogram;
use rustix::time::{ClockId, clock_gettime};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::timeout;

use crate::answer::{AnswerReader, Progress};
use crate::events::EventScan;
use crate::request::{Destination, Shape, Wanted};

mod steady;
mod streams;

#[cfg(test)]
mod tests;

pub(crate) use steady::{Measured, SETTLED_AFTER, Steady, counted, steady};
pub(crate) use streams::{Pace, Streams, streams};

/// The buffer that all connections read into.
const READ_BYTES: usize = 256 * 1_024;
/// How long the calls that are under way at the end may take; what takes longer has failed.
const DRAIN_WITHIN: Duration = Duration::from_secs(30);
/// Before a connection that failed is tried again.
const RECONNECT_AFTER: Duration = Duration::from_millis(10);
/// The range of what is timed: a microsecond to two minutes, in nanoseconds.
const NANOS_LEAST: u64 = 1_000;
const NANOS_MOST: u64 = 120_000_000_000;
/// Digits that a histogram keeps.
const DIGITS: u8 = 3;

/// Calls of one shape, to one place, by so many connections.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    pub(crate) to: Destination,
    pub(crate) shape: Shape,
    pub(crate) connections: usize,
}

/// What all connections of a load share.
struct Shared {
    load: Load,
    requests: Vec<Vec<u8>>,
    buffer: RefCell<Vec<u8>>,
    tally: RefCell<Tally>,
    /// Calls that may still begin.
    left: Cell<u64>,
}

/// What was counted so far.
#[derive(Debug, Clone)]
struct Tally {
    calls: u64,
    failed: u64,
    deltas: u64,
    /// Streams whose first delta came.
    begun: u64,
    /// From a call's first byte to its end.
    latency: Histogram<u64>,
    /// From a delta's sending by the provider to its arrival here.
    delay: Histogram<u64>,
}

/// One connection and the answer that it reads.
#[derive(Default)]
struct Connection {
    socket: Option<TcpStream>,
    answer: AnswerReader,
    events: EventScan,
}

impl Tally {
    fn new() -> Self {
        let histogram = || {
            Histogram::new_with_bounds(NANOS_LEAST, NANOS_MOST, DIGITS)
                .expect("the bounds are in order")
        };
        let (latency, delay) = (histogram(), histogram());
        Self { calls: 0, failed: 0, deltas: 0, begun: 0, latency, delay }
    }

    /// Streams that have begun, or never will; one that failed midway counts twice, as it spoils
    /// what is measured anyway.
    fn settled(&self) -> u64 {
        self.begun + self.failed
    }

    /// Begins to count anew; failures are never forgotten.
    fn reset(&mut self) {
        (self.calls, self.deltas) = (0, 0);
        self.latency.reset();
        self.delay.reset();
    }
}

impl Shared {
    fn new(load: &Load, calls_max: u64) -> Rc<Self> {
        Rc::new(Self {
            requests: load.shape.requests(&load.to),
            load: load.clone(),
            buffer: RefCell::new(vec![0; READ_BYTES]),
            tally: RefCell::new(Tally::new()),
            left: Cell::new(calls_max),
        })
    }

    /// Takes leave to begin a call.
    fn take(&self) -> bool {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        left > 0
    }

    /// One call on a connection, which is made if there is none, and counted as what it was.
    async fn call(&self, connection: &mut Connection, number: usize) {
        let begun = Instant::now();
        let request = &self.requests[number % self.requests.len()];
        let done = self.attempt(connection, request).await;
        let mut tally = self.tally.borrow_mut();
        if done.is_ok() {
            tally.calls += 1;
            let nanos = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
            tally.latency.saturating_record(nanos);
        } else {
            tally.failed += 1;
            connection.socket = None;
        }
    }

    async fn attempt(&self, connection: &mut Connection, request: &[u8]) -> io::Result<()> {
        if connection.socket.is_none() {
            connection.socket = Some(self.connect().await?);
        }
        connection.answer.begin();
        connection.events.begin(self.load.shape.protocol);
        let socket = connection.socket.as_mut().expect("it was made just now");
        socket.write_all(request).await?;
        loop {
            socket.readable().await?;
            let mut buffer = self.buffer.borrow_mut();
            let read = match socket.try_read(&mut buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            };
            let (answer, events) = (&mut connection.answer, &mut connection.events);
            if self.take_in(answer, events, &buffer[..read])? == Progress::Whole {
                break;
            }
        }
        let streams = matches!(self.load.shape.wanted, Wanted::Stream { .. });
        let whole = connection.answer.status() == 200 && (!streams || connection.events.ended());
        if connection.answer.closes() {
            connection.socket = None;
        }
        if whole { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let socket = TcpStream::connect(self.load.to.address).await?;
        socket.set_nodelay(true)?;
        Ok(socket)
    }

    fn take_in(
        &self,
        answer: &mut AnswerReader,
        events: &mut EventScan,
        bytes: &[u8],
    ) -> io::Result<Progress> {
        if self.load.shape.wanted == Wanted::Unary {
            return answer.feed(bytes, &mut |_| {}).map_err(io::Error::other);
        }
        let (now, before) = (monotonic_nanos(), events.deltas());
        let mut tally = self.tally.borrow_mut();
        let delay = &mut tally.delay;
        let mut sent = |moment| delay.saturating_record(now.saturating_sub(moment));
        let progress = answer.feed(bytes, &mut |body| events.feed(body, &mut sent));
        let arrived = events.deltas() - before;
        tally.deltas += arrived;
        tally.begun += u64::from(before == 0 && arrived > 0);
        progress.map_err(io::Error::other)
    }
}

/// The clock that the provider writes into its deltas.
fn monotonic_nanos() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}

/// Runs a load on this thread to its end.
fn run<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    local.block_on(&runtime, future).context("the load broke off")
}

/// Waits for connections to end: those that did, and how many did not in time.
async fn drained<T: 'static>(
    mut connections: JoinSet<T>,
    within: Duration,
) -> anyhow::Result<(Vec<T>, u64)> {
    let mut ended = Vec::new();
    let all = async {
        while let Some(connection) = connections.join_next().await {
            ended.push(connection?);
        }
        anyhow::Ok(())
    };
    if let Ok(all) = timeout(within, all).await {
        all?;
    }
    Ok((ended, connections.len() as u64))
}
