//! Moments as text: RFC 3339 for programs, the zone's wall clock for people.

use jiff::tz::TimeZone;
use relay_core::clock::Timestamp;
use serde::{Serialize, Serializer};

/// A moment in RFC 3339, in UTC.
pub fn rfc3339(moment: Timestamp) -> String {
    civil(moment).to_string()
}

/// A moment as people in `zone` say it: `2026-11-23 10:15:00`.
pub fn in_zone(moment: Timestamp, zone: &TimeZone) -> String {
    civil(moment).to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// What a zone is called: its name, or how far it is from UTC.
pub fn zone_name(zone: &TimeZone) -> String {
    let offset = || zone.to_fixed_offset().map(|offset| offset.to_string()).unwrap_or_default();
    zone.iana_name().map_or_else(offset, str::to_owned)
}

/// The nearest moment that a calendar has.
fn civil(moment: Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(moment.as_millis()).unwrap_or(if moment.as_millis() < 0 {
        jiff::Timestamp::MIN
    } else {
        jiff::Timestamp::MAX
    })
}

/// The day in which a moment lies, as `2026-11-23`.
pub fn day(moment: Timestamp, zone: &TimeZone) -> String {
    in_zone(moment, zone).chars().take("2026-11-23".len()).collect()
}

/// For `serialize_with`: a moment in RFC 3339.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
pub(crate) fn serialize<S: Serializer>(moment: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&rfc3339(*moment))
}

/// For `serialize_with`: a moment in RFC 3339, or null.
#[expect(clippy::ref_option, reason = "serde calls it so")]
pub(crate) fn serialize_option<S: Serializer>(
    moment: &Option<Timestamp>,
    to: S,
) -> Result<S::Ok, S::Error> {
    moment.map(rfc3339).serialize(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_read_as_programs_and_people_expect() {
        let moment = Timestamp::from_seconds(1_800_000_000);
        assert_eq!(rfc3339(moment), "2027-01-15T08:00:00Z");
        let shanghai = TimeZone::get("Asia/Shanghai").expect("a zone");
        assert_eq!(in_zone(moment, &shanghai), "2027-01-15 16:00:00");
        assert!(rfc3339(Timestamp::from_millis(i64::MAX)).starts_with("9999-12-30"));
    }
}
