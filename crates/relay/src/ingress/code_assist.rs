//! What Gemini CLI asks of Code Assist before it asks a model. The relay answers itself: whose accounts
//! stand behind it, and how much of their quota is left, is nobody's business but the operator's.
//!
//! The shapes are those that Gemini CLI 0.61 reads.

use axum::body::Body;
use http::Response;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};

use crate::failure::CallerFault;

/// The project that clients are told. What they send of it is replaced by the account's own.
const PROJECT: &str = "crs";

/// Answers a method.
pub(super) fn answer(method: &str) -> Result<Response<Body>, CallerFault> {
    let tier = || {
        json!({
            "id": "standard-tier",
            "name": "crs",
            "description": "served by the accounts of this relay",
            "userDefinedCloudaicompanionProject": false,
            "isDefault": true,
        })
    };
    let body: Value = match method {
        "loadCodeAssist" => json!({
            "currentTier": tier(),
            "allowedTiers": [tier()],
            "cloudaicompanionProject": PROJECT,
            "gcpManaged": false,
        }),
        "onboardUser" => json!({
            "done": true,
            "response": {"cloudaicompanionProject": {"id": PROJECT, "name": PROJECT}},
        }),
        "retrieveUserQuota" => json!({"buckets": []}),
        "listExperiments" => json!({"experimentIds": [], "flags": []}),
        "getCodeAssistGlobalUserSetting" | "setCodeAssistGlobalUserSetting" => {
            json!({"freeTierDataCollectionOptin": false})
        }
        "fetchAdminControls" | "recordCodeAssistMetrics" => json!({}),
        _ => return Err(CallerFault::NoSuchPath),
    };
    let mut response = Response::new(Body::from(body.to_string()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}
