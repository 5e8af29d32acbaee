//! Many slow streams at once: each connection has one, and all are open together for a while.

use std::rc::Rc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::steady::{Measured, settled};
use super::{Connection, Load, Shared, drained, run};
use crate::process::cpu;

/// Between two looks at whether all streams have begun.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long streams may take beyond their pace: a machine that cannot keep up slows them down.
const LATE_MAX: Duration = Duration::from_mins(1);

/// Streams that are opened within a second at the most.
const OPENED_EACH_SECOND: f64 = 1_000.0;

/// When streams are opened, and how long they are looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// All are opened within this, evenly.
    pub(crate) ramp: Duration,
    /// How long they are looked at once all have begun.
    pub(crate) window: Duration,
}

/// What came of the streams.
#[derive(Debug)]
pub(crate) struct Streams<T> {
    /// Streams that did not come to their end.
    pub(crate) failed: u64,
    /// Deltas of all streams, from the first to the last.
    pub(crate) deltas: u64,
    /// Processor time from before the first stream was opened until all had ended and settled.
    pub(crate) spent: Option<Duration>,
    /// Processor time of the load generator itself in the same time.
    pub(crate) spent_here: Duration,
    /// Deltas within the window.
    pub(crate) window_deltas: u64,
    /// Processor time within the window.
    pub(crate) window_spent: Option<Duration>,
    /// From a delta's sending to its arrival, within the window.
    pub(crate) delay: Histogram<u64>,
    /// Streams that were open from the beginning of the window to its end, at the least.
    pub(crate) open: u64,
    /// What was seen at the end of the window, while the streams were open.
    pub(crate) seen: T,
}

impl Pace {
    /// That of so many streams, which may take longer to open.
    pub(crate) fn of(self, streams: usize) -> Self {
        let streams = u32::try_from(streams).unwrap_or(u32::MAX);
        let ramp = Duration::from_secs_f64(f64::from(streams) / OPENED_EACH_SECOND);
        Self { ramp: self.ramp.max(ramp), ..self }
    }

    /// How long each stream lasts: the first is still open at the window's end even if the last
    /// begins as late again as it should.
    pub(crate) fn life(self) -> Duration {
        self.ramp * 2 + self.window
    }

    /// The longest that the streams of a load may take.
    fn at_most(self) -> Duration {
        self.ramp + self.life() + LATE_MAX
    }
}

/// Opens a stream on each connection, and looks at the process once all have begun: `look` is
/// asked at the end of the window, while they are open.
pub(crate) fn streams<T>(
    load: &Load,
    pace: Pace,
    measured: Option<Measured>,
    look: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<Streams<T>> {
    run(async {
        let shared = Shared::new(load, u64::MAX);
        let count = load.connections as u64;
        let spent = || measured.map(|it| cpu(it.process)).transpose();
        let (begun_at, before) = (Instant::now(), spent()?);
        let before_here = cpu(std::process::id())?;
        let mut connections = JoinSet::new();
        let step = pace.ramp / u32::try_from(count.max(1))?;
        for number in 0..load.connections {
            let wait = step * u32::try_from(number)?;
            connections.spawn_local(one(Rc::clone(&shared), number, wait));
        }
        until_begun(&shared, count, pace).await;
        let at_begin = shared.tally.borrow().clone();
        let before_window = spent()?;
        shared.tally.borrow_mut().delay.reset();
        sleep(pace.window).await;
        let at_end = shared.tally.borrow().clone();
        let window_spent = since(spent()?, before_window);
        let seen = look()?;
        let left = pace.at_most().saturating_sub(begun_at.elapsed());
        let (_, stuck) = drained(connections, left).await?;
        let spent_here = cpu(std::process::id())?.saturating_sub(before_here);
        settled(measured).await;
        let spent = since(spent()?, before);
        let tally = shared.tally.borrow();
        Ok(Streams {
            failed: tally.failed + stuck,
            deltas: tally.deltas,
            spent,
            spent_here,
            window_deltas: at_end.deltas - at_begin.deltas,
            window_spent,
            delay: at_end.delay,
            open: at_begin.begun.saturating_sub(at_end.calls + at_end.failed),
            seen,
        })
    })
}

async fn one(shared: Rc<Shared>, number: usize, wait: Duration) {
    sleep(wait).await;
    shared.call(&mut Connection::default(), number).await;
}

/// Waits until each stream has begun, failed or ended, or is overdue.
async fn until_begun(shared: &Shared, count: u64, pace: Pace) {
    let until = Instant::now() + pace.ramp + LATE_MAX;
    while Instant::now() < until {
        if shared.tally.borrow().settled() >= count {
            return;
        }
        sleep(LOOK_EVERY).await;
    }
}

fn since(now: Option<Duration>, before: Option<Duration>) -> Option<Duration> {
    Some(now?.saturating_sub(before?))
}
