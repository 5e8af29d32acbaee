//! What a running relay tells commands of its accounts.

use relay::live::{AccountLive, LiveState};
use relay_core::health::RestCause;
use relay_core::model::ModelPattern;
use relay_core::money::Money;
use relay_core::quota::StopAt;
use relay_store::accounts::NewAccount;
use relay_testkit::{Answer, FakeProvider, messages_body};

use crate::kit::{START, TestRelay, account};

const OPUS: &str = "claude-opus-4-8";

/// What is told of the one account after a call for Opus that was answered so.
async fn told(answer: Answer, change: impl FnOnce(&mut NewAccount)) -> AccountLive {
    let provider = FakeProvider::start().await;
    let mut new = account("a", &provider);
    change(&mut new);
    let relay = TestRelay::start([new], &[]).await;
    provider.answers_once(answer);
    relay.client.post("/api/v1/messages", &[], messages_body(OPUS, "hello")).await;
    relay.app.shutdown.until_no_call_is_open().await;
    let address = ([127, 0, 0, 1], 1).into();
    LiveState::of(&relay.app, address).accounts.remove(0)
}

fn in_seconds(seconds: i64) -> i64 {
    START.as_millis() / 1_000 + seconds
}

fn scopes(account: &AccountLive) -> Vec<(&str, RestCause)> {
    account.rests.iter().map(|rest| (rest.scope.as_str(), rest.cause)).collect()
}

#[tokio::test]
async fn a_rest_of_the_account_keeps_all_calls_away() {
    let account = told(Answer::limited("five_hour", in_seconds(900)), |_| {}).await;
    let resting = account.resting.as_ref().expect("it rests");
    assert_eq!((resting.until.as_millis() / 1_000, resting.stated), (in_seconds(900), true));
    assert_eq!(scopes(&account), [("account", RestCause::RateLimited)]);
}

#[tokio::test]
async fn a_rest_of_a_family_keeps_all_away_only_where_nothing_else_is_served() {
    let limited = || Answer::limited("seven_day_opus", in_seconds(900));
    let account = told(limited(), |_| {}).await;
    assert_eq!(account.resting, None);
    assert_eq!(scopes(&account), [("opus", RestCause::RateLimited)]);
    let opus_alone = |new: &mut NewAccount| new.models = vec![ModelPattern::new("claude-opus-*")];
    assert!(told(limited(), opus_alone).await.resting.is_some());
    let and_more = |new: &mut NewAccount| {
        new.models = ["claude-opus-*", "claude-sonnet-5"].map(ModelPattern::new).to_vec();
    };
    assert_eq!(told(limited(), and_more).await.resting, None);
}

#[tokio::test]
async fn the_operators_marks_are_rests_and_windows_are_told() {
    let mark = |new: &mut NewAccount| new.stop_at = StopAt { five_hour: Some(90), seven_day: None };
    let account = told(Answer::well().unified(95, 40, in_seconds(600)), mark).await;
    assert_eq!(scopes(&account), [("account", RestCause::WindowMark)]);
    assert_eq!(account.resting.map(|rest| rest.until.as_millis() / 1_000), Some(in_seconds(600)));
    let windows: Vec<_> =
        account.windows.iter().map(|it| (it.window.as_str(), it.used_permille)).collect();
    assert_eq!(windows, [("5h", 950), ("7d", 400)]);
}

#[tokio::test]
async fn a_days_money_that_is_spent_is_a_rest() {
    let little = |new: &mut NewAccount| new.daily_cost_max = Some(Money::from_nanos(1));
    let account = told(Answer::well(), little).await;
    assert!(account.spent_today_nanos > 0);
    assert_eq!(scopes(&account), [("account", RestCause::DailyCost)]);
    assert!(account.resting.is_some());
}
