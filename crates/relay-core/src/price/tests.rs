use proptest::prelude::*;

use super::*;
use crate::clock::Timestamp;
use crate::model::ModelPattern;
use crate::money::Rate;
use crate::protocol::Service;
use crate::usage::TokenUsage;

const NOW: Timestamp = Timestamp::from_seconds(1_793_491_200);

/// Rates in dollars a million tokens.
fn rates(input: &str, output: &str) -> RateSet {
    let rate = |text| parse_rate(text, RateUnit::PerMillion).expect("a rate");
    RateSet { input: Some(rate(input)), output: Some(rate(output)), ..RateSet::default() }
}

fn entry(model: &str, input: &str, output: &str) -> Entry {
    Entry {
        model: model.into(),
        rule: Rule::Equals(model.into()),
        price: ModelPrice::flat(model, rates(input, output)),
    }
}

fn provider(id: &str, names: Option<&str>, entries: Vec<Entry>) -> Provider {
    let names = names.map(|start| Rule::StartsWith(start.into()));
    Provider { id: id.into(), names, entries }
}

fn catalogue() -> Catalogue {
    Catalogue {
        version: "test 1".into(),
        providers: vec![
            provider(
                "anthropic",
                Some("claude"),
                vec![
                    entry("claude-opus-4-1", "15", "75"),
                    entry("claude-opus-4-8", "5", "25"),
                    entry("claude-haiku-5", "1", "5"),
                ],
            ),
            provider(
                "zai",
                Some("glm"),
                vec![entry("glm-5", "1.5", "4"), entry("glm-5v", "1", "9")],
            ),
            provider("aws", None, vec![entry("us.anthropic.claude-opus-4-8-v1:0", "5.5", "27.5")]),
        ],
    }
}

fn list(overrides: &[(&str, &str, &str)]) -> PriceList {
    let own = |(model, input, output): &(&str, &str, &str)| Override {
        model: ModelPattern::new(*model),
        price: ModelPrice::flat(model, rates(input, output)),
    };
    PriceList::new(vec![catalogue()], overrides.iter().map(own).collect(), 7)
}

/// What a million of input and output tokens cost, and where the price came from.
fn priced(list: &PriceList, asked: &str, served: &str) -> (String, PriceSource) {
    let usage = TokenUsage { input: 1_000_000, output: 1_000_000, ..TokenUsage::default() };
    let bill = Bill {
        service: Service::Claude,
        asked,
        served,
        usage: &usage,
        service_tier: "",
        speed: "",
        at: NOW,
    };
    let priced = list.price(&bill);
    assert_eq!(priced.by.version, "test 1+7");
    (priced.cost.to_usd_string(), priced.by.source)
}

#[test]
fn the_model_that_served_is_charged_else_the_one_asked_for() {
    let list = list(&[]);
    let listed = |dollars: &str| (dollars.to_owned(), PriceSource::Listed);
    assert_eq!(priced(&list, "claude-opus-4-8", "claude-haiku-5"), listed("6.00"));
    assert_eq!(priced(&list, "claude-opus-4-8", "something"), listed("30.00"));
    assert_eq!(priced(&list, "claude-opus-4-8", ""), listed("30.00"));
    assert_eq!(priced(&list, "us.anthropic.claude-opus-4-8-v1:0", ""), listed("33.00"));
    assert_eq!(priced(&list, "eu.anthropic.claude-opus-4-8-v1:0", ""), listed("30.00"));
    assert_eq!(priced(&list, "zai/GLM-5", "glm-5"), listed("5.50"));
}

#[test]
fn the_operators_price_goes_first_and_the_plain_name_before_the_pattern() {
    let own = list(&[("claude-*", "2", "2"), ("claude-opus-4-8", "3", "3"), ("mine", "1", "0")]);
    let own_price = |dollars: &str| (dollars.to_owned(), PriceSource::Override);
    assert_eq!(priced(&own, "claude-opus-4-8", "claude-opus-4-8-20260401"), own_price("6.00"));
    assert_eq!(priced(&own, "anthropic/claude-haiku-5", ""), own_price("4.00"));
    assert_eq!(priced(&own, "Mine", ""), own_price("1.00"));
    assert_eq!(priced(&own, "glm-5", ""), ("5.50".into(), PriceSource::Listed));
    assert!(own.is_known(Service::Openai, "mine"));
}

#[test]
fn an_unknown_model_is_charged_the_highest_of_its_family_else_of_its_provider() {
    let list = list(&[]);
    let family = priced(&list, "claude-opus-9", "claude-opus-9-20270101");
    assert_eq!(family, ("90.00".into(), PriceSource::FamilyMaximum));
    let provider = priced(&list, "claude-fable-9", "");
    assert_eq!(provider, ("90.00".into(), PriceSource::ProviderMaximum));
    // Each kind for itself: 1.5 in of one model, 9 out of another.
    assert_eq!(priced(&list, "glm-7", ""), ("10.50".into(), PriceSource::ProviderMaximum));
    assert_eq!(priced(&list, "no-such", ""), ("90.00".into(), PriceSource::ProviderMaximum));
    assert_eq!(priced(&list, "", ""), ("90.00".into(), PriceSource::ProviderMaximum));
    assert!(!list.is_known(Service::Claude, "claude-opus-9"));
    assert!(list.is_known(Service::Claude, "claude-opus-4-8"));
}

#[test]
fn without_any_price_a_call_is_recorded_at_zero_and_flagged() {
    let empty = PriceList::new(Vec::new(), Vec::new(), 0);
    let usage = TokenUsage { input: 1, ..TokenUsage::default() };
    let bill = Bill {
        service: Service::Gemini,
        asked: "a",
        served: "",
        usage: &usage,
        service_tier: "",
        speed: "",
        at: NOW,
    };
    let priced = empty.price(&bill);
    assert_eq!((priced.cost, priced.by.source), (Money::ZERO, PriceSource::Unknown));
    assert!(priced.by.source.is_provisional());
}

#[test]
fn what_a_source_leaves_out_follows_from_its_provider() {
    let claude = rates("3", "15").complete(Derivation::of_model("us.anthropic.CLAUDE-x"));
    let per_million = |rate| rate_text(rate, RateUnit::PerMillion);
    assert_eq!(per_million(claude.cache_read), "0.3");
    assert_eq!(per_million(claude.cache_write_5m), "3.75");
    assert_eq!(per_million(claude.cache_write_1h), "6");
    assert_eq!(rate_text(claude.web_search, RateUnit::Each), "0.01");
    let other = rates("3", "15").complete(Derivation::of_model("gpt-6"));
    let same = Rate::from_picos(3_000_000);
    assert_eq!([other.cache_read, other.cache_write_5m, other.cache_write_1h], [same; 3]);
    assert_eq!(other.web_search, Rate::default());
    // A fraction of a pico-dollar goes up: a tenth of five is one.
    let tiny = RateSet { input: Some(Rate::from_picos(5)), ..RateSet::default() };
    assert_eq!(tiny.complete(Derivation::Claude).cache_read, Rate::from_picos(1));
}

#[test]
fn periods_count_from_their_moment_and_by_the_clock() {
    let period = |span, input| Period {
        span,
        card: RateCard { base: rates(input, "0"), tiers: Vec::new() },
    };
    let price = ModelPrice {
        periods: vec![
            period(Span::Always, "1"),
            period(Span::From(Timestamp::from_seconds(86_400)), "2"),
            period(Span::Daily { from: 82_800, until: 3_600 }, "3"),
        ],
        ..ModelPrice::default()
    };
    let input = |second| {
        let rates = price.base_rates(Timestamp::from_seconds(second));
        rate_text(rates.input, RateUnit::PerMillion)
    };
    assert_eq!([3_600, 82_799, 86_400 + 3_600].map(input), ["1", "1", "2"]);
    assert_eq!([0, 3_599, 82_800, 86_399, -1].map(input), ["3"; 5]);
}

#[test]
fn kinds_may_have_tiers_of_their_own() {
    let mut card = RateCard { base: rates("1", "10"), tiers: Vec::new() };
    let set = |input| rates(input, "0").input;
    card.set_tier(200, |rates| rates.output = set("30"));
    card.set_tier(100, |rates| rates.input = set("2"));
    card.set_tier(100, |rates| rates.output = set("20"));
    let price =
        ModelPrice { periods: vec![Period { span: Span::Always, card }], ..ModelPrice::default() };
    let at = |context| {
        let rates = price.rates(context, "", "", NOW);
        [rates.input, rates.output].map(|rate| rate_text(rate, RateUnit::PerMillion))
    };
    assert_eq!(at(100), ["1", "10"]);
    assert_eq!(at(101), ["2", "20"]);
    assert_eq!(at(201), ["2", "30"]);
}

#[test]
fn a_price_survives_its_storage() {
    let catalogue = catalogue();
    let stored = serde_json::to_string(&catalogue).expect("JSON");
    assert_eq!(serde_json::from_str::<Catalogue>(&stored).expect("the same"), catalogue);
    let own =
        Override { model: ModelPattern::new("a*"), price: ModelPrice::flat("a", rates("1", "2")) };
    let stored = serde_json::to_string(&own).expect("JSON");
    assert_eq!(
        stored,
        r#"{"model":"a*","price":{"periods":[{"span":"always","card":{"base":{"input":1000000,"output":2000000}}}],"derivation":"as_input"}}"#
    );
    assert_eq!(serde_json::from_str::<Override>(&stored).expect("the same"), own);
}

#[test]
fn the_list_can_be_read() {
    let list = list(&[("mine", "1", "2")]);
    let own: Vec<_> = list.models(Service::Claude).collect();
    assert_eq!(own, ["claude-opus-4-1", "claude-opus-4-8", "claude-haiku-5"]);
    let lines: Vec<_> = list.listings().map(|line| (line.provider, line.model)).collect();
    assert_eq!(lines.len(), 7);
    assert_eq!(lines[..2], [("", "mine"), ("anthropic", "claude-opus-4-1")]);
}

#[test]
fn more_names_than_are_remembered_are_still_found() {
    let list = list(&[]);
    for number in 0..3_000 {
        assert!(!list.is_known(Service::Claude, &format!("nonsense-{number}")));
    }
    assert!(list.is_known(Service::Claude, "claude-opus-4-8"));
}

#[test]
fn the_policy_for_unknown_prices_is_read() {
    assert_eq!("family-maximum".parse(), Ok(UnknownPrice::FamilyMaximum));
    assert_eq!("refuse".parse(), Ok(UnknownPrice::Refuse));
    assert_eq!("".parse::<UnknownPrice>(), Err(ParseUnknownPriceError));
}

#[test]
fn absurd_counts_cost_the_most_that_a_ledger_holds() {
    let most = TokenUsage {
        input: u64::MAX,
        output: u64::MAX,
        cache_read: u64::MAX,
        cache_write_5m: u64::MAX,
        cache_write_1h: u64::MAX,
        web_searches: u64::MAX,
    };
    let dear = Rate::from_picos(i64::MAX);
    let set = RateSet { input: Some(dear), output: Some(dear), ..RateSet::default() };
    assert_eq!(set.complete(Derivation::Claude).cost(&most), Money::from_nanos(i64::MAX));
    let list = PriceList::new(
        Vec::new(),
        vec![Override { model: ModelPattern::new("*"), price: ModelPrice::flat("a", set) }],
        0,
    );
    let bill = Bill {
        service: Service::Openai,
        asked: "a",
        served: "",
        usage: &most,
        service_tier: "",
        speed: "",
        at: NOW,
    };
    assert_eq!(list.price(&bill).cost, Money::from_nanos(i64::MAX));
}

fn any_rate() -> impl Strategy<Value = Option<Rate>> {
    proptest::option::of((0_i64..1_000_000_000).prop_map(Rate::from_picos))
}

fn any_set() -> impl Strategy<Value = RateSet> {
    let all = (any_rate(), any_rate(), any_rate(), any_rate(), any_rate(), any_rate());
    all.prop_map(|(input, output, cache_read, cache_write_5m, cache_write_1h, web_search)| {
        RateSet { input, output, cache_read, cache_write_5m, cache_write_1h, web_search }
    })
}

/// A price of two tiers, each at least as dear as the one below.
fn any_price() -> impl Strategy<Value = ModelPrice> {
    let factors = (1_000_000_u64..3_000_000, 1_000_000_u64..3_000_000);
    (any_set(), factors, any::<bool>()).prop_map(|(base, (first, second), claude)| {
        let mut card = RateCard { base, tiers: Vec::new() };
        let long = card.scaled(first);
        let longer = long.scaled(second);
        card.set_tier(100_000, |rates| *rates = long.base);
        card.set_tier(200_000, |rates| *rates = longer.base);
        ModelPrice {
            periods: vec![Period { span: Span::Always, card }],
            variants: Vec::new(),
            derivation: if claude { Derivation::Claude } else { Derivation::AsInput },
        }
    })
}

fn any_usage(most: u64) -> impl Strategy<Value = TokenUsage> {
    (0..most, 0..most, 0..most, 0..most, 0..most, 0_u64..100).prop_map(
        |(input, output, cache_read, cache_write_5m, cache_write_1h, web_searches)| TokenUsage {
            input,
            output,
            cache_read,
            cache_write_5m,
            cache_write_1h,
            web_searches,
        },
    )
}

fn cost(price: &ModelPrice, usage: &TokenUsage) -> Money {
    price.rates(usage.context(), "", "", NOW).cost(usage)
}

proptest! {
    #[test]
    fn more_of_any_kind_never_costs_less(
        price in any_price(),
        usage in any_usage(120_000),
        more in 0_u64..120_000,
    ) {
        let before = cost(&price, &usage);
        prop_assert!(before >= Money::ZERO);
        for kind in 0..6 {
            let mut dearer = usage;
            *match kind {
                0 => &mut dearer.input,
                1 => &mut dearer.output,
                2 => &mut dearer.cache_read,
                3 => &mut dearer.cache_write_5m,
                4 => &mut dearer.cache_write_1h,
                _ => &mut dearer.web_searches,
            } += more;
            prop_assert!(cost(&price, &dearer) >= before);
        }
    }

    #[test]
    fn calls_below_the_first_tier_add_up(
        price in any_price(),
        one in any_usage(12_000),
        other in any_usage(12_000),
    ) {
        let both = TokenUsage {
            input: one.input + other.input,
            output: one.output + other.output,
            cache_read: one.cache_read + other.cache_read,
            cache_write_5m: one.cache_write_5m + other.cache_write_5m,
            cache_write_1h: one.cache_write_1h + other.cache_write_1h,
            web_searches: one.web_searches + other.web_searches,
        };
        let apart = (cost(&price, &one) + cost(&price, &other)).as_nanos();
        // Each of the three sums is rounded once.
        prop_assert!((cost(&price, &both).as_nanos() - apart).abs() <= 1);
    }

    #[test]
    fn the_maximum_is_no_less_than_any_call(price in any_price(), usage in any_usage(120_000)) {
        prop_assert!(price.standard_maximum().cost(&usage) >= cost(&price, &usage));
        prop_assert!(price.maximum().cost(&usage) >= cost(&price, &usage));
    }

    #[test]
    fn no_name_is_too_odd(name in "\\PC{0,40}") {
        list(&[("claude-*", "1", "1")]).is_known(Service::Claude, &name);
    }
}
