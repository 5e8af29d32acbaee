//! The flags of accounts that sign in, end, stop at a mark or go through a proxy.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{Site, command, text};

/// Tokens of a login, as an operator gives them.
fn tokens() -> String {
    let word = |what: &str| format!("{what} of a login wxyz").replace(' ', "-");
    json!({
        "access_token": word("access"),
        "refresh_token": word("refresh"),
        "expires_at": "2037-01-15T08:00:00Z",
    })
    .to_string()
}

const ADD: &str = "account add --kind claude-oauth --name main --secret-stdin";

#[tokio::test]
async fn an_account_is_added_by_its_tokens() {
    let site = Site::new().await;
    let more = "--token-url http://127.0.0.1:9/token --clients any --stop-at 5h=90,7d=95 \
                --daily-cost 2.50 --ends 2036-12-31 --oauth-client-id tests \
                --authorize-url http://127.0.0.1:9/page --redirect-url http://127.0.0.1:9/back \
                --scope user:inference";
    let added = site.json(&format!("{ADD} {more}"), &tokens());
    for (field, value) in [
        ("kind", json!("claude-oauth")),
        ("state", json!("able")),
        ("base_url", json!("https://api.anthropic.com")),
        ("clients", json!("any")),
        ("stop_at", json!({"5h": 90, "7d": 95})),
        ("daily_cost_usd", json!(2.5)),
        ("spent_today_usd", Value::Null),
        ("ends_at", json!("2037-01-01T00:00:00Z")),
        ("token_expires_at", json!("2037-01-15T08:00:00Z")),
        ("can_refresh", json!(true)),
        ("signed_out_at", Value::Null),
        ("identity", Value::Null),
        ("secret_tail", json!("wxyz")),
        ("reason", json!("")),
    ] {
        assert_eq!(added[field], value, "{field}");
    }
    assert_eq!(
        added["oauth"],
        json!({
            "authorize_url": "http://127.0.0.1:9/page",
            "token_url": "http://127.0.0.1:9/token",
            "client_id": "tests",
            "redirect_url": "http://127.0.0.1:9/back",
            "scope": "user:inference",
        })
    );
    let shown = text(&site.crs("account show main", "").stdout);
    for fact in ["90 % of 5h, 95 % of 7d", "$2.5", "ends on 2036-12-31", "refreshed before"] {
        assert!(shown.contains(fact), "{fact}: {shown}");
    }
}

#[tokio::test]
async fn settings_are_changed_one_by_one_and_taken_away() {
    let site = Site::new().await;
    let more = "--token-url http://127.0.0.1:9/token --scope user:inference --stop-at 90 \
                --daily-cost 1 --ends 30d --clients any";
    site.json(&format!("{ADD} {more}"), &tokens());
    let set = site.json("account set main --stop-at 7d=80 --authorize-url http://127.0.0.1:9/", "");
    assert_eq!(set["stop_at"], json!({"5h": 90, "7d": 80}));
    assert_eq!(set["oauth"]["token_url"], "http://127.0.0.1:9/token");
    assert_eq!(set["oauth"]["authorize_url"], "http://127.0.0.1:9/");
    let lifted = "account set main --stop-at off --daily-cost 0 --ends never --clients claude_code";
    let lifted = site.json(lifted, "");
    assert_eq!(lifted["stop_at"], json!({"5h": null, "7d": null}));
    assert_eq!((&lifted["daily_cost_usd"], &lifted["ends_at"]), (&Value::Null, &Value::Null));
    assert_eq!(lifted["clients"], "claude_code");
    let mut own = command(site.home.path(), "account set main --json --token-url");
    let own = own.arg("").output().expect("the binary can be run");
    let own: Value = serde_json::from_slice(&own.stdout).expect("one JSON value");
    assert_eq!(own["oauth"]["token_url"], Value::Null, "the provider's own again");
    assert_eq!(own["oauth"]["scope"], "user:inference");
    let other = site.json("account set main --secret-stdin", &tokens().replace("wxyz", "abcd"));
    assert_eq!(other["secret_tail"], "abcd");
    let output = site.crs("account set main --secret-stdin", "two words");
    assert_eq!(output.status.code(), Some(1), "no tokens");
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let site = Site::new().await;
    for (more, code) in [
        ("--stop-at 101", 2),
        ("--stop-at 6h=1", 2),
        ("--daily-cost=-1", 1),
        ("--ends nonsense", 2),
        ("--clients nobody", 2),
        ("--token-url host/token", 1),
        ("--authorize-url ftp://host", 1),
        ("--proxy ftp://host", 2),
        ("--proxy http://127.0.0.1:9 --proxy-env X", 2),
        ("--login", 2),
    ] {
        let output = site.crs(&format!("{ADD} {more}"), &tokens());
        assert_eq!(output.status.code(), Some(code), "{more}: {}", text(&output.stderr));
    }
    let key = site.crs("account add --kind claude-api --name a --login", "");
    assert_eq!(key.status.code(), Some(2));
    let neither = site.crs("account add --kind claude-oauth --name a", "");
    assert_eq!(neither.status.code(), Some(2));
    assert!(text(&neither.stderr).contains("--login"), "{}", text(&neither.stderr));
    assert_eq!(site.json("account list", ""), json!([]));
}

/// A password with everything in it that an address means something by.
const PASSWORD: &str = "se:cr@et/w?rd#%41";

fn holds(directory: &Path, word: &str) -> bool {
    fs::read_dir(directory).expect("a directory").any(|entry| {
        let path = entry.expect("an entry").path();
        let holds = |content: Vec<u8>| String::from_utf8_lossy(&content).contains(word);
        if path.is_dir() { self::holds(&path, word) } else { fs::read(&path).is_ok_and(holds) }
    })
}

#[tokio::test]
async fn the_password_of_a_proxy_is_nowhere_to_be_read() {
    let site = Site::new().await;
    let url = format!("socks5h://lena:{PASSWORD}@127.0.0.1:1080/");
    fs::write(site.home.path().join("proxy"), format!("{url}\n")).expect("written");
    let mut said = String::new();
    let mut run = |line: &str, variable: Option<(&str, &str)>| {
        let mut command = command(site.home.path(), line);
        let output = command.envs(variable).output().expect("the binary can be run");
        said += &(text(&output.stdout) + &text(&output.stderr));
        output
    };
    let add =
        |name: &str| format!("account add --kind claude-api --secret-env KEY --json --name {name}");
    let by_file = format!("{} --proxy-file proxy", add("a"));
    let mut first = command(site.home.path(), &by_file);
    let first = first.env("KEY", super::UPSTREAM).output().expect("the binary can be run");
    assert!(first.status.success(), "{}", text(&first.stderr));
    let mut second = command(site.home.path(), &add("b"));
    let second = second.env("KEY", super::UPSTREAM).env("CRS_PROXY", &url);
    assert!(second.output().expect("the binary can be run").status.success());
    let set = run(&format!("account set a --proxy {url}"), None);
    assert!(set.status.success());
    assert!(run("account set b --proxy-env WAY", Some(("WAY", &url))).status.success());
    for wrong in ["nonsense", "http://host:99999"] {
        let wrong = wrong.replace("http://", &format!("http://lena:{PASSWORD}@"));
        let wrong = wrong.replace("nonsense", &format!("lena:{PASSWORD}@host"));
        let refused = run(&format!("account set a --proxy {wrong}"), None);
        assert_eq!(refused.status.code(), Some(2));
    }
    run("account list", None);
    run("account list --json", None);
    run("account show b", None);
    let stored = site.store().await;
    let stored = stored.find_account("b").await.expect("a query").expect("an account");
    let proxy = stored.account.proxy.clone().expect("a proxy");
    let login = proxy.login.expect("a login").1;
    assert_eq!(login.expose(), PASSWORD.replace("%41", "A"));
    assert!(said.contains("socks5h://…@127.0.0.1:1080"), "{said}");
    for word in ["se:cr@et", "et/w?rd", "cr%40et", "lena:se"] {
        assert!(!said.contains(word), "{word}: {said}");
        assert!(!holds(&site.data(), word), "{word}");
    }
    let shown = site.json("account set a --no-proxy", "");
    assert_eq!((&shown["has_proxy"], &shown["proxy"]), (&json!(false), &Value::Null));
    let mut direct = command(site.home.path(), "account set b --json --proxy");
    let direct = direct.arg("").output().expect("the binary can be run");
    assert!(text(&direct.stdout).contains("\"has_proxy\": false"), "{}", text(&direct.stderr));
}
