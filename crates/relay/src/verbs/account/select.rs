//! Which accounts a person means: one, several, those of a group, or all.

use relay_core::id::AccountId;
use relay_store::Store;
use relay_store::accounts::StoredAccount;

use super::find;
use crate::verbs::{VerbError, group};

/// The accounts that a verb is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// Those with these ids or names.
    Named(Vec<String>),
    /// Those that belong to the group with this id or name.
    Group(String),
    /// Every one.
    All,
}

impl Selection {
    /// The account with this id or name.
    pub fn one(id_or_name: &str) -> Self {
        Self::Named(vec![id_or_name.to_owned()])
    }
}

/// Finds the accounts, each once: all of them, or none if one cannot be found.
pub(in crate::verbs) async fn select(
    store: &Store,
    selection: &Selection,
) -> Result<Vec<StoredAccount>, VerbError> {
    match selection {
        Selection::Named(names) => {
            let mut found: Vec<StoredAccount> = Vec::with_capacity(names.len());
            for name in names {
                let one = find(store, name).await?;
                if found.iter().all(|known| known.account.id != one.account.id) {
                    found.push(one);
                }
            }
            Ok(found)
        }
        Selection::Group(name) => {
            let group = group::find(store, name).await?;
            let mut members = store.accounts().await?;
            members.retain(|stored| stored.account.groups.contains(&group.id));
            Ok(members)
        }
        Selection::All => Ok(store.accounts().await?),
    }
}

/// The ids of what was found.
pub(super) fn ids(found: &[StoredAccount]) -> Vec<AccountId> {
    found.iter().map(|stored| stored.account.id).collect()
}
