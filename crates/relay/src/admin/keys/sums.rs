//! What all keys used, for lists that are sorted by it. Reading it for ten thousand keys takes
//! longer than a page may wait, so it is kept, and renewed behind the back of who asks.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use relay_core::clock::Timestamp;
use relay_core::id::KeyId;
use relay_core::money::Money;
use relay_core::period::{Period, Span, WeekReset};
use relay_store::StoreError;
use relay_store::key_counts::FamilyTotal;
use relay_store::key_use::KeyUse;
use relay_store::sums::Grain;

use crate::app::App;

/// Sums that are read so soon are read each time, and are never old.
const QUICK: Duration = Duration::from_millis(20);
/// How old others may be that a list is sorted by.
const FRESH: Duration = Duration::from_secs(2);
/// How old those of days may be that are over: only corrections change them.
const CLOSED_FRESH: Duration = Duration::from_mins(5);
/// How many days the usual sums are of, today included.
pub(super) const DAYS: u64 = 28;

/// The sums that are kept.
#[derive(Debug, Default)]
pub(in crate::admin) struct KeySums {
    kept: Mutex<Option<Arc<Sums>>>,
    renewing: AtomicBool,
}

/// What keys used.
#[derive(Debug)]
pub(super) struct Sums {
    at: Timestamp,
    /// How long it took to read those of today.
    took: Duration,
    today: Span,
    closed: Arc<Closed>,
    of_today: HashMap<KeyId, KeyUse>,
    totals: HashMap<KeyId, FamilyTotal>,
}

/// What they used on the days before today.
#[derive(Debug)]
struct Closed {
    at: Timestamp,
    used: HashMap<KeyId, KeyUse>,
}

impl Sums {
    /// What a key's calls of the last 28 days cost, today's included.
    pub(super) fn cost(&self, key: KeyId) -> Money {
        let cost = |used: &HashMap<KeyId, KeyUse>| used.get(&key).map_or(Money::ZERO, |it| it.cost);
        cost(&self.closed.used) + cost(&self.of_today)
    }

    /// What they cost before today.
    pub(super) fn cost_before_today(&self, key: KeyId) -> Money {
        self.closed.used.get(&key).map_or(Money::ZERO, |it| it.cost)
    }

    /// What its calls cost in all.
    pub(super) fn total(&self, key: KeyId) -> Money {
        self.totals.get(&key).map_or(Money::ZERO, |it| it.amount.cost)
    }

    /// When it was last used within these days, to the quarter of an hour.
    pub(super) fn last_use(&self, key: KeyId) -> Option<Timestamp> {
        let last = |used: &HashMap<KeyId, KeyUse>| used.get(&key).map(|it| it.last);
        last(&self.of_today).or_else(|| last(&self.closed.used))
    }

    async fn read(app: &App, before: Option<&Self>) -> Result<Self, StoreError> {
        let now = app.now();
        let today = app.calendar.day(now);
        let closed = match before {
            Some(it) if it.today == today && now.since(it.closed.at) <= CLOSED_FRESH => {
                Arc::clone(&it.closed)
            }
            _ => {
                let from = days_before(app, today);
                let used = app.store.key_use(Span { from, to: today.from }, Grain::Day).await?;
                Arc::new(Closed { at: now, used })
            }
        };
        let begun = Instant::now();
        let of_today = app.store.key_use(today, Grain::Quarter).await?;
        let totals = app.store.keys_used(None).await?;
        Ok(Self { at: now, took: begun.elapsed(), today, closed, of_today, totals })
    }
}

/// The first moment of the days that sums are of.
fn days_before(app: &App, today: Span) -> Timestamp {
    let before = u32::try_from(DAYS - 1).unwrap_or(u32::MAX);
    // Noon is on its day whatever the clocks do.
    let noon = today.from.plus(Duration::from_hours(12));
    let then = noon.minus(Duration::from_hours(24) * before);
    Period::Day.span(then, &app.settings.time_zone, WeekReset::MONDAY).from
}

impl KeySums {
    /// The sums, at most a little old. Whoever comes first waits for them.
    pub(super) async fn of(app: &Arc<App>) -> Result<Arc<Sums>, StoreError> {
        let sums = &app.desk.key_sums;
        let now = app.now();
        let kept = sums.kept.lock().clone();
        let usable = kept.filter(|it| it.today == app.calendar.day(now));
        let Some(kept) = usable else { return sums.renew(app, None).await };
        if kept.took <= QUICK {
            return sums.renew(app, Some(&kept)).await;
        }
        if now.since(kept.at) > FRESH && !sums.renewing.swap(true, Ordering::AcqRel) {
            let (app, before) = (Arc::clone(app), Arc::clone(&kept));
            tokio::spawn(async move {
                let sums = &app.desk.key_sums;
                if let Err(error) = sums.renew(&app, Some(&before)).await {
                    tracing::debug!(%error, "sums of keys were not read; they are with the next");
                }
                sums.renewing.store(false, Ordering::Release);
            });
        }
        Ok(kept)
    }

    async fn renew(&self, app: &App, before: Option<&Sums>) -> Result<Arc<Sums>, StoreError> {
        let read = Arc::new(Sums::read(app, before).await?);
        *self.kept.lock() = Some(Arc::clone(&read));
        Ok(read)
    }
}
