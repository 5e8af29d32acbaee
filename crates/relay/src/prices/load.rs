//! The price list that calls are charged by: the operator's prices over an imported list over
//! the built-in one.

use relay_core::model::ModelPattern;
use relay_core::price::{Catalogue, ModelPrice, Override, PriceList};
use relay_store::StoreError;
use relay_store::pool::Store;

use super::builtin;

/// Puts the price list together from the database.
pub async fn load(store: &Store) -> Result<PriceList, StoreError> {
    let mut layers = Vec::new();
    if let Some(imported) = store.latest_price_list().await? {
        match serde_json::from_slice::<Catalogue>(&imported.body) {
            Ok(catalogue) => layers.push(catalogue),
            Err(error) => tracing::error!(%error, "the imported price list cannot be read"),
        }
    }
    let mut overrides = Vec::new();
    for stored in store.price_overrides().await? {
        match serde_json::from_str::<ModelPrice>(&stored.price) {
            Ok(price) => {
                overrides.push(Override { model: ModelPattern::new(stored.model), price });
            }
            Err(error) => {
                tracing::error!(%error, model = stored.model, "a set price cannot be read");
            }
        }
    }
    // Every edit is a change, so its number tells one list of the operator from the next.
    let edited = !layers.is_empty() || !overrides.is_empty();
    let revision = if edited { store.latest_change().await?.unsigned_abs() } else { 0 };
    layers.push(builtin::catalogue());
    Ok(PriceList::new(layers, overrides, revision))
}
