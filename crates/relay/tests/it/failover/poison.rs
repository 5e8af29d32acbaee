//! A call that fails on every account is the cause itself: it is told so after the second, nobody
//! rests for it, and whoever calls beside it is served.

use std::time::Duration;

use futures_util::future::join_all;
use relay_store::accounts::AccountChange;
use relay_testkit::{Answer, FakeProvider, Fault, Moment, SeenRequest};

use super::{ask, asked, post, two};
use crate::kit::{TestRelay, account};

/// The word that makes a body poisonous.
const POISON: &str = "poison";
const WORDS: &str = "the provider's own words";

fn is_poison(seen: &SeenRequest) -> bool {
    seen.is_message() && String::from_utf8_lossy(&seen.body).contains(POISON)
}

fn error(status: u16) -> Answer {
    Answer::anthropic_error(status, "api_error", WORDS)
}

async fn accounts(count: usize, settings: &[(&str, &str)]) -> (FakeProvider, TestRelay) {
    let provider = FakeProvider::start().await;
    let names = (0..count).map(|number| char::from(b'a' + u8::try_from(number).expect("few")));
    let accounts: Vec<_> = names.map(|name| account(&name.to_string(), &provider)).collect();
    let relay = TestRelay::start(accounts, settings).await;
    (provider, relay)
}

/// Nobody rests and nothing else was noted of it.
async fn nobody_rests(relay: &TestRelay) {
    relay.until_all_is_given_back().await;
    for member in relay.app.roster.snapshot().iter() {
        let now = relay.app.now();
        let (whole, families) = member.shared.notes.rests(now);
        assert_eq!((whole, families), (None, vec![]), "{}", member.account.name);
        assert_eq!(member.host.rests(now), vec![]);
        assert!(member.account.enabled);
    }
}

/// The body is asked of two accounts of ten, and the third call is as good as ever.
async fn is_passed_on(fault: Answer, streamed: bool, status: u16) {
    let settings = [("FIRST_BYTE_TIMEOUT", "1.3"), ("REQUEST_TIMEOUT", "300")];
    let (provider, relay) = accounts(10, &settings).await;
    provider.answers_when(is_poison, fault);
    let answer = post(&relay, ask(POISON, streamed)).await;
    assert_eq!(answer.status, status, "{}", answer.json());
    assert_eq!(asked(&provider), ["a", "b"]);
    nobody_rests(&relay).await;
    let good = post(&relay, ask("[[say good]]", streamed)).await;
    assert_eq!((good.status, good.text().as_str()), (200, "good"));
    assert_eq!(asked(&provider).last().map(String::as_str), Some("a"), "a is in no doubt");
}

#[tokio::test]
async fn an_error_that_two_accounts_answer_is_passed_on_as_the_provider_wrote_it() {
    for streamed in [false, true] {
        is_passed_on(error(500), streamed, 500).await;
        is_passed_on(error(503), streamed, 503).await;
    }
    let (provider, relay) = accounts(3, &[]).await;
    provider.answers_when(is_poison, error(500).header("request-id", "req_poison"));
    let answer = post(&relay, ask(POISON, false)).await;
    assert_eq!(answer.body, provider.served()[1].body);
    assert_eq!(answer.header("request-id"), "req_poison");
}

#[tokio::test]
async fn a_call_that_breaks_two_connections_rests_nobody() {
    let broken = |fault, at| Answer::well().breaks(fault, at);
    for streamed in [false, true] {
        is_passed_on(broken(Fault::Reset, Moment::Head), streamed, 502).await;
        is_passed_on(broken(Fault::Cut, Moment::Bytes(20)), streamed, 502).await;
    }
    let event = Answer::well().error_event(Moment::Events(1), "api_error", WORDS);
    is_passed_on(event, true, 500).await;
}

/// The deadline is longer than any pause in which one could make up one's mind early.
#[tokio::test]
async fn a_call_that_two_accounts_do_not_answer_in_time_rests_nobody() {
    is_passed_on(Answer::well().breaks(Fault::Hang, Moment::Head), true, 504).await;
}

#[tokio::test]
async fn a_limit_in_between_does_not_hide_the_poison() {
    let (provider, relay) = accounts(4, &[]).await;
    let limit = Answer::anthropic_error(429, "rate_limit_error", "no");
    provider.answers_when(is_poison, error(500));
    provider.answers_key("upstream-b", limit.header("retry-after", "60"));
    let answer = post(&relay, ask(POISON, false)).await;
    assert_eq!((answer.status, answer.json()["error"]["message"].as_str()), (500, Some(WORDS)));
    assert_eq!(asked(&provider), ["a", "b", "c"]);
    assert!(relay.rests("b").await, "a limit always counts");
    assert!(!relay.rests("a").await && !relay.rests("c").await);
}

#[tokio::test]
async fn other_errors_of_other_accounts_do_not_make_it_the_calls_own() {
    let (provider, relay) = accounts(4, &[]).await;
    provider.answers_key("upstream-a", error(500));
    provider.answers_key("upstream-b", error(502));
    assert_eq!(post(&relay, ask("[[say c]]", false)).await.text(), "c");
    assert!(relay.rests("a").await && relay.rests("b").await);
}

#[tokio::test]
async fn a_call_that_another_account_refuses_rests_nobody() {
    let (provider, relay) = two(&[]).await;
    provider.answers_key("upstream-a", error(500));
    provider.answers_key("upstream-b", Answer::anthropic_error(400, "invalid_request_error", "no"));
    assert_eq!(post(&relay, ask("hello", false)).await.status, 400);
    nobody_rests(&relay).await;
}

/// While nobody knows whose fault it is, calls ask others first; a client that leaves tells nobody.
#[tokio::test]
async fn a_client_that_leaves_before_it_is_known_rests_nobody() {
    let (provider, relay) = two(&[("KEEPALIVE_AFTER", "0.1")]).await;
    provider.answers_key("upstream-a", error(500));
    provider.answers_once_when(
        |seen| seen.is_message() && seen.api_key == "upstream-b",
        Answer::well().breaks(Fault::Hang, Moment::Head),
    );
    let mut incoming = relay.client.stream("/api/v1/messages", &[], ask("hello", true)).await;
    incoming.until("ping").await.expect("a sign of life");
    provider.until_requests(2).await;
    assert_eq!(post(&relay, ask("beside", false)).await.status, 200);
    assert_eq!(asked(&provider), ["a", "b", "b"]);
    incoming.leave();
    provider.until_cancelled(1).await;
    nobody_rests(&relay).await;
    assert_eq!(post(&relay, ask("after", false)).await.status, 200);
    provider.recovers();
    relay.clock.advance(Duration::from_secs(6));
    assert_eq!(post(&relay, ask("later", false)).await.status, 200);
    assert_eq!(asked(&provider), ["a", "b", "b", "b", "a"]);
}

/// A fault that is known long after it was met counts for its own moment: what the account answered
/// since speaks for it.
#[tokio::test]
async fn an_account_that_served_while_its_fault_was_in_doubt_does_not_rest() {
    let (provider, relay) = two(&[]).await;
    let limited = error(500).header("retry-after", "600");
    provider.answers_once_when(|seen| seen.api_key == "upstream-a", limited);
    provider.answers_key("upstream-b", Answer::well().delay(Duration::from_millis(500)));
    let call = async { post(&relay, ask("slow", false)).await.status };
    let beside = async {
        provider.until_requests(2).await;
        relay.clock.advance(Duration::from_mins(1));
        let switch = |on| AccountChange { enabled: Some(on), ..AccountChange::default() };
        relay.edit_account("b", &switch(false)).await;
        assert_eq!(post(&relay, ask("beside", false)).await.status, 200);
        relay.edit_account("b", &switch(true)).await;
        relay.clock.advance(Duration::from_mins(1));
    };
    assert_eq!(tokio::join!(call, beside).0, 200);
    assert_eq!(asked(&provider), ["a", "b", "a"]);
    nobody_rests(&relay).await;
}

#[tokio::test]
async fn a_rest_that_would_be_over_when_its_fault_is_known_is_not_made() {
    let (provider, relay) = two(&[]).await;
    provider.answers_once_when(|seen| seen.api_key == "upstream-a", error(500));
    provider.answers_key("upstream-b", Answer::well().delay(Duration::from_millis(200)));
    let call = async { post(&relay, ask("slow", false)).await.status };
    let time_goes_on = async {
        provider.until_requests(2).await;
        relay.clock.advance(Duration::from_mins(5));
    };
    assert_eq!(tokio::join!(call, time_goes_on).0, 200);
    nobody_rests(&relay).await;
}

/// Eight clients send poison over and over, eight others call beside them.
async fn others_are_served(fault: Answer, poisons: usize) {
    let (provider, relay) = two(&[]).await;
    provider.answers_always(Answer::well().delay(Duration::from_millis(3)));
    provider.answers_when(is_poison, fault);
    let running = relay.clock_runs(2);
    let poison = (0..8).map(|client| {
        let relay = &relay;
        async move {
            for _ in 0..poisons {
                let answer = post(relay, ask(&format!("{POISON} of {client}"), client % 2 == 0));
                assert!(matches!(answer.await.status, 500 | 502));
            }
        }
    });
    let good = (0..8).map(|client| {
        let relay = &relay;
        async move {
            let mut wrong = Vec::new();
            for number in 0..60 {
                let text = format!("[[say {client}.{number}]]");
                let answer = post(relay, ask(&text, number % 2 == 0)).await;
                if answer.status != 200 || answer.text() != format!("{client}.{number}") {
                    wrong.push(format!("{} {:?}", answer.status, answer.body));
                }
            }
            wrong
        }
    });
    let (_, wrong) = tokio::join!(join_all(poison), join_all(good));
    drop(running);
    assert_eq!(wrong.concat(), Vec::<String>::new());
    nobody_rests(&relay).await;
}

#[tokio::test]
async fn whoever_calls_beside_the_poison_is_served() {
    others_are_served(error(500), 10).await;
    others_are_served(Answer::well().breaks(Fault::Reset, Moment::Head), 10).await;
}

#[tokio::test]
async fn whoever_calls_beside_it_is_served_also_when_no_more_may_be_tried_again() {
    others_are_served(error(500), 60).await;
}

#[tokio::test]
async fn extra_attempts_have_a_budget_and_then_faults_are_passed_on() {
    let (provider, relay) = two(&[]).await;
    provider.answers_when(is_poison, error(500));
    for number in 0..130 {
        let answer = post(&relay, ask(POISON, false)).await;
        assert_eq!(answer.status, 500, "{number}");
        assert_eq!(answer.json()["error"]["message"], WORDS);
    }
    assert_eq!(provider.requests().len(), 230, "a hundred in a minute are free");
    nobody_rests(&relay).await;
    relay.clock.advance(Duration::from_secs(61));
    post(&relay, ask(POISON, false)).await;
    assert_eq!(provider.requests().len(), 232);
}
