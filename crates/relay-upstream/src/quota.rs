//! How much of a subscription's windows is used, as the headers of every answer tell.
//!
//! Source for Claude: `anthropic-ratelimit-unified-{window}-{utilization,status,reset}` of answers to
//! subscriptions; the window is `5h`, `7d`, or `7d_` and a word for some of the models. No public
//! document has them: the names are what public clients and relays read in 2026.

use http::HeaderMap;
use relay_core::clock::Timestamp;
use relay_core::model::ModelFamily;
use relay_core::protocol::Service;
use relay_core::quota::{Window, WindowKind};

pub(crate) mod codex;

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

/// The windows that the headers of a provider's answer tell of.
///
/// `x-ratelimit-*` of OpenAI's API keys are no windows here: these limits fill up again all the
/// time, within a minute mostly, so that what was left of them says little of the next call. A key
/// that is at its limit says so and rests for it.
pub fn told(provider: Service, headers: &HeaderMap, now: Timestamp) -> Vec<(WindowKind, Window)> {
    match provider {
        Service::Claude => anthropic(headers, now),
        Service::Openai => codex::told(headers, now),
        // Google tells of quotas only when it is asked.
        Service::Gemini => Vec::new(),
    }
}

/// The windows that the headers of Anthropic's answers tell of. Allocates nothing if there are none.
///
/// How much is used is a fraction (`0.42`), and may be more than one. A window that rejects and
/// does not say how much is used is used up. What cannot be read is left out; a reset that has
/// passed is taken as it is given.
fn anthropic(headers: &HeaderMap, now: Timestamp) -> Vec<(WindowKind, Window)> {
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
mod tests;
