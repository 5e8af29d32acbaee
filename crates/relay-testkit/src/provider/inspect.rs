//! The log and the sign-in over HTTP, for test scripts in other languages.

use std::time::Duration;

use serde_json::{Value, json};

use super::issuer::{Authorization, RefreshScript};
use super::log::{SeenRequest, Served};
use super::{Realm, RefreshSeen, State};
use crate::answer::Answer;

/// Answers requests for the test's own ends; these are not in the log themselves.
pub(super) fn answer(seen: &SeenRequest, state: &State) -> Option<Answer> {
    let body = match (seen.method.as_str(), seen.path()) {
        ("GET", "/__served") => {
            Value::from(state.log.served().iter().map(Served::to_json).collect::<Vec<_>>())
        }
        ("GET", "/__requests") => {
            Value::from(state.log.requests().iter().map(SeenRequest::to_json).collect::<Vec<_>>())
        }
        ("POST", "/__reset") => {
            state.recover();
            state.clear_log();
            json!({})
        }
        ("GET", "/__refreshes") => refreshes(state),
        ("POST", "/__issue" | "/__agree" | "/__refreshing") => match sign_in(seen, state) {
            Ok(body) => body,
            Err(mistake) => return Some(Answer::status(400).json(&json!({"mistake": mistake}))),
        },
        _ => return None,
    };
    Some(Answer::status(200).json(&body))
}

fn refreshes(state: &State) -> Value {
    state.issuer.with(|book| {
        let seen: Vec<Value> = book.refreshes().iter().map(RefreshSeen::to_json).collect();
        json!({"refreshes": seen, "reused": book.reused()})
    })
}

fn sign_in(seen: &SeenRequest, state: &State) -> Result<Value, String> {
    let body = seen.json();
    let owner = body["owner"].as_str().ok_or("owner is missing")?;
    let now = state.time.now();
    state.issuer.activate();
    match seen.path() {
        "/__issue" if body["setup"] == true => {
            let token = state.issuer.with(|book| book.issue_setup(owner, now));
            Ok(json!({"access_token": token}))
        }
        "/__issue" => {
            let lifetime = body["lifetime_ms"].as_u64().ok_or("lifetime_ms is missing")?;
            let lifetime = Duration::from_millis(lifetime);
            let realm = Realm::named(body["realm"].as_str()).ok_or("realm is unknown")?;
            Ok(state.issuer.with(|book| book.issue((realm, owner), lifetime, now)).to_value())
        }
        "/__agree" => {
            let agreed = Authorization::read(body["url"].as_str().ok_or("url is missing")?)?;
            Ok(json!({"pasted": state.issuer.with(|book| book.agree(owner, agreed))}))
        }
        _ => {
            let script = match body["do"].as_str() {
                Some("lose-next") => Some(RefreshScript::LosesNext),
                Some("refuse") => Some(RefreshScript::Refuses),
                Some("fail") => Some(RefreshScript::Fails(503)),
                Some("well") => None,
                Some("revoke-access") => {
                    state.issuer.with(|book| book.revoke_access(owner));
                    return Ok(json!({}));
                }
                _ => return Err("do is none of what can be done".to_owned()),
            };
            state.issuer.with(|book| book.owner(owner).script = script);
            Ok(json!({}))
        }
    }
}
