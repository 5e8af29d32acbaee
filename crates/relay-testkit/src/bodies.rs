//! Bodies of requests in the protocols of OpenAI and Google.

use bytes::Bytes;
use serde_json::{Value, json};

/// A picture of one pixel.
const PIXEL: &str = "R0lGODlhAQABAAAAAAAh+QQBCgABACwAAAAAAQABAAACAkwBADs=";

/// A request under construction.
#[derive(Debug, Clone)]
pub struct CallBody {
    shape: Shape,
    body: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Chat,
    Responses,
    Gemini,
    /// Gemini's within the envelope.
    CodeAssist,
}

/// An OpenAI Chat request to `model` with one message of the user.
pub fn chat_body(model: &str, text: &str) -> CallBody {
    let body = json!({"model": model, "messages": [{"role": "user", "content": text}]});
    CallBody { shape: Shape::Chat, body }
}

/// An OpenAI Responses request to `model` with one message of the user. Add
/// [`CallBody::codex`] for what ChatGPT's address insists on.
pub fn responses_body(model: &str, text: &str) -> CallBody {
    CallBody { shape: Shape::Responses, body: json!({"model": model, "input": [said(text)]}) }
}

/// A Gemini request with one message of the user; the model stands in the path.
pub fn gemini_body(text: &str) -> CallBody {
    let contents = json!([{"role": "user", "parts": [{"text": text}]}]);
    CallBody { shape: Shape::Gemini, body: json!({"contents": contents}) }
}

/// The same in Code Assist's envelope.
pub fn code_assist_body(model: &str, project: &str, text: &str) -> CallBody {
    let request = gemini_body(text).body;
    let body = json!({
        "model": model, "project": project, "user_prompt_id": "prompt-1", "request": request,
    });
    CallBody { shape: Shape::CodeAssist, body }
}

impl CallBody {
    /// Asks for a stream where the body does so; for Google the path does.
    #[must_use]
    pub fn stream(self, stream: bool) -> Self {
        match self.shape {
            Shape::Chat | Shape::Responses => self.set("stream", stream.into()),
            Shape::Gemini | Shape::CodeAssist => self,
        }
    }

    /// Asks for usage in the last chunk (Chat).
    #[must_use]
    pub fn include_usage(self) -> Self {
        self.set("stream_options", json!({"include_usage": true}))
    }

    /// What Codex sends: a stream that is not stored, with reasoning encrypted.
    #[must_use]
    pub fn codex(self) -> Self {
        self.set("stream", true.into())
            .set("store", false.into())
            .set("include", json!(["reasoning.encrypted_content"]))
    }

    /// Sets any field of the request; in Code Assist's envelope, of what the envelope holds.
    #[must_use]
    pub fn set(mut self, field: &str, value: Value) -> Self {
        self.inner()[field] = value;
        self
    }

    /// Offers the tool `get_weather`, which takes a city and a number of days.
    #[must_use]
    pub fn tools(self) -> Self {
        let (name, description) = ("get_weather", "Tells the weather. 查询天气。");
        let parameters = json!({
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city"],
        });
        let tool = match self.shape {
            Shape::Chat => json!({"type": "function", "function": {
                "name": name, "description": description, "parameters": parameters,
            }}),
            Shape::Responses => json!({
                "type": "function", "name": name, "description": description,
                "parameters": parameters, "strict": false,
            }),
            Shape::Gemini | Shape::CodeAssist => json!({"functionDeclarations": [{
                "name": name, "description": description, "parametersJsonSchema": parameters,
            }]}),
        };
        self.set("tools", json!([tool]))
    }

    /// Allows thinking; `[[think]]` in the text makes use of it.
    #[must_use]
    pub fn thinking(mut self) -> Self {
        match self.shape {
            Shape::Chat => self.set("reasoning_effort", "medium".into()),
            Shape::Responses => {
                self.set("reasoning", json!({"effort": "medium", "summary": "auto"}))
            }
            Shape::Gemini | Shape::CodeAssist => {
                self.inner()["generationConfig"]["thinkingConfig"] =
                    json!({"includeThoughts": true});
                self
            }
        }
    }

    /// Wants JSON of this schema.
    #[must_use]
    pub fn json_schema(mut self, schema: &Value) -> Self {
        let named = json!({"name": "answer", "schema": schema, "strict": true});
        match self.shape {
            Shape::Chat => {
                self.set("response_format", json!({"type": "json_schema", "json_schema": named}))
            }
            Shape::Responses => {
                let mut format = named;
                format["type"] = "json_schema".into();
                self.set("text", json!({"format": format}))
            }
            Shape::Gemini | Shape::CodeAssist => {
                let config = &mut self.inner()["generationConfig"];
                config["responseMimeType"] = "application/json".into();
                config["responseJsonSchema"] = schema.clone();
                self
            }
        }
    }

    /// Adds a turn at the end, before the last message of the user.
    #[must_use]
    pub fn earlier_turn(mut self, question: &str, answer: &str) -> Self {
        let turn = match self.shape {
            Shape::Chat => [
                json!({"role": "user", "content": question}),
                json!({"role": "assistant", "content": answer}),
            ],
            Shape::Responses => [
                said(question),
                json!({"type": "message", "role": "assistant", "content": [
                    {"type": "output_text", "text": answer, "annotations": []},
                ]}),
            ],
            Shape::Gemini | Shape::CodeAssist => [
                json!({"role": "user", "parts": [{"text": question}]}),
                json!({"role": "model", "parts": [{"text": answer}]}),
            ],
        };
        if let Some(messages) = self.messages() {
            let before_last = messages.len() - 1;
            messages.splice(before_last..before_last, turn);
        }
        self
    }

    /// Adds an image of one pixel to the last message.
    #[must_use]
    pub fn image(mut self) -> Self {
        let shape = self.shape;
        let url = format!("data:image/gif;base64,{PIXEL}");
        let Some(last) = self.messages().and_then(|messages| messages.last_mut()) else {
            return self;
        };
        match shape {
            Shape::Chat => {
                let text = last["content"].take();
                last["content"] = json!([
                    {"type": "text", "text": text},
                    {"type": "image_url", "image_url": {"url": url}},
                ]);
            }
            Shape::Responses => {
                let part = json!({"type": "input_image", "image_url": url, "detail": "auto"});
                push(&mut last["content"], part);
            }
            Shape::Gemini | Shape::CodeAssist => {
                let part = json!({"inlineData": {"mimeType": "image/gif", "data": PIXEL}});
                push(&mut last["parts"], part);
            }
        }
        self
    }

    /// Pads the request with a system prompt of its own field (Chat: a first message) to about
    /// this many bytes, if it is smaller.
    #[must_use]
    pub fn size(mut self, bytes: usize) -> Self {
        let room = bytes.saturating_sub(self.bytes().len());
        let text: String = "只会用功 and no play. ".chars().cycle().take(room * 3 / 5).collect();
        match self.shape {
            Shape::Chat => {
                if let Some(messages) = self.messages() {
                    messages.insert(0, json!({"role": "system", "content": text}));
                }
                self
            }
            Shape::Responses => self.set("instructions", text.into()),
            Shape::Gemini | Shape::CodeAssist => {
                self.set("systemInstruction", json!({"parts": [{"text": text}]}))
            }
        }
    }

    /// The request as JSON.
    pub fn json(&self) -> &Value {
        &self.body
    }

    /// The request's bytes.
    pub fn bytes(&self) -> Bytes {
        self.body.to_string().into()
    }

    fn inner(&mut self) -> &mut Value {
        if self.shape == Shape::CodeAssist { &mut self.body["request"] } else { &mut self.body }
    }

    fn messages(&mut self) -> Option<&mut Vec<Value>> {
        let field = match self.shape {
            Shape::Chat => "messages",
            Shape::Responses => "input",
            Shape::Gemini | Shape::CodeAssist => "contents",
        };
        self.inner()[field].as_array_mut()
    }
}

impl From<CallBody> for Bytes {
    fn from(body: CallBody) -> Self {
        body.bytes()
    }
}

fn said(text: &str) -> Value {
    json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]})
}

fn push(parts: &mut Value, part: Value) {
    if let Some(parts) = parts.as_array_mut() {
        parts.push(part);
    }
}
