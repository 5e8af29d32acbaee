use http::{HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn windows(pairs: &[(&'static str, &'static str)]) -> Vec<(WindowKind, u16, Option<i64>)> {
    let headers = pairs
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect();
    let mut seen: Vec<_> = anthropic(&headers, NOW)
        .into_iter()
        .inspect(|(_, window)| assert_eq!(window.seen_at, NOW))
        .map(|(kind, window)| {
            let resets_at = window.resets_at.map(|at| at.as_millis() / 1_000);
            (kind, window.used_permille, resets_at)
        })
        .collect();
    seen.sort();
    seen
}

fn of(family: &str) -> WindowKind {
    WindowKind::SevenDayModels(ModelFamily::of(&format!("claude-{family}")))
}

#[test]
fn a_real_answer_tells_of_its_windows() {
    let answer = [
        ("anthropic-ratelimit-unified-5h-status", "allowed"),
        ("anthropic-ratelimit-unified-representative-claim", "five_hour"),
        ("anthropic-ratelimit-unified-overage-status", "rejected"),
        ("anthropic-ratelimit-unified-overage-utilization", "0.9"),
        ("anthropic-ratelimit-unified-reset", "1800003600"),
        ("anthropic-ratelimit-unified-status", "rejected"),
        ("anthropic-ratelimit-unified-5h-utilization", "0.18"),
        ("anthropic-ratelimit-unified-7d-reset", "1800600000"),
        ("anthropic-ratelimit-unified-5h-reset", "1800003600"),
        ("anthropic-ratelimit-unified-7d-status", "allowed"),
        ("anthropic-ratelimit-unified-fallback-percentage", "0.5"),
        ("anthropic-ratelimit-unified-7d-utilization", "0.47"),
    ];
    assert_eq!(
        windows(&answer),
        [
            (WindowKind::FiveHour, 180, Some(1_800_003_600)),
            (WindowKind::SevenDay, 470, Some(1_800_600_000)),
        ]
    );
}

#[test]
fn weekly_windows_of_families_are_read_under_each_of_their_names() {
    let answer = [
        ("anthropic-ratelimit-unified-7d_oi-utilization", "0.98"),
        ("anthropic-ratelimit-unified-7d_oi-reset", "1800600000"),
        ("anthropic-ratelimit-unified-7d_sonnet-utilization", "1.02"),
        ("anthropic-ratelimit-unified-7d-haiku-utilization", "0"),
        ("anthropic-ratelimit-unified-7d_oauth_apps-utilization", "0.5"),
        ("anthropic-ratelimit-unified-7d_cowork-utilization", "0.5"),
        ("anthropic-ratelimit-unified-7d_opus-status", "rejected"),
        ("anthropic-ratelimit-unified-7d_opus-reset", "1800500000"),
    ];
    assert_eq!(
        windows(&answer),
        [
            (of("fable"), 980, Some(1_800_600_000)),
            (of("haiku"), 0, None),
            (of("opus"), 1_000, Some(1_800_500_000)),
            (of("sonnet"), 1_020, None),
        ]
    );
    assert_eq!(weekly_family("overage_included"), Some(ModelFamily::of("claude-fable-5-1")));
    assert_eq!(weekly_family("oauth_apps"), None);
    assert_eq!(weekly_family("latest"), None);
    assert_eq!(weekly_family(""), None);
}

#[test]
fn what_is_not_a_share_is_left_out_and_what_is_too_much_is_cut() {
    let used = |text| windows(&[("anthropic-ratelimit-unified-5h-utilization", text)]);
    for garbage in ["", "much", "-0.1", "NaN", "inf", "1e999"] {
        assert_eq!(used(garbage), [], "{garbage}");
    }
    assert_eq!(used("1e9"), [(WindowKind::FiveHour, USED_PERMILLE_MAX, None)]);
    assert_eq!(used(" 0.4205 "), [(WindowKind::FiveHour, 421, None)]);
}

#[test]
fn a_reset_is_taken_as_given_or_not_at_all() {
    let reset = |text| {
        let seen = windows(&[
            ("anthropic-ratelimit-unified-7d-utilization", "0.5"),
            ("anthropic-ratelimit-unified-7d-reset", text),
        ]);
        seen.into_iter().next().and_then(|(_, _, resets_at)| resets_at)
    };
    assert_eq!(reset("1"), Some(1));
    assert_eq!(reset("1800000000.75"), Some(1_800_000_000));
    for garbage in ["", "-1", "soon", "9223372036854775807", "99999999999999999999"] {
        assert_eq!(reset(garbage), None, "{garbage}");
    }
}

#[test]
fn an_answer_without_these_headers_allocates_nothing() {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("text/event-stream"));
    headers.insert("request-id", HeaderValue::from_static("req_1"));
    assert_eq!(anthropic(&headers, NOW).capacity(), 0);
}

proptest! {
    #[test]
    fn no_header_makes_the_reading_fail(
        lines in proptest::collection::vec(
            ("(5h|7d|7d_[a-z_]{0,30}|[a-z0-9_-]{1,9})-(utilization|reset|status)", any::<Vec<u8>>()),
            0..9,
        ),
    ) {
        let mut headers = HeaderMap::new();
        for (name, value) in &lines {
            let name = HeaderName::try_from(format!("{UNIFIED}{name}")).expect("a name");
            if let Ok(value) = HeaderValue::from_bytes(value) {
                headers.append(name, value);
            }
        }
        let seen = anthropic(&headers, NOW);
        prop_assert!(seen.iter().all(|(_, window)| window.used_permille <= USED_PERMILLE_MAX));
    }

    #[test]
    fn any_plain_share_is_read(thousandths in 0_u16..2_000) {
        let mut headers = HeaderMap::new();
        let share = format!("{:.3}", f64::from(thousandths) / 1_000.0);
        headers.insert(
            "anthropic-ratelimit-unified-5h-utilization",
            HeaderValue::from_str(&share).expect("digits"),
        );
        let seen = anthropic(&headers, NOW);
        prop_assert_eq!(seen.first().map(|(_, window)| window.used_permille), Some(thousandths));
    }
}
