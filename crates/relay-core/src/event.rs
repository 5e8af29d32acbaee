//! Events worth telling people about. They stand in the outbox until notifications take them.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::credential::SignOutCause;
use crate::health::RestCause;
use crate::id::{AccountId, KeyId};
use crate::key::Budget;
use crate::money::Money;
use crate::tally::Mark;

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
    /// The host that several accounts are reached at rests.
    HostRested {
        /// Its name and port.
        host: String,
        /// Until when.
        until: Timestamp,
        /// Why.
        cause: RestCause,
    },
    /// An account has to be signed in again.
    AccountSignedOut {
        /// Which one.
        account: AccountId,
        /// Why.
        cause: SignOutCause,
    },
    /// The token of an account could not be refreshed; it is tried again.
    TokenNotRefreshed {
        /// Which one.
        account: AccountId,
        /// What was in the way.
        why: String,
    },
    /// A subscription or a setup token ends soon.
    AccountEnding {
        /// Which account's.
        account: AccountId,
        /// What ends.
        what: Ending,
        /// When.
        at: Timestamp,
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
    /// An operator switched an account on again.
    AccountResumed {
        /// Which one.
        account: AccountId,
    },
    /// A key has spent four fifths of a budget, or all of it.
    KeyBudget {
        /// Which one.
        key: KeyId,
        /// Which budget.
        budget: Budget,
        /// How much of it is gone.
        mark: Mark,
        /// What is spent.
        spent: Money,
        /// Of how much.
        max: Money,
    },
    /// A key was disabled by an operator.
    KeyDisabled {
        /// Which one.
        key: KeyId,
    },
}

/// What of an account ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The subscription, as the operator wrote down.
    Subscription,
    /// A setup token, which cannot be refreshed.
    SetupToken,
}

impl Event {
    /// The word for the kind of event.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::AccountRested { .. } => "account_rested",
            Self::HostRested { .. } => "host_rested",
            Self::AccountSignedOut { .. } => "account_signed_out",
            Self::TokenNotRefreshed { .. } => "token_not_refreshed",
            Self::AccountEnding { .. } => "account_ending",
            Self::AccountRecovered { .. } => "account_recovered",
            Self::AccountPaused { .. } => "account_paused",
            Self::AccountResumed { .. } => "account_resumed",
            Self::KeyBudget { .. } => "key_budget",
            Self::KeyDisabled { .. } => "key_disabled",
        }
    }
}
