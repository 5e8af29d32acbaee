//! Cool-downs: how long an account rests after a fault, for which models, and why.
//!
//! What the provider states is taken, within bounds; where it states nothing the rest is short and
//! grows with each fault in a row. When a rest ends, one call at a time tries the account out until
//! one is answered. An operator's switch is not in here: the machine never turns it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::model::ModelFamily;

mod host;
#[cfg(test)]
mod tests;

pub use host::{HostFault, HostHealth};

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
    /// A quota window is used as far as the operator lets it.
    WindowMark,
    /// The calls of the day cost as much as the operator lets them.
    DailyCost,
    /// Its access token ended, and the last refresh did not come through.
    TokenNotRefreshed,
}

/// What a client is told of a rest: causes that have a status of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestKind {
    /// A limit: of the provider, or one that the operator set for the account.
    Limit,
    /// The provider has too much to do.
    Overload,
    /// Anything else.
    Fault,
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
            Self::WindowMark => "window_mark",
            Self::DailyCost => "daily_cost",
            Self::TokenNotRefreshed => "token_not_refreshed",
        }
    }

    /// What clients are told of it.
    pub const fn kind(self) -> RestKind {
        match self {
            Self::RateLimited | Self::WindowMark | Self::DailyCost => RestKind::Limit,
            Self::Overloaded => RestKind::Overload,
            Self::Unauthorised
            | Self::Condemned
            | Self::Failing
            | Self::Unreachable
            | Self::TokenNotRefreshed => RestKind::Fault,
        }
    }

    /// The first rest without a stated duration, and the longest it may grow to.
    const fn unstated(self) -> (Duration, Duration) {
        const SECOND: Duration = Duration::from_secs(1);
        match self {
            Self::RateLimited | Self::WindowMark | Self::DailyCost => {
                (SECOND.saturating_mul(5), SECOND.saturating_mul(300))
            }
            Self::Overloaded | Self::Failing | Self::Unreachable | Self::TokenNotRefreshed => {
                (SECOND, SECOND.saturating_mul(60))
            }
            Self::Unauthorised | Self::Condemned => {
                (SECOND.saturating_mul(60), SECOND.saturating_mul(1_800))
            }
        }
    }
}

/// The cause in words, as people read it.
impl fmt::Display for RestCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RateLimited => "the provider's limit (429)",
            Self::Overloaded => "the provider is overloaded (529)",
            Self::Unauthorised => "the provider does not accept the credential (401)",
            Self::Condemned => "the provider disabled it, or it is out of credit",
            Self::Failing => "the provider has errors of its own",
            Self::Unreachable => "it cannot be reached",
            Self::WindowMark => "the mark of a quota window",
            Self::DailyCost => "the daily cost",
            Self::TokenNotRefreshed => "its token ended and was not refreshed",
        })
    }
}

/// The longest rest that a provider's word is taken for: the longest quota window there is, seven
/// days, and a day for its clock and rounding.
pub const STATED_REST_MAX: Duration = Duration::from_hours(8 * 24);

/// A limit that ends within this time is one of requests or tokens by the minute, of which quota
/// windows say nothing.
const SHORT_LIMIT_MAX: Duration = Duration::from_mins(10);

/// Families of models that are remembered of an account or of a host: their names are the clients'
/// and the providers', who may make up any number.
pub const FAMILIES_MAX: usize = 64;

/// How long after its rest a family is remembered where there are too many.
const REMEMBERED_FOR: Duration = Duration::from_hours(1);

/// What a fault covers: as narrow as the evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Every call to the account.
    Account,
    /// Calls for one family of models.
    Models(ModelFamily),
    /// Calls for the family of the model that the failed call asked for.
    Asked,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rest {
    /// When calls are tried again.
    pub until: Timestamp,
    /// Why.
    pub cause: RestCause,
    /// Whether the end is known: the provider stated it, or it is the operator's own.
    pub stated: bool,
}

/// Whether calls go to an account, as far as its faults tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// They do.
    Open,
    /// Its rest is over and nothing was answered since: one call at a time tries it out.
    Trial,
    /// They do not.
    Rests(Rest),
}

impl Standing {
    /// The narrower of two.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Rests(one), Self::Rests(two)) => {
                Self::Rests(if one.until >= two.until { one } else { two })
            }
            (Self::Rests(rest), _) | (_, Self::Rests(rest)) => Self::Rests(rest),
            (Self::Trial, _) | (_, Self::Trial) => Self::Trial,
            (Self::Open, Self::Open) => Self::Open,
        }
    }

    /// The rest, if it is one.
    pub const fn rest(self) -> Option<Rest> {
        match self {
            Self::Rests(rest) => Some(rest),
            Self::Open | Self::Trial => None,
        }
    }
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Health {
    account: Lane,
    models: BTreeMap<ModelFamily, Lane>,
}

/// The rest of one scope and the faults in a row that led to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Lane {
    rest: Option<Rest>,
    /// When the last fault came.
    fault_at: Timestamp,
    strikes: u32,
}

impl Health {
    /// Takes note of a fault that a call for `asked` met at `now`. Such calls rest in any case,
    /// whatever family the provider names: it may have words of its own, or be asked under another
    /// name. `jitter` in 0..=255 spreads the end of a rest that nobody stated.
    pub fn fault(
        &mut self,
        evidence: &Evidence,
        asked: &ModelFamily,
        now: Timestamp,
        jitter: u8,
    ) -> Noted {
        let noted = match &evidence.scope {
            Scope::Account => self.account.fault(evidence, now, jitter),
            Scope::Models(named) if named != asked => {
                let of_named = self.lane(named).fault(evidence, now, jitter);
                let of_asked = self.lane(asked).fault(evidence, now, jitter);
                Noted { is_new: of_named.is_new || of_asked.is_new, ..of_asked }
            }
            Scope::Models(_) | Scope::Asked => self.lane(asked).fault(evidence, now, jitter),
        };
        forget_oldest(&mut self.models, asked, now, Lane::ends_at);
        noted
    }

    fn lane(&mut self, family: &ModelFamily) -> &mut Lane {
        self.models.entry(family.clone()).or_default()
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

    /// Ends the rests that a window of the provider's led to: asked at `asked_at`, it said that
    /// there is room in all of them. Limits that it stated since are news; rests that end soon are
    /// for limits of other kinds. A call tries out whether it is so. Returns whether there were any.
    pub fn windows_have_room(&mut self, now: Timestamp, asked_at: Timestamp) -> bool {
        let soon = now.plus(SHORT_LIMIT_MAX);
        let mut any = false;
        for lane in self.models.values_mut().chain([&mut self.account]) {
            let is_news = lane.fault_at >= asked_at;
            let of_window = |rest: &&mut Rest| {
                rest.cause == RestCause::RateLimited && rest.until > soon && !is_news
            };
            if let Some(rest) = lane.rest.as_mut().filter(of_window) {
                rest.until = now;
                any = true;
            }
        }
        any
    }

    /// Forgets the rests for certain causes, and the faults that led to them.
    pub fn forget(&mut self, is_void: impl Fn(RestCause) -> bool) {
        let is_void = |lane: &Lane| lane.rest.is_some_and(|rest| is_void(rest.cause));
        self.models.retain(|_, lane| !is_void(lane));
        if is_void(&self.account) {
            self.account = Lane::default();
        }
    }

    /// Clears everything: the operator's reset.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Whether calls for `family` go to the account at `now`.
    pub fn standing(&self, family: &ModelFamily, now: Timestamp) -> Standing {
        let models = self.models.get(family).map_or(Standing::Open, |lane| lane.standing(now));
        self.account.standing(now).and(models)
    }

    /// Whether calls for any family go to the account at `now`.
    pub fn account_standing(&self, now: Timestamp) -> Standing {
        self.account.standing(now)
    }

    /// The rest of the whole account at `now`.
    pub fn account_rest(&self, now: Timestamp) -> Option<Rest> {
        self.account.standing(now).rest()
    }

    /// The rests of single families at `now`.
    pub fn family_rests(&self, now: Timestamp) -> impl Iterator<Item = (&ModelFamily, Rest)> {
        self.models
            .iter()
            .filter_map(move |(family, lane)| Some((family, lane.standing(now).rest()?)))
    }
}

/// Keeps at most [`FAMILIES_MAX`]: forgets those whose time ended long ago, then those whose time
/// ends first, and never `kept`.
fn forget_oldest<T>(
    models: &mut BTreeMap<ModelFamily, T>,
    kept: &ModelFamily,
    now: Timestamp,
    ends_at: impl Fn(&T) -> Timestamp,
) {
    if models.len() <= FAMILIES_MAX {
        return;
    }
    let long_ago = now.minus(REMEMBERED_FOR);
    models.retain(|family, it| family == kept || ends_at(it) > long_ago);
    while models.len() > FAMILIES_MAX {
        let others = models.iter().filter(|(family, _)| *family != kept);
        let Some((first, _)) = others.min_by_key(|(_, it)| ends_at(it)) else { return };
        let first = first.clone();
        models.remove(&first);
    }
}

impl Lane {
    /// When its rest ends or ended.
    fn ends_at(&self) -> Timestamp {
        self.rest.map_or(self.fault_at, |rest| rest.until)
    }

    fn standing(&self, now: Timestamp) -> Standing {
        match self.rest {
            None => Standing::Open,
            Some(rest) if rest.until > now => Standing::Rests(rest),
            Some(_) => Standing::Trial,
        }
    }

    fn fault(&mut self, evidence: &Evidence, now: Timestamp, jitter: u8) -> Noted {
        self.fault_at = self.fault_at.max(now);
        // Faults of calls that were under way together are one strike, not many.
        let is_new = self.rest.is_none_or(|current| current.until <= now);
        if is_new {
            self.strikes = self.strikes.saturating_add(1);
        }
        let stated = evidence.stated_reset.filter(|reset| *reset > now);
        let until = match stated {
            Some(reset) => reset.min(now.plus(STATED_REST_MAX)),
            None => now.plus(self.unstated_rest(evidence.cause, jitter)),
        };
        let rest = Rest { until, cause: evidence.cause, stated: stated.is_some() };
        let rest = match self.rest {
            Some(current) if current.until > rest.until && current.stated >= rest.stated => current,
            _ => rest,
        };
        self.rest = Some(rest);
        Noted { rest, is_new }
    }

    /// Doubles with each strike after the first up to the cause's longest, then takes up to a
    /// quarter off.
    fn unstated_rest(&self, cause: RestCause, jitter: u8) -> Duration {
        let (first, longest) = cause.unstated();
        let doublings = self.strikes.saturating_sub(1).min(16);
        let grown = first.saturating_mul(1 << doublings).min(longest);
        grown.mul_f64(1.0 - 0.25 * f64::from(jitter) / 255.0)
    }
}
