//! What operators change while the relay runs, and what stays out of its logs.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use relay::watch;
use relay_core::credential::Credential;
use relay_core::money::Money;
use relay_core::secret::Secret;
use relay_store::accounts::AccountChange;
use relay_store::keys::{Expiry, KeyChange};
use relay_testkit::{Answer, FakeProvider, Fault, MessagesBody, Moment, Received, messages_body};
use tracing_subscriber::fmt::MakeWriter;

use crate::kit::{START, TestRelay, account};

const MESSAGES: &str = "/api/v1/messages";

/// A relay that follows edits, with the accounts `a` and `b`.
async fn watched() -> (FakeProvider, TestRelay) {
    let provider = FakeProvider::start().await;
    let accounts = [account("a", &provider), account("b", &provider)];
    let relay = TestRelay::start(accounts, &[]).await;
    tokio::spawn(watch::run(Arc::clone(&relay.app), relay.changes_seen));
    (provider, relay)
}

fn hello() -> MessagesBody {
    messages_body("claude-sonnet-4-6", "hello")
}

async fn post(relay: &TestRelay) -> Received {
    relay.client.post(MESSAGES, &[], hello()).await
}

/// Waits until an edit has come through, which the relay promises within a second.
async fn within_a_second(mut fits: impl AsyncFnMut() -> bool) {
    let came = async {
        while !fits().await {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(1), came).await;
    assert!(waited.is_ok(), "the edit did not come through within a second");
}

async fn change_key(relay: &TestRelay, change: KeyChange) {
    let store = &relay.app.store;
    let id = store.find_key("tests").await.expect("a query").expect("a key").key.id;
    store.change_key(id, &change, START).await.expect("changed");
}

async fn change_account(relay: &TestRelay, name: &str, change: AccountChange) {
    let id = relay.account_id(name).await;
    relay.app.store.change_account(id, &change, START).await.expect("changed");
}

#[tokio::test]
async fn a_key_that_is_disabled_expired_or_removed_is_refused_within_a_second() {
    let (_provider, relay) = watched().await;
    assert_eq!(post(&relay).await.status, 200);
    change_key(&relay, KeyChange { enabled: Some(false), ..KeyChange::default() }).await;
    within_a_second(async || post(&relay).await.status == 401).await;
    assert!(post(&relay).await.json()["error"]["message"].to_string().contains("disabled"));
    change_key(&relay, KeyChange { enabled: Some(true), ..KeyChange::default() }).await;
    within_a_second(async || post(&relay).await.status == 200).await;

    let expiry = Some(Expiry::At(START));
    change_key(&relay, KeyChange { expiry, ..KeyChange::default() }).await;
    within_a_second(async || post(&relay).await.status == 401).await;

    let id = relay.app.store.find_key("tests").await.expect("a query").expect("a key").key.id;
    relay.app.store.remove_key(id, START).await.expect("removed");
    within_a_second(async || relay.app.keys.is_empty()).await;
    assert_eq!(post(&relay).await.status, 401);
}

#[tokio::test]
async fn an_account_that_is_paused_or_removed_serves_no_more_within_a_second() {
    let (provider, relay) = watched().await;
    let last = |provider: &FakeProvider| provider.requests().pop().expect("asked").api_key;
    assert_eq!(post(&relay).await.status, 200);
    assert_eq!(last(&provider), "upstream-a");

    let paused = AccountChange { enabled: Some(false), ..AccountChange::default() };
    change_account(&relay, "a", paused).await;
    within_a_second(async || {
        post(&relay).await;
        last(&provider) == "upstream-b"
    })
    .await;

    let b = relay.account_id("b").await;
    relay.app.store.remove_account(b, START).await.expect("removed");
    within_a_second(async || post(&relay).await.status == 503).await;

    let resumed = AccountChange { enabled: Some(true), ..AccountChange::default() };
    change_account(&relay, "a", resumed).await;
    within_a_second(async || post(&relay).await.status == 200).await;
    assert_eq!(last(&provider), "upstream-a");
}

#[tokio::test]
async fn a_call_under_way_on_a_removed_account_goes_on() {
    let (provider, relay) = watched().await;
    let body = hello().stream(true).set("system", "[[paced 40 10]]".into());
    let body =
        body.set("messages", serde_json::json!([{"role": "user", "content": "[[paced 40 10]]"}]));
    let mut open = relay.client.stream(MESSAGES, &[], body).await;
    open.until("text_delta").await.expect("content");
    let a = relay.account_id("a").await;
    relay.app.store.remove_account(a, START).await.expect("removed");
    within_a_second(async || relay.app.roster.find(a).is_none()).await;
    let rest = open.collect().await;
    assert_eq!(rest.events().pop().expect("an end").event, "message_stop");
    provider.until_idle().await;
    let record = relay.only_record().await;
    assert_eq!((record.account, record.usage), (a, provider.served()[0].usage));
}

#[tokio::test]
async fn a_reset_clears_rests_within_a_second() {
    let (provider, relay) = watched().await;
    let limited = Answer::anthropic_error(429, "rate_limit_error", "no");
    provider.answers_once(limited.header("retry-after", "100000"));
    assert_eq!(post(&relay).await.status, 200);
    assert!(relay.rests("a").await);
    let a = relay.account_id("a").await;
    relay.app.store.note_account_reset(a, START).await.expect("noted");
    within_a_second(async || !relay.rests("a").await).await;
}

#[tokio::test]
async fn a_price_that_is_set_is_charged_within_a_second() {
    let (_provider, relay) = watched().await;
    let cost = async || {
        post(&relay).await;
        relay.app.shutdown.until_no_call_is_open().await;
        relay.records().pop().expect("a record").cost
    };
    assert!(cost().await > Money::ZERO);
    let price = serde_json::to_string(&relay_core::price::ModelPrice::default()).expect("JSON");
    let store = &relay.app.store;
    store.set_price_override("claude-sonnet-4-6", &price, START).await.expect("set");
    within_a_second(async || cost().await == Money::ZERO).await;
}

/// Everything that is logged, at every level.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_log_line_of_any_level_holds_a_secret_a_prompt_or_an_answer() {
    let captured = Captured::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::level_filters::LevelFilter::TRACE)
        .with_writer(captured.clone())
        .finish();
    // The runtime of this test has this one thread.
    let _guard = tracing::subscriber::set_default(subscriber);

    let provider = FakeProvider::start().await;
    let accounts = [account("a", &provider), account("b", &provider)];
    let relay = TestRelay::start(accounts, &[("STREAM_IDLE_TIMEOUT", "0.3")]).await;
    let key = relay.key().to_owned();
    let call = async |text: &str, streamed| {
        let body = format!("[[say ANSWER-{text}]] PROMPT-{text}");
        let body = messages_body("claude-sonnet-4-6", &body).stream(streamed);
        let path = format!("{MESSAGES}?key={key}");
        relay.client.post(&path, &[("authorization", &key)], body).await
    };
    assert_eq!(call("one", false).await.text(), "ANSWER-one");
    assert_eq!(call("two", true).await.text(), "ANSWER-two");
    let echo = Answer::anthropic_error(400, "invalid_request_error", "you said PROMPT-three");
    provider.answers_once(echo);
    assert_eq!(call("three", false).await.status, 400);
    let echo = Answer::anthropic_error(500, "api_error", "you said PROMPT-four to upstream-a");
    provider.answers_once(echo);
    provider.answers_once(Answer::well().breaks(Fault::Hang, Moment::Deltas(1)));
    call("four", true).await;
    relay.client.post(MESSAGES, &[], r#"{"model":"m","PROMPT-five":ANSWER-five}"#).await;
    let strange = [("x-api-key", "cr_STRANGER"), ("authorization", "cr_STRANGER")];
    assert_eq!(relay.client.post(MESSAGES, &strange, hello()).await.status, 401);
    relay.until_all_is_given_back().await;

    let log = String::from_utf8_lossy(&captured.0.lock()).into_owned();
    assert!(log.contains("served") && log.contains("an attempt failed"), "it is the relay's log");
    for secret in [key.as_str(), "upstream-a", "upstream-b", "PROMPT-", "ANSWER-", "STRANGER"] {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} is logged");
    }
}

#[tokio::test]
async fn every_answer_has_an_id_of_its_own() {
    let (_provider, relay) = watched().await;
    let mut ids = std::collections::HashSet::new();
    for _ in 0..20 {
        assert!(ids.insert(post(&relay).await.header("x-crs-request-id").to_owned()));
    }
    let refused = relay.client.post(MESSAGES, &[("x-api-key", "no")], hello()).await;
    assert!(ids.insert(refused.header("x-crs-request-id").to_owned()));
    assert_eq!(refused.json()["request_id"], refused.header("x-crs-request-id"));
}

#[tokio::test]
async fn a_new_credential_ends_the_rest_that_the_old_one_had() {
    let (provider, relay) = watched().await;
    provider.answers_key("upstream-a", Answer::anthropic_error(401, "authentication_error", "no"));
    assert_eq!(post(&relay).await.status, 200, "b answers");
    assert!(relay.rests("a").await, "a rests for its credential");

    let credential = Some(Credential::ApiKey(Secret::new("upstream-fresh")));
    change_account(&relay, "a", AccountChange { credential, ..AccountChange::default() }).await;
    within_a_second(async || !relay.rests("a").await).await;
    let other = messages_body("claude-sonnet-4-6", "another conversation");
    relay.client.post(MESSAGES, &[], other).await;
    assert_eq!(provider.requests().last().expect("a request").api_key, "upstream-fresh");
}
