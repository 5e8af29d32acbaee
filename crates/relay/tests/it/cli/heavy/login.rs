//! Signing in to an account by a link and a pasted code.

use std::time::Duration;

use relay_testkit::{Client, FakeProvider, FakeProxy, Output, RelayProcess, messages_body};
use serde_json::Value;

use super::CRS;

const HOUR: Duration = Duration::from_hours(1);

/// What a person makes of the address.
type Paste<'a> = Box<dyn Fn(&str) -> String + 'a>;

/// A relay with the account `main` of `first`, a key that is bound to it, and its provider.
struct Setting {
    provider: FakeProvider,
    relay: RelayProcess,
    key: String,
}

impl Setting {
    async fn new() -> Self {
        let provider = FakeProvider::start().await;
        let relay = RelayProcess::builder(CRS).start().await;
        let tokens = provider.issues("first", HOUR).to_json();
        let (base, token) = (provider.base_url(), provider.token_url());
        relay.add_oauth_account("main", &base, &token, &tokens, &["--clients", "any"]).await;
        let key = relay.add_key_with("lena", &["--bind", "claude=main"]).await;
        Self { provider, relay, key }
    }

    /// Makes calls until one is served by a token of `owner`.
    async fn until_served_by(&self, owner: &str) {
        let client = Client::new(self.relay.base_url()).anthropic(&self.key);
        let served = async {
            loop {
                let body = messages_body("claude-sonnet-4-6", "[[say hello]]").stream(false);
                let received = client.post("/api/v1/messages", &[], body).await;
                let asked = self
                    .provider
                    .requests()
                    .into_iter()
                    .filter(|it| it.path().ends_with("/messages"));
                if received.status == 200 && asked.last().is_some_and(|it| it.owner == owner) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(15), served).await;
        assert!(waited.is_ok(), "{owner} serves no call: {}", self.relay.stderr_text());
    }

    async fn show(&self, name: &str) -> Value {
        self.relay.crs(&["account", "show", name, "--json"], "").await.json()
    }

    /// Runs a sign-in to its end; `paste` makes what is pasted of the address.
    async fn signs_in(&self, arguments: &[&str], paste: impl Fn(&str) -> String) -> Output {
        let mut command = self.relay.run_interactive(arguments);
        let address = command.address().await;
        command.types(&paste(&address)).await;
        command.end().await
    }
}

#[tokio::test]
async fn an_account_is_signed_in_to_again_in_its_place() {
    let setting = Setting::new().await;
    setting.until_served_by("first").await;
    let before = setting.show("main").await;
    let agrees = |address: &str| setting.provider.agrees(address, "second");
    let done = setting.signs_in(&["account", "login", "main", "--json"], agrees).await;
    assert!(done.status.success(), "{done:?}");
    let shown = done.json();
    assert_eq!(shown["id"], before["id"]);
    assert_eq!((&shown["state"], &shown["can_refresh"]), (&"able".into(), &true.into()));
    assert_eq!(shown["identity"]["email"], "second@example.com");
    assert_eq!(shown["identity"]["plan"], "claude_max");
    assert_eq!(shown["identity"]["tier"], "default_claude_max_20x");
    setting.until_served_by("second").await;
    let keys = setting.relay.crs(&["key", "list", "--json"], "").await.json();
    assert_eq!(keys[0]["bindings"]["claude"], "main");
}

#[tokio::test]
async fn a_sign_in_ends_the_sign_out() {
    let setting = Setting::new().await;
    let ended =
        r#"{"refresh_token":"none-that-is-known","access_token":"access-gone","expires_at":1}"#;
    let set = ["account", "set", "main", "--secret-stdin"];
    assert!(setting.relay.crs(&set, ended).await.status.success());
    let signed_out = async {
        while setting.show("main").await["state"] != "signed_out" {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(15), signed_out).await.expect("signed out");
    let shown = setting.show("main").await;
    let reason = shown["reason"].as_str().expect("words");
    assert!(reason.starts_with("signed out since "), "{reason}");
    let words = ": the provider refused the refresh token; sign in again: crs account login main";
    assert!(reason.ends_with(words), "{reason}");
    assert!(!shown["signed_out_at"].is_null());
    let agrees = |address: &str| setting.provider.agrees(address, "first");
    let done = setting.signs_in(&["account", "login", "main"], agrees).await;
    assert!(done.status.success() && done.stdout.contains("claude_max"), "{done:?}");
    assert_eq!(setting.show("main").await["signed_out_at"], Value::Null);
    setting.until_served_by("first").await;
}

#[tokio::test]
async fn a_wrong_code_changes_nothing() {
    let setting = Setting::new().await;
    setting.until_served_by("first").await;
    let before = setting.show("main").await;
    let other = |address: &str| {
        let state = "state=";
        let start = address.find(state).expect("a state") + state.len();
        format!("{}other", &address[..start])
    };
    let provider = &setting.provider;
    let pastes: [(Paste<'_>, &str); 4] = [
        (Box::new(|_| "no-such-code".to_owned()), "the provider did not take the code"),
        (Box::new(|it| provider.agrees(&other(it), "second")), "of another sign-in"),
        (Box::new(|_| "https://host/back?error=access_denied".to_owned()), "sent a refusal"),
        (Box::new(|_| String::new()), "no code was given"),
    ];
    for (paste, words) in &pastes {
        let refused = setting.signs_in(&["account", "login", "main"], paste).await;
        assert_eq!(refused.status.code(), Some(1), "{words}");
        assert!(refused.stderr.contains(words), "{words}: {}", refused.stderr);
        assert!(refused.stderr.contains("nothing was changed"), "{}", refused.stderr);
        assert!(refused.stdout.is_empty());
    }
    let name = ["account", "add", "--kind", "claude-oauth", "--name", "new", "--login"];
    let url = setting.provider.token_url();
    let add = [&name[..], &["--token-url", &url, "--group", "team"]].concat();
    let refused = setting.signs_in(&add, |_| "no-such-code".to_owned()).await;
    assert_eq!(refused.status.code(), Some(1));
    let accounts = setting.relay.crs(&["account", "list", "--json"], "").await.json();
    assert_eq!(accounts.as_array().map(Vec::len), Some(1));
    assert_eq!(
        setting.relay.crs(&["group", "list", "--json"], "").await.json(),
        Value::Array(vec![])
    );
    let after = setting.show("main").await;
    for field in ["secret_tail", "updated_at", "token_expires_at", "state"] {
        assert_eq!(after[field], before[field], "{field}");
    }
    setting.until_served_by("first").await;
}

#[tokio::test]
async fn a_key_is_not_signed_in_to() {
    let setting = Setting::new().await;
    setting.relay.add_account("keyed", &setting.provider.base_url(), &[]).await;
    let refused = setting.relay.crs(&["account", "login", "keyed"], "code\n").await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stderr.contains("which has a key"), "{}", refused.stderr);
}

#[tokio::test]
async fn a_new_account_signs_in_through_its_proxy_alone() {
    let provider = FakeProvider::start().await;
    let port = provider.base_url();
    let port = port.rsplit(':').next().expect("a port").to_owned();
    // A name that nobody but the proxy knows: there is no direct way.
    let proxy = FakeProxy::http().await.with_login("lena", "se:cr@et/word");
    let proxy = proxy.resolves("provider.test", &format!("127.0.0.1:{port}"));
    let relay = RelayProcess::builder(CRS).start().await;
    let key = relay.add_key("tests").await;
    let setting = Setting { provider, relay, key };
    let way = setting.relay.data_dir().join("../way");
    std::fs::write(&way, proxy.url()).expect("written");
    let way = way.to_str().expect("a path");
    let add = [
        "account",
        "add",
        "--name",
        "far",
        "--kind",
        "claude-oauth",
        "--login",
        "--json",
        "--base-url",
        "http://provider.test",
        "--token-url",
        "http://provider.test/v1/oauth/token",
        "--clients",
        "any",
        "--proxy-file",
        way,
    ];
    let agrees = |address: &str| setting.provider.agrees(address, "far");
    let done = setting.signs_in(&add, agrees).await;
    assert!(done.status.success(), "{done:?}");
    let shown = done.json();
    assert_eq!(shown["identity"]["email"], "far@example.com");
    assert_eq!(shown["proxy"], format!("http://…@127.0.0.1:{}", proxy.port()));
    let targets = proxy.targets();
    assert!(
        !targets.is_empty() && targets.iter().all(|it| it == "provider.test:80"),
        "{targets:?}"
    );
    setting.until_served_by("far").await;

    proxy.dies().await;
    let failed = setting.signs_in(&["account", "login", "far"], agrees).await;
    assert_eq!(failed.status.code(), Some(1));
    assert!(failed.stderr.contains("cannot connect to the proxy"), "{}", failed.stderr);
    let said = format!("{}{}", setting.relay.stdout_text(), setting.relay.stderr_text());
    for text in [&done.stdout, &done.stderr, &failed.stderr, &said] {
        assert!(!text.contains("se:cr") && !text.contains("cr%40et"), "{text}");
    }
}

#[tokio::test]
async fn a_setup_token_says_that_it_cannot_be_refreshed() {
    let setting = Setting::new().await;
    let agrees = |address: &str| setting.provider.agrees(address, "second");
    let login = ["account", "login", "main", "--setup-token", "--json"];
    let done = setting.signs_in(&login, agrees).await;
    assert!(done.status.success(), "{done:?}");
    assert!(done.stderr.contains("note: this token cannot be refreshed: it ends on "), "{done:?}");
    let shown = done.json();
    assert_eq!((&shown["can_refresh"], &shown["state"]), (&false.into(), &"able".into()));
    assert_eq!(shown["identity"]["email"], "second@example.com");
    assert_eq!(setting.provider.profiles_read("second"), 0, "it may not be asked");
    assert_eq!(shown["reason"], "", "it is a year away");
    setting.until_served_by("second").await;
}

#[tokio::test]
async fn a_profile_that_is_not_told_is_no_failure() {
    let setting = Setting::new().await;
    setting.provider.answers_when(
        |seen| seen.path().ends_with("/api/oauth/profile"),
        relay_testkit::Answer::status(500),
    );
    let agrees = |address: &str| setting.provider.agrees(address, "second");
    let done = setting.signs_in(&["account", "login", "main", "--json"], agrees).await;
    assert!(done.status.success(), "{done:?}");
    assert!(done.stderr.contains("did not tell the plan"), "{}", done.stderr);
    assert_eq!(done.json()["identity"]["email"], "second@example.com");
}
