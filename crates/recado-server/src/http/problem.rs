//! Problems: every refusal of the service, as RFC 9457 has it.
//!
//! A [`Kind`] is what a problem's `type` names: `/problems/` and its slug, a relative reference that
//! `GET /problems/{slug}` answers with its explanation. A [`Problem`] is one occurrence.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use hyper::header::{HeaderName, HeaderValue};

use super::json::{write_member, write_string};

/// A kind of problem.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// Its name in `/problems/{slug}`.
    pub(super) slug: &'static str,
    /// The status it has unless an occurrence says otherwise.
    pub(super) status: u16,
    /// Its `title`: the same for every occurrence.
    pub(super) title: &'static str,
    /// Its explanation: what it means and what to do.
    pub(super) about: &'static str,
}

macro_rules! kinds {
    ($($name:ident = $slug:literal, $status:literal, $title:literal, $about:literal;)*) => {
        $(pub(super) static $name: Kind = Kind { slug: $slug, status: $status, title: $title, about: $about };)*
        /// All kinds.
        pub(super) static KINDS: &[&Kind] = &[$(&$name),*];
    };
}

kinds! {
    HTTPS_REQUIRED = "https-required", 400, "HTTPS is required",
        "The request came as plain HTTP to a port that speaks HTTPS. Repeat it with https:// in the address.";
    BAD_HOST = "bad-host", 400, "The Host header is missing or repeated",
        "An HTTP/1.1 request has exactly one Host header (RFC 9112, section 3.2).";
    MALFORMED_PATH = "malformed-path", 400, "The path is malformed",
        "Each % in the path is followed by two hexadecimal digits, and the decoded path is UTF-8.";
    MALFORMED_QUERY = "malformed-query", 400, "The query is malformed",
        "The query is name=value pairs joined by &. Each % is followed by two hexadecimal digits, and what is decoded is UTF-8. A plus sign is written %2B, because + means a space.";
    MALFORMED_FORM = "malformed-form", 400, "The form is malformed",
        "The body is name=value pairs joined by &, as application/x-www-form-urlencoded has it. Each % is followed by two hexadecimal digits, and what is decoded is UTF-8. A plus sign is written %2B, because + means a space.";
    MALFORMED_JSON = "malformed-json", 400, "The body is not the JSON that is expected",
        "POST /v1/calc takes one JSON object, such as {\"operation\":\"add\",\"x\":\"0.1\",\"y\":\"0.2\"}, and POST /v1/calc/batch a JSON array of such objects, in UTF-8. The detail says where the body departs from it.";
    MALFORMED_BODY = "malformed-body", 400, "The body could not be read",
        "The body ended early, or its transfer encoding is broken.";
    MISSING_PARAMETER = "missing-parameter", 400, "A parameter is missing",
        "The calculation needs the parameter that the member \"parameter\" names.";
    DUPLICATE_PARAMETER = "duplicate-parameter", 400, "A parameter is given twice",
        "Each parameter is given once. Which of two was meant is not guessed.";
    UNKNOWN_PARAMETER = "unknown-parameter", 400, "There is no such parameter",
        "Parameters that do not exist are refused and not ignored, so that a misspelt one cannot go unnoticed. They are operation (in bodies only), x, y and precision.";
    NOT_FOUND = "not-found", 404, "There is nothing here",
        "The service has /v1/calc/{operation}, /v1/calc, /v1/calc/batch, /root.pem and /problems/{kind}; /docs describes them.";
    METHOD_NOT_ALLOWED = "method-not-allowed", 405, "The method is not allowed here",
        "The Allow header names the methods that this resource has.";
    NOT_ACCEPTABLE = "not-acceptable", 406, "No acceptable representation",
        "Calculations are answered as application/json or text/plain, batches as application/json; the Accept header excludes what there is.";
    BODY_TIMEOUT = "body-timeout", 408, "The body took too long",
        "The body did not arrive within the time that the member \"limit\" gives, in seconds.";
    BODY_TOO_LARGE = "body-too-large", 413, "The body is too large",
        "The body is larger than the member \"limit\" gives, in bytes.";
    UNSUPPORTED_MEDIA_TYPE = "unsupported-media-type", 415, "The body's type is not supported",
        "POST /v1/calc takes application/json and application/x-www-form-urlencoded, POST /v1/calc/batch application/json, both without a Content-Encoding.";
    UNKNOWN_OPERATION = "unknown-operation", 422, "There is no such operation",
        "The operations are add, subtract, multiply and divide; their Portuguese names soma, subtração, multiplicação and divisão are understood too. In a path an unknown one is 404, in a body 422.";
    WRONG_TYPE = "wrong-type", 422, "A member has the wrong JSON type",
        "x and y are JSON numbers or strings that hold a number, operation is a string, precision an integer.";
    BATCH_TOO_LONG = "batch-too-long", 422, "The batch has too many items",
        "A batch has at most as many items as the member \"limit\" gives. Send it in parts.";
    BATCH_ANSWER_TOO_LARGE = "batch-answer-too-large", 422, "The batch's answer is full",
        "The answers to the batch's earlier items already fill the size that the member \"limit\" gives, in bytes. Send the remaining items in another batch.";
    TOO_MANY_REQUESTS = "too-many-requests", 429, "Too many requests",
        "More requests came from one address, or one IPv6 network, than may be made at a time. Repeat the request after the time in the Retry-After header.";
    INTERNAL_ERROR = "internal-error", 500, "The server failed",
        "A defect of the server. The request is not at fault.";
    BUSY = "busy", 503, "The server is busy",
        "Too many batches are being computed. Repeat the request after the time in the Retry-After header.";
    NOT_CALCULABLE = "not-calculable", 422, "The calculation is refused",
        "The calculator refuses the calculation; the detail says why.";
    DIVISION_BY_ZERO = "division-by-zero", 422, "Division by zero",
        "A number divided by zero has no result. Divide by another number.";
    RESULT_OUT_OF_RANGE = "result-out-of-range", 422, "The result is out of range",
        "In scientific notation, with one digit before the point, the result's exponent would be beyond the member \"limit\" in one direction or the other.";
    EMPTY = "empty", 422, "The number is empty",
        "The operand is there but has no digits. Write some, such as 12 or -0.5.";
    NAN = "nan", 422, "Not a number",
        "NaN is a value of floating-point arithmetic. Here numbers are exact, and there is no such one.";
    INFINITY = "infinity", 422, "Infinity is not a number",
        "Infinity cannot be calculated with exactly. Write a number.";
    DECIMAL_COMMA = "decimal-comma", 422, "The decimal separator is a comma",
        "Here the decimal separator is a point, as in 1.5, in every language.";
    THOUSANDS_SEPARATOR = "thousands-separator", 422, "The digits are in groups",
        "Digits are written without separators between thousands: 1234567.89.";
    NON_ASCII_DIGIT = "non-ascii-digit", 422, "A digit is not one of 0 to 9",
        "Numbers are written with the digits 0 to 9 alone: no digits of other scripts, no fractions or superscripts in one character.";
    CONTROL_CHARACTER = "control-character", 422, "The number has an invisible character",
        "The operand contains a control character or another invisible one. A line break or a tab may have been copied along.";
    SPACE_FOR_PLUS = "space-for-plus", 422, "A space where a plus was meant",
        "In a query or a form, + means a space. Leave the plus out, as in 1e5, or write it as %2B.";
    WHITE_SPACE = "white-space", 422, "The number has white space",
        "The operand contains a space. Remove it.";
    TRAILING_CHARACTERS = "trailing-characters", 422, "Something follows the number",
        "The operand begins with a number, and then there is something else. The detail says where it begins.";
    MALFORMED = "malformed", 422, "Not a decimal number",
        "A number is digits with an optional sign, point and exponent, such as 12, -0.5 or 6.02e23.";
    TOO_MANY_DIGITS = "too-many-digits", 422, "The number has too many digits",
        "The operand has more digits than the member \"limit\" gives. Zeros before the first other digit do not count.";
    EXPONENT_OUT_OF_RANGE = "exponent-out-of-range", 422, "The exponent is out of range",
        "In scientific notation, with one digit before the point, the operand's exponent is beyond the member \"limit\" in one direction or the other.";
    TEXT_TOO_LONG = "text-too-long", 422, "The number's text is too long",
        "The operand's text is longer than the member \"limit\" gives, in bytes.";
    PRECISION_NOT_WHOLE = "precision-not-whole", 422, "The precision is not a whole number",
        "precision is the number of significant digits of a rounded result: a whole number from 1 to 1000, written with digits alone.";
    PRECISION_OUT_OF_RANGE = "precision-out-of-range", 422, "The precision is out of range",
        "precision is the number of significant digits of a rounded result: a whole number from 1 to the member \"limit\".";
}

/// What a problem's `limit_name` can be.
pub(super) const LIMIT_NAMES: [&str; 9] = [
    "max_operand_digits",
    "max_operand_exponent",
    "max_operand_bytes",
    "max_result_exponent",
    "max_precision",
    "max_body_bytes",
    "max_body_seconds",
    "max_batch_items",
    "max_batch_answer_bytes",
];

/// One refusal.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) kind: &'static Kind,
    pub(super) status: u16,
    detail: Cow<'static, str>,
    parameter: Option<&'static str>,
    limit: Option<(&'static str, u64)>,
    /// A header that its answer carries, such as `Allow`.
    pub(super) header: Option<Box<(HeaderName, HeaderValue)>>,
}

impl Problem {
    /// A problem with its kind's status. `detail` is a sentence for a person; what it quotes of the
    /// request has gone through [`quoted`].
    pub(super) fn new(kind: &'static Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            status: kind.status,
            detail: detail.into(),
            parameter: None,
            limit: None,
            header: None,
        }
    }

    /// A refusal of the calculator's: its word is the kind's slug, its text is made a sentence.
    pub(super) fn from_calculator(
        word: &str,
        text: &impl fmt::Display,
        limit: Option<(&'static str, u64)>,
    ) -> Self {
        let kind = KINDS.iter().find(|kind| kind.slug == word);
        let mut detail = format!("{text}.");
        if let Some(first) = detail.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        Self {
            limit,
            ..Self::new(kind.unwrap_or(&&NOT_CALCULABLE), detail)
        }
    }

    /// The same with the parameter at fault.
    pub(super) fn parameter(self, parameter: &'static str) -> Self {
        Self {
            parameter: Some(parameter),
            ..self
        }
    }

    /// The same with the limit that was passed.
    pub(super) fn limit(self, name: &'static str, limit: u64) -> Self {
        Self {
            limit: Some((name, limit)),
            ..self
        }
    }

    /// The same under another status than its kind's.
    pub(super) fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// The same with a header.
    pub(super) fn header(self, name: HeaderName, value: HeaderValue) -> Self {
        Self {
            header: Some(Box::new((name, value))),
            ..self
        }
    }

    /// Its `application/problem+json` text.
    pub(super) fn to_json(&self) -> Vec<u8> {
        let mut json = Vec::with_capacity(256);
        self.write_json(&mut json);
        json
    }

    /// Appends its `application/problem+json` text.
    pub(super) fn write_json(&self, json: &mut Vec<u8>) {
        json.extend_from_slice(b"{\"type\":\"/problems/");
        json.extend_from_slice(self.kind.slug.as_bytes());
        json.push(b'"');
        write_member(json, "title", self.kind.title);
        json.extend_from_slice(b",\"status\":");
        json.extend_from_slice(self.status.to_string().as_bytes());
        write_member(json, "detail", &self.detail);
        if let Some(parameter) = self.parameter {
            write_member(json, "parameter", parameter);
        }
        if let Some((name, limit)) = self.limit {
            json.extend_from_slice(b",\"limit\":");
            json.extend_from_slice(limit.to_string().as_bytes());
            json.extend_from_slice(b",\"limit_name\":");
            write_string(json, name);
        }
        json.push(b'}');
    }

    /// Its text for a client that prefers `text/plain`: the parameter at fault, if any, and the
    /// detail, ended by a newline.
    pub(super) fn to_text(&self) -> String {
        match self.parameter {
            Some(parameter) => format!("{parameter}: {}\n", self.detail),
            None => format!("{}\n", self.detail),
        }
    }
}

/// What was sent, fit to be quoted to a person: at most 40 characters of it in double quotes,
/// everything that is not printable escaped.
pub(super) fn quoted(text: &str) -> String {
    const SHOWN: usize = 40;
    let mut quoted = String::from("\"");
    let mut rest = text.chars();
    for c in rest.by_ref().take(SHOWN) {
        // Debug escaping covers controls, quotes, unassigned code points and lone combining marks;
        // what reorders text (bidirectional controls) is printable to it, so it is named here.
        let reorders = matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        let _ = if reorders {
            write!(quoted, "{}", c.escape_unicode())
        } else {
            write!(quoted, "{}", c.escape_debug())
        };
    }
    quoted.push_str(if rest.next().is_some() { "…\"" } else { "\"" });
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_has_its_members_in_order() {
        let problem = Problem::new(&BODY_TOO_LARGE, "Too \"large\".")
            .parameter("x")
            .limit("body_bytes", 7);
        assert_eq!(
            String::from_utf8(problem.to_json()).unwrap(),
            r#"{"type":"/problems/body-too-large","title":"The body is too large","status":413,"detail":"Too \"large\".","parameter":"x","limit":7,"limit_name":"body_bytes"}"#
        );
        assert_eq!(problem.to_text(), "x: Too \"large\".\n");
    }

    #[test]
    fn slugs_are_unique_and_plain() {
        for (i, kind) in KINDS.iter().enumerate() {
            assert!(
                kind.slug
                    .bytes()
                    .all(|b| b == b'-' || b.is_ascii_lowercase()),
                "{}",
                kind.slug
            );
            assert!((400..600).contains(&kind.status), "{}", kind.slug);
            assert!(
                KINDS[..i].iter().all(|other| other.slug != kind.slug),
                "{}",
                kind.slug
            );
        }
    }

    #[test]
    fn what_is_quoted_is_short_and_printable() {
        assert_eq!(quoted("precison"), "\"precison\"");
        assert_eq!(
            quoted("a\u{202e}b\n\"\u{1b}"),
            "\"a\\u{202e}b\\n\\\"\\u{1b}\""
        );
        assert_eq!(quoted(&"ç".repeat(41)), format!("\"{}…\"", "ç".repeat(40)));
    }
}
