//! `crs usage`: what was used.

use std::process::ExitCode;

use clap::Args;
use relay_store::report::Dimension;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::terminal::{Column, table};
use crate::cli::when::{Edge, When};
use crate::text::tr;
use crate::verbs::usage::{self, UsageQuestion, UsageRow};

#[derive(Debug, Args)]
pub(super) struct Usage {
    /// Tell apart by key, account, model, day or month; several may be given, or none
    #[arg(long, value_name = "WHAT", value_delimiter = ',', value_parser = dimension)]
    by: Vec<Dimension>,
    /// From when: a span back from now, a day or a moment (RFC 3339)
    #[arg(long, value_name = "WHEN", default_value = "7d")]
    since: When,
    /// Until when; a day counts whole [default: now]
    #[arg(long, value_name = "WHEN")]
    until: Option<When>,
}

fn dimension(text: &str) -> Result<Dimension, String> {
    let why = "usage is told apart by key, account, model, day and month";
    Dimension::from_name(text).ok_or_else(|| why.to_owned())
}

impl Usage {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let zone = context.settings.time_zone.clone();
        let back = |when: When, edge| when.back(context.now, &zone, edge);
        let question = UsageQuestion {
            since: back(self.since, Edge::Start)?,
            until: self.until.map(|until| back(until, Edge::End)).transpose()?,
            by: self.by,
            zone: zone.clone(),
        };
        let rows = usage::report(&context.store, &question).await?;
        let report = json!({ "rows": rows });
        context.form.answer(&report, |_| text(&rows, &question.by))
    }
}

fn text(rows: &[UsageRow], by: &[Dimension]) -> String {
    type Name = (Dimension, String, fn(&UsageRow) -> &Option<String>);
    let names: [Name; 5] = [
        (Dimension::Day, tr!("day"), |row| &row.day),
        (Dimension::Month, tr!("month"), |row| &row.month),
        (Dimension::Key, tr!("key"), |row| &row.key),
        (Dimension::Account, tr!("account"), |row| &row.account),
        (Dimension::Model, tr!("model"), |row| &row.model),
    ];
    let asked: Vec<Name> = names.into_iter().filter(|(it, ..)| by.contains(it)).collect();
    let numbers = [
        tr!("calls"),
        tr!("input"),
        tr!("output"),
        tr!("cache read"),
        tr!("cache write"),
        tr!("estimated"),
        tr!("cost"),
    ];
    let columns: Vec<Column> = asked
        .iter()
        .map(|(_, name, _)| Column::Words(name.clone()))
        .chain(numbers.map(Column::Number))
        .collect();
    let row = |row: &UsageRow| {
        let names = asked.iter().map(|(.., of)| of(row).clone().unwrap_or_default());
        let counts = [
            row.calls,
            row.input_tokens,
            row.output_tokens,
            row.cache_read_tokens,
            row.cache_write_tokens,
            row.estimated_calls,
        ];
        let counts = counts.iter().map(ToString::to_string);
        names.chain(counts).chain([row.cost.to_string()]).collect()
    };
    table(&columns, rows.iter().map(row).collect(), &tr!("nothing was used in this time"))
}
