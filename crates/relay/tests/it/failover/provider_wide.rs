//! What several accounts meet at one host is the host's: it rests for those models, and is tried
//! out by one call at a time.

use std::time::Duration;

use futures_util::future::join_all;
use relay_store::accounts::NewAccount;
use relay_testkit::{Answer, FakeProvider, FakeProxy, Fault, MessagesBody, Moment, messages_body};

use super::{asked, post, refusal, two};
use crate::kit::{TestRelay, account};

const OPUS: &str = "claude-opus-4-8";

fn opus(streamed: bool) -> MessagesBody {
    messages_body(OPUS, "hello").stream(streamed)
}

fn haiku() -> MessagesBody {
    messages_body("claude-haiku-4-5", "hello")
}

async fn overloaded(settings: &[(&str, &str)]) -> (FakeProvider, TestRelay) {
    let (provider, relay) = two(settings).await;
    provider.answers_model(OPUS, refusal(529));
    (provider, relay)
}

#[tokio::test]
async fn an_overloaded_provider_is_left_alone_and_its_clients_are_told_at_once() {
    let (provider, relay) = two(&[]).await;
    provider.answers_model(OPUS, refusal(529).header("retry-after", "30"));
    for number in 0..20 {
        let answer = post(&relay, opus(number % 2 == 0)).await;
        assert_eq!((answer.status, answer.header("retry-after")), (529, "30"), "{number}");
        assert_eq!(answer.json()["error"]["type"], "overloaded_error");
    }
    assert_eq!(asked(&provider), ["a", "b"]);
    assert_eq!(post(&relay, haiku()).await.status, 200, "other models are served there");

    let rests = relay.app.roster.snapshot()[0].host.rests(relay.app.now());
    assert_eq!(rests.len(), 1);
    let events = ["account_rested", "account_rested", "host_rested"];
    assert_eq!(relay.events_until_all(&events).await, events);
}

#[tokio::test]
async fn accounts_at_other_hosts_serve_meanwhile() {
    let (crowded, calm) = (FakeProvider::start().await, FakeProvider::start().await);
    crowded.answers_always(refusal(529));
    let at = |name| account(name, &crowded);
    let accounts = [at("a"), at("b"), at("c"), account("d", &calm)];
    let relay = TestRelay::start(accounts, &[]).await;
    for _ in 0..10 {
        assert_eq!(post(&relay, opus(true)).await.status, 200);
    }
    assert_eq!(asked(&crowded), ["a", "b"], "c is not asked at all");
    assert_eq!(calm.requests().len(), 10);
}

/// Eight calls at once while the host is tried out: how often it is asked, and what they get.
async fn eight(provider: &FakeProvider, relay: &TestRelay) -> (usize, Vec<u16>) {
    provider.clear_log();
    let answers = join_all((0..8).map(|number| post(relay, opus(number % 2 == 0)))).await;
    (provider.requests().len(), answers.iter().map(|answer| answer.status).collect())
}

/// Without a stated end it is tried out at any time, by one call on one account after another.
#[tokio::test]
async fn one_call_at_a_time_tries_the_host_out_until_it_recovers() {
    let (provider, relay) = overloaded(&[]).await;
    assert_eq!(post(&relay, opus(false)).await.status, 529);
    provider.answers_model(OPUS, refusal(529).delay(Duration::from_millis(200)));
    for rest in [0, 60] {
        relay.clock.advance(Duration::from_secs(rest));
        let (asked, statuses) = eight(&provider, &relay).await;
        assert!(asked <= 4, "after {rest} s: {asked}");
        assert_eq!(statuses, vec![529; 8], "after {rest} s");
        assert_eq!(provider.max_in_flight(), 1);
    }

    provider.recovers();
    provider.answers_model(OPUS, Answer::well().delay(Duration::from_millis(200)));
    relay.clock.advance(Duration::from_mins(1));
    let trial = tokio::spawn({
        let client = relay.client.clone();
        async move { client.post("/api/v1/messages", &[], opus(true)).await.status }
    });
    provider.until_in_flight(1).await;
    provider.recovers();
    let calls = join_all((0..8).map(|number| post(&relay, opus(number % 2 == 0))));
    let waits = async {
        while relay.app.shutdown.open_calls() < 9 {
            tokio::task::yield_now().await;
        }
        provider.in_flight()
    };
    let (answers, asked_meanwhile) = tokio::join!(calls, waits);
    assert_eq!(asked_meanwhile, 1, "the others wait for what comes of the trial");
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(trial.await.expect("no panic"), 200);
    assert_eq!(relay.app.roster.snapshot()[0].host.rests(relay.app.now()), vec![]);
    let events = relay.events_until("account_recovered").await;
    assert_eq!(events.iter().filter(|name| **name == "host_rested").count(), 2, "{events:?}");
}

#[tokio::test]
async fn errors_of_different_calls_on_several_accounts_are_the_hosts() {
    let provider = FakeProvider::start().await;
    let accounts = ["a", "b", "c"].map(|name| account(name, &provider));
    let relay = TestRelay::start(accounts, &[("ATTEMPTS_MAX", "1")]).await;
    provider.answers_always(refusal(500));
    assert_eq!(post(&relay, opus(false)).await.status, 500);
    assert_eq!(post(&relay, opus(false)).await.status, 500);
    assert_eq!(asked(&provider), ["a", "b"]);
    // The third account is at the same host, which now is tried out by one call at a time.
    provider.answers_always(refusal(500).delay(Duration::from_millis(200)));
    let (asked, statuses) = eight(&provider, &relay).await;
    assert_eq!(asked, 1);
    assert_eq!(statuses.iter().filter(|status| **status == 503).count(), 7, "{statuses:?}");
}

#[tokio::test]
async fn a_reset_of_one_account_clears_its_host() {
    let (provider, relay) = two(&[]).await;
    provider.answers_model(OPUS, refusal(529).header("retry-after", "30"));
    assert_eq!(post(&relay, opus(false)).await.status, 529);
    provider.recovers();
    assert_eq!(post(&relay, opus(false)).await.status, 529);
    relay.app.roster.snapshot()[1].reset();
    assert_eq!(post(&relay, opus(false)).await.status, 200);
    assert_eq!(asked(&provider), ["a", "b", "b"]);
}

/// What breaks on the way through an account's own proxy may be the proxy's.
#[tokio::test]
async fn what_breaks_behind_proxies_is_not_the_hosts() {
    for (proxied, host_rests) in [(true, false), (false, true)] {
        let (provider, proxy) = (FakeProvider::start().await, FakeProxy::http().await);
        let accounts = ["a", "b"].map(|name| {
            let way = proxied.then(|| proxy.url().parse().expect("a proxy"));
            NewAccount { proxy: way, ..account(name, &provider) }
        });
        let relay = TestRelay::start(accounts, &[("ATTEMPTS_MAX", "1")]).await;
        provider.answers_always(Answer::well().breaks(Fault::Reset, Moment::Head));
        for _ in 0..2 {
            assert_eq!(post(&relay, opus(false)).await.status, 502);
        }
        assert_eq!(asked(&provider), ["a", "b"]);
        assert!(relay.rests("a").await && relay.rests("b").await);
        let rests = relay.app.roster.snapshot()[0].host.rests(relay.app.now());
        assert_eq!(!rests.is_empty(), host_rests, "{rests:?}");
    }
}
