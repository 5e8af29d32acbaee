//! How many extra attempts calls may make together, so that a provider in trouble is not asked
//! three times for each call.

use std::time::Duration;

use crate::clock::Timestamp;

/// Extra attempts that are always allowed, in a minute.
pub const EXTRA_FREE: u32 = 100;

/// Extra attempts that are allowed, in hundredths of the calls of the last minute.
pub const EXTRA_PERCENT: u32 = 20;

const SECONDS: usize = 60;

/// Counts the calls and the extra attempts of the last minute, second by second.
#[derive(Debug, Clone)]
pub struct RetryBudget {
    seconds: [Counted; SECONDS],
}

#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    /// The second that is counted, since the epoch.
    second: i64,
    calls: u32,
    extra: u32,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self { seconds: [Counted::default(); SECONDS] }
    }
}

impl RetryBudget {
    /// Takes note of a call's first attempt.
    pub fn call(&mut self, now: Timestamp) {
        let counted = self.at(now);
        counted.calls = counted.calls.saturating_add(1);
    }

    /// Takes one extra attempt out of the budget; `false` if there is none left.
    pub fn take_extra(&mut self, now: Timestamp) -> bool {
        let (calls, extra) = self.last_minute(now);
        let allowed = EXTRA_FREE.max(calls.saturating_mul(EXTRA_PERCENT) / 100);
        if extra >= allowed {
            return false;
        }
        self.at(now).extra += 1;
        true
    }

    /// Calls and extra attempts of the minute before `now`.
    fn last_minute(&self, now: Timestamp) -> (u32, u32) {
        let oldest = second(now.minus(Duration::from_secs(59)));
        let recent = || self.seconds.iter().filter(|it| it.second >= oldest);
        (recent().map(|it| it.calls).sum(), recent().map(|it| it.extra).sum())
    }

    fn at(&mut self, now: Timestamp) -> &mut Counted {
        let second = second(now);
        let index = usize::try_from(second.rem_euclid(60)).unwrap_or(0);
        let counted = &mut self.seconds[index];
        if counted.second != second {
            *counted = Counted { second, ..Counted::default() };
        }
        counted
    }
}

fn second(now: Timestamp) -> i64 {
    now.as_millis().div_euclid(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(budget: &mut RetryBudget, now: Timestamp, wanted: u32) -> u32 {
        (0..wanted).map(|_| u32::from(budget.take_extra(now))).sum()
    }

    #[test]
    fn a_hundred_a_minute_are_free_and_come_back() {
        let mut budget = RetryBudget::default();
        let now = Timestamp::from_seconds(1_000);
        assert_eq!(taken(&mut budget, now, 150), 100);
        assert_eq!(taken(&mut budget, now.plus(Duration::from_secs(59)), 10), 0);
        assert_eq!(taken(&mut budget, now.plus(Duration::from_mins(1)), 10), 10);
    }

    #[test]
    fn a_fifth_of_many_calls_may_be_tried_again() {
        let mut budget = RetryBudget::default();
        for second in 0..50 {
            for _ in 0..40 {
                budget.call(Timestamp::from_seconds(1_000 + second));
            }
        }
        let now = Timestamp::from_seconds(1_050);
        assert_eq!(taken(&mut budget, now, 1_000), 400);
    }

    #[test]
    fn a_clock_that_goes_back_does_not_stop_it() {
        let mut budget = RetryBudget::default();
        assert_eq!(taken(&mut budget, Timestamp::from_seconds(5_000), 100), 100);
        assert!(!budget.take_extra(Timestamp::from_seconds(4_990)));
        assert!(budget.take_extra(Timestamp::from_seconds(5_100)));
    }
}
