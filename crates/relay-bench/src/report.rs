//! Tables, the document and the file of all figures.

use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

use anyhow::Context;
use serde::Serialize;

use crate::figures::Figures;
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
        #[serde(flatten)]
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
}
