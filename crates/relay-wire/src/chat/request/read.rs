//! Reads a client's request.

use serde_json::Value;

use self::message::Conversation;
use super::super::{Form, Wishes};
use crate::hub::{
    DecodeError, Effort, Fields, Format, Json, Loss, Losses, Malformed, Reasoning, Request,
    Unsupported,
};

mod message;
mod part;
mod prompt;
mod tool;

pub(crate) use self::part::{cache_mark, has_scheme, is_pdf, source};
pub(super) use self::prompt::read_prompt;
pub(crate) use self::tool::parameters;

/// A request, as it was understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// What is asked for.
    pub request: Request,
    /// What of it no account will be told.
    pub losses: Losses,
    /// The form of the answer.
    pub wishes: Wishes,
}

/// Reads the body of a request to `/chat/completions`.
pub(super) fn read(body: &[u8]) -> Result<Read, DecodeError> {
    let mut fields = fields_of(body)?;
    let mut read = shared(&mut fields)?;
    refuse_what_no_other_has(&mut fields)?;
    conversation(&mut fields, &mut read)?;
    tool::read(&mut fields, &mut read)?;

    let Read { request, losses, .. } = &mut read;
    request.output_max = match fields.count("max_completion_tokens")? {
        // The older name is for hosts that do not know the newer one.
        Some(tokens) => fields.take("max_tokens").map_or(Some(tokens), |_| Some(tokens)),
        None => fields.count("max_tokens")?,
    };
    request.sampling.top_k = fields.count("top_k")?;
    request.reasoning = reasoning(&mut fields)?;
    request.format = format(&mut fields)?;
    request.verbosity = fields.text("verbosity")?;
    request.cache_key = fields.text("prompt_cache_key")?;
    request.service_tier = fields.text("service_tier")?;
    for field in ["prompt_cache_retention", "prompt_cache_options"] {
        if fields.take(field).is_some() {
            losses.insert(Loss::CacheMarks);
        }
    }
    if fields.flag("store")?.unwrap_or_default() {
        losses.insert(Loss::Storage);
    }
    if fields.take("metadata").is_some_and(|notes| !is_nothing(&notes)) {
        losses.insert(Loss::Metadata);
    }
    no_more(&fields)?;
    Ok(read)
}

fn conversation(fields: &mut Fields, read: &mut Read) -> Result<(), DecodeError> {
    let messages = fields.list("messages")?;
    if messages.is_empty() {
        return Err(fields.wrong("messages", "has to have at least one message").into());
    }
    let mut conversation = Conversation::new(&mut read.losses);
    for (number, message) in messages.into_iter().enumerate() {
        conversation.add(Fields::of(message, format!("messages[{number}]"))?)?;
    }
    read.request.turns = conversation.into_turns();
    if read.request.turns.is_empty() {
        return Err(fields.wrong("messages", "has to say something").into());
    }
    Ok(())
}

/// Reads what `/chat/completions` and `/completions` have in common.
fn shared(fields: &mut Fields) -> Result<Read, DecodeError> {
    let (mut request, mut losses) = (Request::default(), Losses::new());
    request.model = fields.need_text("model")?;
    request.streamed = fields.flag("stream")?.unwrap_or_default();
    request.stop = stop(fields)?;
    request.sampling.temperature = fields.number("temperature")?;
    request.sampling.top_p = fields.number("top_p")?;
    request.sampling.presence_penalty = fields.number("presence_penalty")?;
    request.sampling.frequency_penalty = fields.number("frequency_penalty")?;
    request.sampling.seed = match fields.take("seed") {
        Some(seed) => {
            let wrong = || fields.wrong("seed", "has to be a whole number");
            Some(seed.as_i64().ok_or_else(wrong)?)
        }
        None => None,
    };
    request.user = match (fields.text("safety_identifier")?, fields.text("user")?) {
        (Some(newer), Some(older)) => {
            if newer != older {
                losses.insert(Loss::User);
            }
            Some(newer)
        }
        (newer, older) => newer.or(older),
    };
    one_answer(fields, "n")?;
    for field in ["logit_bias", "logprobs"] {
        refuse(fields, field, "providers of other protocols do not weigh single tokens")?;
    }
    let wishes = Wishes { include_usage: include_usage(fields)?, form: Form::Chat };
    Ok(Read { request, losses, wishes })
}

fn include_usage(fields: &mut Fields) -> Result<bool, DecodeError> {
    let Some(mut options) = fields.object("stream_options")? else { return Ok(false) };
    let include_usage = options.flag("include_usage")?.unwrap_or_default();
    // Padding against eavesdroppers is of the connection, which is the relay's own.
    options.flag("include_obfuscation")?;
    no_more(&options)?;
    Ok(include_usage)
}

fn stop(fields: &mut Fields) -> Result<Vec<String>, Malformed> {
    let what = "has to be a string or a list of strings";
    match fields.take("stop") {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![text]),
        Some(Value::Array(texts)) => texts
            .into_iter()
            .map(|text| match text {
                Value::String(text) => Ok(text),
                _ => Err(fields.wrong("stop", what)),
            })
            .collect(),
        Some(_) => Err(fields.wrong("stop", what)),
    }
}

fn refuse_what_no_other_has(fields: &mut Fields) -> Result<(), DecodeError> {
    refuse(fields, "top_logprobs", "providers of other protocols do not weigh single tokens")?;
    refuse(fields, "audio", "answers are text")?;
    refuse(fields, "prediction", "providers of other protocols take no predictions")?;
    refuse(fields, "moderation", "providers of other protocols do not report on it")?;
    for mode in fields.list("modalities")? {
        if mode != "text" {
            return Err(Unsupported::new("modalities", "answers are text").into());
        }
    }
    Ok(())
}

fn reasoning(fields: &mut Fields) -> Result<Option<Reasoning>, DecodeError> {
    let effort = match fields.text("reasoning_effort")? {
        Some(word) => Some(effort(&word).ok_or_else(|| {
            let words = "has to be none, minimal, low, medium, high or xhigh";
            fields.wrong("reasoning_effort", words)
        })?),
        None => None,
    };
    let thinking = thinking(fields)?;
    let reasoning = match (effort, thinking) {
        (None, None) => return Ok(None),
        (effort, Some(thinking)) => Reasoning { effort: effort.or(thinking.effort), ..thinking },
        // Who asks for thought in Chat has no way to say whether to see it; a client that does not
        // know `reasoning_content` passes over it.
        (effort, None) => Reasoning { effort, budget: None, shown: effort != Some(Effort::None) },
    };
    Ok(Some(reasoning))
}

const fn effort_words() -> [(&'static str, Effort); 7] {
    [
        ("none", Effort::None),
        ("minimal", Effort::Minimal),
        ("low", Effort::Low),
        ("medium", Effort::Medium),
        ("high", Effort::High),
        ("xhigh", Effort::Max),
        ("max", Effort::Max),
    ]
}

pub(crate) fn effort(word: &str) -> Option<Effort> {
    effort_words().into_iter().find(|(known, _)| *known == word).map(|(_, effort)| effort)
}

/// Reads `thinking`, which is Anthropic's and which clients of its models add to Chat too.
fn thinking(fields: &mut Fields) -> Result<Option<Reasoning>, DecodeError> {
    let Some(mut thinking) = fields.object("thinking")? else { return Ok(None) };
    let kind = thinking.need_text("type")?;
    let budget = thinking.count("budget_tokens")?;
    let shown = thinking.text("display")?.is_none_or(|display| display != "omitted");
    no_more(&thinking)?;
    match kind.as_str() {
        "enabled" | "adaptive" => Ok(Some(Reasoning { effort: None, budget, shown })),
        "disabled" => Ok(Some(Reasoning { effort: Some(Effort::None), ..Reasoning::default() })),
        _ => Err(thinking.wrong("type", "has to be enabled, adaptive or disabled").into()),
    }
}

fn format(fields: &mut Fields) -> Result<Format, DecodeError> {
    let Some(mut format) = fields.object("response_format")? else { return Ok(Format::Text) };
    let kind = format.need_text("type")?;
    let format_read = match kind.as_str() {
        "text" => Format::Text,
        "json_object" => Format::JsonObject,
        "json_schema" => {
            let mut schema = format.object("json_schema")?;
            let schema =
                schema.as_mut().ok_or_else(|| format.wrong("json_schema", "is missing"))?;
            let read = Format::JsonSchema {
                name: schema.need_text("name")?,
                description: schema.text("description")?,
                schema: json(
                    &schema.take("schema").unwrap_or_else(|| Value::Object(<_>::default())),
                ),
                strict: schema.flag("strict")?,
            };
            no_more(schema)?;
            read
        }
        _ => {
            let what = format!("response_format.type `{kind}`");
            return Err(Unsupported::new(what, "answers are text or JSON").into());
        }
    };
    no_more(&format)?;
    Ok(format_read)
}

/// The fields of a body.
fn fields_of(body: &[u8]) -> Result<Fields, Malformed> {
    Fields::of(object_of(body)?, "")
}

/// A body, which has to be an object.
pub(crate) fn object_of(body: &[u8]) -> Result<Value, Malformed> {
    let value: Value = serde_json::from_slice(body).map_err(|error| Malformed {
        path: "body".to_owned(),
        what: format!("is not valid JSON: {error}"),
    })?;
    if !value.is_object() {
        let what = "has to be an object".to_owned();
        return Err(Malformed { path: "body".to_owned(), what });
    }
    Ok(value)
}

/// Refuses fields that nobody has taken.
pub(crate) fn no_more(fields: &Fields) -> Result<(), Unsupported> {
    match fields.left().next() {
        None => Ok(()),
        Some(field) => {
            let why = "the relay does not know this field; leave it out";
            Err(Unsupported::new(fields.path_of(field), why))
        }
    }
}

/// Refuses a field unless it says nothing.
pub(crate) fn refuse(
    fields: &mut Fields,
    field: &str,
    why: &'static str,
) -> Result<(), Unsupported> {
    match fields.take(field) {
        Some(value) if !is_nothing(&value) => Err(Unsupported::new(fields.path_of(field), why)),
        _ => Ok(()),
    }
}

/// Refuses more than one answer at a time.
fn one_answer(fields: &mut Fields, field: &str) -> Result<(), DecodeError> {
    if fields.count(field)?.is_some_and(|answers| answers > 1) {
        return Err(Unsupported::new(field, "one answer is given at a time").into());
    }
    Ok(())
}

/// Whether a value stands for nothing, as clients write it that fill in every field.
pub(crate) fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

/// A value as a piece of JSON.
pub(crate) fn json(value: &Value) -> Json {
    Json::new(serde_json::value::to_raw_value(value).expect("a value of JSON is JSON"))
}
