//! Rates of one price: by kind of token, possibly incomplete, and how the missing ones follow.

use serde::{Deserialize, Serialize};

use crate::money::{Money, Rate, round_picos};
use crate::usage::TokenUsage;

/// Rates as a source states them: any kind may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RateSet {
    /// Input that no cache served or kept, a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Rate>,
    /// Output, a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Rate>,
    /// Input read from the cache, a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<Rate>,
    /// Input written to the cache for five minutes, a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_5m: Option<Rate>,
    /// Input written to the cache for an hour, a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_1h: Option<Rate>,
    /// One search on the web.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web_search: Option<Rate>,
}

/// A rate for every kind: what a usage is multiplied with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rates {
    /// Input that no cache served or kept, a token.
    pub input: Rate,
    /// Output, a token.
    pub output: Rate,
    /// Input read from the cache, a token.
    pub cache_read: Rate,
    /// Input written to the cache for five minutes, a token.
    pub cache_write_5m: Rate,
    /// Input written to the cache for an hour, a token.
    pub cache_write_1h: Rate,
    /// One search on the web.
    pub web_search: Rate,
}

/// How rates that a source leaves out follow from those it states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Derivation {
    /// Cached input without a price of its own is billed as the input it is, an hour's write as a
    /// write; searches are free.
    #[default]
    AsInput,
    /// Anthropic's published multiples of the input rate: cache read 0.1, write for five minutes
    /// 1.25, write for an hour 2; a search is one US cent.
    Claude,
}

impl Derivation {
    /// What its provider states for a model of that name, whichever host serves it.
    pub fn of_model(model: &str) -> Self {
        let claude = model
            .as_bytes()
            .windows(b"claude".len())
            .any(|part| part.eq_ignore_ascii_case(b"claude"));
        if claude { Self::Claude } else { Self::AsInput }
    }
}

impl RateSet {
    /// These rates, and those of `other` where these are silent.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            input: self.input.or(other.input),
            output: self.output.or(other.output),
            cache_read: self.cache_read.or(other.cache_read),
            cache_write_5m: self.cache_write_5m.or(other.cache_write_5m),
            cache_write_1h: self.cache_write_1h.or(other.cache_write_1h),
            web_search: self.web_search.or(other.web_search),
        }
    }

    /// Fills in what is missing. Fractions of a pico-dollar go up.
    pub fn complete(self, derivation: Derivation) -> Rates {
        let input = self.input.unwrap_or_default();
        let times = |numerator: i64, denominator: i64| {
            let scaled = i128::from(input.as_picos()) * i128::from(numerator);
            let picos = (scaled + i128::from(denominator - 1)).div_euclid(i128::from(denominator));
            Rate::from_picos(i64::try_from(picos).unwrap_or(i64::MAX))
        };
        let derived = match derivation {
            Derivation::AsInput => Self {
                cache_read: Some(input),
                cache_write_5m: Some(input),
                cache_write_1h: self.cache_write_5m.or(Some(input)),
                ..Self::default()
            },
            Derivation::Claude => Self {
                cache_read: Some(times(1, 10)),
                cache_write_5m: Some(times(5, 4)),
                cache_write_1h: Some(times(2, 1)),
                web_search: Some(ONE_CENT),
                ..Self::default()
            },
        };
        let whole = self.or(derived);
        Rates {
            input,
            output: whole.output.unwrap_or_default(),
            cache_read: whole.cache_read.unwrap_or_default(),
            cache_write_5m: whole.cache_write_5m.unwrap_or_default(),
            cache_write_1h: whole.cache_write_1h.unwrap_or_default(),
            web_search: whole.web_search.unwrap_or_default(),
        }
    }
}

const ONE_CENT: Rate = Rate::from_picos(10_000_000_000);

impl Rates {
    /// What `usage` costs: kinds are summed exactly, the sum is rounded once.
    pub fn cost(&self, usage: &TokenUsage) -> Money {
        let picos = [
            self.input.times(usage.input),
            self.output.times(usage.output),
            self.cache_read.times(usage.cache_read),
            self.cache_write_5m.times(usage.cache_write_5m),
            self.cache_write_1h.times(usage.cache_write_1h),
            self.web_search.times(usage.web_searches),
        ]
        .into_iter()
        .fold(0, i128::saturating_add);
        // More than a ledger holds is as much as a ledger holds.
        round_picos(picos.min(i128::from(i64::MAX) * 1_000))
    }

    /// The dearer rate of each kind.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            input: self.input.max(other.input),
            output: self.output.max(other.output),
            cache_read: self.cache_read.max(other.cache_read),
            cache_write_5m: self.cache_write_5m.max(other.cache_write_5m),
            cache_write_1h: self.cache_write_1h.max(other.cache_write_1h),
            web_search: self.web_search.max(other.web_search),
        }
    }
}
