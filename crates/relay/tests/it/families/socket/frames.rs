//! Frames: what is none of a turn, what is too much, and how a socket begins, lives and ends.

use relay::shutdown::Stage;
use relay_core::usage::Outcome;
use relay_testkit::{Answer, Client, Fault, Heard, Moment};
use serde_json::json;

use super::{PATH, Site, UPSTREAMS, completed, create, said, until_closed, until_content};
use crate::families::{Upstream, asked};

#[tokio::test]
async fn a_message_of_bytes_is_a_turn_too() {
    let mut site = Site::with(Upstream::Openai).await;
    let message = create("[[say bytes]]").to_string();
    site.socket.send_binary(message).await.expect("sent");
    assert_eq!(said(&site.socket.rest_of_turn().await), "bytes");
}

#[tokio::test]
async fn what_is_no_turn_is_refused_and_the_socket_goes_on() {
    let mut site = Site::with(Upstream::Openai).await;
    let deep = "[".repeat(100_000);
    let messages =
        ["", "hello", "{", "[]", "null", "7", "\"x\"", &deep, "{\"type\":\"response.create\"}"];
    let kinds = [r#"{"type":"session.update"}"#, r#"{"type":7}"#, r#"{"type":"response.cancel"}"#];
    for message in messages.into_iter().chain(kinds) {
        site.socket.send(message).await.expect("sent");
        let frame = site.socket.next_json().await;
        let shown = &message[..message.len().min(40)];
        assert_eq!((&frame["type"], &frame["status"]), (&json!("error"), &json!(400)), "{shown}");
        assert!(frame["error"]["message"].is_string(), "{shown}: {frame}");
    }
    site.socket.send_binary(&b"\xFF\xFE\x00"[..]).await.expect("sent");
    assert_eq!(site.socket.next_json().await["status"], 400);
    assert!(site.provider.requests().is_empty());
    site.says("still here").await;
    site.relay.until_all_is_given_back().await;
}

#[tokio::test]
async fn a_message_over_the_limit_of_bodies_closes_the_socket() {
    let mut site = Site::start(Upstream::Openai, &["a"], &[("REQUEST_MAX_SIZE_MB", "1")]).await;
    let mut fits = create("[[say fits]]");
    fits["metadata"] = json!({"long": "x".repeat((1 << 20) - 4_096)});
    assert_eq!(said(&site.socket.turn(&fits).await), "fits");
    let too_long = create(&"x".repeat(1 << 20)).to_string();
    // It may be closed before all of it is sent.
    let _ = site.socket.send(too_long).await;
    assert_eq!(until_closed(&mut site.socket).await.0, 1009);
    assert_eq!(asked(&site.provider).len(), 1);
    site.relay.until_all_is_given_back().await;
}

#[tokio::test]
async fn a_message_over_the_limit_during_a_turn_ends_both() {
    let mut site = Site::start(Upstream::Openai, &["a"], &[("REQUEST_MAX_SIZE_MB", "1")]).await;
    site.provider.answers_once(Answer::well().breaks(Fault::Hang, Moment::Deltas(1)));
    site.socket.send(create("[[long 200]]").to_string()).await.expect("sent");
    until_content(&mut site.socket).await;
    let _ = site.socket.send("x".repeat(3 << 20)).await;
    assert_eq!(until_closed(&mut site.socket).await.0, 1009);
    site.provider.until_cancelled(1).await;
    assert_eq!(site.relay.only_record().await.outcome, Outcome::ClientLeft);
    site.relay.until_all_is_given_back().await;
}

#[tokio::test]
async fn a_message_during_a_turn_waits_and_one_more_is_refused() {
    let mut site = Site::with(Upstream::Openai).await;
    site.socket.send(create("[[paced 6 40]]").to_string()).await.expect("sent");
    until_content(&mut site.socket).await;
    site.socket.send(create("[[say second]]").to_string()).await.expect("sent");
    site.socket.send(create("[[say third]]").to_string()).await.expect("sent");
    let mut events = site.socket.rest_of_turn().await;
    let refused = events.pop().expect("an end");
    assert_eq!((&refused["type"], &refused["status"]), (&json!("error"), &json!(400)), "{refused}");
    let first = site.socket.rest_of_turn().await;
    assert_eq!(first.last().expect("events")["type"], "response.completed", "it goes on");
    let second = site.socket.rest_of_turn().await;
    completed(&second);
    assert_eq!(said(&second), "second");
    site.says("fourth").await;
    assert_eq!(asked(&site.provider).len(), 3);
}

#[tokio::test]
async fn a_slow_turn_is_kept_alive_by_pings() {
    for upstream in UPSTREAMS {
        let settings = [("KEEPALIVE_AFTER", "0.1"), ("FIRST_BYTE_TIMEOUT", "0.45")];
        let mut site = Site::start(upstream, &["a"], &settings).await;
        let slow = Answer::well().delay(std::time::Duration::from_millis(300));
        site.provider.answers_once(slow);
        let before = site.socket.pings();
        site.says("at last").await;
        let pings = site.socket.pings() - before;
        assert!((1..=4).contains(&pings), "{upstream:?}: {pings}");

        // The status 200 is committed by then, so that it is the answer that fails.
        site.provider.answers_always(Answer::well().breaks(Fault::Hang, Moment::Head));
        let events = site.socket.turn(&create("hello")).await;
        let last = events.last().expect("events");
        assert_eq!((events.len(), &last["type"]), (1, &json!("response.failed")), "{events:?}");
        let message = last["response"]["error"]["message"].as_str().expect("a message");
        assert!(message.contains("did not answer in time"), "{last}");
        assert_eq!(site.settled().await.outcome, Outcome::Failed);
        site.provider.recovers();
        site.relay.clock.advance(std::time::Duration::from_mins(10));
        site.says("and on").await;
        site.relay.until_all_is_given_back().await;
    }
}

#[tokio::test]
async fn a_ping_is_answered_within_a_turn_and_without() {
    let mut site = Site::with(Upstream::Openai).await;
    site.socket.ping().await.expect("sent");
    site.says("one").await;
    assert_eq!(site.socket.pongs(), 1);
    site.socket.send(create("[[paced 6 40]]").to_string()).await.expect("sent");
    until_content(&mut site.socket).await;
    site.socket.ping().await.expect("sent");
    site.socket.rest_of_turn().await;
    assert_eq!(site.socket.pongs(), 2);
}

#[tokio::test]
async fn a_socket_that_is_not_opened_is_refused_as_any_call() {
    let site = Site::with(Upstream::Openai).await;
    let open = async |client: &Client, path: &str| {
        let refused = client.websocket(path, &[]).await.expect_err("a refusal");
        let error = serde_json::from_slice(&refused.body).unwrap_or(json!({}))["error"].clone();
        assert!(error["message"].is_string(), "{refused:?}");
        refused.status
    };
    let strange = Client::new(&site.relay.base_url).openai("no-key-of-this-relay");
    assert_eq!(open(&strange, PATH).await, 401);
    assert_eq!(open(&Client::new(&site.relay.base_url), PATH).await, 401);
    assert_eq!(open(&site.relay.client, "/openai/v1/chat/completions").await, 426);
    assert_eq!(open(&site.relay.client, "/api/v1/messages").await, 426);
    for path in ["/openai/v1/responses", "/responses", "/v1/responses"] {
        let mut socket = site.relay.client.websocket(path, &[]).await.expect("a socket");
        assert_eq!(said(&socket.turn(&create("[[say here]]")).await), "here", "{path}");
    }
    let disabled = relay_store::keys::KeyChange { enabled: Some(false), ..Default::default() };
    crate::families::change(&site.relay, disabled).await;
    assert_eq!(open(&site.relay.client, PATH).await, 401);
}

#[tokio::test]
async fn a_key_has_so_many_sockets_and_gets_them_back() {
    let mut site = Site::with(Upstream::Openai).await;
    let client = site.relay.client.clone();
    let mut open = Vec::new();
    let refused = loop {
        match client.websocket(PATH, &[]).await {
            Ok(socket) => open.push(socket),
            Err(refused) => break refused,
        }
    };
    assert_eq!((open.len(), refused.status), (63, 429), "with the first");
    assert_eq!(refused.header("retry-after"), "1");
    let (_, other) = site.relay.add_secret("another").await;
    let other = Client::new(&site.relay.base_url).openai(&other);
    assert!(other.websocket(PATH, &[]).await.is_ok(), "another key has its own");
    site.says("those that are open go on").await;
    assert!(matches!(open.remove(0).close().await, Heard::Close(..)));
    // The place is given back once the connection has ended.
    let reopened = async {
        while client.websocket(PATH, &[]).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    let reopened = tokio::time::timeout(std::time::Duration::from_secs(10), reopened).await;
    assert!(reopened.is_ok());
}

#[tokio::test]
async fn a_relay_that_stops_lets_the_turn_end_and_closes_the_socket() {
    for upstream in UPSTREAMS {
        let mut site = Site::with(upstream).await;
        let mut idle = site.relay.client.websocket(PATH, &[]).await.expect("a socket");
        site.socket.send(create("[[paced 6 40]]").to_string()).await.expect("sent");
        until_content(&mut site.socket).await;
        site.relay.app.shutdown.advance(Stage::Draining);
        assert_eq!(until_closed(&mut idle).await.0, 1012, "no turn is under way on it");
        let rest = site.socket.rest_of_turn().await;
        assert_eq!(rest.last().expect("events")["type"], "response.completed", "{upstream:?}");
        assert_eq!(until_closed(&mut site.socket).await.0, 1012);
        assert_eq!(site.relay.only_record().await.outcome, Outcome::Completed);
        site.relay.stop().await;
        site.relay.until_all_is_given_back().await;
    }
}

#[tokio::test]
async fn a_turn_that_lasts_past_the_stop_fails_and_its_socket_closes() {
    let mut site = Site::with(Upstream::Openai).await;
    site.provider.answers_once(Answer::well().breaks(Fault::Hang, Moment::Deltas(1)));
    site.socket.send(create("[[long 200]]").to_string()).await.expect("sent");
    until_content(&mut site.socket).await;
    site.relay.app.shutdown.advance(Stage::Draining);
    site.relay.end();
    let rest = site.socket.rest_of_turn().await;
    assert_eq!(rest.last().expect("events")["type"], "response.failed", "{rest:?}");
    assert_eq!(until_closed(&mut site.socket).await.0, 1012);
    assert_eq!(site.relay.only_record().await.outcome, Outcome::Shutdown);
    site.relay.until_all_is_given_back().await;
}

#[tokio::test]
async fn a_client_that_closes_in_good_order_is_answered_so() {
    let mut site = Site::with(Upstream::Openai).await;
    site.says("one").await;
    assert!(matches!(site.socket.close().await, Heard::Close(..)));
    site.relay.until_all_is_given_back().await;
}
