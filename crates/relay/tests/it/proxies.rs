//! An account with a proxy goes through it with everything, or nowhere: never directly.

use std::sync::Arc;
use std::time::Duration;

use relay::{upkeep, watch};
use relay_core::account::OauthSettings;
use relay_core::usage::Outcome;
use relay_store::accounts::{AccountChange, NewAccount};
use relay_testkit::{
    ClosedPort, FakeProvider, FakeProxy, RefreshOutcome, SeenRequest, messages_body,
};

use crate::kit::{TestRelay, account};
use crate::oauth::{self, MESSAGES, SONNET, ask, member, served_by, signed_in, until};

const HOUR: Duration = Duration::from_hours(1);
/// A host that nobody but a proxy finds.
const NOWHERE: &str = "http://claude.test";
/// Characters that mean something in addresses and in headers.
const LOGIN: (&str, &str) = ("us:er@home", "p@ss/wörd %41+&=?#");

/// An account that goes through the proxy at `url`.
fn through(url: &str, account: NewAccount) -> NewAccount {
    NewAccount { proxy: Some(url.parse().expect("the address of a proxy")), ..account }
}

fn is_of(provider: &FakeProvider, owner: &str) -> usize {
    provider.requests().iter().filter(|seen| seen.owner == owner).count()
}

/// All that an account asks, through a proxy that alone knows where its host is.
async fn everything_goes_through(proxy: FakeProxy, scheme: &str) {
    let provider = oauth::provider().await;
    let host = format!("127.0.0.1:{}", provider.port());
    let proxy = proxy.with_login(LOGIN.0, LOGIN.1).resolves("claude.test", &host);
    let url = proxy.url();
    let (_, rest) = url.split_once("://").expect("a URL");
    let token_url = Some(format!("{NOWHERE}/v1/oauth/token"));
    let account = NewAccount {
        base_url: NOWHERE.to_owned(),
        oauth: OauthSettings { token_url, ..OauthSettings::default() },
        ..through(&format!("{scheme}://{rest}"), signed_in("a", &provider, HOUR))
    };
    let relay = oauth::relay(&provider, [account]).await;
    tokio::spawn(upkeep::run(Arc::clone(&relay.app)));
    until("its plan is asked for", async || provider.profiles_read("a") == 1).await;
    relay.clock.advance(Duration::from_mins(55));
    provider.until_outcomes(RefreshOutcome::Granted, 1).await;
    assert_eq!(served_by(&relay, &provider, "a call").await, "a");
    let streamed = messages_body(SONNET, "[[say streamed]]").stream(true);
    assert_eq!(relay.client.post(MESSAGES, &[], streamed).await.text(), "streamed");
    let count = messages_body(SONNET, "count me");
    let counted = relay.client.post("/api/v1/messages/count_tokens", &[], count).await;
    assert_eq!(counted.status, 200, "{:?}", counted.body);
    assert_eq!(relay.client.get("/api/v1/models", &[]).await.status, 200);

    let paths: Vec<_> = provider.requests().iter().map(|seen| seen.path().to_owned()).collect();
    for path in [
        "/v1/messages",
        "/v1/messages/count_tokens",
        "/v1/models",
        "/v1/oauth/token",
        "/api/oauth/usage",
        "/api/oauth/profile",
    ] {
        assert!(paths.iter().any(|it| it == path), "{path} is not in {paths:?}");
    }
    let targets = proxy.targets();
    assert!(!targets.is_empty() && targets.iter().all(|it| it == "claude.test:80"), "{targets:?}");
    assert_eq!((proxy.logins_refused(), proxy.connections()), (0, targets.len()));
}

#[tokio::test]
async fn everything_that_an_account_asks_goes_through_its_http_proxy() {
    everything_goes_through(FakeProxy::http().await, "http").await;
}

#[tokio::test]
async fn everything_that_an_account_asks_goes_through_its_socks_proxy() {
    everything_goes_through(FakeProxy::socks5().await, "socks5h").await;
}

/// The account `a` behind the proxy at `url`, and `b`, which connects directly to the same host. A
/// call of `a` are answered by `b`, with this word in the record.
async fn moves_on(url: &str, word: &str) -> (FakeProvider, TestRelay) {
    let provider = oauth::provider().await;
    let behind = through(url, signed_in("a", &provider, HOUR));
    let relay = oauth::relay(&provider, [behind, account("b", &provider)]).await;
    let answer = ask(&relay.client, SONNET, "[[say by b]]").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "by b"), "{word}");
    let record = relay.only_record().await;
    let faults: Vec<_> = record.attempts.iter().map(|it| it.fault.as_deref()).collect();
    assert_eq!(faults, [Some(word), None]);
    assert!(!record.attempts[0].maybe_billed);
    assert!(relay.rests("a").await && !relay.rests("b").await, "{word}");
    assert_no_host_rests(&relay).await;
    assert_eq!(is_of(&provider, "a"), 0, "{word}");
    (provider, relay)
}

/// The same, and a token does not take the direct way either.
async fn moves_on_with_its_token(url: &str, word: &str) {
    let (provider, relay) = moves_on(url, word).await;
    relay.clock.advance(HOUR);
    assert_eq!(served_by(&relay, &provider, "without a token").await, "");
    assert!(provider.refreshes().is_empty(), "{word}");
    assert_eq!(is_of(&provider, "a"), 0, "{word}");
    assert_eq!(member(&relay, "a").await.shared.keeper.signed_out(), None);
}

async fn assert_no_host_rests(relay: &TestRelay) {
    let rests = member(relay, "b").await.host.rests(relay.app.now());
    assert!(rests.is_empty(), "{rests:?}");
}

#[tokio::test]
async fn a_proxy_that_refuses_the_login_moves_on() {
    for proxy in [FakeProxy::http().await, FakeProxy::socks5().await] {
        let proxy = proxy.with_login("user", "right");
        let wrong = proxy.url().replace("right", "wrong");
        moves_on_with_its_token(&wrong, "proxy_login_refused").await;
        assert!(proxy.logins_refused() > 0);
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_moves_on() {
    let nobody = ClosedPort::reserve().expect("a port");
    moves_on_with_its_token(&nobody.url(), "proxy_unreachable").await;
    moves_on_with_its_token(&nobody.url().replace("http", "socks5"), "proxy_unreachable").await;
}

#[tokio::test]
async fn a_proxy_that_refuses_moves_on() {
    for (proxy, status) in [
        (FakeProxy::http().await, 403),
        (FakeProxy::http().await, 502),
        (FakeProxy::socks5().await, 502),
    ] {
        proxy.refuses(status);
        moves_on_with_its_token(&proxy.url(), "proxy_refused").await;
        assert!(!proxy.targets().is_empty());
    }
}

#[tokio::test]
async fn a_proxy_that_is_silent_moves_on() {
    let proxy = FakeProxy::http().await;
    proxy.stalls();
    moves_on(&proxy.url(), "proxy_timeout").await;
    assert!(proxy.connections() > 0);
}

#[tokio::test]
async fn a_proxy_that_dies_within_a_stream_ends_it_with_an_error_of_the_protocol() {
    for proxy in [FakeProxy::http().await, FakeProxy::socks5().await] {
        let provider = oauth::provider().await;
        let behind = through(&proxy.url(), signed_in("a", &provider, HOUR));
        let relay = oauth::relay(&provider, [behind, account("b", &provider)]).await;
        let body = messages_body(SONNET, "[[paced 3000 10]]").stream(true);
        let mut open = relay.client.stream(MESSAGES, &[], body).await;
        open.until("text_delta").await.expect("content");
        proxy.dies().await;
        let rest = open.collect().await;
        let last = rest.events().pop().expect("an event");
        assert_eq!(last.event, "error", "{last:?}");
        provider.until_idle().await;
        let record = relay.only_record().await;
        assert_eq!((record.outcome, record.status), (Outcome::Cut, 200));
        assert!(record.usage.input > 0 && record.usage.output > 0, "{record:#?}");
        assert_eq!(record.attempts[0].fault.as_deref(), Some("connection_broken"));
        relay.until_all_is_given_back().await;

        assert_eq!(served_by(&relay, &provider, "the next").await, "", "by b");
        let again = if proxy.url().starts_with("http") {
            FakeProxy::http_on(proxy.port()).await
        } else {
            FakeProxy::socks5_on(proxy.port()).await
        };
        let again = again.expect("the port is free again");
        relay.clock.advance(Duration::from_mins(2));
        assert_eq!(served_by(&relay, &provider, "and later").await, "a");
        assert_eq!(again.connections(), 1);
    }
}

#[tokio::test]
async fn an_edited_proxy_counts_within_a_second_and_connections_are_never_shared() {
    let provider = oauth::provider().await;
    let (one, two) = (FakeProxy::http().await, FakeProxy::socks5().await);
    let accounts = [
        through(&one.url(), signed_in("a", &provider, HOUR)),
        through(&one.url(), signed_in("b", &provider, HOUR)),
    ];
    let relay = oauth::relay(&provider, accounts).await;
    tokio::spawn(watch::run(Arc::clone(&relay.app), relay.changes_seen));
    let on = |enabled| AccountChange { enabled: Some(enabled), ..AccountChange::default() };
    for number in 0..3 {
        assert_eq!(served_by(&relay, &provider, &format!("a {number}")).await, "a");
    }
    assert_eq!(one.connections(), 1, "a keeps its connection");
    relay.edit_account("a", &on(false)).await;
    assert_eq!(served_by(&relay, &provider, "b").await, "b");
    assert_eq!(one.connections(), 2, "b has one of its own");
    relay.edit_account("a", &on(true)).await;

    let id = relay.account_id("a").await;
    let edit = async |proxy| {
        let change = AccountChange { proxy: Some(proxy), ..AccountChange::default() };
        relay.app.store.change_account(id, &change, relay.app.now()).await.expect("changed");
        let before = member(&relay, "a").await.account.proxy.clone();
        let known =
            until("the edit is known", async || member(&relay, "a").await.account.proxy != before);
        tokio::time::timeout(Duration::from_secs(1), known).await.expect("within a second");
    };
    edit(Some(two.url().parse().expect("a proxy"))).await;
    assert_eq!(served_by(&relay, &provider, "through the other").await, "a");
    assert_eq!((one.connections(), two.connections()), (2, 1));
    edit(None).await;
    assert_eq!(served_by(&relay, &provider, "directly").await, "a");
    edit(Some(one.url().parse().expect("a proxy"))).await;
    assert_eq!(served_by(&relay, &provider, "through the first").await, "a");
    assert_eq!((one.connections(), two.connections()), (3, 1));
}

#[tokio::test]
async fn accounts_behind_a_dead_proxy_rest_no_host() {
    let provider = oauth::provider().await;
    let nobody = ClosedPort::reserve().expect("a port");
    let accounts = [
        through(&nobody.url(), signed_in("one", &provider, HOUR)),
        through(&nobody.url(), signed_in("two", &provider, HOUR)),
        account("b", &provider),
    ];
    let relay = oauth::relay(&provider, accounts).await;
    // An answer in between would clear the host.
    let on = |enabled| AccountChange { enabled: Some(enabled), ..AccountChange::default() };
    relay.edit_account("b", &on(false)).await;
    for number in 0..4 {
        let answer = ask(&relay.client, SONNET, &format!("call {number}")).await;
        assert_ne!(answer.status, 200);
        assert_no_host_rests(&relay).await;
        relay.clock.advance(Duration::from_millis(900));
    }
    relay.edit_account("b", &on(true)).await;
    assert_eq!(served_by(&relay, &provider, "by b").await, "");
    assert!(relay.rests("one").await && relay.rests("two").await);
    let is_direct = |seen: &SeenRequest| seen.api_key == "upstream-b";
    assert!(provider.requests().iter().all(is_direct));
}

#[tokio::test]
async fn a_refresh_waits_until_its_proxy_is_back() {
    let provider = oauth::provider().await;
    let proxy = FakeProxy::http().await;
    let behind = through(&proxy.url(), signed_in("a", &provider, HOUR));
    let relay = oauth::relay(&provider, [behind, account("b", &provider)]).await;
    let port = proxy.port();
    proxy.dies().await;
    relay.clock.advance(HOUR);
    assert_eq!(served_by(&relay, &provider, "while it is dead").await, "");
    assert!(provider.refreshes().is_empty());
    let _again = FakeProxy::http_on(port).await.expect("the port is free again");
    relay.clock.advance(Duration::from_secs(5));
    assert_eq!(served_by(&relay, &provider, "as it is back").await, "a");
    assert_eq!((provider.refreshes().len(), provider.reused()), (1, 0));
}
