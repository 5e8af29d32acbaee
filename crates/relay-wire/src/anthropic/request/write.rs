//! Writes what the hub holds as a request for an account of Claude.

mod form;
mod sampling;
mod schema;
mod thinking;
mod tools;
mod turns;

use self::form::{Body, Metadata, OutputConfig};
pub(in crate::anthropic) use self::turns::{arguments, is_own_citation};
use super::model::{Model, model};
use crate::hub::{Choice, Loss, Losses, Request, Unsupported, Written};

/// The longest name of a user that Anthropic takes, in characters.
const USER_CHARS_MAX: usize = 256;

/// Writes a request. What each model takes is looked up by the request's model name.
pub(super) fn write(request: &Request) -> Result<Written, Unsupported> {
    let mut losses = Losses::new();
    let model = model(&request.model);
    let mut talk = turns::talk(&request.turns, &mut losses)?;
    let offered = tools::tools(&request.tools, model, &mut losses)?;
    let forced = matches!(request.choice, Choice::Required | Choice::Named(_));
    let choice = tools::choice(request, model, &offered, &mut losses)?;
    if forced && !model.forces_tools {
        talk.instruct(tools::forced_in_words(&request.choice));
    }
    let thinking = thinking::plan(
        request.reasoning.as_ref(),
        &thinking::Case {
            model,
            forced: forced && model.forces_tools,
            calls_unsigned: talk.calls_unsigned(),
            output_max: request.output_max,
        },
        &mut losses,
    );
    let format = schema::format(&request.format, model, &mut talk, &mut losses);
    let sampling = sampling::sampling(request.sampling, model, thinking.is_on(), &mut losses);
    sampling::stop(&request.stop)?;
    left_out(request, &mut losses);
    if request.cache_key.is_some() {
        talk.mark_for_cache();
    }
    let turns::Talk { system, messages } = talk;
    let body = Body {
        model: &request.model,
        max_tokens: thinking.output_max,
        system,
        messages,
        tools: offered,
        tool_choice: choice,
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        top_k: sampling.top_k,
        stop_sequences: &request.stop,
        thinking: thinking.form,
        output_config: OutputConfig::of(thinking.effort, format),
        metadata: user(request, &mut losses),
        service_tier: service_tier(request, &mut losses),
        stream: request.streamed,
    };
    Ok(Written { body: bytes(&body), losses })
}

fn bytes(body: &Body<'_>) -> Vec<u8> {
    serde_json::to_vec(body).expect("names are strings, and writing to memory works")
}

/// Fields that Claude has no place for.
fn left_out(request: &Request, losses: &mut Losses) {
    if request.verbosity.is_some() {
        losses.insert(Loss::Verbosity);
    }
}

/// The end user. Anthropic refuses what looks like an address of mail.
fn user<'a>(request: &'a Request, losses: &mut Losses) -> Option<Metadata<'a>> {
    let user = request.user.as_deref()?;
    if user.contains('@') || user.chars().count() > USER_CHARS_MAX {
        losses.insert(Loss::User);
        return None;
    }
    Some(Metadata { user_id: user })
}

fn service_tier(request: &Request, losses: &mut Losses) -> Option<&'static str> {
    match request.service_tier.as_deref()? {
        "auto" => Some("auto"),
        "default" => Some("standard_only"),
        _ => {
            losses.insert(Loss::ServiceTier);
            None
        }
    }
}
