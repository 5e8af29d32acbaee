//! The proof in full: a thousand calls of sixteen clients for each fault, over the real binary and
//! the machine's clock; and the deadline of a trial.

use std::time::{Duration, Instant};

use relay_core::clock::{Clock, SystemClock};
use relay_testkit::{
    Answer, Client, FakeProvider, Fault, Moment, RelayProcess, Served, messages_body,
};

use super::CRS;
use super::site::until;
use crate::failover::proof::{FAULTS, LATE_MAX, always, asked_of_a, complaints, is_flaky};
use crate::kit::{TestRelay, account};

/// Calls of each proof.
const CALLS: usize = 1_000;
/// A calm account's pace, so that a thousand calls take a few seconds.
const CALM: Duration = Duration::from_millis(50);
/// A trial may take so long where another account is open, and a little for the rest.
const TRIAL: std::ops::Range<Duration> = Duration::from_secs(15)..Duration::from_secs(20);

/// A relay with `a` at one provider and `b` at the same or another, `a` first.
async fn relay(at_a: &FakeProvider, at_b: &FakeProvider) -> (RelayProcess, Client) {
    let builder = RelayProcess::builder(CRS);
    let relay = builder.env("FIRST_BYTE_TIMEOUT", "2").start().await;
    relay.add_account("a", &at_a.base_url(), &["--priority", "1"]).await;
    relay.add_account("b", &at_b.base_url(), &["--priority", "2"]).await;
    let client = Client::new(relay.base_url()).anthropic(&relay.add_key("tests").await);
    // Edits are noticed in order, and within a second.
    until("the key is known", Duration::from_secs(5), async || {
        client.get("/api/v1/models", &[]).await.status != 401
    })
    .await;
    (relay, client)
}

/// `a` always fails so: nobody notices, and after the first second it is hardly asked.
async fn nobody_notices(faults: &[&str]) {
    for fault in faults {
        for hosts in [1, 2] {
            let (at_a, other) = (FakeProvider::start().await, FakeProvider::start().await);
            let at_b = if hosts == 1 { &at_a } else { &other };
            let (relay, client) = relay(&at_a, at_b).await;
            at_b.answers_key("upstream-b", Answer::well().delay(CALM));
            let (answer, mix) = always(fault);
            at_a.answers_key("upstream-a", answer);
            let begun = SystemClock.now();
            let wrong = complaints(&client, CALLS, mix).await;
            let took = SystemClock.now().since(begun);
            assert_eq!(wrong, Vec::<String>::new(), "{fault}, {hosts} hosts");
            let (asked, late) = asked_of_a(&at_a, begun, 1);
            assert!(asked > 0 && late <= LATE_MAX, "{fault}: {asked} asked, {late} late");
            assert!(took > Duration::from_secs(2), "the proof is of more than the first second");
            drop(relay);
        }
    }
}

#[tokio::test]
async fn a_thousand_calls_notice_no_account_that_is_limited_or_overloaded() {
    nobody_notices(&["limit", "limit for a minute", "529"]).await;
}

#[tokio::test]
async fn a_thousand_calls_notice_no_account_that_errs_or_is_not_accepted() {
    nobody_notices(&["500", "401", "403"]).await;
}

#[tokio::test]
async fn a_thousand_calls_notice_no_account_that_hangs_or_breaks() {
    nobody_notices(&["hang", "reset", "cut"]).await;
}

#[tokio::test]
async fn a_thousand_calls_notice_no_account_that_errs_within_a_200() {
    nobody_notices(&["error event", "cut after its start"]).await;
    assert_eq!(FAULTS.len(), 11, "every fault has its thousand calls above");
}

#[tokio::test]
async fn a_thousand_calls_notice_no_account_that_errs_now_and_then() {
    let provider = FakeProvider::start().await;
    let (relay, client) = relay(&provider, &provider).await;
    provider.answers_always(Answer::well().delay(CALM));
    is_flaky(&provider);
    let wrong = complaints(&client, CALLS, crate::failover::proof::Mix::Both).await;
    assert_eq!(wrong, Vec::<String>::new());
    provider.until_idle().await;
    let is_of_a = |served: &Served| served.api_key == "upstream-a" && served.status == 200;
    assert!(provider.served().iter().any(is_of_a), "it is used while it is well");
    drop(relay);
}

/// `a` was at its limit, and does not come back to life: a stream that tries it out is answered
/// by `b` in time.
async fn trial_is_short(silence: Moment) {
    let provider = FakeProvider::start().await;
    let accounts = [account("a", &provider), account("b", &provider)];
    let relay = TestRelay::start(accounts, &[]).await;
    let limit = Answer::anthropic_error(429, "rate_limit_error", "no");
    provider.answers_once(limit.header("retry-after", "60"));
    let post = |text: &str| {
        let body = messages_body("claude-sonnet-4-6", text).stream(true);
        let client = relay.client.clone();
        async move { client.post("/api/v1/messages", &[], body).await }
    };
    assert_eq!(post("first").await.status, 200);
    relay.clock.advance(Duration::from_mins(1));
    provider.answers_key("upstream-a", Answer::well().breaks(Fault::Hang, silence));
    let begun = Instant::now();
    assert_eq!(post("[[say b]]").await.text(), "b");
    assert!(TRIAL.contains(&begun.elapsed()), "{silence:?}: {:?}", begun.elapsed());
    assert!(relay.rests("a").await);
}

#[tokio::test]
async fn a_trial_that_hangs_is_given_up_soon_where_another_account_is_open() {
    tokio::join!(trial_is_short(Moment::Head), trial_is_short(Moment::Events(1)));
}
