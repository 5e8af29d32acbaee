//! Which answer a request gets when no script takes it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::answer::{Answer, Fault, Moment};
use crate::anthropic::ask::Ask;
use crate::anthropic::{model_named, models};
use crate::directive::Directive as D;
use crate::format::{Family, Format};
use crate::google::assist;
use crate::openai::codex;
use crate::{google, openai};

use super::State;
use super::log::SeenRequest;

/// The provider's own answer; `ask` is what the request asks, or what is wrong with it.
pub(super) fn usual(seen: &SeenRequest, ask: Result<&Ask, &'static str>, state: &State) -> Answer {
    let family = seen.family();
    if seen.api_key.is_empty() {
        return match family {
            Family::Anthropic => Answer::refused_with(401, "x-api-key header is required"),
            _ => Answer::refused(401),
        };
    }
    match family {
        Family::Anthropic if seen.header("anthropic-version").is_empty() => {
            Answer::refused_with(400, "anthropic-version: header is required")
        }
        Family::Codex => of_codex(seen, ask, state),
        _ => of_api(seen, ask, state),
    }
}

fn of_api(seen: &SeenRequest, ask: Result<&Ask, &'static str>, state: &State) -> Answer {
    if let Some((_, method)) = seen.path().rsplit_once("v1internal:")
        && let Some(answer) = of_assist(seen, method, state)
    {
        return answer;
    }
    match (seen.method.as_str(), seen.format(), ask) {
        ("POST", Some(Format::CountTokens), Ok(ask)) => {
            Answer::status(200).json(&serde_json::json!({"input_tokens": ask.input.context()}))
        }
        ("POST", Some(_), Ok(ask)) => by_directives(ask, &seen.api_key),
        ("POST", Some(_), Err(mistake)) => Answer::refused_with(400, mistake),
        ("GET" | "HEAD", _, _) => page(seen, state),
        _ => Answer::refused(404),
    }
}

/// Lists of models, and what else is read without asking anything.
fn page(seen: &SeenRequest, state: &State) -> Answer {
    let path = seen.path();
    let found = |page: Option<serde_json::Value>| {
        page.map_or_else(|| Answer::refused(404), |page| Answer::status(200).json(&page))
    };
    let id = path.rsplit_once("/models/").map(|(_, id)| id);
    let all = path.ends_with("/models");
    if path.contains("v1internal/operations/") {
        return onboarded(seen, state);
    }
    match seen.family() {
        _ if !all && id.is_none() => Answer::refused(404),
        Family::Anthropic if all => found(Some(models())),
        Family::Anthropic => found(id.and_then(model_named)),
        Family::Google if all => found(Some(google::models())),
        Family::Google => found(id.and_then(google::model_named)),
        _ if all => found(Some(openai::models())),
        _ => found(id.and_then(openai::model_named)),
    }
}

fn of_codex(seen: &SeenRequest, ask: Result<&Ask, &'static str>, state: &State) -> Answer {
    let path = seen.path();
    if seen.method == "GET" && path.ends_with("/wham/usage") {
        let now = state.time.now().as_millis() / 1_000;
        return Answer::status(200).json(&codex::usage_page(now));
    }
    if seen.header("chatgpt-account-id").is_empty() {
        return detail(401, "chatgpt-account-id is missing");
    }
    let compacts = matches!(seen.format(), Some(Format::Compact { .. }));
    match ask {
        _ if seen.format().is_none() => detail(404, "Not Found"),
        Err(mistake) => detail(400, mistake),
        Ok(ask) => match codex::objection(&seen.json(), compacts) {
            Some(objection) => detail(400, objection),
            None => codex::with_windows(by_directives(ask, &seen.api_key), codex::USUAL),
        },
    }
}

/// How ChatGPT refuses what is no matter of accounts.
fn detail(status: u16, text: &str) -> Answer {
    Answer::status(status).json(&serde_json::json!({"detail": text}))
}

/// What Code Assist tells of an account; `None` for a call.
fn of_assist(seen: &SeenRequest, method: &str, state: &State) -> Option<Answer> {
    let onboarding = &state.onboarding;
    let project = project_of(seen);
    let page = match method {
        "loadCodeAssist" => {
            let lacks = onboarding.needed.load(Ordering::Relaxed)
                && onboarding.asked.load(Ordering::Relaxed) < 2;
            assist::loaded((!lacks).then_some(&project))
        }
        "onboardUser" => return Some(onboarded(seen, state)),
        "retrieveUserQuota" => {
            let resets_at = state.time.now().plus(Duration::from_hours(6)).as_millis();
            let resets_at = jiff::Timestamp::from_millisecond(resets_at).unwrap_or_default();
            assist::quota(&resets_at.to_string())
        }
        "listExperiments" => assist::experiments(),
        _ => return None,
    };
    Some(Answer::status(200).json(&page))
}

fn onboarded(seen: &SeenRequest, state: &State) -> Answer {
    let looks = state.onboarding.asked.fetch_add(1, Ordering::Relaxed);
    let done = looks > 0 || !state.onboarding.needed.load(Ordering::Relaxed);
    Answer::status(200).json(&assist::onboarded(&project_of(seen), done))
}

/// The project of the account: `project-OWNER`, or `project-fake` of whoever has no issued token.
fn project_of(seen: &SeenRequest) -> String {
    let owner = if seen.owner.is_empty() { "fake" } else { &seen.owner };
    format!("project-{owner}")
}

/// What the directives in the text ask for; a refusal wins over anything before it.
fn by_directives(ask: &Ask, api_key: &str) -> Answer {
    ask.directives.iter().fold(Answer::well(), |answer, directive| match directive {
        D::Status(wanted) if wanted.key.as_ref().is_none_or(|key| key == api_key) => {
            let refusal = Answer::refused_with(wanted.status, &wanted.message);
            match &wanted.retry_after {
                Some(seconds) => refusal.header("retry-after", seconds),
                None => refusal,
            }
        }
        D::ErrorEvent(_) if !ask.stream => Answer::overloaded(),
        D::ErrorEvent(events) => answer.usual_error_event(Moment::Events(*events), 529),
        D::Hang => answer.breaks(Fault::Hang, Moment::Head),
        D::Slow(pause) if !ask.stream => answer.delay(*pause),
        D::Slow(pause) | D::Paced { interval: pause, .. } => answer.paced(*pause),
        _ => answer,
    })
}
