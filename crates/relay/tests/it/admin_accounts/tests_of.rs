//! Testing accounts: server-sent events.

use http::Method;
use relay_core::account::AccountKind;
use relay_core::secret::Secret;
use relay_store::accounts::NewAccount;
use relay_store::audit::AuditFilter;
use relay_testkit::{Answer, FakeProvider, Received, SseEvent, parse_sse};
use serde_json::{Value, json};

use super::{Door, TextOfBody};
use crate::kit::account;
use crate::oauth::until;

/// The events of a test: each with its name and what it says.
async fn events(door: &Door, name: &str, body: &Value) -> Vec<(String, Value)> {
    let path = format!("/admin/accounts/{name}/test");
    let headers = &[("content-type", "application/json")];
    let answer: Received = door.client.post(&path, headers, body.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text_of_body());
    assert!(!answer.text_of_body().contains("upstream-"), "{}", answer.text_of_body());
    let read = |event: &SseEvent| {
        let data = serde_json::from_str(&event.data).expect("JSON");
        (event.event.clone(), data)
    };
    parse_sse(&answer.body).iter().map(read).collect()
}

fn text(events: &[(String, Value)]) -> String {
    let pieces = events.iter().filter(|(name, _)| name == "text");
    pieces.map(|(_, data)| data["text"].as_str().expect("words")).collect()
}

#[tokio::test]
async fn an_answer_comes_piece_by_piece_in_every_protocol() {
    let provider = FakeProvider::start().await;
    let keyed = |name: &str, kind: AccountKind| {
        let secret = Secret::new(format!("upstream-{name}"));
        NewAccount::new(name, kind, &provider.base_url(), secret)
    };
    let accounts = [
        account("claude", &provider),
        keyed("chat", AccountKind::OpenaiApi),
        keyed("gemini", AccountKind::GeminiApi),
    ];
    let door = Door::start(accounts, &[]).await;
    for (name, model) in
        [("claude", "claude-haiku-4-5"), ("chat", "gpt-6.1"), ("gemini", "gemini-3-flash")]
    {
        let body = json!({"prompt": "[[say one two three]]", "model": model});
        let events = events(&door, name, &body).await;
        assert_eq!(text(&events), "one two three", "{name}: {events:?}");
        let (last, done) = events.last().expect("an event");
        assert_eq!((last.as_str(), &done["verdict"]), ("done", &json!("works")), "{done}");
        assert_eq!((&done["words"], &done["answer"]), (&json!("works"), &json!("one two three")));
        assert_eq!((&done["model"], &done["exit"]), (&json!(model), &json!("direct")));
        assert!(done["usage"]["output_tokens"].as_u64().expect("a number") > 0, "{done}");
    }
    assert!(door.relay.records().is_empty(), "nothing is stored of it");
    let deeds =
        door.relay.app.store.audit_lines(&AuditFilter::default(), (0, 100)).await.expect("a query");
    assert!(!format!("{deeds:?}").contains("one two three"));
}

#[tokio::test]
async fn what_is_in_the_way_is_told_in_words() {
    let provider = FakeProvider::start().await;
    let door = Door::start([account("a", &provider)], &[]).await;
    provider.answers_once(Answer::status(401));
    let events_of = events(&door, "a", &json!({})).await;
    assert_eq!(events_of.len(), 1, "{events_of:?}");
    let (name, done) = &events_of[0];
    assert_eq!((name.as_str(), &done["verdict"]), ("done", &json!("refused")));
    assert_eq!(done["fault"], "the provider does not accept the secret");
    let free = events(&door, "a", &json!({"no_answer": true})).await;
    assert_eq!((free.len(), &free[0].1["verdict"]), (1, &json!("works")));
    assert_eq!(free[0].1["answer"], Value::Null);
    // One that was added just now is known by then.
    let new = json!({"name": "new", "kind": "claude-api", "secret": "upstream-new",
        "base_url": provider.base_url()});
    door.post("accounts", new).await;
    let events_of = events(&door, "new", &json!({"prompt": "[[say here]]"})).await;
    assert_eq!(text(&events_of), "here");
    for (body, field) in [
        (json!({"prompt": "x".repeat(2_001)}), "prompt"),
        (json!({"model": 1}), "model"),
        (json!({"nonsense": 1}), "nonsense"),
    ] {
        let refused = door.refused(Method::POST, "accounts/a/test", body.clone()).await;
        assert_eq!(refused, (400, "invalid".to_owned(), field.to_owned()), "{body}");
    }
}

#[tokio::test]
async fn who_leaves_ends_the_test() {
    let provider = FakeProvider::start().await;
    let door = Door::start([account("a", &provider)], &[]).await;
    provider.answers_once(Answer::well().slow_head(std::time::Duration::from_hours(1)));
    let headers = &[("content-type", "application/json")];
    let asked = door.client.stream("/admin/accounts/a/test", headers, "{}").await;
    until("the provider is asked", async || provider.in_flight() == 1).await;
    drop(asked);
    provider.until_idle().await;
}
