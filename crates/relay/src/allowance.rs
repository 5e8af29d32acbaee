//! What one key may still use, while calls come and end: admits them one by one, and lets those wait
//! that only reservations keep out.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use parking_lot::Mutex;
use relay_core::clock::Timestamp;
use relay_core::key::KeyLimits;
use relay_core::limit::Refusal;
use relay_core::model::ModelFamily;
use relay_core::tally::{
    Amount, Ask, Barrier, Calendar, Claim, Mean, Means, Passed, Standing, Tally,
};
use tokio::sync::{Mutex as Turn, Notify};
use tokio::time::{Instant, timeout_at};

/// Stands for a first use that has not come.
const NEVER: i64 = i64::MIN;

/// The counters of one key, and who waits for them.
#[derive(Debug)]
pub struct Allowance {
    counted: Mutex<Counted>,
    means: Mutex<Means>,
    /// When the key's first call came, in milliseconds.
    first_used: AtomicI64,
    /// When its latest call came since the start, in milliseconds.
    last_used: AtomicI64,
    /// Calls that only reservations keep out, first come, first served.
    queue: Turn<()>,
    waiting: AtomicU32,
    /// Calls that wait, for this or for anything else that their key has.
    places: Arc<AtomicU32>,
    /// Rung when a reservation ends.
    ended: Notify,
}

/// The limits as they are now, and what is used of them: calls that wait go by an edit too.
#[derive(Debug, Default)]
struct Counted {
    limits: KeyLimits,
    tally: Tally,
}

/// How a call that only reservations keep out waits.
#[derive(Debug)]
pub struct Patience {
    /// Its place, if it has waited before.
    pub place: Option<Place>,
    /// How many of its key's calls may wait.
    pub places_max: u32,
    /// Until when.
    pub until: Instant,
}

/// What a call holds of its key's limits: settled once, or given back on drop.
#[derive(Debug)]
pub struct Reservation {
    allowance: Arc<Allowance>,
    claim: Option<Claim>,
    expected: Amount,
}

/// One call's place among those of its key that wait; given back on drop.
#[derive(Debug)]
pub struct Place(Arc<AtomicU32>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One call's part in a count, while it lasts.
struct Counting<'a>(&'a AtomicU32);

impl<'a> Counting<'a> {
    fn of(count: &'a AtomicU32) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Default for Allowance {
    fn default() -> Self {
        Self {
            counted: Mutex::default(),
            means: Mutex::default(),
            first_used: AtomicI64::new(NEVER),
            last_used: AtomicI64::new(NEVER),
            queue: Turn::default(),
            waiting: AtomicU32::new(0),
            places: Arc::default(),
            ended: Notify::new(),
        }
    }
}

impl Allowance {
    /// The allowance of a key of which an earlier run left counters.
    pub fn with(tally: Tally, means: Means) -> Self {
        let limits = KeyLimits::default();
        let counted = Mutex::new(Counted { limits, tally });
        Self { counted, means: Mutex::new(means), ..Self::default() }
    }

    /// When the key's first call came.
    pub fn first_used(&self) -> Option<Timestamp> {
        moment(&self.first_used)
    }

    /// When the key's latest call came, if one has since the start.
    pub fn last_used(&self) -> Option<Timestamp> {
        moment(&self.last_used)
    }

    /// Takes note of a call that somebody was asked for. Whichever came first is the first, in
    /// whatever order they are told: so it is the earliest of the records, after a restart too.
    pub fn used(&self, at: Timestamp) {
        self.was_used(at);
        self.last_used.fetch_max(at.as_millis(), Ordering::Relaxed);
    }

    /// Takes note of a first call that the records tell of.
    pub fn was_used(&self, at: Timestamp) {
        let millis = at.as_millis();
        let earlier = |known| (known == NEVER || millis < known).then_some(millis);
        let _ = self.first_used.fetch_update(Ordering::AcqRel, Ordering::Acquire, earlier);
    }

    /// What the key's calls of a model have come to lately.
    pub fn mean(&self, model: &str) -> Option<Mean> {
        self.means.lock().of(model)
    }

    /// Changes the counters: those of an earlier run are loaded, those of a week counted anew.
    pub fn with_tally<T>(&self, change: impl FnOnce(&mut Tally) -> T) -> T {
        let changed = change(&mut self.counted.lock().tally);
        self.ring();
        changed
    }

    /// Takes over the limits of the key. Those that wait look again.
    pub fn edited(&self, limits: &KeyLimits) {
        self.counted.lock().limits.clone_from(limits);
        self.ring();
    }

    /// Every limit with its counters.
    pub fn standings(
        &self,
        limits: &KeyLimits,
        now: Timestamp,
        calendar: &impl Calendar,
    ) -> Vec<Standing> {
        self.counted.lock().tally.standings(limits, now, calendar)
    }

    /// Calls that wait for reservations to end.
    pub fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Takes a place among the key's calls that wait, unless so many do.
    pub fn place(&self, places_max: u32) -> Option<Place> {
        let join = |places| (places < places_max).then_some(places + 1);
        self.places.fetch_update(Ordering::Relaxed, Ordering::Relaxed, join).ok()?;
        Some(Place(Arc::clone(&self.places)))
    }

    /// Reserves what a call is expected to use. If only reservations are in the way it waits for
    /// them to end, behind those that came before.
    ///
    /// # Errors
    ///
    /// With the limit that is spent, or that reservations still take at the end of its patience.
    pub async fn reserve(
        self: &Arc<Self>,
        ask: &Ask<'_>,
        (calendar, patience): (&impl Calendar, Patience),
    ) -> Result<Reservation, Refusal> {
        {
            let Counted { limits, tally } = &mut *self.counted.lock();
            match tally.barrier(limits, ask, calendar) {
                Some(Barrier::Spent(standing)) => return Err(Refusal::Spent(standing.into())),
                None if self.waiting() == 0 || !limits.reserve_of(ask.family) => {
                    return Ok(self.take(tally.reserve(limits.window, ask), ask));
                }
                // Reservations are in the way, or calls that came before.
                Some(Barrier::Reserved(_)) | None => {}
            }
        }
        let waits = async {
            let _place = patience.place.or_else(|| self.place(patience.places_max))?;
            let _waits = Counting::of(&self.waiting);
            let _turn = self.queue.lock().await;
            loop {
                let outcome = {
                    let Counted { limits, tally } = &mut *self.counted.lock();
                    tally.admit(limits, ask, calendar)
                };
                match outcome {
                    Ok(claim) => return Some(Ok(self.take(claim, ask))),
                    Err(Barrier::Spent(standing)) => {
                        return Some(Err(Refusal::Spent(standing.into())));
                    }
                    // One that ended since the look has left its ring behind.
                    Err(Barrier::Reserved(_)) => self.ended.notified().await,
                }
            }
        };
        match timeout_at(patience.until, waits).await {
            Ok(Some(outcome)) => outcome,
            Ok(None) | Err(_) => Err(self.in_the_way(ask, calendar)),
        }
    }

    /// What a call is told that did not get its turn.
    fn in_the_way(&self, ask: &Ask<'_>, calendar: &impl Calendar) -> Refusal {
        let barrier = {
            let Counted { limits, tally } = &mut *self.counted.lock();
            tally.barrier(limits, ask, calendar)
        };
        match barrier {
            Some(Barrier::Spent(standing)) => Refusal::Spent(standing.into()),
            Some(Barrier::Reserved(standing)) => Refusal::Reserved(standing.into()),
            // There is room by now, for those that came before.
            None => Refusal::Queue { waiting: self.waiting() },
        }
    }

    fn take(self: &Arc<Self>, claim: Claim, ask: &Ask<'_>) -> Reservation {
        Reservation { allowance: Arc::clone(self), claim: Some(claim), expected: ask.expected }
    }

    /// Lets the first that waits look again.
    fn ring(&self) {
        if self.waiting() > 0 {
            self.ended.notify_one();
        }
    }
}

fn moment(millis: &AtomicI64) -> Option<Timestamp> {
    let millis = millis.load(Ordering::Acquire);
    (millis != NEVER).then(|| Timestamp::from_millis(millis))
}

impl Reservation {
    /// What was reserved.
    pub const fn expected(&self) -> Amount {
        self.expected
    }

    /// When the window began in which the call counts, if its key has one.
    pub fn window(&self) -> Option<Timestamp> {
        self.claim.as_ref()?.window()
    }

    /// Counts what the call came to, in place of what it had reserved. `family` is that of the model
    /// that answered. Tells which budgets this brought past a mark.
    pub fn settle(&mut self, (family, used): (&ModelFamily, Amount)) -> Vec<Passed> {
        let Some(claim) = self.claim.take() else { return Vec::new() };
        let passed = {
            let Counted { limits, tally } = &mut *self.allowance.counted.lock();
            tally.settle(limits, &claim, (family, used))
        };
        self.allowance.ring();
        passed
    }

    /// Learns what calls of a model come to, from one that answered.
    pub fn learn(&self, model: &str, output: u64, used: Amount) {
        self.allowance.means.lock().learn(model, output, used);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(claim) = self.claim.take() {
            self.allowance.counted.lock().tally.release(&claim);
            self.allowance.ring();
        }
    }
}

#[cfg(test)]
mod tests;
