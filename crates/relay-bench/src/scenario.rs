//! What is measured: each scenario brings up what it needs, adds figures and makes tables of them.

use std::time::Duration;

use relay_core::protocol::Protocol;

use crate::figures::{Figures, float, text};
use crate::load::Pace;
use crate::report::Table;
use crate::stand::Programs;

mod codecs;
mod failover;
mod families;
mod growth;
mod instructions;
mod memory;
mod paced;
mod start;
mod translated;
mod unary;
mod unpaced;

pub(crate) use codecs::TRANSLATING;
pub(crate) use families::FAMILIES;

/// What a run measures with.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) programs: Programs,
    pub(crate) plan: Plan,
}

/// How much is measured.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Of Claude's clients on Claude's account, and of whatever has no plan of its own.
    pub(crate) loads: Loads,
    /// Of each other protocol on an account that has it.
    pub(crate) families: Loads,
    /// Of clients on accounts of another family.
    pub(crate) translated: Loads,
    /// Streams that memory is looked at with, and the lengths of their bodies.
    pub(crate) memory: &'static [(usize, usize)],
    /// After a start, before memory counts as that of an idle relay.
    pub(crate) idle_after: Duration,
    /// Starts of each kind.
    pub(crate) starts: usize,
    /// Times that 500 keys are given out before the starts with keys.
    pub(crate) key_batches: u32,
    /// Calls after which all caches are full that are filled once.
    pub(crate) growth_warm_up: u64,
    /// Calls, and events of one stream, that memory must not grow with.
    pub(crate) growth: u32,
}

/// How much is measured of calls and streams.
#[derive(Debug, Clone)]
pub(crate) struct Loads {
    /// How often everything that is compared is measured, in turns.
    pub(crate) rounds: usize,
    /// Before a steady load is counted.
    pub(crate) warm_up: Duration,
    /// How long it is.
    pub(crate) window: Duration,
    /// Lengths of unary calls' bodies, in KB, and the connections that make them.
    pub(crate) unary: &'static [(usize, usize)],
    /// Paced streams that are open at once, and rounds of them.
    pub(crate) streams: &'static [(usize, usize)],
    /// When they are opened, and how long they are looked at.
    pub(crate) pace: Pace,
}

impl Plan {
    /// What the document is made of: twenty minutes, and what counting instructions takes.
    ///
    /// The windows are long enough that what a relay does by the clock, and what it does once to grow to
    /// its load, is a small part of them.
    pub(crate) const FULL: Self = Self {
        loads: Loads {
            rounds: 3,
            warm_up: Duration::from_secs(1),
            window: Duration::from_millis(2_500),
            unary: &[(1, 1), (1, 16), (1, 64), (1, 256), (50, 16), (50, 64), (500, 16)],
            streams: &[(200, 3), (1_000, 3), (5_000, 1)],
            pace: Pace { ramp: Duration::from_secs(2), window: Duration::from_secs(3) },
        },
        families: Loads {
            rounds: 2,
            warm_up: Duration::from_millis(500),
            window: Duration::from_millis(1_500),
            unary: &[(1, 16), (1, 64), (50, 16), (50, 64)],
            streams: &[(200, 2), (1_000, 2)],
            pace: Pace { ramp: Duration::from_millis(500), window: Duration::from_millis(1_500) },
        },
        translated: Loads {
            rounds: 1,
            warm_up: Duration::from_millis(200),
            window: Duration::from_secs(1),
            unary: &[(50, 16)],
            streams: &[(200, 1)],
            pace: Pace { ramp: Duration::from_millis(500), window: Duration::from_secs(2) },
        },
        memory: &[(1_000, 50), (5_000, 1)],
        idle_after: Duration::from_secs(3),
        starts: 7,
        key_batches: 20,
        growth_warm_up: 100_000,
        growth: 100_000,
    };

    /// To see that everything works: about three minutes.
    pub(crate) const QUICK: Self = Self {
        loads: Loads::QUICK,
        families: Loads::QUICK,
        translated: Loads { unary: &[(50, 16)], ..Loads::QUICK },
        memory: &[(200, 50)],
        idle_after: Duration::from_secs(2),
        starts: 1,
        key_batches: 2,
        growth_warm_up: 2_000,
        growth: 5_000,
    };
}

impl Loads {
    const QUICK: Self = Self {
        rounds: 1,
        warm_up: Duration::from_millis(100),
        window: Duration::from_millis(400),
        unary: &[(1, 16), (1, 64), (50, 16), (50, 64)],
        streams: &[(200, 1)],
        pace: Pace { ramp: Duration::from_millis(500), window: Duration::from_secs(1) },
    };
}

/// One kind of measurement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scenario {
    /// What `--only` takes.
    pub(crate) name: &'static str,
    /// Whether a quick run leaves it out.
    pub(crate) full_only: bool,
    pub(crate) run: fn(&Bench, &mut Figures) -> anyhow::Result<Vec<Table>>,
}

/// All of them, in the order of the document.
pub(crate) const ALL: [Scenario; 11] = [
    Scenario { name: "unary", full_only: false, run: unary::run },
    Scenario { name: "paced", full_only: false, run: paced::run },
    Scenario { name: "families", full_only: false, run: families::run },
    Scenario { name: "translated", full_only: false, run: translated::run },
    Scenario { name: "codecs", full_only: false, run: codecs::run },
    Scenario { name: "unpaced", full_only: false, run: unpaced::run },
    Scenario { name: "memory", full_only: false, run: memory::run },
    Scenario { name: "start", full_only: false, run: start::run },
    Scenario { name: "failover", full_only: false, run: failover::run },
    Scenario { name: "growth", full_only: false, run: growth::run },
    Scenario { name: "instructions", full_only: true, run: instructions::run },
];

/// The name of a protocol in figures.
const fn name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Messages => "messages",
        Protocol::Chat => "chat",
        Protocol::Responses => "responses",
        Protocol::Gemini => "gemini",
    }
}

/// Its name in tables.
pub(crate) const fn label(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Messages => "Messages",
        Protocol::Chat => "Chat",
        Protocol::Responses => "Responses",
        Protocol::Gemini => "Gemini",
    }
}

/// The row of a case, in figures; Claude's clients came first and have no word of their own.
pub(crate) fn row(kind: &str, protocol: Protocol, case: &str) -> String {
    match protocol {
        Protocol::Messages => format!("{kind}/{case}"),
        _ => format!("{kind}/{}/{case}", name(protocol)),
    }
}

/// The words of a row for people; where all are of Claude's clients, none says so.
fn of_protocol(protocol: Protocol, words: &str) -> String {
    match protocol {
        Protocol::Messages => words.to_owned(),
        _ => format!("{}, {words}", label(protocol)),
    }
}

/// Two figures in one cell.
fn pair(figures: &Figures, first: &str, second: &str, places: usize) -> String {
    format!("{} / {}", figures.text(first, places), figures.text(second, places))
}

/// Notes how many calls of all ways failed in a round. Any spoils the row: what fails costs, and
/// is not among the calls that the cost is shared out to.
fn note_failures(figures: &mut Figures, row: &str, failed: u64) {
    figures.add(&format!("{row}/failed"), float(failed));
    if failed > 0 {
        figures.spoil(row, format!("{failed} calls failed in a round"));
    }
}

/// Notes how many streams of a way were open together; fewer than all spoil the row.
fn note_open(figures: &mut Figures, row: &str, count: usize, open: u64) {
    if open != count as u64 {
        figures.spoil(row, format!("{open} of {count} streams were open together"));
    }
}

/// How often something failed in the worst round, as text.
fn failures(figures: &Figures, name: &str) -> String {
    text(figures.largest(name), 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stand::Target;

    #[test]
    fn a_failure_or_a_stream_that_is_not_open_spoils_the_row() {
        let mut figures = Figures::default();
        note_failures(&mut figures, "well", 0);
        note_open(&mut figures, "well", 200, 200);
        note_failures(&mut figures, "calls", 3);
        note_open(&mut figures, "streams", 200, 199);
        assert_eq!(figures.spoilt("well"), None);
        assert_eq!(figures.spoilt("calls"), Some("3 calls failed in a round"));
        assert_eq!(figures.spoilt("streams"), Some("199 of 200 streams were open together"));
    }

    #[test]
    fn each_bar_has_as_many_rounds_as_its_verdict_needs() {
        for loads in [Plan::FULL.loads, Plan::FULL.families] {
            for (count, rounds) in loads.streams {
                assert!(*count > 1_000 || *rounds == loads.rounds, "{count}");
            }
        }
        const { assert!(Plan::FULL.loads.rounds >= 3 && Plan::FULL.families.rounds >= 2) };
        const { assert!(Plan::FULL.starts >= Plan::FULL.loads.rounds) };
    }

    #[test]
    fn each_way_is_once_in_each_place_in_three_rounds() {
        for place in 0..3 {
            let mut names: Vec<_> = (0..3).map(|it| Target::in_round(it)[place].name()).collect();
            names.sort_unstable();
            assert_eq!(names, ["direct", "nginx", "relay"]);
        }
    }
}
