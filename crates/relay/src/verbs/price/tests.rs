//! Prices on a real store.

use relay_core::protocol::Service;

use super::*;
use crate::verbs::scratch::{NOW, Scratch};

fn rates(input: i64, output: i64) -> RateSet {
    RateSet {
        input: Some(Rate::from_picos(input)),
        output: Some(Rate::from_picos(output)),
        ..RateSet::default()
    }
}

#[tokio::test]
async fn an_own_price_goes_before_every_list_until_it_is_taken_back() {
    let Scratch { store, .. } = &Scratch::new().await;
    let listed = prices::load(store).await.expect("prices").version().to_owned();
    let set = set(store, "Claude-Example-9*", rates(3_000_000, 15_000_000), NOW).await;
    insta::assert_json_snapshot!(set.expect("a price"), @r#"
    {
      "model": "claude-example-9*",
      "provider": "",
      "source": "override",
      "input": 3.0,
      "output": 15.0,
      "cache_read": 0.3,
      "cache_write": 3.75,
      "cache_write_1h": 6.0,
      "web_search": 0.01
    }
    "#);
    let prices = prices::load(store).await.expect("prices");
    assert!(prices.is_known(Service::Claude, "claude-example-9-20270101"));
    assert_ne!(prices.version(), listed, "records tell the lists apart");
    assert_eq!(list(store, Some("example-9"), NOW).await.expect("rows").len(), 1);
    unset(store, "claude-example-9*", NOW).await.expect("taken back");
    let again = unset(store, "claude-example-9*", NOW).await.expect_err("it is gone");
    assert!(matches!(again, VerbError::NotFound { what: Thing::Price, .. }));
}

#[tokio::test]
async fn an_imported_list_goes_before_the_built_in_one() {
    let Scratch { store, .. } = &Scratch::new().await;
    let json = r#"{
        "claude-example-9": {
            "litellm_provider": "anthropic", "mode": "chat",
            "input_cost_per_token": 1e-06, "output_cost_per_token": 5e-06
        },
        "claude-broken": {
            "litellm_provider": "anthropic", "mode": "chat",
            "input_cost_per_token": "?", "output_cost_per_token": 5e-06
        }
    }"#;
    let report = import(store, json, NOW).await.expect("a list");
    assert_eq!((report.models, report.unreadable), (1, 1));
    let rows = list(store, Some("*example-9"), NOW).await.expect("rows");
    assert_eq!((rows[0].input, rows[0].output), (1.0, 5.0));
    let version = prices::load(store).await.expect("prices").version().to_owned();
    assert!(version.starts_with(&report.version), "{version}");
}

#[tokio::test]
async fn what_is_no_list_changes_nothing() {
    let Scratch { store, .. } = &Scratch::new().await;
    for wrong in ["", "[]", "{}", r#"{"sample_spec": {"mode": "chat"}}"#] {
        let refusal = import(store, wrong, NOW).await.expect_err("refused");
        assert!(matches!(refusal, VerbError::Invalid(_)), "{wrong:?}: {refusal}");
    }
    assert!(store.latest_price_list().await.expect("the store").is_none());
    assert!(set(store, "two words", rates(1, 1), NOW).await.is_err());
}
