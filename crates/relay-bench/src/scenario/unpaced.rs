//! Streams that the provider sends as fast as it can.

use relay_core::protocol::Protocol;

use super::{Bench, failures, note_failures, unary};
use crate::figures::{Figures, micros_each, per_second, ratio};
use crate::load::{Load, steady};
use crate::report::Table;
use crate::request::{Shape, Wanted};
use crate::stand::{Stand, Target};

/// Events of a stream.
const EVENTS: u32 = 200;
/// Connections.
const CONNECTIONS: [usize; 2] = [16, 64];

pub(super) fn run(bench: &Bench, figures: &mut Figures) -> anyhow::Result<Vec<Table>> {
    let stand = Stand::start(&bench.programs, Protocol::Messages)?;
    let mut table = Table::new(
        "Unpaced streams",
        "Streams of 200 events, sent at once; requests of 1 KB. µs of CPU a call and an event, and \
         events a second.",
        &[
            "connections",
            "nginx µs/call",
            "relay µs/call",
            "nginx µs/event",
            "relay µs/event",
            "ratio",
            "direct events/s",
            "nginx events/s",
            "relay events/s",
            "failed",
        ],
    );
    for connections in CONNECTIONS {
        let case = format!("unpaced/{connections}");
        for number in 0..bench.plan.loads.rounds {
            let ways = Target::in_round(number).map(|target| (target, &stand));
            round(bench, ways, &case, connections, figures)?;
        }
        let figure = |what: &str, places| figures.text(&format!("{case}/{what}"), places);
        table.rows.push(vec![
            connections.to_string(),
            figure("nginx/cpu_us", 1),
            figure("relay/cpu_us", 1),
            figure("nginx/event_cpu_us", 2),
            figure("relay/event_cpu_us", 2),
            figure("ratio", 2),
            figure("direct/events_per_second", 0),
            figure("nginx/events_per_second", 0),
            figure("relay/events_per_second", 0),
            failures(figures, &format!("{case}/failed")),
        ]);
    }
    Ok(vec![table])
}

fn round(
    bench: &Bench,
    ways: [(Target, &Stand); 3],
    case: &str,
    connections: usize,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let wanted = Wanted::Stream { deltas: EVENTS, interval_ms: 0 };
    let shape = Shape { protocol: Protocol::Messages, wanted, kilobytes: 1 };
    let (mut each, mut failed) = ([None; 3], 0);
    for (target, stand) in ways {
        let load = Load { to: stand.destination(target), shape, connections };
        let loads = &bench.plan.loads;
        let seen = steady(&load, loads.warm_up, loads.window, stand.measured(target))?;
        let name = format!("{case}/{}", target.name());
        unary::note(figures, &name, &seen);
        let cost = seen.spent.and_then(|spent| micros_each(spent, seen.deltas));
        each[target as usize] = cost;
        if let Some(cost) = cost {
            figures.add(&format!("{name}/event_cpu_us"), cost);
        }
        let rate = per_second(seen.deltas, seen.elapsed);
        figures.add(&format!("{name}/events_per_second"), rate);
        failed += seen.failed;
    }
    let [_, nginx, relay] = each;
    if let Some(ratio) = ratio(relay, nginx) {
        figures.add(&format!("{case}/ratio"), ratio);
    }
    note_failures(figures, case, failed);
    Ok(())
}
