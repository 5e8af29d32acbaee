//! The Google Cloud project in which Code Assist serves a sign-in: the one it has, or the one that it
//! is given when it is first asked for.

use std::time::Duration;

use relay_core::clock::Timestamp;
use relay_core::credential::Identity;
use serde_json::{Value, json};

use super::inquiry::{Holder, InquiryFault, ask, words};
use crate::client::Client;

/// How often is looked whether a project that is being made is there.
const LOOKS_MAX: u32 = 12;
/// The first pause before such a look, and the longest that it grows to.
const LOOK_AFTER: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// The tier that everybody may have.
const FREE_TIER: &str = "free-tier";

/// What Code Assist tells of the holder of an access token: the project, empty if it names none, and
/// the tier as a plan. It only asks.
pub(super) async fn identity(
    client: &Client,
    holder: &Holder<'_>,
    now: Timestamp,
) -> Result<Identity, InquiryFault> {
    load(client, holder, now).await.map(|loaded| read_identity(&loaded))
}

/// The same; where the sign-in has no project yet, one is asked for, and waited for.
pub async fn code_assist(
    client: &Client,
    holder: &Holder<'_>,
    now: Timestamp,
) -> Result<Identity, InquiryFault> {
    let loaded = load(client, holder, now).await?;
    let mut identity = read_identity(&loaded);
    if identity.project.is_empty() {
        identity.project = onboard(client, holder, &default_tier(&loaded), now).await?;
    }
    Ok(identity)
}

async fn load(client: &Client, holder: &Holder<'_>, now: Timestamp) -> Result<Value, InquiryFault> {
    let url = format!("{}/v1internal:loadCodeAssist", holder.base_url);
    ask(client, (&url, Some(&json!({ "metadata": metadata() }))), holder, now).await
}

/// Asks for a project, and looks until it is there: a long-running operation of Google's.
async fn onboard(
    client: &Client,
    holder: &Holder<'_>,
    tier: &str,
    now: Timestamp,
) -> Result<String, InquiryFault> {
    let url = format!("{}/v1internal:onboardUser", holder.base_url);
    let body = json!({ "tierId": tier, "metadata": metadata() });
    let mut operation = ask(client, (&url, Some(&body)), holder, now).await?;
    let (mut pause, longest) = LOOK_AFTER;
    for _ in 0..LOOKS_MAX {
        if operation.get("done").and_then(Value::as_bool) == Some(true) {
            let project = project(operation["response"].get("cloudaicompanionProject"));
            let none = || InquiryFault::Unclear { why: "no project was made".to_owned() };
            return Some(project).filter(|it| !it.is_empty()).ok_or_else(none);
        }
        tokio::time::sleep(pause).await;
        pause = pause.saturating_mul(2).min(longest);
        operation = match operation_path(&operation) {
            Some(name) => {
                let url = format!("{}/v1internal/{name}", holder.base_url);
                ask(client, (&url, None), holder, now).await?
            }
            None => ask(client, (&url, Some(&body)), holder, now).await?,
        };
    }
    Err(InquiryFault::Unclear { why: "the project is still being made".to_owned() })
}

fn metadata() -> Value {
    json!({"ideType": "IDE_UNSPECIFIED", "platform": "PLATFORM_UNSPECIFIED", "pluginType": "GEMINI"})
}

/// Source: answers seen in 2026, `{currentTier: {id, name}, allowedTiers: [{id, isDefault}],
/// cloudaicompanionProject}`. The tier is of limits and of money alike: it is the plan.
fn read_identity(loaded: &Value) -> Identity {
    Identity {
        plan: words(loaded["currentTier"].get("id")),
        project: project(loaded.get("cloudaicompanionProject")),
        ..Identity::default()
    }
}

fn default_tier(loaded: &Value) -> String {
    let tiers = loaded.get("allowedTiers").and_then(Value::as_array);
    let mut tiers = tiers.into_iter().flatten();
    let is_default = |tier: &&Value| tier.get("isDefault").and_then(Value::as_bool) == Some(true);
    let id = words(tiers.find(is_default).and_then(|tier| tier.get("id")));
    if id.is_empty() { FREE_TIER.to_owned() } else { id }
}

/// A project is named by its id, or is an object that has one.
fn project(value: Option<&Value>) -> String {
    match value {
        Some(Value::Object(project)) => words(project.get("id")),
        other => words(other),
    }
}

/// The name of an operation as the rest of a path: a stranger's text leads nowhere else.
fn operation_path(operation: &Value) -> Option<&str> {
    let name = operation.get("name").and_then(Value::as_str)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_/.".contains(&byte);
    let fits = !name.is_empty() && name.len() <= 300 && name.bytes().all(plain);
    (fits && !name.starts_with('/') && !name.contains("..")).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_a_name_or_an_object_with_one() {
        let read = |loaded: Value| read_identity(&loaded).project;
        assert_eq!(read(json!({"cloudaicompanionProject": "p-1"})), "p-1");
        assert_eq!(read(json!({"cloudaicompanionProject": {"id": "p-2"}})), "p-2");
        assert_eq!(read(json!({"cloudaicompanionProject": 7})), "");
        assert_eq!(read(json!({})), "");
        assert_eq!(
            read_identity(&json!({"currentTier": {"id": "standard-tier"}})).plan,
            "standard-tier"
        );
    }

    #[test]
    fn the_tier_that_is_asked_for_is_the_default_one() {
        let tiers = json!({"allowedTiers": [{"id": "a"}, {"id": "b", "isDefault": true}]});
        assert_eq!(default_tier(&tiers), "b");
        assert_eq!(default_tier(&json!({"allowedTiers": "none"})), FREE_TIER);
    }

    #[test]
    fn the_name_of_an_operation_leads_nowhere_else() {
        let path = |name: &str| operation_path(&json!({ "name": name })).map(str::to_owned);
        assert_eq!(path("operations/ab-1.2_c").as_deref(), Some("operations/ab-1.2_c"));
        for name in ["", "/a", "a/../../b", "a?b=c", "a#b", "a b", "a:b", "@host"] {
            assert_eq!(path(name), None, "{name}");
        }
    }
}
