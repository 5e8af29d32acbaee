//! Which clients an account serves: a subscription is for its provider's own, and what others are
//! refused for is theirs.

use std::sync::Arc;
use std::time::Duration;

use relay_core::account::{AccountKind, ClientRule};
use relay_core::clock::{Clock, Timestamp};
use relay_core::credential::{Credential, Tokens};
use relay_core::secret::Secret;
use relay_store::accounts::{AccountChange, NewAccount};
use relay_testkit::{Answer, FakeProvider, Received, messages_body};

use crate::kit::{START, TestRelay, account};

const CLAUDE_CODE: (&str, &str) = ("user-agent", "claude-cli/2.1.197 (external, cli)");
const CHERRY: (&str, &str) = ("user-agent", "CherryStudio/1.7");

/// A subscription at this provider, of the owner `sub`.
pub(crate) fn subscription(provider: &FakeProvider) -> NewAccount {
    let issued = provider.issues("sub", Duration::from_hours(8));
    let tokens = Tokens {
        access: Secret::new(issued.access_token),
        refresh: Some(Secret::new(issued.refresh_token)),
        expires_at: Some(Timestamp::from_millis(issued.expires_at_millis)),
        obtained_at: START,
        client_secret: None,
    };
    let (kind, credential) = (AccountKind::ClaudeOauth, Credential::Tokens(tokens));
    let mut account = NewAccount::signed_in("sub", kind, &provider.base_url(), credential);
    account.oauth.token_url = Some(provider.token_url());
    account
}

/// A relay with a subscription, and with an account with a key besides if there is to be one.
async fn relay_with(others: &[&str]) -> (FakeProvider, TestRelay) {
    let provider = FakeProvider::start().await;
    let clock = relay_core::clock::ManualClock::new(START);
    provider.tells_time_by(Arc::new(clock) as Arc<dyn Clock>);
    let mut accounts = vec![subscription(&provider)];
    accounts.extend(others.iter().map(|name| account(name, &provider)));
    let relay = TestRelay::start(accounts, &[]).await;
    provider.tells_time_by(Arc::clone(&relay.clock) as Arc<dyn Clock>);
    provider.accepts_only_claude_code();
    (provider, relay)
}

async fn post(relay: &TestRelay, client: (&str, &str), streamed: bool) -> Received {
    // Each client has a conversation of its own.
    let body = messages_body("claude-sonnet-4-6", client.1).stream(streamed);
    relay.client.post("/api/v1/messages", &[client], body).await
}

/// Who answered each Messages call: an owner, or a key.
fn asked(provider: &FakeProvider) -> Vec<String> {
    let calls = provider.requests().into_iter().filter(relay_testkit::SeenRequest::is_message);
    calls
        .map(|seen| {
            let key = seen.api_key.trim_start_matches("upstream-").to_owned();
            if seen.owner.is_empty() { key } else { seen.owner }
        })
        .collect()
}

async fn serves_any(relay: &TestRelay) {
    let any = AccountChange { clients: Some(ClientRule::Any), ..AccountChange::default() };
    relay.edit_account("sub", &any).await;
}

#[tokio::test]
async fn a_subscription_serves_its_own_client_and_others_go_to_the_account_with_a_key() {
    let (provider, relay) = relay_with(&["api"]).await;
    for streamed in [false, true] {
        assert_eq!(post(&relay, CLAUDE_CODE, streamed).await.status, 200);
        assert_eq!(post(&relay, CHERRY, streamed).await.status, 200);
    }
    assert_eq!(asked(&provider), ["sub", "api", "sub", "api"]);
    assert!(!relay.rests("sub").await);
}

#[tokio::test]
async fn other_clients_are_told_in_words_if_there_is_no_account_for_them() {
    let (provider, relay) = relay_with(&[]).await;
    for streamed in [false, true] {
        let refused = post(&relay, CHERRY, streamed).await;
        assert_eq!((refused.status, refused.header("x-should-retry")), (403, "false"));
        let message = refused.json()["error"]["message"].to_string();
        assert!(message.contains("Claude Code"), "{message}");
        assert_eq!(refused.json()["error"]["type"], "permission_error");
    }
    assert_eq!(asked(&provider), Vec::<String>::new());
    assert_eq!(post(&relay, CLAUDE_CODE, true).await.status, 200);
}

#[tokio::test]
async fn a_client_that_is_let_try_gets_the_providers_answer_and_nobody_rests_for_it() {
    let (provider, relay) = relay_with(&["api"]).await;
    serves_any(&relay).await;
    for streamed in [false, true] {
        let refused = post(&relay, CHERRY, streamed).await;
        assert_eq!(refused.status, 400);
        let message = refused.json()["error"]["message"].to_string();
        assert!(message.contains("only authorized for use with Claude Code"), "{message}");
    }
    provider.answers_owner("sub", Answer::anthropic_error(403, "permission_error", "not you"));
    assert_eq!(post(&relay, CHERRY, true).await.status, 403);
    provider.answers_owner("sub", Answer::anthropic_error(429, "rate_limit_error", "Error"));
    assert_eq!(post(&relay, CHERRY, true).await.status, 429);
    assert_eq!(asked(&provider), ["sub"; 4]);
    assert!(!relay.rests("sub").await);
    provider.recovers();
    assert_eq!(post(&relay, CLAUDE_CODE, true).await.status, 200);
}

#[tokio::test]
async fn what_is_the_accounts_own_still_counts_against_it() {
    let (provider, relay) = relay_with(&["api"]).await;
    serves_any(&relay).await;
    let text = "This organization has been disabled.";
    provider.answers_owner("sub", Answer::anthropic_error(403, "permission_error", text));
    assert_eq!(post(&relay, CHERRY, false).await.status, 200);
    assert_eq!(asked(&provider), ["sub", "api"]);
    assert!(relay.rests("sub").await);
}

#[tokio::test]
async fn its_own_client_moves_on_when_the_subscription_is_refused() {
    let (provider, relay) = relay_with(&["api"]).await;
    provider.answers_owner("sub", Answer::anthropic_error(403, "permission_error", "no"));
    assert_eq!(post(&relay, CLAUDE_CODE, true).await.status, 200);
    assert_eq!(asked(&provider), ["sub", "api"]);
    assert!(relay.rests("sub").await);
}

#[tokio::test]
async fn what_is_said_of_the_client_is_the_callers_even_if_it_is_its_own_and_rests_nobody() {
    let (provider, relay) = relay_with(&["api"]).await;
    let text = "This credential is only authorized for use with Claude Code and cannot be used";
    for status in [400, 401, 403] {
        let refusal = Answer::anthropic_error(status, "permission_error", text);
        provider.answers_owner("sub", refusal);
        assert_eq!(post(&relay, CLAUDE_CODE, true).await.status, status);
        assert!(!relay.rests("sub").await);
    }
    assert_eq!(asked(&provider), ["sub"; 3]);
    assert!(provider.refreshes().is_empty(), "no other token would help");
}

#[tokio::test]
async fn a_condemned_subscription_is_not_refreshed_whatever_the_status() {
    let (provider, relay) = relay_with(&["api"]).await;
    let text = "This organization has been disabled.";
    provider.answers_owner("sub", Answer::anthropic_error(401, "authentication_error", text));
    assert_eq!(post(&relay, CLAUDE_CODE, true).await.status, 200);
    assert_eq!(asked(&provider), ["sub", "api"]);
    assert!(provider.refreshes().is_empty());
    assert!(relay.rests("sub").await);
}
