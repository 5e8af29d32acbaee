//! Faults in doubt: while nobody knows whether a fault is the account's or the call's, other calls
//! ask other accounts first. It closes no account: a call that fails everywhere could close all.

use std::collections::BTreeMap;
use std::time::Duration;

use relay_core::clock::Timestamp;
use relay_core::health::{Evidence, FAMILIES_MAX, Scope};
use relay_core::id::CallId;
use relay_core::model::ModelFamily;

/// Faults that are remembered at one time.
const DOUBTS_MAX: usize = 64;

/// How long others are asked first after nobody could tell.
const FADES_AFTER: Duration = Duration::from_secs(5);

/// The faults of an account that are in doubt.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    doubted: Vec<Doubted>,
    /// When the latest call for a family that was answered was sent.
    answered: BTreeMap<ModelFamily, Timestamp>,
}

#[derive(Debug)]
struct Doubted {
    call: CallId,
    /// Which models it is about; `None` is all.
    family: Option<ModelFamily>,
    since: Timestamp,
    /// When it is forgotten, if nobody will know any more.
    until: Option<Timestamp>,
}

impl Doubts {
    /// Whether calls for `family` had better go elsewhere.
    pub(super) fn cover(&self, family: &ModelFamily, now: Timestamp) -> bool {
        self.doubted
            .iter()
            .any(|it| it.is_about(family) && it.until.is_none_or(|until| until > now))
    }

    pub(super) fn begin(
        &mut self,
        call: CallId,
        evidence: &Evidence,
        asked: &ModelFamily,
        now: Timestamp,
    ) {
        self.doubted.retain(|it| it.until.is_none_or(|until| until > now));
        if self.doubted.len() < DOUBTS_MAX {
            let family = match &evidence.scope {
                Scope::Account => None,
                Scope::Models(family) => Some(family.clone()),
                Scope::Asked => Some(asked.clone()),
            };
            self.doubted.push(Doubted { call, family, since: now, until: None });
        }
    }

    pub(super) fn end(&mut self, call: CallId) {
        self.doubted.retain(|it| it.call != call);
    }

    pub(super) fn fade(&mut self, call: CallId, now: Timestamp) {
        for it in self.doubted.iter_mut().filter(|it| it.call == call) {
            it.until = Some(now.plus(FADES_AFTER));
        }
    }

    /// An answer for `family` to a call that was sent at `sent`.
    pub(super) fn answered(&mut self, family: &ModelFamily, sent: Timestamp) {
        self.doubted.retain(|it| it.since > sent || !it.is_about(family));
        if let Some(known) = self.answered.get_mut(family) {
            *known = sent.max(*known);
            return;
        }
        if self.answered.len() >= FAMILIES_MAX {
            let first = self.answered.iter().min_by_key(|(_, sent)| **sent);
            first.map(|(family, _)| family.clone()).map(|family| self.answered.remove(&family));
        }
        self.answered.insert(family.clone(), sent);
    }

    /// Whether a call was answered that was sent after `at` and is covered by a fault of a call
    /// for `asked`.
    pub(super) fn answered_since(
        &self,
        evidence: &Evidence,
        asked: &ModelFamily,
        at: Timestamp,
    ) -> bool {
        match evidence.scope {
            Scope::Account => self.answered.values().any(|sent| *sent > at),
            Scope::Models(_) | Scope::Asked => {
                self.answered.get(asked).is_some_and(|sent| *sent > at)
            }
        }
    }
}

impl Doubted {
    fn is_about(&self, family: &ModelFamily) -> bool {
        self.family.as_ref().is_none_or(|mine| mine == family)
    }
}

#[cfg(test)]
mod tests {
    use relay_core::health::RestCause;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    fn evidence(scope: Scope) -> Evidence {
        Evidence { cause: RestCause::Failing, stated_reset: None, scope }
    }

    fn family(model: &str) -> ModelFamily {
        ModelFamily::of(model)
    }

    #[test]
    fn a_doubt_is_about_what_was_asked_until_it_is_over_or_fades() {
        let (opus, haiku) = (family("claude-opus-4-8"), family("claude-haiku-4-5"));
        let calls = [1, 2].map(|byte| CallId::new(NOW, [byte; 10]));
        let mut doubts = Doubts::default();
        doubts.begin(calls[0], &evidence(Scope::Asked), &opus, NOW);
        assert!(doubts.cover(&opus, NOW) && !doubts.cover(&haiku, NOW));
        doubts.begin(calls[1], &evidence(Scope::Account), &opus, NOW);
        assert!(doubts.cover(&haiku, NOW.plus(Duration::from_hours(1))));
        doubts.end(calls[1]);
        assert!(!doubts.cover(&haiku, NOW));
        doubts.fade(calls[0], NOW);
        assert!(doubts.cover(&opus, NOW));
        assert!(!doubts.cover(&opus, NOW.plus(FADES_AFTER)));
    }

    #[test]
    fn an_answer_ends_the_doubts_from_before_it() {
        let opus = family("claude-opus-4-8");
        let mut doubts = Doubts::default();
        doubts.begin(CallId::new(NOW, [1; 10]), &evidence(Scope::Asked), &opus, NOW);
        doubts.answered(&opus, Timestamp::from_seconds(999));
        doubts.answered(&family("claude-haiku-4-5"), NOW);
        assert!(doubts.cover(&opus, NOW));
        doubts.answered(&opus, NOW);
        assert!(!doubts.cover(&opus, NOW));
    }

    #[test]
    fn answers_to_calls_that_were_sent_later_are_remembered() {
        let (opus, haiku) = (family("claude-opus-4-8"), family("claude-haiku-4-5"));
        let mut doubts = Doubts::default();
        let since = |doubts: &Doubts, scope, seconds| {
            doubts.answered_since(&evidence(scope), &opus, Timestamp::from_seconds(seconds))
        };
        doubts.answered(&haiku, NOW);
        assert!(since(&doubts, Scope::Account, 999) && !since(&doubts, Scope::Account, 1_000));
        assert!(!since(&doubts, Scope::Asked, 999), "it was for other models");
        doubts.answered(&opus, NOW);
        assert!(since(&doubts, Scope::Asked, 999) && !since(&doubts, Scope::Asked, 1_000));
    }

    #[test]
    fn doubts_do_not_pile_up() {
        let mut doubts = Doubts::default();
        for number in 0..200 {
            doubts.answered(&family(&format!("made{number}")), NOW);
        }
        assert_eq!(doubts.answered.len(), FAMILIES_MAX);
        for byte in 0..200 {
            let call = CallId::new(NOW, [byte; 10]);
            doubts.begin(call, &evidence(Scope::Account), &family("m"), NOW);
        }
        assert_eq!(doubts.doubted.len(), DOUBTS_MAX);
    }
}
