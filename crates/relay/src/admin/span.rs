//! Which time is asked for: the last so many hours or days, or from one moment to another.

use std::time::Duration;

use relay_core::clock::Timestamp;
use relay_core::period;
use serde::Deserialize;
use utoipa::IntoParams;

use super::answer::Problem;

/// How far back may be looked.
const LONGEST: Duration = Duration::from_hours(10 * 366 * 24);

/// A span of time.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Span {
    /// `24h`, `7d`, `28d` or `90d`, which end now.
    #[serde(default)]
    range: Option<String>,
    /// Its first moment (RFC 3339).
    #[param(value_type = Option<String>, format = DateTime)]
    #[serde(default)]
    from: Option<jiff::Timestamp>,
    /// The first moment after it (RFC 3339); now is the usual.
    #[param(value_type = Option<String>, format = DateTime)]
    #[serde(default)]
    to: Option<jiff::Timestamp>,
}

/// What was asked for, told apart where days count whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// The last so many hours.
    Hours(u32),
    /// So many days, the last of which is today.
    Days(u32),
    /// Exactly this time.
    Exact(period::Span),
}

impl Span {
    /// What is asked for, or the usual.
    pub(super) fn asked(&self, now: Timestamp, usual: Asked) -> Result<Asked, Problem> {
        let moment = |at: jiff::Timestamp| Timestamp::from_millis(at.as_millisecond());
        let range = match self.range.as_deref() {
            None | Some("") => usual,
            Some(text) => range(text).ok_or_else(|| {
                let why = "a range is a number of hours or days, as in 24h or 7d";
                Problem::invalid(why).at("range")
            })?,
        };
        let Some(from) = self.from.map(moment) else { return Ok(range) };
        let to = self.to.map_or(now, moment);
        let from = from.max(now.minus(LONGEST));
        if from >= to {
            return Err(Problem::invalid("the span ends before it begins").at("from"));
        }
        Ok(Asked::Exact(period::Span { from, to }))
    }

    /// The time that is asked for, up to now at the latest.
    pub(super) fn read(&self, now: Timestamp, usual: Asked) -> Result<period::Span, Problem> {
        let back = |hours: u32| period::Span {
            from: now.minus(Duration::from_hours(u64::from(hours))),
            to: now,
        };
        match self.asked(now, usual)? {
            Asked::Hours(hours) => Ok(back(hours)),
            Asked::Days(days) => Ok(back(days * 24)),
            Asked::Exact(span) if span.from >= now => {
                Err(Problem::invalid("the span begins after now").at("from"))
            }
            Asked::Exact(span) => Ok(period::Span { from: span.from, to: span.to.min(now) }),
        }
    }
}

/// A number of hours or days.
fn range(text: &str) -> Option<Asked> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u32 = number.parse().ok()?;
    match unit {
        "h" if (1..=24 * 366).contains(&number) => Some(Asked::Hours(number)),
        "d" if (1..=366).contains(&number) => Some(Asked::Days(number)),
        _ => None,
    }
}
