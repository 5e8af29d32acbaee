//! What is measured: each scenario brings up what it needs, adds figures and makes tables of them.

use std::time::Duration;

use crate::figures::Figures;
use crate::load::Pace;
use crate::report::Table;
use crate::stand::Programs;

mod failover;
mod growth;
mod instructions;
mod memory;
mod paced;
mod start;
mod unary;
mod unpaced;

/// What a run measures with.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) programs: Programs,
    pub(crate) plan: Plan,
}

/// How much is measured.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// How often everything that is compared is measured, in turns.
    pub(crate) rounds: usize,
    /// Before a steady load is counted.
    pub(crate) warm_up: Duration,
    /// How long it is.
    pub(crate) window: Duration,
    /// Lengths of unary calls' bodies, in KB.
    pub(crate) kilobytes: &'static [usize],
    /// Connections of unary calls.
    pub(crate) connections: &'static [usize],
    /// Paced streams that are open at once.
    pub(crate) streams: &'static [usize],
    /// When they are opened, and how long they are looked at.
    pub(crate) pace: Pace,
    /// Streams that memory is looked at with, and the lengths of their bodies.
    pub(crate) memory: &'static [(usize, usize)],
    /// After a start, before memory counts as that of an idle relay.
    pub(crate) idle_after: Duration,
    /// Starts of each kind.
    pub(crate) starts: usize,
    /// Times that 500 keys are given out before the starts with keys.
    pub(crate) key_batches: u32,
    /// Calls, and events of one stream, that memory must not grow with.
    pub(crate) growth: u32,
}

impl Plan {
    /// What the document is made of: about twelve minutes.
    pub(crate) const FULL: Self = Self {
        rounds: 3,
        warm_up: Duration::from_millis(300),
        window: Duration::from_millis(1_700),
        kilobytes: &[1, 50, 500],
        connections: &[1, 16, 64, 256],
        streams: &[200, 1_000, 5_000],
        pace: Pace { ramp: Duration::from_secs(2), window: Duration::from_secs(4) },
        memory: &[(1_000, 50), (5_000, 1)],
        idle_after: Duration::from_secs(6),
        starts: 7,
        key_batches: 20,
        growth: 100_000,
    };

    /// To see that everything works: about a minute.
    pub(crate) const QUICK: Self = Self {
        rounds: 1,
        warm_up: Duration::from_millis(100),
        window: Duration::from_millis(400),
        kilobytes: &[1, 50],
        connections: &[16, 64],
        streams: &[200],
        pace: Pace { ramp: Duration::from_millis(500), window: Duration::from_secs(1) },
        memory: &[(200, 50)],
        idle_after: Duration::from_secs(2),
        starts: 1,
        key_batches: 2,
        growth: 5_000,
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
pub(crate) const ALL: [Scenario; 8] = [
    Scenario { name: "unary", full_only: false, run: unary::run },
    Scenario { name: "paced", full_only: false, run: paced::run },
    Scenario { name: "unpaced", full_only: false, run: unpaced::run },
    Scenario { name: "memory", full_only: false, run: memory::run },
    Scenario { name: "start", full_only: false, run: start::run },
    Scenario { name: "failover", full_only: false, run: failover::run },
    Scenario { name: "growth", full_only: false, run: growth::run },
    Scenario { name: "instructions", full_only: true, run: instructions::run },
];

/// Two figures in one cell.
fn pair(figures: &Figures, first: &str, second: &str, places: usize) -> String {
    format!("{} / {}", figures.text(first, places), figures.text(second, places))
}

/// How often something failed in the worst round, as text.
fn failures(figures: &Figures, name: &str) -> String {
    crate::figures::text(figures.largest(name), 0)
}
