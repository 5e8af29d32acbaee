//! What models cost.

use std::collections::{BTreeMap, HashSet};

use axum::Json;
use axum::extract::{DefaultBodyLimit, Path};
use relay_core::clock::Timestamp;
use relay_core::model::{ModelFamily, ModelPattern};
use relay_core::money::Rate;
use relay_core::price::{Listing, PriceSource, RateSet, RateUnit, parse_rate, rate_text};
use serde::{Deserialize, Serialize};
use serde_json::Number;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{Change, Done, Note, Problem, Read};
use super::given::{Given, Sought};
use super::guard::Who;
use super::listed::Paging;
use crate::verbs::price::{self, PriceImport, PriceView};

/// The largest list that is read.
const LIST_BYTES_MAX: usize = 8 << 20;
/// A list within the text of a request takes more than by itself.
const BODY_BYTES_MAX: usize = 3 * LIST_BYTES_MAX;

/// The addresses of prices.
pub(super) fn routes() -> OpenApiRouter {
    let import = OpenApiRouter::new().routes(routes!(import));
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(set, unset))
        .merge(import.layer(DefaultBodyLimit::max(BODY_BYTES_MAX)))
}

/// Where a price comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PriceOrigin)]
enum Origin {
    /// It was set here.
    Yours,
    /// It is of the list that was imported.
    Imported,
    /// It is of the list that the relay brings along.
    BuiltIn,
}

impl Origin {
    const ALL: [Self; 3] = [Self::Yours, Self::Imported, Self::BuiltIn];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Yours => "yours",
            Self::Imported => "imported",
            Self::BuiltIn => "built_in",
        }
    }
}

/// Which prices are sought.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct PriceQuery {
    /// Words that all stand in the model, its family or its provider.
    q: Option<String>,
    /// Where it comes from.
    #[param(inline)]
    source: Option<Origin>,
    /// Who charges it.
    provider: Option<String>,
}

/// A price: dollars for a million tokens.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Price)]
struct PriceItem {
    /// The model's name, or a pattern with *.
    model: String,
    /// The model's family.
    family: String,
    /// Who charges it; empty for one that was set here.
    provider: String,
    /// Where it comes from.
    source: Origin,
    /// Whether one that was set here goes before it.
    overridden: bool,
    /// Input that no cache served or kept.
    input: f64,
    /// Output.
    output: f64,
    /// Input read from the cache.
    cache_read: f64,
    /// Input written to the cache for five minutes.
    cache_write_5m: f64,
    /// Input written to the cache for an hour.
    cache_write_1h: f64,
    /// One search on the web.
    web_search: f64,
}

/// A page of prices.
#[derive(Debug, Serialize, ToSchema)]
struct PricePage {
    /// What stands on the page: those that were set here first, then by name.
    items: Vec<PriceItem>,
    /// How many there are on all pages.
    total: usize,
    /// How many there are by where they come from, whatever source is asked for.
    counts: BTreeMap<String, usize>,
    /// Who charges for models, with how many have a price.
    providers: BTreeMap<String, usize>,
    /// The mark of the list in force, which usage records carry.
    version: String,
}

/// A price to be set: dollars for a million tokens. What is left out follows from the input's, as
/// the model's provider states it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PriceSet {
    /// Input that no cache served or kept.
    #[schema(value_type = f64, minimum = 0)]
    input: Number,
    /// Output.
    #[schema(value_type = f64, minimum = 0)]
    output: Number,
    /// Input read from the cache.
    #[serde(default)]
    #[schema(value_type = Option<f64>, minimum = 0)]
    cache_read: Option<Number>,
    /// Input written to the cache for five minutes.
    #[serde(default)]
    #[schema(value_type = Option<f64>, minimum = 0)]
    cache_write_5m: Option<Number>,
    /// Input written to the cache for an hour.
    #[serde(default)]
    #[schema(value_type = Option<f64>, minimum = 0)]
    cache_write_1h: Option<Number>,
    /// One search on the web.
    #[serde(default)]
    #[schema(value_type = Option<f64>, minimum = 0)]
    web_search: Option<Number>,
}

/// A list to be imported.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PriceListText)]
struct ListText {
    /// The list, in LiteLLM's form (`model_prices_and_context_window.json`); at most 8 MiB.
    text: String,
}

/// A price that was taken back.
#[derive(Debug, Serialize, ToSchema)]
struct PriceUnset {
    /// The model's name or pattern.
    model: String,
}

/// What models cost.
#[utoipa::path(get, path = "/admin/prices", tag = "prices", operation_id = "prices_list",
    params(PriceQuery, Paging), responses((status = 200, body = PricePage)))]
async fn list(
    who: Who,
    Sought(query): Sought<PriceQuery>,
    Sought(paging): Sought<Paging>,
) -> Read<PricePage> {
    let prices = who.app.prices.load_full();
    let built_in = prices.last_catalogue();
    let origin = |listing: &Listing<'_>| match listing.source {
        PriceSource::Override => Origin::Yours,
        _ if listing.catalogue == built_in => Origin::BuiltIn,
        _ => Origin::Imported,
    };
    let mut seen = HashSet::new();
    // An imported list goes before the built-in one where both have a model of a provider.
    let in_force = prices.listings().filter(|it| seen.insert((it.provider, it.model)));
    let fits = query.words();
    let mut providers: BTreeMap<String, usize> = BTreeMap::new();
    let mut found: Vec<(Origin, Listing<'_>)> = Vec::new();
    for listing in in_force.filter(|it| fits(it)) {
        if !listing.provider.is_empty() {
            *providers.entry(listing.provider.to_owned()).or_default() += 1;
        }
        found.push((origin(&listing), listing));
    }
    let provider = query.provider.as_deref().map(str::trim).filter(|it| !it.is_empty());
    found.retain(|(_, it)| provider.is_none_or(|provider| it.provider == provider));
    let mut counts: BTreeMap<String, usize> =
        Origin::ALL.map(|it| (it.as_str().to_owned(), 0)).into();
    for (origin, _) in &found {
        *counts.entry(origin.as_str().to_owned()).or_default() += 1;
    }
    found.retain(|(origin, _)| query.source.is_none_or(|source| source == *origin));
    found.sort_by_key(|(origin, it)| (*origin != Origin::Yours, it.model, it.provider));
    let total = found.len();
    let own: Vec<ModelPattern> = prices
        .listings()
        .filter(|it| it.source == PriceSource::Override)
        .map(|it| ModelPattern::new(it.model.to_owned()))
        .collect();
    let item = |(origin, listing)| PriceItem::new(origin, &listing, &own, who.now());
    let items = paging.cut(found).into_iter().map(item).collect();
    let version = prices.version().to_owned();
    Ok(Json(PricePage { items, total, counts, providers, version }))
}

impl PriceQuery {
    /// Whether all words stand in what is known of a price.
    fn words(&self) -> impl Fn(&Listing<'_>) -> bool + use<> {
        let words = self.q.as_deref().unwrap_or_default().to_lowercase();
        move |listing| {
            let family = ModelFamily::of(listing.model);
            let text = format!("{}\n{}\n{}", listing.model, listing.provider, family.as_str());
            let text = text.to_lowercase();
            words.split_whitespace().all(|word| text.contains(word))
        }
    }
}

impl PriceItem {
    fn new(source: Origin, listing: &Listing<'_>, own: &[ModelPattern], now: Timestamp) -> Self {
        let rates = listing.price.base_rates(now);
        let million = |rate| dollars(rate, RateUnit::PerMillion);
        let overridden = source != Origin::Yours && own.iter().any(|it| it.matches(listing.model));
        Self {
            model: listing.model.to_owned(),
            family: ModelFamily::of(listing.model).as_str().to_owned(),
            provider: listing.provider.to_owned(),
            source,
            overridden,
            input: million(rates.input),
            output: million(rates.output),
            cache_read: million(rates.cache_read),
            cache_write_5m: million(rates.cache_write_5m),
            cache_write_1h: million(rates.cache_write_1h),
            web_search: dollars(rates.web_search, RateUnit::Each),
        }
    }

    fn set(view: &PriceView) -> Self {
        Self {
            model: view.model.clone(),
            family: ModelFamily::of(&view.model).as_str().to_owned(),
            provider: String::new(),
            source: Origin::Yours,
            overridden: false,
            input: view.input,
            output: view.output,
            cache_read: view.cache_read,
            cache_write_5m: view.cache_write,
            cache_write_1h: view.cache_write_1h,
            web_search: view.web_search,
        }
    }
}

/// A rate as the number that its text says; nothing is computed from it.
fn dollars(rate: Rate, unit: RateUnit) -> f64 {
    rate_text(rate, unit).parse().unwrap_or_default()
}

/// Sets the price of a model, or of all that fit a pattern with *; it goes before every list.
#[utoipa::path(put, path = "/admin/prices/{model}", tag = "prices", operation_id = "prices_set",
    request_body = PriceSet,
    params(("model" = String, Path, description = "The model's name, or a pattern with *")),
    responses((status = 200, body = PriceItem), (status = 400, body = Problem)))]
async fn set(
    who: Who,
    Path(model): Path<String>,
    Given(given): Given<PriceSet>,
) -> Change<PriceItem> {
    let rates = given.rates()?;
    let set = price::set(&who.app.store, &model, rates, who.now()).await;
    let set = set.map_err(|error| Problem::from(error).at("model"))?;
    let _ = who.app.edits.known(&who.app.store).await;
    let note = Note::of("", &set.model).with(given.told());
    Ok(Done { note, answer: PriceItem::set(&set) })
}

/// Takes back a price that was set here.
#[utoipa::path(delete, path = "/admin/prices/{model}", tag = "prices",
    operation_id = "prices_unset",
    params(("model" = String, Path, description = "The name or pattern, as it was set")),
    responses((status = 200, body = PriceUnset), (status = 404, body = Problem)))]
async fn unset(who: Who, Path(model): Path<String>) -> Change<PriceUnset> {
    price::unset(&who.app.store, &model, who.now()).await?;
    let _ = who.app.edits.known(&who.app.store).await;
    let model = model.trim().to_lowercase();
    Ok(Done { note: Note::of("", &model), answer: PriceUnset { model } })
}

/// Imports a list of prices; it goes before the built-in one from now on.
#[utoipa::path(post, path = "/admin/prices/import", tag = "prices",
    operation_id = "prices_import", request_body = ListText,
    responses((status = 200, body = PriceImport), (status = 400, body = Problem)))]
async fn import(who: Who, Given(list): Given<ListText>) -> Change<PriceImport> {
    if list.text.len() > LIST_BYTES_MAX {
        return Err(Problem::invalid("the list is larger than 8 MiB").at("text"));
    }
    let imported = price::import(&who.app.store, &list.text, who.now()).await;
    let imported = imported.map_err(|error| Problem::from(error).at("text"))?;
    let _ = who.app.edits.known(&who.app.store).await;
    let note = Note::of("", &imported.version).with(format!("{} models", imported.models));
    Ok(Done { note, answer: imported })
}

impl PriceSet {
    fn fields(&self) -> [(&'static str, Option<&Number>); 6] {
        [
            ("input", Some(&self.input)),
            ("output", Some(&self.output)),
            ("cache_read", self.cache_read.as_ref()),
            ("cache_write_5m", self.cache_write_5m.as_ref()),
            ("cache_write_1h", self.cache_write_1h.as_ref()),
            ("web_search", self.web_search.as_ref()),
        ]
    }

    fn rates(&self) -> Result<RateSet, Problem> {
        let mut rates = [None; 6];
        for (place, (field, number)) in rates.iter_mut().zip(self.fields()) {
            let unit = if field == "web_search" { RateUnit::Each } else { RateUnit::PerMillion };
            let Some(number) = number else { continue };
            let rate = parse_rate(&number.to_string(), unit);
            *place = Some(rate.map_err(|why| Problem::invalid(why.to_string()).at(field))?);
        }
        let [input, output, cache_read, short_write, long_write, web_search] = rates;
        Ok(RateSet {
            input,
            output,
            cache_read,
            cache_write_5m: short_write,
            cache_write_1h: long_write,
            web_search,
        })
    }

    fn told(&self) -> String {
        let named = self.fields().into_iter().filter_map(|(field, number)| Some((field, number?)));
        let told: Vec<_> = named.map(|(field, number)| format!("{field}: {number}")).collect();
        told.join(", ")
    }
}
