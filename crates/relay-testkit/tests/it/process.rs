//! The handling of a process, with a shell script in the relay's place.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;

use relay_testkit::{Client, RelayProcess};
use tempfile::TempDir;

/// Serves until told to end; as a command it prints what a test looks at.
const STAND_IN: &str = r#"#!/bin/sh
case "$1" in
serve)
    test -n "$REFUSE" && { echo "no master key" >&2; exit 1; }
    trap 'echo bye; exit 0' TERM
    echo "args $*"
    env >&2
    echo "listening on http://127.0.0.1:4321"
    while :; do sleep 0.01; done ;;
key) echo '{"id":"key_1","name":"n","key":"made-up"}' ;;
account)
    test "$2" = login && {
        echo "open https://sign-in.test/authorize?state=$3"
        read -r code
        echo "typed $code"
        exit 0
    }
    echo "{\"secret\":\"$(cat)\",\"args\":\"$*\"}" ;;
*) echo "unknown command" >&2; exit 2 ;;
esac
"#;

fn stand_in(dir: &TempDir) -> PathBuf {
    let path = dir.path().join("crs");
    std::fs::write(&path, STAND_IN).expect("a writable directory");
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&path, executable).expect("a file of our own");
    path
}

#[tokio::test]
async fn a_process_starts_clean_and_ends_as_told() {
    let dir = TempDir::new().unwrap();
    let builder = RelayProcess::builder(stand_in(&dir)).env("LOG_LEVEL", "debug");
    let mut relay = builder.data_dir(dir.path().join("data")).start().await;
    assert_eq!(relay.base_url(), "http://127.0.0.1:4321");
    assert!(relay.stdout_text().contains("args serve --host 127.0.0.1 --port 0 --data-dir"));
    relay.until_says("LOG_LEVEL=debug").await;
    relay.terminate();
    assert_eq!(relay.wait().await.code(), Some(0));
    assert!(relay.stdout_text().ends_with("bye\n"));
    let environment = relay.stderr_text();
    assert!(!environment.contains("CARGO"), "the test's environment stays outside");

    let proxy = environment.lines().find_map(|line| line.strip_prefix("HTTPS_PROXY=")).unwrap();
    assert!(Client::new(proxy).connect().await.is_err(), "the proxy refuses");

    relay.restart().await;
    relay.kill_9().await;
    assert_eq!(relay.wait().await.signal(), Some(9));
}

#[tokio::test]
async fn a_refused_start_tells_why() {
    let dir = TempDir::new().unwrap();
    let refused = RelayProcess::builder(stand_in(&dir)).env("REFUSE", "yes").try_start().await;
    let output = refused.expect_err("the start is refused").0;
    assert_eq!((output.status.code(), output.stderr.as_str()), (Some(1), "no master key\n"));
}

#[tokio::test]
async fn commands_run_on_the_same_data_directory() {
    let dir = TempDir::new().unwrap();
    let relay = RelayProcess::builder(stand_in(&dir)).start().await;
    let account = relay.add_account("a", "http://127.0.0.1:9", &["--priority", "3"]).await.json();
    assert_eq!(account["secret"], "upstream-a");
    let arguments = account["args"].as_str().unwrap();
    assert!(arguments.contains("--secret-stdin --json --priority 3 --data-dir"), "{arguments}");
    assert!(arguments.ends_with(relay.data_dir().to_str().unwrap()));
    assert_eq!(relay.add_key("n").await, "made-up");
    let wrong = relay.crs(&["nonsense"], "").await;
    assert_eq!((wrong.status.code(), wrong.stderr.as_str()), (Some(2), "unknown command\n"));
}

#[tokio::test]
async fn accounts_that_sign_in_are_added_and_commands_that_ask_are_answered() {
    let dir = TempDir::new().unwrap();
    let relay = RelayProcess::builder(stand_in(&dir)).start().await;
    let (base, token) = ("http://127.0.0.1:9", "http://127.0.0.1:9/token");
    let added = relay.add_oauth_account("a", base, token, "tokens", &["--priority", "3"]).await;
    assert_eq!(added.json()["secret"], "tokens");
    let arguments = added.json()["args"].to_string();
    assert!(arguments.contains("--kind claude-oauth --base-url http://127.0.0.1:9 --token-url"));
    assert!(arguments.contains("/token --secret-stdin --json --priority 3"), "{arguments}");

    let mut login = relay.run_interactive(&["account", "login", "a"]);
    assert_eq!(login.address().await, "https://sign-in.test/authorize?state=a");
    login.types("code#a").await;
    assert_eq!(login.line_with("typed").await, "typed code#a");
    let output = login.end().await;
    assert!(output.status.success() && output.stdout.ends_with("code#a\n"), "{output:?}");
}
