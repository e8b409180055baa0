//! The server's calculator, asked over HTTPS: what `recado calc` and a chat have in common.

use recado_client::https::{Body, HttpsClient, HttpsError, Method, Request};
use recado_client::trust::Trusted;
use recado_proto::text::sanitise_line;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::decimal::{self, Typed};
use crate::i18n::Language;
use crate::wording;

/// What an answer of the service is read from.
const JSON: &str = "application/json";

/// One calculation to ask for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Calculation {
    pub(crate) method: Method,
    /// As typed: a name in either language, or a sign.
    pub(crate) operation: String,
    pub(crate) x: String,
    pub(crate) y: String,
    /// Significant digits, as typed.
    pub(crate) precision: Option<String>,
}

/// What the service said.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Answer {
    Result(Outcome),
    /// The calculation is refused.
    Refused(Problem),
}

/// A result: the API's object, with what a person reads of it.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Outcome {
    /// All its members, as they came.
    pub(crate) members: Map<String, Value>,
    /// The object as it came, in one line.
    pub(crate) json: String,
    pub(crate) shown: ResultBody,
}

/// The members of a result that a person reads.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub(crate) struct ResultBody {
    #[serde(default)]
    operation: String,
    #[serde(default)]
    x: String,
    #[serde(default)]
    y: String,
    pub(crate) result: String,
    #[serde(default)]
    exact: bool,
    #[serde(default)]
    fraction: Option<String>,
    #[serde(default)]
    repeating: Option<String>,
}

/// The members of a problem (RFC 9457) that a person or a program is told of.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub(crate) struct Problem {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    parameter: Option<String>,
    #[serde(default)]
    limit: Option<u64>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum CalculatorError {
    Https(HttpsError),
    /// What came is neither a result nor a problem: the status.
    Strange(u16),
}

impl CalculatorError {
    /// The exit code that a program ends with.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Https(error) => error.exit_code(),
            Self::Strange(_) => 1,
        }
    }

    /// In the person's words.
    pub(crate) fn text(&self, language: Language) -> String {
        match self {
            Self::Https(HttpsError::Trust(error)) => wording::trust(language, error),
            Self::Https(error) => {
                language.text("calc-no-answer", &[("cause", &wording::chain(error))])
            }
            Self::Strange(status) => {
                language.text("calc-strange-answer", &[("status", &status.to_string())])
            }
        }
    }

    /// For a program, in English.
    pub(crate) fn detail(&self) -> String {
        match self {
            Self::Https(error) => wording::chain(error),
            Self::Strange(status) => format!("an answer that is not the calculator's: {status}"),
        }
    }
}

/// A connection to the calculator, which is kept between questions.
pub(crate) struct Calculator(HttpsClient);

impl Calculator {
    pub(crate) fn new(trusted: Trusted) -> Self {
        Self(HttpsClient::new(trusted))
    }

    /// Asks, and reads the answer.
    ///
    /// # Errors
    /// [`CalculatorError`].
    pub(crate) async fn ask(&mut self, asked: &Calculation) -> Result<Answer, CalculatorError> {
        let response = self.0.request(&to_request(asked)).await;
        let response = response.map_err(CalculatorError::Https)?;
        let body = String::from_utf8_lossy(&response.body);
        if response.status == 200
            && let Ok(shown) = serde_json::from_str::<ResultBody>(&body)
            && let Ok(Value::Object(members)) = serde_json::from_str(&body)
        {
            return Ok(Answer::Result(Outcome {
                members,
                json: sanitise_line(&body).into_owned(),
                shown,
            }));
        }
        serde_json::from_str(&body)
            .map(Answer::Refused)
            .map_err(|_| CalculatorError::Strange(response.status))
    }
}

impl ResultBody {
    /// The bare result, fit for a terminal.
    pub(crate) fn bare(&self) -> String {
        sanitise_line(&self.result).into_owned()
    }

    /// The whole calculation, exact however long it goes on: `1 ÷ 3 = 1/3 = 0.(3) ≈ 0.3333…`.
    pub(crate) fn equation(&self) -> String {
        let sign = match self.operation.as_str() {
            "add" => "+",
            "subtract" => "−",
            "multiply" => "×",
            "divide" => "÷",
            other => other,
        };
        let mut text = format!("{} {sign} {}", self.x, self.y);
        if self.exact {
            text.push_str(" = ");
        } else {
            for exact in [&self.fraction, &self.repeating].into_iter().flatten() {
                text.push_str(" = ");
                text.push_str(exact);
            }
            text.push_str(" ≈ ");
        }
        text.push_str(&self.result);
        sanitise_line(&text).into_owned()
    }
}

impl Problem {
    /// The last part of its type: `division-by-zero`.
    pub(crate) fn kind(&self) -> &str {
        self.kind.rsplit('/').next().unwrap_or_default()
    }

    /// As the service says it, in English.
    pub(crate) fn detail(&self) -> String {
        let detail = sanitise_line(&self.detail);
        match &self.parameter {
            Some(parameter) => format!("{}: {detail}", sanitise_line(parameter)),
            None => detail.into_owned(),
        }
    }

    /// In the person's language where the kind is known, else as the service says it.
    pub(crate) fn text(&self, language: Language, asked: &Calculation) -> String {
        let id = format!("problem-{}", self.kind());
        if !language.has(&id) {
            return self.detail();
        }
        let limit = self.limit.map(|limit| limit.to_string());
        let text = language.text(
            &id,
            &[
                ("limit", limit.as_deref().unwrap_or_default()),
                ("operation", &sanitise_line(&asked.operation)),
            ],
        );
        match &self.parameter {
            Some(parameter) => format!("{}: {text}", sanitise_line(parameter)),
            None => text,
        }
    }
}

/// What a sign means, in the API's words.
pub(crate) fn operation_of_sign(sign: &str) -> Option<&'static str> {
    match sign.trim() {
        "+" => Some("add"),
        "-" | "−" => Some("subtract"),
        "*" | "×" => Some("multiply"),
        "/" | "÷" => Some("divide"),
        _ => None,
    }
}

/// An operation as the service takes it, of what a person typed: a sign or a name, in any case.
pub(crate) fn operation_typed(word: &str) -> Option<String> {
    const NAMES: [&str; 11] = [
        "add",
        "subtract",
        "multiply",
        "divide",
        "soma",
        "subtracao",
        "subtração",
        "multiplicacao",
        "multiplicação",
        "divisao",
        "divisão",
    ];
    if let Some(operation) = operation_of_sign(word) {
        return Some(operation.to_owned());
    }
    let lower = word.trim().to_lowercase();
    NAMES.contains(&lower.as_str()).then_some(lower)
}

/// An operand as the service takes it, of what a person typed. One that can be read in two ways is refused, and so is
/// none.
///
/// # Errors
/// Why, in the person's words.
pub(crate) fn number_typed(language: Language, text: &str) -> Result<String, String> {
    match decimal::typed(language, text) {
        Typed::Number(number) if number.is_empty() => Err(language.text("calc-what-number", &[])),
        Typed::Number(number) => Ok(number),
        Typed::Ambiguous { decimal, thousands } => Err(language.text(
            "calc-ambiguous",
            &[("decimal", &decimal), ("thousands", &thousands)],
        )),
    }
}

fn to_request(asked: &Calculation) -> Request {
    let Calculation {
        method,
        operation,
        x,
        y,
        precision,
    } = asked;
    let accept = Some(JSON.to_owned());
    if *method == Method::GET {
        let mut target = format!(
            "/v1/calc/{}?x={}&y={}",
            percent_encode(operation),
            percent_encode(x),
            percent_encode(y)
        );
        if let Some(precision) = precision {
            target.push_str("&precision=");
            target.push_str(&percent_encode(precision));
        }
        return Request {
            method: Method::GET,
            target,
            accept,
            body: None,
        };
    }
    let mut object = serde_json::json!({ "operation": operation, "x": x, "y": y });
    if let Some(precision) = precision {
        // A number where it is one; what is not is for the service to refuse.
        object["precision"] = match precision.parse::<u64>() {
            Ok(number) => number.into(),
            Err(_) => precision.as_str().into(),
        };
    }
    Request {
        method: Method::POST,
        target: "/v1/calc".to_owned(),
        accept,
        body: Some(Body {
            content_type: JSON.to_owned(),
            bytes: object.to_string().into(),
        }),
    }
}

/// Everything but the unreserved characters (RFC 3986 §2.3) as `%XX`.
fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_say_what_was_typed() {
        let calculation = Calculation {
            method: Method::GET,
            operation: "subtração".into(),
            x: "1e+5".into(),
            y: "-0.2 &x".into(),
            precision: Some("5".into()),
        };
        let request = to_request(&calculation);
        assert_eq!(
            request.target,
            "/v1/calc/subtra%C3%A7%C3%A3o?x=1e%2B5&y=-0.2%20%26x&precision=5"
        );
        let post = Calculation {
            method: Method::POST,
            ..calculation
        };
        let request = to_request(&post);
        let body: Value = serde_json::from_slice(&request.body.unwrap().bytes).unwrap();
        assert_eq!(
            body,
            serde_json::json!({"operation": "subtração", "x": "1e+5", "y": "-0.2 &x", "precision": 5})
        );
    }

    #[test]
    fn an_equation_is_exact_where_its_result_is_not() {
        let of = |json: &str| serde_json::from_str::<ResultBody>(json).unwrap().equation();
        assert_eq!(
            of(r#"{"operation":"add","x":"0.1","y":"0.2","result":"0.3","exact":true}"#),
            "0.1 + 0.2 = 0.3"
        );
        assert_eq!(
            of(
                r#"{"operation":"divide","x":"1","y":"3","result":"0.33","exact":false,"fraction":"1/3","repeating":"0.(3)"}"#
            ),
            "1 ÷ 3 = 1/3 = 0.(3) ≈ 0.33"
        );
        // A server that is not honest cannot do more to a terminal than say so.
        assert_eq!(
            of(r#"{"operation":"\u001b[2J","x":"1\n2","y":"3","result":"4","exact":true}"#),
            "1␤2 �[2J 3 = 4"
        );
    }

    #[test]
    fn operations_have_signs_and_names_in_any_case() {
        for (typed, operation) in [
            ("+", Some("add")),
            ("−", Some("subtract")),
            ("÷", Some("divide")),
            (" Soma ", Some("soma")),
            ("DIVISÃO", Some("divisão")),
            ("power", None),
            ("", None),
        ] {
            assert_eq!(operation_typed(typed).as_deref(), operation, "{typed}");
        }
    }
}
