//! Bodies: how they may come, how large they may be, what may be in them.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use relay_testkit::{Ending, FakeProvider, Received, messages_body};

use super::{MESSAGES, answer, anthropic_error, hello, sent};
use crate::kit::{TestRelay, account};

const MEBIBYTE: usize = 1 << 20;

async fn small_relay(provider: &FakeProvider) -> TestRelay {
    TestRelay::start([account("a", provider)], &[("REQUEST_MAX_SIZE_MB", "1")]).await
}

/// A request whose body is sent in chunks; what cannot be sent any more is left out.
async fn chunked(relay: &TestRelay, body: &[u8], headers: &[(&str, &str)]) -> Received {
    let head = relay.client.head_of("POST", MESSAGES, headers);
    let mut socket = sent(relay, format!("{head}transfer-encoding: chunked\r\n\r\n")).await;
    for part in body.chunks(50_000) {
        socket.send_chunk(part).await.expect("the relay reads on");
    }
    socket.send_chunk(b"").await.expect("sent");
    answer(socket).await.collect().await
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(bytes).expect("memory takes all");
    packer.finish().expect("packed")
}

#[tokio::test]
async fn a_body_at_the_limit_is_served_and_one_byte_more_is_not() {
    let provider = FakeProvider::start().await;
    let relay = small_relay(&provider).await;
    let body = |bytes| messages_body("claude-sonnet-4-6", "[[say ok]]").chinese_size(bytes).bytes();
    let (fits, too_large) = (body(MEBIBYTE), body(MEBIBYTE + 1));
    assert_eq!(relay.client.post(MESSAGES, &[], fits.clone()).await.text(), "ok");
    assert_eq!(chunked(&relay, &fits, &[]).await.text(), "ok");
    for refused in [
        relay.client.post(MESSAGES, &[], too_large.clone()).await,
        chunked(&relay, &too_large, &[]).await,
        chunked(&relay, &body(5 * MEBIBYTE), &[]).await,
    ] {
        let told = anthropic_error(&refused, 413, "request_too_large");
        assert!(told.contains("1048576"), "{told}");
        assert_eq!(refused.header("x-should-retry"), "false");
        assert_eq!(refused.ending, Ending::Whole);
    }
    assert_eq!(provider.requests().len(), 2);
    assert_eq!(relay.app.bodies.used(), 0);
}

#[tokio::test]
async fn a_body_that_states_too_much_is_refused_before_it_is_sent() {
    let provider = FakeProvider::start().await;
    let relay = small_relay(&provider).await;
    for length in ["1048577", "9223372036854775807"] {
        let head = relay.client.head_of("POST", MESSAGES, &[("content-length", length)]);
        let socket = sent(&relay, format!("{head}\r\n{{")).await;
        anthropic_error(&answer(socket).await.collect().await, 413, "request_too_large");
    }
}

#[tokio::test]
async fn a_body_in_single_bytes_is_as_good_as_any() {
    let provider = FakeProvider::start().await;
    let relay = small_relay(&provider).await;
    let body = hello().bytes();
    let length = body.len().to_string();
    let head = relay.client.head_of("POST", MESSAGES, &[("content-length", &length)]);
    let mut socket = sent(&relay, format!("{head}\r\n")).await;
    for byte in &body {
        socket.send(&[*byte]).await.expect("sent");
        tokio::task::yield_now().await;
    }
    assert_eq!(answer(socket).await.collect().await.text(), "hi");
    assert_eq!(provider.requests()[0].body, body);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_call() {
    let provider = FakeProvider::start().await;
    let relay = small_relay(&provider).await;
    let head = relay.client.head_of("POST", MESSAGES, &[("transfer-encoding", "chunked")]);
    let socket = sent(&relay, format!("{head}\r\n5\r\n{{\"mod\r\nnot a size\r\n")).await;
    let refused = answer(socket).await.collect().await;
    assert_eq!(refused.status, 400);
    let head = relay.client.head_of("POST", MESSAGES, &[("content-length", "100")]);
    sent(&relay, format!("{head}\r\n{{")).await.leave();
    assert_eq!(relay.client.post(MESSAGES, &[], hello()).await.status, 200);
    assert_eq!(provider.requests().len(), 1);
}

#[tokio::test]
async fn packed_bodies_are_bounded_by_what_they_unpack_to() {
    let provider = FakeProvider::start().await;
    let relay = small_relay(&provider).await;
    let call = async |encoding: &str, body: Vec<u8>| {
        relay.client.post(MESSAGES, &[("content-encoding", encoding)], body).await
    };
    let fits = messages_body("claude-sonnet-4-6", "[[say ok]]").size(MEBIBYTE).bytes();
    assert_eq!(call("gzip", gzip(&fits)).await.text(), "ok");
    assert_eq!(call("identity", hello().bytes().to_vec()).await.text(), "hi");
    let spaces = [&fits[..], b" "].concat();
    let bomb = gzip(&vec![b' '; 256 * MEBIBYTE]);
    assert!(bomb.len() < MEBIBYTE);
    for large in [gzip(&spaces), bomb] {
        anthropic_error(&call("gzip", large).await, 413, "request_too_large");
    }
    let whole = gzip(&hello().bytes());
    let flipped: Vec<u8> = whole.iter().map(|byte| byte ^ 0x55).collect();
    let with_tail = [&whole[..], b"tail"].concat();
    for broken in [flipped, whole[..whole.len() - 3].to_vec(), b"plain".to_vec(), with_tail] {
        let told = anthropic_error(&call("gzip", broken).await, 400, "invalid_request_error");
        assert!(told.contains("gzip"), "{told}");
    }
    anthropic_error(&call("gzip", Vec::new()).await, 400, "invalid_request_error");
    for unknown in ["br", "zstd", "deflate", "gzip, gzip", "nonsense"] {
        let refused = call(unknown, hello().bytes().to_vec()).await;
        let told = anthropic_error(&refused, 415, "invalid_request_error");
        assert!(told.contains("gzip"), "{told}");
        assert_eq!(refused.header("x-should-retry"), "false");
    }
    assert_eq!(provider.requests().len(), 2);
    assert_eq!(relay.app.bodies.used(), 0);
}

#[tokio::test]
async fn what_is_wrong_with_a_body_is_named_and_its_content_never_repeated() {
    let provider = FakeProvider::start().await;
    let relay = small_relay(&provider).await;
    let deep = |levels: usize| {
        format!(r#"{{"model":"m","SECRET":{}{}}}"#, "[".repeat(levels), "]".repeat(levels))
    };
    let long = format!(r#"{{"model":"SECRET{}"}}"#, "x".repeat(251));
    for (body, named) in [
        ("", "not valid JSON"),
        ("SECRET", "not valid JSON"),
        (r#"{"model":"SECRET""#, "not valid JSON"),
        (r#"{"model":"SECRET"} SECRET"#, "not valid JSON"),
        ("{'model':'SECRET'}", "not valid JSON"),
        ("\u{feff}{\"model\":\"SECRET\"}", "not valid JSON"),
        (r#"{"model":"m","x":NaN,"SECRET":1}"#, "not valid JSON"),
        (r#"{"model":"m",}"#, "not valid JSON"),
        ("{\"model\":\"SECRET\n\"}", "not valid JSON"),
        (r#"["SECRET"]"#, "not a JSON object"),
        ("null", "not a JSON object"),
        (r#"{"SECRET":"SECRET"}"#, "`model` is missing"),
        (r#"{"Model":"SECRET"}"#, "`model` is missing"),
        (r#"{"model":{"SECRET":1}}"#, "`model` is not a string"),
        (r#"{"model":null}"#, "`model` is not a string"),
        (r#"{"model":"SECRET\ud800"}"#, "`model` is not a string"),
        (long.as_str(), "`model` is longer"),
        (r#"{"model":"SECRET","model":"SECRET"}"#, "`model` is given more than once"),
        (r#"{"model":"SECRET","m\u006fdel":"SECRET"}"#, "`model` is given more than once"),
        (r#"{"model":"SECRET","MODEL":"SECRET"}"#, "`model` is given more than once"),
        (r#"{"model":"m","stream":true,"stream":false}"#, "`stream` is given more than once"),
        (r#"{"model":"m","max_tokens":1,"Max_Tokens":9}"#, "`max_tokens` is given more than once"),
        (
            r#"{"model":"m","messages":[],"messages":["SECRET"]}"#,
            "`messages` is given more than once",
        ),
        (r#"{"model":"m","stream":"SECRET"}"#, "`stream` is not true or false"),
        (deep(128).as_str(), "nested"),
        (deep(400_000).as_str(), "nested"),
    ] {
        for path in [MESSAGES, "/v1/messages/count_tokens"] {
            let refused = relay.client.post(path, &[], body.to_owned()).await;
            let told = anthropic_error(&refused, 400, "invalid_request_error");
            assert!(told.contains(named), "{told} for {body:.80}");
            assert!(!String::from_utf8_lossy(&refused.body).contains("SECRET"), "{told}");
            assert_eq!(refused.header("x-should-retry"), "false");
        }
    }
    assert!(provider.requests().is_empty());
    assert!(relay.records().is_empty());
    let refused = relay.app.refusals.latest();
    assert!(refused.iter().all(|it| it.reason == "malformed" && it.key.is_some()));
}

#[tokio::test]
async fn what_is_only_strange_is_the_providers_to_judge() {
    let provider = FakeProvider::start().await;
    let relay = small_relay(&provider).await;
    for body in [
        r#"{"model":"m"}"#,
        r#"{"model":"m","messages":"none"}"#,
        r#"{"model":"","messages":[]}"#,
        r#"{"model":"m","messages":[],"max_tokens":-1.5e300}"#,
        r#"{"model":"m","messages":[7,null],"metadata":"text","tools":{},"system":3}"#,
    ] {
        relay.client.post(MESSAGES, &[], body).await;
        assert_eq!(provider.requests().pop().expect("it went up").body, body);
    }
}
