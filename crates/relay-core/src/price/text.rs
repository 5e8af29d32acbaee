//! Rates as text, exactly: `3.75` USD per million tokens is 3,750,000 pico-dollars a token.

use crate::money::Rate;

/// What the amount of dollars in a text is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateUnit {
    /// For one token or one use.
    Each,
    /// For a thousand uses.
    PerThousand,
    /// For a million tokens.
    PerMillion,
}

/// A text that is not a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseRateError {
    /// Not a plain decimal number, or below zero.
    #[error("not a price in dollars, such as 3 or 0.25")]
    NotANumber,
    /// It is not a whole number of pico-dollars a token.
    #[error("a price cannot be finer than a millionth of a millionth of a dollar a token")]
    TooFine,
    /// It does not fit.
    #[error("the price is too high")]
    TooHigh,
}

/// Reads an amount of US dollars (`3`, `0.0375`, `5e-07`), refusing what cannot be said exactly.
pub fn parse_rate(text: &str, unit: RateUnit) -> Result<Rate, ParseRateError> {
    match Decimal::parse(text)?.to_picos(unit)? {
        (picos, Remainder::None) => Ok(Rate::from_picos(picos)),
        (_, Remainder::Some) => Err(ParseRateError::TooFine),
    }
}

/// Reads an amount as [`parse_rate`] does, taking the next pico-dollar above for a finer one.
///
/// For catalogues of others, where binary fractions have left traces such as `0.18000000000000002`
/// and rates that were computed by a division.
pub fn parse_rate_rounded(text: &str, unit: RateUnit) -> Result<Rate, ParseRateError> {
    match Decimal::parse(text)?.to_picos(unit)? {
        (picos, Remainder::None) => Ok(Rate::from_picos(picos)),
        (picos, Remainder::Some) => {
            picos.checked_add(1).map(Rate::from_picos).ok_or(ParseRateError::TooHigh)
        }
    }
}

/// A rate as dollars with as many decimals as it needs: `3.75`, `0.0375`, `10`.
pub fn rate_text(rate: Rate, unit: RateUnit) -> String {
    let decimals = unit.decimals();
    let digits = format!("{:0>width$}", rate.as_picos().max(0), width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    match fraction.trim_end_matches('0') {
        "" => whole.to_owned(),
        fraction => format!("{whole}.{fraction}"),
    }
}

impl RateUnit {
    /// Decimals of a dollar that a pico-dollar for one makes of this unit.
    const fn decimals(self) -> usize {
        match self {
            Self::Each => 12,
            Self::PerThousand => 9,
            Self::PerMillion => 6,
        }
    }
}

/// A decimal number: `digits` times ten to the power of `exponent`.
struct Decimal {
    digits: u128,
    exponent: i32,
}

/// What a whole number of pico-dollars leaves of a decimal.
enum Remainder {
    None,
    Some,
}

impl Decimal {
    /// Reads digits with an optional fraction and exponent.
    fn parse(text: &str) -> Result<Self, ParseRateError> {
        let wrong = || ParseRateError::NotANumber;
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent.parse::<i16>().map_err(|_| wrong())?),
            None => (text, 0),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let fraction = fraction.trim_end_matches('0');
        if (whole.is_empty() && fraction.is_empty()) || whole.len() + fraction.len() > 36 {
            return Err(wrong());
        }
        let mut digits = 0_u128;
        for byte in whole.bytes().chain(fraction.bytes()) {
            if !byte.is_ascii_digit() {
                return Err(wrong());
            }
            digits = digits * 10 + u128::from(byte - b'0');
        }
        let decimals = i32::try_from(fraction.len()).map_err(|_| wrong())?;
        Ok(Self { digits, exponent: i32::from(exponent) - decimals })
    }

    /// The whole pico-dollars for one, and whether that is all of it.
    fn to_picos(&self, unit: RateUnit) -> Result<(i64, Remainder), ParseRateError> {
        if self.digits == 0 {
            return Ok((0, Remainder::None));
        }
        let power = self.exponent + i32::try_from(unit.decimals()).unwrap_or(0);
        let (picos, rest) = match 10_u128.checked_pow(power.unsigned_abs()) {
            Some(scale) if power >= 0 => (self.digits.checked_mul(scale), 0),
            Some(scale) => (Some(self.digits / scale), self.digits % scale),
            None if power >= 0 => (None, 0),
            None => (Some(0), self.digits),
        };
        let picos = picos.and_then(|picos| i64::try_from(picos).ok());
        let remainder = if rest == 0 { Remainder::None } else { Remainder::Some };
        Ok((picos.ok_or(ParseRateError::TooHigh)?, remainder))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dollars_become_whole_pico_dollars() {
        let per_million = |text: &str| parse_rate(text, RateUnit::PerMillion).map(Rate::as_picos);
        assert_eq!(per_million("3"), Ok(3_000_000));
        assert_eq!(per_million("0.0375"), Ok(37_500));
        assert_eq!(per_million("0.1"), Ok(100_000));
        assert_eq!(per_million("1e-3"), Ok(1_000));
        assert_eq!(per_million("0.000001"), Ok(1));
        assert_eq!(per_million("18.750000000000"), Ok(18_750_000));
        assert_eq!(per_million("0"), Ok(0));
        assert_eq!(parse_rate("5e-07", RateUnit::Each).map(Rate::as_picos), Ok(500_000));
        assert_eq!(parse_rate("0.01", RateUnit::Each).map(Rate::as_picos), Ok(10_000_000_000));
        assert_eq!(parse_rate("10", RateUnit::PerThousand).map(Rate::as_picos), Ok(10_000_000_000));
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        let refused = |text: &str| parse_rate(text, RateUnit::PerMillion).err();
        for text in ["", ".", "-1", "+1", "1,5", "1e", "0x1", "NaN", "1e99999", "$3"] {
            assert_eq!(refused(text), Some(ParseRateError::NotANumber), "{text}");
        }
        assert_eq!(refused("0.0000001"), Some(ParseRateError::TooFine));
        assert_eq!(refused("1e-300"), Some(ParseRateError::TooFine));
        assert_eq!(refused("1e300"), Some(ParseRateError::TooHigh));
        assert_eq!(refused("9223372036855"), Some(ParseRateError::TooHigh));
    }

    #[test]
    fn a_finer_rate_of_others_goes_up() {
        let rounded = |text: &str| parse_rate_rounded(text, RateUnit::PerMillion);
        assert_eq!(rounded("0.0833333333333333").map(Rate::as_picos), Ok(83_334));
        assert_eq!(rounded("0.25").map(Rate::as_picos), Ok(250_000));
    }

    proptest! {
        #[test]
        fn every_rate_survives_its_text(picos in 0..=i64::MAX) {
            for unit in [RateUnit::Each, RateUnit::PerThousand, RateUnit::PerMillion] {
                let rate = Rate::from_picos(picos);
                prop_assert_eq!(parse_rate(&rate_text(rate, unit), unit), Ok(rate));
            }
        }

        #[test]
        fn the_shortest_text_of_a_binary_fraction_is_exact(thousandths in 0_u32..1_000_000_000) {
            let text = (f64::from(thousandths) / 1e3).to_string();
            let picos = i64::from(thousandths) * 1_000;
            prop_assert_eq!(parse_rate(&text, RateUnit::PerMillion), Ok(Rate::from_picos(picos)));
        }
    }
}
