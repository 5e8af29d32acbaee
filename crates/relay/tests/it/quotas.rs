//! Quotas: what answers tell of an account's windows decides who is asked, and the operator's marks
//! close an account until they say.

use std::sync::Arc;
use std::time::Duration;

use relay_core::clock::ManualClock;
use relay_core::credential::Identity;
use relay_core::money::Money;
use relay_core::quota::StopAt;
use relay_store::accounts::AccountChange;
use relay_testkit::{Answer, FakeProvider, MessagesBody, Received, messages_body};
use serde_json::json;

use crate::clients::subscription;
use crate::kit::{START, TestRelay, account};

const MESSAGES: &str = "/api/v1/messages";
const SONNET: &str = "claude-sonnet-4-6";
const OPUS: &str = "claude-opus-4-8";

/// An hour after the start, in seconds since the epoch.
const IN_AN_HOUR: i64 = START.as_millis() / 1_000 + 3_600;

/// Two accounts of one priority.
async fn two(settings: &[(&str, &str)]) -> (FakeProvider, TestRelay) {
    let provider = FakeProvider::start().await;
    let accounts = [account("a", &provider), account("b", &provider)];
    let relay = TestRelay::start(accounts, settings).await;
    for name in ["a", "b"] {
        relay
            .edit_account(name, &AccountChange { priority: Some(1), ..AccountChange::default() })
            .await;
    }
    (provider, relay)
}

fn ask(model: &str, text: &str) -> MessagesBody {
    messages_body(model, text)
}

async fn post(relay: &TestRelay, body: MessagesBody) -> Received {
    relay.client.post(MESSAGES, &[], body).await
}

/// Makes a call of its own, a moment after the last, and tells who answered.
async fn served_by(relay: &TestRelay, provider: &FakeProvider, model: &str) -> String {
    relay.clock.advance(Duration::from_millis(10));
    let number = provider.requests().len();
    let body = ask(model, &format!("question {number}")).stream(number.is_multiple_of(2));
    let answer = post(relay, body).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    relay.app.shutdown.until_no_call_is_open().await;
    let asked = provider.requests().pop().expect("asked");
    asked.api_key.trim_start_matches("upstream-").to_owned()
}

async fn stops_at(relay: &TestRelay, name: &str, five_hour: Option<u8>, seven_day: Option<u8>) {
    let stop_at = Some(StopAt { five_hour, seven_day });
    relay.edit_account(name, &AccountChange { stop_at, ..AccountChange::default() }).await;
}

fn seconds_left(relay: &TestRelay, seconds: i64) -> Duration {
    relay_core::clock::Timestamp::from_seconds(seconds).since(relay.app.now())
}

#[tokio::test]
async fn calls_go_where_most_is_left() {
    let (provider, relay) = two(&[]).await;
    provider.answers_key("upstream-a", Answer::well().unified(80, 10, IN_AN_HOUR));
    provider.answers_key("upstream-b", Answer::well().unified(20, 30, IN_AN_HOUR));
    let mut served = Vec::new();
    for _ in 0..6 {
        served.push(served_by(&relay, &provider, SONNET).await);
    }
    assert_eq!(served, ["a", "b", "b", "b", "b", "b"], "streamed or not");
    provider.answers_key("upstream-b", Answer::well().unified(20, 95, IN_AN_HOUR));
    assert_eq!(served_by(&relay, &provider, SONNET).await, "b");
    assert_eq!(served_by(&relay, &provider, SONNET).await, "a", "the fullest window counts");
    // A window that begins anew is whole again.
    relay.clock.advance(seconds_left(&relay, IN_AN_HOUR));
    provider.recovers();
    assert_eq!(served_by(&relay, &provider, SONNET).await, "b", "the least recently used");
}

#[tokio::test]
async fn refusals_tell_of_windows_too() {
    let (provider, relay) = two(&[]).await;
    let mistake = Answer::anthropic_error(400, "invalid_request_error", "no");
    provider.answers_once(mistake.unified(70, 10, IN_AN_HOUR));
    assert_eq!(post(&relay, ask(SONNET, "hello")).await.status, 400);
    for _ in 0..3 {
        assert_eq!(served_by(&relay, &provider, SONNET).await, "b");
    }
}

#[tokio::test]
async fn an_operators_mark_closes_the_account_until_the_reset_and_not_longer() {
    let (provider, relay) = two(&[]).await;
    stops_at(&relay, "a", Some(80), None).await;
    provider.answers_once(Answer::well().unified(80, 10, IN_AN_HOUR));
    assert_eq!(served_by(&relay, &provider, SONNET).await, "a");
    let switch = AccountChange { enabled: Some(false), ..AccountChange::default() };
    relay.edit_account("b", &switch).await;
    for _ in 0..3 {
        assert_eq!(post(&relay, ask(SONNET, "hello")).await.status, 429);
    }
    let left = seconds_left(&relay, IN_AN_HOUR);
    relay.clock.advance(left.saturating_sub(Duration::from_millis(1)));
    let refused = post(&relay, ask(SONNET, "hello")).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, "1"));
    relay.clock.advance(Duration::from_millis(1));
    assert_eq!(post(&relay, ask(SONNET, "hello")).await.status, 200);
    assert_eq!(provider.requests().len(), 2);
    let names = relay.events_until("account_rested").await;
    assert_eq!(names.iter().filter(|name| **name == "account_rested").count(), 1, "{names:?}");
}

#[tokio::test]
async fn an_edit_of_the_mark_opens_and_closes_at_once() {
    let (provider, relay) = two(&[]).await;
    provider.answers_once(Answer::well().unified(85, 60, IN_AN_HOUR));
    assert_eq!(served_by(&relay, &provider, SONNET).await, "a");
    let pause = AccountChange { enabled: Some(false), ..AccountChange::default() };
    relay.edit_account("b", &pause).await;
    assert_eq!(served_by(&relay, &provider, SONNET).await, "a");
    for (five_hour, seven_day, status) in
        [(85, 100, 429), (86, 100, 200), (100, 60, 429), (100, 61, 200)]
    {
        stops_at(&relay, "a", Some(five_hour), Some(seven_day)).await;
        assert_eq!(post(&relay, ask(SONNET, "hello")).await.status, status);
    }
}

#[tokio::test]
async fn a_mark_in_a_familys_window_closes_the_account_for_that_family() {
    let (provider, relay) = two(&[]).await;
    stops_at(&relay, "a", None, Some(90)).await;
    let opus = Answer::well()
        .header("anthropic-ratelimit-unified-7d_opus-utilization", "0.93")
        .header("anthropic-ratelimit-unified-7d_opus-reset", &IN_AN_HOUR.to_string());
    provider.answers_once(opus);
    assert_eq!(served_by(&relay, &provider, OPUS).await, "a");
    for _ in 0..3 {
        assert_eq!(served_by(&relay, &provider, OPUS).await, "b");
    }
    assert_eq!(served_by(&relay, &provider, SONNET).await, "a");
    relay.events_until("account_rested").await;
}

/// What the provider tells when it is asked counts as what its answers tell.
#[tokio::test]
async fn a_mark_that_is_reached_unseen_is_told_too() {
    let provider = FakeProvider::start().await;
    provider.tells_time_by(Arc::new(ManualClock::new(START)));
    let sub = subscription(&provider);
    let resets_at = "2027-01-15T09:00:00.000000+00:00";
    let opus = json!({"utilization": 97.0, "resets_at": resets_at});
    provider.sets_usage("sub", json!({"seven_day_opus": opus}));
    let relay = TestRelay::start([sub, account("b", &provider)], &[]).await;
    stops_at(&relay, "sub", None, Some(90)).await;
    let upkeep = tokio::spawn(relay::upkeep::run(Arc::clone(&relay.app)));
    assert_eq!(relay.events_until("account_rested").await, ["account_rested"]);
    upkeep.abort();
    let claude_code = ("user-agent", "claude-cli/2.1.197 (external, cli)");
    let asks = async |model: &str| {
        let answer = relay.client.post(MESSAGES, &[claude_code], ask(model, model)).await;
        assert_eq!(answer.status, 200);
        provider.requests().pop().expect("asked").owner
    };
    assert_eq!(asks(OPUS).await, "", "b is asked");
    assert_eq!(asks(SONNET).await, "sub");
}

/// The provider counts and limits the model that it is sent, whatever was asked for.
#[tokio::test]
async fn a_mapped_model_is_judged_by_the_name_that_is_sent() {
    let provider = FakeProvider::start().await;
    let mut mapped = account("a", &provider);
    mapped.model_map = vec!["claude-opus-4-1=claude-sonnet-4-6".parse().expect("a mapping")];
    let relay = TestRelay::start([mapped], &[]).await;
    let id = relay.account_id("a").await;
    let mut stored = relay.app.store.account(id).await.expect("a query").expect("there");
    stored.identity = Some(Identity { plan: "claude_pro".to_owned(), ..Identity::default() });
    stored.account.stop_at = StopAt { five_hour: None, seven_day: Some(90) };
    relay.app.roster.put(stored);
    let asks = async |model| post(&relay, ask(model, "hello")).await.status;
    let used = |family| {
        Answer::well()
            .header(&format!("anthropic-ratelimit-unified-7d_{family}-utilization"), "0.93")
            .header(
                &format!("anthropic-ratelimit-unified-7d_{family}-reset"),
                &IN_AN_HOUR.to_string(),
            )
    };
    provider.answers_once(used("opus"));
    assert_eq!(asks("claude-opus-4-1").await, 200, "the plan serves what it is sent");
    assert_eq!(asks("claude-opus-4-1").await, 200, "the mark is for what is not sent");
    provider.answers_once(used("sonnet"));
    assert_eq!(asks("claude-opus-4-1").await, 200);
    assert_eq!(asks("claude-opus-4-1").await, 429, "the mark is for what is sent");
}

#[tokio::test]
async fn windows_survive_a_restart() {
    let (provider, relay) = two(&[]).await;
    stops_at(&relay, "a", Some(80), None).await;
    provider.answers_once(Answer::well().unified(90, 10, IN_AN_HOUR));
    assert_eq!(served_by(&relay, &provider, SONNET).await, "a");
    let relay = relay.restart(&[]).await;
    assert_eq!(served_by(&relay, &provider, SONNET).await, "b");
    assert_eq!(served_by(&relay, &provider, SONNET).await, "b");
    relay.clock.advance(seconds_left(&relay, IN_AN_HOUR));
    assert_eq!(served_by(&relay, &provider, SONNET).await, "a");
}

/// It is 16:00 in Shanghai when every test begins.
const SHANGHAI: &[(&str, &str)] = &[("TIMEZONE", "Asia/Shanghai")];
const TO_MIDNIGHT: Duration = Duration::from_hours(8);

/// Lets an account spend no more than the least there is.
async fn may_spend_next_to_nothing(relay: &TestRelay, name: &str) {
    let least = Some(Money::from_nanos(1));
    let change = AccountChange { daily_cost_max: least, ..AccountChange::default() };
    relay.edit_account(name, &change).await;
}

#[tokio::test]
async fn what_the_days_calls_cost_closes_an_account_until_midnight() {
    let (provider, relay) = two(SHANGHAI).await;
    for name in ["a", "b"] {
        may_spend_next_to_nothing(&relay, name).await;
    }
    assert_eq!(served_by(&relay, &provider, SONNET).await, "a");
    assert_eq!(served_by(&relay, &provider, SONNET).await, "b");
    for _ in 0..3 {
        let refused = post(&relay, ask(SONNET, "hello")).await;
        assert_eq!(refused.status, 429);
        let wait: u64 = refused.header("retry-after").parse().expect("seconds");
        assert_eq!(wait, TO_MIDNIGHT.as_secs(), "rounded up");
    }
    let both = ["account_rested"; 2];
    assert_eq!(relay.events_until_all(&both).await, both);

    relay.clock.set(START.plus(TO_MIDNIGHT).minus(Duration::from_millis(1)));
    assert_eq!(post(&relay, ask(SONNET, "hello")).await.status, 429);
    relay.clock.set(START.plus(TO_MIDNIGHT));
    assert_eq!(post(&relay, ask(SONNET, "hello")).await.status, 200);
}

#[tokio::test]
async fn what_was_spent_survives_a_restart_wherever_its_records_stand() {
    let (provider, mut relay) = two(SHANGHAI).await;
    may_spend_next_to_nothing(&relay, "a").await;
    assert_eq!(served_by(&relay, &provider, SONNET).await, "a");
    // In the journal alone, and then in the database.
    for _ in 0..2 {
        relay = relay.restart(SHANGHAI).await;
        let before = provider.requests().len();
        assert_eq!(served_by(&relay, &provider, SONNET).await, "b");
        assert_eq!(served_by(&relay, &provider, SONNET).await, "b");
        assert_eq!(provider.requests().len(), before + 2);
        let a = relay.app.roster.find(relay.account_id("a").await).expect("an account");
        let costs: Money = relay
            .records()
            .iter()
            .filter(|record| record.account == a.account.id)
            .fold(Money::ZERO, |sum, record| sum + record.cost);
        let day = relay.app.calendar.day(relay.app.now());
        if costs > Money::ZERO {
            assert_eq!(a.shared.spent(day), costs);
        }
        assert!(a.shared.spent(day) > Money::ZERO);
        let mut books = relay.books.take().expect("the books");
        books.write_all().await;
    }
    relay.clock.set(START.plus(TO_MIDNIGHT));
    assert_eq!(served_by(&relay, &provider, SONNET).await, "a");
}

#[tokio::test]
async fn a_call_that_outlasts_midnight_counts_in_its_own_day_and_wipes_out_nothing() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::start([account("a", &provider)], SHANGHAI).await;
    relay.clock.set(START.plus(TO_MIDNIGHT).minus(Duration::from_secs(1)));
    let yesterday = relay.app.calendar.day(relay.app.now());
    provider.answers_once(Answer::well().delay(Duration::from_millis(300)));
    let client = relay.client.clone();
    let long = tokio::spawn(async move { client.post(MESSAGES, &[], ask(SONNET, "long")).await });
    provider.until_in_flight(1).await;
    relay.clock.advance(Duration::from_secs(2));
    let today = relay.app.calendar.day(relay.app.now());
    assert_eq!(post(&relay, ask(SONNET, "[[long 4000]]")).await.status, 200);
    assert_eq!(long.await.expect("no panic").status, 200);
    relay.app.shutdown.until_no_call_is_open().await;

    let member = relay.app.roster.snapshot()[0].clone();
    let records = relay.records();
    let of = |from, to| {
        let of_day = records.iter().filter(|it| from <= it.at && it.at < to);
        of_day.fold(Money::ZERO, |sum, record| sum + record.cost)
    };
    assert!(of(yesterday.from, yesterday.to) > Money::ZERO);
    assert!(of(today.from, today.to) > Money::ZERO);
    assert_eq!(member.shared.spent(today), of(today.from, today.to));
}
