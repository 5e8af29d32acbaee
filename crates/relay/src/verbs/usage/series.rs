//! Usage over time: what charts are drawn from.

use std::collections::HashMap;
use std::time::Duration;

use jiff::tz::TimeZone;
use relay_core::clock::Timestamp;
use relay_core::id::{AccountId, KeyId};
use relay_core::period::{Period, Span, WeekReset};
use relay_store::Store;
use relay_store::rollups::Totals;
use relay_store::sums::{By, Grain, Measure, Of, Sum, SumsOf};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::totals::{TotalsView, count};
use crate::verbs::{VerbError, moment};

/// Lines of a chart; all others are one more.
const LINES_MAX: u32 = 5;
/// Buckets of a chart.
const BUCKETS_MAX: usize = 1_000;
const HOUR: Duration = Duration::from_hours(1);
/// What all lines are called that are not shown one by one.
const OTHERS: &str = "others";

/// What a chart shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = UsageFigure)]
pub enum Figure {
    /// Dollars.
    #[default]
    Cost,
    /// Tokens of every kind.
    Tokens,
    /// How many calls.
    Calls,
    /// How many of a hundred calls did not fail.
    Success,
    /// Milliseconds to the first byte, on average.
    FirstByte,
}

/// How long the buckets of a chart are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = UsageBucketWidth)]
pub enum Width {
    /// An hour.
    Hour,
    /// A day of the relay's time zone.
    Day,
}

/// A bucket of a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = UsageBucket)]
pub struct Bucket {
    /// Its first moment.
    #[serde(serialize_with = "moment::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// The first moment after it.
    #[serde(serialize_with = "moment::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// Whether it is not over yet.
    pub partial: bool,
}

/// A line of a chart.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = UsageLine)]
pub struct Line {
    /// Of what: an id, a model, a kind of token, or `others`.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// A value for each bucket; null where there is none to tell.
    pub values: Vec<Option<f64>>,
    /// The value over all buckets.
    pub total: Option<f64>,
}

/// What a chart is drawn from.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = UsageSeries)]
pub struct Series {
    /// The zone in which days begin.
    pub zone: String,
    /// How long buckets are.
    pub bucket: Width,
    /// The buckets, in order.
    pub buckets: Vec<Bucket>,
    /// The lines, the greatest first.
    pub series: Vec<Line>,
    /// The same time before, in one line, where it was asked for.
    pub before: Option<Line>,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct SeriesAsk {
    /// Of which time.
    pub span: Span,
    /// In which buckets.
    pub width: Width,
    /// Told apart by what.
    pub by: By,
    /// Told apart by kinds of tokens.
    pub by_token_kind: bool,
    /// What is shown.
    pub figure: Figure,
    /// Of one key.
    pub key: Option<KeyId>,
    /// Of one account.
    pub account: Option<AccountId>,
    /// Of one model.
    pub model: Option<String>,
    /// Where the time before begins that is compared.
    pub before: Option<Span>,
    /// The zone in which days begin.
    pub zone: TimeZone,
    /// The present.
    pub now: Timestamp,
}

impl Figure {
    /// By what the greatest lines are found.
    const fn measure(self) -> Measure {
        match self {
            Self::Cost => Measure::Cost,
            Self::Tokens => Measure::Tokens,
            Self::Calls | Self::Success | Self::FirstByte => Measure::Calls,
        }
    }

    /// The value of sums; `None` where there is none, as the success of no calls.
    fn of(self, totals: &Totals) -> Option<f64> {
        let shown = TotalsView::from(totals);
        match self {
            Self::Cost => Some(shown.cost_usd),
            Self::Tokens => Some(count(shown.tokens)),
            Self::Calls => Some(count(shown.calls)),
            Self::Success => shown.success_percent,
            Self::FirstByte => shown.first_byte_ms,
        }
    }
}

/// What a chart is drawn from.
pub async fn series(store: &Store, ask: &SeriesAsk) -> Result<Series, VerbError> {
    let buckets = ask.buckets(ask.span)?;
    let earlier = async {
        match ask.before {
            None => Ok(None),
            Some(span) => ask.over_time(store, span, By::All, None).await.map(Some),
        }
    };
    // Each is read by a connection of its own.
    let (all, earlier) = tokio::try_join!(ask.over_time(store, ask.span, By::All, None), earlier)?;
    let all = Binned::of(&buckets, all);
    let mut lines = if ask.by_token_kind {
        token_kinds(all.lines.get(&Of::All), buckets.len())
    } else if ask.by == By::All {
        vec![ask.line(&Of::All, all.lines.get(&Of::All), String::new(), buckets.len())]
    } else {
        ask.greatest(store, &buckets, &all).await?
    };
    if matches!(ask.figure, Figure::Success | Figure::FirstByte) {
        // Shares and means of some lines do not add up to others.
        lines.retain(|line| line.id != OTHERS);
    }
    let before = match ask.before.zip(earlier) {
        None => None,
        Some((span, sums)) => {
            let before = ask.buckets(span)?;
            let binned = Binned::of(&before, sums);
            let mut line =
                ask.line(&Of::All, binned.lines.get(&Of::All), String::new(), before.len());
            line.values.resize(buckets.len(), None);
            Some(line)
        }
    };
    let zone = ask.zone.iana_name().unwrap_or("UTC").to_owned();
    Ok(Series { zone, bucket: ask.width, buckets, series: lines, before })
}

/// Sums by line and bucket.
struct Binned {
    lines: HashMap<Of, Vec<Totals>>,
}

impl Binned {
    fn of(buckets: &[Bucket], sums: Vec<Sum>) -> Self {
        let mut lines: HashMap<Of, Vec<Totals>> = HashMap::new();
        for sum in sums {
            let after = buckets.partition_point(|bucket| bucket.from <= sum.at);
            let Some(at) = after.checked_sub(1) else { continue };
            let line = lines.entry(sum.of).or_default();
            line.resize(buckets.len(), Totals::default());
            line[at].add_all(&sum.totals);
        }
        Self { lines }
    }
}

impl SeriesAsk {
    fn buckets(&self, span: Span) -> Result<Vec<Bucket>, VerbError> {
        let mut buckets = Vec::new();
        let mut from = span.from;
        while from < span.to {
            let to = match self.width {
                Width::Hour => from.plus(HOUR),
                Width::Day => Period::Day.span(from, &self.zone, WeekReset::MONDAY).to,
            };
            buckets.push(Bucket { from, to, partial: from <= self.now && self.now < to });
            if buckets.len() > BUCKETS_MAX {
                let why = format!("a chart has at most {BUCKETS_MAX} buckets: ask for days");
                return Err(VerbError::Invalid(why));
            }
            from = to;
        }
        Ok(buckets)
    }

    fn sums_of(&self, span: Span, by: By) -> SumsOf {
        let grain = match self.width {
            Width::Hour => Grain::Quarter,
            Width::Day => Grain::Day,
        };
        SumsOf {
            key: self.key,
            account: self.account,
            model: self.model.clone(),
            ..SumsOf::of(span, grain, by)
        }
    }

    async fn over_time(
        &self,
        store: &Store,
        span: Span,
        by: By,
        among: Option<Vec<Of>>,
    ) -> Result<Vec<Sum>, VerbError> {
        let asked = SumsOf { among, ..self.sums_of(span, by) };
        Ok(store.sums_over_time(&asked).await?)
    }

    /// The greatest lines, and one of all others.
    async fn greatest(
        &self,
        store: &Store,
        buckets: &[Bucket],
        all: &Binned,
    ) -> Result<Vec<Line>, VerbError> {
        let asked = self.sums_of(self.span, self.by);
        let measure = self.figure.measure();
        let among = store.greatest(&asked, measure, LINES_MAX).await?;
        let sums = self.over_time(store, self.span, self.by, Some(among.clone())).await?;
        let binned = Binned::of(buckets, sums);
        let keys = among.iter().filter_map(|of| match of {
            Of::Key(id) => Some(*id),
            _ => None,
        });
        let accounts = among.iter().filter_map(|of| match of {
            Of::Account(id) => Some(*id),
            _ => None,
        });
        let names = store.names(keys, accounts).await?;
        let mut lines: Vec<Line> = among
            .iter()
            .map(|of| self.line(of, binned.lines.get(of), names.of(of), buckets.len()))
            .collect();
        if among.len() >= usize::try_from(LINES_MAX).unwrap_or(usize::MAX) {
            lines.extend(others(
                &lines,
                &self.line(&Of::All, all.lines.get(&Of::All), String::new(), buckets.len()),
            ));
        }
        Ok(lines)
    }

    fn line(&self, of: &Of, sums: Option<&Vec<Totals>>, name: String, buckets: usize) -> Line {
        let none = vec![Totals::default(); buckets];
        let sums = sums.unwrap_or(&none);
        let mut total = Totals::default();
        for sum in sums {
            total.add_all(sum);
        }
        Line {
            id: id_of(of),
            name,
            values: sums.iter().map(|sum| self.figure.of(sum)).collect(),
            total: self.figure.of(&total),
        }
    }
}

fn id_of(of: &Of) -> String {
    match of {
        Of::All => "all".to_owned(),
        Of::Key(id) => id.to_string(),
        Of::Account(id) => id.to_string(),
        Of::Model(model) => model.clone(),
    }
}

/// What the shown lines leave of all; nothing if they are all.
fn others(lines: &[Line], all: &Line) -> Option<Line> {
    const NOTHING: f64 = 1e-9;
    let left = |of: Option<f64>, each: &mut dyn Iterator<Item = Option<f64>>| {
        of.map(|of| (of - each.flatten().sum::<f64>()).max(0.0))
    };
    let total = left(all.total, &mut lines.iter().map(|line| line.total));
    let value = |at: usize| left(all.values[at], &mut lines.iter().map(|line| line.values[at]));
    let values = (0..all.values.len()).map(value).collect();
    let (id, name) = (OTHERS.to_owned(), String::new());
    total.filter(|total| *total > NOTHING).map(|total| Line {
        id,
        name,
        values,
        total: Some(total),
    })
}

/// A line for each kind of token.
fn token_kinds(sums: Option<&Vec<Totals>>, buckets: usize) -> Vec<Line> {
    type Kind = (&'static str, fn(&Totals) -> u64);
    const KINDS: [Kind; 4] = [
        ("cache_read", |it| it.usage.cache_read),
        ("cache_write", |it| it.usage.cache_write()),
        ("input", |it| it.usage.input),
        ("output", |it| it.usage.output),
    ];
    let none = vec![Totals::default(); buckets];
    let sums = sums.unwrap_or(&none);
    let line = |(id, of): Kind| {
        let values: Vec<u64> = sums.iter().map(of).collect();
        Line {
            id: id.to_owned(),
            name: String::new(),
            total: Some(count(values.iter().sum())),
            values: values.into_iter().map(|value| Some(count(value))).collect(),
        }
    };
    KINDS.into_iter().map(line).collect()
}
