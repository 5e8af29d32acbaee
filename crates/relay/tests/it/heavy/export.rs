//! `crs account export` and `import`: accounts from one relay to another.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use relay_testkit::{FakeProvider, FakeProxy, Output, RelayProcess};
use serde_json::{Value, json};

use super::CRS;

const PASSPHRASE: &str = "many words of mine";

/// A relay that is stopped: the commands work on its data directory all the same.
async fn relay() -> RelayProcess {
    let mut relay = RelayProcess::builder(CRS).start().await;
    relay.kill_9().await;
    relay
}

async fn crs(relay: &RelayProcess, line: &[&str], stdin: &str) -> Output {
    let output = relay.crs(line, stdin).await;
    assert!(output.status.success(), "{line:?}: {output:?}");
    output
}

fn passphrase_of(relay: &RelayProcess, text: &str) -> String {
    let path: PathBuf = relay.data_dir().join("passphrase.txt");
    fs::write(&path, format!("{text}\n")).expect("written");
    path.display().to_string()
}

/// Exports all accounts with what is secret.
async fn export_secrets(relay: &RelayProcess) -> Output {
    let file = passphrase_of(relay, PASSPHRASE);
    crs(relay, &["account", "export", "--all", "--secrets", "--passphrase-file", &file], "").await
}

async fn import(relay: &RelayProcess, bundle: &str, passphrase: &str, more: &[&str]) -> Output {
    let file = passphrase_of(relay, passphrase);
    let line = [&["account", "import", "-", "--passphrase-file", &file, "--json"], more].concat();
    relay.crs(&line, bundle).await
}

/// An account with everything that can be set, behind a proxy with a login.
async fn add_full(relay: &RelayProcess, name: &str, base_url: &str, proxy: &str) {
    let more = "--priority 7 --weight 3 --max-concurrency 2 --models claude-*,glm-5 --map a-*=b \
        --key-header bearer --reserved --first-byte-timeout 30s --unary-timeout 5m \
        --idle-timeout 1m --note noted --group team --group night";
    let mut more: Vec<&str> = more.split_whitespace().collect();
    more.extend(["--header", "X-Team: blue words", "--proxy", proxy]);
    relay.add_account(name, base_url, &more).await;
}

/// What is shown of an account, without what each relay says for itself.
async fn shown(relay: &RelayProcess, name: &str) -> Value {
    let mut shown = crs(relay, &["account", "show", name, "--json"], "").await.json();
    let fields = shown.as_object_mut().expect("an object");
    for own in ["id", "created_at", "updated_at"] {
        fields.remove(own);
    }
    shown
}

#[tokio::test]
async fn an_account_moves_with_all_that_was_set_and_its_secrets() {
    let provider = FakeProvider::start().await;
    let proxy = FakeProxy::http().await.with_login("us er", "pa@ss:word");
    let (from, mut to) = (relay().await, relay().await);
    add_full(&from, "main", &provider.base_url(), &proxy.url()).await;
    let exported = export_secrets(&from).await;
    for secret in ["upstream-main", "blue words", "pa%40ss", "pa@ss"] {
        assert!(!exported.stdout.contains(secret), "{secret}: {}", exported.stdout);
    }
    let refused = import(&to, &exported.stdout, "other words of mine", &[]).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stderr.contains("the passphrase is wrong"), "{}", refused.stderr);
    let dry = import(&to, &exported.stdout, PASSPHRASE, &["--dry-run"]).await.json();
    assert_eq!(dry["imported"], 1);
    let listed = crs(&to, &["account", "list", "--json"], "").await.json();
    assert_eq!(listed, json!([]), "nothing was written by either");

    let done = import(&to, &exported.stdout, PASSPHRASE, &[]).await.json();
    let expected = json!({
        "imported": 1, "updated": 0, "skipped": [], "incomplete": [], "sign_ins": [],
        "kept_sign_ins": [],
    });
    assert_eq!(done, expected);
    assert_eq!(shown(&to, "main").await, shown(&from, "main").await);
    to.restart().await;
    let tested = to.crs(&["account", "test", "main", "--json"], "").await.json();
    assert_eq!(tested["verdict"], "works", "{tested}");
    let asked = provider.requests().remove(0);
    assert_eq!((asked.api_key.as_str(), asked.header("x-team")), ("upstream-main", "blue words"));
    assert_eq!(proxy.connections(), 1);
}

#[tokio::test]
async fn without_secrets_an_account_comes_switched_off_and_says_what_it_lacks() {
    let provider = FakeProvider::start().await;
    let (from, to) = (relay().await, relay().await);
    let proxy = "socks5://user:word-of-it@127.0.0.1:1";
    add_full(&from, "main", &provider.base_url(), proxy).await;
    let bundle = crs(&from, &["account", "export", "main"], "").await.stdout;
    for secret in ["upstream-main", "blue words", "word-of-it"] {
        assert!(!bundle.contains(secret), "{bundle}");
    }
    assert!(bundle.contains("socks5://…@127.0.0.1:1"), "{bundle}");
    let done = crs(&to, &["account", "import", "-", "--json"], &bundle).await.json();
    let missing = json!(["its secret", "the login of its proxy", "its header x-team"]);
    assert_eq!(done["incomplete"], json!([{"name": "main", "missing": missing}]));
    let account = shown(&to, "main").await;
    assert_eq!((&account["enabled"], &account["has_proxy"]), (&false.into(), &true.into()));
    let note = account["note"].as_str().unwrap_or_default();
    assert!(note.starts_with("noted\nimported without its secret, the login"), "{note}");

    // Where the account has them, nothing is lacking and nothing is lost.
    let again = ["account", "import", "-", "--update", "--json"];
    let done = crs(&from, &again, &bundle).await.json();
    assert_eq!((&done["updated"], &done["incomplete"]), (&1.into(), &json!([])));
    assert!(export_secrets(&from).await.status.success());
    let account = shown(&from, "main").await;
    assert_eq!((&account["enabled"], &account["headers"]), (&true.into(), &json!(["x-team"])));
    assert_eq!(account["secret_tail"], "main");
}

#[tokio::test]
async fn names_that_are_taken_are_skipped_unless_they_are_to_be_updated() {
    let provider = FakeProvider::start().await;
    let (from, to) = (relay().await, relay().await);
    for name in ["a", "b"] {
        from.add_account(name, &provider.base_url(), &["--priority", "7", "--group", "team"]).await;
    }
    to.add_account("a", "http://127.0.0.1:1", &["--group", "night"]).await;
    let bundle = export_secrets(&from).await.stdout;
    let done = import(&to, &bundle, PASSPHRASE, &[]).await;
    assert!(done.status.success());
    let skipped = json!([{"name": "a", "why": "the name \"a\" is taken"}]);
    assert_eq!((&done.json()["imported"], &done.json()["skipped"]), (&1.into(), &skipped));
    assert_eq!(shown(&to, "a").await["priority"], 50);

    let done = import(&to, &bundle, PASSPHRASE, &["--update"]).await.json();
    assert_eq!((&done["imported"], &done["updated"]), (&0.into(), &2.into()));
    assert_eq!(shown(&to, "a").await, shown(&from, "a").await);

    let mut edited: Value = serde_json::from_str(&bundle).expect("JSON");
    edited["accounts"][0]["base_url"] = "http://127.0.0.1:2".into();
    let done = import(&to, &edited.to_string(), PASSPHRASE, &["--update"]).await.json();
    let why = done["skipped"][0]["why"].as_str().unwrap_or_default();
    assert!(why.contains("not those that its secret was sealed for"), "{done}");
}

#[tokio::test]
async fn a_sign_in_moves_with_a_warning_and_is_refreshed_by_its_new_relay() {
    let provider = FakeProvider::start().await;
    let (from, mut to) = (relay().await, relay().await);
    let tokens = provider.issues("main", Duration::from_secs(2)).to_json();
    let (base, token) = (provider.base_url(), provider.token_url());
    from.add_oauth_account("main", &base, &token, &tokens, &[]).await;
    let exported = export_secrets(&from).await;
    assert!(exported.stderr.contains("used in two places"), "{}", exported.stderr);
    let plain = crs(&from, &["account", "export"], "").await;
    assert_eq!(plain.stderr, "", "nothing to warn of");
    let done = import(&to, &exported.stdout, PASSPHRASE, &[]).await;
    assert!(done.stderr.contains("used in two places"), "{}", done.stderr);
    assert_eq!(done.json()["sign_ins"], json!(["main"]));
    to.restart().await;
    provider.until_refreshes(1).await;
    let tested = to.crs(&["account", "test", "main", "--json"], "").await.json();
    assert_eq!((&tested["verdict"], provider.reused()), (&"works".into(), 0), "{tested}");
}

#[tokio::test]
async fn an_older_file_takes_no_sign_in_from_an_account_that_has_a_newer_one() {
    let provider = FakeProvider::start().await;
    let relay = relay().await;
    let (base, token) = (provider.base_url(), provider.token_url());
    let tokens = |life| provider.issues("main", Duration::from_secs(life)).to_json();
    relay.add_oauth_account("main", &base, &token, &tokens(1_000), &[]).await;
    let older = export_secrets(&relay).await.stdout;
    crs(&relay, &["account", "set", "main", "--secret-stdin"], &tokens(9_000)).await;
    let newer = export_secrets(&relay).await.stdout;
    let tail = || async { shown(&relay, "main").await["secret_tail"].clone() };
    let live = tail().await;

    let done = import(&relay, &older, PASSPHRASE, &["--update"]).await.json();
    assert_eq!((&done["updated"], &done["sign_ins"]), (&1.into(), &json!([])), "{done}");
    assert_eq!(done["kept_sign_ins"], json!(["main"]));
    assert_eq!(tail().await, live);

    let other = self::relay().await;
    assert!(import(&other, &older, PASSPHRASE, &[]).await.status.success());
    let done = import(&other, &newer, PASSPHRASE, &["--update"]).await.json();
    assert_eq!((&done["sign_ins"], &done["kept_sign_ins"]), (&json!(["main"]), &json!([])));
    assert_eq!(shown(&other, "main").await["secret_tail"], live);
}

#[tokio::test]
async fn a_proxy_that_was_written_into_the_open_part_of_a_sealed_file_is_not_taken() {
    let (from, to) = (relay().await, relay().await);
    from.add_account("main", "http://127.0.0.1:1", &[]).await;
    let bundle = export_secrets(&from).await.stdout;
    let mut edited: Value = serde_json::from_str(&bundle).expect("JSON");
    edited["accounts"][0]["proxy"] = "http://127.0.0.1:2".into();
    let done = import(&to, &edited.to_string(), PASSPHRASE, &[]).await.json();
    assert_eq!(done["imported"], 1, "{done}");
    assert_eq!(shown(&to, "main").await["has_proxy"], false);
}

#[tokio::test]
async fn what_cannot_be_read_or_sealed_is_refused() {
    let relay = relay().await;
    relay.add_account("a", "http://127.0.0.1:1", &[]).await;
    let code = async |line: &[&str], stdin: &str| relay.crs(line, stdin).await.status.code();
    assert_eq!(code(&["account", "export", "--secrets"], "").await, Some(2), "no passphrase");
    let short = passphrase_of(&relay, "short");
    let export = ["account", "export", "--secrets", "--passphrase-file", &short];
    assert_eq!(code(&export, "").await, Some(1));
    let bundle = export_secrets(&relay).await.stdout;
    assert_eq!(code(&["account", "import", "-"], &bundle).await, Some(2), "no passphrase");
    assert_eq!(code(&["account", "import", "-"], "nonsense").await, Some(1));
    assert_eq!(code(&["account", "import", "nowhere.json"], "").await, Some(1));
    assert_eq!(code(&["account", "export", "nobody"], "").await, Some(1));
}
