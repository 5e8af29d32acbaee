//! Writes a request for an account that speaks Responses.

use serde::Serialize;

use self::item::Item;
use self::tool::{Format, ToolChoice, WrittenTool};
use crate::chat::json_bytes;
use crate::chat::request::{effort_word, service_tier};
use crate::hub::{
    Block, Choice, Effort, Loss, Losses, Request, Role, Tool, Turn, Unsupported, Written,
};

mod item;
mod tool;

/// The least limit of the output that OpenAI takes, in tokens.
const OUTPUT_TOKENS_MIN: u64 = 16;

/// The longest name of an end user that OpenAI takes, in characters.
const USER_CHARS_MAX: usize = 64;

/// What makes an answer bring its thoughts sealed, to be given back with the next turn.
const SEALED_THOUGHTS: &str = "reasoning.encrypted_content";

/// The body of a request.
///
/// Nothing is stored with the provider, so that the next turn may go to another account.
pub(super) fn write(request: &Request) -> Result<Written, Unsupported> {
    write_for(Host::Api, request)
}

/// The body of a request to the service behind the ChatGPT sign-in, which Codex uses: it only
/// streams, must be given instructions, and leaves the limits of an answer to itself.
pub(super) fn write_for_chatgpt(request: &Request) -> Result<Written, Unsupported> {
    write_for(Host::ChatGpt, request)
}

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Host {
    Api,
    ChatGpt,
}

fn write_for(host: Host, request: &Request) -> Result<Written, Unsupported> {
    let mut losses = Losses::new();
    if !request.stop.is_empty() {
        let why = "OpenAI's Responses know no texts that end an answer; leave them out";
        return Err(Unsupported::new("a text that ends the answer", why));
    }
    let (instructions, turns) = instructions(&request.turns)?;
    let instructions = match (host, instructions) {
        (Host::ChatGpt, None) => Some(String::new()),
        (_, instructions) => instructions,
    };
    let tools = tool::tools(&request.tools, &mut losses);
    let limits = limits(host, request, &mut losses);
    let thinks = host == Host::ChatGpt
        || request.reasoning.as_ref().is_some_and(|it| it.effort != Some(Effort::None));
    let body = Body {
        model: &request.model,
        instructions,
        input: item::items(turns, &mut losses)?,
        tool_choice: tool_choice(request, &tools)?,
        parallel_tool_calls: request.parallel_tools.filter(|_| !tools.is_empty()),
        tools,
        limits,
        reasoning: request.reasoning.as_ref().map(|wish| Reasoning {
            effort: effort_word(wish, &mut losses),
            summary: wish.shown.then_some("auto"),
        }),
        text: Text::of(request),
        include: if thinks { &[SEALED_THOUGHTS] } else { &[] },
        prompt_cache_key: request.cache_key.as_deref(),
        service_tier: tier(host, request, &mut losses),
        store: false,
        stream: request.streamed || host == Host::ChatGpt,
    };
    let sampling = &request.sampling;
    for (is_lost, loss) in [
        (sampling.top_k.is_some(), Loss::TopK),
        (sampling.seed.is_some(), Loss::Seed),
        (sampling.presence_penalty.is_some(), Loss::Penalties),
        (sampling.frequency_penalty.is_some(), Loss::Penalties),
    ] {
        if is_lost {
            losses.insert(loss);
        }
    }
    Ok(Written { body: json_bytes(&body), losses })
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<String>,
    input: Vec<Item<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<WrittenTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<ToolChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(flatten)]
    limits: Limits<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<Reasoning>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Text<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    include: &'static [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
    store: bool,
    stream: bool,
}

/// What the service of ChatGPT takes none of.
#[derive(Default, Serialize)]
struct Limits<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    safety_identifier: Option<&'a str>,
}

#[derive(Serialize)]
struct Reasoning {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'static str>,
}

#[derive(Serialize)]
struct Text<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Format<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verbosity: Option<&'a str>,
}

impl<'a> Text<'a> {
    fn of(request: &'a Request) -> Option<Self> {
        let (format, verbosity) = (tool::format(&request.format), request.verbosity.as_deref());
        (format.is_some() || verbosity.is_some()).then_some(Self { format, verbosity })
    }
}

fn limits<'a>(host: Host, request: &'a Request, losses: &mut Losses) -> Limits<'a> {
    let user = request.user.as_deref();
    let is_long = |user: &str| user.chars().count() > USER_CHARS_MAX;
    let (sampling, output_max) = (&request.sampling, request.output_max);
    if user.is_some_and(|user| host == Host::ChatGpt || is_long(user)) {
        losses.insert(Loss::User);
    }
    if output_max.is_some_and(|most| host == Host::ChatGpt || most < OUTPUT_TOKENS_MIN) {
        losses.insert(Loss::OutputLimit);
    }
    if host == Host::ChatGpt {
        if sampling.temperature.is_some() || sampling.top_p.is_some() {
            losses.insert(Loss::Sampling);
        }
        return Limits::default();
    }
    Limits {
        max_output_tokens: output_max.map(|most| most.max(OUTPUT_TOKENS_MIN)),
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        safety_identifier: user.filter(|user| !is_long(user)),
    }
}

/// The tier, if there is one of that name.
fn tier<'a>(host: Host, request: &'a Request, losses: &mut Losses) -> Option<&'a str> {
    let tier = service_tier(request, losses)?;
    if host == Host::ChatGpt && !matches!(tier, "priority" | "flex") {
        losses.insert(Loss::ServiceTier);
        return None;
    }
    Some(tier)
}

/// The instructions that a conversation begins with, and what follows them.
fn instructions(turns: &[Turn]) -> Result<(Option<String>, &[Turn]), Unsupported> {
    let first_other = turns.iter().position(|turn| turn.role != Role::System);
    let (system, others) = turns.split_at(first_other.unwrap_or(turns.len()));
    let mut texts = Vec::new();
    for block in system.iter().flat_map(|turn| &turn.blocks) {
        let Block::Text { text, .. } = block else {
            return Err(Unsupported::new("what is no text in instructions", "they are words"));
        };
        texts.push(text.as_str());
    }
    Ok(((!texts.is_empty()).then(|| texts.join("\n\n")), others))
}

/// The choice of tools, which may only be there if tools are.
fn tool_choice<'a>(
    request: &'a Request,
    tools: &[WrittenTool<'_>],
) -> Result<Option<ToolChoice<'a>>, Unsupported> {
    match &request.choice {
        Choice::Auto => Ok(None),
        Choice::None => Ok((!tools.is_empty()).then_some(ToolChoice::Word("none"))),
        Choice::Required if tools.is_empty() => {
            let why = "no tool is left that this model can be given";
            Err(Unsupported::new("that a tool is called", why))
        }
        Choice::Required => Ok(Some(ToolChoice::Word("required"))),
        Choice::Named(name) => {
            let kind = request.tools.iter().find_map(|tool| match tool {
                Tool::Function { name: it, .. } if it == name => Some("function"),
                Tool::Text { name: it, .. } if it == name => Some("custom"),
                _ => None,
            });
            let why = "the tool is not among those that this model can be given";
            let kind = kind
                .ok_or_else(|| Unsupported::new(format!("the choice of the tool `{name}`"), why))?;
            Ok(Some(ToolChoice::Named { kind, name }))
        }
    }
}
