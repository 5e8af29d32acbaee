//! Writes the turns of a conversation as messages.

use std::borrow::Cow;

use relay_core::protocol::Protocol;
use serde::Serialize;
use twox_hash::XxHash3_128;

use crate::hub::{
    Block, Document, Image, Input, Loss, Losses, Role, Source, ToolCall, ToolResult, Turn,
    Unsupported,
};

/// The longest id of a call that OpenAI takes, in characters.
const CALL_ID_CHARS_MAX: usize = 40;

/// A message.
#[derive(Default, Serialize)]
pub(super) struct Message<'a> {
    role: &'static str,
    content: Content<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<Cow<'a, str>>,
}

/// What a message says. A lone text is written as such: some hosts take no lists.
#[derive(Default, Serialize)]
#[serde(untagged)]
enum Content<'a> {
    #[default]
    Nothing,
    Text(Cow<'a, str>),
    Parts(Vec<Part<'a>>),
}

impl<'a> Content<'a> {
    fn of(mut parts: Vec<Part<'a>>) -> Self {
        match parts.pop() {
            None => Self::Nothing,
            Some(Part::Text { text }) if parts.is_empty() => Self::Text(text),
            Some(last) => {
                parts.push(last);
                Self::Parts(parts)
            }
        }
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part<'a> {
    Text { text: Cow<'a, str> },
    Refusal { refusal: &'a str },
    ImageUrl { image_url: ImageUrl<'a> },
    File { file: File<'a> },
}

#[derive(Serialize)]
struct ImageUrl<'a> {
    url: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

#[derive(Serialize)]
struct File<'a> {
    #[serde(rename = "filename", skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(rename = "file_data", skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    #[serde(rename = "file_id", skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
}

#[derive(Serialize)]
struct Call<'a> {
    id: Cow<'a, str>,
    #[serde(flatten)]
    what: CallKind<'a>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum CallKind<'a> {
    Function { function: Called<'a> },
    Custom { custom: CalledCustom<'a> },
}

#[derive(Serialize)]
struct Called<'a> {
    name: &'a str,
    arguments: &'a str,
}

#[derive(Serialize)]
struct CalledCustom<'a> {
    name: &'a str,
    input: &'a str,
}

/// The messages of a conversation.
pub(super) fn messages<'a>(
    turns: &'a [Turn],
    losses: &mut Losses,
) -> Result<Vec<Message<'a>>, Unsupported> {
    let mut messages = Vec::with_capacity(turns.len());
    for turn in turns {
        match turn.role {
            Role::System => messages.extend(instructions("system", &turn.blocks)?),
            Role::Developer => messages.extend(instructions("developer", &turn.blocks)?),
            Role::User => user(&turn.blocks, &mut messages, losses)?,
            Role::Assistant => messages.extend(answer(&turn.blocks, losses)?),
        }
    }
    Ok(messages)
}

fn instructions<'a>(
    role: &'static str,
    blocks: &'a [Block],
) -> Result<Option<Message<'a>>, Unsupported> {
    let mut parts = Vec::with_capacity(blocks.len());
    for block in blocks {
        let Block::Text { text, .. } = block else {
            return Err(Unsupported::new("what is no text in instructions", "they are words"));
        };
        parts.push(Part::Text { text: Cow::Borrowed(text) });
    }
    Ok(said(role, parts))
}

fn said<'a>(role: &'static str, parts: Vec<Part<'a>>) -> Option<Message<'a>> {
    let content = Content::of(parts);
    (!matches!(content, Content::Nothing)).then(|| Message { role, content, ..Message::default() })
}

/// Writes a turn of the user. What tools gave comes first, since it has to follow their calls.
fn user<'a>(
    blocks: &'a [Block],
    messages: &mut Vec<Message<'a>>,
    losses: &mut Losses,
) -> Result<(), Unsupported> {
    let (mut moved, mut parts) = (Vec::new(), Vec::with_capacity(blocks.len()));
    for block in blocks {
        match block {
            Block::ToolResult(result) => messages.push(self::result(result, &mut moved, losses)?),
            Block::ToolCall(_) => {
                let why = "only the model calls tools";
                return Err(Unsupported::new("a call of a tool by the user", why));
            }
            block => parts.extend(part(block, losses)?),
        }
    }
    moved.append(&mut parts);
    messages.extend(said("user", moved));
    Ok(())
}

/// Writes what a tool gave. Pictures and files have no place there; they go to `moved`.
fn result<'a>(
    result: &'a ToolResult,
    moved: &mut Vec<Part<'a>>,
    losses: &mut Losses,
) -> Result<Message<'a>, Unsupported> {
    let (mut texts, mut others) = (Vec::new(), Vec::new());
    for block in &result.content {
        match part(block, losses)? {
            Some(text @ Part::Text { .. }) => texts.push(text),
            Some(other) => others.push(other),
            None => {}
        }
    }
    if result.is_error {
        losses.insert(Loss::ToolFailureAsWords);
        match texts.first_mut() {
            Some(Part::Text { text }) => *text = Cow::Owned(format!("The tool failed:\n{text}")),
            _ => texts.push(Part::Text { text: Cow::Borrowed("The tool failed.") }),
        }
    }
    let id = call_id(&result.id);
    if !others.is_empty() {
        losses.insert(Loss::ToolPicturesMoved);
        if texts.is_empty() {
            texts.push(Part::Text { text: Cow::Borrowed("What it gave follows.") });
        }
        let text = Cow::Owned(format!("What the tool gave for the call {id}:"));
        moved.push(Part::Text { text });
        moved.append(&mut others);
    }
    let content = match Content::of(texts) {
        Content::Nothing => Content::Text(Cow::Borrowed("")),
        content => content,
    };
    Ok(Message { role: "tool", content, tool_call_id: Some(id), ..Message::default() })
}

fn answer<'a>(
    blocks: &'a [Block],
    losses: &mut Losses,
) -> Result<Option<Message<'a>>, Unsupported> {
    let (mut parts, mut tool_calls) = (Vec::new(), Vec::new());
    for block in blocks {
        match block {
            Block::ToolCall(it) => tool_calls.push(call(it, losses)),
            Block::Refusal(refusal) => parts.push(Part::Refusal { refusal }),
            Block::Image(_) | Block::Document(_) | Block::ToolResult(_) => {
                let why = "it has calls of tools and words";
                return Err(Unsupported::new("a picture or a file in an earlier answer", why));
            }
            block => parts.extend(part(block, losses)?),
        }
    }
    let content = Content::of(parts);
    let is_empty = matches!(content, Content::Nothing) && tool_calls.is_empty();
    let message = Message { role: "assistant", content, tool_calls, ..Message::default() };
    Ok((!is_empty).then_some(message))
}

fn call<'a>(call: &'a ToolCall, losses: &mut Losses) -> Call<'a> {
    if call.seal.is_some() {
        losses.insert(Loss::Seals);
    }
    let name = &call.name;
    let what = match &call.input {
        Input::Arguments(arguments) => {
            // They have to be JSON, and some providers write nothing where there are none.
            let arguments = if arguments.is_empty() { "{}" } else { arguments };
            CallKind::Function { function: Called { name, arguments } }
        }
        Input::Text(input) => CallKind::Custom { custom: CalledCustom { name, input } },
    };
    Call { id: call_id(&call.id), what }
}

/// An id that OpenAI takes: a longer one is told by its hash, with its calls and its results alike.
fn call_id(id: &str) -> Cow<'_, str> {
    if id.chars().count() <= CALL_ID_CHARS_MAX {
        return Cow::Borrowed(id);
    }
    Cow::Owned(format!("call_{:032x}", XxHash3_128::oneshot(id.as_bytes())))
}

/// Writes a block as a part; `None` for one that is left out.
fn part<'a>(block: &'a Block, losses: &mut Losses) -> Result<Option<Part<'a>>, Unsupported> {
    Ok(Some(match block {
        Block::Text { text, citations } => {
            if !citations.is_empty() {
                losses.insert(Loss::Citations);
            }
            Part::Text { text: Cow::Borrowed(text) }
        }
        Block::Refusal(text) => {
            losses.insert(Loss::RefusalsAsText);
            Part::Text { text: Cow::Borrowed(text) }
        }
        Block::Thinking { text, seal } => {
            if seal.is_some() {
                losses.insert(Loss::Seals);
            }
            if !text.is_empty() {
                losses.insert(Loss::EarlierThoughts);
            }
            return Ok(None);
        }
        Block::Image(image) => Part::ImageUrl { image_url: self::image(image)? },
        Block::Document(document) => self::document(document, losses)?,
        Block::ToolCall(_) | Block::ToolResult(_) => {
            return Err(Unsupported::new("what tools gave within what a tool gave", "it is words"));
        }
    }))
}

fn image(image: &Image) -> Result<ImageUrl<'_>, Unsupported> {
    let url = match &image.source {
        Source::Data { media_type, base64 } => Cow::Owned(data_url(media_type, base64)),
        Source::Url(url) => Cow::Borrowed(url.as_str()),
        Source::Text(_) | Source::Stored { .. } => {
            let why = "send its bytes or its address; the store of another provider is not read";
            return Err(Unsupported::new("a picture that is stored with a provider", why));
        }
    };
    Ok(ImageUrl { url, detail: image.detail.as_deref() })
}

fn document<'a>(document: &'a Document, losses: &mut Losses) -> Result<Part<'a>, Unsupported> {
    if document.cited {
        losses.insert(Loss::Citations);
    }
    let name = document.name.as_deref();
    let file = match &document.source {
        Source::Text(text) => {
            let named = |name| Cow::Owned(format!("{name}:\n\n{text}"));
            return Ok(Part::Text { text: name.map_or(Cow::Borrowed(text.as_str()), named) });
        }
        Source::Data { media_type, base64 } => {
            let data = Some(data_url(media_type, base64));
            // A file that comes with its bytes has to have a name.
            File { name: Some(name.unwrap_or("document")), data, id: None }
        }
        Source::Stored { by: Protocol::Chat | Protocol::Responses, id } => {
            if name.is_some() {
                losses.insert(Loss::StoredName);
            }
            File { name: None, data: None, id: Some(id) }
        }
        Source::Url(_) | Source::Stored { .. } => {
            let why = "send its bytes; files behind an address or in another's store are not read";
            return Err(Unsupported::new("a document that is elsewhere", why));
        }
    };
    Ok(Part::File { file })
}

fn data_url(media_type: &str, base64: &str) -> String {
    format!("data:{media_type};base64,{base64}")
}
