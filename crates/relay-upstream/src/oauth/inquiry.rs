//! What a provider tells the holder of an access token: who it is, and how much is used.

use std::collections::BTreeMap;

use relay_core::clock::Timestamp;
use relay_core::credential::Identity;
use relay_core::quota::{Window, WindowKind};
use relay_core::secret::Secret;
use serde_json::Value;

use super::request::{Unanswered, get, retry_at, said, send};
use crate::client::{Client, ConnectionFault};
use crate::quota::{permille, weekly_family};

const PROFILE_PATH: &str = "/api/oauth/profile";
const USAGE_PATH: &str = "/api/oauth/usage";

/// The longest name that is kept, in characters.
const WORDS_CHARACTERS_MAX: usize = 200;

/// Why a question about an account was not answered. No text holds a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InquiryFault {
    /// The provider does not tell this token: it has ended (401), or may not ask this (403), which
    /// is so for every setup token.
    #[error("the provider refused with {status}: {said}")]
    Refused {
        /// 401 or 403.
        status: u16,
        /// In its own words, at most 300 characters.
        said: String,
    },
    /// The provider did not want to answer now.
    #[error("the provider answered {status}: {said}")]
    Unavailable {
        /// The status of the answer.
        status: u16,
        /// When it wants to be asked again, if it said so.
        retry_at: Option<Timestamp>,
        /// In its own words, at most 300 characters.
        said: String,
    },
    /// The provider was not reached.
    #[error(transparent)]
    NotSent(ConnectionFault),
    /// The answer was lost or not understood.
    #[error("the answer was lost: {why}")]
    Unclear {
        /// What befell it.
        why: String,
    },
}

/// Whose the access token is. `base_url` is the account's, without a trailing slash.
pub async fn identity(
    client: &Client,
    base_url: &str,
    access: &Secret,
    now: Timestamp,
) -> Result<Identity, InquiryFault> {
    let body = ask(client, &format!("{base_url}{PROFILE_PATH}"), access, now).await?;
    Ok(read_identity(&body))
}

/// How much of each window is used. `base_url` is the account's, without a trailing slash.
pub async fn usage(
    client: &Client,
    base_url: &str,
    access: &Secret,
    now: Timestamp,
) -> Result<Vec<(WindowKind, Window)>, InquiryFault> {
    let body = ask(client, &format!("{base_url}{USAGE_PATH}"), access, now).await?;
    Ok(read_usage(&body, now))
}

/// A name that a provider gives, bounded and on one line; empty if it is none.
pub(super) fn words(value: Option<&Value>) -> String {
    let text = value.and_then(Value::as_str).unwrap_or("").trim();
    text.chars().filter(|letter| !letter.is_control()).take(WORDS_CHARACTERS_MAX).collect()
}

async fn ask(
    client: &Client,
    url: &str,
    access: &Secret,
    now: Timestamp,
) -> Result<Value, InquiryFault> {
    let answer = match get(url, access) {
        Ok(request) => send(client, request).await,
        Err(unsendable) => Err(unsendable),
    };
    let answer = answer.map_err(|unanswered| match unanswered {
        Unanswered::NotSent(fault) => InquiryFault::NotSent(fault),
        Unanswered::Lost(why) => InquiryFault::Unclear { why },
    })?;
    let status = answer.status.as_u16();
    if !answer.status.is_success() {
        let said = said(answer.body.as_deref().unwrap_or_default(), &[access]).text;
        return Err(match status {
            401 | 403 => InquiryFault::Refused { status, said },
            _ => {
                let retry_at = retry_at(&answer.headers, now);
                InquiryFault::Unavailable { status, retry_at, said }
            }
        });
    }
    let unclear = |why: &str| InquiryFault::Unclear { why: why.to_owned() };
    let body = answer.body.map_err(unclear)?;
    match serde_json::from_slice(&body) {
        Ok(body @ Value::Object(_)) => Ok(body),
        _ => Err(unclear("it is no JSON object")),
    }
}

/// Source: answers seen in 2026, `account {email, full_name, has_claude_max, has_claude_pro}` and
/// `organization {name, organization_type, rate_limit_tier}`.
fn read_identity(body: &Value) -> Identity {
    let (account, organisation) = (&body["account"], &body["organization"]);
    Identity {
        email: words(account.get("email").or_else(|| account.get("email_address"))),
        organisation: words(organisation.get("name")),
        plan: plan(account, organisation),
        tier: words(organisation.get("rate_limit_tier")),
    }
}

/// The organisation's type is the plan of the seat that signed in. The account's marks tell of the
/// person's own subscriptions, also while they use a team's: they count only if the type is none.
fn plan(account: &Value, organisation: &Value) -> String {
    let kind = words(organisation.get("organization_type"));
    if kind.starts_with("claude_") {
        return kind;
    }
    let has = |mark: &str| account.get(mark).and_then(Value::as_bool);
    match (has("has_claude_max"), has("has_claude_pro")) {
        (Some(true), _) => "claude_max".to_owned(),
        (_, Some(true)) => "claude_pro".to_owned(),
        _ => kind,
    }
}

/// Source: answers seen in 2026. `five_hour`, `seven_day` and `seven_day_{family}` are
/// `{utilization: 0..100, resets_at: RFC 3339 or null}` or null. Newer answers have a list `limits`
/// of `{kind, percent, resets_at, scope: {model: {display_name}, surface}}` beside, in which alone
/// some families stand (`Fable`). Where both tell of a window, the first form has decimals and
/// counts.
fn read_usage(body: &Value, now: Timestamp) -> Vec<(WindowKind, Window)> {
    let window = |used: Option<&Value>, resets_at: Option<&Value>| {
        let used_permille = permille(used?.as_f64()?, 100.0)?;
        Some(Window { used_permille, resets_at: moment(resets_at), seen_at: now })
    };
    let mut windows = BTreeMap::new();
    for (name, value) in body.as_object().into_iter().flatten() {
        let kind = match name.as_str() {
            "five_hour" => Some(WindowKind::FiveHour),
            "seven_day" => Some(WindowKind::SevenDay),
            name => name
                .strip_prefix("seven_day_")
                .and_then(weekly_family)
                .map(WindowKind::SevenDayModels),
        };
        let window = window(value.get("utilization"), value.get("resets_at"));
        if let (Some(kind), Some(window)) = (kind, window) {
            windows.insert(kind, window);
        }
    }
    for limit in body.get("limits").and_then(Value::as_array).into_iter().flatten() {
        let window = window(limit.get("percent"), limit.get("resets_at"));
        if let (Some(kind), Some(window)) = (limit_kind(limit), window) {
            windows.entry(kind).or_insert(window);
        }
    }
    windows.into_iter().collect()
}

fn limit_kind(limit: &Value) -> Option<WindowKind> {
    let scope = &limit["scope"];
    match limit["kind"].as_str()? {
        "session" => Some(WindowKind::FiveHour),
        "weekly_all" => Some(WindowKind::SevenDay),
        // A limit of one surface alone (a product, an application) does not hold here.
        "weekly_scoped" if scope["surface"].is_null() => {
            let name = scope["model"]["display_name"].as_str()?;
            let word = name.split(' ').find(|word| !word.eq_ignore_ascii_case("claude"))?;
            weekly_family(word).map(WindowKind::SevenDayModels)
        }
        _ => None,
    }
}

fn moment(value: Option<&Value>) -> Option<Timestamp> {
    let moment: jiff::Timestamp = value?.as_str()?.parse().ok()?;
    Some(Timestamp::from_millis(moment.as_millisecond()))
}

#[cfg(test)]
mod tests;
