//! What operators do to a relay. The command line and the admin API call the same functions.
//!
//! A verb checks what it is given, does one thing to the records, and answers with a value that
//! both can show. It prints nothing, and reads neither a clock nor the settings.

pub mod account;
pub mod admin;
pub mod call;
pub mod doctor;
pub mod group;
pub mod key;
pub mod moment;
mod name;
pub mod payload;
pub mod price;
#[cfg(test)]
mod scratch;
pub mod setting;
pub mod usage;

use std::fmt;

use relay_store::StoreError;
use relay_store::data_dir::DataDirError;

/// A kind of thing that operators name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thing {
    /// An upstream login.
    Account,
    /// Accounts that belong together.
    Group,
    /// What a client is given.
    Key,
    /// One that was removed.
    RemovedKey,
    /// A price that an operator set.
    Price,
    /// Who may sign in to the admin page.
    Admin,
    /// What a script signs in by.
    Token,
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Account => "account",
            Self::Group => "group",
            Self::Key => "key",
            Self::RemovedKey => "removed key",
            Self::Price => "price of your own for",
            Self::Admin => "administrator",
            Self::Token => "token",
        })
    }
}

/// Why a verb was refused or failed. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum VerbError {
    /// Nothing goes by that id or name.
    #[error("there is no {what} {name:?}")]
    NotFound {
        /// What was looked for.
        what: Thing,
        /// By which words.
        name: String,
    },
    /// What was given cannot be accepted.
    #[error("{0}")]
    Invalid(String),
    /// Limits of a key do not go together.
    #[error(transparent)]
    Limits(#[from] key::LimitsError),
    /// A rule of a key cannot be.
    #[error(transparent)]
    Rules(#[from] key::RulesError),
    /// The name is in use.
    #[error("the name {0:?} is taken")]
    Taken(String),
    /// The records could not be read or written.
    #[error(transparent)]
    Store(StoreError),
    /// A file of the data directory could not be written.
    #[error(transparent)]
    File(#[from] DataDirError),
}

impl VerbError {
    fn not_found(what: Thing, name: &str) -> Self {
        Self::NotFound { what, name: name.to_owned() }
    }
}

impl From<StoreError> for VerbError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NameTaken(name) => Self::Taken(name),
            other => Self::Store(other),
        }
    }
}
