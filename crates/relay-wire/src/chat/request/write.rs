//! Writes a request for an account that speaks Chat.

use serde::Serialize;

use self::message::Message;
use self::tool::{Format, ToolChoice, WrittenTool};
use crate::chat::json_bytes;
use crate::hub::{Choice, Effort, Loss, Losses, Reasoning, Request, Tool, Unsupported, Written};

mod message;
mod tool;

/// The body of a request.
///
/// The usage of a stream is always asked for, since the relay bills by it.
pub(super) fn write(request: &Request) -> Result<Written, Unsupported> {
    let mut losses = Losses::new();
    let tools = tool::tools(&request.tools, &mut losses);
    let body = Body {
        model: &request.model,
        messages: message::messages(&request.turns, &mut losses)?,
        tool_choice: tool_choice(request, &tools)?,
        parallel_tool_calls: request.parallel_tools.filter(|_| !tools.is_empty()),
        tools,
        max_completion_tokens: request.output_max,
        temperature: request.sampling.temperature,
        top_p: request.sampling.top_p,
        presence_penalty: request.sampling.presence_penalty,
        frequency_penalty: request.sampling.frequency_penalty,
        seed: request.sampling.seed,
        stop: &request.stop,
        reasoning_effort: request.reasoning.as_ref().and_then(|it| effort(it, &mut losses)),
        response_format: tool::format(&request.format),
        verbosity: request.verbosity.as_deref(),
        user: request.user.as_deref(),
        prompt_cache_key: request.cache_key.as_deref(),
        service_tier: service_tier(request, &mut losses),
        stream: request.streamed,
        stream_options: request.streamed.then_some(StreamOptions { include_usage: true }),
    };
    if request.sampling.top_k.is_some() {
        losses.insert(Loss::TopK);
    }
    Ok(Written { body: json_bytes(&body), losses })
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<WrittenTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<ToolChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i64>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    stop: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<Format<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verbosity: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

/// The choice of tools, which may only be there if tools are.
fn tool_choice<'a>(
    request: &'a Request,
    tools: &[WrittenTool<'_>],
) -> Result<Option<ToolChoice<'a>>, Unsupported> {
    let is_told = |name: &str| tools.iter().any(|tool| tool.name() == name);
    let not_told = "the tool is not among those that this model can be given";
    match &request.choice {
        Choice::Required if tools.is_empty() => {
            let why = "no tool is left that this model can be given";
            Err(Unsupported::new("that a tool is called", why))
        }
        Choice::Named(name) if !is_told(name) => {
            Err(Unsupported::new(format!("the choice of the tool `{name}`"), not_told))
        }
        Choice::Auto => Ok(None),
        Choice::None => Ok((!tools.is_empty()).then_some(ToolChoice::Word("none"))),
        Choice::Required => Ok(Some(ToolChoice::Word("required"))),
        Choice::Named(name) => {
            let is_text = |tool: &Tool| matches!(tool, Tool::Text { name: it, .. } if it == name);
            Ok(Some(ToolChoice::named(name, request.tools.iter().any(is_text))))
        }
    }
}

fn effort(reasoning: &Reasoning, losses: &mut Losses) -> Option<&'static str> {
    if reasoning.shown {
        losses.insert(Loss::ShownThoughts);
    }
    effort_word(reasoning, losses)
}

/// How much to think, in words; a budget in tokens goes by the nearest word.
pub(crate) fn effort_word(reasoning: &Reasoning, losses: &mut Losses) -> Option<&'static str> {
    const LOW_TOKENS_MAX: u64 = 4_096;
    const MEDIUM_TOKENS_MAX: u64 = 16_384;
    if reasoning.budget.is_some() {
        losses.insert(Loss::ThinkingBudget);
    }
    let effort = reasoning.effort.or_else(|| {
        reasoning.budget.map(|tokens| match tokens {
            0 => Effort::None,
            1..=LOW_TOKENS_MAX => Effort::Low,
            _ if tokens <= MEDIUM_TOKENS_MAX => Effort::Medium,
            _ => Effort::High,
        })
    });
    effort.map(|effort| match effort {
        Effort::None => "none",
        Effort::Minimal => "minimal",
        Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High => "high",
        Effort::Max => "xhigh",
    })
}

/// The tier, if it is one of OpenAI's.
pub(crate) fn service_tier<'a>(request: &'a Request, losses: &mut Losses) -> Option<&'a str> {
    let tier = request.service_tier.as_deref()?;
    if matches!(tier, "auto" | "default" | "flex" | "priority" | "scale" | "fast") {
        return Some(tier);
    }
    losses.insert(Loss::ServiceTier);
    None
}
