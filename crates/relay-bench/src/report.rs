//! Tables, the verdict, the document and the file of all figures.

use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

use anyhow::Context;
use serde::Serialize;

use crate::figures::{Figures, text};
use crate::machine::Machine;

/// Where the document's part begins that a run fills.
const BEGIN: &str = "<!-- figures -->";
/// Where it ends.
const END: &str = "<!-- end -->";

/// Some figures, side by side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) title: String,
    pub(crate) note: &'static str,
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows yet.
    pub(crate) fn new(title: &str, note: &'static str, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|&column| column.to_owned()).collect();
        Self { title: title.to_owned(), note, columns, rows: Vec::new() }
    }

    /// As Markdown.
    pub(crate) fn markdown(&self) -> String {
        let mut out = format!("### {}\n\n", self.title);
        if !self.note.is_empty() {
            let _ = writeln!(out, "{}\n", self.note);
        }
        let mut line = |cells: &[String]| {
            let _ = writeln!(out, "| {} |", cells.join(" | "));
        };
        line(&self.columns);
        let rule = |at: usize| if at == 0 { "---" } else { "---:" };
        line(&(0..self.columns.len()).map(|at| rule(at).to_owned()).collect::<Vec<_>>());
        for row in &self.rows {
            line(row);
        }
        out
    }
}

/// What a figure may be at most.
struct Bar {
    what: &'static str,
    figure: &'static str,
    at_most: f64,
    unit: &'static str,
}

/// What the relay is to reach.
const BARS: [Bar; 10] = [
    bar("CPU of a call, 1 KB, 16 connections", "unary/1/16/ratio", 3.0, "× nginx"),
    bar("CPU of a call, 1 KB, 64 connections", "unary/1/64/ratio", 3.0, "× nginx"),
    bar("CPU of a call, 50 KB, 16 connections", "unary/50/16/ratio", 3.0, "× nginx"),
    bar("CPU of a call, 50 KB, 64 connections", "unary/50/64/ratio", 3.0, "× nginx"),
    bar("CPU of a paced event, 200 streams", "paced/200/ratio", 1.5, "× nginx"),
    bar("CPU of a paced event, 1,000 streams", "paced/1000/ratio", 1.5, "× nginx"),
    bar("memory when idle, after a first start", "memory/first/resident", 30.0, "MB"),
    bar("memory with 1,000 streams of 50 KB requests", "memory/1000/resident", 100.0, "MB"),
    bar("memory with 5,000 streams", "memory/5000/resident", 250.0, "MB"),
    bar("ready with 10,000 keys", "start/10000/ready", 200.0, "ms"),
];

const fn bar(what: &'static str, figure: &'static str, at_most: f64, unit: &'static str) -> Bar {
    Bar { what, figure, at_most, unit }
}

/// Which of the bars are reached, and that no call failed.
pub(crate) fn verdict(figures: &Figures) -> Table {
    let mut table = Table::new("The bars", "", &["what", "at most", "measured", "verdict"]);
    for bar in BARS {
        let measured = figures.median(bar.figure);
        let limit = text(Some(bar.at_most), usize::from(bar.at_most < 2.0));
        table.rows.push(vec![
            bar.what.to_owned(),
            format!("{limit} {}", bar.unit),
            measured.map_or_else(|| "–".into(), |value| format!("{value:.2} {}", bar.unit)),
            word(measured, bar.at_most).to_owned(),
        ]);
    }
    let failed = figures.largest("failover/failed");
    table.rows.push(vec![
        "calls that clients saw fail while an account failed".to_owned(),
        "0".to_owned(),
        text(failed, 0),
        word(failed, 0.0).to_owned(),
    ]);
    table
}

fn word(measured: Option<f64>, at_most: f64) -> &'static str {
    match measured {
        None => "not measured",
        Some(value) if value <= at_most => "reached",
        Some(_) => "missed",
    }
}

/// Puts a run's tables into the document.
pub(crate) fn write_document(path: &Path, filling: &str) -> anyhow::Result<()> {
    let reading = || format!("cannot read {}", path.display());
    let document = fs::read_to_string(path).with_context(reading)?;
    let filled = filled(&document, filling)
        .with_context(|| format!("{} has no {BEGIN} before {END}", path.display()))?;
    fs::write(path, filled).with_context(|| format!("cannot write {}", path.display()))
}

/// The document with another filling between its marks.
fn filled(document: &str, filling: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{}\n{END}{after}", filling.trim()))
}

/// Writes every value of every round.
pub(crate) fn write_json(path: &Path, machine: &Machine, figures: &Figures) -> anyhow::Result<()> {
    #[derive(Serialize)]
    struct Results<'a> {
        machine: &'a Machine,
        figures: &'a Figures,
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let file = io::BufWriter::new(fs::File::create(path)?);
    serde_json::to_writer_pretty(file, &Results { machine, figures })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_replaces_what_stands_between_the_marks_and_nothing_else() {
        let document = "# Title\n<!-- figures -->\nold\n<!-- end -->\nafter\n";
        let once = filled(document, "new\n").unwrap();
        assert_eq!(once, "# Title\n<!-- figures -->\nnew\n<!-- end -->\nafter\n");
        assert_eq!(filled(&once, "new"), Some(once.clone()));
        assert_eq!(filled("<!-- end --> <!-- figures -->", "new"), None);
    }

    #[test]
    fn tables_are_markdown() {
        let mut table = Table::new("Calls", "A note.", &["body", "µs"]);
        table.rows.push(vec!["1 KB".into(), "20.0".into()]);
        assert_eq!(
            table.markdown(),
            "### Calls\n\nA note.\n\n| body | µs |\n| --- | ---: |\n| 1 KB | 20.0 |\n"
        );
    }

    #[test]
    fn the_verdict_is_that_of_the_figures() {
        let mut figures = Figures::default();
        for ratio in [2.9, 3.0, 9.0] {
            figures.add("unary/1/16/ratio", ratio);
        }
        figures.add("paced/200/ratio", 1.51);
        for failed in [0.0, 1.0, 0.0] {
            figures.add("failover/failed", failed);
        }
        let table = verdict(&figures);
        let verdict_of = |what: &str| {
            let row = table.rows.iter().find(|row| row[0].contains(what)).unwrap();
            row[3].clone()
        };
        assert_eq!(verdict_of("1 KB, 16"), "reached");
        assert_eq!(verdict_of("200 streams"), "missed");
        assert_eq!(verdict_of("saw fail"), "missed");
        assert_eq!(verdict_of("5,000"), "not measured");
    }
}
