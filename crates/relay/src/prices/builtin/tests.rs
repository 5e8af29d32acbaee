use std::time::{Duration, SystemTime};

use genai_prices::{Calculator, PriceRequest, Usage};
use relay_core::clock::Timestamp;
use relay_core::money::Money;
use relay_core::price::{
    Bill, Derivation, Entry, Mode, ModelPrice, PriceList, PriceSource, RateUnit, Rates, rate_text,
};
use relay_core::protocol::Service;
use relay_core::usage::TokenUsage;

use super::*;

/// 2026-11-01, a day on which every provider's batch and tier prices are stated.
const NOW: Timestamp = Timestamp::from_seconds(1_793_491_200);

fn list() -> PriceList {
    PriceList::new(vec![catalogue()], Vec::new(), 0)
}

/// Input, output, cache read and both cache writes in dollars a million, and a search in dollars.
fn dollars(rates: Rates) -> [String; 6] {
    let tokens =
        [rates.input, rates.output, rates.cache_read, rates.cache_write_5m, rates.cache_write_1h];
    let [input, output, read, short, long] =
        tokens.map(|rate| rate_text(rate, RateUnit::PerMillion));
    [input, output, read, short, long, rate_text(rates.web_search, RateUnit::Each)]
}

#[test]
fn the_built_in_file_is_read_whole() {
    let imported = read();
    assert_eq!((imported.unreadable, imported.skipped), (vec![], 0));
    assert!(imported.models > 1_000, "{}", imported.models);
    assert_eq!(list().version(), "genai-prices 0.2.1");
}

#[test]
fn claude_costs_what_anthropic_states() {
    let list = list();
    for (model, rates) in [
        ("claude-fable-5-1", ["10", "50", "0.25", "12.5", "20", "0.01"]),
        ("claude-opus-5-5", ["4", "20", "0.2", "5", "8", "0.01"]),
        ("claude-opus-4-8", ["5", "25", "0.5", "6.25", "10", "0.01"]),
        ("claude-opus-4-1-20250805", ["15", "75", "1.5", "18.75", "30", "0.01"]),
        ("claude-sonnet-5-5", ["2", "10", "0.1", "2.5", "4", "0.01"]),
        ("claude-sonnet-4-5", ["3", "15", "0.3", "3.75", "6", "0.01"]),
        ("claude-haiku-5-5", ["0.1", "0.5", "0.01", "0.125", "0.2", "0.01"]),
        ("claude-haiku-4-5-20251001", ["1", "5", "0.1", "1.25", "2", "0.01"]),
        // The catalogue states no price for searches; Anthropic has one for all models.
        ("claude-3-haiku-20240307", ["0.25", "1.25", "0.03", "0.3", "0.5", "0.01"]),
    ] {
        let price = list.lookup(Service::Claude, model).expect(model);
        assert_eq!(dollars(price.base_rates(NOW)), rates, "{model}");
    }
}

#[test]
fn a_long_context_bills_the_whole_call_dearer() {
    let list = list();
    let price = list.lookup(Service::Claude, "claude-haiku-5-5").expect("a price");
    let at = |context| dollars(price.rates(context, "", "", NOW));
    assert_eq!(at(100_000), ["0.1", "0.5", "0.01", "0.125", "0.2", "0.01"]);
    assert_eq!(at(100_001), ["0.5", "2.5", "0.05", "0.625", "1", "0.01"]);

    let usage =
        TokenUsage { input: 1, cache_read: 100_000, output: 1_000, ..TokenUsage::default() };
    let bill = Bill {
        service: Service::Claude,
        asked: "claude-haiku-5-5",
        served: "",
        usage: &usage,
        service_tier: "standard",
        speed: "",
        at: NOW,
    };
    // 1 at 0.5, 100,000 at 0.05 and 1,000 at 2.5 dollars a million.
    assert_eq!(list.price(&bill).cost, Money::from_nanos(500 + 5_000_000 + 2_500_000));
}

#[test]
fn prices_hold_from_their_date() {
    let list = list();
    let long_opus = |at| {
        let price = list.lookup(Service::Claude, "claude-opus-4-6").expect("a price");
        dollars(price.rates(300_000, "", "", at))[0].clone()
    };
    // 2026-03-13: the surcharge on long contexts ended.
    assert_eq!(long_opus(Timestamp::from_seconds(1_773_359_999)), "10");
    assert_eq!(long_opus(Timestamp::from_seconds(1_773_360_000)), "5");
    // 2027-01-01: the introductory price ends. LiteLLM, which knows one price only, has this one
    // until then: the sources agree.
    let flash = |at| {
        let price = list.lookup(Service::Gemini, "gemini-3.8-flash").expect("a price");
        dollars(price.base_rates(at))[0].clone()
    };
    assert_eq!(flash(Timestamp::from_seconds(1_798_761_599)), "0.75");
    assert_eq!(flash(Timestamp::from_seconds(1_798_761_600)), "1.5");
}

#[test]
fn modes_of_serving_have_their_price() {
    let list = list();
    let input = |service, model, tier, speed| {
        let price = list.lookup(service, model).expect("a price");
        dollars(price.rates(0, tier, speed, NOW))[0].clone()
    };
    assert_eq!(input(Service::Claude, "claude-opus-4-8", "", "fast"), "10");
    assert_eq!(input(Service::Claude, "claude-opus-4-8", "batch", ""), "2.5");
    assert_eq!(input(Service::Claude, "claude-opus-4-8", "standard", "standard"), "5");
    assert_eq!(input(Service::Openai, "gpt-6.1-terra", "priority", ""), "2");
    assert_eq!(input(Service::Openai, "gpt-6.1-terra", "flex", ""), "0.5");
    assert_eq!(input(Service::Openai, "gpt-6.1-terra", "default", ""), "1");
}

#[test]
fn models_are_found_under_every_name() {
    let list = list();
    let input = |service, model: &str| {
        list.lookup(service, model).map(|price| dollars(price.base_rates(NOW))[0].clone())
    };
    for name in [
        "claude-opus-5-5",
        "Claude-Opus-5-5",
        "anthropic/claude-opus-5-5",
        "anthropic/claude-opus-5.5",
        "claude-opus-5-5@20260801",
        "claude-opus-5-5-20260801",
        "claude-opus-5-5-2026-08-01",
        "claude-opus-5-5-latest",
        "claude-opus-5-5[1m]",
        "global.anthropic.claude-opus-5-5-v1:0",
    ] {
        assert_eq!(input(Service::Claude, name).as_deref(), Some("4"), "{name}");
        assert_eq!(input(Service::Openai, name).as_deref(), Some("4"), "{name}");
    }
    // A region of Amazon's costs a tenth more.
    assert_eq!(input(Service::Claude, "us.anthropic.claude-opus-5-5-v1:0").as_deref(), Some("4.4"));
    // Compatible hosts speak Anthropic's protocol for models of their own.
    assert_eq!(input(Service::Claude, "glm-5.3").as_deref(), Some("1.4"));
    assert!(list.is_known(Service::Claude, "kimi-k2.5"));
    assert!(list.is_known(Service::Claude, "deepseek-v4-pro"));
    assert!(list.is_known(Service::Openai, "gpt-6.1-sol-2026-09-01"));
    assert!(list.is_known(Service::Gemini, "models/gemini-3.1-pro-preview"));
    for name in ["", "claude", "claude-opus-9", "nonsense", "claude-fable-6-20270101"] {
        assert!(!list.is_known(Service::Claude, name), "{name}");
    }
}

#[test]
fn an_unknown_model_costs_the_most_of_its_family() {
    let list = list();
    let usage = TokenUsage { input: 1_000_000, output: 1_000_000, ..TokenUsage::default() };
    let priced = |service, model, speed| {
        let bill = Bill {
            service,
            asked: model,
            served: model,
            usage: &usage,
            service_tier: "",
            speed,
            at: NOW,
        };
        let priced = list.price(&bill);
        (priced.cost.to_string(), priced.by.source)
    };
    let family = PriceSource::FamilyMaximum;
    // Haiku's highest input is the 4.5's, its highest output too.
    assert_eq!(priced(Service::Claude, "claude-haiku-9", ""), ("$6.00".into(), family));
    assert_eq!(priced(Service::Claude, "claude-opus-9", ""), ("$90.00".into(), family));
    let provider = PriceSource::ProviderMaximum;
    assert_eq!(priced(Service::Claude, "claude-newword-1", ""), ("$90.00".into(), provider));
    // Z.AI's names tell that a model is theirs: its dearest is 2.2 in, 8.9 out.
    assert_eq!(priced(Service::Claude, "glm-99", ""), ("$11.10".into(), provider));
    // An extra charge is presumed, a discount is not.
    assert_eq!(priced(Service::Claude, "claude-fable-9", "fast"), ("$60.00".into(), family));
}

/// The crate's own calculator is the oracle: for every model, context, moment and mode, the cost
/// is the same to the rounding.
#[test]
fn every_price_is_the_crates_own() {
    let oracle = Calculator::bundled();
    let moments = [1_700_000_000, 1_780_000_000, 1_793_491_200, 1_793_505_600, 1_800_000_000];
    let mut compared = 0;
    for provider in &catalogue().providers {
        for entry in &provider.entries {
            // A few ids are headings (`ft:gpt-4o`) and not a name that a call can have.
            let name = entry.model.to_lowercase();
            let Some(first) = provider.entries.iter().find(|it| it.rule.holds(&name)) else {
                continue;
            };
            for input in [10_000, 150_000, 250_000, 600_000] {
                for seconds in moments {
                    for mode in modes(first) {
                        compare(oracle, &provider.id, (entry, first), (input, seconds), mode);
                        compared += 1;
                    }
                }
            }
        }
    }
    assert!(compared > 20_000, "{compared}");
}

/// No mode, and every mode that the entry has and the oracle knows.
fn modes(entry: &Entry) -> impl Iterator<Item = &str> {
    let tiers = entry.price.variants.iter().filter_map(|variant| match &variant.mode {
        Mode::ServiceTier(name) => Some(name.as_str()),
        Mode::Speed(_) => None,
    });
    std::iter::once("").chain(tiers)
}

fn compare(
    oracle: &Calculator,
    provider: &str,
    (named, entry): (&Entry, &Entry),
    (input, seconds): (u64, u64),
    mode: &str,
) {
    let usage = stated_kinds(&entry.price, input);
    let reported = Usage::from(
        [
            ("input_tokens", usage.context()),
            ("cache_read_tokens", usage.cache_read),
            ("cache_write_tokens", usage.cache_write()),
            ("cache_write_5m_tokens", usage.cache_write_5m),
            ("cache_write_1h_tokens", usage.cache_write_1h),
            ("output_tokens", usage.output),
            ("web_searches", usage.web_searches),
        ]
        .map(|(key, count)| (key, f64::from(u32::try_from(count).expect("small")))),
    );
    let moment = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let mut request = PriceRequest::new(&named.model, &reported)
        .with_provider_id(provider)
        .with_timestamp(moment);
    if !mode.is_empty() {
        let key = if mode == "batch" { "processing" } else { "service_tier" };
        request = request.with_price_context(key, mode);
    }
    let theirs = oracle.calculate(&request).expect("the crate prices its own models");
    let at = Timestamp::from_seconds(i64::try_from(seconds).expect("small"));
    let ours = entry.price.rates(usage.context(), mode, "", at).cost(&usage);
    let difference = (ours.to_usd_f64() - theirs.total_price).abs();
    // Half a nano-dollar of rounding, and a pico-dollar a token where a rate was finer than that.
    assert!(
        *theirs.model_id == *entry.model && difference < 2e-6,
        "{provider} {} {mode} at {seconds}: {ours} for {usage:?}, the crate says {} for {}",
        entry.model,
        theirs.total_price,
        theirs.model_id,
    );
}

/// A usage with as many kinds as the source states rates for: the derived ones differ from the
/// crate's on purpose, which takes the rate of the next wider kind.
fn stated_kinds(price: &ModelPrice, input: u64) -> TokenUsage {
    let stated = |kind: fn(&relay_core::price::RateSet) -> bool| {
        price.derivation == Derivation::AsInput
            || price.periods.iter().all(|period| kind(&period.card.base))
    };
    let part = |kind, count| if stated(kind) { count } else { 0 };
    TokenUsage {
        input,
        output: 1_234,
        cache_read: part(|set| set.cache_read.is_some(), 30_000),
        cache_write_5m: part(|set| set.cache_write_5m.is_some(), 7_000),
        cache_write_1h: part(|set| set.cache_write_1h.is_some(), 5_000),
        web_searches: part(|set| set.web_search.is_some(), 3),
    }
}
