//! Whether memory grows with the number of calls, or with the length of a stream.

use std::thread::sleep;
use std::time::Duration;

use anyhow::Context;
use relay_core::protocol::Protocol;

use super::{Bench, note_failures};
use crate::figures::{Figures, float, median};
use crate::load::{Load, Measured, SETTLED_AFTER, counted};
use crate::process::memory;
use crate::report::Table;
use crate::request::{Shape, Wanted};
use crate::stand::{Stand, Target};

/// How long either load may take.
const WITHIN: Duration = Duration::from_mins(2);
/// How often memory is looked at among the calls before, and among those that it must not grow
/// with. It goes up and down by some MB with what the allocator happens to keep.
const READINGS: u64 = 5;
/// Connections of the calls.
const CONNECTIONS: usize = 16;
/// Whole answers, of the shape that warms up too.
const UNARY: Shape = Shape { protocol: Protocol::Messages, wanted: Wanted::Unary, kilobytes: 1 };

/// What memory must not grow with.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// So many calls.
    Calls(u32),
    /// One stream of so many events.
    Stream(u32),
}

/// What a load did, and what it left.
#[derive(Debug, Clone, Default)]
struct Seen {
    calls: u64,
    deltas: u64,
    failed: u64,
    /// MB, the median of the looks.
    resident: f64,
    peak: f64,
}

pub(super) fn run(bench: &Bench, figures: &mut Figures) -> anyhow::Result<Vec<Table>> {
    let count = bench.plan.growth;
    let mut table = Table::new(
        "Growth",
        "MB resident before and after, once it has settled, and at the most. Before it come \
         unary calls enough to fill what is filled once: pins, queues, the database's pages. With \
         calls, either is the median of five looks, one every 20,000 calls.",
        &["load", "before", "after", "grown", "peak", "failed"],
    );
    for kind in [Kind::Calls(count), Kind::Stream(count)] {
        let row = kind.row();
        let seen = grown(bench, kind, figures)?;
        let (number, _) = kind.made(&seen);
        let label = match kind {
            Kind::Calls(_) => format!("{number} calls of 1 KB"),
            Kind::Stream(_) => format!("one stream, {number} events"),
        };
        let cell = |what: &str, places| figures.text(&format!("{row}/{what}"), places);
        table.rows.push(vec![
            label,
            cell("before", 1),
            cell("after", 1),
            cell("grown", 1),
            cell("peak", 1),
            cell("failed", 0),
        ]);
    }
    Ok(vec![table])
}

impl Kind {
    fn row(self) -> String {
        match self {
            Self::Calls(count) => format!("growth/calls/{count}"),
            Self::Stream(count) => format!("growth/stream/{count}"),
        }
    }

    /// How many calls or events there were, and should have been.
    fn made(self, seen: &Seen) -> (u64, u64) {
        match self {
            Self::Calls(count) => (seen.calls, count.into()),
            Self::Stream(count) => (seen.deltas, count.into()),
        }
    }
}

fn grown(bench: &Bench, kind: Kind, figures: &mut Figures) -> anyhow::Result<Seen> {
    let stand = Stand::start(&bench.programs, Protocol::Messages)?;
    let relay = stand.measured(Target::Relay).context("the relay has no process")?;
    let to = stand.destination(Target::Relay);
    let unary = Load { to: to.clone(), shape: UNARY, connections: CONNECTIONS };
    let plan = &bench.plan;
    let warm = load(relay, &unary, (plan.growth_warm_up, 1))?;
    let (before, seen) = match kind {
        Kind::Calls(count) => {
            let parts = (u64::from(count) / READINGS, READINGS);
            (load(relay, &unary, parts)?, load(relay, &unary, parts)?)
        }
        Kind::Stream(deltas) => {
            let shape = Shape { wanted: Wanted::Stream { deltas, interval_ms: 0 }, ..UNARY };
            (warm.clone(), load(relay, &Load { to, shape, connections: 1 }, (1, 1))?)
        }
    };

    let row = kind.row();
    for (what, value) in [
        ("before", before.resident),
        ("after", seen.resident),
        ("grown", seen.resident - before.resident),
        ("peak", seen.peak),
        ("calls", float(seen.calls)),
        ("events", float(seen.deltas)),
    ] {
        figures.add(&format!("{row}/{what}"), value);
    }
    note_failures(figures, &row, warm.failed + before.failed + seen.failed);
    let (made, wanted) = kind.made(&seen);
    if made != wanted || warm.calls != plan.growth_warm_up {
        figures.spoil(&row, format!("{made} of {wanted} were made in time"));
    }
    Ok(seen)
}

/// Loads the relay with so many calls so often, and looks at its memory after each time.
fn load(relay: Measured, load: &Load, (calls, times): (u64, u64)) -> anyhow::Result<Seen> {
    let (mut seen, mut resident) = (Seen::default(), Vec::new());
    for _ in 0..times {
        let steady = counted(load, calls, WITHIN, Some(relay))?;
        seen.calls += steady.calls;
        seen.deltas += steady.deltas;
        seen.failed += steady.failed;
        sleep(SETTLED_AFTER);
        let now = memory(relay.process)?;
        resident.push(now.resident);
        seen.peak = now.peak;
    }
    seen.resident = median(&resident).context("memory was not looked at")?;
    Ok(seen)
}
