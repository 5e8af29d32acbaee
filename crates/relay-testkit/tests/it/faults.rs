//! What goes wrong when a test asks for it.

use std::io::ErrorKind;

use relay_testkit::{Answer, Ending, FakeProvider, Fault, Garble, Moment, Received, messages_body};

use crate::{call, client, streamed};

async fn broken(answer: Answer) -> (Received, relay_testkit::Served) {
    let provider = FakeProvider::start().await;
    provider.answers_once(answer);
    let received = call(&provider, streamed("[[say break me]]")).await;
    (received, provider.served().remove(0))
}

#[tokio::test]
async fn a_reset_before_the_head_really_resets() {
    let provider = FakeProvider::start().await;
    provider.answers_once(Answer::well().breaks(Fault::Reset, Moment::Head));
    provider.answers_once(Answer::well().breaks(Fault::Cut, Moment::Head));
    for expected in [ErrorKind::ConnectionReset, ErrorKind::UnexpectedEof] {
        let answer =
            client(&provider).try_request("POST", "/v1/messages", &[], streamed("x")).await;
        assert_eq!(answer.unwrap_err().kind(), expected);
    }
    provider.until_idle().await;
    assert!(provider.served().iter().all(|served| !served.delivered_whole));
    assert!(provider.served().iter().all(|served| !served.cancelled_by_peer));
}

#[tokio::test]
async fn a_break_comes_after_exactly_what_was_asked() {
    for (fault, ending) in [(Fault::Reset, Ending::Reset), (Fault::Cut, Ending::Cut)] {
        let (events, served) = broken(Answer::well().breaks(fault, Moment::Events(5))).await;
        assert_eq!((events.ending, events.events().len()), (ending, 5));
        assert_eq!((served.events_sent, served.delivered_whole), (5, false));
        assert!(served.usage.output > 0, "the usage is that of the whole answer");

        let (bytes, _) = broken(Answer::well().breaks(fault, Moment::Bytes(33))).await;
        assert_eq!((bytes.ending, bytes.body.len()), (ending, 33));
        let (end, served) = broken(Answer::well().breaks(fault, Moment::Events(99))).await;
        assert_eq!(
            (end.ending, end.events().last().unwrap().event.as_str()),
            (ending, "message_stop")
        );
        assert!(!served.delivered_whole);
    }
}

#[tokio::test]
async fn a_unary_body_can_be_cut_and_its_length_be_a_lie() {
    let provider = FakeProvider::start().await;
    provider.answers_once(Answer::well().breaks(Fault::Cut, Moment::Bytes(10)));
    provider.answers_once(Answer::status(200).body("short").content_length(50));
    for length in [10, 5] {
        let received = call(&provider, messages_body("m", "x")).await;
        assert_eq!((received.ending, received.body.len()), (Ending::Cut, length));
    }
}

#[tokio::test]
async fn a_hang_lasts_until_the_peer_leaves() {
    let provider = FakeProvider::start().await;
    provider.answers_once(Answer::well().breaks(Fault::Hang, Moment::Deltas(1)));
    let mut incoming = client(&provider).stream("/v1/messages", &[], streamed("x")).await;
    incoming.until("text_delta").await.unwrap();
    assert_eq!(provider.in_flight(), 1);
    incoming.leave();
    provider.until_cancelled(1).await;
    provider.until_idle().await;
    let served = provider.served().remove(0);
    assert!(served.cancelled_by_peer && !served.delivered_whole);
    assert_eq!(served.events_sent, 4);
}

#[tokio::test]
async fn errors_come_at_any_place_of_a_stream() {
    for (moment, before) in [(Moment::Events(0), 0), (Moment::Events(1), 1), (Moment::Deltas(2), 5)]
    {
        let (received, served) =
            broken(Answer::well().error_event(moment, "overloaded_error", "Overloaded")).await;
        assert_eq!((received.status, received.events().len()), (200, before + 1));
        assert_eq!(received.events()[before].event, "error");
        assert!(!served.delivered_whole);
    }
    let (limited, served) = broken(
        Answer::anthropic_error(429, "rate_limit_error", "slow down").header("retry-after", "7"),
    )
    .await;
    assert_eq!((limited.status, limited.header("retry-after")), (429, "7"));
    assert_eq!(limited.json()["error"]["message"], "slow down");
    assert_eq!(served.usage, relay_core::usage::TokenUsage::default());
}

#[tokio::test]
async fn events_are_garbled_one_by_one() {
    let (json, _) = broken(Answer::well().garbles(3, Garble::Json)).await;
    assert!(json.events()[3].json().is_null() && !json.events()[4].json().is_null());
    let (framing, _) = broken(Answer::well().garbles(3, Garble::Framing)).await;
    assert!(std::str::from_utf8(&framing.body).is_err());
    assert_eq!(framing.events().last().unwrap().event, "message_stop");
}

#[tokio::test]
async fn dropping_the_provider_ends_its_connections_and_frees_its_port() {
    let provider = FakeProvider::start().await;
    provider.answers_always(Answer::well().breaks(Fault::Hang, Moment::Events(1)));
    let incoming = client(&provider).stream("/v1/messages", &[], streamed("x")).await;
    let port = provider.port();
    drop(provider);
    assert_ne!(incoming.collect().await.ending, Ending::Whole);
    let again = FakeProvider::start_on(port).await.unwrap();
    assert_eq!(call(&again, streamed("[[say back]]")).await.text(), "back");
}
