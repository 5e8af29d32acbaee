//! What Code Assist tells of an account.

use serde_json::{Value, json};

/// The answer of `:loadCodeAssist`; without a project the account is yet to be onboarded.
pub(crate) fn loaded(project: Option<&str>) -> Value {
    let tier = |id: &str, default: bool| {
        json!({
            "id": id, "name": "Gemini Code Assist", "description": "a tier of the fake provider",
            "isDefault": default, "userDefinedCloudaicompanionProject": !default,
        })
    };
    let mut body = json!({
        "allowedTiers": [tier("free-tier", true), tier("standard-tier", false)],
        "gcpManaged": false,
    });
    if let Some(project) = project {
        body["currentTier"] = tier("free-tier", true);
        body["cloudaicompanionProject"] = project.into();
    }
    body
}

/// The answer of `:onboardUser`, and of the operation that it names; done at the second look.
pub(crate) fn onboarded(project: &str, done: bool) -> Value {
    let mut body = json!({"name": "operations/fake-onboarding", "done": done});
    if done {
        body["response"] = json!({"cloudaicompanionProject": {"id": project, "name": project}});
    }
    body
}

/// The answer of `:retrieveUserQuota`.
pub(crate) fn quota(resets_at: &str) -> Value {
    let bucket = |model: &str, left: f64| {
        json!({
            "modelId": model, "tokenType": "REQUESTS", "remainingFraction": left,
            "resetTime": resets_at,
        })
    };
    json!({"buckets": [bucket("gemini-2.5-pro", 0.75), bucket("gemini-3-flash", 0.5)]})
}

/// The answer of `:listExperiments`.
pub(crate) fn experiments() -> Value {
    json!({"experimentIds": [], "flags": []})
}
