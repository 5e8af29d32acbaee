//! What is secret of exported accounts, sealed under a passphrase.
//!
//! The passphrase becomes a key by Argon2id, with salt and costs that stand in the file; the key
//! seals like a master key does ([`relay_store::vault`]): XChaCha20-Poly1305.

use std::fmt::Write as _;

use argon2::{Algorithm, Argon2, Params, Version};
use relay_core::account::{ExtraHeader, OauthSettings};
use relay_core::secret::Secret;
use relay_store::vault::{MasterKey, Vault};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::randomness::random;
use crate::verbs::VerbError;

/// The fewest characters of a passphrase: whoever has the file may try as many as they like.
pub const PASSPHRASE_CHARS_MIN: usize = 12;
/// What the key is derived for.
const PLACE: &str = "crs account export";
/// What the derivation costs: 64 MiB, three passes, one lane.
const COST: Cost = Cost { memory_kib: 64 * 1_024, passes: 3, lanes: 1 };
/// The most that a file may make the derivation cost.
const COST_MAX: Cost = Cost { memory_kib: 1_024 * 1_024, passes: 16, lanes: 16 };
const KEY_DERIVATION: &str = "argon2id";
const SALT_BYTES: usize = 16;
const KEY_BYTES: usize = 32;

/// The sealed part of a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// How the key is derived.
    key_derivation: String,
    cost: Cost,
    /// In hexadecimal digits.
    salt: String,
    /// In hexadecimal digits.
    data: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// What is secret of one account, and where it may be sent: who changes that in the open part
/// could have it sent elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::verbs::account) struct Secrets {
    pub(in crate::verbs::account) name: String,
    pub(in crate::verbs::account) base_url: String,
    pub(in crate::verbs::account) oauth: OauthSettings,
    /// An API key, or tokens as JSON; `None` if the account is signed out.
    #[serde(serialize_with = "expose", deserialize_with = "hide")]
    pub(in crate::verbs::account) credential: Option<Secret>,
    /// The whole address of the proxy.
    #[serde(serialize_with = "expose", deserialize_with = "hide")]
    pub(in crate::verbs::account) proxy: Option<Secret>,
    pub(in crate::verbs::account) headers: Vec<ExtraHeader>,
}

/// Seals what is secret under a passphrase.
pub(in crate::verbs::account) async fn seal(
    secrets: &[Secrets],
    passphrase: &Secret,
) -> Result<Sealed, VerbError> {
    if passphrase.expose().chars().count() < PASSPHRASE_CHARS_MIN {
        let why = format!("a passphrase has at least {PASSPHRASE_CHARS_MIN} characters");
        return Err(VerbError::Invalid(why));
    }
    let salt: [u8; SALT_BYTES] = random();
    let vault = vault(passphrase.clone(), salt.to_vec(), COST).await?;
    let text = serde_json::to_string(secrets).map(Secret::new);
    let text = text.map_err(|error| VerbError::Invalid(error.to_string()))?;
    Ok(Sealed {
        key_derivation: KEY_DERIVATION.to_owned(),
        cost: COST,
        salt: hex(&salt),
        data: hex(&vault.seal(PLACE, text.expose().as_bytes())),
    })
}

/// Opens what is sealed.
pub(in crate::verbs::account) async fn open(
    sealed: &Sealed,
    passphrase: &Secret,
) -> Result<Vec<Secrets>, VerbError> {
    let invalid = |why: &str| VerbError::Invalid(format!("the sealed part {why}"));
    if sealed.key_derivation != KEY_DERIVATION {
        return Err(invalid("is sealed in a way that this relay does not know"));
    }
    let Cost { memory_kib, passes, lanes } = sealed.cost;
    let too_much =
        memory_kib > COST_MAX.memory_kib || passes > COST_MAX.passes || lanes > COST_MAX.lanes;
    if too_much {
        return Err(invalid("asks for more memory or time than a key is worth"));
    }
    let (salt, data) = (unhex(&sealed.salt), unhex(&sealed.data));
    let (Some(salt), Some(data)) = (salt, data) else { return Err(invalid("is damaged")) };
    let vault = vault(passphrase.clone(), salt, sealed.cost).await?;
    let opened = vault.open(PLACE, &data).map_err(|_| {
        VerbError::Invalid("the passphrase is wrong, or the sealed part is damaged".to_owned())
    })?;
    serde_json::from_slice(&opened).map_err(|_| invalid("holds something else"))
}

/// The vault of a passphrase; a moment of work, off the threads that serve.
async fn vault(passphrase: Secret, salt: Vec<u8>, cost: Cost) -> Result<Vault, VerbError> {
    let failed = |why: String| VerbError::Invalid(format!("no key from the passphrase: {why}"));
    let Cost { memory_kib, passes, lanes } = cost;
    let params = Params::new(memory_kib, passes, lanes, Some(KEY_BYTES))
        .map_err(|error| failed(error.to_string()))?;
    let derive = move || {
        let mut key = [0; KEY_BYTES];
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon2.hash_password_into(passphrase.expose().as_bytes(), &salt, &mut key)?;
        let text = Secret::new(hex(&key));
        key.fill(0);
        Ok::<_, argon2::Error>(text)
    };
    let text = tokio::task::spawn_blocking(derive).await;
    let text = text.map_err(|error| failed(error.to_string()))?;
    let text = text.map_err(|error| failed(error.to_string()))?;
    let master = MasterKey::from_text(&text).map_err(|error| failed(error.to_string()))?;
    Ok(Vault::new(&master))
}

fn hex(bytes: &[u8]) -> String {
    // Reserved at once: a string that grows leaves copies of a secret behind.
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    rest.is_empty().then_some(())?;
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

#[expect(clippy::ref_option, reason = "serde calls it so")]
fn expose<S: Serializer>(secret: &Option<Secret>, to: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(Secret::expose).serialize(to)
}

fn hide<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Secret>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.map(Secret::new))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Vec<Secrets> {
        vec![Secrets {
            name: "main".into(),
            base_url: "https://host.example".into(),
            oauth: OauthSettings::default(),
            credential: Some(Secret::new("hidden words")),
            proxy: Some(Secret::new("socks5://u:pw@host:1")),
            headers: vec![ExtraHeader { name: "x-team".into(), value: "blue".into() }],
        }]
    }

    #[tokio::test]
    async fn what_is_sealed_opens_with_its_passphrase_alone() {
        let passphrase = Secret::new("twelve or more");
        let sealed = seal(&secrets(), &passphrase).await.expect("sealed");
        let text = serde_json::to_string(&sealed).expect("JSON");
        assert!(!text.contains("hidden") && !text.contains("main"), "{text}");
        assert_eq!(open(&sealed, &passphrase).await.expect("opened"), secrets());
        let wrong = open(&sealed, &Secret::new("twelve or less")).await;
        assert!(wrong.expect_err("refused").to_string().contains("passphrase is wrong"));
        let short = seal(&secrets(), &Secret::new("short")).await;
        assert!(short.expect_err("refused").to_string().contains("at least 12"));
    }

    #[tokio::test]
    async fn a_changed_file_opens_nowhere_and_costs_nothing() {
        let passphrase = Secret::new("twelve or more");
        let sealed = seal(&[], &passphrase).await.expect("sealed");
        let breaks: [fn(&mut Sealed); 4] = [
            |sealed| sealed.cost.memory_kib = u32::MAX,
            |sealed| sealed.salt.push('x'),
            |sealed| sealed.data = sealed.data.chars().rev().collect(),
            |sealed| sealed.key_derivation = "md5".into(),
        ];
        for break_it in breaks {
            let mut broken = sealed.clone();
            break_it(&mut broken);
            assert!(open(&broken, &passphrase).await.is_err(), "{broken:?}");
        }
    }
}
