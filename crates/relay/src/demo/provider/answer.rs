//! What the simulated provider says, in the language in which it was asked, and what that counts.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

/// How long a word takes.
const WORD: Duration = Duration::from_millis(60);

/// What every request counts besides its texts.
const REQUEST_TOKENS: u64 = 3;

const ENGLISH: [&str; 3] = [
    "This answer is simulated: no model was asked, and nothing left this machine. The relay \
     counted every token of it all the same, priced the call and wrote it down before its end.",
    "Hello from the simulated provider. With a real account, that account's provider would answer \
     here, and the relay would pass its bytes on just as it passes on these.",
    "Simulated, and word by word at about the pace of a real model. While it arrives, `crs top` in \
     another terminal shows who is calling, on which account, and for how long.",
];

const CHINESE: [&str; 3] = [
    "这个回答是模拟的：没有询问任何模型，也没有任何数据离开这台机器。中转服务照样数清了其中的每一个 token，\
     算好了价钱，并在回答结束之前把这次调用写了下来。",
    "你好，这里是模拟的上游。换成真实的账户，就由那个账户的上游来回答，而中转服务会像转发这些字节一样，\
     原样转发它的字节。",
    "这是模拟的回答，逐字输出，速度和真实的模型差不多。趁它还在输出，在另一个终端里运行 `crs top`，\
     就能看到谁在调用、用的是哪个账户、已进行多久。",
];

/// A whole answer.
#[derive(Debug)]
pub(super) struct Answer {
    id: String,
    model: String,
    words: Vec<String>,
    stop_reason: &'static str,
    streamed: bool,
    input: Input,
    output_tokens: u64,
}

/// Tokens of a request, by how they are billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Input {
    plain: u64,
    cache_read: u64,
    cache_write_5m: u64,
    cache_write_1h: u64,
}

/// A part of a stream, and how long after the one before it comes.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) after: Duration,
    pub(super) bytes: Bytes,
}

/// The tokens of a request.
pub(super) fn count(body: &[u8]) -> Result<u64, &'static str> {
    let asked = read(body)?;
    Ok(tokens_asked(&asked))
}

impl Answer {
    /// Answers a request; an error says what is wrong with it.
    pub(super) fn to(body: &[u8], serial: u64) -> Result<Self, &'static str> {
        let asked = read(body)?;
        let texts = if is_chinese(last_text(&asked)) { &CHINESE } else { &ENGLISH };
        let at = usize::try_from(serial).unwrap_or(0) % texts.len();
        let mut words = words(texts[at]);
        let mut stop_reason = "end_turn";
        let tokens_max = asked["max_tokens"].as_u64().unwrap_or(u64::MAX);
        while words.len() > 1 && tokens(&words.concat()) > tokens_max {
            words.pop();
            stop_reason = "max_tokens";
        }
        Ok(Self {
            id: format!("msg_simulated_{serial:08}"),
            model: asked["model"].as_str().unwrap_or_default().to_owned(),
            output_tokens: tokens(&words.concat()),
            words,
            stop_reason,
            streamed: asked["stream"] == true,
            input: Input::of(&asked),
        })
    }

    /// Whether it was asked for as a stream.
    pub(super) const fn is_streamed(&self) -> bool {
        self.streamed
    }

    /// The body of an answer that is not streamed.
    pub(super) fn whole(&self) -> Value {
        let mut message = self.message();
        message["content"] = json!([{"type": "text", "text": self.words.concat()}]);
        message["stop_reason"] = self.stop_reason.into();
        message["usage"]["output_tokens"] = self.output_tokens.into();
        message
    }

    /// The events of a stream, in the provider's order.
    pub(super) fn pieces(&self) -> Vec<Piece> {
        let text = json!({"type": "text", "text": ""});
        let begin = [
            json!({"type": "message_start", "message": self.message()}),
            json!({"type": "content_block_start", "index": 0, "content_block": text}),
            json!({"type": "ping"}),
        ];
        let delta = |word: &String| {
            let delta = json!({"type": "text_delta", "text": word});
            json!({"type": "content_block_delta", "index": 0, "delta": delta})
        };
        let mut usage = self.input.stated();
        usage["output_tokens"] = self.output_tokens.into();
        let stopped = json!({"stop_reason": self.stop_reason, "stop_sequence": null});
        let end = [
            json!({"type": "content_block_stop", "index": 0}),
            json!({"type": "message_delta", "delta": stopped, "usage": usage}),
            json!({"type": "message_stop"}),
        ];
        let mut pieces = vec![Piece { after: Duration::ZERO, bytes: events(&begin) }];
        let words = self.words.iter().map(delta);
        pieces.extend(words.map(|event| Piece { after: WORD, bytes: events(&[event]) }));
        pieces.push(Piece { after: Duration::ZERO, bytes: events(&end) });
        pieces
    }

    /// The message as a stream begins it.
    fn message(&self) -> Value {
        let mut usage = self.input.stated();
        usage["cache_creation"] = json!({
            "ephemeral_5m_input_tokens": self.input.cache_write_5m,
            "ephemeral_1h_input_tokens": self.input.cache_write_1h,
        });
        usage["output_tokens"] = 1.into();
        usage["service_tier"] = "standard".into();
        json!({
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [],
            "stop_reason": null,
            "stop_sequence": null,
            "usage": usage,
        })
    }
}

impl Input {
    /// Nine tenths of a request that marks something for the cache belong there; of these, the
    /// share of the earlier turns is read from it, and the rest written.
    fn of(asked: &Value) -> Self {
        let all = tokens_asked(asked);
        let Some(lifetime) = cache_lifetime(asked) else {
            return Self { plain: all, cache_read: 0, cache_write_5m: 0, cache_write_1h: 0 };
        };
        let cached = all * 9 / 10;
        let messages = asked["messages"].as_array().map_or(&[][..], Vec::as_slice);
        let turns = messages.iter().filter(|message| message["role"] == "assistant").count() as u64;
        let cache_read = cached * turns / (turns + 1);
        let written = cached - cache_read;
        let for_an_hour = if lifetime == "1h" { written } else { 0 };
        Self {
            plain: all - cached,
            cache_read,
            cache_write_5m: written - for_an_hour,
            cache_write_1h: for_an_hour,
        }
    }

    fn stated(self) -> Value {
        json!({
            "input_tokens": self.plain,
            "cache_creation_input_tokens": self.cache_write_5m + self.cache_write_1h,
            "cache_read_input_tokens": self.cache_read,
        })
    }
}

fn read(body: &[u8]) -> Result<Value, &'static str> {
    let asked: Value = serde_json::from_slice(body).map_err(|_| "the body is not valid JSON")?;
    if !asked["model"].is_string() {
        return Err("model: Field required");
    }
    if asked["messages"].as_array().is_none_or(Vec::is_empty) {
        return Err("messages: Field required");
    }
    Ok(asked)
}

fn events(data: &[Value]) -> Bytes {
    let event = |data: &Value| {
        let name = data["type"].as_str().unwrap_or_default();
        format!("event: {name}\ndata: {data}\n\n")
    };
    data.iter().map(event).collect::<String>().into()
}

/// The words of a sentence, each with the space behind it; of Chinese, two characters each.
fn words(text: &str) -> Vec<String> {
    if !is_chinese(text) {
        return text.split_inclusive(' ').map(str::to_owned).collect();
    }
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(2).map(|pair| pair.iter().collect()).collect()
}

const fn is_wide(character: char) -> bool {
    matches!(character, '\u{2E80}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{FF00}'..='\u{FFEF}')
}

fn is_chinese(text: &str) -> bool {
    text.chars().any(is_wide)
}

/// One for a Chinese character, one for four others.
fn tokens(text: &str) -> u64 {
    let wide = text.chars().filter(|character| is_wide(*character)).count();
    let narrow = text.chars().count() - wide;
    (wide + narrow.div_ceil(4)) as u64
}

fn tokens_asked(asked: &Value) -> u64 {
    let parts = ["system", "messages", "tools"].map(|part| tokens_within(&asked[part]));
    REQUEST_TOKENS + parts.iter().sum::<u64>()
}

/// The tokens of all texts in a value.
fn tokens_within(value: &Value) -> u64 {
    match value {
        Value::String(text) => tokens(text),
        Value::Array(items) => items.iter().map(tokens_within).sum(),
        Value::Object(fields) => fields.values().map(tokens_within).sum(),
        _ => 0,
    }
}

/// How long something of the request is to be cached, if anything is.
fn cache_lifetime(value: &Value) -> Option<&str> {
    match value {
        Value::Array(items) => items.iter().find_map(cache_lifetime),
        Value::Object(fields) => match fields.get("cache_control") {
            Some(Value::Object(mark)) => {
                Some(mark.get("ttl").and_then(Value::as_str).unwrap_or("5m"))
            }
            _ => fields.values().find_map(cache_lifetime),
        },
        _ => None,
    }
}

/// The last text of the user.
fn last_text(asked: &Value) -> &str {
    let messages = asked["messages"].as_array().map_or(&[][..], Vec::as_slice);
    let last = messages.iter().rev().find(|message| message["role"] == "user");
    let content = last.map(|message| &message["content"]);
    match content {
        Some(Value::String(text)) => text,
        Some(Value::Array(blocks)) => {
            blocks.iter().rev().find_map(|block| block["text"].as_str()).unwrap_or_default()
        }
        _ => "",
    }
}
