//! The format of Pydantic's `genai-prices`: its feed, and the trimmed file that is built in.

use std::collections::BTreeMap;

use relay_core::clock::Timestamp;
use relay_core::money::Rate;
use relay_core::price::{
    Catalogue, Derivation, Entry, Mode, ModelPrice, Period, Provider, RateCard, RateSet, RateUnit,
    Rule, Span, Variant, parse_rate_rounded,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::pattern::Pattern;
use super::{Imported, NotACatalogue, Unreadable};

/// Where the current data is published, for `crs price refresh`.
pub use genai_prices::REMOTE_DATA_URL;

/// Reads a catalogue: the published feed, which is marked as `version`, or the built-in file,
/// which says its own.
pub fn read(json: &str, version: &str) -> Result<Imported, NotACatalogue> {
    let (version, providers) = if json.trim_start().starts_with('[') {
        (version.to_owned(), serde_json::from_str(json)?)
    } else {
        let file: File<'_> = serde_json::from_str(json)?;
        (file.version.to_owned(), file.providers)
    };
    let mut imported = Imported {
        catalogue: Catalogue { version, providers: Vec::new() },
        models: 0,
        skipped: 0,
        unreadable: Vec::new(),
    };
    for provider in providers {
        add_provider(&mut imported, provider);
    }
    Ok(imported)
}

#[derive(Deserialize)]
struct File<'a> {
    version: &'a str,
    #[serde(borrow)]
    providers: Vec<RawProvider<'a>>,
}

#[derive(Deserialize)]
struct RawProvider<'a> {
    id: String,
    model_match: Option<Pattern>,
    #[serde(borrow)]
    models: Vec<RawModel<'a>>,
}

#[derive(Deserialize)]
struct RawModel<'a> {
    id: String,
    #[serde(rename = "match")]
    pattern: Pattern,
    /// Rates, or a list of rates and when they hold.
    #[serde(borrow)]
    prices: &'a RawValue,
    #[serde(borrow, default)]
    price_variants: Vec<RawVariant<'a>>,
}

/// Rates by their key in the format: a number, or a base and tiers.
type RawRates<'a> = BTreeMap<&'a str, &'a RawValue>;

#[derive(Deserialize)]
struct RawPeriod<'a> {
    constraint: Option<RawConstraint<'a>>,
    #[serde(borrow)]
    prices: RawRates<'a>,
}

#[derive(Deserialize)]
struct RawVariant<'a> {
    #[serde(borrow)]
    when: BTreeMap<&'a str, &'a str>,
    constraint: Option<RawConstraint<'a>>,
    #[serde(borrow)]
    prices: RawRates<'a>,
}

#[derive(Deserialize)]
struct RawConstraint<'a> {
    start_date: Option<&'a str>,
    start_time: Option<&'a str>,
    end_time: Option<&'a str>,
}

#[derive(Deserialize)]
struct RawTiers<'a> {
    #[serde(borrow)]
    base: &'a RawValue,
    tiers: Vec<RawTier<'a>>,
}

#[derive(Deserialize)]
struct RawTier<'a> {
    start: u64,
    #[serde(borrow)]
    price: &'a RawValue,
}

fn add_provider(imported: &mut Imported, raw: RawProvider<'_>) {
    let mut entries = Vec::with_capacity(raw.models.len());
    for model in raw.models {
        match price(&model) {
            Ok(Some(price)) => {
                // A rule without a cheap form still knows the model by its plain name.
                let plain = || Rule::Equals(model.id.to_lowercase().into_boxed_str());
                let rule = model.pattern.rule().unwrap_or_else(plain);
                entries.push(Entry { model: model.id.into_boxed_str(), rule, price });
            }
            Ok(None) => imported.skipped += 1,
            Err(why) => imported.unreadable.push((format!("{}/{}", raw.id, model.id), why)),
        }
    }
    imported.models += entries.len();
    let names = raw.model_match.and_then(Pattern::rule);
    let provider = Provider { id: raw.id.into_boxed_str(), names, entries };
    imported.catalogue.providers.push(provider);
}

/// The price of a model, or `None` if it is not billed by the token.
fn price(model: &RawModel<'_>) -> Result<Option<ModelPrice>, Unreadable> {
    let text = model.prices.get();
    let raw_periods = if text.starts_with('[') {
        serde_json::from_str::<Vec<RawPeriod<'_>>>(text).map_err(|_| Unreadable::Form)?
    } else {
        let prices = serde_json::from_str(text).map_err(|_| Unreadable::Form)?;
        vec![RawPeriod { constraint: None, prices }]
    };
    // No rates at all means free of charge; only rates of other kinds, such as audio, do not.
    let by_token = |raw: &RawPeriod<'_>| raw.prices.is_empty() || has_rate(raw, "input_mtok");
    if !raw_periods.iter().all(by_token) {
        return Ok(None);
    }
    let mut periods = Vec::with_capacity(raw_periods.len());
    for raw in &raw_periods {
        periods.push(Period { span: span(raw.constraint.as_ref())?, card: card(&raw.prices)? });
    }
    let mut variants = Vec::new();
    for raw in &model.price_variants {
        if let Some(mode) = mode(&raw.when) {
            let span = span(raw.constraint.as_ref())?;
            variants.push(Variant { mode, span, card: card(&raw.prices)? });
        }
    }
    Ok(Some(ModelPrice { periods, variants, derivation: Derivation::of_model(&model.id) }))
}

fn has_rate(raw: &RawPeriod<'_>, key: &str) -> bool {
    raw.prices.get(key).is_some_and(|rate| rate.get() != "null")
}

/// The mode of serving of a variant, or `None` for one that a call cannot be told to have.
fn mode(when: &BTreeMap<&str, &str>) -> Option<Mode> {
    let (key, value) = when.first_key_value().filter(|_| when.len() == 1)?;
    match *key {
        // Where a provider's answers tell batches apart, they do so by the tier.
        "service_tier" | "processing" => Some(Mode::ServiceTier((*value).to_owned())),
        "speed" => Some(Mode::Speed((*value).to_owned())),
        _ => None,
    }
}

fn span(raw: Option<&RawConstraint<'_>>) -> Result<Span, Unreadable> {
    let Some(raw) = raw else { return Ok(Span::Always) };
    let span = match (raw.start_date, raw.start_time, raw.end_time) {
        (Some(date), None, None) => midnight(date).map(Span::From),
        (None, Some(from), Some(until)) => second_of_day(from)
            .zip(second_of_day(until))
            .map(|(from, until)| Span::Daily { from, until }),
        _ => None,
    };
    span.ok_or(Unreadable::Span)
}

fn midnight(date: &str) -> Option<Timestamp> {
    let date: jiff::civil::Date = date.parse().ok()?;
    let midnight = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Timestamp::from_seconds(midnight.timestamp().as_second()))
}

fn second_of_day(time: &str) -> Option<u32> {
    let time: jiff::civil::Time = time.strip_suffix('Z')?.parse().ok()?;
    let seconds = i32::from(time.hour()) * 3_600 + i32::from(time.minute()) * 60;
    u32::try_from(seconds + i32::from(time.second())).ok()
}

fn card(raw: &RawRates<'_>) -> Result<RateCard, Unreadable> {
    let mut card = RateCard::default();
    for (key, value) in raw {
        let Some((unit, field)) = field(key) else { continue };
        let text = value.get();
        if text == "null" {
            continue;
        }
        if !text.starts_with('{') {
            *field(&mut card.base) = Some(rate(text, unit)?);
            continue;
        }
        let tiers: RawTiers<'_> = serde_json::from_str(text).map_err(|_| Unreadable::Form)?;
        *field(&mut card.base) = Some(rate(tiers.base.get(), unit)?);
        for tier in &tiers.tiers {
            let price = rate(tier.price.get(), unit)?;
            card.set_tier(tier.start, |rates| *field(rates) = Some(price));
        }
    }
    Ok(card)
}

fn rate(text: &str, unit: RateUnit) -> Result<Rate, Unreadable> {
    parse_rate_rounded(text, unit).map_err(|_| Unreadable::Rate)
}

/// A rate's place in a set.
type Field = fn(&mut RateSet) -> &mut Option<Rate>;

/// The place of the rate that the format calls so. Rates of sound and pictures have none: the
/// relay counts their tokens among the others.
fn field(key: &str) -> Option<(RateUnit, Field)> {
    let field: (RateUnit, Field) = match key {
        "input_mtok" => (RateUnit::PerMillion, |rates| &mut rates.input),
        "output_mtok" => (RateUnit::PerMillion, |rates| &mut rates.output),
        "cache_read_mtok" => (RateUnit::PerMillion, |rates| &mut rates.cache_read),
        "cache_write_mtok" => (RateUnit::PerMillion, |rates| &mut rates.cache_write_5m),
        "cache_write_1h_mtok" => (RateUnit::PerMillion, |rates| &mut rates.cache_write_1h),
        "web_searches_kcount" => (RateUnit::PerThousand, |rates| &mut rates.web_search),
        _ => return None,
    };
    Some(field)
}
