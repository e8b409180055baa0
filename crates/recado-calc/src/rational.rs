//! Rational numbers with their powers of two and five set apart, as decimal notation wants them.

use dashu_int::ops::Gcd;
use dashu_int::{Sign, UBig};

use crate::decimal::Decimal;
use crate::limits::MAX_FRACTION_CHARS;
use crate::powers::{bit_length, five_to, log10_of_two_to, to_signed};

/// The value `sign numerator/denominator * 2^twos * 5^fives`, not zero.
///
/// The two integers have no factor in common, and neither is divisible by 2 or 5. So the number
/// terminates exactly where the denominator is one, the powers tell how many digits stand before the
/// period, and the size of everything is known before any power is computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rational {
    pub(crate) sign: Sign,
    pub(crate) numerator: UBig,
    pub(crate) denominator: UBig,
    pub(crate) twos: i64,
    pub(crate) fives: i64,
}

impl Rational {
    /// The quotient of two decimals that are not zero.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "exponents are some tens of thousands; the common divisor is not zero, since neither \
                  of the two is"
    )]
    pub(crate) fn quotient(dividend: &Decimal, divisor: &Decimal) -> Self {
        let (mut numerator, twos_above, fives_above) = without_twos_and_fives(dividend.magnitude());
        let (mut denominator, twos_below, fives_below) =
            without_twos_and_fives(divisor.magnitude());
        if !denominator.is_one() {
            let common = (&numerator).gcd(&denominator);
            if !common.is_one() {
                numerator /= &common;
                denominator /= &common;
            }
        }
        let exponent = dividend.exponent() - divisor.exponent();
        Self {
            sign: dividend.sign() * divisor.sign(),
            numerator,
            denominator,
            twos: exponent + twos_above - twos_below,
            fives: exponent + fives_above - fives_below,
        }
    }

    /// A decimal that is not zero.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "exponents are some tens of thousands"
    )]
    pub(crate) fn of_decimal(decimal: &Decimal) -> Self {
        let (numerator, twos, fives) = without_twos_and_fives(decimal.magnitude());
        Self {
            sign: decimal.sign(),
            numerator,
            denominator: UBig::ONE,
            twos: twos + decimal.exponent(),
            fives: fives + decimal.exponent(),
        }
    }

    /// Whether the decimal expansion ends.
    pub(crate) fn terminates(&self) -> bool {
        self.denominator.is_one()
    }

    /// The value as a magnitude over the denominator, times a power of ten as small as it can be: the
    /// magnitude and the exponent.
    pub(crate) fn over_denominator(&self) -> (UBig, i64) {
        let exponent = self.twos.min(self.fives);
        let magnitude = times_powers(
            &self.numerator,
            self.twos.saturating_sub(exponent),
            self.fives.saturating_sub(exponent),
        );
        (magnitude, exponent)
    }

    /// The reduced fraction `n/d`, if its text fits [`MAX_FRACTION_CHARS`].
    pub(crate) fn fraction(&self) -> Option<String> {
        let above = (self.twos.max(0), self.fives.max(0));
        let below = (
            self.twos.saturating_neg().max(0),
            self.fives.saturating_neg().max(0),
        );
        let predicted = least_decimal_length(&self.numerator, above)
            .saturating_add(least_decimal_length(&self.denominator, below));
        if predicted > to_signed(MAX_FRACTION_CHARS) {
            return None;
        }
        let minus = if self.sign == Sign::Negative { "-" } else { "" };
        let numerator = times_powers(&self.numerator, above.0, above.1);
        let denominator = times_powers(&self.denominator, below.0, below.1);
        let text = format!("{minus}{numerator}/{denominator}");
        (text.len() <= MAX_FRACTION_CHARS).then_some(text)
    }
}

/// `integer * 2^twos * 5^fives`; negative powers count as zero.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "UBig grows, and callers have bounded the powers to some thousands"
)]
pub(crate) fn times_powers(integer: &UBig, twos: i64, fives: i64) -> UBig {
    let odd = if fives > 0 {
        integer * five_to(fives)
    } else {
        integer.clone()
    };
    odd << usize::try_from(twos).unwrap_or(0)
}

/// A lower bound, never more than two below the truth, of the number of decimal digits of
/// `integer * 2^twos * 5^fives`, without computing it.
pub(crate) fn least_decimal_length(integer: &UBig, (twos, fives): (i64, i64)) -> i64 {
    // log2(5) is 2.32192809…
    let bits_of_fives = fives.saturating_mul(232_192_809).div_euclid(100_000_000);
    let bits = bit_length(integer)
        .saturating_sub(1)
        .saturating_add(twos)
        .saturating_add(bits_of_fives);
    log10_of_two_to(bits).saturating_add(1)
}

/// A positive integer without its powers of two and five, and those powers.
fn without_twos_and_fives(integer: &UBig) -> (UBig, i64, i64) {
    let mut rest = integer.clone();
    let twos = rest.remove_word(2).unwrap_or(0);
    let fives = rest.remove_word(5).unwrap_or(0);
    (rest, to_signed(twos), to_signed(fives))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::Number;
    use crate::powers::{decimal_length, ten_to};

    fn quotient(x: &str, y: &str) -> Rational {
        let [x, y]: [Number; 2] = [x, y].map(|text| text.parse().unwrap());
        Rational::quotient(x.decimal(), y.decimal())
    }

    #[test]
    fn fractions_are_reduced() {
        for (x, y, fraction) in [
            ("1", "3", "1/3"),
            ("-10", "4", "-5/2"),
            ("0.75", "-0.5", "-3/2"),
            ("100", "0.7", "1000/7"),
            ("7", "7", "1/1"),
            ("1e10", "3e10", "1/3"),
            ("1e10000", "3e10000", "1/3"),
        ] {
            assert_eq!(quotient(x, y).fraction().as_deref(), Some(fraction));
        }
    }

    #[test]
    fn fractions_that_do_not_fit_are_not_computed() {
        // Neighbours have no common factor: the longest fraction of two whole operands fits.
        let nines = "9".repeat(999);
        let fraction = quotient(&format!("-{nines}9"), &format!("{nines}8")).fraction();
        assert_eq!(fraction, Some(format!("-{nines}9/{nines}8")));
        assert_eq!(fraction.map(|text| text.len()), Some(MAX_FRACTION_CHARS));
        assert_eq!(quotient("1e10000", "3").fraction(), None);
        assert_eq!(quotient("3", "7e10000").fraction(), None);
        assert_eq!(quotient("1e10000", "7e-10000").fraction(), None);
        // One, a bar and a power of ten: exactly as long as allowed, and one longer.
        assert_eq!(
            quotient("1", "1e1999").fraction().map(|text| text.len()),
            Some(2_002)
        );
        assert_eq!(quotient("1", "1e2000").fraction(), None);
        assert_eq!(quotient("-1", "1e1999").fraction(), None);
    }

    #[test]
    fn predicted_lengths_are_lower_bounds_and_close() {
        for twos in (0..3_000).step_by(301) {
            for fives in (0..3_000).step_by(307) {
                for integer in [UBig::ONE, UBig::from(9u8), ten_to(50) - UBig::ONE] {
                    let length = decimal_length(&times_powers(&integer, twos, fives));
                    let least = least_decimal_length(&integer, (twos, fives));
                    assert!(
                        (length - 2..=length).contains(&least),
                        "{least} for {length}"
                    );
                }
            }
        }
    }
}
