//! `relay-bench`: measures what the relay costs, beside nginx and beside no relay at all, in one
//! run. `make bench` builds what is measured and starts it.
//!
//! The relay is known from outside only: its answers, its process as `/proc` shows it, and its
//! command line. Only its translations are called by themselves as well, as a call is much more than
//! one. docs/performance.md says how, and has the figures.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use crate::figures::Figures;
use crate::machine::Machine;
use crate::report::Table;
use crate::scenario::{Bench, Plan, Scenario};
use crate::stand::Programs;

mod answer;
mod bars;
mod events;
mod figures;
mod load;
mod machine;
mod process;
mod report;
mod request;
mod scenario;
mod stand;

/// Open files below which the largest measurement fails.
const OPEN_FILES_LEAST: u64 = 12_000;

/// Measures what the relay costs, beside nginx and beside no relay at all
#[derive(Debug, Parser)]
struct Options {
    /// Where `crs` and `fake-provider` lie
    #[arg(long, value_name = "DIR")]
    bin_dir: PathBuf,
    /// nginx, which figures are compared with
    #[arg(long, value_name = "FILE")]
    nginx: PathBuf,
    /// One short round of everything, to see that it works; its figures mean little
    #[arg(long)]
    quick: bool,
    /// Only these: unary, paced, families, translated, codecs, unpaced, memory, start, failover,
    /// growth, instructions
    #[arg(long, value_name = "NAME", value_parser = scenario_named)]
    only: Vec<Scenario>,
    /// Put the tables into this document, between its marks
    #[arg(long, value_name = "FILE", conflicts_with_all = ["quick", "only"])]
    write: Option<PathBuf>,
    /// Where every value of every round goes; bench/results.json beside the folder of binaries
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> anyhow::Result<()> {
    let begun = Instant::now();
    let files = process::raise_open_files()?;
    if files < OPEN_FILES_LEAST {
        tell(&format!("only {files} open files are allowed: the largest loads will fail"))?;
    }
    let machine = Machine::read(&options.nginx);
    let bin_dir = options.bin_dir.canonicalize()?;
    let json = options
        .json
        .clone()
        .unwrap_or_else(|| bin_dir.parent().unwrap_or(&bin_dir).join("bench").join("results.json"));
    let programs = Programs {
        crs: bin_dir.join("crs"),
        provider: bin_dir.join("fake-provider"),
        nginx: options.nginx.canonicalize()?,
    };
    let plan = if options.quick { Plan::QUICK } else { Plan::FULL };
    let bench = Bench { programs, plan };

    tell(&machine.line())?;
    let mut figures = Figures::default();
    let mut tables = Vec::new();
    for scenario in options.scenarios() {
        let done = (scenario.run)(&bench, &mut figures)?;
        for table in &done {
            tell(&table.markdown())?;
        }
        tables.extend(done);
        report::write_json(&json, &machine, &figures)?;
    }
    let verdict = bars::verdict(&figures, &bench.plan);
    tell(&verdict.markdown())?;
    if let Some(document) = &options.write {
        report::write_document(document, &filling(&machine, verdict, tables))?;
    }
    tell(&format!("{} s", begun.elapsed().as_secs()))
}

impl Options {
    fn scenarios(&self) -> Vec<Scenario> {
        if self.only.is_empty() {
            let wanted = |scenario: &Scenario| !(self.quick && scenario.full_only);
            scenario::ALL.into_iter().filter(wanted).collect()
        } else {
            self.only.clone()
        }
    }
}

/// What stands between the marks of the document.
fn filling(machine: &Machine, verdict: Table, tables: Vec<Table>) -> String {
    let mut out = String::from("Made by `make bench ARGS=\"--write docs/performance.md\"`.\n");
    out.push_str(&machine.line());
    for table in std::iter::once(verdict).chain(tables) {
        out.push_str("\n\n");
        out.push_str(table.markdown().trim_end());
    }
    out
}

fn scenario_named(name: &str) -> Result<Scenario, String> {
    let found = scenario::ALL.into_iter().find(|scenario| scenario.name == name);
    found.ok_or_else(|| {
        let names: Vec<_> = scenario::ALL.iter().map(|scenario| scenario.name).collect();
        format!("one of {}", names.join(", "))
    })
}

fn tell(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}\n")?;
    stdout.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_fills_the_document() {
        let document = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(document.path(), "Before.\n<!-- figures -->\n<!-- end -->\nAfter.\n")
            .unwrap();
        let machine = Machine::read("/no/nginx".as_ref());
        let mut table = Table::new("Start", "", &["start", "ms"]);
        table.rows.push(vec!["first".into(), "12.0".into()]);
        let filling =
            filling(&machine, bars::verdict(&Figures::default(), &Plan::FULL), vec![table]);
        report::write_document(document.path(), &filling).unwrap();
        let written = std::fs::read_to_string(document.path()).unwrap();
        assert!(written.starts_with("Before.\n<!-- figures -->\nMade by `make bench"), "{written}");
        assert!(written.contains("### The bars"), "{written}");
        assert!(written.ends_with("| first | 12.0 |\n<!-- end -->\nAfter.\n"), "{written}");
    }

    #[test]
    fn a_quick_run_never_goes_into_the_document() {
        let options = |more: &[&str]| {
            let always = ["relay-bench", "--bin-dir", "d", "--nginx", "n", "--write", "w"];
            Options::try_parse_from([&always, more].concat())
        };
        assert!(options(&[]).is_ok());
        assert!(options(&["--quick"]).is_err());
        assert!(options(&["--only", "unary"]).is_err());
    }

    #[test]
    fn scenarios_are_found_by_their_names() {
        for scenario in scenario::ALL {
            assert_eq!(scenario_named(scenario.name).unwrap().name, scenario.name);
        }
        assert!(scenario_named("everything").is_err());
    }
}
