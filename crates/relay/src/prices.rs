//! Price catalogues of others, read into the relay's whole pico-dollars.
//!
//! No rate passes through a binary fraction: numbers are taken as they are written.

pub mod builtin;
pub mod genai;
pub mod litellm;
mod load;
mod pattern;

use relay_core::price::Catalogue;

pub use load::load;

/// A catalogue that was read, and what it left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The prices.
    pub catalogue: Catalogue,
    /// Models with a price.
    pub models: usize,
    /// Entries left out: other providers, or nothing that is billed by the token.
    pub skipped: usize,
    /// Names of entries that should have been readable and were not, with the reason.
    pub unreadable: Vec<(String, Unreadable)>,
}

/// A text that is not a price catalogue.
#[derive(Debug, thiserror::Error)]
#[error("not a price catalogue")]
pub struct NotACatalogue(#[from] pub serde_json::Error);

/// Why one entry of a catalogue could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// A number is not a rate.
    #[error("a price is not a number of dollars")]
    Rate,
    /// Part of it has another form than expected.
    #[error("the entry has an unexpected form")]
    Form,
    /// It says when a price holds in a way that is not known.
    #[error("the time in which the price holds cannot be read")]
    Span,
}
