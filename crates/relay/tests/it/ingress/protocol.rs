//! HTTP itself: old clients, pipelines, connections used again.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use relay_testkit::{FakeProvider, RawSocket};
use tokio::net::TcpStream;

use super::{MESSAGES, answer, hello, sent};
use crate::kit::TestRelay;

/// A whole request with a body of a stated length.
fn request(relay: &TestRelay, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let length = body.len().to_string();
    let with_length: Vec<_> =
        headers.iter().copied().chain([("content-length", length.as_str())]).collect();
    let head = relay.client.head_of("POST", path, &with_length);
    [head.as_bytes(), b"\r\n", body].concat()
}

/// The next whole answer on a connection, and the connection again.
async fn next(socket: RawSocket) -> (u16, Vec<u8>, RawSocket) {
    let mut incoming = answer(socket).await;
    let mut body = Vec::new();
    while let Some(part) = incoming.chunk().await.expect("a whole answer") {
        body.extend_from_slice(&part);
    }
    (incoming.status, body, incoming.into_socket())
}

fn text_of(body: &[u8]) -> String {
    relay_testkit::answer_text(body)
}

#[tokio::test]
async fn a_client_of_http_1_0_gets_whole_answers_and_streams() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    for streamed in [false, true] {
        let body = hello().stream(streamed).bytes();
        let request = String::from_utf8(request(&relay, MESSAGES, &[], &body)).expect("text");
        let mut socket = sent(&relay, request.replacen("HTTP/1.1", "HTTP/1.0", 1)).await;
        let answer = socket.receive_rest().await.expect("the relay closes");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, rest) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.0 200"), "{head}");
        assert!(!head.to_ascii_lowercase().contains("transfer-encoding"), "{head}");
        assert_eq!(text_of(rest.as_bytes()), "hi");
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_their_order() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    let say = |text: &str, streamed| {
        let body = relay_testkit::messages_body("claude-sonnet-4-6", &format!("[[say {text}]]"));
        request(&relay, MESSAGES, &[], &body.stream(streamed).bytes())
    };
    let all = [
        say("one", true),
        request(&relay, MESSAGES, &[], b"no JSON"),
        say("two", false),
        request(&relay, "/api/v1/nowhere", &[], b"ignored"),
        request(&relay, MESSAGES, &[("x-api-key", "wrong")], &vec![b'x'; 100_000]),
        say("three", true),
    ];
    let mut socket = sent(&relay, all.concat()).await;
    let mut seen = Vec::new();
    for _ in &all {
        let (status, body, again) = next(socket).await;
        seen.push((status, text_of(&body)));
        socket = again;
    }
    let none = String::new;
    assert_eq!(
        seen,
        [
            (200, "one".into()),
            (400, none()),
            (200, "two".into()),
            (404, none()),
            (401, none()),
            (200, "three".into()),
        ]
    );
}

#[tokio::test]
async fn a_connection_is_used_again_after_refusals() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    let large = vec![b'['; 2 << 20];
    let mut socket = relay.client.connect().await.expect("a connection");
    for _ in 0..3 {
        for (path, headers, body, expected) in [
            (MESSAGES, &[("x-api-key", "wrong")][..], &large[..], 401),
            ("/openai/v1/nowhere", &[], &large[..], 404),
            (MESSAGES, &[], &large[..], 400),
            (MESSAGES, &[("content-encoding", "br")], &large[..], 415),
            (MESSAGES, &[], &hello().bytes()[..], 200),
        ] {
            socket.send(&request(&relay, path, headers, body)).await.expect("still open");
            let (status, _, again) = next(socket).await;
            assert_eq!(status, expected, "{path}");
            socket = again;
        }
    }
}

#[tokio::test]
async fn a_client_that_expects_to_be_asked_is_asked() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    let body = hello().bytes();
    let whole = request(&relay, MESSAGES, &[("expect", "100-continue")], &body);
    let (head, body) = whole.split_at(whole.len() - body.len());
    let mut socket = sent(&relay, head).await;
    let asked = socket.receive().await.expect("a word");
    assert!(asked.starts_with(b"HTTP/1.1 100"), "{asked:?}");
    socket.send(body).await.expect("sent");
    let (status, body, _) = next(socket).await;
    assert_eq!((status, text_of(&body).as_str()), (200, "hi"));
}

#[tokio::test]
async fn a_client_that_expects_to_be_asked_is_told_the_refusal_instead() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    let expects = ("expect", "100-continue");
    for (headers, path, status) in [
        (&[expects, ("x-api-key", "wrong")][..], MESSAGES, "401"),
        (&[expects], "/api/v1/nowhere", "404"),
        (&[expects, ("content-encoding", "br")], MESSAGES, "415"),
        (&[expects, ("content-length", "99999999999")], MESSAGES, "413"),
    ] {
        let length = [("content-length", "1000000")];
        let stated = headers.iter().any(|(name, _)| *name == "content-length");
        let all: Vec<_> =
            headers.iter().chain(if stated { &[][..] } else { &length }).copied().collect();
        let head = relay.client.head_of("POST", path, &all);
        let mut socket = sent(&relay, format!("{head}\r\n")).await;
        let told = socket.receive_rest().await.expect("an answer, and the end");
        let told = String::from_utf8_lossy(&told).into_owned();
        assert!(told.starts_with(&format!("HTTP/1.1 {status}")), "{told}");
    }
}

#[tokio::test]
async fn an_absolute_target_is_as_good_as_a_path() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    let whole = String::from_utf8(request(&relay, MESSAGES, &[], &hello().bytes())).expect("text");
    let absolute = whole.replacen(MESSAGES, &format!("{}{MESSAGES}", relay.base_url), 1);
    let (status, body, _) = next(sent(&relay, absolute).await).await;
    assert_eq!((status, text_of(&body).as_str()), (200, "hi"));
}

#[tokio::test]
async fn what_is_no_http_harms_nobody() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    let huge = format!("POST {MESSAGES} HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(2 << 20));
    for bytes in [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        b"GET / HTTP/9.9\r\n\r\n".to_vec(),
        b"\r\n\r\n\0\0\0\0\r\n\r\n".to_vec(),
        format!("POST {MESSAGES} HTTP/1.1\r\ncontent-length: -1\r\n\r\n").into_bytes(),
        format!("POST {MESSAGES} HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx")
            .into_bytes(),
        huge.into_bytes(),
    ] {
        let mut socket = relay.client.connect().await.expect("a connection");
        // The relay may close before all of it is sent.
        let _ = socket.send(&bytes).await;
        if let Ok(said) = socket.receive().await {
            assert!(said.is_empty() || said.starts_with(b"HTTP/1.1 4"), "{said:?}");
        }
    }
    assert_eq!(relay.client.post(MESSAGES, &[], hello()).await.status, 200);
    assert_eq!(provider.requests().len(), 1);
}

/// A whole answer over HTTP/2, without TLS, on a connection of its own.
async fn over_http2(relay: &TestRelay, key: &str, body: Bytes) -> (Response<()>, Bytes) {
    let address = relay.base_url.trim_start_matches("http://");
    let stream = TcpStream::connect(address).await.expect("a connection");
    let (mut sender, connection) = hyper::client::conn::http2::handshake::<_, _, Full<Bytes>>(
        TokioExecutor::new(),
        TokioIo::new(stream),
    )
    .await
    .expect("HTTP/2");
    tokio::spawn(connection);
    let request = Request::post(format!("{}{MESSAGES}?beta=true", relay.base_url))
        .header("authorization", format!("Bearer {key}"))
        .header("cookie", "a=b")
        .body(Full::new(body))
        .expect("a request");
    let answer: Response<Incoming> = sender.send_request(request).await.expect("an answer");
    let (head, body) = answer.into_parts();
    (Response::from_parts(head, ()), body.collect().await.expect("a whole answer").to_bytes())
}

#[tokio::test]
async fn http_2_is_as_good_as_http_1() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    let (_, key) = relay.add_secret("k").await;
    for streamed in [false, true] {
        let body = hello().stream(streamed).bytes();
        let (head, answer) = over_http2(&relay, &key, body.clone()).await;
        assert_eq!((head.status().as_u16(), text_of(&answer).as_str()), (200, "hi"));
        assert!(head.headers().contains_key("x-crs-request-id"));
        provider.until_idle().await;
        assert_eq!(answer, provider.served().pop().expect("served").body);
        let seen = provider.requests().pop().expect("seen");
        assert_eq!((&seen.body, seen.path_and_query.as_str()), (&body, "/v1/messages?beta=true"));
        assert!(seen.header("cookie").is_empty());
    }
    let large = Bytes::from(vec![b'x'; 4 << 20]);
    let (head, _) = over_http2(&relay, "wrong", large.clone()).await;
    assert_eq!(head.status().as_u16(), 401);
    let (head, _) = over_http2(&relay, &key, large).await;
    assert_eq!(head.status().as_u16(), 400);
}
