//! What tells a conversation apart: the client's own id, or a hash of how it begins.

use serde::Deserialize;
use twox_hash::XxHash3_128;

use super::prompt::is_cache_control;
use crate::json::{Kind, ScanError, Scanner};

/// The longest session id that is taken from a client, in bytes.
pub(crate) const SESSION_BYTES_MAX: usize = 256;

/// The session in a `metadata.user_id` of Claude Code, which is a JSON object in a string
/// (`{"device_id":…,"account_uuid":…,"session_id":…}`), or in older versions
/// `user_<64 hex>_account_<uuid or nothing>_session_<uuid>`.
///
/// Any other user id says who talks and not in which conversation.
pub(super) fn of_user_id(user_id: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct UserId {
        session_id: String,
    }
    if user_id.starts_with('{') {
        let id = serde_json::from_str::<UserId>(user_id).ok()?.session_id;
        return (1..=SESSION_BYTES_MAX).contains(&id.len()).then_some(id);
    }
    let (user, rest) = user_id.strip_prefix("user_")?.split_once("_account_")?;
    let (account, session) = rest.split_once("_session_")?;
    let is_user = user.len() == 64 && user.bytes().all(|byte| byte.is_ascii_hexdigit());
    let known = is_user && (account.is_empty() || is_uuid(account)) && is_uuid(session);
    known.then(|| session.to_owned())
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Hashes the beginning of a conversation: XXH3 of its system prompt (empty if there is none) and of
/// the content of the user's first message. It tells conversations of one key apart and guards
/// nothing, so it need not withstand anybody, and prompts are long.
///
/// Both are values that have been read, without what stands around them.
///
/// Equal for every turn of a conversation: whitespace between tokens, `cache_control`, and
/// whether a lone text is written as a string or as a block make no difference.
pub(crate) fn hash_beginning(system: &[u8], content: &[u8]) -> Result<[u8; 16], ScanError> {
    let mut hasher = XxHash3_128::new();
    if !system.is_empty() {
        hash_text_or_blocks(system, &mut hasher)?;
    }
    hasher.write(&[0]);
    hash_text_or_blocks(content, &mut hasher)?;
    Ok(hasher.finish_128().to_be_bytes())
}

/// Hashes a text as the one text block that it stands for, anything else as it is.
fn hash_text_or_blocks(value: &[u8], hasher: &mut XxHash3_128) -> Result<(), ScanError> {
    // What begins with a quote is a string to its end, as it has been read before.
    if value.first() != Some(&b'"') {
        return hash_value(&mut Scanner::new(value), hasher);
    }
    hasher.write(br#"[{"type":"text","text":"#);
    hasher.write(value);
    hasher.write(b",},]");
    Ok(())
}

/// Hashes a value without whitespace and markers. A comma follows each entry, so that leaving
/// one out leaves nothing behind.
fn hash_value(scanner: &mut Scanner<'_>, hasher: &mut XxHash3_128) -> Result<(), ScanError> {
    match scanner.kind()? {
        Kind::Object => {
            hasher.write(b"{");
            scanner.object(|scanner, key| {
                if is_cache_control(&key) {
                    return scanner.skip();
                }
                hasher.write(key.raw());
                hasher.write(b":");
                hash_value(scanner, hasher)?;
                hasher.write(b",");
                Ok(())
            })?;
            hasher.write(b"}");
        }
        Kind::Array => {
            hasher.write(b"[");
            scanner.array(|scanner| {
                hash_value(scanner, hasher)?;
                hasher.write(b",");
                Ok::<(), ScanError>(())
            })?;
            hasher.write(b"]");
        }
        Kind::String => hasher.write(scanner.string()?.raw()),
        Kind::Number | Kind::Bool | Kind::Null => hasher.write(scanner.scalar()?),
    }
    Ok(())
}
