//! Translating alone: what a request and an event of a stream cost for each pair of a client's
//! protocol and an account's, in this very process.

use std::hint::black_box;
use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use relay_core::endpoint::Endpoint;
use relay_wire::sse::SseFramer;
use relay_wire::translate::{Asker, Back, Host, Pair, Target, Translated, pairs, request};

use self::conversation::conversation;
use super::{Bench, label, name};
use crate::answer::ask;
use crate::events::EventScan;
use crate::figures::{Figures, micros_each};
use crate::process::cpu;
use crate::report::Table;
use crate::request::{Destination, Paths, Shape, Wanted, model};
use crate::stand::Provider;

mod conversation;

/// The row of the slowest pair.
pub(crate) const TRANSLATING: &str = "translating";
/// Length of the requests.
const BODY_BYTES: usize = 50 * 1_024;
/// Deltas of a stream that is translated.
const DELTAS: u32 = 1_000;
/// The largest event that is waited for.
const EVENT_BYTES_MAX: usize = 1 << 20;
/// How much processor time each figure is taken from, at the least.
const WORK: Duration = Duration::from_millis(100);

/// What is translated for a pair.
struct Case {
    pair: Pair,
    body: String,
    /// The account's stream, an event each, as paced ones arrive.
    events: Vec<Bytes>,
}

pub(super) fn run(bench: &Bench, figures: &mut Figures) -> anyhow::Result<Vec<Table>> {
    let provider = Provider::start(&bench.programs)?;
    let cases = pairs().filter(|pair| is_conversation(*pair));
    let cases = cases.map(|pair| Case::new(pair, &provider)).collect::<anyhow::Result<Vec<_>>>()?;
    for _ in 0..bench.plan.loads.rounds {
        round(&cases, figures)?;
    }
    let mut table = Table::new(
        "Translating alone",
        "µs of CPU of translating a request of 50 KB with tools, calls and their results to what the \
         account speaks, and one event of the account's stream back, each event by itself.",
        &["client, account", "request", "event"],
    );
    for case in &cases {
        let figure = |what: &str, places| figures.text(&format!("{}/{what}", case.row()), places);
        let client = label(case.pair.client.protocol());
        let account = label(case.pair.account.protocol());
        table.rows.push(vec![
            format!("{client}, {account}"),
            figure("request_us", 1),
            figure("event_us", 2),
        ]);
    }
    Ok(vec![table])
}

/// Whether it is one whose client sends whole conversations, and gets streams.
const fn is_conversation(pair: Pair) -> bool {
    matches!(pair.client, Endpoint::Messages | Endpoint::Chat | Endpoint::Responses)
}

/// Every pair once; the slowest of them stands for the round.
fn round(cases: &[Case], figures: &mut Figures) -> anyhow::Result<()> {
    let (mut slowest_request, mut slowest_event) = (0.0_f64, 0.0_f64);
    for case in cases {
        let request_us = spent_each(|| {
            black_box(case.translated()?);
            Ok(1)
        })?;
        let back = case.translated()?.back;
        let event_us = spent_each(|| {
            case.brought_back(&back, |piece| drop(black_box(piece)))?;
            Ok(case.events.len() as u64)
        })?;
        figures.add(&format!("{}/request_us", case.row()), request_us);
        figures.add(&format!("{}/event_us", case.row()), event_us);
        slowest_request = slowest_request.max(request_us);
        slowest_event = slowest_event.max(event_us);
    }
    figures.add(&format!("{TRANSLATING}/request_ms"), slowest_request / 1_000.0);
    figures.add(&format!("{TRANSLATING}/event_us"), slowest_event);
    Ok(())
}

/// Microseconds of this process for each of what `work` says that it did.
fn spent_each(mut work: impl FnMut() -> anyhow::Result<u64>) -> anyhow::Result<f64> {
    work()?;
    let own = std::process::id();
    let (before, mut done, mut spent) = (cpu(own)?, 0, Duration::ZERO);
    while spent < WORK {
        done += work()?;
        spent = cpu(own)?.saturating_sub(before);
    }
    micros_each(spent, done).context("nothing was translated")
}

impl Case {
    /// One whose streams come back whole: what is not translated is not measured.
    fn new(pair: Pair, provider: &Provider) -> anyhow::Result<Self> {
        let protocol = pair.account.protocol();
        let wanted = Wanted::Stream { deltas: DELTAS, interval_ms: 0 };
        let to = Destination {
            address: provider.address,
            paths: Paths::Provider,
            key: "none".to_owned(),
        };
        let asked = Shape { protocol, wanted, kilobytes: 1 }.requests(&to).swap_remove(0);
        let (status, stream) = ask(provider.address, &asked)?;
        ensure!(status == 200, "the provider answers {status}");
        let body = conversation(pair.client.protocol(), BODY_BYTES)
            .context("a client that is not translated for")?;
        let case = Self { pair, body, events: pieces(&Bytes::from(stream)) };
        let mut scan = EventScan::default();
        scan.begin(pair.client.protocol());
        case.brought_back(&case.translated()?.back, |piece| scan.feed(&piece, &mut |_| {}))?;
        let whole = scan.ended() && scan.deltas() == u64::from(DELTAS);
        ensure!(whole, "{}: {} of {DELTAS} deltas came back", case.row(), scan.deltas());
        Ok(case)
    }

    fn row(&self) -> String {
        let (client, account) = (self.pair.client.protocol(), self.pair.account.protocol());
        format!("{TRANSLATING}/{}/{}", name(client), name(account))
    }

    fn translated(&self) -> anyhow::Result<Translated> {
        let asker = Asker { endpoint: self.pair.client, call: "call", now: 0 };
        let endpoint = self.pair.account;
        let model = model(endpoint.protocol());
        let target = Target { endpoint, model, streamed: true, host: Host::Api };
        Ok(request(asker, target, self.body.as_bytes())?)
    }

    fn brought_back(&self, back: &Back, mut take: impl FnMut(Bytes)) -> anyhow::Result<()> {
        let (mut framer, mut translator) = (SseFramer::new(EVENT_BYTES_MAX), back.stream());
        for event in &self.events {
            take(translator.push(&framer.push(event.clone())?));
        }
        take(translator.finish());
        Ok(())
    }
}

/// A stream, cut after each of its events.
fn pieces(stream: &Bytes) -> Vec<Bytes> {
    let (mut pieces, mut from, mut line) = (Vec::new(), 0, 0);
    for end in memchr::memchr_iter(b'\n', stream) {
        if stream[line..end].trim_ascii().is_empty() {
            pieces.push(stream.slice(from..=end));
            from = end + 1;
        }
        line = end + 1;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_cut_after_each_event_whatever_ends_their_lines() {
        let stream = Bytes::from_static(b"data: 1\n\nevent: 2\r\ndata: 2\r\n\r\ndata: cut");
        let pieces = pieces(&stream);
        assert_eq!(pieces, [&b"data: 1\n\n"[..], b"event: 2\r\ndata: 2\r\n\r\n"]);
    }

    #[test]
    fn all_pairs_of_conversations_are_measured_and_their_requests_are_taken() {
        let pairs: Vec<_> = pairs().filter(|pair| is_conversation(*pair)).collect();
        assert_eq!(pairs.len(), 9);
        for pair in pairs {
            let body = conversation(pair.client.protocol(), BODY_BYTES).unwrap();
            assert_eq!(body.len(), BODY_BYTES);
            let translated = Case { pair, body, events: Vec::new() }.translated().unwrap();
            // What is said and what tools answered is most of it, and gets there.
            assert!(translated.body.len() > BODY_BYTES * 3 / 4, "{pair:?}");
        }
    }
}
