//! What the admin API remembers while the program runs.

use std::num::NonZeroUsize;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use lru::LruCache;
use parking_lot::Mutex;
use relay_core::clock::Timestamp;
use relay_core::secret::Secret;
use relay_store::changes::Subject;
use relay_store::{Store, StoreError};
use tokio::sync::Semaphore;

use super::answer::{Code, Problem};
use super::keys::KeySums;
use super::live::Live;
use super::logins::Logins;
use super::origin::CsrfKey;
use super::throttle::Throttle;
use crate::telemetry::DroppedLines;
use crate::verbs::setting;

/// Passwords that are hashed at one time: each takes 19 MiB and a core.
const HASHED_AT_ONCE_MAX: usize = 2;
/// Requests that wait for their turn; more are refused.
const HASHING_WAIT_MAX: usize = 32;
/// How long a second factor may be begun before its first code comes.
const FACTOR_WITHIN: Duration = Duration::from_mins(15);
/// Second factors that are begun at one time; the oldest is forgotten first.
const FACTORS_MAX: NonZeroUsize = NonZeroUsize::new(100).expect("not zero");

/// What the admin API remembers while the program runs.
#[derive(Debug, Default)]
pub struct Desk {
    /// Guessing of passwords.
    pub(super) throttle: Mutex<Throttle>,
    /// Turns at hashing passwords.
    pub(super) hashing: Hashing,
    /// What proofs of the page's own requests are made under.
    pub(super) csrf: CsrfKey,
    /// Second factors that have begun.
    pub(super) factors: Factors,
    /// Whether the first password still holds, by the hash that this was found out for.
    pub(super) initial: Mutex<Option<(String, bool)>>,
    /// What keys used lately.
    pub(super) key_sums: KeySums,
    /// Sign-ins to accounts that have begun.
    pub(super) logins: Logins,
    /// What pages that are open are told as it happens.
    pub(super) live: Live,
    /// From where the page may show pictures, beside its own: its logo.
    pictures: ArcSwapOption<String>,
    dropped_lines: OnceLock<DroppedLines>,
}

impl Desk {
    /// Takes note of the log whose dropped lines `/metrics` tells. Only the first counts.
    pub fn note_log(&self, lines: DroppedLines) {
        // There is one log in a process.
        let _ = self.dropped_lines.set(lines);
    }

    /// Tells the pages that are open which kinds of things were edited.
    pub(crate) fn changed(&self, subjects: &[Subject]) {
        self.live.changed(subjects);
    }

    /// Reads what the page needs before it is asked for.
    pub(crate) async fn read_site(&self, store: &Store) -> Result<(), StoreError> {
        let site = setting::site(store).await?;
        self.pictures.store(setting::origin_of(&site.logo).map(Arc::new));
        Ok(())
    }

    /// From where the page may show pictures, beside its own.
    pub(crate) fn pictures(&self) -> Option<Arc<String>> {
        self.pictures.load_full()
    }

    /// The lines that the log dropped.
    pub(super) fn dropped_lines(&self) -> DroppedLines {
        self.dropped_lines.get().cloned().unwrap_or_default()
    }
}

/// Turns at hashing passwords.
#[derive(Debug)]
pub(super) struct Hashing {
    turns: Arc<Semaphore>,
    waiting: Semaphore,
}

impl Default for Hashing {
    fn default() -> Self {
        let turns = Arc::new(Semaphore::new(HASHED_AT_ONCE_MAX));
        Self { turns, waiting: Semaphore::new(HASHED_AT_ONCE_MAX + HASHING_WAIT_MAX) }
    }
}

impl Hashing {
    /// Does the work when its turn comes. The turn ends with the work, also when nobody waits for
    /// what comes of it any more.
    pub(super) async fn turn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Problem> {
        let busy = || {
            let why = "too many people sign in at this moment: try again soon";
            Problem::new(Code::Throttled, why).after_seconds(1)
        };
        let _waiting = self.waiting.try_acquire().map_err(|_| busy())?;
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| busy())?;
        let working = tokio::spawn(async move {
            let _turn = turn;
            work.await
        });
        working.await.map_err(|_| busy())
    }
}

/// Second factors that have begun, and wait for their first code.
#[derive(Debug)]
pub(super) struct Factors(Mutex<LruCache<i64, (Secret, Timestamp)>>);

impl Default for Factors {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(FACTORS_MAX)))
    }
}

impl Factors {
    /// Begins one; an earlier one of the same administrator is forgotten.
    pub(super) fn begin(&self, admin: i64, secret: Secret, now: Timestamp) {
        self.0.lock().put(admin, (secret, now));
    }

    /// What was begun, if it is not too long ago.
    pub(super) fn begun(&self, admin: i64, now: Timestamp) -> Option<Secret> {
        let known = self.0.lock();
        let (secret, at) = known.peek(&admin)?;
        (now.since(*at) <= FACTOR_WITHIN).then(|| secret.clone())
    }

    /// It is over.
    pub(super) fn end(&self, admin: i64) {
        self.0.lock().pop(&admin);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn so_many_hash_at_once_so_many_wait_and_the_others_are_refused() {
        let hashing = Arc::new(Hashing::default());
        let gate = Arc::new(Semaphore::new(0));
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let room = HASHED_AT_ONCE_MAX + HASHING_WAIT_MAX;
        let mut asked: Vec<_> = (0..room)
            .map(|_| {
                let (hashing, gate) = (Arc::clone(&hashing), Arc::clone(&gate));
                let (now, most) = (Arc::clone(&now), Arc::clone(&most));
                tokio::spawn(async move {
                    let work = async move {
                        let at_once = now.fetch_add(1, Ordering::SeqCst) + 1;
                        most.fetch_max(at_once, Ordering::SeqCst);
                        let _passed = gate.acquire().await;
                        now.fetch_sub(1, Ordering::SeqCst);
                    };
                    hashing.turn(work).await.is_ok()
                })
            })
            .collect();
        while hashing.waiting.available_permits() > 0 || now.load(Ordering::SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
        assert!(hashing.turn(async {}).await.is_err(), "there is no room");
        // Who goes away leaves the work, and with it the turn, behind.
        for left in asked.drain(..room / 2) {
            left.abort();
        }
        gate.add_permits(1_000);
        for waited in asked {
            assert!(waited.await.expect("no panic"));
        }
        assert_eq!(most.load(Ordering::SeqCst), HASHED_AT_ONCE_MAX);
    }

    #[test]
    fn a_second_factor_is_begun_for_a_while() {
        let now = Timestamp::from_seconds(1_800_000_000);
        let factors = Factors::default();
        factors.begin(1, Secret::new("first"), now);
        factors.begin(1, Secret::new("second"), now);
        let begun = |at| factors.begun(1, now.plus(at)).map(|it| it.expose().to_owned());
        assert_eq!(begun(FACTOR_WITHIN).as_deref(), Some("second"));
        assert_eq!(begun(FACTOR_WITHIN + Duration::from_secs(1)), None);
        assert!(factors.begun(2, now).is_none());
        factors.end(1);
        assert_eq!(begun(Duration::ZERO), None);
    }
}
