//! Prices: what a call's usage costs, which price said so, and what an unknown model is charged.
//!
//! Everything is whole pico-dollars. A price list is built once, when the relay starts or an
//! operator changes a price, and asked twice a call; the catalogues that it is built from are read
//! by the program, which knows the providers' formats.

mod list;
mod maximum;
mod model;
mod name;
mod rates;
mod rule;
mod text;

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::money::Money;

pub use list::{Bill, Catalogue, Entry, Listing, Override, PriceList, Provider};
pub use model::{Mode, ModelPrice, Period, RateCard, Span, Tier, Variant};
pub use rates::{Derivation, RateSet, Rates};
pub use rule::{Part, Rule, Shape};
pub use text::{ParseRateError, RateUnit, parse_rate, parse_rate_rounded, rate_text};

/// Which price a cost was computed with: kept with each usage record.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PricedBy {
    /// The version of the price list, such as `genai-prices 0.2.1+3`.
    pub version: String,
    /// How the model's price was found.
    pub source: PriceSource,
}

/// How a model's price was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PriceSource {
    /// The model has a price of its own.
    #[default]
    Listed,
    /// The operator set it.
    Override,
    /// The model is unknown; the highest price of its model family was taken.
    FamilyMaximum,
    /// The model and its family are unknown; the highest price of the provider was taken.
    ProviderMaximum,
    /// No price is known at all; the call is recorded at zero and flagged.
    Unknown,
}

impl PriceSource {
    /// Whether the record has to be priced again once the model's price is known.
    pub const fn is_provisional(self) -> bool {
        matches!(self, Self::FamilyMaximum | Self::ProviderMaximum | Self::Unknown)
    }
}

/// What a call cost, and which price said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Priced {
    /// The cost.
    pub cost: Money,
    /// The price.
    pub by: PricedBy,
}

/// What happens to a call of a model without a price: the operator's setting `UNKNOWN_PRICE`.
///
/// It decides at admission only. A call that was served is always charged, by the maximum if its
/// model has no price: what has been used must count against the key's budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnknownPrice {
    /// It is served and charged the highest price of its model family, else of its provider.
    #[default]
    FamilyMaximum,
    /// It is refused.
    Refuse,
}

/// A text that is not a policy for unknown prices.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a policy for models without a price: family-maximum or refuse")]
pub struct ParseUnknownPriceError;

impl FromStr for UnknownPrice {
    type Err = ParseUnknownPriceError;

    fn from_str(text: &str) -> Result<Self, ParseUnknownPriceError> {
        match text {
            "family-maximum" => Ok(Self::FamilyMaximum),
            "refuse" => Ok(Self::Refuse),
            _ => Err(ParseUnknownPriceError),
        }
    }
}

#[cfg(test)]
mod tests;
