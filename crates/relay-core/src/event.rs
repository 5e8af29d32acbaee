//! Events worth telling people about. They stand in the outbox until notifications take them.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::health::RestCause;
use crate::id::{AccountId, KeyId};

/// Something that happened to an account, a key or the relay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// An account rests.
    AccountRested {
        /// Which one.
        account: AccountId,
        /// Until when.
        until: Timestamp,
        /// Why.
        cause: RestCause,
    },
    /// An account that rested answers again.
    AccountRecovered {
        /// Which one.
        account: AccountId,
    },
    /// An operator switched an account off.
    AccountPaused {
        /// Which one.
        account: AccountId,
    },
    /// A key was disabled by an operator.
    KeyDisabled {
        /// Which one.
        key: KeyId,
    },
}

impl Event {
    /// The word for the kind of event.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::AccountRested { .. } => "account_rested",
            Self::AccountRecovered { .. } => "account_recovered",
            Self::AccountPaused { .. } => "account_paused",
            Self::KeyDisabled { .. } => "key_disabled",
        }
    }
}
