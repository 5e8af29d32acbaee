//! Guessing of passwords: tries that fail make the next ones wait, longer and longer.
//!
//! A try counts as failed from its beginning, so many at once get no further than one after
//! another; what comes of it may take that back. It counts for the name at its address, for the
//! address and for the name. Where a name has signed in lately only the first of these counts:
//! whoever guesses the owner's password elsewhere does not lock the owner out.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use lru::LruCache;
use relay_core::clock::Timestamp;

/// Entries that are remembered of each kind; the one unheard of for longest is forgotten first.
const ENTRIES_MAX: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");
/// What failed is forgotten when nothing has failed for so long.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(1);
/// How long a sign-in speaks for its name at its address.
const GOOD_FOR: Duration = Duration::from_hours(30 * 24);
/// The longest name that is told apart, in bytes: longer ones are nobody's.
const NAME_BYTES_MAX: usize = 400;

/// How many may fail without a wait, and how long the longest wait is.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    free: u32,
    wait_max: Duration,
}

const PAIR: Bounds = Bounds { free: 5, wait_max: Duration::from_mins(15) };
/// The owner's own mistakes, or those of somebody behind the same address.
const GOOD_PAIR: Bounds = Bounds { free: 10, wait_max: Duration::from_secs(30) };
const ADDRESS: Bounds = Bounds { free: 20, wait_max: Duration::from_mins(15) };
const NAME: Bounds = Bounds { free: 30, wait_max: Duration::from_mins(1) };
/// Codes of the second factor: who guesses them knows the password already.
const CODE: Bounds = Bounds { free: 10, wait_max: Duration::from_mins(15) };

/// What one person has for an address: one of IPv4, or the first half of one of IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Origin(u128);

#[derive(Debug, Clone, Copy)]
struct Failed {
    count: u32,
    last: Timestamp,
}

/// Tries that failed, and where sign-ins came from.
#[derive(Debug)]
pub(super) struct Throttle {
    pairs: LruCache<(String, Origin), Failed>,
    addresses: LruCache<Origin, Failed>,
    names: LruCache<String, Failed>,
    codes: LruCache<String, Failed>,
    good: LruCache<(String, Origin), Timestamp>,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            pairs: bounded(),
            addresses: bounded(),
            names: bounded(),
            codes: bounded(),
            good: bounded(),
        }
    }
}

fn bounded<K: Hash + Eq, V>() -> LruCache<K, V> {
    // Room is made as entries come.
    let mut known = LruCache::unbounded();
    known.resize(ENTRIES_MAX);
    known
}

impl Throttle {
    /// Begins a try: it counts as failed until something else is said.
    ///
    /// # Errors
    ///
    /// With the time to wait, if it may not be made yet. It does not count then.
    pub(super) fn begin(
        &mut self,
        name: &str,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<(), Duration> {
        let (name, origin) = (known_by(name), Origin::of(address));
        let pair = (name.clone(), origin);
        if self.is_good(&pair, now) {
            return GOOD_PAIR.count(&mut self.pairs, pair, now);
        }
        // Nothing is counted anywhere unless it may be made.
        let waits = [
            PAIR.wait(self.pairs.peek(&pair), now),
            ADDRESS.wait(self.addresses.peek(&origin), now),
            NAME.wait(self.names.peek(&name), now),
        ];
        if let Some(longest) = waits.into_iter().flatten().max() {
            return Err(longest);
        }
        PAIR.count(&mut self.pairs, pair, now)?;
        ADDRESS.count(&mut self.addresses, origin, now)?;
        NAME.count(&mut self.names, name, now)
    }

    /// Begins a try of a code, after the password was right.
    ///
    /// # Errors
    ///
    /// With the time to wait, if it may not be made yet.
    pub(super) fn begin_code(
        &mut self,
        name: &str,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<(), Duration> {
        let pair = (known_by(name), Origin::of(address));
        if self.is_good(&pair, now) {
            return Ok(());
        }
        CODE.count(&mut self.codes, pair.0, now)
    }

    /// The try that was begun is none that failed: the password was right, and more is asked for.
    pub(super) fn take_back(&mut self, name: &str, address: IpAddr) {
        let (name, origin) = (known_by(name), Origin::of(address));
        take_one(&mut self.pairs, &(name.clone(), origin));
        take_one(&mut self.addresses, &origin);
        take_one(&mut self.names, &name);
    }

    /// They signed in.
    pub(super) fn succeeded(&mut self, name: &str, address: IpAddr, now: Timestamp) {
        self.take_back(name, address);
        let pair = (known_by(name), Origin::of(address));
        take_one(&mut self.codes, &pair.0);
        self.pairs.pop(&pair);
        self.good.put(pair, now);
    }

    fn is_good(&self, pair: &(String, Origin), now: Timestamp) -> bool {
        self.good.peek(pair).is_some_and(|at| now.since(*at) <= GOOD_FOR)
    }
}

impl Bounds {
    /// How long is still to be waited.
    fn wait(self, failed: Option<&Failed>, now: Timestamp) -> Option<Duration> {
        let failed = failed.filter(|it| !it.is_over(now))?;
        let beyond = failed.count.checked_sub(self.free)?;
        let wait = Duration::from_secs(1_u64 << beyond.min(32)).min(self.wait_max);
        let waited = now.since(failed.last);
        (waited < wait).then(|| wait.saturating_sub(waited))
    }

    fn count<K: Hash + Eq>(
        self,
        known: &mut LruCache<K, Failed>,
        key: K,
        now: Timestamp,
    ) -> Result<(), Duration> {
        if let Some(wait) = self.wait(known.peek(&key), now) {
            return Err(wait);
        }
        let failed = known.get_or_insert_mut(key, || Failed { count: 0, last: now });
        let before = if failed.is_over(now) { 0 } else { failed.count };
        *failed = Failed { count: before.saturating_add(1), last: now };
        Ok(())
    }
}

impl Failed {
    /// What lies ahead of now is of a clock that was put back.
    fn is_over(self, now: Timestamp) -> bool {
        now < self.last || now.since(self.last) >= FORGOTTEN_AFTER
    }
}

impl Origin {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(u128::from(address.to_bits())),
            // A network is one person's; no network of IPv6 has the number of an address of IPv4.
            IpAddr::V6(address) => Self(address.to_bits() >> 64 << 64 | 1 << 63),
        }
    }
}

fn take_one<K: Hash + Eq>(known: &mut LruCache<K, Failed>, key: &K) {
    if let Some(failed) = known.peek_mut(key) {
        failed.count = failed.count.saturating_sub(1);
    }
}

/// Names that nobody can have are all one.
fn known_by(name: &str) -> String {
    if name.len() > NAME_BYTES_MAX { String::new() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn after(seconds: u64) -> Timestamp {
        NOW.plus(Duration::from_secs(seconds))
    }

    fn address(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(0x0a00_0000 | number).into()
    }

    /// How many tries are made when somebody tries each second.
    fn made(throttle: &mut Throttle, name: &str, from: IpAddr, seconds: u64) -> usize {
        (0..seconds).filter(|at| throttle.begin(name, from, after(*at)).is_ok()).count()
    }

    #[test]
    fn five_tries_are_free_and_the_next_ones_wait_longer_and_longer() {
        let mut throttle = Throttle::default();
        for _ in 0..5 {
            assert_eq!(throttle.begin("root", address(1), NOW), Ok(()));
        }
        let mut at = 0;
        for wait in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
            let told = throttle.begin("root", address(1), after(at));
            assert_eq!(told, Err(Duration::from_secs(wait)));
            at += wait;
            assert_eq!(throttle.begin("root", address(1), after(at)), Ok(()), "{wait}");
        }
        assert_eq!(throttle.begin("root", address(1), after(at + 3_600)), Ok(()));
        assert_eq!(throttle.begin("root", address(1), after(at + 3_600)), Ok(()), "forgotten");
    }

    #[test]
    fn an_address_that_goes_through_names_waits_and_so_does_a_name_that_many_go_for() {
        let mut throttle = Throttle::default();
        let names = (0..100)
            .filter(|name| throttle.begin(&format!("name-{name}"), address(1), NOW).is_ok());
        assert_eq!(names.count(), 20);
        let addresses = (2..200).filter(|from| throttle.begin("root", address(*from), NOW).is_ok());
        assert_eq!(addresses.count(), 30);
        // It never waits longer than a minute for what others do.
        let far = throttle.begin("root", address(1_000), after(61));
        assert_eq!(far, Ok(()));
    }

    #[test]
    fn where_a_name_signed_in_nobody_elsewhere_slows_it() {
        let mut throttle = Throttle::default();
        throttle.begin("root", address(1), NOW).expect("it may");
        throttle.succeeded("root", address(1), NOW);
        for from in 2..2_000 {
            let _ = throttle.begin("root", address(from), after(10));
        }
        assert_eq!(throttle.begin("root", address(1), after(10)), Ok(()));
        assert!(throttle.begin("root", address(3_000), after(10)).is_err());
        let waits = (0..100_u64).map(|at| throttle.begin("root", address(1), after(11 + at * 30)));
        assert!(waits.into_iter().all(|told| told.is_ok()), "its own waits have an end");
    }

    #[test]
    fn a_right_password_without_its_code_does_not_count() {
        let mut throttle = Throttle::default();
        for _ in 0..100 {
            throttle.begin("root", address(1), NOW).expect("it may");
            throttle.take_back("root", address(1));
        }
        let codes = (0..100).filter(|_| throttle.begin_code("root", address(2), NOW).is_ok());
        assert_eq!(codes.count(), 10);
    }

    #[test]
    fn a_clock_that_is_put_back_shuts_nobody_out() {
        let mut throttle = Throttle::default();
        made(&mut throttle, "root", address(1), 4_000);
        assert_eq!(throttle.begin("root", address(1), after(0)), Ok(()));
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let of = |text: &str| Origin::of(text.parse().expect("an address"));
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2::2"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("::1"), of("0.0.0.1"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

        /// However the tries lie in time, an hour has few of them.
        #[test]
        fn an_hour_has_few_tries(gaps in prop::collection::vec(0_u64..120, 1..600)) {
            let mut throttle = Throttle::default();
            let (mut at, mut tries) = (0, 0);
            for gap in gaps {
                at += gap;
                if at >= 3_600 {
                    break;
                }
                tries += usize::from(throttle.begin("root", address(1), after(at)).is_ok());
            }
            // Five for nothing, ten until the waits are longest, and four to an hour from then on.
            prop_assert!(tries <= 5 + 11 + 4, "{tries}");
        }

        /// Whatever comes, the tables stay within their bounds.
        #[test]
        fn memory_is_bounded(seed in any::<u32>()) {
            let mut throttle = Throttle::default();
            for number in 0..12_000_u32 {
                let from = address(number.wrapping_mul(seed | 1));
                let _ = throttle.begin(&format!("name-{number}"), from, NOW);
                throttle.succeeded(&format!("name-{number}"), from, NOW);
            }
            let max = ENTRIES_MAX.get();
            prop_assert!(throttle.good.len() <= max && throttle.pairs.len() <= max);
            prop_assert!(throttle.names.len() <= max && throttle.addresses.len() <= max);
        }
    }
}
