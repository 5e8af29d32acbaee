//! Keys by the admin API: given out, changed, sorted, and what their calls came to.

use http::Method;
use relay_testkit::{Client, FakeProvider, messages_body};
use serde_json::{Value, json};

use crate::admin_accounts::{Door, named};
use crate::kit::account;

const SONNET: &str = "claude-sonnet-4-6";

async fn door() -> (FakeProvider, Door) {
    let provider = FakeProvider::start().await;
    let door = Door::start([account("main", &provider)], &[("TIMEZONE", "UTC")]).await;
    (provider, door)
}

/// A client that calls with a key.
fn calling(door: &Door, key: &str) -> Client {
    Client::new(&door.relay.base_url).anthropic(key)
}

async fn call(client: &Client) -> u16 {
    client.post("/api/v1/messages", &[], messages_body(SONNET, "hello")).await.status
}

/// Brings all records to the database.
async fn written(door: &mut Door) {
    door.relay.app.shutdown.until_no_call_is_open().await;
    let mut books = door.relay.books.take().expect("the books");
    books.write_all().await;
    door.relay.books = Some(books);
}

fn secret(issued: &Value) -> String {
    issued["keys"][0]["secret"].as_str().expect("a secret").to_owned()
}

fn all_fields() -> Value {
    json!({
        "name": "lena", "owner": "Lena", "note": "on the train", "tags": ["people", "team a"],
        "expires_at": "2099-12-31", "lasts_seconds": 86_400,
        "limits": {
            "window_seconds": 18_000, "requests": 100, "tokens": 5_000_000, "cost_usd": 7.5,
            "daily_cost_usd": 12, "weekly_cost_usd": 50.25, "weekly_reset": "tue@06:30",
            "monthly_cost_usd": 120, "total_cost_usd": 1_000,
            "family_budgets": [{"family": "opus", "usd": 20, "period": "week"}],
            "concurrency": 3, "queue": {"length": 5, "wait_seconds": 2}
        },
        "rules": {
            "allow_models": ["claude-*"], "deny_models": ["*opus*"], "clients": ["claude-code"],
            "services": ["claude"], "allow_ips": ["10.1.2.3/8", "127.0.0.1"],
            "max_output_tokens": 4096, "max_body_bytes": 1_048_576,
            "map": [{"from": "fast", "to": "claude-haiku-4-5"}],
            "payload": [{"set": {"path": "temperature", "json": "0"}}], "fallback": true
        },
        "bindings": {"claude": "main"}
    })
}

#[tokio::test]
async fn every_field_of_a_key_is_set_shown_changed_and_cleared() {
    let (_provider, door) = door().await;
    let issued = door.post("keys", all_fields()).await;
    let shown = door.get("keys/lena").await;
    let id = issued["keys"][0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(shown["id"], id.as_str());
    assert!(!shown.to_string().contains(&secret(&issued)), "a secret is told once");
    assert_eq!(shown["expires_at"], "2100-01-01T00:00:00Z");
    assert_eq!(shown["lasts_seconds"], 86_400);
    assert_eq!(shown["tags"], json!(["people", "team a"]));
    let window = json!({"seconds": 18_000, "requests": 100, "tokens": 5_000_000, "cost_usd": 7.5});
    assert_eq!(shown["limits"]["window"], window);
    let budgets = json!({"day": 12.0, "week": 50.25, "month": 120.0, "total": 1000.0,
        "opus/week": 20.0});
    assert_eq!(shown["limits"]["budgets"], budgets);
    assert_eq!(shown["limits"]["weekly_reset"], "tue@06:30");
    assert_eq!(shown["limits"]["queue"], json!({"length": 5, "wait_ms": 2_000}));
    assert_eq!(shown["rules"]["clients"], json!(["claude_code"]));
    assert_eq!(shown["rules"]["addresses"], json!(["10.0.0.0/8", "127.0.0.1/32"]));
    assert_eq!(shown["rules"]["payload"], all_fields()["rules"]["payload"]);
    assert_eq!(shown["bindings"], json!({"claude": "main"}));
    assert_eq!((&shown["state"], &shown["refused_24h"]), (&json!("active"), &json!({})));
    assert_eq!(shown["today"], json!({"calls": 0, "tokens": 0, "cost_usd": 0.0}));

    // What is not named stays; the list of families takes the place of the one that was there.
    let families = json!([{"family": "sonnet", "usd": 5, "period": "day"}]);
    let change = json!({"limits": {"family_budgets": families, "requests": 0},
        "rules": {"deny_models": []}, "name": "lena-2"});
    let changed = door.patch(&format!("keys/{id}"), change).await;
    assert_eq!(changed["name"], "lena-2");
    let budgets = json!({"day": 12.0, "week": 50.25, "month": 120.0, "total": 1000.0,
        "sonnet/day": 5.0});
    assert_eq!(changed["limits"]["budgets"], budgets);
    assert_eq!(changed["limits"]["window"]["requests"], Value::Null);
    assert_eq!(changed["rules"]["denied_models"], Value::Null);
    assert_eq!(changed["rules"]["allowed_models"], json!(["claude-*"]));

    let nulls = json!({"owner": null, "note": null, "tags": null, "expires_at": null,
        "lasts_seconds": null, "bindings": {"claude": null},
        "limits": {"window_seconds": null, "requests": null, "tokens": null, "cost_usd": null,
            "daily_cost_usd": null, "weekly_cost_usd": null, "weekly_reset": null,
            "monthly_cost_usd": null, "total_cost_usd": null, "family_budgets": null,
            "concurrency": null, "queue": null},
        "rules": {"allow_models": null, "deny_models": null, "clients": null, "services": null,
            "allow_ips": null, "max_output_tokens": null, "max_body_bytes": null, "map": null,
            "payload": null, "fallback": null}});
    let cleared = door.patch(&format!("keys/{id}"), nulls).await;
    assert_eq!((&cleared["limits"], &cleared["rules"]), (&json!({}), &json!({})));
    assert_eq!((&cleared["bindings"], &cleared["tags"]), (&json!({}), &json!([])));
    assert_eq!((&cleared["expires_at"], &cleared["owner"]), (&Value::Null, &json!("")));
}

#[tokio::test]
async fn what_is_wrong_is_told_with_its_field_and_nothing_is_done() {
    let (_provider, door) = door().await;
    door.post("keys", json!({"name": "there"})).await;
    for (body, field) in [
        (json!({}), "name"),
        (json!({"name": " "}), ""),
        (json!({"name": "there"}), "name"),
        (json!({"name": "x", "count": 501}), ""),
        (json!({"name": "x", "color": "red"}), "color"),
        (json!({"name": "x", "expires_at": "soon"}), "expires_at"),
        (json!({"name": "x", "limits": {"requests": 5}}), "limits.window_seconds"),
        (json!({"name": "x", "limits": {"window_seconds": 60}}), "limits.window_seconds"),
        (json!({"name": "x", "limits": {"daily_cost_usd": -1}}), "limits.daily_cost_usd"),
        (json!({"name": "x", "limits": {"weekly_reset": "noon"}}), "limits.weekly_reset"),
        (json!({"name": "x", "limits": {"queue": {"length": 5000}}}), "limits.queue"),
        (
            json!({"name": "x", "limits": {"family_budgets":
                [{"family": "opus", "usd": 1, "period": "year"}]}}),
            "limits.family_budgets",
        ),
        (json!({"name": "x", "rules": {"clients": ["netscape"]}}), "rules.clients"),
        (json!({"name": "x", "rules": {"services": ["azure"]}}), "rules.services"),
        (json!({"name": "x", "rules": {"allow_ips": ["10.0.0.0/33"]}}), "rules.allow_ips"),
        (json!({"name": "x", "bindings": {"claude": "nobody"}}), "bindings"),
        (json!({"name": "x", "bindings": {"azure": "main"}}), "bindings"),
        (json!({"name": "x", "bindings": {"claude": "group:none"}}), "bindings"),
    ] {
        let (status, code, at) = door.refused(Method::POST, "keys", body.clone()).await;
        assert!((400..=409).contains(&status), "{body}: {status} {code}");
        assert_eq!(at, field, "{body}");
    }
    let count = door.refused(Method::PATCH, "keys/there", json!({"count": 2})).await;
    assert_eq!(count, (400, "invalid".to_owned(), "count".to_owned()));
    assert_eq!(door.get("keys").await["total"], 2, "the one, and that of the tests");
    let missing = door.refused(Method::GET, "keys/nobody", Value::Null).await;
    assert_eq!((missing.0, missing.1.as_str()), (404, "not_found"));
}

#[tokio::test]
async fn several_keys_work_at_once_each_with_its_secret() {
    let (_provider, door) = door().await;
    let issued = door.post("keys", json!({"name": "bot", "count": 3, "tags": ["bots"]})).await;
    let keys = issued["keys"].as_array().expect("keys");
    assert_eq!(named(&issued["keys"]), ["bot-1", "bot-2", "bot-3"]);
    for key in keys {
        // It is answered once it is known: no wait.
        assert_eq!(call(&calling(&door, key["secret"].as_str().expect("a secret"))).await, 200);
    }
    let listed = door.get("keys?tag=bots&sort=-created").await;
    assert_eq!(named(&listed["items"]), ["bot-3", "bot-2", "bot-1"]);
    assert_eq!(listed["tags"], json!([{"tag": "bots", "keys": 3}]));
}

#[tokio::test]
async fn keys_are_searched_sorted_counted_and_told_with_their_use() {
    let (_provider, mut door) = door().await;
    let first = door.post("keys", json!({"name": "Anna", "owner": "Sales"})).await;
    let second = door
        .post("keys", json!({"name": "ben", "note": "of the Berlin office", "tags": ["people"]}))
        .await;
    door.post("keys", json!({"name": "carl"})).await;
    door.post("keys/carl/disable", Value::Null).await;
    door.post("keys", json!({"name": "dora", "expires_at": "2020-01-01"})).await;
    // A single call is more than this key may spend.
    let small = json!({"name": "emil", "limits": {"total_cost_usd": 0.000_001}});
    let small = door.post("keys", small).await;
    door.post("keys", json!({"name": "gone"})).await;
    let (_, gone) = door.ask(Method::DELETE, "keys/gone", &Value::Null).await;
    assert_eq!(gone["state"], "removed");
    for _ in 0..2 {
        assert_eq!(call(&calling(&door, &secret(&second))).await, 200);
    }
    assert_eq!(call(&calling(&door, &secret(&first))).await, 200);
    let spent = calling(&door, &secret(&small));
    call(&spent).await;
    written(&mut door).await;

    let all = door.get("keys").await;
    assert_eq!(named(&all["items"]), ["Anna", "ben", "carl", "dora", "emil", "tests"]);
    let counted = &all["counts"];
    assert_eq!((&counted["disabled"], &counted["expired"]), (&json!(1), &json!(1)));
    assert_eq!(counted["removed"], 1);
    assert_eq!((&all["items"][1]["today"]["calls"], &all["total"]), (&json!(2), &json!(6)));
    let (anna, ben) = (&all["items"][0], &all["items"][1]);
    let cost = |key: &Value| key["cost_28d_usd"].as_f64().expect("a sum");
    assert!(cost(anna) > 0.0 && (cost(ben) - 2.0 * cost(anna)).abs() < 1e-9, "{anna} {ben}");
    assert!(ben["last_used_at"].is_string() && all["items"][2]["last_used_at"].is_null());
    for (query, names) in [
        ("q=berlin%20OFFICE", vec!["ben"]),
        ("q=sales", vec!["Anna"]),
        ("q=nothing", vec![]),
        ("owner=Sales", vec!["Anna"]),
        ("tag=people", vec!["ben"]),
        ("state=disabled", vec!["carl"]),
        ("state=expired", vec!["dora"]),
        ("state=removed", vec!["gone"]),
        ("state=removed&q=anna", vec![]),
        ("sort=-name&per_page=2", vec!["tests", "emil"]),
        ("sort=name&per_page=2&page=2", vec!["carl", "dora"]),
        ("sort=-cost_total&per_page=1", vec!["ben"]),
        ("sort=expires&per_page=1", vec!["dora"]),
        ("sort=created&per_page=2", vec!["tests", "Anna"]),
    ] {
        let found = door.get(&format!("keys?{query}")).await;
        assert_eq!(named(&found["items"]), names, "{query}");
    }
    for (query, field) in [("state=x", "state"), ("sort=x", "sort"), ("page=x", "page")] {
        let refused = door.refused(Method::GET, &format!("keys?{query}"), Value::Null).await;
        assert_eq!(refused, (400, "invalid".to_owned(), field.to_owned()), "{query}");
    }
    let hints = door.get("keys/suggestions").await;
    assert_eq!((&hints["owners"], &hints["tags"]), (&json!(["Sales"]), &json!(["people"])));
    assert_eq!(hints["accounts"], json!([{"name": "main", "service": "claude"}]));
    assert_eq!(hints["clients"][0]["id"], "claude_code");
    let typical = hints["typical"].as_array().expect("a list");
    assert!(typical.iter().any(|it| it["tag"] == "people" && it["keys"] == 1), "{hints}");
}

#[tokio::test]
async fn a_key_lives_through_disable_expiry_renewal_rotation_and_the_trash() {
    let (_provider, door) = door().await;
    let issued = door.post("keys", json!({"name": "max", "expires_at": "2020-01-01"})).await;
    let old = calling(&door, &secret(&issued));
    assert_eq!(call(&old).await, 401, "it has expired");
    let renewed = door.post("keys/max/renew", json!({"days": 30, "from": "today"})).await;
    assert_eq!(renewed["state"], "active");
    assert_eq!(call(&old).await, 200);
    let wrong = door.refused(Method::POST, "keys/max/renew", json!({"days": 0})).await;
    assert_eq!((wrong.0, wrong.2.as_str()), (400, "days"));

    let rotated = door.post("keys/max/rotate", json!({"overlap_seconds": 3_600})).await;
    assert!(rotated["old_works_until"].is_string());
    let new = calling(&door, rotated["secret"].as_str().expect("a secret"));
    assert_eq!((call(&old).await, call(&new).await), (200, 200));
    let rotated = door.post("keys/max/rotate", json!({})).await;
    let newest = calling(&door, rotated["secret"].as_str().expect("a secret"));
    assert_eq!((call(&old).await, call(&new).await, call(&newest).await), (401, 401, 200));

    assert_eq!(door.post("keys/max/disable", Value::Null).await["state"], "disabled");
    assert_eq!(call(&newest).await, 401);
    assert_eq!(door.post("keys/max/enable", Value::Null).await["state"], "active");
    let (status, _) = door.ask(Method::DELETE, "keys/max", &Value::Null).await;
    assert_eq!((status, call(&newest).await), (200, 401));
    assert_eq!(door.get("keys/max").await["state"], "removed", "the trash is looked through too");
    assert_eq!(door.post("keys/max/restore", Value::Null).await["state"], "active");
    assert_eq!(call(&newest).await, 200);
}

#[tokio::test]
async fn one_thing_is_done_to_many_keys_and_what_failed_is_told() {
    let (_provider, door) = door().await;
    door.post("keys", json!({"name": "bot", "count": 4, "tags": ["bots"]})).await;
    door.post("keys", json!({"name": "lena", "expires_at": "2099-01-01"})).await;
    let bulk = async |body: Value| door.post("keys/bulk", body).await;
    let done = bulk(json!({"ids": ["bot-1", "bot-2"], "action": "disable"})).await;
    assert_eq!(done, json!({"done": 2, "failed": []}));
    let matching = json!({"tag": "bots", "state": "disabled"});
    let done = bulk(json!({"all_matching": matching, "action": "enable"})).await;
    assert_eq!(done["done"], 2);
    bulk(json!({"ids": ["bot-1"], "action": "tag", "tags": ["night"]})).await;
    bulk(json!({"ids": ["bot-1"], "action": "untag", "tags": ["bots"]})).await;
    assert_eq!(door.get("keys/bot-1").await["tags"], json!(["night"]));
    let set = json!({"limits": {"daily_cost_usd": 3}});
    let done = bulk(json!({"all_matching": {"q": "bot"}, "action": "set", "set": set})).await;
    assert_eq!(done["done"], 4);
    assert_eq!(door.get("keys/bot-4").await["limits"]["budgets"]["day"], 3.0);
    // A key without an end cannot be renewed; the other one is.
    let done = bulk(json!({"ids": ["bot-1", "lena"], "action": "renew",
        "renewal": {"days": 10, "from": "expiry"}}))
    .await;
    assert_eq!((&done["done"], &done["failed"][0]["name"]), (&json!(1), &json!("bot-1")));
    assert!(!done["failed"][0]["message"].as_str().expect("words").is_empty());
    bulk(json!({"ids": ["bot-1", "bot-2"], "action": "remove"})).await;
    assert_eq!(door.get("keys?state=removed").await["total"], 2);
    bulk(json!({"all_matching": {"state": "removed"}, "action": "restore"})).await;
    assert_eq!(door.get("keys?q=bot").await["total"], 4);
    for (body, field) in [
        (json!({"action": "enable"}), "ids"),
        (json!({"ids": [], "action": "enable"}), "ids"),
        (json!({"ids": ["nobody"], "action": "enable"}), "ids"),
        (json!({"ids": ["lena"], "action": "tag"}), "tags"),
        (json!({"ids": ["lena"], "action": "set"}), "set"),
        (json!({"ids": ["lena"], "action": "set", "set": {"name": "x"}}), "set.name"),
        (json!({"all_matching": {"q": "nobody"}, "action": "enable"}), "all_matching"),
    ] {
        let refused = door.refused(Method::POST, "keys/bulk", body.clone()).await;
        assert_eq!(refused.2, field, "{body}");
    }
}
