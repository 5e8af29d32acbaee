//! Days of the relay's time zone: from midnight to midnight, however many hours that is.

use arc_swap::ArcSwap;
use jiff::tz::TimeZone;
use relay_core::clock::Timestamp;

/// A day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    /// Its first moment.
    pub from: Timestamp,
    /// The first moment of the next.
    pub to: Timestamp,
}

/// Tells the day of a moment, and works it out only when a new one has come.
#[derive(Debug)]
pub struct Calendar {
    zone: TimeZone,
    today: ArcSwap<Day>,
}

impl Calendar {
    /// The calendar of a time zone.
    pub fn new(zone: TimeZone) -> Self {
        let none = Day { from: Timestamp::from_millis(0), to: Timestamp::from_millis(0) };
        Self { zone, today: ArcSwap::from_pointee(none) }
    }

    /// The day in which `moment` lies.
    pub fn day(&self, moment: Timestamp) -> Day {
        let known = **self.today.load();
        if known.from <= moment && moment < known.to {
            return known;
        }
        let day = day_of(moment, &self.zone);
        self.today.store(day.into());
        day
    }
}

/// The day of `zone` in which `moment` lies. A moment that no calendar has is in a day of its own.
fn day_of(moment: Timestamp, zone: &TimeZone) -> Day {
    let civil = |day: jiff::civil::Date| {
        let midnight = day.to_zoned(zone.clone()).ok()?;
        Some(Timestamp::from_millis(midnight.timestamp().as_millisecond()))
    };
    let read = || {
        let at = jiff::Timestamp::from_millisecond(moment.as_millis()).ok()?;
        let date = at.to_zoned(zone.clone()).date();
        Some(Day { from: civil(date)?, to: civil(date.tomorrow().ok()?)? })
    };
    let alone = Day { from: moment, to: moment.plus(std::time::Duration::from_millis(1)) };
    read().unwrap_or(alone)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(zone: &str, seconds: i64) -> (i64, i64) {
        let calendar = Calendar::new(TimeZone::get(zone).expect("a zone"));
        let day = calendar.day(Timestamp::from_seconds(seconds));
        (day.from.as_millis() / 1_000, (day.to.as_millis() - day.from.as_millis()) / 3_600_000)
    }

    #[test]
    fn days_begin_at_the_zones_midnight_and_follow_its_clock_changes() {
        // 2027-01-15 08:00 in UTC is 13:30 in Kolkata, whose day began at 18:30 the day before.
        assert_eq!(day("UTC", 1_800_000_000), (1_799_971_200, 24));
        assert_eq!(day("Asia/Kolkata", 1_800_000_000), (1_799_951_400, 24));
        // 2027-03-28 in Berlin has 23 hours, 2027-10-31 has 25.
        assert_eq!(day("Europe/Berlin", 1_806_228_000).1, 23);
        assert_eq!(day("Europe/Berlin", 1_824_984_000).1, 25);
    }

    #[test]
    fn a_day_ends_where_the_next_begins() {
        let calendar = Calendar::new(TimeZone::UTC);
        let day = calendar.day(Timestamp::from_seconds(1_800_000_000));
        assert_eq!(calendar.day(day.from), day);
        assert_eq!(calendar.day(day.to).from, day.to);
    }
}
