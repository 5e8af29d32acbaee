//! Whether memory grows with the number of calls, or with the length of a stream.

use std::thread::sleep;
use std::time::Duration;

use super::Bench;
use crate::figures::{Figures, float, text};
use crate::load::{Load, counted};
use crate::process::memory;
use crate::report::Table;
use crate::request::{Shape, Wanted};
use crate::stand::{Stand, Target};

/// How long either load may take.
const WITHIN: Duration = Duration::from_mins(1);
/// After a load, before memory is looked at: records are on their way to the database.
const SETTLED_AFTER: Duration = Duration::from_secs(2);
/// Connections of the calls.
const CONNECTIONS: usize = 16;
/// Calls after which what is made once has been made.
const WARM_UP: u64 = 2_000;

pub(super) fn run(bench: &Bench, figures: &mut Figures) -> anyhow::Result<Vec<Table>> {
    let count = bench.plan.growth;
    let unary = Shape { wanted: Wanted::Unary, kilobytes: 1 };
    let stream = Shape { wanted: Wanted::Stream { deltas: count, interval_ms: 0 }, kilobytes: 1 };
    let mut table = Table::new(
        "Growth",
        "MB resident before, right after, and at the most; after 2,000 calls to warm up.",
        &["load", "before", "after", "peak", "failed"],
    );
    for (name, label, shape, loaded) in [
        ("calls", format!("{count} calls of 1 KB"), unary, (CONNECTIONS, u64::from(count))),
        ("stream", format!("one stream of {count} events"), stream, (1, 1)),
    ] {
        let stand = Stand::start(&bench.programs)?;
        let process = stand.process(Target::Relay);
        let held = || process.map(memory).transpose();
        let to = stand.destination(Target::Relay);
        let (connections, number) = loaded;
        let warm_up = Load { to: to.clone(), shape: unary, connections: CONNECTIONS };
        counted(&warm_up, WARM_UP, WITHIN, process)?;
        sleep(SETTLED_AFTER);
        let before = held()?;
        let seen = counted(&Load { to, shape, connections }, number, WITHIN, process)?;
        sleep(SETTLED_AFTER);
        let after = held()?;
        let failed = float(seen.failed);
        let mut cell = |what: &str, value: Option<f64>, places| {
            if let Some(value) = value {
                figures.add(&format!("growth/{name}/{what}"), value);
            }
            text(value, places)
        };
        let cells = [
            cell("before", before.map(|held| held.resident), 1),
            cell("after", after.map(|held| held.resident), 1),
            cell("peak", after.map(|held| held.peak), 1),
            cell("failed", Some(failed), 0),
        ];
        table.rows.push([vec![label], cells.to_vec()].concat());
    }
    Ok(vec![table])
}
