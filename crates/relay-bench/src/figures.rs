//! Figures by name, with a value of each round, and how they are brought together.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// What was measured: every value of every round, and what spoilt the rows of some.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Figures {
    figures: BTreeMap<String, Vec<f64>>,
    spoilt: BTreeMap<String, Vec<String>>,
}

impl Figures {
    /// Adds the value of a round.
    pub(crate) fn add(&mut self, name: &str, value: f64) {
        self.figures.entry(name.to_owned()).or_default().push(value);
    }

    /// Notes why the figures of a row say nothing.
    pub(crate) fn spoil(&mut self, row: &str, why: String) {
        self.spoilt.entry(row.to_owned()).or_default().push(why);
    }

    /// Why the figures of a row say nothing, if they do: the first of the reasons.
    pub(crate) fn spoilt(&self, row: &str) -> Option<&str> {
        self.spoilt.get(row)?.first().map(String::as_str)
    }

    /// Rounds that have a value.
    pub(crate) fn rounds(&self, name: &str) -> usize {
        self.figures.get(name).map_or(0, Vec::len)
    }

    /// The median of its rounds, if it was measured.
    pub(crate) fn median(&self, name: &str) -> Option<f64> {
        median(self.figures.get(name)?)
    }

    /// The largest of its rounds: what must never happen is not evened out.
    pub(crate) fn largest(&self, name: &str) -> Option<f64> {
        self.figures.get(name)?.iter().copied().reduce(f64::max)
    }

    /// The median as text with so many places, or a dash.
    pub(crate) fn text(&self, name: &str, places: usize) -> String {
        text(self.median(name), places)
    }
}

/// A figure as text with so many places, or a dash.
pub(crate) fn text(value: Option<f64>, places: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.places$}"))
}

/// The middle value; of two, what lies between them.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let above = *sorted.get(sorted.len() / 2)?;
    let below = if sorted.len().is_multiple_of(2) { sorted[sorted.len() / 2 - 1] } else { above };
    Some(f64::midpoint(below, above))
}

/// How many times `base` a figure of the same round is, if both are there.
pub(crate) fn ratio(figure: Option<f64>, base: Option<f64>) -> Option<f64> {
    let base = base.filter(|base| *base > 0.0)?;
    Some(figure? / base)
}

/// Microseconds for each of `count`; `None` if there was none.
pub(crate) fn micros_each(spent: Duration, count: u64) -> Option<f64> {
    (count > 0).then(|| spent.as_secs_f64() * 1e6 / float(count))
}

/// How many a second.
pub(crate) fn per_second(count: u64, elapsed: Duration) -> f64 {
    float(count) / elapsed.as_secs_f64().max(f64::EPSILON)
}

/// The value in milliseconds that so much of a histogram of nanoseconds lies below.
pub(crate) fn millis_at(histogram: &Histogram<u64>, quantile: f64) -> Option<f64> {
    (!histogram.is_empty()).then(|| float(histogram.value_at_quantile(quantile)) / 1e6)
}

/// A count as a figure.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_middle_whatever_the_order() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[f64::NAN, 7.0]), Some(7.0));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn a_ratio_needs_both_sides() {
        assert_eq!(ratio(Some(6.0), Some(2.0)), Some(3.0));
        assert_eq!(ratio(Some(6.0), Some(0.0)), None);
        assert_eq!(ratio(Some(6.0), None), None);
        assert_eq!(ratio(None, Some(2.0)), None);
    }

    #[test]
    fn what_must_never_happen_is_not_evened_out() {
        let mut figures = Figures::default();
        for failed in [0.0, 0.0, 5.0] {
            figures.add("failed", failed);
        }
        assert_eq!((figures.median("failed"), figures.largest("failed")), (Some(0.0), Some(5.0)));
        assert_eq!(figures.text("never measured", 1), "–");
    }

    #[test]
    fn time_is_shared_out_among_what_there_was() {
        assert_eq!(micros_each(Duration::from_millis(3), 100), Some(30.0));
        assert_eq!(micros_each(Duration::from_millis(3), 0), None);
    }
}
