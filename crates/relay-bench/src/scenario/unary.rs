//! Whole answers: what a call costs by the length of its body and the number of connections.

use super::{Bench, failures, note_failures, pair};
use crate::figures::{Figures, micros_each, millis_at, per_second, ratio};
use crate::load::{Load, Steady, steady};
use crate::report::Table;
use crate::request::{Shape, Wanted};
use crate::stand::{Stand, Target};

pub(super) fn run(bench: &Bench, figures: &mut Figures) -> anyhow::Result<Vec<Table>> {
    let stand = Stand::start(&bench.programs)?;
    let mut costs = Table::new(
        "Unary calls: CPU",
        "µs of CPU a call, of the whole process.",
        &["body, connections", "nginx", "relay", "ratio", "failed"],
    );
    let mut times = Table::new(
        "Unary calls: rate and latency",
        "Calls a second, and p50 / p99 in milliseconds.",
        &[
            "body, connections",
            "direct /s",
            "nginx /s",
            "relay /s",
            "direct ms",
            "nginx ms",
            "relay ms",
        ],
    );
    for &(kilobytes, connections) in bench.plan.unary {
        let case = format!("unary/{kilobytes}/{connections}");
        let shape = Shape { wanted: Wanted::Unary, kilobytes };
        for number in 0..bench.plan.rounds {
            let ways = Target::in_round(number).map(|target| (target, &stand));
            round(bench, ways, &case, (shape, connections), figures)?;
        }
        let label = format!("{kilobytes} KB, {connections}");
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
    Ok(vec![costs, times])
}

/// All three ways, one after the other.
fn round(
    bench: &Bench,
    ways: [(Target, &Stand); 3],
    case: &str,
    (shape, connections): (Shape, usize),
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let (mut cpu_us, mut failed) = ([None; 3], 0);
    for (target, stand) in ways {
        let load = Load { to: stand.destination(target), shape, connections };
        let (warm_up, window) = (bench.plan.warm_up, bench.plan.window);
        let seen = steady(&load, warm_up, window, stand.process(target))?;
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
