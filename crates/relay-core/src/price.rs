//! Prices. (Being built: the catalogue's types and the pricing of a usage.)

use serde::{Deserialize, Serialize};

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
