use super::*;

fn moment(text: &str) -> Timestamp {
    let moment: jiff::Timestamp = text.parse().expect("RFC 3339");
    Timestamp::from_millis(moment.as_millisecond())
}

/// The minutes of each stretch, beside its first day.
fn minutes(zone: &str, dimension: Dimension, from: &str, to: &str) -> Vec<(String, u64)> {
    let zone = TimeZone::get(zone).expect("a known zone");
    let (since, dims) = (Timestamp::from_seconds(0), vec![dimension]);
    let query = ReportQuery { since, until: None, dims, zone };
    stretches(&query, moment(from), moment(to))
        .expect("days")
        .iter()
        .map(|it| (it.first_day.to_string(), it.to.since(it.from).as_secs() / 60))
        .collect()
}

fn days(zone: &str, from: &str, to: &str) -> Vec<u64> {
    minutes(zone, Dimension::Day, from, to).into_iter().map(|(_, minutes)| minutes).collect()
}

#[test]
fn days_on_which_the_clock_is_changed_are_an_hour_shorter_or_longer() {
    let spring = days("Europe/Berlin", "2026-03-28T23:00:00Z", "2026-03-30T22:00:00Z");
    assert_eq!(spring, [23 * 60, 24 * 60]);
    let autumn = days("Europe/Berlin", "2026-10-24T22:00:00Z", "2026-10-26T23:00:00Z");
    assert_eq!(autumn, [25 * 60, 24 * 60]);
}

#[test]
fn a_day_whose_midnight_does_not_exist_begins_when_the_clock_goes_on() {
    // In Chile the clock went from 2025-09-06 24:00 to 2025-09-07 01:00, which is 04:00 in UTC.
    let around =
        minutes("America/Santiago", Dimension::Day, "2025-09-06T12:00:00Z", "2025-09-08T03:00:00Z");
    assert_eq!(around, [("2025-09-06".into(), 16 * 60), ("2025-09-07".into(), 23 * 60)]);
}

#[test]
fn days_of_zones_between_the_hours_begin_on_a_quarter_of_an_hour() {
    for (zone, first) in [("Asia/Kolkata", 18 * 60 + 30), ("Asia/Kathmandu", 18 * 60 + 15)] {
        let cut = days(zone, "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z");
        assert_eq!(cut, [first, 24 * 60 - first], "{zone}");
    }
}

#[test]
fn months_are_cut_at_their_first_day() {
    let cut =
        minutes("Asia/Shanghai", Dimension::Month, "2026-01-30T16:00:00Z", "2026-03-01T16:00:00Z");
    let day = 24 * 60;
    assert_eq!(
        cut,
        [("2026-01-31".into(), day), ("2026-02-01".into(), 28 * day), ("2026-03-01".into(), day)]
    );
}
