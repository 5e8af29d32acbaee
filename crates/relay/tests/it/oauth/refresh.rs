//! One refresh at a time, which no client that leaves can cancel.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use relay::watch;
use relay_core::account::ClientRule;
use relay_core::credential::Credential;
use relay_core::health::RestCause;
use relay_store::accounts::AccountChange;
use relay_testkit::{
    Answer, FakeProvider, Received, RefreshGate, RefreshOutcome, SeenRequest, messages_body,
};
use tokio::task::JoinHandle;

use super::{
    HOUR, MESSAGES, SONNET, as_claude_code, ask, events, member, provider, relay, served_by,
    signed_in, token_requests, tokens, until, until_stored,
};
use crate::kit::{TestRelay, account};

/// A relay with the account `a`, whose token has ended, and `b`, an API key.
async fn ended() -> (FakeProvider, TestRelay) {
    let provider = provider().await;
    let accounts = [signed_in("a", &provider, HOUR), account("b", &provider)];
    let relay = relay(&provider, accounts).await;
    relay.clock.advance(HOUR);
    (provider, relay)
}

/// A call that waits for a refresh, whose answer the provider holds back.
async fn held(provider: &FakeProvider, relay: &TestRelay) -> (RefreshGate, JoinHandle<Received>) {
    let gate = provider.holds_answers();
    let client = as_claude_code(relay);
    let waits = tokio::spawn(async move { ask(&client, SONNET, "waits").await });
    gate.until_held(1).await;
    (gate, waits)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_calls_that_wait_for_a_token_cause_one_refresh() {
    const CALLS: usize = 50;
    let (provider, relay) = ended().await;
    let gate = provider.holds_refreshes();
    let calls: Vec<_> = (0..CALLS)
        .map(|number| {
            let client = as_claude_code(&relay);
            tokio::spawn(async move { ask(&client, SONNET, &format!("call {number}")).await })
        })
        .collect();
    gate.until_held(1).await;
    until("all calls wait", async || relay.app.shutdown.open_calls() == CALLS).await;
    gate.release();
    for call in calls {
        assert_eq!(call.await.expect("no client panics").status, 200);
    }
    assert_eq!((provider.refreshes().len(), provider.reused()), (1, 0));
    let asked = provider.requests().into_iter().filter(SeenRequest::is_message);
    let mut owners: Vec<_> = asked.map(|seen| seen.owner).collect();
    assert_eq!(owners.len(), CALLS);
    owners.dedup();
    assert_eq!(owners, ["a"]);
    until_stored(&relay).await;
    let stored = relay.app.store.find_account("a").await.expect("a query").expect("there");
    assert_eq!(stored.credential_version, 2);
    relay.until_all_is_given_back().await;
}

#[tokio::test]
async fn a_client_that_leaves_during_a_refresh_does_not_harm_it() {
    let (provider, relay) = ended().await;
    let gate = provider.holds_answers();
    let client = as_claude_code(&relay);
    let leaves = tokio::spawn(async move {
        let body = messages_body(SONNET, "leaves").stream(true);
        client.try_request("POST", MESSAGES, &[], body).await.map(|_| ())
    });
    gate.until_held(1).await;
    leaves.abort();
    relay.app.shutdown.until_no_call_is_open().await;
    gate.release();
    provider.until_outcomes(RefreshOutcome::Granted, 1).await;
    until_stored(&relay).await;
    assert_eq!(served_by(&relay, &provider, "stays").await, "a");
    let refreshes = provider.refreshes();
    assert_eq!((refreshes.len(), provider.reused()), (1, 0), "{refreshes:?}");
    assert_eq!(refreshes[0].outcome, RefreshOutcome::Granted);
}

#[tokio::test]
async fn a_token_that_is_refused_early_is_replaced_and_the_client_sees_nothing_of_it() {
    let provider = provider().await;
    let accounts = [signed_in("a", &provider, HOUR), signed_in("b", &provider, HOUR)];
    let relay = relay(&provider, accounts).await;
    for (number, streamed) in [(1, false), (2, true)] {
        provider.revoke_access("a");
        let body = messages_body(SONNET, &format!("[[say {number}]]")).stream(streamed);
        let answer = relay.client.post(MESSAGES, &[], body).await;
        assert_eq!((answer.status, answer.text()), (200, number.to_string()));
        assert_eq!(provider.refreshes().len(), number);
    }
    provider.until_idle().await;
    let messages = provider.served().into_iter().filter(|served| served.path == "/v1/messages");
    let asked: Vec<_> = messages.map(|served| (served.owner, served.status)).collect();
    let of_a = |status| ("a".to_owned(), status);
    assert_eq!(asked, [of_a(401), of_a(200), of_a(401), of_a(200)]);
    relay.app.shutdown.until_no_call_is_open().await;
    assert!(!relay.rests("a").await);
    for record in relay.records() {
        assert_eq!(record.attempts.len(), 1, "{record:#?}");
        assert_eq!(record.attempts[0].fault, None);
    }
}

#[tokio::test]
async fn an_account_whose_fresh_tokens_are_refused_rests_and_no_storm_of_refreshes_follows() {
    const WAVES: usize = 4;
    let provider = provider().await;
    let accounts = [signed_in("a", &provider, 8 * HOUR), account("b", &provider)];
    let relay = relay(&provider, accounts).await;
    provider.answers_owner("a", Answer::anthropic_error(401, "authentication_error", "no"));
    for wave in 0..WAVES {
        let calls = (0..25).map(|number| {
            let client = as_claude_code(&relay);
            tokio::spawn(async move { ask(&client, SONNET, &format!("{wave} {number}")).await })
        });
        for call in calls.collect::<Vec<_>>() {
            assert_eq!(call.await.expect("no client panics").status, 200);
        }
        assert!(relay.rests("a").await);
        let rest = member(&relay, "a").await.shared.notes.rests(relay.app.now()).0;
        assert_eq!(rest.expect("a rest").cause, RestCause::Unauthorised);
        relay.clock.advance(HOUR);
    }
    let refreshes = provider.refreshes().len();
    println!("{refreshes} refreshes in {} calls", WAVES * 25);
    assert!((1..=3 * WAVES).contains(&refreshes), "{refreshes} refreshes");
    assert_eq!(provider.reused(), 0);
    assert_eq!(events(&relay, "account_signed_out").await, 0);
}

#[tokio::test]
async fn a_sign_in_during_a_refresh_wins() {
    let (provider, relay) = ended().await;
    tokio::spawn(watch::run(Arc::clone(&relay.app), relay.changes_seen));
    let (gate, waits) = held(&provider, &relay).await;
    let again = tokens(&provider.issues("anew", HOUR), relay.app.now());
    let credential = Some(Credential::Tokens(again.clone()));
    let id = relay.account_id("a").await;
    let change = AccountChange { credential, ..AccountChange::default() };
    relay.app.store.change_account(id, &change, relay.app.now()).await.expect("changed");
    let keeper = member(&relay, "a").await;
    until("the sign-in is known", async || keeper.shared.keeper.tokens().as_ref() == Some(&again))
        .await;
    gate.release();
    assert_eq!(waits.await.expect("no client panics").status, 200);
    until_stored(&relay).await;
    assert_eq!(served_by(&relay, &provider, "after").await, "anew");
    let stored = relay.app.store.account(id).await.expect("a query").expect("there");
    assert_eq!(stored.credential, Credential::Tokens(again));
}

#[tokio::test]
async fn a_refusal_that_comes_after_a_sign_in_does_not_sign_it_out() {
    let (provider, relay) = ended().await;
    tokio::spawn(watch::run(Arc::clone(&relay.app), relay.changes_seen));
    provider.refuses_refreshes("a");
    let (gate, waits) = held(&provider, &relay).await;
    let again = tokens(&provider.issues("anew", HOUR), relay.app.now());
    let id = relay.account_id("a").await;
    let change = AccountChange {
        credential: Some(Credential::Tokens(again.clone())),
        ..AccountChange::default()
    };
    relay.app.store.change_account(id, &change, relay.app.now()).await.expect("changed");
    let signed_in = member(&relay, "a").await;
    until("the sign-in is known", async || {
        signed_in.shared.keeper.tokens().as_ref() == Some(&again)
    })
    .await;
    gate.release();
    assert_eq!(waits.await.expect("no client panics").status, 200);
    until_stored(&relay).await;
    assert_eq!(signed_in.shared.keeper.signed_out(), None);
    assert_eq!(events(&relay, "account_signed_out").await, 0);
    // The call that waited may have rested it, as what it had was of no use.
    relay.clock.advance(Duration::from_mins(2));
    assert_eq!(served_by(&relay, &provider, "after").await, "anew");
}

#[tokio::test]
async fn edits_of_other_fields_leave_tokens_alone() {
    let (provider, relay) = ended().await;
    let (gate, waits) = held(&provider, &relay).await;
    let change = AccountChange {
        note: Some("edited".into()),
        clients: Some(ClientRule::Any),
        priority: Some(-3),
        ..AccountChange::default()
    };
    relay.edit_account("a", &change).await;
    gate.release();
    assert_eq!(waits.await.expect("no client panics").status, 200);
    relay.edit_account("a", &AccountChange { weight: Some(4), ..change }).await;
    assert_eq!(served_by(&relay, &provider, "after").await, "a");
    until_stored(&relay).await;
    let stored = relay.app.store.find_account("a").await.expect("a query").expect("there");
    assert_eq!((stored.credential_version, stored.account.note.as_str()), (2, "edited"));
    assert_eq!((provider.refreshes().len(), provider.reused()), (1, 0));
}

#[tokio::test]
async fn a_pair_that_the_disk_does_not_take_serves_and_is_written_as_soon_as_it_does() {
    let (provider, relay) = ended().await;
    let (gate, waits) = held(&provider, &relay).await;
    let (credentials, away) =
        (relay.data_dir().credentials(), relay.data_dir().root().join("away"));
    fs::rename(&credentials, &away).expect("moved away");
    gate.release();
    assert_eq!(waits.await.expect("no client panics").status, 200);
    assert_eq!(served_by(&relay, &provider, "after").await, "a");
    fs::rename(&away, &credentials).expect("moved back");
    until("the database has the pair", async || {
        let stored = relay.app.store.find_account("a").await.expect("a query").expect("there");
        stored.credential_version == 2
    })
    .await;
    assert_eq!((provider.refreshes().len(), provider.reused()), (1, 0));
}

#[tokio::test]
async fn nothing_is_sent_while_the_disk_does_not_take_the_intent() {
    let (provider, relay) = ended().await;
    let (credentials, away) =
        (relay.data_dir().credentials(), relay.data_dir().root().join("away"));
    fs::rename(&credentials, &away).expect("moved away");
    assert_eq!(served_by(&relay, &provider, "one").await, "", "by the API key");
    assert_eq!(token_requests(&provider), 0);
    fs::rename(&away, &credentials).expect("moved back");
    relay.clock.advance(Duration::from_secs(2));
    assert_eq!(served_by(&relay, &provider, "two").await, "a");
    assert_eq!(token_requests(&provider), 1);
}

#[tokio::test]
async fn a_removed_account_leaves_nothing_on_disk_whatever_its_refresh_gives() {
    let (provider, relay) = ended().await;
    tokio::spawn(watch::run(Arc::clone(&relay.app), relay.changes_seen));
    let (gate, waits) = held(&provider, &relay).await;
    let id = relay.account_id("a").await;
    let file = relay.data_dir().credentials().join(id.to_string());
    assert!(file.exists(), "the intent");
    relay.app.store.remove_account(id, relay.app.now()).await.expect("removed");
    until("its file is gone", async || !file.exists()).await;
    gate.release();
    let _ = waits.await.expect("no client panics");
    provider.until_outcomes(RefreshOutcome::Granted, 1).await;
    until_stored(&relay).await;
    let left = fs::read_dir(relay.data_dir().credentials()).expect("a directory").count();
    assert_eq!(left, 0);
}
