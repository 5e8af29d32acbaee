//! Which account serves a call: pins of conversations, slots, groups, bindings, models.

mod hard;

use std::time::Duration;

use relay_core::account::Sharing;
use relay_core::credential::Identity;
use relay_core::key::BindingTarget;
use relay_core::model::ModelPattern;
use relay_store::accounts::{AccountChange, NewAccount};
use relay_testkit::{Answer, Client, FakeProvider, Fault, MessagesBody, Moment, messages_body};
use serde_json::json;

use crate::kit::{START, TestRelay, account};

const MESSAGES: &str = "/api/v1/messages";
const SONNET: &str = "claude-sonnet-4-6";

fn hello() -> MessagesBody {
    messages_body(SONNET, "hello")
}

fn in_session(session: &str) -> MessagesBody {
    hello().session(session)
}

/// Accounts of one priority, so that the least recently used serves what no pin decides.
async fn equals(accounts: impl IntoIterator<Item = NewAccount>) -> TestRelay {
    let relay = TestRelay::start(accounts, &[]).await;
    for member in relay.app.roster.snapshot().iter() {
        let change = AccountChange { priority: Some(1), ..AccountChange::default() };
        relay.edit_account(&member.account.name, &change).await;
    }
    relay
}

async fn two() -> (FakeProvider, TestRelay) {
    let provider = FakeProvider::start().await;
    let relay = equals([account("a", &provider), account("b", &provider)]).await;
    (provider, relay)
}

/// Makes a call a moment after the last, and tells which account served it.
async fn serves(relay: &TestRelay, provider: &FakeProvider, body: MessagesBody) -> String {
    serves_client(relay, provider, &relay.client, &[], body).await
}

async fn serves_client(
    relay: &TestRelay,
    provider: &FakeProvider,
    client: &Client,
    headers: &[(&str, &str)],
    body: MessagesBody,
) -> String {
    relay.clock.advance(Duration::from_millis(10));
    let answer = client.post(MESSAGES, headers, body).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    relay.app.shutdown.until_no_call_is_open().await;
    let asked = provider.requests().pop().expect("asked");
    asked.api_key.trim_start_matches("upstream-").to_owned()
}

/// Opens a stream that holds its slot until what is returned is dropped.
async fn holds_a_slot(
    relay: &TestRelay,
    provider: &FakeProvider,
    body: MessagesBody,
) -> relay_testkit::Incoming {
    provider.answers_once(Answer::well().breaks(Fault::Hang, Moment::Deltas(1)));
    let mut incoming = relay.client.stream(MESSAGES, &[], body.stream(true)).await;
    incoming.until("text_delta").await.expect("content");
    incoming
}

#[tokio::test]
async fn a_conversation_stays_with_its_account_and_others_are_spread() {
    let (provider, relay) = two().await;
    assert_eq!(serves(&relay, &provider, in_session("s")).await, "a");
    assert_eq!(serves(&relay, &provider, in_session("t")).await, "b");
    for _ in 0..3 {
        assert_eq!(serves(&relay, &provider, in_session("s")).await, "a");
    }
    assert_eq!(serves(&relay, &provider, in_session("t")).await, "b");
}

#[tokio::test]
async fn a_conversation_is_known_by_any_of_its_marks() {
    let (provider, relay) = two().await;
    let old_form = || {
        let user = format!(
            "user_{}_account__session_{}",
            "0f".repeat(32),
            "01234567-89ab-cdef-0123-456789abcdef"
        );
        hello().set("metadata", json!({"user_id": user}))
    };
    assert_eq!(serves(&relay, &provider, old_form()).await, "a");
    assert_eq!(serves(&relay, &provider, hello().set("system", "other".into())).await, "b");
    assert_eq!(serves(&relay, &provider, old_form()).await, "a");

    let client = relay.client.clone();
    let header = [("x-session-id", "mine")];
    let by_header = |body| serves_client(&relay, &provider, &client, &header, body);
    assert_eq!(by_header(messages_body(SONNET, "one")).await, "b");
    assert_eq!(serves(&relay, &provider, hello().set("system", "more".into())).await, "a");
    assert_eq!(by_header(messages_body(SONNET, "two")).await, "b");
}

#[tokio::test]
async fn a_conversation_without_a_mark_is_known_by_its_beginning() {
    let (provider, relay) = two().await;
    let turn = || messages_body(SONNET, "第一个问题");
    assert_eq!(serves(&relay, &provider, turn()).await, "a");
    assert_eq!(serves(&relay, &provider, messages_body(SONNET, "another")).await, "b");
    let later = messages_body(SONNET, "second question").earlier_turn("第一个问题", "an answer");
    assert_eq!(serves(&relay, &provider, later).await, "a");
}

#[tokio::test]
async fn two_keys_with_the_same_session_go_their_own_ways() {
    let (provider, relay) = two().await;
    let (_, other) = relay.add_key("other").await;
    assert_eq!(serves(&relay, &provider, in_session("s")).await, "a");
    let others = serves_client(&relay, &provider, &other, &[], in_session("s")).await;
    assert_eq!(others, "b", "least recently used, not the other key's pin");
    assert_eq!(serves(&relay, &provider, in_session("s")).await, "a");
}

#[tokio::test]
async fn a_pin_moves_when_its_account_rests_and_stays_moved() {
    let (provider, relay) = two().await;
    assert_eq!(serves(&relay, &provider, in_session("s")).await, "a");
    let limited = Answer::anthropic_error(429, "rate_limit_error", "no");
    provider.answers_once(limited.header("retry-after", "60"));
    assert_eq!(serves(&relay, &provider, in_session("s")).await, "b");
    relay.clock.advance(Duration::from_secs(61));
    assert!(!relay.rests("a").await);
    assert_eq!(serves(&relay, &provider, in_session("s")).await, "b");
}

#[tokio::test]
async fn a_pin_ends_an_hour_after_its_last_use() {
    let (provider, relay) = two().await;
    assert_eq!(serves(&relay, &provider, in_session("s")).await, "a");
    for _ in 0..3 {
        relay.clock.advance(Duration::from_mins(50));
        assert_eq!(serves(&relay, &provider, in_session("s")).await, "a");
    }
    relay.clock.advance(Duration::from_mins(61));
    assert_eq!(serves(&relay, &provider, in_session("s")).await, "b");
}

#[tokio::test]
async fn a_pin_survives_a_restart() {
    let (provider, relay) = two().await;
    assert_eq!(serves(&relay, &provider, in_session("s")).await, "a");
    assert_eq!(serves(&relay, &provider, in_session("t")).await, "b");
    let relay = relay.restart(&[]).await;
    assert_eq!(serves(&relay, &provider, in_session("t")).await, "b");
    assert_eq!(serves(&relay, &provider, in_session("t")).await, "b");
    assert_eq!(serves(&relay, &provider, in_session("s")).await, "a");
}

#[tokio::test]
async fn a_busy_pinned_account_is_waited_for() {
    let (provider, relay) = two().await;
    let single = AccountChange { concurrency_max: Some(1), ..AccountChange::default() };
    relay.edit_account("a", &single).await;
    let held = holds_a_slot(&relay, &provider, in_session("s")).await;
    let client = relay.client.clone();
    let waiting = tokio::spawn(async move { client.post(MESSAGES, &[], in_session("s")).await });
    while relay.app.shutdown.open_calls() < 2 {
        tokio::task::yield_now().await;
    }
    held.leave();
    assert_eq!(waiting.await.expect("no panic").status, 200);
    let asked: Vec<_> = provider.requests().into_iter().map(|it| it.api_key).collect();
    assert_eq!(asked, ["upstream-a", "upstream-a"]);
}

#[tokio::test]
async fn a_pin_stays_when_its_account_was_only_busy() {
    let (provider, relay) = two().await;
    let single = AccountChange { concurrency_max: Some(1), ..AccountChange::default() };
    relay.edit_account("a", &single).await;
    let held = holds_a_slot(&relay, &provider, in_session("s")).await;
    let answer = relay.client.post(MESSAGES, &[], in_session("s")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(provider.requests().pop().expect("asked").api_key, "upstream-b");
    held.leave();
    relay.app.shutdown.until_no_call_is_open().await;
    assert_eq!(serves(&relay, &provider, in_session("s")).await, "a");
}

#[tokio::test]
async fn a_call_for_a_model_of_another_account_leaves_the_pin_where_it_is() {
    let provider = FakeProvider::start().await;
    let serving = |name: &str, model: &str| {
        let mut account = account(name, &provider);
        account.models = vec![ModelPattern::new(model)];
        account
    };
    let accounts = [serving("a", "*sonnet*"), serving("b", "*sonnet*"), serving("c", "*haiku*")];
    let relay = equals(accounts).await;
    // Agents ask a small model beside, in the same session.
    let beside = || messages_body("claude-haiku-4-5", "a title").session("s");
    for _ in 0..3 {
        assert_eq!(serves(&relay, &provider, in_session("s")).await, "a");
        assert_eq!(serves(&relay, &provider, beside()).await, "c");
    }
}

#[tokio::test]
async fn a_call_for_a_model_that_the_plan_lacks_leaves_the_pin_where_it_is() {
    let (provider, relay) = two().await;
    let id = relay.account_id("a").await;
    let mut stored = relay.app.store.account(id).await.expect("a query").expect("there");
    stored.identity = Some(Identity { plan: "claude_free".to_owned(), ..Identity::default() });
    relay.app.roster.put(stored);
    let beside = || messages_body("claude-opus-4-8", "a hard one").session("s");
    for _ in 0..3 {
        assert_eq!(serves(&relay, &provider, in_session("s")).await, "a");
        assert_eq!(serves(&relay, &provider, beside()).await, "b");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_bound_what_an_account_serves_at_a_time_and_all_are_served() {
    let provider = FakeProvider::start().await;
    let mut narrow = account("a", &provider);
    narrow.concurrency_max = Some(3);
    let relay = TestRelay::start([narrow], &[]).await;
    provider.answers_always(Answer::well().delay(Duration::from_millis(10)));
    let calls: Vec<_> = (0..50)
        .map(|number| {
            let client = relay.client.clone();
            let body = messages_body(SONNET, &format!("question {number}"));
            let body = body.stream(number % 2 == 0);
            tokio::spawn(async move { client.post(MESSAGES, &[], body).await.status })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.expect("no panic"), 200);
    }
    assert_eq!(provider.max_in_flight(), 3);
    relay.until_all_is_given_back().await;
}

#[tokio::test]
async fn a_waiting_call_takes_whichever_account_is_free_first() {
    let provider = FakeProvider::start().await;
    let narrow = |name| {
        let mut account = account(name, &provider);
        account.concurrency_max = Some(1);
        account
    };
    let relay = TestRelay::start([narrow("a"), narrow("b")], &[]).await;
    let body = |text| messages_body(SONNET, text);
    let on_a = holds_a_slot(&relay, &provider, body("one")).await;
    let on_b = holds_a_slot(&relay, &provider, body("two")).await;
    let calls = ["three", "four", "five"].map(|text| {
        let (client, body) = (relay.client.clone(), body(text));
        tokio::spawn(async move { client.post(MESSAGES, &[], body).await.status })
    });
    while relay.app.shutdown.open_calls() < 5 {
        tokio::task::yield_now().await;
    }
    on_b.leave();
    for call in calls {
        assert_eq!(call.await.expect("no panic"), 200);
    }
    let on = |name: &str| provider.requests().iter().filter(|it| it.api_key == name).count();
    assert_eq!((on("upstream-a"), on("upstream-b")), (1, 4));
    on_a.leave();
    relay.until_all_is_given_back().await;
}

#[tokio::test]
async fn calls_are_spread_by_weight() {
    let (provider, relay) = two().await;
    let heavy = AccountChange { weight: Some(3), ..AccountChange::default() };
    relay.edit_account("b", &heavy).await;
    provider.answers_always(Answer::well().breaks(Fault::Hang, Moment::Deltas(1)));
    let mut held = Vec::new();
    for number in 0..8 {
        relay.clock.advance(Duration::from_millis(10));
        let body = messages_body(SONNET, &format!("{number}")).stream(true);
        let mut incoming = relay.client.stream(MESSAGES, &[], body).await;
        incoming.until("text_delta").await.expect("content");
        held.push(incoming);
    }
    let on_b = provider.requests().iter().filter(|it| it.api_key == "upstream-b").count();
    assert_eq!(on_b, 6);
}

#[tokio::test]
async fn a_bound_key_uses_its_accounts_and_no_other() {
    let provider = FakeProvider::start().await;
    let mut reserved = account("c", &provider);
    reserved.sharing = Sharing::Reserved;
    let accounts = [account("a", &provider), account("b", &provider), reserved];
    let relay = TestRelay::start(accounts, &[]).await;
    assert_eq!(serves(&relay, &provider, hello()).await, "a");

    relay.bind(BindingTarget::Account(relay.account_id("c").await)).await;
    assert_eq!(serves(&relay, &provider, hello()).await, "c");
    let (_, other) = relay.add_key("other").await;
    assert_eq!(serves_client(&relay, &provider, &other, &[], hello()).await, "a");

    let group = relay.app.store.add_group("team", START).await.expect("added");
    let b = relay.account_id("b").await;
    relay.app.store.join_group(group, b, START).await.expect("joined");
    relay.edit_account("b", &AccountChange::default()).await;
    relay.bind(BindingTarget::Group(group)).await;
    assert_eq!(serves(&relay, &provider, hello()).await, "b");

    provider.answers_key("upstream-b", Answer::anthropic_error(500, "api_error", "b fails"));
    let answer = relay.client.post(MESSAGES, &[], hello()).await;
    assert_eq!(answer.status, 500, "no account outside the group is asked");
    assert_eq!(provider.requests().pop().expect("asked").api_key, "upstream-b");
}

#[tokio::test]
async fn a_paused_account_is_passed_over_and_its_conversations_move() {
    let (provider, relay) = two().await;
    assert_eq!(serves(&relay, &provider, in_session("s")).await, "a");
    let switch = |on| AccountChange { enabled: Some(on), ..AccountChange::default() };
    relay.edit_account("a", &switch(false)).await;
    assert_eq!(serves(&relay, &provider, in_session("s")).await, "b");
    relay.edit_account("b", &switch(false)).await;
    let answer = relay.client.post(MESSAGES, &[], in_session("s")).await;
    assert_eq!((answer.status, answer.header("x-should-retry")), (503, "false"));
    relay.edit_account("a", &switch(true)).await;
    assert_eq!(serves(&relay, &provider, in_session("s")).await, "a");
}

#[tokio::test]
async fn models_are_served_by_who_has_them_under_the_name_they_know() {
    let provider = FakeProvider::start().await;
    let mut mapping = account("a", &provider);
    mapping.models = vec![ModelPattern::new("claude-haiku-*")];
    mapping.model_map = vec!["claude-opus-*=glm \"5\"".parse().expect("a mapping")];
    let mut sonnets = account("b", &provider);
    sonnets.models = vec![ModelPattern::new("claude-sonnet-*")];
    let relay = TestRelay::start([mapping, sonnets], &[]).await;

    assert_eq!(serves(&relay, &provider, hello()).await, "b");
    let raw = r#" {"max_tokens":5, "model" : "claude-opus\u002d4-8","messages":[{"role":"user","content":"你 \"model\""}] } "#;
    let answer = relay.client.post(MESSAGES, &[], raw).await;
    assert_eq!(answer.status, 200);
    let sent = provider.requests().pop().expect("asked");
    let expected = raw.replace(r#""claude-opus\u002d4-8""#, r#""glm \"5\"""#);
    assert_eq!((sent.api_key.as_str(), sent.body), ("upstream-a", expected.into()));

    let endless = messages_body(&format!("claude-opus-{}", "x".repeat(300)), "hi");
    assert_eq!(relay.client.post(MESSAGES, &[], endless).await.status, 400);
    let unknown = relay.client.post(MESSAGES, &[], messages_body("gpt-5", "hi")).await;
    assert_eq!((unknown.status, unknown.header("x-should-retry")), (404, "false"));
}
