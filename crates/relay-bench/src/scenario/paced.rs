//! Streams of ten events a second: what an event costs, and how much later it arrives.

use std::time::Duration;

use super::{Bench, failures, note_failures, note_open, pair};
use crate::figures::{Figures, float, micros_each, millis_at, ratio};
use crate::load::{Load, Pace, streams};
use crate::report::Table;
use crate::request::{Shape, Wanted};
use crate::stand::{Stand, Target};

/// Between two events of a stream.
const INTERVAL: Duration = Duration::from_millis(100);

pub(super) fn run(bench: &Bench, figures: &mut Figures) -> anyhow::Result<Vec<Table>> {
    let stand = Stand::start(&bench.programs)?;
    let mut costs = Table::new(
        "Paced streams: CPU",
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
    let mut delays = Table::new(
        "Paced streams: delay",
        "From the provider's sending of an event to its arrival at the client: p50 / p99 in \
         milliseconds. What a way adds is its figure less the direct one.",
        &["streams", "direct", "nginx", "relay", "relay adds"],
    );
    for &(count, rounds) in bench.plan.streams {
        let case = format!("paced/{count}");
        for number in 0..rounds {
            let ways = Target::in_round(number).map(|target| (target, &stand));
            round(bench, ways, &case, count, figures)?;
        }
        let figure = |what: &str, places| figures.text(&format!("{case}/{what}"), places);
        costs.rows.push(vec![
            count.to_string(),
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
        delays.rows.push([vec![count.to_string()], row.to_vec()].concat());
    }
    Ok(vec![costs, delays])
}

/// Streams of this pace that stay open while they are looked at.
pub(super) fn shape(pace: Pace, kilobytes: usize) -> Shape {
    let deltas = u32::try_from(pace.life().as_millis() / INTERVAL.as_millis()).unwrap_or(u32::MAX);
    let interval_ms = u32::try_from(INTERVAL.as_millis()).unwrap_or(u32::MAX);
    Shape { wanted: Wanted::Stream { deltas, interval_ms }, kilobytes }
}

fn round(
    bench: &Bench,
    ways: [(Target, &Stand); 3],
    case: &str,
    count: usize,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let pace = bench.plan.pace.of(count);
    let (mut whole, mut open, mut delays, mut failed) = ([None; 3], [None; 3], [None; 3], 0);
    for (target, stand) in ways {
        let at = target as usize;
        let to = stand.destination(target);
        let load = Load { to, shape: shape(pace, 1), connections: count };
        let seen = streams(&load, pace, stand.process(target), || Ok(()))?;
        whole[at] = seen.spent.and_then(|spent| micros_each(spent, seen.deltas));
        open[at] = seen.window_spent.and_then(|spent| micros_each(spent, seen.window_deltas));
        delays[at] = millis_at(&seen.delay, 0.5).zip(millis_at(&seen.delay, 0.99));
        failed += seen.failed;
        note_open(figures, case, count, seen.open);
        let name = target.name();
        let mut add = |what: &str, value: Option<f64>| {
            if let Some(value) = value {
                figures.add(&format!("{case}/{name}/{what}"), value);
            }
        };
        add("cpu_us", whole[at]);
        add("open_cpu_us", open[at]);
        add("load_cpu_us", micros_each(seen.spent_here, seen.deltas));
        add("delay_p50_ms", delays[at].map(|(p50, _)| p50));
        add("delay_p99_ms", delays[at].map(|(_, p99)| p99));
        add("events", Some(float(seen.deltas)));
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
