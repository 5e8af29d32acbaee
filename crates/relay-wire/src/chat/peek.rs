//! Reads from the raw body of a Chat request what the relay must know to pass it on.

use std::ops::Range;

use super::stream_usage::Splice;
use crate::json::{Kind, Quoted, ScanError, Scanner, is_like};
use crate::peek::prompt::{Part, Prompt};
use crate::peek::session::{SESSION_BYTES_MAX, hash_beginning};
use crate::peek::{
    Once, PeekError, SessionHint, body_members, read_count, read_model, read_stream, span_of,
};

/// What a request to `/chat/completions`, or to the older `/completions`, says to the relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatPeek {
    /// The model that is asked for, escapes resolved.
    pub model: String,
    /// Where the model's JSON string stands in the body, quotes included.
    pub model_span: Range<usize>,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// The most output tokens; `None` if left out or not a count, which the upstream judges.
    pub max_tokens: Option<u64>,
    /// What tells the conversation apart: `prompt_cache_key`, or else how it begins.
    pub session: SessionHint,
    /// Whether it names an uploaded file, which only the account has that it was uploaded to.
    pub names_account_state: bool,
    /// The tokens of the prompt, estimated as [`crate::peek::MessagesPeek::input_estimate`] is.
    pub input_estimate: u64,
    /// What has to change for the stream to state its usage; `None` if it does, or if there is no
    /// stream. If there is, the client did not ask, and must not get the chunk.
    pub usage_splice: Option<Splice>,
}

/// The members of a body that the relay reads.
const FIELDS: [&str; 8] = [
    "model",
    "stream",
    "max_tokens",
    "max_completion_tokens",
    "stream_options",
    "prompt_cache_key",
    "messages",
    "prompt",
];

/// Peeks at the body of a request to `/chat/completions` or `/completions`.
///
/// The whole body is checked to be JSON; of its fields only what the relay itself needs is.
pub fn chat(body: &[u8]) -> Result<ChatPeek, PeekError> {
    let mut request = Request::default();
    let mut once = Once::of(FIELDS);
    body_members(body, |scanner, key| {
        let field = once.see(&key)?;
        request.read_member(scanner, key, field)
    })?;

    let (model, model_span) = request.model.ok_or(PeekError::MissingModel)?;
    let session = match (request.cache_key, request.first_user) {
        (Some(id), _) => SessionHint::Client(id),
        (None, Some(content)) => {
            let instructions = request.instructions.map_or(&[][..], |span| &body[span]);
            SessionHint::Conversation(hash_beginning(instructions, &body[content])?)
        }
        (None, None) => SessionHint::None,
    };
    let usage_splice = match request.usage {
        UsageWish::Asked => None,
        UsageWish::Splice(splice) => Some(splice),
        // The body has a model, so a member follows.
        UsageWish::Silent => {
            let at = body.iter().position(|byte| *byte == b'{').map_or(0, |at| at + 1);
            let with = r#""stream_options":{"include_usage":true},"#;
            Some(Splice { span: at..at, with })
        }
    };
    Ok(ChatPeek {
        model,
        model_span,
        stream: request.stream,
        max_tokens: request.max_completion_tokens.or(request.max_tokens),
        session,
        names_account_state: request.prompt.names_file(),
        input_estimate: request.prompt.tokens(),
        usage_splice: usage_splice.filter(|_| request.stream),
    })
}

/// What has been read of a request so far; spans lie in the body.
#[derive(Debug, Default)]
struct Request {
    model: Option<(String, Range<usize>)>,
    stream: bool,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    cache_key: Option<String>,
    /// The content of the first message of the system or the developer.
    instructions: Option<Range<usize>>,
    /// The content of the user's first message.
    first_user: Option<Range<usize>>,
    usage: UsageWish,
    prompt: Prompt,
}

/// What a request says of the usage of its stream.
#[derive(Debug, Default)]
enum UsageWish {
    /// Nothing.
    #[default]
    Silent,
    /// That it is wanted.
    Asked,
    /// That it is not, or something else that belongs beside it.
    Splice(Splice),
}

impl Request {
    fn read_member(
        &mut self,
        scanner: &mut Scanner<'_>,
        key: Quoted<'_>,
        field: Option<&str>,
    ) -> Result<(), PeekError> {
        match field {
            Some("model") => self.model = Some(read_model(scanner)?),
            // Chat's own server takes null for left out.
            Some("stream") if scanner.kind()? == Kind::Null => scanner.skip()?,
            Some("stream") => self.stream = read_stream(scanner)?,
            Some("max_tokens") => self.max_tokens = read_count(scanner)?,
            Some("max_completion_tokens") => self.max_completion_tokens = read_count(scanner)?,
            Some("stream_options") => self.usage = read_usage_wish(scanner)?,
            Some("prompt_cache_key") => self.read_cache_key(scanner)?,
            Some("messages") => self.read_messages(scanner)?,
            Some("prompt") => {
                let prompt = &mut self.prompt;
                let span = span_of(scanner, |scanner| prompt.count(scanner, Part::Messages))?;
                self.first_user = Some(span);
            }
            // In other case it may be one to the upstream: a second would be one too many.
            _ if is_like(&key.name(), "stream_options") => {
                self.usage = UsageWish::Asked;
                scanner.skip()?;
            }
            _ if matches!(&*key.name(), b"tools" | b"functions") => {
                self.prompt.count(scanner, Part::Tools)?;
            }
            _ if matches!(&*key.name(), b"metadata" | b"user" | b"safety_identifier") => {
                scanner.skip()?;
            }
            _ => self.prompt.count_member(scanner, key, Part::Other)?,
        }
        Ok(())
    }

    fn read_cache_key(&mut self, scanner: &mut Scanner<'_>) -> Result<(), ScanError> {
        if scanner.kind()? != Kind::String {
            return scanner.skip();
        }
        let key = scanner.string()?.unescape();
        self.cache_key = key.filter(|key| (1..=SESSION_BYTES_MAX).contains(&key.len()));
        Ok(())
    }

    fn read_messages(&mut self, scanner: &mut Scanner<'_>) -> Result<(), PeekError> {
        if scanner.kind()? != Kind::Array {
            return Ok(self.prompt.count(scanner, Part::Messages)?);
        }
        scanner.array(|scanner| {
            if self.first_user.is_none() && scanner.kind()? == Kind::Object {
                Ok(self.read_message(scanner)?)
            } else {
                Ok(self.prompt.count(scanner, Part::Messages)?)
            }
        })
    }

    /// Reads a message that may begin the conversation: its role can stand after its content.
    fn read_message(&mut self, scanner: &mut Scanner<'_>) -> Result<(), ScanError> {
        let prompt = &mut self.prompt;
        let (mut content, mut role) = (None, None);
        scanner.object(|scanner, key| {
            let name = key.name();
            if &*name == b"role" && scanner.kind()? == Kind::String {
                role = Some(scanner.string()?.name());
                return Ok(());
            }
            let span =
                span_of(scanner, |scanner| prompt.count_member(scanner, key, Part::Messages))?;
            if &*name == b"content" {
                content = Some(span);
            }
            Ok::<(), ScanError>(())
        })?;
        match role.as_deref() {
            Some(b"user") => self.first_user = content,
            Some(b"system" | b"developer") if self.instructions.is_none() => {
                self.instructions = content;
            }
            _ => {}
        }
        Ok(())
    }
}

/// Reads `stream_options`.
fn read_usage_wish(scanner: &mut Scanner<'_>) -> Result<UsageWish, PeekError> {
    match scanner.kind()? {
        Kind::Object => {}
        Kind::Null => {
            let span = span_of(scanner, Scanner::skip)?;
            return Ok(UsageWish::Splice(Splice { span, with: r#"{"include_usage":true}"# }));
        }
        // What is no object the upstream refuses.
        _ => {
            scanner.skip()?;
            return Ok(UsageWish::Asked);
        }
    }
    let inside = scanner.at() + 1;
    let (mut wish, mut is_empty) = (None, true);
    scanner.object(|scanner, key| {
        is_empty = false;
        if &*key.name() != b"include_usage" {
            return Ok(scanner.skip()?);
        }
        if wish.is_some() {
            return Err(PeekError::DuplicateKey("include_usage"));
        }
        let kind = scanner.kind()?;
        let start = scanner.at();
        wish = Some(if kind == Kind::Bool && scanner.scalar()? == b"true" {
            UsageWish::Asked
        } else {
            if kind != Kind::Bool {
                scanner.skip()?;
            }
            UsageWish::Splice(Splice { span: start..scanner.at(), with: "true" })
        });
        Ok(())
    })?;
    Ok(wish.unwrap_or_else(|| {
        let member = if is_empty { r#""include_usage":true"# } else { r#""include_usage":true,"# };
        UsageWish::Splice(Splice { span: inside..inside, with: member })
    }))
}

#[cfg(test)]
mod tests;
