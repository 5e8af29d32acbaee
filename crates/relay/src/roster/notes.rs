//! What the machine noted of an account: its rests and its quota windows. Kept over a restart.

mod doubts;

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use relay_core::clock::Timestamp;
use relay_core::health::{Evidence, Health, Noted, Rest, RestCause, Standing};
use relay_core::id::CallId;
use relay_core::model::ModelFamily;
use relay_core::quota::{Quota, StopAt, Stopped, Window, WindowKind};
use serde::{Deserialize, Serialize};

use self::doubts::Doubts;

/// What the machine noted of an account.
#[derive(Debug, Default)]
pub struct Notes {
    noted: Mutex<Content>,
    /// Faults of which it is not known yet whether they are the account's.
    doubts: Mutex<Doubts>,
    /// Whether something changed since the notes were last stored.
    changed: AtomicBool,
    /// When it was last asked whose account it is.
    identified_at: AtomicI64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Content {
    health: Health,
    quota: Quota,
}

/// What the scheduler sees of the notes.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// Whether calls go to the account.
    pub standing: Standing,
    /// Whether calls for any family do, as far as its faults tell.
    pub whole: Standing,
    /// Whether it failed a call, and nobody knows yet whose fault that is.
    pub doubted: bool,
    /// What is left of its quota windows, in thousandths.
    pub headroom: u16,
}

/// A fault of an account.
#[derive(Debug, Clone, Copy)]
pub struct Met<'a> {
    /// What it says of the account.
    pub evidence: &'a Evidence,
    /// The family of models that was asked for.
    pub family: &'a ModelFamily,
    /// When it was met.
    pub at: Timestamp,
}

impl Notes {
    /// What a call for `family` sees.
    pub fn seen(&self, stop_at: StopAt, family: &ModelFamily, now: Timestamp) -> Seen {
        self.seen_as(stop_at, (family, family), now)
    }

    /// What a call for the family `asked` sees that is sent upstream for the family `sent`: the
    /// provider counts and limits what was sent.
    pub fn seen_as(
        &self,
        stop_at: StopAt,
        (asked, sent): (&ModelFamily, &ModelFamily),
        now: Timestamp,
    ) -> Seen {
        let noted = self.noted.lock();
        let stopped = noted.quota.stopped(stop_at, sent, now).as_ref().map_or(Standing::Open, mark);
        // Calls under its own name try that family out: answers are noted for what was asked.
        let of_sent =
            noted.health.standing(sent, now).rest().map_or(Standing::Open, Standing::Rests);
        let doubts = self.doubts.lock();
        Seen {
            standing: noted.health.standing(asked, now).and(of_sent).and(stopped),
            whole: noted.health.account_standing(now),
            doubted: doubts.cover(asked, now) || doubts.cover(sent, now),
            headroom: noted.quota.headroom(sent, now),
        }
    }

    /// A fault of `call` is in doubt.
    pub fn doubt(&self, call: CallId, evidence: &Evidence, family: &ModelFamily, now: Timestamp) {
        self.doubts.lock().begin(call, evidence, family, now);
    }

    /// It is known whose fault the one of `call` was.
    pub fn doubt_is_over(&self, call: CallId) {
        self.doubts.lock().end(call);
    }

    /// Nobody will know whose fault the one of `call` was.
    pub fn doubt_stays(&self, call: CallId, now: Timestamp) {
        self.doubts.lock().fade(call, now);
    }

    /// Takes note of a fault; tells the rest that follows. A fault that is known late counts for its
    /// own moment: not if a call that was sent since was answered, and not if its rest would be
    /// over by `now`.
    pub fn fault(&self, met: Met<'_>, now: Timestamp, jitter: u8) -> Option<Noted> {
        let Met { evidence, family, at } = met;
        let mut content = self.noted.lock();
        if self.doubts.lock().answered_since(evidence, family, at) {
            return None;
        }
        let mut health = content.health.clone();
        let noted = health.fault(evidence, family, at, jitter);
        if noted.rest.until <= now {
            return None;
        }
        content.health = health;
        self.changed.store(true, Ordering::Release);
        Some(noted)
    }

    /// Takes note of an answer to a call that was sent at `sent`; tells whether a rest was left
    /// by it.
    pub fn answered(&self, family: &ModelFamily, sent: Timestamp) -> bool {
        self.doubts.lock().answered(family, sent);
        let left = self.noted.lock().health.answered(family, sent);
        if left {
            self.changed.store(true, Ordering::Release);
        }
        left
    }

    /// Takes note of quota windows. Tells the marks of the operator's that are reached by them.
    pub fn windows(
        &self,
        windows: Vec<(WindowKind, Window)>,
        stop_at: StopAt,
        now: Timestamp,
    ) -> Vec<Stopped> {
        if windows.is_empty() {
            return Vec::new();
        }
        let mut noted = self.noted.lock();
        let known: Vec<WindowKind> =
            noted.quota.marks(stop_at, now).map(|stopped| stopped.window).collect();
        for (kind, window) in windows {
            noted.quota.note(kind, window);
        }
        self.changed.store(true, Ordering::Release);
        noted.quota.marks(stop_at, now).filter(|it| !known.contains(&it.window)).collect()
    }

    /// Whether the provider may be asked whose account it is: it was not for as long as `age`.
    pub fn may_identify(&self, now: Timestamp, age: Duration) -> bool {
        let asked_at = Timestamp::from_millis(self.identified_at.load(Ordering::Relaxed));
        let may = asked_at <= now.minus(age);
        if may {
            self.identified_at.store(now.as_millis(), Ordering::Relaxed);
        }
        may
    }

    /// The provider, asked at `asked_at`, says that there is room in all of its windows: ends the
    /// rests for them. Tells whether there were any.
    pub fn windows_have_room(&self, now: Timestamp, asked_at: Timestamp) -> bool {
        let over = self.noted.lock().health.windows_have_room(now, asked_at);
        if over {
            self.changed.store(true, Ordering::Release);
        }
        over
    }

    /// The rest of the whole account, and those of single families.
    pub fn rests(&self, now: Timestamp) -> (Option<Rest>, Vec<(ModelFamily, Rest)>) {
        let noted = self.noted.lock();
        let families = noted.health.family_rests(now);
        let families = families.map(|(family, rest)| (family.clone(), rest)).collect();
        (noted.health.account_rest(now), families)
    }

    /// The quota windows that are known.
    pub fn quota(&self) -> Quota {
        self.noted.lock().quota.clone()
    }

    /// Whether calls for any family go to the account, as far as its faults tell.
    pub fn account_standing(&self, now: Timestamp) -> Standing {
        self.noted.lock().health.account_standing(now)
    }

    /// Forgets the rests for certain causes.
    pub fn forget(&self, is_void: impl Fn(RestCause) -> bool) {
        self.noted.lock().health.forget(is_void);
        self.changed.store(true, Ordering::Release);
    }

    /// Forgets everything.
    pub fn reset(&self) {
        *self.noted.lock() = Content::default();
        *self.doubts.lock() = Doubts::default();
        self.changed.store(true, Ordering::Release);
    }

    /// The notes as they are to be stored, if something changed since the last time.
    pub fn take_changed(&self) -> Option<String> {
        if !self.changed.swap(false, Ordering::AcqRel) {
            return None;
        }
        serde_json::to_string(&*self.noted.lock()).ok()
    }

    /// The notes could not be stored: they are with the next.
    pub fn mark_changed(&self) {
        self.changed.store(true, Ordering::Release);
    }

    /// Takes over what was stored. What cannot be read is noted anew in time.
    pub fn load(&self, stored: &str) {
        match serde_json::from_str(stored) {
            Ok(content) => *self.noted.lock() = content,
            Err(error) => tracing::warn!(%error, "an account's notes cannot be read"),
        }
    }
}

/// The rest that an operator's mark makes.
fn mark(stopped: &Stopped) -> Standing {
    Standing::Rests(Rest { until: stopped.until, cause: RestCause::WindowMark, stated: true })
}

#[cfg(test)]
mod tests {
    use relay_core::health::Scope;

    use super::*;

    #[test]
    fn notes_survive_being_stored() {
        let (now, family) = (Timestamp::from_seconds(1_000), ModelFamily::of("claude-opus-4-8"));
        let until = Timestamp::from_seconds(2_000);
        let notes = Notes::default();
        assert_eq!(notes.take_changed(), None);
        let evidence = Evidence {
            cause: RestCause::RateLimited,
            stated_reset: Some(until),
            scope: Scope::Asked,
        };
        notes.fault(Met { evidence: &evidence, family: &family, at: now }, now, 0);
        let window = Window { used_permille: 420, resets_at: Some(until), seen_at: now };
        let weekly = WindowKind::SevenDayModels(family.clone());
        assert_eq!(notes.windows(vec![(weekly, window)], StopAt::default(), now), []);
        let stored = notes.take_changed().expect("changed");
        assert_eq!(notes.take_changed(), None);

        let loaded = Notes::default();
        loaded.load(&stored);
        let seen = loaded.seen(StopAt::default(), &family, now);
        assert_eq!(seen.headroom, 580);
        assert_eq!(seen.standing.rest().map(|rest| rest.until), Some(until));
    }

    #[test]
    fn a_fault_that_is_known_late_counts_for_its_own_moment() {
        let family = ModelFamily::of("claude-opus-4-8");
        let [at, between, now] = [1_000, 1_100, 1_300].map(Timestamp::from_seconds);
        let failing =
            |stated_reset, scope| Evidence { cause: RestCause::Failing, stated_reset, scope };
        let met = |evidence| Met { evidence, family: &family, at };
        let notes = Notes::default();
        let short = failing(None, Scope::Asked);
        assert_eq!(notes.fault(met(&short), now, 0), None, "its rest would be over");
        assert_eq!(notes.seen(StopAt::default(), &family, now).standing, Standing::Open);

        let long = failing(Some(Timestamp::from_seconds(1_400)), Scope::Asked);
        notes.answered(&family, between);
        assert_eq!(notes.fault(met(&long), now, 0), None, "it served since");
        let notes = Notes::default();
        notes.answered(&family, at);
        notes.answered(&ModelFamily::of("claude-haiku-4-5"), between);
        assert!(notes.fault(met(&long), now, 0).is_some());
        let whole = failing(long.stated_reset, Scope::Account);
        assert_eq!(notes.fault(met(&whole), now, 0), None, "it served, whatever was asked for");
    }

    #[test]
    fn what_is_sent_under_another_name_is_counted_and_limited_under_that() {
        let [asked, sent] = ["gpt-4o", "claude-opus-4-8"].map(ModelFamily::of);
        let now = Timestamp::from_seconds(1_000);
        let until = Some(Timestamp::from_seconds(2_000));
        let notes = Notes::default();
        let window = Window { used_permille: 950, resets_at: until, seen_at: now };
        let stop_at = StopAt { five_hour: None, seven_day: Some(90) };
        notes.windows(vec![(WindowKind::SevenDayModels(sent.clone()), window)], stop_at, now);
        let seen = |stop_at| notes.seen_as(stop_at, (&asked, &sent), now);
        assert_eq!(seen(StopAt::default()).headroom, 50);
        assert_eq!(seen(StopAt::default()).standing, Standing::Open);
        assert!(seen(stop_at).standing.rest().is_some());
        let evidence =
            Evidence { cause: RestCause::RateLimited, stated_reset: until, scope: Scope::Asked };
        notes.fault(Met { evidence: &evidence, family: &sent, at: now }, now, 0);
        assert!(seen(StopAt::default()).standing.rest().is_some());
    }
}
