//! How long the last steps of a stop may take.

use std::time::{Duration, Instant};

use relay_upstream::oauth::ANSWER_WITHIN;

/// How long a refresh of a token may take at the end: one that is cut ends the sign-in. The
/// provider has its time, and so has the disk that the pair goes to.
const UNFINISHED_WITHIN: Duration = ANSWER_WITHIN.saturating_add(Duration::from_secs(5));
/// A shorter grace says that something else ends the process soon, as a container engine does.
const GRACE_WITHOUT_HASTE: Duration = Duration::from_secs(30);
/// How much longer than a short grace the whole stop may take. What is cut then, the next start
/// makes up for: records are in the journal, a refresh has its intent on disk.
const LAST_STEPS_WITHIN: Duration = Duration::from_millis(2_500);
/// What is kept of it for the steps after the refreshes, which take milliseconds mostly.
const AFTER_REFRESHES: Duration = Duration::from_millis(1_200);

/// The time that a stop may still take; without an end where the grace is long, as each step has
/// a limit of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeLeft(Option<Instant>);

impl TimeLeft {
    /// Of a stop with this grace that began then.
    pub(super) fn of_stop(begun: Instant, grace: Duration) -> Self {
        Self((grace < GRACE_WITHOUT_HASTE).then(|| begun + grace + LAST_STEPS_WITHIN))
    }

    /// What refreshes may take: all that the steps after them do not need, as one that is cut may
    /// end a sign-in.
    pub(super) fn for_refreshes(self) -> Duration {
        let left = self.left().map(|left| left.saturating_sub(AFTER_REFRESHES));
        left.map_or(UNFINISHED_WITHIN, |left| left.min(UNFINISHED_WITHIN))
    }

    /// What the next step may take: its own limit, but no more than half of what is left, so that
    /// there is some for those after it.
    pub(super) fn for_step(self, limit: Duration) -> Duration {
        self.left().map_or(limit, |left| limit.min(left / 2))
    }

    fn left(self) -> Option<Duration> {
        self.0.map(|over_at| over_at.saturating_duration_since(Instant::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECONDS: Duration = Duration::from_secs(5);

    #[test]
    fn a_stop_waits_for_the_longest_refresh_and_for_the_disk() {
        assert!(UNFINISHED_WITHIN.checked_sub(ANSWER_WITHIN).is_some_and(|rest| !rest.is_zero()));
    }

    #[test]
    fn only_a_short_grace_hurries_the_last_steps() {
        let left = |grace| TimeLeft::of_stop(Instant::now(), grace);
        let ample = left(GRACE_WITHOUT_HASTE);
        assert_eq!(ample.for_refreshes(), UNFINISHED_WITHIN);
        assert_eq!(ample.for_step(SECONDS), SECONDS);
        let grace = Duration::from_secs(5);
        let whole = grace + LAST_STEPS_WITHIN;
        assert!(left(grace).for_step(UNFINISHED_WITHIN) * 2 <= whole);
        let over = TimeLeft(Some(Instant::now()));
        assert_eq!((over.for_refreshes(), over.for_step(SECONDS)), Default::default());
    }

    #[test]
    fn a_hurried_stop_gives_refreshes_all_but_a_fixed_part() {
        let grace = Duration::from_secs(5);
        let whole = grace + LAST_STEPS_WITHIN;
        let given = TimeLeft::of_stop(Instant::now(), grace).for_refreshes() + AFTER_REFRESHES;
        assert!(given <= whole && given + Duration::from_secs(1) > whole, "{given:?}");
    }
}
