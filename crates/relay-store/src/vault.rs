//! Secrets at rest: records sealed under the master key, and the keyed hash of client keys.
//!
//! A sealed record is a version byte, the 8-byte id of the key, a 24-byte nonce and the
//! ciphertext of XChaCha20-Poly1305. What it says of itself and the place that it was sealed for
//! are authenticated with it, so a record that is moved to another row does not open there.

mod key_hash;
mod master;

use std::fmt;
use std::io;
use std::path::PathBuf;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::data_dir::DataDirError;

pub use self::key_hash::{KeyHash, KeyHasher, Pepper, PepperScheme, generate_key};
pub use self::master::{KEY_CHARS_MIN, KeyOrigin, MasterKey};

const VERSION: u8 = 1;
const FINGERPRINT_BYTES: usize = 8;
const NONCE_BYTES: usize = 24;
const HEADER_BYTES: usize = 1 + FINGERPRINT_BYTES;

/// Why the master key could not be had, or a record not be opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The text given as the key is too short to be one.
    #[error(
        "the encryption key has {chars} characters and needs at least {KEY_CHARS_MIN}; \
         `openssl rand -hex 32` makes a good one"
    )]
    KeyTooShort {
        /// How long it is.
        chars: usize,
    },
    /// The text given as the key is a sample from a guide, or a pattern that anyone would try.
    #[error(
        "the encryption key is a sample value or a repeated pattern, which anyone could guess; \
         `openssl rand -hex 32` makes a good one"
    )]
    KeyIsSample,
    /// There are records sealed under a key, but no key.
    #[error(
        "the database exists but its master key is missing: put {} back from a backup, or set \
         ENCRYPTION_KEY to the key that this relay was started with; nothing was changed", .path.display()
    )]
    MissingMasterKey {
        /// Where the key should be.
        path: PathBuf,
    },
    /// The environment and the file give different keys.
    #[error(
        "ENCRYPTION_KEY and {} are different keys: remove the one that this relay was not \
         started with; nothing was changed", .path.display()
    )]
    KeysDisagree {
        /// The file.
        path: PathBuf,
    },
    /// The master key's file holds something else.
    #[error("{} is damaged: it should hold one line of 64 hexadecimal digits", .path.display())]
    MalformedKeyFile {
        /// The file.
        path: PathBuf,
    },
    /// The master key's file could not be read.
    #[error("cannot read {}", .path.display())]
    ReadKeyFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The master key's file could not be written.
    #[error("cannot keep the new master key")]
    WriteKeyFile(#[from] DataDirError),
    /// The bytes are not a sealed record.
    #[error("not a sealed record")]
    NotSealed,
    /// The record was sealed under another master key.
    #[error("sealed under the master key {sealed_by}, but the master key here is {here}")]
    OtherKey {
        /// The key that the record names.
        sealed_by: Fingerprint,
        /// This vault's key.
        here: Fingerprint,
    },
    /// The record was sealed for another place, or was changed.
    #[error("the sealed record of {place} was changed, or was sealed for another place")]
    NotAuthentic {
        /// The place that it was opened for.
        place: String,
    },
}

/// The public id of a master key: it tells keys apart, and nothing about them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; FINGERPRINT_BYTES]);

impl Fingerprint {
    /// The key that a record says it was sealed under; `None` if it is not a sealed record.
    pub fn of_sealed(sealed: &[u8]) -> Option<Self> {
        let (header, rest) = sealed.split_first_chunk::<HEADER_BYTES>()?;
        let (version, fingerprint) = header.split_first_chunk::<1>()?;
        let whole = *version == [VERSION] && rest.len() >= NONCE_BYTES;
        whole.then(|| fingerprint.try_into().ok().map(Self)).flatten()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Seals and opens records under one master key.
#[derive(Clone)]
pub struct Vault {
    cipher: XChaCha20Poly1305,
    fingerprint: Fingerprint,
}

impl Vault {
    /// The vault of a master key.
    pub fn new(master: &MasterKey) -> Self {
        let key = master.sealing_key();
        Self { cipher: XChaCha20Poly1305::new((&*key).into()), fingerprint: master.fingerprint() }
    }

    /// The id of the master key, which every record sealed here carries.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Seals `plaintext` for one place, such as `accounts.secret:acct_7`.
    pub fn seal(&self, place: &str, plaintext: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE_BYTES] = random();
        let ciphertext = self.encrypt(place, &nonce, plaintext);
        [&self.header()[..], &nonce, &ciphertext].concat()
    }

    /// Opens a record that was sealed for `place`.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let sealed_by = Fingerprint::of_sealed(sealed).ok_or(VaultError::NotSealed)?;
        if sealed_by != self.fingerprint {
            return Err(VaultError::OtherKey { sealed_by, here: self.fingerprint });
        }
        let (nonce, ciphertext) = sealed[HEADER_BYTES..]
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or(VaultError::NotSealed)?;
        let message =
            Payload { msg: ciphertext, aad: &[&self.header(), place.as_bytes()].concat() };
        self.cipher
            .decrypt(&XNonce::from(*nonce), message)
            .map(Zeroizing::new)
            .map_err(|_| VaultError::NotAuthentic { place: place.to_owned() })
    }

    fn encrypt(&self, place: &str, nonce: &[u8; NONCE_BYTES], plaintext: &[u8]) -> Vec<u8> {
        let message = Payload { msg: plaintext, aad: &[&self.header(), place.as_bytes()].concat() };
        self.cipher
            .encrypt(&XNonce::from(*nonce), message)
            .expect("no secret is as long as the cipher's limit of 256 GiB")
    }

    fn header(&self) -> [u8; HEADER_BYTES] {
        let mut header = [VERSION; HEADER_BYTES];
        header[1..].copy_from_slice(&self.fingerprint.0);
        header
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault({})", self.fingerprint)
    }
}

/// Random bytes of the operating system, fit for keys.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .expect("the operating system gives random bytes once it has started");
    bytes
}

#[cfg(test)]
mod tests;
