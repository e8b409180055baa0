//! `recado calc`: asks as the seed does, or takes everything as arguments.

use std::io::{self, BufRead};

use recado_client::https::{Body, HttpsClient, HttpsError, Method, Request};
use recado_proto::text::sanitise_line;
use serde::Deserialize;

use crate::argv::unshield;
use crate::cli::{self, OutputFormat};
use crate::context::{Context, Exit};
use crate::decimal::{self, Typed};
use crate::i18n::Language;
use crate::{terminal, wording};

/// What an answer of the service is read from.
const JSON: &str = "application/json";

/// One calculation to ask for.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Calculation {
    method: Method,
    /// As typed: a name in either language, or a sign.
    operation: String,
    x: String,
    y: String,
}

/// What came of it.
enum Answer {
    /// The API's object, as it came.
    Result { text: String, json: String },
    /// The service refuses the calculation.
    Refused(String),
}

#[derive(Deserialize)]
struct ResultBody {
    result: String,
}

/// The members of a problem (RFC 9457) that a person is told of.
#[derive(Deserialize)]
struct Problem {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    parameter: Option<String>,
    #[serde(default)]
    limit: Option<u64>,
}

/// Calculates once, or asks until the person has had enough.
pub(crate) async fn run(context: &Context, arguments: cli::Calc) -> Exit {
    let once = match from_words(context, &arguments.words) {
        Ok(once) => once,
        Err(exit) => return exit,
    };
    let home = match context.client_home() {
        Ok(home) => home,
        Err(exit) => return exit,
    };
    let trusted = match context.trusted(&home).await {
        Ok(trusted) => trusted,
        Err(exit) => return exit,
    };
    let mut calculator = Calculator {
        context,
        client: HttpsClient::new(trusted),
        precision: arguments.precision,
        output: arguments.output,
    };
    match once {
        Some(calculation) => calculator.calculate_once(&calculation).await,
        None => calculator.ask().await,
    }
}

/// `[get|post] OPERATION X Y`; nothing is a conversation.
fn from_words(context: &Context, words: &[String]) -> Result<Option<Calculation>, Exit> {
    if words.is_empty() {
        return Ok(None);
    }
    let (method, rest) = match words.first().and_then(|word| method(word)) {
        Some(method) => (method, words.get(1..).unwrap_or_default()),
        None => (Method::GET, words),
    };
    let [operation, x, y] = rest else {
        context.complain(&context.text("calc-wrong-use", &[]));
        return Err(Exit::WrongUse);
    };
    let operation = unshield(operation);
    Ok(Some(Calculation {
        method,
        operation: operation_of_sign(&operation)
            .unwrap_or(&operation)
            .to_owned(),
        x: decimal::normalise(context.language, &unshield(x)),
        y: decimal::normalise(context.language, &unshield(y)),
    }))
}

fn method(word: &str) -> Option<Method> {
    match word.trim().to_ascii_lowercase().as_str() {
        "get" => Some(Method::GET),
        "post" => Some(Method::POST),
        _ => None,
    }
}

fn operation_of_sign(sign: &str) -> Option<&'static str> {
    match sign.trim() {
        "+" => Some("add"),
        "-" | "−" => Some("subtract"),
        "*" | "×" => Some("multiply"),
        "/" | "÷" => Some("divide"),
        _ => None,
    }
}

struct Calculator<'a> {
    context: &'a Context,
    client: HttpsClient,
    precision: Option<String>,
    output: OutputFormat,
}

impl Calculator<'_> {
    async fn calculate_once(&mut self, calculation: &Calculation) -> Exit {
        match self.request(calculation).await {
            Ok(Answer::Result { text, json }) => {
                let line = match self.output {
                    OutputFormat::Text => text,
                    OutputFormat::Json => json,
                };
                match terminal::say(&line) {
                    Ok(()) => Exit::Done,
                    Err(_) => Exit::Failed,
                }
            }
            Ok(Answer::Refused(reason)) => {
                self.context.complain(&reason);
                Exit::Failed
            }
            Err(exit) => exit,
        }
    }

    /// The seed's conversation. Ends with a no, or with the input.
    async fn ask(&mut self) -> Exit {
        loop {
            let Some(method) = self.ask_until("calc-prompt-method", method_typed) else {
                return Exit::Done;
            };
            let Some(operation) = self.ask_until("calc-prompt-operation", operation_typed) else {
                return Exit::Done;
            };
            let Some(x) = self.ask_until("calc-prompt-x", number_typed) else {
                return Exit::Done;
            };
            let Some(y) = self.ask_until("calc-prompt-y", number_typed) else {
                return Exit::Done;
            };
            let calculation = Calculation {
                method,
                operation,
                x,
                y,
            };
            match self.request(&calculation).await {
                Ok(Answer::Result { text, json }) => {
                    let line = match self.output {
                        OutputFormat::Text => {
                            self.context.text("calc-result", &[("result", &text)])
                        }
                        OutputFormat::Json => json,
                    };
                    if terminal::say(&line).is_err() {
                        return Exit::Failed;
                    }
                }
                Ok(Answer::Refused(reason)) => self.context.complain(&reason),
                Err(exit) => return exit,
            }
            match self.prompt("calc-prompt-again") {
                Some(answer) if self.context.language.is_yes(&answer) => {}
                _ => return Exit::Done,
            }
        }
    }

    /// Asks until the answer makes sense. `None` is the end of the input.
    fn ask_until<T>(
        &self,
        prompt: &str,
        read: fn(Language, &str) -> Result<T, String>,
    ) -> Option<T> {
        loop {
            let line = self.prompt(prompt)?;
            match read(self.context.language, &line) {
                Ok(value) => return Some(value),
                Err(reason) => self.context.complain(&reason),
            }
        }
    }

    /// Shows a prompt and takes a line. `None` is the end of the input.
    fn prompt(&self, id: &str) -> Option<String> {
        if !self.context.common.quiet {
            terminal::say(&self.context.text(id, &[])).ok()?;
        }
        read_line(&mut io::stdin().lock())
    }

    async fn request(&mut self, calculation: &Calculation) -> Result<Answer, Exit> {
        let request = to_request(calculation, self.precision.as_deref());
        let response = self.client.request(&request).await.map_err(|error| {
            let language = self.context.language;
            let text = match &error {
                HttpsError::Trust(error) => wording::trust(language, error),
                error => language.text("calc-no-answer", &[("cause", &wording::chain(error))]),
            };
            self.context.complain(&text);
            Exit::from_code(error.exit_code())
        })?;
        let body = String::from_utf8_lossy(&response.body);
        if response.status == 200
            && let Ok(ResultBody { result }) = serde_json::from_str(&body)
        {
            return Ok(Answer::Result {
                text: sanitise_line(&result).into_owned(),
                json: sanitise_line(&body).into_owned(),
            });
        }
        let Ok(problem) = serde_json::from_str::<Problem>(&body) else {
            let status = response.status.to_string();
            let text = self
                .context
                .text("calc-strange-answer", &[("status", &status)]);
            self.context.complain(&text);
            return Err(Exit::Failed);
        };
        Ok(Answer::Refused(refusal(
            self.context.language,
            &problem,
            calculation,
        )))
    }
}

/// In the person's language where the kind is known, else as the service says it.
fn refusal(language: Language, problem: &Problem, calculation: &Calculation) -> String {
    let kind = problem.kind.rsplit('/').next().unwrap_or_default();
    let id = format!("problem-{kind}");
    let text = if language.has(&id) {
        let limit = problem
            .limit
            .map(|limit| limit.to_string())
            .unwrap_or_default();
        language.text(
            &id,
            &[
                ("limit", limit.as_str()),
                ("operation", &sanitise_line(&calculation.operation)),
            ],
        )
    } else {
        sanitise_line(&problem.detail).into_owned()
    };
    match &problem.parameter {
        Some(parameter) => format!("{}: {text}", sanitise_line(parameter)),
        None => text,
    }
}

fn to_request(calculation: &Calculation, precision: Option<&str>) -> Request {
    let Calculation {
        method,
        operation,
        x,
        y,
    } = calculation;
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
            Err(_) => precision.into(),
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

fn method_typed(language: Language, line: &str) -> Result<Method, String> {
    method(line).ok_or_else(|| language.text("calc-what-method", &[]))
}

fn operation_typed(language: Language, line: &str) -> Result<String, String> {
    let word = line.trim();
    if word.is_empty() {
        return Err(language.text("calc-what-operation", &[]));
    }
    if let Some(operation) = operation_of_sign(word) {
        return Ok(operation.to_owned());
    }
    let known = [
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
    let lower = word.to_lowercase();
    if known.contains(&lower.as_str()) {
        return Ok(lower);
    }
    Err(language.text("calc-what-operation", &[]))
}

fn number_typed(language: Language, line: &str) -> Result<String, String> {
    match decimal::typed(language, line) {
        Typed::Number(number) if number.is_empty() => Err(language.text("calc-what-number", &[])),
        Typed::Number(number) => Ok(number),
        Typed::Ambiguous { decimal, thousands } => Err(language.text(
            "calc-ambiguous",
            &[("decimal", &decimal), ("thousands", &thousands)],
        )),
    }
}

/// The longest line that is taken: two of the longest operands.
const MAX_LINE: u64 = 32 * 1024;

fn read_line(input: &mut impl BufRead) -> Option<String> {
    let mut bytes = Vec::new();
    let read = io::Read::take(&mut *input, MAX_LINE)
        .read_until(b'\n', &mut bytes)
        .ok()?;
    if read == 0 {
        return None;
    }
    if read as u64 == MAX_LINE && bytes.last() != Some(&b'\n') {
        // The rest of a line that is too long is passed over; what came first is refused as it stands.
        skip_line(input);
    }
    Some(
        String::from_utf8_lossy(&bytes)
            .trim_end_matches(['\n', '\r'])
            .to_owned(),
    )
}

fn skip_line(input: &mut impl BufRead) {
    loop {
        let (length, ended) = match input.fill_buf() {
            Ok([]) | Err(_) => return,
            Ok(buffer) => match buffer.iter().position(|byte| *byte == b'\n') {
                Some(at) => (at + 1, true),
                None => (buffer.len(), false),
            },
        };
        input.consume(length);
        if ended {
            return;
        }
    }
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
        };
        let request = to_request(&calculation, Some("5"));
        assert_eq!(
            request.target,
            "/v1/calc/subtra%C3%A7%C3%A3o?x=1e%2B5&y=-0.2%20%26x&precision=5"
        );
        let post = Calculation {
            method: Method::POST,
            ..calculation
        };
        let request = to_request(&post, Some("5"));
        let body: serde_json::Value = serde_json::from_slice(&request.body.unwrap().bytes).unwrap();
        assert_eq!(
            body,
            serde_json::json!({"operation": "subtração", "x": "1e+5", "y": "-0.2 &x", "precision": 5})
        );
    }

    #[test]
    fn a_line_ends_somewhere() {
        let long = format!("{}\nnext\r\nlast", "9".repeat(100_000));
        let mut input = io::Cursor::new(long);
        assert_eq!(
            read_line(&mut input).map(|line| line.len()),
            Some(32 * 1024)
        );
        assert_eq!(read_line(&mut input).as_deref(), Some("next"));
        assert_eq!(read_line(&mut input).as_deref(), Some("last"));
        assert_eq!(read_line(&mut input), None);
    }
}
