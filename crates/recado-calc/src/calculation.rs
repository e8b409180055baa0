//! The whole calculation: two numbers in, the answer out.

use dashu_int::{Sign, UBig};

use crate::decimal::Decimal;
use crate::limits::{MAX_EXACT_DIGITS, MAX_RESULT_EXPONENT};
use crate::number::Number;
use crate::operation::Operation;
use crate::powers::to_signed;
use crate::precision::Precision;
use crate::rational::Rational;
use crate::repeating;
use crate::rounding::round_quotient;
use crate::value::Value;

/// An answered calculation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calculation {
    /// What was done.
    pub operation: Operation,
    /// The first operand.
    pub x: Number,
    /// The second operand.
    pub y: Number,
    /// The value, or the value rounded half-even; canonical text, as [`Number`] writes it.
    pub result: String,
    /// Whether `result` is the true value.
    pub exact: bool,
    /// The true value as a reduced fraction `n/d`, where `result` is not exact and the text fits
    /// [`MAX_FRACTION_CHARS`](crate::limits::MAX_FRACTION_CHARS); of a whole number, `n/1`.
    pub fraction: Option<String>,
    /// The true value as a repeating decimal such as `-1.2(34)`, where it does not terminate and the
    /// text fits [`MAX_REPEATING_DIGITS`](crate::limits::MAX_REPEATING_DIGITS).
    pub repeating: Option<String>,
}

/// Calculates `x operation y`.
///
/// Without `precision`, a value that terminates within [`MAX_EXACT_DIGITS`] significant digits is
/// given whole, and any other rounded half-even to the default [`Precision`]. With it, the value is
/// rounded to so many significant digits.
pub fn calculate(
    operation: Operation,
    x: Number,
    y: Number,
    precision: Option<Precision>,
) -> Result<Calculation, CalculateError> {
    let value = match operation {
        Operation::Add => Value::sum(x.decimal(), y.decimal()),
        Operation::Subtract => Value::sum(x.decimal(), &y.decimal().negated()),
        Operation::Multiply => Value::product(x.decimal(), y.decimal()),
        Operation::Divide => {
            Value::quotient(x.decimal(), y.decimal()).ok_or(CalculateError::DivisionByZero)?
        }
    };
    let Answer {
        result,
        exact,
        truth,
    } = Answer::of(value, precision);
    let result_exponent = result.leading_exponent();
    if !(-MAX_RESULT_EXPONENT..=MAX_RESULT_EXPONENT).contains(&result_exponent) {
        return Err(CalculateError::TooLarge);
    }
    Ok(Calculation {
        operation,
        x,
        y,
        result: result.to_string(),
        exact,
        fraction: truth.as_ref().and_then(Rational::fraction),
        repeating: truth.as_ref().and_then(repeating::expansion),
    })
}

/// What a value comes to at a precision.
struct Answer {
    result: Decimal,
    exact: bool,
    /// The true value where the result is not it; absent where its fraction would not fit either.
    truth: Option<Rational>,
}

impl Answer {
    fn of(value: Value, precision: Option<Precision>) -> Self {
        let rounding = precision.unwrap_or_default();
        match value {
            Value::Terminating(decimal) => {
                let whole_digits =
                    precision.map_or(to_signed(MAX_EXACT_DIGITS), |wanted| wanted.get().into());
                if decimal.digits() <= whole_digits {
                    return Self {
                        result: decimal,
                        exact: true,
                        truth: None,
                    };
                }
                let result = round_decimal(&decimal, rounding);
                Self {
                    result,
                    exact: false,
                    truth: Some(Rational::of_decimal(&decimal)),
                }
            }
            Value::Repeating(rational) => {
                let (magnitude, exponent) = rational.over_denominator();
                let result = round(
                    rational.sign,
                    &magnitude,
                    &rational.denominator,
                    exponent,
                    rounding,
                );
                Self {
                    result,
                    exact: false,
                    truth: Some(rational),
                }
            }
            Value::Distant(decimal) => Self {
                result: round_decimal(&decimal, rounding),
                exact: false,
                truth: None,
            },
        }
    }
}

fn round_decimal(decimal: &Decimal, precision: Precision) -> Decimal {
    round(
        decimal.sign(),
        decimal.magnitude(),
        &UBig::ONE,
        decimal.exponent(),
        precision,
    )
}

/// The value `sign numerator/denominator * 10^exponent`, rounded.
fn round(
    sign: Sign,
    numerator: &UBig,
    denominator: &UBig,
    exponent: i64,
    precision: Precision,
) -> Decimal {
    let (coefficient, at) = round_quotient(numerator, denominator, precision);
    Decimal::new(sign, coefficient, exponent.saturating_add(at))
}

/// Why a calculation of two valid operands has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CalculateError {
    /// The divisor is zero.
    #[error("division by zero has no result: divide by another number")]
    DivisionByZero,
    /// The exponent of the result is beyond [`MAX_RESULT_EXPONENT`], in either direction.
    #[error(
        "the result is out of range: with one digit before the point its exponent must be from \
         -{MAX_RESULT_EXPONENT} to {MAX_RESULT_EXPONENT}; use operands closer to 1"
    )]
    TooLarge,
}

impl CalculateError {
    /// A stable word for programs.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::DivisionByZero => "division-by-zero",
            Self::TooLarge => "result-out-of-range",
        }
    }

    /// The name and the value of the limit that was passed, if it was one.
    pub fn limit(&self) -> Option<(&'static str, u64)> {
        match self {
            Self::DivisionByZero => None,
            Self::TooLarge => Some(("max_result_exponent", MAX_RESULT_EXPONENT.unsigned_abs())),
        }
    }
}
