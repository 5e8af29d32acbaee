//! What a file of the record holds, and what may take the place of what.

use relay_core::credential::Tokens;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::tokens::{Written, secret_json};

/// What the first line begins with: the form of the file.
const FORM: &str = "crs credential 1 ";

/// What is noted of an account. An intent is of a newer version than the pair beside it.
#[derive(Default)]
pub(super) struct Entry {
    /// The version of the tokens that a refresh went out for.
    pub(super) begun: Option<i64>,
    /// A pair, and the version of the tokens that it replaces.
    pub(super) pair: Option<(i64, Tokens)>,
}

/// An entry as it is written, of `&str` to write it and of `String` to read it.
#[derive(Serialize, Deserialize)]
struct WrittenEntry<T> {
    begun: Option<i64>,
    pair: Option<WrittenPair<T>>,
}

#[derive(Serialize, Deserialize)]
struct WrittenPair<T> {
    replaces: i64,
    tokens: Written<T>,
}

impl Entry {
    /// Notes an intent; `false` if there is a pair for this version, or anything newer.
    pub(super) fn begin(&mut self, version: i64) -> bool {
        let used_up = self.pair.as_ref().is_some_and(|(replaced, _)| *replaced >= version);
        if used_up || self.begun.is_some_and(|begun| begun > version) {
            return false;
        }
        self.begun = Some(version);
        true
    }

    /// Notes a pair; `false` if there is anything newer.
    pub(super) fn finish(&mut self, version: i64, tokens: &Tokens) -> bool {
        let newer = self.pair.as_ref().is_some_and(|(replaced, _)| *replaced > version);
        if newer || self.begun.is_some_and(|begun| begun > version) {
            return false;
        }
        *self = Self { begun: None, pair: Some((version, tokens.clone())) };
        true
    }

    /// Drops what is noted of a version; whether there was anything.
    pub(super) fn clear(&mut self, version: i64) -> bool {
        let begun = self.begun.take_if(|begun| *begun == version);
        let pair = self.pair.take_if(|(replaced, _)| *replaced == version);
        begun.is_some() || pair.is_some()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.begun.is_none() && self.pair.is_none()
    }

    /// The newest version that it speaks of.
    pub(super) fn newest(&self) -> i64 {
        let replaced = self.pair.as_ref().map(|(replaced, _)| *replaced);
        self.begun.max(replaced).unwrap_or(0)
    }

    /// Its text, to be sealed.
    pub(super) fn write(&self) -> Zeroizing<Vec<u8>> {
        let pair = self.pair.as_ref();
        let written = WrittenEntry {
            begun: self.begun,
            pair: pair.map(|(replaces, it)| WrittenPair { replaces: *replaces, tokens: it.into() }),
        };
        secret_json(&written, pair.map(|(_, tokens)| tokens))
    }

    /// The entry of a text.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let WrittenEntry::<String> { begun, pair } = serde_json::from_slice(text).ok()?;
        Some(Self { begun, pair: pair.map(|pair| (pair.replaces, pair.tokens.into())) })
    }
}

/// The content of a file.
pub(super) fn join(version: i64, sealed: &[u8]) -> Vec<u8> {
    [format!("{FORM}{version}\n").as_bytes(), sealed].concat()
}

/// The version and the sealed part of a file's content.
pub(super) fn split(content: &[u8]) -> Option<(i64, &[u8])> {
    let end = memchr::memchr(b'\n', content)?;
    let line = std::str::from_utf8(&content[..end]).ok()?;
    Some((line.strip_prefix(FORM)?.parse().ok()?, &content[end + 1..]))
}
