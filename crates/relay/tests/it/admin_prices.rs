//! Prices, the models that accounts serve, and what is set for everybody, by the admin API.

use http::Method;
use relay_core::account::AccountKind;
use relay_core::key::KeyRules;
use relay_core::model::{ModelMapping, ModelPattern};
use relay_store::keys::KeyChange;
use relay_testkit::{Client, FakeProvider, messages_body};
use serde_json::{Value, json};

use crate::admin_accounts::Door;
use crate::kit::account;

#[tokio::test]
async fn a_price_is_set_found_charged_and_taken_back() {
    let provider = FakeProvider::start().await;
    let door = Door::start([account("a", &provider)], &[]).await;
    let all = door.get("prices?q=sonnet+claude&per_page=100").await;
    let item = |page: &Value, model: &str| {
        let items = page["items"].as_array().expect("items").iter();
        items.filter(|it| it["model"] == model).cloned().collect::<Vec<_>>()
    };
    let listed = item(&all, "claude-sonnet-4-6");
    assert_eq!(listed[0]["source"], "built_in", "{all}");
    assert_eq!((&listed[0]["input"], &listed[0]["family"]), (&json!(3.0), &json!("sonnet")));
    assert_eq!(listed[0]["overridden"], false);
    assert_eq!(all["counts"]["yours"], 0);
    let before = all["version"].as_str().expect("a mark").to_owned();

    let price = json!({"input": 1000, "output": 0.000_001, "cache_read": 0});
    let (status, set) = door.ask(Method::PUT, "prices/Claude-Sonnet-*", &price).await;
    assert_eq!(status, 200, "{set}");
    assert_eq!((&set["model"], &set["source"]), (&json!("claude-sonnet-*"), &json!("yours")));
    assert_eq!((&set["input"], &set["output"]), (&json!(1000.0), &json!(0.000_001)));
    let found = door.get("prices?source=yours").await;
    assert_eq!(
        (&found["total"], &found["items"][0]["model"]),
        (&json!(1), &json!("claude-sonnet-*"))
    );
    let all = door.get("prices?q=sonnet+claude&per_page=100").await;
    assert_eq!(item(&all, "claude-sonnet-4-6")[0]["overridden"], true);
    assert_ne!(all["version"], before.as_str());

    let body = messages_body("claude-sonnet-4-6", "hello");
    assert_eq!(door.relay.client.post("/api/v1/messages", &[], body).await.status, 200);
    let record = door.relay.only_record().await;
    // A thousand dollars for a million tokens is a millionth of a billion nanos for each.
    let nanos = u64::try_from(record.cost.as_nanos()).expect("a cost");
    assert!(nanos >= record.usage.input * 1_000_000, "{record:?}");

    let (status, _) = door.ask(Method::DELETE, "prices/claude-sonnet-%2A", &Value::Null).await;
    assert_eq!(status, 200);
    assert_eq!(door.get("prices?source=yours").await["total"], 0);
    let gone = door.refused(Method::DELETE, "prices/claude-sonnet-%2A", Value::Null).await;
    assert_eq!((gone.0, gone.1.as_str()), (404, "not_found"));
    let price = json!({"input": 1, "output": 1});
    let (_, slashed) = door.ask(Method::PUT, "prices/vendor%2Fmodel", &price).await;
    assert_eq!(slashed["model"], "vendor/model");

    for (model, wrong, field) in [
        ("m", json!({"input": -1, "output": 1}), "input"),
        ("m", json!({"input": 1, "output": 1, "cache_write_1h": -3}), "cache_write_1h"),
        ("m", json!({"input": 1}), ""),
        ("m", json!({"input": "1", "output": 1}), "input"),
        ("a%20b", json!({"input": 1, "output": 1}), "model"),
    ] {
        let refused = door.refused(Method::PUT, &format!("prices/{model}"), wrong.clone()).await;
        assert_eq!((refused.0, refused.1.as_str()), (400, "invalid"), "{wrong}");
        assert_eq!(refused.2, field, "{wrong}");
    }
}

#[tokio::test]
async fn a_list_is_imported_and_goes_before_the_built_in_one() {
    let provider = FakeProvider::start().await;
    let door = Door::start([account("a", &provider)], &[]).await;
    let list = json!({"claude-sonnet-4-6": {"litellm_provider": "anthropic", "mode": "chat",
        "input_cost_per_token": 0.000_007, "output_cost_per_token": 0.000_02}});
    let imported = door.post("prices/import", json!({"text": list.to_string()})).await;
    assert_eq!(imported["models"], 1);
    let found = door.get("prices?source=imported").await;
    assert_eq!((&found["total"], &found["items"][0]["input"]), (&json!(1), &json!(7.0)));
    assert!(found["counts"]["built_in"].as_u64().expect("a number") > 100);
    let version = found["version"].as_str().expect("a mark");
    assert!(version.contains(imported["version"].as_str().expect("a mark")), "{version}");
    // Larger than what other requests may bring.
    let padded = format!("{}{}", list, " ".repeat(5 << 20));
    door.post("prices/import", json!({"text": padded})).await;
    let large = json!({"text": " ".repeat((8 << 20) + 1)});
    for wrong in [json!({"text": "not a list"}), json!({"text": "{}"}), large] {
        let refused = door.refused(Method::POST, "prices/import", wrong).await;
        assert_eq!((refused.0, refused.2.as_str()), (400, "text"));
    }
}

#[tokio::test]
async fn models_are_told_with_their_accounts_and_aliases() {
    let provider = FakeProvider::start().await;
    let mut narrow = account("narrow", &provider);
    narrow.models = vec![ModelPattern::new("claude-opus-4-8")];
    narrow.model_map =
        vec![ModelMapping { from: ModelPattern::new("big"), to: "claude-opus-4-8".into() }];
    let mut signed = account("signed", &provider);
    signed.kind = AccountKind::OpenaiApi;
    signed.enabled = false;
    let door = Door::start([account("a", &provider), narrow, signed], &[]).await;
    let (id, _) = door.relay.add_secret("aliased").await;
    let rules = KeyRules {
        aliases: vec![ModelMapping {
            from: ModelPattern::new("best"),
            to: "claude-opus-4-8".into(),
        }],
        ..KeyRules::default()
    };
    let rules = serde_json::to_value(rules).expect("JSON").as_object().cloned();
    door.relay.change_key(id, KeyChange { rules, ..KeyChange::default() }).await;
    let models = door.get("models").await;
    let model = |name: &str| {
        let found = models.as_array().expect("a list").iter().find(|it| it["model"] == name);
        found.unwrap_or_else(|| panic!("{name} is not in {models}")).clone()
    };
    let opus = model("claude-opus-4-8");
    let names: Vec<_> = opus["accounts"].as_array().expect("accounts").iter().collect();
    assert_eq!(names.iter().map(|it| &it["name"]).collect::<Vec<_>>(), ["a", "narrow"], "{opus}");
    assert_eq!((&opus["aliases"], &opus["priced"]), (&json!(["best"]), &json!(true)));
    assert_eq!((&opus["service"], &opus["family"]), (&json!("claude"), &json!("opus")));
    let big = model("big");
    assert_eq!(big["accounts"][0]["asks_for"], "claude-opus-4-8");
    assert!(!models.to_string().contains("signed"), "it is switched off");
}

#[tokio::test]
async fn what_is_set_for_everybody_is_told_to_everybody() {
    let provider = FakeProvider::start().await;
    let settings = [("TIMEZONE", "UTC"), ("GEMINI_OAUTH_CLIENT_SECRET", "hidden-one")];
    let mut door = Door::start([account("a", &provider)], &settings).await;
    door.hides("hidden-one");
    let picture = "data:image/png;base64,iVBORw0KGgo=";
    let set = json!({"title": "Ours", "logo": picture, "notice": "Be kind\nalways"});
    let changed = door.patch("settings", set).await;
    assert_eq!(
        (&changed["title"], &changed["notice"]),
        (&json!("Ours"), &json!("Be kind\nalways"))
    );
    let client = Client::new(&door.relay.base_url);
    let site = client.get("/web/api/site", &[]).await.json();
    assert_eq!((&site["title"], &site["logo"]), (&json!("Ours"), &json!(picture)));
    door.patch("settings", json!({"title": "", "logo": "https://pictures.example/a.svg"})).await;
    let shown = door.get("settings").await;
    assert_eq!((&shown["title"], &shown["notice"]), (&json!(""), &json!("Be kind\nalways")));

    let running = shown["running"].as_array().expect("settings");
    let of = |name: &str| running.iter().find(|it| it["name"] == name).expect("it").clone();
    let zone = json!({"name": "TIMEZONE", "value": "UTC", "origin": "environment"});
    assert_eq!(of("TIMEZONE"), zone);
    let masked =
        json!({"name": "GEMINI_OAUTH_CLIENT_SECRET", "value": "…", "origin": "environment"});
    assert_eq!(of("GEMINI_OAUTH_CLIENT_SECRET"), masked);
    assert_eq!(
        (&of("PORT")["origin"], &of("DATA_DIR")["origin"]),
        (&json!("default"), &json!("flag"))
    );
    assert_eq!(shown["clients"][0]["built_in"], true);

    for (field, wrong) in [
        ("title", json!("a\nb")),
        ("title", json!("x".repeat(81))),
        ("logo", json!("http://plain.example/a.png")),
        ("logo", json!("javascript:alert(1)")),
        ("notice", json!("x".repeat(2_001))),
        ("nothing", json!("x")),
    ] {
        let refused = door.refused(Method::PATCH, "settings", json!({ field: wrong })).await;
        assert_eq!((refused.0, refused.2.as_str()), (400, field), "{wrong}");
    }
    let both = json!({"title": "New", "logo": "nothing"});
    door.refused(Method::PATCH, "settings", both).await;
    assert_eq!(door.get("settings").await["title"], "", "all or nothing");
}
