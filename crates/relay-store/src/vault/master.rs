//! Where the master key comes from, and what is derived from it.

use std::fmt;
use std::fs;
use std::io::ErrorKind;

use hmac::{Hmac, KeyInit, Mac};
use relay_core::secret::Secret;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{FINGERPRINT_BYTES, Fingerprint, VaultError, random};
use crate::data_dir::{DataDir, create_private};

/// The fewest characters that a key given as text may have.
pub const KEY_CHARS_MIN: usize = 32;

const KEY_BYTES: usize = 32;

/// Parts of keys that guides print and people copy; compared in lower case.
const SAMPLE_PARTS: [&str; 15] = [
    "your-encryption-key",
    "your_encryption_key",
    "your-32",
    "your_32",
    "change-this",
    "change_this",
    "changeme",
    "change-me",
    "change_me",
    "32-char",
    "32_char",
    "encryption-key-here",
    "encryption_key_here",
    "1234567890",
    "abcdefghijklmnop",
];

/// The key under which every secret at rest is sealed. Wiped from memory when dropped.
///
/// It is derived from a text, and the file of a generated key holds such a text too: an operator
/// may move it from `master.key` to `ENCRYPTION_KEY` and back.
#[derive(PartialEq, Eq)]
pub struct MasterKey(Box<Zeroizing<[u8; KEY_BYTES]>>);

/// Where the master key was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyOrigin {
    /// `ENCRYPTION_KEY` gave it.
    Environment,
    /// It stood in `master.key`.
    File,
    /// There was none; it was made and now stands in `master.key`.
    Generated,
}

impl MasterKey {
    /// Finds the master key of a data directory, or makes it for a new one.
    ///
    /// `encryption_key` is the setting, if it is given. With `database_exists`, a key that cannot
    /// be found is an error and not made anew: there are records that only the old one opens.
    pub fn load(
        dir: &DataDir,
        encryption_key: Option<&Secret>,
        database_exists: bool,
    ) -> Result<(Self, KeyOrigin), VaultError> {
        let given = encryption_key.map(Self::from_text).transpose()?;
        let kept = Self::read(dir)?;
        match (given, kept) {
            (Some(given), Some(kept)) if given != kept => {
                Err(VaultError::KeysDisagree { path: dir.master_key() })
            }
            (Some(given), _) => Ok((given, KeyOrigin::Environment)),
            (None, Some(kept)) => Ok((kept, KeyOrigin::File)),
            (None, None) if database_exists => {
                Err(VaultError::MissingMasterKey { path: dir.master_key() })
            }
            (None, None) => Self::generate(dir),
        }
    }

    /// The key that a text stands for; spaces and line ends around it do not count.
    pub fn from_text(text: &Secret) -> Result<Self, VaultError> {
        let text = text.expose().trim();
        let chars = text.chars().count();
        if chars < KEY_CHARS_MIN {
            return Err(VaultError::KeyTooShort { chars });
        }
        if is_sample(text) {
            return Err(VaultError::KeyIsSample);
        }
        Ok(Self::derive(text))
    }

    /// The public id of this key.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut id = [0; FINGERPRINT_BYTES];
        id.copy_from_slice(&self.expand("crs key id")[..FINGERPRINT_BYTES]);
        Fingerprint(id)
    }

    pub(super) fn sealing_key(&self) -> Zeroizing<[u8; KEY_BYTES]> {
        self.expand("crs sealed records")
    }

    /// The extract step of HKDF (RFC 5869).
    fn derive(text: &str) -> Self {
        Self(Box::new(hmac(b"crs master key", &[text.as_bytes()])))
    }

    /// The expand step of HKDF, for one block of output.
    fn expand(&self, purpose: &str) -> Zeroizing<[u8; KEY_BYTES]> {
        hmac(&self.0[..], &[purpose.as_bytes(), &[1]])
    }

    fn read(dir: &DataDir) -> Result<Option<Self>, VaultError> {
        let path = dir.master_key();
        let content = match fs::read_to_string(&path) {
            Ok(content) => Zeroizing::new(content),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                return Err(VaultError::MalformedKeyFile { path });
            }
            Err(source) => return Err(VaultError::ReadKeyFile { path, source }),
        };
        let mut lines = content.lines().map(str::trim).filter(|line| !is_comment(line));
        match (lines.next(), lines.next()) {
            (Some(text), None) if is_key_text(text) => Ok(Some(Self::derive(text))),
            _ => Err(VaultError::MalformedKeyFile { path }),
        }
    }

    fn generate(dir: &DataDir) -> Result<(Self, KeyOrigin), VaultError> {
        let bytes = Zeroizing::new(random::<KEY_BYTES>());
        let text = Zeroizing::new(hex(&*bytes));
        let content = Zeroizing::new(format!(
            "# The master key of this relay: without it, no stored credential can be read.\n\
             # Keep a copy in a safe place. ENCRYPTION_KEY may give the same text instead.\n\
             {}\n",
            *text
        ));
        if create_private(&dir.master_key(), content.as_bytes())? {
            return Ok((Self::derive(&text), KeyOrigin::Generated));
        }
        // Another process made one between the look and now; there is only one key.
        let kept = Self::read(dir)?;
        kept.map(|key| (key, KeyOrigin::File))
            .ok_or_else(|| VaultError::MissingMasterKey { path: dir.master_key() })
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.fingerprint())
    }
}

/// HMAC-SHA256 of the parts, one after the other.
pub(super) fn hmac(key: &[u8], parts: &[&[u8]]) -> Zeroizing<[u8; KEY_BYTES]> {
    let mut mac = hmac_under(key);
    for part in parts {
        mac.update(part);
    }
    Zeroizing::new(mac.finalize().into_bytes().into())
}

/// HMAC-SHA256 that has taken in its key and nothing else.
pub(super) fn hmac_under(key: &[u8]) -> Hmac<Sha256> {
    KeyInit::new_from_slice(key).expect("HMAC takes a key of any length")
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    // Reserved at once: a string that grows leaves copies of a secret behind.
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 0xf));
    }
    text
}

fn is_comment(line: &str) -> bool {
    line.is_empty() || line.starts_with('#')
}

fn is_key_text(text: &str) -> bool {
    text.len() == 2 * KEY_BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_sample(text: &str) -> bool {
    let lower = Zeroizing::new(text.to_lowercase());
    SAMPLE_PARTS.iter().any(|part| lower.contains(part)) || repeats(lower.as_bytes())
}

/// Whether a text is one short piece over and over, such as one character or `abc123`.
fn repeats(text: &[u8]) -> bool {
    (1..=text.len() / 2).any(|period| text[period..] == text[..text.len() - period])
}
