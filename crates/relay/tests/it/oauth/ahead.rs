//! What keeps accounts alive while nobody calls, and what is told before something ends.

use std::sync::Arc;
use std::time::Duration;

use relay::upkeep;
use relay_core::credential::SignOutCause;
use relay_core::event::{Ending, Event};
use relay_core::model::ModelFamily;
use relay_core::quota::{Window, WindowKind};
use relay_store::accounts::{AccountChange, NewAccount};
use relay_testkit::{FakeProvider, RefreshOutcome, SeenRequest};
use serde_json::json;
use tokio::task::JoinHandle;

use super::{
    HOUR, MINUTE, SONNET, YEAR, as_claude_code, ask, events, member, provider, relay, served_by,
    signed_in, token_requests, until, until_stored, with_setup_token,
};
use crate::kit::{START, TestRelay, account};

const OPUS: &str = "claude-opus-4-8";
const DAY: Duration = Duration::from_hours(24);

fn looks_after(relay: &TestRelay) -> JoinHandle<()> {
    tokio::spawn(upkeep::run(Arc::clone(&relay.app)))
}

#[tokio::test]
async fn tokens_are_refreshed_ahead_of_their_end_without_any_call() {
    let provider = provider().await;
    let off = NewAccount { enabled: false, ..signed_in("off", &provider, HOUR) };
    let relay = relay(&provider, [off, signed_in("a", &provider, HOUR)]).await;
    looks_after(&relay);
    for times in 1..=3 {
        relay.clock.advance(55 * MINUTE);
        provider.until_outcomes(RefreshOutcome::Granted, times).await;
        until_stored(&relay).await;
    }
    let owners: Vec<_> = provider.refreshes().into_iter().map(|seen| seen.owner).collect();
    assert_eq!(owners, ["a", "a", "a"], "one that is switched off is let be");
    assert!(!provider.requests().iter().any(SeenRequest::is_message));

    // What is switched on again is refreshed when it is wanted.
    let on = AccountChange { enabled: Some(true), ..AccountChange::default() };
    relay.edit_account("off", &on).await;
    provider.until_outcomes(RefreshOutcome::Granted, 4).await;
    assert_eq!(provider.refreshes()[3].owner, "off");
    assert_eq!(provider.reused(), 0);
}

#[tokio::test]
async fn of_many_tokens_that_end_together_some_are_refreshed_after_others() {
    const ACCOUNTS: usize = 20;
    const AT_ONE_TIME: usize = 16;
    let provider = provider().await;
    let names: Vec<_> = (0..ACCOUNTS).map(|number| format!("a{number}")).collect();
    let accounts = names.iter().map(|name| signed_in(name, &provider, HOUR));
    let relay = relay(&provider, accounts.collect::<Vec<_>>()).await;
    let gate = provider.holds_refreshes();
    relay.clock.advance(55 * MINUTE);
    looks_after(&relay);
    gate.until_held(AT_ONE_TIME).await;
    for text in ["one", "two", "three"] {
        served_by(&relay, &provider, text).await;
    }
    assert_eq!(gate.held(), AT_ONE_TIME);
    gate.release();
    provider.until_outcomes(RefreshOutcome::Granted, ACCOUNTS).await;
    until_stored(&relay).await;
    assert_eq!((token_requests(&provider), provider.reused()), (ACCOUNTS, 0));
}

#[tokio::test]
async fn windows_and_plan_are_asked_for_and_not_too_often() {
    let provider = provider().await;
    let accounts = [signed_in("a", &provider, 8 * HOUR), with_setup_token("setup", &provider)];
    let relay = relay(&provider, accounts).await;
    let looking = looks_after(&relay);
    let store = &relay.app.store;
    until("the identity is stored", async || {
        let stored = store.find_account("a").await.expect("a query").expect("there");
        stored.identity.is_some()
    })
    .await;
    let stored = store.find_account("a").await.expect("a query").expect("there");
    let identity = stored.identity.expect("an identity");
    assert_eq!((identity.plan.as_str(), identity.email.as_str()), ("claude_max", "a@example.com"));
    let quota = member(&relay, "a").await.shared.notes.quota();
    let windows: Vec<_> = quota.windows(relay.app.now()).cloned().collect();
    let used = |kind: &WindowKind| {
        windows.iter().find(|(it, _)| it == kind).map(|(_, window)| window.used_permille)
    };
    assert_eq!(used(&WindowKind::FiveHour), Some(120));
    assert_eq!(used(&WindowKind::SevenDayModels(ModelFamily::of(SONNET))), Some(30));
    looking.abort();

    // Whoever looks again at once does not ask again; after a while he does.
    relay.app.roster.put(stored_again(&relay).await);
    relay.clock.advance(9 * MINUTE);
    look_once(&relay, &provider, "b").await;
    assert_eq!((provider.usages_read("a"), provider.profiles_read("a")), (1, 1));
    relay.clock.advance(2 * MINUTE);
    look_once(&relay, &provider, "c").await;
    assert_eq!((provider.usages_read("a"), provider.profiles_read("a")), (2, 1));
    let of_setup = provider.requests().into_iter().filter(|seen| seen.owner == "setup");
    assert_eq!(of_setup.count(), 0, "a setup token may ask models alone");
}

#[tokio::test]
async fn a_busy_account_is_asked_whose_it_is_and_for_the_windows_that_answers_do_not_tell() {
    let provider = provider().await;
    let relay = relay(&provider, [signed_in("a", &provider, 8 * HOUR)]).await;
    let told = |used_permille: u16| {
        let now = relay.app.now();
        let window = Window { used_permille, resets_at: Some(now.plus(HOUR)), seen_at: now };
        vec![(WindowKind::FiveHour, window)]
    };
    let busy = async |percent: u16| {
        let member = member(&relay, "a").await;
        relay.app.note_windows(&member, told(percent), relay.app.now());
    };
    for (times, minutes) in [(1, 0), (2, 11), (3, 11)] {
        relay.clock.advance(minutes * MINUTE);
        busy(400).await;
        let looking = looks_after(&relay);
        until("its windows are asked for", async || provider.usages_read("a") == times).await;
        until("it is known whose it is", async || provider.profiles_read("a") == 1).await;
        let family = WindowKind::SevenDayModels(ModelFamily::of(SONNET));
        until("the window of a family is known", async || {
            let quota = member(&relay, "a").await.shared.notes.quota();
            let now = relay.app.now();
            quota.windows(now).any(|(it, window)| *it == family && window.seen_at == now)
        })
        .await;
        until("it is stored", async || stored_again(&relay).await.identity.is_some()).await;
        looking.abort();
        relay.app.roster.put(stored_again(&relay).await);
    }
}

async fn stored_again(relay: &TestRelay) -> relay_store::accounts::StoredAccount {
    relay.app.store.find_account("a").await.expect("a query").expect("there")
}

/// Lets one look pass: it is over when an account that came last is asked.
async fn look_once(relay: &TestRelay, provider: &FakeProvider, name: &str) {
    let issued = provider.issues(name, 8 * HOUR);
    let tokens = super::tokens(&issued, relay.app.now());
    let id = relay.app.store.add_account(&super::with(name, provider, tokens), START).await;
    let stored = relay.app.store.account(id.expect("added")).await.expect("a query");
    relay.app.roster.put(stored.expect("there"));
    let looking = looks_after(relay);
    until("the last account is asked", async || provider.profiles_read(name) == 1).await;
    looking.abort();
}

#[tokio::test]
async fn what_a_plan_does_not_serve_goes_to_another_account() {
    let provider = provider().await;
    let accounts = [signed_in("a", &provider, HOUR), signed_in("b", &provider, HOUR)];
    let relay = relay(&provider, accounts).await;
    let free = json!({"account": {"email": "a@example.com"},
        "organization": {"name": "free", "organization_type": "claude_free"}});
    provider.sets_profile("a", free);
    looks_after(&relay);
    until("both plans are stored", async || {
        let stored = relay.app.store.accounts().await.expect("a query");
        stored.iter().all(|it| it.identity.is_some())
    })
    .await;
    for name in ["a", "b"] {
        relay.edit_account(name, &AccountChange::default()).await;
    }
    let answer = ask(&relay.client, OPUS, "an opus").await;
    assert_eq!(answer.status, 200);
    let last =
        || provider.requests().into_iter().rfind(SeenRequest::is_message).expect("asked").owner;
    assert_eq!(last(), "b");
    assert_eq!(served_by(&relay, &provider, "a sonnet").await, "a");
    let off = AccountChange { enabled: Some(false), ..AccountChange::default() };
    relay.edit_account("b", &off).await;
    let refused = ask(&relay.client, OPUS, "an opus for nobody").await;
    assert!((400..=503).contains(&refused.status), "{:?}", refused.body);
    assert_eq!(last(), "a", "and that was the sonnet");
    assert!(!relay.rests("a").await);
}

#[tokio::test]
async fn people_are_warned_once_two_weeks_before_something_ends() {
    let provider = provider().await;
    let subscription =
        NewAccount { ends_at: Some(START.plus(15 * DAY)), ..signed_in("a", &provider, HOUR) };
    let setup = with_setup_token("setup", &provider);
    // Comes after the others, so that all of them were looked at when people hear of it.
    let near = NewAccount { ends_at: Some(START.plus(DAY)), ..account("near", &provider) };
    let relay = relay(&provider, [subscription, setup, near]).await;
    let looking = looks_after(&relay);
    relay.events_until("account_ending").await;
    assert_eq!(endings(&relay).await, [("near", Ending::Subscription)], "the others have time");
    looking.abort();

    relay.clock.advance(2 * DAY);
    let looking = looks_after(&relay);
    until("the next is told", async || endings(&relay).await.len() == 2).await;
    assert_eq!(endings(&relay).await[1], ("a", Ending::Subscription));
    looking.abort();

    let relay = relay.restart(&[]).await;
    relay.clock.advance(350 * DAY);
    looks_after(&relay);
    until("the last is told", async || endings(&relay).await.len() == 3).await;
    assert_eq!(endings(&relay).await[2], ("setup", Ending::SetupToken));
}

async fn endings(relay: &TestRelay) -> Vec<(&'static str, Ending)> {
    let events = relay.app.store.pending_events(1_000).await.expect("a query");
    let mut told = Vec::new();
    for event in events {
        if let Event::AccountEnding { account, what, .. } = event.event {
            let stored = relay.app.store.account(account).await.expect("a query");
            let name = stored.expect("there").account.name;
            let known = ["a", "setup", "near"].into_iter().find(|it| *it == name);
            told.push((known.expect("a known name"), what));
        }
    }
    told
}

#[tokio::test]
async fn an_ended_subscription_serves_nobody() {
    let provider = provider().await;
    let ends = NewAccount { ends_at: Some(START.plus(HOUR)), ..signed_in("a", &provider, YEAR) };
    let relay = relay(&provider, [ends, signed_in("b", &provider, YEAR)]).await;
    assert_eq!(served_by(&relay, &provider, "before").await, "a");
    relay.clock.advance(HOUR);
    assert_eq!(served_by(&relay, &provider, "after").await, "b");
    let longer = Some(Some(relay.app.now().plus(HOUR)));
    relay.edit_account("a", &AccountChange { ends_at: longer, ..AccountChange::default() }).await;
    assert_eq!(served_by(&relay, &provider, "renewed").await, "a");
}

#[tokio::test]
async fn a_setup_token_that_ends_is_a_sign_out_and_no_failed_refresh() {
    let provider = provider().await;
    let accounts = [with_setup_token("setup", &provider), account("b", &provider)];
    let relay = relay(&provider, accounts).await;
    looks_after(&relay);
    assert_eq!(served_by(&relay, &provider, "good").await, "setup");
    relay.clock.advance(YEAR);
    for call in ["one", "two"] {
        assert_eq!(served_by(&relay, &provider, call).await, "");
    }
    relay.events_until("account_signed_out").await;
    until_stored(&relay).await;
    let stored = relay.app.store.find_account("setup").await.expect("a query").expect("there");
    assert_eq!(stored.signed_out.expect("signed out").cause, SignOutCause::Expired);
    let mut relay = relay.restart(&[]).await;
    relay.client = as_claude_code(&relay);
    looks_after(&relay);
    assert_eq!(served_by(&relay, &provider, "three").await, "");
    relay.clock.advance(HOUR);
    assert_eq!(served_by(&relay, &provider, "four").await, "");
    assert_eq!(events(&relay, "account_signed_out").await, 1);
    assert_eq!(events(&relay, "token_not_refreshed").await, 0);
    assert_eq!(token_requests(&provider), 0);
}
