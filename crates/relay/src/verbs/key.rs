//! Keys: give out, show, change, switch, remove.

mod binding;
#[cfg(test)]
mod tests;
mod view;

use std::collections::HashSet;

use relay_core::clock::Timestamp;
use relay_core::event::Event;
use relay_core::id::KeyId;
use relay_core::key::{Binding, Key};
use relay_core::protocol::Service;
use relay_core::secret::Secret;
use relay_store::Store;
use relay_store::keys::{Expiry, KeyChange, NewKey, StoredKey};
use relay_store::vault::{KeyHasher, generate_key};

pub(super) use self::binding::refuse_if_bound;
pub use self::binding::{BindingSpec, GROUP_MARK, ParseBindingError, TargetName};
use self::view::Surroundings;
pub use self::view::{KeyView, Limits, Used};
use crate::live::LiveState;
use crate::verbs::name::{checked_name, checked_note};
use crate::verbs::{Thing, VerbError};

/// Keys given out at one time.
pub const KEYS_ADDED_MAX: u16 = 500;

/// Keys to be given out.
#[derive(Debug, Clone)]
pub struct KeyAddition {
    /// The name; of several keys, what their names begin with.
    pub name: String,
    /// How many.
    pub count: Count,
    /// A note for people.
    pub note: String,
    /// Whose they are.
    pub owner: String,
    /// From when they are refused.
    pub expires_at: Option<Timestamp>,
    /// Where calls are served, by service.
    pub bindings: Vec<BindingSpec>,
    /// Words to find them by.
    pub tags: Vec<String>,
}

/// How many keys are given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// One, by the name given.
    One,
    /// So many, by the name given and `-1`, `-2` and so on.
    Numbered(u16),
}

/// A key just given out: the only time that its secret can be seen.
#[derive(Debug, Clone)]
pub struct IssuedKey {
    /// The key as it is shown later, too.
    pub view: KeyView,
    /// The secret.
    pub secret: Secret,
}

/// What to change of a key; `None` and empty leave a field as it is.
#[derive(Debug, Clone, Default)]
pub struct KeyEdit {
    /// The name.
    pub name: Option<String>,
    /// A note for people.
    pub note: Option<String>,
    /// Whose it is.
    pub owner: Option<String>,
    /// When it ends.
    pub expiry: Option<Expiry>,
    /// Services that are bound, or bound elsewhere.
    pub bind: Vec<BindingSpec>,
    /// Services that go back to the shared accounts.
    pub unbind: Vec<Service>,
    /// Words to find it by, in place of those it has.
    pub tags: Option<Vec<String>>,
}

/// Gives out keys that begin with `prefix`: all, or none if a name is taken.
pub async fn add(
    store: &Store,
    addition: &KeyAddition,
    prefix: &str,
    now: Timestamp,
) -> Result<Vec<IssuedKey>, VerbError> {
    let names = names(addition)?;
    refuse_taken(store, &names).await?;
    let bindings = binding::resolve_all(store, &addition.bindings).await?;
    let tags = checked_tags(&addition.tags)?;
    let (note, owner) = (checked_note(&addition.note)?, checked_note(&addition.owner)?);
    let hasher = own_hasher(store).await?;
    let surroundings = Surroundings::read(store).await?;
    let secrets: Vec<Secret> = names.iter().map(|_| generate_key(prefix)).collect();
    let rows: Vec<NewKey> = names
        .into_iter()
        .zip(&secrets)
        .map(|(name, secret)| NewKey {
            name,
            note: note.clone(),
            owner: owner.clone(),
            enabled: true,
            expires_at: addition.expires_at,
            bindings: bindings.clone(),
            tags: tags.clone(),
            hash: hasher.hash(secret.expose()),
            pepper_id: hasher.pepper(),
            secret_tail: secret.last_four().to_owned(),
        })
        .collect();
    let ids = store.add_keys(&rows, now).await?;
    // From here on nothing may fail: the secrets exist nowhere else.
    let stored = ids.into_iter().zip(rows).map(|(id, row)| stored(id, row, now));
    let issue = |(stored, secret)| IssuedKey { view: surroundings.view(&stored, None), secret };
    Ok(stored.zip(secrets).map(issue).collect())
}

/// Every key, in the order in which they were given out.
pub async fn list(store: &Store, live: Option<&LiveState>) -> Result<Vec<KeyView>, VerbError> {
    let surroundings = Surroundings::read(store).await?;
    let keys = store.keys().await?;
    Ok(keys.iter().map(|stored| surroundings.view(stored, live)).collect())
}

/// One key.
pub async fn show(
    store: &Store,
    id_or_name: &str,
    live: Option<&LiveState>,
) -> Result<KeyView, VerbError> {
    let found = find(store, id_or_name).await?;
    Ok(Surroundings::read(store).await?.view(&found, live))
}

/// Changes the fields that `edit` names.
pub async fn set(
    store: &Store,
    id_or_name: &str,
    edit: &KeyEdit,
    now: Timestamp,
) -> Result<KeyId, VerbError> {
    let found = find(store, id_or_name).await?.key;
    let bind = binding::resolve_all(store, &edit.bind).await?;
    let bindings = (!bind.is_empty() || !edit.unbind.is_empty())
        .then(|| rebound(found.bindings, bind, &edit.unbind));
    let change = KeyChange {
        name: edit.name.as_deref().map(checked_name).transpose()?,
        note: edit.note.as_deref().map(checked_note).transpose()?,
        owner: edit.owner.as_deref().map(checked_note).transpose()?,
        expiry: edit.expiry,
        bindings,
        tags: edit.tags.as_deref().map(checked_tags).transpose()?,
        ..KeyChange::default()
    };
    change_found(store, found.id, &change, now).await
}

/// Switches a key off until an operator enables it. Calls under way go on.
pub async fn disable(store: &Store, id_or_name: &str, now: Timestamp) -> Result<KeyId, VerbError> {
    let found = find(store, id_or_name).await?.key;
    let change = KeyChange { enabled: Some(false), ..KeyChange::default() };
    change_found(store, found.id, &change, now).await?;
    if found.enabled {
        store.emit(&Event::KeyDisabled { key: found.id }, now).await?;
    }
    Ok(found.id)
}

/// Switches a disabled key on again.
pub async fn enable(store: &Store, id_or_name: &str, now: Timestamp) -> Result<KeyId, VerbError> {
    let id = find(store, id_or_name).await?.key.id;
    let change = KeyChange { enabled: Some(true), ..KeyChange::default() };
    change_found(store, id, &change, now).await
}

/// Removes a key; its history stays, and its secret is never given out again.
pub async fn remove(store: &Store, id_or_name: &str, now: Timestamp) -> Result<KeyId, VerbError> {
    let id = find(store, id_or_name).await?.key.id;
    if store.remove_key(id, now).await? {
        Ok(id)
    } else {
        Err(VerbError::not_found(Thing::Key, id_or_name))
    }
}

async fn find(store: &Store, id_or_name: &str) -> Result<StoredKey, VerbError> {
    let found = store.find_key(id_or_name.trim()).await?;
    found.ok_or_else(|| VerbError::not_found(Thing::Key, id_or_name))
}

async fn change_found(
    store: &Store,
    id: KeyId,
    change: &KeyChange,
    now: Timestamp,
) -> Result<KeyId, VerbError> {
    if store.change_key(id, change, now).await? {
        Ok(id)
    } else {
        Err(VerbError::not_found(Thing::Key, &id.to_string()))
    }
}

/// A key as the database has it once it was added.
fn stored(id: KeyId, new: NewKey, now: Timestamp) -> StoredKey {
    StoredKey {
        key: Key {
            id,
            name: new.name,
            note: new.note,
            owner: new.owner,
            enabled: new.enabled,
            expires_at: new.expires_at,
            bindings: new.bindings,
            tags: new.tags,
            created_at: now,
        },
        hash: new.hash,
        pepper_id: new.pepper_id,
        secret_tail: new.secret_tail,
        first_used_at: None,
    }
}

/// The names of the keys to be given out.
fn names(addition: &KeyAddition) -> Result<Vec<String>, VerbError> {
    match addition.count {
        Count::One => Ok(vec![checked_name(&addition.name)?]),
        Count::Numbered(count) if (1..=KEYS_ADDED_MAX).contains(&count) => {
            let base = checked_name(&addition.name)?;
            (1..=count).map(|number| checked_name(&format!("{base}-{number}"))).collect()
        }
        Count::Numbered(_) => Err(VerbError::Invalid(format!(
            "from 1 to {KEYS_ADDED_MAX} keys are given out at once"
        ))),
    }
}

/// Says which name is taken; the database would only say that one of them is.
async fn refuse_taken(store: &Store, names: &[String]) -> Result<(), VerbError> {
    let wanted: HashSet<&str> = names.iter().map(String::as_str).collect();
    let keys = store.keys().await?;
    match keys.into_iter().find(|stored| wanted.contains(stored.key.name.as_str())) {
        Some(stored) => Err(VerbError::Taken(stored.key.name)),
        None => Ok(()),
    }
}

/// The hasher of this relay's own pepper.
async fn own_hasher(store: &Store) -> Result<KeyHasher, VerbError> {
    let peppers = store.peppers().await?;
    let own = peppers.first().ok_or(relay_store::StoreError::Stored("pepper"))?;
    Ok(KeyHasher::new(own))
}

/// Tags without spaces around them, empty ones and repetitions.
fn checked_tags(tags: &[String]) -> Result<Vec<String>, VerbError> {
    let mut checked: Vec<String> = Vec::with_capacity(tags.len());
    for tag in tags {
        let tag = checked_note(tag)?;
        if !tag.is_empty() && !checked.contains(&tag) {
            checked.push(tag);
        }
    }
    Ok(checked)
}

/// The bindings after those of `bind` took the place of others and `unbind` were lifted.
fn rebound(mut bindings: Vec<Binding>, bind: Vec<Binding>, unbind: &[Service]) -> Vec<Binding> {
    let replaced = |service| bind.iter().any(|binding| binding.service == service);
    bindings.retain(|it| !unbind.contains(&it.service) && !replaced(it.service));
    bindings.extend(bind);
    bindings.sort_by_key(|binding| binding.service);
    bindings
}
