//! Accounts that are signed in to: their tokens live, are refreshed, refused, and end.

mod ahead;
mod faults;
mod others;
mod refresh;

use std::sync::Arc;
use std::time::Duration;

use http::header::USER_AGENT;
use relay::roster::Member;
use relay_core::account::{AccountKind, OauthSettings};
use relay_core::clock::{Clock, ManualClock, Timestamp};
use relay_core::credential::{Credential, Tokens};
use relay_core::secret::Secret;
use relay_store::accounts::NewAccount;
use relay_testkit::{Client, FakeProvider, IssuedTokens, Received, SeenRequest, messages_body};

use crate::kit::{START, TestRelay};

pub(crate) const MESSAGES: &str = "/api/v1/messages";
/// What Claude Code calls itself.
pub(crate) const CLAUDE_CODE: &str = "claude-cli/2.1.197 (external, cli)";
pub(crate) const SONNET: &str = "claude-sonnet-4-6";
const HOUR: Duration = Duration::from_hours(1);
const MINUTE: Duration = Duration::from_mins(1);
/// How long a test waits for what happens beside its calls.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// A provider whose tokens end by the clock that tests begin with.
pub(crate) async fn provider() -> FakeProvider {
    let provider = FakeProvider::start().await;
    provider.tells_time_by(Arc::new(ManualClock::new(START)));
    provider
}

/// A relay with these accounts; from now on its provider goes by its clock.
pub(crate) async fn relay(
    provider: &FakeProvider,
    accounts: impl IntoIterator<Item = NewAccount>,
) -> TestRelay {
    let mut relay = TestRelay::start(accounts, &[]).await;
    relay.client = as_claude_code(&relay);
    provider.tells_time_by(Arc::clone(&relay.clock) as Arc<dyn Clock>);
    relay
}

/// A client of its own that says it is Claude Code.
pub(crate) fn as_claude_code(relay: &TestRelay) -> Client {
    Client::new(&relay.base_url).anthropic(relay.key()).header(USER_AGENT.as_str(), CLAUDE_CODE)
}

/// Tokens as they are kept.
pub(crate) fn tokens(issued: &IssuedTokens, obtained_at: Timestamp) -> Tokens {
    Tokens {
        access: Secret::new(&*issued.access_token),
        refresh: Some(Secret::new(&*issued.refresh_token)),
        expires_at: Some(Timestamp::from_millis(issued.expires_at_millis)),
        obtained_at,
        client_secret: None,
    }
}

/// An account that is signed in to; its access tokens live so long. Its owner has its name.
pub(crate) fn signed_in(name: &str, provider: &FakeProvider, lifetime: Duration) -> NewAccount {
    with(name, provider, tokens(&provider.issues(name, lifetime), START))
}

/// An account with a token for a year, which cannot be refreshed.
fn with_setup_token(name: &str, provider: &FakeProvider) -> NewAccount {
    let token = Tokens {
        access: Secret::new(provider.issues_setup_token(name)),
        refresh: None,
        expires_at: Some(START.plus(YEAR)),
        obtained_at: START,
        client_secret: None,
    };
    with(name, provider, token)
}

const YEAR: Duration = Duration::from_hours(365 * 24);

fn with(name: &str, provider: &FakeProvider, tokens: Tokens) -> NewAccount {
    let credential = Credential::Tokens(tokens);
    let kind = AccountKind::ClaudeOauth;
    NewAccount {
        oauth: OauthSettings { token_url: Some(provider.token_url()), ..OauthSettings::default() },
        ..NewAccount::signed_in(name, kind, &provider.base_url(), credential)
    }
}

/// A call of a conversation of its own; each `text` is another one.
pub(crate) async fn ask(client: &Client, model: &str, text: &str) -> Received {
    client.post(MESSAGES, &[], messages_body(model, text)).await
}

/// Makes a call that has to be answered, and tells by whom it was.
pub(crate) async fn served_by(relay: &TestRelay, provider: &FakeProvider, text: &str) -> String {
    let answer = ask(&relay.client, SONNET, text).await;
    assert_eq!(answer.status, 200, "{text}: {:?}", answer.body);
    let asked = provider.requests().into_iter().rfind(SeenRequest::is_message);
    asked.expect("somebody was asked").owner
}

pub(crate) async fn member(relay: &TestRelay, name: &str) -> Arc<Member> {
    relay.app.roster.find(relay.account_id(name).await).expect("an account")
}

/// How often the token endpoint was asked, whatever it answered.
fn token_requests(provider: &FakeProvider) -> usize {
    provider.requests().iter().filter(|seen| seen.path().ends_with("/v1/oauth/token")).count()
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let came = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(WAIT_MAX, came).await;
    assert!(waited.is_ok(), "waited {WAIT_MAX:?} in vain: {what}");
}

/// How many events of this name are in the database.
async fn events(relay: &TestRelay, name: &str) -> usize {
    let events = relay.app.store.pending_events(1_000).await.expect("a query");
    events.iter().filter(|it| it.event.name() == name).count()
}

/// Waits until nothing of a refresh is left to be done: neither under way nor on disk.
async fn until_stored(relay: &TestRelay) {
    let _none_is_under_way = relay.app.unfinished.write().await;
    until("the database has every pair", async || {
        relay.app.credentials.pending().expect("a readable record").is_empty()
    })
    .await;
}
