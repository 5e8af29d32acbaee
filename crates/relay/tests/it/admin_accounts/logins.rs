//! Signing in by a link and a pasted code.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use relay_testkit::{FakeProvider, FakeProxy, Realm};
use serde_json::{Value, json};

use super::Door;

const REGISTRATION: [(&str, &str); 2] =
    [("GEMINI_OAUTH_CLIENT_ID", "app"), ("GEMINI_OAUTH_CLIENT_SECRET", "app-hidden-words")];

/// A host that nobody but a proxy finds.
const NOWHERE: &str = "http://provider.test";

async fn door() -> (FakeProvider, Door) {
    let provider = FakeProvider::start().await;
    let mut door = Door::start([], &REGISTRATION).await;
    provider.tells_time_by(Arc::clone(&door.relay.clock) as _);
    for secret in ["app-hidden-words", "pass-hidden"] {
        door.hides(secret);
    }
    (provider, door)
}

/// Signs in to a new account of a kind through its proxy, and tells the account.
async fn signs_in(kind: &str, base_path: &str, realm: Realm) -> (FakeProvider, Door, Value) {
    let (provider, door) = door().await;
    let proxy = FakeProxy::http().await.with_login("lena", "pass-hidden");
    let host = format!("127.0.0.1:{}", provider.port());
    let proxy = proxy.resolves("provider.test", &host);
    let token_url = provider.token_url_in(realm).replace(&provider.base_url(), NOWHERE);
    let new = json!({"name": "far", "kind": kind, "base_url": format!("{NOWHERE}{base_path}"),
        "proxy": proxy.url(), "oauth": {"token_url": token_url}, "groups": ["team"]});
    let begun = door.post("logins", json!({"new": new})).await;
    assert_eq!(door.get("accounts").await["total"], 0, "nothing is stored before");
    let url = begun["url"].as_str().expect("an address");
    let code = match realm {
        Realm::Claude => provider.agrees(url, "far"),
        Realm::ChatGpt | Realm::Google => provider.agrees_at(url, "far"),
    };
    let login = format!("logins/{}", begun["login"].as_str().expect("an id"));
    let refused = door.refused(Method::POST, &login, json!({"code": " "})).await;
    assert_eq!(refused, (400, "invalid".to_owned(), "code".to_owned()), "it stays open");
    let done = door.post(&login, json!({"code": code})).await;
    let again = door.refused(Method::POST, &login, json!({"code": code})).await;
    assert_eq!((again.0, again.1.as_str()), (404, "not_found"));
    let targets = proxy.targets();
    assert!(
        !targets.is_empty() && targets.iter().all(|it| it == "provider.test:80"),
        "{targets:?}"
    );
    let account = done["account"].clone();
    assert_eq!((&account["name"], &account["kind"]), (&json!("far"), &json!(kind)));
    assert_eq!((&account["state"], &done["can_refresh"]), (&json!("able"), &json!(true)));
    assert_eq!(account["groups"], json!(["team"]));
    assert_eq!(account["proxy"], format!("http://…@127.0.0.1:{}", proxy.port()));
    let stored = door.relay.app.store.find_account("far").await.expect("a query").expect("it");
    assert!(!format!("{done}").contains(&tokens(&stored)), "the token is in the answer");
    (provider, door, account)
}

fn tokens(stored: &relay_store::accounts::StoredAccount) -> String {
    match &stored.credential {
        relay_core::credential::Credential::Tokens(tokens) => tokens.access.expose().to_owned(),
        other => panic!("no tokens: {other:?}"),
    }
}

#[tokio::test]
async fn a_claude_subscription_is_signed_in_to_through_its_proxy() {
    let (_provider, _door, account) = signs_in("claude-oauth", "", Realm::Claude).await;
    assert_eq!(account["identity"]["email"], "far@example.com");
    assert_eq!(account["identity"]["plan"], "claude_max");
}

#[tokio::test]
async fn a_chatgpt_subscription_is_signed_in_to_through_its_proxy() {
    let (_provider, _door, account) =
        signs_in("openai-oauth", "/backend-api/codex", Realm::ChatGpt).await;
    assert_eq!(account["identity"]["email"], "far@example.com");
}

#[tokio::test]
async fn a_google_account_is_signed_in_to_through_its_proxy() {
    let (_provider, _door, account) = signs_in("gemini-oauth", "", Realm::Google).await;
    assert_ne!(account["project"], Value::Null, "{account}");
}

#[tokio::test]
async fn an_account_is_signed_in_to_again_in_its_place() {
    let (provider, door) = door().await;
    let tokens = provider.issues("first", Duration::from_hours(1)).to_json();
    let added = door
        .post(
            "accounts",
            json!({"name": "main", "kind": "claude-oauth", "base_url": provider.base_url(),
                "secret": tokens, "oauth": {"token_url": provider.token_url()}}),
        )
        .await;
    let begun = door.post("logins", json!({"account": "main"})).await;
    assert_eq!((&begun["service"], &begun["setup_token"]), (&json!("claude"), &json!(false)));
    let pasted = provider.agrees(begun["url"].as_str().expect("an address"), "second");
    let login = format!("logins/{}", begun["login"].as_str().expect("an id"));
    let done = door.post(&login, json!({"code": pasted})).await;
    assert_eq!(done["account"]["id"], added["id"]);
    assert_eq!(done["account"]["identity"]["email"], "second@example.com");

    let setup = json!({"account": "main", "setup_token": true});
    let begun = door.post("logins", setup).await;
    let pasted = provider.agrees(begun["url"].as_str().expect("an address"), "second");
    let login = format!("logins/{}", begun["login"].as_str().expect("an id"));
    let done = door.post(&login, json!({"code": pasted})).await;
    assert_eq!(done["can_refresh"], false);
    assert_ne!(done["token_expires_at"], Value::Null);
}

#[tokio::test]
async fn a_sign_in_is_refused_cancelled_and_ends_by_itself() {
    let (provider, door) = door().await;
    provider.issues("somebody", Duration::from_hours(1));
    let new = json!({"name": "new", "kind": "claude-oauth", "base_url": provider.base_url(),
        "oauth": {"token_url": provider.token_url()}});
    let begin = async || {
        let begun = door.post("logins", json!({"new": new})).await;
        format!("logins/{}", begun["login"].as_str().expect("an id"))
    };
    let login = begin().await;
    let wrong = door.refused(Method::POST, &login, json!({"code": "no-such-code"})).await;
    assert_eq!(wrong, (400, "invalid".to_owned(), "code".to_owned()));
    let login = begin().await;
    assert_eq!(door.ask(Method::DELETE, &login, &Value::Null).await.0, 200);
    assert_eq!(door.refused(Method::DELETE, &login, Value::Null).await.0, 404);
    let (first, kept) = (begin().await, begin().await);
    for _ in 0..31 {
        begin().await;
    }
    assert_eq!(door.refused(Method::DELETE, &first, Value::Null).await.0, 404, "it gave way");
    door.relay.clock.advance(Duration::from_mins(29));
    assert_eq!(door.ask(Method::DELETE, &kept, &Value::Null).await.0, 200);
    let late = begin().await;
    door.relay.clock.advance(Duration::from_mins(30));
    let code = json!({"code": "x"});
    assert_eq!(door.refused(Method::POST, &late, code).await.0, 404, "it ended");
    for (body, field) in [
        (json!({}), "account"),
        (json!({"account": "a", "new": new}), "account"),
        (json!({"new": {"name": "x", "kind": "claude-api"}}), "new.kind"),
        (json!({"new": {"name": " ", "kind": "claude-oauth"}}), "new.name"),
        (json!({"new": {"kind": "claude-oauth"}}), "new.name"),
        (json!({"new": {"name": "x", "kind": "claude-oauth", "proxy": "x"}}), "new.proxy"),
        (json!({"new": {"name": 7}}), "new.name"),
        (json!({"new": {"name": "x", "kind": "openai-oauth"}, "setup_token": true}), "new.kind"),
    ] {
        let refused = door.refused(Method::POST, "logins", body.clone()).await;
        assert_eq!(refused, (400, "invalid".to_owned(), field.to_owned()), "{body}");
    }
    assert_eq!(door.get("accounts").await["total"], 0);
}
