//! Promise 1: no usage is lost, whoever leaves, and nothing is counted twice.

use std::collections::HashSet;
use std::time::Duration;

use relay_core::id::CallId;
use relay_core::usage::{CallRecord, Exactness, Outcome, TokenUsage};
use relay_store::journal::Entry;
use relay_store::report::{Dimension, ReportQuery};
use relay_testkit::{
    Answer, FakeProvider, Fault, MessagesBody, Moment, messages_body, stated_usage,
};

use crate::kit::{START, TestRelay, account};

const MESSAGES: &str = "/api/v1/messages";

fn ask(text: &str, streamed: bool) -> MessagesBody {
    messages_body("claude-sonnet-4-6", text).stream(streamed)
}

async fn one(settings: &[(&str, &str)]) -> (FakeProvider, TestRelay) {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::start([account("a", &provider)], settings).await;
    (provider, relay)
}

/// Leaves a stream of this text once a delta past `until` has come; tells what was recorded and
/// what the provider had said by then.
async fn left_midway(text: &str, until: &str) -> (CallRecord, TokenUsage, u64) {
    let (provider, relay) = one(&[]).await;
    provider.answers_once(Answer::well().breaks(Fault::Hang, Moment::Deltas(20)));
    let mut incoming = relay.client.stream(MESSAGES, &[], ask(text, true)).await;
    let read = incoming.until(until).await.expect("the beginning");
    incoming.leave();
    provider.until_cancelled(1).await;
    let record = relay.only_record().await;
    relay.until_all_is_given_back().await;
    assert_eq!((record.outcome, record.exactness), (Outcome::ClientLeft, Exactness::Estimated));
    // By the provider's own measure: one token for a Chinese character, one for four others.
    let said = relay_testkit::answer_text(&provider.served()[0].body);
    let wide = said.chars().filter(|it| u32::from(*it) >= 0x2E80).count() as u64;
    let narrow = said.chars().count() as u64 - wide;
    (record, stated_usage(&read), wide + narrow / 4)
}

fn within_a_factor_of_two(estimate: u64, truth: u64) -> bool {
    (truth.div_ceil(2)..=truth * 2).contains(&estimate)
}

#[tokio::test]
async fn a_client_that_leaves_midway_pays_for_what_was_said() {
    let english = "[[say ".to_owned() + &"The quick brown fox jumps. ".repeat(20) + "]]";
    let (record, stated, truth) = left_midway(&english, "text_delta").await;
    assert_eq!(record.usage.context(), stated.context(), "the input is what the start stated");
    assert!(within_a_factor_of_two(record.usage.output, truth), "{} {truth}", record.usage.output);

    let chinese = "[[say ".to_owned() + &"敏捷的棕色狐狸跳过了懒狗。".repeat(30) + "]]";
    let (record, stated, truth) = left_midway(&chinese, "text_delta").await;
    assert_eq!(record.usage.context(), stated.context());
    assert!(within_a_factor_of_two(record.usage.output, truth), "{} {truth}", record.usage.output);
}

#[tokio::test]
async fn a_client_that_leaves_before_the_first_byte_pays_for_its_input() {
    let (provider, relay) = one(&[]).await;
    provider.answers_once(Answer::well().breaks(Fault::Hang, Moment::Head));
    let body = ask("hello", true).size(40_000);
    let mut socket = relay.client.connect().await.expect("a connection");
    let head = relay.client.head_of("POST", MESSAGES, &[]);
    let request = format!("{head}content-length: {}\r\n\r\n", body.bytes().len());
    socket.send(request.as_bytes()).await.expect("sent");
    socket.send(&body.bytes()).await.expect("sent");
    provider.until_in_flight(1).await;
    socket.leave();
    provider.until_cancelled(1).await;
    let record = relay.only_record().await;
    assert_eq!((record.outcome, record.exactness), (Outcome::ClientLeft, Exactness::Estimated));
    assert!((5_000..20_000).contains(&record.usage.input), "{:?}", record.usage);
    relay.until_all_is_given_back().await;
}

#[tokio::test]
async fn a_unary_answer_is_read_to_its_end_for_a_client_that_left() {
    let (provider, relay) = one(&[]).await;
    provider.answers_once(Answer::well().delay(Duration::from_millis(300)));
    let client = relay.client.clone();
    let call = tokio::spawn(async move { client.post(MESSAGES, &[], ask("hello", false)).await });
    provider.until_in_flight(1).await;
    call.abort();
    let record = relay.only_record().await;
    assert_eq!(provider.served()[0].usage, record.usage);
    assert!(provider.served()[0].delivered_whole);
    assert_eq!(record.exactness, Exactness::Exact);
    relay.until_all_is_given_back().await;
}

#[tokio::test]
async fn nothing_new_is_begun_for_a_unary_client_that_left() {
    let provider = FakeProvider::start().await;
    let accounts = [account("a", &provider), account("b", &provider)];
    let relay = TestRelay::start(accounts, &[]).await;
    let fails = Answer::anthropic_error(500, "api_error", "no");
    provider.answers_once(fails.delay(Duration::from_millis(300)));
    let client = relay.client.clone();
    let call = tokio::spawn(async move { client.post(MESSAGES, &[], ask("hello", false)).await });
    provider.until_in_flight(1).await;
    call.abort();
    let record = relay.only_record().await;
    assert_eq!((record.outcome, record.usage.context()), (Outcome::Failed, 0));
    assert_eq!(provider.requests().len(), 1);
}

#[tokio::test]
async fn a_client_that_leaves_the_queue_is_not_served() {
    for streamed in [false, true] {
        let provider = FakeProvider::start().await;
        let mut busy = account("a", &provider);
        busy.concurrency_max = Some(1);
        let relay = TestRelay::start([busy], &[]).await;
        provider.answers_once(Answer::well().breaks(Fault::Hang, Moment::Deltas(1)));
        let mut first = relay.client.stream(MESSAGES, &[], ask("hello", true)).await;
        first.until("text_delta").await.expect("content");
        let client = relay.client.clone();
        let queued =
            tokio::spawn(async move { client.post(MESSAGES, &[], ask("hello", streamed)).await });
        while relay.app.shutdown.open_calls() < 2 {
            tokio::task::yield_now().await;
        }
        queued.abort();
        assert!(queued.await.is_err(), "it waits for the slot");
        // The connection was closed before this call came, so the relay has seen that by its answer.
        relay.client.get("/health", &[]).await;
        first.leave();
        relay.app.shutdown.until_no_call_is_open().await;
        assert_eq!(provider.requests().len(), 1, "nobody waits for the second");
        assert_eq!(relay.records().len(), 1);
        relay.until_all_is_given_back().await;
    }
}

#[tokio::test]
async fn a_client_that_leaves_after_refused_attempts_pays_nothing() {
    let provider = FakeProvider::start().await;
    let mut busy = account("b", &provider);
    busy.concurrency_max = Some(1);
    let relay = TestRelay::start([account("a", &provider), busy], &[]).await;
    let limited = Answer::anthropic_error(429, "rate_limit_error", "no");
    provider.answers_key("upstream-a", limited.header("retry-after", "600"));
    provider.answers_key("upstream-b", Answer::well().breaks(Fault::Hang, Moment::Deltas(1)));
    let mut holds_b = relay.client.stream(MESSAGES, &[], ask("hold b", true)).await;
    holds_b.until("text_delta").await.expect("content");
    relay.app.roster.find(relay.account_id("a").await).expect("a").reset();

    let client = relay.client.clone();
    let second = tokio::spawn(async move { client.post(MESSAGES, &[], ask("two", true)).await });
    provider.until_requests(3).await;
    while !relay.rests("a").await {
        tokio::task::yield_now().await;
    }
    second.abort();
    while relay.app.shutdown.open_calls() > 1 {
        tokio::task::yield_now().await;
    }
    let record = relay.records().remove(0);
    assert_eq!(record.outcome, Outcome::ClientLeft);
    assert_eq!(record.usage, TokenUsage::default(), "a refusal is not billed");
    holds_b.leave();
    relay.until_all_is_given_back().await;
}

#[tokio::test]
async fn a_client_that_leaves_a_stream_it_did_not_ask_for_pays_for_what_was_said() {
    let (provider, relay) = one(&[]).await;
    let start = r#"{"type":"message_start","message":{"usage":{"input_tokens":9}}}"#;
    let delta = r#"{"type":"content_block_delta","delta":{"text":"eight ch"}}"#;
    let events = [start, delta].map(|data| format!("data: {data}\n\n"));
    provider.answers_once(Answer::raw_stream(events).breaks(Fault::Hang, Moment::Events(2)));
    let mut incoming = relay.client.stream(MESSAGES, &[], ask("hello", false)).await;
    incoming.until("eight ch").await.expect("content");
    incoming.leave();
    let record = relay.only_record().await;
    assert_eq!((record.outcome, record.exactness), (Outcome::ClientLeft, Exactness::Estimated));
    assert_eq!((record.usage.input, record.usage.output), (9, 2));
}

#[tokio::test]
async fn a_unary_answer_without_usage_is_settled_at_its_reservation() {
    let usages = ["", r#","usage":null"#, r#","usage":{}"#, r#","usage":[1]"#, r#","usage":"7""#];
    for usage in usages {
        let (provider, relay) = one(&[]).await;
        let body = format!(r#"{{"type":"message","model":"m","content":[]{usage}}}"#);
        provider.answers_once(Answer::status(200).body(body));
        assert_eq!(relay.client.post(MESSAGES, &[], ask("hello", false)).await.status, 200);
        let record = relay.only_record().await;
        assert_eq!(record.exactness, Exactness::Reserved, "{usage}");
        assert!(record.usage.input > 0 && record.usage.output == 1_024, "{usage}");
        assert!(record.cost.as_nanos() > 0);
    }
}

#[tokio::test]
async fn the_record_stands_before_the_end_of_the_answer_is_sent() {
    for durability in ["process", "fsync"] {
        let (_provider, relay) = one(&[("DURABILITY", durability)]).await;
        let mut incoming = relay.client.stream(MESSAGES, &[], ask("hello", true)).await;
        incoming.until("event: message_stop").await.expect("the end");
        assert_eq!(relay.records().len(), 1, "{durability}");
        incoming.leave();
        let answer = relay.client.post(MESSAGES, &[], ask("hello", false)).await;
        let records = relay.records();
        assert_eq!((answer.status, records.len()), (200, 2), "{durability}");
        assert_eq!(records[1].call.to_string(), answer.header("x-crs-request-id"));
        relay.until_all_is_given_back().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_clients_that_leave_anywhere_leave_nothing_behind() {
    let (provider, mut relay) = one(&[]).await;
    let calls = (0..200_u64).map(|number| {
        let client = relay.client.clone();
        tokio::spawn(async move {
            let streamed = number % 4 != 0;
            let body = ask(&format!("[[call {number}]] [[paced 8 2]]"), streamed);
            let call = client.post(MESSAGES, &[], body);
            // Some leave within the request, some within the answer, some not at all.
            let patience = Duration::from_micros(number.wrapping_mul(7_919) % 300_000);
            drop(tokio::time::timeout(patience, call).await);
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.expect("no panic");
    }
    relay.stop().await;
    relay.until_all_is_given_back().await;
    let records = relay.records();
    let ids: HashSet<CallId> = records.iter().map(|record| record.call).collect();
    assert_eq!(ids.len(), records.len(), "no call is recorded twice");
    assert!(records.len() >= provider.requests().len(), "each that went out is recorded");
    let served = provider.served();
    for whole in served.iter().filter(|served| served.delivered_whole) {
        assert!(records.iter().any(|it| it.usage == whole.usage), "{:?} is lost", whole.usage);
    }
    let left = records.iter().filter(|it| it.outcome == Outcome::ClientLeft).count();
    assert!(left > 5 && records.len() > 20, "{left} of {} left", records.len());
}

#[tokio::test]
async fn the_books_equal_the_journal_and_are_written_once() {
    let (provider, mut relay) = one(&[]).await;
    for (number, streamed) in [true, false, true].into_iter().enumerate() {
        let body = ask(&format!("[[call {number}]]"), streamed);
        relay.client.post(MESSAGES, &[], body).await;
    }
    provider.answers_once(Answer::well().breaks(Fault::Cut, Moment::Deltas(2)));
    relay.client.post(MESSAGES, &[], ask("cut", true)).await;
    relay.app.shutdown.until_no_call_is_open().await;
    let records = relay.records();
    assert_eq!(records.len(), 4);

    let mut books = relay.books.take().expect("the books");
    for _ in 0..2 {
        books.write_all().await;
        for record in &records {
            let row = relay.app.store.call(record.call).await.expect("a query");
            assert_eq!(row.as_ref(), Some(record));
        }
        let query = ReportQuery {
            since: START,
            until: None,
            dims: vec![Dimension::Key],
            zone: jiff::tz::TimeZone::UTC,
        };
        let report = relay.app.store.usage_report(&query).await.expect("a report");
        let totals = &report[0].totals;
        let sum = |count: fn(&CallRecord) -> u64| records.iter().map(count).sum::<u64>();
        assert_eq!((report.len(), totals.calls, totals.estimated_calls), (1, 4, 1));
        assert_eq!(totals.usage.input, sum(|it| it.usage.input));
        assert_eq!(totals.usage.output, sum(|it| it.usage.output));
        let cost: i64 = records.iter().map(|it| it.cost.as_nanos()).sum();
        assert_eq!(totals.cost.as_nanos(), cost);
        let whole_journal = relay.app.journal.tail(relay_store::journal::Position::START);
        books = relay::bookkeeping::Bookkeeper::new(
            relay.app.journal.clone(),
            relay.app.store.clone(),
            whole_journal.position(),
            relay.app.bookkeeping.clone(),
        );
    }
}

#[tokio::test]
async fn what_a_crash_leaves_open_is_settled_once_by_the_next_start() {
    let (provider, relay) = one(&[]).await;
    let opened = |relay: &TestRelay| {
        let tail = &mut relay.app.journal.tail(relay_store::journal::Position::START);
        let entries = tail.next_batch(100).expect("a readable journal").into_iter();
        let open = entries.filter_map(|(entry, _)| match entry {
            Entry::Opened(open) => Some(open),
            Entry::Settled(_) => None,
        });
        open.collect::<Vec<_>>()
    };
    relay.client.post(MESSAGES, &[], ask("hello", false)).await;
    let mut crashed = opened(&relay).remove(0);
    crashed.call = CallId::new(START, [7; 10]);
    relay.app.journal.append(&Entry::Opened(crashed.clone())).expect("appended");

    let relay = relay.restart(&[]).await;
    let relay = relay.restart(&[]).await;
    let records = relay.records();
    let settled: Vec<_> = records.iter().filter(|it| it.call == crashed.call).collect();
    assert_eq!((records.len(), settled.len()), (2, 1));
    assert_eq!(settled[0].outcome, Outcome::Crashed);
    assert_eq!((settled[0].usage, settled[0].exactness), (crashed.reserved, Exactness::Reserved));
    assert_eq!((settled[0].cost, provider.requests().len()), (crashed.reserved_cost, 1));
}
