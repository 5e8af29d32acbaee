//! When a limited account will serve again, as the provider says.

mod anthropic;
pub(crate) mod google;
pub(crate) mod openai;

use std::time::Duration;

use http::HeaderMap;
use jiff::fmt::rfc2822;
use relay_core::clock::Timestamp;
use relay_core::health::Scope;

pub use self::anthropic::stated as anthropic;

/// The longest rest that `retry-after` and limits of API keys are taken for: these are of minutes,
/// and a longer word is tried out.
pub const RETRY_AFTER_MAX: Duration = Duration::from_hours(1);

/// What a refusal says of its end and of what it covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatedReset {
    /// When the limit ends.
    pub at: Option<Timestamp>,
    /// What it covers.
    pub scope: Scope,
}

/// What the headers of a refusal that is no limit say of its end. Those that tell of limits come
/// with every answer, and say nothing of it.
pub fn of_no_limit(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    retry_after(headers, now).map(|at| at.min(now.plus(RETRY_AFTER_MAX)))
}

/// `retry-after` in seconds, fractions allowed, or as an HTTP date.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let text = text(headers, "retry-after")?.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return Some(now.plus(seconds_of(seconds)?));
    }
    let moment = rfc2822::parse(text).ok()?.timestamp();
    Some(Timestamp::from_millis(moment.as_millisecond()))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn seconds(text: &str) -> Option<Timestamp> {
    text.trim().parse().ok().map(Timestamp::from_seconds)
}

/// A span as OpenAI and Google write them: `6m0s`, `20ms`, `1h2m3.5s`, `34.074824224s`.
fn span(text: &str) -> Option<Duration> {
    let span: jiff::SignedDuration = text.trim().parse().ok()?;
    Duration::try_from(span).ok()
}

/// A span of seconds, fractions allowed.
fn seconds_of(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}

/// A moment in RFC 3339.
fn moment(text: &str) -> Option<Timestamp> {
    let moment: jiff::Timestamp = text.trim().parse().ok()?;
    Some(Timestamp::from_millis(moment.as_millisecond()))
}

/// A moment that lies ahead, and no further than `max`.
fn ahead(at: Timestamp, now: Timestamp, max: Duration) -> Option<Timestamp> {
    (at > now).then(|| at.min(now.plus(max)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spans_are_read_as_providers_write_them() {
        for (text, millis) in [
            ("6m0s", 360_000),
            ("1s", 1_000),
            ("20ms", 20),
            ("0s", 0),
            ("1h2m3.5s", 3_723_500),
            ("8h30m", 30_600_000),
            ("34.074824224s", 34_074),
            ("581981.300432511s", 581_981_300),
            ("161h39m41.300432511s", 581_981_300),
        ] {
            let read = span(text).map(|span| span.as_millis());
            assert_eq!(read, Some(millis), "{text}");
        }
        for text in ["", "s", "-1s", "1s ago", "soon", "1", "1e9s", "99999999999999999999s", "é"] {
            assert_eq!(span(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_span_is_read_as_it_is_written(hours in 0_u64..500, mins in 0_u64..60, ms in 0_u64..60_000) {
            let text = format!("{hours}h{mins}m{}.{:03}s", ms / 1_000, ms % 1_000);
            let written = Duration::from_millis((hours * 60 + mins) * 60_000 + ms);
            prop_assert_eq!(span(&text), Some(written));
        }

        #[test]
        fn no_text_makes_the_reading_fail(text in any::<String>()) {
            let _ = (span(&text), moment(&text));
        }
    }
}
