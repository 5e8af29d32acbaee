//! Bodies of Messages requests.

use bytes::Bytes;
use serde_json::{Value, json};

/// A sentence of which long prompts are made.
const ENGLISH: &str = "All work and no play makes a dull prompt. ";
/// The same in Chinese, three bytes a character.
const CHINESE: &str = "只会用功不玩耍，提示词也会变得乏味。";

/// A Messages request under construction.
#[derive(Debug, Clone)]
pub struct MessagesBody(Value);

/// A request to `model` with one message of the user. Directives such as `[[say hello]]` and
/// markers such as `[[call 7]]` stand in `text`.
pub fn messages_body(model: &str, text: &str) -> MessagesBody {
    MessagesBody(json!({
        "model": model,
        "max_tokens": 1024,
        "messages": [{"role": "user", "content": text}],
    }))
}

impl MessagesBody {
    /// Asks for a stream.
    #[must_use]
    pub fn stream(self, stream: bool) -> Self {
        self.set("stream", stream.into())
    }

    /// Sets any field of the request.
    #[must_use]
    pub fn set(mut self, field: &str, value: Value) -> Self {
        self.0[field] = value;
        self
    }

    /// Limits the output.
    #[must_use]
    pub fn max_tokens(self, tokens: u64) -> Self {
        self.set("max_tokens", tokens.into())
    }

    /// Offers the tool `get_weather`, which takes a city and a number of days.
    #[must_use]
    pub fn tools(self) -> Self {
        self.set(
            "tools",
            json!([{
                "name": "get_weather",
                "description": "Tells the weather. 查询天气。",
                "input_schema": {
                    "type": "object",
                    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
                    "required": ["city"],
                },
            }]),
        )
    }

    /// Allows thinking; `[[think]]` in the text makes use of it.
    #[must_use]
    pub fn thinking(self) -> Self {
        self.set("thinking", json!({"type": "enabled", "budget_tokens": 1024}))
    }

    /// Names the session as Claude Code does.
    #[must_use]
    pub fn session(self, session: &str) -> Self {
        let user = json!({"device_id": "d", "account_uuid": "", "session_id": session});
        self.set("metadata", json!({"user_id": user.to_string()}))
    }

    /// Adds a turn at the end, before the last message of the user.
    #[must_use]
    pub fn earlier_turn(mut self, question: &str, answer: &str) -> Self {
        if let Some(messages) = self.0["messages"].as_array_mut() {
            let before_last = messages.len() - 1;
            let turn = [
                json!({"role": "user", "content": question}),
                json!({"role": "assistant", "content": answer}),
            ];
            messages.splice(before_last..before_last, turn);
        }
        self
    }

    /// Marks a system prompt for the cache, for an hour with `ttl` of `1h`, else five minutes.
    #[must_use]
    pub fn cached_system(self, text: &str, ttl: &str) -> Self {
        let cache = json!({"type": "ephemeral", "ttl": ttl});
        self.set("system", json!([{"type": "text", "text": text, "cache_control": cache}]))
    }

    /// Adds an image of one pixel to the last message.
    #[must_use]
    pub fn image(mut self) -> Self {
        const PIXEL: &str = "R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==";
        let source = json!({"type": "base64", "media_type": "image/gif", "data": PIXEL});
        if let Some(last) =
            self.0["messages"].as_array_mut().and_then(|messages| messages.last_mut())
        {
            let text = last["content"].take();
            last["content"] =
                json!([{"type": "image", "source": source}, {"type": "text", "text": text}]);
        }
        self
    }

    /// Pads the request with an English system prompt to exactly this many bytes, if it is smaller.
    #[must_use]
    pub fn size(self, bytes: usize) -> Self {
        self.padded(bytes, ENGLISH)
    }

    /// Pads the request with a Chinese system prompt to exactly this many bytes, if it is smaller.
    #[must_use]
    pub fn chinese_size(self, bytes: usize) -> Self {
        self.padded(bytes, CHINESE)
    }

    fn padded(self, bytes: usize, sentence: &str) -> Self {
        let empty = self.set("system", "".into());
        let room = bytes.saturating_sub(empty.bytes().len());
        let mut prompt = String::with_capacity(room);
        for character in sentence.chars().cycle() {
            if prompt.len() + character.len_utf8() > room {
                break;
            }
            prompt.push(character);
        }
        prompt.extend(std::iter::repeat_n('.', room - prompt.len()));
        empty.set("system", prompt.into())
    }

    /// The request as JSON.
    pub fn json(&self) -> &Value {
        &self.0
    }

    /// The request's bytes.
    pub fn bytes(&self) -> Bytes {
        self.0.to_string().into()
    }
}

impl From<MessagesBody> for Bytes {
    fn from(body: MessagesBody) -> Self {
        body.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_exact_in_both_languages() {
        let body = || messages_body("m", "你好");
        assert_eq!(body().size(10_000).bytes().len(), 10_000);
        assert_eq!(body().chinese_size(10_001).bytes().len(), 10_001);
    }
}
