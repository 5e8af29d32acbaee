//! Keys: what a person or tool is given.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::{AccountId, GroupId, KeyId};
use crate::protocol::Service;

/// A key without its secret, of which only a keyed hash exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Identity.
    pub id: KeyId,
    /// The name an operator gave; unique.
    pub name: String,
    /// A note for people.
    pub note: String,
    /// Whose it is.
    pub owner: String,
    /// The operator's switch.
    pub enabled: bool,
    /// From when it is refused.
    pub expires_at: Option<Timestamp>,
    /// Where its calls are served, by service; services without a row use the shared accounts.
    pub bindings: Vec<Binding>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Where a key's calls to one service are served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The service that is bound.
    pub service: Service,
    /// What it is bound to.
    pub target: BindingTarget,
}

/// What a key can be bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BindingTarget {
    /// One account.
    Account(AccountId),
    /// The accounts of a group.
    Group(GroupId),
}

/// The accounts that a call may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pool {
    /// Every account that is not reserved.
    Shared,
    /// The accounts a key is bound to.
    Bound(BindingTarget),
}

impl Key {
    /// The pool of this key's calls to `service`.
    pub fn pool(&self, service: Service) -> Pool {
        self.bindings
            .iter()
            .find(|binding| binding.service == service)
            .map_or(Pool::Shared, |binding| Pool::Bound(binding.target))
    }
}
