//! The windows of the simulated subscription: they fill as their time goes by.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use relay_core::clock::Timestamp;
use serde_json::{Value, json};

use crate::verbs::moment;

/// How long the account that is always limited says that it is: short, so that its return can be
/// watched.
pub(super) const LIMITED_FOR: Duration = Duration::from_mins(1);

/// A window: its name in headers and in the word on usage, its length, and how much of it is used
/// when it begins and when it ends, in thousandths.
const WINDOWS: [(&str, &str, i64, [i64; 2]); 3] = [
    ("5h", "five_hour", 5 * 3_600, [80, 640]),
    ("7d", "seven_day", 7 * 86_400, [60, 710]),
    ("7d_opus", "seven_day_opus", 7 * 86_400, [20, 420]),
];

/// No window, as an account with an API key has none.
pub(super) fn none() -> HeaderMap {
    HeaderMap::new()
}

/// The headers that tell of the windows.
pub(super) fn used(now: Timestamp) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (label, _, seconds, shares) in WINDOWS {
        let (permille, reset) = state(now, seconds, shares);
        let share = format!("{}.{:03}", permille / 1_000, permille % 1_000);
        add(&mut headers, &format!("{label}-status"), "allowed");
        add(&mut headers, &format!("{label}-utilization"), &share);
        add(&mut headers, &format!("{label}-reset"), &reset.to_string());
    }
    add(&mut headers, "status", "allowed");
    add(&mut headers, "representative-claim", "five_hour");
    headers
}

/// The headers of a refusal: the five hours are used up, and begin anew in a minute.
pub(super) fn used_up(now: Timestamp) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let reset = now.plus(LIMITED_FOR).as_millis() / 1_000;
    for (name, value) in [
        ("status", "rejected"),
        ("representative-claim", "five_hour"),
        ("5h-status", "rejected"),
        ("5h-utilization", "1.0"),
        ("5h-reset", &reset.to_string()),
    ] {
        add(&mut headers, name, value);
    }
    headers.insert(http::header::RETRY_AFTER, HeaderValue::from(LIMITED_FOR.as_secs()));
    headers
}

/// The same windows in the words of the question for them.
pub(super) fn told(now: Timestamp) -> Value {
    let window = |(_, name, seconds, shares): (&str, &str, i64, [i64; 2])| {
        let (permille, reset) = state(now, seconds, shares);
        let resets_at = moment::rfc3339(Timestamp::from_seconds(reset));
        let percent = permille / 10;
        (name.to_owned(), json!({"utilization": percent, "resets_at": resets_at}))
    };
    Value::Object(WINDOWS.into_iter().map(window).collect())
}

/// How much is used now, in thousandths, and when the window begins anew.
const fn state(now: Timestamp, seconds: i64, [least, most]: [i64; 2]) -> (i64, i64) {
    let now = now.as_millis() / 1_000;
    let gone = now % seconds;
    (least + (most - least) * gone / seconds, now - gone + seconds)
}

fn add(headers: &mut HeaderMap, name: &str, value: &str) {
    let name = HeaderName::try_from(format!("anthropic-ratelimit-unified-{name}"));
    if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
        headers.insert(name, value);
    }
}
