//! One account always fails, or now and then, and one is good: no client of sixteen notices, and
//! the failing one is soon left alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use relay_core::clock::{Clock, SystemClock, Timestamp};
use relay_testkit::{Answer, Client, Ending, FakeProvider, Fault, Moment, Received, messages_body};
use tokio::task::JoinSet;

use crate::kit::{TestRelay, account};

/// Clients that call at the same time.
const CLIENTS: usize = 16;
/// How often the failing account may be asked after the first second.
pub(crate) const LATE_MAX: usize = 10;
/// How much faster than the machine's the relay's clock runs here.
const SPEED: u32 = 8;

/// What calls ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mix {
    /// Streams and whole answers by turns.
    Both,
    /// Streams alone: the fault is one of streams, or whole answers have a longer deadline.
    Streams,
}

/// The faults that an account may always have, by name.
pub(crate) const FAULTS: [&str; 11] = [
    "limit",
    "limit for a minute",
    "500",
    "529",
    "401",
    "403",
    "hang",
    "reset",
    "cut",
    "error event",
    "cut after its start",
];

/// What an account with that fault answers.
pub(crate) fn always(fault: &str) -> (Answer, Mix) {
    let refusal = |status| Answer::anthropic_error(status, "some_error", "the words of a");
    let broken = |how, at| Answer::well().breaks(how, at);
    match fault {
        "limit" => (refusal(429), Mix::Both),
        "limit for a minute" => (refusal(429).header("retry-after", "60"), Mix::Both),
        "hang" => (broken(Fault::Hang, Moment::Head), Mix::Streams),
        "reset" => (broken(Fault::Reset, Moment::Head), Mix::Both),
        "cut" => (broken(Fault::Cut, Moment::Head), Mix::Both),
        "cut after its start" => (broken(Fault::Cut, Moment::Events(1)), Mix::Streams),
        "error event" => {
            let event = ("overloaded_error", "Overloaded");
            (Answer::well().error_event(Moment::Events(1), event.0, event.1), Mix::Streams)
        }
        status => (refusal(status.parse().expect("a status")), Mix::Both),
    }
}

/// Makes `calls` calls, sixteen at a time, and tells what was wrong with their answers.
pub(crate) async fn complaints(client: &Client, calls: usize, mix: Mix) -> Vec<String> {
    let begun = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (client, begun) = (client.clone(), Arc::clone(&begun));
        clients.spawn(async move {
            let mut wrong = Vec::new();
            loop {
                let number = begun.fetch_add(1, Ordering::Relaxed);
                if number >= calls {
                    return wrong;
                }
                let streamed = mix == Mix::Streams || number % 2 == 0;
                let text = format!("[[say 第 {number} 号]]");
                let body = messages_body(super::MODEL, &text).stream(streamed);
                let answer = client.post("/api/v1/messages", &[], body).await;
                wrong.extend(complaint(&answer, number, streamed));
            }
        });
    }
    clients.join_all().await.concat()
}

fn complaint(answer: &Received, number: usize, streamed: bool) -> Option<String> {
    let events = answer.events();
    let ends_well = !streamed
        || (events.last().is_some_and(|event| event.event == "message_stop")
            && events.iter().filter(|event| event.event == "message_start").count() == 1);
    let good = answer.status == 200
        && answer.ending == Ending::Whole
        && answer.text() == format!("第 {number} 号")
        && ends_well;
    (!good).then(|| format!("{number}: {} {:?}", answer.status, answer.body))
}

/// How often the account `a` was asked at all, and after the first second; `speed` times a second
/// of the machine's is one.
pub(crate) fn asked_of_a(provider: &FakeProvider, begun: Timestamp, speed: u32) -> (usize, usize) {
    let of_a: Vec<_> = provider
        .requests()
        .into_iter()
        .filter(|it| it.is_message() && it.api_key == "upstream-a")
        .collect();
    let late = |at: Timestamp| at.since(begun) * speed > Duration::from_secs(1);
    (of_a.len(), of_a.iter().filter(|it| late(it.at)).count())
}

/// `a` fails with `fault` always, `b` is good, at one host or at two: nobody notices.
async fn nobody_notices(fault: &str) {
    const CALLS: usize = 240;
    for hosts in [1, 2] {
        let (at_a, good) = (FakeProvider::start().await, FakeProvider::start().await);
        let at_b = if hosts == 1 { &at_a } else { &good };
        // A busy machine must not make the good account late.
        let settings = [("FIRST_BYTE_TIMEOUT", if fault == "hang" { "1" } else { "60" })];
        let accounts = [account("a", &at_a), account("b", at_b)];
        let relay = TestRelay::start(accounts, &settings).await;
        at_b.answers_key("upstream-b", Answer::well().delay(Duration::from_millis(40)));
        let (answer, mix) = always(fault);
        at_a.answers_key("upstream-a", answer);

        // The first second is as long as it takes until every client has met `a`.
        let first_second = async {
            at_b.until_requests(CLIENTS * (3 - hosts)).await;
            (SystemClock.now(), relay.clock_runs(SPEED))
        };
        let running = complaints(&relay.client, CALLS, mix);
        let (wrong, (begun, clock)) = tokio::join!(running, first_second);
        drop(clock);
        assert_eq!(wrong, Vec::<String>::new(), "{fault}, {hosts} hosts");
        let (asked, late) = asked_of_a(&at_a, begun, SPEED);
        assert!(asked > 0 && late <= LATE_MAX, "{fault}, {hosts} hosts: {asked}, {late} late");
        relay.until_all_is_given_back().await;
        assert!(relay.app.roster.snapshot().iter().all(|member| member.account.enabled));
    }
}

#[tokio::test]
async fn nobody_notices_an_account_at_its_limit() {
    nobody_notices("limit").await;
    nobody_notices("limit for a minute").await;
}

#[tokio::test]
async fn nobody_notices_an_account_that_errs() {
    nobody_notices("500").await;
    nobody_notices("529").await;
}

#[tokio::test]
async fn nobody_notices_an_account_that_is_not_accepted() {
    nobody_notices("401").await;
    nobody_notices("403").await;
}

#[tokio::test]
async fn nobody_notices_an_account_that_hangs() {
    nobody_notices("hang").await;
}

#[tokio::test]
async fn nobody_notices_an_account_whose_connections_break() {
    nobody_notices("reset").await;
    nobody_notices("cut").await;
    nobody_notices("cut after its start").await;
}

#[tokio::test]
async fn nobody_notices_errors_within_a_200() {
    nobody_notices("error event").await;
}

#[test]
fn every_fault_is_proved_somewhere() {
    for fault in FAULTS {
        let (answer, _) = always(fault);
        assert_ne!(format!("{answer:?}"), format!("{:?}", Answer::well()), "{fault}");
    }
}

/// A number that looks random, the same in every run.
fn scrambled(number: usize) -> usize {
    let mixed = (number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    usize::try_from(mixed >> 40).expect("24 bits")
}

/// A provider whose account `upstream-a` fails three calls in ten.
pub(crate) fn is_flaky(provider: &FakeProvider) {
    let asked = AtomicUsize::new(0);
    provider.answers_when(
        move |seen| {
            seen.is_message()
                && seen.api_key == "upstream-a"
                && scrambled(asked.fetch_add(1, Ordering::Relaxed)) % 10 < 3
        },
        Answer::anthropic_error(500, "api_error", "now and then"),
    );
}

#[tokio::test]
async fn nobody_notices_an_account_that_errs_now_and_then() {
    let provider = FakeProvider::start().await;
    let accounts = [account("a", &provider), account("b", &provider)];
    let relay = TestRelay::start(accounts, &[]).await;
    provider.answers_always(Answer::well().delay(Duration::from_millis(10)));
    is_flaky(&provider);
    let running = relay.clock_runs(SPEED);
    let wrong = complaints(&relay.client, 600, Mix::Both).await;
    drop(running);
    assert_eq!(wrong, Vec::<String>::new());
    provider.until_idle().await;
    let of_a = provider.served().into_iter().filter(|it| it.api_key == "upstream-a");
    let (failed, served): (Vec<_>, Vec<_>) = of_a.partition(|it| it.status == 500);
    assert!(failed.len() >= 3, "{} failed", failed.len());
    assert!(served.len() >= failed.len(), "it is used whenever it is well: {}", served.len());
    relay.until_all_is_given_back().await;
}
