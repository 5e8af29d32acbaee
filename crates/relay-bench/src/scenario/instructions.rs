//! Instructions of the functions that every call goes through, counted by valgrind: the same on a
//! busy machine as on an idle one.

use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::Bench;
use crate::figures::Figures;
use crate::report::Table;

pub(super) fn run(_: &Bench, figures: &mut Figures) -> anyhow::Result<Vec<Table>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["bench", "--quiet", "--locked", "-p", "relay-bench", "--bench", "instructions"]);
    command.args(["--", "--output-format=json"]).stderr(Stdio::inherit());
    let output = command.output().context("cannot start cargo")?;
    ensure!(output.status.success(), "cargo bench did not succeed");
    let mut table = Table::new(
        "Instructions",
        "Of the functions that every call goes through, as valgrind counts them in a release build.",
        &["function", "instructions"],
    );
    for (name, count) in counts(&String::from_utf8(output.stdout)?)? {
        figures.add(&format!("instructions/{name}"), count);
        table.rows.push(vec![name, format!("{count:.0}")]);
    }
    Ok(vec![table])
}

/// What gungraun counted: a line of JSON for each benchmark.
fn counts(output: &str) -> anyhow::Result<Vec<(String, f64)>> {
    let lines = output.lines().filter(|line| line.starts_with('{'));
    let counts: Vec<_> = lines.map(count).collect::<Result<_, _>>()?;
    ensure!(!counts.is_empty(), "cargo bench counted nothing");
    Ok(counts)
}

fn count(line: &str) -> anyhow::Result<(String, f64)> {
    let summary: Value = serde_json::from_str(line)?;
    let text = |name: &str| summary[name].as_str().unwrap_or_default().replace('_', " ");
    let name = format!("{} {}", text("function_name"), text("id"));
    let counted = summary.pointer("/profiles/0/data/total/metrics/Ir/values/new");
    let counted = counted.and_then(Value::as_f64);
    Ok((name.clone(), counted.with_context(|| format!("no instructions of {name}"))?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn counts_are_read_by_name() {
        let summary = |counted: Value| {
            json!({
                "function_name": "peek", "id": "of_1_kb",
                "profiles": [{"data": {"total": {"metrics": {"Ir": {"values": counted}}}}}],
            })
        };
        let output = format!("noise\n{}\n", summary(json!({"new": 12_305, "old": 13_000})));
        assert_eq!(counts(&output).unwrap(), [("peek of 1 kb".to_owned(), 12_305.0)]);
        assert!(counts("noise").is_err());
        assert!(counts(&summary(json!({"old": 1})).to_string()).is_err());
    }
}
