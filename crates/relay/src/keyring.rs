//! The keys in memory: one hash and one look-up tell whose a call is, without a query.
//!
//! Every key is here, so a text that is not here is no key: a flood of wrong ones costs a hash
//! each and reaches nothing behind.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::RwLock;
use relay_core::clock::Timestamp;
use relay_core::id::KeyId;
use relay_core::key::Key;
use relay_core::limit::{self, Refusal};
use relay_store::keys::StoredKey;
use relay_store::slots::SlotPool;
use relay_store::vault::{KeyHash, KeyHasher};

use crate::allowance::Allowance;

/// Longer texts are no key of anyone, and are not hashed.
const KEY_BYTES_MAX: usize = 256;
/// Removed keys whose counters are kept, should they come back; those removed last.
const REMOVED_MAX: usize = 10_000;

/// All keys, found by the hash of what a client presents.
#[derive(Debug, Default)]
pub struct Keyring {
    keys: RwLock<Keys>,
}

#[derive(Debug, Default)]
struct Keys {
    hashers: Vec<KeyHasher>,
    by_hash: HashMap<Place, Found>,
    by_id: HashMap<KeyId, Known>,
    removed: VecDeque<Arc<Holder>>,
}

/// What a secret is found by: a pepper, and the hash under it.
type Place = (i64, KeyHash);

/// Whose a secret is.
#[derive(Debug)]
struct Found {
    holder: Arc<Holder>,
    /// Until when, if it was replaced.
    until: Option<Timestamp>,
}

/// A key and all its secrets, the present one first.
#[derive(Debug)]
struct Known {
    holder: Arc<Holder>,
    places: Vec<Place>,
}

/// What the calls of a key share; outlives edits and removal.
#[derive(Debug, Clone, Default)]
struct Shared {
    slots: Arc<SlotPool>,
    allowance: Arc<Allowance>,
}

/// A key and what its calls share.
#[derive(Debug)]
pub struct Holder {
    /// What the operator set.
    pub key: Key,
    /// Places of its calls under way; outlive edits.
    pub slots: Arc<SlotPool>,
    /// What it may still use; outlives edits.
    pub allowance: Arc<Allowance>,
}

impl Holder {
    fn new(key: Key, Shared { slots, allowance }: Shared) -> Self {
        if let Some(at) = key.first_used_at {
            allowance.was_used(at);
        }
        slots.edited(key.limits.concurrency);
        allowance.edited(&key.limits);
        Self { key, slots, allowance }
    }

    /// Whether the key may call at `now`.
    pub fn admit(&self, now: Timestamp) -> Result<(), Refusal> {
        limit::admit(&self.key, self.allowance.first_used(), now)
    }

    fn shared(&self) -> Shared {
        Shared { slots: Arc::clone(&self.slots), allowance: Arc::clone(&self.allowance) }
    }
}

impl Keyring {
    /// A ring without keys, for peppers that hash what clients present: the relay's own first.
    pub fn new(hashers: Vec<KeyHasher>) -> Self {
        Self { keys: RwLock::new(Keys { hashers, ..Keys::default() }) }
    }

    /// The key that a client presents: by its secret, or at `now` still by one that was replaced.
    pub fn find(&self, presented: &str, now: Timestamp) -> Option<Arc<Holder>> {
        if presented.len() > KEY_BYTES_MAX {
            return None;
        }
        let keys = self.keys.read();
        let found = keys
            .hashers
            .iter()
            .find_map(|hasher| keys.by_hash.get(&(hasher.pepper(), hasher.hash(presented))))?;
        let is_its = found.until.is_none_or(|until| now < until);
        is_its.then(|| Arc::clone(&found.holder))
    }

    /// The key of that id.
    pub fn by_id(&self, id: KeyId) -> Option<Arc<Holder>> {
        self.keys.read().by_id.get(&id).map(|known| Arc::clone(&known.holder))
    }

    /// The key of that id, also one that was removed since the start.
    pub fn known(&self, id: KeyId) -> Option<Arc<Holder>> {
        let keys = self.keys.read();
        let present = keys.by_id.get(&id).map(|known| &known.holder);
        present.or_else(|| keys.removed.iter().find(|it| it.key.id == id)).cloned()
    }

    /// Adds a key or takes over its edit.
    pub fn put(&self, stored: StoredKey) {
        let mut keys = self.keys.write();
        let known = keys.take(stored.key.id);
        keys.insert(stored, known.map_or_else(Shared::default, |it| it.shared()));
    }

    /// Adds a key with what is known of its use, unless there are counters of it.
    pub fn put_used(&self, stored: StoredKey, allowance: Arc<Allowance>) {
        let mut keys = self.keys.write();
        let known = keys.take(stored.key.id);
        let loaded = Shared { slots: Arc::default(), allowance };
        keys.insert(stored, known.map_or(loaded, |it| it.shared()));
    }

    /// Takes a key out. Its calls under way go on, and count if it comes back.
    pub fn remove(&self, id: KeyId) {
        let mut keys = self.keys.write();
        if let Some(holder) = keys.take(id) {
            if keys.removed.len() == REMOVED_MAX {
                keys.removed.pop_front();
            }
            keys.removed.push_back(holder);
        }
    }

    /// Every key with calls under way, and how many.
    pub fn in_flight(&self) -> Vec<(KeyId, u32)> {
        let keys = self.keys.read();
        let count = |known: &Known| (known.holder.key.id, known.holder.slots.in_flight());
        keys.by_id.values().map(count).filter(|(_, calls)| *calls > 0).collect()
    }

    /// Every key.
    pub fn holders(&self) -> Vec<Arc<Holder>> {
        let keys = self.keys.read();
        keys.by_id.values().map(|known| Arc::clone(&known.holder)).collect()
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.keys.read().by_id.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Keys {
    /// Takes out all that is known of a key.
    fn take(&mut self, id: KeyId) -> Option<Arc<Holder>> {
        if let Some(known) = self.by_id.remove(&id) {
            for place in &known.places {
                self.by_hash.remove(place);
            }
            return Some(known.holder);
        }
        let at = self.removed.iter().position(|it| it.key.id == id)?;
        self.removed.remove(at)
    }

    fn insert(&mut self, stored: StoredKey, shared: Shared) {
        let StoredKey { key, hash, pepper_id, old_secrets, .. } = stored;
        let id = key.id;
        let holder = Arc::new(Holder::new(key, shared));
        let old = old_secrets.iter().map(|it| ((it.pepper_id, it.hash), Some(it.until)));
        let secrets: Vec<_> = [((pepper_id, hash), None)].into_iter().chain(old).collect();
        let places = secrets.iter().map(|(place, _)| *place).collect();
        for (place, until) in secrets {
            self.by_hash.insert(place, Found { holder: Arc::clone(&holder), until });
        }
        self.by_id.insert(id, Known { holder, places });
    }
}

#[cfg(test)]
mod tests;
