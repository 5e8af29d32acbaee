//! Whether the machine's clock is right, as sign-ins, resets and days depend on it.

use std::time::Duration;

use relay_core::clock::Timestamp;

use super::{Check, Finding, span};
use crate::text::tr;

/// 2026-01-01, before which no clock was right that this program runs by.
const EARLIEST: Timestamp = Timestamp::from_seconds(1_767_225_600);
/// 2100-01-01.
const LATEST: Timestamp = Timestamp::from_seconds(4_102_444_800);
/// Further than this, sign-ins fail and resets come at the wrong time.
const OFF_MAX: Duration = Duration::from_mins(5);
/// How far a record may lie ahead: a clock that is kept right goes back a little.
const RECORD_AHEAD_MAX: Duration = Duration::from_mins(1);

/// Answers tell whole seconds, and take a part of one to come: nothing finer is known.
const TOLD_LEAST: Duration = Duration::from_secs(2);

/// What is known of the time.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// What the machine's clock says.
    pub now: Timestamp,
    /// When the newest call came that there is a record of.
    pub newest_record: Option<Timestamp>,
    /// By how many milliseconds the clock is ahead of those of the providers that answered.
    pub ahead_millis: Vec<i64>,
}

/// Judges the clock.
pub fn judge(facts: &Facts) -> Finding {
    let to_do = || {
        tr!("set the clock and keep it right, such as with `timedatectl set-ntp true` on the host")
    };
    if facts.now < EARLIEST || facts.now >= LATEST {
        return Finding::wrong(Check::Clock, tr!("its year cannot be right"), to_do());
    }
    let ahead = facts.newest_record.map(|record| record.since(facts.now)).unwrap_or_default();
    if ahead > RECORD_AHEAD_MAX {
        let what = tr!(
            "it is {ahead} behind the newest record: it was set back, or was ahead before",
            ahead = span(ahead)
        );
        return Finding::wrong(Check::Clock, what, to_do());
    }
    // One provider may be wrong itself; the machine is if none is near.
    let Some(nearest) = facts.ahead_millis.iter().copied().min_by_key(|it| it.unsigned_abs())
    else {
        return Finding::well(
            Check::Clock,
            tr!("plausible; no provider was there to compare with"),
        );
    };
    let off = Duration::from_millis(nearest.unsigned_abs());
    let off_words = span(off);
    if off <= OFF_MAX {
        return Finding::well(
            Check::Clock,
            tr!("as the providers have it, within {off}", off = span(told(off))),
        );
    }
    let what = if nearest > 0 {
        tr!("it is {off} ahead of the providers' clocks: sign-ins and resets fail", off = off_words)
    } else {
        tr!("it is {off} behind the providers' clocks: sign-ins and resets fail", off = off_words)
    };
    Finding::wrong(Check::Clock, what, to_do())
}

/// What a difference is at the most, in whole seconds.
fn told(off: Duration) -> Duration {
    Duration::from_secs(off.as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX))
        .max(TOLD_LEAST)
}
