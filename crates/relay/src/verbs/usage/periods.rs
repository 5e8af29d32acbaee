//! A time and the one before that it is compared with: like with like.

use std::time::Duration;

use jiff::tz::TimeZone;
use relay_core::clock::Timestamp;
use relay_core::period::{Period, Span, WeekReset};

use super::Width;

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
/// Longer times are shown by days.
const HOURS_MAX: Duration = Duration::from_hours(3 * 24);

/// A time, the one before, and the buckets in which both are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Periods {
    /// The time that is asked for, to the end of its last bucket.
    pub whole: Span,
    /// The part of it that has been.
    pub past: Span,
    /// All of the time before.
    pub whole_before: Span,
    /// The part of that which has to be compared.
    pub before: Span,
    /// How long buckets are.
    pub width: Width,
}

impl Periods {
    /// The last so many hours, against the same hours a week before.
    pub fn hours(hours: u32, zone: &TimeZone, now: Timestamp) -> Self {
        let day = day(now, zone).from;
        // Hours of the zone: some begin at half past.
        let since = now.since(day).as_secs() / HOUR.as_secs();
        let to = day.plus(HOUR * u32::try_from(since + 1).unwrap_or(u32::MAX));
        let from = to.minus(HOUR * hours);
        let past = Span { from, to: now.plus(Duration::from_millis(1)) };
        Self::shifted(Span { from, to }, past, DAY * 7, Width::Hour)
    }

    /// So many days with today as the last, against as many before them.
    pub fn days(days: u32, zone: &TimeZone, now: Timestamp) -> Self {
        let today = day(now, zone);
        let start = |days: u32| day(today.from.plus(DAY / 2).minus(DAY * days), zone).from;
        let from = start(days - 1);
        let (from_before, same_day) = (start(2 * days - 1), start(days));
        let until = same_day.plus(now.since(today.from)).min(from);
        Self {
            whole: Span { from, to: today.to },
            past: Span { from, to: now.plus(Duration::from_millis(1)) },
            whole_before: Span { from: from_before, to: from },
            before: Span { from: from_before, to: until },
            width: Width::Day,
        }
    }

    /// Exactly this time, against as long a time before it.
    pub fn exact(span: Span, zone: &TimeZone, now: Timestamp) -> Self {
        let long = span.to.since(span.from);
        let width = if long <= HOURS_MAX { Width::Hour } else { Width::Day };
        let span = match width {
            Width::Hour => span,
            // Days are told as wholes.
            Width::Day => {
                let last = Timestamp::from_millis(span.to.as_millis() - 1);
                Span { from: day(span.from, zone).from, to: day(last, zone).to }
            }
        };
        let to = span.to.min(now.plus(Duration::from_millis(1))).max(span.from);
        let past = Span { from: span.from, to };
        Self::shifted(span, past, span.to.since(span.from), width)
    }

    fn shifted(whole: Span, past: Span, by: Duration, width: Width) -> Self {
        let back = |span: Span| Span { from: span.from.minus(by), to: span.to.minus(by) };
        Self { whole, past, whole_before: back(whole), before: back(past), width }
    }
}

fn day(at: Timestamp, zone: &TimeZone) -> Span {
    Period::Day.span(at, zone, WeekReset::MONDAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        let at: jiff::Timestamp = text.parse().expect("a moment");
        Timestamp::from_millis(at.as_millisecond())
    }

    #[test]
    fn hours_begin_with_those_of_the_zone_and_are_compared_a_week_before() {
        let zone = TimeZone::get("Asia/Kolkata").expect("a zone");
        let periods = Periods::hours(24, &zone, at("2026-11-24T10:10:00Z"));
        assert_eq!(periods.whole.to, at("2026-11-24T10:30:00Z"));
        assert_eq!(periods.whole.from, at("2026-11-23T10:30:00Z"));
        assert_eq!(periods.whole_before.from, at("2026-11-16T10:30:00Z"));
        assert_eq!(periods.before.to, at("2026-11-17T10:10:00.001Z"));
    }

    #[test]
    fn days_are_compared_with_as_many_before_up_to_the_same_part() {
        let zone = TimeZone::get("Europe/Berlin").expect("a zone");
        // Summer time ended on 25 October: the day has 25 hours.
        let periods = Periods::days(28, &zone, at("2026-11-10T11:00:00Z"));
        assert_eq!(periods.whole.from, at("2026-10-13T22:00:00Z"));
        assert_eq!(periods.whole.to, at("2026-11-10T23:00:00Z"));
        assert_eq!(
            periods.whole_before,
            Span { from: at("2026-09-15T22:00:00Z"), to: at("2026-10-13T22:00:00Z") }
        );
        assert_eq!(periods.before.to, at("2026-10-13T10:00:00Z"));
    }

    #[test]
    fn a_long_time_is_shown_by_whole_days() {
        let span = Span { from: at("2026-11-01T05:00:00Z"), to: at("2026-11-08T05:00:00Z") };
        let periods = Periods::exact(span, &TimeZone::UTC, at("2026-11-24T10:10:00Z"));
        assert_eq!(periods.width, Width::Day);
        assert_eq!(
            periods.whole,
            Span { from: at("2026-11-01T00:00:00Z"), to: at("2026-11-09T00:00:00Z") }
        );
        assert_eq!(periods.whole_before.to, periods.whole.from);
    }
}
