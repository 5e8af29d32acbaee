//! Writes what the hub holds as a request for an account of Google's.

mod form;
mod format;
mod media;
mod sampling;
mod thinking;
mod tools;
mod turns;

use self::form::{Body, Generation, Instruction};
use super::model::{Model, model};
use crate::hub::{Loss, Losses, Request, Unsupported, Written};

/// Writes a request. The model and whether the answer is streamed stand in its address; what each
/// model takes is looked up by the request's model name.
pub(super) fn write(request: &Request) -> Result<Written, Unsupported> {
    let mut losses = Losses::new();
    let model = model(&request.model);
    let mut talk = turns::talk(&request.turns, model, &mut losses)?;
    let offered = tools::tools(&request.tools, &mut losses)?;
    let tool_config = tools::config(request, &offered, &mut talk, &mut losses)?;
    let format =
        format::format(&request.format, model, !offered.is_empty(), &mut talk, &mut losses);
    sampling::stop(&request.stop)?;
    left_out(request, &mut losses);
    let sampled = sampling::sampling(request.sampling, model, &mut losses);
    let body = Body {
        generation_config: Generation {
            max_output_tokens: request.output_max,
            stop_sequences: &request.stop,
            response_mime_type: format.mime_type,
            response_json_schema: format.schema,
            thinking_config: request
                .reasoning
                .as_ref()
                .and_then(|it| thinking::thinking(it, model, request.output_max, &mut losses)),
            ..sampled
        },
        contents: talk.contents,
        system_instruction: (!talk.system.is_empty()).then_some(Instruction { parts: talk.system }),
        tools: offered,
        tool_config,
    };
    Ok(Written { body: bytes(&body), losses })
}

fn bytes(body: &Body<'_>) -> Vec<u8> {
    serde_json::to_vec(body).expect("names are strings, and writing to memory works")
}

/// Fields that Google has no place for.
fn left_out(request: &Request, losses: &mut Losses) {
    if request.verbosity.is_some() {
        losses.insert(Loss::Verbosity);
    }
    if request.user.is_some() {
        losses.insert(Loss::User);
    }
    if request.cache_key.is_some() {
        losses.insert(Loss::CacheKey);
    }
    if request.service_tier.as_deref().is_some_and(|it| !matches!(it, "auto" | "default")) {
        losses.insert(Loss::ServiceTier);
    }
}
