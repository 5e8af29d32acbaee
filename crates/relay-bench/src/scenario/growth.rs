//! Whether memory grows with the number of calls, or with the length of a stream.

use std::thread::sleep;
use std::time::Duration;

use anyhow::Context;

use super::{Bench, note_failures};
use crate::figures::{Figures, float};
use crate::load::{Load, SETTLED_AFTER, Steady, counted};
use crate::process::memory;
use crate::report::Table;
use crate::request::{Shape, Wanted};
use crate::stand::{Stand, Target};

/// How long either load may take.
const WITHIN: Duration = Duration::from_mins(2);
/// Connections of the calls.
const CONNECTIONS: usize = 16;
/// Whole answers, of the shape that warms up too.
const UNARY: Shape = Shape { wanted: Wanted::Unary, kilobytes: 1 };

/// What memory must not grow with.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// So many calls.
    Calls(u32),
    /// One stream of so many events.
    Stream(u32),
}

pub(super) fn run(bench: &Bench, figures: &mut Figures) -> anyhow::Result<Vec<Table>> {
    let count = bench.plan.growth;
    let mut table = Table::new(
        "Growth",
        "MB resident before, after it has settled, and at the most, once each. Before it come \
         unary calls enough to fill what is filled once: pins, queues, the database's pages.",
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
    fn made(self, seen: &Steady) -> (u64, u64) {
        match self {
            Self::Calls(count) => (seen.calls, count.into()),
            Self::Stream(count) => (seen.deltas, count.into()),
        }
    }
}

fn grown(bench: &Bench, kind: Kind, figures: &mut Figures) -> anyhow::Result<Steady> {
    let stand = Stand::start(&bench.programs)?;
    let process = stand.process(Target::Relay).context("the relay has no process")?;
    let to = stand.destination(Target::Relay);
    let (shape, connections, calls) = match kind {
        Kind::Calls(count) => (UNARY, CONNECTIONS, u64::from(count)),
        Kind::Stream(deltas) => {
            (Shape { wanted: Wanted::Stream { deltas, interval_ms: 0 }, kilobytes: 1 }, 1, 1)
        }
    };
    let warm_up = Load { to: to.clone(), shape: UNARY, connections: CONNECTIONS };
    let warm = counted(&warm_up, bench.plan.growth_warm_up, WITHIN, Some(process))?;
    sleep(SETTLED_AFTER);
    let before = memory(process)?;
    let seen = counted(&Load { to, shape, connections }, calls, WITHIN, Some(process))?;
    sleep(SETTLED_AFTER);
    let after = memory(process)?;

    let row = kind.row();
    for (what, value) in [
        ("before", before.resident),
        ("after", after.resident),
        ("grown", after.resident - before.resident),
        ("peak", after.peak),
        ("calls", float(seen.calls)),
        ("events", float(seen.deltas)),
    ] {
        figures.add(&format!("{row}/{what}"), value);
    }
    note_failures(figures, &row, warm.failed + seen.failed);
    let (made, wanted) = kind.made(&seen);
    if made != wanted || warm.calls != bench.plan.growth_warm_up {
        figures.spoil(&row, format!("{made} of {wanted} were made in time"));
    }
    Ok(seen)
}
