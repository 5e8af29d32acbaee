//! The windows of ChatGPT plans.
//!
//! Source: `x-codex-{primary,secondary}-{used-percent,window-minutes,reset-at,reset-after-seconds}`
//! of answers of the Codex upstream. Which window is which goes by its length: free plans have a
//! weekly or monthly one as the primary, and a secondary of 0 minutes, which is none.

use std::time::Duration;

use http::HeaderMap;
use relay_core::clock::Timestamp;
use relay_core::quota::{Window, WindowKind};

use super::{permille, seconds, text};

/// Their names in the headers, which are looked for and not put together: most answers have none.
const WINDOWS: [[&str; 4]; 2] = [
    [
        "x-codex-primary-used-percent",
        "x-codex-primary-window-minutes",
        "x-codex-primary-reset-at",
        "x-codex-primary-reset-after-seconds",
    ],
    [
        "x-codex-secondary-used-percent",
        "x-codex-secondary-window-minutes",
        "x-codex-secondary-reset-at",
        "x-codex-secondary-reset-after-seconds",
    ],
];

/// The windows that the headers of an answer tell of. What cannot be read is left out.
pub(crate) fn told(headers: &HeaderMap, now: Timestamp) -> Vec<(WindowKind, Window)> {
    let mut windows: Vec<(WindowKind, Window)> = Vec::new();
    for (kind, window) in WINDOWS.iter().filter_map(|names| window(headers, names, now)) {
        // Of two that are equally long, the one that is used more is what limits.
        match windows.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, known)) if known.used_permille >= window.used_permille => {}
            Some((_, known)) => *known = window,
            None => windows.push((kind, window)),
        }
    }
    windows
}

fn window(
    headers: &HeaderMap,
    [used, minutes, at, after]: &[&str; 4],
    now: Timestamp,
) -> Option<(WindowKind, Window)> {
    let of = |name: &str| text(headers.get(name)?);
    let used_permille = permille(of(used)?.parse().ok()?, 100.0)?;
    let kind = WindowKind::lasting(of(minutes)?.parse().ok()?)?;
    let resets_at = of(at).and_then(seconds).filter(|at| *at > now).or_else(|| {
        let after = Duration::from_secs(of(after)?.parse().ok()?);
        (!after.is_zero()).then(|| now.plus(after))
    });
    Some((kind, Window { used_permille, resets_at, seen_at: now }))
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::*;
    use crate::quota::USED_PERMILLE_MAX;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn windows(pairs: &[(&'static str, &'static str)]) -> Vec<(WindowKind, u16, Option<i64>)> {
        let headers = pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let seen = told(&headers, NOW).into_iter();
        let reset = |window: &Window| window.resets_at.map(|at| at.as_millis() / 1_000);
        seen.map(|(kind, window)| (kind, window.used_permille, reset(&window))).collect()
    }

    #[test]
    fn a_paid_plan_has_five_hours_and_seven_days() {
        let answer = [
            ("x-codex-active-limit", "premium"),
            ("x-codex-plan-type", "plus"),
            ("x-codex-primary-used-percent", "100"),
            ("x-codex-primary-window-minutes", "300"),
            ("x-codex-primary-reset-after-seconds", "13873"),
            ("x-codex-primary-reset-at", "1800013872"),
            ("x-codex-primary-over-secondary-limit-percent", "0"),
            ("x-codex-secondary-used-percent", "80.5"),
            ("x-codex-secondary-window-minutes", "10080"),
            ("x-codex-secondary-reset-after-seconds", "316705"),
            ("x-codex-credits-has-credits", "False"),
        ];
        assert_eq!(
            windows(&answer),
            [
                (WindowKind::FiveHour, 1_000, Some(1_800_013_872)),
                (WindowKind::SevenDay, 805, Some(1_800_316_705)),
            ]
        );
    }

    #[test]
    fn a_free_plan_has_one_window_of_any_length() {
        let weekly = [
            ("x-codex-primary-used-percent", "3"),
            ("x-codex-primary-window-minutes", "10080"),
            ("x-codex-primary-reset-after-seconds", "471285"),
            ("x-codex-secondary-used-percent", "0"),
            ("x-codex-secondary-window-minutes", "0"),
            ("x-codex-secondary-reset-after-seconds", "0"),
            ("x-codex-secondary-reset-at", ""),
        ];
        assert_eq!(windows(&weekly), [(WindowKind::SevenDay, 30, Some(1_800_471_285))]);
        let monthly =
            [("x-codex-primary-used-percent", "41"), ("x-codex-primary-window-minutes", "43200")];
        assert_eq!(windows(&monthly), [(WindowKind::Minutes(43_200), 410, None)]);
    }

    #[test]
    fn of_two_windows_of_a_length_the_fuller_one_counts() {
        for (primary, secondary) in [("10", "90"), ("90", "10")] {
            let both = [
                ("x-codex-primary-used-percent", primary),
                ("x-codex-primary-window-minutes", "10080"),
                ("x-codex-secondary-used-percent", secondary),
                ("x-codex-secondary-window-minutes", "10080"),
            ];
            assert_eq!(windows(&both), [(WindowKind::SevenDay, 900, None)]);
        }
    }

    #[test]
    fn an_answer_without_these_headers_allocates_nothing() {
        assert_eq!(told(&HeaderMap::new(), NOW).capacity(), 0);
    }

    proptest! {
        #[test]
        fn no_header_makes_the_reading_fail(values in proptest::collection::vec(any::<Vec<u8>>(), 8)) {
            let mut headers = HeaderMap::new();
            for (name, value) in WINDOWS.iter().flatten().zip(&values) {
                if let Ok(value) = HeaderValue::from_bytes(value) {
                    headers.insert(HeaderName::from_static(name), value);
                }
            }
            let seen = told(&headers, NOW);
            prop_assert!(seen.iter().all(|(_, window)| window.used_permille <= USED_PERMILLE_MAX));
        }
    }
}
