//! Two accounts, one of which fails: what clients see of it, and what it costs.

use std::thread;

use anyhow::anyhow;
use relay_core::protocol::Protocol;

use super::{Bench, failures, pair, unary};
use crate::figures::{Figures, float};
use crate::load::{Load, Measured, SETTLED_AFTER, steady};
use crate::report::Table;
use crate::request::{Shape, Wanted};
use crate::stand::{Provider, Relay, Upstream, until_served};

/// Connections, which share as many conversations.
const CONNECTIONS: usize = 64;
/// The account that fails, by its credential.
const FAILING: &str = "upstream-a";

/// How one of the two accounts behaves.
#[derive(Debug, Clone, Copy)]
struct Case {
    name: &'static str,
    label: &'static str,
    /// From before the first call.
    first: &'static str,
    /// From the middle of what is counted.
    then: Option<&'static str>,
}

const CASES: [Case; 4] = [
    Case { name: "well", label: "both are well", first: "well", then: None },
    Case { name: "529", label: "one answers 529 to each call", first: "529", then: None },
    Case { name: "reset", label: "one closes each connection", first: "reset", then: None },
    Case { name: "turns", label: "one turns to 529 in mid-run", first: "well", then: Some("529") },
];

pub(super) fn run(bench: &Bench, figures: &mut Figures) -> anyhow::Result<Vec<Table>> {
    let mut table = Table::new(
        "Failover under load",
        "Two accounts, unary calls of 1 KB, 64 connections and as many conversations. An account that \
         fails rests most of the time: what is seen is the cost of calls beside it, and of its trials.",
        &["account", "calls/s", "µs CPU a call", "p50 / p99 ms", "calls that failed"],
    );
    for _ in 0..bench.plan.loads.rounds {
        for case in CASES {
            round(bench, case, figures)?;
        }
    }
    for Case { name, label, .. } in CASES {
        let of = |what: &str| format!("failover/{name}/{what}");
        table.rows.push(vec![
            label.to_owned(),
            figures.text(&of("per_second"), 0),
            figures.text(&of("cpu_us"), 1),
            pair(figures, &of("p50_ms"), &of("p99_ms"), 2),
            failures(figures, &of("failed")),
        ]);
    }
    Ok(vec![table])
}

fn round(bench: &Bench, case: Case, figures: &mut Figures) -> anyhow::Result<()> {
    let folder = tempfile::Builder::new().prefix("crs-bench-").tempdir()?;
    let data = folder.path().join("data");
    let provider = Provider::start(&bench.programs)?;
    // The first start makes the database; the second knows the accounts from its beginning.
    drop(Relay::start(&bench.programs, &data)?);
    for account in ["a", "b"] {
        Relay::add_account(&bench.programs, &data, (account, Upstream::Claude), provider.address)?;
    }
    let key = Relay::add_key(&bench.programs, &data, ("bench", Upstream::Claude), &[])?;
    let relay = Relay::start(&bench.programs, &data)?;
    let to = relay.destination(&key);
    until_served(&to, Protocol::Messages)?;
    Provider::answers(provider.address, FAILING, case.first)?;

    let shape = Shape { protocol: Protocol::Messages, wanted: Wanted::Unary, kilobytes: 1 };
    let load = Load { to, shape, connections: CONNECTIONS };
    let (warm_up, window) = (bench.plan.loads.warm_up, bench.plan.loads.window);
    let address = provider.address;
    let turn = case.then.map(|how| {
        thread::spawn(move || {
            thread::sleep(warm_up + SETTLED_AFTER + window / 2);
            Provider::answers(address, FAILING, how)
        })
    });
    let measured = Measured { process: relay.process.id(), puts_off: true };
    let seen = steady(&load, warm_up, window, Some(measured))?;
    if let Some(turn) = turn {
        turn.join().map_err(|_| anyhow!("the provider was not told to fail"))??;
    }
    let name = format!("failover/{}", case.name);
    unary::note(figures, &name, &seen);
    figures.add(&format!("{name}/failed"), float(seen.failed));
    figures.add("failover/failed", float(seen.failed));
    if seen.calls == 0 {
        figures.spoil("failover", "no call was answered in a round".to_owned());
    }
    Ok(())
}
