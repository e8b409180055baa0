//! The true value of a calculation, before it is shown.

use dashu_int::{IBig, UBig};

use crate::decimal::Decimal;
use crate::limits::{MAX_ALIGNMENT, MAX_PRECISION};
use crate::powers::ten_to;
use crate::rational::Rational;

/// What a calculation comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// A decimal that ends.
    Terminating(Decimal),
    /// A quotient whose decimal does not end.
    Repeating(Rational),
    /// A sum that was not computed, its addends being further than [`MAX_ALIGNMENT`] apart. This is
    /// not its value, but rounds as it does to any precision.
    Distant(Decimal),
}

impl Value {
    pub(crate) fn sum(x: &Decimal, y: &Decimal) -> Self {
        if x.is_zero() {
            return Self::Terminating(y.clone());
        }
        if y.is_zero() {
            return Self::Terminating(x.clone());
        }
        let (greater, lesser) = if x.exponent() >= y.exponent() {
            (x, y)
        } else {
            (y, x)
        };
        let distance = greater.exponent().saturating_sub(lesser.exponent());
        if distance > MAX_ALIGNMENT {
            return Self::Distant(nudge(greater, lesser));
        }
        let aligned = scaled(greater, distance);
        Self::Terminating(decimal(aligned, &lesser.coefficient(), lesser.exponent()))
    }

    #[expect(clippy::arithmetic_side_effects, reason = "UBig grows")]
    pub(crate) fn product(x: &Decimal, y: &Decimal) -> Self {
        Self::Terminating(Decimal::new(
            x.sign() * y.sign(),
            x.magnitude() * y.magnitude(),
            x.exponent().saturating_add(y.exponent()),
        ))
    }

    /// `None` if the divisor is zero.
    pub(crate) fn quotient(dividend: &Decimal, divisor: &Decimal) -> Option<Self> {
        if divisor.is_zero() {
            return None;
        }
        if dividend.is_zero() {
            return Some(Self::Terminating(Decimal::ZERO));
        }
        let value = Rational::quotient(dividend, divisor);
        if !value.terminates() {
            return Some(Self::Repeating(value));
        }
        let (magnitude, exponent) = value.over_denominator();
        Some(Self::Terminating(Decimal::new(
            value.sign, magnitude, exponent,
        )))
    }
}

/// The greater addend moved towards the sum by less than any rounding can see.
///
/// Its last digit is at `10^e`, and its first below `10^(e + 1000)`, so that every number of at most
/// 1,000 digits near it, and the middle between any two of those, is a multiple of `10^(e - 1001)`, as
/// is the addend itself. The lesser one is below `10^(e - 4000)`. Between two such multiples every
/// number rounds alike, so any step in the right direction that is shorter will do.
fn nudge(greater: &Decimal, lesser: &Decimal) -> Decimal {
    let guard = i64::from(MAX_PRECISION).saturating_add(2);
    let step = IBig::from_parts(lesser.sign(), UBig::ONE);
    decimal(
        scaled(greater, guard),
        &step,
        greater.exponent().saturating_sub(guard),
    )
}

/// The coefficient for an exponent that is lower by `distance`.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "IBig grows, at most by MAX_ALIGNMENT digits"
)]
fn scaled(decimal: &Decimal, distance: i64) -> IBig {
    if distance == 0 {
        return decimal.coefficient();
    }
    IBig::from_parts(decimal.sign(), decimal.magnitude() * ten_to(distance))
}

#[expect(clippy::arithmetic_side_effects, reason = "IBig grows")]
fn decimal(coefficient: IBig, addend: &IBig, exponent: i64) -> Decimal {
    let (sign, magnitude) = (coefficient + addend).into_parts();
    Decimal::new(sign, magnitude, exponent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::Number;
    use crate::precision::Precision;
    use crate::rounding::round_quotient;

    fn sum(x: &str, y: &str) -> Value {
        let [x, y]: [Number; 2] = [x, y].map(|text| text.parse().unwrap());
        Value::sum(x.decimal(), y.decimal())
    }

    #[test]
    fn addends_are_aligned_up_to_the_limit() {
        assert!(matches!(sum("1e5000", "1"), Value::Terminating(sum) if sum.digits() == 5_001));
        assert!(matches!(sum("1", "1e5001"), Value::Distant(_)));
        assert!(matches!(sum("1e-5001", "-1"), Value::Distant(_)));
    }

    #[test]
    fn zero_is_never_distant() {
        assert!(matches!(sum("0", "-1e10000"), Value::Terminating(_)));
        assert!(matches!(sum("1e-10000", "0"), Value::Terminating(_)));
    }

    #[test]
    fn distant_sums_round_as_the_true_sums_do() {
        let half = format!("{}5", "1".repeat(999));
        for greater in ["1", "25", "35", "9".repeat(1_000).as_str(), &half] {
            for lesser in ["1", "-1", "9".repeat(1_000).as_str(), &format!("-{half}")] {
                let (x, y) = (format!("{greater}e5001"), lesser.to_owned());
                let Value::Distant(nudged) = sum(&x, &y) else {
                    panic!("{x} + {y}")
                };
                let [x, y]: [Number; 2] = [x, y].map(|text| text.parse().unwrap());
                let truth = scaled(x.decimal(), x.decimal().exponent() - y.decimal().exponent())
                    + y.decimal().coefficient();
                let (_, truth) = truth.into_parts();
                for digits in [1, 2, 34, 999, 1_000] {
                    let precision = Precision::try_from(digits).unwrap();
                    let round = |integer, exponent| {
                        let (rounded, at) = round_quotient(integer, &UBig::ONE, precision);
                        (rounded, at + exponent)
                    };
                    assert_eq!(
                        round(nudged.magnitude(), nudged.exponent()),
                        round(&truth, y.decimal().exponent()),
                    );
                }
            }
        }
    }
}
