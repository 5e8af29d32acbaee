//! Guessing of passwords: who fails often waits, longer each time.
//!
//! What counts are failures of a name from an address, of an address under any name, and of a name
//! from anywhere. The last would let a stranger lock an owner out, so it does not slow an address
//! from which that name has signed in lately.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use lru::LruCache;
use relay_core::clock::Timestamp;

/// Failures of one name from one address that cost nothing but themselves.
const FREE_OF_PAIR: u32 = 5;
/// Failures from one address, or of one name, that cost nothing.
const FREE_OF_ONE: u32 = 20;
/// The wait after the first failure that is not free; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// The longest wait.
const WAIT_MAX: Duration = Duration::from_mins(15);
/// Failures are forgotten after this long without another.
const FORGET_AFTER: Duration = Duration::from_hours(1);
/// How long a sign-in speaks for its address.
const GOOD_FOR: Duration = Duration::from_hours(24 * 30);
/// Names and addresses that are remembered of each kind.
const REMEMBERED_MAX: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");
/// Longer names are remembered by their beginning.
const NAME_CHARS_MAX: usize = 64;

type Pair = (String, IpAddr);

/// Who failed to sign in, and how often.
#[derive(Debug)]
pub(super) struct Throttle {
    pairs: LruCache<Pair, Failures>,
    addresses: LruCache<IpAddr, Failures>,
    names: LruCache<String, Failures>,
    good: LruCache<Pair, Timestamp>,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Timestamp,
}

impl Default for Throttle {
    fn default() -> Self {
        Self { pairs: bounded(), addresses: bounded(), names: bounded(), good: bounded() }
    }
}

impl Failures {
    /// How long to wait from `now` on, if `free` of them cost nothing.
    fn wait(self, free: u32, now: Timestamp) -> Duration {
        let Some(over) = self.count.checked_sub(free) else { return Duration::ZERO };
        let wait = FIRST_WAIT.saturating_mul(1 << over.min(16)).min(WAIT_MAX);
        // A clock that was put back makes nobody wait longer than they would have had to.
        wait.saturating_sub(now.since(self.last))
    }
}

impl Throttle {
    /// How long somebody has to wait before a password is looked at; zero is not at all.
    pub(super) fn wait(&mut self, name: &str, address: IpAddr, now: Timestamp) -> Duration {
        let pair = pair(name, address);
        let is_known = self.good.peek(&pair).is_some_and(|at| now.since(*at) <= GOOD_FOR);
        let of_pair = recent(&self.pairs, &pair, now).map(|it| it.wait(FREE_OF_PAIR, now));
        let of_address = recent(&self.addresses, &pair.1, now).map(|it| it.wait(FREE_OF_ONE, now));
        let of_name = recent(&self.names, &pair.0, now).map(|it| it.wait(FREE_OF_ONE, now));
        let of_name = of_name.filter(|_| !is_known);
        [of_pair, of_address, of_name].into_iter().flatten().max().unwrap_or_default()
    }

    /// Takes note of a wrong name or password.
    pub(super) fn failed(&mut self, name: &str, address: IpAddr, now: Timestamp) {
        let pair = pair(name, address);
        count(&mut self.names, pair.0.clone(), now);
        count(&mut self.addresses, address, now);
        count(&mut self.pairs, pair, now);
    }

    /// Takes note of a sign-in.
    pub(super) fn succeeded(&mut self, name: &str, address: IpAddr, now: Timestamp) {
        let pair = pair(name, address);
        self.pairs.pop(&pair);
        self.good.put(pair, now);
    }
}

fn bounded<K: Hash + Eq, V>() -> LruCache<K, V> {
    // Room is made as names and addresses come.
    let mut known = LruCache::unbounded();
    known.resize(REMEMBERED_MAX);
    known
}

fn pair(name: &str, address: IpAddr) -> Pair {
    (name.chars().take(NAME_CHARS_MAX).collect(), address.to_canonical())
}

fn recent<K: Hash + Eq>(
    known: &LruCache<K, Failures>,
    key: &K,
    now: Timestamp,
) -> Option<Failures> {
    known.peek(key).copied().filter(|it| now.since(it.last) < FORGET_AFTER)
}

fn count<K: Hash + Eq>(known: &mut LruCache<K, Failures>, key: K, now: Timestamp) {
    let none = Failures { count: 0, last: now };
    let failures = known.get_or_insert_mut(key, || none);
    if now.since(failures.last) >= FORGET_AFTER {
        failures.count = 0;
    }
    *failures = Failures { count: failures.count.saturating_add(1), last: now };
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1));

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_800_000_000 + seconds)
    }

    #[test]
    fn who_fails_often_waits_longer_each_time_and_not_for_ever() {
        let mut throttle = Throttle::default();
        let mut waits = Vec::new();
        for _ in 0..FREE_OF_PAIR + 12 {
            waits.push(throttle.wait("ana", HERE, at(0)).as_secs());
            throttle.failed("ana", HERE, at(0));
        }
        assert_eq!(&waits[..7], [0, 0, 0, 0, 0, 2, 4]);
        assert_eq!(waits.last(), Some(&WAIT_MAX.as_secs()));
        assert_eq!(throttle.wait("ana", HERE, at(899)).as_secs(), 1);
        assert_eq!(throttle.wait("ana", HERE, at(900)), Duration::ZERO);
        throttle.failed("ana", HERE, at(4_600));
        assert_eq!(throttle.wait("ana", HERE, at(4_600)), Duration::ZERO, "an hour of rest");
    }

    #[test]
    fn an_owner_is_not_locked_out_by_a_stranger() {
        let mut throttle = Throttle::default();
        throttle.succeeded("ana", HERE, at(0));
        for _ in 0..1_000 {
            throttle.failed("ana", THERE, at(1));
        }
        assert_eq!(throttle.wait("ana", HERE, at(2)), Duration::ZERO);
        assert!(throttle.wait("ana", THERE, at(2)) > Duration::from_mins(10));
        let elsewhere = IpAddr::from([203, 0, 113, 9]);
        assert!(throttle.wait("ana", elsewhere, at(2)) > Duration::ZERO, "the name is guessed at");
        assert_eq!(throttle.wait("ben", elsewhere, at(2)), Duration::ZERO);
    }

    #[test]
    fn an_address_is_slowed_under_any_name() {
        let mut throttle = Throttle::default();
        for number in 0..=FREE_OF_ONE {
            throttle.failed(&format!("name-{number}"), THERE, at(0));
        }
        assert!(throttle.wait("another", THERE, at(0)) > Duration::ZERO);
        assert_eq!(throttle.wait("another", HERE, at(0)), Duration::ZERO);
    }
}
