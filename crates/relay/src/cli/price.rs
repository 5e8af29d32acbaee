//! `crs price`: what models cost.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use relay_core::money::Rate;
use relay_core::price::{ParseRateError, PriceSource, RateSet, RateUnit, parse_rate, rate_text};
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::terminal::{Column, table};
use crate::text::{retold, spoken, tr};
use crate::verbs::price::{self, PriceImport, PriceView};

/// The largest list that is read.
const LIST_BYTES_MAX: u64 = 64 << 20;

#[derive(Debug, Subcommand)]
pub(super) enum PriceCommand {
    /// List prices, in dollars for a million tokens
    List {
        /// A part of the model's name, or a pattern with *
        #[arg(value_name = "MODEL")]
        model: Option<String>,
        /// The same as a flag
        #[arg(long = "model", value_name = "MODEL", id = "model_flag", conflicts_with = "model")]
        model_flag: Option<String>,
    },
    /// Set the price of a model, in dollars for a million tokens
    Set(Set),
    /// Take back a price that was set
    Unset {
        /// The model's name or pattern, as it was set
        model: String,
    },
    /// Import a list in LiteLLM's form (model_prices_and_context_window.json)
    Import {
        /// The file
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(super) struct Set {
    /// The model's name, or a pattern with *
    model: String,
    /// Input
    #[arg(long, value_name = "USD", value_parser = per_million)]
    input: Rate,
    /// Output
    #[arg(long, value_name = "USD", value_parser = per_million)]
    output: Rate,
    /// Input read from the cache [default: as the model's provider states it]
    #[arg(long, value_name = "USD", value_parser = per_million)]
    cache_read: Option<Rate>,
    /// Input written to the cache for five minutes
    #[arg(long, value_name = "USD", value_parser = per_million)]
    cache_write: Option<Rate>,
    /// Input written to the cache for an hour
    #[arg(long, value_name = "USD", value_parser = per_million)]
    cache_write_1h: Option<Rate>,
    /// One search on the web
    #[arg(long, value_name = "USD", value_parser = each)]
    web_search: Option<Rate>,
}

fn per_million(text: &str) -> Result<Rate, ParseRateError> {
    parse_rate(text, RateUnit::PerMillion)
}

fn each(text: &str) -> Result<Rate, ParseRateError> {
    parse_rate(text, RateUnit::Each)
}

impl PriceCommand {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let (store, now, form) = (&context.store, context.now, context.form);
        match self {
            Self::List { model, model_flag } => {
                let prices = price::list(store, model.or(model_flag).as_deref(), now).await?;
                form.answer(&prices, |prices| text(prices))
            }
            Self::Set(set) => {
                let set_price = price::set(store, &set.model, set.rates(), now).await?;
                form.answer(&set_price, |price| text(std::slice::from_ref(price)))
            }
            Self::Unset { model } => {
                price::unset(store, &model, now).await?;
                let unset = json!({"model": model, "unset": true});
                form.answer(&unset, |_| tr!("{model} costs what the list says again", model))
            }
            Self::Import { file } => {
                let imported = price::import(store, &read(&file)?, now).await?;
                form.answer(&imported, report)
            }
        }
    }
}

impl Set {
    const fn rates(&self) -> RateSet {
        RateSet {
            input: Some(self.input),
            output: Some(self.output),
            cache_read: self.cache_read,
            cache_write_5m: self.cache_write,
            cache_write_1h: self.cache_write_1h,
            web_search: self.web_search,
        }
    }
}

fn read(path: &PathBuf) -> anyhow::Result<String> {
    let mut text = String::new();
    let cannot = || format!("cannot read {}", path.display());
    let file = File::open(path).with_context(cannot)?;
    file.take(LIST_BYTES_MAX + 1).read_to_string(&mut text).with_context(cannot)?;
    let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
    anyhow::ensure!(bytes <= LIST_BYTES_MAX, "{} is larger than 64 MiB", path.display());
    Ok(text)
}

fn text(prices: &[PriceView]) -> String {
    use Column::{Number, Words};
    let columns = [
        Words(tr!("model")),
        Words(tr!("from")),
        Number(tr!("input")),
        Number(tr!("output")),
        Number(tr!("cache read")),
        Number(tr!("cache write")),
        Number(tr!("write 1h")),
        Number(tr!("search")),
    ];
    let row = |price: &PriceView| {
        let million = |rate| rate_text(rate, RateUnit::PerMillion);
        let own = price.source == PriceSource::Override;
        vec![
            price.model.clone(),
            if own { tr!("set here") } else { price.provider.clone() },
            million(price.rates.input),
            million(price.rates.output),
            million(price.rates.cache_read),
            million(price.rates.cache_write_5m),
            million(price.rates.cache_write_1h),
            rate_text(price.rates.web_search, RateUnit::Each),
        ]
    };
    table(&columns, prices.iter().map(row).collect(), &tr!("no model of that name has a price"))
}

fn report(imported: &PriceImport) -> String {
    let PriceImport { version, models, skipped, unreadable, .. } = imported;
    let entries = imported.unreadable_entries.iter();
    let entries: Vec<_> = entries.map(|entry| retold(entry, spoken())).collect();
    let text = tr!(
        "{version}: {models} models have a price, {skipped} entries were left out, \
         {unreadable} could not be read",
        version,
        models,
        skipped,
        unreadable,
    );
    [vec![text], entries].concat().join("\n  ")
}
