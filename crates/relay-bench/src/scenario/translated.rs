//! Clients on accounts of another family: what a call and an event cost there, beside the same
//! client on its own family's account.

use relay_core::protocol::Protocol;

use super::{Bench, failures, label, name, note_failures, note_open, paced, unary};
use crate::figures::{Figures, micros_each, ratio};
use crate::load::{Load, Measured, steady, streams};
use crate::report::Table;
use crate::request::{Destination, Shape, Wanted, model};
use crate::stand::{Programs, Provider, Relay, Upstream, until_served};

/// Clients, and the accounts that serve them: the first is of their own family.
const CLIENTS: [(Protocol, &[Upstream]); 3] = [
    (
        Protocol::Messages,
        &[Upstream::Claude, Upstream::OpenaiChat, Upstream::OpenaiResponses, Upstream::Gemini],
    ),
    (Protocol::Chat, &[Upstream::Openai, Upstream::Claude]),
    (Protocol::Responses, &[Upstream::Openai, Upstream::Claude]),
];
const ACCOUNTS: [Upstream; 5] = [
    Upstream::Claude,
    Upstream::Openai,
    Upstream::OpenaiChat,
    Upstream::OpenaiResponses,
    Upstream::Gemini,
];

/// A client on an account.
struct Way {
    upstream: Upstream,
    to: Destination,
}

/// All ways of a client, through one relay.
struct Ways {
    client: Protocol,
    measured: Measured,
    each: Vec<Way>,
}

pub(super) fn run(bench: &Bench, figures: &mut Figures) -> anyhow::Result<Vec<Table>> {
    let folder = tempfile::Builder::new().prefix("crs-bench-").tempdir()?;
    let data = folder.path().join("data");
    let programs = &bench.programs;
    let provider = Provider::start(programs)?;
    let relay = Relay::start(programs, &data)?;
    for upstream in ACCOUNTS {
        Relay::add_account(programs, &data, (upstream.name(), upstream), provider.address)?;
    }
    let mut calls = Table::new(
        "Translated calls: CPU",
        "Unary calls through one relay with an account of each kind. µs of CPU a call, and how many \
         times that of the same client on its own family's account, which stands first.",
        &["client, account, body, connections", "relay", "ratio", "failed"],
    );
    let mut events = Table::new(
        "Translated streams: CPU",
        "Ten events a second each, requests of 1 KB. µs of CPU an event, and how many times that of \
         the same client on its own family's account: over the whole life of the streams, and only \
         while all are open.",
        &["client, account, streams", "relay", "ratio", "open: relay", "open: ratio", "failed"],
    );
    for (client, upstreams) in CLIENTS {
        let ways = upstreams.iter().map(|upstream| way(programs, &data, client, *upstream, &relay));
        let each = ways.collect::<anyhow::Result<Vec<_>>>()?;
        let measured = Measured { process: relay.process.id(), puts_off: true };
        let ways = Ways { client, measured, each };
        ways.calls(bench, &mut calls, figures)?;
        ways.streams(bench, &mut events, figures)?;
    }
    Ok(vec![calls, events])
}

/// A key that leads the client's model to this account and nowhere else: it may use no other
/// service, so a call that is not translated fails.
fn way(
    programs: &Programs,
    data: &std::path::Path,
    client: Protocol,
    upstream: Upstream,
    relay: &Relay,
) -> anyhow::Result<Way> {
    let key = format!("{}-on-{}", name(client), upstream.name());
    let bound = format!("{}={}", upstream.service().as_str(), upstream.name());
    let alias = format!("{}={}", model(client), upstream.model());
    let mut more = vec!["--bind", bound.as_str()];
    if upstream.model() != model(client) {
        more.extend(["--map", alias.as_str()]);
    }
    let key = Relay::add_key(programs, data, (&key, upstream), &more)?;
    let to = relay.destination(&key);
    until_served(&to, client)?;
    Ok(Way { upstream, to })
}

impl Ways {
    fn row(&self, way: &Way, case: &str) -> String {
        format!("translated/{}/{}/{case}", name(self.client), way.upstream.name())
    }

    fn label(&self, way: &Way, case: &str) -> String {
        format!("{} on {}, {case}", label(self.client), way.upstream.name())
    }

    /// The ways in the order of a round: each round begins with another of them.
    fn in_round(&self, number: usize) -> impl Iterator<Item = (usize, &Way)> {
        let count = self.each.len();
        (0..count).map(move |at| (at + number) % count).map(|at| (at, &self.each[at]))
    }

    fn calls(&self, bench: &Bench, table: &mut Table, figures: &mut Figures) -> anyhow::Result<()> {
        let loads = &bench.plan.translated;
        for &(kilobytes, connections) in loads.unary {
            let case = format!("unary/{kilobytes}/{connections}");
            let shape = Shape { protocol: self.client, wanted: Wanted::Unary, kilobytes };
            for number in 0..loads.rounds {
                let mut each = vec![None; self.each.len()];
                for (at, way) in self.in_round(number) {
                    let row = self.row(way, &case);
                    let load = Load { to: way.to.clone(), shape, connections };
                    let seen = steady(&load, loads.warm_up, loads.window, Some(self.measured))?;
                    unary::note(figures, &row, &seen);
                    note_failures(figures, &row, seen.failed);
                    each[at] = seen.spent.and_then(|spent| micros_each(spent, seen.calls));
                }
                self.note_ratios(&case, "ratio", &each, figures);
            }
            for way in &self.each {
                let row = self.row(way, &case);
                table.rows.push(vec![
                    self.label(way, &format!("{kilobytes} KB, {connections}")),
                    figures.text(&format!("{row}/cpu_us"), 1),
                    figures.text(&format!("{row}/ratio"), 2),
                    failures(figures, &format!("{row}/failed")),
                ]);
            }
        }
        Ok(())
    }

    fn streams(
        &self,
        bench: &Bench,
        table: &mut Table,
        figures: &mut Figures,
    ) -> anyhow::Result<()> {
        for &(count, rounds) in bench.plan.translated.streams {
            let case = format!("paced/{count}");
            let pace = bench.plan.translated.pace.of(count);
            let shape = paced::shape(self.client, pace, 1);
            for number in 0..rounds {
                let mut whole = vec![None; self.each.len()];
                let mut open = whole.clone();
                for (at, way) in self.in_round(number) {
                    let row = self.row(way, &case);
                    let load = Load { to: way.to.clone(), shape, connections: count };
                    let seen = streams(&load, pace, Some(self.measured), || Ok(()))?;
                    [whole[at], open[at]] = paced::note(figures, &row, &seen);
                    note_failures(figures, &row, seen.failed);
                    note_open(figures, &row, count, seen.open);
                }
                self.note_ratios(&case, "ratio", &whole, figures);
                self.note_ratios(&case, "open_ratio", &open, figures);
            }
            for way in &self.each {
                let row = self.row(way, &case);
                let figure = |what: &str, places| figures.text(&format!("{row}/{what}"), places);
                table.rows.push(vec![
                    self.label(way, &count.to_string()),
                    figure("cpu_us", 1),
                    figure("ratio", 2),
                    figure("open_cpu_us", 1),
                    figure("open_ratio", 2),
                    failures(figures, &format!("{row}/failed")),
                ]);
            }
        }
        Ok(())
    }

    /// Ratios of one round, to the first of the ways.
    fn note_ratios(&self, case: &str, what: &str, costs: &[Option<f64>], figures: &mut Figures) {
        for (way, figure) in self.each.iter().zip(costs) {
            if let Some(ratio) = ratio(*figure, costs[0]) {
                figures.add(&format!("{}/{what}", self.row(way, case)), ratio);
            }
        }
    }
}
