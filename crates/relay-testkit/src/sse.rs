//! A plain reader of event streams, written apart from the relay's own, so that it can judge it.

use relay_core::usage::TokenUsage;
use serde_json::Value;

/// One event of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SseEvent {
    /// Its name; empty if it has none.
    pub event: String,
    /// Its data, lines joined by a line feed.
    pub data: String,
}

impl SseEvent {
    /// Its data as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or(Value::Null)
    }
}

/// Reads a whole stream: any of the three line endings, a BOM, comments left out.
///
/// An event that no empty line ends is not an event.
pub fn parse_sse(stream: &[u8]) -> Vec<SseEvent> {
    let text = String::from_utf8_lossy(stream);
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n").replace('\r', "\n");
    let mut events = Vec::new();
    let (mut name, mut data) = (String::new(), Vec::new());
    let Some((complete, _)) = text.rsplit_once('\n') else { return events };
    for line in complete.split('\n') {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut name),
            "data" => data.push(value.to_owned()),
            "" if line.is_empty() => {
                if !data.is_empty() {
                    let data = std::mem::take(&mut data).join("\n");
                    events.push(SseEvent { event: name.clone(), data });
                }
                name.clear();
            }
            _ => {}
        }
    }
    events
}

/// The text of an answer in any of the four protocols, streamed or not; thinking, refusals and
/// tools left out.
pub fn answer_text(body: &[u8]) -> String {
    documents(body).iter().map(text_of).collect()
}

/// The usage that an answer in any of the four protocols states, streamed or not: the last value
/// of each field wins. Tokens are by the relay's kinds: none is in two of them.
pub fn stated_usage(body: &[u8]) -> TokenUsage {
    let mut usage = TokenUsage::default();
    for document in documents(body) {
        take_usage(&document["message"]["usage"], &mut usage);
        for holder in [&document, &document["response"]] {
            if is_openai(&holder["usage"]) {
                take_openai(&holder["usage"], &mut usage);
            } else {
                take_usage(&holder["usage"], &mut usage);
            }
            take_google(&holder["usageMetadata"], &mut usage);
        }
    }
    usage
}

/// What of the output an answer states to have been thinking.
pub fn stated_reasoning(body: &[u8]) -> u64 {
    let mut reasoning = 0;
    for document in documents(body) {
        for holder in [&document, &document["response"]] {
            for value in [
                &holder["usage"]["completion_tokens_details"]["reasoning_tokens"],
                &holder["usage"]["output_tokens_details"]["reasoning_tokens"],
                &holder["usageMetadata"]["thoughtsTokenCount"],
            ] {
                reasoning = value.as_u64().unwrap_or(reasoning);
            }
        }
    }
    reasoning
}

/// A whole body as JSON, the elements of one that is an array, or the events of a stream.
fn documents(body: &[u8]) -> Vec<Value> {
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Array(elements)) => elements,
        Ok(document) => vec![document],
        Err(_) => parse_sse(body).iter().map(SseEvent::json).collect(),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text_of(document: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if document["type"] == "response.output_text.delta" {
        return text(&document["delta"]);
    }
    if let Some(delta) = document["delta"].as_object() {
        return delta.get("text").map(text).unwrap_or_default();
    }
    let inner = if document["response"]["candidates"].is_array() {
        &document["response"]
    } else {
        document
    };
    let messages = list(&document["content"]).iter().map(|block| text(&block["text"]));
    let chat = list(&document["choices"]).iter().map(|choice| {
        [&choice["text"], &choice["delta"]["content"], &choice["message"]["content"]]
            .map(text)
            .concat()
    });
    let items = list(&document["output"]).iter().filter(|item| item["type"] == "message");
    let responses = items.flat_map(|item| list(&item["content"])).map(|part| text(&part["text"]));
    let google = list(&inner["candidates"])
        .iter()
        .flat_map(|candidate| list(&candidate["content"]["parts"]))
        .filter(|part| part["thought"] != true)
        .map(|part| text(&part["text"]));
    messages.chain(chat).chain(responses).chain(google).collect()
}

/// Whether usage is written as OpenAI does, where what came from the cache is part of the input.
fn is_openai(stated: &Value) -> bool {
    stated["prompt_tokens"].is_u64() || stated["total_tokens"].is_u64()
}

fn take_openai(stated: &Value, usage: &mut TokenUsage) {
    let first = |names: [&str; 2]| names.into_iter().find_map(|name| stated[name].as_u64());
    let mut details = ["prompt_tokens_details", "input_tokens_details"].into_iter();
    let cached = details.find_map(|name| stated[name]["cached_tokens"].as_u64());
    let input = first(["prompt_tokens", "input_tokens"]).unwrap_or_default();
    usage.cache_read = cached.unwrap_or_default();
    usage.input = input.saturating_sub(usage.cache_read);
    usage.output = first(["completion_tokens", "output_tokens"]).unwrap_or_default();
}

fn take_google(stated: &Value, usage: &mut TokenUsage) {
    if !stated.is_object() {
        return;
    }
    let count = |name: &str| stated[name].as_u64().unwrap_or_default();
    usage.cache_read = count("cachedContentTokenCount");
    let input = count("promptTokenCount") + count("toolUsePromptTokenCount");
    usage.input = input.saturating_sub(usage.cache_read);
    usage.output = count("candidatesTokenCount") + count("thoughtsTokenCount");
}

fn take_usage(stated: &Value, usage: &mut TokenUsage) {
    let take = |value: &Value, field: &mut u64| *field = value.as_u64().unwrap_or(*field);
    take(&stated["input_tokens"], &mut usage.input);
    take(&stated["output_tokens"], &mut usage.output);
    take(&stated["cache_read_input_tokens"], &mut usage.cache_read);
    let kinds = &stated["cache_creation"];
    if kinds.is_object() {
        take(&kinds["ephemeral_5m_input_tokens"], &mut usage.cache_write_5m);
        take(&kinds["ephemeral_1h_input_tokens"], &mut usage.cache_write_1h);
    } else if let Some(written) = stated["cache_creation_input_tokens"].as_u64() {
        usage.cache_write_5m = written.saturating_sub(usage.cache_write_1h);
    }
    take(&stated["server_tool_use"]["web_search_requests"], &mut usage.web_searches);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_endings_comments_and_a_bom_make_no_difference() {
        let plain = "event: a\ndata: 1\ndata: 2\n\n: hello\n\ndata:3\n\ndata: cut";
        let expected = parse_sse(plain.as_bytes());
        assert_eq!(expected.len(), 2);
        assert_eq!(expected[0], SseEvent { event: "a".into(), data: "1\n2".into() });
        for ending in ["\r\n", "\r"] {
            let other = format!("\u{feff}{}", plain.replace('\n', ending));
            assert_eq!(parse_sse(other.as_bytes()), expected);
        }
    }
}
