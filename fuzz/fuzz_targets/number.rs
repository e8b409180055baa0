//! Any text as an operand, and any two as a calculation.
#![no_main]

use libfuzzer_sys::fuzz_target;
use recado_calc::{Number, Operation, Precision, calculate};

fuzz_target!(|input: (&str, &str, u8, Option<u16>)| {
    let (x, y, operation, precision) = input;
    let (Ok(x), Ok(y)) = (x.parse::<Number>(), y.parse::<Number>()) else {
        return;
    };
    assert_eq!(x.to_string().parse::<Number>().as_ref(), Ok(&x), "canonical text reads back");
    let operation = Operation::ALL[usize::from(operation) % Operation::ALL.len()];
    let precision = precision.and_then(|digits| Precision::try_from(u64::from(digits)).ok());
    let _ = calculate(operation, x, y, precision);
});
