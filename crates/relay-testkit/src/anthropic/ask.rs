//! What a request asks for, and what its input counts.

use relay_core::usage::TokenUsage;
use serde_json::Value;

use super::tokens;
use crate::directive::{self, Directive};
use crate::format::Format;

/// What an image counts, whatever its size.
pub(crate) const IMAGE_TOKENS: u64 = 1_500;

/// A request of any format, as far as the answer depends on it.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a wish of some request")]
pub(crate) struct Ask {
    pub(crate) format: Format,
    pub(crate) model: String,
    pub(crate) stream: bool,
    /// The directives in the texts of the last message of the user.
    pub(crate) directives: Vec<Directive>,
    /// What the tools of the last message answered.
    pub(crate) tool_results: Vec<String>,
    /// Images in all messages.
    pub(crate) images: usize,
    pub(crate) tools: Vec<String>,
    pub(crate) may_think: bool,
    /// Input by kind; the output is counted when there is one.
    pub(crate) input: TokenUsage,
    /// Characters of the last text, which the default answer tells.
    pub(crate) text_chars: usize,
    /// The shape that structured output is to have.
    pub(crate) schema: Option<Value>,
    /// Whether the last chunk of a stream is to state the usage (Chat).
    pub(crate) include_usage: bool,
    /// Whether reasoning is to come encrypted as well (Responses).
    pub(crate) encrypted: bool,
    /// Whether numbers are to come in Base64 (embeddings).
    pub(crate) base64: bool,
    /// How many pictures or embeddings are wanted.
    pub(crate) wanted: u64,
    /// Whether embeddings come as a list (Google).
    pub(crate) batch: bool,
    /// Whether a stream is wanted, as an array if not as events (Google).
    pub(crate) streams_array: bool,
}

impl Ask {
    /// Reads a request's body; an error says what is wrong with it.
    pub(crate) fn read(body: &[u8]) -> Result<Self, &'static str> {
        let body: Value = serde_json::from_slice(body).map_err(|_| "the body is not valid JSON")?;
        let model = body["model"].as_str().ok_or("model: Field required")?;
        let messages = body["messages"].as_array().ok_or("messages: Field required")?;
        let last = messages.iter().rev().find(|message| message["role"] == "user");
        let last = last.map(blocks).unwrap_or_default();
        let text: Vec<&str> = last.iter().filter_map(|block| block["text"].as_str()).collect();
        let text = text.join("\n");
        Ok(Self {
            model: model.to_owned(),
            stream: body["stream"] == true,
            directives: directive::parse(&text),
            tool_results: last.iter().filter_map(tool_result).collect(),
            images: messages.iter().flat_map(blocks).map(|block| images_in(&block)).sum(),
            tools: list(&body["tools"])
                .iter()
                .filter_map(|tool| tool["name"].as_str().map(str::to_owned))
                .collect(),
            may_think: matches!(body["thinking"]["type"].as_str(), Some("enabled" | "adaptive")),
            input: input_usage(&body, messages),
            text_chars: text.chars().count(),
            ..Self::default()
        })
    }

    /// The text that the answer is to be.
    pub(crate) fn nonce(&self) -> Option<String> {
        self.directives.iter().find_map(|directive| match directive {
            Directive::Say(text) => Some(text.clone()),
            _ => None,
        })
    }
}

/// An array's elements; none of anything else.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The content of a message or of `system` as blocks, also where it is written as a string.
fn blocks(holder: &Value) -> Vec<Value> {
    match &holder["content"] {
        Value::String(text) => vec![serde_json::json!({"type": "text", "text": text})],
        content => list(content).to_vec(),
    }
}

fn tool_result(block: &Value) -> Option<String> {
    (block["type"] == "tool_result").then(|| match &block["content"] {
        Value::String(text) => text.clone(),
        parts => list(parts).iter().filter_map(|part| part["text"].as_str()).collect(),
    })
}

fn images_in(block: &Value) -> usize {
    let within = list(&block["content"]).iter().filter(|part| part["type"] == "image").count();
    usize::from(block["type"] == "image") + within
}

/// A run of input that ends at a cache mark or at the end of the prompt.
struct Segment {
    tokens: u64,
    cached_for: Option<Lifetime>,
}

#[derive(Clone, Copy)]
enum Lifetime {
    FiveMinutes,
    Hour,
}

/// Input by kind, from the request alone: of what is marked for the cache, the share of the
/// earlier turns is read from it and the rest written.
fn input_usage(body: &Value, messages: &[Value]) -> TokenUsage {
    let mut segments = vec![Segment { tokens: 0, cached_for: None }];
    let mut count = |block: &Value| {
        let last = segments.last_mut().expect("there is always a segment");
        last.tokens += block_tokens(block);
        last.cached_for = match block["cache_control"]["ttl"].as_str() {
            Some("1h") => Some(Lifetime::Hour),
            _ if block["cache_control"].is_object() => Some(Lifetime::FiveMinutes),
            _ => return,
        };
        segments.push(Segment { tokens: 0, cached_for: None });
    };
    list(&body["tools"]).iter().for_each(&mut count);
    let system = serde_json::json!({"content": body["system"]});
    blocks(&system).iter().for_each(&mut count);
    messages.iter().flat_map(blocks).for_each(|block| count(&block));

    let turns = messages.iter().filter(|message| message["role"] == "assistant").count() as u64;
    let marked = |segment: &&Segment| segment.cached_for.is_some();
    let cacheable: u64 = segments.iter().filter(marked).map(|segment| segment.tokens).sum();
    let mut usage =
        TokenUsage { cache_read: cacheable * turns / (turns + 1), ..Default::default() };
    let mut read = usage.cache_read;
    for segment in &segments {
        let Some(lifetime) = segment.cached_for else {
            // Every request costs a few tokens besides its texts.
            usage.input += segment.tokens + 3;
            continue;
        };
        let from_cache = read.min(segment.tokens);
        read -= from_cache;
        match lifetime {
            Lifetime::FiveMinutes => usage.cache_write_5m += segment.tokens - from_cache,
            Lifetime::Hour => usage.cache_write_1h += segment.tokens - from_cache,
        }
    }
    usage
}

fn block_tokens(block: &Value) -> u64 {
    match block["type"].as_str() {
        Some("text") => tokens(block["text"].as_str().unwrap_or("")),
        Some("image") => IMAGE_TOKENS,
        _ => tokens(&block.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn usage(messages: &Value) -> TokenUsage {
        let system = json!([
            {"type": "text", "text": "a".repeat(400), "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        ]);
        let body = json!({"model": "m", "system": system, "messages": messages});
        Ask::read(body.to_string().as_bytes()).unwrap().input
    }

    #[test]
    fn a_first_turn_writes_the_cache_and_a_later_one_reads_it() {
        let marked = json!({"role": "user", "content": [
            {"type": "text", "text": "你好".repeat(50), "cache_control": {"type": "ephemeral"}},
        ]});
        let first = usage(&json!([marked]));
        assert_eq!((first.cache_write_1h, first.cache_write_5m, first.input), (100, 100, 3));
        let answer = json!({"role": "assistant", "content": "yes"});
        let later = usage(&json!([{"role": "user", "content": "x"}, answer, marked]));
        assert_eq!((later.cache_read, later.cache_write_1h), (101, 0));
        assert_eq!(later.cache_write_5m, 101);
    }
}
