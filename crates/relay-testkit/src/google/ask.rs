//! What requests in Google's protocols ask for, and what their input counts.

use relay_core::usage::TokenUsage;
use serde_json::Value;

use crate::anthropic::ask::{Ask, list};
use crate::directive;
use crate::format::Format;
use crate::openai::ask::{cached, images_in, weight};

/// Reads a request; an error says what is wrong with it. The model stands in the path, or for
/// Code Assist in the envelope.
pub(crate) fn read(format: Format, path_and_query: &str, body: &[u8]) -> Result<Ask, &'static str> {
    let body: Value = serde_json::from_slice(body).map_err(|_| "Invalid JSON payload received.")?;
    let mut ask = match format {
        Format::Embed => embed(&body),
        Format::Generate { assist: true } | Format::CountContents { assist: true } => {
            conversation(&body["request"])?
        }
        Format::CountContents { .. } if body["generateContentRequest"].is_object() => {
            conversation(&body["generateContentRequest"])?
        }
        _ => conversation(&body)?,
    };
    ask.format = format;
    ask.model = model_of(path_and_query, &body);
    if ask.model.is_empty() {
        return Err("model is not specified");
    }
    let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
    ask.streams_array = path.ends_with(":streamGenerateContent");
    ask.stream = ask.streams_array && query.split('&').any(|pair| pair == "alt=sse");
    Ok(ask)
}

/// The model that a request names; empty if it names none.
pub(crate) fn model_of(path_and_query: &str, body: &Value) -> String {
    let path = path_and_query.split('?').next().unwrap_or_default();
    let of_path = path.rsplit_once("/models/").and_then(|(_, rest)| rest.rsplit_once(':'));
    let named = || [&body["model"], &body["request"]["model"]].into_iter().find_map(Value::as_str);
    let model = of_path.map(|(model, _)| model).or_else(named).unwrap_or_default();
    model.trim_start_matches("models/").to_owned()
}

fn embed(body: &Value) -> Ask {
    let wanted = body["requests"].as_array().map_or(1, |requests| requests.len() as u64);
    let contents = if body["requests"].is_array() { &body["requests"] } else { &body["content"] };
    let input = TokenUsage { input: weight(contents), ..Default::default() };
    Ask { wanted, batch: body["requests"].is_array(), input, ..Ask::default() }
}

fn conversation(body: &Value) -> Result<Ask, &'static str> {
    let contents = body["contents"].as_array().ok_or("contents is not specified")?;
    let after = contents.iter().rposition(|it| it["role"] == "model").map_or(0, |at| at + 1);
    let tail = &contents[after..];
    let is_said = |content: &&Value| content["role"] != "function";
    let last = tail.iter().rev().find(is_said).map_or(&[][..], |content| list(&content["parts"]));
    let texts: Vec<&str> = last.iter().filter_map(|part| part["text"].as_str()).collect();
    let text = texts.join("\n");
    let config = &body["generationConfig"];
    let thinking = &config["thinkingConfig"];
    let tools = list(&body["tools"]).iter().flat_map(|tool| list(&tool["functionDeclarations"]));
    let turns = contents.iter().filter(|content| content["role"] == "model").count() as u64;
    let input = weight(&body["contents"])
        + weight(&body["systemInstruction"]["parts"])
        + weight(&body["tools"])
        + 3;
    let schemas = ["responseJsonSchema", "responseSchema"];
    let schema = schemas.iter().map(|name| &config[*name]).find(|schema| schema.is_object());
    Ok(Ask {
        directives: directive::parse(&text),
        tool_results: tail
            .iter()
            .flat_map(|content| list(&content["parts"]))
            .filter(|part| part["functionResponse"].is_object())
            .map(|part| result_of(&part["functionResponse"]["response"]))
            .collect(),
        images: images_in(&body["contents"]),
        tools: tools.filter_map(|tool| tool["name"].as_str().map(str::to_owned)).collect(),
        may_think: thinking["includeThoughts"] == true,
        schema: schema.cloned(),
        input: cached(input, turns),
        text_chars: text.chars().count(),
        ..Ask::default()
    })
}

/// What a tool answered: the usual field's text, or all of it as JSON.
fn result_of(response: &Value) -> String {
    let mut usual = ["output", "result", "content"].into_iter();
    let text = usual.find_map(|name| response[name].as_str());
    text.map_or_else(|| response.to_string(), str::to_owned)
}
