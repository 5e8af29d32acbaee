//! Cool-downs of hosts: what several accounts meet at one address is not the accounts' fault.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::{Evidence, Lane, Noted, Rest, RestCause, Standing, forget_oldest};
use crate::clock::Timestamp;
use crate::id::{AccountId, CallId};
use crate::model::ModelFamily;

/// How long a fault is evidence against the host.
const EVIDENCE_KEPT: Duration = Duration::from_secs(10);

/// Faults that are remembered for one family.
const EVIDENCE_MAX: usize = 16;

/// A fault that may be the host's.
#[derive(Debug, Clone, Copy)]
pub struct HostFault<'a> {
    /// The account that met it.
    pub account: AccountId,
    /// The call that met it.
    pub call: CallId,
    /// The family of models that was asked for.
    pub family: &'a ModelFamily,
    /// What it says of the account.
    pub evidence: &'a Evidence,
    /// When it was met.
    pub at: Timestamp,
}

/// What the machine knows of a host that several accounts are reached at, by family of models.
#[derive(Debug, Clone, Default)]
pub struct HostHealth {
    models: BTreeMap<ModelFamily, Host>,
}

#[derive(Debug, Clone, Default)]
struct Host {
    lane: Lane,
    recent: VecDeque<Met>,
    /// When the latest call that it answered was sent.
    answered: Timestamp,
}

#[derive(Debug, Clone, Copy)]
struct Met {
    account: AccountId,
    call: CallId,
    cause: RestCause,
    at: Timestamp,
}

impl HostHealth {
    /// Takes note of a fault. The host rests once two accounts met an overload, or faults of its
    /// own in different calls, without an answer in between: one call that fails everywhere is the
    /// cause itself. A fault that is known late counts for its own moment: not if a call that was
    /// sent since was answered, and not if its rest would be over by `now`. `jitter` is as for
    /// accounts.
    pub fn fault(&mut self, fault: HostFault<'_>, now: Timestamp, jitter: u8) -> Option<Noted> {
        let cause = fault.evidence.cause;
        let is_of_hosts =
            matches!(cause, RestCause::Overloaded | RestCause::Failing | RestCause::Unreachable);
        if !is_of_hosts {
            return None;
        }
        if fault.at.plus(EVIDENCE_KEPT) <= now {
            return None;
        }
        let host = self.models.entry(fault.family.clone()).or_default();
        if host.answered > fault.at {
            return None;
        }
        host.recent.retain(|met| met.at.plus(EVIDENCE_KEPT) > now);
        if host.recent.len() == EVIDENCE_MAX {
            host.recent.pop_front();
        }
        let met = Met { account: fault.account, call: fault.call, cause, at: fault.at };
        let confirms = |known: &Met| {
            let overloads = known.cause == RestCause::Overloaded && cause == RestCause::Overloaded;
            known.account != met.account && (overloads || known.call != met.call)
        };
        let confirmed = host.recent.iter().any(confirms);
        host.recent.push_back(met);
        let noted = confirmed.then(|| host.rests_for(&fault, now, jitter)).flatten();
        forget_oldest(&mut self.models, fault.family, now, Host::ends_at);
        noted
    }

    /// Takes note of an answer for `family` to a call that was sent at `sent`.
    pub fn answered(&mut self, family: &ModelFamily, sent: Timestamp) {
        if !self.models.contains_key(family) {
            self.models.insert(family.clone(), Host::default());
            forget_oldest(&mut self.models, family, sent, Host::ends_at);
        }
        let Some(host) = self.models.get_mut(family) else { return };
        host.answered = host.answered.max(sent);
        host.recent.retain(|met| met.at > sent);
        if host.lane.fault_at <= sent {
            host.lane = Lane::default();
        }
    }

    /// Clears everything.
    pub fn reset(&mut self) {
        self.models.clear();
    }

    /// Its rests at `now`.
    pub fn rests(&self, now: Timestamp) -> impl Iterator<Item = (&ModelFamily, Rest)> {
        self.models
            .iter()
            .filter_map(move |(family, host)| Some((family, host.lane.standing(now).rest()?)))
    }

    /// Whether calls for `family` go to the host at `now`.
    pub fn standing(&self, family: &ModelFamily, now: Timestamp) -> Standing {
        self.models.get(family).map_or(Standing::Open, |host| host.lane.standing(now))
    }
}

impl Host {
    /// The rest for a fault, unless it would be over.
    fn rests_for(&mut self, fault: &HostFault<'_>, now: Timestamp, jitter: u8) -> Option<Noted> {
        let mut lane = self.lane;
        let noted = lane.fault(fault.evidence, fault.at, jitter);
        (noted.rest.until > now).then(|| {
            self.lane = lane;
            noted
        })
    }

    /// When nothing of it matters any more.
    fn ends_at(&self) -> Timestamp {
        let met = self.recent.back().map_or(self.answered, |met| met.at.max(self.answered));
        self.lane.ends_at().max(met.plus(EVIDENCE_KEPT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::Scope;

    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    fn meet(host: &mut HostHealth, cause: RestCause, account: i64, call: u8) -> bool {
        let family = ModelFamily::of("claude-opus-4-8");
        let evidence = Evidence { cause, stated_reset: None, scope: Scope::Asked };
        let call = CallId::new(NOW, [call; 10]);
        let account = AccountId(account);
        let fault = HostFault { account, call, family: &family, evidence: &evidence, at: NOW };
        host.fault(fault, NOW, 0).is_some()
    }

    fn rests(host: &HostHealth, model: &str) -> bool {
        host.standing(&ModelFamily::of(model), NOW).rest().is_some()
    }

    #[test]
    fn one_account_says_nothing_of_its_host() {
        let mut host = HostHealth::default();
        for call in 0..5 {
            assert!(!meet(&mut host, RestCause::Overloaded, 1, call));
        }
        assert!(!rests(&host, "claude-opus-4-8"));
    }

    #[test]
    fn an_overload_that_two_accounts_meet_is_the_hosts_even_in_one_call() {
        let mut host = HostHealth::default();
        assert!(!meet(&mut host, RestCause::Overloaded, 1, 7));
        assert!(meet(&mut host, RestCause::Overloaded, 2, 7));
        assert!(rests(&host, "claude-opus-4-8"));
        assert!(!rests(&host, "claude-sonnet-4-6"), "for the family that was asked for alone");
    }

    #[test]
    fn errors_are_the_hosts_if_different_calls_meet_them() {
        let mut host = HostHealth::default();
        meet(&mut host, RestCause::Failing, 1, 7);
        assert!(!meet(&mut host, RestCause::Failing, 2, 7), "the call may be the cause");
        assert!(meet(&mut host, RestCause::Failing, 2, 8));
    }

    #[test]
    fn what_is_the_accounts_is_not_the_hosts() {
        let mut host = HostHealth::default();
        meet(&mut host, RestCause::RateLimited, 1, 7);
        assert!(!meet(&mut host, RestCause::RateLimited, 2, 8));
        meet(&mut host, RestCause::Unauthorised, 1, 9);
        assert!(!meet(&mut host, RestCause::Unauthorised, 2, 10));
    }

    #[test]
    fn an_answer_ends_it_and_takes_the_evidence_along() {
        let family = ModelFamily::of("claude-opus-4-8");
        let mut host = HostHealth::default();
        meet(&mut host, RestCause::Overloaded, 1, 7);
        host.answered(&family, NOW);
        assert!(!meet(&mut host, RestCause::Overloaded, 2, 8));
        assert!(meet(&mut host, RestCause::Overloaded, 1, 9));
        host.answered(&family, Timestamp::from_seconds(999));
        assert!(rests(&host, "claude-opus-4-8"), "the answer was to an earlier call");
        host.answered(&family, NOW);
        assert!(!rests(&host, "claude-opus-4-8"));
    }

    /// A fault of `account` for `model` that was met at `at` and is known at `now`.
    fn known_late(host: &mut HostHealth, account: i64, at: i64, now: i64) -> bool {
        let family = ModelFamily::of("claude-opus-4-8");
        let cause = RestCause::Overloaded;
        let evidence = Evidence { cause, stated_reset: None, scope: Scope::Asked };
        let call = CallId::new(NOW, [u8::try_from(account).expect("small"); 10]);
        let at = Timestamp::from_seconds(at);
        let account = AccountId(account);
        let fault = HostFault { account, call, family: &family, evidence: &evidence, at };
        host.fault(fault, Timestamp::from_seconds(now), 0).is_some()
    }

    #[test]
    fn a_fault_that_is_known_late_counts_for_its_own_moment() {
        let family = ModelFamily::of("claude-opus-4-8");
        let mut host = HostHealth::default();
        assert!(!known_late(&mut host, 1, 1_000, 1_000));
        host.answered(&family, Timestamp::from_seconds(1_001));
        assert!(!known_late(&mut host, 1, 1_000, 1_002), "others were answered since");
        assert!(!known_late(&mut host, 2, 1_002, 1_002));
        assert!(known_late(&mut host, 3, 1_003, 1_003));

        let mut host = HostHealth::default();
        assert!(!known_late(&mut host, 1, 1_000, 1_300));
        assert!(!known_late(&mut host, 2, 1_300, 1_300), "the first is long ago");
        let mut host = HostHealth::default();
        assert!(!known_late(&mut host, 1, 1_000, 1_000));
        assert!(!known_late(&mut host, 2, 1_000, 1_005), "its rest would be over");
        assert!(!known_late(&mut host, 2, 1_000, 1_005), "and is no strike");
        assert_eq!(host.standing(&family, Timestamp::from_seconds(1_005)), Standing::Open);
    }

    #[test]
    fn made_up_families_do_not_pile_up() {
        let mut host = HostHealth::default();
        for number in 0..200 {
            host.answered(&ModelFamily::of(&format!("made{number}")), NOW);
        }
        assert_eq!(host.models.len(), crate::health::FAMILIES_MAX);
    }

    proptest::proptest! {
        #[test]
        fn neither_one_account_nor_one_call_condemns_a_host_and_a_reset_clears_it(
            faults in proptest::collection::vec((0_usize..6, 0_i64..3, 0_u8..3), 1..40),
        ) {
            const CAUSES: [RestCause; 6] = [
                RestCause::RateLimited, RestCause::Overloaded, RestCause::Unauthorised,
                RestCause::Condemned, RestCause::Failing, RestCause::Unreachable,
            ];
            let (mut one_account, mut one_call) = (HostHealth::default(), HostHealth::default());
            let mut any = HostHealth::default();
            for (cause, account, call) in faults {
                let cause = CAUSES[cause];
                proptest::prop_assert!(!meet(&mut one_account, cause, 1, call));
                if cause != RestCause::Overloaded {
                    proptest::prop_assert!(!meet(&mut one_call, cause, account, 7));
                }
                meet(&mut any, cause, account, call);
            }
            any.reset();
            proptest::prop_assert!(!rests(&any, "claude-opus-4-8"));
            proptest::prop_assert_eq!(any.rests(NOW).count(), 0);
        }
    }
}
