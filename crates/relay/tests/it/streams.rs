//! Streams: what happens after the first content, while nothing comes, and to slow clients.

use std::time::Duration;

use relay_core::usage::{Exactness, Outcome};
use relay_testkit::{
    Answer, Ending, FakeProvider, Fault, MessagesBody, Moment, Received, SseEvent, messages_body,
};

use crate::kit::{TestRelay, account};

const SHORT: &[(&str, &str)] = &[("FIRST_BYTE_TIMEOUT", "0.4"), ("STREAM_IDLE_TIMEOUT", "0.4")];
const KEPT_ALIVE: &[(&str, &str)] =
    &[("KEEPALIVE_AFTER", "0.1"), ("FIRST_BYTE_TIMEOUT", "0.45"), ("STREAM_IDLE_TIMEOUT", "0.45")];

async fn two(settings: &[(&str, &str)]) -> (FakeProvider, TestRelay) {
    let provider = FakeProvider::start().await;
    let accounts = [account("a", &provider), account("b", &provider)];
    let relay = TestRelay::start(accounts, settings).await;
    (provider, relay)
}

fn ask(text: &str) -> MessagesBody {
    messages_body("claude-sonnet-4-6", text).stream(true)
}

async fn post(relay: &TestRelay, text: &str) -> Received {
    relay.client.post("/api/v1/messages", &[], ask(text)).await
}

fn names(events: &[SseEvent]) -> Vec<&str> {
    events.iter().map(|event| event.event.as_str()).collect()
}

/// After its first content a broken answer ends with one error event, and nobody else is asked.
async fn ends_with_an_error(fault: Answer, word: &str, kind: &str) {
    let (provider, relay) = two(SHORT).await;
    provider.answers_once(fault);
    let answer = post(&relay, "[[long 200]]").await;
    assert_eq!((answer.status, answer.ending), (200, Ending::Whole), "{word}");

    let events = answer.events();
    let errors = events.iter().filter(|event| event.event == "error").count();
    assert_eq!((errors, events.last().expect("events").event.as_str()), (1, "error"), "{word}");
    let error = events.last().expect("events").json();
    assert_eq!((&error["type"], &error["error"]["type"]), (&"error".into(), &kind.into()));
    let starts = events.iter().filter(|event| event.event == "message_start").count();
    assert_eq!(starts, 1, "{word}: no second answer");
    provider.until_idle().await;
    let served = provider.served().remove(0);
    assert!(answer.body.starts_with(&served.sent()[..served.sent().len().min(300)]));
    assert_eq!(provider.requests().len(), 1, "{word}: b is not asked");

    let record = relay.only_record().await;
    assert_eq!((record.outcome, record.exactness), (Outcome::Cut, Exactness::Estimated));
    assert_eq!(record.attempts[0].fault.as_deref(), Some(word));
    assert_eq!(record.usage.context(), served.usage.context(), "{word}: input as stated");
    let said = answer.text().chars().count() as u64;
    assert!((said / 8..=said).contains(&record.usage.output), "{word}: {}", record.usage.output);
    relay.until_all_is_given_back().await;
}

#[tokio::test]
async fn a_stream_that_breaks_after_content_ends_with_an_error_and_is_not_spliced() {
    let broken = |fault| Answer::well().breaks(fault, Moment::Deltas(2));
    ends_with_an_error(broken(Fault::Cut), "connection_broken", "api_error").await;
    ends_with_an_error(broken(Fault::Reset), "connection_broken", "api_error").await;
    ends_with_an_error(broken(Fault::Hang), "stream_idle", "timeout_error").await;
}

#[tokio::test]
async fn a_stream_that_ends_well_framed_but_unfinished_ends_with_an_error() {
    let unfinished = Answer::raw_stream(first_events(2));
    ends_with_an_error(unfinished, "cut", "api_error").await;
}

#[tokio::test]
async fn an_error_event_after_content_is_passed_on_once() {
    let event = Answer::well().error_event(Moment::Deltas(2), "overloaded_error", "Overloaded");
    ends_with_an_error(event, "error_event", "overloaded_error").await;
}

/// The beginning of a plain answer: its start and so many deltas.
fn first_events(deltas: usize) -> Vec<String> {
    let usage = r#"{"input_tokens":9,"output_tokens":1}"#;
    let mut events = vec![
        format!(
            "event: message_start\ndata: {{\"type\":\"message_start\",\"message\":{{\"model\":\"m\",\"usage\":{usage}}}}}\n\n"
        ),
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n".to_owned(),
    ];
    events.extend((0..deltas).map(|_| {
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"four words of text\"}}\n\n".to_owned()
    }));
    events
}

fn last_events(output: &str) -> [String; 3] {
    [
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n".into(),
        format!(
            "event: message_delta\ndata: {{\"type\":\"message_delta\",\"delta\":{{}},\"usage\":{output}}}\n\n"
        ),
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n".into(),
    ]
}

/// What a whole stream of `events` is recorded as: output, exactness, outcome.
async fn recorded(events: Vec<String>) -> (u64, u64, Exactness, Outcome) {
    let (provider, relay) = two(SHORT).await;
    let sent = events.concat();
    provider.answers_once(Answer::raw_stream(events));
    let answer = post(&relay, "hello").await;
    assert_eq!(String::from_utf8_lossy(&answer.body), sent, "passed on byte for byte");
    let record = relay.only_record().await;
    (record.usage.input, record.usage.output, record.exactness, record.outcome)
}

#[tokio::test]
async fn a_stream_without_its_last_blank_line_is_whole() {
    let mut events = first_events(1);
    events.extend(last_events(r#"{"output_tokens":7}"#));
    let last = events.last_mut().expect("events");
    last.truncate(last.len() - 1);
    assert_eq!(recorded(events).await, (9, 7, Exactness::Exact, Outcome::Completed));
}

#[tokio::test]
async fn a_stream_without_a_stated_output_is_estimated() {
    let mut events = first_events(2);
    events.push(last_events("{}")[2].clone());
    let estimated = 2 * "four words of text".len() as u64 / 4;
    let (input, output, exactness, outcome) = recorded(events).await;
    assert_eq!((input, exactness, outcome), (9, Exactness::Estimated, Outcome::Completed));
    assert_eq!(output, estimated);
}

#[tokio::test]
async fn odd_usage_in_a_stream_is_not_taken_for_the_truth() {
    for odd in ["null", "{}", "[]", r#"{"output_tokens":null}"#, r#"{"output_tokens":-3}"#] {
        let mut events = first_events(2);
        events.extend(last_events(odd));
        let (input, output, exactness, outcome) = recorded(events).await;
        assert_eq!((input, exactness, outcome), (9, Exactness::Estimated, Outcome::Completed));
        assert_eq!(output, 9, "{odd}");
    }
}

#[tokio::test]
async fn a_stream_that_states_no_usage_at_all_is_not_free() {
    let mut events = first_events(2);
    events[0] =
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{}}\n\n".into();
    events.push(last_events("{}")[2].clone());
    let (input, output, exactness, _) = recorded(events).await;
    assert!(input > 0 && output == 9, "{input} {output}");
    assert_eq!(exactness, Exactness::Estimated);
}

#[tokio::test]
async fn a_waiting_client_gets_pings_and_then_the_answer_of_another_account() {
    let (provider, relay) = two(KEPT_ALIVE).await;
    provider.answers_key("upstream-a", Answer::well().breaks(Fault::Hang, Moment::Head));
    let answer = post(&relay, "[[say 终于 at last]]").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "终于 at last"));
    assert!(answer.header("content-type").starts_with("text/event-stream"));

    let events = answer.events();
    let names = names(&events);
    let pings = names.iter().take_while(|name| **name == "ping").count();
    assert!((2..=4).contains(&pings), "{names:?}");
    assert_eq!(names[pings], "message_start");
    assert!(events[..pings].iter().all(|ping| ping.json()["type"] == "ping"));
    let served = provider.served().pop().expect("b answered");
    assert!(answer.body.ends_with(&served.body), "b's answer is whole");
    let record = relay.only_record().await;
    assert_eq!((record.usage, record.exactness), (served.usage, Exactness::Exact));
    assert_eq!(record.attempts.len(), 2);
    relay.until_all_is_given_back().await;
}

#[tokio::test]
async fn a_waiting_client_gets_the_error_event_when_all_fail() {
    let (provider, relay) = two(KEPT_ALIVE).await;
    provider.answers_always(Answer::well().breaks(Fault::Hang, Moment::Head));
    let answer = post(&relay, "hello").await;
    assert_eq!((answer.status, answer.ending), (200, Ending::Whole));
    let events = answer.events();
    let (error, pings) = events.split_last().expect("events");
    assert!(pings.len() >= 2 && pings.iter().all(|event| event.event == "ping"));
    assert_eq!(error.json()["error"]["type"], "timeout_error", "{}", error.data);
    assert_eq!(error.json()["request_id"], answer.header("x-crs-request-id"));
    let record = relay.only_record().await;
    assert_eq!((record.outcome, record.attempts.len()), (Outcome::Failed, 2));
    relay.until_all_is_given_back().await;
}

#[tokio::test]
async fn a_refusal_after_pings_is_told_as_an_error_event() {
    let (provider, relay) = two(KEPT_ALIVE).await;
    let refused = Answer::anthropic_error(400, "invalid_request_error", "prompt is too long");
    provider.answers_once(refused.delay(Duration::from_millis(250)));
    let answer = post(&relay, "hello").await;
    let events = answer.events();
    let error = events.last().expect("events").json();
    assert_eq!(error["error"]["message"], "prompt is too long");
    assert_eq!(error["error"]["type"], "invalid_request_error");
    assert_eq!(provider.requests().len(), 1);
    assert_eq!(relay.only_record().await.outcome, Outcome::Rejected);
}

#[tokio::test]
async fn a_client_that_leaves_while_it_waits_cancels_the_upstream() {
    let (provider, relay) = two(KEPT_ALIVE).await;
    provider.answers_always(Answer::well().breaks(Fault::Hang, Moment::Head));
    let mut incoming = relay.client.stream("/api/v1/messages", &[], ask("hello")).await;
    incoming.until("ping").await.expect("a ping");
    incoming.leave();
    provider.until_cancelled(1).await;
    assert_eq!(relay.only_record().await.outcome, Outcome::ClientLeft);
    relay.until_all_is_given_back().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_stops_the_upstream_and_may_go_on_later() {
    let (provider, relay) = two(&[("STREAM_IDLE_TIMEOUT", "0.7")]).await;
    let text = "x".repeat(60 << 10);
    let delta = format!(
        "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{text}\"}}}}\n\n"
    );
    let mut events = first_events(1);
    events.extend(std::iter::repeat_n(delta, 500));
    events.extend(last_events(r#"{"output_tokens":7}"#));
    provider.answers_once(Answer::raw_stream(events));
    let incoming = relay.client.stream("/api/v1/messages", &[], ask("hello")).await;

    // Thirty megabytes leave the provider at once if nothing holds them up.
    let sent = tokio::time::timeout(Duration::from_secs(1), provider.until_idle()).await;
    assert!(sent.is_err(), "the relay read a stream that its client does not read");
    let answer = incoming.collect().await;
    provider.until_idle().await;
    assert_eq!(answer.body, provider.served()[0].body);
    let record = relay.only_record().await;
    assert_eq!((record.usage.output, record.exactness), (7, Exactness::Exact));
}
