//! How much of a subscription's windows is used, as the headers of every answer tell.
//!
//! Source: `anthropic-ratelimit-unified-{window}-{utilization,status,reset}` of answers to
//! subscriptions; the window is `5h`, `7d`, or `7d_` and a word for some of the models. No public
//! document has them: the names are what public clients and relays read in 2026.

use http::HeaderMap;
use relay_core::clock::Timestamp;
use relay_core::model::ModelFamily;
use relay_core::quota::{Window, WindowKind};

/// The most that is noted as used, in thousandths: more would be a provider's slip.
pub const USED_PERMILLE_MAX: u16 = 10_000;

const UNIFIED: &str = "anthropic-ratelimit-unified-";
const UTILIZATION: &str = "-utilization";
const STATUS: &str = "-status";
const RESET: &str = "-reset";

/// The provider's names for families that it does not call by their own. What is "included in
/// overage" is the weekly limit of Fable: Claude Code labels it "Fable limit", and the header comes
/// with answers of that family alone.
const OTHER_NAMES: [(&str, &str); 2] = [("oi", "fable"), ("overage_included", "fable")];

/// Weekly windows of things that are no models: products, and the code names of products. (Names of
/// more than one word, such as `oauth_apps`, are never a family's.)
const NO_FAMILIES: [&str; 4] = ["cowork", "design", "omelette", "routines"];

/// The windows that the headers of an answer tell of. Allocates nothing if there are none.
///
/// How much is used is a fraction (`0.42`), and may be more than one. A window that rejects and
/// does not say how much is used is used up. What cannot be read is left out; a reset that has
/// passed is taken as it is given.
pub fn anthropic(headers: &HeaderMap, now: Timestamp) -> Vec<(WindowKind, Window)> {
    let mut windows = Vec::new();
    for (name, value) in headers {
        let Some(rest) = name.as_str().strip_prefix(UNIFIED) else { continue };
        let used_permille = if let Some(label) = rest.strip_suffix(UTILIZATION) {
            text(value).and_then(fraction).map(|used| (label, used))
        } else if let Some(label) = rest.strip_suffix(STATUS) {
            let used_up = text(value) == Some("rejected")
                && of_window(headers, label, UTILIZATION).and_then(fraction).is_none();
            used_up.then_some((label, 1_000))
        } else {
            None
        };
        let Some((label, used_permille)) = used_permille else { continue };
        let Some(kind) = kind(label) else { continue };
        let resets_at = of_window(headers, label, RESET).and_then(seconds);
        windows.push((kind, Window { used_permille, resets_at, seen_at: now }));
    }
    windows
}

/// The family that a weekly window is for, by the provider's word (`opus`, `oi`); `None` if it is
/// not for a family of models (`oauth_apps`, `cowork`).
///
/// A word that nobody knows yet is taken for a family: if it is none, no model is of it, and it
/// limits nothing.
pub fn weekly_family(word: &str) -> Option<ModelFamily> {
    let known = OTHER_NAMES.iter().find(|(other, _)| other.eq_ignore_ascii_case(word));
    let word = known.map_or(word, |(_, family)| family);
    let is_word = word.len() <= 24 && word.bytes().all(|byte| byte.is_ascii_alphabetic());
    if !is_word || NO_FAMILIES.iter().any(|other| other.eq_ignore_ascii_case(word)) {
        return None;
    }
    let family = ModelFamily::of(&format!("claude-{word}"));
    family.as_str().eq_ignore_ascii_case(word).then_some(family)
}

/// Thousandths of a share that is stated as a number of which `whole` is all of it; `None` for what
/// is not a number or less than nothing.
pub(crate) fn permille(used: f64, whole: f64) -> Option<u16> {
    let permille = (used / whole * 1_000.0).round();
    if !permille.is_finite() || permille < 0.0 {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and bounded by a u16 just before"
    )]
    let permille = permille.min(f64::from(USED_PERMILLE_MAX)) as u16;
    Some(permille)
}

fn kind(label: &str) -> Option<WindowKind> {
    match label {
        "5h" => Some(WindowKind::FiveHour),
        "7d" => Some(WindowKind::SevenDay),
        _ => {
            let word = label.strip_prefix("7d")?.strip_prefix(['_', '-'])?;
            weekly_family(word).map(WindowKind::SevenDayModels)
        }
    }
}

/// The text of `anthropic-ratelimit-unified-{label}{suffix}`, found without building its name.
fn of_window<'a>(headers: &'a HeaderMap, label: &str, suffix: &str) -> Option<&'a str> {
    let named = |name: &str| {
        name.strip_prefix(UNIFIED).and_then(|rest| rest.strip_suffix(suffix)) == Some(label)
    };
    let (_, value) = headers.iter().find(|(name, _)| named(name.as_str()))?;
    text(value)
}

fn text(value: &http::HeaderValue) -> Option<&str> {
    value.to_str().ok().map(str::trim)
}

fn fraction(text: &str) -> Option<u16> {
    permille(text.parse().ok()?, 1.0)
}

/// Whole seconds since the epoch; fractions of one are let go.
fn seconds(text: &str) -> Option<Timestamp> {
    let whole = text.split('.').next().unwrap_or(text);
    let seconds: i64 = whole.parse().ok()?;
    (0..=MOMENT_SECONDS_MAX).contains(&seconds).then(|| Timestamp::from_seconds(seconds))
}

/// The end of the year 9999: what is later is not a moment.
const MOMENT_SECONDS_MAX: i64 = 253_402_300_799;

#[cfg(test)]
mod tests {
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
}
