//! Accounts and groups by the admin API, and that no secret ever comes back by it.

mod files;
mod lists;
mod logins;
mod past;
mod tests_of;
mod ways;

use relay_store::audit::AuditFilter;
use std::sync::Arc;

use http::Method;
use relay::watch;
use relay_store::accounts::NewAccount;
use relay_store::admin_tokens::{NewAdminToken, Scope};
use relay_testkit::{Client, FakeProvider};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::kit::{START, TestRelay, account};
use crate::oauth::until;

/// A relay, and who asks its admin API.
pub(crate) struct Door {
    pub(crate) relay: TestRelay,
    pub(crate) client: Client,
    pub(crate) viewer: Client,
    /// What no answer may hold.
    secrets: Vec<String>,
}

impl Door {
    pub(crate) async fn start(
        accounts: impl IntoIterator<Item = NewAccount>,
        settings: &[(&str, &str)],
    ) -> Self {
        let relay = TestRelay::start(accounts, settings).await;
        tokio::spawn(watch::run(Arc::clone(&relay.app), relay.changes_seen));
        let client = token(&relay, "writer", &[Scope::Read, Scope::Write]).await;
        let viewer = token(&relay, "reader", &[Scope::Read]).await;
        Self { relay, client, viewer, secrets: vec!["upstream-".to_owned()] }
    }

    /// From now on no answer may hold this.
    pub(crate) fn hides(&mut self, secret: &str) {
        self.secrets.push(secret.to_owned());
    }

    /// Asks, and makes sure that no secret comes back.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let body = if *body == Value::Null { String::new() } else { body.to_string() };
        let headers: &[(&str, &str)] = &[("content-type", "application/json")];
        let path = format!("/admin/{path}");
        let answer = self.client.request(method.as_str(), &path, headers, body).await;
        let answer = answer.collect().await;
        let text = answer.text_of_body();
        for secret in &self.secrets {
            assert!(!text.contains(secret), "{method} {path}: {secret} is in {text}");
        }
        (answer.status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.ask(Method::GET, path, &Value::Null).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.ask(Method::POST, path, &body).await;
        assert_eq!(status, 200, "{path} {body}: {answer}");
        answer
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.ask(Method::PATCH, path, &body).await;
        assert_eq!(status, 200, "{path} {body}: {answer}");
        answer
    }

    /// Asks what is refused: the status, the code and the field.
    pub(crate) async fn refused(
        &self,
        method: Method,
        path: &str,
        body: Value,
    ) -> (u16, String, String) {
        let (status, answer) = self.ask(method, path, &body).await;
        let words = |name: &str| answer["error"][name].as_str().unwrap_or_default().to_owned();
        assert!(!words("message").is_empty(), "{path} {body}: {answer}");
        (status, words("code"), words("field"))
    }

    /// Waits until the running relay knows what was edited.
    pub(crate) async fn until_known(&self, name: &str) {
        let stored = self.relay.app.store.find_account(name).await.expect("a query");
        let stored = stored.expect("an account").account;
        until("the edit is known", async || {
            self.relay.app.roster.find(stored.id).is_some_and(|it| it.account == stored)
        })
        .await;
    }
}

async fn token(relay: &TestRelay, name: &str, scopes: &[Scope]) -> Client {
    let text = format!("token-of-{name}");
    let new = NewAdminToken {
        name: name.to_owned(),
        hash: Sha256::digest(text.as_bytes()).into(),
        tail: "tail".to_owned(),
        scopes: scopes.to_vec(),
        created_by: "tests".to_owned(),
        expires_at: None,
    };
    relay.app.store.add_admin_token(&new, START).await.expect("a token");
    Client::new(&relay.base_url).header("authorization", &format!("Bearer {text}"))
}

/// What a body says, whatever it is.
trait TextOfBody {
    fn text_of_body(&self) -> String;
}

impl TextOfBody for relay_testkit::Received {
    fn text_of_body(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

pub(crate) fn named(items: &Value) -> Vec<&str> {
    let items = items.as_array().expect("a list");
    items.iter().map(|it| it["name"].as_str().expect("a name")).collect()
}

/// Everything that can be said of an account.
fn all_fields(provider: &FakeProvider) -> Value {
    json!({
        "name": "full", "kind": "openai-api", "base_url": format!("{}/", provider.base_url()),
        "secret": "key-hidden-1", "proxy": "http://lena:pass-hidden@127.0.0.1:9", "enabled": false,
        "priority": -3, "weight": 2, "max_concurrency": 4, "clients": "any",
        "models": ["gpt-*", " "], "map": [{"from": "fast", "to": "gpt-6"}],
        "key_header": "bearer", "speaks": "chat",
        "headers": [{"name": "X-Team", "value": "header-hidden"}],
        "payload": [{"set": {"path": "temperature", "json": "0"}}, {"drop": {"path": "user"}}],
        "sharing": "reserved", "stop_at": {"5h": 90, "7d": 95}, "daily_cost_usd": 12.5,
        "ends_at": "2027-12-31", "oauth": {"token_url": "http://127.0.0.1:9/token"},
        "first_byte_timeout_ms": 1000, "unary_timeout_ms": 2000, "idle_timeout_ms": 3000,
        "groups": ["team"], "note": "a note",
    })
}

#[tokio::test]
async fn every_field_is_set_shown_changed_and_cleared() {
    let provider = FakeProvider::start().await;
    let mut door = Door::start([], &[("TIMEZONE", "UTC")]).await;
    for secret in ["key-hidden", "pass-hidden", "header-hidden", "lena"] {
        door.hides(secret);
    }
    let added = door.post("accounts", all_fields(&provider)).await;
    let shown = |view: &Value, fields: &[&str]| -> Vec<Value> {
        fields.iter().map(|field| view[field].clone()).collect()
    };
    let fields = ["state", "priority", "weight", "max_concurrency", "speaks", "sharing", "note"];
    assert_eq!(
        json!(shown(&added, &fields)),
        json!(["paused", -3, 2, 4, "chat", "reserved", "a note"])
    );
    assert_eq!(added["proxy"], "http://…@127.0.0.1:9");
    assert_eq!(added["headers"], json!(["x-team"]));
    assert_eq!(added["models"], json!(["gpt-*"]));
    assert_eq!(added["payload"], all_fields(&provider)["payload"]);
    assert_eq!(added["stop_at"], json!({"5h": 90, "7d": 95}));
    assert_eq!(added["daily_cost_usd"], 12.5);
    assert_eq!(added["ends_at"], "2028-01-01T00:00:00Z");
    assert_eq!(added["groups"], json!(["team"]));
    assert_eq!(added["today"], json!({"calls": 0, "tokens": 0, "cost_usd": 0.0}));

    let id = added["id"].as_str().expect("an id").to_owned();
    // A header without a value keeps its own; a mark that is left out stays.
    let headers = json!([{"name": "x-team"}, {"name": "x-more", "value": "header-hidden-2"}]);
    let change = json!({"name": "renamed", "headers": headers, "stop_at": {"5h": null},
        "groups": ["other"], "enabled": true, "secret": "key-hidden-2"});
    let changed = door.patch("accounts/full", change).await;
    assert_eq!(changed["id"], id.as_str());
    assert_eq!(changed["headers"], json!(["x-team", "x-more"]));
    assert_eq!(changed["stop_at"], json!({"5h": null, "7d": 95}));
    assert_eq!((&changed["groups"], &changed["state"]), (&json!(["other"]), &json!("able")));
    assert_eq!(changed["priority"], -3);
    let stored = door.relay.app.store.find_account("renamed").await.expect("a query").expect("it");
    assert_eq!(stored.account.extra_headers[0].value, "header-hidden");
    assert_eq!(stored.account.proxy.as_ref().map(|it| it.port), Some(9));

    let nulls = json!({"proxy": null, "priority": null, "weight": null, "max_concurrency": null,
        "models": null, "map": null, "key_header": null, "speaks": null, "headers": null,
        "payload": null, "sharing": null, "stop_at": null, "daily_cost_usd": null,
        "ends_at": null, "oauth": null, "first_byte_timeout_ms": null, "unary_timeout_ms": null,
        "idle_timeout_ms": null, "groups": null, "note": null, "clients": null, "base_url": null});
    let cleared = door.patch(&format!("accounts/{id}"), nulls).await;
    assert_eq!(
        json!(shown(
            &cleared,
            &[
                "proxy",
                "priority",
                "weight",
                "max_concurrency",
                "models",
                "map",
                "key_header",
                "speaks",
                "headers",
                "payload",
                "sharing",
                "daily_cost_usd",
                "ends_at",
                "first_byte_timeout_ms",
                "groups",
                "note",
                "base_url"
            ]
        )),
        json!([
            null,
            50,
            1,
            null,
            [],
            [],
            "auto",
            "both",
            [],
            [],
            "shared",
            null,
            null,
            null,
            [],
            "",
            "https://api.openai.com"
        ])
    );
    assert_eq!(cleared["stop_at"], json!({"5h": null, "7d": null}));
    assert_eq!(cleared["oauth"]["token_url"], Value::Null);
    let deeds =
        door.relay.app.store.audit_lines(&AuditFilter::default(), (0, 100)).await.expect("a query");
    let told = format!("{deeds:?}");
    assert!(told.contains("accounts_edit") && told.contains("secret"));
    assert!(door.secrets.iter().all(|secret| !told.contains(secret)), "{told}");
}

#[tokio::test]
async fn what_cannot_be_names_its_field() {
    let provider = FakeProvider::start().await;
    let door = Door::start([account("a", &provider)], &[]).await;
    let base = json!({"name": "new", "kind": "claude-api", "secret": "key"});
    for (field, wrong, at) in [
        ("name", json!(" "), "name"),
        ("name", json!("acct_1"), "name"),
        ("name", json!(7), "name"),
        ("kind", json!("nonsense"), "kind"),
        ("kind", Value::Null, "kind"),
        ("base_url", json!("ftp://host"), "base_url"),
        ("secret", json!(""), "secret"),
        ("secret", Value::Null, "secret"),
        ("proxy", json!("ftp://host"), "proxy"),
        ("weight", json!(0), "weight"),
        ("weight", json!(-1), "weight"),
        ("stop_at", json!({"5h": 101}), "stop_at"),
        ("daily_cost_usd", json!(-1), "daily_cost_usd"),
        ("ends_at", json!("soon"), "ends_at"),
        ("headers", json!([{"name": "host", "value": "x"}]), "headers"),
        ("headers", json!([{"name": "x-a"}]), "headers"),
        ("headers", json!([{"value": "x"}]), "headers[0]"),
        ("payload", json!([{"drop": {"path": "model"}}]), "payload"),
        ("speaks", json!("chat"), "speaks"),
        ("project", json!("my-project"), "project"),
        ("oauth", json!({"token_url": "host"}), "oauth"),
        ("groups", json!(["grp_77"]), "groups"),
        ("note", json!("a\u{1b}b"), "note"),
        ("proritee", json!(1), "proritee"),
    ] {
        let mut body = base.clone();
        body[field] = wrong.clone();
        let (status, code, told) = door.refused(Method::POST, "accounts", body).await;
        let wanted = if field == "groups" { (404, "not_found") } else { (400, "invalid") };
        assert_eq!((status, code.as_str()), wanted, "{field}: {wrong}");
        assert_eq!(told, at, "{field}: {wrong}");
    }
    let mut twice = base.clone();
    twice["name"] = json!("a");
    let taken = door.refused(Method::POST, "accounts", twice).await;
    assert_eq!(taken, (409, "taken".to_owned(), "name".to_owned()));
    let mut oauth = base.clone();
    oauth["kind"] = json!("claude-oauth");
    oauth["secret"] = Value::Null;
    assert_eq!(door.refused(Method::POST, "accounts", oauth).await.2, "secret");
    for (wrong, field) in [
        (json!({"kind": "openai-api"}), "kind"),
        (json!({"weight": 0}), "weight"),
        (json!({"secret": "a b"}), "secret"),
        (json!({"proxy": "nowhere"}), "proxy"),
        (json!({"client_secret": "words"}), "client_secret"),
    ] {
        let refused = door.refused(Method::PATCH, "accounts/a", wrong.clone()).await;
        assert_eq!(refused, (400, "invalid".to_owned(), field.to_owned()), "{wrong}");
    }
    let taken = json!({"name": "other", "groups": ["grp_77"], "priority": 3});
    let refused = door.refused(Method::PATCH, "accounts/a", taken).await;
    assert_eq!(refused, (404, "not_found".to_owned(), "groups".to_owned()));
    assert_ne!(door.get("accounts/a").await["priority"], 3, "nothing has changed");
    let garbage = door.client.post("/admin/accounts", &[], "{").await;
    assert_eq!(garbage.status, 400);
    assert!(garbage.text_of_body().contains("\"invalid\""));
    assert_eq!(door.get("accounts").await["total"], 1);
}

#[tokio::test]
async fn nothing_goes_by_that_name() {
    let provider = FakeProvider::start().await;
    let door = Door::start([account("a", &provider)], &[]).await;
    for (method, path, body) in [
        (Method::GET, "accounts/none", Value::Null),
        (Method::PATCH, "accounts/none", json!({})),
        (Method::DELETE, "accounts/none", Value::Null),
        (Method::POST, "accounts/none/pause", Value::Null),
        (Method::POST, "accounts/none/resume", Value::Null),
        (Method::POST, "accounts/none/reset", Value::Null),
        (Method::POST, "accounts/none/test", json!({})),
        (Method::GET, "accounts/none/ability", Value::Null),
        (Method::GET, "accounts/none/windows", Value::Null),
        (Method::POST, "accounts/bulk", json!({"ids": ["a", "none"], "action": "pause"})),
        (Method::POST, "accounts/export", json!({"ids": ["none"]})),
        (Method::POST, "logins", json!({"account": "none"})),
        (Method::POST, "logins/none", json!({"code": "x"})),
        (Method::DELETE, "logins/none", Value::Null),
        (Method::POST, "proxies/test", json!({"account": "none"})),
        (Method::DELETE, "groups/none", Value::Null),
        (Method::PUT, "groups/none/accounts/a", Value::Null),
        (Method::DELETE, "groups/none/accounts/a", Value::Null),
    ] {
        let (status, code, _) = door.refused(method.clone(), path, body).await;
        assert_eq!((status, code.as_str()), (404, "not_found"), "{method} {path}");
        if method != Method::GET {
            let body = "{}".to_owned();
            let path = format!("/admin/{path}");
            let headers = &[("content-type", "application/json")];
            let viewer = door.viewer.request(method.as_str(), &path, headers, body).await;
            assert_eq!(viewer.collect().await.status, 403, "{method} {path}");
        }
    }
    assert_eq!(door.get("accounts/a").await["state"], "able");
}

#[tokio::test]
async fn an_account_is_paused_resumed_reset_and_removed() {
    let provider = FakeProvider::start().await;
    let door = Door::start([account("a/b", &provider)], &[]).await;
    let act = async |verb: &str| door.post(&format!("accounts/a%2Fb/{verb}"), Value::Null).await;
    assert_eq!(act("pause").await["state"], "paused");
    assert_eq!(act("resume").await["state"], "able");
    door.until_known("a/b").await;
    provider.answers_always(relay_testkit::Answer::status(401));
    let hello = relay_testkit::messages_body("claude-sonnet-4-6", "hello");
    assert_ne!(door.relay.client.post("/api/v1/messages", &[], hello).await.status, 200);
    assert_eq!(door.get("accounts/a%2Fb").await["state"], "resting");
    let reset = act("reset").await;
    assert_eq!((&reset["state"], &reset["rests"]), (&json!("able"), &json!([])));
    let (status, gone) = door.ask(Method::DELETE, "accounts/a%2Fb", &Value::Null).await;
    assert_eq!((status, &gone["name"]), (200, &json!("a/b")));
    assert_eq!(door.get("accounts").await["total"], 0);
}
