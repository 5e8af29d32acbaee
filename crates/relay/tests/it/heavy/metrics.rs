//! Metrics of the real binary, read over their own listener.

use std::time::{Duration, Instant};

use relay_testkit::{Answer, Client, RelayProcess};

use super::CRS;
use super::site::{MESSAGES, Served, Stream, body};
use crate::metrics::Page;

const LISTEN: (&str, &str) = ("METRICS_LISTEN", "127.0.0.1:0");
/// What stands before the address in the log.
const SAID: &str = "metrics on ";
/// How long a relay without open calls may take to end, whoever reads.
const ENDS_WITHIN: Duration = Duration::from_secs(8);

/// A client of the listener for metrics, whose address the log says.
async fn reader(relay: &RelayProcess) -> Client {
    relay.until_says(SAID).await;
    let text = relay.stderr_text();
    let url = text.split(SAID).nth(1).and_then(|rest| rest.split("/metrics").next());
    Client::new(url.expect("an address"))
}

async fn read(reader: &Client) -> Page {
    let received = reader.get("/metrics", &[]).await;
    assert_eq!(received.status, 200);
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(received.header("content-type"), kind);
    Page::read(std::str::from_utf8(&received.body).expect("text"))
}

#[tokio::test]
async fn a_page_tells_what_happened() {
    let served = Served::with(&[LISTEN]).await;
    let reader = reader(&served.relay).await;
    let url = served.provider.base_url();
    served.relay.add_account("b", &url, &["--priority", "90"]).await;
    let key = served.relay.add_key("second").await;
    served.until_the_key_is_known(&key).await;

    let well = served.ask("[[say hello]]", Stream::Yes).await;
    served.provider.answers_key("upstream-a", Answer::status(529));
    let moved = served.ask("[[say hello]]", Stream::No).await;
    assert_eq!((well.status, moved.status), (200, 200));
    let stranger = Client::new(served.relay.base_url()).anthropic("nobody");
    let refused = stranger.post(MESSAGES, &[], body("hello", Stream::No)).await;
    assert_eq!(refused.status, 401);
    served.provider.until_idle().await;

    let page = read(&reader).await;
    let is = |series: &str, value: f64| {
        let said = page.value(series);
        assert!((said - value).abs() < 1e-6, "{series} is {said}, not {value}: {page:#?}");
    };
    let calls = r#"{service="claude",outcome="completed",status="2xx",client="other"}"#;
    is(&format!("crs_calls_total{calls}"), 2.0);
    is(r#"crs_attempts_total{account="a",outcome="ok"}"#, 1.0);
    is(r#"crs_attempts_total{account="a",outcome="fault"}"#, 1.0);
    is(r#"crs_attempts_total{account="b",outcome="ok"}"#, 1.0);
    is(r#"crs_faults_total{account="a",fault="overloaded"}"#, 1.0);
    is(r#"crs_rests_total{account="a",cause="overloaded"}"#, 1.0);
    is(r#"crs_call_duration_seconds_count{service="claude",mode="stream"}"#, 1.0);
    is(r#"crs_first_byte_seconds_count{service="claude",mode="unary"}"#, 1.0);
    assert!(page.sum("crs_refusals_total", r#"reason="unknown_key""#) >= 1.0);
    is("crs_calls_in_flight", 0.0);
    is("crs_journal_full", 0.0);
    assert!(page.value("process_resident_memory_bytes") > 1e6);
    assert!(page.value("process_cpu_seconds_total") > 0.0);
    assert!(page.value("process_open_fds") > 5.0);

    let usage = [well.usage(), served.provider.served().last().expect("a call").usage];
    let sum = |count: fn(&relay_core::usage::TokenUsage) -> u64| {
        f64::from(u32::try_from(usage.iter().map(count).sum::<u64>()).expect("few"))
    };
    let tokens =
        |kind| format!(r#"crs_tokens_total{{service="claude",family="sonnet",kind="{kind}"}}"#);
    is(&tokens("input"), sum(|it| it.input));
    is(&tokens("output"), sum(|it| it.output));
    is(&tokens("cache_read"), sum(|it| it.cache_read));
    for text in [served.key.as_str(), "upstream-a", "hello", "nobody"] {
        assert!(!page.series().any(|series| series.contains(text)), "{text} is told");
    }
}

#[tokio::test]
async fn only_the_page_is_there_and_only_on_its_own_listener() {
    let served = Served::with(&[LISTEN]).await;
    let reader = reader(&served.relay).await;
    for (method, path) in [("GET", "/"), ("GET", "/metrics/x"), ("POST", "/metrics")] {
        assert_eq!(reader.request(method, path, &[], "").await.status, 404, "{method} {path}");
    }
    assert_eq!(reader.head("/metrics", &[]).await.status, 200);
    assert_eq!(reader.post(MESSAGES, &[], body("hello", Stream::No)).await.status, 404);
    assert_eq!(served.client().get("/metrics", &[]).await.status, 401);
}

#[tokio::test]
async fn an_address_that_is_taken_stops_the_start_in_words() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let start = RelayProcess::builder(CRS).env("METRICS_LISTEN", &address).try_start().await;
    let output = start.expect_err("it starts").0;
    assert_eq!(output.status.code(), Some(1));
    let said = format!("cannot listen on {address} (METRICS_LISTEN)");
    assert!(output.stderr.contains(&said), "{}", output.stderr);
}

#[tokio::test]
async fn a_relay_ends_although_readers_hang_on() {
    let mut served = Served::with(&[LISTEN]).await;
    let reader = reader(&served.relay).await;
    let mut halves = Vec::new();
    for _ in 0..20 {
        let mut socket = reader.connect().await.expect("a connection");
        socket.send(b"GET /metrics HTTP/1.1\r\nhost: ").await.expect("sent");
        halves.push(socket);
    }
    let begun = Instant::now();
    served.stop().await;
    assert!(begun.elapsed() < ENDS_WITHIN, "ended after {:?}", begun.elapsed());
}

#[tokio::test]
async fn readers_that_say_nothing_make_room_for_others() {
    let served = Served::with(&[LISTEN]).await;
    let reader = reader(&served.relay).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(reader.connect().await.expect("a connection"));
    }
    let page = read(&reader).await;
    assert!(page.value("crs_pins") < 1.0);
}
