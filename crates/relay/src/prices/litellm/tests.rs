use relay_core::clock::Timestamp;
use relay_core::price::{PriceList, RateUnit, rate_text};
use relay_core::protocol::Service;

use super::*;

/// Rows as LiteLLM 1.109.1 has them, shortened to what is read and some of what is not.
const TABLE: &str = r#"{
  "sample_spec": {"litellm_provider": "one of https://docs", "mode": "one of: chat, embedding",
    "input_cost_per_token": 0.0},
  "claude-opus-4-8": {"litellm_provider": "anthropic", "mode": "chat",
    "input_cost_per_token": 5e-06, "output_cost_per_token": 2.5e-05,
    "input_cost_per_token_batches": 2.5e-06, "output_cost_per_token_batches": 1.25e-05,
    "cache_creation_input_token_cost": 6.25e-06, "cache_read_input_token_cost": 5e-07,
    "cache_creation_input_token_cost_above_1hr": 1e-05, "supports_vision": true,
    "search_context_cost_per_query": {"search_context_size_high": 0.02,
      "search_context_size_low": 0.005, "search_context_size_medium": 0.01},
    "provider_specific_entry": {"us": 1.1, "fast": 2.0}},
  "gpt-6.1-sol": {"litellm_provider": "openai", "mode": "responses",
    "input_cost_per_token": 2e-06, "output_cost_per_token": 1e-05,
    "input_cost_per_token_above_272k_tokens": 4e-06,
    "output_cost_per_token_above_272k_tokens": 1.5e-05,
    "input_cost_per_token_above_272k_tokens_priority": 8e-06,
    "input_cost_per_token_priority": 4e-06, "output_cost_per_token_priority": 2e-05,
    "input_cost_per_token_ultrafast": 1.2e-05, "cache_creation_input_token_cost": 2.5e-06,
    "cache_creation_input_token_cost_above_12hr": 5e-06},
  "gemini/gemini-3.8-flash": {"litellm_provider": "gemini", "mode": "chat",
    "input_cost_per_token": 7.5e-07, "output_cost_per_token": 3.75e-06,
    "cache_read_input_token_cost": null},
  "dashscope/qwen-flash": {"litellm_provider": "dashscope", "mode": "chat",
    "input_cost_per_token": 5e-08, "output_cost_per_token": 4e-07,
    "tiered_pricing": [
      {"input_cost_per_token": 5e-08, "output_cost_per_token": 4e-07, "range": [0, 256000.0]},
      {"input_cost_per_token": 2.5e-07, "output_cost_per_token": 2e-06,
       "range": [256000.0, 1000000.0]}]},
  "text-embedding-3-small": {"litellm_provider": "openai", "mode": "embedding",
    "input_cost_per_token": 2e-08, "output_cost_per_token": 0.0},
  "github_copilot/gpt-5": {"litellm_provider": "github_copilot", "mode": "chat"},
  "free": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 0.0,
    "output_cost_per_token": 0.0},
  "broken": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": "dear"}
}"#;

const NOW: Timestamp = Timestamp::from_seconds(1_793_491_200);

fn imported() -> Imported {
    read(TABLE, "litellm 1.109.1").expect("a table")
}

/// Input, output, cache read and both cache writes in dollars a million, and a search in dollars.
fn dollars(price: &ModelPrice, context: u64, tier: &str, speed: &str) -> String {
    let rates = price.rates(context, tier, speed, NOW);
    let per_million =
        [rates.input, rates.output, rates.cache_read, rates.cache_write_5m, rates.cache_write_1h]
            .map(|rate| rate_text(rate, RateUnit::PerMillion));
    format!("{} {}", per_million.join(" "), rate_text(rates.web_search, RateUnit::Each))
}

#[test]
fn what_is_no_conversation_with_a_price_is_counted_and_left_out() {
    let imported = imported();
    assert_eq!((imported.models, imported.skipped), (4, 4));
    assert_eq!(imported.unreadable, [("broken".to_owned(), Unreadable::Rate)]);
    assert!(read("[]", "").is_err());
}

#[test]
fn rows_become_prices() {
    let list = PriceList::new(vec![imported().catalogue], Vec::new(), 0);
    let check = |service, model, context, tier, speed, expected: &str| {
        let price = list.lookup(service, model).expect(model);
        assert_eq!(dollars(price, context, tier, speed), expected, "{model} {tier} {speed}");
    };
    let opus = "anthropic/claude-opus-4-8-20260401";
    check(Service::Claude, opus, 0, "", "", "5 25 0.5 6.25 10 0.01");
    check(Service::Claude, opus, 0, "", "fast", "10 50 1 12.5 20 0.01");
    check(Service::Claude, opus, 0, "batch", "", "2.5 12.5 0.5 6.25 10 0.01");
    let sol = "gpt-6.1-sol";
    check(Service::Openai, sol, 272_000, "", "", "2 10 2 2.5 2.5 0");
    check(Service::Openai, sol, 272_001, "", "", "4 15 4 2.5 2.5 0");
    check(Service::Openai, sol, 272_001, "priority", "", "8 20 8 2.5 2.5 0");
    check(Service::Openai, sol, 0, "fast", "", "4 20 4 2.5 2.5 0");
    check(Service::Openai, sol, 0, "ultrafast", "", "12 10 12 2.5 2.5 0");
    check(Service::Gemini, "gemini-3.8-flash", 0, "", "", "0.75 3.75 0.75 0.75 0.75 0");
    check(Service::Openai, "qwen-flash", 256_000, "", "", "0.05 0.4 0.05 0.05 0.05 0");
    check(Service::Openai, "qwen-flash", 256_001, "", "", "0.25 2 0.25 0.25 0.25 0");
}

#[test]
fn an_import_survives_its_storage() {
    let catalogue = imported().catalogue;
    let stored = serde_json::to_string(&catalogue).expect("JSON");
    assert_eq!(serde_json::from_str::<Catalogue>(&stored).expect("the same"), catalogue);
}

#[test]
fn an_import_goes_before_what_is_built_in() {
    let table = r#"{"claude-opus-4-8": {"litellm_provider": "anthropic", "mode": "chat",
        "input_cost_per_token": 7e-06, "output_cost_per_token": 3e-05}}"#;
    let import = read(table, "litellm 1.109.1").expect("a table").catalogue;
    let layers = vec![import, super::super::builtin::catalogue()];
    let list = PriceList::new(layers, Vec::new(), 2);
    assert_eq!(list.version(), "litellm 1.109.1, genai-prices 0.2.1+2");
    let price = |model| list.lookup(Service::Claude, model).expect(model);
    let derived = "7 30 0.7 8.75 14 0.01";
    assert_eq!(dollars(price("claude-opus-4-8"), 0, "", ""), derived);
    assert_eq!(dollars(price("claude-opus-4-8-20260401"), 0, "", ""), derived);
    assert_eq!(dollars(price("claude-opus-4-7"), 0, "", ""), "5 25 0.5 6.25 10 0.01");
}
