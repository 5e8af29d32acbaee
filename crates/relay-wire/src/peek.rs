//! Reads from the raw body of a request what the relay must know, in one pass and nothing more.

use std::ops::Range;

use serde::Deserialize;
use serde_json::Value;

use crate::json::{DEPTH_MAX, Kind, Quoted, ScanError, Scanner, is_like};
use prompt::{Part, Prompt};

pub(crate) mod prompt;
pub(crate) mod session;

pub use prompt::BLOB_TOKENS;

/// What a Messages request says to the relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessagesPeek {
    /// The model that is asked for, escapes resolved.
    pub model: String,
    /// Where the model's JSON string stands in the body, quotes included.
    pub model_span: Range<usize>,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// The most output tokens; `None` if left out or not a count, which the upstream judges.
    pub max_tokens: Option<u64>,
    /// What tells the conversation apart.
    pub session: SessionHint,
    /// Whether it names what only the account has that served the conversation: a container of the
    /// provider's, or an uploaded file.
    pub names_account_state: bool,
    /// The tokens of the prompt, estimated by [`crate::estimate::NAME`]: every text of the body
    /// but the model's name and the metadata, each image or document as [`BLOB_TOKENS`].
    pub input_estimate: u64,
    /// How many of them stand before the last `cache_control` marker, in the order in which the
    /// provider reads a prompt (tools, system, messages). 0 if nothing is to be cached.
    pub cacheable_estimate: u64,
}

/// What tells one conversation from another. The caller scopes it to the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionHint {
    /// The client's own id for it.
    Client(String),
    /// A hash of the conversation's beginning: the system prompt and the first message of the
    /// user, without `cache_control`, which moves from turn to turn.
    Conversation([u8; 16]),
    /// Nothing: there is no message of a user.
    None,
}

/// The longest name of a model: names stand in records, log lines and tables.
pub const MODEL_BYTES_MAX: usize = 256;

/// Why a body is refused before any upstream sees it. The text is meant for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PeekError {
    /// Not JSON.
    #[error("the body is not valid JSON (at byte {0})")]
    NotJson(usize),
    /// JSON, but no object.
    #[error("the body is not a JSON object")]
    NotAnObject,
    /// Nested deeper than the scanner goes.
    #[error("the body is nested more than {DEPTH_MAX} levels deep")]
    TooDeep,
    /// A field that the relay reads is there twice, so that an upstream may read another value
    /// than the relay did. Names that differ only in case count as one: some servers read them so.
    #[error("the field `{0}` is given more than once")]
    DuplicateKey(&'static str),
    /// There is no `model`.
    #[error("the field `model` is missing")]
    MissingModel,
    /// `model` is not a string, or not one of valid Unicode.
    #[error("the field `model` is not a string")]
    ModelNotString,
    /// `model` is longer than any name of a model.
    #[error("the field `model` is longer than {MODEL_BYTES_MAX} bytes")]
    ModelTooLong,
    /// `stream` is neither true nor false.
    #[error("the field `stream` is not true or false")]
    StreamNotBool,
}

impl From<ScanError> for PeekError {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::Syntax(at) => Self::NotJson(at),
            ScanError::TooDeep => Self::TooDeep,
        }
    }
}

/// Peeks at the body of an Anthropic Messages or `count_tokens` request.
///
/// The whole body is checked to be JSON; of its fields only what the relay itself needs is.
pub fn messages(body: &[u8]) -> Result<MessagesPeek, PeekError> {
    let mut request = Request::default();
    let mut once = Once::of(FIELDS);
    body_members(body, |scanner, key| {
        let field = once.see(&key)?;
        request.read_member(scanner, key, field)
    })?;

    let (model, model_span) = request.model.ok_or(PeekError::MissingModel)?;
    let client = request.metadata.and_then(|span| client_session(&body[span]));
    let session = match (client, request.first_user) {
        (Some(id), _) => SessionHint::Client(id),
        (None, Some(content)) => {
            let system = request.system.map_or(&[][..], |span| &body[span]);
            SessionHint::Conversation(session::hash_beginning(system, &body[content])?)
        }
        (None, None) => SessionHint::None,
    };
    Ok(MessagesPeek {
        model,
        model_span,
        stream: request.stream,
        max_tokens: request.max_tokens,
        session,
        names_account_state: request.container || request.prompt.names_file(),
        input_estimate: request.prompt.tokens(),
        cacheable_estimate: request.prompt.cacheable_tokens(),
    })
}

/// The members of a body that the relay reads.
const FIELDS: [&str; 7] =
    ["model", "stream", "max_tokens", "metadata", "system", "messages", "container"];

/// Members that are read, of which each may be there once.
#[derive(Debug)]
pub(crate) struct Once<const N: usize> {
    names: [&'static str; N],
    seen: [bool; N],
}

impl<const N: usize> Once<N> {
    /// None of these has been seen yet.
    pub(crate) const fn of(names: [&'static str; N]) -> Self {
        Self { names, seen: [false; N] }
    }

    /// Which of them `key` is, if it is one. A name that differs in case alone is none of them, but
    /// counts as seen.
    pub(crate) fn see(&mut self, key: &Quoted<'_>) -> Result<Option<&'static str>, PeekError> {
        let name = key.name();
        let same = |field: &&str| *name == *field.as_bytes();
        let like = |field: &&str| is_like(&name, field);
        let exact = self.names.iter().position(same);
        let Some(at) = exact.or_else(|| self.names.iter().position(like)) else { return Ok(None) };
        let field = self.names[at];
        if std::mem::replace(&mut self.seen[at], true) {
            return Err(PeekError::DuplicateKey(field));
        }
        Ok(exact.map(|_| field))
    }
}

/// Reads the members of a body, which has to be one JSON object.
pub(crate) fn body_members<'a>(
    body: &'a [u8],
    member: impl FnMut(&mut Scanner<'a>, Quoted<'a>) -> Result<(), PeekError>,
) -> Result<(), PeekError> {
    let mut scanner = Scanner::new(body);
    if scanner.kind()? != Kind::Object {
        scanner.skip()?;
        scanner.end()?;
        return Err(PeekError::NotAnObject);
    }
    scanner.object(member)?;
    Ok(scanner.end()?)
}

/// What has been read of a request so far; spans lie in the body.
#[derive(Debug, Default)]
struct Request {
    model: Option<(String, Range<usize>)>,
    stream: bool,
    max_tokens: Option<u64>,
    metadata: Option<Range<usize>>,
    system: Option<Range<usize>>,
    first_user: Option<Range<usize>>,
    container: bool,
    prompt: Prompt,
}

impl Request {
    fn read_member(
        &mut self,
        scanner: &mut Scanner<'_>,
        key: Quoted<'_>,
        field: Option<&str>,
    ) -> Result<(), PeekError> {
        match field {
            Some("model") => {
                self.model = Some(read_model(scanner)?);
                Ok(())
            }
            Some("stream") => {
                self.stream = read_stream(scanner)?;
                Ok(())
            }
            Some("max_tokens") => {
                self.max_tokens = read_count(scanner)?;
                Ok(())
            }
            Some("metadata") => {
                self.metadata = Some(span_of(scanner, Scanner::skip)?);
                Ok(())
            }
            Some("system") => {
                let prompt = &mut self.prompt;
                let span = span_of(scanner, |scanner| prompt.count(scanner, Part::System))?;
                self.system = Some(span);
                Ok(())
            }
            Some("messages") => self.read_messages(scanner),
            Some("container") => self.read_container(scanner),
            None if &*key.name() == b"tools" => Ok(self.prompt.count(scanner, Part::Tools)?),
            _ => Ok(self.prompt.count_member(scanner, key, Part::Other)?),
        }
    }

    /// A container is named by its id, or described by an object that may have one.
    fn read_container(&mut self, scanner: &mut Scanner<'_>) -> Result<(), PeekError> {
        match scanner.kind()? {
            Kind::String => {
                self.container = true;
                Ok(scanner.skip()?)
            }
            Kind::Object => scanner.object(|scanner, key| {
                if &*key.name() == b"id" && scanner.kind()? == Kind::String {
                    self.container = true;
                }
                Ok(scanner.skip()?)
            }),
            _ => Ok(scanner.skip()?),
        }
    }

    fn read_messages(&mut self, scanner: &mut Scanner<'_>) -> Result<(), PeekError> {
        if scanner.kind()? != Kind::Array {
            return Ok(self.prompt.count(scanner, Part::Messages)?);
        }
        scanner.array(|scanner| {
            if self.first_user.is_none() && scanner.kind()? == Kind::Object {
                self.read_message(scanner)
            } else {
                Ok(self.prompt.count(scanner, Part::Messages)?)
            }
        })
    }

    /// Reads a message that may be the first of the user: its role can stand after its content.
    fn read_message(&mut self, scanner: &mut Scanner<'_>) -> Result<(), PeekError> {
        let prompt = &mut self.prompt;
        let (mut content, mut is_user) = (None, false);
        scanner.object(|scanner, key| {
            let name = key.name();
            if &*name == b"role" && scanner.kind()? == Kind::String {
                is_user = &*scanner.string()?.name() == b"user";
                return Ok(());
            }
            let span =
                span_of(scanner, |scanner| prompt.count_member(scanner, key, Part::Messages))?;
            if &*name == b"content" {
                content = Some(span);
            }
            Ok::<(), PeekError>(())
        })?;
        self.first_user = content.filter(|_| is_user);
        Ok(())
    }
}

/// Reads the name of a model and where it stands, quotes included.
pub(crate) fn read_model(scanner: &mut Scanner<'_>) -> Result<(String, Range<usize>), PeekError> {
    if scanner.kind()? != Kind::String {
        return Err(PeekError::ModelNotString);
    }
    let quoted = scanner.string()?;
    let model = quoted.unescape().ok_or(PeekError::ModelNotString)?;
    if model.len() > MODEL_BYTES_MAX {
        return Err(PeekError::ModelTooLong);
    }
    Ok((model, quoted.span()))
}

/// Reads whether an answer is to be streamed.
pub(crate) fn read_stream(scanner: &mut Scanner<'_>) -> Result<bool, PeekError> {
    if scanner.kind()? != Kind::Bool {
        return Err(PeekError::StreamNotBool);
    }
    Ok(scanner.scalar()? == b"true")
}

/// Reads a count; `None` if it is none.
pub(crate) fn read_count(scanner: &mut Scanner<'_>) -> Result<Option<u64>, ScanError> {
    if scanner.kind()? != Kind::Number {
        scanner.skip()?;
        return Ok(None);
    }
    Ok(str::from_utf8(scanner.scalar()?).ok().and_then(|it| it.parse().ok()))
}

/// Where the value that `read` reads stands.
pub(crate) fn span_of<'a>(
    scanner: &mut Scanner<'a>,
    read: impl FnOnce(&mut Scanner<'a>) -> Result<(), ScanError>,
) -> Result<Range<usize>, ScanError> {
    scanner.kind()?;
    let start = scanner.at();
    read(scanner)?;
    Ok(start..scanner.at())
}

/// The session that `metadata` names, if it does.
fn client_session(metadata: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Metadata {
        user_id: Option<Value>,
    }
    let metadata: Metadata = serde_json::from_slice(metadata).ok()?;
    session::of_user_id(metadata.user_id?.as_str()?)
}

#[cfg(test)]
mod tests;
