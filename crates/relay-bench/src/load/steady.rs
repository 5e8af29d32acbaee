//! A steady load: every connection has a call under way at all times.

use std::rc::Rc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{Connection, DRAIN_WITHIN, Load, RECONNECT_AFTER, Shared, Tally, drained, run};
use crate::process::cpu;

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

/// Loads a process for a time, after a while in which nothing is counted but failures.
pub(crate) fn steady(
    load: &Load,
    warm_up: Duration,
    window: Duration,
    measured: Option<u32>,
) -> anyhow::Result<Steady> {
    run(async {
        let shared = Shared::new(load, u64::MAX);
        let connections = open(&shared);
        sleep(warm_up).await;
        shared.tally.borrow_mut().reset();
        let before = Spent::now(measured)?;
        sleep(window).await;
        let counted = shared.tally.borrow().clone();
        let spent = before.until_now(measured)?;
        shared.left.set(0);
        let stuck = drained(connections, DRAIN_WITHIN).await;
        let failed = shared.tally.borrow().failed + stuck;
        Ok(spent.on(counted, failed))
    })
}

/// Loads a process with so many calls, which may take so long.
pub(crate) fn counted(
    load: &Load,
    calls: u64,
    within: Duration,
    measured: Option<u32>,
) -> anyhow::Result<Steady> {
    run(async {
        let shared = Shared::new(load, calls);
        let before = Spent::now(measured)?;
        let stuck = drained(open(&shared), within).await;
        let spent = before.until_now(measured)?;
        let counted = shared.tally.borrow().clone();
        let failed = counted.failed + stuck;
        Ok(spent.on(counted, failed))
    })
}

fn open(shared: &Rc<Shared>) -> JoinSet<()> {
    let mut connections = JoinSet::new();
    for number in 0..shared.load.connections {
        connections.spawn_local(one_after_the_other(Rc::clone(shared), number));
    }
    connections
}

async fn one_after_the_other(shared: Rc<Shared>, number: usize) {
    let mut connection = Connection::default();
    while shared.take() {
        shared.call(&mut connection, number).await;
        if connection.socket.is_none() {
            sleep(RECONNECT_AFTER).await;
        }
    }
}

/// Times at the beginning of what is counted, or spent since.
struct Spent {
    at: Instant,
    elapsed: Duration,
    measured: Option<Duration>,
    here: Duration,
}

impl Spent {
    fn now(measured: Option<u32>) -> anyhow::Result<Self> {
        let here = cpu(std::process::id())?;
        let measured = measured.map(cpu).transpose()?;
        Ok(Self { at: Instant::now(), elapsed: Duration::ZERO, measured, here })
    }

    fn until_now(&self, measured: Option<u32>) -> anyhow::Result<Self> {
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
