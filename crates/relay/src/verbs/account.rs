//! Accounts: add, show, change, switch, test, remove.

mod check;
mod probe;
#[cfg(test)]
mod tests;
mod view;

use relay_core::account::AccountKind;
use relay_core::clock::Timestamp;
use relay_core::credential::Credential;
use relay_core::event::Event;
use relay_core::id::{AccountId, GroupId};
use relay_core::key::BindingTarget;
use relay_core::secret::Secret;
use relay_store::Store;
use relay_store::accounts::{AccountChange, NewAccount, StoredAccount};

use relay_upstream::oauth;

pub use self::check::header;
pub use self::probe::{AccountTest, TEST_DEADLINE, Verdict, test};
pub use self::view::{AccountState, AccountView};
use crate::live::LiveState;
use crate::verbs::name::checked_name;
use crate::verbs::{Thing, VerbError, group, key};

/// What an account of that kind signs in by, from what an operator gave: an API key, or tokens as
/// JSON.
pub fn credential(
    kind: AccountKind,
    given: &Secret,
    now: Timestamp,
) -> Result<Credential, VerbError> {
    if !kind.is_oauth() {
        return Ok(Credential::ApiKey(given.clone()));
    }
    let tokens = oauth::read_given_tokens(given.expose(), now);
    tokens.map(Credential::Tokens).map_err(|error| VerbError::Invalid(error.to_string()))
}

/// Adds an account to the named groups; those that do not exist are made.
pub async fn add(
    store: &Store,
    mut new: NewAccount,
    groups: &[String],
    now: Timestamp,
) -> Result<AccountId, VerbError> {
    check::new_account(&mut new)?;
    let groups: Vec<String> =
        groups.iter().map(|name| checked_group(name)).collect::<Result<_, _>>()?;
    // Looked at before any group is made for an account that then cannot be.
    if store.find_account(&new.name).await?.is_some() {
        return Err(VerbError::Taken(new.name));
    }
    for name in groups {
        let id = group::find_or_add(store, &name, now).await?;
        if !new.groups.contains(&id) {
            new.groups.push(id);
        }
    }
    Ok(store.add_account(&new, now).await?)
}

/// Every account, in the order in which they were added, with what a running server knows of it.
pub async fn list(store: &Store, live: Option<&LiveState>) -> Result<Vec<AccountView>, VerbError> {
    let groups = store.groups().await?;
    let accounts = store.accounts().await?;
    Ok(accounts.iter().map(|stored| AccountView::new(stored, &groups, live)).collect())
}

/// One account, with what a running server knows of it.
pub async fn show(
    store: &Store,
    id_or_name: &str,
    live: Option<&LiveState>,
) -> Result<AccountView, VerbError> {
    let stored = find(store, id_or_name).await?;
    Ok(AccountView::new(&stored, &store.groups().await?, live))
}

/// Changes the fields that `change` names.
pub async fn set(
    store: &Store,
    id_or_name: &str,
    mut change: AccountChange,
    now: Timestamp,
) -> Result<AccountId, VerbError> {
    check::change(&mut change)?;
    let id = find(store, id_or_name).await?.account.id;
    change_found(store, id, &change, now).await
}

/// Switches an account off until an operator resumes it. Calls under way go on.
pub async fn pause(
    store: &Store,
    id_or_name: &str,
    now: Timestamp,
) -> Result<AccountId, VerbError> {
    let found = find(store, id_or_name).await?.account;
    let change = AccountChange { enabled: Some(false), ..AccountChange::default() };
    change_found(store, found.id, &change, now).await?;
    if found.enabled {
        store.emit(&Event::AccountPaused { account: found.id }, now).await?;
    }
    Ok(found.id)
}

/// Switches a paused account on again.
pub async fn resume(
    store: &Store,
    id_or_name: &str,
    now: Timestamp,
) -> Result<AccountId, VerbError> {
    let id = find(store, id_or_name).await?.account.id;
    let change = AccountChange { enabled: Some(true), ..AccountChange::default() };
    change_found(store, id, &change, now).await
}

/// Clears what the machine noted about an account: every rest, and what it would grow from.
pub async fn reset(
    store: &Store,
    id_or_name: &str,
    now: Timestamp,
) -> Result<AccountId, VerbError> {
    let id = find(store, id_or_name).await?.account.id;
    store.note_account_reset(id, now).await?;
    Ok(id)
}

/// Removes an account and its secret; its history stays. Refused while keys are bound to it, as
/// they would have nowhere to go.
pub async fn remove(
    store: &Store,
    id_or_name: &str,
    now: Timestamp,
) -> Result<AccountId, VerbError> {
    let id = find(store, id_or_name).await?.account.id;
    key::refuse_if_bound(store, BindingTarget::Account(id)).await?;
    if store.remove_account(id, now).await? {
        Ok(id)
    } else {
        Err(VerbError::not_found(Thing::Account, id_or_name))
    }
}

/// The account that a person means.
pub(super) async fn find(store: &Store, id_or_name: &str) -> Result<StoredAccount, VerbError> {
    let found = store.find_account(id_or_name.trim()).await?;
    found.ok_or_else(|| VerbError::not_found(Thing::Account, id_or_name))
}

async fn change_found(
    store: &Store,
    id: AccountId,
    change: &AccountChange,
    now: Timestamp,
) -> Result<AccountId, VerbError> {
    if store.change_account(id, change, now).await? {
        Ok(id)
    } else {
        Err(VerbError::not_found(Thing::Account, &id.to_string()))
    }
}

/// The name of a group to be joined, which may also be the id of one that exists.
fn checked_group(name: &str) -> Result<String, VerbError> {
    match name.trim().parse::<GroupId>() {
        Ok(id) => Ok(id.to_string()),
        Err(_) => checked_name(name),
    }
}
