//! The catalogue that the relay is built with: data of `genai-prices`, trimmed.
//!
//! That crate answers with totals in floating point and keeps its data to itself, so the data is
//! here as a file, made by `scripts/snapshot-prices.py`; tests hold each price against the crate.

use relay_core::price::Catalogue;

use super::{Imported, genai};

const CATALOGUE: &str = include_str!("catalogue.json");

/// The built-in prices. Costs a few milliseconds: ask once.
pub fn catalogue() -> Catalogue {
    read().catalogue
}

fn read() -> Imported {
    genai::read(CATALOGUE, "").expect("the tests read the same file")
}

#[cfg(test)]
mod tests;
