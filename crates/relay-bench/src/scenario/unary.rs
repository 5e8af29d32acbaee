//! Whole answers: what a call costs by the length of its body and the number of connections.

use relay_core::protocol::Protocol;

use super::{Bench, Loads, failures, note_failures, of_protocol, pair, row};
use crate::figures::{Figures, micros_each, millis_at, per_second, ratio};
use crate::load::{Load, Steady, steady};
use crate::report::Table;
use crate::request::{Shape, Wanted};
use crate::stand::{Stand, Target};

pub(super) fn run(bench: &Bench, figures: &mut Figures) -> anyhow::Result<Vec<Table>> {
    let stand = Stand::start(&bench.programs, Protocol::Messages)?;
    let mut tables = tables("Unary calls", "body, connections");
    rows(&stand, Protocol::Messages, &bench.plan.loads, &mut tables, figures)?;
    Ok(tables.into())
}

/// What calls cost, and how many there were and how long they took; neither has rows yet.
pub(super) fn tables(title: &str, first: &str) -> [Table; 2] {
    let costs = Table::new(
        &format!("{title}: CPU"),
        "µs of CPU a call, of the whole process.",
        &[first, "nginx", "relay", "ratio", "failed"],
    );
    let times = Table::new(
        &format!("{title}: rate and latency"),
        "Calls a second, and p50 / p99 in milliseconds.",
        &[first, "direct /s", "nginx /s", "relay /s", "direct ms", "nginx ms", "relay ms"],
    );
    [costs, times]
}

/// A protocol's rows of both tables.
pub(super) fn rows(
    stand: &Stand,
    protocol: Protocol,
    loads: &Loads,
    [costs, times]: &mut [Table; 2],
    figures: &mut Figures,
) -> anyhow::Result<()> {
    for &(kilobytes, connections) in loads.unary {
        let case = row("unary", protocol, &format!("{kilobytes}/{connections}"));
        let shape = Shape { protocol, wanted: Wanted::Unary, kilobytes };
        for number in 0..loads.rounds {
            let ways = Target::in_round(number).map(|target| (target, stand));
            round(loads, ways, &case, (shape, connections), figures)?;
        }
        let label = of_protocol(protocol, &format!("{kilobytes} KB, {connections}"));
        let of = |target: &str, what: &str| format!("{case}/{target}/{what}");
        costs.rows.push(vec![
            label.clone(),
            figures.text(&of("nginx", "cpu_us"), 1),
            figures.text(&of("relay", "cpu_us"), 1),
            figures.text(&format!("{case}/ratio"), 2),
            failures(figures, &format!("{case}/failed")),
        ]);
        let rate = |target: Target| figures.text(&of(target.name(), "per_second"), 0);
        let latency = |target: Target| {
            pair(figures, &of(target.name(), "p50_ms"), &of(target.name(), "p99_ms"), 2)
        };
        let mut row = vec![label];
        row.extend(Target::ALL.map(rate));
        row.extend(Target::ALL.map(latency));
        times.rows.push(row);
    }
    Ok(())
}

/// All three ways, one after the other.
fn round(
    loads: &Loads,
    ways: [(Target, &Stand); 3],
    case: &str,
    (shape, connections): (Shape, usize),
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let (mut cpu_us, mut failed) = ([None; 3], 0);
    for (target, stand) in ways {
        let load = Load { to: stand.destination(target), shape, connections };
        let seen = steady(&load, loads.warm_up, loads.window, stand.measured(target))?;
        note(figures, &format!("{case}/{}", target.name()), &seen);
        cpu_us[target as usize] = seen.spent.and_then(|spent| micros_each(spent, seen.calls));
        failed += seen.failed;
    }
    let [_, nginx, relay] = cpu_us;
    if let Some(ratio) = ratio(relay, nginx) {
        figures.add(&format!("{case}/ratio"), ratio);
    }
    note_failures(figures, case, failed);
    Ok(())
}

/// The figures of one steady load.
pub(super) fn note(figures: &mut Figures, name: &str, seen: &Steady) {
    let mut add = |what: &str, value: Option<f64>| {
        if let Some(value) = value {
            figures.add(&format!("{name}/{what}"), value);
        }
    };
    add("cpu_us", seen.spent.and_then(|spent| micros_each(spent, seen.calls)));
    add("load_cpu_us", micros_each(seen.spent_here, seen.calls));
    add("per_second", Some(per_second(seen.calls, seen.elapsed)));
    add("p50_ms", millis_at(&seen.latency, 0.5));
    add("p99_ms", millis_at(&seen.latency, 0.99));
}
