//! What calls ended in, took, used and cost.

use std::time::Duration;

use prometheus_client::metrics::histogram::Histogram;
use relay_core::model::ModelFamily;
use relay_core::protocol::Service;
use relay_core::usage::{CallRecord, TokenUsage};

use super::exposition::{Failed, Page};
use super::units::dollars;
use super::words::{self, CLIENTS, Cells, FAMILIES, OUTCOMES, SERVICES, STATUSES};

const SERVICE_COUNT: usize = SERVICES.len();
const FAMILY_COUNT: usize = FAMILIES.len();
const CALL_CELLS: usize = SERVICE_COUNT * OUTCOMES.len() * STATUSES.len() * CLIENTS.len();

/// Bounds of the classes of how long calls take, in seconds.
const DURATIONS: [f64; 13] =
    [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0];
/// Bounds of the classes of how long first bytes take, in seconds.
const FIRST_BYTES: [f64; 13] =
    [0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0];
/// How an answer comes.
const MODES: [&str; 2] = ["unary", "stream"];
/// Kinds of tokens, in the order of [`kinds`].
const TOKENS: [&str; 5] = ["input", "output", "cache_read", "cache_write_5m", "cache_write_1h"];

/// What calls ended in, took, used and cost.
#[derive(Debug)]
pub(super) struct Usage {
    calls: Cells<CALL_CELLS>,
    counts: Cells<{ SERVICE_COUNT * STATUSES.len() }>,
    spent: [[Spent; FAMILY_COUNT]; SERVICE_COUNT],
    durations: Spans,
    first_bytes: Spans,
}

/// What calls for a family of models used and cost.
#[derive(Debug, Default)]
struct Spent {
    calls: Cells<1>,
    tokens: Cells<{ TOKENS.len() }>,
    searches: Cells<1>,
    nano_dollars: Cells<1>,
}

/// How long something takes, by service and by how the answer comes.
#[derive(Debug)]
struct Spans([[Histogram; MODES.len()]; SERVICE_COUNT]);

impl Spans {
    fn new(bounds: [f64; 13]) -> Self {
        Self(std::array::from_fn(|_| std::array::from_fn(|_| Histogram::new(bounds))))
    }

    fn observe(&self, service: Service, streamed: bool, millis: u64) {
        let span = Duration::from_millis(millis).as_secs_f64();
        self.0[words::service(service)][usize::from(streamed)].observe(span);
    }
}

impl Default for Usage {
    fn default() -> Self {
        Self {
            calls: Cells::default(),
            counts: Cells::default(),
            spent: std::array::from_fn(|_| std::array::from_fn(|_| Spent::default())),
            durations: Spans::new(DURATIONS),
            first_bytes: Spans::new(FIRST_BYTES),
        }
    }
}

impl Usage {
    /// Counts a call that left a record.
    pub(super) fn settled(&self, service: Service, family: &ModelFamily, record: &CallRecord) {
        let Some(outcome) = words::outcome(record.outcome) else { return };
        let at = words::service(service) * OUTCOMES.len() + outcome;
        let at = at * STATUSES.len() + words::status(record.status);
        self.calls.add(at * CLIENTS.len() + words::client(&record.client), 1);
        self.durations.observe(service, record.streamed, record.total_millis);
        if let Some(millis) = record.first_byte_millis {
            self.first_bytes.observe(service, record.streamed, millis);
        }
        let spent = &self.spent[words::service(service)][words::family(family)];
        spent.calls.add(0, 1);
        for (kind, count) in kinds(&record.usage).into_iter().enumerate() {
            spent.tokens.add(kind, count);
        }
        spent.searches.add(0, record.usage.web_searches);
        spent.nano_dollars.add(0, u64::try_from(record.cost.as_nanos()).unwrap_or(0));
    }

    /// Counts a count of tokens.
    pub(super) fn counted(&self, service: Service, status: u16) {
        self.counts.add(words::service(service) * STATUSES.len() + words::status(status), 1);
    }

    /// Writes it all.
    pub(super) fn write(&self, page: &mut Page<'_>) -> Failed {
        self.write_calls(page)?;
        self.write_spent(page)?;
        let help = "How long calls took, from their coming to the end of the answer";
        page.histograms("call_duration_seconds", help, self.durations.labelled())?;
        let help = "How long the first byte of an answer took, from the call's coming";
        page.histograms("first_byte_seconds", help, self.first_bytes.labelled())
    }

    fn write_calls(&self, page: &mut Page<'_>) -> Failed {
        let calls = (0..CALL_CELLS).filter_map(|at| {
            let count = Some(self.calls.get(at)).filter(|count| *count > 0)?;
            let (rest, client) = (at / CLIENTS.len(), CLIENTS[at % CLIENTS.len()]);
            let (rest, status) = (rest / STATUSES.len(), STATUSES[rest % STATUSES.len()]);
            let outcome = OUTCOMES[rest % OUTCOMES.len()].as_str();
            let service = SERVICES[rest / OUTCOMES.len()].as_str();
            let labels = [
                ("service", service),
                ("outcome", outcome),
                ("status", status),
                ("client", client),
            ];
            Some((labels, count))
        });
        page.counters("calls", "Calls that left a usage record, by how they ended", calls)?;
        let counts = (0..SERVICE_COUNT * STATUSES.len()).filter_map(|at| {
            let count = Some(self.counts.get(at)).filter(|count| *count > 0)?;
            let service = SERVICES[at / STATUSES.len()].as_str();
            Some(([("service", service), ("status", STATUSES[at % STATUSES.len()])], count))
        });
        page.counters("token_counts", "Calls that only counted tokens", counts)
    }

    fn write_spent(&self, page: &mut Page<'_>) -> Failed {
        let used = || {
            SERVICES.iter().zip(&self.spent).flat_map(|(service, families)| {
                let named = FAMILIES.iter().zip(families);
                named
                    .filter(|(_, spent)| spent.calls.get(0) > 0)
                    .map(|((_, family), spent)| (service.as_str(), *family, spent))
            })
        };
        let tokens = used().flat_map(|(service, family, spent)| {
            TOKENS.iter().enumerate().map(move |(at, kind)| {
                let labels = [("service", service), ("family", family), ("kind", *kind)];
                (labels, spent.tokens.get(at))
            })
        });
        page.counters("tokens", "Tokens that calls used, by kind", tokens)?;
        let labels = |service, family| [("service", service), ("family", family)];
        let searches =
            used().map(|(service, family, spent)| (labels(service, family), spent.searches.get(0)));
        page.counters("web_searches", "Searches by the providers' own tools", searches)?;
        let dollars = used().map(|(service, family, spent)| {
            (labels(service, family), dollars(spent.nano_dollars.get(0)))
        });
        page.counters("cost_dollars", "What calls cost, in US dollars", dollars)
    }
}

impl Spans {
    fn labelled(&self) -> impl Iterator<Item = ([(&'static str, &'static str); 2], &Histogram)> {
        SERVICES.iter().zip(&self.0).flat_map(|(service, modes)| {
            MODES
                .iter()
                .zip(modes)
                .map(|(mode, spans)| ([("service", service.as_str()), ("mode", *mode)], spans))
        })
    }
}

/// Tokens by kind, in the order of [`TOKENS`].
const fn kinds(usage: &TokenUsage) -> [u64; TOKENS.len()] {
    [usage.input, usage.output, usage.cache_read, usage.cache_write_5m, usage.cache_write_1h]
}
