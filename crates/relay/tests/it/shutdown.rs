//! Stopping in order: new calls are refused, open ones end, and nothing is lost.

use relay::shutdown::Stage;
use relay_core::usage::{Exactness, Outcome};
use relay_testkit::{Answer, Ending, FakeProvider, Fault, MessagesBody, Moment, messages_body};

use crate::kit::TestRelay;

const MESSAGES: &str = "/api/v1/messages";

fn ask(text: &str) -> MessagesBody {
    messages_body("claude-sonnet-4-6", text).stream(true)
}

#[tokio::test]
async fn while_draining_new_calls_are_refused_and_an_open_stream_goes_on_to_its_end() {
    let provider = FakeProvider::start().await;
    let mut relay = TestRelay::with(&provider).await;
    assert_eq!(relay.client.get("/health", &[]).await.status, 200);
    let mut open = relay.client.stream(MESSAGES, &[], ask("[[paced 30 10]]")).await;
    let begun = open.until("text_delta").await.expect("content");

    relay.app.shutdown.advance(Stage::Draining);
    assert_eq!(relay.client.get("/health", &[]).await.status, 503);
    let refused = relay.client.post(MESSAGES, &[], ask("new")).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"));
    assert_eq!(refused.json()["type"], "error");

    let rest = open.collect().await;
    assert_eq!(rest.ending, Ending::Whole);
    let served = provider.served().remove(0);
    assert_eq!([begun, rest.body].concat(), served.body);
    let record = relay.only_record().await;
    assert_eq!((record.outcome, record.usage), (Outcome::Completed, served.usage));
    assert_eq!(provider.requests().len(), 1);
    relay.stop().await;
}

#[tokio::test]
async fn at_the_end_an_open_stream_gets_an_error_event_and_is_settled() {
    let provider = FakeProvider::start().await;
    let mut relay = TestRelay::with(&provider).await;
    provider.answers_once(Answer::well().breaks(Fault::Hang, Moment::Deltas(3)));
    let mut open = relay.client.stream(MESSAGES, &[], ask("[[long 500]]")).await;
    open.until("text_delta").await.expect("content");
    relay.end();
    let rest = open.collect().await;
    assert_eq!(rest.ending, Ending::Whole);
    let last = rest.events().pop().expect("an event");
    assert_eq!((last.event.as_str(), &last.json()["type"]), ("error", &"error".into()));
    provider.until_cancelled(1).await;
    let record = relay.only_record().await;
    assert_eq!((record.outcome, record.exactness), (Outcome::Shutdown, Exactness::Estimated));
    assert!(record.usage.input > 0 && record.usage.output > 0);
    relay.stop().await;
    relay.until_all_is_given_back().await;
}

#[tokio::test]
async fn at_the_end_calls_without_an_answer_are_ended_and_settled() {
    for (streamed, settings) in
        [(true, &[][..]), (true, &[("KEEPALIVE_AFTER", "0.1")]), (false, &[])]
    {
        let provider = FakeProvider::start().await;
        let mut relay = TestRelay::start([crate::kit::account("a", &provider)], settings).await;
        provider.answers_once(Answer::well().breaks(Fault::Hang, Moment::Head));
        let client = relay.client.clone();
        let body = ask("hi").stream(streamed);
        let call = tokio::spawn(async move { client.stream(MESSAGES, &[], body).await });
        provider.until_in_flight(1).await;
        if settings.is_empty() {
            relay.end();
            let answer = call.await.expect("an answer").collect().await;
            assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
        } else {
            // The head comes with the first sign of life.
            let kept_alive = call.await.expect("a head");
            relay.end();
            let events = kept_alive.collect().await.events();
            assert_eq!(events.last().expect("an event").event, "error");
        }
        let record = relay.only_record().await;
        assert_eq!(record.outcome, Outcome::Shutdown);
        assert!(record.usage.input > 0);
        relay.stop().await;
    }
}

#[tokio::test]
async fn at_the_end_a_client_that_reads_nothing_does_not_hold_up_the_stop() {
    let provider = FakeProvider::start().await;
    let mut relay = TestRelay::with(&provider).await;
    provider.answers_once(Answer::well().huge_event(15 << 20));
    let unread = relay.client.stream(MESSAGES, &[], ask("hello")).await;
    provider.until_in_flight(1).await;
    relay.end();
    relay.stop().await;
    assert_eq!(relay.only_record().await.outcome, Outcome::Shutdown);
    relay.until_all_is_given_back().await;
    drop(unread);
}
