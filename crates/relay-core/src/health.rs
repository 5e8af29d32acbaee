//! Cool-downs: how long an account rests after a fault, for which models, and why.
//!
//! What the provider states is taken, within bounds; where it states nothing the rest is short and
//! grows with each fault in a row. An operator's switch is not in here: the machine never turns it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::model::ModelFamily;

/// Why an account rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestCause {
    /// The provider's rate or quota limit.
    RateLimited,
    /// The provider has too much to do.
    Overloaded,
    /// The credential is not accepted.
    Unauthorised,
    /// The provider condemned the account: disabled, out of credit, not permitted.
    Condemned,
    /// Errors of the provider.
    Failing,
    /// No connection, or none in time.
    Unreachable,
}

impl RestCause {
    /// The word used in logs and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::Unauthorised => "unauthorised",
            Self::Condemned => "condemned",
            Self::Failing => "failing",
            Self::Unreachable => "unreachable",
        }
    }

    /// The first rest without a stated duration, and the longest it may grow to.
    const fn unstated(self) -> (Duration, Duration) {
        const SECOND: Duration = Duration::from_secs(1);
        match self {
            Self::RateLimited => (SECOND.saturating_mul(5), SECOND.saturating_mul(300)),
            Self::Overloaded | Self::Failing | Self::Unreachable => {
                (SECOND, SECOND.saturating_mul(60))
            }
            Self::Unauthorised | Self::Condemned => {
                (SECOND.saturating_mul(60), SECOND.saturating_mul(1_800))
            }
        }
    }
}

/// The longest rest that a provider's word is taken for: the longest quota window there is, seven
/// days, and a day for its clock and rounding.
pub const STATED_REST_MAX: Duration = Duration::from_hours(8 * 24);

/// What a fault covers: as narrow as the evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Every call to the account.
    Account,
    /// Calls for one family of models.
    Models(ModelFamily),
}

/// A fault of an account, as evidence for its rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// What kind of fault.
    pub cause: RestCause,
    /// When the provider says it will serve again.
    pub stated_reset: Option<Timestamp>,
    /// What it covers.
    pub scope: Scope,
}

/// A rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rest {
    /// When calls are tried again.
    pub until: Timestamp,
    /// Why.
    pub cause: RestCause,
    /// Whether the provider stated the end.
    pub stated: bool,
}

/// What came of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Noted {
    /// The rest that the fault led to, or left as it was.
    pub rest: Rest,
    /// Whether a rest began with it; faults of calls that were under way together begin one.
    pub is_new: bool,
}

/// What the machine knows of an account's ability.
#[derive(Debug, Clone, Default)]
pub struct Health {
    account: Lane,
    models: BTreeMap<ModelFamily, Lane>,
}

/// The rest of one scope and the faults in a row that led to it.
#[derive(Debug, Clone, Copy, Default)]
struct Lane {
    rest: Option<Rest>,
    /// When the last fault came.
    fault_at: Timestamp,
    strikes: u32,
}

impl Health {
    /// Takes note of a fault. `jitter` in 0..=255 spreads the end of a rest that nobody stated.
    pub fn fault(&mut self, evidence: &Evidence, now: Timestamp, jitter: u8) -> Noted {
        let lane = match &evidence.scope {
            Scope::Account => &mut self.account,
            Scope::Models(family) => self.models.entry(family.clone()).or_default(),
        };
        lane.fault(evidence, now, jitter)
    }

    /// Takes note of an answer for `family` to a call that was sent at `sent`: faults since then
    /// are news that it does not contradict. Returns whether a rest was left by it.
    pub fn answered(&mut self, family: &ModelFamily, sent: Timestamp) -> bool {
        let mut was_resting = false;
        if self.account.fault_at <= sent {
            was_resting |= std::mem::take(&mut self.account).rest.is_some();
        }
        if self.models.get(family).is_some_and(|lane| lane.fault_at <= sent) {
            was_resting |= self.models.remove(family).is_some();
        }
        was_resting
    }

    /// Clears everything: the operator's reset.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// The rest that keeps calls for `family` away at `now`: of two, the one that ends later.
    pub fn rest(&self, family: &ModelFamily, now: Timestamp) -> Option<Rest> {
        let account = self.account.rest;
        let models = self.models.get(family).and_then(|lane| lane.rest);
        [account, models]
            .into_iter()
            .flatten()
            .filter(|rest| rest.until > now)
            .max_by_key(|rest| rest.until)
    }

    /// The rest of the whole account at `now`.
    pub fn account_rest(&self, now: Timestamp) -> Option<Rest> {
        self.account.rest.filter(|rest| rest.until > now)
    }
}

impl Lane {
    fn fault(&mut self, evidence: &Evidence, now: Timestamp, jitter: u8) -> Noted {
        let stated = evidence.stated_reset.filter(|reset| *reset > now);
        let rest = match stated {
            Some(reset) => Rest {
                until: reset.min(now.plus(STATED_REST_MAX)),
                cause: evidence.cause,
                stated: true,
            },
            None => Rest {
                until: now.plus(self.unstated_rest(evidence.cause, jitter)),
                cause: evidence.cause,
                stated: false,
            },
        };
        self.fault_at = now;
        // Faults of calls that were under way together are one strike, not many.
        let is_new = self.rest.is_none_or(|current| current.until <= now);
        if is_new {
            self.strikes = self.strikes.saturating_add(1);
        }
        let rest = match self.rest {
            Some(current) if current.until > rest.until && current.stated >= rest.stated => current,
            _ => rest,
        };
        self.rest = Some(rest);
        Noted { rest, is_new }
    }

    /// Doubles with each strike up to the cause's longest, then takes up to a quarter off.
    fn unstated_rest(&self, cause: RestCause, jitter: u8) -> Duration {
        let (first, longest) = cause.unstated();
        let grown = first.saturating_mul(1 << self.strikes.min(16)).min(longest);
        grown.mul_f64(1.0 - 0.25 * f64::from(jitter) / 255.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn opus() -> ModelFamily {
        ModelFamily::of("claude-opus-4-8")
    }

    fn evidence(cause: RestCause, stated_reset: Option<Timestamp>) -> Evidence {
        Evidence { cause, stated_reset, scope: Scope::Account }
    }

    #[test]
    fn what_the_provider_states_is_taken() {
        let mut health = Health::default();
        let now = Timestamp::from_seconds(1_000);
        let reset = Timestamp::from_seconds(1_017);
        health.fault(&evidence(RestCause::RateLimited, Some(reset)), now, 0);
        assert_eq!(health.account_rest(now).map(|rest| rest.until), Some(reset));
        assert_eq!(health.account_rest(reset), None);
    }

    #[test]
    fn an_unstated_rest_grows_with_faults_in_a_row_and_ends_with_an_answer() {
        let mut health = Health::default();
        let mut now = Timestamp::from_seconds(1_000);
        let mut lengths = Vec::new();
        for _ in 0..3 {
            let rest = health.fault(&evidence(RestCause::Failing, None), now, 0).rest;
            lengths.push(rest.until.since(now).as_secs());
            now = rest.until;
        }
        assert_eq!(lengths, [1, 2, 4]);
        assert!(health.answered(&opus(), now));
        let rest = health.fault(&evidence(RestCause::Failing, None), now, 0).rest;
        assert_eq!(rest.until.since(now).as_secs(), 1);
    }

    #[test]
    fn faults_of_calls_under_way_together_count_once() {
        let mut health = Health::default();
        let now = Timestamp::from_seconds(1_000);
        for _ in 0..20 {
            health.fault(&evidence(RestCause::Failing, None), now, 0);
        }
        let rest = health.account_rest(now).expect("a rest");
        assert!(rest.until.since(now) <= Duration::from_secs(2));
    }

    #[test]
    fn an_answer_to_a_call_that_was_sent_before_the_fault_ends_no_rest() {
        let mut health = Health::default();
        let sent = Timestamp::from_seconds(1_000);
        let now = Timestamp::from_seconds(1_010);
        health.fault(&evidence(RestCause::RateLimited, None), now, 0);
        assert!(!health.answered(&opus(), sent));
        assert!(health.account_rest(now).is_some());
        assert!(health.answered(&opus(), now));
        assert_eq!(health.account_rest(now), None);
    }

    #[test]
    fn a_passing_fault_does_not_shorten_a_longer_rest() {
        let mut health = Health::default();
        let now = Timestamp::from_seconds(1_000);
        let longer = health.fault(&evidence(RestCause::Condemned, None), now, 0).rest;
        health.fault(&evidence(RestCause::Failing, None), now, 0);
        assert_eq!(health.account_rest(now), Some(longer));
        let stated = Timestamp::from_seconds(1_005);
        health.fault(&evidence(RestCause::RateLimited, Some(stated)), now, 0);
        assert_eq!(health.account_rest(now).map(|rest| rest.until), Some(stated));
    }

    #[test]
    fn a_family_rests_alone() {
        let mut health = Health::default();
        let now = Timestamp::from_seconds(1_000);
        let fault = Evidence {
            scope: Scope::Models(opus()),
            ..evidence(RestCause::RateLimited, Some(Timestamp::from_seconds(1_060)))
        };
        health.fault(&fault, now, 0);
        assert!(health.rest(&opus(), now).is_some());
        assert_eq!(health.rest(&ModelFamily::of("claude-sonnet-4-6"), now), None);
        health.reset();
        assert_eq!(health.rest(&opus(), now), None);
    }

    proptest! {
        #[test]
        fn a_stated_rest_never_outlives_its_evidence(reset in 0_i64..2_000_000, jitter: u8) {
            let mut health = Health::default();
            let now = Timestamp::from_seconds(1_000_000);
            let reset = Timestamp::from_seconds(reset);
            let rest = health.fault(&evidence(RestCause::RateLimited, Some(reset)), now, jitter).rest;
            prop_assert!(rest.until > now);
            if rest.stated {
                prop_assert!(rest.until <= reset && rest.until <= now.plus(STATED_REST_MAX));
            }
        }
    }
}
