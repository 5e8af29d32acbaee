//! What a call used: tokens by kind, attempts, and the record that the journal keeps of it.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::{AccountId, CallId, KeyId, SessionId};
use crate::money::Money;
use crate::price::PricedBy;

/// Tokens by kind, and uses that are billed apart. No token is in two fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenUsage {
    /// Input that no cache served or kept.
    pub input: u64,
    /// Output, thinking included.
    pub output: u64,
    /// Input read from the provider's cache.
    pub cache_read: u64,
    /// Input written to the cache for five minutes (or, unstated, for the default time).
    pub cache_write_5m: u64,
    /// Input written to the cache for an hour.
    pub cache_write_1h: u64,
    /// Searches on the web by the provider's own tool.
    pub web_searches: u64,
}

impl TokenUsage {
    /// All input, whichever way it was billed: what long-context prices go by.
    pub const fn context(&self) -> u64 {
        self.input + self.cache_read + self.cache_write()
    }

    /// All tokens, whatever kind.
    pub const fn tokens(&self) -> u64 {
        self.context() + self.output
    }

    /// Input written to the cache, for whatever time.
    pub const fn cache_write(&self) -> u64 {
        self.cache_write_5m + self.cache_write_1h
    }
}

/// How sure the tokens of a record are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exactness {
    /// The provider stated them.
    Exact,
    /// Part of them was estimated, as the answer was cut.
    Estimated,
    /// Nothing of the answer was known: the call's reservation stands for it.
    Reserved,
}

impl Exactness {
    /// Whether the provider did not state all of it.
    pub const fn is_estimated(self) -> bool {
        !matches!(self, Self::Exact)
    }
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The whole answer went to the client.
    Completed,
    /// The upstream refused the call for its content, and the client was told.
    Rejected,
    /// The client left before the end.
    ClientLeft,
    /// The upstream broke off after content had been sent.
    Cut,
    /// No account could answer.
    Failed,
    /// The relay was shut down before the end.
    Shutdown,
    /// An administrator ended it before the end.
    Cancelled,
    /// The relay crashed; settled by the next start.
    Crashed,
}

impl Outcome {
    /// Whether accounts or the relay failed the call.
    pub const fn is_failure(self) -> bool {
        match self {
            Self::Failed | Self::Cut | Self::Shutdown | Self::Crashed => true,
            Self::Completed | Self::Rejected | Self::ClientLeft | Self::Cancelled => false,
        }
    }

    /// The word used in the database, logs and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Rejected => "rejected",
            Self::ClientLeft => "client_left",
            Self::Cut => "cut",
            Self::Failed => "failed",
            Self::Shutdown => "shutdown",
            Self::Cancelled => "cancelled",
            Self::Crashed => "crashed",
        }
    }
}

/// One try of a call on one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Which account was asked.
    pub account: AccountId,
    /// When the request went out.
    pub at: Timestamp,
    /// How long the attempt took, in milliseconds.
    pub millis: u64,
    /// The upstream's status, if it came to one.
    pub status: Option<u16>,
    /// Why the attempt failed, in one word; `None` if it answered.
    pub fault: Option<String>,
    /// Whether the upstream may have billed an attempt that was given up.
    #[serde(default)]
    pub maybe_billed: bool,
}

/// What is known of a call when an attempt of it goes out.
///
/// A crash leaves this behind, and the call is settled at `reserved` by the next start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenAttempt {
    /// The call.
    pub call: CallId,
    /// Whose call it is.
    pub key: KeyId,
    /// The account that is being asked.
    pub account: AccountId,
    /// The model that the client asked for, aliases resolved.
    pub model: String,
    /// When the call came.
    pub at: Timestamp,
    /// Number of this attempt, from 1.
    pub number: u32,
    /// What the call is expected to use.
    pub reserved: TokenUsage,
    /// What that would cost.
    pub reserved_cost: Money,
    /// Which price that was.
    pub priced_by: PricedBy,
    /// When the window of the key began in which the call counts, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Timestamp>,
}

/// The usage record of one call: one row in the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRecord {
    /// Identity; a second record of the same call is ignored.
    pub call: CallId,
    /// Whose call it was.
    pub key: KeyId,
    /// The account that answered, or was asked last.
    pub account: AccountId,
    /// When the call came.
    pub at: Timestamp,
    /// The path that was called.
    pub path: String,
    /// The model that the client asked for.
    pub model_asked: String,
    /// The model that the upstream says answered; empty if it said nothing.
    pub model_served: String,
    /// The client's id, such as `claude_code`; empty if unknown.
    pub client: String,
    /// The conversation, as a hash scoped to the key.
    pub session: Option<SessionId>,
    /// Whether the answer was streamed.
    pub streamed: bool,
    /// The status that the client got.
    pub status: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// What it used.
    pub usage: TokenUsage,
    /// How sure that is.
    pub exactness: Exactness,
    /// What it cost.
    pub cost: Money,
    /// Which price that was.
    pub priced_by: PricedBy,
    /// The provider's service tier; empty if not stated.
    pub service_tier: String,
    /// The provider's speed mode; empty if not stated.
    pub speed: String,
    /// Milliseconds from the call's coming to the first byte of the answer to the client.
    pub first_byte_millis: Option<u64>,
    /// Milliseconds from the call's coming to its end.
    pub total_millis: u64,
    /// Every try, in order.
    pub attempts: Vec<Attempt>,
    /// When the window of the key began in which the call counts, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Timestamp>,
}
