//! Lists, bulk actions, groups and kinds.

use std::time::Duration;

use http::Method;
use relay_core::key::BindingTarget;
use relay_store::accounts::NewAccount;
use relay_testkit::{Answer, FakeProvider, messages_body};
use serde_json::{Value, json};

use super::{Door, named};
use crate::kit::{START, account};

/// Four accounts, each in another state.
async fn four() -> (FakeProvider, Door) {
    let provider = FakeProvider::start().await;
    let resting = account("Resting", &provider);
    let ended = NewAccount { ends_at: Some(START), ..account("ended", &provider) };
    let paused = NewAccount {
        enabled: false,
        note: "of the Berlin office".to_owned(),
        ..account("paused", &provider)
    };
    let able = account("able", &provider);
    let door = Door::start([resting, ended, paused, able], &[]).await;
    provider.answers_key("upstream-Resting", Answer::status(401));
    let hello = messages_body("claude-sonnet-4-6", "hello");
    assert_eq!(door.relay.client.post("/api/v1/messages", &[], hello).await.status, 200);
    (provider, door)
}

#[tokio::test]
async fn accounts_are_filtered_searched_sorted_and_paged() {
    let (_provider, mut door) = four().await;
    door.relay.app.shutdown.until_no_call_is_open().await;
    let mut books = door.relay.books.take().expect("the books");
    books.write_all().await;
    let all = door.get("accounts").await;
    assert_eq!(named(&all["items"]), ["able", "ended", "paused", "Resting"]);
    let counts = json!({"able": 1, "failing": 1, "paused": 1, "resting": 1});
    assert_eq!((&all["total"], &all["counts"]), (&json!(4), &counts));
    assert_eq!(all["items"][0]["today"]["calls"], 1);
    assert!(all["items"][0]["today"]["cost_usd"].as_f64().expect("a sum") > 0.0);
    for (query, names) in [
        ("state=failing", vec!["ended"]),
        ("state=resting", vec!["Resting"]),
        ("state=paused", vec!["paused"]),
        ("q=berlin%20OFFICE", vec!["paused"]),
        ("q=acct_4", vec!["able"]),
        ("q=nothing", vec![]),
        ("kind=claude-api&q=able", vec!["able"]),
        ("kind=openai-api", vec![]),
        ("sort=-name&per_page=2", vec!["Resting", "paused"]),
        ("sort=-name&per_page=2&page=2", vec!["ended", "able"]),
        ("sort=-cost&per_page=1", vec!["able"]),
        ("sort=state", vec!["ended", "Resting", "paused", "able"]),
        ("sort=priority", vec!["Resting", "ended", "paused", "able"]),
        ("sort=-priority&per_page=1", vec!["able"]),
        ("sort=in_flight&per_page=1", vec!["able"]),
    ] {
        let found = door.get(&format!("accounts?{query}")).await;
        assert_eq!(named(&found["items"]), names, "{query}");
    }
    let resting = &door.get("accounts?state=resting").await["items"][0];
    let reason = resting["reason"].as_str().expect("words");
    assert!(reason.starts_with("rests until ") && reason.contains("401"), "{reason}");
    for (query, field) in
        [("state=nonsense", "state"), ("sort=nonsense", "sort"), ("page=x", "page")]
    {
        let refused = door.refused(Method::GET, &format!("accounts?{query}"), Value::Null).await;
        assert_eq!(refused, (400, "invalid".to_owned(), field.to_owned()), "{query}");
    }
    let group = door.refused(Method::GET, "accounts?group=none", Value::Null).await;
    assert_eq!(group, (404, "not_found".to_owned(), "group".to_owned()));
}

#[tokio::test]
async fn words_are_in_the_language_of_who_asks() {
    let (_provider, door) = four().await;
    let chinese = &[("accept-language", "zh-CN,zh;q=0.9")];
    let shown = door.client.get("/admin/accounts/paused", chinese).await;
    let shown: Value = serde_json::from_slice(&shown.body).expect("JSON");
    assert_eq!(shown["reason"], "已由操作者暂停");
    let refused = door.client.get("/admin/accounts/none", chinese).await;
    let refused: Value = serde_json::from_slice(&refused.body).expect("JSON");
    assert_eq!(refused["error"]["message"], "没有账户 \"none\"");
    let kinds = door.client.get("/admin/kinds", chinese).await;
    let kinds: Value = serde_json::from_slice(&kinds.body).expect("JSON");
    assert_eq!(kinds[0]["name"], "Claude 订阅");
}

#[tokio::test]
async fn one_thing_is_done_to_many() {
    let (_provider, door) = four().await;
    let bulk = async |body: Value| door.post("accounts/bulk", body).await;
    let done = bulk(json!({"ids": ["able", "acct_1"], "action": "pause"})).await;
    assert_eq!(done, json!({"done": 2, "ids": ["acct_4", "acct_1"]}));
    assert_eq!(door.get("accounts").await["counts"]["paused"], 3);
    let all = json!({"all_matching": {"state": "paused"}, "action": "resume"});
    assert_eq!(bulk(all).await["done"], 3);
    assert_eq!(door.get("accounts").await["counts"]["paused"], 0);
    let reset = json!({"all_matching": {"state": "resting"}, "action": "reset"});
    assert_eq!(bulk(reset).await["ids"], json!(["acct_1"]));
    assert_eq!(door.get("accounts/Resting").await["state"], "able");
    let set = json!({"all_matching": {}, "action": "set", "set": {"priority": 7, "note": "new"}});
    assert_eq!(bulk(set).await["done"], 4);
    assert_eq!(door.get("accounts?q=new").await["items"][3]["priority"], 7);

    door.post("groups", json!({"name": "team"})).await;
    let join = json!({"ids": ["able", "ended"], "action": "join", "group": "team"});
    assert_eq!(bulk(join).await["done"], 2);
    assert_eq!(named(&door.get("accounts?group=team").await["items"]), ["able", "ended"]);
    let leave = json!({"all_matching": {"group": "team"}, "action": "leave", "group": "team"});
    assert_eq!(bulk(leave).await["done"], 2);
    let remove = json!({"ids": ["ended", "paused"], "action": "remove"});
    assert_eq!(bulk(remove).await["done"], 2);
    assert_eq!(door.get("accounts").await["total"], 2);
    for (body, field) in [
        (json!({"action": "pause"}), "ids"),
        (json!({"ids": [], "action": "pause"}), "ids"),
        (json!({"ids": ["able"], "all_matching": {}, "action": "pause"}), "ids"),
        (json!({"all_matching": {"q": "nothing"}, "action": "pause"}), "all_matching"),
        (json!({"ids": ["able"], "action": "join"}), "group"),
        (json!({"ids": ["able"], "action": "set"}), "set"),
        (json!({"ids": ["able"], "action": "set", "set": {"weight": 0}}), "set.weight"),
        (json!({"ids": ["able", "Resting"], "action": "set", "set": {"name": "x"}}), "set"),
        (json!({"ids": ["able"], "action": "explode"}), "action"),
    ] {
        let refused = door.refused(Method::POST, "accounts/bulk", body.clone()).await;
        assert_eq!(refused, (400, "invalid".to_owned(), field.to_owned()), "{body}");
    }
}

#[tokio::test]
async fn groups_have_accounts_and_keys() {
    let (_provider, door) = four().await;
    let made = door.post("groups", json!({"name": "team"})).await;
    assert_eq!((&made["id"], &made["accounts"]), (&json!("grp_1"), &json!([])));
    let put = async |name: &str| {
        door.ask(Method::PUT, &format!("groups/team/accounts/{name}"), &Value::Null).await
    };
    assert_eq!(put("paused").await.0, 200);
    let (_, joined) = put("able").await;
    assert_eq!(named(&joined["accounts"]), ["paused", "able"]);
    assert_eq!(joined["accounts"][0]["state"], "paused");
    let group = door.relay.app.store.find_group("team").await.expect("a query").expect("it").id;
    door.relay.bind(BindingTarget::Group(group)).await;
    assert_eq!(door.get("groups").await[0]["keys"], 1);
    let shown = door.get("accounts/able").await;
    let bound = (&shown["bound_keys"], &shown["bound_keys_total"], &shown["groups"]);
    assert_eq!(bound, (&json!(["tests"]), &json!(1), &json!(["team"])));
    let refused = door.refused(Method::DELETE, "groups/team", Value::Null).await;
    assert_eq!((refused.0, refused.1.as_str()), (400, "invalid"));
    let (_, left) = door.ask(Method::DELETE, "groups/grp_1/accounts/able", &Value::Null).await;
    assert_eq!(named(&left["accounts"]), ["paused"]);
    let taken = door.refused(Method::POST, "groups", json!({"name": "team"})).await;
    assert_eq!(taken, (409, "taken".to_owned(), "name".to_owned()));
    for wrong in [json!({"name": " "}), json!({"name": 1}), json!({"name": "grp_9"})] {
        let refused = door.refused(Method::POST, "groups", wrong).await;
        assert_eq!(refused, (400, "invalid".to_owned(), "name".to_owned()));
    }
    door.post("groups", json!({"name": "free"})).await;
    assert_eq!(door.ask(Method::DELETE, "groups/free", &Value::Null).await.0, 200);
    assert_eq!(named(&door.get("groups").await), ["team"]);
}

#[tokio::test]
async fn kinds_say_how_they_are_signed_in_to() {
    let door = Door::start([], &[]).await;
    let kinds = door.get("kinds").await;
    assert_eq!(kinds.as_array().map(Vec::len), Some(6));
    assert_eq!((&kinds[0]["kind"], &kinds[0]["oauth"]), (&json!("claude-oauth"), &json!(true)));
    assert_eq!(kinds[1]["default_base_url"], "https://api.anthropic.com");
    assert!(kinds[2]["flow_help"].as_str().expect("words").contains("http://localhost"));
    let google =
        kinds.as_array().and_then(|all| all.iter().find(|it| it["kind"] == "gemini-oauth"));
    assert_eq!(google.expect("a kind")["ready"], false, "no application is set");
}

#[tokio::test]
async fn a_hundred_accounts_are_listed_in_time() {
    let provider = FakeProvider::start().await;
    let many = (0..100).map(|number| account(&format!("account {number:03}"), &provider));
    let door = Door::start(many, &[]).await;
    door.get("accounts?per_page=100").await;
    let begun = std::time::Instant::now();
    let listed = door.get("accounts?per_page=100&sort=-cost&q=account").await;
    let took = begun.elapsed();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(100));
    // Ten times what it may take when it is built to be quick, on a machine with nothing else to do.
    assert!(took < Duration::from_secs(1), "{took:?}");
}
