//! The list of models.

use std::time::Duration;

use relay_core::key::{Binding, BindingTarget};
use relay_core::model::ModelPattern;
use relay_core::protocol::Service;
use relay_store::accounts::NewAccount;
use relay_store::keys::KeyChange;
use relay_testkit::{Answer, Client, FakeProvider, Fault, Moment, Received};
use serde_json::json;

use super::{anthropic_error, openai_error};
use crate::kit::{TestRelay, account};

const MODELS: &str = "/api/v1/models";

fn ids(list: &Received) -> Vec<String> {
    let body = list.json();
    let models = body["data"].as_array().expect("a list");
    models.iter().map(|model| model["id"].as_str().expect("an id").to_owned()).collect()
}

/// A provider that lists these models.
async fn lists(models: &[&str]) -> FakeProvider {
    let provider = FakeProvider::start().await;
    let data: Vec<_> = models.iter().map(|id| json!({"id": id, "type": "model"})).collect();
    let list = Answer::status(200).json(&json!({"data": data, "has_more": false}));
    provider.answers_when(|seen| seen.path().ends_with("/v1/models"), list);
    provider
}

#[tokio::test]
async fn one_list_is_valid_for_the_clients_of_both_families() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    let (_, key) = relay.add_secret("k").await;
    let openai = Client::new(&relay.base_url).header("authorization", &format!("Bearer {key}"));
    let list = relay.client.get(MODELS, &[]).await;
    let expected = [
        "claude-3-5-haiku-20241022",
        "claude-haiku-4-5-20251001",
        "claude-opus-4-8",
        "claude-sonnet-4-6",
    ];
    assert_eq!((list.status, ids(&list)), (200, expected.map(str::to_owned).to_vec()));
    assert_eq!(list.header("content-type"), "application/json");
    let body = list.json();
    assert_eq!(body["object"], "list");
    assert_eq!(body["has_more"], false);
    assert_eq!((&body["first_id"], &body["last_id"]), (&json!(expected[0]), &json!(expected[3])));
    let opus = &body["data"][2];
    assert_eq!(
        *opus,
        json!({
            "id": "claude-opus-4-8", "object": "model", "type": "model",
            "display_name": "Claude Opus 4.8", "created": 1_778_716_800,
            "created_at": "2026-05-14T00:00:00Z", "owned_by": "anthropic",
        })
    );
    assert_eq!(openai.get("/openai/claude/v1/models", &[]).await.body, list.body);
    let one = relay.client.get("/v1/models/claude-opus-4-8", &[]).await;
    assert_eq!((one.status, &one.json()), (200, opus));
    let asked = provider.requests();
    assert_eq!((asked[0].api_key.as_str(), asked[0].path()), ("upstream-a", "/v1/models"));
    assert!(relay.records().is_empty(), "a list costs nothing");
}

#[tokio::test]
async fn an_unknown_model_is_told_in_the_clients_shape() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    let (_, key) = relay.add_secret("k").await;
    let refused = relay.client.get("/v1/models/claude-none", &[]).await;
    assert_eq!(anthropic_error(&refused, 404, "not_found_error"), "model: claude-none");
    assert_eq!(refused.header("x-should-retry"), "false");
    let stranger = Client::new(&relay.base_url).header("authorization", "Bearer wrong");
    assert!(openai_error(&stranger.get(MODELS, &[]).await, 401).contains("key"));
    let bearer = format!("Bearer {key}");
    let openai = Client::new(&relay.base_url).header("authorization", &bearer);
    let refused = openai.get("/api/v1/models/claude-none", &[]).await;
    assert_eq!(openai_error(&refused, 404), "model: claude-none");
    let refused = openai.get("/claude/v1/models/claude-none", &[]).await;
    anthropic_error(&refused, 404, "not_found_error");
}

#[tokio::test]
async fn a_list_is_asked_for_once_an_hour() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    let first = relay.client.get(MODELS, &[]).await;
    relay.client.get("/v1/models/claude-opus-4-8", &[]).await;
    relay.clock.advance(Duration::from_secs(3_599));
    assert_eq!(relay.client.get(MODELS, &[]).await.body, first.body);
    assert_eq!(provider.requests().len(), 1);
    relay.clock.advance(Duration::from_secs(1));
    relay.client.get(MODELS, &[]).await;
    assert_eq!(provider.requests().len(), 2);
}

#[tokio::test]
async fn a_list_goes_by_the_accounts_rules_and_has_the_names_they_map() {
    let own = lists(&["glm-5", "glm-4", "qwen-9"]).await;
    let claude = FakeProvider::start().await;
    let pattern = ModelPattern::new;
    let ruled = NewAccount {
        models: vec![pattern("glm-*"), pattern("glm-hidden")],
        model_map: vec!["my/claude:1=glm-5".parse().unwrap(), "any-*=glm-4".parse().unwrap()],
        ..account("ruled", &own)
    };
    let only = NewAccount { models: vec![pattern("*opus*")], ..account("opus", &claude) };
    let off = NewAccount { enabled: false, ..account("off", &claude) };
    let relay = TestRelay::start([ruled, only, off], &[]).await;
    let list = relay.client.get(MODELS, &[]).await;
    assert_eq!(ids(&list), ["claude-opus-4-8", "glm-4", "glm-5", "glm-hidden", "my/claude:1"]);
    for escaped in ["my/claude:1", "my%2Fclaude%3A1", "my%2fclaude:1"] {
        let one = relay.client.get(&format!("/v1/models/{escaped}"), &[]).await;
        assert_eq!(one.json()["id"], "my/claude:1", "{escaped}");
    }
    // Each of them is one that the accounts serve, whatever their host says to it.
    for id in ids(&list) {
        let call = relay_testkit::messages_body(&id, "[[say ok]]");
        assert_eq!(relay.client.post("/v1/messages", &[], call).await.text(), "ok", "{id}");
    }
}

#[tokio::test]
async fn a_bound_key_sees_the_models_of_its_account() {
    let (one, two) = (lists(&["one"]).await, lists(&["two"]).await);
    let relay = TestRelay::start([account("a", &one), account("b", &two)], &[]).await;
    let (id, client) = relay.add_key("bound").await;
    let target = BindingTarget::Account(relay.account_id("b").await);
    let bindings = Some(vec![Binding { service: Service::Claude, target }]);
    relay.change_key(id, KeyChange { bindings, ..KeyChange::default() }).await;
    assert_eq!(ids(&client.get(MODELS, &[]).await), ["two"]);
    assert!(one.requests().is_empty());
    assert_eq!(client.get("/v1/models/one", &[]).await.status, 404);
    assert_eq!(ids(&relay.client.get(MODELS, &[]).await), ["one", "two"]);
}

#[tokio::test]
async fn an_account_that_does_not_answer_is_left_out() {
    let (slow, failing, good) =
        (FakeProvider::start().await, FakeProvider::start().await, lists(&["good"]).await);
    slow.answers_when(|_| true, Answer::well().breaks(Fault::Hang, Moment::Head));
    failing.answers_when(|_| true, Answer::status(500));
    let accounts = [account("slow", &slow), account("failing", &failing), account("good", &good)];
    let relay = TestRelay::start(accounts, &[]).await;
    let began = std::time::Instant::now();
    assert_eq!(ids(&relay.client.get(MODELS, &[]).await), ["good"]);
    let took = began.elapsed();
    assert!(took > Duration::from_secs(2) && took < Duration::from_secs(20), "{took:?}");
    slow.until_cancelled(1).await;
}

#[tokio::test]
async fn the_price_table_stands_in_if_nobody_answers() {
    let provider = FakeProvider::start().await;
    provider.answers_always(Answer::status(200));
    provider.answers_when(|seen| seen.path().ends_with("/v1/models"), Answer::status(500));
    let relay = TestRelay::with(&provider).await;
    let all = ids(&relay.client.get(MODELS, &[]).await);
    assert!(all.len() > 5 && all.iter().all(|id| id.starts_with("claude-")), "{all:?}");
    // It is asked again: a failure is not remembered for an hour.
    provider.recovers();
    assert_eq!(ids(&relay.client.get(MODELS, &[]).await).len(), 4);

    provider.answers_when(|seen| seen.path().ends_with("/v1/models"), Answer::status(500));
    let haiku =
        NewAccount { models: vec![ModelPattern::new("*haiku*")], ..account("haiku", &provider) };
    let relay = TestRelay::start([haiku], &[]).await;
    let served = ids(&relay.client.get(MODELS, &[]).await);
    assert!(!served.is_empty() && served.iter().all(|id| id.contains("haiku")), "{served:?}");
}

#[tokio::test]
async fn without_accounts_the_list_is_empty() {
    let relay = TestRelay::start([], &[]).await;
    let list = relay.client.get(MODELS, &[]).await;
    assert_eq!((list.status, ids(&list)), (200, Vec::new()));
    assert!(list.json()["first_id"].is_null());
}

#[tokio::test]
async fn a_list_of_an_odd_host_is_read_or_left_out() {
    let odd = FakeProvider::start().await;
    let list = json!([{"id": "odd", "created": 17}, {"id": 3}, null]);
    odd.answers_when(|_| true, Answer::status(200).json(&list).gzip());
    let useless = FakeProvider::start().await;
    useless.answers_when(|_| true, Answer::status(200).body("<html>"));
    let relay = TestRelay::start([account("a", &odd), account("b", &useless)], &[]).await;
    assert_eq!(ids(&relay.client.get(MODELS, &[]).await), ["odd"]);
}
