//! Reads a client's request.

use serde_json::Value;

use self::item::Conversation;
use self::tool::Tools;
use super::super::{Echo, Wishes};
use crate::chat::request::{is_nothing, no_more, object_of, refuse};
use crate::hub::{
    Block, DecodeError, Fields, Loss, Losses, NotStored, Request, Role, Turn, Unsupported,
};

mod hosted;
mod item;
mod options;
mod part;
mod tool;

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

/// Reads the body of a request to `/responses`, or a `response.create` of its socket.
pub(super) fn read(body: &[u8]) -> Result<Read, DecodeError> {
    let body = object_of(body)?;
    let echo = Echo::of(&body);
    let mut fields = Fields::of(body, "")?;
    refuse_what_is_stored(&mut fields)?;
    refuse_what_no_other_has(&mut fields)?;
    let (mut request, mut losses) = (Request::default(), Losses::new());
    request.model = fields.need_text("model")?;
    request.streamed = fields.flag("stream")?.unwrap_or_default();

    let mut tools = Tools::default();
    for (number, tool) in fields.list("tools")?.into_iter().enumerate() {
        tools.add(tool, &format!("tools[{number}]"), None, &mut losses)?;
    }
    request.turns = turns(&mut fields, &mut tools, &mut losses)?;
    request.choice = tool::choice(&mut fields, &mut tools)?;
    let (list, names) = tools.into_parts();
    request.tools = list;
    options::read(&mut fields, &mut request, &mut losses)?;
    what_is_let_go(&mut fields, &mut losses)?;
    no_more(&fields)?;
    Ok(Read { request, losses, wishes: Wishes { echo, names } })
}

fn turns(
    fields: &mut Fields,
    tools: &mut Tools,
    losses: &mut Losses,
) -> Result<Vec<Turn>, DecodeError> {
    let instructions = fields.text("instructions")?.filter(|text| !text.is_empty());
    let turn = |role, text| Turn { role, blocks: vec![Block::text(text)] };
    let mut turns: Vec<Turn> =
        instructions.map(|text| turn(Role::System, text)).into_iter().collect();
    match fields.take("input") {
        Some(Value::String(text)) if !text.is_empty() => turns.push(turn(Role::User, text)),
        Some(Value::Array(items)) => {
            let mut conversation = Conversation::new(turns, tools, losses);
            for (number, item) in items.into_iter().enumerate() {
                conversation.add(Fields::of(item, format!("input[{number}]"))?)?;
            }
            turns = conversation.into_turns();
        }
        None => return Err(fields.wrong("input", "is missing").into()),
        Some(Value::String(_)) => {}
        Some(_) => return Err(fields.wrong("input", "has to be a string or a list").into()),
    }
    if turns.is_empty() {
        return Err(fields.wrong("input", "has to say something").into());
    }
    Ok(turns)
}

/// Refuses what only the provider that stored it can look up.
fn refuse_what_is_stored(fields: &mut Fields) -> Result<(), DecodeError> {
    if let Some(id) = fields.text("previous_response_id")? {
        return Err(NotStored {
            message: format!("Previous response with id '{id}' not found."),
            param: "previous_response_id".to_owned(),
            code: Some("previous_response_not_found"),
        }
        .into());
    }
    if fields.take("conversation").is_some() {
        return Err(NotStored {
            message: "Conversation not found: the relay stores none.".to_owned(),
            param: "conversation".to_owned(),
            code: Some("conversation_not_found"),
        }
        .into());
    }
    Ok(refuse(fields, "prompt", "prompts that are stored with a provider are not read")?)
}

fn refuse_what_no_other_has(fields: &mut Fields) -> Result<(), DecodeError> {
    refuse(fields, "top_logprobs", "providers of other protocols do not weigh single tokens")?;
    refuse(fields, "background", "answers are given at once; nothing is stored")?;
    if fields.flag("generate")? == Some(false) {
        let why = "a warm-up is answered without a model";
        return Err(Unsupported::new("generate", why).into());
    }
    if let Some(mut options) = fields.object("stream_options")? {
        // Padding against eavesdroppers is of the connection, which is the relay's own.
        options.flag("include_obfuscation")?;
        no_more(&options)?;
    }
    match fields.text("type")?.as_deref() {
        None | Some("response.create") => Ok(()),
        Some(_) => Err(fields.wrong("type", "has to be response.create").into()),
    }
}

/// What changes nothing of the answer but what is kept beside it.
fn what_is_let_go(fields: &mut Fields, losses: &mut Losses) -> Result<(), DecodeError> {
    for field in ["prompt_cache_retention", "prompt_cache_options"] {
        if fields.take(field).is_some() {
            losses.insert(Loss::CacheMarks);
        }
    }
    if fields.flag("store")?.unwrap_or_default() {
        losses.insert(Loss::Storage);
    }
    for field in ["metadata", "client_metadata"] {
        if fields.take(field).is_some_and(|notes| !is_nothing(&notes)) {
            losses.insert(Loss::Metadata);
        }
    }
    if fields.text("truncation")?.is_some_and(|how| how != "disabled")
        || fields.take("context_management").is_some_and(|edits| !is_nothing(&edits))
    {
        losses.insert(Loss::ContextEdits);
    }
    // Of calls of the provider's own tools.
    if fields.count("max_tool_calls")?.is_some() {
        losses.insert(Loss::HostedTools);
    }
    Ok(())
}
