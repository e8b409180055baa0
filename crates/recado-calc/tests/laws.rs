//! The laws of arithmetic, on random operands.

use proptest::prelude::*;
use recado_calc::{Calculation, Number, Operation, Precision, calculate, limits};

fn number() -> impl Strategy<Value = Number> {
    prop_oneof![
        8 => r"-?[0-9]{1,25}(\.[0-9]{1,25})?",
        2 => r"-?[0-9](\.[0-9]{1,30})?e-?[0-9]{1,3}",
        1 => r"-?[1-9][0-9]{300,999}",
        1 => r"-?[1-9]\.[0-9]{0,900}e-?[0-9]{4}",
    ]
    .prop_map(|text| text.parse().unwrap())
}

fn short_number() -> impl Strategy<Value = Number> {
    r"-?[0-9]{1,30}(\.[0-9]{1,30})?(e-?[0-9]{1,2})?".prop_map(|text| text.parse().unwrap())
}

fn precision() -> impl Strategy<Value = Option<Precision>> {
    prop::option::of((1..=1_000u64).prop_map(|digits| Precision::try_from(digits).unwrap()))
}

fn done(operation: Operation, x: &Number, y: &Number, precision: Option<Precision>) -> Calculation {
    calculate(operation, x.clone(), y.clone(), precision).unwrap()
}

/// The exact result, as an operand again.
fn exactly(operation: Operation, x: &Number, y: &Number) -> Number {
    let answer = done(operation, x, y, None);
    assert!(answer.exact);
    answer.result.parse().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn addition_and_multiplication_commute(x in number(), y in number(), precision in precision()) {
        for operation in [Operation::Add, Operation::Multiply] {
            let (one, other) = (done(operation, &x, &y, precision), done(operation, &y, &x, precision));
            prop_assert_eq!(&one.x, &other.y);
            prop_assert_eq!(one.result, other.result);
            prop_assert_eq!(one.exact, other.exact);
            prop_assert_eq!(one.fraction, other.fraction);
        }
    }

    #[test]
    fn subtraction_undoes_addition(x in short_number(), y in short_number()) {
        let sum = exactly(Operation::Add, &x, &y);
        prop_assert_eq!(exactly(Operation::Subtract, &sum, &y), x);
    }

    #[test]
    fn division_undoes_multiplication(x in number(), y in number()) {
        prop_assume!(y.to_string() != "0");
        let product = done(Operation::Multiply, &x, &y, None);
        if let (true, Ok(product)) = (product.exact, product.result.parse::<Number>()) {
            prop_assert_eq!(exactly(Operation::Divide, &product, &y), x);
        }
    }

    #[test]
    fn multiplication_distributes(x in short_number(), y in short_number(), z in short_number()) {
        let sum = exactly(Operation::Add, &y, &z);
        let (xy, xz) = (exactly(Operation::Multiply, &x, &y), exactly(Operation::Multiply, &x, &z));
        prop_assert_eq!(exactly(Operation::Multiply, &x, &sum), exactly(Operation::Add, &xy, &xz));
    }

    /// `|x/y - q| * 2 <= one unit in the last place of q`, checked without dividing.
    #[test]
    fn quotients_are_within_half_a_unit(
        x in short_number(), y in short_number(), digits in 1..200u64,
    ) {
        prop_assume!(x.to_string() != "0" && y.to_string() != "0");
        let precision = Precision::try_from(digits).unwrap();
        let answer = done(Operation::Divide, &x, &y, Some(precision));
        let quotient: Number = answer.result.parse().unwrap();
        let error = exactly(Operation::Subtract, &x, &exactly(Operation::Multiply, &quotient, &y));
        prop_assert_eq!(answer.exact, error.to_string() == "0");

        // A unit of the quotient's last place, times |y|, must be at least twice the error.
        let unit: Number = format!("1e{}", leading_exponent(&quotient) - digits as i64 + 1).parse().unwrap();
        let two: Number = "2".parse().unwrap();
        let allowed = exactly(Operation::Multiply, &unit, &absolute(&y));
        let twice = exactly(Operation::Multiply, &absolute(&error), &two);
        let slack = exactly(Operation::Subtract, &allowed, &twice);
        prop_assert!(!slack.to_string().starts_with('-'), "{answer:?}");
    }

    #[test]
    fn answers_keep_their_form(
        operation in prop::sample::select(&Operation::ALL[..]),
        x in number(), y in number(), precision in precision(),
    ) {
        let Ok(answer) = calculate(operation, x, y, precision) else { return Ok(()) };
        prop_assert!(answer.result.len() <= limits::MAX_PLAIN_CHARS + "-.e+20000".len());
        if let Ok(result) = answer.result.parse::<Number>() {
            prop_assert_eq!(result.to_string(), answer.result.as_str());
        }
        prop_assert!(!answer.exact || answer.fraction.is_none() && answer.repeating.is_none());
        prop_assert!(answer.repeating.is_none() || !answer.exact);
        if let Some(repeating) = answer.repeating {
            prop_assert!(repeating.ends_with(')') && repeating.contains('(') && repeating.contains('.'));
        }
    }
}

/// The exponent in scientific notation, read off the plain or scientific text.
fn leading_exponent(number: &Number) -> i64 {
    let text = number.to_string();
    let text = text.trim_start_matches('-');
    if let Some((_, exponent)) = text.split_once('e') {
        return exponent.parse().unwrap();
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if whole == "0" {
        let zeros = fraction.len() - fraction.trim_start_matches('0').len();
        return -(zeros as i64) - 1;
    }
    whole.len() as i64 - 1
}

fn absolute(number: &Number) -> Number {
    number.to_string().trim_start_matches('-').parse().unwrap()
}
