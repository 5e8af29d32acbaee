//! The highest rates of a model family and of a provider: what an unknown model is charged.

use std::collections::HashMap;

use crate::model::ModelFamily;
use crate::price::list::{Catalogue, Provider};
use crate::price::rates::Rates;

/// Highest rates of several models, each kind of token for itself.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Maximum {
    /// Of standard calls, long contexts included.
    standard: Rates,
    /// Of calls in any mode.
    any_mode: Rates,
}

/// The maxima of every provider and of every family at it.
#[derive(Debug, Default)]
pub(super) struct Maxima(HashMap<Box<str>, ProviderMaxima>);

#[derive(Debug, Default)]
struct ProviderMaxima {
    whole: Maximum,
    families: HashMap<ModelFamily, Maximum>,
}

/// How wide the group of models is whose highest rates were taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    Family,
    Provider,
}

impl Maximum {
    /// The rates for a call in that mode. A discount is never presumed, an extra charge is.
    pub(super) fn rates(&self, service_tier: &str, speed: &str) -> &Rates {
        let standard_tier = matches!(service_tier, "" | "standard" | "default" | "batch" | "flex");
        let standard_speed = matches!(speed, "" | "standard");
        if standard_tier && standard_speed { &self.standard } else { &self.any_mode }
    }

    fn add(&mut self, standard: Rates, any_mode: Rates) {
        self.standard = self.standard.max(standard);
        self.any_mode = self.any_mode.max(any_mode);
    }
}

impl Maxima {
    pub(super) fn of(layers: &[Catalogue]) -> Self {
        let mut maxima = Self::default();
        for provider in layers.iter().flat_map(|layer| &layer.providers) {
            maxima.add(provider);
        }
        maxima
    }

    /// The maximum for a model that `provider` does not list.
    pub(super) fn find(&self, provider: &str, model: &str) -> Option<(Width, &Maximum)> {
        let provider = self.0.get(provider)?;
        let family = provider.families.get(&ModelFamily::of(model));
        Some(family.map_or((Width::Provider, &provider.whole), |found| (Width::Family, found)))
    }

    fn add(&mut self, provider: &Provider) {
        let maxima = self.0.entry(provider.id.clone()).or_default();
        for entry in &provider.entries {
            let (standard, any_mode) = (entry.price.standard_maximum(), entry.price.maximum());
            maxima.whole.add(standard, any_mode);
            let family = ModelFamily::of(&entry.model);
            maxima.families.entry(family).or_default().add(standard, any_mode);
        }
    }
}
