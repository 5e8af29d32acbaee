//! LiteLLM's table `model_prices_and_context_window.json`: what `crs price import` reads.
//!
//! A rate's key says its kind, the context above which it holds, and the mode of serving:
//! `cache_read_input_token_cost_above_272k_tokens_priority`. Rates are dollars for one token.

use std::collections::BTreeMap;

use relay_core::money::Rate;
use relay_core::price::{
    Catalogue, Derivation, Entry, Mode, ModelPrice, Period, Provider, RateCard, RateSet, RateUnit,
    Rule, Span, Variant, parse_rate_rounded,
};
use serde_json::value::RawValue;

use super::{Imported, NotACatalogue, Unreadable};

/// Reads a table, which is marked as `version`, such as `litellm 1.109.1`.
///
/// Left out, and counted as skipped, is what the relay has no accounts for, what is not a
/// conversation, and what costs nothing: subscriptions of others are listed at zero.
pub fn read(json: &str, version: &str) -> Result<Imported, NotACatalogue> {
    let table: BTreeMap<String, &RawValue> = serde_json::from_str(json)?;
    let providers = PROVIDERS.iter().map(|row| Provider {
        id: row.id.into(),
        names: None,
        entries: Vec::new(),
    });
    let mut imported = Imported {
        catalogue: Catalogue { version: version.to_owned(), providers: providers.collect() },
        models: 0,
        skipped: 0,
        unreadable: Vec::new(),
    };
    for (key, value) in table {
        match entry(&key, value.get()) {
            Ok(Some((provider, entry))) => {
                imported.catalogue.providers[provider].entries.push(entry);
                imported.models += 1;
            }
            Ok(None) => imported.skipped += 1,
            Err(why) => imported.unreadable.push((key, why)),
        }
    }
    imported.catalogue.providers.retain(|provider| !provider.entries.is_empty());
    Ok(imported)
}

/// A provider by our name and LiteLLM's; the latter also begin its models' names.
struct Row {
    id: &'static str,
    theirs: &'static [&'static str],
}

const PROVIDERS: &[Row] = &[
    Row { id: "anthropic", theirs: &["anthropic"] },
    Row { id: "openai", theirs: &["openai", "text-completion-openai"] },
    Row { id: "google", theirs: &["gemini"] },
    Row {
        id: "vertex",
        theirs: &["vertex_ai", "vertex_ai-language-models", "vertex_ai-anthropic_models"],
    },
    Row { id: "aws", theirs: &["bedrock", "bedrock_converse"] },
    Row { id: "azure", theirs: &["azure", "azure_ai"] },
    Row { id: "x-ai", theirs: &["xai"] },
    Row { id: "deepseek", theirs: &["deepseek"] },
    Row { id: "moonshotai", theirs: &["moonshot"] },
    Row { id: "zai", theirs: &["zai"] },
    Row { id: "minimax", theirs: &["minimax"] },
    Row { id: "mistral", theirs: &["mistral"] },
    Row { id: "alibaba", theirs: &["dashscope"] },
    Row { id: "groq", theirs: &["groq"] },
    Row { id: "openrouter", theirs: &["openrouter"] },
];

type Fields<'a> = BTreeMap<&'a str, &'a RawValue>;

/// The model of a row and its provider's index, or `None` if the row is to be left out.
fn entry(key: &str, json: &str) -> Result<Option<(usize, Entry)>, Unreadable> {
    let fields: Fields<'_> = serde_json::from_str(json).map_err(|_| Unreadable::Form)?;
    let text = |name: &str| fields.get(name).and_then(|raw| serde_json::from_str(raw.get()).ok());
    let (Some(theirs), Some("chat" | "responses" | "completion")) =
        (text("litellm_provider"), text("mode"))
    else {
        return Ok(None);
    };
    let Some(provider) = PROVIDERS.iter().position(|row| row.theirs.contains(&theirs)) else {
        return Ok(None);
    };
    let model = match key.split_once('/') {
        Some((start, rest)) if PROVIDERS[provider].theirs.contains(&start) => rest,
        _ => key,
    };
    let mut price = price(&fields)?;
    price.derivation = Derivation::of_model(model);
    let base = price.periods[0].card.base;
    let (Some(input), Some(output)) = (base.input, base.output) else { return Ok(None) };
    if input.max(output) == Rate::default() {
        return Ok(None);
    }
    let rule = Rule::Equals(model.to_lowercase().into_boxed_str());
    Ok(Some((provider, Entry { model: model.into(), rule, price })))
}

fn price(fields: &Fields<'_>) -> Result<ModelPrice, Unreadable> {
    let mut standard = RateCard::default();
    let mut modes: BTreeMap<&str, RateCard> = BTreeMap::new();
    for (key, value) in fields {
        let Some(place) = Place::of(key).filter(|_| value.get() != "null") else { continue };
        let card = match place.mode {
            "" => &mut standard,
            mode => modes.entry(mode).or_default(),
        };
        place.put(card, rate(value.get())?);
    }
    if let Some(tiers) = fields.get("tiered_pricing") {
        put_tiers(&mut standard, tiers.get())?;
    }
    if let Some(search) = fields.get("search_context_cost_per_query") {
        standard.base.web_search = search_rate(search.get())?;
    }
    let mut variants = Vec::new();
    for (suffix, card) in modes {
        for name in tier_names(suffix) {
            let mode = Mode::ServiceTier((*name).to_owned());
            variants.push(Variant { mode, span: Span::Always, card: card.clone() });
        }
    }
    if let Some(factor) = fast_factor(fields)? {
        let card = standard.scaled(factor);
        variants.push(Variant { mode: Mode::Speed("fast".into()), span: Span::Always, card });
    }
    let periods = vec![Period { span: Span::Always, card: standard }];
    Ok(ModelPrice { periods, variants, derivation: Derivation::default() })
}

/// What the providers' answers call the tier of a suffix.
fn tier_names(suffix: &str) -> &'static [&'static str] {
    match suffix {
        "batches" => &["batch"],
        "flex" => &["flex"],
        // OpenAI renamed the tier; answers have either word.
        "priority" => &["priority", "fast"],
        "ultrafast" => &["ultrafast"],
        _ => &[],
    }
}

/// Where the rate of a key belongs.
struct Place<'a> {
    field: Field,
    above: Option<u64>,
    mode: &'a str,
}

type Field = fn(&mut RateSet) -> &mut Option<Rate>;

/// Beginnings of keys; the longer before those that they begin with.
const KINDS: [(&str, Field); 5] = [
    ("input_cost_per_token", |rates| &mut rates.input),
    ("output_cost_per_token", |rates| &mut rates.output),
    ("cache_read_input_token_cost", |rates| &mut rates.cache_read),
    ("cache_creation_input_token_cost_above_1hr", |rates| &mut rates.cache_write_1h),
    ("cache_creation_input_token_cost", |rates| &mut rates.cache_write_5m),
];

impl<'a> Place<'a> {
    /// Takes a key apart; `None` for a key that says something else.
    fn of(key: &'a str) -> Option<Self> {
        let (rest, field) = KINDS
            .iter()
            .find_map(|(start, field)| key.strip_prefix(start).map(|rest| (rest, *field)))?;
        let (above, rest) = match rest.strip_prefix("_above_") {
            Some(rest) => {
                let (thousands, rest) = rest.split_once("k_tokens")?;
                (Some(thousands.parse::<u64>().ok()?.checked_mul(1_000)?), rest)
            }
            None => (None, rest),
        };
        let mode = match rest.strip_prefix('_') {
            Some(mode) if !tier_names(mode).is_empty() => mode,
            None if rest.is_empty() => "",
            _ => return None,
        };
        Some(Self { field, above, mode })
    }

    fn put(&self, card: &mut RateCard, rate: Rate) {
        match self.above {
            Some(above) => card.set_tier(above, |rates| *(self.field)(rates) = Some(rate)),
            None => *(self.field)(&mut card.base) = Some(rate),
        }
    }
}

/// Puts tiers that are given as a list instead of by their keys: rates, and the `range` of
/// contexts for which they hold, whose lower end is excluded as in other tiers.
fn put_tiers(card: &mut RateCard, json: &str) -> Result<(), Unreadable> {
    let rows: Vec<Fields<'_>> = serde_json::from_str(json).map_err(|_| Unreadable::Form)?;
    for row in rows {
        let above = row.get("range").and_then(|range| lower_end(range.get()));
        let above = Some(above.ok_or(Unreadable::Form)?).filter(|above| *above > 0);
        for (key, value) in row {
            if let Some(place) = Place::of(key).filter(|place| place.above.is_none()) {
                Place { above, ..place }.put(card, rate(value.get())?);
            }
        }
    }
    Ok(())
}

/// The first number of `[32000, 128000.0]`, which counts tokens.
fn lower_end(range: &str) -> Option<u64> {
    let ends: Vec<&RawValue> = serde_json::from_str(range).ok()?;
    let first = ends.first()?.get();
    first.strip_suffix(".0").unwrap_or(first).parse().ok()
}

/// The price of one search: of medium size, where sizes differ.
fn search_rate(json: &str) -> Result<Option<Rate>, Unreadable> {
    let sizes: Fields<'_> = serde_json::from_str(json).map_err(|_| Unreadable::Form)?;
    sizes.get("search_context_size_medium").map(|raw| rate(raw.get())).transpose()
}

/// How many millionths of the standard price the fast mode costs.
fn fast_factor(fields: &Fields<'_>) -> Result<Option<u64>, Unreadable> {
    let Some(raw) = fields.get("provider_specific_entry") else { return Ok(None) };
    let entries: Fields<'_> = serde_json::from_str(raw.get()).map_err(|_| Unreadable::Form)?;
    let Some(factor) = entries.get("fast") else { return Ok(None) };
    let millionths = parse_rate_rounded(factor.get(), RateUnit::PerMillion);
    let millionths = millionths.map_err(|_| Unreadable::Rate)?.as_picos();
    u64::try_from(millionths).map(Some).map_err(|_| Unreadable::Rate)
}

fn rate(text: &str) -> Result<Rate, Unreadable> {
    parse_rate_rounded(text, RateUnit::Each).map_err(|_| Unreadable::Rate)
}

#[cfg(test)]
mod tests;
