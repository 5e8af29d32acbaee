//! How the bytes of an answer come.

use std::io::Read;
use std::time::Duration;

use relay_testkit::{
    Answer, Chunking, Client, Ending, FakeProvider, FastProvider, Framing, LineEnd, Received,
    messages_body,
};

use crate::{call, client, streamed};

async fn answered(answer: Answer) -> (Received, relay_testkit::Served) {
    let provider = FakeProvider::start().await;
    provider.answers_once(answer);
    let received = call(&provider, streamed("[[say split me, 把我切开]]")).await;
    (received, provider.served().remove(0))
}

#[tokio::test]
async fn any_chunking_delivers_the_same_bytes() {
    let (whole, _) = answered(Answer::well().chunking(Chunking::Whole)).await;
    for chunking in [Chunking::PerEvent, Chunking::EveryByte, Chunking::Sizes(vec![1, 7, 0, 300])] {
        for framing in [Framing::Chunked, Framing::ContentLength, Framing::UntilClose] {
            let answer = Answer::well().chunking(chunking.clone()).framing(framing);
            let (received, served) = answered(answer).await;
            assert_eq!(received.body, whole.body, "{chunking:?} {framing:?}");
            assert!(served.delivered_whole && received.ending == Ending::Whole);
        }
    }
}

#[tokio::test]
async fn each_write_is_a_chunk_of_its_own() {
    let provider = FakeProvider::start().await;
    let sizes = Chunking::Sizes(vec![5, 1]);
    provider.answers_once(Answer::well().chunking(sizes).paced(Duration::from_millis(1)));
    let mut incoming = client(&provider).stream("/v1/messages", &[], streamed("[[say x]]")).await;
    let first = incoming.chunk().await.unwrap().unwrap();
    let second = incoming.chunk().await.unwrap().unwrap();
    assert_eq!((&first[..], &second[..]), (&b"event"[..], &b":"[..]));
}

#[tokio::test]
async fn other_line_ends_strangers_and_a_mark_change_nothing_of_the_answer() {
    let (plain, _) = answered(Answer::well()).await;
    for line_end in [LineEnd::Lf, LineEnd::CrLf, LineEnd::Cr] {
        let odd = Answer::well().line_end(line_end).bom().strangers();
        let (received, served) = answered(odd).await;
        assert_eq!((received.text(), received.usage()), (plain.text(), plain.usage()));
        assert_eq!(received.events().len(), 2 * plain.events().len() - 1);
        assert_eq!(served.events_sent, received.events().len());
        assert!(served.delivered_whole);
    }
}

#[tokio::test]
async fn gzip_is_readable_event_by_event() {
    let (plain, _) = answered(Answer::well()).await;
    let provider = FakeProvider::start().await;
    provider.answers_once(Answer::well().gzip());
    let mut incoming =
        client(&provider).stream("/v1/messages", &[], streamed("[[say split me, 把我切开]]")).await;
    assert_eq!(incoming.headers["content-encoding"], "gzip");
    let mut compressed = incoming.chunk().await.unwrap().unwrap().to_vec();
    let mut early = vec![0; 64];
    flate2::read::GzDecoder::new(&compressed[..]).read_exact(&mut early).unwrap();
    assert!(early.starts_with(b"event: message_start"));
    compressed.extend(incoming.collect().await.body);
    let mut whole = Vec::new();
    flate2::read::GzDecoder::new(&compressed[..]).read_to_end(&mut whole).unwrap();
    assert_eq!(whole, plain.body);
}

#[tokio::test]
async fn raw_bytes_come_as_they_are_and_huge_events_whole() {
    let chunks: [&[u8]; 3] = [b"da", b"ta: \xE4\xBD", b"\xA0\n\nevent: message_stop\n\n"];
    let (raw, served) = answered(Answer::raw_stream(chunks)).await;
    assert_eq!(raw.body, chunks.concat());
    assert!(served.delivered_whole);
    let (huge, _) = answered(Answer::well().huge_event(3_000_000)).await;
    assert!(huge.events().iter().any(|event| event.data.len() > 3_000_000));
    let (socket, _) = answered(Answer::raw_socket("HTTP/1.0 299 Odd\r\n\r\nbare")).await;
    assert_eq!((socket.status, &socket.body[..]), (299, &b"bare"[..]));
}

#[tokio::test]
async fn heads_may_be_slow_and_full_of_strange_headers() {
    let millisecond = Duration::from_millis(1);
    let answer = Answer::well().provider_headers().delay(millisecond).slow_head(millisecond);
    let (received, _) = answered(answer.header("request-id", "req_mine")).await;
    assert!(received.header("set-cookie").contains("_cfuvid"));
    assert_eq!(received.headers.get_all("request-id").iter().count(), 1);
    assert_eq!(received.header("request-id"), "req_mine");
}

#[tokio::test]
async fn odd_uploads_are_understood_on_one_connection() {
    let provider = FakeProvider::start().await;
    let client = client(&provider);
    let body = messages_body("m", "[[say up]]").bytes();
    let mut socket = client.connect().await.unwrap();
    let head = client.head_of("POST", "/v1/messages", &[("transfer-encoding", "chunked")]);
    socket
        .send_slowly(format!("{head}\r\n").as_bytes(), 40, Duration::from_millis(1))
        .await
        .unwrap();
    socket.send_chunk(&body[..9]).await.unwrap();
    socket.send_chunk(&body[9..]).await.unwrap();
    socket.send_chunk(b"").await.unwrap();
    let mut incoming = socket.answer().await.unwrap();
    assert!(!incoming.until("up").await.unwrap().is_empty());

    let mut socket = incoming.into_socket();
    let head = client.head_of("POST", "/v1/messages", &[("expect", "100-continue")]);
    socket.send(format!("{head}content-length: {}\r\n\r\n", body.len()).as_bytes()).await.unwrap();
    assert!(socket.receive().await.unwrap().starts_with(b"HTTP/1.1 100"));
    socket.send(&body).await.unwrap();
    assert_eq!(socket.answer().await.unwrap().collect().await.text(), "up");
    assert_eq!(provider.requests()[0].body, body);
}

#[tokio::test]
async fn the_fast_provider_answers_and_paces() {
    let provider = FastProvider::start_on(0).await.unwrap();
    let client = Client::new(&provider.base_url());
    let unary = client.post("/v1/messages", &[], messages_body("m", "x")).await;
    assert!((900..1_200).contains(&unary.body.len()), "{}", unary.body.len());
    assert!(unary.usage().output > 0);
    let deltas = |received: &Received| {
        let names = received.events();
        names.iter().filter(|event| event.event == "content_block_delta").count()
    };
    let body = messages_body("m", "x").stream(true);
    assert_eq!(deltas(&client.post("/v1/messages", &[], body).await), 20);
    let paced = client.post("/v1/messages", &[], streamed("[[paced 4 2]]")).await;
    assert_eq!(
        (deltas(&paced), paced.events().last().unwrap().event.as_str()),
        (4, "message_stop")
    );
    assert_eq!(client.get("/__served", &[]).await.json()["served"], 3);
}

#[tokio::test]
async fn paced_deltas_of_the_fast_provider_say_when_they_were_sent() {
    let provider = FastProvider::start_on(0).await.unwrap();
    let client = Client::new(&provider.base_url());
    let monotonic = || {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
    };
    let before = monotonic();
    let paced = client.post("/v1/messages", &[], streamed("[[paced 3 2]]")).await;
    let after = monotonic();
    let text = paced.text();
    let moments: Vec<u64> =
        text.split('@').skip(1).map(|moment| moment.trim().parse().unwrap()).collect();
    assert_eq!(moments.len(), 3, "{text}");
    assert!(before < moments[0] && moments.is_sorted() && moments[2] < after, "{text}");
}

#[tokio::test]
async fn the_fast_provider_fails_the_credentials_that_it_was_told_to() {
    let provider = FastProvider::start_on(0).await.unwrap();
    let client = Client::new(&provider.base_url());
    let status_of = async |key: &'static str| {
        let body = messages_body("m", "x");
        client.post("/v1/messages", &[("x-api-key", key)], body).await.status
    };
    for (order, expected) in [("a=529", 529), ("a=well", 200)] {
        assert_eq!(client.post("/__failing", &[], order).await.status, 200);
        assert_eq!((status_of("a").await, status_of("b").await), (expected, 200));
    }
    assert_eq!(client.post("/__failing", &[], "a=reset").await.status, 200);
    let body = messages_body("m", "x").bytes();
    let mut socket = client.connect().await.unwrap();
    let length = body.len().to_string();
    let head =
        client.head_of("POST", "/v1/messages", &[("x-api-key", "a"), ("content-length", &length)]);
    socket.send(format!("{head}\r\n").as_bytes()).await.unwrap();
    socket.send(&body).await.unwrap();
    assert!(socket.answer().await.is_err());
    assert_eq!(client.post("/__failing", &[], "a=sometimes").await.status, 400);
}
