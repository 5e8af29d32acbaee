//! What befell an account.

use std::time::Duration;

use http::Method;
use relay_testkit::{Answer, FakeProvider, messages_body};
use serde_json::{Value, json};

use super::Door;
use crate::kit::{TestRelay, account};
use crate::oauth::until;

async fn call(relay: &TestRelay, text: &str) -> u16 {
    let body = messages_body("claude-sonnet-4-6", text);
    relay.client.post("/api/v1/messages", &[], body).await.status
}

#[tokio::test]
async fn faults_rests_and_how_they_ended_are_shown() {
    let provider = FakeProvider::start().await;
    let mut door = Door::start([account("a", &provider), account("b", &provider)], &[]).await;
    provider.answers_key("upstream-a", Answer::status(401));
    assert_eq!(call(&door.relay, "first").await, 200, "b serves it");
    let during = door.get("accounts/a").await;
    assert_eq!(during["state"], "resting");
    provider.recovers();
    door.relay.clock.advance(Duration::from_secs(90));
    assert_eq!(call(&door.relay, "second").await, 200, "a answers again");
    door.relay.events_until_all(&["account_rested", "account_recovered"]).await;
    let pause = door.post("accounts/a/pause", Value::Null).await;
    assert_eq!(pause["state"], "paused");
    door.relay.app.shutdown.until_no_call_is_open().await;
    door.relay.books.take().expect("the books").write_all().await;

    let shown = door.get("accounts/a").await;
    let fault = &shown["faults"][0];
    assert_eq!(shown["faults"].as_array().map(Vec::len), Some(1), "{shown}");
    assert_eq!((&fault["status"], &fault["fault"]), (&json!(401), &json!("unauthorised")));
    assert_eq!(fault["words"], "the provider did not accept the credential");
    assert_eq!(fault["model"], "claude-sonnet-4-6");
    let names: Vec<_> = shown["events"].as_array().expect("events").iter().collect();
    let names: Vec<_> = names.iter().map(|it| it["name"].as_str().expect("a word")).collect();
    assert_eq!(names, ["account_paused", "account_recovered", "account_rested"]);
    let rest = shown["events"][2]["words"].as_str().expect("words");
    assert!(rest.starts_with("rests until ") && rest.contains("401"), "{rest}");
    assert_eq!(shown["pinned"], 1, "the second conversation stays with it");
    assert_eq!(door.get("accounts/b").await["faults"], json!([]));

    door.relay.clock.advance(Duration::from_mins(1));
    let strip = door.get("accounts/a/ability").await;
    let states: Vec<_> = strip.as_array().expect("a list").iter().map(|it| &it["state"]).collect();
    assert_eq!(states, ["resting", "able", "paused"], "{strip}");
    assert_eq!(strip[2]["from"], strip[1]["to"]);
    let short = door.get("accounts/a/ability?range=1h").await;
    assert_eq!(short.as_array().map(Vec::len), Some(3));
    for (query, field) in [
        ("range=nonsense", "range"),
        ("from=nonsense", "from"),
        ("from=2099-01-01T00:00:00Z", "from"),
    ] {
        for of in ["ability", "windows"] {
            let path = format!("accounts/a/{of}?{query}");
            let refused = door.refused(Method::GET, &path, Value::Null).await;
            assert_eq!(refused, (400, "invalid".to_owned(), field.to_owned()), "{path}");
        }
    }
}

#[tokio::test]
async fn windows_tell_what_is_known() {
    let provider = FakeProvider::start().await;
    let door = Door::start([account("a", &provider)], &[]).await;
    assert_eq!(door.get("accounts/a/windows").await, json!([]));
    let resets = door.relay.app.now().plus(Duration::from_hours(2)).as_millis() / 1_000;
    provider.answers_once(
        Answer::well()
            .header("anthropic-ratelimit-unified-5h-utilization", "0.42")
            .header("anthropic-ratelimit-unified-5h-reset", &resets.to_string()),
    );
    assert_eq!(call(&door.relay, "hello").await, 200);
    until("the window is known", async || {
        door.get("accounts/a/windows").await.as_array().is_some_and(|all| !all.is_empty())
    })
    .await;
    let windows = door.get("accounts/a/windows").await;
    assert_eq!((&windows[0]["window"], &windows[0]["used_percent"]), (&json!("5h"), &json!(42.0)));
    assert_eq!(windows[0]["points"][0]["used_percent"], 42.0);
}
