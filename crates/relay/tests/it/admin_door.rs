//! Who gets through the admin API's door, and that nobody else changes anything.

mod walk;

use http::Method;
use relay_store::admin_tokens::{NewAdminToken, Scope};
use relay_store::admins::Role;
use relay_testkit::{Client, FakeProvider, Received};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::kit::{START, TestRelay, account};
use relay::verbs::admin::password;
use relay_core::clock::Timestamp;
use relay_core::secret::Secret;

const PASSWORD: &str = "a long password";

/// A relay with an administrator `ana` and a viewer `ben`.
struct Office {
    relay: TestRelay,
    client: Client,
}

/// Somebody who is signed in.
struct Signed {
    cookie: String,
    csrf: String,
    view: Value,
}

impl Office {
    async fn open(settings: &[(&str, &str)]) -> Self {
        let provider = FakeProvider::start().await;
        let relay = TestRelay::start([account("main", &provider)], settings).await;
        let hash = password::hash(Secret::new(PASSWORD)).await.expect("a hash");
        let store = &relay.app.store;
        store.add_admin("ana", &hash, START).await.expect("an administrator");
        store.add_admin_as(Role::Viewer, ("ben", &hash), START).await.expect("a viewer");
        let client = Client::new(&relay.base_url);
        Self { relay, client }
    }

    async fn token(&self, name: &str, scopes: &[Scope], expires_at: Option<Timestamp>) -> String {
        let text = format!("token-of-{name}");
        let new = NewAdminToken {
            name: name.to_owned(),
            hash: Sha256::digest(text.as_bytes()).into(),
            tail: "tail".to_owned(),
            scopes: scopes.to_vec(),
            created_by: "tests".to_owned(),
            expires_at,
        };
        self.relay.app.store.add_admin_token(&new, START).await.expect("a token");
        text
    }

    async fn ask(
        &self,
        (method, path): (&Method, &str),
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Received {
        let mut all = vec![("content-type", "application/json")];
        all.extend_from_slice(headers);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.client.request(method.as_str(), path, &all, body).await.collect().await
    }

    async fn try_sign_in(&self, name: &str, password: &str, headers: &[(&str, &str)]) -> Received {
        let asked = json!({"username": name, "password": password});
        self.ask((&Method::POST, "/admin/session"), headers, &asked).await
    }

    async fn sign_in(&self, name: &str) -> Signed {
        let answer = self.try_sign_in(name, PASSWORD, &[]).await;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        let cookie = answer.header("set-cookie");
        let cookie = cookie.split(';').next().expect("a cookie").to_owned();
        let view = answer.json();
        let csrf = view["csrf_token"].as_str().expect("a token").to_owned();
        Signed { cookie, csrf, view }
    }

    /// Asks as somebody who is signed in does by the page.
    async fn by(&self, who: &Signed, what: (&Method, &str), body: &Value) -> Received {
        let headers = [("cookie", &*who.cookie), ("x-csrf-token", &*who.csrf)];
        self.ask(what, &headers, body).await
    }
}

#[tokio::test]
async fn who_signs_in_gets_a_cookie_that_scripts_cannot_read() {
    let office = Office::open(&[]).await;
    let answer = office.try_sign_in("ana", PASSWORD, &[]).await;
    let cookie = answer.header("set-cookie").to_owned();
    for part in ["crs_session=", "; Path=/admin", "; HttpOnly", "; SameSite=Strict"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Secure"), "it came by http: {cookie}");
    assert_eq!(answer.header("cache-control"), "no-store");
    let ana = office.sign_in("ana").await;
    assert_eq!((&ana.view["username"], &ana.view["role"]), (&json!("ana"), &json!("admin")));
    let shown = office.by(&ana, (&Method::GET, "/admin/session"), &Value::Null).await;
    assert_eq!((shown.status, shown.json()["username"].clone()), (200, json!("ana")));
    let gone = office.by(&ana, (&Method::DELETE, "/admin/session"), &Value::Null).await;
    assert!((200..300).contains(&gone.status));
    assert!(gone.header("set-cookie").contains("Max-Age=0"));
    let after = office.by(&ana, (&Method::GET, "/admin/session"), &Value::Null).await;
    assert_eq!(after.status, 401);
}

#[tokio::test]
async fn a_cookie_is_secure_exactly_if_a_trusted_proxy_says_https() {
    let told = [("x-forwarded-proto", "https")];
    let trusting = Office::open(&[("TRUST_PROXY", "loopback")]).await;
    let secure = trusting.try_sign_in("ana", PASSWORD, &told).await;
    assert!(secure.header("set-cookie").contains("; Secure"));
    let plain = trusting.try_sign_in("ana", PASSWORD, &[]).await;
    assert!(!plain.header("set-cookie").contains("; Secure"));
    let wary = Office::open(&[]).await;
    let strange = wary.try_sign_in("ana", PASSWORD, &told).await;
    assert!(!strange.header("set-cookie").contains("; Secure"), "a stranger says so");
}

#[tokio::test]
async fn what_changes_something_proves_that_the_page_sent_it() {
    let office = Office::open(&[]).await;
    let ana = office.sign_in("ana").await;
    let (cookie, csrf) = (("cookie", &*ana.cookie), ("x-csrf-token", &*ana.csrf));
    let other = office.sign_in("ben").await;
    let add = (&Method::POST, "/admin/groups");
    let body = json!({"name": "team"});
    for headers in [
        vec![cookie],
        vec![cookie, ("x-csrf-token", "")],
        vec![cookie, ("x-csrf-token", &*other.csrf)],
        vec![cookie, csrf, ("origin", "https://elsewhere.example")],
        vec![cookie, csrf, ("origin", "null")],
        vec![cookie, csrf, ("sec-fetch-site", "cross-site")],
        vec![cookie, csrf, ("sec-fetch-site", "same-site")],
    ] {
        let refused = office.ask(add, &headers, &body).await;
        assert_eq!(refused.status, 403, "{headers:?}");
    }
    let origin = office.relay.base_url.clone();
    let good = [cookie, csrf, ("origin", &*origin), ("sec-fetch-site", "same-origin")];
    assert_eq!(office.ask(add, &good, &body).await.status, 200);
}

#[tokio::test]
async fn who_guesses_waits_and_the_owner_does_not() {
    let office = Office::open(&[("TRUST_PROXY", "loopback")]).await;
    let (here, there) = (("x-forwarded-for", "192.0.2.1"), ("x-forwarded-for", "198.51.100.7"));
    assert_eq!(office.try_sign_in("ana", PASSWORD, &[here]).await.status, 200);
    let mut statuses = Vec::new();
    for _ in 0..8 {
        let answer = office.try_sign_in("ana", "wrong", &[there]).await;
        if answer.status == 429 {
            let wait: u64 = answer.header("retry-after").parse().expect("seconds");
            assert!(wait > 0);
        }
        statuses.push(answer.status);
    }
    assert_eq!(statuses.first(), Some(&401));
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
    let right = office.try_sign_in("ana", PASSWORD, &[there]).await;
    assert_eq!(right.status, 429, "the right password is not looked at either");
    assert_eq!(office.try_sign_in("ana", PASSWORD, &[here]).await.status, 200);
}

#[tokio::test]
async fn a_password_change_ends_every_other_session() {
    let office = Office::open(&[]).await;
    let (one, two) = (office.sign_in("ana").await, office.sign_in("ana").await);
    let path = (&Method::PUT, "/admin/session/password");
    let wrong = json!({"current": "not it", "new": "another password"});
    assert_eq!(office.by(&one, path, &wrong).await.status, 400);
    let right = json!({"current": PASSWORD, "new": "another password"});
    let done = office.by(&one, path, &right).await;
    assert!((200..300).contains(&done.status), "{}", String::from_utf8_lossy(&done.body));
    let look = (&Method::GET, "/admin/session");
    assert_eq!(office.by(&two, look, &Value::Null).await.status, 401);
    assert_eq!(office.try_sign_in("ana", PASSWORD, &[]).await.status, 401);
    assert_eq!(office.try_sign_in("ana", "another password", &[]).await.status, 200);
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let office = Office::open(&[]).await;
    let ana = office.sign_in("ana").await;
    let all = office.by(&ana, (&Method::GET, "/admin/admins"), &Value::Null).await.json();
    // The relay of a test begins without one.
    let names: Vec<_> = all.as_array().expect("a list").iter().map(|it| &it["username"]).collect();
    assert_eq!(names, ["ana", "ben"]);
    let path = "/admin/admins/ana";
    for change in [json!({"role": "viewer"}), json!({"disabled": true})] {
        let refused = office.by(&ana, (&Method::PATCH, path), &change).await;
        assert_eq!(refused.status, 400, "{change}");
    }
    assert_eq!(office.by(&ana, (&Method::DELETE, path), &Value::Null).await.status, 400);
    let raise = json!({"role": "admin"});
    assert_eq!(office.by(&ana, (&Method::PATCH, "/admin/admins/ben"), &raise).await.status, 200);
    assert_eq!(office.by(&ana, (&Method::DELETE, path), &Value::Null).await.status, 200);
    let after = office.by(&ana, (&Method::GET, "/admin/session"), &Value::Null).await;
    assert_eq!(after.status, 401, "who is removed is out");
}

#[tokio::test]
async fn a_token_is_shown_once_and_does_what_its_scopes_say() {
    let office = Office::open(&[]).await;
    let ana = office.sign_in("ana").await;
    let order = json!({"name": "watcher", "scopes": ["metrics"]});
    let made = office.by(&ana, (&Method::POST, "/admin/tokens"), &order).await.json();
    let token = made["token"].as_str().expect("a token").to_owned();
    let list = office.by(&ana, (&Method::GET, "/admin/tokens"), &Value::Null).await;
    assert!(!String::from_utf8_lossy(&list.body).contains(&token));
    let bearer = format!("Bearer {token}");
    let asked = |path| (("authorization", bearer.as_str()), path);
    for (status, (header, path)) in
        [(200, asked("/metrics")), (403, asked("/admin/accounts")), (403, asked("/admin/session"))]
    {
        let answer = office.ask((&Method::GET, path), &[header], &Value::Null).await;
        assert_eq!(answer.status, status, "{path}");
    }
    assert_eq!(office.ask((&Method::GET, "/metrics"), &[], &Value::Null).await.status, 401);
    let log = office.by(&ana, (&Method::GET, "/admin/audit"), &Value::Null).await;
    let log = String::from_utf8_lossy(&log.body).into_owned();
    assert!(log.contains("tokens_add") && !log.contains(&token), "{log}");
}
