//! How large a prompt is, and how much of it is marked for the provider's cache.

use memchr::memchr;

use crate::estimate::TextTally;
use crate::json::{Kind, Quoted, ScanError, Scanner};

/// What an image or a document is taken for, in tokens, however many bytes it has: about the
/// most that an image costs after the provider has scaled it down.
pub const BLOB_TOKENS: u64 = 1_600;

/// A string longer than this may be a blob, in bytes.
const BLOB_BYTES_MIN: usize = 4 * 1_024;

/// How much of a string is looked at to tell a blob from text, in bytes.
const BLOB_SAMPLE_BYTES: usize = 256;

/// The parts of a prompt, in the order in which the provider reads (and caches) them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Tools,
    System,
    Messages,
    /// Members that are not known: counted, since a newer API may read a prompt from them.
    Other,
}

impl Part {
    const COUNT: usize = 4;
}

/// The size of a prompt by parts.
#[derive(Debug, Default)]
pub(crate) struct Prompt {
    parts: [PartSize; Part::COUNT],
    /// Whether what is read now is the input of a tool, where any name can stand.
    in_tool_input: bool,
    names_file: bool,
}

/// The size of one part.
#[derive(Debug, Clone, Copy, Default)]
struct PartSize {
    text: TextTally,
    blobs: u64,
    /// The tokens before the last marker; `None` without a marker.
    marked: Option<u64>,
}

impl PartSize {
    const fn tokens(&self) -> u64 {
        self.text.tokens() + self.blobs * BLOB_TOKENS
    }
}

impl Prompt {
    /// Reads a value and counts its texts.
    pub(crate) fn count(&mut self, scanner: &mut Scanner<'_>, part: Part) -> Result<(), ScanError> {
        match scanner.kind()? {
            Kind::Object => scanner.object(|scanner, key| self.count_member(scanner, key, part)),
            Kind::Array => scanner.array(|scanner| self.count(scanner, part)),
            Kind::String => {
                let size = &mut self.parts[part as usize];
                let text = scanner.string()?;
                if is_blob(text.inner()) {
                    size.blobs += 1;
                } else {
                    size.text.add_quoted(&text);
                }
                Ok(())
            }
            Kind::Number | Kind::Bool | Kind::Null => scanner.scalar().map(drop),
        }
    }

    /// Reads the value of a member. Names count for tools only: the schema is shown to the model,
    /// the members of messages are not. A `cache_control` is no text but marks what is before it.
    pub(crate) fn count_member(
        &mut self,
        scanner: &mut Scanner<'_>,
        key: Quoted<'_>,
        part: Part,
    ) -> Result<(), ScanError> {
        if is_cache_control(&key) {
            if scanner.kind()? != Kind::Null {
                let size = &mut self.parts[part as usize];
                size.marked = Some(size.tokens());
            }
            return scanner.skip();
        }
        if part == Part::Messages && !self.in_tool_input {
            match key.inner() {
                b"input" => {
                    self.in_tool_input = true;
                    let counted = self.count(scanner, part);
                    self.in_tool_input = false;
                    return counted;
                }
                b"file_id" => self.names_file |= scanner.kind()? == Kind::String,
                _ => {}
            }
        }
        if part == Part::Tools {
            self.parts[part as usize].text.add_quoted(&key);
        }
        self.count(scanner, part)
    }

    /// Whether a message names a file that was uploaded to an account.
    pub(crate) const fn names_file(&self) -> bool {
        self.names_file
    }

    /// The tokens of the whole prompt.
    pub(crate) fn tokens(&self) -> u64 {
        self.parts.iter().map(PartSize::tokens).sum()
    }

    /// The tokens up to the last marker. One that stands beside the parts marks all of them.
    pub(crate) fn cacheable_tokens(&self) -> u64 {
        let [tools, system, messages, other] = &self.parts;
        if other.marked.is_some() {
            tools.tokens() + system.tokens() + messages.tokens()
        } else if let Some(marked) = messages.marked {
            tools.tokens() + system.tokens() + marked
        } else if let Some(marked) = system.marked {
            tools.tokens() + marked
        } else {
            tools.marked.unwrap_or_default()
        }
    }
}

/// Whether a member is a marker of the provider's cache.
pub(crate) fn is_cache_control(key: &Quoted<'_>) -> bool {
    key.is("cache_control")
}

/// Whether a string is Base64 rather than text, by itself or in a `data:` address. Some serialisers
/// escape the slashes.
fn is_blob(mut text: &[u8]) -> bool {
    if text.starts_with(b"data:")
        && let Some(comma) = memchr(b',', &text[..text.len().min(BLOB_SAMPLE_BYTES)])
    {
        text = &text[comma + 1..];
    }
    let is_base64 =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'\\');
    text.len() > BLOB_BYTES_MIN && text[..BLOB_SAMPLE_BYTES].iter().all(is_base64)
}
