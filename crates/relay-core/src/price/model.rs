//! The price of one model: what holds since when, by context and by mode of serving.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::money::Rate;
use crate::price::rates::{Derivation, RateSet, Rates};

/// The price of one model, with its history.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ModelPrice {
    /// The standard rates. The last period that holds at a moment is the one that counts; if none
    /// does, the first.
    pub periods: Vec<Period>,
    /// Rates of other modes of serving. A kind of token takes the first variant that fits the call
    /// and states it, else the standard rate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<Variant>,
    /// How missing rates follow from the stated ones.
    #[serde(default)]
    pub derivation: Derivation,
}

/// Rates and when they hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// When they hold.
    #[serde(default)]
    pub span: Span,
    /// The rates.
    pub card: RateCard,
}

/// When a price holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Span {
    /// At any time.
    #[default]
    Always,
    /// From a moment on.
    From(Timestamp),
    /// Every day between two times, as seconds since midnight UTC; over midnight if `until` is
    /// the earlier one.
    Daily {
        /// The first second.
        from: u32,
        /// The second after the last.
        until: u32,
    },
}

/// Rates by the size of a call's context.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RateCard {
    /// Rates of a call that reaches no tier.
    pub base: RateSet,
    /// Dearer rates of long contexts, by rising threshold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<Tier>,
}

/// Rates of calls with a long context.
///
/// The **whole** call is billed at them, output included, once its context exceeds the threshold:
/// so Anthropic, OpenAI, Google and xAI state it. Nobody in the catalogues bills only the part
/// above.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tier {
    /// The context, cached input included, that has to be exceeded.
    pub above: u64,
    /// The rates; a kind that is missing costs what it does in the tier below.
    pub rates: RateSet,
}

/// Rates of another mode of serving.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variant {
    /// Which mode.
    pub mode: Mode,
    /// When the rates hold.
    #[serde(default)]
    pub span: Span,
    /// The rates.
    pub card: RateCard,
}

/// A mode of serving as the provider's answer names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// A service tier: `batch`, `flex`, `priority`.
    ServiceTier(String),
    /// A speed: `fast`.
    Speed(String),
}

impl ModelPrice {
    /// One price at any time, for any context and mode: what an operator sets for `model`.
    pub fn flat(model: &str, rates: RateSet) -> Self {
        let card = RateCard { base: rates, tiers: Vec::new() };
        Self {
            periods: vec![Period { span: Span::Always, card }],
            variants: Vec::new(),
            derivation: Derivation::of_model(model),
        }
    }

    /// The rates of a call with that `context`, served so at that moment.
    pub fn rates(&self, context: u64, service_tier: &str, speed: &str, at: Timestamp) -> Rates {
        let standard = self.standard(at).map(|card| card.rates(context)).unwrap_or_default();
        let stated = if service_tier.is_empty() && speed.is_empty() {
            standard
        } else {
            self.variants
                .iter()
                .filter(|variant| variant.mode.fits(service_tier, speed) && variant.span.holds(at))
                .fold(RateSet::default(), |stated, variant| stated.or(variant.card.rates(context)))
                .or(standard)
        };
        stated.complete(self.derivation)
    }

    /// The standard rates without regard to the context, for lists that people read.
    pub fn base_rates(&self, at: Timestamp) -> Rates {
        self.rates(0, "", "", at)
    }

    /// The highest rate of each kind that a standard call was ever charged.
    pub fn standard_maximum(&self) -> Rates {
        self.periods
            .iter()
            .flat_map(|period| period.card.every_set())
            .map(|set| set.complete(self.derivation))
            .fold(Rates::default(), Rates::max)
    }

    /// The highest rate of each kind that a call of any mode was ever charged.
    pub fn maximum(&self) -> Rates {
        let standard = self.standard(Timestamp::from_millis(i64::MAX));
        let standard = standard.map(|card| card.base).unwrap_or_default();
        self.variants
            .iter()
            .flat_map(|variant| variant.card.every_set())
            .map(|set| set.or(standard).complete(self.derivation))
            .fold(self.standard_maximum(), Rates::max)
    }

    fn standard(&self, at: Timestamp) -> Option<&RateCard> {
        let holding = self.periods.iter().rev().find(|period| period.span.holds(at));
        holding.or_else(|| self.periods.first()).map(|period| &period.card)
    }
}

impl Span {
    /// Whether the price holds at that moment.
    pub const fn holds(self, at: Timestamp) -> bool {
        match self {
            Self::Always => true,
            Self::From(start) => at.as_millis() >= start.as_millis(),
            Self::Daily { from, until } => {
                let second = at.as_millis().div_euclid(1_000).rem_euclid(86_400);
                let (after, before) = (second >= from as i64, second < until as i64);
                if until < from { after || before } else { after && before }
            }
        }
    }
}

impl RateCard {
    /// The rates of a call with that context.
    fn rates(&self, context: u64) -> RateSet {
        self.tiers
            .iter()
            .rev()
            .filter(|tier| context > tier.above)
            .fold(RateSet::default(), |stated, tier| stated.or(tier.rates))
            .or(self.base)
    }

    /// The rates below and in each tier.
    fn every_set(&self) -> impl Iterator<Item = RateSet> {
        let tiers = self.tiers.iter().map(|tier| tier.rates.or(self.base));
        std::iter::once(self.base).chain(tiers)
    }

    /// Sets the rate of one kind above a threshold, keeping the tiers in order.
    pub fn set_tier(&mut self, above: u64, set: impl FnOnce(&mut RateSet)) {
        let place = self.tiers.partition_point(|tier| tier.above < above);
        if self.tiers.get(place).is_none_or(|tier| tier.above != above) {
            self.tiers.insert(place, Tier { above, rates: RateSet::default() });
        }
        set(&mut self.tiers[place].rates);
    }

    /// The same card at `millionths` of its price a token; searches cost what they did.
    #[must_use]
    pub fn scaled(&self, millionths: u64) -> Self {
        let tier = |tier: &Tier| Tier { above: tier.above, rates: scaled(tier.rates, millionths) };
        Self { base: scaled(self.base, millionths), tiers: self.tiers.iter().map(tier).collect() }
    }
}

fn scaled(rates: RateSet, millionths: u64) -> RateSet {
    let times = |rate: Option<Rate>| {
        rate.map(|rate| {
            let picos = rate.times(millionths).saturating_add(999_999).div_euclid(1_000_000);
            Rate::from_picos(i64::try_from(picos).unwrap_or(i64::MAX))
        })
    };
    RateSet {
        input: times(rates.input),
        output: times(rates.output),
        cache_read: times(rates.cache_read),
        cache_write_5m: times(rates.cache_write_5m),
        cache_write_1h: times(rates.cache_write_1h),
        web_search: rates.web_search,
    }
}

impl Mode {
    fn fits(&self, service_tier: &str, speed: &str) -> bool {
        match self {
            Self::ServiceTier(name) => name == service_tier,
            Self::Speed(name) => name == speed,
        }
    }
}
