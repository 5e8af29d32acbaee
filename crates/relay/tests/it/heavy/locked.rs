//! Promise 1: a database that is locked for a minute holds up no call and loses no record.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use relay_testkit::{Answer, Client, SeenRequest};

use super::books::{Books, price_nanos};
use super::site::{MESSAGES, SONNET, Served, Stream, body, until};

/// How long the database is locked.
const LOCKED: Duration = Duration::from_mins(1);
/// Calls that are made at the same time.
const CLIENTS: usize = 3;
/// The pause of a client between two calls: the load is light.
const BETWEEN: Duration = Duration::from_millis(200);
/// A call that takes longer was held up; the slowest that is asked for paces for 200 ms.
const CALL_MAX: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_locked_for_a_minute_holds_up_no_call_and_loses_no_record() {
    let mut served = Served::with(&[]).await;
    let data_dir = served.relay.data_dir().to_owned();
    let mut books = Books::open(&data_dir).await;
    let mut lock = Books::open(&data_dir).await;
    served.relay.add_account("b", &served.provider.base_url(), &["--priority", "1"]).await;
    let free = Duration::from_secs(3);
    let (before, slowest_before) = traffic(&served, free).await;
    until("the database keeps up", Duration::from_secs(10), async || {
        i64::try_from(before) == Ok(books.calls().await)
    })
    .await;

    lock.run("begin exclusive").await;
    // An account's rest is an event, which waits for the database too.
    let of_b = |seen: &SeenRequest| seen.is_message() && seen.api_key == "upstream-b";
    served.provider.answers_once_when(of_b, Answer::status(529));
    let (calls, degraded, strangers) = tokio::join!(
        traffic(&served, LOCKED),
        until_degraded(&served),
        strangers_knock(&served, LOCKED)
    );
    let (during, slowest) = calls;
    println!(
        "{during} calls in {LOCKED:?}; the slowest took {slowest:?}, before {slowest_before:?}"
    );
    println!("degraded after {degraded:?}; {strangers} refused calls");
    assert!(during > 300, "only {during} calls in {LOCKED:?}");
    assert_eq!(i64::try_from(before), Ok(books.calls().await), "the lock did not hold");
    let listed = served.relay.crs(&["key", "list", "--json"], "").await;
    assert!(listed.status.success(), "reading waits for no lock: {listed:?}");
    lock.run("rollback").await;

    let all = i64::try_from(before + during).expect("few");
    books.until_calls(all, Duration::from_secs(15)).await;
    let rests = "select count(*) from outbox where name = 'account_rested'";
    until("the event is stored", Duration::from_secs(20), async || books.number(rests).await == 1)
        .await;
    until("the relay is well again", Duration::from_secs(10), async || {
        served.health().await == (200, "ok".to_owned())
    })
    .await;
    served.stop().await;
    assert_eq!(books.calls().await, all);
    // Some were refused at the beginning too, until the new key was known.
    let refused = books.number("select sum(calls) from refusals").await;
    assert!((strangers..strangers + 100).contains(&refused), "{refused} of {strangers} refusals");
    let well = served.provider.served().into_iter().filter(|it| it.status == 200);
    let said: u64 = well.map(|it| price(&it.usage)).sum();
    let money = books.number("select sum(cost_nanos) from usage").await;
    assert_eq!(u64::try_from(money), Ok(said), "the money");
    books.assert_sums().await;
    books.assert_nothing_is_left_in_the_journal(&data_dir).await;
}

#[tokio::test]
async fn a_relay_stops_and_starts_while_its_database_is_locked() {
    const CALLS: i64 = 5;
    let mut served = Served::with(&[]).await;
    let mut books = Books::open(served.relay.data_dir()).await;
    let mut lock = Books::open(served.relay.data_dir()).await;
    lock.run("begin exclusive").await;
    for _ in 0..CALLS {
        assert_eq!(served.ask("[[say kept]]", Stream::No).await.status, 200);
    }
    let begun = Instant::now();
    served.stop().await;
    println!("stopped after {:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(20), "stopped after {:?}", begun.elapsed());

    served.relay.restart().await;
    assert_eq!(served.ask("[[say served]]", Stream::No).await.text(), "served");
    assert_eq!(books.calls().await, 0, "the lock did not hold");
    lock.run("rollback").await;
    books.until_calls(CALLS + 1, Duration::from_secs(15)).await;
    served.stop().await;
    books.assert_sums().await;
    books.assert_nothing_is_left_in_the_journal(served.relay.data_dir()).await;
}

fn price(usage: &relay_core::usage::TokenUsage) -> u64 {
    u64::try_from(price_nanos(SONNET, usage)).expect("a price")
}

/// Calls of both kinds for a while: how many, and how long the slowest took.
async fn traffic(served: &Served, span: Duration) -> (usize, Duration) {
    let over = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> =
        (0..CLIENTS).map(|_| tokio::spawn(calls(served.client(), Arc::clone(&over)))).collect();
    tokio::time::sleep(span).await;
    over.store(true, Ordering::Relaxed);
    let (mut count, mut slowest) = (0, Duration::ZERO);
    for client in clients {
        let (its_count, its_slowest) = client.await.expect("no client panics");
        count += its_count;
        slowest = slowest.max(its_slowest);
    }
    (count, slowest)
}

async fn calls(client: Client, over: Arc<AtomicBool>) -> (usize, Duration) {
    let (mut count, mut slowest) = (0, Duration::ZERO);
    while !over.load(Ordering::Relaxed) {
        let (text, stream) = match count % 3 {
            0 => ("[[say short]]", Stream::No),
            1 => ("[[long 200]]", Stream::Yes),
            _ => ("[[paced 20 10]]", Stream::Yes),
        };
        let begun = Instant::now();
        let answer = client.post(MESSAGES, &[], body(text, stream)).await;
        slowest = slowest.max(begun.elapsed());
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        assert!(begun.elapsed() < CALL_MAX, "a call took {:?}", begun.elapsed());
        count += 1;
        tokio::time::sleep(BETWEEN).await;
    }
    (count, slowest)
}

/// How long it takes until `/health` says that the database lags.
async fn until_degraded(served: &Served) -> Duration {
    let begun = Instant::now();
    until("the relay is degraded", LOCKED, async || {
        let (status, word) = served.health().await;
        assert_eq!(status, 200, "calls are still taken");
        word == "degraded"
    })
    .await;
    begun.elapsed()
}

/// Calls with unknown keys for a while: how many were refused.
async fn strangers_knock(served: &Served, span: Duration) -> i64 {
    let client = Client::new(served.relay.base_url()).anthropic("cr_nobody_knows_this_key");
    let begun = Instant::now();
    let mut refused = 0;
    while begun.elapsed() < span {
        let answer = client.post(MESSAGES, &[], body("hello", Stream::No)).await;
        assert_eq!(answer.status, 401);
        refused += 1;
        tokio::time::sleep(BETWEEN).await;
    }
    refused
}
