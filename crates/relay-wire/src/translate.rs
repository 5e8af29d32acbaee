//! From the protocol that a client speaks to the one that an account does, and back.
//!
//! A request is read into the [hub](crate::hub) and written from it; [`Back`] remembers what the way
//! back needs. Which pairs there are, [`Endpoint::translations`] says.

mod pairs;
mod stream;

use bytes::{Bytes, BytesMut};
use relay_core::endpoint::Endpoint;
use relay_core::protocol::Protocol;
use serde_json::Value;

pub use self::pairs::{Pair, pairs};
pub use self::stream::{Collector, Translator};
use self::stream::{Reader, Writer};
use crate::anthropic::request::TextTools;
use crate::hub::{Answer, DecodeError, Losses, Malformed, Request, Unsupported, Written};
use crate::json::members;
use crate::{anthropic, chat, gemini, responses};

/// Who is asked, and how.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// What the account is asked.
    pub endpoint: Endpoint,
    /// The model, by the name that the account knows.
    pub model: &'a str,
    /// Whether its answer is to be a stream.
    pub streamed: bool,
    /// Which of its provider's services it is.
    pub host: Host,
}

/// Services of a provider that take other requests than its API does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// The API, or a host like it.
    Api,
    /// The upstream of ChatGPT subscriptions.
    ChatGpt,
    /// The upstream of Gemini CLI.
    CodeAssist,
}

/// For whom, and when.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// What the client asked.
    pub endpoint: Endpoint,
    /// The relay's name for the call.
    pub call: &'a str,
    /// The moment, in seconds since the Unix epoch.
    pub now: i64,
}

/// A request in the protocol of an account.
#[derive(Debug)]
pub struct Translated {
    /// The body.
    pub body: Vec<u8>,
    /// How its answer gets back.
    pub back: Back,
    /// What is lost on the way there.
    pub losses: Losses,
}

/// How answers get back to the client.
#[derive(Debug, Clone)]
pub struct Back {
    client: Client,
    upstream: Protocol,
    text_tools: TextTools,
    call: String,
    now: i64,
}

/// What the client speaks, and what it wants of the form of its answer.
#[derive(Debug, Clone)]
enum Client {
    Messages(anthropic::request::Wishes),
    Chat(chat::Wishes),
    Responses(responses::Wishes),
}

/// Translates a client's request.
///
/// Fails if the body is not what its protocol says, or asks for what the account does not have.
pub fn request(
    asker: Asker<'_>,
    target: Target<'_>,
    body: &[u8],
) -> Result<Translated, DecodeError> {
    let (mut request, mut losses, client) = read(asker.endpoint, body)?;
    target.model.clone_into(&mut request.model);
    request.streamed = target.streamed;
    let Written { body, losses: more } = write(target, &request)?;
    losses.extend(more);
    let pair = Pair { client: asker.endpoint, account: target.endpoint };
    debug_assert!(pair.losses_there().is_superset(&losses), "{pair:?}: {losses:?}");
    let back = Back {
        client,
        upstream: target.endpoint.protocol(),
        text_tools: TextTools::of(&request),
        call: asker.call.to_owned(),
        now: asker.now,
    };
    Ok(Translated { body, back, losses })
}

fn read(endpoint: Endpoint, body: &[u8]) -> Result<(Request, Losses, Client), DecodeError> {
    match endpoint {
        Endpoint::Messages | Endpoint::CountTokens => {
            let read = anthropic::request::read(body)?;
            Ok((read.request, read.losses, Client::Messages(read.wishes)))
        }
        Endpoint::Chat => {
            let read = chat::request::read(body)?;
            Ok((read.request, read.losses, Client::Chat(read.wishes)))
        }
        Endpoint::Completions => {
            let read = chat::request::read_prompt(body)?;
            Ok((read.request, read.losses, Client::Chat(read.wishes)))
        }
        Endpoint::Responses => {
            let read = responses::request::read(body)?;
            Ok((read.request, read.losses, Client::Responses(read.wishes)))
        }
        _ => Err(untranslated().into()),
    }
}

fn write(target: Target<'_>, request: &Request) -> Result<Written, Unsupported> {
    match target.endpoint {
        Endpoint::Messages => anthropic::request::write(request),
        Endpoint::Chat => chat::request::write(request),
        Endpoint::Responses if target.host == Host::ChatGpt => {
            responses::request::write_for_chatgpt(request)
        }
        Endpoint::Responses => responses::request::write(request),
        Endpoint::CountInput => Ok(counted(responses::request::write(request)?, COUNTED_INPUT)),
        Endpoint::Generate => gemini::request::write(request),
        Endpoint::CountContents => {
            let written = gemini::request::write(request)?;
            Ok(if target.host == Host::CodeAssist {
                // It counts the conversation alone.
                counted(written, ["contents"])
            } else {
                in_count(written, target.model)
            })
        }
        _ => Err(untranslated()),
    }
}

/// What OpenAI's count of the tokens of a request takes of it.
const COUNTED_INPUT: [&str; 8] = [
    "model",
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "text",
    "reasoning",
];

/// The members of a request that a count of its tokens takes.
fn counted<const N: usize>(written: Written, names: [&str; N]) -> Written {
    let Ok(found) = members(&written.body, names) else { return written };
    let mut body = Vec::with_capacity(written.body.len());
    for (name, value) in names.iter().zip(found) {
        let Some(value) = value else { continue };
        body.extend_from_slice(if body.is_empty() { b"{\"" } else { b",\"" });
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(b"\":");
        body.extend_from_slice(value);
    }
    body.push(b'}');
    Written { body, ..written }
}

/// A request of Google's within the one that counts its tokens, instructions and tools included.
fn in_count(written: Written, model: &str) -> Written {
    let model = Value::String(format!("models/{model}"));
    let mut body = format!(r#"{{"generateContentRequest":{{"model":{model},"#).into_bytes();
    // It is an object that has `contents` at least.
    body.extend_from_slice(written.body.get(1..).unwrap_or_default());
    body.push(b'}');
    Written { body, ..written }
}

fn untranslated() -> Unsupported {
    Unsupported::new("this request", "the account speaks another protocol")
}

impl Back {
    /// Brings back a stream.
    pub fn stream(&self) -> Translator {
        Translator::new(self.reader(), self.writer())
    }

    /// Puts a stream together for a client that asked for a whole answer.
    pub fn collector(&self) -> Collector {
        Collector::new(self.clone(), self.reader())
    }

    /// A whole answer in the client's protocol.
    pub fn whole(&self, body: &[u8]) -> Result<Vec<u8>, Malformed> {
        Ok(self.write_whole(&self.read_whole(body)?))
    }

    /// A whole answer for a client that asked for a stream.
    pub fn whole_as_stream(&self, body: &[u8]) -> Result<Bytes, Malformed> {
        let (mut writer, mut out) = (self.writer(), BytesMut::new());
        for event in self.read_whole(body)?.into_events() {
            writer.push(event, &mut out);
        }
        Ok(out.freeze())
    }

    /// A count of tokens in the client's protocol; `None` if the answer states none.
    pub fn count(&self, body: &[u8]) -> Option<Vec<u8>> {
        let name = if self.upstream == Protocol::Gemini { "totalTokens" } else { "input_tokens" };
        let counted: Value = serde_json::from_slice(body).ok()?;
        let tokens = counted.get(name)?.as_u64()?;
        Some(format!(r#"{{"input_tokens":{tokens}}}"#).into_bytes())
    }

    /// What of a whole answer the client is not told.
    pub fn losses_of_whole(&self, body: &[u8]) -> Result<Losses, Malformed> {
        let answer = self.read_whole(body)?;
        Ok(match &self.client {
            Client::Messages(wishes) => anthropic::answer::losses_of_whole(&answer, *wishes),
            Client::Chat(wishes) => chat::answer::losses_of_whole(&answer, *wishes),
            Client::Responses(wishes) => responses::answer::losses_of_whole(&answer, wishes),
        })
    }

    fn read_whole(&self, body: &[u8]) -> Result<Answer, Malformed> {
        match self.upstream {
            Protocol::Messages => anthropic::answer::read_whole(body, self.text_tools.clone()),
            Protocol::Chat => chat::answer::read_whole(body),
            Protocol::Responses => responses::answer::read_whole(body),
            Protocol::Gemini => {
                let body = gemini::envelope::answer_of(body);
                gemini::answer::read_whole(body, self.text_tools.clone(), self.client.protocol())
            }
        }
    }

    fn write_whole(&self, answer: &Answer) -> Vec<u8> {
        match &self.client {
            Client::Messages(wishes) => anthropic::answer::write_whole(answer, *wishes, &self.call),
            Client::Chat(wishes) => chat::answer::write_whole(answer, *wishes, self.now),
            Client::Responses(wishes) => responses::answer::write_whole(answer, wishes, self.now),
        }
    }

    fn reader(&self) -> Reader {
        match self.upstream {
            Protocol::Messages => {
                Reader::Messages(anthropic::answer::Reader::new(self.text_tools.clone()))
            }
            Protocol::Chat => Reader::Chat(chat::answer::Reader::default()),
            Protocol::Responses => Reader::Responses(responses::answer::Reader::default()),
            Protocol::Gemini => Reader::Gemini(gemini::answer::Reader::new(
                self.text_tools.clone(),
                self.client.protocol(),
            )),
        }
    }

    fn writer(&self) -> Writer {
        match &self.client {
            Client::Messages(wishes) => {
                Writer::Messages(anthropic::answer::Writer::new(*wishes, &*self.call))
            }
            Client::Chat(wishes) => Writer::Chat(chat::answer::Writer::new(*wishes, self.now)),
            Client::Responses(wishes) => {
                Writer::Responses(responses::answer::Writer::new(wishes.clone(), self.now))
            }
        }
    }
}

impl Client {
    const fn protocol(&self) -> Protocol {
        match self {
            Self::Messages(_) => Protocol::Messages,
            Self::Chat(_) => Protocol::Chat,
            Self::Responses(_) => Protocol::Responses,
        }
    }
}
