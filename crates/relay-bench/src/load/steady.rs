//! A steady load: every connection has a call under way at all times.

use std::rc::Rc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{Connection, DRAIN_WITHIN, Load, RECONNECT_AFTER, Shared, Tally, drained, run};
use crate::process::cpu;

/// After a load, before the clock of what is measured is read: the relay writes its records into
/// the database up to half a second later.
pub(crate) const SETTLED_AFTER: Duration = Duration::from_secs(1);

/// A process whose processor time is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) process: u32,
    /// Whether it does part of its work after a call has ended; it is waited for then.
    pub(crate) puts_off: bool,
}

/// What a steady load was answered.
#[derive(Debug)]
pub(crate) struct Steady {
    /// Calls that were answered whole.
    pub(crate) calls: u64,
    /// Calls that were not, those before and after the window too.
    pub(crate) failed: u64,
    /// Deltas that arrived.
    pub(crate) deltas: u64,
    /// From a call's first byte to its end.
    pub(crate) latency: Histogram<u64>,
    /// How long was counted.
    pub(crate) elapsed: Duration,
    /// Processor time of the process that was measured.
    pub(crate) spent: Option<Duration>,
    /// Processor time of the load generator itself.
    pub(crate) spent_here: Duration,
}

/// Loads a process for a time, after a while in which nothing is counted but failures. Calls that
/// begin within the time count, and all that the process does for them: it is waited for.
pub(crate) fn steady(
    load: &Load,
    warm_up: Duration,
    window: Duration,
    measured: Option<Measured>,
) -> anyhow::Result<Steady> {
    run(async {
        let shared = Shared::new(load, u64::MAX);
        let fresh = (0..load.connections).map(|_| Connection::default()).collect();
        let (warm, stuck_before) = for_a_time(&shared, fresh, warm_up).await?;
        settled(measured).await;
        shared.tally.borrow_mut().reset();
        let before = Spent::now(measured)?;
        let (_, stuck) = for_a_time(&shared, warm, window).await?;
        let elapsed = before.at.elapsed();
        let counted = shared.tally.borrow().clone();
        settled(measured).await;
        let spent = before.until_now(measured)?;
        let failed = counted.failed + stuck_before + stuck;
        Ok(Spent { elapsed, ..spent }.on(counted, failed))
    })
}

/// Loads a process with so many calls, which may take so long.
pub(crate) fn counted(
    load: &Load,
    calls: u64,
    within: Duration,
    measured: Option<Measured>,
) -> anyhow::Result<Steady> {
    run(async {
        let shared = Shared::new(load, calls);
        let before = Spent::now(measured)?;
        let fresh = (0..load.connections).map(|_| Connection::default()).collect();
        let (_, stuck) = drained(open(&shared, fresh), within).await?;
        let spent = before.until_now(measured)?;
        let counted = shared.tally.borrow().clone();
        let failed = counted.failed + stuck;
        Ok(spent.on(counted, failed))
    })
}

/// Calls on these connections for a time, to the end of the last; the connections, and how many
/// were stuck.
async fn for_a_time(
    shared: &Rc<Shared>,
    connections: Vec<Connection>,
    time: Duration,
) -> anyhow::Result<(Vec<Connection>, u64)> {
    shared.left.set(u64::MAX);
    let connections = open(shared, connections);
    sleep(time).await;
    shared.left.set(0);
    drained(connections, DRAIN_WITHIN).await
}

/// Gives the process that is measured the time for what it put off.
pub(super) async fn settled(measured: Option<Measured>) {
    if measured.is_some_and(|it| it.puts_off) {
        sleep(SETTLED_AFTER).await;
    }
}

fn open(shared: &Rc<Shared>, connections: Vec<Connection>) -> JoinSet<Connection> {
    let mut open = JoinSet::new();
    for (number, connection) in connections.into_iter().enumerate() {
        open.spawn_local(one_after_the_other(Rc::clone(shared), connection, number));
    }
    open
}

async fn one_after_the_other(
    shared: Rc<Shared>,
    mut connection: Connection,
    number: usize,
) -> Connection {
    while shared.take() {
        shared.call(&mut connection, number).await;
        if connection.socket.is_none() {
            sleep(RECONNECT_AFTER).await;
        }
    }
    connection
}

/// Times at the beginning of what is counted, or spent since.
struct Spent {
    at: Instant,
    elapsed: Duration,
    measured: Option<Duration>,
    here: Duration,
}

impl Spent {
    fn now(measured: Option<Measured>) -> anyhow::Result<Self> {
        let here = cpu(std::process::id())?;
        let measured = measured.map(|it| cpu(it.process)).transpose()?;
        Ok(Self { at: Instant::now(), elapsed: Duration::ZERO, measured, here })
    }

    fn until_now(&self, measured: Option<Measured>) -> anyhow::Result<Self> {
        let now = Self::now(measured)?;
        let since =
            |now: Option<Duration>, before: Option<Duration>| Some(now?.saturating_sub(before?));
        Ok(Self {
            at: now.at,
            elapsed: now.at - self.at,
            measured: since(now.measured, self.measured),
            here: now.here.saturating_sub(self.here),
        })
    }

    fn on(self, counted: Tally, failed: u64) -> Steady {
        Steady {
            calls: counted.calls,
            failed,
            deltas: counted.deltas,
            latency: counted.latency,
            elapsed: self.elapsed,
            spent: self.measured,
            spent_here: self.here,
        }
    }
}
