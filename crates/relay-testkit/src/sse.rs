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

/// The text of an Anthropic answer, streamed or not; thinking and tools left out.
pub fn answer_text(body: &[u8]) -> String {
    if let Ok(message) = serde_json::from_slice::<Value>(body) {
        let blocks = message["content"].as_array().map_or(&[][..], Vec::as_slice);
        return blocks.iter().filter_map(|block| block["text"].as_str()).collect();
    }
    let events = parse_sse(body);
    let deltas = events.iter().map(SseEvent::json);
    deltas.filter_map(|event| event["delta"]["text"].as_str().map(str::to_owned)).collect()
}

/// The usage that an Anthropic answer states, streamed or not: the last value of each field wins.
pub fn stated_usage(body: &[u8]) -> TokenUsage {
    let mut usage = TokenUsage::default();
    if let Ok(message) = serde_json::from_slice::<Value>(body) {
        take_usage(&message["usage"], &mut usage);
        return usage;
    }
    for event in parse_sse(body).iter().map(SseEvent::json) {
        take_usage(&event["message"]["usage"], &mut usage);
        take_usage(&event["usage"], &mut usage);
    }
    usage
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
