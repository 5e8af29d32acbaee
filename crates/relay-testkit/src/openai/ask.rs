//! What requests in OpenAI's protocols ask for, and what their input counts.

use relay_core::usage::TokenUsage;
use serde_json::{Value, json};

use crate::anthropic::ask::{Ask, IMAGE_TOKENS, list};
use crate::anthropic::tokens;
use crate::directive;
use crate::format::Format;

/// The cache keeps input in steps of so many tokens.
const CACHE_STEP: u64 = 128;

/// Reads a request's body; an error says what is wrong with it.
pub(crate) fn read(format: Format, body: &[u8]) -> Result<Ask, &'static str> {
    let body: Value = serde_json::from_slice(body)
        .map_err(|_| "We could not parse the JSON body of your request.")?;
    let model = body["model"].as_str().ok_or("you must provide a model parameter")?;
    let mut ask = match format {
        Format::Chat => chat(&body)?,
        Format::Responses { .. } | Format::Compact { .. } | Format::CountInput => responses(&body)?,
        Format::Embeddings => plain(&body["input"])?,
        _ => plain(&body["prompt"])?,
    };
    let may_stream =
        matches!(format, Format::Chat | Format::Completions | Format::Responses { .. });
    ask.format = format;
    ask.stream = may_stream && body["stream"] == true;
    model.clone_into(&mut ask.model);
    ask.include_usage = body["stream_options"]["include_usage"] == true;
    ask.base64 = body["encoding_format"] == "base64";
    ask.wanted = body["n"].as_u64().unwrap_or(1);
    if matches!(format, Format::Embeddings) {
        ask.wanted = body["input"].as_array().map_or(1, |texts| texts.len() as u64);
    }
    Ok(ask)
}

/// One prompt or several, without turns.
fn plain(prompt: &Value) -> Result<Ask, &'static str> {
    let text = match prompt {
        Value::String(text) => text.clone(),
        Value::Array(texts) => {
            texts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
        }
        _ => return Err("you must provide an input or a prompt"),
    };
    Ok(Ask {
        directives: directive::parse(&text),
        input: TokenUsage { input: weight(prompt), ..Default::default() },
        text_chars: text.chars().count(),
        ..Ask::default()
    })
}

fn chat(body: &Value) -> Result<Ask, &'static str> {
    let messages = body["messages"].as_array().ok_or("Missing required parameter: 'messages'.")?;
    let after = messages.iter().rposition(|it| it["role"] == "assistant").map_or(0, |at| at + 1);
    let tail = &messages[after..];
    let text = last_text(tail);
    let tools = list(&body["tools"]).iter();
    let format = &body["response_format"];
    let turns = messages.iter().filter(|message| message["role"] == "assistant").count() as u64;
    let effort = body["reasoning_effort"].as_str();
    Ok(Ask {
        directives: directive::parse(&text),
        tool_results: tail
            .iter()
            .filter(|message| message["role"] == "tool")
            .map(|message| text_of(&message["content"]))
            .collect(),
        images: images_in(&body["messages"]),
        tools: tools.filter_map(|tool| name_of(&tool["function"])).collect(),
        may_think: effort.is_some_and(|effort| effort != "none"),
        schema: (format["type"] == "json_schema").then(|| format["json_schema"]["schema"].clone()),
        input: cached(weight(&body["messages"]) + weight(&body["tools"]) + 3, turns),
        text_chars: text.chars().count(),
        ..Ask::default()
    })
}

fn responses(body: &Value) -> Result<Ask, &'static str> {
    let items: Vec<Value> = match &body["input"] {
        Value::String(text) => vec![json!({"type": "message", "role": "user", "content": text})],
        Value::Array(items) => items.clone(),
        _ => return Err("Missing required parameter: 'input'."),
    };
    let own = |item: &Value| {
        item["role"] == "assistant"
            || matches!(item["type"].as_str(), Some("function_call" | "reasoning" | "compaction"))
    };
    let after = items.iter().rposition(own).map_or(0, |at| at + 1);
    let tail = &items[after..];
    let text = last_text(tail);
    let added = items.iter().filter(|item| item["type"] == "additional_tools");
    let added = added.flat_map(|item| list(&item["tools"]));
    let include = list(&body["include"]);
    let format = &body["text"]["format"];
    let turns = items.iter().filter(|item| own(item)).count() as u64;
    let all = Value::from(items.clone());
    let weight = weight(&all) + weight(&body["tools"]) + weight(&body["instructions"]) + 3;
    Ok(Ask {
        directives: directive::parse(&text),
        tool_results: tail
            .iter()
            .filter(|item| item["type"] == "function_call_output")
            .map(|item| text_of(&item["output"]))
            .collect(),
        images: images_in(&all),
        tools: list(&body["tools"]).iter().chain(added).filter_map(name_of).collect(),
        may_think: body["reasoning"].is_object(),
        encrypted: include.iter().any(|wish| wish == "reasoning.encrypted_content"),
        schema: (format["type"] == "json_schema").then(|| format["schema"].clone()),
        input: cached(weight, turns),
        text_chars: text.chars().count(),
        ..Ask::default()
    })
}

/// Splits input by what the cache held: the share of the earlier turns, in whole steps.
pub(crate) fn cached(input: u64, turns: u64) -> TokenUsage {
    let cache_read = input * turns / (turns + 1) / CACHE_STEP * CACHE_STEP;
    TokenUsage { input: input - cache_read, cache_read, ..Default::default() }
}

/// The text of the last message of the user.
fn last_text(tail: &[Value]) -> String {
    let last = tail.iter().rev().find(|message| message["role"] == "user");
    last.map(|message| text_of(&message["content"])).unwrap_or_default()
}

/// The texts of a content that is a text or a list of parts.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        parts => {
            let texts = list(parts).iter().filter_map(|part| part["text"].as_str());
            texts.collect::<Vec<_>>().join("\n")
        }
    }
}

fn name_of(tool: &Value) -> Option<String> {
    tool["name"].as_str().map(str::to_owned)
}

/// Whether a part of a message is a picture, in any of the protocols.
fn is_image(part: &Value) -> bool {
    // Google takes its fields by both forms of their names, and its clients write both.
    let inline = |name: &str| {
        let kind = part[name]["mimeType"].as_str().or_else(|| part[name]["mime_type"].as_str());
        kind.is_some_and(|kind| kind.starts_with("image/"))
    };
    matches!(part["type"].as_str(), Some("image_url" | "input_image"))
        || inline("inlineData")
        || inline("fileData")
}

/// Pictures anywhere within.
pub(crate) fn images_in(value: &Value) -> usize {
    match value {
        Value::Object(_) if is_image(value) => 1,
        Value::Object(fields) => fields.values().map(images_in).sum(),
        Value::Array(items) => items.iter().map(images_in).sum(),
        _ => 0,
    }
}

/// Tokens of all texts within, and of the pictures.
pub(crate) fn weight(value: &Value) -> u64 {
    match value {
        Value::String(text) => tokens(text),
        Value::Object(_) if is_image(value) => IMAGE_TOKENS,
        Value::Object(fields) => fields.values().map(weight).sum(),
        Value::Array(items) => items.iter().map(weight).sum(),
        _ => 0,
    }
}
