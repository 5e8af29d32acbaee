//! What an import came to.

use serde::Serialize;
use utoipa::ToSchema;

use crate::text::{Language, retold};

/// What an import came to.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Imported {
    /// Accounts that were added.
    pub imported: usize,
    /// Accounts that were changed.
    pub updated: usize,
    /// Accounts that were not taken over, and why.
    pub skipped: Vec<Skipped>,
    /// Accounts that were taken over without something that the file did not have. Those that
    /// were added are switched off until they get it.
    pub incomplete: Vec<Incomplete>,
    /// Names of the accounts whose sign-in came along: used in two places, it ends.
    pub sign_ins: Vec<String>,
    /// Names of the accounts that keep the sign-in they have, as the file's is not newer: its
    /// tokens may be used up.
    pub kept_sign_ins: Vec<String>,
}

/// An account that was not taken over.
#[derive(Debug, Serialize, ToSchema)]
pub struct Skipped {
    /// Its name.
    pub name: String,
    /// Why.
    pub why: String,
}

/// An account that lacks something.
#[derive(Debug, Serialize, ToSchema)]
pub struct Incomplete {
    /// Its name.
    pub name: String,
    /// What it lacks.
    pub missing: Vec<String>,
}

impl Imported {
    /// The same for people who read another language.
    #[must_use]
    pub fn retold(mut self, language: Language) -> Self {
        for skipped in &mut self.skipped {
            skipped.why = retold(&skipped.why, language);
        }
        for missing in self.incomplete.iter_mut().flat_map(|it| &mut it.missing) {
            *missing = retold(missing, language);
        }
        self
    }
}
