//! Reads what a client of Messages asks for; bodies of `count_tokens` too.

mod blocks;
mod hosted;
mod reasoning;
mod sources;
mod tools;

use serde_json::Value;

use self::blocks::Blocks;
use super::raw::{Body, Content, Message};
use super::{Read, Wishes};
use crate::hub::{
    DecodeError, Fields, Json, Loss, Losses, Malformed, Request, Role, Sampling, Turn, Unsupported,
};

/// Why a field is refused that nobody knows.
const UNKNOWN: &str = "the relay does not know it";

/// Reads a request.
pub(super) fn read(body: &[u8]) -> Result<Read, DecodeError> {
    let wrong =
        |error: serde_json::Error| Malformed { path: "body".to_owned(), what: error.to_string() };
    let Body { messages, tools, fields } = serde_json::from_slice(body).map_err(wrong)?;
    let mut fields = Fields::of(Value::Object(fields), "")?;
    if messages.is_empty() {
        return Err(fields.wrong("messages", "has to hold a message at least").into());
    }
    let mut losses = Losses::new();

    let mut turns: Vec<Turn> = system(&mut fields, &mut losses)?.into_iter().collect();
    for (number, message) in messages.into_iter().enumerate() {
        turns.push(turn(message, &format!("messages[{number}]"), &mut losses)?);
    }
    if turns.iter().all(|turn| turn.blocks.is_empty()) {
        return Err(fields.wrong("messages", "has to say something").into());
    }
    let (choice, parallel_tools) = tools::choice(&mut fields)?;
    let (reasoning, format, thoughts) = reasoning::reasoning(&mut fields, &mut losses)?;
    let request = Request {
        model: fields.need_text("model")?,
        turns,
        tools: tools::tools(tools, &mut losses)?,
        choice,
        parallel_tools,
        output_max: fields.count("max_tokens")?,
        sampling: Sampling {
            temperature: fields.number("temperature")?,
            top_p: fields.number("top_p")?,
            top_k: fields.count("top_k")?,
            ..Sampling::default()
        },
        stop: texts(&mut fields, "stop_sequences")?,
        reasoning,
        format,
        verbosity: None,
        user: user(&mut fields)?,
        cache_key: None,
        service_tier: service_tier(&mut fields, &mut losses)?,
        streamed: fields.flag("stream")?.unwrap_or_default(),
    };
    left_over(&mut fields, &mut losses)?;
    Ok(Read { request, losses, wishes: Wishes { thoughts } })
}

/// Fields that change what the provider does beside answering, and those that nobody knows.
fn left_over(fields: &mut Fields, losses: &mut Losses) -> Result<(), DecodeError> {
    for (field, loss) in [
        ("cache_control", Loss::CacheMarks),
        ("context_management", Loss::ContextEdits),
        ("diagnostics", Loss::Metadata),
        ("betas", Loss::Metadata),
        ("anthropic_beta", Loss::Metadata),
        ("anthropic_version", Loss::Metadata),
    ] {
        if fields.take(field).is_some() {
            losses.insert(loss);
        }
    }
    for (field, why) in [
        ("container", "containers live at Anthropic alone"),
        ("inference_geo", "where another provider computes cannot be asked for"),
    ] {
        if fields.take(field).is_some() {
            return Err(Unsupported::new(field, why).into());
        }
    }
    if !fields.list("mcp_servers")?.is_empty() {
        return Err(Unsupported::new("mcp_servers", "no other provider calls them").into());
    }
    all_taken(fields)
}

/// The instructions at the top, as the first turn.
fn system(fields: &mut Fields, losses: &mut Losses) -> Result<Option<Turn>, DecodeError> {
    let Some(system) = fields.take("system") else { return Ok(None) };
    let blocks = Blocks { role: Role::System, losses }.of_value(system, "system")?;
    Ok(Some(Turn { role: Role::System, blocks }))
}

fn turn(message: Message, path: &str, losses: &mut Losses) -> Result<Turn, DecodeError> {
    let Message { content, fields } = message;
    let mut fields = Fields::of(Value::Object(fields), path)?;
    let role = match fields.need_text("role")?.as_str() {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        // Claude Code gives instructions in the middle of a conversation.
        "system" => Role::System,
        _ => return Err(fields.wrong("role", "has to be user, assistant or system").into()),
    };
    if matches!(content, Content::Missing) {
        return Err(fields.wrong("content", "is missing").into());
    }
    let blocks = Blocks { role, losses }.of(content, &fields.path_of("content"))?;
    all_taken(&fields)?;
    Ok(Turn { role, blocks })
}

fn user(fields: &mut Fields) -> Result<Option<String>, DecodeError> {
    let Some(mut metadata) = fields.object("metadata")? else { return Ok(None) };
    let user = metadata.text("user_id")?;
    all_taken(&metadata)?;
    Ok(user)
}

/// The tier, in the hub's words, which are OpenAI's.
fn service_tier(fields: &mut Fields, losses: &mut Losses) -> Result<Option<String>, DecodeError> {
    match fields.text("speed")?.as_deref() {
        None | Some("standard") => {}
        Some(_) => _ = losses.insert(Loss::ServiceTier),
    }
    let tier = fields.text("service_tier")?;
    Ok(tier.map(|tier| if tier == "standard_only" { "default".to_owned() } else { tier }))
}

/// A list of texts.
fn texts(fields: &mut Fields, field: &str) -> Result<Vec<String>, DecodeError> {
    let path = fields.path_of(field);
    let text = |value: Value| match value {
        Value::String(text) => Ok(text),
        _ => Err(Malformed { path: path.clone(), what: "has to be a list of strings".to_owned() }),
    };
    Ok(fields.list(field)?.into_iter().map(text).collect::<Result<_, _>>()?)
}

/// Refuses what is left of an object.
fn all_taken(fields: &Fields) -> Result<(), DecodeError> {
    match fields.left().next() {
        Some(field) => Err(Unsupported::new(fields.path_of(field), UNKNOWN).into()),
        None => Ok(()),
    }
}

/// Takes a mark of what is to be cached.
fn cache_mark(fields: &mut Fields, losses: &mut Losses) {
    if fields.take("cache_control").is_some() {
        losses.insert(Loss::CacheMarks);
    }
}

/// A value as JSON of its own.
fn json(value: &Value) -> Json {
    Json::new(serde_json::value::to_raw_value(value).expect("names are strings, numbers finite"))
}
