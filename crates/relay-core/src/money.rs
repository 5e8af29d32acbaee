//! Money as integers: sums in nano-dollars, rates in pico-dollars per token.
//!
//! A rate needs the finer unit: 0.0375 USD per million tokens is 37.5 nano-dollars a thousand
//! tokens, which no whole number of nano-dollars per token can say.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A sum in nano-US-dollars (1e-9 USD).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Money(i64);

/// A price in pico-US-dollars (1e-12 USD) for one token or one use.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Rate(i64);

const NANO_PER_USD: i64 = 1_000_000_000;
const PICO_PER_NANO: i128 = 1_000;

/// A text that is not an amount of dollars such as `12`, `0.5` or `-3.25`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an amount in dollars, such as 12 or 0.5")]
pub struct ParseMoneyError;

impl Money {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// A sum of nano-dollars.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// The sum in nano-dollars.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// The sum as dollars with as many decimals as it needs, at least two: `0.50`, `0.000037`.
    pub fn to_usd_string(self) -> String {
        let sign = if self.0 < 0 { "-" } else { "" };
        let nanos = self.0.unsigned_abs();
        let whole = nanos / NANO_PER_USD.unsigned_abs();
        let fraction = format!("{:09}", nanos % NANO_PER_USD.unsigned_abs());
        let kept = fraction.trim_end_matches('0').len().max(2);
        format!("{sign}{whole}.{}", &fraction[..kept])
    }

    /// Dollars as a floating-point number, for display and JSON only; the ledger never adds these.
    #[expect(clippy::cast_precision_loss, reason = "for display; the ledger stays integer")]
    pub fn to_usd_f64(self) -> f64 {
        self.0 as f64 / NANO_PER_USD as f64
    }
}

impl Rate {
    /// A rate of pico-dollars a token.
    pub const fn from_picos(picos: i64) -> Self {
        Self(picos)
    }

    /// The rate in pico-dollars a token.
    pub const fn as_picos(self) -> i64 {
        self.0
    }

    /// What `count` units cost in pico-dollars; sums of these are rounded once, by
    /// [`round_picos`].
    pub const fn times(self, count: u64) -> i128 {
        self.0 as i128 * count as i128
    }
}

/// Rounds a sum of pico-dollars to money: half a nano-dollar and more goes up.
pub fn round_picos(picos: i128) -> Money {
    let nanos = (picos + PICO_PER_NANO / 2).div_euclid(PICO_PER_NANO);
    Money(i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX }))
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}", self.to_usd_string())
    }
}

impl FromStr for Money {
    type Err = ParseMoneyError;

    /// Reads dollars; digits beyond the ninth decimal are an error, not rounded away.
    fn from_str(text: &str) -> Result<Self, ParseMoneyError> {
        parse_decimal(text, 9)
            .and_then(|nanos| i64::try_from(nanos).ok())
            .map(Self)
            .ok_or(ParseMoneyError)
    }
}

/// Reads a plain decimal as a whole number of `10^-decimals`.
fn parse_decimal(text: &str, decimals: usize) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty())
        || whole.len() > 18
        || fraction.len() > decimals
        || !plain(whole)
        || !plain(fraction)
    {
        return None;
    }
    let scaled: i128 = format!("{whole}{fraction:0<decimals$}").parse().ok()?;
    Some(if negative { -scaled } else { scaled })
}

impl Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Money {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(sums: I) -> Self {
        sums.fold(Self::ZERO, Add::add)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dollars_read_and_write() {
        assert_eq!("12.5".parse(), Ok(Money(12_500_000_000)));
        assert_eq!("0.000000001".parse(), Ok(Money(1)));
        assert_eq!("-.5".parse(), Ok(Money(-500_000_000)));
        for wrong in ["", ".", "-", "1e3", "1,5", "0.0000000001", "+1", "9999999999999999999"] {
            assert_eq!(wrong.parse::<Money>(), Err(ParseMoneyError), "{wrong}");
        }
        assert_eq!(Money(37_500).to_usd_string(), "0.0000375");
        assert_eq!(Money(500_000_000).to_string(), "$0.50");
    }

    #[test]
    fn a_fraction_of_a_nano_dollar_is_rounded_once_for_the_whole_sum() {
        let rate = Rate::from_picos(37_500);
        assert_eq!(round_picos(rate.times(1)), Money(38));
        assert_eq!(round_picos(rate.times(1_000_000)), Money(37_500_000));
    }

    proptest! {
        #[test]
        fn every_sum_survives_its_text(nanos in -1_000_000_000_000_000_i64..1_000_000_000_000_000) {
            prop_assert_eq!(Money(nanos).to_usd_string().parse(), Ok(Money(nanos)));
        }
    }
}
