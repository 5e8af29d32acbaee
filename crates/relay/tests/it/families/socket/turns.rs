//! Turns: what each costs, holds and is refused for, what one builds on, and how one fails.

use std::time::Duration;

use relay_core::usage::{Exactness, Outcome};
use relay_store::keys::KeyChange;
use relay_testkit::{Answer, Fault, Moment};
use serde_json::json;

use super::{Site, UPSTREAMS, after, completed, create, id_of, named, said, until_content};
use crate::families::{Upstream, asked, change, is_of, limits, rules};

const SHORT: &[(&str, &str)] = &[("FIRST_BYTE_TIMEOUT", "0.4"), ("STREAM_IDLE_TIMEOUT", "0.4")];

#[tokio::test]
async fn each_turn_is_a_call_of_its_own_and_its_record_is_exact() {
    for upstream in UPSTREAMS {
        let mut site = Site::with(upstream).await;
        for number in 1..=3 {
            site.says(&format!("第 {number} 轮")).await;
            let record = site.settled().await;
            site.provider.until_idle().await;
            let served = site.provider.served().pop().expect("served");
            assert_eq!((record.usage, record.exactness), (served.usage, Exactness::Exact));
            assert_eq!((record.outcome, record.status), (Outcome::Completed, 200));
            assert_eq!(site.relay.records().len(), number, "{upstream:?}");
            site.relay.until_all_is_given_back().await;
        }
        let sent = site.provider.requests();
        let of_socket = |name: &str| {
            name.starts_with("sec-websocket-") || name == "upgrade" || name == "openai-beta"
        };
        let strange =
            sent.iter().flat_map(|it| it.headers.keys()).find(|it| of_socket(it.as_str()));
        assert_eq!(strange, None, "upstream nobody speaks over a socket");
    }
}

#[tokio::test]
async fn a_warm_up_is_free_and_the_next_turn_goes_on_from_it() {
    for upstream in UPSTREAMS {
        let mut site = Site::with(upstream).await;
        change(&site.relay, limits(&json!({"window": {"seconds": 60, "requests": 1}}))).await;
        let mut warm_up = create("warm words");
        warm_up["generate"] = json!(false);
        let events = site.socket.turn(&warm_up).await;
        assert_eq!(events.len(), 2, "{events:#?}");
        let id = id_of(&completed(&events));
        assert_eq!((site.holds(), site.relay.records().len()), (0, 0), "{upstream:?}");
        assert!(site.provider.requests().is_empty(), "{upstream:?}");

        let events = site.socket.turn(&after(&id, "[[say warm]]")).await;
        assert_eq!(said(&events), "warm", "the window had room for it: {events:#?}");
        let sent = String::from_utf8_lossy(&site.provider.requests()[0].body).into_owned();
        assert!(sent.contains("warm words") && !sent.contains("\"generate\""), "{sent}");
        assert!(!sent.contains("previous_response_id"), "{sent}");
    }
}

#[tokio::test]
async fn a_slot_is_held_during_a_turn_alone() {
    let mut site = Site::with(Upstream::Openai).await;
    let one = json!({"concurrency": 1, "queue": {"length": 0, "wait_millis": 0}});
    change(&site.relay, limits(&one)).await;
    let mut other = site.relay.client.websocket(super::PATH, &[]).await.expect("a socket");
    assert_eq!(site.holds(), 0, "an open socket holds nothing");
    site.provider.answers_once(Answer::well().breaks(Fault::Hang, Moment::Deltas(1)));
    site.socket.send(create("[[long 200]]").to_string()).await.expect("sent");
    until_content(&mut site.socket).await;
    assert_eq!(site.holds(), 1);
    let refused = other.turn(&create("hello")).await;
    assert_eq!((&refused[0]["type"], &refused[0]["status"]), (&json!("error"), &json!(429)));
    assert_eq!(refused[0]["headers"]["retry-after"], "1", "{refused:?}");
    site.socket.leave();
    site.relay.until_all_is_given_back().await;
    assert_eq!(said(&other.turn(&create("[[say now]]")).await), "now");
}

#[tokio::test]
async fn a_window_that_is_spent_refuses_a_turn_and_the_socket_goes_on() {
    for upstream in [Upstream::Openai, Upstream::ClaudeApi] {
        let mut site = Site::with(upstream).await;
        change(&site.relay, limits(&json!({"window": {"seconds": 18_000, "requests": 2}}))).await;
        site.says("one").await;
        site.says("two").await;
        let frame = site.is_refused(&create("three"), 429, "begins anew at").await;
        let wait: u64 =
            frame["headers"]["retry-after"].as_str().expect("a wait").parse().expect("s");
        assert!((1..=18_000).contains(&wait), "{frame}");
        site.is_refused(&create("three"), 429, "begins anew at").await;
        site.relay.clock.advance(Duration::from_secs(wait));
        site.says("three").await;
        site.says("four").await;
        site.is_refused(&create("five"), 429, "begins anew at").await;
        // More is allowed from the next turn on.
        change(&site.relay, limits(&json!({"window": {"seconds": 18_000, "requests": 9}}))).await;
        site.says("five").await;
        assert_eq!(asked(&site.provider).len(), 5);
    }
}

#[tokio::test]
async fn what_a_key_may_do_is_asked_before_every_turn() {
    let mut site = Site::with(Upstream::Openai).await;
    site.says("one").await;
    let enabled = |enabled| KeyChange { enabled: Some(enabled), ..KeyChange::default() };
    change(&site.relay, enabled(false)).await;
    let frame = site.is_refused(&create("two"), 401, "disabled").await;
    assert_eq!(frame["error"]["type"], "invalid_request_error", "{frame}");
    change(&site.relay, enabled(true)).await;
    change(&site.relay, rules(&json!({"denied_models": [Upstream::Openai.model()]}))).await;
    site.is_refused(&create("two"), 403, Upstream::Openai.model()).await;
    let elsewhere = json!({"denied_models": null, "services": ["claude"]});
    change(&site.relay, rules(&elsewhere)).await;
    site.is_refused(&create("two"), 403, "openai").await;
    change(&site.relay, rules(&json!({"services": null}))).await;
    site.says("two").await;
    assert_eq!(asked(&site.provider).len(), 2);
}

#[tokio::test]
async fn a_turn_goes_on_from_the_last_answer_of_its_socket() {
    for upstream in UPSTREAMS {
        let mut site = Site::with(upstream).await;
        let first = site.says("blue").await;
        let events = site.socket.turn(&after(&id_of(&first), "[[say green]]")).await;
        let second = completed(&events);
        assert_eq!(said(&events), "green");
        let events = site.socket.turn(&after(&id_of(&second), "[[say red]]")).await;
        assert_eq!(said(&events), "red");
        let sent = site.provider.requests().pop().expect("a call");
        let sent = String::from_utf8_lossy(&sent.body).into_owned();
        let places = ["[[say blue]]", "\"blue\"", "[[say green]]", "\"green\"", "[[say red]]"]
            .map(|text| sent.find(text).unwrap_or_else(|| panic!("no {text} in {sent}")));
        assert!(places.is_sorted(), "the whole conversation, in order: {sent}");
        let record = site.settled().await;
        assert_eq!(record.exactness, Exactness::Exact);

        // An answer before the last is not kept, one of another socket is not known.
        for id in [id_of(&first), "resp_of_nobody".to_owned()] {
            let frame = site.is_refused(&after(&id, "more"), 400, &id).await;
            assert_eq!(frame["error"]["code"], "previous_response_not_found", "{frame}");
            assert_eq!(frame["error"]["param"], "previous_response_id", "{frame}");
        }
        let mut other = site.relay.client.websocket(super::PATH, &[]).await.expect("a socket");
        let frame = other.turn(&after(&id_of(&second), "more")).await.remove(0);
        assert_eq!(frame["error"]["code"], "previous_response_not_found", "{frame}");
        site.says("all of it again").await;
    }
}

#[tokio::test]
async fn before_the_first_content_another_account_answers() {
    let broken = |fault, at| Answer::well().breaks(fault, at);
    for upstream in UPSTREAMS {
        for (fault, word) in [
            (Answer::limited_for(600), "rate_limited"),
            (Answer::refused(403), "forbidden"),
            (Answer::refused(500), "upstream_error"),
            (Answer::overloaded(), "overloaded"),
            (broken(Fault::Hang, Moment::Head), "first_byte_timeout"),
            (broken(Fault::Reset, Moment::Head), "connection_broken"),
            (broken(Fault::Cut, Moment::Events(1)), "connection_broken"),
            (Answer::well().usual_error_event(Moment::Events(0), 529), "overloaded"),
        ] {
            let mut site = Site::start(upstream, &["a", "b"], SHORT).await;
            site.provider.answers_when(|seen| is_of(seen, "a"), fault);
            site.says("换一个 b").await;
            let record = site.settled().await;
            let faults: Vec<_> = record.attempts.iter().map(|it| it.fault.as_deref()).collect();
            assert_eq!(faults, [Some(word), None], "{upstream:?}");
            assert_eq!(asked(&site.provider), ["a", "b"], "{upstream:?}, {word}");
            assert!(site.relay.rests("a").await && !site.relay.rests("b").await, "{word}");
        }
    }
}

#[tokio::test]
async fn after_content_a_turn_fails_once_and_the_socket_goes_on() {
    let broken = |fault| Answer::well().breaks(fault, Moment::Deltas(3));
    for upstream in UPSTREAMS {
        for (fault, word) in [(Fault::Cut, "connection_broken"), (Fault::Hang, "stream_idle")] {
            let mut site = Site::start(upstream, &["a", "b"], SHORT).await;
            site.provider.answers_once(broken(fault));
            let events = site.socket.turn(&create("[[long 200]]")).await;
            let last = events.last().expect("events");
            assert_eq!(last["type"], "response.failed", "{events:#?}");
            assert_eq!(last["response"]["status"], "failed");
            assert!(last["response"]["error"]["message"].is_string(), "{last}");
            assert_eq!(named(&events, "response.created"), 1, "no second answer");
            assert_eq!(asked(&site.provider), ["a"]);
            let record = site.settled().await;
            assert_eq!((record.outcome, record.exactness), (Outcome::Cut, Exactness::Estimated));
            assert_eq!(record.attempts[0].fault.as_deref(), Some(word));
            // What failed is nothing to go on from.
            let id = id_of(&events[0]["response"]);
            let frame = site.is_refused(&after(&id, "more"), 400, &id).await;
            assert_eq!(frame["error"]["code"], "previous_response_not_found");
            site.says("and on").await;
            site.relay.until_all_is_given_back().await;
        }
    }
}

#[tokio::test]
async fn what_an_upstream_refuses_is_told_and_the_socket_goes_on() {
    for upstream in UPSTREAMS {
        let mut site = Site::with(upstream).await;
        site.provider.answers_once(Answer::refused_with(400, "prompt is too long"));
        site.is_refused(&create("hello"), 400, "prompt is too long").await;
        assert_eq!(site.settled().await.outcome, Outcome::Rejected);
        site.provider.answers_when(|seen| is_of(seen, "a"), Answer::limited_for(90));
        site.provider.answers_when(|seen| is_of(seen, "b"), Answer::limited_for(40));
        for _ in 0..2 {
            let frame = site.is_refused(&create("hello"), 429, "able again in").await;
            assert_eq!(frame["headers"]["retry-after"], "40", "{frame}");
        }
        site.provider.recovers();
        site.relay.clock.advance(Duration::from_secs(90));
        site.says("and on").await;
    }
}

#[tokio::test]
async fn a_client_that_leaves_within_a_turn_cancels_it_and_pays_for_what_was_said() {
    for upstream in UPSTREAMS {
        for resets in [false, true] {
            let mut site = Site::with(upstream).await;
            site.provider.answers_once(Answer::well().breaks(Fault::Hang, Moment::Deltas(3)));
            site.socket.send(create("[[long 200]]").to_string()).await.expect("sent");
            until_content(&mut site.socket).await;
            if resets {
                site.socket.reset().expect("reset");
            } else {
                site.socket.leave();
            }
            site.provider.until_cancelled(1).await;
            site.relay.app.shutdown.until_no_call_is_open().await;
            let record = site.relay.only_record().await;
            let ended = (record.outcome, record.exactness);
            assert_eq!(ended, (Outcome::ClientLeft, Exactness::Estimated), "{upstream:?}");
            assert!(record.usage.output > 0, "{upstream:?}");
            site.relay.until_all_is_given_back().await;
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves_while_it_waits_cancels_the_turn() {
    let mut site = Site::with(Upstream::Openai).await;
    site.provider.answers_always(Answer::well().breaks(Fault::Hang, Moment::Head));
    site.socket.send(create("hello").to_string()).await.expect("sent");
    site.provider.until_requests(1).await;
    assert_eq!(site.holds(), 1);
    site.socket.leave();
    site.provider.until_cancelled(1).await;
    assert_eq!(site.relay.only_record().await.outcome, Outcome::ClientLeft);
    site.relay.until_all_is_given_back().await;
}

#[tokio::test]
async fn a_turn_with_all_that_it_builds_on_is_no_larger_than_a_body_of_the_key() {
    let mut site = Site::with(Upstream::Openai).await;
    change(&site.relay, rules(&json!({"body_bytes_max": 4_000}))).await;
    let long = format!("[[say yes]] {}", "x".repeat(2_000));
    let events = site.socket.turn(&create(&long)).await;
    let more = after(&id_of(&completed(&events)), &long);
    site.is_refused(&more, 413, "4000 bytes, which is the limit of this key").await;
    site.says("a short one").await;
    change(&site.relay, rules(&json!({"body_bytes_max": null}))).await;
    let events = site.socket.turn(&create(&long.repeat(3))).await;
    assert_eq!(said(&events), "yes");
    site.relay.until_all_is_given_back().await;
}
