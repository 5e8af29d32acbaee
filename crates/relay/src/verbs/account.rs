//! Accounts: add, show, change, switch, test, remove.

mod bundle;
mod check;
mod document;
mod edit;
mod export;
mod import;
mod login;
mod past;
mod probe;
mod reach;
mod reason;
mod select;
#[cfg(test)]
mod tests;
mod view;

use relay_core::account::AccountKind;
use relay_core::clock::Timestamp;
use relay_core::credential::{Credential, Identity};
use relay_core::event::Event;
use relay_core::id::{AccountId, GroupId};
use relay_core::key::BindingTarget;
use relay_core::secret::Secret;
use relay_store::Store;
use relay_store::accounts::{AccountChange, NewAccount, StoredAccount};

use relay_upstream::oauth::{self, Granted};

pub use self::bundle::{Bundle, PASSPHRASE_CHARS_MIN};
pub use self::check::{header, wrong_field, wrong_field_of_edit};
pub use self::document::{IdentityDoc, MappingDoc, OauthDoc, PayloadDoc};
pub use self::edit::{AccountEdit, set};
pub use self::export::{Exported, export};
pub use self::import::{Existing, Imported, Run, import};
pub use self::login::{
    LoggedIn, Login, LoginError, SignIn, login_begin, login_begin_new, login_finish,
};
pub use self::past::{
    AbilityView, EventView, FaultView, Reader, StretchView, ability, events, fault_words, faults,
};
pub use self::probe::{
    AccountTest, Signer, TEST_DEADLINE, TestAsk, TestBy, TestUsage, Verdict, Way, probe,
    probe_stored, to_test,
};
pub use self::reach::{WAY_WITHIN, WayTest, try_way};
pub use self::reason::ending;
pub use self::select::Selection;
pub(in crate::verbs) use self::select::select;
pub use self::view::{AccountState, AccountView, Known, RestView, WindowView};
use crate::verbs::name::checked_name;
use crate::verbs::{Thing, VerbError, group, key};

/// What an account of that kind signs in by, from what an operator gave: an API key, or tokens as
/// JSON; and whose it is, as far as that tells.
pub fn credential(
    kind: AccountKind,
    given: &Secret,
    now: Timestamp,
) -> Result<(Credential, Option<Identity>), VerbError> {
    if !kind.is_oauth() {
        return Ok((Credential::ApiKey(given.clone()), None));
    }
    let read = oauth::read_given(kind, given.expose(), now);
    let Granted { tokens, identity } =
        read.map_err(|error| VerbError::Invalid(error.to_string()))?;
    let identity = Some(identity).filter(|identity| *identity != Identity::default());
    Ok((Credential::Tokens(tokens), identity))
}

/// Adds an account to the named groups; those that do not exist are made.
pub async fn add(
    store: &Store,
    mut new: NewAccount,
    groups: &[String],
    now: Timestamp,
) -> Result<AccountId, VerbError> {
    let groups = check_addition(store, &mut new, groups).await?;
    for name in groups {
        let id = group::find_or_add(store, &name, now).await?;
        if !new.groups.contains(&id) {
            new.groups.push(id);
        }
    }
    Ok(store.add_account(&new, now).await?)
}

/// Checks an account that is to be added and the names of its groups, before any group is made
/// for an account that then cannot be.
async fn check_addition(
    store: &Store,
    new: &mut NewAccount,
    groups: &[String],
) -> Result<Vec<String>, VerbError> {
    check::new_account(new)?;
    let groups = groups.iter().map(|name| checked_group(name)).collect::<Result<Vec<_>, _>>()?;
    for name in groups.iter().filter(|name| name.parse::<GroupId>().is_ok()) {
        group::find(store, name).await?;
    }
    if store.find_account(&new.name).await?.is_some() {
        return Err(VerbError::Taken(new.name.clone()));
    }
    Ok(groups)
}

/// Every account, in the order in which they were added, with what else is known of it.
pub async fn list(store: &Store, known: &Known<'_>) -> Result<Vec<AccountView>, VerbError> {
    show_several(store, &Selection::All, known).await
}

/// The accounts of a selection, with what else is known of them.
pub async fn show_several(
    store: &Store,
    selection: &Selection,
    known: &Known<'_>,
) -> Result<Vec<AccountView>, VerbError> {
    let groups = store.groups().await?;
    let accounts = select(store, selection).await?;
    Ok(accounts.iter().map(|stored| AccountView::new(stored, &groups, known)).collect())
}

/// One account, with what else is known of it.
pub async fn show(
    store: &Store,
    id_or_name: &str,
    known: &Known<'_>,
) -> Result<AccountView, VerbError> {
    let stored = find(store, id_or_name).await?;
    Ok(AccountView::new(&stored, &store.groups().await?, known))
}

/// Switches accounts off until an operator resumes them. Calls under way go on. Like every verb
/// on a selection, it changes nothing if one of the accounts cannot be found.
pub async fn pause(
    store: &Store,
    selection: &Selection,
    now: Timestamp,
) -> Result<Vec<AccountId>, VerbError> {
    let found = select(store, selection).await?;
    let change = AccountChange { enabled: Some(false), ..AccountChange::default() };
    for stored in &found {
        let account = &stored.account;
        change_found(store, account.id, &change, now).await?;
        if account.enabled {
            store.emit(&Event::AccountPaused { account: account.id }, now).await?;
        }
    }
    Ok(select::ids(&found))
}

/// Switches paused accounts on again.
pub async fn resume(
    store: &Store,
    selection: &Selection,
    now: Timestamp,
) -> Result<Vec<AccountId>, VerbError> {
    let found = select(store, selection).await?;
    let change = AccountChange { enabled: Some(true), ..AccountChange::default() };
    for stored in &found {
        let account = &stored.account;
        change_found(store, account.id, &change, now).await?;
        if !account.enabled {
            store.emit(&Event::AccountResumed { account: account.id }, now).await?;
        }
    }
    Ok(select::ids(&found))
}

/// Clears what the machine noted about accounts: every rest, and what it would grow from.
pub async fn reset(
    store: &Store,
    selection: &Selection,
    now: Timestamp,
) -> Result<Vec<AccountId>, VerbError> {
    let found = select(store, selection).await?;
    for stored in &found {
        store.note_account_reset(stored.account.id, now).await?;
    }
    Ok(select::ids(&found))
}

/// Removes accounts and their secrets; their history stays. Refused for all of them while keys are
/// bound to one, as these would have nowhere to go.
pub async fn remove(
    store: &Store,
    selection: &Selection,
    now: Timestamp,
) -> Result<Vec<AccountId>, VerbError> {
    let found = select(store, selection).await?;
    for stored in &found {
        key::refuse_if_bound(store, BindingTarget::Account(stored.account.id)).await?;
    }
    for stored in &found {
        // One that somebody else removed meanwhile is gone as was wanted.
        store.remove_account(stored.account.id, now).await?;
    }
    Ok(select::ids(&found))
}

/// Whether an account can belong to these groups, of which those that do not exist can be made.
pub async fn check_groups(store: &Store, groups: &[String]) -> Result<(), VerbError> {
    for name in groups {
        if checked_group(name)?.parse::<GroupId>().is_ok() {
            group::find(store, name).await?;
        }
    }
    Ok(())
}

/// Lets an account belong to these groups and no others; those that do not exist are made.
pub async fn set_groups(
    store: &Store,
    id_or_name: &str,
    groups: &[String],
    now: Timestamp,
) -> Result<AccountId, VerbError> {
    let stored = find(store, id_or_name).await?;
    check_groups(store, groups).await?;
    import::regroup(store, &stored, groups, now).await?;
    Ok(stored.account.id)
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
