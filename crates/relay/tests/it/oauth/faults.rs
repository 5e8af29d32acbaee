//! A refresh that does not come through is no refusal; a refusal is for good.

use std::sync::Arc;
use std::time::Duration;

use relay::upkeep;
use relay_core::account::OauthSettings;
use relay_core::credential::{Credential, SignOutCause};
use relay_core::health::{Rest, RestCause};
use relay_core::model::ModelFamily;
use relay_store::accounts::{AccountChange, NewAccount};
use relay_testkit::{Answer, ClosedPort, FakeProvider, RefreshOutcome, SeenRequest};

use super::{
    HOUR, MINUTE, SONNET, ask, events, member, provider, relay, served_by, signed_in,
    token_requests, tokens, until, until_stored,
};
use crate::kit::{TestRelay, account};

/// A relay with the account `a`, whose tokens live an hour, and `b`, an API key at the same host.
async fn two() -> (FakeProvider, TestRelay) {
    let provider = provider().await;
    let accounts = [signed_in("a", &provider, HOUR), account("b", &provider)];
    let relay = relay(&provider, accounts).await;
    (provider, relay)
}

async fn host_rests(relay: &TestRelay) -> Vec<(ModelFamily, Rest)> {
    member(relay, "c").await.host.rests(relay.app.now())
}

async fn account_rest(relay: &TestRelay, name: &str) -> Option<RestCause> {
    let rest = member(relay, name).await.shared.notes.rests(relay.app.now()).0;
    rest.map(|rest| rest.cause)
}

#[tokio::test]
async fn an_account_serves_while_its_token_is_good_and_recovers_by_itself() {
    let (provider, relay) = two().await;
    provider.fails_refreshes("a", 503);
    tokio::spawn(upkeep::run(Arc::clone(&relay.app)));
    relay.clock.advance(50 * MINUTE);
    for failure in 1..=5 {
        provider.until_outcomes(RefreshOutcome::Failed, failure).await;
        let text = format!("while it fails for the {failure}. time");
        assert_eq!(served_by(&relay, &provider, &text).await, "a");
        relay.clock.advance(Duration::from_secs(61));
    }
    relay.events_until("token_not_refreshed").await;
    assert!(!relay.rests("a").await);
    provider.recovers();
    provider.until_outcomes(RefreshOutcome::Granted, 1).await;
    until_stored(&relay).await;
    relay.clock.advance(20 * MINUTE);
    assert_eq!(served_by(&relay, &provider, "later").await, "a");
    assert_eq!(events(&relay, "token_not_refreshed").await, 1);
    assert_eq!(events(&relay, "account_signed_out").await, 0);
    assert_eq!(provider.reused(), 0);
}

#[tokio::test]
async fn without_a_good_token_others_answer_until_it_can_be_refreshed() {
    let (provider, relay) = two().await;
    provider.fails_refreshes("a", 500);
    relay.clock.advance(HOUR);
    for text in ["one", "two", "three"] {
        assert_eq!(served_by(&relay, &provider, text).await, "", "by the API key");
    }
    assert_eq!(token_requests(&provider), 1, "one, and then a pause");
    assert_eq!(account_rest(&relay, "a").await, Some(RestCause::Unreachable), "no auth failure");
    for text in ["four", "five"] {
        relay.clock.advance(Duration::from_secs(70));
        assert_eq!(served_by(&relay, &provider, text).await, "");
    }
    assert_eq!(token_requests(&provider), 3);
    relay.events_until("token_not_refreshed").await;
    assert_eq!(events(&relay, "token_not_refreshed").await, 1);
    provider.recovers();
    relay.clock.advance(Duration::from_secs(70));
    assert_eq!(served_by(&relay, &provider, "six").await, "a");
    assert!(!relay.rests("a").await);
    assert_eq!((token_requests(&provider), provider.reused()), (4, 0));
}

#[tokio::test]
async fn an_account_without_a_good_token_is_not_asked_during_the_pause() {
    let (provider, relay) = two().await;
    provider.fails_refreshes("a", 503);
    tokio::spawn(upkeep::run(Arc::clone(&relay.app)));
    relay.clock.advance(HOUR);
    relay.events_until("token_not_refreshed").await;
    assert_eq!(served_by(&relay, &provider, "one").await, "");
    assert_eq!(relay.only_record().await.attempts.len(), 1, "the API key's alone");
    let standing = member(&relay, "a").await.shared.keeper.standing(relay.app.now());
    let rest = standing.rest().expect("a pause");
    assert_eq!((rest.cause, rest.stated), (RestCause::TokenNotRefreshed, true));
}

#[tokio::test]
async fn a_limit_of_the_token_endpoint_is_heeded_as_it_states() {
    let (provider, relay) = two().await;
    let is_refresh = |seen: &SeenRequest| seen.path().ends_with("/v1/oauth/token");
    provider.answers_when(is_refresh, Answer::status(429).header("retry-after", "600"));
    relay.clock.advance(HOUR);
    assert_eq!(served_by(&relay, &provider, "one").await, "");
    relay.clock.advance(Duration::from_secs(599));
    assert_eq!(served_by(&relay, &provider, "two").await, "");
    assert_eq!(token_requests(&provider), 1);
    provider.recovers();
    relay.clock.advance(Duration::from_secs(2));
    assert_eq!(served_by(&relay, &provider, "three").await, "a");
    assert_eq!(token_requests(&provider), 2);
}

#[tokio::test]
async fn what_judges_the_client_signs_nobody_out() {
    let (provider, relay) = two().await;
    let is_refresh = |seen: &SeenRequest| seen.path().ends_with("/v1/oauth/token");
    let wrong = r#"{"error":"invalid_client","error_description":"unknown client"}"#;
    provider.answers_when(is_refresh, Answer::status(400).body(wrong));
    relay.clock.advance(HOUR);
    assert_eq!(served_by(&relay, &provider, "one").await, "");
    relay.events_until("token_not_refreshed").await;
    assert_eq!(member(&relay, "a").await.shared.keeper.signed_out(), None);
    provider.recovers();
    relay.clock.advance(Duration::from_secs(2));
    assert_eq!(served_by(&relay, &provider, "once it is set right").await, "a");
    assert_eq!(events(&relay, "account_signed_out").await, 0);
}

#[tokio::test]
async fn tokens_that_have_ended_when_they_come_are_not_refreshed_at_once() {
    let (provider, relay) = two().await;
    provider.sets_lifetime("a", Duration::ZERO);
    tokio::spawn(upkeep::run(Arc::clone(&relay.app)));
    relay.clock.advance(HOUR);
    provider.until_outcomes(RefreshOutcome::Granted, 1).await;
    until_stored(&relay).await;
    let keeper = &member(&relay, "a").await.shared.keeper;
    relay.clock.advance(Duration::from_secs(29));
    assert_eq!(keeper.due(relay.app.now()), None);
    assert!(keeper.standing(relay.app.now()).rest().is_some());
    provider.sets_lifetime("a", HOUR);
    relay.clock.advance(Duration::from_secs(1));
    provider.until_outcomes(RefreshOutcome::Granted, 2).await;
    until_stored(&relay).await;
    assert_eq!(served_by(&relay, &provider, "by a").await, "a");
}

#[tokio::test]
async fn a_clock_that_is_put_back_holds_up_no_refresh() {
    let (provider, relay) = two().await;
    provider.fails_refreshes("a", 503);
    relay.clock.advance(2 * HOUR);
    assert_eq!(served_by(&relay, &provider, "one").await, "");
    provider.recovers();
    relay.clock.set(relay.app.now().minus(HOUR));
    member(&relay, "a").await.shared.notes.reset();
    assert_eq!(served_by(&relay, &provider, "two").await, "a");
    // Its token seems to live for longer than it does: the provider says otherwise.
    relay.clock.advance(10 * HOUR);
    assert_eq!(served_by(&relay, &provider, "three").await, "a");
    relay.clock.set(relay.app.now().minus(HOUR));
    assert_eq!(served_by(&relay, &provider, "four").await, "a");
    assert_eq!(provider.reused(), 0);
}

#[tokio::test]
async fn accounts_that_cannot_be_refreshed_rest_no_host() {
    let provider = provider().await;
    let nowhere = ClosedPort::reserve().expect("a port");
    let token_url = Some(format!("{}/v1/oauth/token", nowhere.url()));
    let unreachable = |name: &str| NewAccount {
        oauth: OauthSettings { token_url: token_url.clone(), ..OauthSettings::default() },
        ..signed_in(name, &provider, HOUR)
    };
    let accounts = [unreachable("a"), unreachable("b"), account("c", &provider)];
    let relay = relay(&provider, accounts).await;
    assert_eq!(served_by(&relay, &provider, "while the token is good").await, "a");
    relay.clock.advance(HOUR);
    // An answer in between would clear the host.
    let on = |enabled| AccountChange { enabled: Some(enabled), ..AccountChange::default() };
    relay.edit_account("c", &on(false)).await;
    for number in 0..4 {
        let answer = ask(&relay.client, SONNET, &format!("call {number}")).await;
        assert_ne!(answer.status, 200);
        assert!(host_rests(&relay).await.is_empty());
        relay.clock.advance(Duration::from_millis(2_100));
    }
    relay.edit_account("c", &on(true)).await;
    assert_eq!(served_by(&relay, &provider, "by c").await, "");
    relay.events_until("token_not_refreshed").await;
    until("both are told", async || events(&relay, "token_not_refreshed").await == 2).await;
    assert_eq!(events(&relay, "account_signed_out").await, 0);
    let at_a = OauthSettings { token_url: Some(provider.token_url()), ..OauthSettings::default() };
    let change = AccountChange { oauth: Some(at_a), ..AccountChange::default() };
    relay.edit_account("a", &change).await;
    relay.clock.advance(2 * MINUTE);
    assert_eq!(served_by(&relay, &provider, "again").await, "a");
}

#[tokio::test]
async fn after_a_lost_answer_the_old_token_is_tried_once() {
    let (provider, relay) = two().await;
    provider.loses_next_refresh("a");
    relay.clock.advance(HOUR);
    assert_eq!(served_by(&relay, &provider, "lost").await, "");
    assert_eq!(member(&relay, "a").await.shared.keeper.signed_out(), None, "nobody knows yet");
    relay.clock.advance(2 * MINUTE);
    assert_eq!(served_by(&relay, &provider, "refused").await, "");
    signed_out_for_good(&provider, relay, 2).await;
}

#[tokio::test]
async fn a_refused_refresh_token_ends_in_sign_in_again() {
    let (provider, relay) = two().await;
    provider.refuses_refreshes("a");
    relay.clock.advance(HOUR);
    assert_eq!(served_by(&relay, &provider, "refused").await, "");
    signed_out_for_good(&provider, relay, 1).await;
}

/// The account `a` is signed out: told once, not tried any more, over a restart too, until
/// somebody signs in.
async fn signed_out_for_good(provider: &FakeProvider, relay: TestRelay, asked: usize) {
    let event = relay.events_until("account_signed_out").await;
    assert_eq!(event.iter().filter(|it| **it == "account_signed_out").count(), 1);
    until_stored(&relay).await;
    let stored = relay.app.store.find_account("a").await.expect("a query").expect("there");
    let signed_out = stored.signed_out.expect("signed out");
    assert_eq!(signed_out.cause, SignOutCause::RefreshRefused);
    assert!(stored.account.enabled, "the machine does not turn the operator's switch");

    let relay = relay.restart(&[]).await;
    let mut relay = relay;
    relay.client = super::as_claude_code(&relay);
    provider.tells_time_by(Arc::clone(&relay.clock) as Arc<dyn relay_core::clock::Clock>);
    tokio::spawn(upkeep::run(Arc::clone(&relay.app)));
    for hour in 0..5 {
        relay.clock.advance(HOUR);
        assert_eq!(served_by(&relay, provider, &format!("hour {hour}")).await, "");
    }
    assert_eq!(token_requests(provider), asked, "{:?}", provider.refreshes());
    assert_eq!(events(&relay, "account_signed_out").await, 1);

    provider.recovers();
    let again = tokens(&provider.issues("anew", HOUR), relay.app.now());
    let credential = Some(Credential::Tokens(again));
    relay.edit_account("a", &AccountChange { credential, ..AccountChange::default() }).await;
    assert_eq!(served_by(&relay, provider, "signed in").await, "anew");
    let stored = relay.app.store.find_account("a").await.expect("a query").expect("there");
    assert_eq!(stored.signed_out, None);
    relay.clock.advance(HOUR);
    assert_eq!(served_by(&relay, provider, "refreshed").await, "anew");
}

#[tokio::test]
async fn a_refused_refresh_leaves_a_good_token_in_use() {
    let (provider, relay) = two().await;
    provider.refuses_refreshes("a");
    tokio::spawn(upkeep::run(Arc::clone(&relay.app)));
    relay.clock.advance(50 * MINUTE);
    relay.events_until("account_signed_out").await;
    assert_eq!(served_by(&relay, &provider, "still good").await, "a");
    relay.clock.advance(10 * MINUTE);
    assert_eq!(served_by(&relay, &provider, "ended").await, "");
    assert_eq!(token_requests(&provider), 1);
}

#[tokio::test]
async fn a_refused_token_is_no_auth_failure_while_no_other_can_be_had() {
    let (provider, relay) = two().await;
    provider.revoke_access("a");
    provider.fails_refreshes("a", 503);
    assert_eq!(served_by(&relay, &provider, "one").await, "");
    assert_eq!(account_rest(&relay, "a").await, Some(RestCause::Unreachable));
    provider.recovers();
    relay.clock.advance(Duration::from_secs(2));
    assert_eq!(served_by(&relay, &provider, "two").await, "a");
}
