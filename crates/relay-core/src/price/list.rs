//! The price list: catalogues and the operator's own prices, asked by service and model name.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::model::ModelPattern;
use crate::money::Money;
use crate::price::maximum::{Maxima, Width};
use crate::price::name::Name;
use crate::price::{ModelPrice, PriceSource, Priced, PricedBy, Rule};
use crate::protocol::Service;
use crate::usage::TokenUsage;

/// Prices from one source.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Catalogue {
    /// Source and version, such as `genai-prices 0.2.1`.
    pub version: String,
    /// Providers; among those that a name does not point to, the earlier one wins.
    pub providers: Vec<Provider>,
}

/// Who charges the prices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provider {
    /// `anthropic`, `openai`, `google`, `aws` ...
    pub id: Box<str>,
    /// Names of models that are this provider's, known or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<Rule>,
    /// Its models; the first whose rule holds counts.
    pub entries: Vec<Entry>,
}

/// A model and its price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The model's name.
    pub model: Box<str>,
    /// Which names are this model.
    pub rule: Rule,
    /// The price.
    pub price: ModelPrice,
}

/// A price that the operator set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// For which models. A plain name goes before a pattern with stars.
    pub model: ModelPattern,
    /// The price.
    pub price: ModelPrice,
}

/// What is to be priced.
#[derive(Debug, Clone, Copy)]
pub struct Bill<'a> {
    /// Whose account served.
    pub service: Service,
    /// The model that the client asked for.
    pub asked: &'a str,
    /// The model that the upstream says answered; empty if it said nothing.
    pub served: &'a str,
    /// What was used.
    pub usage: &'a TokenUsage,
    /// The service tier that the upstream stated; empty if none.
    pub service_tier: &'a str,
    /// The speed that the upstream stated; empty if none.
    pub speed: &'a str,
    /// When the call came.
    pub at: Timestamp,
}

/// One line of the list, for people.
#[derive(Debug, Clone, Copy)]
pub struct Listing<'a> {
    /// Who charges it; empty for the operator's own.
    pub provider: &'a str,
    /// The model's name, or the operator's pattern.
    pub model: &'a str,
    /// The price.
    pub price: &'a ModelPrice,
    /// Listed or the operator's own.
    pub source: PriceSource,
    /// The version of the catalogue that it stands in; empty for the operator's own.
    pub catalogue: &'a str,
}

/// All prices that the relay knows. Immutable: a change makes a new list.
#[derive(Debug)]
pub struct PriceList {
    version: String,
    overrides: Vec<Override>,
    /// The operator's import, if any, before the built-in catalogue.
    layers: Vec<Catalogue>,
    maxima: Maxima,
    found: [RwLock<HashMap<Box<str>, Option<Place>>>; 3],
}

/// Where the price of a name stands.
#[derive(Debug, Clone, Copy)]
enum Place {
    Override(usize),
    Listed { layer: usize, provider: usize, entry: usize },
}

/// Names remembered for each service. Clients choose names, so both sizes are bounded.
const NAMES_REMEMBERED_MAX: usize = 1_024;
const NAME_BYTES_REMEMBERED_MAX: usize = 128;

impl PriceList {
    /// A list of `layers`, the one that goes first in front, and the operator's own prices.
    ///
    /// `revision` counts the operator's changes: it makes the version of each list its own.
    pub fn new(layers: Vec<Catalogue>, overrides: Vec<Override>, revision: u64) -> Self {
        let sources: Vec<_> = layers.iter().map(|layer| layer.version.as_str()).collect();
        let version = match (sources.join(", "), revision) {
            (sources, 0) => sources,
            (sources, revision) => format!("{sources}+{revision}"),
        };
        let maxima = Maxima::of(&layers);
        Self { version, overrides, layers, maxima, found: Default::default() }
    }

    /// The version that records are marked with.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Whether the model has a price of its own. Asked at admission, where `refuse` is enforced.
    pub fn is_known(&self, service: Service, model: &str) -> bool {
        self.place(service, model).is_some()
    }

    /// The price of a model, the operator's own before a listed one.
    pub fn lookup(&self, service: Service, model: &str) -> Option<&ModelPrice> {
        self.place(service, model).map(|place| self.at(place).0)
    }

    /// What a call costs: by the model that served it, else by the one asked for, else by the
    /// highest rates of its family, else of its provider.
    pub fn price(&self, bill: &Bill<'_>) -> Priced {
        let names = [bill.served, bill.asked];
        let known = names.into_iter().find_map(|name| self.place(bill.service, name));
        let (cost, source) = match known {
            Some(place) => {
                let (price, source) = self.at(place);
                let context = context(bill.usage);
                let rates = price.rates(context, bill.service_tier, bill.speed, bill.at);
                (rates.cost(bill.usage), source)
            }
            None => self.price_unknown(bill),
        };
        Priced { cost, by: PricedBy { version: self.version.clone(), source } }
    }

    /// The version of the catalogue that is asked last: the built-in one.
    pub fn last_catalogue(&self) -> &str {
        self.layers.last().map_or("", |layer| layer.version.as_str())
    }

    /// Every price, the operator's own first, then in the order in which they are looked up.
    pub fn listings(&self) -> impl Iterator<Item = Listing<'_>> {
        let own = self.overrides.iter().map(|own| Listing {
            provider: "",
            model: own.model.as_str(),
            price: &own.price,
            source: PriceSource::Override,
            catalogue: "",
        });
        let listed = self.layers.iter().flat_map(|layer| {
            layer.providers.iter().map(move |provider| (layer.version.as_str(), provider))
        });
        let listed = listed.flat_map(|(catalogue, provider)| {
            provider.entries.iter().map(move |entry| Listing {
                provider: &provider.id,
                model: &entry.model,
                price: &entry.price,
                source: PriceSource::Listed,
                catalogue,
            })
        });
        own.chain(listed)
    }

    /// Names of the models of a service's own provider, for a list of models that no account gave.
    pub fn models(&self, service: Service) -> impl Iterator<Item = &str> {
        let providers = self.layers.iter().flat_map(|layer| &layer.providers);
        let own = providers.filter(move |provider| &*provider.id == home(service));
        own.flat_map(|provider| &provider.entries).map(|entry| &*entry.model)
    }

    fn price_unknown(&self, bill: &Bill<'_>) -> (Money, PriceSource) {
        let name = if bill.served.is_empty() { bill.asked } else { bill.served };
        let claimed = self.claimed(&Name::of(name));
        let found = claimed
            .and_then(|provider| self.maxima.find(provider, name))
            .or_else(|| self.maxima.find(home(bill.service), name));
        let Some((width, maximum)) = found else { return (Money::ZERO, PriceSource::Unknown) };
        let source = match width {
            Width::Family => PriceSource::FamilyMaximum,
            Width::Provider => PriceSource::ProviderMaximum,
        };
        (maximum.rates(bill.service_tier, bill.speed).cost(bill.usage), source)
    }

    fn at(&self, place: Place) -> (&ModelPrice, PriceSource) {
        match place {
            Place::Override(own) => (&self.overrides[own].price, PriceSource::Override),
            Place::Listed { layer, provider, entry } => {
                let provider = &self.layers[layer].providers[provider];
                (&provider.entries[entry].price, PriceSource::Listed)
            }
        }
    }

    /// Where the price of a name stands, remembered from the last time.
    fn place(&self, service: Service, model: &str) -> Option<Place> {
        if model.is_empty() {
            return None;
        }
        // A poisoned map is a whole map: nothing in here leaves one half-written.
        let found = &self.found[service as usize];
        if let Some(place) = found.read().unwrap_or_else(PoisonError::into_inner).get(model) {
            return *place;
        }
        let place = self.search(service, model);
        if model.len() <= NAME_BYTES_REMEMBERED_MAX {
            let mut found = found.write().unwrap_or_else(PoisonError::into_inner);
            if found.len() >= NAMES_REMEMBERED_MAX {
                found.clear();
            }
            found.insert(model.into(), place);
        }
        place
    }

    fn search(&self, service: Service, model: &str) -> Option<Place> {
        let name = Name::of(model);
        self.search_overrides(&name).or_else(|| {
            let preferred =
                [name.vendor_dotted.then_some("aws"), Some(home(service)), self.claimed(&name)];
            let preferred: Vec<_> = preferred.into_iter().flatten().collect();
            (0..self.layers.len()).find_map(|layer| self.search_layer(layer, &name, &preferred))
        })
    }

    fn search_overrides(&self, name: &Name) -> Option<Place> {
        let matching = |fits: &dyn Fn(&ModelPattern, &str) -> bool| {
            name.forms.iter().find_map(|form| {
                self.overrides.iter().position(|own| fits(&own.model, form)).map(Place::Override)
            })
        };
        matching(&|pattern, form| pattern.as_str().eq_ignore_ascii_case(form))
            .or_else(|| matching(&|pattern, form| pattern.matches(form)))
    }

    /// Searches one catalogue: the preferred providers in their order, then the rest in its own.
    fn search_layer(&self, layer: usize, name: &Name, preferred: &[&str]) -> Option<Place> {
        let providers = &self.layers[layer].providers;
        let rank = |provider: usize| {
            let id = &*providers[provider].id;
            preferred.iter().position(|wanted| *wanted == id).unwrap_or(preferred.len())
        };
        let mut order: Vec<usize> = (0..providers.len()).collect();
        order.sort_by_key(|provider| rank(*provider));
        order.into_iter().find_map(|provider| {
            let entry = name.forms.iter().find_map(|form| {
                providers[provider].entries.iter().position(|entry| entry.rule.holds(form))
            })?;
            Some(Place::Listed { layer, provider, entry })
        })
    }

    /// The provider whose names look like this one.
    fn claimed(&self, name: &Name) -> Option<&str> {
        let providers = || self.layers.iter().flat_map(|layer| &layer.providers);
        name.forms.iter().rev().find_map(|form| {
            let claims = |it: &&Provider| it.names.as_ref().is_some_and(|rule| rule.holds(form));
            providers().find(claims).map(|provider| &*provider.id)
        })
    }
}

/// The provider whose own models a service is for.
const fn home(service: Service) -> &'static str {
    match service {
        Service::Claude => "anthropic",
        Service::Openai => "openai",
        Service::Gemini => "google",
    }
}

/// All input, whichever way it was billed: what tiers go by. Saturates, as counts come from others.
fn context(usage: &TokenUsage) -> u64 {
    let written = usage.cache_write_5m.saturating_add(usage.cache_write_1h);
    usage.input.saturating_add(usage.cache_read).saturating_add(written)
}
