//! What commands say of accounts in a running server.

use std::time::Duration;

use relay_testkit::{Answer, Client, FakeProvider, RelayProcess, messages_body};
use serde_json::Value;

use super::CRS;

/// Waits until `crs account show main` says something. Each look is a process of its own, which is
/// pause enough.
async fn until(relay: &RelayProcess, holds: impl Fn(&Value) -> bool) -> Value {
    looks(async || {}, relay, holds).await
}

/// Calls until `crs account show main` says something: the relay knows a new key within a second.
async fn calls_until(
    client: &Client,
    relay: &RelayProcess,
    holds: impl Fn(&Value) -> bool,
) -> Value {
    let call = async || {
        let body = messages_body("claude-sonnet-4-6", "[[say hello]]").stream(false);
        client.post("/api/v1/messages", &[], body).await;
    };
    looks(call, relay, holds).await
}

async fn looks(
    before: impl AsyncFn(),
    relay: &RelayProcess,
    holds: impl Fn(&Value) -> bool,
) -> Value {
    let shown = async {
        loop {
            before().await;
            let shown = relay.crs(&["account", "show", "main", "--json"], "").await.json();
            if holds(&shown) {
                return shown;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(15), shown).await.expect("it is said in time")
}

#[tokio::test]
async fn a_rest_is_told_in_words_until_it_is_reset() {
    let provider = FakeProvider::start().await;
    let relay = RelayProcess::builder(CRS).start().await;
    relay.add_account("main", &provider.base_url(), &[]).await;
    let key = relay.add_key("tests").await;
    let client = Client::new(relay.base_url()).anthropic(&key);
    let reset = jiff::Timestamp::now().as_second() + 1_800;
    provider.answers_key("upstream-main", Answer::limited("five_hour", reset));
    let shown = calls_until(&client, &relay, |shown| shown["state"] == "resting").await;
    let reason = shown["reason"].as_str().expect("words");
    assert!(reason.starts_with("rests until "), "{reason}");
    assert!(reason.contains(": the provider's limit (429), stated by it"), "{reason}");
    assert_eq!(shown["rests"][0]["cause"], "rate_limited");
    assert!(!shown["resumes_at"].is_null());
    let listed = relay.crs(&["account", "list"], "").await.stdout;
    assert!(listed.contains("resting") && listed.contains("main: rests until"), "{listed}");
    assert!(relay.crs(&["account", "reset", "--all"], "").await.status.success());
    let able = until(&relay, |shown| shown["state"] == "able").await;
    assert_eq!((&able["reason"], &able["resumes_at"]), (&"".into(), &Value::Null));

    // A limit that names no window is one of the model that was asked for.
    let limit = Answer::anthropic_error(429, "rate_limit_error", "slow down");
    provider.answers_key("upstream-main", limit.header("retry-after", "1800"));
    let body = messages_body("claude-sonnet-4-6", "hello").stream(false);
    client.post("/api/v1/messages", &[], body).await;
    let narrow = until(&relay, |shown| shown["reason"] != "").await;
    let reason = narrow["reason"].as_str().expect("words");
    assert!(reason.starts_with("rests for sonnet until "), "{reason}");
    assert_eq!(
        (&narrow["state"], &narrow["rests"][0]["family"]),
        (&"able".into(), &"sonnet".into())
    );
}

#[tokio::test]
async fn windows_of_a_subscription_are_shown_and_stop_it_at_its_mark() {
    let provider = FakeProvider::start().await;
    let relay = RelayProcess::builder(CRS).start().await;
    let tokens = provider.issues("lena", Duration::from_hours(1)).to_json();
    let (base, token) = (provider.base_url(), provider.token_url());
    relay.add_oauth_account("main", &base, &token, &tokens, &["--clients", "any"]).await;
    relay.crs(&["account", "set", "main", "--stop-at", "5h=10"], "").await;
    let key = relay.add_key("tests").await;
    let client = Client::new(relay.base_url()).anthropic(&key);
    let reset = jiff::Timestamp::now().as_second() + 7_200;
    let answer = Answer::well().unified(12, 34, reset);
    provider.answers_owner("lena", answer);
    let shown = calls_until(&client, &relay, |shown| shown["state"] == "resting").await;
    let reason = shown["reason"].as_str().expect("words");
    assert!(reason.starts_with("stopped at 12 % of the 5h window until "), "{reason}");
    assert!(reason.ends_with(" (mark 10 %)"), "{reason}");
    assert_eq!(
        (&shown["windows"][0]["window"], &shown["windows"][0]["used_percent"]),
        (&"5h".into(), &12.0.into())
    );
    let text = relay.crs(&["account", "show", "main"], "").await.stdout;
    assert!(text.contains("5h: 12 % used until "), "{text}");
}
