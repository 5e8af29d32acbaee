//! What an access token opens: who may come in, and what is told about its owner.

use std::time::Duration;

use relay_core::clock::Timestamp;
use serde_json::{Value, json};

use super::book::{ACCESS_PREFIX, Book};
use super::identity::{Realm, account_of, userinfo};
use crate::answer::Answer;
use crate::format::Family;
use crate::provider::log::SeenRequest;

/// The beta that calls with issued tokens must name.
const BETA: &str = "oauth-2025-04-20";
/// The scope that an owner's own pages need.
const PROFILE_SCOPE: &str = "user:profile";
const EXPIRED: &str =
    "OAuth token has expired. Please obtain a new token or refresh your existing token.";
const NO_BETA: &str = "OAuth authentication is currently not supported.";
const NO_PROFILE: &str = "OAuth token does not meet scope requirement user:profile";
const ONLY_CLAUDE_CODE: &str = "This credential is only authorized for use with Claude Code and \
    cannot be used for other API requests.";

/// What is asked for, as far as it is the issuer's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    Messages,
    CountTokens,
    Models,
    Profile,
    Usage,
}

/// A refusal of the token, or a page about its owner; `None` for what others are to answer.
pub(super) fn answer(book: &mut Book, seen: &SeenRequest, now: Timestamp) -> Option<Answer> {
    let Some(door) = Door::of(seen) else { return elsewhere(book, seen, now) };
    let own_page = matches!(door, Door::Profile | Door::Usage);
    let issued = |token: &&str| token.starts_with(ACCESS_PREFIX);
    if seen.headers.get("x-api-key").is_some_and(|key| key.as_bytes().starts_with(b"access-")) {
        return Some(refusal(401, "authentication_error", "invalid x-api-key"));
    }
    let Some(token) = seen.bearer().filter(issued) else {
        return own_page.then(|| refusal(401, "authentication_error", "Invalid bearer token"));
    };
    let Some(scope) = book.scope_of(token, now) else {
        return Some(refusal(401, "authentication_error", EXPIRED));
    };
    if door != Door::Models && !seen.beta.iter().any(|name| name == BETA) {
        return Some(refusal(401, "authentication_error", NO_BETA));
    }
    if own_page && !scope.split(' ').any(|part| part == PROFILE_SCOPE) {
        return Some(refusal(403, "permission_error", NO_PROFILE));
    }
    let foreign = !seen.header("user-agent").starts_with("claude-cli/");
    if door == Door::Messages && book.only_claude_code && foreign {
        return Some(refusal(400, "invalid_request_error", ONLY_CLAUDE_CODE));
    }
    let owner = book.owner(&seen.owner);
    let page = match door {
        Door::Profile => {
            owner.profiles_read += 1;
            owner.profile.clone().unwrap_or_else(|| usual_profile(&seen.owner))
        }
        Door::Usage => {
            owner.usages_read += 1;
            owner.usage.clone().unwrap_or_else(|| usual_usage(now))
        }
        _ => return None,
    };
    Some(Answer::status(200).json(&page))
}

/// The same for what is not Claude's.
fn elsewhere(book: &mut Book, seen: &SeenRequest, now: Timestamp) -> Option<Answer> {
    let path = seen.path();
    let userinfo_page = path.ends_with("/userinfo");
    let family = if userinfo_page { Family::Google } else { seen.family() };
    let unknown = || Answer::refused(401).in_shape_of(family);
    let Some(token) = seen.bearer().filter(|token| token.starts_with(ACCESS_PREFIX)) else {
        return userinfo_page.then(unknown);
    };
    let good = book.scope_of(token, now).is_some();
    if !good || book.realm_of(token) != Realm::opening(family) {
        return Some(match family {
            Family::Codex => Answer::openai_error(
                401,
                "invalid_request_error",
                "token_expired",
                "Provided authentication token is expired. Please try signing in again.",
            ),
            _ => unknown(),
        });
    }
    if family == Family::Codex && seen.header("chatgpt-account-id") != account_of(&seen.owner) {
        return Some(Answer::refused_with(403, "chatgpt-account-id does not match"));
    }
    let owner = book.owner(&seen.owner);
    if userinfo_page {
        owner.profiles_read += 1;
        let page = owner.profile.clone().unwrap_or_else(|| userinfo(&seen.owner));
        return Some(Answer::status(200).json(&page));
    }
    if path.ends_with("/wham/usage") || path.ends_with(":retrieveUserQuota") {
        owner.usages_read += 1;
        return owner.usage.clone().map(|page| Answer::status(200).json(&page));
    }
    None
}

impl Door {
    fn of(seen: &SeenRequest) -> Option<Self> {
        let path = seen.path();
        match seen.method.as_str() {
            "POST" if seen.is_message() => Some(Self::Messages),
            "POST" if path.ends_with("/v1/messages/count_tokens") => Some(Self::CountTokens),
            "GET" | "HEAD" if path.ends_with("/api/oauth/profile") => Some(Self::Profile),
            "GET" | "HEAD" if path.ends_with("/api/oauth/usage") => Some(Self::Usage),
            "GET" | "HEAD" if path.contains("/v1/models") => Some(Self::Models),
            _ => None,
        }
    }
}

/// The address that an owner is known by.
pub(super) fn email(owner: &str) -> String {
    format!("{owner}@example.com")
}

/// The name of an owner's organisation.
pub(super) fn home(owner: &str) -> String {
    format!("{owner}'s organization")
}

fn usual_profile(owner: &str) -> Value {
    json!({
        "account": {
            "uuid": format!("account-{owner}"), "full_name": owner, "display_name": owner,
            "email": email(owner), "has_claude_max": true, "has_claude_pro": false,
        },
        "organization": {
            "uuid": format!("organization-{owner}"), "name": home(owner),
            "organization_type": "claude_max", "rate_limit_tier": "default_claude_max_20x",
        },
    })
}

fn usual_usage(now: Timestamp) -> Value {
    let window = |utilization: f64, hours: u64| {
        let resets_at = now.plus(Duration::from_hours(hours)).as_millis();
        let resets_at = jiff::Timestamp::from_millisecond(resets_at).unwrap_or_default();
        let written = resets_at.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string();
        json!({"utilization": utilization, "resets_at": written})
    };
    json!({
        "five_hour": window(12.0, 3), "seven_day": window(34.5, 80), "seven_day_oauth_apps": null,
        "seven_day_opus": null, "seven_day_sonnet": window(3.0, 80),
    })
}

fn refusal(status: u16, kind: &str, message: &str) -> Answer {
    Answer::anthropic_error(status, kind, message)
}
