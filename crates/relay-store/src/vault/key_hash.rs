//! Client keys: how new ones are made, and the keyed hash as which they are stored.

use std::fmt;

use hmac::{Hmac, Mac};
use relay_core::secret::Secret;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::master::{hex, hmac_under};
use super::random;

/// Characters of a generated key after its prefix: 43 of 62 carry 256 bits.
const KEY_CHARS: usize = 43;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// How a pepper enters the hash of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PepperScheme {
    /// HMAC-SHA256 under the pepper: the relay's own.
    HmacSha256,
    /// SHA-256 of the key followed by the pepper: keys of an imported claude-relay-service,
    /// whose pepper is that installation's `ENCRYPTION_KEY`.
    ClaudeRelayService,
}

impl PepperScheme {
    /// The word used in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HmacSha256 => "hmac_sha256",
            Self::ClaudeRelayService => "claude_relay_service",
        }
    }

    /// The scheme of a word from the database.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::HmacSha256, Self::ClaudeRelayService]
            .into_iter()
            .find(|scheme| scheme.as_str() == word)
    }
}

/// The secret that client keys are hashed with; stored sealed, and the same for the keys' life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pepper {
    /// Its row in the database, to which the stored hashes refer.
    pub id: i64,
    /// How it enters the hash.
    pub scheme: PepperScheme,
    /// The secret itself.
    pub secret: Secret,
}

impl Pepper {
    /// Makes a random pepper of the relay's own scheme.
    pub fn generate(id: i64) -> Self {
        let bytes = Zeroizing::new(random::<32>());
        Self { id, scheme: PepperScheme::HmacSha256, secret: Secret::new(hex(&*bytes)) }
    }
}

/// The keyed hash of a client's key. Only who knows the pepper can choose it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash(pub [u8; 32]);

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyHash({}…)", hex(&self.0[..4]))
    }
}

/// Hashes presented keys with one pepper; what a call's authentication runs.
#[derive(Clone)]
pub struct KeyHasher {
    pepper: i64,
    state: State,
}

/// What can be computed before a key is known.
#[derive(Clone)]
enum State {
    HmacSha256(Box<Hmac<Sha256>>),
    ClaudeRelayService(Secret),
}

impl KeyHasher {
    /// The hasher of a pepper.
    pub fn new(pepper: &Pepper) -> Self {
        let state = match pepper.scheme {
            PepperScheme::HmacSha256 => {
                State::HmacSha256(Box::new(hmac_under(pepper.secret.expose().as_bytes())))
            }
            PepperScheme::ClaudeRelayService => State::ClaudeRelayService(pepper.secret.clone()),
        };
        Self { pepper: pepper.id, state }
    }

    /// The row of the pepper that this hashes with.
    pub fn pepper(&self) -> i64 {
        self.pepper
    }

    /// The hash of a key as a client presents it.
    pub fn hash(&self, presented: &str) -> KeyHash {
        KeyHash(match &self.state {
            State::HmacSha256(state) => {
                Hmac::clone(state).chain_update(presented.as_bytes()).finalize().into_bytes().into()
            }
            State::ClaudeRelayService(pepper) => Sha256::new()
                .chain_update(presented.as_bytes())
                .chain_update(pepper.expose().as_bytes())
                .finalize()
                .into(),
        })
    }
}

impl fmt::Debug for KeyHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyHasher(pepper {})", self.pepper)
    }
}

/// Makes a client's key: the prefix and 256 random bits as 43 letters and digits.
///
/// Letters and digits alone: such a key needs no escaping in a URL, a shell or JSON, and a double
/// click selects all of it.
pub fn generate_key(prefix: &str) -> Secret {
    // Reserved at once: a string that grows leaves copies of a secret behind.
    let mut key = String::with_capacity(prefix.len() + KEY_CHARS);
    key.push_str(prefix);
    while key.len() < prefix.len() + KEY_CHARS {
        let bytes = Zeroizing::new(random::<64>());
        // Six bits that are no index are thrown away, so that every character is equally likely.
        let chars = bytes.iter().filter_map(|byte| ALPHABET.get(usize::from(byte & 63)));
        let missing = prefix.len() + KEY_CHARS - key.len();
        key.extend(chars.take(missing).map(|&char| char::from(char)));
    }
    Secret::new(key)
}
