//! What the relay is to reach, and whether it does.

use relay_core::protocol::Protocol;

use crate::figures::{Figures, text};
use crate::report::Table;
use crate::scenario::{FAMILIES, Plan, TRANSLATING, label, row};

/// What a call and a paced event may cost, in what they cost nginx.
const CALL_TIMES: f64 = 3.0;
const EVENT_TIMES: f64 = 1.5;
/// What memory may grow by with calls, in MB: what an allocator keeps differs from time to time.
const GROWTH_CALLS_MB: f64 = 8.0;
/// What it may grow by with the events of one stream, in MB.
const GROWTH_STREAM_MB: f64 = 4.0;

/// What a figure may be at most.
struct Bar {
    what: String,
    /// The row of the figure: what spoils the row spoils the figure.
    row: String,
    figure: &'static str,
    at_most: f64,
    unit: &'static str,
    taken: Taken,
}

/// How often a figure is taken, and which of its values counts.
#[derive(Clone, Copy)]
enum Taken {
    /// The median of so many rounds.
    InRounds(usize),
    /// The largest of so many rounds: what must never happen.
    Never(usize),
}

/// Which of the bars are reached.
pub(crate) fn verdict(figures: &Figures, plan: &Plan) -> Table {
    let mut table = Table::new("The bars", "", &["what", "at most", "measured", "verdict"]);
    for bar in bars(plan) {
        let measured = bar.measured(figures);
        let limit = text(Some(bar.at_most), usize::from(bar.at_most.fract() > 0.0));
        table.rows.push(vec![
            bar.what.clone(),
            format!("{limit} {}", bar.unit),
            measured.map_or_else(|| "–".into(), |value| format!("{value:.2} {}", bar.unit)),
            bar.word(figures),
        ]);
    }
    table
}

fn bars(plan: &Plan) -> Vec<Bar> {
    let mut bars = of_protocol(Protocol::Messages, plan.loads.rounds);
    for protocol in FAMILIES {
        bars.extend(of_protocol(protocol, plan.families.rounds));
    }
    bars.extend(of_the_rest(plan.loads.rounds));
    bars
}

/// The same for each protocol, on an account that has it.
fn of_protocol(protocol: Protocol, rounds: usize) -> Vec<Bar> {
    let who = match protocol {
        Protocol::Messages => String::new(),
        _ => format!("{}, ", label(protocol)),
    };
    let bar = |(what, row): (String, String), figure, at_most| Bar {
        what,
        row,
        figure,
        at_most,
        unit: "× nginx",
        taken: Taken::InRounds(rounds),
    };
    let call = |(kilobytes, connections): (usize, usize)| {
        let what = format!("CPU of a call, {who}{kilobytes} KB, {connections} connections");
        let row = row("unary", protocol, &format!("{kilobytes}/{connections}"));
        bar((what, row), "ratio", CALL_TIMES)
    };
    let event = |(count, words): (usize, &str)| {
        let what = format!("CPU of a paced event while all are open, {who}{words} streams");
        bar((what, row("paced", protocol, &count.to_string())), "open_ratio", EVENT_TIMES)
    };
    let calls = [(1, 16), (1, 64), (50, 16), (50, 64)].map(call);
    calls.into_iter().chain([(200, "200"), (1_000, "1,000")].map(event)).collect()
}

fn of_the_rest(rounds: usize) -> [Bar; 9] {
    use Taken::{InRounds, Never};
    let bar = |(row, figure): (&str, &'static str), what: &str, (at_most, unit), taken| {
        let (what, row) = (what.to_owned(), row.to_owned());
        Bar { what, row, figure, at_most, unit, taken }
    };
    let in_rounds = InRounds(rounds);
    let resident = |row, what: &str, most| bar((row, "resident"), what, (most, "MB"), in_rounds);
    let grown = |row, what: &str, most| bar((row, "grown"), what, (most, "MB"), InRounds(1));
    [
        bar(
            (TRANSLATING, "request_ms"),
            "CPU of translating a request of 50 KB, of the slowest pair",
            (1.0, "ms"),
            in_rounds,
        ),
        bar(
            (TRANSLATING, "event_us"),
            "CPU of translating an event of a stream, of the slowest pair",
            (10.0, "µs"),
            in_rounds,
        ),
        resident("memory/first", "memory when idle, after a first start", 30.0),
        resident("memory/1000", "memory while 1,000 streams of 50 KB requests are open", 100.0),
        resident("memory/5000", "memory while 5,000 streams are open", 250.0),
        grown("growth/calls/100000", "growth of memory over 100,000 calls", GROWTH_CALLS_MB),
        grown(
            "growth/stream/100000",
            "growth of memory over a stream of 100,000 events",
            GROWTH_STREAM_MB,
        ),
        bar(("start/10000", "ready"), "ready with 10,000 keys", (200.0, "ms"), in_rounds),
        bar(
            ("failover", "failed"),
            "calls that clients saw fail while an account failed",
            (0.0, "calls"),
            Never(rounds),
        ),
    ]
}

impl Bar {
    fn name(&self) -> String {
        format!("{}/{}", self.row, self.figure)
    }

    fn measured(&self, figures: &Figures) -> Option<f64> {
        match self.taken {
            Taken::InRounds(_) => figures.median(&self.name()),
            Taken::Never(_) => figures.largest(&self.name()),
        }
    }

    /// A figure is held against the bar only if nothing spoilt its row and no round lacks it.
    fn word(&self, figures: &Figures) -> String {
        if let Some(why) = figures.spoilt(&self.row) {
            return format!("not valid: {why}");
        }
        let rounds = figures.rounds(&self.name());
        let (Taken::InRounds(least) | Taken::Never(least)) = self.taken;
        match self.measured(figures) {
            None => "not measured".to_owned(),
            Some(_) if rounds < least => format!("not valid: {rounds} of {least} rounds"),
            Some(value) if value <= self.at_most => "reached".to_owned(),
            Some(_) => "missed".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict_of(figures: &Figures, what: &str) -> String {
        let table = verdict(figures, &Plan::FULL);
        table.rows.iter().find(|row| row[0].contains(what)).unwrap()[3].clone()
    }

    fn with(name: &str, values: &[f64]) -> Figures {
        let mut figures = Figures::default();
        for &value in values {
            figures.add(name, value);
        }
        figures
    }

    #[test]
    fn the_verdict_is_that_of_the_figures() {
        let ratios = |values: &[f64]| verdict_of(&with("unary/1/16/ratio", values), "1 KB, 16");
        assert_eq!(ratios(&[2.9, 3.0, 9.0]), "reached");
        assert_eq!(ratios(&[2.9, 3.01, 9.0]), "missed");
        assert_eq!(ratios(&[]), "not measured");
        let mut paced = with("paced/200/open_ratio", &[1.5; 3]);
        (0..3).for_each(|_| paced.add("paced/200/ratio", 1.9));
        assert_eq!(
            verdict_of(&paced, "all are open, 200"),
            "reached",
            "calls begin and end elsewhere"
        );
        let failures = |values: &[f64]| verdict_of(&with("failover/failed", values), "saw fail");
        assert_eq!(failures(&[0.0, 0.0, 0.0]), "reached");
        assert_eq!(failures(&[0.0, 1.0, 0.0]), "missed");
        let grown = with("growth/calls/100000/grown", &[1.0]);
        assert_eq!(verdict_of(&grown, "100,000 calls"), "reached");
    }

    #[test]
    fn a_round_without_a_figure_leaves_no_verdict() {
        let figures = with("unary/1/16/ratio", &[1.0, 1.0]);
        assert_eq!(verdict_of(&figures, "1 KB, 16"), "not valid: 2 of 3 rounds");
    }

    #[test]
    fn what_spoils_a_row_spoils_its_verdict_and_no_other() {
        let mut figures = with("unary/1/16/ratio", &[1.0; 3]);
        figures.spoil("unary/1/16", "2 calls failed".to_owned());
        figures.spoil("unary/1/64", "never measured".to_owned());
        assert_eq!(verdict_of(&figures, "1 KB, 16"), "not valid: 2 calls failed");
        assert_eq!(verdict_of(&figures, "1 KB, 64"), "not valid: never measured");
        assert_eq!(verdict_of(&figures, "50 KB, 16"), "not measured");
    }

    #[test]
    fn every_family_has_the_bars_of_calls_and_events_with_its_own_rounds() {
        for (protocol, word) in [("chat", "Chat"), ("responses", "Responses"), ("gemini", "Gemini")]
        {
            let call = |values: &[f64]| {
                let figures = with(&format!("unary/{protocol}/50/16/ratio"), values);
                verdict_of(&figures, &format!("{word}, 50 KB, 16"))
            };
            assert_eq!(call(&[2.9, 3.1]), "reached");
            assert_eq!(call(&[3.1, 3.1]), "missed");
            assert_eq!(call(&[2.9]), "not valid: 1 of 2 rounds");
            let figures = with(&format!("paced/{protocol}/1000/open_ratio"), &[1.6, 1.6]);
            assert_eq!(verdict_of(&figures, &format!("{word}, 1,000 streams")), "missed");
        }
    }

    #[test]
    fn the_slowest_pair_is_held_against_the_bars_of_translating() {
        let figures = with("translating/event_us", &[9.9, 10.0, 30.0]);
        assert_eq!(verdict_of(&figures, "translating an event"), "reached");
        let figures = with("translating/request_ms", &[0.9, 1.1, 1.2]);
        assert_eq!(verdict_of(&figures, "translating a request"), "missed");
    }
}
