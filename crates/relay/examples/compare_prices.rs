//! Prints where a table in LiteLLM's format differs from the built-in prices; for
//! `scripts/compare-prices.sh`.

#![expect(clippy::print_stdout, reason = "the differences are what this is for")]

use anyhow::Context;
use relay::prices::{builtin, litellm};
use relay_core::clock::{Clock, SystemClock};

/// Contexts that are compared: below and above every tier.
const CONTEXTS: [u64; 2] = [0, 1_000_000];

fn main() -> anyhow::Result<()> {
    let path = std::env::args().nth(1).context("say which table to compare")?;
    let table = std::fs::read_to_string(path)?;
    let imported = litellm::read(&table, "litellm")?;
    let now = SystemClock.now();
    let builtin = builtin::catalogue();
    let (mut same, mut alone) = (0, 0);
    for provider in &imported.catalogue.providers {
        let Some(ours) = builtin.providers.iter().find(|it| it.id == provider.id) else { continue };
        for entry in &provider.entries {
            let name = entry.model.to_lowercase();
            let Some(known) = ours.entries.iter().find(|it| it.rule.holds(&name)) else {
                alone += 1;
                continue;
            };
            for context in CONTEXTS {
                let here = known.price.rates(context, "", "", now);
                let there = entry.price.rates(context, "", "", now);
                if here == there {
                    same += 1;
                } else {
                    let model = format!("{}/{}", provider.id, entry.model);
                    println!("{model} at {context}:\n  built in {here:?}\n  litellm  {there:?}");
                }
            }
        }
    }
    println!("{same} equal; {alone} models in litellm only; {} skipped", imported.skipped);
    Ok(())
}
