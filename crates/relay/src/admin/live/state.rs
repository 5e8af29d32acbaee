//! The state that pages are told: how many calls, accounts and tokens.

use relay_core::clock::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::live::AccountLive;
use crate::metrics::SoFar;

/// How many minutes are told.
const MINUTES: usize = 60;
const MINUTE_MILLIS: i64 = 60_000;

/// The event `state`: how it stands now.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, ToSchema)]
#[schema(as = LiveState)]
pub(in crate::admin) struct StateNow {
    /// Calls under way.
    calls_open: usize,
    /// How many accounts are in which state.
    accounts: AccountCounts,
    /// Calls that ended in each of the last 60 minutes; the last is the present one.
    calls_per_minute: Vec<u64>,
    /// Their tokens of every kind.
    tokens_per_minute: Vec<u64>,
    /// Calls that ended since the relay was started.
    finished: Finished,
}

/// How many accounts are in which state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
struct AccountCounts {
    /// They serve.
    able: usize,
    /// They cool down by themselves.
    resting: usize,
    /// They are signed out, or their subscription has ended.
    failing: usize,
    /// An operator switched them off.
    paused: usize,
}

/// Calls that ended since the relay was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
#[schema(as = FinishedCalls)]
struct Finished {
    /// All of them.
    calls: u64,
    /// Those that accounts or the relay failed.
    failed: u64,
}

impl StateNow {
    /// The state of this moment.
    pub(super) fn of(app: &App, minutes: &PerMinute) -> Self {
        let SoFar { calls, failed, .. } = app.metrics.so_far();
        Self {
            calls_open: app.shutdown.open_calls(),
            accounts: AccountCounts::of(app),
            calls_per_minute: minutes.calls.into(),
            tokens_per_minute: minutes.tokens.into(),
            finished: Finished { calls, failed },
        }
    }
}

impl AccountCounts {
    fn of(app: &App) -> Self {
        let now = app.now();
        let day = app.calendar.day(now);
        let mut counts = Self::default();
        for member in app.roster.snapshot().iter() {
            let count = if !member.account.enabled {
                &mut counts.paused
            } else if member.closed(now).is_some() {
                &mut counts.failing
            } else if AccountLive::of(member, now, day).resting.is_some() {
                &mut counts.resting
            } else {
                &mut counts.able
            };
            *count += 1;
        }
        counts
    }
}

/// What ended in each minute, the oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PerMinute {
    calls: [u64; MINUTES],
    tokens: [u64; MINUTES],
}

/// The last minutes, from numbers that only grow.
#[derive(Debug)]
pub(super) struct Minutes {
    /// The number of the last of them.
    last: i64,
    seen: SoFar,
    per_minute: PerMinute,
}

impl Default for Minutes {
    fn default() -> Self {
        let per_minute = PerMinute { calls: [0; MINUTES], tokens: [0; MINUTES] };
        Self { last: i64::MIN, seen: SoFar::default(), per_minute }
    }
}

impl Minutes {
    /// Takes in what came since the last time.
    pub(super) fn take(&mut self, now: Timestamp, so_far: SoFar) {
        let minute = now.as_millis().div_euclid(MINUTE_MILLIS);
        // A clock that was put back adds to the minute that it was in.
        let passed = usize::try_from(minute.saturating_sub(self.last)).unwrap_or(0).min(MINUTES);
        self.last = self.last.max(minute);
        let PerMinute { calls, tokens } = &mut self.per_minute;
        for (minutes, more) in [
            (calls, so_far.calls.saturating_sub(self.seen.calls)),
            (tokens, so_far.tokens.saturating_sub(self.seen.tokens)),
        ] {
            minutes.rotate_left(passed);
            minutes[MINUTES - passed..].fill(0);
            minutes[MINUTES - 1] += more;
        }
        self.seen = so_far;
    }

    /// The same, and what there is then.
    pub(super) fn shown(&mut self, now: Timestamp, so_far: SoFar) -> PerMinute {
        self.take(now, so_far);
        self.per_minute
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_pass_and_what_grew_counts_for_the_present_one() {
        let at = |minute: i64| Timestamp::from_seconds(1_800_000_000 + 60 * minute);
        let so_far = |calls, tokens| SoFar { calls, tokens, failed: 0 };
        let mut minutes = Minutes::default();
        minutes.take(at(0), so_far(2, 20));
        minutes.take(at(0), so_far(3, 25));
        let shown = minutes.shown(at(2), so_far(7, 26));
        assert_eq!(shown.calls[57..], [3, 0, 4]);
        assert_eq!(shown.tokens[57..], [25, 0, 1]);
        let back = minutes.shown(at(1), so_far(8, 26));
        assert_eq!(back.calls[57..], [3, 0, 5]);
        let later = minutes.shown(at(500), so_far(8, 26));
        assert_eq!(later.calls, [0; MINUTES]);
    }
}
