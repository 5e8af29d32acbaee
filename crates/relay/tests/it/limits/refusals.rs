//! Each refusal of a key's limits: its status, its wait, its words, its shape and its counter.

use std::time::Duration;

use axum::body::to_bytes;
use relay::failure::Failure;
use relay_core::clock::Timestamp;
use relay_core::key::{KeyLimits, QueueLimit, WindowLimit};
use relay_core::limit::Refusal;
use relay_core::money::Money;
use relay_core::protocol::Family;
use relay_core::tally::Standing;
use relay_store::keys::{Expiry, KeyChange, Lasting};
use relay_testkit::{Incoming, Received};
use serde_json::Value;

use super::{Limited, NO_QUEUE, WINDOW, budget, hello, requests, windowed};
use crate::kit::START;

/// Every path at which a conversation is taken.
const PATHS: [&str; 5] = [
    "/api/v1/messages",
    "/claude/v1/messages",
    "/openai/claude/v1/messages",
    "/v1/messages",
    "/api/claude/v1/messages",
];
/// How long after the start the calls are refused.
const LATER: Duration = Duration::from_secs(100);

/// How a refusal shows itself.
struct Told {
    status: u16,
    kind: &'static str,
    reason: &'static str,
    /// `retry-after`; `None` is none.
    wait: Option<u64>,
    /// What the message says of the limit.
    says: &'static str,
    /// Whether the client is told not to try again.
    final_word: bool,
}

impl Told {
    /// A limit that is spent and given anew so many seconds after the start.
    const fn spent(reason: &'static str, resets_after: u64, says: &'static str) -> Self {
        let wait = Some(resets_after - LATER.as_secs());
        Self { status: 429, kind: "rate_limit_error", reason, wait, says, final_word: true }
    }

    /// A key that may not call any more.
    const fn over(reason: &'static str, says: &'static str) -> Self {
        let kind = "authentication_error";
        Self { status: 401, kind, reason, wait: None, says, final_word: true }
    }

    /// Calls under way are in the way.
    const fn busy(reason: &'static str, says: &'static str) -> Self {
        let kind = "rate_limit_error";
        Self { status: 429, kind, reason, wait: Some(1), says, final_word: false }
    }

    /// Asks at every path, streamed and not, and looks at everything that is said.
    async fn is_told_everywhere(&self, limited: &Limited) {
        let asked = limited.provider.requests().len();
        let counted = || {
            let totals = limited.relay.app.refusals.totals();
            totals.get(self.reason).copied().unwrap_or(0)
        };
        let before = counted();
        for path in PATHS {
            for streamed in [false, true] {
                let body = hello().stream(streamed);
                let answer = limited.client().post(path, &[], body).await;
                self.is_told_by(&answer, path);
                let latest = limited.relay.app.refusals.latest().pop().expect("a refusal");
                assert_eq!(latest.reason, self.reason);
                let key = limited.holder().key.id;
                assert_eq!((latest.key, latest.at), (Some(key), limited.relay.app.now()));
            }
        }
        assert_eq!(counted() - before, 2 * PATHS.len() as u64);
        assert_eq!(limited.provider.requests().len(), asked, "nobody was asked");
    }

    fn is_told_by(&self, answer: &Received, path: &str) {
        let body = answer.json();
        assert_eq!(answer.status, self.status, "{path}: {body}");
        assert_eq!(body["type"], "error", "{body}");
        assert_eq!(body["error"]["type"], self.kind, "{body}");
        assert_eq!(body["request_id"], answer.header("x-crs-request-id"));
        assert_eq!(answer.header("content-type"), "application/json");
        let wait = self.wait.map_or_else(String::new, |seconds| seconds.to_string());
        assert_eq!(answer.header("retry-after"), wait, "{body}");
        let final_word = if self.final_word { "false" } else { "" };
        assert_eq!(answer.header("x-should-retry"), final_word, "{body}");
        let words = body["error"]["message"].as_str().expect("words");
        assert!(words.contains(self.says), "{words}");
    }
}

impl Limited {
    /// A relay whose key has used up these limits with one call, a while ago.
    async fn used_up(limits: &KeyLimits) -> Self {
        let limited = Self::with(limits).await;
        limited.is_served().await;
        limited.relay.clock.advance(LATER);
        limited
    }
}

#[tokio::test]
async fn a_window_that_is_used_up_says_when_it_ends() {
    let one_token = windowed(WindowLimit { tokens: Some(1), ..WINDOW });
    let one_nano = windowed(WindowLimit { cost: Some(Money::from_nanos(1)), ..WINDOW });
    let anew = "it begins anew at 2027-01-15T13:00:00Z";
    for (limits, reason, says) in [
        (requests(1), "window_requests", "request limit of its window: 1 requests of 1 requests"),
        (one_token, "window_tokens", "token limit of its window: "),
        (one_nano, "window_cost", "cost limit of its window: $"),
    ] {
        let limited = Limited::used_up(&limits).await;
        Told::spent(reason, WINDOW.seconds, says).is_told_everywhere(&limited).await;
        Told::spent(reason, WINDOW.seconds, anew).is_told_everywhere(&limited).await;
    }
}

#[tokio::test]
async fn a_budget_that_is_spent_says_when_it_is_given_anew() {
    // The clock begins at 08:00 of Friday, 15 January 2027.
    const HOUR: u64 = 3_600;
    let days = |days: u64| days * 24 * HOUR + 16 * HOUR;
    for (name, reason, resets_after, says, at) in [
        ("day", "daily_budget", days(0), "the daily budget: $", "2027-01-16T00:00:00Z"),
        ("week", "weekly_budget", days(2), "the weekly budget: $", "2027-01-18T00:00:00Z"),
        ("month", "monthly_budget", days(16), "the monthly budget: $", "2027-02-01T00:00:00Z"),
        (
            "sonnet/week",
            "family_budget",
            days(2),
            "the weekly budget for sonnet: $",
            "2027-01-18T00:00:00Z",
        ),
    ] {
        let limited = Limited::used_up(&budget(name, 1)).await;
        Told::spent(reason, resets_after, says).is_told_everywhere(&limited).await;
        Told::spent(reason, resets_after, at).is_told_everywhere(&limited).await;
    }
    let limited = Limited::used_up(&budget("total", 1)).await;
    let never = "it is never given anew";
    let told = Told { wait: None, ..Told::spent("total_budget", LATER.as_secs(), never) };
    told.is_told_everywhere(&limited).await;
}

#[tokio::test]
async fn a_reset_that_is_near_lets_clients_wait_for_it() {
    let limited = Limited::used_up(&requests(1)).await;
    let until_end = WINDOW.length().saturating_sub(LATER);
    limited.relay.clock.advance(until_end.saturating_sub(Duration::from_millis(59_500)));
    let near = Told { final_word: false, ..Told::busy("window_requests", "request limit") };
    Told { wait: Some(60), ..near }.is_told_everywhere(&limited).await;
    limited.relay.clock.advance(Duration::from_millis(59_499));
    let near = Told { final_word: false, ..Told::busy("window_requests", "request limit") };
    near.is_told_everywhere(&limited).await;
    limited.relay.clock.advance(Duration::from_millis(1));
    limited.is_served().await;
}

#[tokio::test]
async fn calls_under_way_that_are_in_the_way_are_told_apart_from_what_is_spent() {
    let busy = KeyLimits { concurrency: Some(1), queue: Some(NO_QUEUE), ..KeyLimits::default() };
    let limited = Limited::with(&busy).await;
    let open = limited.holds_open().await;
    Told::busy("concurrency", "1 calls of this key are under way")
        .is_told_everywhere(&limited)
        .await;
    drop(open);
    limited.until_nothing_is_held().await;
    limited.is_served().await;

    let reserved = KeyLimits { queue: Some(NO_QUEUE), ..budget("week", 10_000_000) };
    let limited = Limited::with(&reserved).await;
    let open = limited.holds_open().await;
    let says = "the rest of this key's weekly budget is reserved by its calls under way";
    Told::busy("reserved", says).is_told_everywhere(&limited).await;
    drop(open);
    limited.until_nothing_is_held().await;
    limited.is_served().await;
}

#[tokio::test]
async fn a_key_that_is_off_or_over_is_told_at_every_path_and_for_counts_too() {
    let limited = Limited::with(&KeyLimits::default()).await;
    let off = |enabled| KeyChange { enabled: Some(enabled), ..KeyChange::default() };
    limited.change(off(false)).await;
    let told = Told::over("key_disabled", "this key is disabled");
    told.is_told_everywhere(&limited).await;
    let counted = limited.client().post("/api/v1/messages/count_tokens", &[], hello()).await;
    told.is_told_by(&counted, "count_tokens");
    limited.change(off(true)).await;
    limited.is_served().await;

    let expiry = |expiry| KeyChange { expiry: Some(expiry), ..KeyChange::default() };
    limited.change(expiry(Expiry::At(START.plus(LATER)))).await;
    limited.relay.clock.advance(LATER.saturating_sub(Duration::from_millis(1)));
    limited.is_served().await;
    limited.relay.clock.advance(Duration::from_millis(1));
    let told = Told::over("key_expired", "this key has expired");
    told.is_told_everywhere(&limited).await;
    let counted = limited.client().post("/api/v1/messages/count_tokens", &[], hello()).await;
    told.is_told_by(&counted, "count_tokens");
    limited.change(expiry(Expiry::Never)).await;
    limited.is_served().await;

    let lasting = Lasting::For(LATER);
    limited.change(KeyChange { lasts: Some(lasting), ..KeyChange::default() }).await;
    told.is_told_everywhere(&limited).await;
    let always = KeyChange { lasts: Some(Lasting::Always), ..KeyChange::default() };
    limited.change(always).await;
    limited.is_served().await;
}

#[tokio::test]
async fn of_several_limits_the_first_in_the_documented_order_is_named() {
    // All are used up; each is taken away once it was named.
    let mut limits = requests(1);
    let window = limits.window.as_mut().expect("a window");
    (window.tokens, window.cost) = (Some(1), Some(Money::from_nanos(1)));
    for name in ["day", "week", "month", "total", "sonnet/day", "sonnet/total"] {
        limits.budgets.extend(budget(name, 1).budgets);
    }
    let limited = Limited::with(&limits).await;
    limited.is_served().await;
    let none = |change: &str| KeyChange {
        limits: Some(serde_json::from_str(change).expect("a patch")),
        ..KeyChange::default()
    };
    for (reason, without_it) in [
        ("window_requests", r#"{"window":{"requests":null}}"#),
        ("window_tokens", r#"{"window":{"tokens":null}}"#),
        ("window_cost", r#"{"window":{"cost":null}}"#),
        ("daily_budget", r#"{"budgets":{"day":null}}"#),
        ("family_budget", r#"{"budgets":{"sonnet/day":null}}"#),
        ("weekly_budget", r#"{"budgets":{"week":null}}"#),
        ("monthly_budget", r#"{"budgets":{"month":null}}"#),
        ("total_budget", r#"{"budgets":{"total":null}}"#),
        ("family_budget", r#"{"budgets":{"sonnet/total":null}}"#),
    ] {
        limited.is_refused(reason).await;
        limited.change(none(without_it)).await;
    }
    limited.is_served().await;
}

/// What a client of each family reads of a refusal.
async fn rendered(family: Family, refusal: &Refusal, at: Timestamp) -> (u16, Vec<String>, Value) {
    let failure = Failure::Key { refusal: refusal.clone(), at };
    let response = failure.render(family, "id");
    let header = |name: &str| {
        let value = response.headers().get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let headers = ["retry-after", "x-should-retry"].map(header).to_vec();
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), 10_000).await.expect("a body");
    (status, headers, serde_json::from_slice(&body).expect("JSON"))
}

/// The limits of a key that are used up, with their resets.
async fn spent_standings() -> Vec<Standing> {
    let mut limits = requests(1);
    for name in ["day", "week", "month", "total", "sonnet/week"] {
        limits.budgets.extend(budget(name, 1).budgets);
    }
    let window = limits.window.as_mut().expect("a window");
    (window.tokens, window.cost) = (Some(1), Some(Money::from_nanos(1)));
    let limited = Limited::with(&limits).await;
    limited.is_served().await;
    limited.relay.app.shutdown.until_no_call_is_open().await;
    limited.standings()
}

#[tokio::test]
async fn clients_of_other_families_are_told_the_same_in_their_own_shape() {
    let spent = spent_standings().await;
    assert_eq!(spent.len(), 8);
    assert!(spent.iter().all(Standing::is_spent), "{spent:#?}");
    let at = START.plus(LATER);
    let boxed = || spent.iter().cloned().map(Box::new);
    let mut refusals: Vec<Refusal> = boxed().map(Refusal::Spent).collect();
    refusals.extend(boxed().map(Refusal::Reserved));
    refusals.extend([
        Refusal::Queue { waiting: 3 },
        Refusal::Concurrency { max: 2 },
        Refusal::Disabled,
        Refusal::Expired { at },
    ]);
    for refusal in &refusals {
        let (status, headers, native) = rendered(Family::Anthropic, refusal, at).await;
        let expected = match refusal {
            Refusal::Disabled | Refusal::Expired { .. } => 401,
            _ => 429,
        };
        assert_eq!(status, expected, "{refusal}");
        let wait = match refusal {
            Refusal::Spent(standing) => standing.resets_at.map(|it| it.since(at).as_secs()),
            _ => (status == 429).then_some(1),
        };
        assert_eq!(headers[0], wait.map_or_else(String::new, |wait| wait.to_string()), "{refusal}");
        let words = native["error"]["message"].clone();
        for family in [Family::Openai, Family::Gemini] {
            let (its_status, its_headers, body) = rendered(family, refusal, at).await;
            assert_eq!((its_status, its_headers), (status, headers.clone()), "{refusal}");
            assert_eq!(body["error"]["message"], words, "{body}");
            if family == Family::Openai {
                let names: Vec<_> = body["error"].as_object().expect("an object").keys().collect();
                assert_eq!(names[..4], ["message", "type", "param", "code"], "{body}");
                // Codex waits for any other, however long it takes.
                let passes_soon = wait.is_some_and(|wait| wait <= 60) || status == 401;
                let is_limit = ["usage_limit_reached", "insufficient_quota"]
                    .contains(&body["error"]["type"].as_str().unwrap_or_default());
                assert_eq!(is_limit, !passes_soon, "{body}");
            } else {
                assert_eq!(body["error"]["code"], status, "{body}");
                let word = if status == 401 { "UNAUTHENTICATED" } else { "RESOURCE_EXHAUSTED" };
                assert_eq!(body["error"]["status"], word, "{body}");
            }
        }
    }
}

/// A queue in which a call waits a little and in vain.
#[tokio::test]
async fn what_waits_in_vain_is_told_after_the_wait() {
    let queue = Some(QueueLimit { length: 2, wait_millis: 150 });
    let busy = KeyLimits { concurrency: Some(1), queue, ..KeyLimits::default() };
    let reserved = KeyLimits { queue, ..budget("day", 10_000_000) };
    for (limits, reason) in [(busy, "concurrency"), (reserved, "reserved")] {
        let limited = Limited::with(&limits).await;
        let open: Incoming = limited.holds_open().await;
        let began = std::time::Instant::now();
        let answer = limited.is_refused(reason).await;
        assert!(began.elapsed() >= Duration::from_millis(150), "{:?}", began.elapsed());
        assert_eq!(answer.header("retry-after"), "1");
        assert_eq!(limited.provider.requests().len(), 1);
        drop(open);
        limited.until_nothing_is_held().await;
    }
}
