//! How much is used of subscriptions of OpenAI and Google, as their own clients are told.

use std::collections::BTreeMap;

use relay_core::clock::Timestamp;
use relay_core::model::ModelFamily;
use relay_core::quota::{Window, WindowKind};
use serde_json::Value;

use super::moment;
use crate::quota::permille;

/// How long Google counts each model's requests for: a day.
const DAY_MINUTES: u32 = 24 * 60;

/// Source: what Codex reads of `wham/usage`, `rate_limit: {primary_window, secondary_window}`, each
/// `{used_percent, limit_window_seconds, reset_at}` with a moment in seconds.
pub(super) fn chatgpt(body: &Value, now: Timestamp) -> Vec<(WindowKind, Window)> {
    let windows = ["primary_window", "secondary_window"].map(|name| &body["rate_limit"][name]);
    let read = |window: &Value| {
        let minutes = window.get("limit_window_seconds")?.as_u64()?.div_ceil(60);
        let kind = WindowKind::lasting(u32::try_from(minutes).ok()?)?;
        let used_permille = permille(window.get("used_percent")?.as_f64()?, 100.0)?;
        let resets_at = window.get("reset_at").and_then(Value::as_i64).map(Timestamp::from_seconds);
        Some((kind, Window { used_permille, resets_at, seen_at: now }))
    };
    windows.into_iter().filter_map(read).collect()
}

/// Source: what Gemini CLI reads of `retrieveUserQuota`, `buckets` of `{modelId,
/// remainingFraction: 0..1, resetTime: RFC 3339}`. Of several models of a family, the one that is
/// used most is told.
pub(super) fn code_assist(body: &Value, now: Timestamp) -> Vec<(WindowKind, Window)> {
    let mut windows: BTreeMap<WindowKind, Window> = BTreeMap::new();
    for bucket in body.get("buckets").and_then(Value::as_array).into_iter().flatten() {
        let read = || {
            let family = ModelFamily::of(bucket.get("modelId")?.as_str()?);
            let left = bucket.get("remainingFraction")?.as_f64()?;
            let used_permille = permille((1.0 - left).max(0.0), 1.0)?;
            let resets_at = moment(bucket.get("resetTime"));
            let window = Window { used_permille, resets_at, seen_at: now };
            Some((WindowKind::of_models(family, DAY_MINUTES), window))
        };
        let Some((kind, window)) = read() else { continue };
        let known = windows.entry(kind).or_insert(window);
        if known.used_permille < window.used_permille {
            *known = window;
        }
    }
    windows.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    #[test]
    fn chatgpt_tells_of_two_windows_by_their_lengths() {
        let body = json!({"plan_type": "plus", "rate_limit": {
            "primary_window":
                {"used_percent": 12.5, "limit_window_seconds": 18_000, "reset_at": 1_800_003_600},
            "secondary_window": {"used_percent": 40, "limit_window_seconds": 604_800},
        }});
        let at = Some(Timestamp::from_seconds(1_800_003_600));
        let window = |used_permille, resets_at| Window { used_permille, resets_at, seen_at: NOW };
        let expected =
            [(WindowKind::FiveHour, window(125, at)), (WindowKind::SevenDay, window(400, None))];
        assert_eq!(chatgpt(&body, NOW), expected);
        for nothing in [
            json!({}),
            json!({"rate_limit": null}),
            json!({"rate_limit":
            {"primary_window": {"used_percent": "x", "limit_window_seconds": 18_000}}}),
        ] {
            assert_eq!(chatgpt(&nothing, NOW), [], "{nothing}");
        }
    }

    #[test]
    fn code_assist_tells_of_each_model_and_the_fullest_of_a_family_counts() {
        let body = json!({"buckets": [
            {"modelId": "gemini-2.5-pro", "remainingFraction": 0.25, "resetTime": "2027-01-16T07:00:00Z"},
            {"modelId": "gemini-2.5-pro", "remainingFraction": 0.75},
            {"modelId": "gemini-2.5-flash", "remainingFraction": 1.5},
            {"modelId": "gemini-x"},
        ]});
        let told = code_assist(&body, NOW);
        let used = |model: &str| {
            let of = |(kind, _): &&(WindowKind, Window)| kind.covers(&ModelFamily::of(model));
            told.iter().filter(of).map(|(_, window)| window.used_permille).max()
        };
        assert_eq!(used("gemini-2.5-pro"), Some(750));
        assert!(told.iter().any(|(_, window)| window.resets_at.is_some()));
        assert_eq!(code_assist(&json!({"buckets": {}}), NOW), []);
    }
}
