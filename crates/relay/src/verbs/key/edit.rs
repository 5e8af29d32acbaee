//! Edits of what limits and rules a key: each field for itself, so that two at a time do not undo
//! each other. Pure: what is wrong with one is said before anything is stored.

mod given;
mod limits;
mod rules;
#[cfg(test)]
mod tests;

use relay_store::keys::MergePatch;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use self::given::{ParseAddressesError, addresses, client_ids, model_patterns};
pub use self::limits::{FamilyBudget, LimitsEdit, LimitsError};
pub use self::rules::{BUILT_IN_CLIENTS, LISTED_MAX, RulesEdit, RulesError, client_named};

/// What is done to one field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Change<T> {
    /// Nothing.
    #[default]
    Keep,
    /// It is taken away.
    Remove,
    /// It gets this value.
    Set(T),
}

impl<T: Default + PartialEq> Change<T> {
    /// What a flag asks for: one that is not given keeps the field, and nothing (0, an empty list)
    /// takes it away.
    pub fn of(given: Option<T>) -> Self {
        match given {
            None => Self::Keep,
            Some(nothing) if nothing == T::default() => Self::Remove,
            Some(value) => Self::Set(value),
        }
    }
}

impl<T> Change<T> {
    /// Whether the field is there afterwards, if it is before or not.
    const fn leaves(&self, before: bool) -> bool {
        match self {
            Self::Keep => before,
            Self::Remove => false,
            Self::Set(_) => true,
        }
    }

    const fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }

    const fn is_set(&self) -> bool {
        matches!(self, Self::Set(_))
    }
}

impl<T: Serialize> Change<T> {
    fn put(&self, patch: &mut MergePatch, name: &str) {
        let value = match self {
            Self::Keep => return,
            Self::Remove => Value::Null,
            Self::Set(value) => json(value),
        };
        patch.insert(name.to_owned(), value);
    }
}

fn json<T: Serialize + ?Sized>(value: &T) -> Value {
    serde_json::to_value(value).expect("limits and rules have text keys and no failing serialisers")
}

/// What a patch makes of nothing: the limits or rules of a new key.
pub(super) fn from_patch<T: Default + DeserializeOwned>(patch: MergePatch) -> T {
    let mut made = Value::Object(patch);
    drop_nulls(&mut made);
    serde_json::from_value(made).expect("a patch is made of the values that are read here")
}

fn drop_nulls(value: &mut Value) {
    let Value::Object(members) = value else { return };
    members.retain(|_, member| !member.is_null());
    members.values_mut().for_each(drop_nulls);
}
