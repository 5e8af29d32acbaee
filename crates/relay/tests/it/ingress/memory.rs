//! All bodies together stay within their budget.

use bytes::Bytes;
use relay_testkit::{Answer, Chunking, FakeProvider, Fault, Incoming, Moment, messages_body};

use super::{MESSAGES, hello};
use crate::kit::{TestRelay, account};

const SETTINGS: [(&str, &str); 1] = [("BODY_MEMORY_MB", "1")];

/// A body of which the budget holds one.
fn large() -> Bytes {
    messages_body("claude-sonnet-4-6", "[[say large]]").stream(true).size(900_000).bytes()
}

/// Streams a large body and waits for its answer's head in a task of its own.
fn begin(relay: &TestRelay) -> tokio::task::JoinHandle<std::io::Result<Incoming>> {
    let client = relay.client.clone();
    tokio::spawn(async move { client.try_request("POST", MESSAGES, &[], large()).await })
}

#[tokio::test]
async fn bodies_beyond_the_budget_wait_until_the_first_are_let_go() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::start([account("a", &provider)], &SETTINGS).await;
    provider.answers_once(Answer::well().breaks(Fault::Hang, Moment::Head));
    let first = begin(&relay);
    provider.until_in_flight(1).await;
    assert!(relay.app.bodies.used() >= 900_000);

    let others = [begin(&relay), begin(&relay)];
    // What needs no memory is served meanwhile, so the others had their chance.
    assert_eq!(relay.client.get("/health", &[]).await.status, 200);
    assert_eq!(relay.client.get("/v1/models", &[]).await.status, 200);
    let calls = || provider.requests().iter().filter(|seen| seen.is_message()).count();
    assert_eq!(calls(), 1, "there is room for one");
    assert!(relay.app.bodies.used() <= 1 << 20);

    first.abort();
    provider.until_cancelled(1).await;
    for other in others {
        let answer = other.await.expect("no panic").expect("an answer").collect().await;
        assert_eq!(answer.text(), "large");
    }
    assert_eq!(calls(), 3);
    relay.app.shutdown.until_no_call_is_open().await;
    assert_eq!(relay.app.bodies.used(), 0);
}

#[tokio::test]
async fn a_body_is_let_go_when_its_stream_has_begun() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::start([account("a", &provider)], &SETTINGS).await;
    let answer = Answer::well().breaks(Fault::Hang, Moment::Deltas(1));
    provider.answers_always(answer.chunking(Chunking::PerEvent));
    // Each of these streams goes on for ever, and yet the next finds room.
    let mut streams = Vec::new();
    for _ in 0..4 {
        let mut stream = begin(&relay).await.expect("no panic").expect("an answer");
        stream.until("content_block_delta").await.expect("content");
        streams.push(stream);
    }
    assert_eq!(provider.in_flight(), 4);
    assert_eq!(relay.app.bodies.used(), 0);
    drop(streams);
    provider.until_cancelled(4).await;
}

#[tokio::test]
async fn memory_is_given_back_after_calls_of_every_kind() {
    let provider = FakeProvider::start().await;
    let accounts = [account("a", &provider), account("b", &provider)];
    let relay = TestRelay::start(accounts, &SETTINGS).await;
    provider.answers_key("upstream-a", Answer::anthropic_error(529, "overloaded_error", "no"));
    for body in [
        large(),
        Bytes::from_static(b"{\"model\""),
        messages_body("claude-sonnet-4-6", "[[status 400 no]]").size(700_000).bytes(),
        hello().bytes(),
        Bytes::from(vec![b'['; 800_000]),
    ] {
        relay.client.post(MESSAGES, &[], body.clone()).await;
        relay.client.post("/v1/messages/count_tokens", &[], body).await;
        relay.app.shutdown.until_no_call_is_open().await;
        assert_eq!(relay.app.bodies.used(), 0);
    }
}

#[tokio::test]
async fn one_body_may_be_larger_than_the_whole_budget() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::start([account("a", &provider)], &SETTINGS).await;
    let body = messages_body("claude-sonnet-4-6", "[[say ok]]").size(3 << 20);
    assert_eq!(relay.client.post(MESSAGES, &[], body).await.text(), "ok");
    relay.app.shutdown.until_no_call_is_open().await;
    assert_eq!(relay.app.bodies.used(), 0);
}

#[tokio::test]
async fn a_client_that_leaves_within_its_body_gives_its_room_to_the_next() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::start([account("a", &provider)], &SETTINGS).await;
    for framing in [("content-length", "900000"), ("transfer-encoding", "chunked")] {
        let head = relay.client.head_of("POST", MESSAGES, &[framing]);
        let mut leaving = super::sent(&relay, format!("{head}\r\n")).await;
        if framing.0 == "content-length" {
            leaving.send(&large()[..800_000]).await.expect("sent");
        } else {
            leaving.send_chunk(&large()[..800_000]).await.expect("sent");
        }
        let next = begin(&relay);
        assert_eq!(relay.client.get("/v1/models", &[]).await.status, 200);
        leaving.reset().expect("reset");
        let answer = next.await.expect("no panic").expect("an answer").collect().await;
        assert_eq!(answer.text(), "large", "after {}", framing.0);
    }
    relay.app.shutdown.until_no_call_is_open().await;
    assert_eq!(relay.app.bodies.used(), 0);
}

#[tokio::test]
async fn bodies_of_unstated_length_do_not_wait_for_each_other() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::start([account("a", &provider)], &SETTINGS).await;
    let upload = async || {
        let head = relay.client.head_of("POST", MESSAGES, &[("transfer-encoding", "chunked")]);
        let mut socket = super::sent(&relay, format!("{head}\r\n")).await;
        for part in large().chunks(40_000) {
            socket.send_chunk(part).await.expect("sent");
            tokio::task::yield_now().await;
        }
        socket.send_chunk(b"").await.expect("sent");
        super::answer(socket).await.collect().await
    };
    let (one, two, three) = tokio::join!(upload(), upload(), upload());
    assert_eq!([one.text(), two.text(), three.text()], ["large"; 3]);
    // Whoever waits for half a minute is refused, so all were served without such a wait.
    assert!([one, two, three].iter().all(|answer| answer.status == 200));
}
