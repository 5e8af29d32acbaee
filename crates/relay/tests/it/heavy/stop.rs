//! Stopping: open calls to their end or to the limit, everything in the database, exit code 0.

use std::time::{Duration, Instant};

use relay_testkit::{Client, Incoming, RefreshOutcome};

use super::books::{Books, price_nanos};
use super::site::{MESSAGES, SONNET, Served, Stream, body, resident_mib, until};

/// How long the answers of calls that are ended, and the last records, may take in addition.
const LAST_STEPS: Duration = Duration::from_secs(12);

/// Opens a stream and reads its first words.
async fn opened(client: &Client, text: &str) -> (Incoming, String) {
    let mut stream = client.stream(MESSAGES, &[], body(text, Stream::Yes)).await;
    stream.until("content_block_delta").await.expect("it begins");
    let id = stream.headers["x-crs-request-id"].to_str().expect("an id").to_owned();
    (stream, id)
}

async fn ended_with(stream: Incoming) -> String {
    let received = stream.collect().await;
    received.events().last().map(|event| event.event.clone()).unwrap_or_default()
}

/// Nothing is left to be done by the next start.
async fn assert_all_is_recorded(served: &Served, calls: i64) -> Books {
    let mut books = Books::open(served.relay.data_dir()).await;
    assert_eq!(books.calls().await, calls);
    books.assert_sums().await;
    books.assert_nothing_is_left_in_the_journal(served.relay.data_dir()).await;
    books
}

#[tokio::test]
async fn a_signal_lets_open_streams_run_to_their_end_and_takes_no_new_calls() {
    let mut served = Served::with(&[]).await;
    let client = served.client();
    let (first, _) = opened(&client, "[[paced 100 20]]").await;
    let (second, _) = opened(&client, "[[paced 150 20]]").await;
    let begun = Instant::now();
    served.relay.terminate();

    until("new calls are not taken", Duration::from_secs(1), async || {
        match client.try_request("GET", "/health", &[], "").await {
            Ok(answer) => answer.status == 503,
            Err(_) => true,
        }
    })
    .await;
    let late = client.try_request("POST", MESSAGES, &[], body("hello", Stream::No)).await;
    assert!(late.is_err() || late.is_ok_and(|answer| answer.status == 503));
    let (first, second) = tokio::join!(ended_with(first), ended_with(second));
    assert_eq!((first.as_str(), second.as_str()), ("message_stop", "message_stop"));
    let status = served.relay.wait().await;
    assert_eq!(status.code(), Some(0), "{}", served.relay.stderr_text());
    assert!(begun.elapsed() < LAST_STEPS, "ended after {:?}", begun.elapsed());

    served.provider.until_idle().await;
    let mut books = assert_all_is_recorded(&served, 2).await;
    let said: Vec<_> = served.provider.served().iter().map(|it| it.usage).collect();
    for record in books.records().await {
        assert_eq!((record.outcome.as_str(), record.exactness.as_str()), ("completed", "exact"));
        assert!(said.contains(&record.usage));
    }
    let position = books.number("select segment from journal_position").await;
    served.relay.restart().await;
    served.stop().await;
    assert_eq!(books.number("select segment from journal_position").await, position, "a replay");
    assert!(!served.relay.data_dir().join("crs.sock").exists(), "the socket goes with the server");
}

#[tokio::test]
async fn streams_longer_than_the_grace_end_with_an_error_event_and_are_settled() {
    let mut served = Served::with(&[("SHUTDOWN_GRACE", "1")]).await;
    let client = served.client();
    let (stream, id) = opened(&client, "[[paced 3000 20]]").await;
    let unary = client.clone();
    let unary =
        tokio::spawn(
            async move { unary.post(MESSAGES, &[], body("[[slow 20000]]", Stream::No)).await },
        );
    served.provider.until_in_flight(2).await;
    let begun = Instant::now();
    served.relay.terminate();
    assert_eq!(ended_with(stream).await, "error");
    let refused = unary.await.expect("no panic");
    assert_eq!(refused.status, 503, "{:?}", refused.body);
    assert!(begun.elapsed() >= Duration::from_secs(1), "the grace was not given");
    assert_eq!(served.relay.wait().await.code(), Some(0));
    assert!(begun.elapsed() < LAST_STEPS, "ended after {:?}", begun.elapsed());

    let mut books = assert_all_is_recorded(&served, 2).await;
    let record = books.record(&id).await;
    assert_eq!((record.outcome.as_str(), record.exactness.as_str()), ("shutdown", "estimated"));
    let said = served.provider.served();
    let streamed = said.iter().find(|it| it.events_sent > 0).expect("the stream");
    assert_eq!(record.usage.input, streamed.usage.input);
    assert!(record.usage.output > 10, "what was said is estimated: {record:?}");
    assert_eq!(record.cost_nanos, price_nanos(SONNET, &record.usage));
    let cut = books.record(refused.header("x-crs-request-id")).await;
    assert_eq!((cut.outcome.as_str(), cut.exactness.as_str()), ("shutdown", "reserved"));
}

#[tokio::test]
async fn a_second_signal_ends_open_calls_at_once() {
    let mut served = Served::with(&[("SHUTDOWN_GRACE", "60")]).await;
    let client = served.client();
    let (stream, id) = opened(&client, "[[paced 3000 20]]").await;
    served.relay.terminate();
    served.relay.until_says("stopping").await;
    let begun = Instant::now();
    served.relay.terminate();
    assert_eq!(ended_with(stream).await, "error");
    assert_eq!(served.relay.wait().await.code(), Some(0));
    assert!(begun.elapsed() < LAST_STEPS, "ended after {:?}", begun.elapsed());
    let mut books = assert_all_is_recorded(&served, 1).await;
    assert_eq!(books.record(&id).await.outcome, "shutdown");
}

#[tokio::test]
async fn a_stop_with_a_short_grace_is_over_soon_whatever_hangs_and_loses_no_record() {
    /// What the image for containers sets; their engine kills 10 s after it asked.
    const GRACE: Duration = Duration::from_secs(5);
    const OVER_WITHIN: Duration = Duration::from_secs(8);
    let mut served = Served::with(&[("SHUTDOWN_GRACE", "5")]).await;
    let gate = served.provider.holds_refreshes();
    let due = served.provider.issues("b", Duration::from_secs(2)).to_json();
    let (address, token_url) = (served.provider.base_url(), served.provider.token_url());
    served.relay.add_oauth_account("b", &address, &token_url, &due, &[]).await;
    gate.until_held(1).await;
    let (stream, id) = opened(&served.client(), "[[paced 3000 20]]").await;
    let mut lock = Books::open(served.relay.data_dir()).await;
    lock.run("begin exclusive").await;

    let begun = Instant::now();
    served.relay.terminate();
    assert_eq!(ended_with(stream).await, "error");
    assert_eq!(gate.held(), 1, "the refresh does not hang");
    assert_eq!(served.relay.wait().await.code(), Some(0));
    let took = begun.elapsed();
    println!("ended after {took:?}");
    assert!(GRACE <= took && took < OVER_WITHIN, "ended after {took:?}");

    gate.release();
    lock.run("rollback").await;
    served.relay.restart().await;
    served.provider.until_outcomes(RefreshOutcome::Granted, 1).await;
    let mut books = Books::open(served.relay.data_dir()).await;
    books.until_calls(1, Duration::from_secs(15)).await;
    let record = books.record(&id).await;
    assert_eq!((record.outcome.as_str(), record.exactness.as_str()), ("shutdown", "estimated"));
    served.stop().await;
    assert_all_is_recorded(&served, 1).await;
}

#[tokio::test]
async fn clients_that_do_nothing_do_not_hold_up_the_end() {
    let mut served = Served::with(&[("SHUTDOWN_GRACE", "2")]).await;
    let client = served.client();
    // One reads nothing of an answer that is larger than all buffers between.
    let deaf = client.stream(MESSAGES, &[], body("[[long 6000000]]", Stream::Yes)).await;
    assert_eq!(deaf.status, 200);
    // One has had its answer and keeps the connection; one never asks; one stops within its head,
    // and one within its body.
    let mut idle = client.connect().await.expect("a connection");
    idle.send(b"GET /health HTTP/1.1\r\nhost: relay\r\n\r\n").await.expect("sent");
    let idle = idle.answer().await.expect("an answer");
    let mute = client.connect().await.expect("a connection");
    let mut half = client.connect().await.expect("a connection");
    half.send(b"POST /api/v1/messages HTTP/1.1\r\nhost: re").await.expect("sent");
    let mut body_half = client.connect().await.expect("a connection");
    let head = client.head_of("POST", MESSAGES, &[("content-length", "100000")]);
    body_half.send(format!("{head}\r\n{{\"model\":").as_bytes()).await.expect("sent");

    let begun = Instant::now();
    served.relay.terminate();
    assert_eq!(served.relay.wait().await.code(), Some(0));
    println!("ended after {:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(2) + LAST_STEPS, "{:?}", begun.elapsed());
    drop((deaf, idle, mute, half, body_half));
    assert_all_is_recorded(&served, 1).await;
}

#[tokio::test]
async fn idle_connections_alone_let_the_relay_end_at_once() {
    let mut served = Served::with(&[("SHUTDOWN_GRACE", "60")]).await;
    served.ask("[[say one]]", Stream::No).await;
    let client = served.client();
    let mut idle = Vec::new();
    for _ in 0..20 {
        let mut socket = client.connect().await.expect("a connection");
        socket.send(b"GET /health HTTP/1.1\r\nhost: relay\r\n\r\n").await.expect("sent");
        idle.push(socket.answer().await.expect("an answer"));
    }
    let begun = Instant::now();
    served.stop().await;
    println!("ended after {:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    drop(idle);
    assert_all_is_recorded(&served, 1).await;
}

#[tokio::test]
async fn two_hundred_open_streams_take_little_memory() {
    const STREAMS: usize = 200;
    let served = Served::with(&[]).await;
    served.ask("[[say warm]]", Stream::Yes).await;
    let client = served.client();
    let idle = resident_mib(served.relay.pid());
    let open = || {
        let client = client.clone();
        tokio::spawn(async move { opened(&client, "[[paced 100 100]]").await.0 })
    };
    let opening: Vec<_> = (0..STREAMS).map(|_| open()).collect();
    let mut streams = Vec::new();
    for stream in opening {
        streams.push(stream.await.expect("it begins"));
    }
    assert_eq!(served.provider.in_flight(), STREAMS);
    let open = resident_mib(served.relay.pid());
    println!("resident: {idle} MiB idle, {open} MiB with {STREAMS} open streams");
    assert!(idle < 120, "{idle} MiB without a call");
    assert!(open < idle + 60, "{} MiB for {STREAMS} streams", open - idle);
    for stream in streams {
        assert_eq!(ended_with(stream).await, "message_stop");
    }
}
