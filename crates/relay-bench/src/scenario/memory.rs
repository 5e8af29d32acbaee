//! What the relay holds in memory: idle, and with many streams open.

use std::path::Path;
use std::thread::sleep;

use relay_core::protocol::Protocol;

use super::paced::shape;
use super::{Bench, failures, note_failures, note_open};
use crate::figures::{Figures, float};
use crate::load::{Load, Measured, streams};
use crate::process::{Memory, memory};
use crate::report::Table;
use crate::stand::{Provider, Relay, Upstream, until_served};

/// How a relay is started that nobody calls.
const IDLE: [(&str, &str); 2] = [("idle, first start", "first"), ("idle, later start", "later")];

pub(super) fn run(bench: &Bench, figures: &mut Figures) -> anyhow::Result<Vec<Table>> {
    for _ in 0..bench.plan.loads.rounds {
        round(bench, figures)?;
    }
    let mut table = Table::new(
        "Memory",
        "MB of the relay's process: resident while the streams are open, its share of it (PSS), and \
         the most that was ever resident; KB of resident memory for each open stream, beyond the \
         idle relay's. Each row but the first is a later start of its own.",
        &["when", "resident", "PSS", "peak", "KB a stream", "failed"],
    );
    for (when, name) in IDLE {
        table.rows.push(row(figures, when, name));
    }
    for &(count, kilobytes) in bench.plan.memory {
        let when = format!("{count} paced streams, {kilobytes} KB requests");
        table.rows.push(row(figures, &when, &count.to_string()));
    }
    Ok(vec![table])
}

fn round(bench: &Bench, figures: &mut Figures) -> anyhow::Result<()> {
    let folder = tempfile::Builder::new().prefix("crs-bench-").tempdir()?;
    let data = folder.path().join("data");
    let mut idle = 0.0;
    for (_, name) in IDLE {
        let relay = Relay::start(&bench.programs, &data)?;
        sleep(bench.plan.idle_after);
        let held = memory(relay.process.id())?;
        note(figures, &format!("memory/{name}"), held);
        idle = held.resident;
    }
    let provider = Provider::start(&bench.programs)?;
    Relay::add_account(&bench.programs, &data, ("a", Upstream::Claude), provider.address)?;
    let key = Relay::add_key(&bench.programs, &data, ("bench", Upstream::Claude), &[])?;
    for &(count, kilobytes) in bench.plan.memory {
        let (held, open) = with_streams(bench, &data, &key, (count, kilobytes), figures)?;
        let each = (held.resident - idle) * 1_024.0 / float(open.max(1));
        figures.add(&format!("memory/{count}/kilobytes_each"), each);
    }
    Ok(())
}

/// Looks at a relay that has so many streams open; tells how many were.
fn with_streams(
    bench: &Bench,
    data: &Path,
    key: &str,
    (count, kilobytes): (usize, usize),
    figures: &mut Figures,
) -> anyhow::Result<(Memory, u64)> {
    let relay = Relay::start(&bench.programs, data)?;
    let to = relay.destination(key);
    until_served(&to, Protocol::Messages)?;
    let pace = bench.plan.loads.pace.of(count);
    let load = Load { to, shape: shape(Protocol::Messages, pace, kilobytes), connections: count };
    let process = relay.process.id();
    let seen =
        streams(&load, pace, Some(Measured { process, puts_off: true }), || memory(process))?;
    let row = format!("memory/{count}");
    note(figures, &row, seen.seen);
    note_failures(figures, &row, seen.failed);
    note_open(figures, &row, count, seen.open);
    Ok((seen.seen, seen.open))
}

fn note(figures: &mut Figures, name: &str, held: Memory) {
    figures.add(&format!("{name}/resident"), held.resident);
    figures.add(&format!("{name}/proportional"), held.proportional);
    figures.add(&format!("{name}/peak"), held.peak);
}

fn row(figures: &Figures, when: &str, name: &str) -> Vec<String> {
    let figure = |what: &str| figures.text(&format!("memory/{name}/{what}"), 1);
    vec![
        when.to_owned(),
        figure("resident"),
        figure("proportional"),
        figure("peak"),
        figure("kilobytes_each"),
        failures(figures, &format!("memory/{name}/failed")),
    ]
}
