//! The keys in memory: one hash and one look-up tell whose a call is, without a query.
//!
//! Every key is here, so a text that is not here is no key: a flood of wrong ones costs a hash
//! each and reaches nothing behind.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::RwLock;
use relay_core::id::KeyId;
use relay_core::key::Key;
use relay_store::keys::StoredKey;
use relay_store::vault::{KeyHash, KeyHasher};

/// Longer texts are no key of anyone, and are not hashed.
const KEY_BYTES_MAX: usize = 256;

/// All keys, found by the hash of what a client presents.
#[derive(Debug, Default)]
pub struct Keyring {
    keys: RwLock<Keys>,
}

#[derive(Debug, Default)]
struct Keys {
    hashers: Vec<KeyHasher>,
    by_hash: HashMap<(i64, KeyHash), Arc<Holder>>,
    hash_of: HashMap<KeyId, (i64, KeyHash)>,
}

/// A key and what its calls share.
#[derive(Debug)]
pub struct Holder {
    /// What the operator set.
    pub key: Key,
    /// Its calls under way; outlives edits.
    pub in_flight: Arc<AtomicU32>,
}

/// One call's place among those of its key, given back on drop.
#[derive(Debug)]
pub struct KeyLease(Arc<AtomicU32>);

impl Drop for KeyLease {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Holder {
    /// Counts a call as under way until the lease is dropped.
    pub fn lease(&self) -> KeyLease {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        KeyLease(Arc::clone(&self.in_flight))
    }
}

impl Keyring {
    /// A ring without keys, for peppers that hash what clients present: the relay's own first.
    pub fn new(hashers: Vec<KeyHasher>) -> Self {
        Self { keys: RwLock::new(Keys { hashers, ..Keys::default() }) }
    }

    /// The key that a client presents.
    pub fn find(&self, presented: &str) -> Option<Arc<Holder>> {
        if presented.len() > KEY_BYTES_MAX {
            return None;
        }
        let keys = self.keys.read();
        keys.hashers.iter().find_map(|hasher| {
            keys.by_hash.get(&(hasher.pepper(), hasher.hash(presented))).cloned()
        })
    }

    /// Adds a key or takes over its edit.
    pub fn put(&self, stored: StoredKey) {
        let place = (stored.pepper_id, stored.hash);
        let mut keys = self.keys.write();
        let before = keys.hash_of.insert(stored.key.id, place);
        let known = before.and_then(|before| keys.by_hash.remove(&before));
        let in_flight = known.map(|holder| Arc::clone(&holder.in_flight)).unwrap_or_default();
        keys.by_hash.insert(place, Arc::new(Holder { key: stored.key, in_flight }));
    }

    /// Takes a key out.
    pub fn remove(&self, id: KeyId) {
        let mut keys = self.keys.write();
        if let Some(place) = keys.hash_of.remove(&id) {
            keys.by_hash.remove(&place);
        }
    }

    /// Every key with calls under way, and how many.
    pub fn in_flight(&self) -> Vec<(KeyId, u32)> {
        let keys = self.keys.read();
        let count =
            |holder: &Arc<Holder>| (holder.key.id, holder.in_flight.load(Ordering::Relaxed));
        keys.by_hash.values().map(count).filter(|(_, calls)| *calls > 0).collect()
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.keys.read().by_hash.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
