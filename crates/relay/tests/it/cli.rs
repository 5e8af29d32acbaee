//! The real binary on a data directory without a server.

mod bulk;
mod fields;
mod heavy;
mod keys;
mod language;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use relay_core::account::{AccountKind, KeyHeader, Sharing};
use relay_core::clock::Timestamp;
use relay_core::credential::Credential;
use relay_core::id::{AccountId, CallId, KeyId};
use relay_core::money::Money;
use relay_core::usage::{CallRecord, Exactness, Outcome, TokenUsage};
use relay_store::Store;
use relay_store::data_dir::DataDir;
use relay_store::journal::Position;
use relay_store::vault::MasterKey;
use relay_testkit::FakeProvider;
use serde_json::Value;
use tempfile::TempDir;

/// When the data directories were made.
const START: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// What the account's secret is; its last four characters may be shown.
const UPSTREAM: &str = "upstream-words-that-stay-hidden-wxyz";

/// A data directory as a first start leaves it.
struct Site {
    home: TempDir,
}

impl Site {
    async fn new() -> Self {
        let site = Self { home: tempfile::tempdir().expect("a directory") };
        site.store().await;
        site
    }

    fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    async fn store(&self) -> Store {
        let dir = DataDir::create(self.data()).expect("a data directory");
        let (master, _) = MasterKey::load(&dir, None, false).expect("a master key");
        Store::open(&dir.database(), &master, START).await.expect("a database")
    }

    /// Runs a command with nothing of the test's own environment.
    fn crs(&self, line: &str, stdin: &str) -> Output {
        let mut child = command(self.home.path(), line).spawn().expect("the binary can be run");
        let mut pipe = child.stdin.take().expect("stdin is piped");
        // A command that reads no stdin may be gone already.
        let _ = pipe.write_all(stdin.as_bytes());
        drop(pipe);
        child.wait_with_output().expect("the command ends")
    }

    /// Runs a command that has to be done, and reads its one JSON value.
    fn json(&self, line: &str, stdin: &str) -> Value {
        let output = self.crs(&format!("{line} --json"), stdin);
        assert_eq!(output.status.code(), Some(0), "{line}: {}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("one JSON value")
    }

    fn add_account(&self, more: &str) -> Value {
        let add = "account add --kind claude-api --base-url http://127.0.0.1:1 --secret-stdin";
        self.json(&format!("{add} {more}"), &format!("{UPSTREAM}\n"))
    }
}

fn command(directory: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crs"));
    command
        .args(line.split_whitespace())
        .current_dir(directory)
        .env_clear()
        .env("TZ", "UTC")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn record(key: KeyId, account: AccountId) -> CallRecord {
    CallRecord {
        window: None,
        call: CallId::new(START, [7; 10]),
        key,
        account,
        at: START,
        path: "/api/v1/messages".into(),
        model_asked: "claude-sonnet-4-6".into(),
        model_served: String::new(),
        client: String::new(),
        session: None,
        streamed: true,
        status: 200,
        outcome: Outcome::Completed,
        usage: TokenUsage {
            input: 10,
            output: 20,
            cache_read: 30,
            cache_write_5m: 40,
            cache_write_1h: 50,
            web_searches: 0,
        },
        exactness: Exactness::Estimated,
        cost: Money::from_nanos(1_250_000),
        priced_by: relay_core::price::PricedBy::default(),
        service_tier: String::new(),
        speed: String::new(),
        first_byte_millis: None,
        total_millis: 1,
        attempts: Vec::new(),
    }
}

#[tokio::test]
async fn an_account_is_added_by_stdin_and_its_secret_never_printed() {
    let site = Site::new().await;
    let mut printed = site.add_account("--name main --group team --models a,b").to_string();
    let accounts = site.json("account list", "");
    let account = &accounts[0];
    for (field, value) in [
        ("id", Value::from("acct_1")),
        ("name", "main".into()),
        ("kind", "claude-api".into()),
        ("state", "able".into()),
        ("resumes_at", Value::Null),
        ("enabled", true.into()),
        ("priority", 50.into()),
        ("groups", vec!["team"].into()),
        ("has_proxy", false.into()),
        ("in_flight", 0.into()),
        ("secret_tail", "wxyz".into()),
    ] {
        assert_eq!(account[field], value, "{field}");
    }
    printed += &accounts.to_string();
    for line in ["account list", "account show main", "account pause main", "account test main"] {
        let output = site.crs(line, "");
        printed += &(text(&output.stdout) + &text(&output.stderr));
    }
    assert!(printed.contains("wxyz") && printed.contains("paused"), "{printed}");
    assert!(!printed.contains(UPSTREAM), "{printed}");
}

#[tokio::test]
async fn every_flag_of_an_account_arrives_and_can_be_changed() {
    let site = Site::new().await;
    let more = "--name a --priority -5 --weight 3 --max-concurrency 2 --map x-*=y --reserved \
                --key-header x-api-key --header X-Team:blue --note n --disabled \
                --first-byte-timeout 30s --unary-timeout 5m --idle-timeout 1h";
    site.add_account(more);
    let stored = site.store().await.find_account("a").await.expect("a query").expect("an account");
    assert_eq!(stored.credential, Credential::ApiKey(UPSTREAM.into()));
    let account = stored.account;
    assert_eq!((account.kind, account.sharing), (AccountKind::ClaudeApi, Sharing::Reserved));
    assert_eq!((account.priority, account.weight, account.concurrency_max), (-5, 3, Some(2)));
    assert_eq!((account.key_header, account.enabled), (KeyHeader::XApiKey, false));
    assert_eq!(account.upstream_model("x-1"), Some("y"));
    assert_eq!(account.extra_headers[0].value, "blue");
    assert_eq!(account.deadlines.unary.map(|span| span.as_secs()), Some(300));
    let set = "account set a --name b --shared --max-concurrency 0 --no-map --no-headers \
               --first-byte-timeout 0 --secret-stdin";
    let changed = site.json(set, "another-secret-of-it");
    assert_eq!((&changed["name"], &changed["sharing"]), (&"b".into(), &"shared".into()));
    for field in ["max_concurrency", "first_byte_timeout_ms"] {
        assert_eq!(changed[field], Value::Null, "{field}");
    }
    assert_eq!((&changed["map"], &changed["headers"]), (&vec![""; 0].into(), &vec![""; 0].into()));
    assert_eq!(changed["priority"], -5);
}

#[tokio::test]
async fn a_key_is_shown_once_and_works_until_it_is_disabled() {
    let site = Site::new().await;
    site.add_account("--name main");
    let add = "key add --name lena --expires 30d --bind claude=main --owner Lena --tag a --tag b";
    let added = site.json(add, "");
    let key = added["key"].as_str().expect("the key").to_owned();
    assert!(key.starts_with("cr_"));
    assert_eq!((&added["id"], &added["name"]), (&"key_1".into(), &"lena".into()));
    let listed = site.json("key list", "");
    assert_eq!(listed[0]["bindings"]["claude"], "main");
    assert_eq!(listed[0]["tags"], Value::from(vec!["a", "b"]));
    assert_eq!(listed[0]["enabled"], true);
    for field in ["expires_at", "limits", "used", "in_flight"] {
        assert!(!listed[0][field].is_null(), "{field}");
    }
    assert!(!listed.to_string().contains(&key));
    let disabled = site.json("key disable lena", "");
    assert_eq!(disabled["enabled"], false);
    let table = text(&site.crs("key list", "").stdout);
    assert!(table.contains("disabled") && !table.contains(&key), "{table}");
    assert_eq!(site.json("key set lena --expires never", "")["expires_at"], Value::Null);
    assert_eq!(site.json("key remove lena", "")["removed"], true);
    assert_eq!(site.json("key list", ""), Value::from(vec![""; 0]));
}

#[tokio::test]
async fn several_keys_are_an_array() {
    let site = Site::new().await;
    let added = site.json("key add --name class --count 2", "");
    let names: Vec<_> = added.as_array().expect("an array").iter().map(|it| &it["name"]).collect();
    assert_eq!(names, ["class-1", "class-2"]);
    assert_ne!(added[0]["key"], added[1]["key"]);
    assert_eq!(site.json("key add --name one --count 1", "").as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn usage_is_empty_until_there_is_some() {
    let site = Site::new().await;
    insta::assert_json_snapshot!(site.json("usage --by key", ""), @r#"
    {
      "rows": []
    }
    "#);
    site.add_account("--name main");
    site.json("key add --name lena", "");
    let calls = [record(KeyId(1), AccountId(1))];
    let store = site.store().await;
    store.ingest(&calls, Position { segment: 1, offset: 1 }).await.expect("taken in");
    let usage = site.json("usage --by key,account --by model,day --since 2027-01-01", "");
    insta::assert_json_snapshot!(usage, @r#"
    {
      "rows": [
        {
          "day": "2027-01-15",
          "key": "lena",
          "key_id": "key_1",
          "account": "main",
          "account_id": "acct_1",
          "model": "claude-sonnet-4-6",
          "calls": 1,
          "input_tokens": 10,
          "output_tokens": 20,
          "cache_read_tokens": 30,
          "cache_write_tokens": 90,
          "cache_write_1h_tokens": 50,
          "web_searches": 0,
          "cost_usd": 0.00125,
          "estimated_calls": 1,
          "failed_calls": 0
        }
      ]
    }
    "#);
    let table = text(&site.crs("usage --by key --since 2027-01-01", "").stdout);
    insta::assert_snapshot!(table, @r"
    key   calls  input  output  cache read  cache write  estimated      cost
    lena      1     10      20          30           90          1  $0.00125
    ");
}

#[tokio::test]
async fn the_ways_to_end_are_told_apart() {
    let site = Site::new().await;
    let code = |line: &str| site.crs(line, "").status.code();
    for wrong in [
        "nonsense",
        "account nonsense",
        "account add --name a",
        "account add --name a --kind nonsense --secret-stdin",
        "account add --name a --kind claude-api",
        "account add --name a --kind claude-api --secret-stdin --header nonsense",
        "key add --name a --expires nonsense",
        "key add --name a --bind nonsense",
        "usage --by nonsense",
        "price set x --input 1",
    ] {
        assert_eq!(code(wrong), Some(2), "{wrong}");
    }
    for refused in ["account show a", "key disable a", "key add --name key_1", "group remove a"] {
        assert_eq!(code(refused), Some(1), "{refused}");
    }
    for done in ["", "--help", "account --help", "account list", "group add a", "price list sonnet"]
    {
        assert_eq!(code(done), Some(0), "{done}");
    }
}

#[tokio::test]
async fn what_is_not_built_says_so() {
    let site = Site::new().await;
    for line in ["backup f", "price refresh"] {
        let output = site.crs(line, "");
        assert_eq!(output.status.code(), Some(2), "{line}");
        assert!(text(&output.stderr).contains("not built yet"), "{line}");
    }
    let help = text(&site.crs("--help", "").stdout);
    assert!(help.contains("With later versions: import"), "{help}");
}

#[test]
fn without_a_data_directory_nothing_is_done_and_none_is_made() {
    let home = tempfile::tempdir().expect("a directory");
    let run = |line: &str| command(home.path(), line).output().expect("the binary can be run");
    for line in ["account list", "key list --data-dir elsewhere", "admin reset-password"] {
        let output = run(line);
        assert_eq!(output.status.code(), Some(1), "{line}");
        assert!(text(&output.stderr).contains("there is no data directory at"), "{line}");
        assert!(output.stdout.is_empty());
    }
    assert_eq!(fs::read_dir(home.path()).expect("a directory").count(), 0);
    fs::create_dir(home.path().join("data")).expect("made");
    let output = run("account list");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("has no database"), "{}", text(&output.stderr));
    assert_eq!(fs::read_dir(home.path().join("data")).expect("a directory").count(), 0);
}

#[tokio::test]
async fn a_test_asks_the_upstream_with_the_secret() {
    let site = Site::new().await;
    let provider = FakeProvider::start().await;
    let add = format!(
        "account add --name main --kind claude-api --base-url {} --secret-stdin",
        provider.base_url()
    );
    site.json(&add, UPSTREAM);
    let tested = tokio::task::spawn_blocking(move || site.json("account test main", ""));
    let tested = tested.await.expect("the test ends");
    assert_eq!((&tested["verdict"], &tested["status"]), (&"works".into(), &200.into()));
}

#[tokio::test]
async fn prices_are_set_and_taken_back() {
    let site = Site::new().await;
    let set = site.json("price set my-model --input 3 --output 15 --web-search 0.01", "");
    assert_eq!((&set["input"], &set["cache_read"]), (&3.0.into(), &3.0.into()));
    assert_eq!(site.json("price list my-model", "")[0]["source"], "override");
    site.json("price unset my-model", "");
    assert_eq!(site.json("price list my-model", ""), Value::from(vec![""; 0]));
    let listed = site.json("price list --model claude-sonnet-4", "");
    assert!(listed.as_array().is_some_and(|rows| !rows.is_empty()));
}

#[tokio::test]
async fn a_lost_password_is_set_anew() {
    let site = Site::new().await;
    let dir = DataDir::open(site.data()).expect("the data directory");
    let store = site.store().await;
    relay::verbs::admin::ensure_first_admin(&store, &dir, Some("root".into()), None, START)
        .await
        .expect("an administrator");
    let mode = fs::metadata(dir.init_file()).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let reset = site.json("admin reset-password", "");
    assert_eq!(reset["username"], "root");
    assert_eq!(reset["password"].as_str().map(str::len), Some(20));
    assert!(!dir.init_file().exists());
    let given = site.json("admin reset-password --password-stdin", "a password of mine\n");
    assert_eq!(given["password"], Value::Null, "nobody needs to be told");
}
