//! Keys: give out, show, change, switch, renew, remove.

mod binding;
mod document;
mod edit;
mod life;
mod standing;
#[cfg(test)]
mod tests;
mod view;

use std::collections::HashSet;
use std::time::Duration;

use relay_core::clock::Timestamp;
use relay_core::id::KeyId;
use relay_core::key::{Binding, Key, KeyLimits};
use relay_core::protocol::Service;
use relay_core::secret::Secret;
use relay_store::Store;
use relay_store::keys::{Expiry, KeyChange, Lasting, NewKey, StoredKey};
use relay_store::vault::{KeyHasher, generate_key};

pub(super) use self::binding::refuse_if_bound;
pub use self::binding::{BindingSpec, GROUP_MARK, ParseBindingError, TargetName};
pub use self::document::RulesDoc;
pub use self::edit::{
    BUILT_IN_CLIENTS, Change, FamilyBudget, LISTED_MAX, LimitsEdit, LimitsError,
    ParseAddressesError, RulesEdit, RulesError, addresses, client_ids, client_named,
    model_patterns,
};
pub use self::life::{
    Renewal, RenewedFrom, Rotated, disable, enable, remove, renew, restore, rotate,
};
pub use self::standing::{Limited, LimitsView, QueueView, StandingView, WindowView};
use self::view::{KeyStanding, Surroundings};
pub use self::view::{KeyView, Used, refused};
use crate::day::Calendar;
use crate::live::LiveState;
use crate::verbs::name::{checked_name, checked_note};
use crate::verbs::{Thing, VerbError};

/// Keys given out at one time.
pub const KEYS_ADDED_MAX: u16 = 500;

/// Keys to be given out.
#[derive(Debug, Clone, Default)]
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
    /// How long after its first call each is refused.
    pub lasts: Option<Duration>,
    /// How much each may use.
    pub limits: LimitsEdit,
    /// What they may ask.
    pub rules: RulesEdit,
    /// Where calls are served, by service.
    pub bindings: Vec<BindingSpec>,
    /// Words to find them by.
    pub tags: Vec<String>,
}

/// How many keys are given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Count {
    /// One, by the name given.
    #[default]
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
    /// How long it lasts from its first call.
    pub lasts: Option<Lasting>,
    /// How much it may use.
    pub limits: LimitsEdit,
    /// What it may ask.
    pub rules: RulesEdit,
    /// Services that are bound, or bound elsewhere.
    pub bind: Vec<BindingSpec>,
    /// Services that go back to the shared accounts.
    pub unbind: Vec<Service>,
    /// Words to find it by, in place of those it has.
    pub tags: Option<Vec<String>>,
}

/// At what moment keys are looked at, and by whose word.
#[derive(Debug, Clone, Copy)]
pub struct AsOf<'a> {
    /// What the running server says; `None` without one.
    pub live: Option<&'a LiveState>,
    /// When days, weeks and months begin.
    pub calendar: &'a Calendar,
    /// The moment.
    pub now: Timestamp,
}

/// Which keys are listed.
#[derive(Debug, Clone, Default)]
pub struct KeyFilter {
    /// Those with this tag.
    pub tag: Option<String>,
    /// Those of this owner.
    pub owner: Option<String>,
    /// Those that were removed, in place of those that are there.
    pub which: Listed,
}

/// Whether keys are listed that are there, or that were removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Listed {
    /// Those that are there.
    #[default]
    Present,
    /// Those that were removed.
    Removed,
}

/// Gives out keys that begin with `prefix`: all, or none if a name is taken.
pub async fn add(
    store: &Store,
    addition: &KeyAddition,
    prefix: &str,
    now: Timestamp,
) -> Result<Vec<IssuedKey>, VerbError> {
    let names = names(addition)?;
    let limits = edit::from_patch(addition.limits.patch(&KeyLimits::default())?);
    let rules = edit::from_patch(addition.rules.patch()?);
    refuse_taken(store, &names).await?;
    let bindings = binding::resolve_all(store, &addition.bindings).await?;
    let tags = checked_tags(&addition.tags)?;
    let (note, owner) = (checked_note(&addition.note)?, checked_note(&addition.owner)?);
    let hasher = own_hasher(store).await?;
    let surroundings = Surroundings::read(store, Some(&[])).await?;
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
            lasts: addition.lasts,
            limits: Clone::clone(&limits),
            rules: Clone::clone(&rules),
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
    let issue = |(stored, secret)| IssuedKey {
        view: surroundings.view(&stored, KeyStanding::default(), now),
        secret,
    };
    Ok(stored.zip(secrets).map(issue).collect())
}

/// The keys that `filter` lets through, in the order in which they were given out.
pub async fn list(
    store: &Store,
    filter: &KeyFilter,
    as_of: &AsOf<'_>,
) -> Result<Vec<KeyView>, VerbError> {
    let mut keys = match filter.which {
        Listed::Present => store.keys().await?,
        Listed::Removed => store.removed_keys().await?,
    };
    keys.retain(|stored| filter.lets_through(&stored.key));
    view::views(store, &keys, as_of).await
}

/// Keys that were found already, as they are shown, in the same order.
pub async fn views(
    store: &Store,
    keys: &[StoredKey],
    as_of: &AsOf<'_>,
) -> Result<Vec<KeyView>, VerbError> {
    view::views(store, keys, as_of).await
}

/// One key, with what was refused of it lately.
pub async fn show(store: &Store, id_or_name: &str, as_of: &AsOf<'_>) -> Result<KeyView, VerbError> {
    let found = [find(store, id_or_name).await?];
    let mut views = view::views(store, &found, as_of).await?;
    let mut view = views.pop().ok_or_else(|| VerbError::not_found(Thing::Key, id_or_name))?;
    view.refused = Some(view::refused(store, view.id, as_of.now).await?);
    Ok(view)
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
    let (limits, rules) = (edit.limits.patch(&found.limits)?, edit.rules.patch()?);
    let bindings = (!bind.is_empty() || !edit.unbind.is_empty())
        .then(|| rebound(found.bindings, bind, &edit.unbind));
    let change = KeyChange {
        name: edit.name.as_deref().map(checked_name).transpose()?,
        note: edit.note.as_deref().map(checked_note).transpose()?,
        owner: edit.owner.as_deref().map(checked_note).transpose()?,
        enabled: None,
        expiry: edit.expiry,
        lasts: edit.lasts,
        bindings,
        limits: (!limits.is_empty()).then_some(limits),
        rules: (!rules.is_empty()).then_some(rules),
        tags: edit.tags.as_deref().map(checked_tags).transpose()?,
    };
    change_found(store, found.id, &change, now).await
}

impl KeyFilter {
    fn lets_through(&self, key: &Key) -> bool {
        self.tag.as_ref().is_none_or(|tag| key.tags.contains(tag))
            && self.owner.as_ref().is_none_or(|owner| key.owner == *owner)
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
            first_used_at: None,
            id,
            name: new.name,
            note: new.note,
            owner: new.owner,
            enabled: new.enabled,
            expires_at: new.expires_at,
            lasts: new.lasts,
            limits: new.limits,
            rules: new.rules,
            bindings: new.bindings,
            tags: new.tags,
            created_at: now,
        },
        hash: new.hash,
        pepper_id: new.pepper_id,
        secret_tail: new.secret_tail,
        old_secrets: Vec::new(),
        removed_at: None,
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
