//! Prices: what is in force, and the operator's own.

#[cfg(test)]
mod tests;

use relay_core::clock::Timestamp;
use relay_core::model::ModelPattern;
use relay_core::money::Rate;
use relay_core::price::{ModelPrice, PriceSource, RateSet, RateUnit, Rates, rate_text};
use relay_store::{Store, StoreError};
use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::prices::{self, litellm};
use crate::verbs::{Thing, VerbError};

/// The longest name of a model that a price is set for, in bytes.
const MODEL_BYTES_MAX: usize = 200;

/// The most of what an import could not read that is told.
const UNREADABLE_TOLD_MAX: usize = 20;

/// A price as it is shown: dollars for a million tokens, and for one search on the web.
#[derive(Debug, Clone, Serialize)]
pub struct PriceView {
    /// The model's name, or the operator's pattern.
    pub model: String,
    /// Who charges it; empty for the operator's own.
    pub provider: String,
    /// Listed or the operator's own.
    pub source: PriceSource,
    /// Input that no cache served or kept.
    pub input: f64,
    /// Output.
    pub output: f64,
    /// Input read from the cache.
    pub cache_read: f64,
    /// Input written to the cache for five minutes.
    pub cache_write: f64,
    /// Input written to the cache for an hour.
    pub cache_write_1h: f64,
    /// One search on the web.
    pub web_search: f64,
    /// The same as exact numbers.
    #[serde(skip)]
    pub rates: Rates,
}

/// What an import came to.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PriceImport {
    /// The list's mark, which usage records carry.
    pub version: String,
    /// Models that have a price now.
    pub models: usize,
    /// Entries left out: nothing that this relay has accounts for, or that is billed by the token.
    pub skipped: usize,
    /// How many entries should have been readable and were not.
    pub unreadable: usize,
    /// The first of these, with the reason.
    pub unreadable_entries: Vec<String>,
}

/// The prices in force for models that fit `filter`: a pattern with stars, or a part of the name.
pub async fn list(
    store: &Store,
    filter: Option<&str>,
    now: Timestamp,
) -> Result<Vec<PriceView>, VerbError> {
    let fits = filter.map(|text| {
        let part = !text.contains('*');
        ModelPattern::new(if part { format!("*{text}*") } else { text.to_owned() })
    });
    let prices = prices::load(store).await?;
    let rows = prices
        .listings()
        .filter(|listing| fits.as_ref().is_none_or(|pattern| pattern.matches(listing.model)))
        .map(|listing| {
            let rates = listing.price.base_rates(now);
            PriceView::new(listing.model, listing.provider, listing.source, rates)
        });
    Ok(rows.collect())
}

/// Sets the price of a model, or of all that fit a pattern; goes before every list. Kinds of
/// tokens without a rate follow from the input's, as the model's provider states it.
pub async fn set(
    store: &Store,
    model: &str,
    rates: RateSet,
    now: Timestamp,
) -> Result<PriceView, VerbError> {
    let model = checked_model(model)?;
    let price = ModelPrice::flat(&model, rates);
    let text = serde_json::to_string(&price).map_err(|_| StoreError::Stored("price"))?;
    store.set_price_override(&model, &text, now).await?;
    Ok(PriceView::new(&model, "", PriceSource::Override, price.base_rates(now)))
}

/// Takes back the price that was set for a model.
pub async fn unset(store: &Store, model: &str, now: Timestamp) -> Result<(), VerbError> {
    if store.remove_price_override(&checked_model(model)?, now).await? {
        Ok(())
    } else {
        Err(VerbError::not_found(Thing::Price, model))
    }
}

/// Imports a list in LiteLLM's form; it goes before the built-in one from now on.
pub async fn import(store: &Store, json: &str, now: Timestamp) -> Result<PriceImport, VerbError> {
    let digest = Sha256::digest(json.as_bytes());
    let mark = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    let version = format!("litellm {mark:08x}");
    let read = litellm::read(json, &version)
        .map_err(|error| VerbError::Invalid(format!("{error}: {}", error.0)))?;
    if read.models == 0 {
        return Err(VerbError::Invalid("the list has no price that can be used".into()));
    }
    let list = relay_store::prices::PriceList {
        source: "litellm".into(),
        version: version.clone(),
        body: serde_json::to_vec(&read.catalogue).map_err(|_| StoreError::Stored("price list"))?,
    };
    store.import_price_list(&list, now).await?;
    let told = read.unreadable.iter().take(UNREADABLE_TOLD_MAX);
    Ok(PriceImport {
        version,
        models: read.models,
        skipped: read.skipped,
        unreadable: read.unreadable.len(),
        unreadable_entries: told.map(|(name, why)| format!("{name}: {why}")).collect(),
    })
}

/// The name in lower case, in which models are looked up.
fn checked_model(model: &str) -> Result<String, VerbError> {
    let model = model.trim();
    let plain = model.chars().all(|char| !char.is_control() && !char.is_whitespace());
    if model.is_empty() || model.len() > MODEL_BYTES_MAX || !plain {
        return Err(VerbError::Invalid(format!("{model:?} is not the name of a model")));
    }
    Ok(model.to_lowercase())
}

impl PriceView {
    fn new(model: &str, provider: &str, source: PriceSource, rates: Rates) -> Self {
        let million = |rate| dollars(rate, RateUnit::PerMillion);
        Self {
            model: model.to_owned(),
            provider: provider.to_owned(),
            source,
            input: million(rates.input),
            output: million(rates.output),
            cache_read: million(rates.cache_read),
            cache_write: million(rates.cache_write_5m),
            cache_write_1h: million(rates.cache_write_1h),
            web_search: dollars(rates.web_search, RateUnit::Each),
            rates,
        }
    }
}

/// A rate as the number that its text says; for display, nothing is computed from it.
fn dollars(rate: Rate, unit: RateUnit) -> f64 {
    rate_text(rate, unit).parse().unwrap_or(f64::NAN)
}
