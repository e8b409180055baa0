//! The four operations and their names.

use std::fmt;
use std::str::FromStr;

/// One of the four basic operations.
///
/// `Display` gives the English name, which is the canonical one; [`FromStr`] also reads Portuguese.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `x + y`.
    Add,
    /// `x - y`.
    Subtract,
    /// `x * y`.
    Multiply,
    /// `x / y`.
    Divide,
}

impl Operation {
    /// Every operation, in the order in which people list them.
    pub const ALL: [Self; 4] = [Self::Add, Self::Subtract, Self::Multiply, Self::Divide];

    /// The English name: `add`, `subtract`, `multiply` or `divide`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Subtract => "subtract",
            Self::Multiply => "multiply",
            Self::Divide => "divide",
        }
    }

    /// Its names as they are usually written: English, Portuguese without and with accents.
    pub const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Add => &["add", "soma"],
            Self::Subtract => &["subtract", "subtracao", "subtração"],
            Self::Multiply => &["multiply", "multiplicacao", "multiplicação"],
            Self::Divide => &["divide", "divisao", "divisão"],
        }
    }

    /// The operation of a sign: `+`, `-` or `−`, `*` or `×`, `/` or `÷`.
    pub fn from_sign(sign: &str) -> Option<Self> {
        match sign {
            "+" => Some(Self::Add),
            "-" | "−" => Some(Self::Subtract),
            "*" | "×" => Some(Self::Multiply),
            "/" | "÷" => Some(Self::Divide),
            _ => None,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Reads an English name, or a Portuguese one with or without its accents, in upper or lower case.
/// Accents may be typed as one character with the letter (NFC) or after it (NFD).
impl FromStr for Operation {
    type Err = UnknownOperation;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if name.len() > MAX_NAME_BYTES {
            return Err(UnknownOperation);
        }
        let composed = name
            .to_lowercase()
            .replace("c\u{327}", "ç")
            .replace("a\u{303}", "ã");
        match composed.as_str() {
            "add" => return Ok(Self::Add),
            "subtract" => return Ok(Self::Subtract),
            "multiply" => return Ok(Self::Multiply),
            "divide" => return Ok(Self::Divide),
            _ => {}
        }
        match composed.replace('ç', "c").replace('ã', "a").as_str() {
            "soma" => Ok(Self::Add),
            "subtracao" => Ok(Self::Subtract),
            "multiplicacao" => Ok(Self::Multiply),
            "divisao" => Ok(Self::Divide),
            _ => Err(UnknownOperation),
        }
    }
}

/// Longest text looked at: `multiplicação` in NFD has 17 bytes.
const MAX_NAME_BYTES: usize = 32;

/// The text names no operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no operation of this name: use add, subtract, multiply or divide \
     (soma, subtracao, multiplicacao or divisao)"
)]
pub struct UnknownOperation;

impl UnknownOperation {
    /// A stable word for programs.
    pub const fn kind(&self) -> &'static str {
        "unknown-operation"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        for operation in Operation::ALL {
            assert_eq!(operation.as_str().parse(), Ok(operation));
            assert_eq!(operation.to_string().to_uppercase().parse(), Ok(operation));
            for name in operation.names() {
                assert_eq!(name.parse(), Ok(operation), "{name}");
            }
        }
    }

    #[test]
    fn portuguese_names_are_read_with_and_without_accents() {
        for (operation, names) in [
            (Operation::Add, &["soma", "SOMA", "Soma"][..]),
            (
                Operation::Subtract,
                &[
                    "subtracao",
                    "subtração",
                    "SUBTRAÇÃO",
                    "subtrac\u{327}a\u{303}o",
                    "subtraçao",
                ],
            ),
            (
                Operation::Multiply,
                &[
                    "multiplicacao",
                    "Multiplicação",
                    "MULTIPLICAC\u{327}A\u{303}O",
                ],
            ),
            (
                Operation::Divide,
                &["divisao", "divisão", "divisa\u{303}o", "DIVISÃO"],
            ),
        ] {
            for name in names {
                assert_eq!(name.parse(), Ok(operation), "{name}");
            }
        }
    }

    #[test]
    fn other_texts_name_nothing() {
        let long = "add".repeat(100_000);
        for name in [
            "", " ", "+", "add ", "ãdd", "adição", "sum", "divisáo", "power", &long,
        ] {
            assert_eq!(
                name.parse::<Operation>(),
                Err(UnknownOperation),
                "{name:.20}"
            );
        }
    }

    #[test]
    fn signs_name_operations() {
        let named: Vec<_> = ["+", "-", "−", "*", "×", "/", "÷", "", "x", "--", "add"]
            .into_iter()
            .map(Operation::from_sign)
            .collect();
        let [add, subtract, multiply, divide] = Operation::ALL.map(Some);
        assert_eq!(
            named,
            [
                add, subtract, subtract, multiply, multiply, divide, divide, None, None, None, None
            ]
        );
    }
}
