//! What a provider tells the holder of an access token: who it is, and how much is used.

mod others;

use std::collections::BTreeMap;

use relay_core::account::{Account, AccountKind};
use relay_core::clock::Timestamp;
use relay_core::credential::Identity;
use relay_core::protocol::Service;
use relay_core::quota::{Window, WindowKind};
use relay_core::secret::Secret;
use serde_json::{Value, json};

use super::request::{Unanswered, question, retry_at, said, send};
use super::{claims, code_assist};
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

/// Who is asked about, and where.
#[derive(Debug, Clone, Copy)]
pub struct Holder<'a> {
    /// The kind of the account.
    pub kind: AccountKind,
    /// Where it is, without a trailing slash.
    pub base_url: &'a str,
    /// The access token.
    pub access: &'a Secret,
    /// The provider's own id of the account, where it has to be named; empty if it is not known.
    pub account: &'a str,
    /// The Google Cloud project; empty if it is not known.
    pub project: &'a str,
}

impl<'a> Holder<'a> {
    /// The holder of this token of an account.
    pub fn new(account: &'a Account, known: Option<&'a Identity>, access: &'a Secret) -> Self {
        let own = account.project.as_deref().unwrap_or_default();
        let told = known.map_or("", |known| &known.project);
        Self {
            kind: account.kind,
            base_url: &account.base_url,
            access,
            account: known.map_or("", |known| &known.account),
            project: if own.is_empty() { told } else { own },
        }
    }
}

/// Whose the access token is, as far as the provider tells.
pub async fn identity(
    client: &Client,
    holder: &Holder<'_>,
    now: Timestamp,
) -> Result<Identity, InquiryFault> {
    match holder.kind.service() {
        Service::Claude => {
            let url = format!("{}{PROFILE_PATH}", holder.base_url);
            let body = ask(client, (&url, None), holder, now).await?;
            Ok(read_identity(&body))
        }
        // The token says it itself, and nobody else has to be asked.
        Service::Openai => Some(claims::identity(holder.access.expose()))
            .filter(|identity| *identity != Identity::default())
            .ok_or_else(|| InquiryFault::Unclear { why: "the token tells nothing".to_owned() }),
        Service::Gemini => code_assist::identity(client, holder, now).await,
    }
}

/// How much of each window is used.
pub async fn usage(
    client: &Client,
    holder: &Holder<'_>,
    now: Timestamp,
) -> Result<Vec<(WindowKind, Window)>, InquiryFault> {
    let base_url = holder.base_url;
    match holder.kind.service() {
        Service::Claude => {
            let url = format!("{base_url}{USAGE_PATH}");
            Ok(read_usage(&ask(client, (&url, None), holder, now).await?, now))
        }
        Service::Openai => {
            let base_url = base_url.strip_suffix("/codex").unwrap_or(base_url);
            let url = format!("{base_url}/wham/usage");
            Ok(others::chatgpt(&ask(client, (&url, None), holder, now).await?, now))
        }
        Service::Gemini => {
            let url = format!("{base_url}/v1internal:retrieveUserQuota");
            let body = json!({ "project": holder.project });
            Ok(others::code_assist(&ask(client, (&url, Some(&body)), holder, now).await?, now))
        }
    }
}

/// A name that a provider gives, bounded and on one line; empty if it is none.
pub(super) fn words(value: Option<&Value>) -> String {
    let text = value.and_then(Value::as_str).unwrap_or("").trim();
    text.chars().filter(|letter| !letter.is_control()).take(WORDS_CHARACTERS_MAX).collect()
}

/// Asks at an address, with a body if there is one.
pub(super) async fn ask(
    client: &Client,
    (url, body): (&str, Option<&Value>),
    holder: &Holder<'_>,
    now: Timestamp,
) -> Result<Value, InquiryFault> {
    let answer = match question(url, holder, body) {
        Ok(request) => send(client, request).await,
        Err(unsendable) => Err(unsendable),
    };
    let answer = answer.map_err(|unanswered| match unanswered {
        Unanswered::NotSent(fault) => InquiryFault::NotSent(fault),
        Unanswered::Lost(why) => InquiryFault::Unclear { why },
    })?;
    let status = answer.status.as_u16();
    if !answer.status.is_success() {
        let said = said(answer.body.as_deref().unwrap_or_default(), &[holder.access]).text;
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
        ..Identity::default()
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
