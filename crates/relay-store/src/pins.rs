//! Session pins: which account a conversation stays with while its cache there is warm.
//!
//! They live in memory and are written behind to the database. A pin is a hint: where a bound is
//! met, the oldest is dropped.

use std::time::Duration;

use lru::LruCache;
use parking_lot::Mutex;
use relay_core::clock::Timestamp;
use relay_core::id::{AccountId, SessionId};

/// How long a pin holds after its last use.
pub const PIN_TTL: Duration = Duration::from_hours(1);

/// How far a pin's end may move before it is written again: not each use is a write.
const SLIDE_GRAIN: Duration = Duration::from_mins(5);

const SHARDS: usize = 16;

/// One conversation's pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin {
    /// The conversation.
    pub session: SessionId,
    /// Its account.
    pub account: AccountId,
    /// When it ends unless it is used.
    pub expires_at: Timestamp,
}

/// What the database has to be told of a pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinChange {
    /// It is new, moved, or lasts longer.
    Set(Pin),
    /// It holds no more.
    Removed(SessionId),
}

/// All pins, up to a capacity; the least recently used makes room.
#[derive(Debug)]
pub struct Pins {
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Debug)]
struct Shard {
    capacity: usize,
    pins: LruCache<SessionId, Held>,
    /// Sessions to write, oldest change first. As bounded as the pins, for a database that is away.
    dirty: LruCache<SessionId, ()>,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    account: AccountId,
    expires_at: Timestamp,
    /// The end that was last marked for writing.
    marked: Timestamp,
}

impl Pins {
    /// Room for about `capacity` pins. Memory is taken as they come.
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.div_ceil(SHARDS).max(1);
        Self { shards: std::array::from_fn(|_| Mutex::new(Shard::new(capacity))) }
    }

    /// The account that a conversation is pinned to; its hour begins again.
    pub fn get(&self, session: SessionId, now: Timestamp) -> Option<AccountId> {
        self.shard(session).lock().get(session, now)
    }

    /// Pins a conversation to an account, whichever it was pinned to.
    pub fn set(&self, session: SessionId, account: AccountId, now: Timestamp) {
        let expires_at = now.plus(PIN_TTL);
        let mut shard = self.shard(session).lock();
        shard.put(session, Held { account, expires_at, marked: expires_at });
        shard.mark(session);
    }

    /// How many conversations are pinned to an account now.
    pub fn pinned_to(&self, account: AccountId, now: Timestamp) -> usize {
        let is_its = |held: &Held| held.account == account && held.expires_at > now;
        let count = |shard: &Mutex<Shard>| {
            shard.lock().pins.iter().filter(|(_, held)| is_its(held)).count()
        };
        self.shards.iter().map(count).sum()
    }

    /// Removes every pin to an account, for one that serves no more; how many there were.
    pub fn forget_account(&self, account: AccountId) -> usize {
        self.shards.iter().map(|shard| shard.lock().forget(account)).sum()
    }

    /// Takes up to `max` of the changes since they were last taken.
    pub fn take_dirty(&self, max: usize) -> Vec<PinChange> {
        let mut changes = Vec::new();
        for shard in &self.shards {
            let mut shard = shard.lock();
            while changes.len() < max
                && let Some(change) = shard.pop_dirty()
            {
                changes.push(change);
            }
        }
        changes
    }

    /// Marks again what was taken and could not be written.
    pub fn mark_again(&self, changes: &[PinChange]) {
        for change in changes {
            let (PinChange::Set(Pin { session, .. }) | PinChange::Removed(session)) = *change;
            self.shard(session).lock().mark(session);
        }
    }

    /// Takes in what the database kept, soonest to end first; what has ended is left out.
    pub fn load(&self, pins: impl IntoIterator<Item = Pin>, now: Timestamp) {
        for Pin { session, account, expires_at } in pins {
            if now < expires_at {
                let held = Held { account, expires_at, marked: expires_at };
                self.shard(session).lock().put(session, held);
            }
        }
    }

    /// How many pins are held, ended ones that nobody asked for included.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().pins.len()).sum()
    }

    /// Whether no pin is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard(&self, session: SessionId) -> &Mutex<Shard> {
        // A session id is a hash, so any byte of it spreads evenly.
        &self.shards[usize::from(session.0[15]) % SHARDS]
    }
}

impl Shard {
    fn new(capacity: usize) -> Self {
        // A bounded cache would take all of its memory now.
        Self { capacity, pins: LruCache::unbounded(), dirty: LruCache::unbounded() }
    }

    fn get(&mut self, session: SessionId, now: Timestamp) -> Option<AccountId> {
        let held = self.pins.get_mut(&session)?;
        if held.expires_at <= now {
            self.pins.pop(&session);
            return None;
        }
        // A clock that was set back does not shorten a pin.
        held.expires_at = held.expires_at.max(now.plus(PIN_TTL));
        let account = held.account;
        if held.expires_at.since(held.marked) >= SLIDE_GRAIN {
            held.marked = held.expires_at;
            self.mark(session);
        }
        Some(account)
    }

    fn put(&mut self, session: SessionId, held: Held) {
        self.pins.put(session, held);
        if self.pins.len() > self.capacity {
            self.pins.pop_lru();
        }
    }

    fn mark(&mut self, session: SessionId) {
        self.dirty.put(session, ());
        if self.dirty.len() > self.capacity {
            self.dirty.pop_lru();
        }
    }

    fn forget(&mut self, account: AccountId) -> usize {
        let of_account =
            |(session, held): (&SessionId, &Held)| (held.account == account).then_some(*session);
        let sessions: Vec<SessionId> = self.pins.iter().filter_map(of_account).collect();
        for session in &sessions {
            self.pins.pop(session);
            self.mark(*session);
        }
        sessions.len()
    }

    fn pop_dirty(&mut self) -> Option<PinChange> {
        let (session, ()) = self.dirty.pop_lru()?;
        Some(match self.pins.peek(&session) {
            Some(&Held { account, expires_at, .. }) => {
                PinChange::Set(Pin { session, account, expires_at })
            }
            None => PinChange::Removed(session),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_seconds(1_000_000);
    const MINUTE: Duration = Duration::from_mins(1);
    const A: AccountId = AccountId(1);
    const B: AccountId = AccountId(2);

    fn session(number: u8) -> SessionId {
        SessionId([number; 16])
    }

    fn pin(number: u8, account: AccountId, expires_at: Timestamp) -> Pin {
        Pin { session: session(number), account, expires_at }
    }

    #[test]
    fn a_pin_lasts_an_hour_from_its_last_use() {
        let pins = Pins::new(100);
        pins.set(session(1), A, START);
        let later = START.plus(59 * MINUTE);
        assert_eq!(pins.get(session(1), later), Some(A));
        assert_eq!(pins.get(session(1), later.plus(59 * MINUTE)), Some(A));
        assert_eq!(pins.get(session(1), later.plus(119 * MINUTE)), None);
        assert!(pins.is_empty());
    }

    #[test]
    fn pins_that_hold_are_counted_by_account() {
        let pins = Pins::new(100);
        pins.set(session(1), A, START);
        pins.set(session(2), A, START.plus(MINUTE));
        pins.set(session(3), B, START);
        let count = |at| (pins.pinned_to(A, at), pins.pinned_to(B, at));
        assert_eq!(count(START.plus(2 * MINUTE)), (2, 1));
        assert_eq!(count(START.plus(60 * MINUTE)), (1, 0));
    }

    #[test]
    fn setting_again_moves_the_pin() {
        let pins = Pins::new(100);
        pins.set(session(1), A, START);
        pins.set(session(1), B, START);
        assert_eq!(pins.get(session(1), START), Some(B));
        assert_eq!(pins.take_dirty(9), [PinChange::Set(pin(1, B, START.plus(PIN_TTL)))]);
    }

    #[test]
    fn a_forgotten_account_loses_its_pins_in_the_database_too() {
        let pins = Pins::new(100);
        for number in 0..20 {
            pins.set(session(number), if number < 5 { A } else { B }, START);
        }
        pins.take_dirty(100);
        assert_eq!(pins.forget_account(A), 5);
        let unwritten = pins.take_dirty(100);
        assert!(pins.take_dirty(100).is_empty());
        pins.mark_again(&unwritten);
        assert_eq!(pins.get(session(4), START), None);
        assert_eq!(pins.get(session(5), START), Some(B));
        let mut removed = pins.take_dirty(100);
        removed.sort_by_key(|change| match change {
            PinChange::Removed(session) => *session,
            PinChange::Set(pin) => panic!("{pin:?} did not change"),
        });
        assert_eq!(removed, (0..5).map(|n| PinChange::Removed(session(n))).collect::<Vec<_>>());
    }

    #[test]
    fn changes_are_taken_once_and_in_portions() {
        let pins = Pins::new(100);
        for number in 0..20 {
            pins.set(session(number), A, START);
        }
        assert_eq!(pins.take_dirty(15).len(), 15);
        assert_eq!(pins.take_dirty(15).len(), 5);
        assert_eq!(pins.take_dirty(15).len(), 0);
    }

    #[test]
    fn a_use_is_written_only_when_the_end_has_moved_far() {
        let pins = Pins::new(100);
        pins.set(session(1), A, START);
        pins.take_dirty(9);
        pins.get(session(1), START.plus(4 * MINUTE));
        assert_eq!(pins.take_dirty(9), []);
        let later = START.plus(5 * MINUTE);
        pins.get(session(1), later);
        assert_eq!(pins.take_dirty(9), [PinChange::Set(pin(1, A, later.plus(PIN_TTL)))]);
    }

    #[test]
    fn the_least_recently_used_makes_room_and_changes_stay_bounded() {
        let pins = Pins::new(2 * SHARDS);
        // The same shard for all three.
        let (old, used, new) = (session(0), session(16), session(32));
        pins.set(old, A, START);
        pins.set(used, A, START);
        pins.get(old, START);
        pins.set(new, A, START);
        assert_eq!(pins.get(used, START), None);
        assert_eq!(pins.get(old, START), Some(A));
        assert_eq!(pins.len(), 2);
        assert_eq!(pins.take_dirty(9).len(), 2);
    }

    #[test]
    fn what_the_database_kept_is_not_written_back_and_dead_pins_stay_dead() {
        let pins = Pins::new(100);
        let ends = START.plus(MINUTE);
        pins.load([pin(1, A, ends), pin(2, A, START)], START);
        assert_eq!(pins.take_dirty(9), []);
        assert_eq!(pins.len(), 1);
        assert_eq!(pins.get(session(1), START), Some(A));
    }
}
