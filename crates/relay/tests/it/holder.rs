//! What who holds a key is told of it, and what everybody is.

use std::time::Duration;

use relay_core::key::{KeyLimits, KeyRules, WindowLimit};
use relay_core::model::ModelPattern;
use relay_store::keys::{Expiry, KeyChange, MergePatch};
use relay_testkit::{Client, FakeProvider, Received, messages_body};
use serde::Serialize;
use serde_json::{Value, json};

use crate::kit::{START, TestRelay};

const MESSAGES: &str = "/api/v1/messages";
const HOLDER: &str = "/web/api/holder";

fn patch<T: Serialize>(value: &T) -> MergePatch {
    let value = serde_json::to_value(value).expect("JSON");
    value.as_object().cloned().expect("an object")
}

async fn asks(relay: &TestRelay, key: &str) -> Received {
    let bearer = format!("Bearer {key}");
    Client::new(&relay.base_url).get(HOLDER, &[("authorization", &bearer)]).await
}

async fn told(relay: &TestRelay, key: &str) -> Value {
    let answer = asks(relay, key).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("access-control-allow-origin"), "");
    answer.json()
}

async fn settle(relay: &mut TestRelay) {
    relay.app.shutdown.until_no_call_is_open().await;
    relay.books.as_mut().expect("books").write_all().await;
}

#[tokio::test]
async fn who_holds_a_key_sees_what_it_used_and_what_limits_it() {
    let provider = FakeProvider::start().await;
    let mut relay = TestRelay::with(&provider).await;
    let (id, key) = relay.add_secret("lena").await;
    let allowed_models = vec![ModelPattern::new("claude-*")];
    let rules = KeyRules { allowed_models, ..KeyRules::default() };
    let limits = KeyLimits {
        window: Some(WindowLimit { seconds: 3_600, requests: Some(5), tokens: None, cost: None }),
        ..KeyLimits::default()
    };
    let change = KeyChange {
        rules: Some(patch(&rules)),
        limits: Some(patch(&limits)),
        owner: Some("Lena".into()),
        note: Some("a-secret-note".into()),
        ..KeyChange::default()
    };
    relay.change_key(id, change).await;
    let store = &relay.app.store;
    let site = [("site_title", "Ours"), ("site_notice", "Be kind")];
    store.set_settings(&site, START).await.expect("set");

    let unused = told(&relay, &key).await;
    assert_eq!((&unused["state"], &unused["today"]["calls"]), (&json!("active"), &json!(0)));
    assert_eq!(unused["standings"][0]["resets_at"], Value::Null, "asking opens no window");
    let stored = relay.app.store.key(id).await.expect("a query").expect("it");
    assert_eq!(stored.key.first_used_at, None);

    let client = Client::new(&relay.base_url).anthropic(&key);
    for text in ["one", "two"] {
        let body = messages_body("claude-sonnet-4-6", text);
        assert_eq!(client.post(MESSAGES, &[], body).await.status, 200);
    }
    relay.clock.advance(Duration::from_hours(26));
    let body = messages_body("claude-opus-4-8", "three");
    assert_eq!(client.post(MESSAGES, &[], body).await.status, 200);
    let refused = client.post(MESSAGES, &[], messages_body("gpt-6", "four")).await;
    assert_eq!(refused.status, 403);
    settle(&mut relay).await;
    relay::watch::save_once(&relay.app).await;

    let view = told(&relay, &key).await;
    assert_eq!((&view["name"], &view["owner"]), (&json!("lena"), &json!("Lena")));
    assert_eq!((&view["title"], &view["notice"]), (&json!("Ours"), &json!("Be kind")));
    assert_eq!(view["rules"]["allowed_models"], json!(["claude-*"]));
    assert_eq!((&view["used"]["calls"], &view["today"]["calls"]), (&json!(3), &json!(1)));
    let days = view["days"].as_array().expect("days");
    let calls: Vec<_> = days.iter().map(|it| it["calls"].as_u64().expect("calls")).collect();
    assert_eq!((calls.len(), calls.iter().sum::<u64>(), calls[27]), (28, 3, 1));
    let kinds = ["input", "output", "cache_read", "cache_write"];
    let of_kinds: u64 = kinds.iter().map(|it| days[27][it].as_u64().expect("tokens")).sum();
    assert_eq!(days[27]["tokens"].as_u64(), Some(of_kinds));
    assert!(of_kinds > 0 && days[27]["cost_usd"].as_f64().expect("dollars") > 0.0);
    let hours = view["hours"].as_array().expect("hours");
    assert_eq!((hours.len(), &hours[23]["calls"], &hours[0]["calls"]), (24, &json!(1), &json!(0)));
    let models: Vec<_> = view["models"].as_array().expect("models").iter().collect();
    assert_eq!(models.len(), 2, "{models:?}");
    assert_eq!(models.iter().map(|it| it["calls"].as_u64().unwrap_or(0)).sum::<u64>(), 3);
    assert_eq!(view["refused_24h"], json!({"model_not_allowed": 1}));
    assert_eq!(view["standings"][0]["used"], 1);
    let text = view.to_string();
    for hidden in ["a-secret-note", "upstream-", "bindings", "\"note\"", "addresses", &key] {
        assert!(!text.contains(hidden), "{hidden}: {text}");
    }
    assert_eq!(provider.requests().len(), 3, "asking costs no call");
}

#[tokio::test]
async fn a_key_that_may_not_call_is_told_of_and_speaks_for_nobody() {
    let provider = FakeProvider::start().await;
    let mut relay = TestRelay::with(&provider).await;
    let past = Some(Expiry::At(START.minus(Duration::from_mins(1))));
    let spent = KeyLimits {
        window: Some(WindowLimit { seconds: 3_600, requests: Some(1), tokens: None, cost: None }),
        ..KeyLimits::default()
    };
    for (name, change, state) in [
        ("off", KeyChange { enabled: Some(false), ..KeyChange::default() }, "disabled"),
        ("over", KeyChange { expiry: past, ..KeyChange::default() }, "expired"),
        ("spent", KeyChange { limits: Some(patch(&spent)), ..KeyChange::default() }, "spent"),
    ] {
        let (id, key) = relay.add_secret(name).await;
        relay.change_key(id, change).await;
        if state == "spent" {
            let client = Client::new(&relay.base_url).anthropic(&key);
            let body = messages_body("claude-sonnet-4-6", "one");
            assert_eq!(client.post(MESSAGES, &[], body).await.status, 200);
            settle(&mut relay).await;
        }
        assert_eq!(told(&relay, &key).await["state"], state, "{name}");
    }
    let by_header = Client::new(&relay.base_url);
    let by_header = by_header.get(HOLDER, &[("x-api-key", relay.key())]).await;
    assert_eq!(by_header.json()["name"], "tests");
}

#[tokio::test]
async fn unknown_keys_are_throttled_unless_a_good_one_came_from_there() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    let (id, off) = relay.add_secret("off").await;
    relay.change_key(id, KeyChange { enabled: Some(false), ..KeyChange::default() }).await;
    let mut seen = [0, 0];
    for number in 0..40 {
        // A key that is switched off does not open the door for guesses.
        assert_eq!(asks(&relay, &off).await.status, 200);
        let answer = asks(&relay, &format!("guess-{number}")).await;
        match answer.status {
            401 => seen[0] += 1,
            429 => {
                seen[1] += 1;
                assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|it| it > 0));
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(seen, [30, 10]);
    // Calls are counted with it.
    let call = Client::new(&relay.base_url).anthropic("guess-more");
    assert_eq!(call.get("/api/v1/models", &[]).await.status, 429);
    assert_eq!(asks(&relay, relay.key()).await.status, 200);
    assert_eq!(asks(&relay, "guess-again").await.status, 401);

    let nothing = Client::new(&relay.base_url).get(HOLDER, &[]).await;
    assert_eq!((nothing.status, nothing.header("cache-control")), (401, "no-store"));
    let in_address = format!("{HOLDER}?key={}", relay.key());
    assert_eq!(Client::new(&relay.base_url).get(&in_address, &[]).await.status, 401);
    let chinese = [("accept-language", "zh-CN"), ("x-api-key", "guess")];
    let said = Client::new(&relay.base_url).get(HOLDER, &chinese).await.json();
    assert!(!said["error"]["message"].as_str().expect("words").is_ascii(), "{said}");
}

#[tokio::test]
async fn everybody_is_told_how_the_page_is_called() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::start([], &[("TIMEZONE", "Asia/Shanghai")]).await;
    drop(provider);
    let client = Client::new(&relay.base_url);
    let site = client.get("/web/api/site", &[]).await;
    let told = json!({"title": "", "logo": "", "notice": "", "zone": "Asia/Shanghai"});
    assert_eq!((site.json(), site.header("cache-control")), (told, "no-store"));
    for (method, path) in
        [("POST", "/web/api/site"), ("GET", "/web/api/none"), ("GET", "/web/api"), ("PUT", HOLDER)]
    {
        let answer = client.request(method, path, &[], "").await.collect().await;
        assert_eq!(answer.status, 404, "{method} {path}");
    }
}
