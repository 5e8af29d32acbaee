//! What a key may do. Limits and rules of keys arrive here, as pure checks of counters and policy;
//! today a key is refused for its switch and its expiry.

use crate::clock::Timestamp;
use crate::key::Key;

/// Why a key's call is refused before any account is asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// An operator switched the key off.
    #[error("this key is disabled")]
    Disabled,
    /// The key's time is over.
    #[error("this key has expired")]
    Expired {
        /// When it expired.
        at: Timestamp,
    },
}

impl Refusal {
    /// The word for counters and log lines.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Disabled => "key_disabled",
            Self::Expired { .. } => "key_expired",
        }
    }
}

/// Whether `key` may call at `now`.
pub fn admit(key: &Key, now: Timestamp) -> Result<(), Refusal> {
    if !key.enabled {
        return Err(Refusal::Disabled);
    }
    match key.expires_at {
        Some(at) if at <= now => Err(Refusal::Expired { at }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::KeyId;

    fn key() -> Key {
        Key {
            id: KeyId(1),
            name: "lena".into(),
            note: String::new(),
            owner: String::new(),
            enabled: true,
            expires_at: Some(Timestamp::from_seconds(100)),
            bindings: Vec::new(),
            tags: Vec::new(),
            created_at: Timestamp::from_seconds(0),
        }
    }

    #[test]
    fn a_key_ends_at_its_expiry_and_not_before() {
        assert_eq!(admit(&key(), Timestamp::from_millis(99_999)), Ok(()));
        let at = Timestamp::from_seconds(100);
        assert_eq!(admit(&key(), at), Err(Refusal::Expired { at }));
    }

    #[test]
    fn a_disabled_key_is_refused_for_that() {
        let key = Key { enabled: false, ..key() };
        assert_eq!(admit(&key, Timestamp::from_seconds(1)), Err(Refusal::Disabled));
    }
}
