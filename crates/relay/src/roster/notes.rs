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
    /// When the provider was last asked for its windows.
    asked_at: AtomicI64,
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
    /// Whether it failed a call, and nobody knows yet whose fault that is.
    pub doubted: bool,
    /// What is left of its quota windows, in thousandths.
    pub headroom: u16,
}

impl Notes {
    /// What a call for `family` sees.
    pub fn seen(&self, stop_at: StopAt, family: &ModelFamily, now: Timestamp) -> Seen {
        let noted = self.noted.lock();
        let stopped =
            noted.quota.stopped(stop_at, family, now).as_ref().map_or(Standing::Open, mark);
        Seen {
            standing: noted.health.standing(family, now).and(stopped),
            doubted: self.doubts.lock().cover(family, now),
            headroom: noted.quota.headroom(family, now),
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

    /// Takes note of a fault of a call for `family`; tells the rest that follows.
    pub fn fault(
        &self,
        evidence: &Evidence,
        family: &ModelFamily,
        now: Timestamp,
        jitter: u8,
    ) -> Noted {
        let noted = self.noted.lock().health.fault(evidence, family, now, jitter);
        self.changed.store(true, Ordering::Release);
        noted
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

    /// Whether the provider may be asked for its windows: what it said last, on any answer, is
    /// older than `age`, and so is the last question.
    pub fn may_ask(&self, now: Timestamp, age: Duration) -> bool {
        let oldest = now.minus(age);
        let seen_at = self.noted.lock().quota.seen_at();
        let asked_at = Timestamp::from_millis(self.asked_at.load(Ordering::Relaxed));
        let may = seen_at.is_none_or(|at| at <= oldest) && asked_at <= oldest;
        if may {
            self.asked_at.store(now.as_millis(), Ordering::Relaxed);
        }
        may
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

    /// The provider says that there is room in all of its windows: ends the rests for them. Tells
    /// whether there were any.
    pub fn windows_have_room(&self, now: Timestamp) -> bool {
        let over = self.noted.lock().health.windows_have_room(now);
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
        notes.fault(&evidence, &family, now, 0);
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
}
