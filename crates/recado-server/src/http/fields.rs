//! What a calculation is asked with, whatever it came in: query, form or JSON.

use std::borrow::Cow;

use recado_calc::{Number, NumberError, Operation, Precision, PrecisionError};

use super::problem::{self, Problem, quoted};

/// A parameter's value as it was sent.
#[derive(Debug)]
pub(super) enum Value<'a> {
    /// A text: from a query or a form, or a JSON string.
    Text(Cow<'a, str>),
    /// A JSON number, digit by digit as written.
    Number(&'a str),
    /// JSON's null.
    Null,
    /// Another JSON value, named with its article.
    Other(&'static str),
}

/// A calculation's parameters, each at most once.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    /// Whether the operation is a parameter too, as in bodies; in a query it is in the path.
    with_operation: bool,
    operation: Option<Value<'a>>,
    x: Option<Value<'a>>,
    y: Option<Value<'a>>,
    precision: Option<Value<'a>>,
}

impl<'a> Fields<'a> {
    /// None yet, of x, y and precision.
    pub(super) fn of_query() -> Self {
        Self {
            with_operation: false,
            operation: None,
            x: None,
            y: None,
            precision: None,
        }
    }

    /// None yet, of operation, x, y and precision.
    pub(super) fn of_body() -> Self {
        Self {
            with_operation: true,
            ..Self::of_query()
        }
    }

    /// Takes one parameter. Refused if there is none of this name, or it is there already.
    pub(super) fn insert(&mut self, name: &str, value: Value<'a>) -> Result<(), Problem> {
        let (name, place) = match name {
            "operation" if self.with_operation => ("operation", &mut self.operation),
            "x" => ("x", &mut self.x),
            "y" => ("y", &mut self.y),
            "precision" => ("precision", &mut self.precision),
            _ => return Err(unknown(name, self.with_operation)),
        };
        if place.is_some() {
            let detail = format!("{name} is given more than once.");
            return Err(Problem::new(&problem::DUPLICATE_PARAMETER, detail).parameter(name));
        }
        *place = Some(value);
        Ok(())
    }

    /// The operation.
    pub(super) fn operation(&self) -> Result<Operation, Problem> {
        match &self.operation {
            Some(Value::Text(text)) => text
                .parse()
                .map_err(|_| unknown_operation(text).parameter("operation")),
            Some(value) => Err(wrong_type("operation", "a string", value)),
            None => Err(missing("operation")),
        }
    }

    /// The first operand.
    pub(super) fn x(&self) -> Result<Number, Problem> {
        operand("x", self.x.as_ref())
    }

    /// The second operand.
    pub(super) fn y(&self) -> Result<Number, Problem> {
        operand("y", self.y.as_ref())
    }

    /// The precision, if one was asked for. JSON's null asks for none.
    pub(super) fn precision(&self) -> Result<Option<Precision>, Problem> {
        let text = match &self.precision {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Text(text)) => text.as_ref(),
            Some(Value::Number(text)) => text,
            Some(value @ Value::Other(_)) => {
                return Err(wrong_type("precision", "an integer", value));
            }
        };
        text.parse().map(Some).map_err(|error: PrecisionError| {
            Problem::from_calculator(error.kind(), &error, error.limit()).parameter("precision")
        })
    }
}

/// The refusal of an operation that does not exist.
pub(super) fn unknown_operation(name: &str) -> Problem {
    let detail = format!(
        "There is no operation {}. The operations are add, subtract, multiply and divide.",
        quoted(name)
    );
    Problem::new(&problem::UNKNOWN_OPERATION, detail)
}

fn operand(name: &'static str, value: Option<&Value<'_>>) -> Result<Number, Problem> {
    let text = match value {
        Some(Value::Text(text)) => text.as_ref(),
        Some(Value::Number(text)) => text,
        Some(value) => {
            return Err(wrong_type(
                name,
                "a number or a string that holds one",
                value,
            ));
        }
        None => return Err(missing(name)),
    };
    text.parse().map_err(|error: NumberError| {
        Problem::from_calculator(error.kind(), &error, error.limit()).parameter(name)
    })
}

fn missing(name: &'static str) -> Problem {
    Problem::new(&problem::MISSING_PARAMETER, format!("{name} is missing.")).parameter(name)
}

fn unknown(name: &str, with_operation: bool) -> Problem {
    let known = if with_operation {
        "operation, x, y and precision"
    } else {
        "x, y and precision"
    };
    let detail = format!("There is no parameter {}; there are {known}.", quoted(name));
    Problem::new(&problem::UNKNOWN_PARAMETER, detail)
}

fn wrong_type(name: &'static str, expected: &str, value: &Value<'_>) -> Problem {
    let found = match value {
        Value::Text(_) => "a string",
        Value::Number(_) => "a number",
        Value::Null => "null",
        Value::Other(found) => found,
    };
    Problem::new(
        &problem::WRONG_TYPE,
        format!("{name} is {found}; it must be {expected}."),
    )
    .parameter(name)
}
