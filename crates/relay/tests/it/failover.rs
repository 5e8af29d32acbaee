//! An account's failure is not the client's: until the first content, another account answers.

mod lessons;
mod poison;
pub(crate) mod proof;
mod provider_wide;
mod refusals;

use std::time::Duration;

use http::header::RETRY_AFTER;
use relay_core::usage::{Exactness, Outcome};
use relay_testkit::{
    Answer, FakeProvider, Fault, MessagesBody, Moment, Received, SeenRequest, messages_body,
};

use crate::kit::{START, TestRelay, account};

pub(crate) const MODEL: &str = "claude-sonnet-4-6";
/// Deadlines that pass while one waits.
const SHORT: &[(&str, &str)] =
    &[("FIRST_BYTE_TIMEOUT", "0.3"), ("STREAM_IDLE_TIMEOUT", "0.3"), ("REQUEST_TIMEOUT", "300")];

/// Two accounts at one provider; `a` stands first.
async fn two(settings: &[(&str, &str)]) -> (FakeProvider, TestRelay) {
    let provider = FakeProvider::start().await;
    let accounts = [account("a", &provider), account("b", &provider)];
    let relay = TestRelay::start(accounts, settings).await;
    (provider, relay)
}

fn ask(text: &str, streamed: bool) -> MessagesBody {
    messages_body(MODEL, text).stream(streamed)
}

async fn post(relay: &TestRelay, body: MessagesBody) -> Received {
    relay.client.post("/api/v1/messages", &[], body).await
}

/// Whose credential each request had, in order.
fn asked(provider: &FakeProvider) -> Vec<String> {
    let name = |key: String| key.trim_start_matches("upstream-").to_owned();
    provider.requests().into_iter().map(|seen| name(seen.api_key)).collect()
}

/// A fault of `a` moves the call to `b`, leaves no trace in the answer, and rests `a` until the
/// clock has moved on.
async fn moves_on(fault: Answer, word: &str, streamed: bool) {
    let (provider, relay) = two(SHORT).await;
    provider.answers_key("upstream-a", fault);
    let answer = post(&relay, ask("[[say 换一个 b]]", streamed)).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "换一个 b"), "{word}");

    provider.recovers();
    let served = provider.served();
    let of_b = served.iter().find(|it| it.api_key == "upstream-b").expect("b answered");
    assert_eq!(answer.body, of_b.body, "{word}: nothing but b's answer");
    let record = relay.only_record().await;
    let faults: Vec<_> = record.attempts.iter().map(|it| it.fault.as_deref()).collect();
    assert_eq!(faults, [Some(word), None]);
    assert_eq!((record.outcome, record.exactness), (Outcome::Completed, Exactness::Exact));
    assert_eq!((record.usage, record.account), (of_b.usage, relay.account_id("b").await));
    assert!(relay.rests("a").await, "{word}");

    assert_eq!(post(&relay, ask("another conversation", streamed)).await.status, 200);
    relay.clock.advance(Duration::from_hours(1));
    assert_eq!(post(&relay, ask("and one more", streamed)).await.status, 200);
    assert_eq!(asked(&provider), ["a", "b", "b", "a"], "{word}");
    assert!(!relay.rests("a").await, "{word}");
    relay.until_all_is_given_back().await;
}

async fn moves_on_either_way(fault: Answer, word: &str) {
    moves_on(fault.clone(), word, false).await;
    moves_on(fault, word, true).await;
}

fn refusal(status: u16) -> Answer {
    Answer::anthropic_error(status, "some_error", "the words of a")
}

#[tokio::test]
async fn a_limit_moves_on() {
    moves_on_either_way(refusal(429).header("retry-after", "60"), "rate_limited").await;
    moves_on_either_way(refusal(429), "rate_limited").await;
}

#[tokio::test]
async fn a_refused_credential_moves_on() {
    moves_on_either_way(refusal(401), "unauthorised").await;
    moves_on_either_way(refusal(403), "forbidden").await;
    moves_on_either_way(refusal(402), "unpaid").await;
}

#[tokio::test]
async fn errors_of_the_provider_move_on() {
    moves_on_either_way(refusal(500), "upstream_error").await;
    moves_on_either_way(refusal(503), "upstream_error").await;
    moves_on_either_way(Answer::status(502).body("<html>Bad Gateway"), "upstream_error").await;
    moves_on_either_way(refusal(529), "overloaded").await;
}

#[tokio::test]
async fn a_broken_connection_moves_on() {
    let broken = |fault, at| Answer::well().breaks(fault, at);
    moves_on_either_way(broken(Fault::Reset, Moment::Head), "connection_broken").await;
    moves_on_either_way(broken(Fault::Cut, Moment::Head), "connection_broken").await;
    moves_on_either_way(broken(Fault::Cut, Moment::Bytes(20)), "connection_broken").await;
    moves_on_either_way(broken(Fault::Reset, Moment::Bytes(20)), "connection_broken").await;
    moves_on(broken(Fault::Cut, Moment::Events(1)), "connection_broken", true).await;
    moves_on(broken(Fault::Reset, Moment::Events(1)), "connection_broken", true).await;
}

#[tokio::test]
async fn silence_moves_on() {
    let hangs = |at| Answer::well().breaks(Fault::Hang, at);
    moves_on(hangs(Moment::Head), "first_byte_timeout", true).await;
    moves_on(hangs(Moment::Events(0)), "stream_idle", true).await;
    moves_on(hangs(Moment::Events(1)), "stream_idle", true).await;
    moves_on(hangs(Moment::Head), "first_byte_timeout", false).await;
    moves_on(hangs(Moment::Bytes(20)), "answer_timeout", false).await;
}

#[tokio::test]
async fn an_error_event_before_the_first_content_moves_on() {
    for after in [0, 1] {
        let event = |kind| Answer::well().error_event(Moment::Events(after), kind, "words of a");
        moves_on(event("overloaded_error"), "overloaded", true).await;
        moves_on(event("rate_limit_error"), "rate_limited", true).await;
        moves_on(event("api_error"), "upstream_error", true).await;
        moves_on(event("authentication_error"), "unauthorised", true).await;
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_moves_on() {
    let garbled = Answer::raw_socket("HTTP/1.1 two hundred\r\nnonsense\r\n\r\n");
    moves_on_either_way(garbled, "connection_broken").await;
    let packed = Answer::well().header("content-encoding", "br");
    moves_on_either_way(packed, "unknown_packing").await;
    let not_gzip = Answer::well().header("content-encoding", "gzip");
    moves_on_either_way(not_gzip, "not_gzip").await;
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_moves_on() {
    let elsewhere = Answer::status(302).header("location", "http://127.0.0.1:9/elsewhere");
    moves_on_either_way(elsewhere, "redirected").await;
}

#[tokio::test]
async fn a_refused_connection_moves_on() {
    let provider = FakeProvider::start().await;
    let gone = FakeProvider::start().await;
    let accounts = [account("a", &gone), account("b", &provider)];
    drop(gone);
    let relay = TestRelay::start(accounts, SHORT).await;
    let answer = post(&relay, ask("[[say b]]", true)).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "b"));
    let record = relay.only_record().await;
    let first = &record.attempts[0];
    assert_eq!(first.fault.as_deref(), Some("unreachable"));
    assert!(!first.maybe_billed, "nothing was sent");
    assert!(relay.rests("a").await);
}

#[tokio::test]
async fn an_attempt_that_was_given_up_is_noted_as_possibly_billed() {
    let (provider, relay) = two(SHORT).await;
    provider.answers_key("upstream-a", Answer::well().breaks(Fault::Cut, Moment::Events(1)));
    post(&relay, ask("hello", true)).await;
    let record = relay.only_record().await;
    let billed: Vec<_> = record.attempts.iter().map(|it| it.maybe_billed).collect();
    assert_eq!(billed, [true, false]);
}

/// The caller's own mistakes are passed on as they are.
#[tokio::test]
async fn what_the_caller_did_wrong_is_passed_on_and_rests_nobody() {
    for streamed in [false, true] {
        for status in [400, 404, 413] {
            let (provider, relay) = two(&[]).await;
            provider.answers_key("upstream-a", refusal(status));
            let answer = post(&relay, ask("hello", streamed)).await;
            assert_eq!((answer.status, &answer.body), (status, &provider.served()[0].body));
            assert_eq!(asked(&provider), ["a"]);
            assert!(!relay.rests("a").await);
            let record = relay.only_record().await;
            assert_eq!((record.outcome, record.status), (Outcome::Rejected, status));
            assert_eq!(record.usage.context() + record.usage.output, 0);
        }
    }
}

#[tokio::test]
async fn an_error_event_about_the_request_is_passed_on_and_costs_nothing() {
    let (provider, relay) = two(&[]).await;
    let event = Answer::well().error_event(Moment::Events(0), "invalid_request_error", "too long");
    provider.answers_key("upstream-a", event);
    let answer = post(&relay, ask("hello", true)).await;
    assert_eq!((answer.status, &answer.body), (200, &provider.served()[0].body));
    assert_eq!(asked(&provider), ["a"]);
    let record = relay.only_record().await;
    assert_eq!(record.outcome, Outcome::Rejected);
    assert_eq!((record.usage.context(), record.cost.as_nanos()), (0, 0), "nothing was billed");
}

#[tokio::test]
async fn a_condemning_text_moves_on_and_its_echo_does_not() {
    let text = "Your credit balance is too low to access the Anthropic API.";
    let condemned = |text: &str| Answer::anthropic_error(400, "invalid_request_error", text);
    moves_on_either_way(condemned(text), "condemned").await;

    let (provider, relay) = two(&[]).await;
    provider.answers_key("upstream-a", condemned(&format!("messages.0: \"{text}\" is odd")));
    assert_eq!(post(&relay, ask(text, false)).await.status, 400);
    assert_eq!(asked(&provider), ["a"]);
    assert!(!relay.rests("a").await);
}

#[tokio::test]
async fn at_most_three_accounts_are_asked() {
    let provider = FakeProvider::start().await;
    let accounts = ["a", "b", "c", "d"].map(|name| account(name, &provider));
    let relay = TestRelay::start(accounts, &[]).await;
    provider.answers_always(refusal(429));
    let answer = post(&relay, ask("hello", false)).await;
    // A limit of three is not the limit of all.
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
    assert_eq!(answer.json()["error"]["message"], "the words of a");
    assert_eq!(asked(&provider), ["a", "b", "c"]);
    let record = relay.only_record().await;
    assert_eq!((record.outcome, record.attempts.len()), (Outcome::Failed, 3));
}

#[tokio::test]
async fn no_attempt_begins_after_the_time_for_attempts() {
    let settings = [("FIRST_BYTE_TIMEOUT", "0.3"), ("ATTEMPTS_WITHIN", "0.1")];
    let (provider, relay) = two(&settings).await;
    provider.answers_key("upstream-a", Answer::well().breaks(Fault::Hang, Moment::Head));
    let answer = post(&relay, ask("hello", true)).await;
    assert_eq!(answer.status, 504);
    assert_eq!(answer.json()["error"]["type"], "timeout_error");
    assert_eq!(asked(&provider), ["a"]);
    assert!(!relay.rests("a").await, "b could tell whose fault it is, and was not asked");
}

#[tokio::test]
async fn a_fault_that_another_account_could_tell_of_rests_nobody_when_no_attempt_is_left() {
    for (accounts, rest) in [(["a", "b", "c"].as_slice(), false), (&["a", "b"], true)] {
        let provider = FakeProvider::start().await;
        let accounts = accounts.iter().map(|name| account(name, &provider));
        let relay = TestRelay::start(accounts, &[("ATTEMPTS_MAX", "2")]).await;
        provider.answers_key("upstream-a", refusal(500));
        provider.answers_key("upstream-b", refusal(502));
        assert_eq!(post(&relay, ask("hello", false)).await.status, 502);
        assert_eq!(asked(&provider), ["a", "b"]);
        let rests = (relay.rests("a").await, relay.rests("b").await);
        assert_eq!(rests, (rest, rest), "c could tell, if there is one");
    }
}

#[tokio::test]
async fn a_limit_is_not_told_as_one_while_others_are_open() {
    for status in [429, 529] {
        let (provider, relay) = two(&[("ATTEMPTS_MAX", "1")]).await;
        provider.answers_key("upstream-a", refusal(status).header("retry-after", "60"));
        let answer = post(&relay, ask("hello", false)).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, "1"), "{status}");
        assert_eq!(answer.json()["error"]["message"], "the words of a");
        assert!(relay.rests("a").await);
        assert_eq!(post(&relay, ask("hello", false)).await.status, 200);
    }
}

/// Every account refuses, and the client gets this status, kind and wait.
async fn all_fail(fault: Answer, status: u16, kind: &str, seconds: u64) {
    for streamed in [false, true] {
        let (provider, relay) = two(&[]).await;
        provider.answers_always(fault.clone());
        for _ in 0..2 {
            let answer = post(&relay, ask("hello", streamed)).await;
            assert_eq!((answer.status, &answer.json()["type"]), (status, &"error".into()));
            assert_eq!(answer.json()["error"]["type"], kind, "{}", answer.json());
            let wait = answer.header(RETRY_AFTER.as_str()).parse::<u64>();
            assert_eq!(wait, Ok(seconds), "{}", answer.json());
        }
        assert_eq!(asked(&provider), ["a", "b"], "the second call asks nobody");
        assert_eq!(relay.only_record().await.outcome, Outcome::Failed);
    }
}

#[tokio::test]
async fn when_all_are_limited_the_client_is_told_the_true_wait() {
    let limited = |status| refusal(status).header("retry-after", "77");
    all_fail(limited(429), 429, "rate_limit_error", 77).await;
    all_fail(limited(529), 529, "overloaded_error", 77).await;
}

#[tokio::test]
async fn when_all_fail_with_a_stated_end_the_wait_is_told() {
    let (provider, relay) = two(&[]).await;
    provider.answers_always(refusal(503).header("retry-after", "77"));
    let answer = post(&relay, ask("hello", false)).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "77"));
    assert_eq!(answer.json()["error"]["message"], "the words of a");
    let answer = post(&relay, ask("hello", false)).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "77"));
}

#[tokio::test]
async fn the_only_accounts_error_is_told_in_its_own_words_and_is_no_outage() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    provider.answers_once(refusal(500));
    let answer = post(&relay, ask("hello", false)).await;
    assert_eq!(answer.status, 500);
    assert_eq!(answer.json()["error"]["message"], "the words of a");
    assert!(relay.rests("a").await);

    // The clock stands still, so the account rests; the next call tries it out all the same.
    let answer = post(&relay, ask("[[say well again]]", true)).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "well again"));
    assert!(!relay.rests("a").await);
}

#[tokio::test]
async fn one_call_at_a_time_tries_out_the_only_account() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    provider.answers_once(refusal(500));
    assert_eq!(post(&relay, ask("hello", false)).await.status, 500);

    provider.answers_once(Answer::well().delay(Duration::from_millis(400)));
    let probe = tokio::spawn({
        let client = relay.client.clone();
        async move { client.post("/api/v1/messages", &[], ask("probe", false)).await.status }
    });
    provider.until_requests(2).await;
    let refused = post(&relay, ask("hello", false)).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"));
    assert_eq!(probe.await.expect("no panic"), 200);
    assert_eq!(provider.requests().len(), 2);
    assert_eq!(post(&relay, ask("hello", false)).await.status, 200);
}

#[tokio::test]
async fn a_slow_trial_keeps_the_only_account_to_itself_for_a_few_seconds_alone() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    provider.answers_once(refusal(500));
    assert_eq!(post(&relay, ask("hello", false)).await.status, 500);
    relay.clock.advance(Duration::from_hours(1));

    provider.answers_once(Answer::well().delay(Duration::from_secs(20)));
    let client = relay.client.clone();
    let trial =
        tokio::spawn(
            async move { client.post("/api/v1/messages", &[], ask("trial", false)).await },
        );
    provider.until_requests(2).await;
    let begun = std::time::Instant::now();
    let beside = post(&relay, ask("[[say beside]]", false)).await;
    let waited = begun.elapsed();
    assert_eq!((beside.status, beside.text().as_str()), (200, "beside"));
    let few = Duration::from_secs(4)..Duration::from_secs(9);
    assert!(few.contains(&waited) && !trial.is_finished(), "{waited:?}");
    // It answers, so nobody waits any more.
    assert_eq!(post(&relay, ask("hello", false)).await.status, 200);
    assert!(!trial.is_finished());
    trial.abort();
}

#[tokio::test]
async fn a_long_answer_of_the_only_account_keeps_nobody_from_trying_it_out() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    provider.answers_once(refusal(500));
    assert_eq!(post(&relay, ask("hello", false)).await.status, 500);
    provider.answers_once(Answer::well().breaks(Fault::Hang, Moment::Deltas(1)));
    let mut long = relay.client.stream("/api/v1/messages", &[], ask("long", true)).await;
    long.until("text_delta").await.expect("it is tried out, and answers");

    provider.answers_once(refusal(500));
    assert_eq!(post(&relay, ask("hello", false)).await.status, 500);
    assert!(relay.rests("a").await);
    assert_eq!(post(&relay, ask("hello", false)).await.status, 200);
    long.leave();
    relay.until_all_is_given_back().await;
}

#[tokio::test]
async fn an_answer_to_a_call_from_before_the_limit_does_not_end_the_rest() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    provider.answers_once(Answer::well().delay(Duration::from_millis(300)));
    let client = relay.client.clone();
    let early = tokio::spawn(async move {
        client.post("/api/v1/messages", &[], ask("early", false)).await.status
    });
    provider.until_in_flight(1).await;
    relay.clock.advance(Duration::from_secs(1));
    provider.answers_once(refusal(429).header("retry-after", "600"));
    assert_eq!(post(&relay, ask("limited", false)).await.status, 429);
    assert_eq!(early.await.expect("no panic"), 200);
    assert!(relay.rests("a").await, "the provider stated the end of the rest");
    assert_eq!(post(&relay, ask("refused", false)).await.status, 429);
    assert_eq!(provider.requests().len(), 2);
}

#[tokio::test]
async fn a_host_that_cannot_count_tokens_still_serves_conversations() {
    let (provider, relay) = two(&[]).await;
    let is_count_of_a =
        |seen: &SeenRequest| seen.path().ends_with("count_tokens") && seen.api_key == "upstream-a";
    provider.answers_when(is_count_of_a, refusal(500));
    let count = "/api/v1/messages/count_tokens";
    let answer = relay.client.post(count, &[], ask("hello", false)).await;
    assert_eq!(answer.status, 200, "b counts");
    assert!(!relay.rests("a").await, "and a goes on serving");
    assert_eq!(post(&relay, ask("hello", false)).await.status, 200);
    assert_eq!(asked(&provider).last().map(String::as_str), Some("a"));
}

#[tokio::test]
async fn a_limit_of_counts_is_none_of_conversations() {
    let count = "/api/v1/messages/count_tokens";
    let is_count_of_a =
        |seen: &SeenRequest| seen.path().ends_with("count_tokens") && seen.api_key == "upstream-a";
    let limited = || refusal(429).header("retry-after", "40");
    let (provider, relay) = two(&[]).await;
    provider.answers_when(is_count_of_a, limited());
    assert_eq!(relay.client.post(count, &[], ask("hello", false)).await.status, 200, "b counts");
    assert!(!relay.rests("a").await);
    assert_eq!(post(&relay, ask("hello", false)).await.status, 200);
    assert_eq!(asked(&provider).last().map(String::as_str), Some("a"));

    let resets_at = START.as_millis() / 1_000 + 600;
    provider.answers_when(is_count_of_a, Answer::limited("five_hour", resets_at));
    assert_eq!(relay.client.post(count, &[], ask("hello", false)).await.status, 200);
    assert!(relay.rests("a").await, "a window is of conversations too");

    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    provider.answers_when(is_count_of_a, limited());
    let answer = relay.client.post(count, &[], ask("hello", false)).await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, "40"));
}

#[tokio::test]
async fn time_spent_at_failing_accounts_is_the_upstreams_and_not_the_relays() {
    let (provider, relay) = two(&[]).await;
    provider.answers_always(refusal(500).delay(Duration::from_millis(300)));
    let answer = post(&relay, ask("hello", false)).await;
    assert_eq!(answer.status, 500);
    let timing = answer.header("server-timing").to_owned();
    let part = |name: &str| {
        let part = timing.split(", ").find_map(|it| it.strip_prefix(name)?.strip_prefix(";dur="));
        part.and_then(|millis| millis.parse::<f64>().ok()).expect("a part of the timing")
    };
    assert!(part("upstream") >= 600.0 && part("relay") < 300.0, "{timing}");
}

#[tokio::test]
async fn faults_of_calls_that_were_under_way_together_are_one_event() {
    let (provider, relay) = two(&[]).await;
    provider.answers_key("upstream-a", refusal(529).delay(Duration::from_millis(200)));
    let calls = (0..5).map(|_| post(&relay, ask("hello", false)));
    let answers = futures_util::future::join_all(calls).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "b answers them all");

    provider.recovers();
    relay.clock.advance(Duration::from_mins(1));
    assert_eq!(post(&relay, ask("another conversation", false)).await.status, 200);
    let names: Vec<_> = relay.events_until("account_recovered").await;
    assert_eq!(names, ["account_rested", "account_recovered"]);
}
