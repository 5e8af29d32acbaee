//! After the first content nobody else is asked: a stream that breaks ends as its client's protocol
//! ends one. Until then a client that waits gets signs of life.

use std::time::Duration;

use futures_util::StreamExt;
use relay_core::usage::{Exactness, Outcome};
use relay_testkit::{
    Answer, Ending, FakeProvider, Fault, Framing, Incoming, Moment, Received, answer_text,
};

use super::{PAIRS, Spoken, Upstream, asked, is_of, relay};
use crate::kit::TestRelay;

const SHORT: &[(&str, &str)] = &[("FIRST_BYTE_TIMEOUT", "0.4"), ("STREAM_IDLE_TIMEOUT", "0.4")];
const KEPT_ALIVE: &[(&str, &str)] =
    &[("KEEPALIVE_AFTER", "0.1"), ("FIRST_BYTE_TIMEOUT", "0.45"), ("STREAM_IDLE_TIMEOUT", "0.45")];

async fn two(upstream: Upstream, settings: &[(&str, &str)]) -> (FakeProvider, TestRelay) {
    let provider = FakeProvider::start().await;
    let relay = relay(&provider, upstream, &["a", "b"], settings).await;
    (provider, relay)
}

/// How often a stream tells such a client of an error, and whether it ends so.
fn errors(spoken: Spoken, answer: &Received) -> (usize, bool) {
    let events = answer.events();
    let is_error = |json: serde_json::Value| match spoken {
        Spoken::Messages => json["type"] == "error" && json["error"]["message"].is_string(),
        Spoken::Chat => json["error"]["message"].is_string(),
        Spoken::Responses => {
            let failed = json["type"] == "response.failed"
                && json["response"]["status"] == "failed"
                && json["response"]["error"]["message"].is_string();
            failed || json["type"] == "error"
        }
        Spoken::Gemini | Spoken::CodeAssist => {
            json["error"]["code"].is_u64() && json["error"]["status"].is_string()
        }
    };
    let mut said: Vec<bool> = events.iter().map(|event| is_error(event.json())).collect();
    let count = said.iter().filter(|said| **said).count();
    let done = events.iter().filter(|event| event.data == "[DONE]").count();
    if done == 1 && spoken == Spoken::Chat {
        assert_eq!(events.last().expect("events").data, "[DONE]");
        said.pop();
    } else {
        assert_eq!(done, 0, "{spoken:?}");
    }
    (count, said.last() == Some(&true))
}

/// After its first content a broken answer ends with one error, and nobody else is asked.
async fn ends_with_an_error(
    (spoken, upstream): (Spoken, Upstream),
    (fault, word, exactness): (Answer, &str, Exactness),
) {
    let what = format!("{spoken:?} on {upstream:?}: {fault:?}");
    let (provider, relay) = two(upstream, SHORT).await;
    provider.answers_once_when(|seen| is_of(seen, "a"), fault);
    let answer = spoken.ask(&relay.client, "[[long 200]]", true).await;
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!((answer.status, answer.ending), (200, Ending::Whole), "{what}: {body}");
    assert_eq!(errors(spoken, &answer), (1, true), "{what}: {body}");
    let whole = usize::from(spoken == Spoken::Chat);
    assert!(spoken.endings(&answer).0 <= whole, "{what}: it is told as whole: {body}");
    assert_eq!(asked(&provider), ["a"], "{what}");

    relay.until_all_is_given_back().await;
    let record = relay.only_record().await;
    let ended = (record.outcome, record.exactness, record.status);
    assert_eq!(ended, (Outcome::Cut, exactness, 200), "{what}");
    assert_eq!(record.attempts[0].fault.as_deref(), Some(word), "{what}");
    let said = answer.text().chars().count() as u64;
    assert!(said > 0 && said < 200, "{what}: {body}");
    let output = record.usage.output;
    if exactness == Exactness::Exact {
        provider.until_idle().await;
        assert_eq!(record.usage, provider.served()[0].usage, "{what}");
        return;
    }
    assert!((said / 8..=said).contains(&output), "{what}: {output} for {said}: {body}");
    assert!(record.usage.context() > 0, "{what}");
}

/// Does so for every pair, some at a time.
async fn with_every_pair(test: impl AsyncFn((Spoken, Upstream))) {
    let tests = futures_util::stream::iter(PAIRS.map(|pair| Box::pin(test(pair))));
    tests.buffer_unordered(4).collect::<()>().await;
}

#[tokio::test]
async fn a_stream_that_breaks_after_content_ends_with_its_protocols_error() {
    let broken = |fault| Answer::well().breaks(fault, Moment::Deltas(3));
    with_every_pair(async |pair| {
        for (fault, word) in [
            (broken(Fault::Cut), "connection_broken"),
            (broken(Fault::Reset), "connection_broken"),
            (broken(Fault::Cut).framing(Framing::UntilClose), "cut"),
            (broken(Fault::Hang), "stream_idle"),
        ] {
            ends_with_an_error(pair, (fault, word, Exactness::Estimated)).await;
        }
    })
    .await;
}

/// Whether the account is asked in Responses.
fn asks_responses((spoken, upstream): (Spoken, Upstream)) -> bool {
    match upstream {
        Upstream::ChatGpt | Upstream::OpenaiResponses => true,
        Upstream::Openai => spoken == Spoken::Responses,
        _ => false,
    }
}

#[tokio::test]
async fn an_error_event_after_content_is_told_once() {
    let after = Moment::Deltas(3);
    with_every_pair(async |pair| {
        for status in [429, 500, 529] {
            let event = Answer::well().usual_error_event(after, status);
            ends_with_an_error(pair, (event, "error_event", Exactness::Estimated)).await;
        }
        if asks_responses(pair) {
            // It states what was used all the same.
            let failed = Answer::well().failed_event(after, "server_error", "it is broken");
            ends_with_an_error(pair, (failed, "error_event", Exactness::Exact)).await;
        }
    })
    .await;
}

/// Reads a stream until something is said.
pub(super) async fn until_content(incoming: &mut Incoming) {
    let mut body = Vec::new();
    while answer_text(&body).is_empty() {
        let chunk = incoming.chunk().await.expect("no break");
        body.extend_from_slice(&chunk.expect("content before the end"));
    }
}

#[tokio::test]
async fn a_client_that_leaves_within_the_answer_cancels_it_and_pays_for_what_was_said() {
    with_every_pair(async |(spoken, upstream)| {
        let what = format!("{spoken:?} on {upstream:?}");
        let (provider, relay) = two(upstream, &[]).await;
        provider.answers_always(Answer::well().breaks(Fault::Hang, Moment::Deltas(3)));
        let mut incoming = spoken.open(&relay.client, "[[long 200]]").await;
        until_content(&mut incoming).await;
        incoming.leave();
        provider.until_cancelled(1).await;
        let record = relay.only_record().await;
        let ended = (record.outcome, record.exactness);
        assert_eq!(ended, (Outcome::ClientLeft, Exactness::Estimated), "{what}");
        assert!(record.usage.output > 0 && record.usage.context() > 0, "{what}");
        assert!(!relay.rests("a").await, "{what}: nobody is at fault");
        assert_eq!(asked(&provider), ["a"], "{what}");
        relay.until_all_is_given_back().await;
    })
    .await;
}

/// A client that asked for a whole answer and leaves: what is under way goes on, and is recorded.
#[tokio::test]
async fn a_client_that_leaves_before_a_whole_answer_is_recorded_in_full() {
    with_every_pair(async |(spoken, upstream)| {
        let (provider, relay) = two(upstream, &[]).await;
        provider.answers_always(Answer::well().delay(Duration::from_millis(150)));
        let (path, body) = spoken.request("[[say hello]]", false);
        let client = relay.client.clone();
        let asking = tokio::spawn(async move { client.post(&path, &[], body).await });
        provider.until_requests(1).await;
        asking.abort();
        provider.until_idle().await;
        let served = provider.served().remove(0);
        let record = relay.only_record().await;
        let what = format!("{spoken:?} on {upstream:?}: {record:?}");
        assert_eq!((record.usage, record.exactness), (served.usage, Exactness::Exact), "{what}");
        relay.until_all_is_given_back().await;
    })
    .await;
}

/// Takes the signs of life from the beginning of a body: how many, and what follows.
fn signs_of_life(spoken: Spoken, body: &[u8]) -> (usize, &[u8]) {
    let sign: &[u8] = match spoken {
        Spoken::Messages => b"event: ping\ndata: {\"type\": \"ping\"}\n\n",
        Spoken::Chat | Spoken::Responses => b": keep-alive\n\n",
        Spoken::Gemini | Spoken::CodeAssist => b"\n",
    };
    let (mut count, mut rest) = (0, body);
    while let Some(next) = rest.strip_prefix(sign) {
        (count, rest) = (count + 1, next);
    }
    (count, rest)
}

#[tokio::test]
async fn a_waiting_client_gets_signs_of_life_and_then_the_answer_of_another_account() {
    with_every_pair(async |(spoken, upstream)| {
        let what = format!("{spoken:?} on {upstream:?}");
        let (provider, relay) = two(upstream, KEPT_ALIVE).await;
        let hangs = Answer::well().breaks(Fault::Hang, Moment::Head);
        provider.answers_when(|seen| is_of(seen, "a"), hangs);
        let answer = spoken.ask(&relay.client, "[[say 终于 at last]]", true).await;
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(answer.header("content-type").starts_with("text/event-stream"), "{what}");
        let (signs, rest) = signs_of_life(spoken, &answer.body);
        assert!((2..=5).contains(&signs), "{what}: {body}");
        assert!(rest.starts_with(b"data: ") || rest.starts_with(b"event: "), "{what}: {body}");
        assert_eq!((answer.text().as_str(), spoken.endings(&answer)), ("终于 at last", (1, true)));
        let record = relay.only_record().await;
        assert_eq!((record.attempts.len(), record.exactness), (2, Exactness::Exact), "{what}");
        relay.until_all_is_given_back().await;
    })
    .await;
}

#[tokio::test]
async fn a_waiting_client_gets_its_protocols_error_when_all_fail() {
    with_every_pair(async |(spoken, upstream)| {
        let what = format!("{spoken:?} on {upstream:?}");
        let (provider, relay) = two(upstream, KEPT_ALIVE).await;
        provider.answers_always(Answer::well().breaks(Fault::Hang, Moment::Head));
        let answer = spoken.ask(&relay.client, "hello", true).await;
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!((answer.status, answer.ending), (200, Ending::Whole), "{what}: {body}");
        assert!(signs_of_life(spoken, &answer.body).0 >= 2, "{what}: {body}");
        assert_eq!(errors(spoken, &answer), (1, true), "{what}: {body}");
        assert!(body.contains("did not answer in time"), "{what}: {body}");
        let record = relay.only_record().await;
        assert_eq!((record.outcome, record.attempts.len()), (Outcome::Failed, 2), "{what}");
        relay.until_all_is_given_back().await;
    })
    .await;
}

#[tokio::test]
async fn a_refusal_after_signs_of_life_is_told_as_its_protocols_error() {
    with_every_pair(async |(spoken, upstream)| {
        let what = format!("{spoken:?} on {upstream:?}");
        let (provider, relay) = two(upstream, KEPT_ALIVE).await;
        let refused = Answer::refused_with(400, "prompt is too long");
        provider.answers_once(refused.delay(Duration::from_millis(250)));
        let answer = spoken.ask(&relay.client, "hello", true).await;
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(errors(spoken, &answer), (1, true), "{what}: {body}");
        assert!(body.contains("prompt is too long"), "{what}: {body}");
        assert_eq!(asked(&provider), ["a"], "{what}");
        assert_eq!(relay.only_record().await.outcome, Outcome::Rejected, "{what}");
    })
    .await;
}

/// Google's protocol has no event for the end: a host that leaves the connection open after the last
/// one keeps no client waiting for ever.
#[tokio::test]
async fn an_answer_ends_though_its_upstream_does_not_close() {
    let provider = FakeProvider::start().await;
    let relay = relay(&provider, Upstream::Gemini, &["a"], &[]).await;
    let only = concat!(
        r#"data: {"candidates":[{"content":{"role":"model","parts":[{"text":"well"}]},"#,
        r#""finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":2}}"#,
        "\r\n\r\n",
    );
    let open = Answer::raw_stream([only]).breaks(Fault::Hang, Moment::Bytes(only.len()));
    provider.answers_once(open);
    let answer = Spoken::Chat.ask(&relay.client, "hello", true).await;
    assert_eq!((answer.status, answer.ending), (200, Ending::Whole));
    assert_eq!(answer.events().last().expect("events").data, "[DONE]");
    let record = relay.only_record().await;
    assert_eq!((record.outcome, record.usage.output), (Outcome::Completed, 2));
}
