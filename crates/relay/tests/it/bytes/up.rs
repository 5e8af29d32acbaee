//! Requests on their way up.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use relay_testkit::{Answer, FakeProvider, Received, messages_body};

use super::{assert_same, sizes};
use crate::kit::{TestRelay, account};

/// A request that no writer of JSON would write, and every reader must read.
const ODD: &str = "\r\n {\"stream\" :false ,\t\"z\":1.0e5,\"z\":-0.0E+2,\n\n \"mod\\u0065l\" \
    : \"claude-sonnet-4-\\u0036\", \"max_tokens\": 16,\"future\":{\"a\":[[],{}],\"a\":1},\
    \"messages\":[{\"content\":\"claude-sonnet-4-6 \\/ \\ud83d\\ude00 你好 \u{2028}\",\"role\":\"user\"}] ,\
    \"metadata\":{ \"user_id\":\"x\" }} \n\n";

const MESSAGES: &str = "/api/v1/messages";

/// The body that reaches the provider when a client sends `body`.
async fn arrives(body: Bytes) -> Bytes {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    provider.answers_always(Answer::status(200).body("{}"));
    let answer = relay.client.post(MESSAGES, &[], body).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    provider.requests().remove(0).body
}

#[tokio::test]
async fn an_odd_body_goes_up_as_it_was_sent() {
    assert_same(&arrives(ODD.into()).await, ODD.as_bytes(), "odd");
}

#[tokio::test]
async fn text_that_is_no_unicode_goes_up_as_it_was_sent() {
    let half_a_pair = ODD.replace("\\ud83d\\ude00", "\\ud83d");
    assert_same(&arrives(half_a_pair.clone().into()).await, half_a_pair.as_bytes(), "half a pair");
    let text = ODD.find("你").expect("it is there");
    let cut_character = [&ODD.as_bytes()[..text], &ODD.as_bytes()[text + 1..]].concat();
    assert_same(&arrives(cut_character.clone().into()).await, &cut_character, "a cut character");
}

#[tokio::test]
async fn a_large_body_goes_up_as_it_was_sent() {
    for size in [65_535, 65_536, 65_537, 3 << 20] {
        let body = messages_body("claude-sonnet-4-6", "large").chinese_size(size).bytes();
        assert_same(&arrives(body.clone()).await, &body, &size.to_string());
    }
}

#[tokio::test]
async fn a_body_in_chunks_of_any_size_goes_up_as_it_was_sent() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    provider.answers_always(Answer::status(200).body("{}"));
    let large = messages_body("claude-sonnet-4-6", "large").chinese_size(200_000).bytes();
    for (body, sizes) in [
        (Bytes::from(ODD), vec![1]),
        (Bytes::from(ODD), sizes(5)),
        (large.clone(), vec![65_536, 1]),
        (large, sizes(6)),
    ] {
        provider.clear_log();
        let answer = chunked(&relay, &body, &sizes, &[]).await;
        assert_eq!(answer.status, 200);
        assert_same(&provider.requests()[0].body, &body, "chunks");
    }
}

#[tokio::test]
async fn a_packed_body_goes_up_unpacked() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    provider.answers_always(Answer::status(200).body("{}"));
    let one_member = gzip(ODD.as_bytes());
    let two_members = [&one_member[..], &gzip(b" \n")].concat();
    let twice = format!("{ODD} \n");
    for (name, body, expected) in
        [("gzip", one_member, ODD), ("x-gzip", two_members, twice.as_str())]
    {
        provider.clear_log();
        let encoding = [("content-encoding", name)];
        let answer = chunked(&relay, &body.into(), &[7], &encoding).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        let seen = provider.requests().remove(0);
        assert_same(&seen.body, expected.as_bytes(), name);
        assert!(seen.header("content-encoding").is_empty());
        assert_eq!(seen.header("content-length"), seen.body.len().to_string());
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(bytes).expect("memory takes all");
    packer.finish().expect("packed")
}

/// Sends a body in chunks of these sizes, over and over.
async fn chunked(
    relay: &TestRelay,
    body: &Bytes,
    sizes: &[usize],
    headers: &[(&str, &str)],
) -> Received {
    let mut socket = relay.client.connect().await.expect("a connection");
    let head = relay.client.head_of("POST", MESSAGES, headers);
    let head = format!("{head}transfer-encoding: chunked\r\n\r\n");
    socket.send(head.as_bytes()).await.expect("sent");
    let mut rest = body.clone();
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let part = rest.split_to(rest.len().min(*size));
        socket.send_chunk(&part).await.expect("sent");
    }
    socket.send_chunk(b"").await.expect("sent");
    socket.answer().await.expect("an answer").collect().await
}

#[tokio::test]
async fn a_mapped_model_changes_nothing_but_its_name() {
    let provider = FakeProvider::start().await;
    let mapped = account("mapped", &provider);
    let name = "glm \"5\" 智谱";
    let rule = format!("claude-sonnet-*={name}").parse().expect("a mapping");
    let relay = TestRelay::start(
        [relay_store::accounts::NewAccount { model_map: vec![rule], ..mapped }],
        &[],
    )
    .await;
    provider.answers_always(Answer::status(200).body("{}"));
    let answer = relay.client.post(MESSAGES, &[], ODD).await;
    assert_eq!(answer.status, 200);
    let expected = ODD.replacen(r#""claude-sonnet-4-\u0036""#, r#""glm \"5\" 智谱""#, 1);
    assert_ne!(expected, ODD);
    assert_same(&provider.requests()[0].body, expected.as_bytes(), "mapped");

    // A model that no rule maps goes up as it was sent.
    let other = ODD.replace(r"claude-sonnet-4-\u0036", r"claude-\u006fpus-4-8");
    relay.client.post(MESSAGES, &[], other.clone()).await;
    assert_same(&provider.requests()[1].body, other.as_bytes(), "not mapped");
}

#[tokio::test]
async fn the_body_that_a_second_account_gets_is_the_clients_too() {
    let provider = FakeProvider::start().await;
    let mapped = account("a", &provider);
    let rule = "claude-*=glm-5".parse().expect("a mapping");
    let mapped = relay_store::accounts::NewAccount { model_map: vec![rule], ..mapped };
    let relay = TestRelay::start([mapped, account("b", &provider)], &[]).await;
    provider.answers_always(Answer::status(200).body("{}"));
    provider.answers_key("upstream-a", Answer::anthropic_error(529, "overloaded_error", "no"));
    let answer = relay.client.post(MESSAGES, &[], ODD).await;
    assert_eq!(answer.status, 200);
    let seen = provider.requests();
    assert_eq!((seen[0].api_key.as_str(), seen[0].model().as_str()), ("upstream-a", "glm-5"));
    assert_eq!(seen[1].api_key, "upstream-b");
    assert_same(&seen[1].body, ODD.as_bytes(), "the second account's");
}
