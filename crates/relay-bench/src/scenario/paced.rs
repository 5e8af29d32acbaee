//! Streams of ten events a second: what an event costs, and how much later it arrives.

use std::time::Duration;

use relay_core::protocol::Protocol;

use super::{Bench, Loads, failures, note_failures, note_open, of_protocol, pair, row};
use crate::figures::{Figures, float, micros_each, millis_at, ratio};
use crate::load::{Load, Pace, Streams, streams};
use crate::report::Table;
use crate::request::{Shape, Wanted};
use crate::stand::{Stand, Target};

/// Between two events of a stream.
const INTERVAL: Duration = Duration::from_millis(100);

pub(super) fn run(bench: &Bench, figures: &mut Figures) -> anyhow::Result<Vec<Table>> {
    let stand = Stand::start(&bench.programs, Protocol::Messages)?;
    let mut tables = tables("Paced streams");
    rows(&stand, Protocol::Messages, &bench.plan.loads, &mut tables, figures)?;
    Ok(tables.into())
}

/// What events cost, and how much later they arrive; neither has rows yet.
pub(super) fn tables(title: &str) -> [Table; 2] {
    let costs = Table::new(
        &format!("{title}: CPU"),
        "Ten events a second each, requests of 1 KB. µs of CPU an event: over the whole life of the \
         streams, with their beginning and end, and only while all are open.",
        &[
            "streams",
            "nginx",
            "relay",
            "ratio",
            "open: nginx",
            "open: relay",
            "open: ratio",
            "failed",
        ],
    );
    let delays = Table::new(
        &format!("{title}: delay"),
        "From the provider's sending of an event to its arrival at the client: p50 / p99 in \
         milliseconds. What a way adds is its figure less the direct one.",
        &["streams", "direct", "nginx", "relay", "relay adds"],
    );
    [costs, delays]
}

/// A protocol's rows of both tables.
pub(super) fn rows(
    stand: &Stand,
    protocol: Protocol,
    loads: &Loads,
    [costs, delays]: &mut [Table; 2],
    figures: &mut Figures,
) -> anyhow::Result<()> {
    for &(count, rounds) in loads.streams {
        let case = row("paced", protocol, &count.to_string());
        let pace = loads.pace.of(count);
        for number in 0..rounds {
            let ways = Target::in_round(number).map(|target| (target, stand));
            round(shape(protocol, pace, 1), ways, &case, (count, pace), figures)?;
        }
        let label = of_protocol(protocol, &count.to_string());
        let figure = |what: &str, places| figures.text(&format!("{case}/{what}"), places);
        costs.rows.push(vec![
            label.clone(),
            figure("nginx/cpu_us", 1),
            figure("relay/cpu_us", 1),
            figure("ratio", 2),
            figure("nginx/open_cpu_us", 1),
            figure("relay/open_cpu_us", 1),
            figure("open_ratio", 2),
            failures(figures, &format!("{case}/failed")),
        ]);
        let delay = |target: &str| {
            let of = |what: &str| format!("{case}/{target}/{what}");
            pair(figures, &of("delay_p50_ms"), &of("delay_p99_ms"), 2)
        };
        let row = ["direct", "nginx", "relay", "added"].map(delay);
        delays.rows.push([vec![label], row.to_vec()].concat());
    }
    Ok(())
}

/// Streams of this pace that stay open while they are looked at.
pub(super) fn shape(protocol: Protocol, pace: Pace, kilobytes: usize) -> Shape {
    let deltas = u32::try_from(pace.life().as_millis() / INTERVAL.as_millis()).unwrap_or(u32::MAX);
    let interval_ms = u32::try_from(INTERVAL.as_millis()).unwrap_or(u32::MAX);
    Shape { protocol, wanted: Wanted::Stream { deltas, interval_ms }, kilobytes }
}

fn round(
    shape: Shape,
    ways: [(Target, &Stand); 3],
    case: &str,
    (count, pace): (usize, Pace),
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let (mut whole, mut open, mut delays, mut failed) = ([None; 3], [None; 3], [None; 3], 0);
    for (target, stand) in ways {
        let at = target as usize;
        let load = Load { to: stand.destination(target), shape, connections: count };
        let seen = streams(&load, pace, stand.measured(target), || Ok(()))?;
        [whole[at], open[at]] = note(figures, &format!("{case}/{}", target.name()), &seen);
        delays[at] = millis_at(&seen.delay, 0.5).zip(millis_at(&seen.delay, 0.99));
        failed += seen.failed;
        note_open(figures, case, count, seen.open);
    }
    for (what, [_, nginx, relay]) in [("ratio", whole), ("open_ratio", open)] {
        if let Some(ratio) = ratio(relay, nginx) {
            figures.add(&format!("{case}/{what}"), ratio);
        }
    }
    if let [Some(direct), _, Some(relay)] = delays {
        figures.add(&format!("{case}/added/delay_p50_ms"), relay.0 - direct.0);
        figures.add(&format!("{case}/added/delay_p99_ms"), relay.1 - direct.1);
    }
    note_failures(figures, case, failed);
    Ok(())
}

/// The figures of streams; what an event cost over their whole life, and while all were open.
pub(super) fn note<T>(figures: &mut Figures, name: &str, seen: &Streams<T>) -> [Option<f64>; 2] {
    let whole = seen.spent.and_then(|spent| micros_each(spent, seen.deltas));
    let open = seen.window_spent.and_then(|spent| micros_each(spent, seen.window_deltas));
    let mut add = |what: &str, value: Option<f64>| {
        if let Some(value) = value {
            figures.add(&format!("{name}/{what}"), value);
        }
    };
    add("cpu_us", whole);
    add("open_cpu_us", open);
    add("load_cpu_us", micros_each(seen.spent_here, seen.deltas));
    add("delay_p50_ms", millis_at(&seen.delay, 0.5));
    add("delay_p99_ms", millis_at(&seen.delay, 0.99));
    add("events", Some(float(seen.deltas)));
    [whole, open]
}
