//! Which answer a request gets when no script takes it.

use crate::answer::{Answer, Fault, Moment};
use crate::anthropic::ask::Ask;
use crate::anthropic::{error_of, model_named, models};
use crate::directive::Directive as D;

use super::log::SeenRequest;

/// The provider's own answer; `ask` is the request read as a Messages call, or what is wrong.
pub(super) fn usual(seen: &SeenRequest, ask: Result<&Ask, &'static str>) -> Answer {
    if seen.api_key.is_empty() {
        return refusal(401, "x-api-key header is required");
    }
    if seen.header("anthropic-version").is_empty() {
        return refusal(400, "anthropic-version: header is required");
    }
    let path = seen.path();
    let counts_tokens = path.ends_with("/v1/messages/count_tokens");
    match (seen.method.as_str(), ask) {
        ("POST", Ok(ask)) if seen.is_message() => by_directives(ask, &seen.api_key),
        ("POST", Ok(ask)) if counts_tokens => {
            Answer::status(200).json(&serde_json::json!({"input_tokens": ask.input.context()}))
        }
        ("POST", Err(mistake)) if seen.is_message() || counts_tokens => refusal(400, mistake),
        ("GET" | "HEAD", _) if path.ends_with("/v1/models") => Answer::status(200).json(&models()),
        ("GET" | "HEAD", _) => path
            .rsplit_once("/v1/models/")
            .and_then(|(_, id)| model_named(id))
            .map_or_else(|| refusal(404, ""), |model| Answer::status(200).json(&model)),
        _ => refusal(404, ""),
    }
}

fn refusal(status: u16, message: &str) -> Answer {
    let (kind, usual) = error_of(status);
    Answer::anthropic_error(status, kind, if message.is_empty() { usual } else { message })
}

/// What the directives in the text ask for; a refusal wins over anything before it.
fn by_directives(ask: &Ask, api_key: &str) -> Answer {
    ask.directives.iter().fold(Answer::well(), |answer, directive| match directive {
        D::Status(wanted) if wanted.key.as_ref().is_none_or(|key| key == api_key) => {
            let refusal = refusal(wanted.status, &wanted.message);
            match &wanted.retry_after {
                Some(seconds) => refusal.header("retry-after", seconds),
                None => refusal,
            }
        }
        D::ErrorEvent(_) if !ask.stream => refusal(529, ""),
        D::ErrorEvent(events) => {
            answer.error_event(Moment::Events(*events), "overloaded_error", "Overloaded")
        }
        D::Hang => answer.breaks(Fault::Hang, Moment::Head),
        D::Slow(pause) if !ask.stream => answer.delay(*pause),
        D::Slow(pause) | D::Paced { interval: pause, .. } => answer.paced(*pause),
        _ => answer,
    })
}
